package sangdam_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/storefault"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// TestAProcessThatDiesInAnyStepOfTheFlowLosesNothing is the table of section 4
// of docs/design.md: for every step, the process dies right before the call to
// the store and right after it, and a new one goes on.
func TestAProcessThatDiesInAnyStepOfTheFlowLosesNothing(t *testing.T) {
	flow := scenario{name: "flow", play: func(f *faultWorld) {
		f.presence("a1", routing.Online)
		mina := f.line.User("Mina")
		mina.SendText("hello")
		c := f.taken(mina)
		f.answer(c, "hello yourself")
		mina.SendText("thanks")
		f.until("the thanks arrived", func() bool { d, _ := f.latest(mina); return d.Conversation.Unread == 1 })
		f.end(c, true)
	}}
	steps := flow.steps(t)
	for _, step := range []string{"AppendEnvelopes", "System.ClaimInbox", "System.Release", "Update", "View", "Feed",
		"System.ClaimOutbox", "System.ClaimJobs", "System.Lease", "System.Resolve", "System.BeatAgents", "System.Meta",
		"System.PutMeta"} {
		require.NotEmpty(t, steps[step], "the flow makes no call of %s", step)
		for _, kind := range []storefault.Kind{storefault.CrashBefore, storefault.CrashAfter} {
			for i, n := range steps[step] {
				if step != "Update" && i >= 3 {
					break // each Update is a step of its own; of the others three are enough
				}
				flow.run(t, storefault.Plan{At: n, Kind: kind})
			}
		}
	}
}

// steps plays the scenario without a fault and tells the numbers of each call.
func (s scenario) steps(t *testing.T) map[string][]int {
	out := map[string][]int{}
	synctest.Test(t, func(t *testing.T) {
		f := newFaultWorld(t, storefault.Plan{}, s.options...)
		defer f.close()
		s.play(f)
		for _, c := range f.fault.History() {
			out[c.Name] = append(out[c.Name], c.N)
		}
	})
	return out
}

// nodes are engines on one store at once, with webhooks going to any of them.
type nodes struct {
	*world
	engines []*sangdam.Engine
	next    atomic.Int64
	stop    []func()
}

func (n *nodes) RoundTrip(r *http.Request) (*http.Response, error) {
	return emukit.Transport(n.any().Webhooks()).RoundTrip(r)
}

func (n *nodes) any() *sangdam.Engine { return n.engines[int(n.next.Add(1))%len(n.engines)] }

// inNodes runs fn with count engines on one store.
func inNodes(t *testing.T, count int, fn func(n *nodes), options ...worldOption) {
	t.Helper()
	inNodesOf(t, count, func(int, *sangdam.Config) {}, fn, options...)
}

// inNodesOf is inNodes with a configuration for each.
func inNodesOf(t *testing.T, count int, configure func(i int, c *sangdam.Config), fn func(n *nodes), options ...worldOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &nodes{}
		phones := func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
			w.line.Close()
			w.line = linetest.New(linetest.Options{WebhookClient: &http.Client{Transport: n}, Redeliveries: 20, WebhookParallel: 4})
		}
		n.world = newWorld(t, append([]worldOption{phones}, options...)...)
		for i := range count {
			cfg := n.cfg
			cfg.Node = fmt.Sprintf("n%d", i+1)
			configure(i, &cfg)
			e, err := sangdam.New(cfg)
			require.NoError(t, err)
			n.engines = append(n.engines, e)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- e.Run(ctx) }()
			n.stop = append(n.stop, sync.OnceFunc(func() {
				cancel()
				require.NoError(t, <-ended)
			}))
		}
		synctest.Wait()
		fn(n)
		for _, stop := range n.stop {
			stop()
		}
		n.line.Close()
		require.NoError(t, n.db.Close())
	})
}

