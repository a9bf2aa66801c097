package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store/driver"
)

type inbox struct{ *tx }

const envelopeColumns = `e.id, e.account, e.dedup, e.lane, e.occurred_at, e.received_at, e.tries, e.raw`

// envelopeRow is where the columns are scanned to.
type envelopeRow struct {
	id, account, dedup, lane string
	e                        adapter.Envelope
}

// headRow is an envelope of a claimed lane, or nothing.
type headRow struct {
	seq                      *int64
	early                    *bool
	id, account, dedup, lane *string
	occurred, received       *time.Time
	tries                    *int
	raw                      []byte
}

func (r *headRow) targets() []any {
	return []any{&r.seq, &r.early, &r.id, &r.account, &r.dedup, &r.lane, &r.occurred, &r.received, &r.tries, &r.raw}
}

func (r *headRow) envelope() adapter.Envelope {
	row := envelopeRow{*r.id, *r.account, *r.dedup, *r.lane,
		adapter.Envelope{OccurredAt: *r.occurred, ReceivedAt: *r.received, Tries: *r.tries, Raw: r.raw}}
	return row.envelope()
}

func (r *envelopeRow) targets() []any {
	return []any{&r.id, &r.account, &r.dedup, &r.lane, &r.e.OccurredAt, &r.e.ReceivedAt, &r.e.Tries, &r.e.Raw}
}

func (r *envelopeRow) envelope() adapter.Envelope {
	e := r.e
	e.ID, e.Account = unkey[channel.EnvelopeID](r.id), unkey[channel.AccountID](r.account)
	e.DedupKey, e.Lane = unkey[string](r.dedup), unkey[string](r.lane)
	e.OccurredAt, e.ReceivedAt = micro(e.OccurredAt), micro(e.ReceivedAt)
	return e
}

const envelopeEnded = "the envelope already ended"

// End implements driver.InboxRepo.
func (i inbox) End(ctx context.Context, c driver.Claim, id channel.EnvelopeID, o driver.EnvelopeOutcome) error {
	switch {
	case o.Retry:
		return i.retry(ctx, c, id, o.NotBefore, o.Reason)
	case o.Bad:
		return i.quarantine(ctx, c, id, o.Reason)
	}
	return i.done(ctx, c, id)
}

func (i inbox) done(ctx context.Context, c driver.Claim, id channel.EnvelopeID) error {
	if i.ahead != nil {
		if err := i.writable(); err != nil {
			return err
		}
		i.wrote = true
		i.ahead.ends.hold(c)
		i.ahead.ends.done = append(i.ahead.ends.done, endedEnvelope{key(id), key(c.Account), key(c.Lane)})
		return nil
	}
	return i.write(ctx, i.holding(inboxLanes, c), asStale(envelopeEnded,
		`UPDATE sd.inbox SET state = 'done', ended_at = clock_timestamp() WHERE ws = $1 AND id = $2 AND account = $3 AND lane = $4
			AND state = 'pending' RETURNING 1`,
		key(i.ws), key(id), key(c.Account), key(c.Lane)))
}

func (i inbox) retry(ctx context.Context, c driver.Claim, id channel.EnvelopeID, notBefore time.Time, reason string) error {
	i.news |= driver.NewsInbox
	return i.write(ctx, i.holding(inboxLanes, c), asStale(envelopeEnded,
		`UPDATE sd.inbox SET not_before = $5, tries = tries + 1, reason = $6 WHERE ws = $1 AND id = $2 AND account = $3 AND lane = $4
			AND state = 'pending' RETURNING 1`,
		key(i.ws), key(id), key(c.Account), key(c.Lane), orNull(notBefore), key(reason)))
}

func (i inbox) quarantine(ctx context.Context, c driver.Claim, id channel.EnvelopeID, reason string) error {
	return i.write(ctx, i.holding(inboxLanes, c), asStale(envelopeEnded,
		`UPDATE sd.inbox SET state = 'quarantined', ended_at = clock_timestamp(), reason = $5 WHERE ws = $1 AND id = $2
			AND account = $3 AND lane = $4 AND state = 'pending' RETURNING 1`,
		key(i.ws), key(id), key(c.Account), key(c.Lane), key(reason)))
}

// Envelopes implements driver.InboxRepo.
func (i inbox) Envelopes(ctx context.Context, id channel.EnvelopeID, limit int) ([]adapter.Quarantined, error) {
	which, args := `e.state = 'quarantined' ORDER BY e.ended_at DESC, e.id DESC LIMIT $2`, []any{key(i.ws), limit}
	if id != "" {
		which, args = `e.id = $2 AND e.state IN ('pending', 'done', 'quarantined')`, []any{key(i.ws), key(id)}
	}
	q := query(`SELECT `+envelopeColumns+`, e.reason, e.ended_at FROM sd.inbox e WHERE e.ws = $1 AND `+which, args...)
	return many(ctx, i.tx, q, func(r pgx.Rows) (adapter.Quarantined, error) {
		var row envelopeRow
		var reason *string
		var at *time.Time
		err := r.Scan(append(row.targets(), &reason, &at)...)
		out := adapter.Quarantined{Envelope: row.envelope(), At: orZero(at)}
		if reason != nil {
			out.Reason = unkey[string](*reason)
		}
		return out, err
	})
}

