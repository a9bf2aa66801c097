package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/ticket"
)

// A filter that names what cannot be, such as a state that is misspelt, is told
// instead of selecting nothing.
func TestAFilterWithAMisspeltStateIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		wrong := conversation.Filter{States: []conversation.State{conversation.StateOpen, "actve"}}
		tickets := sangdam.TicketFilter{States: []ticket.State{"solvd"}}
		for name, try := range map[string]func() error{
			"conversations": func() error { return errOf(w.eng.Conversations(w.ctx, w.host, wrong, "", 10)) },
			"count":         func() error { return errOf(w.eng.CountConversations(w.ctx, w.host, wrong, 0)) },
			"backup":        func() error { return errOf(w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Filter: wrong})) },
			"tickets":       func() error { return errOf(w.eng.Tickets(w.ctx, w.host, tickets, "", 10)) },
			"ticket count":  func() error { return errOf(w.eng.CountTickets(w.ctx, w.host, tickets)) },
			"order":         func() error { return errOf(w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{Order: "age"}, "", 10)) },
			"triggers":      func() error { return errOf(w.eng.Triggers(w.ctx, w.host, "tickt")) },
		} {
			err := try()
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
			require.Regexp(t, "use |are about conversation or ticket", err.Error(), "the remedy is named")
		}
	})
}
