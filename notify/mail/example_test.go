package mail_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/mail"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
)

// A notice leaves as one mail. Plan makes it once, to the byte; Send may be called
// again with the same bytes. mailtest is the server here.
func Example() {
	server := mailtest.New(mailtest.Options{})
	defer server.Close()
	carrier := mail.New(mail.Options{Dial: server.Dial})
	target := notify.Target{ID: "desk-mail", Kind: mail.Kind, Name: "Mails of the desk",
		Settings: []byte(`{"host":"smtp.shop.example","encryption":"none","from":"help@shop.example","name":"Shop"}`)}

	request, err := carrier.Plan(target, notify.Notice{ID: "n1", Event: "ticket.created", Title: "A new ticket",
		Text: "Ticket 17 waits for you.", To: notify.Recipient{Address: "mina@shop.example"}}, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := carrier.Send(context.Background(), target, request); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range server.Mails() {
		fmt.Println(m.To, m.Subject)
	}
	// Output: [mina@shop.example] A new ticket
}
