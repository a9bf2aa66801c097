package dooray_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
)

// A notice arrives in a room as a line of a bot, with a card that leads to the
// record. dooraytest is the room here.
func Example() {
	room := dooraytest.New()
	carrier := dooray.New(dooray.Options{Transport: room.Transport()})
	target := notify.Target{ID: "room", Kind: dooray.Kind, Name: "Room of the desk", Settings: []byte(`{"bot_name":"Desk"}`),
		Secrets: map[string]channel.Secret{dooray.SecretURL: channel.NewSecret(dooraytest.URL)}}
	if err := carrier.Validate(target); err != nil {
		fmt.Println(err)
		return
	}

	request, err := carrier.Plan(target, notify.Notice{ID: "n1", Event: "ticket.created", Title: "Ticket 17",
		Text: "A customer waits.", Link: "https://desk.example/tickets/17"}, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := carrier.Send(context.Background(), target, request); err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range room.Notices() {
		fmt.Println(n.BotName, "wrote:", n.Text)
		for _, card := range n.Attachments {
			fmt.Println(card.Title, card.TitleLink)
		}
	}
	// Output:
	// Desk wrote: A customer waits.
	// Ticket 17 https://desk.example/tickets/17
}
