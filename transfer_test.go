package sangdam_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// Transfers, presence and the queue as agents of other desks met them: who has
// the customer afterwards, and that nobody is left without.

func (w *replayWorld) holds(a routing.AgentID) sangdam.Held {
	w.t.Helper()
	h, err := w.eng.Held(w.ctx, w.host, a)
	require.NoError(w.t, err)
	return h
}

// full gives an agent as many conversations as it may have.
func (w *replayWorld) full(a routing.AgentID) []sangdam.Owned {
	w.t.Helper()
	w.online(a)
	return []sangdam.Owned{w.begun(w.line.User("One"), "one"), w.begun(w.line.User("Two"), "two")}
}

func TestATransferToAFullAgentChangesNothing(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.full("a2")
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		require.Equal(t, routing.AgentID("a1"), owned.Agent)
		before := w.detail(owned.Conversation)
		_, err := w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Agent: "a2"})
		require.ErrorIs(t, err, sangdam.ErrStale, "no room")
		w.settle()
		after := w.detail(owned.Conversation)
		require.Equal(t, before.Conversation, after.Conversation)
		require.Equal(t, before.Assignment, after.Assignment)
	}, longOffers)
}

func TestATransferToAFullQueueWaitsThere(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.saveQueue(routing.Queue{ID: "billing", Name: "Billing", Members: []routing.AgentID{"a2"}})
		others := w.full("a2")
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		st, err := w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Queue: "billing"})
		require.NoError(t, err)
		require.Equal(t, conversation.StateOpen, st.State)
		w.settle()
		d := w.detail(owned.Conversation)
		require.Nil(t, d.Offer)
		require.Empty(t, d.Conversation.Agent)
		require.Equal(t, routing.QueueID("billing"), d.Item.Queue)
		require.Empty(t, w.holds("a1").Assignments, "who gave it away is free")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a2"), sangdam.End{Conversation: others[0].Conversation, Final: true})))
		w.settle()
		require.Equal(t, routing.AgentID("a2"), w.detail(owned.Conversation).Offer.Agent, "it comes when there is room")
	}, longOffers)
}

func TestAfterATransferTheFormerAgentHasNoPart(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		former, next := w.agent(owned.Agent), routing.AgentID("a2")
		if owned.Agent == next {
			next = "a1"
		}
		require.NoError(t, errOf(w.eng.Transfer(w.ctx, former, sangdam.Transfer{Conversation: owned.Conversation, Agent: next})))
		w.settle()
		_, err := w.eng.Answer(w.ctx, former, sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("still me")})
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
		_, err = w.eng.End(w.ctx, former, sangdam.End{Conversation: owned.Conversation})
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
		mina.SendText("for whom?")
		w.settle()
		require.Equal(t, next, w.detail(owned.Conversation).Conversation.Agent)
		require.NotContains(t, mina.Texts(), "still me")
	}, longOffers)
}

func TestATransferToItsOwnQueueAsksSomebodyElse(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		owned := w.begun(w.line.User("Mina"), "hello")
		_, err := w.eng.Transfer(w.ctx, w.agent(owned.Agent), sangdam.Transfer{Conversation: owned.Conversation, Queue: "q"})
		require.NoError(t, err)
		w.settle()
		d := w.detail(owned.Conversation)
		require.NotNil(t, d.Offer)
		require.NotEqual(t, owned.Agent, d.Offer.Agent)
	}, longOffers)
}

func TestManyAtOnceNeverExceedCapacity(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		for i := range 20 {
			w.line.User(fmt.Sprintf("C%02d", i)).SendText("hi")
		}
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				for _, a := range []routing.AgentID{"a1", "a2"} {
					h, err := w.eng.Held(w.ctx, w.host, a)
					assert.NoError(t, err)
					for _, o := range h.Offers {
						_, _ = w.eng.Accept(w.ctx, w.agent(a), sangdam.Accept{Offer: o.ID}) // one of the rivals succeeds
					}
				}
			})
		}
		all.Wait()
		w.settle()
		for _, a := range []routing.AgentID{"a1", "a2"} {
			h := w.holds(a)
			require.Equal(t, 2, len(h.Offers)+len(h.Assignments), a)
		}
		require.Len(t, w.conversations(), 20)
	}, longOffers)
}

