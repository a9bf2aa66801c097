package sangdam_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// of returns the newest conversation of a LINE user's chat that was not merged
// away.
func (w *world) of(u *linetest.User) sangdam.Detail {
	w.t.Helper()
	var found *conversation.Conversation
	for _, c := range w.conversations() {
		if c.Chat.ID == u.ID() && c.MergedInto == "" && (found == nil || c.OpenedAt.After(found.OpenedAt)) {
			found = &c
		}
	}
	require.NotNil(w.t, found, "%s has no conversation", u.Name())
	return w.detail(found.ID)
}

// link says that the user's identity belongs to the contact.
func (w *world) link(u *linetest.User, to conversation.ContactID) {
	w.t.Helper()
	_, err := w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Key: sangdam.Key("link " + u.Name()),
		Identity: w.of(u).Conversation.Identity, Contact: to})
	require.NoError(w.t, err)
	w.settle()
}

// known makes the user's contact one that a person confirmed.
func (w *world) known(u *linetest.User) conversation.ContactID {
	w.t.Helper()
	c := *w.of(u).Contact
	_, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c, Version: c.Version})
	require.NoError(w.t, err)
	return c.ID
}

func TestTwoOpenConversationsOfOnePersonBecomeTheOlder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("from my phone")
		w.settle()
		older := w.accept().Conversation
		w.pass(time.Minute / 2)
		work.SendText("from my office")
		work.SendText("hello?")
		w.settle()
		newer := w.of(work).Conversation.ID
		require.NotEqual(t, older, newer)

		w.link(work, w.known(mina))

		d := w.detail(older)
		require.Equal(t, []string{"from my phone", "Hello!", "from my office", "Hello!", "hello?"}, texts(d), "all messages, each once")
		require.Equal(t, conversation.StateActive, d.Conversation.State)
		require.Equal(t, 3, d.Conversation.Unread)
		require.Equal(t, "hello?", d.Conversation.Preview)
		gone := w.detail(newer)
		require.Equal(t, conversation.StateClosed, gone.Conversation.State)
		require.Equal(t, older, gone.Conversation.MergedInto)
		require.Empty(t, gone.Messages)
		require.Nil(t, gone.Offer, "nobody is asked for it any more")
		require.Len(t, d.Identities, 2)

		work.SendText("I am here now")
		w.settle()
		require.Equal(t, "I am here now", w.detail(older).Conversation.Preview, "later messages find the conversation")
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: older, Content: channel.Text("got you")})
		require.NoError(t, err)
		w.settle()
		require.Contains(t, work.Texts(), "got you", "answers go to who wrote last")
		require.NotContains(t, mina.Texts(), "got you")
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

func TestAnswersAfterAMergeGoToWhoWroteLast(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("from my phone")
		w.settle()
		work.SetMute(true) // comes without a right to reply
		work.SendText("from my office")
		w.settle()
		older := w.of(mina).Conversation.ID
		require.NotNil(t, w.detail(older).Conversation.Reply)
		w.link(work, w.known(mina))
		w.online("a1")
		w.settle()
		o := w.detail(older).Offer
		require.NotNil(t, o)
		_, err := w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: o.ID})
		require.NoError(t, err)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: older, Content: channel.Text("got you")})
		require.NoError(t, err)
		w.settle()
		require.Equal(t, []string{"got you"}, work.Texts())
		require.Empty(t, mina.Texts(), "a right to reply belongs to its chat")
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.Messages = nil }))
}

// Once merged, a message without a right to reply must not be answered by the
// right that another chat gave.
func TestARightToReplyIsNotUsedForAnotherChat(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("one")
		w.settle()
		work.SendText("two")
		w.settle()
		older := w.of(mina).Conversation.ID
		w.link(work, w.known(mina))
		w.settle()
		owned, err := w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: older, Agent: "a1", Force: true})
		require.NoError(t, err)
		mina.SendText("three")
		w.settle()
		work.SetMute(true)
		work.SendText("four")
		w.settle()
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("five")})
		require.NoError(t, err)
		w.settle()
		require.Equal(t, []string{"five"}, work.Texts())
		require.Empty(t, mina.Texts())
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.Messages = nil }))
}

// The older one waits for the customer, the newer one brings a question: it
// must not wait for an answer for ever.
func TestMergingIntoAWaitingConversationAsksAnAgent(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("your turn"),
			ThenWait: true})
		require.NoError(t, err)
		w.settle()
		work := w.line.User("Mina at work")
		work.SendText("here I am")
		w.settle()
		w.link(work, w.known(w.line.User("Mina")))
		w.settle()
		d := w.detail(c.Conversation)
		require.Equal(t, conversation.StateOpen, d.Conversation.State)
		require.NotNil(t, d.Offer, "an agent is asked")
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}

// What was on its way when the conversations became one reports to the one
// that goes on.
func TestOutcomesOfMergedMessagesGoToTheConversationThatGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("one")
		w.settle()
		w.line.AddFault(linetest.Fault{Endpoint: "reply", Kind: linetest.FaultHangAfter, Nth: 1})
		work.SendText("two")
		w.settle()
		older, newer := w.of(mina).Conversation.ID, w.of(work).Conversation.ID
		w.link(work, w.known(mina))
		before := w.detail(newer).Conversation.EventSeq
		require.Contains(t, statuses(w.detail(older)), conversation.StatusQueued, "the greeting is on its way")
		w.pass(time.Minute)
		require.NotContains(t, statuses(w.detail(older)), conversation.StatusQueued, "its outcome is told where it went")
		require.Equal(t, before, w.detail(newer).Conversation.EventSeq, "nothing is written into the one that ended")
		w.invariants()
	})
}

func statuses(d sangdam.Detail) []conversation.Status {
	var out []conversation.Status
	for _, m := range d.Messages {
		out = append(out, m.Status)
	}
	return out
}

