package sangdam_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// minaID is a LINE user id.
const minaID = "U0123456789abcdef0123456789abcdef"

// event is a text message event as LINE sends it; at is seconds after the
// bubble's beginning.
func event(id, text string, at int) string {
	return fmt.Sprintf(`{"type":"message","webhookEventId":"01H%s","timestamp":%d,"mode":"active","replyToken":"rt-%s",`+
		`"deliveryContext":{"isRedelivery":false},`+
		`"source":{"type":"user","userId":"%s"},"message":{"type":"text","id":"9%s","text":%q}}`, id,
		time.Now().UnixMilli()+int64(at)*1000, id,
		minaID, id, text)
}

func bodyOf(events ...string) []byte {
	return []byte(`{"destination":"U00000000000000000000000000000000","events":[` + strings.Join(events, ",") + `]}`)
}

// post sends a webhook to the account's address and returns the status.
func (w *world) post(body []byte, header http.Header) int {
	return w.postTo(w.acct.Token, bytes.NewReader(body), header).Code
}

func (w *world) postTo(token string, body io.Reader, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+token, body)
	for k, v := range header {
		r.Header[k] = v
	}
	out := httptest.NewRecorder()
	w.eng.Webhooks().ServeHTTP(out, r)
	return out
}

// signed is the header that LINE puts on the body.
func (w *world) signed(body []byte) http.Header {
	return http.Header{"X-Line-Signature": {linetest.Sign(w.line.ChannelSecret(), body)}}
}

// nothingStored requires that no trace of a refused request is left.
func (w *world) nothingStored() {
	w.t.Helper()
	w.settle()
	require.Empty(w.t, w.conversations())
	q, err := w.eng.Quarantined(w.ctx, w.host, 100)
	require.NoError(w.t, err)
	require.Empty(w.t, q)
	found, err := w.eng.FindContacts(w.ctx, w.host, "", 100)
	require.NoError(w.t, err)
	require.Empty(w.t, found)
}

// Whatever is not exactly LINE's signature of exactly these bytes is
// refused, and nothing is stored.
func TestWebhooksWithABadSignatureAreRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", "hello", 0))
		good := linetest.Sign(w.line.ChannelSecret(), body)
		raw, err := base64.StdEncoding.DecodeString(good)
		require.NoError(t, err)
		flipped := bytes.Clone(raw)
		flipped[31] ^= 1
		for name, signature := range map[string][]string{
			"missing":               nil,
			"empty":                 {""},
			"short":                 {base64.StdEncoding.EncodeToString(raw[:16])},
			"one byte short":        {base64.StdEncoding.EncodeToString(raw[:31])},
			"long":                  {base64.StdEncoding.EncodeToString(append(bytes.Clone(raw), 0))},
			"truncated text":        {good[:20]},
			"without padding":       {strings.TrimRight(good, "=")},
			"other case":            {swapCase(good)},
			"hexadecimal":           {fmt.Sprintf("%x", raw)},
			"not base64":            {strings.Repeat("!", 44)},
			"one bit changed":       {base64.StdEncoding.EncodeToString(flipped)},
			"twice":                 {good, good},
			"with a line break":     {good[:20] + "\n" + good[20:]},
			"another body's":        {linetest.Sign(w.line.ChannelSecret(), append(bytes.Clone(body), ' '))},
			"another secret's":      {linetest.Sign("another secret", body)},
			"of the empty secret":   {linetest.Sign("", body)},
			"of the channel token":  {linetest.Sign(w.line.ChannelToken(), body)},
			"zero bytes":            {base64.StdEncoding.EncodeToString(make([]byte, 32))},
			"two, the second wrong": {good, linetest.Sign("another secret", body)},
		} {
			header := http.Header{}
			if signature != nil {
				header["X-Line-Signature"] = signature
			}
			require.Equal(t, http.StatusUnauthorized, w.post(body, header), name)
		}
		for i := range body { // every byte counts
			changed := bytes.Clone(body)
			changed[i] ^= 1
			require.Equal(t, http.StatusUnauthorized, w.post(changed, w.signed(body)), "byte %d", i)
		}
		utf16 := []byte("\xff\xfe" + strings.Join(strings.Split(string(body), ""), "\x00"))
		require.Equal(t, http.StatusUnauthorized, w.post(utf16, w.signed(body)), "another charset")
		w.nothingStored()
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)), "the good one")
	})
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 32
		case 'A' <= r && r <= 'Z':
			return r + 32
		}
		return r
	}, s)
}

