package sangdam_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

func TestLinkingAnIdentityToItsOwnContactChangesNothing(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		before := w.of(mina)
		require.NoError(t, errOf(w.eng.LinkIdentity(w.ctx, w.host,
			sangdam.LinkIdentity{Identity: before.Conversation.Identity, Contact: before.Contact.ID})))
		w.settle()
		after := w.of(mina)
		require.Equal(t, before.Conversation.ID, after.Conversation.ID)
		require.Empty(t, after.Contact.MergedInto)
		require.Len(t, after.Identities, 1)
	})
}

// One person with two accounts on one channel is answered where the last
// message came from, back and forth.
func TestAnswersGoBackAndForthWithWhoeverWroteLast(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		home, work := w.line.User("Mina"), w.line.User("Mina at work")
		owned := w.begun(home, "from home")
		work.SendText("from work")
		w.settle()
		w.link(work, w.known(home))
		id := w.of(work).Conversation.ID
		require.Equal(t, owned.Conversation, id)
		for i, u := range []*linetest.User{home, work, home, work} {
			u.SendText(fmt.Sprint("question ", i))
			w.settle()
			w.answer("a1", id, fmt.Sprint("answer ", i))
		}
		require.Equal(t, []string{"answer 0", "answer 2"}, home.Texts())
		require.Equal(t, []string{"answer 1", "answer 3"}, work.Texts())
	}, quiet)
}
