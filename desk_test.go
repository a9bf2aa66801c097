package sangdam_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// twoDesks adds a desk "service" with agent a3, and a queue of the same name
// whose only member a3 is. The account stays on desk "support".
func twoDesks(w *replayWorld, queue routing.Queue) {
	w.t.Helper()
	w.newAgent("a3")
	require.NoError(w.t, errOf(w.eng.SaveDesk(w.ctx, w.host,
		sangdam.SaveDesk{Agent: "a3", Desk: routing.Desk{ID: "service", Name: "Service"}})))
	queue.ID, queue.Name, queue.Members = "service", "Service", []routing.AgentID{"a3"}
	w.saveQueue(queue)
}

// newAgent makes an agent like a1 and a2, on no desk.
func (w *world) newAgent(id routing.AgentID) {
	w.t.Helper()
	w.saveAgent(chatAgent(id))
}

func chatAgent(id routing.AgentID) routing.Agent {
	return routing.Agent{ID: id, Name: "Agent " + string(id), Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Capacity: map[routing.Profile]int{routing.ProfileUnits: 2}, Assign: routing.AssignmentSwitches{Chat: true}}
}

// hidingPolicy is a host's that lets agents see no conversation.
var hidingPolicy = withConfig(func(c *sangdam.Config) {
	c.Policy = sangdam.PolicyFunc(func(ctx context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
		if w.Kind == sangdam.KindAgent && r.Kind == "conversation" {
			return sangdam.ErrNotFound
		}
		return sangdam.DefaultPolicy{}.Authorize(ctx, w, a, r)
	})
})

// longOffers keep an offer open for as long as a test takes.
var longOffers = withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour })

func TestOnlyAgentsOfTheDeskAreAsked(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.newAgent("a3")
		w.saveQueue(routing.Queue{ID: "q", Name: "Everyone", Members: []routing.AgentID{"a2", "a3"}})
		w.online("a3")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.of(mina).Conversation.ID
		require.Nil(t, w.detail(id).Offer, "a3 is in the queue, but not on the desk")

		_, err := w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: id, Agent: "a3"})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, string(routing.ExcludeDesk))
		_, err = w.eng.Transfer(w.ctx, w.host, sangdam.Transfer{Conversation: id, Agent: "a3"})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		_, err = w.eng.Pick(w.ctx, sangdam.AgentPrincipal(ws, "a3", sangdam.RoleSupervisor), sangdam.Pick{Conversation: id})
		require.ErrorIs(t, err, sangdam.ErrInvalid)

		require.NoError(t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: "a3"}))
		w.settle()
		d := w.detail(id)
		require.NotNil(t, d.Offer, "now a3 is")
		require.Equal(t, routing.AgentID("a3"), d.Offer.Agent)
	}, longOffers)
}

func TestWhoIsTakenOffTheDeskIsNotAskedAgain(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		offered := w.line.User("Jun")
		offered.SendText("hello")
		w.settle()
		o := w.of(offered).Offer
		require.NotNil(t, o)
		require.NoError(t, w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "support", Agent: "a1"}))
		w.settle()
		require.Nil(t, w.detail(owned.Conversation).Offer)
		require.Nil(t, w.of(offered).Offer, "what was offered is withdrawn")
		_, err := w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: o.ID})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = w.eng.Conversation(w.ctx, w.agent("a1"), owned.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound)

		w.online("a2")
		require.Equal(t, routing.AgentID("a2"), w.detail(owned.Conversation).Offer.Agent)
	}, longOffers)
}

func TestWhoIsTakenOffTheQueueCannotAcceptItsOffer(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		o := w.of(mina).Offer
		require.NotNil(t, o)
		w.saveQueue(routing.Queue{ID: "q", Name: "Everyone", Members: []routing.AgentID{"a2"}})
		_, err := w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: o.ID})
		require.ErrorIs(t, err, sangdam.ErrStale)
		w.online("a2")
		require.NotNil(t, w.of(mina).Offer, "the next is asked at once")
		require.Equal(t, routing.AgentID("a2"), w.of(mina).Offer.Agent)
	}, longOffers)
}

