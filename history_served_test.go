package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// The history of an agent has what it served, also after the end, page by page.
func TestTheHistoryOfAnAgentHasWhatItServed(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		var ended []conversation.ID
		for _, name := range []string{"Mina", "Jun"} {
			owned := w.begun(w.line.User(name), "hi")
			w.answer("a1", owned.Conversation, "bye")
			require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation, Final: true})))
			ended = append(ended, owned.Conversation)
		}
		w.settle()
		w.offline("a1")
		w.line.User("Sora").SendText("waiting")
		w.settle()
		of := func(f conversation.Filter) (out []conversation.ID) {
			for page := ""; ; {
				list, err := w.eng.Conversations(w.ctx, w.host, f, page, 1)
				require.NoError(t, err)
				for _, c := range list.Conversations {
					out = append(out, c.ID)
				}
				if page = list.Next; page == "" {
					return out
				}
			}
		}
		require.ElementsMatch(t, ended, of(conversation.Filter{Served: "a1"}))
		require.Empty(t, of(conversation.Filter{Served: "a2"}))
		require.Len(t, of(conversation.Filter{}), 3)
		n, err := w.eng.CountConversations(w.ctx, w.host, conversation.Filter{Served: routing.AgentID("a1")}, 0)
		require.NoError(t, err)
		require.Equal(t, 2, n.N)
		_, err = w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Filter: conversation.Filter{Served: "a1"}})
		require.NoError(t, err)
		require.Equal(t, 2, w.backup(w.host).Done)
	})
}