// An encoded body is not the signed bytes; one in chunks is.
func TestEncodedWebhooksAreRefusedAndChunkedOnesTaken(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", "hello", 0))
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, err := z.Write(body)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		for _, signed := range [][]byte{body, zipped.Bytes()} {
			header := w.signed(signed)
			header.Set("Content-Encoding", "gzip")
			require.Equal(t, http.StatusUnauthorized, w.post(zipped.Bytes(), header))
		}
		w.nothingStored()

		pieces, ends := io.Pipe()
		go func() {
			for chunk := range slices.Chunk(body, 7) {
				_, _ = ends.Write(chunk)
			}
			_ = ends.Close()
		}()
		require.Equal(t, http.StatusOK, w.postTo(w.acct.Token, pieces, w.signed(body)).Code)
		w.settle()
		require.Equal(t, "hello", w.only().Messages[0].Content.Text)
	})
}

func TestABodyThatBreaksOffIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", "hello", 0))
		broken := io.MultiReader(bytes.NewReader(body[:50]), failing{})
		require.Equal(t, http.StatusBadRequest, w.postTo(w.acct.Token, broken, w.signed(body)).Code)
		w.nothingStored()
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// secondAccount adds another LINE account with a secret of its own.
func (w *world) secondAccount() channel.Account {
	w.t.Helper()
	acct, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "Other shop",
		Desk: "support", WorkStream: "line",
		Settings: w.acct.Settings, Secrets: map[string]channel.Secret{"channel_secret": channel.NewSecret("the other secret"),
			"channel_token": channel.NewSecret("other-token")}}})
	require.NoError(w.t, err)
	return acct.Account
}

// What is signed for one account is refused at another.
func TestASignatureOfAnotherAccountIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		other := w.secondAccount()
		body := bodyOf(event("1", "hello", 0))
		require.Equal(t, http.StatusUnauthorized, w.postTo(other.Token, bytes.NewReader(body), w.signed(body)).Code)
		theirs := http.Header{"X-Line-Signature": {linetest.Sign("the other secret", body)}}
		require.Equal(t, http.StatusUnauthorized, w.post(body, theirs))
		w.nothingStored()
		require.Equal(t, http.StatusOK, w.postTo(other.Token, bytes.NewReader(body), theirs).Code)
	})
}

// On this channel too an empty secret is refused, never "skip verification".
func TestAnAccountWithoutASecretIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		for name, secrets := range map[string]map[string]channel.Secret{
			"none":            nil,
			"empty":           {"channel_secret": channel.NewSecret(""), "channel_token": channel.NewSecret("t")},
			"token alone":     {"channel_token": channel.NewSecret("t")},
			"only the next's": {"channel_secret_next": channel.NewSecret("s"), "channel_token": channel.NewSecret("t")},
		} {
			_, err := w.eng.SaveAccount(w.ctx, w.host,
				sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "X", Desk: "support",
					WorkStream: "line", Settings: w.acct.Settings, Secrets: secrets}})
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
		}
		// An empty secret does not replace one that is set.
		acct := w.acct
		acct.Secrets = map[string]channel.Secret{"channel_secret": channel.NewSecret("")}
		_, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		body := bodyOf(event("1", "hello", 0))
		require.Equal(t, http.StatusUnauthorized, w.post(body, http.Header{"X-Line-Signature": {linetest.Sign("", body)}}))
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
	})
}

// A body of 10 MB is refused before it is read; the memory stays flat.
func TestATooLargeBodyIsRefusedWithFlatMemory(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", strings.Repeat("x", 10<<20), 0))
		header := w.signed(body)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.post(body, header))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const rounds = 10
		for range rounds {
			require.Equal(t, http.StatusRequestEntityTooLarge, w.postTo(w.acct.Token, endless(10<<20), header).Code)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/rounds, uint64(16<<20), "bytes allocated for one refused body")
		w.nothingStored()
	})
}

