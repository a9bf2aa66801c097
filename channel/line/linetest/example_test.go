package linetest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sangdam/sangdam/channel/line/linetest"
)

// A bot that answers "hello" to everything, tried without LINE.
func Example() {
	var srv *linetest.Server
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, rest, _ := bytes.Cut(body, []byte(`"replyToken":"`))
		token, _, _ := bytes.Cut(rest, []byte(`"`))
		answer := `{"replyToken":"` + string(token) + `","messages":[{"type":"text","text":"hello"}]}`
		req, _ := http.NewRequest(http.MethodPost, "https://api.line.me/v2/bot/message/reply", bytes.NewReader([]byte(answer)))
		req.Header.Set("Authorization", "Bearer "+srv.ChannelToken())
		req.Header.Set("Content-Type", "application/json")
		_, _ = (&http.Client{Transport: srv.Transport()}).Do(req)
	}))
	defer bot.Close()
	srv = linetest.New(linetest.Options{WebhookURL: bot.URL})
	defer srv.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mina := srv.User("Mina")
	mina.SendText("Is anybody there?")
	if err := srv.WaitDelivered(ctx, mina, 1); err != nil {
		fmt.Println(err)
	}
	fmt.Println(mina.Texts())
	// Output: [hello]
}

// The fault that separates correct senders from naive ones: LINE accepts the
// message, and the connection breaks before the answer.
func ExampleServer_AddFault() {
	srv := linetest.New(linetest.Options{})
	defer srv.Close()
	mina := srv.User("Mina")
	srv.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutAfter, Nth: 1})

	naive := func() error {
		body := `{"to":"` + mina.ID() + `","messages":[{"type":"text","text":"Your order is on its way"}]}`
		req, _ := http.NewRequest(http.MethodPost, "https://api.line.me/v2/bot/message/push", bytes.NewReader([]byte(body)))
		req.Header.Set("Authorization", "Bearer "+srv.ChannelToken())
		req.Header.Set("Content-Type", "application/json")
		_, err := (&http.Client{Transport: srv.Transport()}).Do(req)
		return err
	}
	if naive() != nil {
		_ = naive() // tries again, without a retry key
	}
	fmt.Println(len(mina.Received()), "received,", len(mina.Repeated()), "of them twice")
	// Output: 2 received, 1 of them twice
}
