package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var linearRules = []rule{
	{name: "offers, acceptances and endings under rivals have one order that explains them all", run: linearHolds},
	{name: "claims and what is done under them have one order that explains them all", alone: true, run: linearClaims},
}

// history records operations with their beginning and end in real order.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// do runs an operation; fn returns what it saw, or an error that ends the test.
func (h *history) do(client int, input any, fn func() (any, error)) error {
	call := h.clock.Add(1)
	out, err := fn()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: input, Call: call, Output: out, Return: h.clock.Add(1)})
	return nil
}

// explain requires that the history has a sequential order.
func (e *env) explain(h *history, m porcupine.Model, seed uint64) {
	e.Helper()
	switch porcupine.CheckOperationsTimeout(m, h.ops, 20*time.Second) {
	case porcupine.Illegal:
		for _, op := range h.ops {
			e.Logf("%d: %d-%d %+v -> %+v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
		}
		e.Fatalf("no order explains the history (seed %d)", seed)
	case porcupine.Unknown:
		e.Fatalf("the history was too long to check (seed %d)", seed)
	}
}

const (
	linearItems  = 3
	linearAgents = 2
	linearCap    = 2
)

// holdState is, for each item, 0 while queued, n for offered to agent n, -n
// for assigned to agent n.
type holdState [linearItems]int

func (s holdState) load(agent int) (n int) {
	for _, h := range s {
		if h == agent || h == -agent {
			n++
		}
	}
	return n
}

// holdInput gives an item to an agent (Agent above 0) or ends what holds it.
type holdInput struct {
	Item, Agent int
	End         string // accept, decline, end
}

// holdOutput is what happened. "stale" is legal at any time and changes
// nothing: the operation saw two moments.
type holdOutput struct {
	What  string // offered, busy, full, accepted, declined, ended, nothing, stale
	Agent int    // who held it
}

var holdModel = porcupine.Model{
	Init: func() any { return holdState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(holdState), input.(holdInput), output.(holdOutput)
		held := s[in.Item]
		switch out.What {
		case "stale":
			return true, s
		case "busy":
			return held != 0, s
		case "full":
			return s.load(in.Agent) >= linearCap, s
		case "offered":
			ok := held == 0 && s.load(in.Agent) < linearCap
			s[in.Item] = in.Agent
			return ok, s
		case "nothing":
			return held == 0, s
		case "accepted":
			s[in.Item] = -out.Agent
			return held == out.Agent, s
		case "declined":
			s[in.Item] = 0
			return held == out.Agent, s
		case "ended":
			s[in.Item] = 0
			return held == -out.Agent, s
		}
		return false, s
	},
}

func linearHolds(e *env) {
	for a := range linearAgents {
		e.agent(linearAgent(a+1), units(linearCap))
	}
	var items []routing.ItemID
	for range linearItems {
		items = append(items, e.item(use(1)).ID)
	}
	const clients, each = 6, 8
	seed := rand.Uint64()
	h := &history{}
	errs := parallel(clients, func(c int) error {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		for n := range each {
			in := holdInput{Item: rng.IntN(linearItems), End: []string{"accept", "decline", "accept"}[rng.IntN(3)]}
			if rng.IntN(2) == 0 {
				in.Agent, in.End = 1+rng.IntN(linearAgents), ""
			}
			id := fmt.Sprintf("%d-%d", c, n)
			if err := h.do(c, in, func() (any, error) {
				if in.Agent > 0 {
					return e.linearOffer(items[in.Item], in.Agent, id)
				}
				return e.linearEnd(items[in.Item], in.End, id)
			}); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(e, clients, successes(errs), "%v", errs)
	e.explain(h, holdModel, seed)
	for a := range linearAgents {
		e.sums(linearAgent(a + 1))
	}
}

func linearAgent(n int) routing.AgentID { return routing.AgentID(fmt.Sprint("agent", n)) }

func linearNumber(id routing.AgentID) (n int) {
	_, _ = fmt.Sscanf(string(id), "agent%d", &n)
	return n
}

func (e *env) linearOffer(id routing.ItemID, agent int, offer string) (out holdOutput, err error) {
	err = e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		it, err := tx.Work().Item(ctx, id)
		if err != nil {
			return err
		}
		if it.State != routing.ItemQueued {
			out = holdOutput{What: "busy"}
			return nil
		}
		out = holdOutput{What: "offered"}
		return tx.Work().Reserve(ctx, transition.Reservation{
			Item: id, ItemVersion: it.Version, Agent: linearAgent(agent), Now: moment(10),
			Offer: &routing.Offer{ID: routing.OfferID(offer), Item: id, Agent: linearAgent(agent),
				State: routing.OfferPending, Uses: use(1), OfferedAt: moment(10), ExpiresAt: moment(11)},
		})
	})
	var refused *routing.Refused
	if errors.As(err, &refused) {
		out.What = "stale"
		if refused.Check == "capacity" {
			out.What = "full"
		}
		return out, nil
	}
	return out, err
}

func (e *env) linearEnd(id routing.ItemID, how, as string) (out holdOutput, err error) {
	err = e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		o, a, err := tx.Work().Held(ctx, id)
		switch {
		case err != nil:
			return err
		case o != nil && how == "accept":
			out = holdOutput{What: "accepted", Agent: linearNumber(o.Agent)}
			_, err = tx.Work().Accept(ctx, o.ID, routing.AssignmentID(as), moment(10))
		case o != nil:
			out = holdOutput{What: "declined", Agent: linearNumber(o.Agent)}
			_, err = tx.Work().EndOffer(ctx, o.ID, routing.OfferDeclined, "", moment(10))
		case a != nil:
			out = holdOutput{What: "ended", Agent: linearNumber(a.Agent)}
			_, err = tx.Work().EndAssignment(ctx, id, a.ID, routing.EndRequeued, routing.ItemQueued, moment(10))
		default:
			out = holdOutput{What: "nothing"}
		}
		return err
	})
	if errors.Is(err, store.ErrStale) {
		return holdOutput{What: "stale"}, nil
	}
	return out, err
}

