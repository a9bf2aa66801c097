package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// system works across workspaces. Claims live beside the rows: the process
// that holds them is the one that owns the data.
type system struct{ b *backend }

// lease is a named lease.
type lease struct {
	node  string
	epoch int64
	until time.Time
}

// locked runs fn while the store is open and ctx alive.
func locked[T any](ctx context.Context, b *backend, fn func(now time.Time) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return none, errClosed
	}
	return fn(b.now())
}

func (y system) CreateWorkspace(ctx context.Context, ws driver.WorkspaceID, _ string) error {
	_, err := locked(ctx, y.b, func(time.Time) (struct{}, error) {
		if y.b.spaces[ws] != nil {
			return struct{}{}, errs.New(errs.AlreadyExists, "memory: there is a workspace %q already", ws)
		}
		y.b.spaces[ws] = y.b.newSpace(ws)
		return struct{}{}, nil
	})
	return err
}

func (y system) Workspaces(ctx context.Context, h driver.Having) ([]driver.WorkspaceID, error) {
	return y.these(ctx, func(s *space) bool {
		return (!h.Present || s.present()) && (h.Expired == nil || s.expired(*h.Expired))
	})
}

// present reports that an agent is there or an item is open.
func (s *space) present() bool {
	return s.agents.any(func(a agentRow) bool { return a.State.Presence != routing.Offline }) ||
		s.items.any(func(it routing.Item) bool { return it.State != routing.ItemDone })
}

func (y system) Resolve(ctx context.Context, kind string, global []byte) (driver.WorkspaceID, string, error) {
	ref, err := locked(ctx, y.b, func(time.Time) (globalRef, error) {
		ref, ok := y.b.globals[docKey{kind: kind, value: string(global)}]
		if !ok {
			return ref, errs.New(errs.NotFound, "memory: no %s has this value", kind)
		}
		return ref, nil
	})
	return ref.ws, ref.id, err
}

// head is a lane that may be claimed, with the order of its first row.
type head struct {
	s     *space
	key   laneKey
	order int64
}

// free reports that no live claim holds the lane.
func free(claims map[laneKey]driver.Claim, k laneKey, now time.Time) bool {
	c, held := claims[k]
	return !held || !now.Before(c.Until)
}

// oldest returns the heads to claim.
func oldest(heads []head, limit int) []head {
	slices.SortFunc(heads, func(a, b head) int { return cmp.Compare(a.order, b.order) })
	return first(heads, limit)
}

func (y system) ClaimInbox(ctx context.Context, _ string, limit, batch int, lease time.Duration) ([]driver.InboxLane, error) {
	return locked(ctx, y.b, func(now time.Time) ([]driver.InboxLane, error) {
		var heads []head
		for _, s := range y.b.spaces {
			for k, list := range s.inbox {
				if !s.inDue(k).After(now) && free(s.inClaims, k, now) {
					heads = append(heads, head{s, k, list[0].order})
				}
			}
		}
		var out []driver.InboxLane
		for _, h := range oldest(heads, limit) {
			c := newClaim(h.key, now, lease)
			h.s.inClaims[h.key] = c
			lane := driver.InboxLane{LaneRef: driver.LaneRef{Workspace: h.s.id, Claim: c}}
			for _, p := range first(h.s.inbox[h.key], batch) {
				e, _ := committed(h.s.envelopes, p.id)
				if e.notBefore.After(now) {
					break
				}
				lane.Envelopes = append(lane.Envelopes, clone(e.Envelope))
			}
			y.b.stats.RowsRead += int64(len(lane.Envelopes))
			out = append(out, lane)
		}
		return out, nil
	})
}

// inDue is when the head of an inbound lane may be claimed.
func (s *space) inDue(k laneKey) time.Time {
	e, _ := committed(s.envelopes, s.inbox[k][0].id)
	return e.notBefore
}

func (y system) ClaimOutbox(ctx context.Context, _ string, limit, batch int, lease time.Duration) ([]driver.OutboxLane, error) {
	return locked(ctx, y.b, func(now time.Time) ([]driver.OutboxLane, error) {
		var heads []head
		for _, s := range y.b.spaces {
			for k, list := range s.outLanes {
				if !s.outDue(k).After(now) && free(s.outClaims, k, now) {
					heads = append(heads, head{s, k, list[0].order})
				}
			}
		}
		var out []driver.OutboxLane
		for _, h := range oldest(heads, limit) {
			c := newClaim(h.key, now, lease)
			h.s.outClaims[h.key] = c
			lane := h.s.outHead(h.key, batch, now)
			lane.LaneRef = driver.LaneRef{Workspace: h.s.id, Claim: c}
			y.b.stats.RowsRead += int64(len(lane.Rows))
			out = append(out, lane)
		}
		return out, nil
	})
}

