package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type outbox struct{ *tx }

// Enqueue implements driver.OutboxRepo.
func (o outbox) Enqueue(ctx context.Context, rows ...driver.OutboxRow) error {
	if err := o.writable(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.ID == "" {
			r.ID = channel.OutboxID(uuid.Must(uuid.NewV7()).String())
		}
		if r.State == "" {
			r.State = channel.OutboxQueued
		}
		doc, err := encode(r)
		if err != nil {
			return err
		}
		err = o.add(ctx, intoOutbox,
			[]any{key(r.ID), key(r.Account), key(r.Lane), key(r.State), orNull(r.NotBefore), r.Tries, key(r.Reason),
				key(r.Detail), o.Now(), doc})
		if err != nil {
			return err
		}
		if err := o.freeQuota(ctx, r); err != nil {
			return err
		}
		o.lanes.add(&outboxLanes, r.Account, r.Lane, r.NotBefore)
	}
	o.news |= driver.NewsOutbox
	return nil
}

// freeQuota lets what waits for the plan's messages leave with a right to reply.
func (o outbox) freeQuota(ctx context.Context, r driver.OutboxRow) error {
	if r.Reply == nil {
		return nil
	}
	return o.write(ctx, query(`UPDATE sd.outbox SET not_before = NULL
		WHERE ws = $1 AND account = $2 AND lane = $3 AND state = 'queued' AND attempt IS NULL AND reason = $4`,
		key(o.ws), key(r.Account), key(r.Lane), key(channel.ReasonQuota)))
}

const attemptLost = "the Attempt already ended, or its rows did"

// Begin implements driver.OutboxRepo. Rows may be carried by this Attempt
// already, when it is repeated, or by none.
func (o outbox) Begin(ctx context.Context, c driver.Claim, at adapter.Attempt) error {
	doc, err := encode(at)
	if err != nil {
		return err
	}
	return o.write(ctx, o.holding(outboxLanes, c),
		query(`WITH w AS (UPDATE sd.outbox SET state = 'sending', attempt = $5, tries = tries + 1, not_before = NULL
			WHERE ws = $1 AND id = ANY($4) AND account = $2 AND lane = $3 AND (state = 'queued' AND attempt IS NULL OR attempt = $5)
			RETURNING 1)
			SELECT sd.must((SELECT count(*) FROM w) = $6, '`+codeStale+`', '`+attemptLost+`')`,
			key(o.ws), key(c.Account), key(c.Lane), keys(at.Rows), key(at.ID), len(at.Rows)),
		query(`INSERT INTO sd.attempts (ws, id, begun, doc) VALUES ($1, $2, true, $3)
			ON CONFLICT (ws, id) DO UPDATE SET begun = true, doc = excluded.doc`, key(o.ws), key(at.ID), doc))
}

// Settle implements driver.OutboxRepo.
func (o outbox) Settle(ctx context.Context, c driver.Claim, attempt string, s driver.Settlement) error {
	list := []stmt{o.holding(outboxLanes, c)}
	keep := s.State == channel.OutboxQueued && !s.Replan
	if keep {
		var changed []byte // the Attempt as the repeat finds it
		if s.Attempt != nil {
			var err error
			if changed, err = encode(*s.Attempt); err != nil {
				return err
			}
		}
		list = append(list, asStale(attemptLost, `UPDATE sd.attempts SET begun = false, doc = coalesce($3, doc)
			WHERE ws = $1 AND id = $2 RETURNING 1`, key(o.ws), key(attempt), changed))
	} else {
		list = append(list, asStale(attemptLost, `DELETE FROM sd.attempts WHERE ws = $1 AND id = $2 RETURNING 1`, key(o.ws), key(attempt)))
	}
	list = append(list, asStale(attemptLost, `UPDATE sd.outbox SET state = $5, not_before = $6, reason = $7, detail = $8,
			attempt = CASE WHEN $9 THEN attempt END, no_reply = no_reply OR $10
		WHERE ws = $1 AND account = $2 AND lane = $3 AND attempt = $4 AND state IN ('queued', 'sending') RETURNING 1`,
		key(o.ws), key(c.Account), key(c.Lane), key(attempt), key(s.State), orNull(s.NotBefore), key(s.Reason), key(s.Detail),
		keep, s.State == channel.OutboxQueued && s.Replan))
	o.news |= driver.NewsOutbox
	return o.write(ctx, list...)
}

// End implements driver.OutboxRepo.
func (o outbox) End(ctx context.Context, row channel.OutboxID, e driver.OutboxEnd) error {
	if err := o.writable(); err != nil {
		return err
	}
	within, args := "", []any{key(o.ws), key(row), key(e.State), key(e.Reason), key(e.Detail)}
	var list []stmt
	if e.Claim != nil {
		within, args = " AND account = $6 AND lane = $7", append(args, key(e.Claim.Account), key(e.Claim.Lane))
		list = append(list, o.holding(outboxLanes, *e.Claim))
	} else {
		r, err := one(ctx, o.tx, "outbox row", o.row(row), scanOutboxRow)
		if err != nil {
			return err
		}
		o.lanes.add(&outboxLanes, r.Account, r.Lane, time.Time{}) // what waits behind it may be due
	}
	o.news |= driver.NewsOutbox
	return o.write(ctx, append(list, asStale("the outbox row has ended, an Attempt carries it, or it is not in the claimed lane",
		`UPDATE sd.outbox SET state = $3, reason = $4, detail = $5
		WHERE ws = $1 AND id = $2 AND state = 'queued' AND attempt IS NULL`+within+` RETURNING 1`, args...))...)
}

