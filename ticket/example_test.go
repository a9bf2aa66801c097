package ticket_test

import (
	"fmt"
	"time"

	"github.com/sangdam/sangdam/ticket"
)

// A ticket is opened, worked on and solved; its history alone makes it again.
func Example() {
	at := time.Date(2030, 1, 2, 9, 0, 0, 0, time.UTC)
	draft, err := ticket.Open(ticket.Ticket{ID: "t-1", Channel: ticket.ChannelWeb, Title: "Where is my parcel?"}, 1, "customer", at)
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, opened, _, err := draft.End()
	if err != nil {
		fmt.Println(err)
		return
	}

	draft, err = ticket.Edit(stored, "agent:mina", at.Add(time.Minute))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, err := range []error{draft.Assign("parcels", "mina"), draft.Answer("It left today."), draft.SetState(ticket.Solved)} {
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	stored, answered, _, err := draft.End()
	if err != nil {
		fmt.Println(err)
		return
	}
	replayed, err := ticket.Replay([]ticket.Entry{opened, answered})
	fmt.Println(stored.State, stored.Agent, answered.Kind, replayed.State, err)
	// Output: solved mina answered solved <nil>
}
