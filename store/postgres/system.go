package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// system works across workspaces. Each call is one round trip or two.
type system struct{ *backend }

// run is backend.run for calls that Close waits for.
func (s system) run(ctx context.Context, list ...stmt) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	return s.backend.run(ctx, list...)
}

func (s system) runWrites(ctx context.Context, list ...stmt) error {
	err := s.run(ctx, list...)
	if err == nil {
		s.commits.Add(1)
	}
	return err
}

// CreateWorkspace implements driver.System.
func (s system) CreateWorkspace(ctx context.Context, ws driver.WorkspaceID, name string) error {
	return s.runWrites(ctx,
		query(`INSERT INTO sd.workspaces (ws, name, clock) VALUES ($1, $2, clock_timestamp())`, key(ws), key(name)),
		query(`INSERT INTO sd.config (ws) VALUES ($1)`, key(ws)),
		query(`INSERT INTO sd.feed_state (ws) VALUES ($1)`, key(ws)),
		query(`INSERT INTO sd.audit_head (ws) VALUES ($1)`, key(ws)))
}

// Conditions of workspaces, each a look into an index; expiredSQL takes four ages.
const (
	presentSQL = ` AND (EXISTS (SELECT 1 FROM sd.agents a WHERE a.ws = w.ws AND a.presence <> 'offline')
		OR EXISTS (SELECT 1 FROM sd.items i WHERE i.ws = w.ws AND i.state <> 'done'))`
	expiredSQL = ` AND (EXISTS (SELECT 1 FROM sd.inbox t WHERE t.ws = w.ws AND t.state = 'done' AND t.received_at < $1)
		OR EXISTS (SELECT 1 FROM sd.inbox t WHERE t.ws = w.ws AND t.state = 'key' AND t.received_at < $2)
		OR EXISTS (SELECT 1 FROM sd.outbox t WHERE t.ws = w.ws AND t.state NOT IN ('queued', 'sending') AND t.added_at < $1)
		OR EXISTS (SELECT 1 FROM sd.early t WHERE t.ws = w.ws AND t.at < $1)
		OR EXISTS (SELECT 1 FROM sd.jobs t WHERE t.ws = w.ws AND t.state = 'done' AND t.created_at < $1)
		OR EXISTS (SELECT 1 FROM sd.jobs t WHERE t.ws = w.ws AND t.state = 'dead' AND t.created_at < $2)
		OR EXISTS (SELECT 1 FROM sd.offers t WHERE t.ws = w.ws AND NOT t.open AND t.offered_at < $2)
		OR EXISTS (SELECT 1 FROM sd.decisions t WHERE t.ws = w.ws AND t.at < $2)
		OR (SELECT t.at FROM sd.events t WHERE t.ws = w.ws ORDER BY t.id LIMIT 1) < $3
		OR EXISTS (SELECT 1 FROM sd.commands t WHERE t.ws = w.ws AND t.at < $4))`
)

// Workspaces implements driver.System.
func (s system) Workspaces(ctx context.Context, having driver.Having) ([]driver.WorkspaceID, error) {
	where, args := "true", []any(nil)
	if having.Present {
		where += presentSQL
	}
	if before := having.Expired; before != nil {
		where += expiredSQL
		args = []any{before.Raw, before.Keys, before.Feed, before.Results}
	}
	return s.these(ctx, query(`SELECT ws FROM sd.workspaces w WHERE `+where, args...))
}

// Resolve implements driver.System.
func (s system) Resolve(ctx context.Context, kind string, global []byte) (driver.WorkspaceID, string, error) {
	var ws, id string
	found := false
	find := query(`SELECT ws, id FROM sd.documents WHERE kind = $1 AND g = $2`, key(kind), notNil(global))
	err := s.run(ctx, find.rows(func(r pgx.Rows) error {
		found = true
		return r.Scan(&ws, &id)
	}))
	if err == nil && !found {
		err = errNotFound(kind)
	}
	return unkey[driver.WorkspaceID](ws), unkey[string](id), err
}

// dueDeadlines begins at $2; see sweep.
const dueDeadlines = `SELECT ws, kind, id, at FROM sd.deadlines WHERE at > $2 AND at <= now() ORDER BY at, ws, kind, id LIMIT $1`

// Due implements driver.System.
func (s system) Due(ctx context.Context, limit int) ([]driver.Deadline, error) {
	var list []driver.Deadline
	of := &s.sweeps.deadlines
	sw := swept{from: of.from()}
	err := s.run(ctx, sw.nowStmt(), collect(query(dueDeadlines, limit, sw.from),
		&list, func(r pgx.Rows) (driver.Deadline, error) {
			var ws, kind, id string
			var at time.Time
			err := r.Scan(&ws, &kind, &id, &at)
			return driver.Deadline{Workspace: unkey[driver.WorkspaceID](ws), Kind: unkey[string](kind),
				ID: unkey[string](id), At: micro(at)}, err
		}))
	switch {
	case err != nil:
		of.again()
	case len(list) == 0:
		of.saw(sw.from, sw.now)
	default:
		of.stopped(list[0].At) // it may not be handled
	}
	return list, err
}

