package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var jobRules = []rule{
	{name: "a job comes out as it went in, claimed and counted", run: func(e *env) {
		want := store.Job{ID: "j", Kind: "kind", Key: "k", Payload: []byte("{\"a\":\"\\u0000\"}\x00\xff"), Due: moment(0),
			CreatedAt: moment(1)}
		e.enqueueJob(want)
		got := e.job("j")
		require.Equal(e, "queued", got.State)
		jobs := e.claimJobs(e.lease(), "kind")
		require.Len(e, jobs, 1)
		require.NotEmpty(e, jobs[0].Token)
		want.Workspace, want.State, want.Attempts, want.Token = e.ws, "running", 1, jobs[0].Token
		want.Due = jobs[0].Due // a store may keep the end of the lease there
		e.same(want, jobs[0])
		require.Equal(e, "running", e.job("j").State)
	}},
	{name: "only due jobs of the kinds are claimed, the earliest first, once", run: func(e *env) {
		for i, minute := range []int{3, 1, 2} {
			e.enqueueJob(store.Job{ID: fmt.Sprint("a", i), Kind: "a", Due: moment(minute)})
		}
		e.enqueueJob(store.Job{ID: "b", Kind: "b", Due: moment(0)})
		e.enqueueJob(store.Job{ID: "later", Kind: "a", Due: e.now().Add(time.Hour)})
		require.Empty(e, e.claimJobs(e.lease(), "other"))
		require.Empty(e, e.claimJobs(e.lease()))
		var ids []string
		for _, j := range e.claimJobs(time.Hour, "a", "other") {
			ids = append(ids, j.ID)
		}
		require.Equal(e, []string{"a1", "a2", "a0"}, ids)
		require.Empty(e, e.claimJobs(time.Hour, "a"))
		require.Len(e, e.claimJobs(time.Hour, "a", "b"), 1)
	}},
	{name: "each kind is claimed up to a limit of its own, however many of another wait", run: func(e *env) {
		for i := range 5 {
			e.enqueueJob(store.Job{ID: fmt.Sprint("slow", i), Kind: "slow", Due: moment(i)})
		}
		e.enqueueJob(store.Job{ID: "quick", Kind: "quick", Due: moment(100)})
		for _, want := range [][]string{{"slow0", "slow1", "quick"}, {"slow2", "slow3"}, {"slow4"}, nil} {
			jobs, err := e.db.System().ClaimJobs(e.ctx, "node", map[string]int{"slow": 2, "quick": 3, "other": 1}, time.Hour)
			require.NoError(e, err)
			var ids []string
			for _, j := range jobs {
				ids = append(ids, j.ID)
			}
			require.ElementsMatch(e, want, ids)
		}
		e.view(func(ctx context.Context, tx store.Tx) error {
			running, err := tx.Jobs().List(ctx, driver.JobRunning, 2)
			require.Len(e, running, 2)
			require.Equal(e, "running", running[0].State)
			require.Empty(e, running[0].Token, "a claim is the claimer's alone")
			all, again := tx.Jobs().List(ctx, driver.JobRunning, 10)
			require.Len(e, all, 6)
			return errors.Join(err, again)
		})
	}},
	{name: "a key is taken while its job is unfinished, by kind", run: func(e *env) {
		e.enqueueJob(store.Job{ID: "1", Kind: "keyed", Key: "k", Due: moment(0)})
		e.enqueueJob(store.Job{ID: "2", Kind: "keyed", Key: "k", Due: moment(0)})
		e.enqueueJob(store.Job{ID: "3", Kind: "keyed2", Key: "k", Due: moment(0)})
		e.enqueueJob(store.Job{ID: "4", Kind: "keyed", Due: moment(0)})
		e.enqueueJob(store.Job{ID: "5", Kind: "keyed", Due: moment(0)})
		got := map[string]store.Job{}
		for _, j := range e.claimJobs(time.Hour, "keyed", "keyed2") {
			got[j.ID] = j
		}
		require.Len(e, got, 4)
		require.NotContains(e, got, "2")
		e.enqueueJob(store.Job{ID: "6", Kind: "keyed", Key: "k", Due: moment(0)})
		require.Empty(e, e.claimJobs(time.Hour, "keyed"), "running holds the key too")
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Finish(ctx, "1", got["1"].Token) })
		e.enqueueJob(store.Job{ID: "7", Kind: "keyed", Key: "k", Due: moment(0)})
		again := e.claimJobs(time.Hour, "keyed")
		require.Len(e, again, 1)
		require.Equal(e, "7", again[0].ID)
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Jobs().Fail(ctx, "7", again[0].Token, "dead", time.Time{})
		})
		e.enqueueJob(store.Job{ID: "8", Kind: "keyed", Key: "k", Due: moment(0)})
		require.Len(e, e.claimJobs(time.Hour, "keyed"), 1)
	}},
	{name: "a failed job waits for its time and is counted again", run: func(e *env) {
		wait := e.lease()
		e.enqueueJob(store.Job{ID: "j", Kind: "fail", Due: moment(0)})
		j := e.claimJobs(time.Hour, "fail")[0]
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Jobs().Fail(ctx, "j", j.Token, "later", tx.Now().Add(wait))
		})
		require.Equal(e, "queued", e.job("j").State)
		require.Equal(e, "later", e.job("j").Reason)
		require.Empty(e, e.claimJobs(time.Hour, "fail"))
		e.pass(wait + time.Millisecond)
		again := e.claimJobs(time.Hour, "fail")
		require.Len(e, again, 1)
		require.Equal(e, 2, again[0].Attempts)
	}},
	{name: "a job whose lease ended is another's, and the old token is stale", run: func(e *env) {
		e.enqueueJob(store.Job{ID: "j", Kind: "lease", Due: moment(0)})
		slow := e.claimJobs(e.lease(), "lease")[0]
		require.Empty(e, e.claimJobs(time.Hour, "lease"))
		e.pass(e.lease() + time.Millisecond)
		fast := e.claimJobs(time.Hour, "lease")
		require.Len(e, fast, 1)
		require.Equal(e, 2, fast[0].Attempts)
		for _, ending := range jobEndings("j", slow.Token) {
			e.refuse(store.ErrStale, ending)
		}
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Finish(ctx, "j", fast[0].Token) })
		for _, ending := range jobEndings("j", fast[0].Token) {
			e.refuse(store.ErrStale, ending)
		}
	}},
	{name: "a report stores progress and prolongs the lease", run: func(e *env) {
		e.enqueueJob(store.Job{ID: "j", Kind: "report", Due: moment(0)})
		j := e.claimJobs(e.lease(), "report")[0]
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Jobs().Report(ctx, "j", j.Token, 42, time.Hour)
		})
		require.Equal(e, 42, e.job("j").Progress)
		e.pass(e.lease() + time.Millisecond)
		require.Empty(e, e.claimJobs(time.Hour, "report"))
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Finish(ctx, "j", j.Token) })
		require.Equal(e, "done", e.job("j").State)
	}},
	{name: "dead jobs stay, newest first; purge takes only done ones", run: func(e *env) {
		for i := range 3 {
			id := fmt.Sprint("dead", i)
			e.enqueueJob(store.Job{ID: id, Kind: "dead", Due: moment(0), CreatedAt: moment(i)})
			j := e.claimJobs(time.Hour, "dead")[0]
			e.update(func(ctx context.Context, tx store.Tx) error {
				return tx.Jobs().Fail(ctx, id, j.Token, "hopeless", time.Time{})
			})
			e.pass(time.Millisecond)
		}
		e.enqueueJob(store.Job{ID: "done", Kind: "dead", Due: moment(0), CreatedAt: moment(0)})
		j := e.claimJobs(time.Hour, "dead")[0]
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Finish(ctx, "done", j.Token) })
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Jobs().List(ctx, driver.JobDead, 2)
			require.Len(e, list, 2)
			require.Equal(e, "dead2", list[0].ID)
			require.Equal(e, "dead1", list[1].ID)
			require.Equal(e, "hopeless", list[0].Reason)
			return err
		})
		e.update(func(ctx context.Context, tx store.Tx) error {
			n, err := tx.Purge(ctx, driver.Ages{Raw: moment(100)}, 10)
			require.Equal(e, 1, n)
			return err
		})
		e.job("dead0")
	}},
	{name: "a dead job is revived, unless another does its work", run: func(e *env) {
		die := func(id string) {
			e.enqueueJob(store.Job{ID: id, Kind: "mortal", Key: "k", Payload: []byte("p"), Due: moment(0)})
			j := e.claimJobs(time.Hour, "mortal")[0]
			e.update(func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Report(ctx, id, j.Token, 40, time.Hour) })
			e.update(func(ctx context.Context, tx store.Tx) error {
				return tx.Jobs().Fail(ctx, id, j.Token, "hopeless", time.Time{})
			})
		}
		revive := func(id string) func(context.Context, store.Tx) error {
			return func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Revive(ctx, id) }
		}
		e.refuse(store.ErrNotFound, revive("none"))
		die("first")
		die("second")
		e.update(revive("first"))
		e.refuse(store.ErrStale, revive("first"))
		e.refuse(store.ErrStale, revive("second"))
		j := e.job("first")
		require.Equal(e, []any{"queued", "", 0, 0, "p"}, []any{j.State, j.Reason, j.Attempts, j.Progress, string(j.Payload)})
		again := e.claimJobs(time.Hour, "mortal")
		require.Len(e, again, 1)
		require.Equal(e, 1, again[0].Attempts)
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Finish(ctx, "first", again[0].Token) })
		e.refuse(store.ErrStale, revive("first"))
		e.update(revive("second"))
	}},
	{name: "eight claimers never get one job twice", run: func(e *env) {
		for i := range 20 {
			e.enqueueJob(store.Job{ID: fmt.Sprint(i), Kind: "many", Due: moment(0)})
		}
		taken := make([][]store.Job, racers)
		errs := parallel(racers, func(i int) error {
			for {
				jobs, err := e.db.System().ClaimJobs(e.ctx, fmt.Sprint("node", i), map[string]int{"many": 3}, time.Hour)
				taken[i] = append(taken[i], jobs...)
				if err != nil || len(jobs) == 0 {
					return err
				}
			}
		})
		require.Equal(e, racers, successes(errs), "%v", errs)
		seen := map[string]bool{}
		for _, list := range taken {
			for _, j := range list {
				require.False(e, seen[j.ID], "job %s was claimed twice", j.ID)
				seen[j.ID] = true
			}
		}
		require.Len(e, seen, 20)
	}},
}

