package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
)

// finds are the texts of the messages that the host finds.
func (w *replayWorld) finds(text string) []string {
	w.t.Helper()
	found, err := w.eng.Search(w.ctx, w.host, text, 10)
	require.NoError(w.t, err, text)
	out := []string{}
	for _, f := range found {
		out = append(out, f.Message.Content.Text)
	}
	return out
}

func TestPartsOfWordsAreFoundInScriptsWithoutBlanks(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		said := []string{"あしたとどくはずでした", "订单昨天已经付款了，仓库还没有发货", "箱が潰れていたので交換をお願いします。",
			"포장이찢어져서교환을부탁드립니다",
			"包装破损，请尽快安排更换。", "電池が充電できません", "The charger has no WARRANTY card", "สวัสดีครับ ขอคืนเงิน"}
		for _, text := range said {
			mina.SendText(text)
		}
		w.settle()
		w.settle()
		for part, of := range map[string]int{"あした": 0, "仓库还没": 1, "付款": 1, "交換": 2,
			"교환": 3, "更换": 4, "電池": 5, "充電": 5, "warranty": 6, "คืนเงิน": 7} {
			require.Equal(t, []string{said[of]}, w.finds(part), part)
		}
	})
}

// What is an operator to a database is a sign that somebody typed.
func TestSignsInASearchAreNoSyntax(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		said := `it won't open; see Orders/receipts size::xl --no-lid mail @depot 30% AND "fragile" (glass)`
		w.line.User("Mina").SendText(said)
		w.settle()
		w.settle()
		for _, text := range []string{"won't open", "Orders/receipts", "size::xl", "@depot", "30%", `"fragile"`, "(glass)"} {
			require.Equal(t, []string{said}, w.finds(text), text)
		}
		for _, text := range []string{`"--no-lid"`, "mail AND", "mail*", "depot -mail", "NEAR(mail depot)", "tokens:mail", `'mail' & !x`,
			"mail^2",
			`mail\`, "mail|nasa", "<-> mail"} {
			w.finds(text) // whatever it finds, it is no error
		}
		_, err := w.eng.Search(w.ctx, w.host, `"*-'`, 10)
		require.ErrorIs(t, err, sangdam.ErrInvalid, "signs alone find nothing, and are told so")
	})
}

// A text that no index can take whole must not stop what comes after it.
func TestAVeryLongNoteDoesNotStopTheIndex(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		mina.SendText(syllables(5000))
		w.settle()
		id := w.of(mina).Conversation.ID
		for _, text := range []string{syllables(300_000), "after the long one 나중에"} {
			require.NoError(t, errOf(w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: id, Text: text})))
		}
		w.settle()
		w.settle()
		if w.real { // the long one takes as long as the machine needs
			require.Eventually(t, func() bool { return len(w.finds("나중에")) > 0 }, time.Minute, 20*time.Millisecond)
		}
		require.Equal(t, []string{"after the long one 나중에"}, w.finds("나중에"))
		_, err := w.eng.Search(w.ctx, w.host, syllables(3000), 5)
		require.NoError(t, err)
	})
}
