package line_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// plainText is what customers mostly send.
var plainText = message("01", fromUser, `{"id":"468789577898262530","type":"text","quoteToken":"q3Plxr4AgKd",`+
	`"markAsReadToken":"30yhdy232","text":"안녕하세요. 주문한 상품이 아직 오지 않았어요."}`)

// hook is a request with the headers that come with one.
func hook(events ...string) adapter.Request {
	var all [][]byte
	for _, e := range events {
		all = append(all, []byte(e))
	}
	req := signed("s", []byte(`{"destination":"`+botID+`","events":[`+string(bytes.Join(all, []byte(",")))+`]}`))
	for name, value := range map[string]string{"Content-Type": "application/json; charset=utf-8", "User-Agent": "LineBotWebhook/2.0",
		"Content-Length": "600", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Accept-Encoding": "gzip"} {
		req.Header.Set(name, value)
	}
	return req
}

func benchReceive(b *testing.B, req adapter.Request) {
	a, err := line.New(line.Options{})
	require.NoError(b, err)
	acct := withSecret("s")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Receive(acct, req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReceive(b *testing.B) { benchReceive(b, hook(plainText)) }

func BenchmarkReceive100(b *testing.B) {
	var events []string
	for range 100 {
		events = append(events, plainText)
	}
	benchReceive(b, hook(events...))
}

func benchParse(b *testing.B, raw string) {
	a, err := line.New(line.Options{})
	require.NoError(b, err)
	env := adapter.Envelope{Raw: []byte(raw), ReceivedAt: received}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Parse(channel.Account{}, env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B)     { benchParse(b, plainText) }
func BenchmarkParseRich(b *testing.B) { benchParse(b, golden()[0].Raw) }

func BenchmarkReceiveAndParse(b *testing.B) {
	a, err := line.New(line.Options{})
	require.NoError(b, err)
	acct := withSecret("s")
	req := signed("s", []byte(`{"destination":"`+botID+`","events":[`+golden()[0].Raw+`]}`))
	b.ReportAllocs()
	for b.Loop() {
		rec, err := a.Receive(acct, req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Parse(acct, rec.Envelopes[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	a, err := line.New(line.Options{})
	require.NoError(b, err)
	batch := []adapter.Outbound{outbound("안녕하세요. 주문하신 상품이 오늘 출고되었습니다. 감사합니다!")}
	keys := newKeys()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Plan(channel.Account{}, batch, received, keys); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPush is plan, send and the emulator together, without a network.
func BenchmarkPush(b *testing.B) {
	srv := linetest.New(linetest.Options{Rates: map[string]rate.Limit{"push": 0}})
	defer srv.Close()
	a, err := line.New(line.Options{HTTPClient: &http.Client{Transport: srv.Transport()},
		Rates: map[string]rate.Limit{line.EndpointPush: 0}})
	require.NoError(b, err)
	acct, keys := accountOf(srv), newKeys()
	batch := []adapter.Outbound{{Row: "r", To: channel.Chat{Kind: channel.ChatUser, ID: srv.User("Mina").ID()},
		Content: channel.Text("hello")}}
	for b.Loop() {
		at, err := a.Plan(acct, batch, time.Now(), keys)
		if err == nil {
			_, err = a.Send(b.Context(), acct, at)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
