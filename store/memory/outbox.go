package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type outbox struct{ t *tx }

// outRow is a stored OutboxRow and its place.
type outRow struct {
	driver.OutboxRow
	order   int64  // given at the commit
	attempt string // the open Attempt that carries it
	at      time.Time
}

// attempt is a stored Attempt.
type attempt struct {
	adapter.Attempt
	lane  laneKey
	ended bool
}

func (r outRow) key() laneKey { return laneKey{r.Account, r.Lane} }

func (r outRow) waits() bool {
	return r.State == channel.OutboxQueued || r.State == channel.OutboxSending
}

func (s *space) outRowChanged(id channel.OutboxID, was, is *outRow) {
	if was != nil && was.waits() {
		s.outLanes.remove(was.key(), place[channel.OutboxID]{was.order, id})
		delete(s.outPending, id)
	}
	if is != nil && is.waits() {
		s.outLanes.add(is.key(), place[channel.OutboxID]{is.order, id})
		s.outPending[id] = struct{}{}
	}
}

func (r outbox) Enqueue(_ context.Context, rows ...driver.OutboxRow) error {
	t := r.t
	return do(t, func() error {
		for i, row := range rows {
			_, taken := get(t, t.s.outbox, row.ID)
			if taken || slices.ContainsFunc(rows[:i], func(o driver.OutboxRow) bool { return o.ID == row.ID }) {
				return driver.ErrClash
			}
		}
		for _, row := range rows {
			row = clone(row)
			row.State = channel.OutboxQueued
			if row.Reply != nil {
				r.hurry(laneKey{row.Account, row.Lane})
			}
			put(t, t.s.outbox, row.ID, outRow{OutboxRow: row, at: t.now})
			// Lanes are in the order of commits: a number given now could come
			// in front of a row that is being sent already.
			t.last = append(t.last, func() {
				t.b.order++
				stored, _ := get(t, t.s.outbox, row.ID)
				stored.order = t.b.order
				put(t, t.s.outbox, row.ID, stored)
			})
		}
		if len(rows) > 0 {
			t.news |= driver.NewsOutbox
		}
		return nil
	})
}

// hurry makes due what waits in the lane for the plan's messages.
func (r outbox) hurry(lane laneKey) {
	t := r.t
	var held []outRow
	for _, row := range some(t, t.s.outbox, mapKeys(t.s.outPending)) {
		if row.key() == lane && row.State == channel.OutboxQueued && row.attempt == "" && row.Reason == channel.ReasonQuota {
			held = append(held, row)
		}
	}
	for _, row := range held {
		row.NotBefore = time.Time{}
		put(t, t.s.outbox, row.ID, row)
	}
}

func (r outbox) Begin(_ context.Context, c driver.Claim, at adapter.Attempt) error {
	t := r.t
	return do(t, func() error {
		if err := t.holds(t.s.outClaims, c); err != nil {
			return err
		}
		lane := laneKey{c.Account, c.Lane}
		stored, repeat := get(t, t.s.attempts, at.ID)
		if repeat && (stored.ended || stored.lane != lane || !slices.Equal(stored.Rows, at.Rows)) {
			return errs.New(errs.Stale, "memory: attempt %q has ended or carries other rows", at.ID)
		}
		carrier := ""
		if repeat {
			carrier = at.ID
		}
		rows := make([]outRow, len(at.Rows))
		for i, id := range at.Rows {
			row, ok := get(t, t.s.outbox, id)
			if !ok || !row.waits() || row.key() != lane || row.attempt != carrier {
				return errs.New(errs.Stale, "memory: outbox row %q has ended, is not in the claimed lane or belongs to another attempt", id)
			}
			rows[i] = row
		}
		put(t, t.s.attempts, at.ID, attempt{Attempt: clone(at), lane: lane})
		for _, row := range rows {
			row.State, row.attempt = channel.OutboxSending, at.ID
			row.Tries++
			put(t, t.s.outbox, row.ID, row)
		}
		return nil
	})
}