// Two nodes, traffic on both, rivals for every offer: everything holds.
func TestTwoNodesOnOneStore(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inNodes(t, 2, func(n *nodes) {
				_, cursor, err := n.db.Feed(n.ctx, ws, "", 1)
				require.NoError(t, err)
				rng := rand.New(rand.NewPCG(seed, 0))
				ids := []routing.AgentID{"a1", "a2"}
				for _, a := range ids {
					require.NoError(t, n.any().SetPresence(n.ctx, n.agent(a), sangdam.SetPresence{Agent: a, Presence: routing.Online}))
				}
				for round := range 40 {
					n.line.User(fmt.Sprintf("u%d", rng.IntN(6))).SendText(fmt.Sprintf("text %d", round))
					n.pass(time.Duration(rng.IntN(1500)) * time.Millisecond)
					if round%10 == 0 { // an agent comes and goes, through either node
						to := []routing.Presence{routing.Offline, routing.Online, routing.Break}[rng.IntN(3)]
						require.NoError(t, n.any().SetPresence(n.ctx, n.agent("a2"), sangdam.SetPresence{Agent: "a2", Presence: to}))
					}
					beaten(t, n.any().Heartbeat(n.ctx, ws, ids...))
					n.rivals(rng)
				}
				require.NoError(t, n.any().SetPresence(n.ctx, n.agent("a2"), sangdam.SetPresence{Agent: "a2", Presence: routing.Online}))
				n.pass(12 * time.Second)
				requireInvariants(t, observe(t, n.db, n.line, cursor))
			}, withStream(func(s *routing.WorkStream) { s.OfferFor = 5 * time.Second }))
		})
	}
}

// rivals act on all that is offered or owned, on both nodes at once: of two who
// accept the same offer one succeeds.
func (n *nodes) rivals(rng *rand.Rand) {
	n.t.Helper()
	page, err := n.engines[0].Conversations(n.ctx, n.host, conversation.Filter{}, "", 200)
	require.NoError(n.t, err)
	for _, c := range page.Conversations {
		d, err := n.engines[0].Conversation(n.ctx, n.host, c.ID)
		require.NoError(n.t, err)
		var group sync.WaitGroup
		switch roll := rng.IntN(10); {
		case d.Offer != nil && roll < 7:
			var accepted atomic.Int64
			for _, e := range n.engines {
				group.Go(func() {
					if _, err := e.Accept(n.ctx, n.agent(d.Offer.Agent), sangdam.Accept{Offer: d.Offer.ID}); err == nil {
						accepted.Add(1)
					}
				})
			}
			group.Wait()
			if accepted.Load() > 1 {
				n.t.Errorf("I7: offer %s was accepted %d times", d.Offer.ID, accepted.Load())
			}
		case d.Offer != nil:
			_ = n.any().Decline(n.ctx, n.agent(d.Offer.Agent), sangdam.Decline{Offer: d.Offer.ID})
		case d.Assignment != nil:
			p := n.agent(d.Assignment.Agent)
			key := sangdam.Key(fmt.Sprint("answer ", c.ID, c.EventSeq))
			for _, e := range n.engines { // the same command on both nodes
				group.Go(func() {
					_, _ = e.Answer(n.ctx, p, sangdam.Answer{Key: key, Conversation: c.ID, Content: channel.Text(string(key))})
				})
			}
			group.Wait()
			if roll < 5 {
				_, _ = n.any().End(n.ctx, p, sangdam.End{Conversation: c.ID, Final: true})
			}
		}
	}
}

