package sangdam_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// Quick replies are everybody's, a desk's or one agent's; in a conversation they
// come in the customer's language with their places filled.
func TestQuickRepliesAreFoundAndFilled(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host,
			sangdam.SaveDesk{Desk: routing.Desk{ID: "other", Name: "Other"}, Agent: "a2"})))
		save := func(p sangdam.Principal, r sangdam.QuickReply) error {
			return errOf(w.eng.SaveQuickReply(w.ctx, p, sangdam.SaveQuickReply{Reply: r}))
		}
		a1 := w.agent("a1")
		require.NoError(t, save(w.host, sangdam.QuickReply{Title: "Thanks", Code: "ty",
			Texts: map[string]string{"": "Thank you, #{customer.name}.",
				"ko": "#{customer.name}님, 감사합니다."}}))
		require.NoError(t, save(w.host, sangdam.QuickReply{Title: "Desk", Desk: "support",
			Texts: map[string]string{"": "This is #{desk.name}."}}))
		require.NoError(t, save(w.host, sangdam.QuickReply{Title: "Elsewhere", Desk: "other", Texts: map[string]string{"": "Elsewhere"}}))
		require.NoError(t, save(a1, sangdam.QuickReply{Title: "Mine", Owner: "a1", Texts: map[string]string{"ja": "#{agent.name}"}}))

		list, err := w.eng.RepliesFor(w.ctx, a1, owned.Conversation, "")
		require.NoError(t, err)
		var said []string
		for _, r := range list {
			said = append(said, r.Text)
		}
		require.Equal(t, []string{"Agent a1", "This is Support.", "Thank you, Mina."}, said, "one in another language is better than none")
		list, err = w.eng.RepliesFor(w.ctx, a1, owned.Conversation, "TY")
		require.NoError(t, err)
		require.Len(t, list, 1)

		names := func(p sangdam.Principal) (out []string) {
			all, err := w.eng.QuickReplies(w.ctx, p, "")
			require.NoError(t, err)
			for _, r := range all {
				out = append(out, r.Title)
			}
			return out
		}
		require.Equal(t, []string{"Mine", "Desk", "Thanks"}, names(a1))
		require.Equal(t, []string{"Desk", "Elsewhere", "Thanks"}, names(w.host))
		all, err := w.eng.QuickReplies(w.ctx, a1, "")
		require.NoError(t, err)
		stolen := all[2]
		stolen.Owner = "a1"
		require.ErrorIs(t, save(a1, stolen), sangdam.ErrPermissionDenied, "what is everybody's is not taken over")
		require.ErrorIs(t, save(a1, sangdam.QuickReply{Title: "x", Texts: map[string]string{"": "x"}}), sangdam.ErrPermissionDenied)
		require.ErrorIs(t, w.eng.DeleteQuickReply(w.ctx, a1, sangdam.DeleteQuickReply{Reply: all[1].ID, Version: all[1].Version}),
			sangdam.ErrPermissionDenied)
		require.NoError(t, w.eng.DeleteQuickReply(w.ctx, a1, sangdam.DeleteQuickReply{Reply: all[0].ID, Version: all[0].Version}))
		require.Equal(t, []string{"Desk", "Thanks"}, names(a1))
	})
}

func TestAQuickReplyThatCannotBeOneIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		for name, r := range map[string]sangdam.QuickReply{
			"no title":             {Texts: map[string]string{"": "x"}},
			"no text":              {Title: "x", Texts: map[string]string{"ko": " "}},
			"a code with blanks":   {Title: "x", Code: "a b", Texts: map[string]string{"": "x"}},
			"unknown place":        {Title: "x", Texts: map[string]string{"": "#{customer.card}"}},
			"a place without end":  {Title: "x", Texts: map[string]string{"": "#{customer.name"}},
			"a desk that is none":  {Title: "x", Desk: "none", Texts: map[string]string{"": "x"}},
			"too long":             {Title: "x", Texts: map[string]string{"": strings.Repeat("x", 10_001)}},
			"an agent's and desks": {Title: "x", Desk: "support", Owner: "a1", Texts: map[string]string{"": "x"}},
		} {
			err := errOf(w.eng.SaveQuickReply(w.ctx, w.host, sangdam.SaveQuickReply{Reply: r}))
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
		}
	})
}

// What is sent of a quick reply is looked through for banned words like any answer.
func TestAQuickReplyIsSubjectToBannedWords(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		w.line.User("Mina").SendText("hello")
		w.settle()
		owned := w.accept()
		require.NoError(t, errOf(w.eng.SaveBannedWord(w.ctx, w.host, sangdam.SaveBannedWord{Word: ticket.BannedWord{Word: "guaranteed"}})))
		require.NoError(t, errOf(w.eng.SaveQuickReply(w.ctx, w.host, sangdam.SaveQuickReply{Reply: sangdam.QuickReply{Title: "x",
			Texts: map[string]string{"": "It is guaranteed."}}})))
		list, err := w.eng.RepliesFor(w.ctx, w.agent("a1"), owned.Conversation, "")
		require.NoError(t, err)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text(list[0].Text)})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.Contains(t, err.Error(), "guaranteed")
	})
}
