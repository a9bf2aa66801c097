package sqlite

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// outbox implements driver.OutboxRepo.
type outbox struct{ *tx }

// pendingRow is the term of the partial indexes, to be repeated by whoever
// wants to use them.
const pendingRow = `state IN ('queued', 'sending')`

func (r outbox) Enqueue(_ context.Context, rows ...driver.OutboxRow) error {
	if err := r.writable(); err != nil {
		return err
	}
	for _, row := range rows {
		row.State = channel.OutboxQueued
		doc, err := encode(row)
		if err != nil {
			return err
		}
		r.b.outboxSeq++
		e := entry{seq: r.b.outboxSeq, notBefore: micro(row.NotBefore)}
		if err := r.change(`INSERT INTO outbox (seq, ws, id, account, lane, state, tries, not_before, reason, detail, at, doc)
			VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, '', '', ?, ?)`,
			e.seq, r.ws, string(row.ID), string(row.Account), row.Lane, row.Tries, e.notBefore, micro(r.now), doc); err != nil {
			return err
		}
		k := r.lane(row.Account, row.Lane)
		if row.Reply != nil {
			if err := r.hurry(k); err != nil {
				return err
			}
		}
		r.committed(func() { r.b.outbox.add(k, micro(r.now), e) })
	}
	if len(rows) > 0 {
		r.hint |= driver.NewsOutbox
	}
	return nil
}

// hurry makes due what waits in the lane for the plan's messages. Lanes are
// known in memory, so that the usual case costs nothing.
func (r outbox) hurry(k laneKey) error {
	if !r.b.outbox.waits(k, micro(r.now)) {
		return nil
	}
	var seqs []int64
	err := r.each(`SELECT seq FROM outbox
			WHERE ws = ? AND account = ? AND lane = ? AND state = 'queued' AND attempt IS NULL AND reason = ?`,
		func(w raw.Row) { seqs = append(seqs, w.Int(0)) }, r.ws, k.account, k.lane, string(channel.ReasonQuota))
	if err != nil {
		return err
	}
	now := micro(time.Time{})
	for _, seq := range seqs {
		if err := r.change(`UPDATE outbox SET not_before = ? WHERE seq = ?`, now, seq); err != nil {
			return err
		}
	}
	r.committed(func() {
		r.b.outbox.edit(k, micro(r.now), func(l *lane) {
			for _, seq := range seqs {
				l.delay(seq, now)
			}
		})
	})
	return nil
}

func (r outbox) Begin(_ context.Context, c driver.Claim, at adapter.Attempt) error {
	k, err := r.b.outbox.hold(r.tx, c)
	if err != nil {
		return err
	}
	doc, err := encode(at)
	if err != nil {
		return err
	}
	if err := r.storeAttempt(k, at, doc); err != nil {
		return err
	}
	for _, id := range at.Rows {
		n, err := r.exec(`UPDATE outbox SET state = 'sending', tries = tries + 1, attempt = ?
			WHERE ws = ? AND id = ? AND account = ? AND lane = ? AND `+pendingRow+` AND (attempt IS NULL OR attempt = ?)`,
			at.ID, r.ws, string(id), k.account, k.lane, at.ID)
		if err != nil {
			return err
		}
		if n != 1 {
			return r.undone(errs.New(errs.Stale, "sqlite: outbox row %s is not waiting in the claimed lane", id))
		}
	}
	r.committed(func() {
		r.b.outbox.edit(k, micro(r.now), func(l *lane) { l.attempt = &openAttempt{id: at.ID, begun: true} })
	})
	return nil
}

// storeAttempt writes a new Attempt, or the raised Tries of an open one.
func (r outbox) storeAttempt(k laneKey, at adapter.Attempt, doc raw.Text) error {
	var open string
	held, err := r.first(`SELECT id FROM attempts WHERE ws = ? AND account = ? AND lane = ? AND open = 1`,
		func(w raw.Row) { open = w.Text(0) }, r.ws, k.account, k.lane)
	if err != nil {
		return err
	}
	if held && open != at.ID {
		return errs.New(errs.Stale, "sqlite: the lane has the open Attempt %s; settle it first", open)
	}
	if held {
		return r.change(`UPDATE attempts SET begun = 1, tries = ?, doc = ? WHERE ws = ? AND id = ?`, at.Tries, doc, r.ws, at.ID)
	}
	n, err := r.exec(`INSERT INTO attempts (ws, id, account, lane, open, begun, not_before, tries, at, doc)
		VALUES (?, ?, ?, ?, 1, 1, 0, ?, ?, ?) ON CONFLICT (ws, id) DO NOTHING`,
		r.ws, at.ID, k.account, k.lane, at.Tries, micro(r.now), doc)
	if err == nil && n == 0 {
		err = errs.New(errs.Stale, "sqlite: Attempt %s has already ended", at.ID)
	}
	return err
}

