package postcard_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/channel/postcard/postcardtest"
)

// What the engine does with an adapter, step by step: a webhook is verified and
// cut into envelopes, an envelope is given its meaning, an answer is planned into
// one exact request, and the request is sent.
func Example() {
	office := postcardtest.New("the key of the letter box")
	ad, err := postcard.New(postcard.Options{Office: "https://post.example",
		HTTPClient: &http.Client{Transport: emukit.Transport(office)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	account := channel.Account{ID: "shop", Kind: postcard.Kind, Name: "Shop",
		Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret("the key of the letter box")}}

	card := []byte(`{"kind":"card","id":"1","from":"mina","name":"Mina","text":"Is it blue?","at":1772442000000}`)
	received, err := ad.Receive(account, office.Webhook(card))
	if err != nil {
		fmt.Println(err)
		return
	}
	in, err := ad.Parse(account, received.Envelopes[0])
	fmt.Println(in.Author.Name, "wrote:", in.Content.Text, err)

	keys := 0
	newKey := func() string { keys++; return "key-" + strconv.Itoa(keys) }
	answer := []adapter.Outbound{{To: in.Chat, Content: channel.Text("Yes, blue.")}}
	attempt, err := ad.Plan(account, answer, time.Now(), newKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // the second is absorbed: the office knows the key
		if _, err := ad.Send(context.Background(), account, attempt); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("Mina got:", office.Delivered("mina"))
	// Output:
	// Mina wrote: Is it blue? <nil>
	// Mina got: [Yes, blue.]
}
