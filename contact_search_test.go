package sangdam_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
)

// What databases take for wildcards or quotes are letters of a name.
func TestWildcardsInAContactSearchAreLetters(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		for _, name := range []string{"first_last", "first-last", "100% real", "1000 real", `back\slash`, "*star", "plain"} {
			w.contact(conversation.Contact{Name: name})
		}
		for text, want := range map[string][]string{"first_": {"first_last"}, "100%": {"100% real"},
			`back\`: {`back\slash`}, "*": {"*star"}, "%": {}, "_": {}, "' OR 1=1 --": {}} {
			require.Equal(t, want, w.names(w.host, text), text)
		}
	})
}

// syllables are n random ones of Hangul, which no store compresses away.
func syllables(n int) string {
	out := make([]rune, n)
	for i := range out {
		out[i] = rune(0xAC00 + rand.IntN(11172))
	}
	return string(out)
}

func TestAContactWithVeryLongFieldsIsSavedAndFound(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		name := syllables(6000)
		id := w.contact(conversation.Contact{Name: name, Email: syllables(6000), Phone: syllables(6000), Memo: syllables(100_000)})
		found, err := w.eng.FindContacts(w.ctx, w.host, string([]rune(name)[:10]), 5)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, id, found[0].ID)
		_, err = w.eng.FindContacts(w.ctx, w.host, syllables(3000), 5)
		require.NoError(t, err)
	})
}

// A family shares an address: that makes nobody the same person.
func TestTwoPeopleWithOneAddressStayTwo(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		mina.SendText("hi")
		jun.SendText("hi")
		w.settle()
		for _, c := range []conversation.Contact{*w.of(mina).Contact, *w.of(jun).Contact} {
			c.Email = "family@example.com"
			require.NoError(t, errOf(w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c, Version: c.Version})))
		}
		require.NotEqual(t, w.of(mina).Contact.ID, w.of(jun).Contact.ID)
		require.Len(t, w.names(w.host, "family@"), 2)
	})
}