// The node that routes dies; the other takes over when the lease ends.
func TestTheOtherNodeTakesOverTheRouting(t *testing.T) {
	inNodes(t, 2, func(n *nodes) {
		require.NoError(t, n.engines[1].SetPresence(n.ctx, n.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Online}))
		n.pass(time.Second)
		n.stop[0]()
		n.engines = n.engines[1:]
		n.line.User("Mina").SendText("hello")
		n.pass(20 * time.Second)
		d, err := n.any().Conversations(n.ctx, n.host, conversation.Filter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, d.Conversations, 1)
		got, err := n.any().Conversation(n.ctx, n.host, d.Conversations[0].ID)
		require.NoError(t, err)
		require.NotNil(t, got.Offer)
		beaten(t, n.any().Heartbeat(n.ctx, ws, "a1"))
		requireInvariants(t, observe(t, n.db, n.line, ""))
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// What another node wrote reaches the Board of the node that routes, also right
// after a write of its own to the same row: an eligible pair waits at most a
// second.
func TestWhatAnotherNodeWroteRightAfterIsSeen(t *testing.T) {
	var busy atomic.Bool
	var free chan struct{}
	slow := func(i int, c *sangdam.Config) {
		if i > 0 {
			return
		}
		c.DB, _ = storefault.Wrap(c.DB, storefault.Plan{Rate: 1, Random: []storefault.Kind{storefault.Delay},
			Hook: func(_ context.Context, call string) {
				if busy.Load() && call == "System.Now" { // the router is about to decide
					<-free
				}
			}})
	}
	inNodesOf(t, 2, slow, func(n *nodes) {
		free = make(chan struct{})
		n.line.User("Mina").SendText("hello")
		n.pass(time.Second)
		busy.Store(true)
		n.pass(2 * time.Second)
		for i, to := range []routing.Presence{routing.Break, routing.Online} {
			require.NoError(t, n.engines[i].SetPresence(n.ctx, n.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: to}))
		}
		busy.Store(false)
		close(free)
		n.pass(2 * time.Second)
		requireInvariants(t, observe(t, n.db, n.line, ""))
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// A router that lost its lease writes nothing, even if it does not know yet.
func TestARouterWithAStaleEpochWritesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.line.User("Mina").SendText("hello")
		w.settle()
		// Another node takes the lease while this one still believes to have it.
		w.jump(11 * time.Second)
		_, err := w.db.System().Lease(w.ctx, "router/"+ws, "another node", time.Hour)
		require.NoError(t, err)
		require.NoError(t, w.eng.SetPresence(w.ctx, w.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Online}))
		w.settle()
		d := w.only()
		require.Nil(t, d.Offer, "fenced out")
		require.Equal(t, routing.ItemQueued, d.Item.State)
		require.Zero(t, w.load("a1"))
		w.jump(2 * time.Hour) // the other node is gone
		beaten(t, w.eng.Heartbeat(w.ctx, ws, "a1"))
		w.pass(10 * time.Second)
		require.NotNil(t, w.only().Offer, "and in again")
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

func (w *world) load(a routing.AgentID) int {
	w.t.Helper()
	agents, err := w.eng.Agents(w.ctx, w.host)
	require.NoError(w.t, err)
	for _, x := range agents {
		if x.ID == a {
			return x.State.Load[routing.ProfileUnits]
		}
	}
	w.t.Fatalf("there is no agent %s", a)
	return 0
}

func (w *world) presenceOf(a routing.AgentID) routing.Presence {
	w.t.Helper()
	var p routing.Presence
	require.NoError(w.t, w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
		got, err := tx.Agents().Agent(ctx, a)
		p = got.State.Presence
		return err
	}))
	return p
}

// Rule 9: grace 60 s, then offers are withdrawn at once; live conversations are
// queued again after 5 minutes; coming back in between keeps them.
func TestALostAgentsWorkGoesToOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		w.line.User("Jun").SendText("hi") // offered to a1, who is lost
		w.pass(50 * time.Second)
		require.Equal(t, routing.Online, w.presenceOf("a1"))
		w.pass(20 * time.Second)
		require.Equal(t, routing.Offline, w.presenceOf("a1"))
		jun := w.of(w.line.User("Jun"))
		require.Nil(t, jun.Offer, "withdrawn at once")
		require.Equal(t, conversation.StateActive, w.detail(c.Conversation).Conversation.State, "kept for a while")
		w.pass(4 * time.Minute)
		require.Equal(t, conversation.StateActive, w.detail(c.Conversation).Conversation.State)
		w.pass(time.Minute + 10*time.Second)
		d := w.detail(c.Conversation)
		require.Equal(t, conversation.StateOpen, d.Conversation.State)
		require.Zero(t, w.load("a1"))
		w.online("a2")
		w.settle()
		require.NotNil(t, w.detail(c.Conversation).Offer)
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

func TestAnAgentWhoComesBackKeepsItsWork(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		w.pass(2 * time.Minute)
		require.Equal(t, routing.Offline, w.presenceOf("a1"))
		w.online("a1")
		for range 30 {
			w.pass(20 * time.Second)
			beaten(t, w.eng.Heartbeat(w.ctx, ws, "a1"))
		}
		d := w.detail(c.Conversation)
		require.Equal(t, conversation.StateActive, d.Conversation.State)
		require.Equal(t, routing.AgentID("a1"), d.Conversation.Agent)
	})
}

