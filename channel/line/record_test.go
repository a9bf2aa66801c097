package line_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// reads is a handler that reads the body and answers with the status.
func reads(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
	})
}

func post(h http.Handler, path, body string) int {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code
}

// A recording is letters by chance, and four of them may spell a name: of some
// two hundred recordings one held "joon". So a day is recorded by several at
// once, each with a key of its own. What leaks is in all of them, what chance
// spells is in one.
const recorders = 4

// inNone fails when a piece is in the recordings, not by chance in one of them.
func inNone(t testing.TB, recordings []string, piece string, why ...any) {
	t.Helper()
	for _, one := range recordings {
		if !strings.Contains(one, piece) {
			return
		}
	}
	require.NotContains(t, recordings[0], piece, why...)
}

// scrubbed records one body and returns it as it was written.
func scrubbed(t testing.TB, body string) string {
	t.Helper()
	var file bytes.Buffer
	rec := line.NewRecorder(&file)
	require.Equal(t, 200, post(rec.Wrap(reads(200)), "/webhooks/line", body))
	require.NoError(t, rec.Close())
	all, err := linetest.ReadRecorded(&file)
	require.NoError(t, err)
	require.Len(t, all, 1)
	return string(all[0].Body)
}

// livelyDay lets customers do everything that the emulator knows and returns
// what was sent and what each recorder wrote of it.
func livelyDay(t *testing.T) (sent [][]byte, files []string) {
	t.Helper()
	var out [recorders]bytes.Buffer
	var all [recorders]*line.Recorder
	desk := reads(200)
	for i := range all {
		all[i] = line.NewRecorder(&out[i])
		desk = all[i].Wrap(desk)
	}
	hook := httptest.NewServer(desk)
	defer hook.Close()
	srv := linetest.New(linetest.Options{WebhookURL: hook.URL + "/webhooks/SECRETTOKEN0123456789", Seed: 7})
	defer srv.Close()
	mina, joon, sora := srv.User("김미나"), srv.User("Joon Park"), srv.User("Sora")
	mina.Follow()
	first := mina.SendText("제 카드 번호는 4111-1111-1111-1111 입니다")
	mina.Send(linetest.Text("secret quote 👍🏽").Quoting(first.MessageID))
	mina.Send(srv.MarkedText("안녕 😀 (moon) bye", linetest.Mark{Piece: "(moon)", ProductID: "5ac1bfd5040ab15980c9b435", EmojiID: "001"}))
	group := srv.Group("Family of Mina", mina, joon)
	marked := group.Send(joon, srv.MarkedText("👨‍👩‍👧 @김미나 and @everybody, look", linetest.Mark{Piece: "@김미나", User: mina},
		linetest.Mark{Piece: "@everybody", All: true}))
	_, err := group.Edit(marked.MessageID, "edited secret text")
	require.NoError(t, err)
	group.Add(sora)
	group.Remove(sora)
	room := srv.Room(mina, sora)
	room.SendText(sora, "room secret")
	joon.Send(linetest.Sticker("446", "1988", "keyword-of-joon", "happy-joon"))
	joon.Send(linetest.Location("Joon's home", "서울시 종로구 1번지", 37.5796, 126.9770))
	joon.Send(linetest.File("passport of joon.pdf", "application/pdf", []byte("pdf")))
	joon.Send(linetest.File("minutes.JoonPark", "text/plain", []byte("x")))
	joon.Send(linetest.Video("video/mp4", []byte("mp4"), 3*time.Second, 0))
	joon.Send(linetest.ExternalImage("https://cdn.example.com/joon/face.jpg", "https://cdn.example.com/joon/small.jpg"))
	joon.SendAlbum(linetest.Image("image/jpeg", []byte("1")), linetest.Image("image/jpeg", []byte("2")))
	joon.Send(linetest.Unknown("hologram"))
	joon.SendUnknown("teleport")
	joon.PressPostback("order=4711&customer=joon", map[string]string{"date": "1999-12-31"})
	joon.EnterBeacon("d41d8cd98f", "enter")
	joon.JoinMembership("joined", 3189)
	joon.FinishVideo("track-joon-17")
	_, err = mina.Unsend(first.MessageID)
	require.NoError(t, err)
	group.Dismiss()
	mina.Unfollow()
	for _, raw := range []string{
		`{"type":"accountLink","webhookEventId":"LINK1","timestamp":1789000000000,"link":{"result":"ok","nonce":"nonce-of-mina"},` +
			`"source":{"type":"user","userId":"` + mina.ID() + `"}}`,
		`{"type":"delivery","webhookEventId":"DELIV","timestamp":1789000000001,"delivery":{"data":"15034552939884e28681a7d668ce94c1"}}`,
		`{"type":"message","webhookEventId":"ODD","timestamp":1789000000002,"Mina Kim":{"type":"Mina","phone":821012345678},` +
			`"source":{"type":"user","userId":821012345678,"nickname":"Mimi Kim"},"message":{"id":7,"type":"text","text":"x y z",` +
			`"sender":{"type":"ominous"}}}`,
	} {
		srv.SendRaw(json.RawMessage(raw))
	}
	require.NoError(t, srv.WaitIdle(t.Context()))
	for i, rec := range all {
		require.NoError(t, rec.Close())
		files = append(files, out[i].String())
	}
	for _, hook := range srv.Webhooks() {
		sent = append(sent, hook.Body)
	}
	return sent, files
}

