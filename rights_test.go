package sangdam_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

var everyStore = []string{onMemory, onSQLite, onPG}

// otherDesk adds a desk with an agent and an account of its own, to which the
// customers write from then on.
func (w *replayWorld) otherDesk(desk routing.DeskID, agent routing.AgentID) {
	w.t.Helper()
	require.NoError(w.t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: chatAgent(agent)})))
	require.NoError(w.t, errOf(w.eng.SaveDesk(w.ctx, w.host,
		sangdam.SaveDesk{Agent: agent, Desk: routing.Desk{ID: desk, Name: "Desk " + string(desk)}})))
	acct, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: channel.Account{Kind: "line",
		Name: "Account of " + string(desk), Desk: desk, WorkStream: "line",
		Settings: w.acct.Settings, Secrets: map[string]channel.Secret{"channel_secret": channel.NewSecret(w.line.ChannelSecret()),
			"channel_token": channel.NewSecret(w.line.ChannelToken())}}})
	require.NoError(w.t, err)
	w.line.SetWebhook("https://host.test/webhooks/" + acct.Token)
}

// views tells by which ways somebody sees a conversation and its customer.
func (w *replayWorld) views(p sangdam.Principal, c conversation.Conversation, words, name, cursor string) map[string]bool {
	w.t.Helper()
	out := map[string]bool{}
	add := func(way string, saw bool, err error) {
		if err != nil {
			require.ErrorIs(w.t, err, sangdam.ErrNotFound, way)
		}
		out[way] = saw && err == nil
	}
	_, err := w.eng.Conversation(w.ctx, p, c.ID)
	add("read", true, err)
	_, err = w.eng.Transcript(w.ctx, p, c.ID, 0, 10)
	add("transcript", true, err)
	_, err = w.eng.ConversationEvents(w.ctx, p, c.ID, 0, 10)
	add("record", true, err)
	_, err = w.eng.AddNote(w.ctx, p, sangdam.AddNote{Conversation: c.ID, Text: "a note"})
	add("note", true, err)
	page, err := w.eng.Conversations(w.ctx, p, conversation.Filter{Contact: c.Contact}, "", 0)
	add("list", len(page.Conversations) > 0, err)
	n, err := w.eng.CountConversations(w.ctx, p, conversation.Filter{Contact: c.Contact}, 0)
	add("count", n.N > 0, err)
	found, err := w.eng.Search(w.ctx, p, words, 10)
	add("search", len(found) > 0, err)
	_, _, err = w.eng.Contact(w.ctx, p, c.Contact)
	add("contact", true, err)
	sum, err := w.eng.CustomerSummary(w.ctx, p, c.Contact)
	add("summary", len(sum.Conversations) > 0, err)
	people, err := w.eng.FindContacts(w.ctx, p, name, 10)
	add("find contacts", len(people) > 0, err)
	whole, _, err := w.eng.Contact(w.ctx, w.host, c.Contact)
	require.NoError(w.t, err)
	_, err = w.eng.SaveContact(w.ctx, p, sangdam.SaveContact{Contact: whole, Version: whole.Version})
	add("save contact", true, err)
	told := false
	evs, _, err := w.eng.Events(w.ctx, p, cursor, 1000)
	for _, ev := range evs {
		told = told || ev.ID == string(c.ID) || ev.ID == string(c.Contact) || ev.Contact == c.Contact
	}
	add("feed", told, err)
	return out
}

func allOf(views map[string]bool, want bool) bool {
	for _, saw := range views {
		if saw != want {
			return false
		}
	}
	return true
}

// What is on a desk is seen by its members, in every way, and by nobody else of
// the agents in any.
func TestWhatIsOnOtherDesksIsSeenInNoWay(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.otherDesk("secret", "a3")
		_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		mina := w.line.User("Mina")
		mina.SendText("my diagnosis")
		w.settle()
		w.pass(2 * time.Second) // the index follows
		c := w.of(mina).Conversation
		boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleSupervisor)
		for _, p := range []sangdam.Principal{w.agent("a3"), boss, w.host} {
			views := w.views(p, c, "diagnosis", "Mi", cursor)
			require.True(t, allOf(views, true), "%s: %v", p.ID, views)
		}
		for _, p := range []sangdam.Principal{w.agent("a1"), w.agent("unknown")} {
			views := w.views(p, c, "diagnosis", "Mi", cursor)
			require.True(t, allOf(views, false), "%s: %v", p.ID, views)
		}
		everybody, err := w.eng.FindContacts(w.ctx, w.agent("a3"), "", 10)
		require.NoError(t, err)
		require.Empty(t, everybody, "plain agents do not page through all contacts")
	})
}