func jobEndings(id, token string) map[string]func(context.Context, store.Tx) error {
	return map[string]func(context.Context, store.Tx) error{
		"finish": func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Finish(ctx, id, token) },
		"retry":  func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Fail(ctx, id, token, "r", moment(0)) },
		"die":    func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Fail(ctx, id, token, "r", time.Time{}) },
		"report": func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Report(ctx, id, token, 1, time.Hour) },
	}
}

func (e *env) enqueueJob(j store.Job) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error { return tx.Jobs().Enqueue(ctx, j) })
}

func (e *env) job(id string) (j store.Job) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		var found bool
		j, found = jobOf(ctx, e, tx, id)
		require.True(e, found, "there is no job %s", id)
		return nil
	})
	return j
}

// jobOf looks for a job among those of every state.
func jobOf(ctx context.Context, e *env, tx store.Tx, id string) (store.Job, bool) {
	e.Helper()
	for _, state := range []string{driver.JobQueued, driver.JobRunning, driver.JobDone, driver.JobDead} {
		list, err := tx.Jobs().List(ctx, state, 1000)
		require.NoError(e, err)
		if i := slices.IndexFunc(list, func(j store.Job) bool { return j.ID == id }); i >= 0 {
			return list[i], true
		}
	}
	return store.Job{}, false
}
