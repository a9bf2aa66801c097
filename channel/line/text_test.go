package line

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
)

// pieces are what texts are made of that are hard to cut.
var pieces = rapid.SampledFrom([]string{"a", "가", "😀", "👍🏽", "👨‍👩‍👧‍👦", "e\u0301", "🇰🇷", " ", "\n", "\r\n", "{", "}", "긴 낱말",
	strings.Repeat("\u0301", 300), strings.Repeat("x", 700)})

func TestRule15_SplitLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := "x"
		for _, piece := range rapid.SliceOfN(pieces, 1, 400).Draw(t, "pieces") {
			if kit.UTF16(text)+kit.UTF16(piece) <= MaxTextUnits {
				text += piece
			}
		}
		messages, err := renderText(text, nil, channel.ChatUser)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, m := range messages {
			if kit.UTF16(m.Text) > MaxMessageUnits || m.Type != "text" {
				t.Fatalf("a part of %d units, type %s", kit.UTF16(m.Text), m.Type)
			}
			all.WriteString(m.Text)
		}
		if all.String() != text || len(messages) > MaxMessages {
			t.Fatalf("%d parts, text whole: %v", len(messages), all.String() == text)
		}
	})
}

func TestRule15_SplitAfterLinesAndWords(t *testing.T) {
	for _, c := range []struct{ text, first string }{
		{strings.Repeat("word ", 1001), strings.Repeat("word ", 1000)},
		{strings.Repeat("x", 4500) + "\n" + strings.Repeat("y ", 400), strings.Repeat("x", 4500) + "\n"},
		{strings.Repeat("x", 5001), strings.Repeat("x", 5000)},
		{strings.Repeat("x", 4999) + "😀", strings.Repeat("x", 4999)},
		{strings.Repeat("x", 4995) + "👨‍👩‍👧‍👦", strings.Repeat("x", 4995)},
	} {
		messages, err := renderText(c.text, nil, channel.ChatUser)
		require.NoError(t, err)
		require.Len(t, messages, 2)
		require.Equal(t, c.first, messages[0].Text)
	}
	_, err := renderText(strings.Repeat("x", MaxTextUnits+1), nil, channel.ChatUser)
	require.Error(t, err)
}

// The longest texts must fit into five messages whatever they are made of.
func TestRule15_TheLongestTextAlwaysFits(t *testing.T) {
	for _, piece := range []string{"x", "word ", "👨‍👩‍👧‍👦", strings.Repeat("\u0301", 256), strings.Repeat("y", 4167) + " ",
		strings.Repeat("z", 833) + "\n"} {
		text := strings.Repeat(piece, MaxTextUnits/kit.UTF16(piece)+1)
		for kit.UTF16(text) > MaxTextUnits {
			text = text[:len(text)-1]
			text = strings.ToValidUTF8(text, "")
		}
		messages, err := renderText(text, nil, channel.ChatUser)
		require.NoError(t, err, "%.10q", piece)
		require.LessOrEqual(t, len(messages), MaxMessages)
		for _, m := range messages {
			require.LessOrEqual(t, kit.UTF16(m.Text), MaxMessageUnits, "%.10q", piece)
		}
	}
}

func TestRule15_InboundSpansAreUTF16(t *testing.T) {
	const text = "😀가(a)끝"
	for _, c := range []struct {
		index, length int64
		want          string
		ok            bool
	}{
		{0, 2, "😀", true}, {2, 1, "가", true}, {3, 3, "(a)", true}, {6, 1, "끝", true}, {0, 7, text, true},
		{1, 1, "", false}, {0, 1, "", false}, {7, 1, "", false}, {6, 2, "", false}, {-1, 2, "", false}, {0, 0, "", false},
		{0, 1 << 40, "", false},
	} {
		start, size, ok := kit.ByteIndex(text, c.index, c.length)
		require.Equal(t, c.ok, ok, c)
		require.Equal(t, c.want, text[start:start+size], c)
	}
}

func TestTextV2KeepsSpansWhole(t *testing.T) {
	marked := []channel.Span{{Start: 3, Length: 5, Kind: "mention", Ref: "U" + strings.Repeat("0", 32)},
		{Start: 9, Length: 3, Kind: "emoji",
			Ref: "abc/001"}}
	const text = "{} @Mina (x) !"
	group, err := renderText(text, marked, channel.ChatGroup)
	require.NoError(t, err)
	require.Equal(t, "textV2", group[0].Type)
	require.Equal(t, "{{}} {s1} {s2} !", group[0].Text)
	require.Equal(t, "mention", group[0].Substitution["s1"].Type)
	// Mentions exist in groups and rooms only.
	single, err := renderText(text, marked, channel.ChatUser)
	require.NoError(t, err)
	require.Equal(t, "{{}} @Mina {s1} !", single[0].Text)
	// A text without a usable span is a plain one.
	plain, err := renderText(text, []channel.Span{{Start: 2, Length: 99, Kind: "emoji", Ref: "a/1"},
		{Start: 0, Length: 1, Kind: "emoji", Ref: "bad ref"}}, channel.ChatUser)
	require.NoError(t, err)
	require.Equal(t, message{Type: "text", Text: text}, plain[0])
}

func TestAtMostTwentySpansOfAKind(t *testing.T) {
	text := strings.Repeat("(x)", 30)
	var marked []channel.Span
	for i := range 30 {
		marked = append(marked, channel.Span{Start: i * 3, Length: 3, Kind: "emoji", Ref: "abc/001"})
	}
	messages, err := renderText(text, marked, channel.ChatUser)
	require.NoError(t, err)
	require.Len(t, messages[0].Substitution, 20)
	require.True(t, strings.HasSuffix(messages[0].Text, strings.Repeat("(x)", 10)))
}

func TestSafeName(t *testing.T) {
	for in, want := range map[string]string{
		"invoice.pdf": "invoice.pdf", "../../etc/passwd": "passwd", `C:\temp\a.exe`: "a.exe", "": "file", "..": "file", "/": "_",
		"a\x00b\r\nc.txt": "abc.txt", "evil\u202egpj.exe": "evilgpj.exe", "z\u200be\u200dro.txt": "zero.txt",
		"CON.txt": "_CON.txt", "lpt1": "_lpt1", "a<b>|c?.txt": "a_b__c_.txt", " . ": "file", "견적서.pdf": "견적서.pdf",
	} {
		require.Equal(t, want, safeName(in), in)
	}
	long := safeName(strings.Repeat("가", 4096) + ".pdf")
	require.LessOrEqual(t, len(long), 150)
	require.True(t, strings.HasSuffix(long, ".pdf"))
}
