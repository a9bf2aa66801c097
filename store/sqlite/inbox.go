package sqlite

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// States of an envelope's row.
const (
	envelopePending = iota
	envelopeDone
	envelopeBad
	envelopeKey // only the dedup key is left
)

// inbox implements driver.InboxRepo.
type inbox struct{ *tx }

// end gives a pending envelope another state under the claim.
func (r inbox) end(c driver.Claim, id channel.EnvelopeID, state int, reason string) error {
	k, err := r.b.inbox.hold(r.tx, c)
	if err != nil {
		return err
	}
	seq, err := r.update(k, id, `state = ?, ended = ?, reason = ?`, state, micro(r.now), reason)
	if err != nil {
		return err
	}
	r.committed(func() {
		r.b.inbox.edit(k, micro(r.now), func(l *lane) { l.drop(seq) })
	})
	return nil
}

// update changes an envelope that waits in the lane and returns its number.
func (r inbox) update(k laneKey, id channel.EnvelopeID, set string, args ...any) (int64, error) {
	if err := r.writable(); err != nil {
		return 0, err
	}
	seq, known := r.b.inbox.number(k, id)
	if !known {
		var err error
		if seq, _, err = r.number(`SELECT seq FROM envelopes WHERE ws = ? AND id = ? AND account = ? AND lane = ? AND state = 0`,
			r.ws, string(id), k.account, k.lane); err != nil {
			return 0, err
		}
	}
	n, err := r.exec(`UPDATE envelopes SET `+set+` WHERE seq = ? AND id = ? AND state = 0`, append(args, seq, string(id))...)
	if err == nil && n == 0 {
		err = errs.New(errs.Stale, "sqlite: envelope %s is not pending in the claimed lane; it already ended", id)
	}
	return seq, err
}

func (r inbox) End(_ context.Context, c driver.Claim, id channel.EnvelopeID, o driver.EnvelopeOutcome) error {
	switch {
	case o.Retry:
		return r.retry(c, id, o.NotBefore, o.Reason)
	case o.Bad:
		return r.end(c, id, envelopeBad, o.Reason)
	}
	return r.end(c, id, envelopeDone, o.Reason)
}

func (r inbox) retry(c driver.Claim, id channel.EnvelopeID, notBefore time.Time, reason string) error {
	k, err := r.b.inbox.hold(r.tx, c)
	if err != nil {
		return err
	}
	seq, err := r.update(k, id, `tries = tries + 1, not_before = ?, reason = ?`, micro(notBefore), reason)
	if err != nil {
		return err
	}
	r.hint |= driver.NewsInbox
	r.committed(func() {
		r.b.inbox.edit(k, micro(r.now), func(l *lane) { l.delay(seq, micro(notBefore)) })
	})
	return nil
}

const envelopeColumns = `id, account, lane, dedup, occurred, received, tries, raw`

func scanEnvelope(r raw.Row) adapter.Envelope {
	return adapter.Envelope{
		ID: channel.EnvelopeID(r.Text(0)), Account: channel.AccountID(r.Text(1)), Lane: r.Text(2), DedupKey: r.Text(3),
		OccurredAt: moment(r.Int(4)), ReceivedAt: moment(r.Int(5)), Tries: int(r.Int(6)), Raw: r.Bytes(7),
	}
}

func (r inbox) Envelopes(_ context.Context, id channel.EnvelopeID, limit int) ([]adapter.Quarantined, error) {
	which, args := `state = 2 ORDER BY ended DESC, seq DESC LIMIT ?`, []any{r.ws, limit}
	if id != "" {
		which, args = `id = ? AND state < 3`, []any{r.ws, string(id)}
	}
	var out []adapter.Quarantined
	err := r.each(`SELECT `+envelopeColumns+`, reason, ended FROM envelopes WHERE ws = ? AND `+which, func(w raw.Row) {
		out = append(out, adapter.Quarantined{Envelope: scanEnvelope(w), Reason: w.Text(8), At: moment(w.Int(9))})
	}, args...)
	return out, err
}

func (r inbox) Requeue(_ context.Context, id channel.EnvelopeID) error {
	if err := r.writable(); err != nil {
		return err
	}
	r.b.envelopeSeq++
	seq := r.b.envelopeSeq
	var k laneKey
	ok, err := r.returning(`UPDATE envelopes SET seq = ?, state = 0, ended = 0, not_before = 0, reason = NULL
		WHERE ws = ? AND id = ? AND state = 2 RETURNING account, lane`,
		func(w raw.Row) { k = r.lane(channel.AccountID(w.Text(0)), w.Text(1)) }, seq, r.ws, string(id))
	if err != nil {
		return err
	}
	if !ok {
		return errs.New(errs.NotFound, "sqlite: envelope %s is not in quarantine", id)
	}
	r.hint |= driver.NewsInbox
	r.committed(func() { r.b.inbox.add(k, micro(r.now), entry{seq: seq}) })
	return nil
}

func (r inbox) Forget(_ context.Context, id channel.EnvelopeID) error {
	return r.change(`UPDATE envelopes SET raw = x'' WHERE ws = ? AND id = ? AND state = 1`, r.ws, string(id))
}

// purgeInbox first deletes rows whose key is too old as well, then empties those of
// which only the key must stay.
func (r inbox) purgeInbox(_ context.Context, body, keys time.Time, limit int) (int, error) {
	total := 0
	for _, step := range []struct {
		sql    string
		before time.Time
	}{
		{`DELETE FROM envelopes WHERE seq IN (SELECT seq FROM envelopes WHERE ws = ? AND state = 3 AND received < ? ORDER BY received
			LIMIT ?)`, keys},
		{`DELETE FROM envelopes WHERE seq IN (SELECT seq FROM envelopes WHERE ws = ? AND state = 1 AND received < ? ORDER BY received
			LIMIT ?)`, earlier(body, keys)},
		{`UPDATE envelopes SET state = 3, raw = NULL, reason = NULL, lane = '' WHERE seq IN (SELECT seq FROM envelopes WHERE ws = ?
			AND state = 1 AND received < ? ORDER BY received LIMIT ?)`, body},
	} {
		n, err := r.exec(step.sql, r.ws, micro(step.before), limit-total)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