// outDue is when the head of an outbound lane may be claimed.
func (s *space) outDue(k laneKey) time.Time {
	row, _ := committed(s.outbox, s.outLanes[k][0].id)
	paused, _ := committed(s.pauses, k.account)
	if paused.After(row.NotBefore) {
		return paused
	}
	return row.NotBefore
}

// outHead returns the rows at the head of the lane: those of its open Attempt,
// else what is due.
func (s *space) outHead(k laneKey, batch int, now time.Time) driver.OutboxLane {
	var lane driver.OutboxLane
	for _, p := range s.outLanes[k] {
		row, _ := committed(s.outbox, p.id)
		if lane.Attempt == nil && len(lane.Rows) == 0 && row.attempt != "" {
			at, _ := committed(s.attempts, row.attempt)
			lane.Attempt = new(clone(at.Attempt))
			lane.Doubtful = row.State == channel.OutboxSending
			batch = len(at.Rows)
		}
		if len(lane.Rows) >= batch || lane.Attempt == nil && (row.NotBefore.After(now) || row.attempt != "") {
			break
		}
		lane.Rows = append(lane.Rows, clone(row.OutboxRow))
	}
	return lane
}

func (y system) Release(ctx context.Context, sort driver.News, refs ...driver.LaneRef) error {
	_, err := locked(ctx, y.b, func(time.Time) (struct{}, error) {
		for _, ref := range refs {
			s := y.b.spaces[ref.Workspace]
			if s == nil {
				continue
			}
			claims := s.inClaims
			if sort == driver.NewsOutbox {
				claims = s.outClaims
			}
			k := laneKey{ref.Account, ref.Lane}
			if claims[k].Token == ref.Token {
				delete(claims, k)
				y.b.wake(driver.Hint{Workspace: ref.Workspace, News: sort}) // what waits behind a claim can go on
			}
		}
		return struct{}{}, nil
	})
	return err
}