// structural are the names of fields whose strings may stay.
var structural = []string{"type", "mode", "webhookEventId", "id", "messageId", "quotedMessageId", "packageId", "stickerId",
	"stickerResourceType", "productId", "emojiId", "result", "status", "reason"}

// leaves calls visit for every string and number with the name of its field.
func leaves(name string, v any, visit func(name, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, one := range v {
			leaves(k, one, visit)
		}
	case []any:
		for _, one := range v {
			leaves(name, one, visit)
		}
	case string:
		visit(name, v)
	case json.Number:
		visit(name, v.String())
	}
}

func decode(t testing.TB, raw []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&v))
	return v
}

func TestARecordingHoldsNothingPrivate(t *testing.T) {
	sent, files := livelyDay(t)
	looked := 0
	for _, body := range sent {
		leaves("", decode(t, body), func(name, value string) {
			if slices.Contains(structural, name) && value != "Mina" && value != "ominous" || len(value) < 6 || name == "timestamp" {
				return
			}
			looked++
			inNone(t, files, value, "of %s", name)
			quoted, err := json.Marshal(value)
			require.NoError(t, err)
			inNone(t, files, strings.Trim(string(quoted), `"`), "of %s", name)
		})
	}
	require.Greater(t, looked, 100)
	for _, piece := range []string{"미나", "Mina", "Joon", "joon", "Sora", "secret", "SECRET", "4111-1111", "37.5", "126.9", "821012345",
		"cdn.example", "nonce-of",
		"Signature", "signature", "novelty", "nickname", "phone", "ominous", "Mimi", "1999-12"} {
		inNone(t, files, piece)
	}
	for _, piece := range []string{".pdf", "teleport", "hologram", "446", "1988", "5ac1bfd5040ab15980c9b435", `"membershipId":3189`,
		"LineBotWebhook/2.0", `"path":"/webhooks/`} {
		require.Contains(t, files[0], piece, "needed to play it again")
	}
}

