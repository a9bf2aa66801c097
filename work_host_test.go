package sangdam_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

func order(id string) routing.Subject { return routing.Subject{Kind: "order", ID: id} }

// waits puts an order to be checked into the queue.
func (w *replayWorld) waits(id string) {
	w.t.Helper()
	require.NoError(w.t, errOf(w.eng.Enqueue(w.ctx, w.host,
		sangdam.Enqueue{Subject: order(id), Queue: "q", Desk: "support", Cost: 1, OfferFor: time.Hour})))
	w.settle()
}

// asked is the one offer that the agent has.
func (w *replayWorld) asked(a routing.AgentID) routing.Offer {
	w.t.Helper()
	held, err := w.eng.Held(w.ctx, w.agent(a), a)
	require.NoError(w.t, err)
	require.Len(w.t, held.Offers, 1)
	return held.Offers[0]
}

// itemsTold are the events of work that the feed has for a principal since then.
func (w *replayWorld) itemsTold(p sangdam.Principal, since string) []store.Event {
	w.t.Helper()
	all, _, err := w.eng.Events(w.ctx, p, since, 1000)
	require.NoError(w.t, err)
	return slices.DeleteFunc(all, func(ev store.Event) bool { return ev.Aggregate != "item" })
}

// An order of the host's finds an agent as a conversation does: offered, declined,
// accepted, counted against the same capacity, told by the feed, explained, and
// over when the host or the agent says so.
func TestWorkOfTheHostsOwnFindsAnAgent(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		_, since, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		withTickets(w.world, "a1", "a2")
		w.online("a1")
		w.begun(w.line.User("Mina"), "hello")
		w.waits("17/a")
		offer := w.asked("a1")
		require.Equal(t, order("17/a"), offer.Item.Subject())
		require.ErrorIs(t, w.eng.Decline(w.ctx, w.agent("a2"), sangdam.Decline{Offer: offer.ID}), sangdam.ErrPermissionDenied)
		owned, err := w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: offer.ID})
		require.NoError(t, err)
		require.Equal(t, sangdam.Owned{Work: order("17/a"), Agent: "a1", Assignment: owned.Assignment}, owned)
		w.settle()
		for _, p := range []sangdam.Principal{w.host, w.agent("a1")} {
			events := w.itemsTold(p, since)
			require.NotEmpty(t, events)
			last := events[len(events)-1]
			require.Equal(t, order("17/a"), routing.ItemID(last.ID).Subject())
			require.Equal(t, routing.AgentID("a1"), last.Agent)
			require.Equal(t, "assigned", last.Kind)
		}
		why, err := w.eng.ExplainDecision(w.ctx, w.agent("a1"), order("17/a").Item(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, routing.AgentID("a1"), why.Agent)
		require.True(t, why.Exact)

		w.waits("18")
		w.online("a2")
		require.Equal(t, order("18"), w.asked("a2").Item.Subject(), "a1 holds a conversation and an order, which is all it can")
		require.NoError(t, w.eng.Decline(w.ctx, w.agent("a2"), sangdam.Decline{Offer: w.asked("a2").ID}))
		w.offline("a2")
		require.ErrorIs(t, w.eng.Finish(w.ctx, w.agent("a2"), sangdam.Finish{Subject: order("17/a")}), sangdam.ErrPermissionDenied)
		for _, p := range []sangdam.Principal{w.agent("a1"), w.host} { // the second time it is over already
			require.NoError(t, w.eng.Finish(w.ctx, p, sangdam.Finish{Subject: order("17/a")}))
		}
		w.settle()
		require.Equal(t, order("18"), w.asked("a1").Item.Subject(), "there is room again")
		require.NoError(t, w.eng.Finish(w.ctx, w.host, sangdam.Finish{Subject: order("18")}))
		held, err := w.eng.Held(w.ctx, w.agent("a1"), "a1")
		require.NoError(t, err)
		require.Empty(t, held.Offers, "an offer of what is over is taken back")
		require.Len(t, held.Assignments, 1)
	}, longOffers)
}