func (r outbox) Settle(_ context.Context, c driver.Claim, attempt string, o driver.Settlement) error {
	k, err := r.b.outbox.hold(r.tx, c)
	if err != nil {
		return err
	}
	repeat := o.State == channel.OutboxQueued
	keep := repeat && !o.Replan
	due := micro(time.Time{})
	if repeat {
		due = micro(o.NotBefore)
	}
	var changed any // the Attempt as the repeat finds it
	switch {
	case !keep:
		changed = noDoc // what an ended one said is of no use
	case o.Attempt != nil:
		if changed, err = encode(*o.Attempt); err != nil {
			return err
		}
	}
	n, err := r.exec(`UPDATE attempts SET open = ?, begun = 0, not_before = ?, doc = coalesce(?, doc)
		WHERE ws = ? AND id = ? AND account = ? AND lane = ? AND open = 1`, keep, due, changed, r.ws, attempt, k.account, k.lane)
	if err != nil {
		return err
	}
	if n == 0 {
		return errs.New(errs.Stale, "sqlite: Attempt %s is not open in the claimed lane; it already ended", attempt)
	}
	seqs, err := r.settleRows(attempt, o, keep, due)
	if err != nil {
		return err
	}
	r.hint |= driver.NewsOutbox
	r.committed(func() {
		r.b.outbox.edit(k, micro(r.now), func(l *lane) { l.settle(attempt, seqs, repeat, keep, due) })
	})
	return nil
}

// noDoc stands where an ended Attempt had its request.
var noDoc = raw.Text("{}")

// settleRows records the outcome for the rows of the attempt.
func (r outbox) settleRows(attempt string, o driver.Settlement, keep bool, due int64) ([]int64, error) {
	seqs, rows, err := r.rowsOf(attempt)
	if err != nil {
		return nil, err
	}
	for i, seq := range seqs {
		var kept any // the attempt's id
		if keep || o.State != channel.OutboxQueued {
			kept = attempt
		}
		if err := r.change(`UPDATE outbox SET state = ?, not_before = ?, attempt = ?, reason = ?, detail = ? WHERE seq = ?`,
			string(o.State), due, kept, string(o.Reason), o.Detail, seq); err != nil {
			return nil, err
		}
		if o.State == channel.OutboxQueued && !keep {
			if err := r.dropReply(seq, rows[i]); err != nil {
				return nil, err
			}
		}
	}
	return seqs, nil
}

// rowsOf are the rows that an attempt carries, in order.
func (r outbox) rowsOf(attempt string) (seqs []int64, rows []driver.OutboxRow, err error) {
	var failure error
	err = r.each(`SELECT seq, doc FROM outbox WHERE ws = ? AND attempt = ? AND `+pendingRow+` ORDER BY seq`, func(w raw.Row) {
		var row driver.OutboxRow
		if err := decode(w.View(1), &row); err != nil {
			failure = err
		}
		seqs, rows = append(seqs, w.Int(0)), append(rows, row)
	}, r.ws, attempt)
	return seqs, rows, cmp.Or(err, failure)
}

// dropReply takes the reply handle away from a row that is planned anew.
func (r outbox) dropReply(seq int64, row driver.OutboxRow) error {
	if row.Reply == nil {
		return nil
	}
	row.Reply = nil
	doc, err := encode(row)
	if err != nil {
		return err
	}
	return r.change(`UPDATE outbox SET doc = ? WHERE seq = ?`, doc, seq)
}

// settle lets the lane follow.
func (l *lane) settle(attempt string, seqs []int64, repeat, keep bool, due int64) {
	if l.attempt == nil || l.attempt.id != attempt {
		return
	}
	for _, seq := range seqs {
		if repeat {
			l.delay(seq, due)
		} else {
			l.drop(seq)
		}
	}
	if keep {
		l.attempt = &openAttempt{id: attempt, notBefore: due}
	} else {
		l.attempt = nil
	}
}