func TestARecordingParsesToTheSame(t *testing.T) {
	sent, files := livelyDay(t)
	recordings, err := linetest.ReadRecorded(strings.NewReader(files[0]))
	require.NoError(t, err)
	require.Len(t, recordings, len(sent))
	ad, err := line.New(line.Options{})
	require.NoError(t, err)
	acct := channel.Account{ID: "a", Kind: line.Kind, Settings: json.RawMessage(`{"channel_id":"1"}`),
		Secrets: map[string]channel.Secret{line.SecretChannel: channel.NewSecret("s"), line.SecretToken: channel.NewSecret("t")}}
	envelopes := func(body []byte) []adapter.Envelope {
		got, err := ad.Receive(acct, adapter.Request{Method: "POST", Body: body,
			Header: http.Header{"X-Line-Signature": {line.Sign(channel.NewSecret("s"), body)}}})
		require.NoError(t, err)
		return got.Envelopes
	}
	forth, back := map[string]string{}, map[string]string{} // chats and people
	same := func(was, is string) {
		if forth[was] == "" && back[is] == "" {
			forth[was], back[is] = is, was
		}
		require.Equal(t, is, forth[was])
		require.Equal(t, was, back[is])
	}
	spans := 0
	for i, body := range sent {
		copied, err := recordings[i].Bytes()
		require.NoError(t, err)
		was, is := envelopes(body), envelopes(copied)
		require.Len(t, is, len(was))
		for j := range was {
			require.Equal(t, was[j].DedupKey, is[j].DedupKey)
			was[j].ReceivedAt, is[j].ReceivedAt = was[j].OccurredAt, is[j].OccurredAt
			a, err := ad.Parse(acct, was[j])
			require.NoError(t, err)
			b, err := ad.Parse(acct, is[j])
			require.NoError(t, err)
			same(a.Chat.ID, b.Chat.ID)
			same(string(a.Author.User), string(b.Author.User))
			if strings.HasPrefix(a.Chat.ID, "U") {
				require.Regexp(t, regexp.MustCompile("^U[0-9a-f]{32}$"), b.Chat.ID)
			}
			require.Equal(t, []any{a.Kind, a.Type, a.MessageID, a.OccurredAt, a.Chat.Kind, a.Silent, a.Reply == nil,
				len(a.Members), a.Content.Kind, a.Content.QuoteOf},
				[]any{b.Kind, b.Type, b.MessageID, b.OccurredAt, b.Chat.Kind, b.Silent, b.Reply == nil, len(b.Members), b.Content.Kind,
					b.Content.QuoteOf})
			require.Len(t, utf16.Encode([]rune(b.Content.Text)), len(utf16.Encode([]rune(a.Content.Text))))
			require.Len(t, b.Content.Spans, len(a.Content.Spans))
			for k, span := range a.Content.Spans {
				spans++
				before := len(utf16.Encode([]rune(a.Content.Text[:span.Start])))
				length := len(utf16.Encode([]rune(a.Content.Text[span.Start : span.Start+span.Length])))
				require.Equal(t, []any{before, length, span.Kind},
					[]any{b.Content.Spans[k].Start, b.Content.Spans[k].Length, b.Content.Spans[k].Kind}, "letters have one byte")
				if span.Kind == "mention" {
					same(span.Ref, b.Content.Spans[k].Ref)
				}
			}
			if m := a.Content.Media; m != nil {
				require.Equal(t, []any{m.State, m.Size, m.Duration, m.SetID, m.SetIndex, m.Provider},
					[]any{b.Content.Media.State, b.Content.Media.Size, b.Content.Media.Duration,
						b.Content.Media.SetID, b.Content.Media.SetIndex, b.Content.Media.Provider})
			}
			if a.Content.Location != nil {
				require.Zero(t, b.Content.Location.Latitude)
				require.Zero(t, b.Content.Location.Longitude)
			}
		}
	}
	require.GreaterOrEqual(t, spans, 3)
}

func TestWhatIsNotRecorded(t *testing.T) {
	good := `{"destination":"U0","events":[]}`
	unread := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.ReadFull(r.Body, make([]byte, 5)) })
	late := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	for _, c := range []struct {
		name, body string
		next       http.Handler
		lines      int
	}{
		{"accepted", good, reads(200), 1},
		{"accepted otherwise", good, reads(204), 1},
		{"refused", good, reads(401), 0},
		{"not stored", good, reads(503), 0},
		{"not stored, after a hint", good, late, 0},
		{"a redirect", good, reads(302), 0},
		{"not read to its end", good, unread, 0},
		{"too large", `{"x":"` + strings.Repeat("x", line.MaxWebhookBytes) + `"}`, reads(200), 0},
		{"no JSON", "secret=1", reads(200), 0},
		{"no object", `["secret"]`, reads(200), 0},
		{"nested too deeply", strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200), reads(200), 0},
		{"empty", "", reads(200), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var file bytes.Buffer
			rec := line.NewRecorder(&file)
			post(rec.Wrap(c.next), "/hook", c.body)
			require.NoError(t, rec.Close())
			require.Equal(t, c.lines, strings.Count(file.String(), "\n"), "%s", file.String())
		})
	}
	t.Run("after Close", func(t *testing.T) {
		var file bytes.Buffer
		rec := line.NewRecorder(&file)
		require.NoError(t, rec.Close())
		require.Equal(t, 200, post(rec.Wrap(reads(200)), "/hook", good))
		require.NoError(t, rec.Close())
		require.Empty(t, file.String())
	})
}