// nextDue begins at $1 for deadlines, $4 for inbound and $5 for outbound lanes, and
// for jobs of the kinds $2 at $3; see sweep. Of jobs it asks for each kind by
// itself: two indexes have their times, and where the server takes the table for
// empty it would as soon walk over all of the one that begins with the kind. A lane
// that is claimed counts with the end of its lease, a paused one with the end of
// the pause.
var nextDue = `SELECT clock_timestamp(), (SELECT min(at) FROM sd.deadlines WHERE at > $1),
	CASE WHEN cardinality($2::text[]) = 0 THEN (SELECT min(claimable) FROM sd.jobs)
		ELSE (SELECT min(x.claimable) FROM unnest($2::text[], $3::timestamptz[]) AS k (kind, since), LATERAL (SELECT j.claimable
			FROM sd.jobs j WHERE j.kind = k.kind AND j.claimable > k.since ORDER BY j.claimable LIMIT 1) x) END,
	(SELECT min(due) FROM sd.inbox_lanes WHERE due > $4),
	least((SELECT min(due) FROM sd.outbox_lanes l WHERE due > ` + unlessResumed("$5", "$6") + `
	AND NOT EXISTS (SELECT 1 FROM sd.outbox_pauses p WHERE p.ws = l.ws AND p.account = l.account AND p.until > clock_timestamp())),
	(SELECT min(greatest(l.due, p.until)) FROM sd.outbox_pauses p JOIN sd.outbox_lanes l ON l.ws = p.ws AND l.account = p.account
	AND l.due IS NOT NULL WHERE p.until > clock_timestamp()))`

// NextDue implements driver.System. What it finds where no sweep would look has the
// next sweep look at everything. Jobs are those of the kinds that were ever claimed
// here, of all kinds before the first claim.
func (s system) NextDue(ctx context.Context) (driver.Dues, error) {
	var d driver.Dues
	var inbox, outbox, jobs, deadlines *time.Time
	kinds, since := s.sweeps.lookForJobs()
	err := s.run(ctx, query(nextDue, s.sweeps.deadlines.look(), keys(kinds), since, s.sweeps.inbox.look(), s.sweeps.outbox.look(),
		s.sweeps.outbox.upTo()).rows(func(r pgx.Rows) error { return r.Scan(&d.Now, &deadlines, &jobs, &inbox, &outbox) }))
	d.Now = micro(d.Now)
	if s.cradle.any() {
		outbox = &d.Now
	}
	d.Inbox, d.Outbox, d.Jobs, d.Deadlines = orZero(inbox), orZero(outbox), orZero(jobs), orZero(deadlines)
	if err == nil {
		s.sweeps.inbox.left(inbox)
		s.sweeps.outbox.left(outbox)
		s.sweeps.deadlines.left(deadlines)
	}
	return d, err
}

// these lists the workspaces of a query.
func (s system) these(ctx context.Context, q stmt) ([]driver.WorkspaceID, error) {
	var list []driver.WorkspaceID
	err := s.run(ctx, collect(q, &list, func(r pgx.Rows) (driver.WorkspaceID, error) {
		v, err := scanKey(r)
		return driver.WorkspaceID(v), err
	}))
	slices.Sort(list)
	return list, err
}

// Changed implements driver.System. The place is the oldest transaction that
// was still running: what it and later ones write was not seen yet. It names the
// server's life too; to one of an earlier life all may have changed.
func (s system) Changed(ctx context.Context, since string) ([]driver.WorkspaceID, string, error) {
	life, from, named := strings.Cut(since, ".")
	if since == "" {
		life, from, named = "0", "0", true
	}
	_, badLife := strconv.ParseInt(life, 10, 64)
	_, badFrom := strconv.ParseUint(from, 10, 63)
	if !named || badLife != nil || badFrom != nil {
		return nil, "", errs.New(errs.Invalid, "store: %q is not a place that Changed returned", since)
	}
	var list []driver.WorkspaceID
	var next string
	// The place first: what is committed in between is named again.
	err := s.run(ctx, query(`SELECT concat_ws('.', `+lifeSQL+`, pg_snapshot_xmin(pg_current_snapshot()))`).
		rows(func(r pgx.Rows) error { return r.Scan(&next) }),
		collect(query(`SELECT w.ws FROM sd.workspaces w WHERE $2::text::bigint <> `+lifeSQL+` OR EXISTS
			(SELECT 1 FROM sd.events e WHERE e.ws = w.ws AND e.xid >= $1::text::xid8)`, from, life), &list,
			func(r pgx.Rows) (driver.WorkspaceID, error) {
				v, err := scanKey(r)
				return driver.WorkspaceID(v), err
			}))
	slices.Sort(list)
	return list, next, err
}