// Work that an agent has is taken back by queueing it again, and leaves whoever may
// not do it any more; who is away keeps it, and nobody of another desk sees it.
func TestWorkOfTheHostsOwnChangesHands(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		_, since, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		withTickets(w.world, "a1", "a2")
		w.online("a1")
		takes := func(a routing.AgentID) {
			t.Helper()
			require.NoError(t, errOf(w.eng.Accept(w.ctx, w.agent(a), sangdam.Accept{Offer: w.asked(a).ID})))
			w.settle()
		}
		w.waits("17")
		takes("a1")
		w.waits("17")
		takes("a1")
		w.offline("a1")
		w.online("a2")
		held, err := w.eng.Held(w.ctx, w.agent("a1"), "a1")
		require.NoError(t, err)
		require.Len(t, held.Assignments, 1, "who is away keeps it")
		w.saveAgent(routing.Agent{ID: "a1", Name: "Agent a1", Role: "agent", Disabled: true})
		w.settle()
		takes("a2")

		w.saveAgent(routing.Agent{ID: "far", Name: "Far", Role: "agent", Permissions: []routing.Permission{routing.PermitTicket}})
		require.Empty(t, w.itemsTold(w.agent("far"), since))
		_, err = w.eng.ExplainDecision(w.ctx, w.agent("far"), order("17").Item(), time.Now().Add(time.Hour))
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		require.ErrorIs(t, w.eng.Finish(w.ctx, w.agent("far"), sangdam.Finish{Subject: order("17")}), sangdam.ErrNotFound)
		w.invariants()
	}, longOffers)
}

func TestBadWorkOfTheHostsOwnIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		good := sangdam.Enqueue{Subject: order("1"), Queue: "q", Desk: "support"}
		for name, c := range map[string]struct {
			change func(*sangdam.Enqueue)
			want   error
		}{
			"a ticket":       {func(c *sangdam.Enqueue) { c.Subject.Kind = routing.SubjectTicket }, sangdam.ErrInvalid},
			"a conversation": {func(c *sangdam.Enqueue) { c.Subject.Kind = routing.SubjectConversation }, sangdam.ErrInvalid},
			"no kind":        {func(c *sangdam.Enqueue) { c.Subject.Kind = "" }, sangdam.ErrInvalid},
			"a path":         {func(c *sangdam.Enqueue) { c.Subject.Kind = "a/b" }, sangdam.ErrInvalid},
			"no id":          {func(c *sangdam.Enqueue) { c.Subject.ID = "" }, sangdam.ErrInvalid},
			"a long id":      {func(c *sangdam.Enqueue) { c.Subject.ID = strings.Repeat("x", 101) }, sangdam.ErrInvalid},
			"no text":        {func(c *sangdam.Enqueue) { c.Subject.ID = "a\x00b" }, sangdam.ErrInvalid},
			"a queue":        {func(c *sangdam.Enqueue) { c.Queue = "none" }, sangdam.ErrNotFound},
			"a desk":         {func(c *sangdam.Enqueue) { c.Desk = "none" }, sangdam.ErrNotFound},
			"a cost":         {func(c *sangdam.Enqueue) { c.Cost = -1 }, sangdam.ErrInvalid},
			"a high cost":    {func(c *sangdam.Enqueue) { c.Cost = 1_000_001 }, sangdam.ErrInvalid},
			"less than none": {func(c *sangdam.Enqueue) { c.OfferFor = -time.Second }, sangdam.ErrInvalid},
			"30 nanoseconds": {func(c *sangdam.Enqueue) { c.OfferFor = 30 }, sangdam.ErrInvalid},
			"a presence":     {func(c *sangdam.Enqueue) { c.Presences = []routing.Presence{"lunch"} }, sangdam.ErrInvalid},
			"a skill match":  {func(c *sangdam.Enqueue) { c.SkillMatch = "nothing" }, sangdam.ErrInvalid},
			"a permission":   {func(c *sangdam.Enqueue) { c.Permission = routing.PermitReveal }, sangdam.ErrInvalid},
		} {
			bad := good
			c.change(&bad)
			require.ErrorIs(t, errOf(w.eng.Enqueue(w.ctx, w.host, bad)), c.want, name)
		}
		require.ErrorIs(t, errOf(w.eng.Enqueue(w.ctx, w.agent("a1"), good)), sangdam.ErrPermissionDenied, "an agent gives nobody work")
		require.ErrorIs(t, w.eng.Finish(w.ctx, w.host, sangdam.Finish{Subject: order("1")}), sangdam.ErrNotFound)
		w.inStore(func(tx store.Tx) error {
			return tx.Work().Open(context.Background(), func(it routing.Item) { require.Fail(t, "something waits", it.ID) })
		})
	})
}