func TestAChatLeftForDaysCanBePicked(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		mina.SendText("over the holidays")
		w.settle()
		w.jump(5 * 24 * time.Hour)
		w.settle()
		w.online("a1", "a2")
		id := w.of(mina).Conversation.ID
		require.Nil(t, w.detail(id).Offer)
		require.NoError(t, errOf(w.eng.Pick(w.ctx, w.agent("a1"), sangdam.Pick{Conversation: id})))
		w.answer("a1", id, "sorry for the wait")
		require.Contains(t, mina.Texts(), "sorry for the wait")
		require.NoError(t, errOf(w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: id, Agent: "a2"})))
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a2"), sangdam.End{Conversation: id})))
		require.Equal(t, conversation.StateClosed, w.detail(id).Conversation.State)
	}, withStream(func(s *routing.WorkStream) { s.Mode = routing.Pick }))
}

func TestWhoIsTakenOffTheQueueKeepsWhatItHas(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.saveQueue(routing.Queue{ID: "q", Name: "Everyone", Members: []routing.AgentID{"a2"}})
		mina.SendText("still there?")
		w.settle()
		w.answer("a1", owned.Conversation, "yes")
		require.Contains(t, mina.Texts(), "yes")
		require.NoError(t, errOf(w.eng.Wait(w.ctx, w.agent("a1"), sangdam.Wait{Conversation: owned.Conversation})))
		w.online("a2")
		mina.SendText("and now?")
		w.settle()
		w.beat(2*time.Minute, "a1", "a2")
		d := w.detail(owned.Conversation)
		require.NotNil(t, d.Offer, "what waited goes on with the others")
		require.Equal(t, routing.AgentID("a2"), d.Offer.Agent)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.KeepAgentFor = time.Hour, time.Minute }))
}

func TestTheQueueIsServedWhenStaffComesBack(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		w.offline("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		mina.SendText("anyone?")
		w.settle()
		id := w.of(mina).Conversation.ID
		require.Nil(t, w.detail(id).Offer)
		w.online("a1")
		w.offline("a1")
		w.online("a1")
		w.acceptOf(id)
		require.Equal(t, []string{"hello", "Hello!", "anyone?"}, texts(w.detail(id)))
	}, longOffers)
}

func TestAgentsOnBreakAndVanishedOnesGetNothing(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		require.NoError(t, w.eng.SetPresence(w.ctx, w.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Break}))
		w.beat(2*time.Minute, "a1") // a2 closed the browser
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		require.Nil(t, w.of(mina).Offer)
		w.online("a1")
		require.NotNil(t, w.of(mina).Offer)
	}, longOffers)
}

func TestTheRecentAgentIsAskedFirstAndElseAnybodyAtOnce(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation})))
		w.offline("a1")
		w.online("a2")
		mina.SendText("again")
		w.settle()
		d := w.of(mina)
		require.NotEqual(t, owned.Conversation, d.Conversation.ID)
		require.NotNil(t, d.Offer)
		require.Equal(t, routing.AgentID("a2"), d.Offer.Agent)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.RecentAgentWithin = time.Hour, 24*time.Hour }))
}

func TestFreedCapacityGoesToWhoWaitsLongest(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		owned := w.full("a1")
		three, four := w.line.User("Three"), w.line.User("Four")
		three.SendText("three")
		w.settle()
		four.SendText("four")
		w.settle()
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned[0].Conversation})))
		w.settle()
		require.NotNil(t, w.of(three).Offer)
		require.Nil(t, w.of(four).Offer)
	}, longOffers)
}
