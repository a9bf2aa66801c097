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
	touch, claim, check, lock, drop, free string
}

var inboxLanes = laneKind{
	touch: touchSQL("sd.inbox_lanes"),
	claim: claimSQL("sd.inbox_lanes", "true"),
	check: checkSQL("sd.inbox_lanes"),
	lock:  lockSQL("sd.inbox_lanes"),
	drop:  dropSQL("sd.inbox_lanes", "SELECT 1 FROM sd.inbox e WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state = 'pending'"),
	free: freeSQL("sd.inbox_lanes", `SELECT coalesce(e.not_before, least(e.received_at, clock_timestamp())) FROM sd.inbox e
		WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state = 'pending' ORDER BY e.seq LIMIT 1`),
}

var outboxLanes = laneKind{
	touch: touchSQL("sd.outbox_lanes"),
	claim: claimSQL("sd.outbox_lanes", `NOT EXISTS (SELECT 1 FROM sd.outbox_pauses p
		WHERE p.ws = l.ws AND p.account = l.account AND p.until > clock_timestamp())`),
	check: checkSQL("sd.outbox_lanes"),
	lock:  lockSQL("sd.outbox_lanes"),
	drop:  dropSQL("sd.outbox_lanes", "SELECT 1 FROM sd.outbox e WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state IN ('queued', 'sending')"),
	free: freeSQL("sd.outbox_lanes", `SELECT coalesce(e.not_before, least(e.added_at, clock_timestamp())) FROM sd.outbox e
		WHERE e.ws = l.ws AND e.account = l.account AND e.lane = l.lane AND e.state IN ('queued', 'sending') ORDER BY e.seq LIMIT 1`),
}

// touchSQL tells that a lane has work; see touchLanes for the rules.
func touchSQL(table string) string {
	return `INSERT INTO ` + table + ` AS l (ws, account, lane, due) VALUES ($1, $2, $3, coalesce($4, clock_timestamp()))
		ON CONFLICT (ws, account, lane) DO UPDATE SET due = least(l.due, excluded.due)
		WHERE (l.token IS NULL OR l.until <= clock_timestamp()) AND (l.due IS NULL OR l.due > excluded.due)`
}

// The due of the statement's own clock reading may lie a moment behind until;
// never before it.
func claimSQL(table, also string) string {
	return `WITH c AS (SELECT ws, account, lane FROM ` + table + ` l WHERE due <= clock_timestamp() AND ` + also + `
			ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED)
		UPDATE ` + table + ` l SET token = gen_random_uuid()::text, until = clock_timestamp() + $2::interval, due = clock_timestamp() + $2::interval
		FROM c WHERE l.ws = c.ws AND l.account = c.account AND l.lane = c.lane
		RETURNING l.ws, l.account, l.lane, l.token, l.until`
}

// checkSQL holds the claim until the commit: a share lock of the key keeps
// another claim off and lets new work be announced.
func checkSQL(table string) string {
	return `SELECT 1 FROM ` + table + ` WHERE ws = $1 AND account = $2 AND lane = $3 AND token = $4 AND until > clock_timestamp() FOR KEY SHARE`
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

// claim takes at most limit free lanes that are due.
func (b *backend) claim(ctx context.Context, kind laneKind, limit int, lease time.Duration) ([]driver.LaneRef, error) {
	if limit <= 0 {
		return nil, nil
	}
	var list []driver.LaneRef
	err := b.run(ctx, query(kind.claim, limit, lease).rows(func(r pgx.Rows) error {
		var ws, account, lane string
		var ref driver.LaneRef
		if err := r.Scan(&ws, &account, &lane, &ref.Token, &ref.Until); err != nil {
			return err
		}
		ref.Workspace, ref.Account, ref.Lane = unkey[driver.WorkspaceID](ws), unkey[channel.AccountID](account), unkey[string](lane)
		ref.Until = micro(ref.Until)
		list = append(list, ref)
		return nil
	}))
	if err == nil && len(list) > 0 {
		b.commits.Add(1)
	}
	return list, err
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
func (t *tx) holding(kind laneKind, c channel.Claim) stmt {
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

func (l laneTouches) statements(ws driver.WorkspaceID) []stmt {
	slices.SortFunc(l, func(x, y laneTouch) int {
		return cmp.Or(cmp.Compare(x.kind.touch, y.kind.touch), cmp.Compare(x.account, y.account), cmp.Compare(x.lane, y.lane))
	})
	var list []stmt
	for _, t := range l {
		list = append(list, query(t.kind.touch, key(ws), t.account, t.lane, orNull(t.due)))
	}
	return list
}