func TestOtherHeadersAndPathsAreNotKept(t *testing.T) {
	var file bytes.Buffer
	rec := line.NewRecorder(&file)
	req := httptest.NewRequest(http.MethodPost, "/webhooks/0b9d6a3e-1111-4222-8333-944445555666?key=query-secret",
		strings.NewReader(`{"events":[]}`))
	for name, value := range map[string]string{"X-Line-Signature": "sig-secret", "Authorization": "Bearer secret",
		"Cookie":     "session=secret",
		"User-Agent": "Mina's phone secret", "Content-Type": "text/secret", "X-Forwarded-For": "203.0.113.9"} {
		req.Header.Set(name, value)
	}
	rec.Wrap(reads(200)).ServeHTTP(httptest.NewRecorder(), req)
	require.NoError(t, rec.Close())
	require.Regexp(t, `^\{"path":"/webhooks/[a-z]{36}","headers":\{\},"body":\{"events":\[\]\}\}`+"\n$", file.String())
}

func TestValuesAtThePlacesThatAreKept(t *testing.T) {
	for _, c := range []struct{ name, in, gone string }{
		{"a sentence as a type", `{"events":[{"type":"Mina Kim"}]}`, "Mina Kim"},
		{"a list as a type", `{"events":[{"type":["Mina"]}]}`, "Mina"},
		{"a user id as a message id", `{"events":[{"message":{"id":"U0123456789abcdef0123456789abcdef"}}]}`, "0123456789abcdef"},
		{"a text as a time", `{"events":[{"timestamp":"Mina"}]}`, "Mina"},
		{"a type elsewhere", `{"events":[{"extra":{"type":"Mina"}}]}`, "Mina"},
		{"a field with a dot", `{"events.type":"Mina","events":[{"source.type":"Mina"}]}`, "Mina"},
		{"a number elsewhere", `{"events":[{"message":{"phone":821012345678}}]}`, "82101"},
		{"an escaped name", `{"events":[{"\u004dina":1,"message":{"text":"\u004dina"}}]}`, "ina"},
		{"coordinates", `{"events":[{"message":{"latitude":37.5796,"longitude":"126.977"}}]}`, "7.5796"},
		{"an address without a scheme", `{"events":[{"message":{"contentProvider":{"originalContentUrl":"cdn.example.com/mina"}}}]}`,
			"mina"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for range recorders {
				got = append(got, scrubbed(t, c.in))
			}
			inNone(t, got, c.gone)
			require.True(t, json.Valid([]byte(got[0])))
		})
	}
	dummy := `{"events":[{"replyToken":"00000000000000000000000000000000"}]}`
	require.Equal(t, dummy, scrubbed(t, dummy), "LINE's own test token")
}

// blocked is a writer that is stuck until it is released.
type blocked struct {
	begun, release chan struct{}
	once           sync.Once
	bytes.Buffer
}

func (b *blocked) Write(p []byte) (int, error) {
	b.once.Do(func() { close(b.begun) })
	<-b.release
	return b.Buffer.Write(p)
}

func TestASlowFileHoldsUpNoWebhook(t *testing.T) {
	file := &blocked{begun: make(chan struct{}), release: make(chan struct{})}
	rec := line.NewRecorder(file)
	told := 0
	rec.OnError = func(err error) { told++; require.ErrorContains(t, err, "faster") }
	h := rec.Wrap(reads(200))
	require.Equal(t, 200, post(h, "/hook", `{"events":[]}`))
	<-file.begun
	large := `{"events":[{"message":{"text":"` + strings.Repeat("x", 1<<20) + `"}}]}`
	for range 40 {
		require.Equal(t, 200, post(h, "/hook", large))
	}
	close(file.release)
	require.ErrorContains(t, rec.Close(), "faster")
	require.Equal(t, 1, told)
	lines := strings.Count(file.String(), "\n")
	require.Greater(t, lines, 10)
	require.Less(t, lines, 20, "what waits is bounded")
}

