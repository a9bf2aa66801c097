package sangdam

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Accounts whose adapter fetches events itself (adapter.Runner) are run here:
// each on one of all processes, by a lease, from a checkpoint that is a document.

// checkpoint is how far an account has been fetched.
type checkpoint struct {
	ID      string    `json:"id"` // the account
	Version int64     `json:"-"`
	Epoch   int64     `json:"epoch"` // of the lease under which it was saved
	Data    []byte    `json:"data"`
	At      time.Time `json:"at"`
}

var checkpoints = declare(store.Kind[checkpoint]{Name: "checkpoint",
	ID:      func(c *checkpoint) string { return c.ID },
	Version: func(c *checkpoint) *int64 { return &c.Version },
})

const (
	// runnerSettled is how long a run must have lasted for its end to count as a
	// first failure.
	runnerSettled = time.Minute
	// maxCheckpoint is the largest checkpoint in bytes.
	maxCheckpoint = 64 << 10
)

// running is one account that this process runs or stands by for.
type running struct {
	version int64
	stop    context.CancelFunc
	ended   chan struct{}
}

type runnerKey struct {
	ws   WorkspaceID
	acct channel.AccountID
}

// runRunners keeps a run for each enabled account whose adapter wants one. Where
// no adapter does, it costs nothing.
func (e *Engine) runRunners(ctx context.Context) {
	any := false
	for _, a := range e.adapters {
		any = any || a.runner != nil
	}
	if !any {
		return
	}
	var group errgroup.Group
	defer func() { _ = group.Wait() }()
	runs := map[runnerKey]running{}
	for ; ctx.Err() == nil; sleepFor(ctx, e.cfg.Poll) {
		wanted, err := e.runnable(ctx)
		if err != nil {
			if ctx.Err() == nil {
				e.trouble("accounts that fetch their events could not be looked for", err)
			}
			continue
		}
		for key, r := range runs {
			if acct, still := wanted[key]; !still || acct.Version != r.version {
				r.stop()
				<-r.ended
				delete(runs, key)
			}
		}
		for key, acct := range wanted {
			if _, runs := runs[key]; runs {
				continue
			}
			own, stop := context.WithCancel(ctx)
			r := running{version: acct.Version, stop: stop, ended: make(chan struct{})}
			runs[key] = r
			group.Go(func() error {
				defer close(r.ended)
				defer stop()
				e.followAccount(own, key.ws, acct)
				return nil
			})
		}
	}
}

// runnable finds the accounts that are to be run.
func (e *Engine) runnable(ctx context.Context) (map[runnerKey]channel.Account, error) {
	workspaces, err := e.db.System().Workspaces(ctx, driver.Having{})
	if err != nil {
		return nil, err
	}
	wanted := map[runnerKey]channel.Account{}
	for _, ws := range workspaces {
		s, err := e.current(ctx, ws)
		if err != nil {
			return nil, err
		}
		for id := range s.accounts {
			if acct, adapter, err := e.account(s, id); err == nil && !acct.Disabled && adapter.runner != nil {
				wanted[runnerKey{ws, id}] = acct
			}
		}
	}
	return wanted, nil
}

// followAccount runs an account again and again, whenever this process has the
// lease. A process that is silent for as long as a claim lasts has lost it.
func (e *Engine) followAccount(ctx context.Context, ws WorkspaceID, acct channel.Account) {
	lease := "runner/" + string(ws) + "/" + string(acct.ID)
	for fails := 0; ctx.Err() == nil; {
		epoch, err := e.db.System().Lease(ctx, lease, e.cfg.Node, e.cfg.Lease)
		if errors.Is(err, ErrConflict) { // another process runs it
			sleepFor(ctx, e.cfg.Lease/3)
			continue
		}
		began := time.Now()
		if err == nil {
			err = e.runAccount(ctx, ws, acct, lease, epoch)
		}
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > runnerSettled {
			fails = 0
		}
		fails++
		wait := backoff(fails)
		if errors.Is(err, ErrPermissionDenied) {
			wait = max(wait, time.Minute)
		}
		if err != nil {
			e.trouble("fetching an account's events failed; it is tried again", err, "account", string(acct.ID), "wait", wait)
		}
		if down, _ := e.outage.state(); down {
			e.pause(ctx, fails) // for the store's return, however long it was away
			fails = 0
			continue
		}
		sleepFor(ctx, wait)
	}
	e.giveLease(ctx, lease)
}