func (y system) ClaimJobs(ctx context.Context, _ string, limits map[string]int, lease time.Duration) ([]driver.Job, error) {
	return locked(ctx, y.b, func(now time.Time) ([]driver.Job, error) {
		var due []job
		for _, s := range y.b.spaces {
			for id := range s.toDo {
				if j, _ := committed(s.jobs, id); limits[j.Kind] > 0 && !j.dueAt().After(now) {
					due = append(due, j)
				}
			}
		}
		slices.SortFunc(due, func(a, b job) int {
			return cmp.Or(a.dueAt().Compare(b.dueAt()), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		var out []driver.Job
		claimed := map[string]int{}
		for _, j := range due {
			if claimed[j.Kind]++; claimed[j.Kind] > limits[j.Kind] {
				continue
			}
			j.State, j.Token, j.until = jobRunning, rand.Text(), now.Add(lease)
			j.Attempts++
			y.b.rev++
			y.b.spaces[j.Workspace].jobs.rows[j.ID] = cell[job]{j, y.b.rev}
			out = append(out, clone(j.Job))
		}
		y.b.stats.RowsRead += int64(len(out))
		return out, nil
	})
}

func (y system) Due(ctx context.Context, limit int) ([]driver.Deadline, error) {
	return locked(ctx, y.b, func(now time.Time) ([]driver.Deadline, error) {
		return y.b.listDue(now, limit), nil
	})
}

func (y system) NextDue(ctx context.Context) (driver.Dues, error) {
	return locked(ctx, y.b, func(now time.Time) (driver.Dues, error) {
		d := driver.Dues{Now: now}
		for len(y.b.due) > 0 {
			top := y.b.due[0]
			if list := y.b.listDue(top.At, 1); len(list) > 0 {
				d.Deadlines = list[0].At
				break
			}
		}
		for _, s := range y.b.spaces {
			s.seeDue(&d)
		}
		return d, nil
	})
}

// seeDue notes when jobs and lanes become due. A lane under a claim is due again
// when the claim's lease ends.
func (s *space) seeDue(d *driver.Dues) {
	see := func(next *time.Time, at time.Time) {
		if at.IsZero() {
			at = time.Unix(0, 0).UTC() // due ever since
		}
		if next.IsZero() || at.Before(*next) {
			*next = at
		}
	}
	for id := range s.toDo {
		j, _ := committed(s.jobs, id)
		see(&d.Jobs, j.dueAt())
	}
	for k := range s.inbox {
		see(&d.Inbox, later(s.inDue(k), s.inClaims[k].Until))
	}
	for k := range s.outLanes {
		see(&d.Outbox, later(s.outDue(k), s.outClaims[k].Until))
	}
}

// these lists the workspaces of which is is true, ordered.
func (y system) these(ctx context.Context, is func(*space) bool) ([]driver.WorkspaceID, error) {
	return locked(ctx, y.b, func(time.Time) ([]driver.WorkspaceID, error) {
		var out []driver.WorkspaceID
		for _, ws := range slices.Sorted(maps.Keys(y.b.spaces)) {
			if is(y.b.spaces[ws]) {
				out = append(out, ws)
			}
		}
		return out, nil
	})
}

// Changed counts by commits: a workspace's last event is of a commit after since
// or not.
func (y system) Changed(ctx context.Context, since string) ([]driver.WorkspaceID, string, error) {
	from := uint64(0)
	if since != "" {
		var err error
		if from, err = strconv.ParseUint(since, 10, 64); err != nil {
			return nil, "", errs.New(errs.Invalid, "memory: %q is not a place that Changed returned", since)
		}
	}
	var next uint64
	list, err := y.these(ctx, func(s *space) bool {
		next = y.b.rev
		return since == "" || s.feed.rev > from
	})
	return list, strconv.FormatUint(next, 10), err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (y system) Beat(ctx context.Context, node string, ttl time.Duration) ([]string, error) {
	return locked(ctx, y.b, func(now time.Time) ([]string, error) {
		y.b.nodes[node] = now.Add(ttl)
		maps.DeleteFunc(y.b.nodes, func(_ string, until time.Time) bool { return !now.Before(until) })
		return slices.Sorted(maps.Keys(y.b.nodes)), nil
	})
}

func (y system) Lease(ctx context.Context, name, node string, ttl time.Duration) (int64, error) {
	return locked(ctx, y.b, func(now time.Time) (int64, error) {
		l, taken := y.b.leases[name]
		if taken && l.node != node && now.Before(l.until) {
			return 0, errs.New(errs.Conflict, "memory: another node holds the lease %q", name)
		}
		if l.node != node {
			l.epoch++
		}
		l.node, l.until = node, now.Add(ttl)
		y.b.leases[name] = l
		return l.epoch, nil
	})
}

func (y system) BeatAgents(ctx context.Context, ws driver.WorkspaceID, ids []routing.AgentID) ([]routing.AgentID, error) {
	return locked(ctx, y.b, func(now time.Time) (offline []routing.AgentID, err error) {
		s := y.b.spaces[ws]
		if s == nil {
			return nil, missing("workspace", string(ws))
		}
		for _, id := range ids {
			if a, ok := committed(s.agents, id); ok && a.State.Presence != routing.Offline {
				s.beats[id] = beat{a.session, now}
			} else {
				offline = append(offline, id)
			}
		}
		return offline, nil
	})
}

func (y system) LostAgents(ctx context.Context, before time.Time, limit int) ([]driver.AgentRef, error) {
	return locked(ctx, y.b, func(time.Time) ([]driver.AgentRef, error) {
		var out []driver.AgentRef
		for _, ws := range slices.Sorted(maps.Keys(y.b.spaces)) {
			s := y.b.spaces[ws]
			for _, id := range slices.Sorted(maps.Keys(s.beats)) {
				a, _ := committed(s.agents, id)
				lost := a.State.Presence != routing.Offline && s.beats[id].session == a.session && s.beats[id].at.Before(before)
				if lost && len(out) < limit {
					out = append(out, driver.AgentRef{Workspace: ws, Agent: id})
				}
			}
		}
		return out, nil
	})
}

func (y system) Meta(ctx context.Context, key string) ([]byte, error) {
	return locked(ctx, y.b, func(time.Time) ([]byte, error) {
		v, ok := y.b.meta[key]
		if !ok {
			return nil, missing("value of the database", key)
		}
		return slices.Clone(v), nil
	})
}

func (y system) PutMeta(ctx context.Context, key string, old, value []byte) error {
	_, err := locked(ctx, y.b, func(time.Time) (struct{}, error) {
		have, ok := y.b.meta[key]
		if ok != (old != nil) || !bytes.Equal(have, old) {
			return struct{}{}, errs.New(errs.Conflict, "memory: the value of %q is not the expected one", key)
		}
		y.b.meta[key] = append([]byte{}, value...)
		return struct{}{}, nil
	})
	return err
}

func (y system) Now(ctx context.Context) (time.Time, error) {
	return locked(ctx, y.b, func(now time.Time) (time.Time, error) { return now, nil })
}

func (y system) Check(ctx context.Context) error {
	_, err := y.Now(ctx)
	return err
}