// A host's own policy hides by record, and shows by record, in every way.
func TestAHostsPolicyIsAskedByEveryReader(t *testing.T) {
	hides := func(p sangdam.Policy) worldOption {
		return withConfig(func(c *sangdam.Config) { c.Policy = p })
	}
	look := func(t *testing.T, w *replayWorld, p sangdam.Principal) map[string]bool {
		_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		mina := w.line.User("Mina")
		mina.SendText("my diagnosis")
		w.settle()
		w.pass(2 * time.Second)
		return w.views(p, w.of(mina).Conversation, "diagnosis", "Mi", cursor)
	}
	trainee := sangdam.AgentPrincipal(ws, "a1", sangdam.RoleAgent, "trainee")
	t.Run("narrower", func(t *testing.T) {
		replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
			views := look(t, w, trainee)
			require.True(t, allOf(views, false), "%v", views)
		}, hides(hidden{}))
	})
	t.Run("wider", func(t *testing.T) {
		replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
			views := look(t, w, sangdam.AgentPrincipal(ws, "stranger"))
			require.True(t, allOf(views, true), "%v", views)
		}, hides(sangdam.PolicyFunc(func(context.Context, sangdam.Who, sangdam.Action, sangdam.Resource) error { return nil })))
	})
}

// hidden is the default policy, but for trainees, who see no record.
type hidden struct{ sangdam.DefaultPolicy }

func (h hidden) Authorize(ctx context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	for _, role := range w.Roles {
		if role == "trainee" && (r.Kind == "conversation" || r.Kind == "contact") {
			return fmt.Errorf("not for trainees: %w", sangdam.ErrNotFound)
		}
	}
	return h.DefaultPolicy.Authorize(ctx, w, a, r)
}

func TestAnAgentWithoutARoleMayNothing(t *testing.T) {
	t.Run("under the policy of its own", func(t *testing.T) { withoutARole(t, [][]sangdam.Role{nil, {"viewer"}}) })
	// Above a host's policy it stands as well: one that allows everything is not
	// asked about an agent without any role.
	t.Run("under a policy that allows everything", func(t *testing.T) {
		withoutARole(t, [][]sangdam.Role{nil}, withConfig(func(cfg *sangdam.Config) {
			cfg.Policy = sangdam.PolicyFunc(func(context.Context, sangdam.Who, sangdam.Action, sangdam.Resource) error { return nil })
		}))
	})
}

func withoutARole(t *testing.T, all [][]sangdam.Role, options ...worldOption) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		c := w.of(mina).Conversation
		for _, roles := range all {
			p := sangdam.Principal{Workspace: ws, Kind: sangdam.KindAgent, ID: "a1", Roles: roles}
			errs := map[string]error{}
			_, errs["read"] = w.eng.Conversation(w.ctx, p, c.ID)
			_, errs["list"] = w.eng.Conversations(w.ctx, p, conversation.Filter{}, "", 0)
			_, errs["count"] = w.eng.CountConversations(w.ctx, p, conversation.Filter{}, 0)
			_, errs["search"] = w.eng.Search(w.ctx, p, "hello", 10)
			_, errs["find contacts"] = w.eng.FindContacts(w.ctx, p, "Mi", 10)
			_, errs["summary"] = w.eng.CustomerSummary(w.ctx, p, c.Contact)
			_, errs["agents"] = w.eng.Agents(w.ctx, p)
			_, _, errs["feed"] = w.eng.Events(w.ctx, p, "", 10)
			errs["presence"] = w.eng.SetPresence(w.ctx, p, sangdam.SetPresence{Agent: "a1", Presence: routing.Online})
			_, errs["held"] = w.eng.Held(w.ctx, p, "a1")
			for way, err := range errs {
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied, "roles %v: %s", roles, way)
			}
		}
	}, options...)
}

