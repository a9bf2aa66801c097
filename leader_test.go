package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// Each commit hands its rows to the router of its process. One that does not
// lead has no Board for them, and would keep them for ever.
func TestANodeThatDoesNotLeadKeepsNothing(t *testing.T) {
	inNodes(t, 2, func(n *nodes) {
		require.NoError(t, n.engines[1].SetPresence(n.ctx, n.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Online}))
		n.pass(2 * time.Second)
		for i := range 200 {
			to := []routing.Presence{routing.Break, routing.Online}[i%2]
			for _, e := range n.engines {
				require.NoError(t, e.SetPresence(n.ctx, n.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: to}))
			}
		}
		n.pass(5 * time.Second)
		for i, e := range n.engines {
			require.Less(t, e.RowsForBoard(ws), 20, "node %d", i+1)
		}
	})
}

// A node that lost the lease answers nothing from what it knew then.
func TestANodeThatLostTheLeaseForgetsItsBoard(t *testing.T) {
	inNodes(t, 2, func(n *nodes) {
		n.line.User("Mina").SendText("hello")
		n.pass(2 * time.Second)
		page, err := n.engines[0].Conversations(n.ctx, n.host, conversation.Filter{}, "", 10)
		require.NoError(t, err)
		id := page.Conversations[0].ID
		leader := -1
		for i, e := range n.engines {
			if p, err := e.Place(n.ctx, n.host, id); err == nil {
				require.True(t, p.Waiting)
				leader = i
			}
		}
		require.GreaterOrEqual(t, leader, 0)
		n.jump(11 * time.Second)
		_, err = n.db.System().Lease(n.ctx, "router/"+ws, "third", time.Hour)
		require.NoError(t, err)
		n.pass(20 * time.Second)
		_, err = n.engines[leader].Place(n.ctx, n.host, id)
		require.ErrorIs(t, err, sangdam.ErrUnavailable, "it waits, and who knows where is elsewhere")
		_, err = n.engines[1-leader].End(n.ctx, n.host, sangdam.End{Conversation: id, Final: true})
		require.NoError(t, err)
		for _, e := range n.engines {
			p, err := e.Place(n.ctx, n.host, id)
			require.NoError(t, err)
			require.False(t, p.Waiting, "the store knows that it does not wait")
		}
	})
}
