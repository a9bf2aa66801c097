package webchat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/channeltest"
)

// page is what stands for a visitor's window: it keeps what was accepted for it.
type window struct {
	mu       sync.Mutex
	texts    []string
	requests [][]byte
}

func (w *window) sent(at adapter.Attempt) {
	var r request
	_ = json.Unmarshal(at.Request, &r) // the adapter read it before
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts, w.requests = append(w.texts, r.Content.Text), append(w.requests, at.Request)
}

var testKey = strings.Repeat("k", minKey)

func testAccount() channel.Account {
	return channel.Account{ID: "acct", Kind: Kind, Name: "Shop", Token: "public", Settings: json.RawMessage(`{"no_consent":true}`),
		Secrets: map[string]channel.Secret{SecretVisitor: channel.NewSecret(testKey),
			SecretIdentity: channel.NewSecret(strings.Repeat("i", minKey))}}
}

func webhook(events ...[]byte) adapter.Request {
	var all []string
	for _, e := range events {
		all = append(all, string(e))
	}
	body := []byte(`{"events":[` + strings.Join(all, ",") + `]}`)
	h := http.Header{}
	h.Set(SignatureHeader, Sign(testKey, body))
	return adapter.Request{Method: http.MethodPost, Body: body, Header: h}
}

// noProvider is why nothing can go wrong while sending.
const noProvider = "there is no request to a provider: the message is in the store, where the visitor reads it, before Send is called"

func harness() channeltest.Harness {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	user := MemberUser("u-17")
	chat := channel.Chat{Kind: channel.ChatUser, ID: string(user)}
	raw := func(kind, more string) string {
		return fmt.Sprintf(`{"id":"e-%s","type":%q,"subject":"u-17","name":"Mina","at":"2026-03-02T09:00:00Z"%s}`, kind, kind, more)
	}
	base := adapter.Inbound{Chat: chat, Author: adapter.Author{User: user, Name: "Mina"}, OccurredAt: at}
	message, read, typing, ended := base, base, base, base
	message.Kind, message.Type, message.Content = adapter.EventMessage, "message", channel.Text("hello 안녕")
	message.MessageID = channel.ProviderMessageID(string(user) + "/e-message")
	message.ReadHandle = string(message.MessageID)
	read.Kind, read.Type, read.Watermark = adapter.EventRead, "read", at
	typing.Kind, typing.Type = adapter.EventTyping, "typing"
	ended.Kind, ended.Type = adapter.EventEnded, "ended"
	file := func(kind channel.ContentKind) channel.Content {
		return channel.Content{Kind: kind, Text: "a caption",
			Media: &channel.Media{Blob: strings.Repeat("0", 40), Name: "f", Type: "image/png",
				Size: 5}}
	}
	cannot := map[string]string{"send/refused-connection": noProvider, "send/never-twice": noProvider}
	for _, f := range []channeltest.Fault{channeltest.AcceptedThenCut, channeltest.CutBefore, channeltest.AcceptedThen500,
		channeltest.Failed500,
		channeltest.TooFast, channeltest.QuotaUsed, channeltest.RecipientFlood, channeltest.Unauthorized} {
		cannot["send/errors/"+string(f)] = noProvider
	}
	return channeltest.Harness{
		Open: open, Cannot: cannot,
		Golden: []channeltest.Golden{
			{Name: "message", Raw: raw("message", `,"text":"hello 안녕"`), Want: message}, {Name: "read", Raw: raw("read", ""), Want: read},
			{Name: "typing", Raw: raw("typing", ""), Want: typing}, {Name: "ended", Raw: raw("ended", ""), Want: ended},
		},
		Unknown: [][]byte{[]byte(raw("hologram", ""))},
		Broken: [][]byte{[]byte(`7`), []byte(`{}`), []byte(raw("message", `,"text":""`)),
			[]byte(`{"id":"x","type":"read","subject":"","at":"2026-03-02T09:00:00Z"}`)},
		Samples: map[channel.ContentKind]channel.Content{
			channel.KindText: channel.Text("<b>&amp; 한글 👍🏽"), channel.KindImage: file(channel.KindImage),
			channel.KindVideo: file(channel.KindVideo),
			channel.KindAudio: file(channel.KindAudio), channel.KindFile: file(channel.KindFile),
			channel.KindLocation: {Kind: channel.KindLocation,
				Location: &channel.Location{Title: "Office", Latitude: 37.5, Longitude: 127}},
			channel.KindCard: {Kind: channel.KindCard, Cards: []channel.Card{{Title: "Blue", Text: "In stock", Choices: []channel.Choice{
				{Label: "Buy", Kind: "postback", Data: "buy"}, {Label: "Look", Kind: "uri", URI: "https://shop.example/"}}}}},
		},
	}
}

