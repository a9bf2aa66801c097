package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type jobs struct{ t *tx }

const (
	jobQueued  = "queued"
	jobRunning = "running"
	jobDone    = "done"
	jobDead    = "dead"
)

// job is a stored Job with its lease and the moment it ended.
type job struct {
	driver.Job
	until time.Time
	ended time.Time
}

type jobKey struct{ kind, key string }

func (j job) unfinished() bool { return j.State == jobQueued || j.State == jobRunning }

// dueAt is when an unfinished job may be claimed.
func (j job) dueAt() time.Time {
	if j.State == jobRunning {
		return j.until
	}
	return j.Due
}

func (s *space) jobChanged(id string, _, is *job) {
	delete(s.toDo, id)
	if is != nil && is.unfinished() {
		s.toDo[id] = struct{}{}
	}
}

func (r jobs) Enqueue(_ context.Context, j driver.Job) error {
	t := r.t
	return do(t, func() error {
		if _, taken := get(t, t.s.jobs, j.ID); taken {
			return driver.ErrClash
		}
		if j.Key != "" {
			k := jobKey{j.Kind, j.Key}
			if _, waits := get(t, t.s.byKey, k); waits {
				return nil
			}
			put(t, t.s.byKey, k, j.ID)
		}
		j = clone(j)
		j.Workspace, j.State, j.Attempts, j.Token = t.s.id, jobQueued, 0, ""
		if j.CreatedAt.IsZero() {
			j.CreatedAt = t.now
		}
		put(t, t.s.jobs, j.ID, job{Job: j})
		t.news |= driver.NewsJobs
		return nil
	})
}

// claimed changes a job under its claim.
func (r jobs) claimed(id, token string, change func(*job)) error {
	t := r.t
	return do(t, func() error {
		j, ok := get(t, t.s.jobs, id)
		if !ok || j.State != jobRunning || j.Token != token {
			return errs.New(errs.Stale, "memory: the claim of job %q is lost; leave it to its new holder", id)
		}
		change(&j)
		if !j.unfinished() && j.Key != "" {
			drop(t, t.s.byKey, jobKey{j.Kind, j.Key})
		}
		put(t, t.s.jobs, id, j)
		return nil
	})
}

func (r jobs) Finish(_ context.Context, id, token string) error {
	return r.claimed(id, token, func(j *job) { j.State, j.Token, j.ended = jobDone, "", r.t.now })
}

func (r jobs) Fail(_ context.Context, id, token, reason string, retryAt time.Time) error {
	return r.claimed(id, token, func(j *job) {
		j.Reason, j.Token = reason, ""
		if retryAt.IsZero() {
			j.State, j.ended = jobDead, r.t.now
			return
		}
		j.State, j.Due = jobQueued, clone(retryAt)
		r.t.news |= driver.NewsJobs
	})
}

func (r jobs) Report(_ context.Context, id, token string, progress int, lease time.Duration) error {
	return r.claimed(id, token, func(j *job) { j.Progress, j.until = progress, r.t.now.Add(lease) })
}

func (r jobs) Revive(_ context.Context, id string) error {
	t := r.t
	return do(t, func() error {
		j, ok := get(t, t.s.jobs, id)
		if !ok {
			return missing("job", id)
		}
		_, waits := get(t, t.s.byKey, jobKey{j.Kind, j.Key})
		if j.State != jobDead || j.Key != "" && waits {
			return errs.New(errs.Stale, "memory: job %q is not dead, or another one does its work; read it again", id)
		}
		if j.Key != "" {
			put(t, t.s.byKey, jobKey{j.Kind, j.Key}, id)
		}
		j.State, j.Reason, j.Attempts, j.Progress, j.Due, j.ended = jobQueued, "", 0, 0, t.now, time.Time{}
		put(t, t.s.jobs, id, j)
		t.news |= driver.NewsJobs
		return nil
	})
}

func (r jobs) Job(_ context.Context, id string) (driver.Job, error) {
	return read(r.t, func() (driver.Job, error) {
		j, ok := get(r.t, r.t.s.jobs, id)
		if !ok {
			return driver.Job{}, missing("job", id)
		}
		r.t.found(1)
		return clone(j.Job), nil
	})
}

func (r jobs) Running(_ context.Context, limit int) ([]driver.Job, error) {
	return read(r.t, func() ([]driver.Job, error) {
		var running []driver.Job
		for _, j := range each(r.t, r.t.s.jobs) {
			if j.State == jobRunning {
				j.Token = "" // a claim is the claimer's alone
				running = append(running, j.Job)
			}
		}
		slices.SortFunc(running, func(a, b driver.Job) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		var out []driver.Job
		for _, j := range first(running, limit) {
			out = append(out, clone(j))
		}
		r.t.found(len(out))
		return out, nil
	})
}

func (r jobs) Dead(_ context.Context, limit int) ([]driver.Job, error) {
	return read(r.t, func() ([]driver.Job, error) {
		var dead []job
		for _, j := range each(r.t, r.t.s.jobs) {
			if j.State == jobDead {
				dead = append(dead, j)
			}
		}
		slices.SortFunc(dead, func(a, b job) int {
			return cmp.Or(b.ended.Compare(a.ended), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		var out []driver.Job
		for _, j := range first(dead, limit) {
			out = append(out, clone(j.Job))
		}
		r.t.found(len(out))
		return out, nil
	})
}

func (r jobs) purgeDone(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.jobs, limit, func(j job) bool { return j.State == jobDone && j.CreatedAt.Before(before) }), nil
	})
}
