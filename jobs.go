package sangdam

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// jobKind is a kind of work outside the flow. A file that adds one calls
// registerJob in its init; no other place is touched.
type jobKind struct {
	// name is stored with each job and never changes.
	name string
	// workers is how many run at once in a process. They are this kind's alone:
	// however slow it is, no other kind waits for it.
	workers int
	// bound is the time of one try in all, during which its claim is prolonged.
	bound func(cfg Config) time.Duration
	// tries is how often it is begun at most. A try counts when it is claimed, so
	// that one that takes the process with it counts too.
	tries int
	// within, when not 0, is how long after it was made it may be tried again.
	within time.Duration
	// wait is the pause before the n-th repeat; nil means backoff.
	wait func(n int) time.Duration
	// hopeless says that no other try can help; nil: one may always help.
	hopeless func(err error) bool
	// served says whether this engine does such jobs; nil: it does.
	served func(cfg Config) bool

	run    func(e *Engine, ctx context.Context, j *runningJob) error
	gaveUp func(u *unit, j *runningJob, why error) error
}

// jobTries is how often a job is tried where its kind has no reason for another
// number.
const jobTries = 8

// jobKinds are all kinds that this program knows, by name.
var jobKinds = map[string]*jobKind{}

// registerJob adds a kind whose payload is a P. run does a job and must heed
// its context; an error has it done again, ErrStale says that there is nothing
// left to do. gaveUp runs in the transaction that ends a job which is not tried
// again; without it such a job is kept as dead.
func registerJob[P any](k jobKind, run func(*Engine, context.Context, *runningJob, P) error, gaveUp func(*unit, P, error) error) {
	if jobKinds[k.name] != nil || k.name == "" || k.workers < 1 || k.tries < 1 || k.bound == nil {
		panic("sangdam: the kind of job " + k.name + " is declared twice, or without name, workers, tries or bound")
	}
	payload := func(j *runningJob) (p P, err error) {
		if err := jsondoc.Unmarshal(j.Payload, &p); err != nil {
			return p, errs.New(errs.Invalid, "sangdam: the payload of %s job %s is not what was written", j.Kind, j.ID)
		}
		return p, nil
	}
	k.run = func(e *Engine, ctx context.Context, j *runningJob) error {
		p, err := payload(j)
		if err != nil {
			return err
		}
		return run(e, ctx, j, p)
	}
	if gaveUp != nil {
		k.gaveUp = func(u *unit, j *runningJob, why error) error {
			p, err := payload(j)
			if err != nil {
				return u.tx.Jobs().Fail(u.ctx, j.ID, j.Token, kindName(err), time.Time{})
			}
			if err := gaveUp(u, p, why); err != nil {
				return err
			}
			return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token)
		}
	}
	jobKinds[k.name] = &k
}

// always is the bound of a kind that needs no setting for it.
func always(d time.Duration) func(Config) time.Duration {
	return func(Config) time.Duration { return d }
}

// runningJob is a job that is being done.
type runningJob struct {
	driver.Job
	percent atomic.Int32
	ended   bool // its end is recorded, see endWith
}

// endWith does a job's last piece of work in the transaction that ends it, shared
// with other pieces.
func (e *Engine) endWith(ctx context.Context, j *runningJob, run func(u *unit) error) error {
	err := e.share(ctx, j.Workspace, func(u *unit) error {
		if err := run(u); err != nil {
			return err
		}
		return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token)
	})
	j.ended = err == nil
	return err
}

// progress says how far the job is, in percent; it is stored when the claim is
// prolonged.
func (j *runningJob) progress(percent int) { j.percent.Store(int32(min(max(percent, 0), 99))) }

// enqueueJob adds a job; key makes it one among those unfinished.
func (u *unit) enqueueJob(kind, key string, payload any) error {
	raw, err := jsondoc.Marshal(payload)
	if err != nil {
		return err
	}
	return u.tx.Jobs().Enqueue(u.ctx, driver.Job{ID: newID(), Kind: kind, Key: key, Payload: raw, Due: u.tx.Now(), CreatedAt: u.tx.Now()})
}

