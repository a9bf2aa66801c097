package line

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

func mustRender(t *testing.T, out adapter.Outbound) []map[string]any {
	t.Helper()
	raw, err := render(out, false)
	require.NoError(t, err)
	var all []map[string]any
	for _, r := range raw {
		var m map[string]any
		require.NoError(t, json.Unmarshal(r, &m))
		all = append(all, m)
	}
	return all
}

func content(c channel.Content) adapter.Outbound {
	return adapter.Outbound{To: channel.Chat{Kind: channel.ChatUser}, Content: c}
}

func types(messages []map[string]any) string {
	var all []string
	for _, m := range messages {
		all = append(all, m["type"].(string))
	}
	return strings.Join(all, " ")
}

func TestMediaDegradesAsDeclared(t *testing.T) {
	media := func(kind channel.ContentKind, caption string, m channel.Media) adapter.Outbound {
		return content(channel.Content{Kind: kind, Text: caption, Media: &m})
	}
	const jpg, mp4, mp3 = "https://cdn.example/a.jpg", "https://cdn.example/a.mp4", "https://cdn.example/a.mp3"
	for name, c := range map[string]struct {
		out  adapter.Outbound
		want string
	}{
		"jpeg":                 {media(channel.KindImage, "", channel.Media{URL: jpg, Type: "image/jpeg"}), "image"},
		"jpeg with caption":    {media(channel.KindImage, "look", channel.Media{URL: jpg}), "image text"},
		"webp":                 {media(channel.KindImage, "", channel.Media{URL: jpg, Type: "image/webp"}), "text"},
		"over 10 MB":           {media(channel.KindImage, "", channel.Media{URL: jpg, Type: "image/png", Size: 11 << 20}), "text"},
		"video":                {media(channel.KindVideo, "", channel.Media{URL: mp4, Preview: jpg}), "video"},
		"video, no preview":    {media(channel.KindVideo, "", channel.Media{URL: mp4}), "text"},
		"audio":                {media(channel.KindAudio, "", channel.Media{URL: mp3, Duration: time.Second}), "audio"},
		"audio, no duration":   {media(channel.KindAudio, "", channel.Media{URL: mp3}), "text"},
		"file":                 {media(channel.KindFile, "here", channel.Media{URL: "https://cdn.example/f", Name: "f.pdf"}), "text"},
		"type with parameters": {media(channel.KindImage, "", channel.Media{URL: jpg, Type: "IMAGE/JPEG; q=1"}), "image"},
	} {
		require.Equal(t, c.want, types(mustRender(t, c.out)), name)
	}
	file := mustRender(t, media(channel.KindFile, "here", channel.Media{URL: "https://cdn.example/견적 서.pdf", Name: "f.pdf"}))
	require.Equal(t, "here\nf.pdf\nhttps://cdn.example/%EA%B2%AC%EC%A0%81%20%EC%84%9C.pdf", file[0]["text"])
	for _, address := range []string{"", "http://cdn.example/a.jpg", "javascript:alert(1)", "https://u:p@cdn.example/",
		"https://cdn.example/" + strings.Repeat("a", 2000), "/relative"} {
		_, err := render(media(channel.KindImage, "", channel.Media{URL: address}), false)
		require.ErrorContains(t, err, "https address", address)
	}
	_, err := render(content(channel.Content{Kind: channel.KindImage}), false)
	require.Error(t, err)
}

func TestLocationKeepsWhatDoesNotFit(t *testing.T) {
	place := func(l channel.Location) adapter.Outbound {
		return content(channel.Content{Kind: channel.KindLocation, Location: &l})
	}
	require.Equal(t, "location", types(mustRender(t, place(channel.Location{Title: "t", Address: "a"}))))
	bare := mustRender(t, place(channel.Location{Latitude: 1.5, Longitude: -2}))
	require.Equal(t, "1.500000, -2.000000", bare[0]["title"])
	require.Equal(t, "location text", types(mustRender(t, place(channel.Location{Title: strings.Repeat("주소", 60)}))))
	for _, l := range []channel.Location{{Latitude: 91}, {Longitude: -181}} {
		_, err := render(place(l), false)
		require.Error(t, err)
	}
}

