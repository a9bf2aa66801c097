package email_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
)

// exampleAccount is a mail account at the emulator's servers.
func exampleAccount() channel.Account {
	settings, err := json.Marshal(email.Settings{Address: "help@shop.test", Name: "Shop", Plus: true,
		Mailboxes: []email.Mailbox{{Host: "127.0.0.1", Encryption: email.Plain, User: "desk"}},
		SMTP:      email.SMTP{Host: "127.0.0.1", Encryption: email.Plain, User: "desk"}})
	if err != nil {
		panic(err)
	}
	return channel.Account{ID: "shop", Kind: email.Kind, Settings: settings, Secrets: map[string]channel.Secret{
		email.SecretThreads: channel.NewSecret("a long random secret"),
		email.SecretIMAP:    channel.NewSecret("secret"), email.SecretSMTP: channel.NewSecret("secret")}}
}

// A customer's mail is parsed, answered, and the customer's client quotes the
// answer: by its token the next mail is in the same thread, whatever its subject.
func ExampleAdapter() {
	mail := emailtest.New(emailtest.Options{})
	defer mail.Close()
	ad, acct := email.New(email.Options{Dial: mail.Dial}), exampleAccount()

	raw, _ := mail.Compose(emailtest.Letter{From: "mina@example.com", Name: "Mina", Subject: "Order 1234", Text: "Where is it?\n-- \nMina"})
	in, err := ad.Parse(acct, adapter.Envelope{Raw: raw})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %q, %s\n", in.Author.Name, in.Content.Letter.Subject, in.Content.Spans[0].Kind)

	answer := adapter.Outbound{Row: "1", To: in.Chat, State: in.State, Subject: in.Content.Letter.Subject,
		Content: channel.Text("On its way.")}
	at, err := ad.Plan(acct, []adapter.Outbound{answer}, time.Now(), nil)
	if err != nil {
		panic(err)
	}
	if _, err := ad.Send(context.Background(), acct, at); err != nil {
		panic(err)
	}
	got := mail.Received("mina@example.com")[0]
	fmt.Println(got.Subject, "/", got.Text)

	reply := emailtest.Answer(got, "Thank you")
	reply.Subject = "something else"
	raw, _ = mail.Compose(reply)
	next, err := ad.Parse(acct, adapter.Envelope{Raw: raw})
	fmt.Println(next.Chat == in.Chat, err)
	// Output:
	// Mina: "Order 1234", signature
	// Re: Order 1234 / On its way.
	// true <nil>
}