// endless is a body of n bytes that nobody holds in memory.
func endless(n int64) io.Reader { return io.LimitReader(spaces{}, n) }

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// Signed, but not a webhook: 400, nothing stored.
func TestSignedNonsenseIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		for name, body := range map[string]string{
			"empty":                  "",
			"null":                   "null",
			"an array":               "[]",
			"cut off":                string(bodyOf(event("1", "hello", 0)))[:100],
			"events missing":         `{"destination":"x"}`,
			"events null":            `{"events":null}`,
			"events a string":        `{"events":"none"}`,
			"events an object":       `{"events":{}}`,
			"nested arrays":          `{"events":[` + strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000) + `]}`,
			"nested objects":         strings.Repeat(`{"events":`, 100_000) + "[]" + strings.Repeat("}", 100_000),
			"nested and never ended": strings.Repeat(`[`, 1_000_000),
			"two values":             `{"events":[]}{"events":[]}`,
			"not UTF-8 JSON":         "\x00\x01\x02",
		} {
			require.Equal(t, http.StatusBadRequest, w.post([]byte(body), w.signed([]byte(body))), name)
		}
		w.nothingStored()
	})
}

// Of repeated keys the last counts, for the signature as for the meaning;
// nothing is merged from both.
func TestOfDuplicateKeysTheLastCounts(t *testing.T) {
	inWorld(t, func(w *world) {
		body := []byte(`{"events":[` + event("1", "first", 0) + `],"events":[` + strings.Replace(event("2", "second", 0), `"text":"second"`,
			`"text":"hidden","text":"shown"`, 1) + `]}`)
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		w.settle()
		require.Equal(t, []string{"shown", "Hello!"}, texts(w.only()))
	})
}

// Bad events among good ones: the good ones live, the bad ones are visible and
// can be tried again.
func TestSiblingsOfABadEventSurvive(t *testing.T) {
	bad := map[string]string{
		"a number":         `7`,
		"null":             `null`,
		"a string":         `"hello"`,
		"an array":         `[]`,
		"no type":          `{"source":{"type":"user","userId":"` + minaID + `"}}`,
		"type a number":    `{"type":5,"timestamp":"soon"}`,
		"no source":        `{"type":"message","timestamp":1700000000000,"message":{"type":"text","id":"1","text":"who?"}}`,
		"source a string":  `{"type":"message","source":"user","message":{"type":"text","id":"1","text":"who?"}}`,
		"user id a number": `{"type":"follow","source":{"type":"user","userId":{}}}`,
		"unsend of what?":  `{"type":"unsend","source":{"type":"user","userId":"` + minaID + `"},"unsend":[]}`,
		"message a string": `{"type":"message","source":{"type":"user","userId":"` + minaID + `"},"message":"hi"}`,
	}
	for name, raw := range bad {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				body := bodyOf(event("1", "before", 0), raw, event("2", "after", 1))
				require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
				w.settle()
				d := w.only()
				require.Subset(t, texts(d), []string{"before", "after"})
				q, err := w.eng.Quarantined(w.ctx, w.host, 10)
				require.NoError(t, err)
				if len(q) == 0 { // understood in part: it must be visible in the conversation
					require.Contains(t, []string{"message a string"}, name)
					require.Len(t, d.Messages, 4)
					return
				}
				require.Len(t, q, 1)
				require.Equal(t, raw, string(q[0].Envelope.Raw), "kept as it came")
				require.NotEmpty(t, q[0].Reason)
				require.NotContains(t, q[0].Reason, "who?")

				w.halt() // else it may be set aside again between the two calls
				require.NoError(t, w.eng.Requeue(w.ctx, w.host, sangdam.Requeue{Envelope: q[0].Envelope.ID}))
				require.Error(t, w.eng.Requeue(w.ctx, w.host, sangdam.Requeue{Envelope: q[0].Envelope.ID}), "once")
				w.start()
				w.settle()
				again, err := w.eng.Quarantined(w.ctx, w.host, 10)
				require.NoError(t, err)
				require.Len(t, again, 1, "still bad")
				require.ErrorIs(t, w.eng.Requeue(w.ctx, w.host, sangdam.Requeue{Envelope: "none"}), sangdam.ErrNotFound)
				rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
				require.NoError(t, err)
				require.Equal(t, string(sangdam.ActOperate), rows[len(rows)-1].Action)

				// Ended bad ones do not hold up their lane.
				w.line.User("Someone").SendText("hi")
				w.settle()
				require.Len(t, w.conversations(), 2)
			})
		})
	}
}

