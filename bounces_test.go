package sangdam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/ticket"
)

// A bounce of a mail that left by a target marks it in the log of deliveries:
// what a customer is told of a ticket, and what an agent is told. It makes no
// ticket, no conversation and no mail, and one that names nothing of ours marks
// nothing.
func TestABounceMarksANotice(t *testing.T) {
	var o outside
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		o.targets(w.world)
		require.NoError(t, errOf(w.eng.SaveMailLayout(w.ctx, w.host, sangdam.SaveMailLayout{
			Layout: notify.Layout{HTML: "#{content}", Text: "We have got it."}})))
		told := sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail", MailOn: []ticket.MailEvent{ticket.MailReceived}}}
		require.NoError(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: told})))
		w.pass(3 * time.Second)
		require.NoError(t, errOf(w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "Lamp", Body: "It is broken",
			Requester: ticket.Requester{Name: "Mina", Email: "mina@example.com"}})))
		require.NoError(t, errOf(w.eng.SendNotice(w.ctx, w.host, sangdam.SendNotice{Target: "mail", Notice: notify.Notice{ID: "Alert 7/a",
			Event: "agent.told", Title: "A ticket waits", Text: "Look", To: notify.Recipient{Address: "ara@shop.example"}}})))
		w.pass(time.Minute)
		states := func() map[string]string {
			page, err := w.eng.Deliveries(w.ctx, w.host, sangdam.DeliveryFilter{Target: "mail"}, "", 10)
			require.NoError(t, err)
			out := map[string]string{}
			for _, d := range page.Deliveries {
				out[d.Notice.To.Address] = strings.TrimSpace(string(d.State) + " " + string(d.Reason))
			}
			return out
		}
		require.Equal(t, map[string]string{"mina@example.com": "sent", "ara@shop.example": "sent"}, states())
		sent := o.mails.Mails()
		require.Len(t, sent, 2)
		bounce := func(id, to string) {
			w.mail.Deliver("INBOX", w.mail.Bounce(emailtest.Mail{From: "help@shop.test", To: to, Mail: message.Mail{ID: id}}, "5.1.1"))
			w.pass(3 * time.Second)
		}
		bounce("somebody.elses@shop.example", "mina@example.com")
		bounce("alert_7@shop.example", "ara@shop.example")
		require.Equal(t, map[string]string{"mina@example.com": "sent", "ara@shop.example": "sent"}, states())
		for _, m := range sent {
			bounce(strings.Trim(m.Header["Message-Id"][0], "<>"), m.To[0])
		}
		gone := "failed " + string(channel.ReasonUnreachable)
		require.Equal(t, map[string]string{"mina@example.com": gone, "ara@shop.example": gone}, states())
		require.Empty(t, w.conversations())
		tickets, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, tickets.Tickets, 1)
		require.Len(t, o.mails.Mails(), 2)
		require.Empty(t, w.got(""))
	}, withOutside(&o))
}

// What answers a mail about a ticket joins it by that mail's exact id, and for the
// address that it went to alone: a stranger who knows the id, somebody under the
// customer's name for whom the domain does not vouch, and ids that are alike make
// tickets of nobody.
func TestNothingForgedAnswersATicketsMail(t *testing.T) {
	var o outside
	inMail(t, emailtest.Options{AuthServer: "mx.shop.test"}, func(w *mailWorld) {
		o.targets(w.world)
		require.NoError(t, errOf(w.eng.SaveMailLayout(w.ctx, w.host, sangdam.SaveMailLayout{
			Layout: notify.Layout{HTML: "#{content}", Text: "We have got it."}})))
		told := sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail", MailOn: []ticket.MailEvent{ticket.MailReceived}}}
		require.NoError(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: told})))
		w.pass(3 * time.Second)
		made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "Lamp", Body: "It is broken",
			Requester: ticket.Requester{Name: "Mina", Email: "mina@example.com"}})
		require.NoError(t, err)
		w.pass(time.Minute)
		id := strings.Trim(o.mails.Mails()[0].Header["Message-Id"][0], "<>")
		local, domain, _ := strings.Cut(id, "@")
		replies := func() (n int) {
			history, err := w.eng.TicketHistory(w.ctx, w.host, made.Ticket, 0, 50)
			require.NoError(t, err)
			for _, e := range history {
				if e.Kind == ticket.Replied {
					n++
				}
			}
			return n
		}
		for _, l := range []emailtest.Letter{
			{From: "eve@evil.example", Text: "a stranger", InReplyTo: id, References: []string{id}},
			{Text: "under her name", InReplyTo: id, Spoofed: true},
			{Text: "cut", InReplyTo: local[:len(local)-1] + "@" + domain},
			{Text: "another step", InReplyTo: local + "9@" + domain},
			{Text: "before it", InReplyTo: "x" + id},
			{Subject: "[#1] Lamp", Text: "by its number"},
		} {
			w.write(l)
			require.Zero(t, replies(), l.Text)
		}
		w.write(emailtest.Letter{Text: "It is me", InReplyTo: id})
		require.Equal(t, 1, replies())
	}, withOutside(&o))
}
