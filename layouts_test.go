package sangdam_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// TestTicketLayoutsFollowTheEditorType by the command and by Apply: a body of the
// other form is refused with the setting and the remedy. What was there when the
// type was changed stays, is used as it is, is listed, and may be saved with
// another subject, until it is converted.
func TestTicketLayoutsFollowTheEditorType(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		o.targets(d.world)
		html := notify.Layout{HTML: shopLayout, Text: "It is #{state}."}
		plain := notify.Layout{Event: "solved", Plain: "Shop <#{customer.name}>\n#{content}\n-- ", Text: "Solved."}
		save := func(l notify.Layout) (sangdam.Saved, error) {
			return d.eng.SaveMailLayout(d.ctx, d.host, sangdam.SaveMailLayout{Layout: l})
		}
		refused := func(err error, remedy string) {
			t.Helper()
			require.ErrorIs(t, err, sangdam.ErrInvalid)
			require.ErrorContains(t, err, "editor type of this workspace")
			require.ErrorContains(t, err, remedy)
		}
		refused(errOf(save(plain)), "set the editor type to text")
		require.NoError(t, errOf(save(html)))
		routing := sangdam.TicketRouting{AnswerBy: "mail", MailOn: []ticket.MailEvent{ticket.MailSolved, ticket.MailOnHold}}
		changed, err := d.eng.SaveWorkspaceSettings(d.ctx, d.host, sangdam.SaveWorkspaceSettings{
			Settings: sangdam.WorkspaceSettings{Editor: sangdam.EditorText, Tickets: routing}})
		require.NoError(t, err)
		require.Len(t, changed.Warnings, 1)
		require.Contains(t, changed.Warnings[0].Text, "mail layout */*")

		html.Version, html.HTML = 1, shopLayout+"!"
		refused(errOf(save(html)), "set the editor type to html")
		fresh := notify.Layout{Event: "on_hold", HTML: "#{content}"}
		refused(errOf(save(fresh)), "set the editor type to html")
		for _, l := range []notify.Layout{html, fresh} {
			setup := sangdam.Setup{Layouts: []notify.Layout{l}}
			refused(errOf(d.eng.Apply(d.ctx, d.host, sangdam.Apply{Setup: setup})), "set the editor type to html")
			refused(errOf(d.eng.Plan(d.ctx, d.host, setup)), "set the editor type to html")
		}
		html.HTML, html.Subject = shopLayout, "Ticket #{number}"
		kept, err := save(html)
		require.NoError(t, err, "what stood there stays")
		require.Len(t, kept.Warnings, 1)
		require.NoError(t, errOf(save(plain)))
		lint, err := d.eng.Plan(d.ctx, d.host, sangdam.Setup{})
		require.NoError(t, err)
		require.Equal(t, kept.Warnings, lint.Warnings)

		id := d.open(sangdam.OpenTicket{Requester: ticket.Requester{Name: "#{content}<Kim>", Email: "kim@example.com"}})
		require.NoError(t, d.update(d.agent("a1"), id, sangdam.TicketChange{State: ptr(ticket.OnHold)}, nil))
		require.NoError(t, d.update(d.agent("a1"), id, sangdam.TicketChange{State: ptr(ticket.Solved)},
			&sangdam.TicketComment{Text: "a < b", Public: true}))
		d.settle()
		got := map[string]string{}
		for _, m := range o.mails.Mails() {
			got[strings.ReplaceAll(strings.TrimSpace(m.Text), "\r\n", "\n")] = strings.TrimSpace(m.HTML)
		}
		require.Equal(t, map[string]string{"Shop, 1\n\nIt is on_hold.\n\n--------": "<h1>Shop, 1</h1>It is on_hold.<hr>",
			"Shop <#{content}<Kim>>\na < b\n--": ""}, got, "HTML as it was saved, and plain text alone")

		html.Version, html.HTML, html.Plain = 2, "", "Shop\n#{content}"
		require.NoError(t, errOf(save(html)))
		lint, err = d.eng.Plan(d.ctx, d.host, sangdam.Setup{})
		require.NoError(t, err)
		require.Empty(t, lint.Warnings)
	}, withOutside(&o))
}