// Beat implements driver.System.
func (s system) Beat(ctx context.Context, node string, ttl time.Duration) ([]string, error) {
	var live []string
	err := s.runWrites(ctx,
		query(`INSERT INTO sd.nodes (node, until) VALUES ($1, clock_timestamp() + $2::interval) ON CONFLICT (node) DO UPDATE
			SET until = excluded.until`, key(node), ttl),
		collect(query(`SELECT node FROM sd.nodes WHERE until > clock_timestamp() ORDER BY node`), &live, scanKey))
	return live, err
}

// Lease implements driver.System.
func (s system) Lease(ctx context.Context, name, node string, ttl time.Duration) (int64, error) {
	var epoch int64
	err := s.runWrites(ctx,
		query(`INSERT INTO sd.leases AS l (name, node, epoch, until) VALUES ($1, $2, 1, clock_timestamp() + $3::interval)
		ON CONFLICT (name) DO UPDATE SET node = excluded.node, until = excluded.until, epoch = l.epoch + CASE WHEN l.node =
		excluded.node THEN 0 ELSE 1 END
			WHERE l.node = excluded.node OR l.until <= clock_timestamp() RETURNING epoch`, key(name), key(node), ttl).
			rows(func(r pgx.Rows) error { return r.Scan(&epoch) }))
	if err == nil && epoch == 0 {
		return 0, errs.New(errs.Conflict, "store: another node holds the lease")
	}
	return epoch, err
}

// BeatAgents implements driver.System. Heart-beats have a table of their own,
// so that they never wait for an agent's row.
func (s system) BeatAgents(ctx context.Context, ws driver.WorkspaceID, list []routing.AgentID) ([]routing.AgentID, error) {
	if _, err := s.workspaceOf(ctx, ws); err != nil || len(list) == 0 {
		return nil, err
	}
	var here []string
	err := s.runWrites(ctx, collect(query(`INSERT INTO sd.agent_beats (ws, agent, at) SELECT ws, id, clock_timestamp() FROM sd.agents
		WHERE ws = $1 AND id = ANY($2) AND presence <> 'offline' ORDER BY id
		ON CONFLICT (ws, agent) DO UPDATE SET at = excluded.at RETURNING agent`, key(ws), keys(list)), &here, scanKey))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(a routing.AgentID) bool { return slices.Contains(here, string(a)) }), nil
}

// LostAgents implements driver.System.
func (s system) LostAgents(ctx context.Context, before time.Time, limit int) ([]driver.AgentRef, error) {
	var list []driver.AgentRef
	err := s.run(ctx, collect(query(`SELECT b.ws, b.agent FROM sd.agent_beats b JOIN sd.agents a ON a.ws = b.ws AND a.id = b.agent
		WHERE b.at < $1 AND a.presence <> 'offline' ORDER BY b.at, b.ws, b.agent LIMIT $2`, before, limit),
		&list, func(r pgx.Rows) (driver.AgentRef, error) {
			var ws, id string
			err := r.Scan(&ws, &id)
			return driver.AgentRef{Workspace: unkey[driver.WorkspaceID](ws), Agent: unkey[routing.AgentID](id)}, err
		}))
	return list, err
}

// Meta implements driver.System.
func (s system) Meta(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	err := s.run(ctx, query(`SELECT value FROM sd.meta WHERE key = $1`, key(name)).rows(func(r pgx.Rows) error { return r.Scan(&value) }))
	if err == nil && value == nil {
		err = errNotFound("value")
	}
	return value, err
}

// PutMeta implements driver.System.
func (s system) PutMeta(ctx context.Context, name string, old, value []byte) error {
	put := query(`INSERT INTO sd.meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1`, key(name), notNil(value))
	if old != nil {
		put = query(`UPDATE sd.meta SET value = $2 WHERE key = $1 AND value = $3 RETURNING 1`, key(name), notNil(value), old)
	}
	done := false
	err := s.runWrites(ctx, put.rows(func(pgx.Rows) error {
		done = true
		return nil
	}))
	if err == nil && !done {
		err = errs.New(errs.Conflict, "store: the value is not the one that was to be replaced")
	}
	return err
}

// Now implements driver.System.
func (s system) Now(ctx context.Context) (now time.Time, err error) {
	err = s.run(ctx, query(`SELECT clock_timestamp()`).rows(func(r pgx.Rows) error { return r.Scan(&now) }))
	return micro(now), err
}

// Check implements driver.System: a durable commit, beside which the server has to
// put something on the disk. The commit alone changes a row in place, which a full
// disk allows while no table can grow. What a function returns beyond work_mem goes
// into a temporary file of some 280 kB, where the tables lie too, and nothing of it
// stays.
func (s system) Check(ctx context.Context) error {
	return s.runWrites(ctx,
		query(`SELECT set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true)`),
		query(`SELECT count(*) FROM generate_series(1, 20000)`),
		query(`INSERT INTO sd.meta (key, value) VALUES ('check', convert_to(clock_timestamp()::text, 'UTF8'))
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`))
}
