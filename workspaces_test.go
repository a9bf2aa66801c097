package sangdam_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// Nobody of another workspace sees or changes anything, whatever ids they know.
func TestAnotherWorkspaceSeesAndChangesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		w.line.User("Mina").SendText("secret words")
		w.pass(2 * time.Second)
		require.NoError(t, w.eng.CreateWorkspace(w.ctx, "w2", "Two"))
		d := w.only()
		for _, p := range []sangdam.Principal{sangdam.Host("w2"), sangdam.AgentPrincipal("w2", "a1", sangdam.RoleAdministrator),
			sangdam.AgentPrincipal("w2", c.Agent)} {
			for name, err := range w.tries(p, d, c) {
				require.Error(t, err, "%s %s: %s", p.Kind, p.ID, name)
				require.NotErrorIs(t, err, sangdam.ErrInvalid, name)
			}
			w.findsNothing(p)
		}
		require.Equal(t, d.Conversation, w.only().Conversation)
	})
}

// Somebody who is nobody in particular may nothing.
func TestAPrincipalThatIsNoneMayNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		d := w.only()
		for _, p := range []sangdam.Principal{{}, {Workspace: ws}, {Workspace: ws, Kind: sangdam.KindAgent, ID: "a1"},
			{Workspace: ws, Kind: sangdam.KindVisitor, ID: "x"},
			{Workspace: ws, Kind: "bogus", ID: "x", Roles: []sangdam.Role{sangdam.RoleAdministrator}}} {
			for name, err := range w.tries(p, d, c) {
				require.Error(t, err, "%+v: %s", p, name)
			}
			_, _, err := w.eng.Events(w.ctx, p, "", 1)
			require.Error(t, err)
			require.Error(t, errOf(w.eng.Agents(w.ctx, p)))
		}
		require.Equal(t, d.Conversation, w.only().Conversation)
	})
}

// tries are attempts on a conversation, by name.
func (w *world) tries(p sangdam.Principal, d sangdam.Detail, c sangdam.Owned) map[string]error {
	id := d.Conversation.ID
	_, _, contact := w.eng.Contact(w.ctx, p, d.Contact.ID)
	return map[string]error{
		"read":     errOf(w.eng.Conversation(w.ctx, p, id)),
		"answer":   errOf(w.eng.Answer(w.ctx, p, sangdam.Answer{Conversation: id, Content: channel.Text("x")})),
		"end":      errOf(w.eng.End(w.ctx, p, sangdam.End{Conversation: id})),
		"transfer": errOf(w.eng.Transfer(w.ctx, p, sangdam.Transfer{Conversation: id, Queue: "q"})),
		"resend":   errOf(w.eng.Resend(w.ctx, p, sangdam.Resend{Message: d.Messages[0].ID})),
		"contact":  contact,
		"link":     errOf(w.eng.LinkIdentity(w.ctx, p, sangdam.LinkIdentity{Identity: d.Identities[0].ID, Contact: d.Contact.ID})),
		"presence": w.eng.SetPresence(w.ctx, p, sangdam.SetPresence{Agent: c.Agent, Presence: routing.Offline}),
		"place":    errOf(w.eng.Place(w.ctx, p, id)),
		"read it":  w.eng.MarkRead(w.ctx, p, id),
		"typing":   w.eng.ShowTyping(w.ctx, p, id, time.Second),
		"account":  errOf(w.eng.CheckAccount(w.ctx, p, w.acct.ID, "https://shop.example")),
	}
}

func (w *world) findsNothing(p sangdam.Principal) {
	w.t.Helper()
	found, err := w.eng.Search(w.ctx, p, "secret", 10)
	require.NoError(w.t, err)
	require.Empty(w.t, found)
	page, err := w.eng.Conversations(w.ctx, p, conversation.Filter{}, "", 10)
	require.NoError(w.t, err)
	require.Empty(w.t, page.Conversations)
	contacts, err := w.eng.FindContacts(w.ctx, p, "m", 10)
	require.NoError(w.t, err)
	require.Empty(w.t, contacts)
}

// Twenty processes that start and end leave nothing running.
func TestAnEngineThatEndedLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	inWorld(t, func(w *world) {
		w.online("a1")
		for i := range 20 {
			w.line.User("Mina").SendText(fmt.Sprint("hello ", i))
			w.settle()
			w.restart()
		}
	})
	require.LessOrEqual(t, runtime.NumGoroutine(), before+5)
}

// An event that came before a restart is not a second message after it.
func TestARepeatedEventIsOneMessageAlsoAfterARestart(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		b := bodyOf(event("1", "once", 0))
		for range 5 {
			require.Equal(t, 200, w.post(b, w.signed(b)))
		}
		w.settle()
		w.again()
		require.Equal(t, 200, w.post(b, w.signed(b)))
		w.settle()
		require.Equal(t, []string{"once", "Hello!"}, texts(w.only()))
	})
}