// An old body that is played again, and LINE's own redelivery, have one
// effect.
func TestReplaysAndRedeliveriesHaveOneEffect(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", "hello", 0), event("2", "again", 1))
		for range 5 {
			require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
			w.settle()
		}
		redelivered := bytes.ReplaceAll(body, []byte(`"isRedelivery":false`), []byte(`"isRedelivery":true`))
		require.NotEqual(t, body, redelivered)
		require.Equal(t, http.StatusOK, w.post(redelivered, w.signed(redelivered)))
		// The same message under another event id.
		other := bytes.ReplaceAll(body, []byte(`"webhookEventId":"01H`), []byte(`"webhookEventId":"01J`))
		require.Equal(t, http.StatusOK, w.post(other, w.signed(other)))
		w.restart()
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		w.settle()
		require.Equal(t, []string{"hello", "Hello!", "again"}, texts(w.only()))
		w.jump(8 * 24 * time.Hour) // raw envelopes are purged, keys are not
		w.pass(2 * time.Minute)
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		w.jump(100 * 24 * time.Hour) // keys are purged, messages' ids are for ever
		w.pass(2 * time.Minute)
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		w.settle()
		require.Equal(t, []string{"hello", "Hello!", "again"}, texts(w.only()))
	})
}

// An event without an id is recognised by its content.
func TestRedeliveryOfAnEventWithoutAnIDIsRecognised(t *testing.T) {
	inWorld(t, func(w *world) {
		raw := `{"type":"follow","timestamp":1700000000000,"source":{"type":"user","userId":"` + minaID +
			`"},"deliveryContext":{"isRedelivery":false}}`
		fresh := 0
		_, begun, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		body := bodyOf(raw)
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		again := bytes.ReplaceAll(body, []byte("false"), []byte("true"))
		require.Equal(t, http.StatusOK, w.post(again, w.signed(again)))
		w.settle()
		evs, _, err := w.eng.Events(w.ctx, w.host, begun, 1000)
		require.NoError(t, err)
		for _, e := range evs {
			if e.Kind == "follow" {
				fresh++
			}
		}
		require.Equal(t, 1, fresh)
	})
}

// What this version does not know is answered 200 and kept as it came.
func TestUnknownEventsAreKept(t *testing.T) {
	inWorld(t, func(w *world) {
		raw := `{"type":"hologram","webhookEventId":"01HX","timestamp":1700000000000,"source":{"type":"user","userId":"` + minaID +
			`"},"things":{"a":[1e3]}}`
		body := bodyOf(raw)
		_, begun, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		w.settle()
		require.Empty(t, w.conversations())
		evs, _, err := w.eng.Events(w.ctx, w.host, begun, 1000)
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(evs, func(e store.Event) bool { return e.Kind == "unsupported:hologram" }))
		w.line.User("Mina").Send(linetest.Unknown("hologram"))
		w.settle()
		d := w.only()
		require.Equal(t, channel.KindUnsupported, d.Messages[0].Content.Kind, "an unknown message is shown as such")
		q, err := w.eng.Quarantined(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Empty(t, q)
	})
}

