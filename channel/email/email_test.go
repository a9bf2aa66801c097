package email_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/channeltest"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/channel/email/thread"
)

const (
	threadKey = "the key of the shop's threads"
	password  = "hunter2"
)

func account(change ...func(*email.Settings)) channel.Account {
	s := email.Settings{Address: "help@shop.test", Name: "상담 센터", Plus: true, AuthServers: []string{"mx.shop.test"},
		Mailboxes: []email.Mailbox{{Host: "imap.shop.test", Encryption: email.Plain, User: "desk"}},
		SMTP:      email.SMTP{Host: "smtp.shop.test", Encryption: email.Plain, User: "desk"}}
	for _, c := range change {
		c(&s)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return channel.Account{ID: "shop", Kind: email.Kind, Name: "Shop", Settings: raw, Secrets: map[string]channel.Secret{
		email.SecretThreads: channel.NewSecret(threadKey), email.SecretIMAP: channel.NewSecret(password),
		email.SecretSMTP: channel.NewSecret(password)}}
}

var shopKey = thread.NewKey("shop", threadKey)

// chatState is what the adapter keeps of a thread with Mina.
const chatState = `{"to":"mina@example.com","name":"Mina","answers":"first@example.com"}`

func TestConformance(t *testing.T) {
	report := channeltest.Run(t, harness())
	require.Equal(t, 11, report.Cannot, "checks that mail has no means for")
}

func FuzzParse(f *testing.F) {
	channeltest.Fuzz(f, email.New(email.Options{}), account(), harness())
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// message is a mail of Mina with a picture, as it arrives.
var message = crlf("Authentication-Results: mx.shop.test; dmarc=pass header.from=example.com\nFrom: Mina <Mina@example.com>\nTo: " +
	"help@shop.test\nCc: Jun <jun@example.com>\n" +
	"Subject: =?utf-8?B?7KO866y4?=\nDate: Mon, 02 Mar 2026 09:00:00 +0000\nMessage-ID: <first@example.com>\nContent-Type: " +
	"multipart/mixed; boundary=b\n\n--b\n\nhello\n-- \nMina\n" +
	"--b\nContent-Type: image/png; name=p.png\n\nx\n--b--\n")

func harness() channeltest.Harness {
	fetched := "mails are fetched; there is no webhook"
	answered := "an answer of an SMTP server is certain: with 4xx and 5xx it has taken nothing"
	cannot := map[string]string{"send/errors/accepted-then-500": answered, "send/errors/500": answered}
	for _, name := range channeltest.Checks() {
		if strings.HasPrefix(name, "receive/") && name != "receive/validate" {
			cannot[name] = fetched
		}
	}
	text := map[channel.ContentKind]channel.Content{channel.KindText: channel.Text("hi")}
	for _, kind := range []channel.ContentKind{channel.KindImage, channel.KindVideo, channel.KindAudio, channel.KindFile} {
		text[kind] = channel.Content{Kind: kind, Text: "see", Media: &channel.Media{Name: "a.bin", Type: "application/octet-stream",
			Blob: "0123", URL: "https://desk.test/files/a.bin"}}
	}
	in, err := email.New(email.Options{}).Parse(account(), adapter.Envelope{Raw: []byte(message)})
	if err != nil {
		panic(err)
	}
	want := adapter.Inbound{Kind: adapter.EventMessage, Type: "person", Chat: channel.Chat{Kind: channel.ChatThread, ID: in.Chat.ID},
		Author:    adapter.Author{User: "mina@example.com", Name: "Mina", Vouched: true},
		MessageID: in.MessageID, Name: "first@example.com", OccurredAt: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Copied: []adapter.Author{{User: "jun@example.com", Name: "Jun"}},
		State:  []byte(`{"to":"Mina@example.com","name":"Mina","answers":"first@example.com"}`),
		Content: channel.Content{Kind: channel.KindText, Text: "hello\n-- \nMina", Spans: []channel.Span{{Start: 6, Length: 8,
			Kind: "signature"}},
			Attachments: []channel.Media{{Name: "p.png", Type: "image/png", Size: 1, Provider: "file/0"}},
			Letter: &channel.Letter{Subject: "주문", From: "Mina <Mina@example.com>", To: []string{"help@shop.test"},
				Cc: []string{"Jun <jun@example.com>"}, Verified: true}}}
	return channeltest.Harness{
		Golden: []channeltest.Golden{{Name: "a mail with a picture", Raw: message, Want: want}},
		Unknown: [][]byte{[]byte(crlf("From: a@example.com\nContent-Type: multipart/report; report-type=of-the-future; " +
			"boundary=b\n\n--b\n\nx\n--b--\n"))},
		Broken:  [][]byte{[]byte("\r\n\x00 \t\r\n")},
		Samples: text, Cannot: cannot, Open: open,
	}
}

func open(t *testing.T) *channeltest.Fixture {
	s := emailtest.New(emailtest.Options{User: "desk", Password: password})
	t.Cleanup(s.Close)
	log := &channeltest.Log{}
	ad := func(dial func(context.Context, string, string) (net.Conn, error)) adapter.Adapter {
		return email.New(email.Options{Dial: dial,
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	}
	return &channeltest.Fixture{
		Adapter: ad(s.Dial), Account: account(), Verification: email.SecretThreads,
		Webhook: func(events ...[]byte) adapter.Request {
			return adapter.Request{Method: http.MethodPost, Body: bytes.Join(events, nil)}
		},
		Chat:  channel.Chat{Kind: channel.ChatThread, ID: shopKey.Begin("first@example.com")},
		State: []byte(chatState),
		Delivered: func() []string {
			var all []string
			for _, m := range s.Received("mina@example.com") {
				all = append(all, m.Text)
			}
			return all
		},
		Requests: s.Requests, Fail: func(f channeltest.Fault) { s.Fail(faults[f]) },
		Refused: func(*testing.T) adapter.Adapter {
			return ad(func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED })
		},
		Log: log, Now: time.Now,
	}
}

var faults = map[channeltest.Fault]emailtest.Fault{
	channeltest.AcceptedThenCut: {At: emailtest.AtData, Drop: true}, channeltest.CutBefore: {At: emailtest.AtData, Lose: true},
	channeltest.Failed500:      {At: emailtest.AtData, Code: 451, Status: [3]int{4, 3, 0}},
	channeltest.TooFast:        {At: emailtest.AtMail, Code: 421, Status: [3]int{4, 7, 0}},
	channeltest.QuotaUsed:      {At: emailtest.AtMail, Code: 550, Status: [3]int{5, 4, 5}},
	channeltest.RecipientFlood: {At: emailtest.AtRcpt, Code: 450, Status: [3]int{4, 2, 1}},
	channeltest.Unauthorized:   {At: emailtest.AtLogin, Code: 535, Status: [3]int{5, 7, 8}},
}