func open(*testing.T) *channeltest.Fixture {
	w := &window{}
	all := func() ([]string, [][]byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return append([]string(nil), w.texts...), append([][]byte(nil), w.requests...)
	}
	return &channeltest.Fixture{
		Adapter: &Adapter{sent: w.sent}, Account: testAccount(), Verification: SecretVisitor, Webhook: webhook,
		SignatureHeader: SignatureHeader,
		Chat:            channel.Chat{Kind: channel.ChatUser, ID: string(MemberUser("u-17"))},
		Delivered:       func() []string { texts, _ := all(); return texts },
		Requests:        func() [][]byte { _, requests := all(); return requests },
		Fail:            func(channeltest.Fault) {}, // see Cannot
		Refused:         func(*testing.T) adapter.Adapter { return New() },
		Log:             &channeltest.Log{}, Now: time.Now,
	}
}

func TestConformance(t *testing.T) {
	report := channeltest.Run(t, harness())
	require.Equal(t, 10, report.Cannot, "what nothing is sent for cannot fail")
}

func FuzzParse(f *testing.F) { channeltest.Fuzz(f, New(), testAccount(), harness()) }

// What is no token of the account's is refused, and one that is read is the
// same when it is written again.
func FuzzToken(f *testing.F) {
	acct, now := testAccount(), time.Unix(1_770_000_000, 0)
	f.Add(newAnonymous(now).token(acct))
	f.Add(newMember("u-17", now).token(acct))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if v, err := readToken(acct, token, now); err == nil && v.token(acct) != token {
			t.Errorf("two tokens for one visitor")
		}
		if _, err := readToken(channel.Account{ID: "acct"}, token, now); err == nil {
			t.Errorf("an account without a key accepts a token")
		}
	})
}

func FuzzFileRef(f *testing.F) {
	acct := testAccount()
	ref, err := fileRef(acct, "v-1", channel.Media{Blob: "b", Name: "n"})
	require.NoError(f, err)
	f.Add(ref)
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := readFileRef(acct, "v-1", s); err == nil {
			again, err := fileRef(acct, "v-1", m)
			if err != nil || again != s {
				t.Errorf("a file that was never uploaded: %q", s)
			}
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"no_consent":true,"origins":["https://shop.example"],"color":"#123456"}`))
	f.Add([]byte(`{"consent":{"version":"1","texts":{"":"x"},"url":{"ko":"/privacy"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseSettings(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		require.NoError(t, err)
		_, err = ParseSettings(again)
		require.NoError(t, err)
	})
}

func FuzzIdentity(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := verifyIdentity(testAccount(), token, time.Now()); err == nil {
			t.Errorf("a token that the host never signed")
		}
	})
}

func FuzzPlace(f *testing.F) {
	f.Add("c/1")
	f.Add("/")
	f.Fuzz(func(t *testing.T, id string) {
		c, seq, err := parsePlace(id)
		if err == nil && (c == "") != (seq == 0 && c == "") || seq < 0 {
			t.Errorf("place %q %d", c, seq)
		}
	})
}