// claimInput is a claim, or work or a release under the token of one.
type claimInput struct {
	Lane string
	What string // claim, done, release
	// Holder numbers the claim that the operation made or works under.
	Holder int
}

// claimState is who holds the lane, 0 for nobody, and how much is done.
type claimState struct{ holder, done int }

// claimModel: a lane that is free can be claimed, and work counts only under
// the present claim. A claim that found the lane taken is not recorded: a store
// may pass over a lane that is being given back.
var claimModel = porcupine.Model{
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		byLane := map[string][]porcupine.Operation{}
		for _, op := range ops {
			lane := op.Input.(claimInput).Lane
			byLane[lane] = append(byLane[lane], op)
		}
		var out [][]porcupine.Operation
		for _, lane := range sortedKeys(byLane) {
			out = append(out, byLane[lane])
		}
		return out
	},
	Init: func() any { return claimState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in := state.(claimState), input.(claimInput)
		switch in.What {
		case "claim": // Output: how many envelopes were done before, by the head
			return s.holder == 0 && s.done == output.(int), claimState{in.Holder, s.done}
		case "done":
			return s.holder == in.Holder == output.(bool), claimState{s.holder, s.done + map[bool]int{true: 1}[output.(bool)]}
		case "release":
			if s.holder == in.Holder {
				s.holder = 0
			}
			return true, s
		}
		return false, s
	},
}

func linearClaims(e *env) {
	const clients, each, lanes, depth = 6, 6, 3, 40
	var envs []adapter.Envelope
	for n := range depth {
		for l := range lanes {
			envs = append(envs, envelope(fmt.Sprintf("%d-%d", l, n), fmt.Sprint("lane", l)))
		}
	}
	e.append(envs...)
	seed := rand.Uint64()
	h := &history{}
	var holders atomic.Int64
	errs := parallel(clients, func(c int) error {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		for range each {
			if err := e.linearClaim(h, c, int(holders.Add(1)), rng.IntN(2) == 0); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(e, clients, successes(errs), "%v", errs)
	require.True(e, slices.ContainsFunc(h.ops, func(op porcupine.Operation) bool { return op.Output == true }), "nobody did anything")
	e.explain(h, claimModel, seed)
}

// linearClaim claims one lane, ends its first envelope, gives the lane back,
// and, when late, tries once more to end the next one: too late.
func (e *env) linearClaim(h *history, client, holder int, late bool) error {
	call := h.clock.Add(1)
	list, err := e.db.System().ClaimInbox(e.ctx, "node", 1, 2, time.Hour)
	if err != nil || len(list) == 0 || list[0].Workspace != e.ws {
		return err
	}
	l := list[0]
	var laneNumber, head int
	_, _ = fmt.Sscanf(l.Envelopes[0].DedupKey, "%d-%d", &laneNumber, &head)
	h.mu.Lock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: claimInput{l.Lane, "claim", holder}, Call: call, Output: head,
		Return: h.clock.Add(1)})
	h.mu.Unlock()
	done := func(id channel.EnvelopeID) error {
		return h.do(client, claimInput{l.Lane, "done", holder}, func() (any, error) {
			err := e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Done(ctx, l.Claim, id) })
			if errors.Is(err, store.ErrStale) {
				return false, nil
			}
			return err == nil, err
		})
	}
	if err := done(l.Envelopes[0].ID); err != nil {
		return err
	}
	if err := h.do(client, claimInput{l.Lane, "release", holder}, func() (any, error) {
		return nil, e.db.System().Release(e.ctx, driver.NewsInbox, l.LaneRef)
	}); err != nil || !late || len(l.Envelopes) < 2 {
		return err
	}
	return done(l.Envelopes[1].ID)
}
