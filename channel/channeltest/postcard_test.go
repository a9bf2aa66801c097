package channeltest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/channeltest"
	"github.com/sangdam/sangdam/internal/errs"
)

// postcard is the smallest adapter there can be: text one way and the other, up
// to three at once, to an office in memory. flaw makes it break one rule.
type postcard struct {
	office *office
	flaw   string
}

// office is its provider.
type office struct {
	mu        sync.Mutex
	delivered []string
	requests  [][]byte
	keys      map[string]bool
	fault     channeltest.Fault
}

const kind channel.Kind = "postcard"

func (p postcard) Kind() channel.Kind { return kind }

func (p postcard) Capabilities() adapter.Capabilities {
	return adapter.Capabilities{
		Send:     map[channel.ContentKind]adapter.Level{channel.KindText: adapter.Full},
		Limits:   map[channel.ContentKind]adapter.Limits{channel.KindText: {MaxChars: 100, Unit: "grapheme"}},
		MaxBatch: 3,
		Routes:   map[string]adapter.Route{"post": {IdempotentFor: time.Hour}},
		Edits:    p.flaw == "declares edits it does not report",
		Profiles: p.flaw == "declares an interface it lacks",
	}
}

func (p postcard) Validate(a channel.Account) error {
	if a.Kind != kind || len(a.Settings) > 0 || a.Secrets["key"].Empty() && p.flaw != "valid without secret" {
		return errs.New(errs.Invalid, "postcard: wrong kind, settings, or an empty key")
	}
	return nil
}

func sign(key string, body []byte) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func refuse(status int) error { return &adapter.ReceiveError{Status: status, Detail: "refused"} }

func (p postcard) Receive(a channel.Account, req adapter.Request) (adapter.Receipt, error) {
	key, got := a.Secrets["key"].Reveal(), req.Header.Get("Sign")
	switch {
	case len(req.Body) > 1<<20:
		return adapter.Receipt{}, refuse(http.StatusRequestEntityTooLarge)
	case key == "" || req.Header.Get("Content-Encoding") != "":
		return adapter.Receipt{}, refuse(http.StatusUnauthorized)
	case p.flaw == "compares a prefix" && got != "" && strings.HasPrefix(sign(key, req.Body), got):
	case !hmac.Equal([]byte(sign(key, req.Body)), []byte(got)):
		return adapter.Receipt{}, refuse(http.StatusUnauthorized)
	}
	var events []json.RawMessage
	if json.Unmarshal(req.Body, &events) != nil {
		return adapter.Receipt{}, refuse(http.StatusBadRequest)
	}
	var rec adapter.Receipt
	for _, raw := range events {
		dedup := sign("", raw)
		if p.flaw == "dedup by time" {
			dedup = time.Now().String()
		}
		rec.Envelopes = append(rec.Envelopes, adapter.Envelope{DedupKey: dedup, Raw: raw})
	}
	if p.flaw == "one bad event loses all" {
		for _, env := range rec.Envelopes {
			if _, err := p.Parse(a, env); err != nil {
				return adapter.Receipt{}, refuse(http.StatusBadRequest)
			}
		}
	}
	return rec, nil
}

func (p postcard) Parse(_ channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	if p.flaw == "panics" && len(env.Raw) > 0 && env.Raw[0] != '{' {
		panic("not an object")
	}
	var e struct{ Kind, ID, From, Text string }
	if json.Unmarshal(env.Raw, &e) != nil || e.Kind == "" {
		if p.flaw == "repeats the text in errors" {
			return adapter.Inbound{}, errs.New(errs.Invalid, "postcard: cannot read %s", env.Raw)
		}
		return adapter.Inbound{}, errs.New(errs.Invalid, "postcard: the event is not one")
	}
	in := adapter.Inbound{Kind: adapter.EventUnsupported, Type: e.Kind}
	if e.Kind == "card" {
		in = adapter.Inbound{Kind: adapter.EventMessage, Chat: channel.Chat{Kind: channel.ChatUser, ID: e.From},
			MessageID: channel.ProviderMessageID(e.ID), Content: channel.Text(e.Text)}
	}
	return in, nil
}

func (p postcard) Plan(_ channel.Account, batch []adapter.Outbound, _ time.Time, newKey func() string) (adapter.Attempt, error) {
	at := adapter.Attempt{Route: "post", IdempotencyKey: newKey(), IdempotentFor: time.Hour}
	var texts []string
	for i, out := range batch[:min(len(batch), 3)] {
		reason := p.objection(out)
		if i == 0 && reason != "" {
			return adapter.Attempt{}, &adapter.SendError{Disposition: adapter.Permanent, Reason: reason, Detail: "refused"}
		}
		if reason != "" {
			break
		}
		at.Rows = append(at.Rows, out.Row)
		texts = append(texts, out.Content.Text)
	}
	at.Request = []byte(strings.Join(texts, separator))
	return at, nil
}

// separator parts the texts of a request.
const separator = "\x1e"

func (p postcard) objection(out adapter.Outbound) channel.Reason {
	limit, count := 100, graphemes
	if p.flaw == "counts bytes" {
		limit, count = 90, func(s string) int { return len(s) }
	}
	switch {
	case len(out.To.ID) != 4:
		return channel.ReasonUnreachable
	case out.Content.Kind != channel.KindText || len(out.Content.Choices) > 0 && p.flaw != "drops choices":
		return channel.ReasonUnsupported
	case count(out.Content.Text) > limit:
		return channel.ReasonContent
	}
	return ""
}

