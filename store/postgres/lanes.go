package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/store/driver"
)

// Lanes are claimed alike inbound and outbound: a row per lane that has work,
// with the time at which it can next be claimed. A claim moves that time to the
// end of its lease, so that an index scan meets only what is free; a release
// sets it to the head's time, or deletes the row of an empty lane.
type laneKind struct {
	touch, touches, claim, check, lock, drop, free string
}

var inboxLanes = laneKind{
	touch: touchSQL("sd.inbox_lanes",
		"VALUES ($1, $2, $3, greatest(coalesce($4, clock_timestamp()), clock_timestamp() - interval '1 s'))"),
	touches: touchSQL("sd.inbox_lanes", manyLanes),
	claim: claimSQL("sd.inbox_lanes", "$3", "", ", e.seq, e.not_before > clock_timestamp(), "+envelopeColumns,
		` LEFT JOIN LATERAL (SELECT * FROM sd.inbox e WHERE e.ws = w.ws AND e.account = w.account AND e.lane = w.lane
			AND e.state = 'pending' ORDER BY e.seq LIMIT $4) e ON true ORDER BY w.ws, w.account, w.lane, e.seq`),
	check: checkSQL("sd.inbox_lanes"),
	lock:  lockSQL("sd.inbox_lanes"),
	drop: dropSQL("sd.inbox_lanes",
		"SELECT 1 FROM sd.inbox e WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state = 'pending'"),
	free: freeSQL("sd.inbox_lanes", `SELECT greatest(coalesce(e.not_before, least(e.received_at, clock_timestamp())), clock_timestamp()
		- interval '1 s') FROM sd.inbox e
		WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state = 'pending' ORDER BY e.seq LIMIT 1`),
}

var outboxLanes = laneKind{
	touch: touchSQL("sd.outbox_lanes",
		"VALUES ($1, $2, $3, greatest(coalesce($4, clock_timestamp()), clock_timestamp() - interval '1 s'))"),
	touches: touchSQL("sd.outbox_lanes", manyLanes),
	claim: claimSQL("sd.outbox_lanes", unlessResumed("$3", "$4"), ` AND NOT EXISTS (SELECT 1 FROM sd.outbox_pauses p
		WHERE p.ws = l.ws AND p.account = l.account AND p.until > clock_timestamp())`, "", ""),
	check: checkSQL("sd.outbox_lanes"),
	lock:  lockSQL("sd.outbox_lanes"),
	drop: dropSQL("sd.outbox_lanes",
		"SELECT 1 FROM sd.outbox e WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state IN ('queued', 'sending')"),
	free: freeSQL("sd.outbox_lanes",
		`SELECT greatest(coalesce(e.not_before, least(e.added_at, clock_timestamp())), clock_timestamp() - interval '1 s') FROM sd.outbox e
		WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state IN ('queued', 'sending') ORDER BY e.seq LIMIT 1`),
}

// manyLanes are touched in the order of the arrays.
const manyLanes = `SELECT $1::text, account, lane, greatest(coalesce(due, clock_timestamp()), clock_timestamp() - interval '1 s')
	FROM unnest($2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY AS u(account, lane, due, n) ORDER BY n`

// unlessResumed is from where to look, which is the beginning when an account's
// pause has ended since the time: its lanes were due and passed over.
func unlessResumed(from, since string) string {
	return `(SELECT CASE WHEN EXISTS (SELECT 1 FROM sd.outbox_pauses WHERE until > ` + since + ` AND until <= now())
		THEN '-infinity'::timestamptz ELSE ` + from + `::timestamptz END)`
}

// touchSQL tells that a lane has work; see touchLanes for the rules. A lane is due
// a second ago at the earliest, so that a sweep that begins behind that finds it.
func touchSQL(table, values string) string {
	return `INSERT INTO ` + table + ` AS l (ws, account, lane, due) ` + values + `
		ON CONFLICT (ws, account, lane) DO UPDATE SET due = least(l.due, excluded.due)
		WHERE (l.token IS NULL OR l.until <= clock_timestamp()) AND (l.due IS NULL OR l.due > excluded.due)`
}

// claimSQL claims lanes that are due and selects of each the columns of what is
// read of it, which may be nothing. The due of the statement's own clock reading
// may lie a moment behind until; never before it. That a lane is due is compared
// with the time at which the statement began, which an index can be asked for. A
// lane that another node ends in this very moment may bring what is ended
// already: whoever then works it finds the end.
func claimSQL(table, since, also, columns, from string) string {
	return `WITH c AS (SELECT ctid AS at, due FROM ` + table + ` l WHERE due > ` + since + ` AND due <= now()` + also + `
			ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED),
		w AS (UPDATE ` + table +
		` l SET token = gen_random_uuid()::text, until = clock_timestamp() + $2::interval, due = clock_timestamp() + $2::interval
			FROM c WHERE l.ctid = c.at RETURNING l.ws, l.account, l.lane, l.token, l.until, c.due)
		SELECT w.ws, w.account, w.lane, w.token, w.until, w.due` + columns + ` FROM w` + from
}

// checkSQL holds the claim until the commit: a share lock of the key keeps
// another claim off and lets new work be announced.
func checkSQL(table string) string {
	return `SELECT 1 FROM ` + table +
		` WHERE ws = $1 AND account = $2 AND lane = $3 AND token = $4 AND until > clock_timestamp() FOR KEY SHARE`
}

