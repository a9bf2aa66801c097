package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// maxGroup bounds how many calls share one commit; design.md section 3 and the
// measurements it rests on found no gain beyond it.
const maxGroup = 512

// maxGroupBytes bounds the raw bytes of one commit, so that a burst of big
// envelopes does not make one giant statement.
const maxGroupBytes = 8 << 20

// committer is the one goroutine that commits envelopes: it takes whatever
// calls are waiting and stores all of them in one transaction.
type committer struct {
	b    *backend
	in   chan *appendCall
	done chan struct{}
}

// appendCall is one waiting AppendEnvelopes.
type appendCall struct {
	ws    driver.WorkspaceID
	envs  []adapter.Envelope // ids set, in lane order
	order []int              // index of each in what the caller gave
	fresh []bool             // by the caller's order
	err   error
	ready chan struct{}
}

func newCommitter(b *backend) *committer {
	c := &committer{b: b, in: make(chan *appendCall, maxGroup), done: make(chan struct{})}
	go c.loop()
	return c
}

func (c *committer) stop() {
	close(c.in)
	<-c.done
}

// AppendEnvelopes implements driver.Backend. The call is not interrupted by its
// context once it has been handed to the committer.
func (b *backend) AppendEnvelopes(ctx context.Context, ws driver.WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.enter(); err != nil {
		return nil, err
	}
	defer b.running.Done()
	if _, err := b.workspaceOf(ctx, ws); err != nil {
		return nil, err
	}
	call := &appendCall{ws: ws, fresh: make([]bool, len(envs)), ready: make(chan struct{})}
	type dedup struct {
		account channel.AccountID
		key     string
	}
	seen := make(map[dedup]bool, len(envs))
	for i, e := range envs {
		if d := (dedup{e.Account, e.DedupKey}); !seen[d] { // of repeats within the call the first one given counts
			seen[d] = true
			call.order = append(call.order, i)
		}
	}
	slices.SortStableFunc(call.order, func(x, y int) int { return envs[x].OccurredAt.Compare(envs[y].OccurredAt) })
	for _, i := range call.order {
		e := envs[i]
		if e.ID == "" {
			e.ID = channel.EnvelopeID(uuid.Must(uuid.NewV7()).String())
		}
		call.envs = append(call.envs, e)
	}
	b.committer.in <- call
	<-call.ready
	return call.fresh, call.err
}

func (c *committer) loop() {
	defer close(c.done)
	for first := range c.in {
		group := c.gather(first)
		if err := c.persist(group); err != nil {
			for _, call := range group {
				call.err = err
			}
			// One call's values may be what the server refuses: the others
			// must not suffer for it.
			if len(group) > 1 && !isUnavailable(err) {
				for _, call := range group {
					call.err = c.persist([]*appendCall{call})
				}
			}
		}
		for _, call := range group {
			close(call.ready)
		}
	}
}

// persist is store, again when a rival node was in the way: nothing of a failed
// try is left.
func (c *committer) persist(group []*appendCall) (err error) {
	for range 5 {
		if err = c.store(group); !errors.Is(err, driver.ErrClash) {
			return err
		}
	}
	return errs.New(errs.Unavailable, "store: the envelopes met rivals five times; send them again")
}

// gather takes what is waiting, without waiting for more.
func (c *committer) gather(first *appendCall) []*appendCall {
	group := []*appendCall{first}
	bytes := size(first)
	for len(group) < maxGroup && bytes < maxGroupBytes {
		select {
		case call, ok := <-c.in:
			if !ok {
				return group
			}
			group = append(group, call)
			bytes += size(call)
		default:
			return group
		}
	}
	return group
}

func size(call *appendCall) (n int) {
	for _, e := range call.envs {
		n += len(e.Raw)
	}
	return n
}

// touchLanes locks the lanes, in one order for all, before sequence numbers are
// given: within a lane these then follow the order of commits. A lane that a
// worker holds keeps its due, and gets a new one when it is released.
const touchLanes = `INSERT INTO sd.inbox_lanes AS l (ws, account, lane, due)
	SELECT ws, account, lane, greatest(min(least(due, clock_timestamp())), clock_timestamp() - interval '1 s')
	FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS u(ws, account, lane, due)
	GROUP BY ws, account, lane ORDER BY ws COLLATE "C", account COLLATE "C", lane COLLATE "C"` + laneIsThere