// jobRoom counts the free workers of each kind.
type jobRoom struct {
	mu    sync.Mutex
	free  map[string]int
	freed chan struct{} // somebody became free
}

func newJobRoom(cfg Config) *jobRoom {
	r := &jobRoom{free: map[string]int{}, freed: make(chan struct{}, 1)}
	for name, k := range jobKinds {
		if k.served == nil || k.served(cfg) {
			r.free[name] = k.workers
		}
	}
	return r
}

// open returns how many jobs of which kinds may be claimed.
func (r *jobRoom) open() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]int{}
	for name, n := range r.free {
		if n > 0 {
			out[name] = n
		}
	}
	return out
}

// move takes a worker (-1) or gives one back (1).
func (r *jobRoom) move(kind string, by int) {
	r.mu.Lock()
	r.free[kind] += by
	r.mu.Unlock()
	if by > 0 {
		select {
		case r.freed <- struct{}{}:
		default:
		}
	}
}

// runJobs does jobs: one loop claims for all kinds, each up to its own free
// workers.
func (e *Engine) runJobs(ctx, drain context.Context) {
	hints, stop := e.wake.subscribe("", driver.NewsJobs)
	defer stop()
	room := newJobRoom(e.cfg)
	var group errgroup.Group
	defer func() { _ = group.Wait() }()
	fails := 0
	for ctx.Err() == nil {
		jobs, err := e.db.System().ClaimJobs(ctx, e.cfg.Node, room.open(), e.cfg.Lease)
		if err != nil {
			jobs = nil
			fails++
			if ctx.Err() == nil {
				e.trouble("claiming jobs failed", err)
			}
		} else {
			fails = 0
		}
		e.startJobs(drain, &group, room, jobs)
		if len(jobs) > 0 {
			e.pulse.found(driver.NewsJobs)
			continue
		}
		e.rest(ctx, driver.NewsJobs, hints, room.freed, fails)
	}
}

// startJobs works claimed jobs, each beside the others.
func (e *Engine) startJobs(drain context.Context, group *errgroup.Group, room *jobRoom, jobs []driver.Job) {
	for _, j := range jobs {
		room.move(j.Kind, -1)
		group.Go(func() error {
			defer room.move(j.Kind, 1)
			e.workJob(drain, jobKinds[j.Kind], &runningJob{Job: j})
			return nil
		})
	}
}

// errClaimLost says that somebody else works the job now.
var errClaimLost = errs.New(errs.Stale, "sangdam: the claim of the job was lost")

// errNeverEnded is why a job is given up whose tries left no outcome.
var errNeverEnded = errs.New(errs.Unavailable, "sangdam: no try of the job came to an end, as when the process ends in each")

// workJob does a job and records what became of it.
func (e *Engine) workJob(ctx context.Context, k *jobKind, j *runningJob) {
	if j.Attempts > k.tries {
		e.jobFailed(ctx, k, j, errNeverEnded)
		return
	}
	held, release := e.holdJob(ctx, j)
	bounded, cancel := context.WithTimeout(held, k.bound(e.cfg))
	err := e.doJob(bounded, k, j)
	over := bounded.Err() != nil && held.Err() == nil
	cancel()
	lost := errors.Is(context.Cause(held), errClaimLost)
	release()
	switch {
	case err == nil, errors.Is(err, ErrStale) && !lost:
		if j.ended {
			return
		}
		err = e.share(ctx, j.Workspace, func(u *unit) error { return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token) })
		if err != nil && !errors.Is(err, ErrStale) {
			e.trouble("a job's end could not be recorded; it will run again", err, "kind", j.Kind)
		}
	case ctx.Err() != nil, lost: // whoever claims it next goes on
	default:
		if over { // whatever it makes of the end of its time
			err = errors.Join(context.DeadlineExceeded, err)
		}
		e.jobFailed(ctx, k, j, err)
	}
}