// However much a large desk has of newer messages, a small one finds its own.
func TestASmallDeskFindsWhatItHas(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		large := w.acct
		w.otherDesk("small", "a3")
		mina := w.line.User("Mina")
		mina.SendText("환불 on the small desk")
		w.settle()
		w.line.SetWebhook("https://host.test/webhooks/" + large.Token)
		for i := range 120 {
			w.line.User(fmt.Sprint("big", i%7)).SendText(fmt.Sprint("환불 on the large desk ", i))
		}
		w.settle()
		w.pass(3 * time.Second)
		found, err := w.eng.Search(w.ctx, w.agent("a3"), "환불", 10)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, w.of(mina).Conversation.ID, found[0].Conversation.ID)
		found, err = w.eng.Search(w.ctx, w.agent("a1"), "환불", 50)
		require.NoError(t, err)
		require.Len(t, found, 50)
		require.True(t, slices.IsSortedFunc(found, func(a, b sangdam.Found) int { return b.Message.At.Compare(a.Message.At) }),
			"the newest first")
	}, withStream(func(s *routing.WorkStream) { s.ThreadPerAccount = true }))
}

// An agent who knows the ids of another desk's customer gets no link to it.
func TestLinkingNeedsTheRightOnBothSides(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		mine, theirs := w.line.User("Mine"), w.line.User("Theirs")
		mine.SendText("on my desk")
		w.settle()
		w.otherDesk("other", "a3")
		theirs.SendText("a secret of the other desk")
		w.settle()
		own, foreign := w.of(mine), w.of(theirs)
		spy := w.agent("a1")
		_, err := w.eng.LinkIdentity(w.ctx, spy, sangdam.LinkIdentity{Identity: foreign.Conversation.Identity, Contact: own.Contact.ID})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "their identity to my contact")
		_, err = w.eng.LinkIdentity(w.ctx, spy, sangdam.LinkIdentity{Identity: own.Conversation.Identity, Contact: foreign.Contact.ID})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "my identity to their contact")
		_, err = w.eng.LinkUser(w.ctx, spy,
			sangdam.LinkUser{Account: foreign.Conversation.Account, User: channel.ProviderUserID(theirs.ID()),
				Contact: own.Contact.ID})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "their user to my contact")
		_, err = w.eng.BeginLink(w.ctx, spy, sangdam.BeginLink{Contact: foreign.Contact.ID})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		w.settle()
		require.Equal(t, foreign.Contact.ID, w.of(theirs).Contact.ID)
		require.Equal(t, own.Contact.ID, w.of(mine).Contact.ID)
		_, err = w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Identity: foreign.Conversation.Identity, Contact: own.Contact.ID})
		require.NoError(t, err, "the host may")
		w.settle()
		_, _, err = w.eng.Contact(w.ctx, w.agent("a3"), own.Contact.ID)
		require.NoError(t, err, "the desk that they wrote to goes with them")
	})
}

// What a command says of a record that one may not see is what it says of none.
func TestRefusalsTellNothingOfWhatOneMayNotSee(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		d := w.of(mina)
		require.NotNil(t, d.Offer)
		stranger := w.agent("stranger")
		_, hidden := w.eng.Answer(w.ctx, stranger, sangdam.Answer{Conversation: d.Conversation.ID, Content: channel.Text("x")})
		_, none := w.eng.Answer(w.ctx, stranger, sangdam.Answer{Conversation: "none", Content: channel.Text("x")})
		require.EqualError(t, hidden, none.Error())
		_, hidden = w.eng.Accept(w.ctx, stranger, sangdam.Accept{Offer: d.Offer.ID})
		_, none = w.eng.Accept(w.ctx, stranger, sangdam.Accept{Offer: "none"})
		require.EqualError(t, hidden, none.Error())
		_, err := w.eng.Accept(w.ctx, w.agent("a2"), sangdam.Accept{Offer: d.Offer.ID})
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
		require.ErrorContains(t, err, "a1", "a colleague on the desk learns whose it is")
		require.NotContains(t, err.Error(), "role", "no role would help")
		_, _, hidden = w.eng.Contact(w.ctx, stranger, d.Contact.ID)
		_, _, none = w.eng.Contact(w.ctx, stranger, "none")
		require.EqualError(t, hidden, none.Error())
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}