// Requeue implements driver.InboxRepo.
func (i inbox) Requeue(ctx context.Context, id channel.EnvelopeID) error {
	if err := i.writable(); err != nil {
		return err
	}
	e, err := i.find(ctx, id, "'quarantined'")
	if err != nil {
		return err
	}
	i.lanes.add(&inboxLanes, e.Account, e.Lane, time.Time{})
	i.news |= driver.NewsInbox
	return i.write(ctx, asClash("envelope",
		`UPDATE sd.inbox SET state = 'pending', seq = DEFAULT, not_before = NULL, reason = NULL, ended_at = NULL
		WHERE ws = $1 AND id = $2 AND state = 'quarantined' RETURNING 1`, key(i.ws), key(id)))
}

// Forget implements driver.InboxRepo.
func (i inbox) Forget(ctx context.Context, id channel.EnvelopeID) error {
	return i.write(ctx, query(`UPDATE sd.inbox SET raw = ''::bytea WHERE ws = $1 AND id = $2 AND state = 'done'`, key(i.ws), key(id)))
}

func (i inbox) find(ctx context.Context, id channel.EnvelopeID, states string) (adapter.Envelope, error) {
	q := query(`SELECT `+envelopeColumns+` FROM sd.inbox e WHERE e.ws = $1 AND e.id = $2 AND e.state IN (`+states+`)`, key(i.ws), key(id))
	return one(ctx, i.tx, "envelope", q, scanEnvelope)
}

func scanEnvelope(r pgx.Rows) (adapter.Envelope, error) {
	var row envelopeRow
	err := r.Scan(row.targets()...)
	return row.envelope(), err
}

// purgeInbox deletes envelopes that ended. A row whose raw bytes went
// stays as its dedup key.
func (i inbox) purgeInbox(ctx context.Context, raw, keys time.Time, limit int) (int, error) {
	return i.purge(ctx, `WITH gone AS (DELETE FROM sd.inbox WHERE (ws, id) IN (
			SELECT ws, id FROM sd.inbox WHERE ws = $1 AND state = 'key' AND received_at < $4
			UNION ALL SELECT ws, id FROM sd.inbox WHERE ws = $1 AND state = 'done' AND received_at < least($3, $4)
			LIMIT $2) RETURNING 1),
		bare AS (UPDATE sd.inbox SET state = 'key', raw = NULL WHERE (ws, id) IN (
			SELECT ws, id FROM sd.inbox WHERE ws = $1 AND state = 'done' AND received_at < $3 AND received_at >= $4
			LIMIT greatest($2 - (SELECT count(*) FROM gone), 0)) RETURNING 1)
		SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM bare)`, limit, raw, keys)
}

// purge runs a statement that deletes at most limit rows ($2) of the workspace
// ($1) and returns how many.
func (t *tx) purge(ctx context.Context, text string, limit int, more ...any) (n int, err error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	args := append([]any{key(t.ws), limit}, more...)
	err = t.lock(ctx, query(text, args...).rows(func(r pgx.Rows) error { return r.Scan(&n) }))
	return n, err
}

// ClaimInbox implements driver.System in one statement.
func (s system) ClaimInbox(ctx context.Context, _ string, limit, batch int, lease time.Duration) ([]driver.InboxLane, error) {
	if limit <= 0 {
		return nil, nil
	}
	ctx, done := heard(ctx)
	defer done()
	var lanes []driver.InboxLane
	var heads []int64
	held := false // the lane's next envelope is not due yet
	sw := swept{from: s.sweeps.inbox.from()}
	err := s.run(ctx, sw.nowStmt(), query(inboxLanes.claim, limit, lease, sw.from, max(batch, 1)).rows(func(r pgx.Rows) error {
		var ref laneRow
		var head headRow
		if err := r.Scan(append(ref.targets(), head.targets()...)...); err != nil {
			return err
		}
		if n := len(lanes); n == 0 || lanes[n-1].LaneRef != ref.ref() {
			lanes, heads, held = append(lanes, driver.InboxLane{LaneRef: ref.ref()}), append(heads, 0), false
			sw.found(ref.due)
		}
		if held = held || head.early != nil && *head.early; held || head.seq == nil {
			return nil
		}
		lane := &lanes[len(lanes)-1]
		if len(lane.Envelopes) == 0 {
			heads[len(heads)-1] = *head.seq
		}
		lane.Envelopes = append(lane.Envelopes, head.envelope())
		return nil
	}))
	if err != nil {
		s.sweeps.inbox.again()
		return nil, err
	}
	if sw.done(&s.sweeps.inbox, limit); len(lanes) == 0 {
		return nil, nil
	}
	s.commits.Add(1)
	return s.sortOut(ctx, inboxLanes, lanes, heads)
}

// sortOut gives lanes without work back and orders the rest by their heads.
func (s system) sortOut(ctx context.Context, kind laneKind, lanes []driver.InboxLane, heads []int64) ([]driver.InboxLane, error) {
	type headed struct {
		lane driver.InboxLane
		head int64
	}
	var idle []driver.LaneRef
	var busy []headed
	for i, l := range lanes {
		if len(l.Envelopes) == 0 {
			idle = append(idle, l.LaneRef)
			continue
		}
		busy = append(busy, headed{l, heads[i]})
	}
	if err := s.release(ctx, kind, idle); err != nil {
		return nil, err
	}
	slices.SortFunc(busy, func(x, y headed) int { return cmp.Compare(x.head, y.head) })
	out := make([]driver.InboxLane, len(busy))
	for i, h := range busy {
		out[i] = h.lane
	}
	return out, nil
}

// Release implements driver.System.
func (s system) Release(ctx context.Context, sort driver.News, claims ...driver.LaneRef) error {
	if sort == driver.NewsOutbox {
		return s.release(ctx, outboxLanes, claims)
	}
	return s.release(ctx, inboxLanes, claims)
}
