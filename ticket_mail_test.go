package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/ticket"
)

// TestAnswersOfTicketsLeaveByMail where there is no conversation, once each.
func TestAnswersOfTicketsLeaveByMail(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		s := sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "nowhere"}}
		require.ErrorIs(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: s})), sangdam.ErrNotFound)
		s.Tickets.AnswerBy = "mail"
		require.NoError(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: s})))
		id := d.open(sangdam.OpenTicket{Requester: ticket.Requester{Name: "Kim", Email: "kim@example.com"}})
		answer := sangdam.UpdateTicket{Key: "k", Ticket: id, Comment: &sangdam.TicketComment{Text: "We look into it", Public: true}}
		for range 2 {
			require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.agent("a1"), answer)))
		}
		require.NoError(t, d.update(w.agent("a1"), id, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "for us alone"}))
		w.settle()
		mails := o.mails.Mails()
		require.Len(t, mails, 1)
		require.Equal(t, "[#1] Lamp broken", mails[0].Subject)
		none := d.open(sangdam.OpenTicket{})
		require.ErrorIs(t, d.update(w.agent("a1"), none, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "x", Public: true}), sangdam.ErrUnsupported)
	}, withOutside(&o))
}