// manyEnded gives the user n conversations that ended.
func manyEnded(w *world, u *linetest.User, n int) {
	for i := range n {
		u.SendText(fmt.Sprintf("question %d", i))
		w.settle()
		_, err := w.eng.End(w.ctx, w.host, sangdam.End{Conversation: w.of(u).Conversation.ID, Final: true})
		require.NoError(w.t, err)
		w.pass(time.Minute)
	}
}

func TestHistoryFollowsALinkedIdentity(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("hi")
		w.settle()
		manyEnded(w, work, 45) // more than one chunk
		contact := w.known(mina)
		w.link(work, contact)
		w.pass(5 * time.Second)
		sum, err := w.eng.CustomerSummary(w.ctx, w.host, contact)
		require.NoError(t, err)
		require.Len(t, sum.Conversations, 46)
		require.Len(t, sum.Identities, 2)
		old := w.of(work).Conversation
		require.Equal(t, contact, old.Contact)
		w.invariants()
	})
}

// A process that dies in the middle, and a caller that repeats the command,
// must not leave half of the history behind.
func TestHistoryFollowsThroughACrash(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("hi")
		w.settle()
		manyEnded(w, work, 45)
		contact := w.known(mina)
		identity := w.of(work).Conversation.Identity
		w.halt() // no process works while the command is given, as after a crash
		ctx := w.ctx
		_, err := w.eng.LinkIdentity(ctx, w.host, sangdam.LinkIdentity{Key: "k", Identity: identity, Contact: contact})
		require.NoError(t, err)
		w.start()
		w.pass(5 * time.Second)
		again, err := w.eng.LinkIdentity(ctx, w.host, sangdam.LinkIdentity{Key: "k", Identity: identity, Contact: contact})
		require.NoError(t, err)
		require.Equal(t, contact, again.Contact)
		sum, err := w.eng.CustomerSummary(w.ctx, w.host, contact)
		require.NoError(t, err)
		require.Len(t, sum.Conversations, 46)
	})
}

// A conversation that ended may open again after its person became known: it
// does so under the contact's thread.
func TestALinkedPersonsClosedConversationOpensAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("hi")
		w.settle()
		contact := w.known(mina)
		manyEnded(w, mina, 0)
		_, err := w.eng.End(w.ctx, w.host, sangdam.End{Conversation: w.of(mina).Conversation.ID, Final: true})
		require.NoError(t, err)
		w.jump(2 * time.Hour)
		manyEnded(w, work, 1)
		last := w.of(work).Conversation.ID
		w.link(work, contact)
		w.pass(time.Second)
		mina.SendText("again")
		w.settle()
		require.Equal(t, last, w.of(mina).Conversation.ID, "the last one of the person goes on")
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.ReopenFor = time.Hour }))
}

func TestSavingAContactWithAnOldVersionIsStale(t *testing.T) {
	inWorld(t, func(w *world) {
		w.line.User("Mina").SendText("hi")
		w.settle()
		c := *w.only().Contact
		require.False(t, c.Known)
		c.Name, c.Phone = "Kim Mina", "010-1234-5678"
		saved, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c, Version: c.Version})
		require.NoError(t, err)
		require.Greater(t, saved.Version, c.Version)
		c.Memo = "another console's"
		_, err = w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c, Version: c.Version})
		require.ErrorIs(t, err, sangdam.ErrStale)
		_, err = w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{ID: "none"}, Version: 1})
		require.ErrorIs(t, err, sangdam.ErrNotFound)

		got, identities, err := w.eng.Contact(w.ctx, w.host, c.ID)
		require.NoError(t, err)
		require.True(t, got.Known)
		require.Empty(t, got.Memo)
		require.Len(t, identities, 1)
		w.jump(25 * time.Hour)
		w.line.User("Mina").SendText("hi again") // fetches the profile anew
		w.settle()
		got, _, err = w.eng.Contact(w.ctx, w.host, c.ID)
		require.NoError(t, err)
		require.Equal(t, "Kim Mina", got.Name, "a profile no longer renames a known contact")
	})
}

func TestContactsAreFound(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, c := range []conversation.Contact{{Name: "김미나", Email: "Mina@Example.com"}, {Name: "Kim Minsu", Phone: "010-1234-5678"}} {
			_, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c})
			require.NoError(t, err)
		}
		for text, want := range map[string]string{"김미": "김미나", "mina@": "김미나", "kim m": "Kim Minsu", "010-12": "Kim Minsu"} {
			found, err := w.eng.FindContacts(w.ctx, w.host, text, 10)
			require.NoError(t, err)
			require.Len(t, found, 1, text)
			require.Equal(t, want, found[0].Name)
		}
		found, err := w.eng.FindContacts(w.ctx, w.host, "nobody", 10)
		require.NoError(t, err)
		require.Empty(t, found)
	})
}

func TestAMergedContactLeadsToTheOneThatIsLeft(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("hi")
		work.SendText("hi")
		w.settle()
		gone, identity := w.of(work).Contact.ID, w.of(work).Conversation.Identity
		contact := w.known(mina)
		w.link(work, contact)
		c, identities, err := w.eng.Contact(w.ctx, w.host, gone)
		require.NoError(t, err)
		require.Equal(t, contact, c.ID)
		require.Len(t, identities, 2)
		again, err := w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Identity: identity, Contact: gone})
		require.NoError(t, err, "linking what is linked changes nothing")
		require.Equal(t, contact, again.Contact)
		_, err = w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Identity: "none", Contact: contact})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		feed := slices.IndexFunc(w.conversations(), func(c conversation.Conversation) bool { return c.Contact == gone })
		require.Equal(t, -1, feed, "nothing is left with the old contact")
	})
}
