package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/store/driver"
)

type jobs struct{ *tx }

const (
	jobClaim = "the claim of the job is lost: its lease ended, another took it, or the job ended"
	jobHeld  = `WHERE ws = $1 AND id = $2 AND token = $3 AND state = 'running' AND claimable > clock_timestamp() RETURNING 1`
)

// Enqueue implements driver.JobRepo.
func (j jobs) Enqueue(ctx context.Context, v driver.Job) error {
	if v.ID == "" {
		v.ID = uuid.Must(uuid.NewV7()).String()
	}
	j.news |= driver.NewsJobs
	j.due(v.Due)
	if v.CreatedAt.IsZero() {
		v.CreatedAt = j.Now()
	}
	return j.add(ctx, intoJobs, []any{key(v.ID), key(v.Kind), key(v.Key), "queued", v.Due, v.Due, v.Attempts, v.Progress, key(v.Reason),
		v.CreatedAt, v.Payload})
}

// Settle implements driver.JobRepo.
func (j jobs) Settle(ctx context.Context, id, token string, o driver.JobOutcome) error {
	set, more := `state = 'done', progress = $4, claimable = NULL, token = NULL, ended_at = clock_timestamp() `, []any{o.Progress}
	switch o.State {
	case driver.JobDead:
		set, more = `state = 'dead', reason = $4, claimable = NULL, token = NULL, ended_at = clock_timestamp() `, []any{key(o.Reason)}
	case driver.JobQueued:
		j.news |= driver.NewsJobs
		j.due(o.Due)
		set, more = `state = 'queued', reason = $4, due = $5, claimable = $5, token = NULL `, []any{key(o.Reason), o.Due}
	case driver.JobRunning:
		set, more = `progress = $4, claimable = clock_timestamp() + $5::interval `, []any{o.Progress, o.Lease}
	}
	return j.write(ctx, asStale(jobClaim, `UPDATE sd.jobs SET `+set+jobHeld, append([]any{key(j.ws), key(id), key(token)}, more...)...))
}

// Revive implements driver.JobRepo.
func (j jobs) Revive(ctx context.Context, id string) error {
	_, err := one(ctx, j.tx, "job", query(`SELECT id FROM sd.jobs WHERE ws = $1 AND id = $2`, key(j.ws), key(id)), scanKey)
	if err != nil {
		return err
	}
	j.news |= driver.NewsJobs
	return j.write(ctx, asStale("the job is not dead, or another one does its work; read it again",
		`UPDATE sd.jobs j SET state = 'queued', reason = $3,
		attempts = 0, progress = 0, due = clock_timestamp(), claimable = clock_timestamp(), ended_at = NULL
		WHERE ws = $1 AND id = $2 AND state = 'dead' AND (key = '' OR NOT EXISTS (SELECT 1 FROM sd.jobs o
			WHERE o.ws = j.ws AND o.kind = j.kind AND o.key = j.key AND o.state IN ('queued', 'running'))) RETURNING 1`,
		key(j.ws), key(id), key("")))
}

const jobColumns = `j.ws, j.id, j.kind, j.key, j.state, j.due, j.attempts, j.progress, j.reason, coalesce(j.token, ''), j.created_at, ` +
	`j.payload`

func readJob(r pgx.Rows) (driver.Job, error) { return scanJob(r) }

func scanJob(r pgx.Rows, more ...any) (driver.Job, error) {
	var ws, id, kind, unique, reason string
	var v driver.Job
	err := r.Scan(append([]any{&ws, &id, &kind, &unique, &v.State, &v.Due, &v.Attempts, &v.Progress, &reason, &v.Token, &v.CreatedAt,
		&v.Payload}, more...)...)
	v.Workspace, v.ID, v.Kind = unkey[driver.WorkspaceID](ws), unkey[string](id), unkey[string](kind)
	v.Key, v.Reason = unkey[string](unique), unkey[string](reason)
	v.Due, v.CreatedAt = micro(v.Due), micro(v.CreatedAt)
	return v, err
}

// List implements driver.JobRepo. Only what has not ended can be claimed, and
// that alone is indexed by it.
func (j jobs) List(ctx context.Context, state string, limit int) ([]driver.Job, error) {
	of := `j.ws = $1 AND j.state = $2 ORDER BY j.ended_at DESC, j.id DESC`
	if state == driver.JobRunning {
		of = `j.claimable IS NOT NULL AND j.ws = $1 AND j.state = $2 ORDER BY j.created_at, j.id`
	}
	list, err := many(ctx, j.tx, query(`SELECT `+jobColumns+` FROM sd.jobs j WHERE `+of+` LIMIT $3`, key(j.ws), state, limit), readJob)
	for i := range list {
		list[i].Token = "" // a claim is the claimer's alone
	}
	return list, err
}

// purgeDone deletes jobs that are done.
func (j jobs) purgeDone(ctx context.Context, before time.Time, limit int) (int, error) {
	return j.purge(ctx, `WITH d AS (DELETE FROM sd.jobs WHERE (ws, id) IN
		(SELECT ws, id FROM sd.jobs WHERE ws = $1 AND state = 'done' AND created_at < $3 LIMIT $2) RETURNING 1) SELECT count(*) FROM d`,
		limit, before)
}

// claimJobs looks for each kind by itself, so that a long queue of one costs the
// others nothing.
const claimJobs = `WITH c AS (SELECT due.* FROM unnest($1::text[], $2::int[], $4::timestamptz[]) AS k (kind, most, since), LATERAL (
		SELECT ctid AS at, claimable AS was FROM sd.jobs WHERE claimable > k.since AND claimable <= now() AND kind = k.kind
		ORDER BY claimable LIMIT k.most FOR UPDATE SKIP LOCKED) due),
	w AS (UPDATE sd.jobs j SET state = 'running', attempts = attempts + 1, token = gen_random_uuid()::text, claimable =
	clock_timestamp() + $3::interval
		FROM c WHERE j.ctid = c.at RETURNING j.*, c.was)
	SELECT ` + jobColumns + `, j.was FROM w j ORDER BY j.due, j.id`

// ClaimJobs implements driver.System.
func (s system) ClaimJobs(ctx context.Context, _ string, limits map[string]int, lease time.Duration) ([]driver.Job, error) {
	ctx, done := heard(ctx)
	defer done()
	kinds, most, since := make([]string, 0, len(limits)), make([]int, 0, len(limits)), make([]time.Time, 0, len(limits))
	by := map[string]*swept{}
	for _, kind := range slices.Sorted(maps.Keys(limits)) {
		kinds, most = append(kinds, kind), append(most, limits[kind])
		by[kind] = &swept{from: s.sweeps.job(kind).from()}
		since = append(since, by[kind].from)
	}
	var list []driver.Job
	var all swept
	err := s.run(ctx, all.nowStmt(), query(claimJobs, keys(kinds), most, lease, since).rows(func(r pgx.Rows) error {
		var was time.Time
		v, err := scanJob(r, &was)
		if err == nil {
			list = append(list, v)
			by[v.Kind].found(was)
		}
		return err
	}))
	for i, kind := range kinds {
		if err != nil {
			s.sweeps.job(kind).again()
			continue
		}
		by[kind].now = all.now
		by[kind].done(s.sweeps.job(kind), most[i])
	}
	if err == nil && len(list) > 0 {
		s.commits.Add(1)
	}
	return list, err
}