func TestCards(t *testing.T) {
	press := func(n int) []channel.Choice {
		var all []channel.Choice
		for range n {
			all = append(all, channel.Choice{Label: "press", Kind: "postback", Data: "d"})
		}
		return all
	}
	cards := func(all ...channel.Card) adapter.Outbound {
		return content(channel.Content{Kind: channel.KindCard, Cards: all})
	}
	shape := func(out adapter.Outbound) string {
		m := mustRender(t, out)
		if tmpl, ok := m[0]["template"].(map[string]any); ok {
			return tmpl["type"].(string)
		}
		return types(m)
	}
	family := strings.Repeat("👨‍👩‍👧‍👦", 60)
	for name, c := range map[string]struct {
		out  adapter.Outbound
		want string
	}{
		"two choices, no title":     {cards(channel.Card{Text: "sure?", Choices: press(2)}), "confirm"},
		"title":                     {cards(channel.Card{Title: "t", Text: "x", Choices: press(2)}), "buttons"},
		"four choices":              {cards(channel.Card{Text: "x", Choices: press(4)}), "buttons"},
		"five choices":              {cards(channel.Card{Text: "x", Choices: press(5)}), "text"},
		"no choice":                 {cards(channel.Card{Text: "x"}), "text"},
		"60 graphemes of 11 units":  {cards(channel.Card{Title: "t", Text: family, Choices: press(1)}), "buttons"},
		"61 graphemes with title":   {cards(channel.Card{Title: "t", Text: family + "x", Choices: press(1)}), "text"},
		"title of 41":               {cards(channel.Card{Title: strings.Repeat("t", 41), Text: "x", Choices: press(1)}), "text"},
		"picture that is not https": {cards(channel.Card{Text: "x", Image: "http://x.example/a.png", Choices: press(1)}), "text"},
		"carousel": {cards(channel.Card{Text: "x", Choices: press(3)}, channel.Card{Text: "y", Choices: press(3)}),
			"carousel"},
		"carousel of uneven columns": {cards(channel.Card{Text: "x", Choices: press(1)}, channel.Card{Text: "y", Choices: press(2)}),
			"text"},
		"carousel, one with title": {cards(channel.Card{Title: "t", Text: "x", Choices: press(1)},
			channel.Card{Text: "y", Choices: press(1)}), "text"},
		"carousel with four choices": {cards(channel.Card{Text: "x", Choices: press(4)}, channel.Card{Text: "y", Choices: press(4)}),
			"text"},
		"carousel of ten":             {cards(repeat(channel.Card{Text: "x", Choices: press(1)}, 10)...), "carousel"},
		"confirm with 241 characters": {cards(channel.Card{Text: strings.Repeat("x", 241), Choices: press(2)}), "text"},
	} {
		require.Equal(t, c.want, shape(c.out), name)
	}
	poorer := mustRender(t, cards(channel.Card{Title: "T", Text: "x",
		Choices: append(press(5), channel.Choice{Label: "site", Kind: "uri", URI: "https://x.example/"})}))
	require.Equal(t, "T\nx\nsite: https://x.example/", poorer[0]["text"])
	require.Len(t, poorer[0]["quickReply"].(map[string]any)["items"], 5, "what can be pressed stays pressable")
	_, err := render(cards(repeat(channel.Card{Text: "x"}, 11)...), false)
	require.Error(t, err)
}

func repeat(c channel.Card, n int) []channel.Card {
	var all []channel.Card
	for range n {
		all = append(all, c)
	}
	return all
}

func TestChoicesAreCheckedAndLabelsShortened(t *testing.T) {
	ask := func(choice channel.Choice) (action, error) {
		q, err := renderChoices([]channel.Choice{choice})
		if err != nil {
			return action{}, err
		}
		return q.Items[0].Action, nil
	}
	act, err := ask(channel.Choice{Label: "a label of more than twenty", Kind: "message", Text: "whole text"})
	require.NoError(t, err)
	require.Equal(t, 20, kit.Graphemes(act.Label))
	require.Equal(t, "whole text", act.Text)
	for name, bad := range map[string]channel.Choice{
		"no label":         {Kind: "message", Text: "x"},
		"unknown kind":     {Label: "l", Kind: "teleport"},
		"text of 301":      {Label: "l", Kind: "message", Text: strings.Repeat("x", 301)},
		"no data":          {Label: "l", Kind: "postback"},
		"data of 301":      {Label: "l", Kind: "postback", Data: strings.Repeat("x", 301)},
		"javascript":       {Label: "l", Kind: "uri", URI: "javascript:alert(1)"},
		"address of 1,001": {Label: "l", Kind: "uri", URI: "https://x.example/" + strings.Repeat("a", 1000)},
	} {
		_, err := ask(bad)
		require.Error(t, err, name)
	}
	for _, uri := range []string{"https://x.example/", "http://x.example/", "line://ti/p/@a", "tel:021234567"} {
		_, err := ask(channel.Choice{Label: "l", Kind: "uri", URI: uri})
		require.NoError(t, err, uri)
	}
	long := content(channel.Text(strings.Repeat("x ", 3000)))
	long.Content.Choices = []channel.Choice{{Label: "l", Kind: "message"}}
	parts := mustRender(t, long)
	require.Nil(t, parts[0]["quickReply"])
	require.NotNil(t, parts[1]["quickReply"], "only the last message's are shown")
}

