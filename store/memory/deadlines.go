package memory

import (
	"cmp"
	"container/heap"
	"context"
	"time"

	"github.com/sangdam/sangdam/store/driver"
)

type deadlines struct{ t *tx }

type deadlineKey struct{ kind, id string }

func (r deadlines) Set(_ context.Context, kind, id string, at time.Time) error {
	return do(r.t, func() error {
		k := deadlineKey{kind, id}
		if !at.IsZero() {
			put(r.t, r.t.s.due, k, clone(at))
			r.t.news |= driver.NewsDeadlines
		} else if has(r.t, r.t.s.due, k) {
			drop(r.t, r.t.s.due, k)
		}
		return nil
	})
}

// dueHeap holds the deadlines of all workspaces, earliest first, with what was
// moved or cleared since: entries that no longer agree with their row.
type dueHeap []driver.Deadline

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(driver.Deadline)) }
func (h dueHeap) Less(i, j int) bool { return earlier(h[i], h[j]) < 0 }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	*h = (*h)[:last]
	return d
}

func earlier(a, b driver.Deadline) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}

func (b *backend) deadlineChanged(ws driver.WorkspaceID) func(deadlineKey, *time.Time, *time.Time) {
	return func(k deadlineKey, _, is *time.Time) {
		if is != nil {
			heap.Push(&b.due, driver.Deadline{Workspace: ws, Kind: k.kind, ID: k.id, At: *is})
		}
	}
}

// popDue takes the earliest true deadline from the heap if it is not after the
// time; nil when there is none.
func (b *backend) popDue(until time.Time) *driver.Deadline {
	for len(b.due) > 0 && !b.due[0].At.After(until) {
		d := heap.Pop(&b.due).(driver.Deadline)
		for len(b.due) > 0 && b.due[0] == d { // set, moved and set back
			heap.Pop(&b.due)
		}
		if at, ok := committed(b.spaces[d.Workspace].due, deadlineKey{d.Kind, d.ID}); ok && at.Equal(d.At) {
			return &d
		}
	}
	return nil
}

// listDue returns true deadlines until the time, at most limit, and keeps them.
func (b *backend) listDue(until time.Time, limit int) []driver.Deadline {
	var out []driver.Deadline
	for len(out) < limit {
		d := b.popDue(until)
		if d == nil {
			break
		}
		out = append(out, *d)
	}
	for _, d := range out {
		heap.Push(&b.due, d)
	}
	return out
}