const claimed = ` FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u(ws, account, lane, token)
	WHERE l.ws = u.ws AND l.account = u.account AND l.lane = u.lane AND l.token = u.token`

// lockSQL comes before drop and free, which as later statements see what was
// committed while it waited: no announced work is lost.
func lockSQL(table string) string {
	return `SELECT 1 FROM ` + table + ` l WHERE (ws, account, lane, token) IN
		(SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])) ORDER BY ws, account, lane FOR UPDATE`
}

func dropSQL(table, work string) string {
	return `DELETE FROM ` + table + ` l USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u(ws, account, lane, token)
		WHERE l.ws = u.ws AND l.account = u.account AND l.lane = u.lane AND l.token = u.token AND NOT EXISTS (` + work + `)`
}

func freeSQL(table, head string) string {
	return `UPDATE ` + table + ` l SET token = NULL, until = NULL, due = (` + head + `)` + claimed
}

// laneRow is where the columns of a claimed lane are scanned to.
type laneRow struct {
	ws, account, lane, token string
	until, due               time.Time
}

func (r *laneRow) targets() []any {
	return []any{&r.ws, &r.account, &r.lane, &r.token, &r.until, &r.due}
}

func (r *laneRow) ref() driver.LaneRef {
	return driver.LaneRef{Workspace: unkey[driver.WorkspaceID](r.ws), Claim: driver.Claim{Account: unkey[channel.AccountID](r.account),
		Lane: unkey[string](r.lane), Token: r.token, Until: micro(r.until)}}
}

// swept is what a sweep found: how many, from where on, the last of them, and when.
type swept struct {
	lanes           int
	from, last, now time.Time
}

// nowStmt goes with a sweep, whose statements all begin at one time.
func (s *swept) nowStmt() stmt {
	return query(`SELECT now()`).rows(func(r pgx.Rows) error { return r.Scan(&s.now) })
}

func (s *swept) found(due time.Time) {
	s.lanes++
	if due.After(s.last) {
		s.last = due
	}
}

// done tells how far the sweep came: to the present, or to the last of as many as
// it might take.
func (s *swept) done(of *sweep, limit int) {
	if s.lanes < limit {
		of.saw(s.from, s.now)
	} else {
		of.stopped(s.last)
	}
}

// release gives claims back; lost ones are ignored.
func (b *backend) release(ctx context.Context, kind laneKind, refs []driver.LaneRef) error {
	if len(refs) == 0 {
		return nil
	}
	ws, account, lane, token := refArrays(refs)
	return b.runWrites(ctx,
		query(kind.lock, ws, account, lane, token),
		query(kind.drop, ws, account, lane, token),
		query(kind.free, ws, account, lane, token))
}

func refArrays(refs []driver.LaneRef) (ws, account, lane, token []string) {
	for _, r := range refs {
		ws, account = append(ws, key(r.Workspace)), append(account, key(r.Account))
		lane, token = append(lane, key(r.Lane)), append(token, key(r.Token))
	}
	return ws, account, lane, token
}

// holding is a statement that fails the Update when the claim is lost.
func (t *tx) holding(kind laneKind, c driver.Claim) stmt {
	return asStale("the claim of the lane is lost: its lease ended or another took it", kind.check,
		key(t.ws), key(c.Account), key(c.Lane), key(c.Token))
}

// laneTouches are the lanes that a transaction brings work to. They are
// announced at the end of it, in one order for all: the rows stay locked for
// the commit alone, and no deadlock can form.
type laneTouches []laneTouch

type laneTouch struct {
	kind          *laneKind
	account, lane string
	due           time.Time // zero: now
}

func (l *laneTouches) add(kind *laneKind, account channel.AccountID, lane string, due time.Time) {
	t := laneTouch{kind, key(account), key(lane), due}
	for i, old := range *l {
		if old.kind == t.kind && old.account == t.account && old.lane == t.lane {
			if due.Before(old.due) {
				(*l)[i].due = due
			}
			return
		}
	}
	*l = append(*l, t)
}

func (l laneTouches) statements(t *tx) []stmt {
	slices.SortFunc(l, func(x, y laneTouch) int {
		return cmp.Or(cmp.Compare(x.kind.touch, y.kind.touch), cmp.Compare(x.account, y.account), cmp.Compare(x.lane, y.lane))
	})
	var list []stmt
	for len(l) > 0 {
		n := 1
		for n < len(l) && l[n].kind == l[0].kind {
			n++
		}
		same := l[:n]
		l = l[n:]
		if same[0].kind == &outboxLanes {
			var born stmt
			if born, same = t.bearing(same); born.sql != "" {
				list = append(list, born)
			}
		}
		if len(same) > 0 {
			list = append(list, touching(key(t.ws), same))
		}
	}
	return list
}

// touching is the statement for lanes of one kind.
func touching(ws string, l laneTouches) stmt {
	if len(l) == 1 {
		return query(l[0].kind.touch, ws, l[0].account, l[0].lane, orNull(l[0].due))
	}
	var accounts, lanes []string
	var dues []*time.Time
	for _, t := range l {
		accounts, lanes, dues = append(accounts, t.account), append(lanes, t.lane), append(dues, orNull(t.due))
	}
	return query(l[0].kind.touches, ws, accounts, lanes, dues)
}