func TestSenderNameIsWhatLINEAccepts(t *testing.T) {
	name := func(s string) any {
		out := content(channel.Text("x"))
		out.SenderName, out.SenderIcon = s, "http://not.https/icon.png"
		from, ok := mustRender(t, out)[0]["sender"].(map[string]any)
		if !ok {
			return nil
		}
		return from["name"]
	}
	require.Equal(t, "김미나", name("김미나"))
	require.Equal(t, "Caroline", name("Caroline"), "the word, not the letters")
	require.Equal(t, "abcdefghijklmnopqrs…", name("abcdefghijklmnopqrstuvwxyz"))
	for _, s := range []string{"", "  ", "LINE", "LINE Shop", "my line shop", "OnLINE"} {
		require.Nil(t, name(s), s)
	}
	out := content(channel.Text("x"))
	out.SenderIcon = "https://cdn.example/icon.png"
	require.Equal(t, map[string]any{"iconUrl": "https://cdn.example/icon.png"}, mustRender(t, out)[0]["sender"])
}

func TestQuoteGoesWhereLINETakesIt(t *testing.T) {
	out := content(channel.Content{Kind: channel.KindImage, Text: "caption", QuoteHandle: "q1",
		Media: &channel.Media{URL: "https://cdn.example/a.jpg"}})
	got := mustRender(t, out)
	require.Nil(t, got[0]["quoteToken"])
	require.Equal(t, "q1", got[1]["quoteToken"])
}

func TestRich(t *testing.T) {
	rich := func(raw, text string) adapter.Outbound {
		out := content(channel.Content{Kind: channel.KindRich, Rich: json.RawMessage(raw), Text: text})
		out.SenderName = "Mina"
		return out
	}
	raw, err := render(rich(`{"type":"flex","altText":"<a>","contents":{"type":"bubble","size":1.0}}`, ""), false)
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"flex","altText":"<a>","contents":{"type":"bubble","size":1.0},"sender":{"name":"Mina"}}`, string(raw[0]))
	require.Contains(t, string(raw[0]), `"size":1.0`, "numbers stay as they were written")
	own, err := render(rich(`{"type":"text","text":"x","sender":{"name":"own"}}`, ""), false)
	require.NoError(t, err)
	require.Contains(t, string(own[0]), `"own"`)
	for _, foreign := range []string{`{"blocks":[]}`, `{"type":"mrkdwn"}`, `[1]`, `not json`, `{"type":"flex","x":"` + strings.Repeat("x",
		51<<10) + `"}`} {
		require.Equal(t, "in words", mustRender(t, rich(foreign, "in words"))[0]["text"])
		_, err := render(rich(foreign, ""), false)
		var se *adapter.SendError
		require.ErrorAs(t, err, &se)
		require.Equal(t, channel.ReasonUnsupported, se.Reason)
	}
}

// Only an emulator on this machine is given addresses of this machine.
func TestFilesOfThisMachineAreForAnEmulatorHere(t *testing.T) {
	for address, near := range map[string]bool{"http://127.0.0.1:8080/a.png": true, "http://localhost/사진.png": true,
		"http://shop.example/a.png": false,
		"ftp://127.0.0.1/a":         false, "https://shop.example/a.png": true} {
		_, err := render(content(channel.Content{Kind: channel.KindImage, Media: &channel.Media{URL: address}}), true)
		require.Equal(t, near, err == nil, address)
	}
	_, err := render(content(channel.Content{Kind: channel.KindImage, Media: &channel.Media{URL: "http://127.0.0.1/a.png"}}), false)
	require.Error(t, err, "LINE fetches over https alone")
}
