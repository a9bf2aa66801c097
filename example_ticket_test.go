package sangdam_test

import (
	"context"
	"fmt"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
)

// A host opens a ticket by a Go call; an agent answers and solves it in one
// step, and the customer's next words open it again.
func ExampleEngine_OpenTicket() {
	ctx := context.Background()
	keys, _ := seal.Ephemeral()
	eng, err := sangdam.New(sangdam.Config{DB: memory.New(memory.Options{}), Sealer: keys})
	if err != nil {
		fmt.Println(err)
		return
	}
	host, mina := sangdam.Host("shop"), sangdam.AgentPrincipal("shop", "mina")
	_ = eng.CreateWorkspace(ctx, "shop", "Shop")
	opened, err := eng.OpenTicket(ctx, host, sangdam.OpenTicket{Key: "order-17-broken", Title: "The lamp of order 17 is broken",
		Requester: ticket.Requester{Name: "Kim", Email: "kim@example.com"}, Priority: ticket.High})
	if err != nil {
		fmt.Println(err)
		return
	}
	solved := ticket.Solved
	_, err = eng.UpdateTicket(ctx, mina, sangdam.UpdateTicket{Ticket: opened.Ticket, Version: opened.Version,
		Change:  sangdam.TicketChange{State: &solved},
		Comment: &sangdam.TicketComment{Text: "A new one is on its way.", Public: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = eng.ReplyTicket(ctx, host, sangdam.ReplyTicket{Ticket: opened.Ticket, Text: "It is broken too."})
	detail, _ := eng.Ticket(ctx, mina, opened.Ticket)
	for _, e := range detail.Entries {
		fmt.Printf("%s %s %q\n", e.Actor, e.Kind, e.Text)
	}
	fmt.Println(detail.Ticket.Number, detail.Ticket.State)
	// Output:
	// host:host created ""
	// agent:mina answered "A new one is on its way."
	// customer replied "It is broken too."
	// 1 unassigned
}