// doJob runs a job; a panic is a failed try.
func (e *Engine) doJob(ctx context.Context, k *jobKind, j *runningJob) (err error) {
	defer func() {
		if recover() != nil { // without the value: it may hold a customer's words
			err = errs.New(errs.Invalid, "sangdam: a %s job panicked in %s", j.Kind, errs.Where())
		}
	}()
	return k.run(e, ctx, j)
}

// holdJob prolongs a job's claim until release is called, so that nobody else
// takes it while it is worked, and stores how far it is. The context that it
// returns ends with errClaimLost when the claim is lost all the same.
func (e *Engine) holdJob(ctx context.Context, j *runningJob) (held context.Context, release func()) {
	held, lost := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(e.cfg.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			err := e.db.Update(held, j.Workspace, func(ctx context.Context, tx store.Tx) error {
				return tx.Jobs().Report(ctx, j.ID, j.Token, int(j.percent.Load()), e.cfg.Lease)
			})
			if errors.Is(err, ErrStale) {
				lost(errClaimLost)
			}
		}
	}()
	return held, func() {
		lost(context.Canceled)
		<-done
	}
}

// jobFailed puts a try that failed back to be repeated, or gives the job up.
func (e *Engine) jobFailed(ctx context.Context, k *jobKind, j *runningJob, why error) {
	e.log.Warn("a job failed", "kind", j.Kind, "job", j.ID, "attempt", j.Attempts, "error", why)
	wait := backoff
	if k.wait != nil {
		wait = k.wait
	}
	ended := false
	err := e.safeUnit(ctx, system(j.Workspace), func(u *unit) error {
		again := u.tx.Now().Add(wait(j.Attempts))
		late := k.within > 0 && again.After(j.CreatedAt.Add(k.within))
		ended = j.Attempts >= k.tries || late || k.hopeless != nil && k.hopeless(why)
		switch {
		case !ended:
			return u.tx.Jobs().Fail(u.ctx, j.ID, j.Token, kindName(why), again)
		case k.gaveUp == nil, j.Attempts > k.tries+jobTries: // its end fails as well
			return u.tx.Jobs().Fail(u.ctx, j.ID, j.Token, kindName(why), time.Time{})
		}
		return k.gaveUp(u, j, why)
	})
	switch {
	case err != nil && !errors.Is(err, ErrStale):
		e.trouble("a job's failure could not be recorded", err, "kind", j.Kind)
	case err == nil && ended:
		e.log.Warn("a job was given up", "kind", j.Kind, "job", j.ID, "attempts", j.Attempts, "error", kindName(why))
	}
}

// JobStatus is what an operator sees of a job. It holds ids and states and no
// text.
type JobStatus struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"`    // running or dead
	Attempts  int       `json:"attempts"` // begun so far
	Progress  int       `json:"progress"` // of a running one, 0 to 99 percent
	Reason    string    `json:"reason,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

var qJobs = asks("job.list", "Jobs", "jobs", ActOperate).wide(wideNumber)

// Jobs returns the jobs that are running, oldest first, and after them those
// that were given up, newest first; at most limit (1 to 1000) of each. It needs
// ActOperate.
func (e *Engine) Jobs(ctx context.Context, p Principal, limit int) (out []JobStatus, err error) {
	limit = min(max(limit, 1), 1000)
	err = e.query(ctx, p, qJobs, string(p.Workspace), func(ctx context.Context, tx store.Tx, _ *settings) error {
		running, err := tx.Jobs().List(ctx, driver.JobRunning, limit)
		if err != nil {
			return err
		}
		dead, err := tx.Jobs().List(ctx, driver.JobDead, limit)
		if err != nil {
			return err
		}
		out = jobStatuses(append(running, dead...))
		return nil
	})
	return out, err
}

func jobStatuses(jobs []store.Job) []JobStatus {
	out := make([]JobStatus, 0, len(jobs))
	for _, j := range jobs {
		out = append(out, JobStatus{ID: j.ID, Kind: j.Kind, State: j.State, Attempts: j.Attempts,
			Progress: j.Progress, Reason: j.Reason, CreatedAt: j.CreatedAt})
	}
	return out
}
