package sangdam_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// visitor is a customer who is connected to this process.
type person struct {
	w   *world
	ref visitor.Ref
	n   int
	// conversation is the one whose numbers since counts.
	conversation channel.ConversationID
}

func (w *world) visitor(name string) *person {
	return &person{w: w, ref: visitor.Ref{Workspace: ws, Account: w.acct.ID, User: channel.ProviderUserID(w.line.User(name).ID())}}
}

func (v *person) port() visitor.Port { return v.w.eng.Visitor() }

func (v *person) says(text string) visitor.Message {
	v.w.t.Helper()
	v.n++
	m, err := v.port().Post(v.w.ctx, v.ref, fmt.Sprintf("k%d", v.n), channel.Text(text))
	require.NoError(v.w.t, err)
	return m
}

// since reads the stream from a number on and requires that it has no hole.
func (v *person) since(seq int64) []visitor.Message {
	v.w.t.Helper()
	ms, err := v.port().Since(v.w.ctx, v.ref, v.conversation, seq, 100)
	require.NoError(v.w.t, err)
	if len(ms) > 0 {
		v.conversation = ms[0].Conversation
	}
	for i, m := range ms {
		require.Equal(v.w.t, seq+int64(i)+1, m.Seq, "gap-free")
	}
	return ms
}

func shown(ms []visitor.Message) (out []string) {
	for _, m := range ms {
		out = append(out, m.Content.Text)
	}
	return out
}

func TestAVisitorsMessageIsStoredOnceByItsKey(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		first := v.says("hello")
		require.True(t, first.Mine)
		require.Equal(t, int64(1), first.Seq)
		for range 3 {
			again, err := v.port().Post(w.ctx, v.ref, "k1", channel.Text("hello"))
			require.NoError(t, err)
			require.Equal(t, first.ID, again.ID)
			require.Equal(t, first.Seq, again.Seq)
		}
		_, err := v.port().Post(w.ctx, v.ref, "k1", channel.Text("something else"))
		require.ErrorIs(t, err, sangdam.ErrConflict, "the same key with another content")
		w.restart()
		again, err := v.port().Post(w.ctx, v.ref, "k1", channel.Text("hello"))
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
		w.jump(72 * time.Hour) // the stored result is purged
		w.pass(2 * time.Minute)
		again, err = v.port().Post(w.ctx, v.ref, "k1", channel.Text("hello"))
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID, "found by its provider id")
		require.Equal(t, []string{"hello", "Hello!"}, texts(w.only()))
		// Keys are each visitor's own.
		other := w.visitor("Jun")
		m, err := other.port().Post(w.ctx, other.ref, "k1", channel.Text("hello"))
		require.NoError(t, err)
		require.NotEqual(t, first.ID, m.ID)
	})
}

func TestBadPostsOfVisitorsAreRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		for name, c := range map[string]struct {
			ref  visitor.Ref
			key  string
			what channel.Content
			err  error
		}{
			"no key":          {v.ref, "", channel.Text("x"), sangdam.ErrInvalid},
			"long key":        {v.ref, string(make([]byte, 201)), channel.Text("x"), sangdam.ErrInvalid},
			"no kind":         {v.ref, "k", channel.Content{Text: "x"}, sangdam.ErrInvalid},
			"too long":        {v.ref, "k", channel.Text(string(make([]byte, 1<<20+1))), sangdam.ErrInvalid},
			"no user":         {visitor.Ref{Workspace: ws, Account: w.acct.ID}, "k", channel.Text("x"), sangdam.ErrNotFound},
			"no account":      {visitor.Ref{Workspace: ws, User: "u"}, "k", channel.Text("x"), sangdam.ErrNotFound},
			"another account": {visitor.Ref{Workspace: ws, Account: "x", User: "u"}, "k", channel.Text("x"), sangdam.ErrNotFound},
			"another workspace": {visitor.Ref{Workspace: "other", Account: w.acct.ID, User: "u"}, "k", channel.Text("x"),
				sangdam.ErrNotFound},
		} {
			_, err := w.eng.Visitor().Post(w.ctx, c.ref, c.key, c.what)
			require.ErrorIs(t, err, c.err, name)
		}
		acct := w.acct
		acct.Disabled = true
		_, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		_, err = v.port().Post(w.ctx, v.ref, "k", channel.Text("x"))
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		w.nothingStored()
	})
}