type failing struct{ writes int }

func (f *failing) Write(p []byte) (int, error) {
	f.writes++
	return len(p) / 2, errors.New("disk full")
}

func TestAFailedWriteIsToldOnceAndFailsNoWebhook(t *testing.T) {
	file, told := &failing{}, make(chan error, 10)
	rec := line.NewRecorder(file)
	rec.OnError = func(err error) { told <- err }
	h := rec.Wrap(reads(200))
	require.Equal(t, 200, post(h, "/hook", `{"events":[]}`))
	require.ErrorContains(t, <-told, "disk full")
	for range 5 {
		require.Equal(t, 200, post(h, "/hook", `{"events":[]}`))
	}
	require.ErrorContains(t, rec.Close(), "disk full")
	require.Empty(t, told)
	require.Equal(t, 1, file.writes, "nothing is written behind half a line")
}

func TestManyAtOnce(t *testing.T) {
	var file bytes.Buffer
	rec := line.NewRecorder(&file)
	h := rec.Wrap(reads(200))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 50 {
				post(h, "/webhooks/line", fmt.Sprintf(`{"events":[{"webhookEventId":"E%d-%d","source":{"userId":"U%032x"}}]}`, i, j, i))
			}
		})
	}
	group.Wait()
	require.NoError(t, rec.Close())
	all, err := linetest.ReadRecorded(&file)
	require.NoError(t, err)
	require.Len(t, all, 400)
	people := map[string]bool{}
	for _, one := range all {
		leaves("", decode(t, one.Body), func(name, value string) {
			if name == "userId" {
				people[value] = true
			}
		})
	}
	require.Len(t, people, 8, "the same person stays the same")
}

func TestEachRecorderHasItsOwnKey(t *testing.T) {
	body := `{"events":[{"message":{"text":"always the same"}}]}`
	require.NotEqual(t, scrubbed(t, body), scrubbed(t, body))
}

// Whatever is recorded is JSON of the same shape, and no text of it is in the
// file.
func FuzzRecorder(f *testing.F) {
	for _, seed := range []string{`{"events":[]}`,
		`{"events":[{"type":"message","message":{"text":"안녕 😀","emojis":[{"index":3,"length":2}]}}]}`,
		`{"a":{"a":[1,-0.5e3,true,null,"\ud800"]},"a":"\u0000"}`, `{"events":[{"message":{"fileName":".pdf"}}]}`,
		` { "x" : [ [ ] , { } ] } `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var file bytes.Buffer
		rec := line.NewRecorder(&file)
		post(rec.Wrap(reads(200)), "/hook", body)
		require.NoError(t, rec.Close())
		if file.Len() == 0 {
			return
		}
		require.Equal(t, 1, strings.Count(file.String(), "\n"))
		all, err := linetest.ReadRecorded(bytes.NewReader(file.Bytes()))
		require.NoError(t, err)
		got := string(all[0].Body)
		leaves("", decode(t, []byte(body)), func(_, value string) {
			if len(value) > 6 && strings.ContainsAny(value, " \t\n,;:äöü김미나") {
				require.NotContains(t, got, value)
			}
		})
	})
}

// A recording keeps how webhooks are built, and not what was in them.
func ExampleRecorder() {
	var file bytes.Buffer
	rec := line.NewRecorder(&file)
	webhook := rec.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // Engine.Webhooks() in a real program
	}))
	body := `{"events":[{"type":"message","message":{"id":"5001","type":"text","text":""}}]}`
	webhook.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/webhooks/line", strings.NewReader(body)))
	if err := rec.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(file.String())
	// Output:
	// {"path":"/webhooks/line","headers":{},"body":{"events":[{"type":"message","message":{"id":"5001","type":"text","text":""}}]}}
}
