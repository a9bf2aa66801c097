package ticket_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/ticket"
)

func TestBannedWordsAreFoundHoweverTheyAreWritten(t *testing.T) {
	words := []ticket.BannedWord{{Word: "환불불가", Instead: "환불 안내"}, {Word: "ASAP"}, {Word: "공짜"}, {Word: "왜요"}}
	for _, w := range words {
		require.NoError(t, w.Validate())
	}
	for text, want := range map[string]string{
		"이 상품은 환불불가 입니다":    "환불불가",
		"환 불 . 불-가":         "환 불 . 불-가",
		"ㅎㅗㅏㄴㅂㅜㄹㅂㅜㄹㄱㅏ":      "ㅎㅗㅏㄴㅂㅜㄹㅂㅜㄹㄱㅏ",
		"환불불ㄱㅏ":             "환불불ㄱㅏ",
		"환불불가":              "환불불가",
		"환\u200b불\u200d불가":  "환\u200b불\u200d불가",
		"please reply ａｓａｐ": "ａｓａｐ",
		"a.s.a.p":           "a.s.a.p",
		"공★짜":               "공★짜",
		"ㅇㅗㅐㅇㅛ?":            "ㅇㅗㅐㅇㅛ",
	} {
		hits := ticket.FindBanned(text, words)
		if assert.Len(t, hits, 1, text) {
			assert.Equal(t, want, hits[0].Found, text)
			assert.Equal(t, want, text[hits[0].From:hits[0].To])
		}
	}
	for _, text := range []string{"", "환불이 불가피하게 늦어집니다", "Basap 상사", "asaps", "공자", "왜 요금", strings.Repeat("가", 1000)} {
		hits := ticket.FindBanned(text, []ticket.BannedWord{{Word: "환불불가"}, {Word: "ASAP"}, {Word: "공짜"}, {Word: "왜용"}})
		assert.Empty(t, hits, text)
	}
	require.Equal(t, "환불 안내", ticket.FindBanned("환불 불가", words)[0].Instead)
	for _, bad := range []ticket.BannedWord{{}, {Word: "  "}, {Word: "…!"}, {Word: strings.Repeat("x", 101)}} {
		require.ErrorIs(t, bad.Validate(), ticket.ErrInvalid)
	}
}

func FuzzFindBanned(f *testing.F) {
	f.Add("환 불 불 가", "환불불가")
	f.Add("\xff가", "ㄱㅏ")
	f.Fuzz(func(t *testing.T, text, word string) {
		for _, h := range ticket.FindBanned(text, []ticket.BannedWord{{Word: word}}) {
			if h.Found != text[h.From:h.To] || h.Found == "" {
				t.Errorf("found %q at %d-%d of %q", h.Found, h.From, h.To, text)
			}
		}
	})
}

func TestTemplatesAreOfferedByTheirLinks(t *testing.T) {
	tree := ticket.Tree{Kind: ticket.Resolution}
	for _, c := range []ticket.Category{{ID: "refund", Names: names("Refund")}, {ID: "card", Parent: "refund", Names: names("Card")},
		{ID: "other", Names: names("Other")}} {
		var err error
		tree, err = tree.Add(c, start)
		require.NoError(t, err)
	}
	shared := ticket.AnswerTemplate{ID: "t", Title: "Refund", Body: "Done.", SearchCode: "rf", Resolutions: []ticket.CategoryID{"refund"}}
	require.NoError(t, shared.Validate())
	private, loose := shared, shared
	private.Owner, loose.Resolutions = "mina", nil
	for _, c := range []struct {
		tpl        ticket.AnswerTemplate
		agent      ticket.AgentID
		resolution ticket.CategoryID
		want       ticket.Offer
	}{
		{shared, "mina", "refund", ticket.Offered}, {shared, "mina", "card", ticket.Offered}, {shared, "mina", "other", ticket.OtherLinks},
		{shared, "mina", "", ticket.NoCategory}, {loose, "mina", "refund", ticket.NotLinked},
		{private, "mina", "card", ticket.Offered}, {private, "park", "card", ticket.Private},
	} {
		require.Equal(t, c.want, c.tpl.OfferOn(c.agent, c.resolution, tree))
	}
	for _, bad := range []ticket.AnswerTemplate{{}, {ID: "t", Title: "x"}, {ID: "t", Title: "x", Body: "b", SearchCode: "a b"},
		{ID: "t", Body: "b"}} {
		require.ErrorIs(t, bad.Validate(), ticket.ErrInvalid)
	}
}
