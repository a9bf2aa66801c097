package sangdam_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/storefault"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// However long the store was away, what customers write is processed within
// seconds of its return.
func TestWorkGoesOnSoonAfterAnOutage(t *testing.T) {
	for _, away := range []time.Duration{3 * time.Second, 10 * time.Minute, 5 * time.Hour} {
		t.Run(away.String(), func(t *testing.T) {
			var fault *storefault.Fault
			inWorld(t, func(w *world) {
				w.settle()
				fault.Crash()
				w.pass(away)
				fault.Revive()
				begun := time.Now()
				w.line.User("Mina").SendText("hello")
				for len(w.conversations()) == 0 && time.Since(begun) < 20*time.Minute {
					w.pass(100 * time.Millisecond)
				}
				require.Less(t, time.Since(begun), 5*time.Second)
			}, withConfig(func(c *sangdam.Config) { c.DB, fault = storefault.Wrap(c.DB, storefault.Plan{}) }))
		})
	}
}

// A store that is away for longer than an agent may be silent: whose console
// lives stays online and gets work; whose console is gone is lost a minute after
// the store's return, not at once and not never.
func TestNobodyIsLostRightAfterAnOutage(t *testing.T) {
	var fault *storefault.Fault
	inWorld(t, func(w *world) {
		w.online("a1", "a2")
		beats, stop := context.WithCancel(w.ctx)
		defer stop()
		go func() { // the console of a1; that of a2 is gone
			for beats.Err() == nil {
				_ = w.eng.Heartbeat(w.ctx, ws, "a1")
				select {
				case <-beats.Done():
				case <-time.After(20 * time.Second):
				}
			}
		}()
		presence := func(id routing.AgentID) (p routing.Presence) {
			agents, err := w.eng.Agents(w.ctx, w.host)
			require.NoError(t, err)
			for _, a := range agents {
				if a.ID == id {
					p = a.State.Presence
				}
			}
			return p
		}
		w.pass(10 * time.Second)
		fault.Crash()
		w.pass(70 * time.Second)
		fault.Revive()
		w.line.User("Mina").SendText("hello")
		w.pass(10 * time.Second)
		require.Equal(t, routing.Online, presence("a2"), "nobody is lost at once")
		w.pass(70 * time.Second)
		require.Equal(t, routing.Online, presence("a1"))
		require.Equal(t, routing.Offline, presence("a2"))
		d := w.only()
		require.NotNil(t, d.Offer)
		require.Equal(t, routing.AgentID("a1"), d.Offer.Agent)
	}, withConfig(func(c *sangdam.Config) { c.DB, fault = storefault.Wrap(c.DB, storefault.Plan{}) }),
		withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// A heart-beat for an agent who is offline says so, and counts for the others.
func TestAHeartbeatForSomebodyOfflineSaysSo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		err := w.eng.Heartbeat(w.ctx, ws, "a1", "a2", "nobody")
		offline, is := errors.AsType[*sangdam.OfflineAgents](err)
		require.True(t, is, "%v", err)
		require.Equal(t, []routing.AgentID{"a2", "nobody"}, offline.Agents)
		require.ErrorIs(t, err, sangdam.ErrStale)
		require.NoError(t, w.eng.Heartbeat(w.ctx, ws, "a1"))
	})
}

// full is a store whose disk becomes full in the moment after a customer wrote:
// it appends, reads and claims, and commits nothing else.
type full struct {
	driver.Backend
	on    atomic.Bool
	tries atomic.Int64
}

var errFull = errs.New(errs.Unavailable, "the disk is full")

func (f *full) refuse() error {
	if !f.on.Load() {
		return nil
	}
	f.tries.Add(1)
	return errFull
}

func (f *full) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	if err := f.refuse(); err != nil {
		return err
	}
	return f.Backend.Update(ctx, ws, fn)
}

func (f *full) System() driver.System { return fullSystem{f.Backend.System(), f} }

type fullSystem struct {
	driver.System
	f *full
}

func (s fullSystem) Check(ctx context.Context) error {
	if err := s.f.refuse(); err != nil {
		return err
	}
	return s.System.Check(ctx)
}

// Readiness is asked every second by load balancers: it writes nothing, and says
// all the same when the last write failed, whoever tried it, and when the store
// does not answer.
func TestReadyWritesNothingAndKnowsOfFailedWrites(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.settle()
		before := w.db.Stats().Commits
		for range 10 {
			require.NoError(t, w.eng.Ready(w.ctx))
		}
		require.Equal(t, before, w.db.Stats().Commits)
	})
	f := &full{}
	inWorld(t, func(w *world) {
		w.pass(10 * time.Second)
		f.on.Store(true)
		require.NoError(t, w.eng.Ready(w.ctx), "nobody has written yet")
		require.ErrorIs(t, errOf(w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{})), sangdam.ErrUnavailable)
		require.ErrorContains(t, w.eng.Ready(w.ctx), "disk is full")
		f.on.Store(false)
		w.pass(5 * time.Second)
		require.NoError(t, w.eng.Ready(w.ctx))
	}, withConfig(func(c *sangdam.Config) { f.Backend = c.DB.Backend(); c.DB = store.New(f) }))
	var fault *storefault.Fault
	inWorld(t, func(w *world) {
		w.pass(10 * time.Second)
		fault.Crash()
		require.ErrorIs(t, w.eng.Ready(w.ctx), sangdam.ErrUnavailable)
		fault.Revive()
	}, withConfig(func(c *sangdam.Config) { c.DB, fault = storefault.Wrap(c.DB, storefault.Plan{}) }))
}

// A full disk on which five lanes have work: the engine waits, says so once, and
// goes on when there is room.
func TestAFullDiskIsNoHotLoop(t *testing.T) {
	var log logged
	f := &full{}
	inWorld(t, func(w *world) {
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			w.line.User(name).SendText("hello")
		}
		w.settle()
		require.Len(t, w.conversations(), 5)
		f.on.Store(true)
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			w.line.User(name).SendText("again")
		}
		before := strings.Count(log.String(), "\n")
		w.pass(10 * time.Minute)
		require.ErrorIs(t, w.eng.Ready(w.ctx), sangdam.ErrUnavailable)
		require.ErrorContains(t, w.eng.Ready(w.ctx), "disk is full")
		require.LessOrEqual(t, f.tries.Load(), int64(3000), "writes that were tried in ten minutes")
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")[before:]
		require.LessOrEqual(t, len(lines), 2, "%s", strings.Join(lines, "\n"))
		f.on.Store(false)
		w.pass(5 * time.Second)
		require.NoError(t, w.eng.Ready(w.ctx))
		for _, c := range w.conversations() {
			require.Contains(t, texts(w.detail(c.ID)), "again")
		}
		require.Contains(t, log.String(), "the store works again")
	}, withConfig(func(c *sangdam.Config) {
		f.Backend = c.DB.Backend()
		c.DB, c.Logger = store.New(f), log.logger()
	}))
}