// TestMailAccountsFollowTheEditorType in the same way: by SaveAccount and Apply.
// An account with layouts of before is saved for another reason, and its mails
// keep their form; what a trigger says has no layout of either form.
func TestMailAccountsFollowTheEditorType(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		with := func(all ...email.Layout) sangdam.SaveAccount {
			var s email.Settings
			require.NoError(t, json.Unmarshal(w.acct.Settings, &s))
			s.Layouts = all
			raw, err := json.Marshal(s)
			require.NoError(t, err)
			a := w.acct
			a.Settings = raw
			return sangdam.SaveAccount{Account: a}
		}
		save := func(all ...email.Layout) ([]sangdam.Warning, error) {
			saved, err := w.eng.SaveAccount(w.ctx, w.host, with(all...))
			if err == nil {
				w.acct = saved.Account
			}
			return saved.Warnings, err
		}
		editor := func(version int64, e sangdam.Editor) []sangdam.Warning {
			got, err := w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{
				Settings: sangdam.WorkspaceSettings{Version: version, Editor: e}})
			require.NoError(t, err)
			return got.Warnings
		}
		html := email.Layout{Event: "handled", HTML: "<h1>Shop</h1>#{content}"}
		plain := email.Layout{Event: "received", Text: "Shop\n#{content}"}
		require.ErrorContains(t, errOf(save(plain)), "set the editor type to text")
		require.NoError(t, errOf(save(html)))
		require.Len(t, editor(0, sangdam.EditorText), 1)
		worse := html
		worse.HTML += "!"
		require.ErrorContains(t, errOf(save(worse)), "settings.layouts[0] is HTML")
		require.ErrorContains(t, errOf(save(html, email.Layout{Event: "solved", HTML: "#{content}"})), "settings.layouts[1] is HTML")
		require.ErrorContains(t, errOf(w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: sangdam.Setup{
			Accounts: []channel.Account{with(worse).Account}}})), "set the editor type to html")
		warnings, err := save(html, plain)
		require.NoError(t, err)
		require.Len(t, warnings, 1)
		require.Contains(t, warnings[0].Text, "settings.layouts[0] is of the editor type html")

		w.save(rule("echo", when("happened", condition.Has, "opened"), trigger.Do(action.Message,
			action.TextParams{Text: action.Texts{"": "A rule says so."}})))
		w.pass(3 * time.Second)
		w.write(emailtest.Letter{Subject: "order", Text: "one"})
		w.answer(w.only().Conversation.ID, "We look.")
		w.pass(3 * time.Second)
		got := map[string]string{}
		for _, m := range w.got("mina@example.com") {
			got[strings.ReplaceAll(strings.TrimSpace(m.Text), "\r\n", "\n")] = strings.TrimSpace(m.HTML)
		}
		require.Equal(t, map[string]string{"Shop\nYour mail has arrived.": "", "A rule says so.": "",
			"Shop\n\nWe look.": "<h1>Shop</h1>We look."}, got)

		require.Len(t, editor(1, sangdam.EditorHTML), 1, "now the plain one is of the other type")
	})
}

// TestMailsOfTriggersFollowTheEditorType: a new or changed one in the other form is
// refused, one that stands stays in use, and is told.
func TestMailsOfTriggersFollowTheEditorType(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		o.targets(d.world)
		mail := func(to, body string, html bool) trigger.Action {
			return trigger.Do(action.Mail,
				action.MailParams{To: to, Subject: action.Texts{"": "x"}, Body: action.Texts{"": body}, HTML: html})
		}
		save := func(r trigger.Trigger) (sangdam.Saved, error) {
			return d.eng.SaveTrigger(d.ctx, d.host, sangdam.SaveTrigger{Trigger: r})
		}
		refused := func(r trigger.Trigger, remedy string) {
			t.Helper()
			err := errOf(save(r))
			require.ErrorIs(t, err, sangdam.ErrInvalid)
			require.ErrorContains(t, err, "trigger thank")
			require.ErrorContains(t, err, remedy)
		}
		rule := ticketRule("thank", when("event", condition.Is, "created"), mail(action.ToCustomer, "Thanks", false))
		refused(rule, "set the editor type to text")
		rule.Actions[0] = mail(action.ToCustomer, "<p>Thanks</p>", true)
		saved, err := save(rule)
		require.NoError(t, err)
		require.Empty(t, saved.Warnings)

		changed, err := d.eng.SaveWorkspaceSettings(d.ctx, d.host,
			sangdam.SaveWorkspaceSettings{Settings: sangdam.WorkspaceSettings{Editor: sangdam.EditorText}})
		require.NoError(t, err)
		require.Len(t, changed.Warnings, 1)
		require.Contains(t, changed.Warnings[0].Text, "a mail of trigger thank is of the editor type html")
		rule.Version = saved.Version
		rule.Actions = append(rule.Actions, mail(action.ToAssignee, "Look", false))
		rule.Actions[0] = mail(action.ToCustomer, "<p>Many thanks</p>", true)
		refused(rule, "set the editor type to html")
		rule.Actions[0] = mail(action.ToCustomer, "<p>Thanks</p>", true)
		kept, err := save(rule)
		require.NoError(t, err, "what stood there stays, and another is added")
		require.Equal(t, changed.Warnings, kept.Warnings)
		lint, err := d.eng.Plan(d.ctx, d.host, sangdam.Setup{})
		require.NoError(t, err)
		require.Equal(t, kept.Warnings, lint.Warnings)
	}, withOutside(&o))
}