// LINE's own test of the address.
func TestTheEmptyWebhookIsAnsweredAndHasNoEffect(t *testing.T) {
	inWorld(t, func(w *world) {
		require.Equal(t, http.StatusOK, w.line.SendVerify())
		body := []byte(`{"destination":"<script>alert(1)</script>","events":[]}`)
		out := w.postTo(w.acct.Token, bytes.NewReader(body), w.signed(body))
		require.Equal(t, http.StatusOK, out.Code)
		require.NotContains(t, out.Body.String(), "script")
		require.Equal(t, "nosniff", out.Header().Get("X-Content-Type-Options"))
		require.True(t, strings.HasPrefix(out.Header().Get("Content-Type"), "text/plain"))
		r := httptest.NewRequest(http.MethodGet, "/webhooks/"+w.acct.Token+"?<script>", nil)
		got := httptest.NewRecorder()
		w.eng.Webhooks().ServeHTTP(got, r)
		require.Equal(t, http.StatusMethodNotAllowed, got.Code)
		require.NotContains(t, got.Body.String(), "script")
		require.Equal(t, "nosniff", got.Header().Get("X-Content-Type-Options"))
		w.nothingStored()
	})
}

func TestUnknownAndDisabledAccountsAreNotFound(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", "hello", 0))
		for _, token := range []string{"none", "", strings.Repeat("x", 300), string(w.acct.ID), "..", w.acct.Token + "x",
			strings.ToUpper(w.acct.Token)} {
			require.Equal(t, http.StatusNotFound, w.postTo(token, bytes.NewReader(body), w.signed(body)).Code, token)
		}
		acct := w.acct
		acct.Disabled = true
		saved, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		acct = saved.Account
		require.Equal(t, http.StatusNotFound, w.post(body, w.signed(body)))
		w.nothingStored()
		acct.Disabled = false
		_, err = w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
	})
}

// Under rivals: one event on many connections at once.
func TestDuplicatesInParallelAreOneMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", "hello", 0))
		var group sync.WaitGroup
		for range 64 {
			group.Go(func() {
				if status := w.post(body, w.signed(body)); status != http.StatusOK {
					t.Errorf("answered %d", status)
				}
			})
		}
		group.Wait()
		w.settle()
		require.Equal(t, []string{"hello", "Hello!"}, texts(w.only()))
	})
}

// Chatwoot's albums, ten photos as ten webhooks at once.
func TestAnAlbumMakesOneConversation(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		var pictures []linetest.Message
		for i := range 10 {
			pictures = append(pictures, linetest.Image("image/png", []byte{0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a, byte(i)}))
		}
		w.line.User("Mina").SendAlbum(pictures...)
		w.pass(5 * time.Second)
		d := w.only()
		require.Len(t, slices.DeleteFunc(d.Messages, func(m conversation.Message) bool { return m.Direction != conversation.Inbound }), 10)
		require.Equal(t, 10, d.Conversation.Unread)
		require.Equal(t, []string{"Hello!"}, w.line.User("Mina").Texts(), "greeted once")
		w.invariants()
	}, withEmulator(linetest.Options{WebhookParallel: 10}))
}

// Under rivals: ten first messages in lanes of their own race for the
// contact.
func TestParallelFirstMessagesMakeOneContactAndConversation(t *testing.T) {
	inWorld(t, func(w *world) {
		var group sync.WaitGroup
		for i := range 20 {
			body := bodyOf(event(fmt.Sprint(i), fmt.Sprintf("text %d", i), 0))
			group.Go(func() { _ = w.post(body, w.signed(body)) })
		}
		group.Wait()
		w.pass(3 * time.Second)
		d := w.only()
		require.Equal(t, 20, d.Conversation.Unread)
		found, err := w.eng.FindContacts(w.ctx, w.host, "", 100)
		require.NoError(t, err)
		require.Len(t, found, 1)
		state := observe(t, w.db, w.line, "")
		var v violations
		state.oneOpenConversation(&v)
		state.sequencesAreGapFree(&v)
		require.Empty(t, v)
	})
}

// A lane is a chat; the same person may also write in a group, and a message
// there belongs to the group.
func TestAGroupHasItsOwnConversation(t *testing.T) {
	inWorld(t, func(w *world) {
		mina, jun := w.line.User("Mina"), w.line.User("Jun").SetAnonymous(true)
		g := w.line.Group("family", mina, jun)
		g.SendText(mina, "in the group")
		g.SendText(jun, "from nobody")
		mina.SendText("alone")
		w.pass(3 * time.Second)
		require.Len(t, w.conversations(), 2)
		for _, c := range w.conversations() {
			d := w.detail(c.ID)
			if c.Chat.Kind == channel.ChatGroup {
				require.Nil(t, d.Contact)
				require.Equal(t, 2, c.Unread)
				require.Empty(t, d.Messages[len(d.Messages)-1].Author.Identity)
				continue
			}
			require.Equal(t, 1, c.Unread)
		}
		w.invariants()
	})
}

