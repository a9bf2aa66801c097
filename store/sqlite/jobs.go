package sqlite

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// jobs implements driver.JobRepo. A claim of a job is a commit, unlike that of
// a lane: Attempts must survive a job that takes the process with it.
type jobs struct{ *tx }

const jobColumns = `id, kind, key, payload, due, attempts, progress, state, reason, token, created, ws`

func (b *backend) scanJob(w raw.Row) (driver.Job, error) {
	j := driver.Job{
		ID: w.Text(0), Kind: w.Text(1), Key: w.Text(2), Payload: w.Bytes(3), Due: moment(w.Int(4)), Attempts: int(w.Int(5)),
		Progress: int(w.Int(6)), State: w.Text(7), Reason: w.Text(8), Token: w.Text(9), CreatedAt: moment(w.Int(10)),
	}
	if ws := b.numbered(w.Int(11)); ws != nil {
		j.Workspace = ws.id
	}
	return j, nil
}

func (r jobs) Enqueue(_ context.Context, j driver.Job) error {
	created, due := j.CreatedAt, j.Due
	if created.IsZero() {
		created = r.now
	}
	if due.IsZero() {
		due = r.now
	}
	n, err := r.exec(`INSERT INTO jobs (ws, id, kind, key, state, due, wake, attempts, progress, reason, created, payload)
		VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?5, ?6, ?7, ?8, ?9, ?10)
		ON CONFLICT (ws, kind, key) WHERE key <> '' AND state IN ('queued', 'running') DO NOTHING`,
		r.ws, j.ID, j.Kind, j.Key, micro(due), j.Attempts, j.Progress, j.Reason, micro(created), j.Payload)
	if n > 0 {
		r.hint |= driver.NewsJobs
	}
	return err
}

// underClaim changes a running job whose claim is alive.
func (r jobs) underClaim(id, token, set string, args ...any) error {
	n, err := r.exec(`UPDATE jobs SET `+set+` WHERE ws = ? AND id = ? AND state = 'running' AND token = ? AND token <> '' AND wake > ?`,
		append(args, r.ws, id, token, micro(r.now))...)
	if err == nil && n == 0 {
		err = errs.New(errs.Stale, "sqlite: the claim on job %s was lost; its lease ended, or the job did", id)
	}
	return err
}

func (r jobs) Settle(_ context.Context, id, token string, o driver.JobOutcome) error {
	switch o.State {
	case driver.JobDone:
		return r.underClaim(id, token, `state = 'done', token = '', progress = ?, ended = ?`, o.Progress, micro(r.now))
	case driver.JobDead:
		return r.underClaim(id, token, `state = 'dead', token = '', reason = ?, ended = ?`, o.Reason, micro(r.now))
	case driver.JobQueued:
		r.hint |= driver.NewsJobs
		return r.underClaim(id, token, `state = 'queued', token = '', reason = ?, due = ?, wake = ?`, o.Reason, micro(o.Due), micro(o.Due))
	}
	return r.underClaim(id, token, `progress = ?, wake = ?`, o.Progress, micro(r.now.Add(o.Lease)))
}

func (r jobs) Revive(_ context.Context, id string) error {
	n, err := r.exec(`UPDATE jobs SET state = 'queued', reason = '', attempts = 0, progress = 0, due = ?1, wake = ?1, ended = 0
		WHERE ws = ?2 AND id = ?3 AND state = 'dead' AND (key = '' OR NOT EXISTS (SELECT 1 FROM jobs o
			WHERE o.ws = jobs.ws AND o.kind = jobs.kind AND o.key = jobs.key AND o.state IN ('queued', 'running')))`,
		micro(r.now), r.ws, id)
	if n > 0 {
		r.hint |= driver.NewsJobs
	}
	if err != nil || n > 0 {
		return err
	}
	known, err := r.exists(`SELECT 1 FROM jobs WHERE ws = ? AND id = ?`, r.ws, id)
	if err != nil {
		return err
	}
	if !known {
		return errs.New(errs.NotFound, "sqlite: there is no job %s", id)
	}
	return errs.New(errs.Stale, "sqlite: job %s is not dead, or another one does its work; read it again", id)
}

func (r jobs) List(_ context.Context, state string, limit int) ([]driver.Job, error) {
	of := `state = ? ORDER BY ended DESC, seq DESC`
	if state == driver.JobRunning {
		of = `state IN ('queued', 'running') AND state = ? ORDER BY created, seq`
	}
	out, err := list(r.tx, r.b.scanJob, `SELECT `+jobColumns+` FROM jobs WHERE ws = ? AND `+of+` LIMIT ?`, r.ws, state, limit)
	for i := range out {
		out[i].Token = "" // a claim is the claimer's alone
	}
	return out, err
}

func (r jobs) purgeDone(_ context.Context, before time.Time, limit int) (int, error) {
	return r.exec(`DELETE FROM jobs WHERE seq IN (SELECT seq FROM jobs WHERE ws = ? AND state = 'done' AND created < ? ORDER BY created
		LIMIT ?)`, r.ws, micro(before), limit)
}

const dueJobs = ` FROM jobs WHERE state IN ('queued', 'running') AND kind = ? AND wake <= ? ORDER BY wake, seq LIMIT ?`

// ClaimJobs implements driver.System. Looking costs no commit.
func (s system) ClaimJobs(ctx context.Context, _ string, limits map[string]int, lease time.Duration) ([]driver.Job, error) {
	waiting, err := s.kindsDue(ctx, limits)
	if err != nil || len(waiting) == 0 {
		return nil, err
	}
	var out []driver.Job
	err = s.write(ctx, func(t *tx) error {
		out = nil
		for kind, limit := range waiting {
			claimed, err := t.claimJobs(kind, limit, lease)
			if err != nil {
				return err
			}
			out = append(out, claimed...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b driver.Job) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// kindsDue are the kinds of which a job is due, with their limits.
func (s system) kindsDue(ctx context.Context, limits map[string]int) (map[string]int, error) {
	waiting := map[string]int{}
	err := s.b.read(ctx, nil, func(t *tx) error {
		for kind, limit := range limits {
			any, err := t.exists(`SELECT 1`+dueJobs, kind, micro(t.now), 1)
			if err != nil {
				return err
			}
			if any {
				waiting[kind] = limit
			}
		}
		return nil
	})
	return waiting, err
}

func (t *tx) claimJobs(kind string, limit int, lease time.Duration) ([]driver.Job, error) {
	found, err := list(t, func(w raw.Row) (int64, error) { return w.Int(0), nil }, `SELECT seq`+dueJobs, kind, micro(t.now), limit)
	if err != nil {
		return nil, err
	}
	var out []driver.Job
	for _, seq := range found {
		if err := t.change(`UPDATE jobs SET state = 'running', attempts = attempts + 1, token = ?, wake = ? WHERE seq = ?`,
			rand.Text(), micro(t.now.Add(lease)), seq); err != nil {
			return nil, err
		}
		claimed, err := list(t, t.b.scanJob, `SELECT `+jobColumns+` FROM jobs WHERE seq = ?`, seq)
		if err != nil {
			return nil, err
		}
		out = append(out, claimed...)
	}
	return out, nil
}