// Pause implements driver.OutboxRepo.
func (o outbox) Pause(ctx context.Context, account channel.AccountID, until time.Time) error {
	o.news |= driver.NewsOutbox
	return o.write(ctx, query(`INSERT INTO sd.outbox_pauses AS p (ws, account, until) VALUES ($1, $2, $3)
		ON CONFLICT (ws, account) DO UPDATE SET until = greatest(p.until, excluded.until)`, key(o.ws), key(account), until))
}

const outboxColumns = `e.state, e.not_before, e.tries, e.reason, e.detail, e.no_reply, e.doc`

type outboxScan struct {
	state, reason, detail string
	notBefore             *time.Time
	tries                 int
	noReply               bool
	doc                   []byte
}

func (s *outboxScan) targets() []any {
	return []any{&s.state, &s.notBefore, &s.tries, &s.reason, &s.detail, &s.noReply, &s.doc}
}

func (s *outboxScan) row() (driver.OutboxRow, error) {
	r, err := decode[driver.OutboxRow](s.doc)
	r.State, r.NotBefore, r.Tries = unkey[channel.OutboxState](s.state), orZero(s.notBefore), s.tries
	r.Reason, r.Detail = unkey[channel.Reason](s.reason), unkey[string](s.detail)
	if s.noReply {
		r.Reply = nil
	}
	return r, err
}

// Forget implements driver.OutboxRepo.
func (o outbox) Forget(ctx context.Context, id channel.OutboxID) error {
	row, err := one(ctx, o.tx, "outbox row", o.row(id), scanOutboxRow)
	if errors.Is(err, errs.NotFound) || err == nil && (row.State == channel.OutboxQueued || row.State == channel.OutboxSending) {
		return o.writable()
	}
	if err != nil {
		return err
	}
	row.Content, row.Sealed = channel.Content{}, nil
	doc, err := encode(row)
	if err != nil {
		return err
	}
	return o.write(ctx, query(`UPDATE sd.outbox SET doc = $3 WHERE ws = $1 AND id = $2`, key(o.ws), key(id), doc))
}

func scanOutboxRow(r pgx.Rows) (driver.OutboxRow, error) {
	var s outboxScan
	if err := r.Scan(s.targets()...); err != nil {
		return driver.OutboxRow{}, err
	}
	return s.row()
}

func (o outbox) row(id channel.OutboxID) stmt {
	return query(`SELECT `+outboxColumns+` FROM sd.outbox e WHERE e.ws = $1 AND e.id = $2`, key(o.ws), key(id))
}

// Rows implements driver.OutboxRepo.
func (o outbox) Rows(ctx context.Context, k driver.OutboxKey, limit int) ([]driver.OutboxRow, error) {
	q := o.row(k.ID)
	if k.ID == "" {
		q = query(`SELECT `+outboxColumns+` FROM sd.outbox e WHERE e.ws = $1 AND e.state = '`+
			strings.ReplaceAll(string(k.State), "'", "''")+`'
			ORDER BY e.added_at DESC, e.id DESC LIMIT $2`, key(o.ws), limit)
	}
	return many(ctx, o.tx, q, scanOutboxRow)
}

// Pending implements driver.OutboxRepo.
func (o outbox) Pending(ctx context.Context) (n int, err error) {
	err = o.read(ctx, query(`SELECT count(*) FROM sd.outbox WHERE ws = $1 AND state IN ('queued', 'sending')`, key(o.ws)).
		rows(func(r pgx.Rows) error { return r.Scan(&n) }))
	return n, err
}

// purgeOutbox deletes rows that ended.
func (o outbox) purgeOutbox(ctx context.Context, before time.Time, limit int) (int, error) {
	return o.purge(ctx, `WITH d AS (DELETE FROM sd.outbox WHERE (ws, id) IN (SELECT ws, id FROM sd.outbox
		WHERE ws = $1 AND added_at < $3 AND state NOT IN ('queued', 'sending') LIMIT $2) RETURNING 1) SELECT count(*) FROM d`,
		limit, before)
}

