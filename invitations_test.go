package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// An invitation works once, for its time, and for the newest link alone.
func TestAnInvitationWorksOnce(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		invite := func(key sangdam.Key) sangdam.Invitation {
			i, err := w.eng.InviteAgent(w.ctx, w.host, sangdam.InviteAgent{Key: key, Agent: "a1"})
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(i.Token), 26, "it cannot be guessed")
			return i
		}
		first := invite("k1")
		require.ErrorIs(t, errOf(w.eng.InviteAgent(w.ctx, w.host, sangdam.InviteAgent{Key: "k1", Agent: "a1"})),
			sangdam.ErrStale, "known once")
		second := invite("k2")
		require.ErrorIs(t, errOf(w.eng.Invited(w.ctx, w.host, first.Token)), sangdam.ErrNotFound, "the newer link alone")
		who, err := w.eng.Invited(w.ctx, w.host, second.Token)
		require.NoError(t, err)
		require.Equal(t, routing.AgentID("a1"), who.Agent)
		list, err := w.eng.Invitations(w.ctx, w.host)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Empty(t, list[0].Token)
		joined, err := w.eng.JoinAgent(w.ctx, w.host, sangdam.JoinAgent{Token: second.Token})
		require.NoError(t, err)
		require.Equal(t, routing.AgentID("a1"), joined.Agent)
		require.ErrorIs(t, errOf(w.eng.JoinAgent(w.ctx, w.host, sangdam.JoinAgent{Token: second.Token})), sangdam.ErrNotFound, "once")

		third := invite("")
		require.NoError(t, w.eng.UninviteAgent(w.ctx, w.host, sangdam.UninviteAgent{Agent: "a1"}))
		require.ErrorIs(t, errOf(w.eng.JoinAgent(w.ctx, w.host, sangdam.JoinAgent{Token: third.Token})), sangdam.ErrNotFound)
		late := invite("")
		w.jump(73 * time.Hour)
		require.ErrorIs(t, errOf(w.eng.JoinAgent(w.ctx, w.host, sangdam.JoinAgent{Token: late.Token})), sangdam.ErrStale, "too late")
		for _, c := range []sangdam.InviteAgent{{Agent: "a1", For: -1}, {Agent: "a1", For: 31 * 24 * time.Hour}, {Agent: "a1", Mail: "x"}} {
			require.ErrorIs(t, errOf(w.eng.InviteAgent(w.ctx, w.host, c)), sangdam.ErrInvalid)
		}
		require.ErrorIs(t, errOf(w.eng.InviteAgent(w.ctx, w.host, sangdam.InviteAgent{Agent: "nobody"})), sangdam.ErrNotFound)
	})
}

// A view is its owner's; those of everybody are an administrator's.
func TestViewsOfConversations(t *testing.T) {
	inWorld(t, func(w *world) {
		yes := true
		save := func(p sangdam.Principal, v sangdam.ConversationView) (sangdam.Saved, error) {
			return w.eng.SaveConversationView(w.ctx, p, sangdam.SaveConversationView{View: v})
		}
		own := sangdam.ConversationView{Name: "Unread ones", Owner: "a1",
			States: []conversation.State{conversation.StateActive}, Handled: &yes, Unread: true}
		saved, err := save(w.agent("a1"), own)
		require.NoError(t, err)
		require.ErrorIs(t, errOf(save(w.agent("a1"), sangdam.ConversationView{Name: "All", Owner: "a2"})), sangdam.ErrPermissionDenied)
		require.ErrorIs(t, errOf(save(w.agent("a1"), sangdam.ConversationView{Name: "All"})), sangdam.ErrPermissionDenied)
		require.NoError(t, errOf(save(w.host, sangdam.ConversationView{Name: "Shop", Account: w.acct.ID, Desk: "support"})))
		for _, bad := range []sangdam.ConversationView{{Owner: "a1"}, {Owner: "a1", Name: "x", States: []conversation.State{"asleep"}}} {
			require.ErrorIs(t, errOf(save(w.agent("a1"), bad)), sangdam.ErrInvalid)
		}
		list, err := w.eng.ConversationViews(w.ctx, w.agent("a1"))
		require.NoError(t, err)
		require.Len(t, list, 2)
		list, err = w.eng.ConversationViews(w.ctx, w.agent("a2"))
		require.NoError(t, err)
		require.Len(t, list, 1, "another's own view is its own")
		require.Equal(t, []routing.DeskID{"support"}, list[0].Filter().Desks)
		remove := sangdam.DeleteConversationView{View: saved.ID, Version: saved.Version}
		require.ErrorIs(t, w.eng.DeleteConversationView(w.ctx, w.agent("a2"), remove), sangdam.ErrPermissionDenied)
		require.NoError(t, w.eng.DeleteConversationView(w.ctx, w.agent("a1"), remove))
	})
}