func (r outbox) Settle(_ context.Context, c driver.Claim, id string, o driver.Settlement) error {
	t := r.t
	return do(t, func() error {
		if err := t.holds(t.s.outClaims, c); err != nil {
			return err
		}
		at, ok := get(t, t.s.attempts, id)
		if !ok || at.ended || at.lane != (laneKey{c.Account, c.Lane}) {
			return errs.New(errs.Stale, "memory: attempt %q has ended or is not in the claimed lane", id)
		}
		again := o.State == channel.OutboxQueued
		if at.ended = !again || o.Replan; !at.ended && o.Attempt != nil {
			at.Attempt = clone(*o.Attempt)
		}
		put(t, t.s.attempts, id, at)
		for _, rowID := range at.Rows {
			row, _ := get(t, t.s.outbox, rowID)
			row.State, row.Reason, row.Detail = o.State, o.Reason, o.Detail
			if again {
				row.NotBefore = clone(o.NotBefore)
			}
			if at.ended {
				row.attempt = ""
			}
			if again && o.Replan {
				row.Reply = nil
			}
			put(t, t.s.outbox, rowID, row)
		}
		if again {
			t.news |= driver.NewsOutbox
		}
		return nil
	})
}

func (r outbox) End(_ context.Context, id channel.OutboxID, o driver.OutboxEnd) error {
	t := r.t
	return do(t, func() error {
		if o.Claim != nil {
			if err := t.holds(t.s.outClaims, *o.Claim); err != nil {
				return err
			}
		}
		row, ok := get(t, t.s.outbox, id)
		switch {
		case !ok:
			return missing("outbox row", string(id))
		case row.State != channel.OutboxQueued || row.attempt != "",
			o.Claim != nil && row.key() != (laneKey{o.Claim.Account, o.Claim.Lane}):
			return errs.New(errs.Stale, "memory: outbox row %q has ended, an attempt carries it, or it is not in the claimed lane", id)
		}
		row.State, row.Reason, row.Detail = o.State, o.Reason, o.Detail
		put(t, t.s.outbox, id, row)
		t.news |= driver.NewsOutbox // what waited behind it may be due
		return nil
	})
}

// Pause never shortens an earlier one, which was promised to the provider.
func (r outbox) Pause(_ context.Context, account channel.AccountID, until time.Time) error {
	t := r.t
	return do(t, func() error {
		if old, _ := get(t, t.s.pauses, account); until.After(old) {
			put(t, t.s.pauses, account, clone(until))
		}
		return nil
	})
}

func (r outbox) Rows(_ context.Context, k driver.OutboxKey, limit int) ([]driver.OutboxRow, error) {
	return read(r.t, func() ([]driver.OutboxRow, error) {
		found := each(r.t, r.t.s.outbox)
		if k.ID != "" {
			found = some(r.t, r.t.s.outbox, slices.Values([]channel.OutboxID{k.ID}))
		}
		var rows []outRow
		for _, row := range found {
			if k.ID == row.ID || k.ID == "" && k.State == row.State {
				rows = append(rows, row)
			}
		}
		slices.SortFunc(rows, func(a, b outRow) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.ID, a.ID)) })
		var out []driver.OutboxRow
		for _, row := range first(rows, limit) {
			out = append(out, clone(row.OutboxRow))
		}
		r.t.found(len(out))
		return out, nil
	})
}

func (r outbox) Forget(_ context.Context, id channel.OutboxID) error {
	return do(r.t, func() error {
		row, ok := get(r.t, r.t.s.outbox, id)
		if ok && !row.waits() {
			row.Content, row.Sealed = channel.Content{}, nil
			put(r.t, r.t.s.outbox, id, row)
		}
		return nil
	})
}

func (r outbox) Pending(context.Context) (int, error) {
	t := r.t
	return read(t, func() (int, error) {
		n := 0
		for _, row := range some(t, t.s.outbox, mapKeys(t.s.outPending)) {
			if row.waits() {
				n++
			}
		}
		return n, nil
	})
}

func (r outbox) purgeOutbox(_ context.Context, before time.Time, limit int) (int, error) {
	t := r.t
	return write(t, func() (int, error) {
		n := purge(t, t.s.outbox, limit, func(row outRow) bool { return !row.waits() && row.at.Before(before) })
		purge(t, t.s.attempts, limit, func(at attempt) bool { return at.ended && r.gone(at) })
		return n, nil
	})
}

// gone reports that none of the attempt's rows is left.
func (r outbox) gone(at attempt) bool {
	return !slices.ContainsFunc(at.Rows, func(id channel.OutboxID) bool {
		_, ok := get(r.t, r.t.s.outbox, id)
		return ok
	})
}
