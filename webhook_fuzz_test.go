package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

// Whatever LINE signs is answered 200, 400 or 413, is processed or set aside,
// and holds up nobody.
func FuzzSignedWebhook(f *testing.F) {
	const from = `"source":{"type":"user","userId":"U00000000000000000000000000000001"}`
	for _, event := range []string{
		``,
		`{"type":"message","webhookEventId":"e1","timestamp":1700000000000,"mode":"active","replyToken":"t",` + from +
			`,"message":{"id":"1","type":"text","text":"hi","quoteToken":"q"}}`,
		`{"type":"follow","webhookEventId":"e2","timestamp":1700000000000,` + from + `,"follow":{"isUnblocked":true}}`,
		`{"type":"unsend","webhookEventId":"e3","timestamp":1,"source":{"type":"group","groupId":"C1","userId":"U1"},` +
			`"unsend":{"messageId":"1"}}`,
		`{"type":"accountLink","webhookEventId":"e4","timestamp":1,` + from + `,"link":{"result":"ok","nonce":"n"}}`,
		`{"type":"postback","timestamp":9223372036854775807,"source":{"type":"user","userId":"\u0000"},` +
			`"postback":{"data":"x","params":{"a":"b"}}}`,
		`null,1,"x",[],{"type":"message","message":{"id":"2","type":"image",` +
			`"contentProvider":{"type":"external","originalContentUrl":"http://127.0.0.1/"}}}`,
		`{"type":"messageEdited","timestamp":-1,"source":{"type":"room","roomId":"R1"},"message":{"id":"1","type":"text","text":"e"}}`,
	} {
		f.Add([]byte(`{"destination":"U0","events":[` + event + `]}`))
	}
	d := newFuzzDesk(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://host.test/webhooks/"+d.account.Token,
			bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("X-Line-Signature", linetest.Sign(d.secret, body))
		resp, err := emukit.Transport(d.eng.Webhooks()).RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Contains(t, []int{200, 400, 413}, resp.StatusCode)
		d.drains(t)
		aside, err := d.eng.Quarantined(t.Context(), sangdam.Host(ws), 1)
		require.NoError(t, err)
		require.False(t, len(aside) > 0 && strings.Contains(aside[0].Reason, "panicked"))
	})
}

// fuzzDesk is a desk in real time that runs as long as the fuzzing.
type fuzzDesk struct {
	eng     *sangdam.Engine
	db      *store.DB
	account channel.Account
	secret  string
}

func newFuzzDesk(f *testing.F) *fuzzDesk {
	f.Helper()
	ctx, host := context.Background(), sangdam.Host(ws)
	d := &fuzzDesk{db: memory.New(memory.Options{})}
	sealer, err := seal.Ephemeral()
	require.NoError(f, err)
	platform := linetest.New(linetest.Options{})
	f.Cleanup(platform.Close)
	d.secret = platform.ChannelSecret()
	ad, err := line.New(line.Options{APIBase: "https://api.line.test", DataAPIBase: "https://api.line.test",
		HTTPClient: httpClient(platform)})
	require.NoError(f, err)
	d.eng, err = sangdam.New(sangdam.Config{DB: d.db, Sealer: sealer, Adapters: []adapter.Adapter{ad}})
	require.NoError(f, err)
	require.NoError(f, d.eng.CreateWorkspace(ctx, ws, "Fuzzed"))
	require.NoError(f, errOf(d.eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: chatAgent("a1")})))
	desk, queue := routing.Desk{ID: "support", Name: "Support"}, routing.Queue{ID: "q", Name: "Q", Members: []routing.AgentID{"a1"}}
	stream := routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "q",
		ReopenFor: time.Hour,
		Messages:  automated.Texts{automated.Greeting: {"": "Hello!"}, automated.Welcome: {"": "Welcome"}}}
	require.NoError(f, errOf(d.eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: desk, Agent: "a1"})))
	require.NoError(f, errOf(d.eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: queue})))
	require.NoError(f, errOf(d.eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})))
	settings, err := json.Marshal(line.Settings{ChannelID: platform.ChannelID()})
	require.NoError(f, err)
	saved, err := d.eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: channel.Account{Kind: "line", Name: "Shop", Desk: "support",
		WorkStream: "line", Settings: settings, Attachments: true, CustomerAttachments: true, Secrets: map[string]channel.Secret{
			line.SecretChannel: channel.NewSecret(platform.ChannelSecret()),
			line.SecretToken:   channel.NewSecret(platform.ChannelToken())}}})
	require.NoError(f, err)
	d.account = saved.Account
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- d.eng.Run(running) }()
	f.Cleanup(func() {
		stop()
		require.NoError(f, <-done)
	})
	return d
}

// drains waits until nothing is due.
func (d *fuzzDesk) drains(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		dues, err := d.db.System().NextDue(t.Context())
		due, any := dues.Next()
		return err == nil && (!any || time.Until(due) > 0)
	}, 10*time.Second, time.Millisecond, "work is stuck")
}
