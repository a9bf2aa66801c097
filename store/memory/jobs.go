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

func (r jobs) Settle(_ context.Context, id, token string, o driver.JobOutcome) error {
	return r.claimed(id, token, func(j *job) {
		switch j.State = o.State; o.State {
		case jobRunning:
			j.Progress, j.until = o.Progress, r.t.now.Add(o.Lease)
			return
		case jobDone:
			j.Progress, j.ended = o.Progress, r.t.now
		case jobDead:
			j.Reason, j.ended = o.Reason, r.t.now
		case jobQueued:
			j.Reason, j.Due = o.Reason, clone(o.Due)
			r.t.news |= driver.NewsJobs
		}
		j.Token = ""
	})
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

func (r jobs) List(_ context.Context, state string, limit int) ([]driver.Job, error) {
	return read(r.t, func() ([]driver.Job, error) {
		var list []job
		for _, j := range each(r.t, r.t.s.jobs) {
			if j.State == state {
				j.Token = "" // a claim is the claimer's alone
				list = append(list, j)
			}
		}
		slices.SortFunc(list, func(a, b job) int {
			if state != jobRunning {
				a, b = b, a
			}
			return cmp.Or(a.ended.Compare(b.ended), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		var out []driver.Job
		for _, j := range first(list, limit) {
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