func (r outbox) End(_ context.Context, id channel.OutboxID, o driver.OutboxEnd) error {
	if err := r.writable(); err != nil {
		return err
	}
	within, args := "", []any{r.ws, string(id)}
	if o.Claim != nil {
		k, err := r.b.outbox.hold(r.tx, *o.Claim)
		if err != nil {
			return err
		}
		within, args = " AND account = ? AND lane = ?", append(args, k.account, k.lane)
	}
	var seq int64
	var account, name string
	ok, err := r.first(`SELECT seq, account, lane FROM outbox
		WHERE ws = ? AND id = ? AND state = 'queued' AND attempt IS NULL`+within,
		func(w raw.Row) { seq, account, name = w.Int(0), w.Text(1), w.Text(2) }, args...)
	if err != nil {
		return err
	}
	if !ok {
		if _, err := r.row(id); err != nil {
			return err
		}
		return errs.New(errs.Stale, "sqlite: outbox row %s has ended, an Attempt carries it, or it is not in the claimed lane", id)
	}
	if err := r.change(`UPDATE outbox SET state = ?, reason = ?, detail = ? WHERE seq = ?`,
		string(o.State), string(o.Reason), o.Detail, seq); err != nil {
		return err
	}
	r.hint |= driver.NewsOutbox
	r.committed(func() {
		r.b.outbox.edit(r.lane(channel.AccountID(account), name), micro(r.now), func(l *lane) { l.drop(seq) })
	})
	return nil
}

func (r outbox) Pause(_ context.Context, account channel.AccountID, until time.Time) error {
	err := r.change(`INSERT INTO pauses (ws, account, until) VALUES (?, ?, ?)
		ON CONFLICT (ws, account) DO UPDATE SET until = max(until, excluded.until)`, r.ws, string(account), micro(until))
	if err != nil {
		return err
	}
	r.hint |= driver.NewsOutbox
	r.committed(func() {
		r.b.outbox.pause(accountKey{r.ws, string(account)}, micro(until), micro(r.now))
	})
	return nil
}

const outboxColumns = `doc, state, tries, not_before, reason, detail`

// scanOutbox reads a row; what changes after enqueueing is in columns.
func scanOutbox(w raw.Row) (driver.OutboxRow, error) {
	var row driver.OutboxRow
	err := decode(w.View(0), &row)
	row.State, row.Tries, row.NotBefore = channel.OutboxState(w.Text(1)), int(w.Int(2)), moment(w.Int(3))
	row.Reason, row.Detail = channel.Reason(w.Text(4)), w.Text(5)
	return row, err
}

func (r outbox) row(id channel.OutboxID) (driver.OutboxRow, error) {
	return one(r.tx, scanOutbox, "outbox row "+string(id), `SELECT `+outboxColumns+` FROM outbox WHERE ws = ? AND id = ?`, r.ws, string(id))
}

func (r outbox) Rows(_ context.Context, k driver.OutboxKey, limit int) ([]driver.OutboxRow, error) {
	if k.ID != "" {
		return list(r.tx, scanOutbox, `SELECT `+outboxColumns+` FROM outbox WHERE ws = ? AND id = ?`, r.ws, string(k.ID))
	}
	return list(r.tx, scanOutbox, `SELECT `+outboxColumns+` FROM outbox WHERE ws = ? AND state = ? ORDER BY at DESC, id DESC LIMIT ?`,
		r.ws, string(k.State), limit)
}

func (r outbox) Forget(_ context.Context, id channel.OutboxID) error {
	row, err := r.row(id)
	if errors.Is(err, errs.NotFound) || err == nil && (row.State == channel.OutboxQueued || row.State == channel.OutboxSending) {
		return r.writable()
	}
	if err != nil {
		return err
	}
	row.Content, row.Sealed = channel.Content{}, nil
	doc, err := encode(row)
	if err != nil {
		return err
	}
	return r.change(`UPDATE outbox SET doc = ? WHERE ws = ? AND id = ?`, doc, r.ws, string(id))
}

func (r outbox) Pending(context.Context) (int, error) {
	n, _, err := r.number(`SELECT count(*) FROM outbox WHERE ws = ? AND `+pendingRow, r.ws)
	return int(n), err
}

func (r outbox) purgeOutbox(_ context.Context, before time.Time, limit int) (int, error) {
	n, err := r.exec(`DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox
		WHERE ws = ? AND at < ? AND state NOT IN ('queued', 'sending') ORDER BY at LIMIT ?)`, r.ws, micro(before), limit)
	if err != nil {
		return 0, err
	}
	return n, r.change(`DELETE FROM attempts WHERE rowid IN (SELECT rowid FROM attempts
		WHERE ws = ? AND at < ? AND open = 0 ORDER BY at LIMIT ?)`, r.ws, micro(before), limit)
}