// giveLease ends a lease, so that whoever takes over need not wait for its end.
func (e *Engine) giveLease(ctx context.Context, lease string) {
	give, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := e.db.System().Lease(give, lease, e.cfg.Node, time.Millisecond); err != nil && !errors.Is(err, ErrConflict) {
		e.log.Debug("a lease ends by itself", "lease", lease)
	}
}

// runAccount is one run, for as long as the lease is held.
func (e *Engine) runAccount(ctx context.Context, ws WorkspaceID, acct channel.Account, lease string, epoch int64) error {
	_, adapter, err := e.accountOf(ctx, ws, acct.ID)
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(ctx)
	in := &intake{e: e, ws: ws, acct: acct.ID, epoch: epoch}
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		e.keepLease(run, lease, epoch)
		cancel()
	}()
	err = adapter.Run(run, acct, in)
	if run.Err() != nil && ctx.Err() == nil { // and what the adapter says is only that it was told to stop
		err = errs.New(errs.Unavailable, "sangdam: the lease of the account's run was lost: the store, or this process, did not "+
			"answer for %s, or another process has the account now", e.cfg.Lease)
	}
	in.ended.Store(true)
	cancel()
	<-kept
	return err
}

// keepLease prolongs a lease until ctx ends or it is lost.
func (e *Engine) keepLease(ctx context.Context, lease string, epoch int64) {
	tick := time.NewTicker(e.cfg.Lease / 3)
	defer tick.Stop()
	held := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := e.db.System().Lease(ctx, lease, e.cfg.Node, e.cfg.Lease)
		switch {
		case err == nil && now == epoch:
			held = time.Now()
		case err == nil, errors.Is(err, ErrConflict), time.Since(held) >= e.cfg.Lease:
			return
		}
	}
}

// intake is adapter.Intake for one run.
type intake struct {
	e     *Engine
	ws    WorkspaceID
	acct  channel.AccountID
	epoch int64
	ended atomic.Bool
}

func (i *intake) live() error {
	if i.ended.Load() {
		return errs.New(errs.Stale, "sangdam: this run of account %s has ended", i.acct)
	}
	return nil
}

// Load implements adapter.Intake.
func (i *intake) Load(ctx context.Context) ([]byte, error) {
	if err := i.live(); err != nil {
		return nil, err
	}
	var c checkpoint
	err := i.e.db.View(ctx, i.ws, func(ctx context.Context, tx store.Tx) (err error) {
		c, err = checkpoints.Get(ctx, tx, string(i.acct))
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return c.Data, err
}

// Save implements adapter.Intake. A run that another process has taken over
// saves nothing any more.
func (i *intake) Save(ctx context.Context, data []byte) error {
	if err := i.live(); err != nil {
		return err
	}
	if len(data) > maxCheckpoint {
		return errs.New(errs.Invalid, "sangdam: a checkpoint has %d bytes; at most %d are kept", len(data), maxCheckpoint)
	}
	return i.e.db.Update(ctx, i.ws, func(ctx context.Context, tx store.Tx) error {
		c, err := checkpoints.Get(ctx, tx, string(i.acct))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if c.Epoch > i.epoch {
			return errs.New(errs.Stale, "sangdam: another process fetches account %s now", i.acct)
		}
		c.ID, c.Epoch, c.Data, c.At = string(i.acct), i.epoch, data, tx.Now()
		return checkpoints.Save(ctx, tx, &c)
	})
}

// Append implements adapter.Intake.
func (i *intake) Append(ctx context.Context, envs ...adapter.Envelope) error {
	if err := i.live(); err != nil || len(envs) == 0 {
		return err
	}
	rows := make([]adapter.Envelope, len(envs))
	for n, env := range envs {
		env.ID, env.Account = channel.EnvelopeID(newID()), i.acct
		if len(env.Raw) > adapter.MaxEnvelope || isLarge(env.Raw) {
			var err error
			if env, err = i.e.storeLarge(ctx, i.ws, env); err != nil {
				return err
			}
		}
		rows[n] = env
	}
	if err := i.e.sealEnvelopes(ctx, i.ws, rows); err != nil {
		return err
	}
	fresh, err := i.e.db.AppendEnvelopes(ctx, i.ws, rows)
	if err != nil {
		return err
	}
	i.e.dropLarge(ctx, i.ws, rows, fresh)
	i.e.received(i.ws, i.acct, fresh)
	return nil
}
