package memory

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type events struct{ t *tx }

// feed is a workspace's events in the order of commits.
type feed struct {
	name   string // of this life of the store, so that another's cursor is known
	list   []feedEvent
	last   int64  // number of the last event
	rev    uint64 // of the commit that brought it
	purged int64  // greatest number deleted
}

type feedEvent struct {
	driver.Event
	n int64
}

func (r events) Append(_ context.Context, evs ...driver.Event) error {
	t := r.t
	return do(t, func() error {
		evs := clones(evs)
		t.last = append(t.last, func() {
			t.s.feed.rev = t.b.rev + 1 // of this commit
			for _, e := range evs {
				t.s.feed.last++
				t.s.feed.list = append(t.s.feed.list, feedEvent{e, t.s.feed.last})
			}
		})
		t.news |= driver.NewsOf(evs...)
		return nil
	})
}

func (r events) purgeEvents(_ context.Context, before time.Time, limit int) (int, error) {
	t := r.t
	return write(t, func() (int, error) {
		old := 0
		for _, e := range t.s.feed.list {
			if old < limit && e.At.Before(before) {
				old++
			}
		}
		t.last = append(t.last, func() { t.s.feed.purge(before, old) })
		return old, nil
	})
}

func (f *feed) purge(before time.Time, limit int) {
	f.list = slices.DeleteFunc(f.list, func(e feedEvent) bool {
		if limit == 0 || !e.At.Before(before) {
			return false
		}
		limit--
		f.purged = max(f.purged, e.n)
		return true
	})
}

func (f *feed) cursor(n int64) string { return f.name + "." + strconv.FormatInt(n, 10) }

// parse returns the number of the last event that the cursor's holder has.
func (f *feed) parse(cursor string) (int64, error) {
	name, digits, ok := strings.Cut(cursor, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || len(name) != len(f.name) {
		return 0, errs.New(errs.Invalid, "memory: not a cursor of the feed; start with the empty one")
	}
	if name != f.name || n < f.purged || n > f.last {
		return 0, driver.ErrCursorGone
	}
	return n, nil
}

// before is the number before the first event of a time.
func (f *feed) before(at time.Time) int64 {
	i := slices.IndexFunc(f.list, func(e feedEvent) bool { return !e.At.Before(at) })
	if i < 0 {
		return f.last
	}
	return f.list[i].n - 1
}

// Feed returns events after the cursor.
func (b *backend) Feed(ctx context.Context, ws driver.WorkspaceID, cursor string, limit int) ([]driver.Event, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t, err := b.open(ws, true)
	if err != nil {
		return nil, "", err
	}
	f := &t.s.feed
	if f.name == "" {
		f.name = rand.Text()
	}
	if cursor == "" {
		return nil, f.cursor(f.last), nil
	}
	after, err := f.parse(cursor)
	if since, is := driver.TimeOf(cursor); is {
		after, err = f.before(since), nil
	}
	if err != nil {
		return nil, "", err
	}
	at, _ := slices.BinarySearchFunc(f.list, after+1, func(e feedEvent, n int64) int { return int(e.n - n) })
	var out []driver.Event
	for _, e := range first(f.list[at:], limit) {
		out = append(out, clone(e.Event))
		after = e.n
	}
	t.found(len(out))
	return out, f.cursor(after), nil
}