const laneIsThere = `
	ON CONFLICT (ws, account, lane) DO UPDATE SET due = least(l.due, excluded.due)
	WHERE (l.token IS NULL OR l.until <= clock_timestamp()) AND (l.due IS NULL OR l.due > excluded.due)`

const insertEnvelopes = `INSERT INTO sd.inbox (ws, id, account, dedup, lane, occurred_at, received_at, tries, raw)
	SELECT ws, id, account, dedup, lane, occurred, coalesce(received, clock_timestamp()), tries, raw
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::int[], $9::bytea[])
		WITH ORDINALITY AS u(ws, id, account, dedup, lane, occurred, received, tries, raw, n)
	ORDER BY n ON CONFLICT DO NOTHING RETURNING ws, id`

// The same for one envelope, which under a middling load most groups are: without
// arrays the two take the server a third less.
const (
	touchLane = `INSERT INTO sd.inbox_lanes AS l (ws, account, lane, due)
		VALUES ($1, $2, $3, greatest(least($4::timestamptz, clock_timestamp()), clock_timestamp() - interval '1 s'))` + laneIsThere
	insertEnvelope = `INSERT INTO sd.inbox (ws, id, account, dedup, lane, occurred_at, received_at, tries, raw)
		VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::timestamptz, clock_timestamp()), $8, $9) ON CONFLICT DO NOTHING RETURNING ws, id`
)

// store commits the group in one round trip.
func (c *committer) store(group []*appendCall) error {
	fresh := map[[2]string]bool{}
	touch, insert := statementsFor(group)
	ctx, stop := context.WithTimeout(context.Background(), c.b.commitWithin)
	defer stop()
	err := c.b.run(ctx, touch, insert.rows(func(r pgx.Rows) error {
		var w, e string
		err := r.Scan(&w, &e)
		fresh[[2]string{w, e}] = true
		return err
	}))
	if err != nil && ctx.Err() != nil {
		return unknownOutcome(err)
	}
	if err != nil {
		return err
	}
	c.b.commits.Add(1)
	c.b.updates.Add(int64(len(group)))
	c.report(group, fresh)
	for _, call := range group {
		if slices.Contains(call.fresh, true) {
			c.b.wakes.committed(driver.Hint{Workspace: call.ws, News: driver.NewsInbox})
		}
	}
	return nil
}

// statementsFor are what stores the group's envelopes.
func statementsFor(group []*appendCall) (touch, insert stmt) {
	if len(group) == 1 && len(group[0].envs) == 1 {
		w, e := key(group[0].ws), group[0].envs[0]
		received := orNull(e.ReceivedAt)
		return query(touchLane, w, key(e.Account), key(e.Lane), received),
			query(insertEnvelope, w, key(e.ID), key(e.Account), key(e.DedupKey), key(e.Lane), e.OccurredAt, received, int32(e.Tries),
				notNil(e.Raw))
	}
	var ws, id, account, dedup, lane []string
	var occurred []time.Time
	var received []*time.Time
	var tries []int32
	var raw [][]byte
	for _, call := range group {
		for _, e := range call.envs {
			ws, id, account = append(ws, key(call.ws)), append(id, key(e.ID)), append(account, key(e.Account))
			dedup, lane = append(dedup, key(e.DedupKey)), append(lane, key(e.Lane))
			occurred, received = append(occurred, e.OccurredAt), append(received, orNull(e.ReceivedAt))
			tries, raw = append(tries, int32(e.Tries)), append(raw, notNil(e.Raw))
		}
	}
	return query(touchLanes, ws, account, lane, received),
		query(insertEnvelopes, ws, id, account, dedup, lane, occurred, received, tries, raw)
}

func (c *committer) report(group []*appendCall, fresh map[[2]string]bool) {
	for _, call := range group {
		call.err = nil
		for n, e := range call.envs {
			mark := [2]string{key(call.ws), key(e.ID)}
			call.fresh[call.order[n]] = fresh[mark]
			delete(fresh, mark) // the same id twice is new once
		}
	}
}

// notNil keeps an empty document apart from none.
func notNil(raw []byte) []byte {
	if raw == nil {
		return []byte{}
	}
	return raw
}