// Rule 14: events of one body are sorted by their own time.
func TestEventsOfABodyAreOrderedByTheirTime(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("3", "three", 3), event("1", "one", 1), event("2", "two", 2))
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		w.settle()
		require.Equal(t, []string{"one", "Hello!", "two", "three"}, texts(w.only()))
	})
}

// Duplicates and disorder, against the quiet delivery of the same events.
func TestAnyDeliveryOfTheSameEventsLeadsToTheSameState(t *testing.T) {
	play := func(chaos linetest.Chaos) (state string) {
		inWorld(t, func(w *world) {
			w.online("a1")
			w.line.SetChaos(chaos)
			mina := w.line.User("Mina")
			mina.Follow()
			said := mina.SendText("only this")
			_, err := mina.Unsend(said.MessageID)
			require.NoError(t, err)
			w.line.User("Jun").SendText("hi")
			w.pass(10 * time.Second)
			s := observe(t, w.db, w.line, "")
			requireInvariants(t, s)
			state = s.finalState()
		}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }), withEmulator(linetest.Options{Redeliveries: 5, Seed: 7}))
		return state
	}
	quiet := play(linetest.Chaos{})
	require.Contains(t, quiet, "unsent=true")
	for range 5 {
		require.Equal(t, quiet, play(linetest.Chaos{Duplicate: 0.9}))
	}
}

// No secret, no token and no word of a customer's in any log line,
// whatever happens.
func TestNoLogLineHoldsASecretOrAText(t *testing.T) {
	var log lockedBuffer
	inWorld(t, func(w *world) {
		w.online("a1")
		mina := w.line.User("Mina")
		for _, f := range []linetest.FaultKind{linetest.Fault401, linetest.FaultGarbage, linetest.FaultCutAfter, linetest.FaultQuota,
			linetest.Fault500After} {
			w.line.AddFault(linetest.Fault{Kind: f, Nth: 1})
			mina.SendText("sesame open " + string(f))
			w.pass(20 * time.Second)
		}
		for _, raw := range []string{`"sesame"`, `{"type":"message","sesame":1}`, `{"type":"message","source":"sesame"}`} {
			body := bodyOf(raw)
			require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
			require.Equal(t, http.StatusUnauthorized, w.post(body, nil))
		}
		nonsense := []byte(`{"sesame`)
		require.Equal(t, http.StatusBadRequest, w.post(nonsense, w.signed(nonsense)))
		d := w.only()
		_, err := w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: d.Conversation.ID, Agent: "a1", Force: true})
		require.NoError(t, err)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: d.Conversation.ID, Content: channel.Text("sesame seeds")})
		require.NoError(t, err)
		_, err = w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: d.Conversation.ID, Text: "sesame note"})
		require.NoError(t, err)
		w.pass(time.Minute)
		require.NotEmpty(t, log.String(), "there was something to log")
		for _, secret := range []string{"sesame", w.line.ChannelSecret(), w.line.ChannelToken(), w.acct.Token, "Mina", "rt-"} {
			require.NotContains(t, log.String(), secret)
		}
	}, withConfig(func(c *sangdam.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
	}))
}

// lockedBuffer is a bytes.Buffer for many writers.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// An account's settings and credentials never show where it is listed or
// encoded.
func TestAccountsAreListedWithoutTheirSecrets(t *testing.T) {
	inWorld(t, func(w *world) {
		list, err := w.eng.Accounts(w.ctx, w.host)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Empty(t, list[0].Secrets)
		require.Empty(t, list[0].Sealed, "not even sealed")
		raw, err := json.Marshal(list)
		require.NoError(t, err)
		all := string(raw) + fmt.Sprintf("%v %+v %#v", list, list, w.acct)
		require.NotContains(t, all, w.line.ChannelSecret())
		require.NotContains(t, all, w.line.ChannelToken())
	})
}