func (p postcard) Send(ctx context.Context, a channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	if p.office == nil {
		return adapter.Sent{}, &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonNetwork}
	}
	if at.Route != "post" || len(at.Request) == 0 || at.Request[0] == 0xff {
		return adapter.Sent{}, &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent}
	}
	if err := ctx.Err(); err != nil && p.flaw != "ignores the context" {
		return adapter.Sent{}, err
	}
	return p.office.accept(p.flaw, a, at)
}

func (o *office) accept(flaw string, a channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fault := o.fault
	o.fault = ""
	body := at.Request
	if flaw == "never the same bytes" {
		body = fmt.Appendf(nil, "%s%d", body, len(o.requests))
	}
	o.requests = append(o.requests, body)
	outcome := map[channeltest.Fault]*adapter.SendError{
		channeltest.AcceptedThenCut: {Disposition: adapter.Ambiguous}, channeltest.CutBefore: {Disposition: adapter.Ambiguous},
		channeltest.TooFast:      {Disposition: adapter.RateLimited, Reason: channel.ReasonRate},
		channeltest.Unauthorized: {Disposition: adapter.Permanent, Reason: channel.ReasonCredentials},
		channeltest.RowRefused:   {Disposition: adapter.Permanent, Reason: channel.ReasonContent, Rows: []int{1}},
	}[fault]
	if outcome == nil && fault != "" {
		outcome = &adapter.SendError{Disposition: adapter.Ambiguous}
	}
	var sent adapter.Sent
	if outcome == nil || fault == channeltest.AcceptedThenCut || fault == channeltest.AcceptedThen500 {
		if !o.keys[at.IdempotencyKey] || flaw == "sends twice" {
			sent.Messages = o.deliver(string(at.Request), flaw)
		}
		o.keys[at.IdempotencyKey] = true
	}
	switch {
	case outcome == nil:
		return sent, nil
	case flaw == "calls the unknown a retry" && outcome.Disposition == adapter.Ambiguous:
		outcome.Disposition = adapter.Retry
	case flaw == "blames every row":
		outcome.Rows = nil
	case flaw == "blames the first row" && outcome.Rows != nil:
		outcome.Rows = []int{0}
	case flaw == "shows the key":
		outcome.Detail = "key " + a.Secrets["key"].Reveal()
	}
	return adapter.Sent{}, outcome
}

// deliver writes one card a text, and two for a long one. The lock is held.
func (o *office) deliver(request, flaw string) []adapter.SentMessage {
	var rows []adapter.SentMessage
	for text := range strings.SplitSeq(request, separator) {
		var ids []channel.ProviderMessageID
		half := 0
		if graphemes(text) > 50 {
			half = len(string([]rune(text)[:40]))
		}
		for _, part := range []string{text[:half], text[half:]} {
			if part != "" {
				o.delivered = append(o.delivered, part)
				ids = append(ids, channel.ProviderMessageID(fmt.Sprint(len(o.delivered))))
			}
		}
		row := adapter.SentMessage{ID: ids[0], Parts: ids[1:]}
		if flaw == "forgets parts" {
			row.Parts = nil
		}
		rows = append(rows, row)
	}
	return rows
}

// harnessOf is a postcard's harness.
func harnessOf(flaw string) channeltest.Harness {
	raw := `{"kind":"card","id":"1","from":"mina","text":"hello"}`
	return channeltest.Harness{
		Golden: []channeltest.Golden{{Name: "card", Raw: raw, Want: adapter.Inbound{
			Kind: adapter.EventMessage, Chat: channel.Chat{Kind: channel.ChatUser, ID: "mina"}, MessageID: "1",
			Content: channel.Text("hello")}}},
		Unknown: [][]byte{[]byte(`{"kind":"parcel"}`)},
		Broken:  [][]byte{[]byte(`7`), []byte(`{}`)},
		Samples: map[channel.ContentKind]channel.Content{channel.KindText: channel.Text("hi")},
		Cannot: map[string]string{
			"send/errors/quota":          "the post has no quota",
			"send/errors/recipient-rate": "nobody gets too many postcards",
		},
		Open: func(*testing.T) *channeltest.Fixture {
			o := &office{keys: map[string]bool{}}
			return &channeltest.Fixture{
				Adapter: postcard{office: o, flaw: flaw}, Verification: "key", SignatureHeader: "Sign",
				Account: channel.Account{Kind: kind,
					Secrets: map[string]channel.Secret{"key": channel.NewSecret("the key of the letter box")}},
				Webhook: func(events ...[]byte) adapter.Request {
					var all []string
					for _, e := range events {
						all = append(all, string(e))
					}
					body := []byte("[" + strings.Join(all, ",") + "]")
					return adapter.Request{Method: "POST", Body: body,
						Header: http.Header{"Sign": {sign("the key of the letter box", body)}}}
				},
				Chat:      channel.Chat{Kind: channel.ChatUser, ID: "mina"},
				Delivered: func() []string { o.mu.Lock(); defer o.mu.Unlock(); return append([]string(nil), o.delivered...) },
				Requests:  func() [][]byte { o.mu.Lock(); defer o.mu.Unlock(); return append([][]byte(nil), o.requests...) },
				Fail:      func(f channeltest.Fault) { o.mu.Lock(); defer o.mu.Unlock(); o.fault = f },
				Refused:   func(*testing.T) adapter.Adapter { return postcard{flaw: flaw} },
				Log:       &channeltest.Log{}, Now: time.Now,
			}
		},
	}
}