func TestWhoeverOwnsAConversationCanServeIt(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.newAgent("a3") // on no desk, in no queue
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.of(mina).Conversation.ID
		a3 := w.agent("a3")
		_, err := w.eng.Conversation(w.ctx, a3, id)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: id, Agent: "a3", Force: true})
		require.NoError(t, err)
		_, err = w.eng.Conversation(w.ctx, a3, id)
		require.NoError(t, err)
		w.answer("a3", id, "I have it")
		_, err = w.eng.AddNote(w.ctx, a3, sangdam.AddNote{Conversation: id, Text: "not of my desk"})
		require.NoError(t, err)
		_, err = w.eng.Wait(w.ctx, a3, sangdam.Wait{Conversation: id})
		require.NoError(t, err)
		_, err = w.eng.End(w.ctx, a3, sangdam.End{Conversation: id})
		require.NoError(t, err)
		_, err = w.eng.Conversation(w.ctx, a3, id)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "what has ended has no owner")
	}, withStream(func(s *routing.WorkStream) { s.HoldWhileWaiting = true }))
}

func TestAPolicyThatHidesEverythingDoesNotStrandTheOwnersCustomer(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("yes?")})
		require.NoError(t, err)
		_, err = w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: c.Conversation, Agent: "a2"})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "what is not the owner's right is the policy's")
	}, hidingPolicy)
}

func TestAQueueOfAnotherDeskTakesTheConversationThere(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		twoDesks(w, routing.Queue{Desk: "service"})
		w.online("a1", "a3")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		_, err := w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Queue: "service"})
		require.NoError(t, err)
		w.settle()
		d := w.detail(owned.Conversation)
		require.Equal(t, routing.DeskID("service"), d.Conversation.Desk)
		require.Equal(t, routing.DeskID("service"), d.Item.Desk)
		require.NotNil(t, d.Offer)
		_, err = w.eng.Conversation(w.ctx, w.agent("a3"), owned.Conversation)
		require.NoError(t, err, "whoever is asked sees what it is about")
		_, err = w.eng.Conversation(w.ctx, w.agent("a1"), owned.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "it has left the desk")
		w.acceptOf(owned.Conversation)
		w.answer("a3", owned.Conversation, "service here")
		require.Contains(t, mina.Texts(), "service here")
		require.Contains(t, moves(w, owned.Conversation), "desk:support→desk:service")
	}, longOffers)
}

func TestTransferToADesk(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		twoDesks(w, routing.Queue{Desk: "service"})
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host,
			sangdam.SaveDesk{Agent: "a3", Desk: routing.Desk{ID: "empty", Name: "Empty"}})))
		w.online("a1", "a3")
		owned := w.begun(w.line.User("Mina"), "hello")
		a1 := w.agent("a1")
		for name, c := range map[string]sangdam.Transfer{
			"nothing":                      {},
			"an agent and a desk":          {Agent: "a2", Desk: "service"},
			"a desk that does not exist":   {Desk: "nowhere"},
			"a desk that no queue serves":  {Desk: "empty"},
			"a queue of another desk":      {Queue: "service", Desk: "support"},
			"a queue without such members": {Queue: "q", Desk: "service"},
		} {
			c.Conversation = owned.Conversation
			_, err := w.eng.Transfer(w.ctx, a1, c)
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
		}
		_, err := w.eng.Transfer(w.ctx, a1, sangdam.Transfer{Conversation: owned.Conversation, Desk: "service"})
		require.NoError(t, err)
		w.settle()
		d := w.detail(owned.Conversation)
		require.Equal(t, routing.DeskID("service"), d.Conversation.Desk)
		require.Equal(t, routing.QueueID("service"), d.Item.Queue, "the queue that names the desk")
		require.Equal(t, routing.AgentID("a3"), d.Offer.Agent)
	}, longOffers)
}

func TestATransferWhereNobodyCouldTakeItIsRefused(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		twoDesks(w, routing.Queue{}) // the queue names no desk: the conversation would stay on "support"
		w.online("a1", "a3")
		owned := w.begun(w.line.User("Mina"), "hello")
		_, err := w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Queue: "service"})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.Equal(t, routing.AgentID("a1"), w.detail(owned.Conversation).Conversation.Agent, "nothing has changed")
		_, err = w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Queue: "service", Desk: "service"})
		require.NoError(t, err, "with its desk it goes there")
		w.settle()
		require.Equal(t, routing.AgentID("a3"), w.detail(owned.Conversation).Offer.Agent)
	}, longOffers)
}

