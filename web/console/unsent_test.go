package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// An answer that was kept and not sent is told in the reader's language wherever
// somebody looks at what gave it: in the ticket's history, on the page of a bulk change,
// after a macro and in the log of a rule.
func TestAnAnswerThatWasNotSentIsToldEverywhere(t *testing.T) {
	w := newWorld(t)
	made, err := w.eng.OpenTicket(t.Context(), w.host, sangdam.OpenTicket{Title: "Lamp", Desk: "support",
		Requester: ticket.Requester{Name: "Mina", Email: "mina@example.com"}})
	require.NoError(t, err)
	answer := trigger.Do(action.Message, action.TextParams{Text: action.Texts{"": "We look into it"}})
	w.macro("answer", answer)
	_, err = w.eng.SaveTrigger(t.Context(), w.host, sangdam.SaveTrigger{Trigger: trigger.Trigger{ID: "rule", Title: "Rule",
		Subject: "ticket", Active: true, Actions: []trigger.Action{answer},
		When: condition.Condition{All: []condition.Clause{{Field: "tags", Op: condition.Has, Value: "ask"}}}}})
	require.NoError(t, err)
	_, err = w.eng.UpdateTicket(t.Context(), w.host, sangdam.UpdateTicket{Ticket: made.Ticket, Version: made.Version,
		Change: sangdam.TicketChange{AddTags: []string{"ask"}}})
	require.NoError(t, err)
	bulk, err := w.eng.BulkTickets(t.Context(), w.host, sangdam.BulkTickets{Tickets: []ticket.ID{made.Ticket},
		Change:  sangdam.TicketChange{RemoveTags: []string{"ask"}},
		Comment: &sangdam.TicketComment{Text: "To all of you", Public: true}})
	require.NoError(t, err)
	w.eventually("the change is done", func() bool {
		report, err := w.eng.BulkProgress(t.Context(), w.host, bulk.ID)
		return err == nil && report.Bulk.State == sangdam.ErrandDone
	})
	at := "/tickets/" + string(made.Ticket)
	for _, in := range []struct{ lang, kept, answered, told string }{
		{"en", "answer kept here and not sent", "answered the customer", "the answer on ticket #1 was kept here and sent nowhere"},
		{"ko", "답변을 남기기만 하고 보내지 않음", "고객에게 답변", "티켓 #1의 답변은 여기에 남았을 뿐"},
		{"ja", "回答を残しただけで未送信", "お客様に回答", "チケット#1の回答はここに残っただけで"}} {
		c := w.client("admin")
		c.header.Set("Accept-Language", in.lang)
		page := bodyOf(t, c.do(http.MethodGet, at, ""))
		require.Contains(t, page, in.kept)
		require.NotContains(t, page, in.answered)
		require.Contains(t, bodyOf(t, c.do(http.MethodGet, "/bulk/"+bulk.ID, "")), in.told)
		require.Contains(t, bodyOf(t, c.do(http.MethodGet, "/triggers/rule", "")), "✗ message "+in.told)

		resp := c.do(http.MethodPost, "/run-macro", "key="+in.lang+"&subject=ticket&macro=answer&record="+string(made.Ticket))
		require.Equal(t, http.StatusSeeOther, resp.StatusCode)
		for _, cookie := range resp.Cookies() {
			c.header.Set("Cookie", cookie.Name+"="+cookie.Value)
		}
		_, told, _ := strings.Cut(bodyOf(t, c.do(http.MethodGet, at, "")), `class="notice warn"`)
		require.Contains(t, told, in.told)
	}
}
