package sqlite

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store/driver"
)

// AppendEnvelopes implements driver.Backend.
func (b *backend) AppendEnvelopes(ctx context.Context, ws driver.WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	w, err := b.workspace(ws)
	if err != nil {
		return nil, err
	}
	a := newAppending(envs)
	a.job.ctx, a.job.ws, a.job.own, a.job.append = ctx, w, true, a
	if err := b.submit(&a.job); err != nil {
		return nil, err
	}
	return a.fresh, nil
}

// AppendsInTime implements driver.Prompt.
func (b *backend) AppendsInTime() {}

// appending is a call of AppendEnvelopes. What can be prepared is prepared on
// the caller's goroutine, since all calls share the one that commits. That one
// inserts the envelopes of all calls of a batch with few statements.
type appending struct {
	job  job
	rows []appended // in the given order
	// order of the rows by their envelopes' own time; nil of one.
	order []int
	fresh []bool
	one   [1]appended
	new   [1]bool
}

// appended is a row with its columns as they are bound: pointers, which are passed
// on without a copy for each.
type appended struct {
	env                     adapter.Envelope // as it is read again
	id, account             string
	seq, occurred, received int64
	tries                   int64
	raw                     []byte
}

func newAppending(envs []adapter.Envelope) *appending {
	a := &appending{}
	if a.rows, a.fresh = a.one[:], a.new[:]; len(envs) != 1 {
		a.rows, a.fresh = make([]appended, len(envs)), make([]bool, len(envs))
		a.order = make([]int, len(envs))
	}
	for i, e := range envs {
		r := &a.rows[i]
		if e.ID == "" {
			e.ID = channel.EnvelopeID(newID())
		}
		r.id, r.account, r.tries, r.raw = string(e.ID), string(e.Account), int64(e.Tries), []byte{}
		if e.Raw = slices.Clone(e.Raw); len(e.Raw) > 0 { // the caller's it is to change
			r.raw = e.Raw
		}
		r.occurred = micro(e.OccurredAt)
		if !e.ReceivedAt.IsZero() {
			r.received = micro(e.ReceivedAt)
		}
		r.env = adapter.Envelope{ID: e.ID, Account: e.Account, Lane: e.Lane, DedupKey: e.DedupKey, OccurredAt: moment(r.occurred),
			ReceivedAt: e.ReceivedAt, Tries: e.Tries, Raw: e.Raw}
		if len(e.Raw) == 0 {
			r.env.Raw = nil // as it is read
		}
	}
	for i := range a.order {
		a.order[i] = i
	}
	slices.SortStableFunc(a.order, func(i, j int) int { return envs[i].OccurredAt.Compare(envs[j].OccurredAt) })
	return a
}

// number gives the rows their numbers, in the order of their time. They are inserted
// in the given order, so that of two with one key the first is the new one.
func (a *appending) number(t *tx) {
	for place := range a.rows {
		i := place
		if a.order != nil {
			i = a.order[place]
		}
		t.b.envelopeSeq++
		r := &a.rows[i]
		r.seq = t.b.envelopeSeq
		if r.env.ReceivedAt.IsZero() {
			r.received = micro(t.now)
		}
		r.env.ReceivedAt = moment(r.received)
	}
}

var insertEnvelopes = newInsertion(`envelopes (seq, ws, id, account, lane, dedup, occurred, received, tries, raw)`, 10,
	` ON CONFLICT (ws, account, dedup) DO NOTHING`)

// appendAll inserts the envelopes of all calls. An error is SQLite's: nothing of the
// transaction can be kept.
func (t *tx) appendAll(calls []*appending) error {
	type place struct {
		a *appending
		i int
	}
	var places []place
	for _, a := range calls {
		a.number(a.job.tx)
		for i := range a.rows {
			places = append(places, place{a, i})
		}
	}
	err := t.insertRows(insertEnvelopes, len(places), func(values []any, i int) []any {
		a := places[i].a
		r := &a.rows[places[i].i]
		return append(values, &r.seq, &a.job.tx.ws, &r.id, &r.account, &r.env.Lane, &r.env.DedupKey, &r.occurred, &r.received,
			&r.tries, &r.raw)
	}, func(from, to, inserted int) (err error) {
		for _, p := range places[from:to] {
			fresh := inserted == to-from
			if !fresh && inserted > 0 {
				if fresh, err = t.exists(`SELECT 1 FROM envelopes WHERE seq = ?`, p.a.rows[p.i].seq); err != nil {
					return err
				}
			}
			p.a.fresh[p.i] = fresh
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range calls {
		if slices.Contains(a.fresh, true) {
			a.job.tx.hint |= driver.NewsInbox
		}
	}
	return nil
}

// follow tells the lanes what was committed.
func (a *appending) follow() {
	t := a.job.tx
	for place := range a.rows {
		i := place
		if a.order != nil {
			i = a.order[place]
		}
		if !a.fresh[i] {
			continue
		}
		row := new(a.rows[i].env) // one that waits long is not to keep the rest
		t.b.inbox.add(t.lane(row.Account, row.Lane), micro(t.now), entry{seq: a.rows[i].seq, row: row, id: row.ID})
	}
}

// newID makes an identifier that grows with time, so that keys are inserted at
// the end of their index.
func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}