// A process that dies between "online" and the first heart-beat must not leave
// an agent online for ever whom nobody hears.
func TestAnAgentWhoWasNeverHeardIsLostToo(t *testing.T) {
	inWorld(t, func(w *world) {
		var fault *storefault.Fault
		cfg := w.cfg
		cfg.DB, fault = storefault.Wrap(w.db, storefault.Plan{At: 1, Kind: storefault.CrashAfter})
		dying, err := sangdam.New(cfg)
		require.NoError(t, err)
		for !fault.Dead() {
			_ = dying.SetPresence(w.ctx, w.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Online})
		}
		require.Equal(t, routing.Online, w.presenceOf("a1"))
		w.line.User("Mina").SendText("hi")
		w.pass(2 * time.Minute)
		require.Equal(t, routing.Offline, w.presenceOf("a1"))
		require.Nil(t, w.only().Offer)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// Rule 3: a customer is never stuck to somebody who is away, also where agents
// keep what waits.
func TestAWaitingCustomerIsNotStuckToAnAgentWhoIsAway(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		_, err := w.eng.Wait(w.ctx, w.agent("a1"), sangdam.Wait{Conversation: c.Conversation})
		require.NoError(t, err)
		require.Equal(t, 1, w.load("a1"), "kept while waiting")
		w.line.User("Mina").SendText("back")
		w.settle()
		require.Equal(t, conversation.StateActive, w.detail(c.Conversation).Conversation.State, "the same agent goes on")
		_, err = w.eng.Wait(w.ctx, w.agent("a1"), sangdam.Wait{Conversation: c.Conversation})
		require.NoError(t, err)
		require.NoError(t, w.eng.SetPresence(w.ctx, w.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Offline}))
		w.online("a2")
		w.line.User("Mina").SendText("anybody there?")
		w.settle()
		d := w.detail(c.Conversation)
		require.NotNil(t, d.Offer, "somebody who is there is asked")
		require.Equal(t, routing.AgentID("a2"), d.Offer.Agent)
		require.Zero(t, w.load("a1"))
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.HoldWhileWaiting, s.OfferFor = true, time.Hour }))
}

// A deadline that this program does not know, or that cannot be handled, must
// not hold up the others, and is left to those who know it.
func TestAStrangeDeadlineHoldsNothingUp(t *testing.T) {
	inWorld(t, func(w *world) {
		require.NoError(t, w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Deadlines().Set(ctx, "of_the_future", "x", tx.Now()); err != nil {
				return err
			}
			return tx.Deadlines().Set(ctx, "wrap_up", "no such conversation", tx.Now())
		}))
		w.pass(10 * time.Minute) // failures add up
		w.online("a1", "a2")
		w.line.User("Mina").SendText("hi")
		w.settle()
		first := w.only().Offer
		require.NotNil(t, first)
		w.pass(17 * time.Second)
		second := w.only().Offer
		require.NotNil(t, second)
		require.NotEqual(t, first.ID, second.ID, "the offer ended in time")
		kinds := map[string]bool{}
		w.jump(24 * time.Hour)
		due, err := w.db.System().Due(w.ctx, 100)
		require.NoError(t, err)
		for _, d := range due {
			kinds[d.Kind] = true
		}
		require.True(t, kinds["of_the_future"], "left to a newer program")
	})
}