// Notes and what agents do among themselves leave no hole in the stream.
func TestAVisitorsStreamIsGapFree(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		v := w.visitor("Mina")
		require.Empty(t, v.since(0), "nothing yet")
		v.says("one")
		w.settle()
		c := w.accept()
		_, err := w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: c.Conversation, Text: "a note"})
		require.NoError(t, err)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("two")})
		require.NoError(t, err)
		_, err = w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: c.Conversation, Text: "another note"})
		require.NoError(t, err)
		w.settle()
		v.says("three")
		all := v.since(0)
		require.Equal(t, []string{"one", "Hello!", "two", "three"}, shown(all))
		require.Equal(t, "Agent a1", all[2].Author, "the name that customers see")
		require.False(t, all[2].Mine)
		for i := range all {
			require.Equal(t, shown(all[i+1:]), shown(v.since(all[i].Seq)), "resumes anywhere")
		}
		page, err := v.port().Since(w.ctx, v.ref, v.conversation, 1, 2)
		require.NoError(t, err)
		require.Equal(t, []string{"Hello!", "two"}, shown(page))
	})
}

// An edit or unsend is a new entry that shows the present state.
func TestAVisitorSeesWhatWasTakenBack(t *testing.T) {
	inWorld(t, func(w *world) {
		mina := w.line.User("Mina")
		v := w.visitor("Mina")
		said := mina.SendText("oops")
		w.settle()
		before := v.since(0)
		require.Equal(t, []string{"oops", "Hello!"}, shown(before))
		_, err := mina.Unsend(said.MessageID)
		require.NoError(t, err)
		w.settle()
		news := v.since(2)
		require.Len(t, news, 1)
		require.Equal(t, before[0].ID, news[0].ID)
		require.True(t, news[0].Unsent)
		require.Empty(t, news[0].Content.Text)
		require.NotContains(t, shown(v.since(0)), "oops", "nowhere any more")
	})
}

// What an agent still may take back has not left: not to a visitor either, who
// reads from the store.
func TestAVisitorSeesNothingThatIsHeld(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		v := w.visitor("Mina")
		v.says("hello")
		w.settle()
		c := w.accept()
		answer := func(text string) sangdam.Posted {
			p, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text(text),
				Hold: 5 * time.Second})
			require.NoError(t, err)
			return p
		}
		answer("kept back")
		w.settle()
		require.Equal(t, []string{"hello", "Hello!"}, shown(v.since(0)))
		w.pass(6 * time.Second)
		require.Equal(t, []string{"hello", "Hello!", "kept back"}, shown(v.since(0)))
		oops := answer("oops")
		require.NoError(t, errOf(w.eng.Unsend(w.ctx, w.agent("a1"), sangdam.Unsend{Message: oops.Message})))
		answer("better")
		w.pass(6 * time.Second)
		ms, err := v.port().Since(w.ctx, v.ref, "", 0, 100)
		require.NoError(t, err)
		require.Equal(t, []string{"hello", "Hello!", "kept back", "better"}, shown(ms), "what never left is nowhere")
		w.invariants()
	})
}

func TestVisitorsSeeNothingOfEachOther(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, jun := w.visitor("Mina"), w.visitor("Jun")
		mina.says("my secret")
		require.Empty(t, jun.since(0))
		jun.says("hi")
		require.Equal(t, []string{"hi", "Hello!"}, shown(jun.since(0)))
		other := w.secondAccount()
		elsewhere := person{w: w, ref: visitor.Ref{Workspace: ws, Account: other.ID, User: mina.ref.User}}
		require.Empty(t, elsewhere.since(0), "the same id at another account is another person")
		require.Error(t, jun.port().Rate(w.ctx, visitor.Ref{Workspace: ws, Account: other.ID, User: jun.ref.User}, "r", 5, ""))
		require.NoError(t, jun.port().End(w.ctx, jun.ref, "e"))
		for _, c := range w.conversations() {
			want := conversation.StateOpen
			if c.Chat.ID == string(jun.ref.User) {
				want = conversation.StateClosed
			}
			require.Equal(t, want, c.State)
		}
	})
}

