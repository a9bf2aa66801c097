package line_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// An account is checked before it is saved; the error says what is missing and
// where to find it.
func ExampleAdapter_Validate() {
	adapter, err := line.New(line.Options{})
	if err != nil {
		panic(err)
	}
	err = adapter.Validate(channel.Account{
		Kind:     line.Kind,
		Settings: json.RawMessage(`{"channel_id": "1234567890"}`),
		Secrets:  map[string]channel.Secret{line.SecretChannel: channel.NewSecret("8c570fa6dd201bb328f1c1eac23a96d8")},
	})
	fmt.Println(err)
	// Output: line: secret channel_token is empty; issue a long-lived channel access token on the Messaging API tab of the LINE console
}

// A push is planned once and sent as often as it takes; the customer reads it
// once.
func ExampleAdapter_Send() {
	srv := linetest.New(linetest.Options{}) // plays LINE
	defer srv.Close()
	mina := srv.User("Mina")
	ad, err := line.New(line.Options{HTTPClient: &http.Client{Transport: srv.Transport()}})
	if err != nil {
		panic(err)
	}
	account := channel.Account{
		Kind:     line.Kind,
		Settings: json.RawMessage(`{"channel_id": "` + srv.ChannelID() + `", "token_mode": "stateless"}`),
		Secrets:  map[string]channel.Secret{line.SecretChannel: channel.NewSecret(srv.ChannelSecret())},
	}
	batch := []adapter.Outbound{{
		Row: "row-1", To: channel.Chat{Kind: channel.ChatUser, ID: mina.ID()},
		Content: channel.Text("Your refund is on its way."), SenderName: "Sora",
	}}
	attempt, err := ad.Plan(account, batch, time.Now(), uuid.NewString)
	if err != nil {
		panic(err)
	}
	srv.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutAfter, Nth: 1})
	_, err = ad.Send(context.Background(), account, attempt)
	fmt.Println(err)
	sent, err := ad.Send(context.Background(), account, attempt)
	fmt.Println(sent.Duplicate, err)
	fmt.Println(mina.Texts())
	// Output:
	// channel: send ambiguous (network, status 0): no answer from LINE; the connection broke or timed out after the request was begun
	// true <nil>
	// [Your refund is on its way.]
}

func ExampleAddFriendURL() {
	address, err := line.AddFriendURL("@shop")
	fmt.Println(address, err)
	// Output: https://line.me/R/ti/p/%40shop <nil>
}