// ClaimOutbox implements driver.System.
func (s system) ClaimOutbox(ctx context.Context, _ string, limit, batch int, lease time.Duration) ([]driver.OutboxLane, error) {
	here := ctx
	ctx, done := heard(ctx)
	defer done()
	refs, old := s.cradle.take(limit)
	err := s.release(ctx, outboxLanes, old)
	var more []driver.LaneRef
	if err == nil {
		more, err = s.claimOutbox(ctx, limit-len(refs), lease)
	}
	if err != nil {
		s.cradle.add(refs)
		return nil, err
	}
	refs = append(refs, more...)
	if s.cradle.waits(here, limit-len(refs), lease); len(refs) == 0 {
		return nil, nil
	}
	f := newOutboxFetch(refs)
	ws, account, lane, _ := refArrays(refs)
	const lanes = `FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u(ws, account, lane, n)`
	const open = `e.ws = u.ws AND e.account = u.account AND e.lane = u.lane AND e.state IN ('queued', 'sending')`
	const head = ` CROSS JOIN LATERAL (SELECT e.attempt FROM sd.outbox e WHERE ` + open + ` ORDER BY e.seq LIMIT 1) h`
	err = s.run(ctx,
		query(`SELECT u.n, a.begun, a.doc `+lanes+head+` JOIN sd.attempts a ON a.ws = u.ws AND a.id = h.attempt`, ws, account,
			lane).rows(f.attempt),
		query(`SELECT u.n, e.seq, e.not_before > clock_timestamp(), `+outboxColumns+` `+lanes+`
			CROSS JOIN LATERAL (SELECT * FROM sd.outbox e WHERE `+open+` ORDER BY e.seq LIMIT $4) e ORDER BY u.n, e.seq`,
			ws, account, lane, max(batch, 1)).rows(f.queued),
		query(`SELECT u.n, e.seq, e.not_before > clock_timestamp(), `+outboxColumns+` `+lanes+head+`
			JOIN sd.outbox e ON `+open+` AND e.attempt = h.attempt ORDER BY u.n, e.seq`, ws, account, lane).rows(f.carried))
	if err != nil {
		return nil, err
	}
	idle, busy := f.sort()
	if err := s.release(ctx, outboxLanes, idle); err != nil {
		return nil, err
	}
	return busy, nil
}

// claimOutbox takes at most limit free lanes that are due.
func (s system) claimOutbox(ctx context.Context, limit int, lease time.Duration) ([]driver.LaneRef, error) {
	if limit <= 0 {
		return nil, nil
	}
	var list []driver.LaneRef
	of := &s.sweeps.outbox
	sw := swept{from: of.from()}
	err := s.run(ctx, sw.nowStmt(), query(outboxLanes.claim, limit, lease, sw.from, of.upTo()).rows(func(r pgx.Rows) error {
		var row laneRow
		err := r.Scan(row.targets()...)
		list = append(list, row.ref())
		sw.found(row.due)
		return err
	}))
	if err != nil {
		of.again()
		return nil, err
	}
	if sw.done(of, limit); len(list) > 0 {
		s.commits.Add(1)
	}
	return list, nil
}

// outboxFetch puts claimed lanes together: the head's Attempt and exactly its
// rows, else rows from the head on that are due.
type outboxFetch struct {
	lanes []driver.OutboxLane
	heads []int64
	held  []bool
}

func newOutboxFetch(refs []driver.LaneRef) *outboxFetch {
	f := &outboxFetch{lanes: make([]driver.OutboxLane, len(refs)), heads: make([]int64, len(refs)), held: make([]bool, len(refs))}
	for i, ref := range refs {
		f.lanes[i].LaneRef = ref
	}
	return f
}

func (f *outboxFetch) attempt(r pgx.Rows) error {
	var n int
	var begun bool
	var doc []byte
	if err := r.Scan(&n, &begun, &doc); err != nil {
		return err
	}
	at, err := decode[adapter.Attempt](doc)
	f.lanes[n-1].Attempt, f.lanes[n-1].Doubtful = &at, begun
	return err
}

func (f *outboxFetch) queued(r pgx.Rows) error  { return f.add(r, false) }
func (f *outboxFetch) carried(r pgx.Rows) error { return f.add(r, true) }

func (f *outboxFetch) add(r pgx.Rows, carried bool) error {
	var n int
	var seq int64
	var early *bool
	var s outboxScan
	if err := r.Scan(append([]any{&n, &seq, &early}, s.targets()...)...); err != nil {
		return err
	}
	n--
	lane := &f.lanes[n]
	f.held[n] = f.held[n] || early != nil && *early
	if f.held[n] || (lane.Attempt != nil) != carried {
		return nil
	}
	row, err := s.row()
	if len(lane.Rows) == 0 {
		f.heads[n] = seq
	}
	lane.Rows = append(lane.Rows, row)
	return err
}

func (f *outboxFetch) sort() (idle []driver.LaneRef, busy []driver.OutboxLane) {
	order := make([]int, 0, len(f.lanes))
	for i, l := range f.lanes {
		if len(l.Rows) == 0 {
			idle = append(idle, l.LaneRef)
			continue
		}
		order = append(order, i)
	}
	slices.SortFunc(order, func(x, y int) int { return cmp.Compare(f.heads[x], f.heads[y]) })
	for _, i := range order {
		busy = append(busy, f.lanes[i])
	}
	return idle, busy
}