func TestSubscribersAreWokenUntilTheyLeave(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		other := w.visitor("Jun")
		mine, theirs := v.subscribe(), other.subscribe()
		require.Equal(t, visitor.Hint{}, mine.hint())
		v.says("hello") // its contact is made by this
		require.True(t, mine.hint().Messages)
		v.says("again")
		require.Equal(t, visitor.Hint{Messages: true}, mine.hint())
		other.says("hi")
		theirs.hint()
		mine.hint()
		v.says("for me alone")
		require.True(t, mine.hint().Messages)
		require.Equal(t, visitor.Hint{}, theirs.hint(), "another's words wake nobody")
		account := (&person{w: w, ref: visitor.Ref{Workspace: ws, Account: w.acct.ID}}).subscribe()
		w.online("a1")
		require.Equal(t, visitor.Hint{Availability: true}, account.hint())
		mine.hint()
		theirs.hint()
		require.NoError(t, w.eng.ShowTyping(w.ctx, w.host, w.of(w.line.User("Mina")).Conversation.ID, time.Second))
		require.Equal(t, visitor.Hint{Typing: true}, mine.hint())
		require.Equal(t, visitor.Hint{}, theirs.hint())
		// Linked to somebody else's contact it hears what is said there.
		w.link(w.line.User("Mina"), w.of(w.line.User("Jun")).Conversation.Contact)
		require.True(t, mine.hint().Messages)
		theirs.hint()
		other.says("to us both")
		require.True(t, mine.hint().Messages)
		w.halt()
		require.True(t, mine.hint().Ended)
		_, err := v.port().Subscribe(w.ctx, v.ref)
		require.ErrorIs(t, err, sangdam.ErrUnavailable)
		for _, n := range []news{mine, theirs, account} {
			n.Close()
		}
		w.start()
	})
}

// news is a subscription in a test.
type news struct {
	visitor.News
	w *world
}

func (v *person) subscribe() news {
	v.w.t.Helper()
	n, err := v.port().Subscribe(v.w.ctx, v.ref)
	require.NoError(v.w.t, err)
	return news{n, v.w}
}

// hint is what there is news of, once all is quiet.
func (n news) hint() visitor.Hint {
	n.w.t.Helper()
	n.w.settle()
	select {
	case <-n.Ready():
	default:
	}
	h, err := n.Take(n.w.ctx)
	require.NoError(n.w.t, err)
	return h
}

func TestAvailabilityTellsHoursAndAgents(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		see := func() visitor.Availability {
			a, err := v.port().Availability(w.ctx, v.ref)
			require.NoError(t, err)
			return a
		}
		require.Equal(t, visitor.Availability{}, see(), "Saturday, nobody there")
		w.jump(60 * time.Hour) // Monday noon
		require.Equal(t, visitor.Availability{Open: true}, see())
		w.online("a1")
		require.Equal(t, visitor.Availability{Open: true, Agents: true}, see())
		_, err := v.port().Availability(w.ctx, visitor.Ref{Workspace: ws, Account: "none", User: "u"})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	}, withDesk(func(d *routing.Desk) { d.Hours = &weekdays }))
}

// What a page asks about the desk costs the same however many wait there: a crowd of
// visitors must not be able to have the whole queue read again and again.
func TestAvailabilityReadsAsMuchHoweverManyWait(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		asked := func() int64 {
			before := w.db.Backend().Stats().RowsRead
			_, err := v.port().Availability(w.ctx, v.ref)
			require.NoError(t, err)
			return w.db.Backend().Stats().RowsRead - before
		}
		asked() // settings are read once
		before := asked()
		for i := range 20 {
			w.visitor(fmt.Sprint("Visitor ", i)).says("hello")
		}
		w.settle()
		require.Equal(t, before, asked())
	})
}

// Nor does it cost more with every agent that the workspace has: somebody who is there is
// found at once, and where nobody is, the desk's own members are read and no others.
func TestAvailabilityReadsAsMuchHoweverManyAgentsThereAre(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		v := w.visitor("Mina")
		asked := func(there bool) int64 {
			least := int64(math.MaxInt64)
			for range 5 { // the engine may read something of its own meanwhile
				before := w.db.Backend().Stats().RowsRead
				a, err := v.port().Availability(w.ctx, v.ref)
				least = min(least, w.db.Backend().Stats().RowsRead-before)
				require.NoError(t, err)
				require.Equal(t, there, a.Agents)
			}
			return least
		}
		hire := func(prefix string, on bool) {
			for i := range 30 {
				a := routing.AgentID(fmt.Sprint(prefix, i))
				w.newAgent(a)
				if on {
					require.NoError(t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: a}))
				}
			}
			w.online(routing.AgentID(prefix+"0"), routing.AgentID(prefix+"1"))
		}
		w.online("a2")
		somebody := asked(true)
		hire("b", false)
		require.Equal(t, somebody, asked(true))
		hire("a1-", true) // before a2 in the list of the desk
		require.Equal(t, somebody, asked(true), "who was there last time is asked for first")
		for _, a := range []routing.AgentID{"a2", "a1-0", "a1-1"} {
			require.NoError(t, w.eng.SetPresence(w.ctx, w.host, sangdam.SetPresence{Agent: a, Presence: routing.Offline}))
		}
		w.settle()
		nobody := asked(false)
		hire("c", false)
		require.Equal(t, nobody, asked(false))
	})
}

func TestAConsentIsAuditedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		for range 3 {
			require.NoError(t, v.port().Consent(w.ctx, v.ref, "c", "privacy", "2026-01"))
		}
		require.ErrorIs(t, v.port().Consent(w.ctx, v.ref, "c", "privacy", "2026-02"), sangdam.ErrConflict)
		require.ErrorIs(t, v.port().Consent(w.ctx, v.ref, "d", "", "2026-02"), sangdam.ErrInvalid)
		require.ErrorIs(t, v.port().Consent(w.ctx, v.ref, "d", "privacy", ""), sangdam.ErrInvalid)
		v.says("hello")
		rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
		require.NoError(t, err)
		n := 0
		for _, r := range rows {
			if r.Action == "visitor.consent" && r.Outcome == "ok" {
				n++
				require.Equal(t, "contact:"+string(w.only().Contact.ID), r.Resource, "who")
				require.Equal(t, "privacy", r.Details["purpose"])
				require.Equal(t, "2026-01", r.Details["text_version"], "to which text")
				require.False(t, r.At.IsZero(), "when")
			}
		}
		require.Equal(t, 1, n)
	})
}

// The customer ends: the agent keeps it for wrap-up; it is rated once.
func TestAVisitorEndsAndRatesOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		v := w.visitor("Mina")
		require.ErrorIs(t, v.port().Rate(w.ctx, v.ref, "r0", 5, ""), sangdam.ErrNotFound, "nothing to rate")
		require.NoError(t, v.port().End(w.ctx, v.ref, "e0"), "nothing to end")
		v.says("hello")
		w.settle()
		c := w.accept()
		require.ErrorIs(t, v.port().Rate(w.ctx, v.ref, "r1", 5, ""), sangdam.ErrInvalid, "it has not ended")
		require.NoError(t, v.port().End(w.ctx, v.ref, "e1"))
		require.NoError(t, v.port().End(w.ctx, v.ref, "e1"))
		d := w.detail(c.Conversation)
		require.Equal(t, conversation.StateWrapUp, d.Conversation.State)
		require.Equal(t, routing.AgentID("a1"), d.Conversation.Agent)
		require.NotNil(t, d.Assignment, "wrap-up uses capacity")
		for _, score := range []int{0, 6, -1} {
			require.ErrorIs(t, v.port().Rate(w.ctx, v.ref, "r2", score, ""), sangdam.ErrInvalid)
		}
		require.NoError(t, v.port().Rate(w.ctx, v.ref, "r3", 4, "good"))
		require.NoError(t, v.port().Rate(w.ctx, v.ref, "r3", 4, "good"), "the same again")
		require.ErrorIs(t, v.port().Rate(w.ctx, v.ref, "r4", 1, "bad"), sangdam.ErrAlreadyExists, "once")
		require.Equal(t, 4, w.detail(c.Conversation).Conversation.Rating.Score)
		_, err := w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c.Conversation})
		require.NoError(t, err)
		require.Equal(t, conversation.StateClosed, w.detail(c.Conversation).Conversation.State)
		require.ErrorIs(t, v.port().Rate(w.ctx, v.ref, "r5", 1, "bad"), sangdam.ErrAlreadyExists, "closing is no second ending")
		w.settle()
		w.invariants()
	})
}

// A message in wrap-up opens a new conversation that prefers the same agent.
func TestAMessageInWrapUpOpensANewConversation(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1", "a2")
		v := w.visitor("Mina")
		v.says("hello")
		w.settle()
		c := w.accept()
		require.NoError(t, v.port().End(w.ctx, v.ref, "e"))
		m := v.says("one more thing")
		require.Equal(t, int64(1), m.Seq, "a stream of its own")
		w.settle()
		require.Len(t, w.conversations(), 2)
		next := w.of(w.line.User("Mina"))
		require.Equal(t, c.Conversation, next.Conversation.Previous)
		require.NotNil(t, next.Offer)
		require.Equal(t, c.Agent, next.Offer.Agent)
		w.invariants()
	}, withStream(func(s *routing.WorkStream) { s.KeepAgentFor = time.Minute }))
}

// Numbers are of a conversation: whoever resumes with those of one that is not
// among the visitor's gets the present one from its beginning.
func TestANewConversationIsReadFromItsBeginning(t *testing.T) {
	inWorld(t, func(w *world) {
		v, other := w.visitor("v1"), w.visitor("v2")
		foreign := other.says("another's")
		v.says("one")
		w.settle()
		for _, from := range []channel.ConversationID{"", "no such conversation", foreign.Conversation} {
			ms, err := v.port().Since(w.ctx, v.ref, from, 1, 100)
			require.NoError(t, err)
			require.Equal(t, []string{"one", "Hello!"}, shown(ms), "from %q", from)
		}
	})
}