func TestOverflowGoesOverToTheDeskOfTheNextQueue(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		twoDesks(w, routing.Queue{Desk: "service"})
		overflow(w)
		w.online("a3")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.beat(2*time.Minute, "a3")
		d := w.of(mina)
		require.Equal(t, routing.DeskID("service"), d.Conversation.Desk)
		require.NotNil(t, d.Offer)
		require.Equal(t, routing.AgentID("a3"), d.Offer.Agent)
	}, longOffers)
}

func TestOverflowDoesNotLeadWhereNobodyCouldTakeIt(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		twoDesks(w, routing.Queue{})
		overflow(w)
		w.online("a3")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.beat(2*time.Minute, "a3")
		d := w.of(mina)
		require.Equal(t, routing.QueueID("q"), d.Item.Queue)
		require.Nil(t, d.Offer)
		w.online("a1")
		require.Equal(t, routing.AgentID("a1"), w.of(mina).Offer.Agent, "it stayed where somebody may take it")
	}, longOffers)
}

// overflow lets queue q lead to queue service after a minute.
func overflow(w *replayWorld) {
	w.t.Helper()
	w.saveQueue(routing.Queue{ID: "q", Name: "Everyone", Members: []routing.AgentID{"a1", "a2"},
		Overflow: []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Do: routing.OverflowQueue, Queue: "service"}}})
}

func TestAConversationComesBackFromTheDeskItWasSentTo(t *testing.T) {
	replay(t, []string{onSQLite}, func(t *testing.T, w *replayWorld) {
		twoDesks(w, routing.Queue{Desk: "service"})
		w.online("a1", "a3")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		_, err := w.eng.Transfer(w.ctx, w.agent("a1"), sangdam.Transfer{Conversation: owned.Conversation, Desk: "service"})
		require.NoError(t, err)
		w.settle()
		w.acceptOf(owned.Conversation)
		_, err = w.eng.Wait(w.ctx, w.agent("a3"), sangdam.Wait{Conversation: owned.Conversation})
		require.NoError(t, err)
		mina.SendText("one more thing") // classified anew: queue q, where nobody is on desk service
		w.settle()
		d := w.detail(owned.Conversation)
		require.Equal(t, routing.DeskID("support"), d.Conversation.Desk)
		require.Equal(t, routing.AgentID("a1"), d.Offer.Agent)
	}, longOffers)
}

// A right that another process took away is gone here at the next command,
// though the settings are cached.
func TestRightsTakenAwayByAnotherProcessAreGoneAtOnce(t *testing.T) {
	inNodes(t, 2, func(n *nodes) {
		n.line.User("Mina").SendText("hello")
		n.pass(2 * time.Second)
		list, err := n.engines[0].Conversations(n.ctx, n.host, conversation.Filter{}, "", 10)
		require.NoError(t, err)
		id := list.Conversations[0].ID
		_, err = n.engines[0].AddNote(n.ctx, n.agent("a1"), sangdam.AddNote{Conversation: id, Text: "mine"})
		require.NoError(t, err)
		require.NoError(t, n.engines[1].RemoveFromDesk(n.ctx, n.host, sangdam.RemoveFromDesk{Desk: "support", Agent: "a1"}))
		_, err = n.engines[0].AddNote(n.ctx, n.agent("a1"), sangdam.AddNote{Conversation: id, Text: "still mine?"})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}

// moves lists the changes of desk of a conversation.
func moves(w *replayWorld, id conversation.ID) []string {
	w.t.Helper()
	evs, err := w.eng.ConversationEvents(w.ctx, w.host, id, 0, 200)
	require.NoError(w.t, err)
	var out []string
	for _, ev := range evs {
		if ev.Kind == conversation.EvDesk {
			out = append(out, ev.From+"→"+ev.To)
		}
	}
	return out
}
