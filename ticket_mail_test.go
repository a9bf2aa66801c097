package sangdam_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/mail"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// TestAnswersOfTicketsLeaveByMail where there is no conversation, once each.
func TestAnswersOfTicketsLeaveByMail(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		s := sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "nowhere"}}
		require.ErrorIs(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: s})),
			sangdam.ErrNotFound)
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
		require.ErrorIs(t, d.update(w.agent("a1"), none, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "x", Public: true}),
			sangdam.ErrUnsupported)
	}, withOutside(&o))
}

// An answer that nothing carries is kept, and whoever gave it is told, also when
// the command is repeated; one that leaves, or is internal, is told nothing.
func TestAnAnswerThatGoesNowhereIsTold(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Requester: ticket.Requester{Email: "kim@example.com"}})
		say := func(key sangdam.Key, public bool) []sangdam.Warning {
			state, err := w.eng.UpdateTicket(w.ctx, w.agent("a1"), sangdam.UpdateTicket{Key: key, Ticket: id,
				Comment: &sangdam.TicketComment{Text: "We look into it", Public: public}})
			require.NoError(t, err)
			return state.Warnings
		}
		for range 2 {
			told := say("first", true)
			require.Len(t, told, 1)
			require.Equal(t, "answer_unsent", told[0].Code)
			require.Contains(t, told[0].Text, "TicketRouting.AnswerBy")
		}
		require.Empty(t, say("inside", false))
		d.settings(sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail"}})
		require.Empty(t, say("second", true))
		w.settle()
		require.Len(t, o.mails.Mails(), 1)
	}, withOutside(&o))
}

// Bulk changes, macros and triggers tell of an answer that nothing carries as
// UpdateTicket does, and the history says it of that answer alone.
func TestAnAnswerThatGoesNowhereIsToldByWhateverGaveIt(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		open := func() ticket.ID {
			return d.open(sangdam.OpenTicket{Desk: "support", Requester: ticket.Requester{Email: "kim@example.com"}})
		}
		answer := func(said string) trigger.Action {
			return trigger.Do(action.Message, action.TextParams{Text: action.Texts{"": said}})
		}
		require.NoError(t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: sangdam.Macro{ID: "answer", Title: "Answer",
			Subject: "ticket", Actions: []trigger.Action{answer("We look into it"), tag("looked")}}})))
		w.save(ticketRule("answers", when("tags", condition.Has, "ask"), answer("A rule says so"),
			trigger.Do(action.Tag, action.TagParams{Remove: []string{"ask"}})))
		all := []ticket.ID{open(), open(), open()}
		bulk := func(of ...ticket.ID) sangdam.BulkReport {
			saved, err := w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: of,
				Comment: &sangdam.TicketComment{Text: "To all of you", Public: true}})
			require.NoError(t, err)
			return d.bulk(w.host, saved.ID)
		}
		told := bulk(all[0], "nowhere", all[1])
		require.Equal(t, []int{2, 1, 1}, []int{told.Bulk.Done, told.Bulk.Failed, len(told.Failures)})
		require.Len(t, told.Warnings, 2)
		for i, warning := range told.Warnings {
			require.Equal(t, sangdam.Warning{Code: "answer_unsent", Args: []string{strconv.Itoa(i + 1)}, Text: warning.Text}, warning)
			require.Contains(t, warning.Text, "TicketRouting.AnswerBy")
		}
		unsent := func(number int) []trigger.Outcome {
			return []trigger.Outcome{{Kind: action.Message, Code: "answer_unsent", Args: []string{strconv.Itoa(number)},
				Note: strings.ReplaceAll(told.Warnings[0].Text, "ticket 1", fmt.Sprint("ticket ", number))}, {Kind: action.Tag, Done: true}}
		}
		run := sangdam.RunMacro{Key: "run", Macro: "answer", Record: string(all[2])}
		for range 2 {
			out, err := w.eng.RunMacro(w.ctx, w.host, run)
			require.NoError(t, err)
			require.Equal(t, unsent(3), out)
		}
		require.NoError(t, d.update(w.host, all[2], sangdam.TicketChange{AddTags: []string{"ask"}}, nil))
		require.Equal(t, unsent(3), w.runs("answers")[0].Outcomes)

		d.settings(sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail"}})
		require.Empty(t, bulk(all...).Warnings)
		w.settle()
		require.Len(t, o.mails.Mails(), 3)
		require.Equal(t, []string{"To all of you: unsent", "To all of you"}, d.answers(all[1]))
		require.Equal(t, []string{"We look into it: unsent", "A rule says so: unsent", "To all of you"}, d.answers(all[2]))
		d.replays(all[2])
	}, withOutside(&o))
}

// answers are what was said to the customer on a ticket, and whether it was sent.
func (d *ticketDesk) answers(id ticket.ID) (out []string) {
	for _, e := range d.read(id).Entries {
		if e.Kind == ticket.Answered && e.Unsent {
			out = append(out, e.Text+": unsent")
		} else if e.Kind == ticket.Answered {
			out = append(out, e.Text)
		}
	}
	return out
}

const shopLayout = `<h1>Shop, #{number}</h1>#{content}<hr>`

func (d *ticketDesk) layout(l notify.Layout) {
	d.t.Helper()
	require.NoError(d.t, errOf(d.eng.SaveMailLayout(d.ctx, d.host, sangdam.SaveMailLayout{Layout: l})))
}

func (d *ticketDesk) settings(s sangdam.WorkspaceSettings) {
	d.t.Helper()
	setup, err := d.eng.TicketSetup(d.ctx, d.host)
	require.NoError(d.t, err)
	s.Version = setup.Settings.Version
	require.NoError(d.t, errOf(d.eng.SaveWorkspaceSettings(d.ctx, d.host, sangdam.SaveWorkspaceSettings{Settings: s})))
}

// TestCustomersAreToldByMail when their ticket was received, is on hold and is
// solved, and get answers, each in their language, within the layout for the
// event, once. Nobody is told of what is kept quiet, and mails of triggers carry
// no layout.
func TestCustomersAreToldByMail(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		d.layout(notify.Layout{HTML: shopLayout, Text: "Ticket #{number} is #{state}."})
		d.layout(notify.Layout{Event: "solved", Language: "ko", HTML: "<b>#{customer.name}</b>#{content}", Subject: "#{customer.name}님, 해결",
			Text: "문의가 해결되었습니다."})
		d.settings(sangdam.WorkspaceSettings{Languages: []string{"en", "ko"}, Tickets: sangdam.TicketRouting{AnswerBy: "mail",
			MailOn: []ticket.MailEvent{ticket.MailReceived, ticket.MailOnHold, ticket.MailSolved}}})
		w.save(ticketRule("own", when("event", condition.Is, "solved"),
			trigger.Do(action.Mail, action.MailParams{To: action.ToCustomer,
				Subject: action.Texts{"": "by a rule"}, Body: action.Texts{"": "plain words"}, HTML: true})))
		a1 := w.agent("a1")
		id := d.open(sangdam.OpenTicket{Language: "ko-KR", Requester: ticket.Requester{Name: "<Kim>", Email: "kim@example.com"}})
		require.NoError(t, d.update(a1, id, sangdam.TicketChange{State: ptr(ticket.OnHold)}, nil))
		require.NoError(t, d.update(a1, id, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "a < b", Public: true}))
		require.NoError(t, d.update(a1, id, sangdam.TicketChange{Priority: ptr(ticket.High)}, &sangdam.TicketComment{Text: "for us"}))
		require.NoError(t, d.update(a1, id, sangdam.TicketChange{State: ptr(ticket.Solved)}, nil))
		spam := d.open(sangdam.OpenTicket{Title: "Spam"})
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, a1,
			sangdam.UpdateTicket{Ticket: id, Version: d.read(id).Ticket.Version, Quiet: true,
				Change: sangdam.TicketChange{State: ptr(ticket.InProgress)}})))
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, a1,
			sangdam.UpdateTicket{Ticket: id, Version: d.read(id).Ticket.Version, Quiet: true,
				Change: sangdam.TicketChange{State: ptr(ticket.OnHold)}})))
		require.NoError(t, d.update(a1, spam, sangdam.TicketChange{State: ptr(ticket.Solved)}, nil), "without an address nobody is told")
		require.ErrorIs(t, errOf(w.eng.UpdateTicket(w.ctx, a1, sangdam.UpdateTicket{Ticket: id, Quiet: true,
			Comment: &sangdam.TicketComment{Text: "x", Public: true}})), sangdam.ErrInvalid)
		w.settle()
		got := map[string]mailtest.Mail{}
		var order []string
		for _, m := range o.mails.Mails() {
			require.Equal(t, []string{"kim@example.com"}, m.To)
			key := m.Subject + "|" + strings.ReplaceAll(strings.TrimSpace(m.Text), "\r\n", "\n")
			got[key], order = m, append(order, key)
		}
		const title, line = "[#1] Lamp broken|Shop, 1\n\n", "\n\n--------"
		require.ElementsMatch(t, []string{title + "Ticket 1 is unassigned." + line, title + "Ticket 1 is on_hold." + line,
			title + "a < b" + line,
			"<Kim>님, 해결|<Kim>문의가 해결되었습니다.",
			"by a rule|plain words"}, order)
		require.Equal(t, "<h1>Shop, 1</h1>a &lt; b<hr>", strings.TrimSpace(got[title+"a < b"+line].HTML))
		require.Equal(t, "<b>&lt;Kim&gt;</b>문의가 해결되었습니다.",
			strings.TrimSpace(got["<Kim>님, 해결|<Kim>문의가 해결되었습니다."].HTML))
		require.Equal(t, "plain words", strings.TrimSpace(got["by a rule|plain words"].HTML), "the layout is not for mails of triggers")
	}, withOutside(&o))
}

// TestALayoutWithoutContentIsRefused by every way in, and so is what would leave
// a mail without words.
func TestALayoutWithoutContentIsRefused(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		o.targets(d.world)
		bad := notify.Layout{HTML: "<h1>Shop</h1>"}
		save := func(l notify.Layout) error {
			return errOf(d.eng.SaveMailLayout(d.ctx, d.host, sangdam.SaveMailLayout{Layout: l}))
		}
		require.ErrorContains(t, save(bad), "#{content}")
		require.ErrorContains(t, errOf(d.eng.Apply(d.ctx, d.host, sangdam.Apply{Setup: sangdam.Setup{Layouts: []notify.Layout{bad}}})),
			"#{content}")
		require.ErrorContains(t, errOf(d.eng.Plan(d.ctx, d.host, sangdam.Setup{Layouts: []notify.Layout{bad}})), "#{content}")
		require.ErrorContains(t, save(notify.Layout{HTML: "<!-- #{content} -->"}), "nobody reads it")
		good := notify.Layout{HTML: shopLayout}
		for name, spoil := range map[string]func(*notify.Layout){
			"an event that does not exist":               func(l *notify.Layout) { l.Event = "exploded" },
			"a placeholder that does not exist":          func(l *notify.Layout) { l.HTML += "#{password}" },
			"a placeholder in the subject":               func(l *notify.Layout) { l.Subject = "#{content}" },
			"ten thousand placeholders":                  func(l *notify.Layout) { l.Text = strings.Repeat("#{title}", 3_000) },
			"a placeholder that does not come to an end": func(l *notify.Layout) { l.Text = "#{title" },
		} {
			l := good
			spoil(&l)
			require.ErrorIs(t, save(l), sangdam.ErrInvalid, name)
		}
		all, err := d.eng.MailLayouts(d.ctx, d.host)
		require.NoError(t, err)
		require.Empty(t, all, "nothing was saved")

		on := sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail", MailOn: []ticket.MailEvent{ticket.MailSolved}}}
		settings := func(s sangdam.WorkspaceSettings) error {
			return errOf(d.eng.SaveWorkspaceSettings(d.ctx, d.host, sangdam.SaveWorkspaceSettings{Settings: s}))
		}
		require.ErrorContains(t, settings(on), "no mail layout has a text")
		good.Event, good.Text = "solved", "It is solved."
		applied, err := d.eng.Apply(d.ctx, d.host, sangdam.Apply{Setup: sangdam.Setup{Layouts: []notify.Layout{good}}})
		require.NoError(t, err)
		require.Equal(t, []sangdam.Planned{{Kind: "mail_layout", ID: "solved/*", Do: sangdam.PlanMake}}, applied.Parts)
		require.NoError(t, settings(on))
		require.ErrorContains(t, d.eng.DeleteMailLayout(d.ctx, d.host, sangdam.DeleteMailLayout{Event: "solved", Version: 1}),
			"no mail layout has a text")
		good.Version, good.Text = 1, ""
		require.ErrorContains(t, save(good), "no mail layout has a text")
		on.Version = 1
		for _, spoil := range []sangdam.TicketRouting{{MailOn: on.Tickets.MailOn}, {AnswerBy: "hook", MailOn: on.Tickets.MailOn},
			{AnswerBy: "mail", MailOn: []ticket.MailEvent{ticket.MailHandled}}} {
			require.ErrorIs(t, settings(sangdam.WorkspaceSettings{Version: 1, Tickets: spoil}), sangdam.ErrInvalid)
		}
		on.Tickets.MailOn = nil
		require.NoError(t, settings(on))
		require.NoError(t, d.eng.DeleteMailLayout(d.ctx, d.host, sangdam.DeleteMailLayout{Event: "solved", Version: 1}))
	}, withOutside(&o))
}

// TestNoticesToAssigneeAndGroup: one mail each, never an open list.
func TestNoticesToAssigneeAndGroup(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		o.targets(d.world)
		for _, id := range []routing.AgentID{"a1", "a2"} {
			d.saveAgent(routing.Agent{ID: id, Name: string(id), Email: string(id) + "@shop.example", Role: "agent",
				Assign:      routing.AssignmentSwitches{Ticket: true},
				Permissions: []routing.Permission{routing.PermitTicket}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}})
		}
		group := ticket.Group{ID: "returns", Version: 1, Name: "Returns", Agents: []ticket.AgentID{"a1", "a2"}}
		require.NoError(t, errOf(d.eng.SaveGroup(d.ctx, d.host, sangdam.SaveGroup{Group: group})))
		mailTo := func(to string) trigger.Action {
			return trigger.Do(action.Mail,
				action.MailParams{To: to, Subject: action.Texts{"": "for " + to}, Body: action.Texts{"": "x"}, HTML: true})
		}
		d.save(ticketRule("r", when("event", condition.Is, "created"), mailTo(action.ToAssignee), mailTo(action.ToGroup)))
		group.Version, group.Name = 2, "Taking back" // what is named stays named under another name
		require.NoError(t, errOf(d.eng.SaveGroup(d.ctx, d.host, sangdam.SaveGroup{Group: group})))
		d.open(sangdam.OpenTicket{Group: "returns", Agent: "a2"})
		d.settle()
		var got []string
		for _, m := range o.mails.Mails() {
			require.Len(t, m.To, 1)
			require.Len(t, m.Header["To"], 1)
			got = append(got, m.Subject+" "+m.To[0])
		}
		require.ElementsMatch(t, []string{"for assignee a2@shop.example", "for group a1@shop.example", "for group a2@shop.example"}, got)
	}, withOutside(&o))
}

// TestTheCustomersChatAnswersTheTicket once the ticket has spoken through it:
// it is worked on again. The words stay in the chat, where they can be taken
// back. What is meant for a merged ticket goes to its target and opens nothing;
// a complete ticket has no part in it.
func TestTheCustomersChatAnswersTheTicket(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		w.save(ticketRule("heard", when("comment", condition.Contains, "blue"), tag("blue")))
		mina := w.line.User("Mina")
		mina.SendText("my lamp is broken")
		w.settle()
		cv := w.conversations()[0]
		opened, err := w.eng.OpenTicket(w.ctx, w.agent("a1"), sangdam.OpenTicket{Conversation: cv.ID})
		require.NoError(t, err)
		id := opened.Ticket
		mina.SendText("it was dear")
		w.settle()
		require.Len(t, d.read(id).Entries, 1, "until the ticket speaks the chat goes on by itself")
		require.NoError(t, d.update(w.agent("a1"), id, sangdam.TicketChange{State: ptr(ticket.OnHold)},
			&sangdam.TicketComment{Text: "Which colour?", Public: true}))
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: cv.ID, Final: true})))
		w.settle()
		mina.SendText("the blue one")
		w.settle()
		got := d.read(id)
		last := got.Entries[2]
		require.Equal(t, []any{"customer", ticket.Replied, "the blue one", ticket.Unassigned}, []any{last.Actor, last.Kind, last.Text,
			got.Ticket.State})
		require.Equal(t, []string{"blue"}, got.Ticket.Tags, "rules hear it")
		part, err := w.eng.SplitTicket(w.ctx, w.agent("a1"), sangdam.SplitTicket{Ticket: id, Entry: last.Seq, Title: "Blue"})
		require.NoError(t, err)
		require.Equal(t, "the blue one", d.read(part.Ticket).Ticket.Body, "what stands in the chat is its text")
		d.replays(part.Ticket)

		into := d.open(sangdam.OpenTicket{Title: "the same"})
		require.NoError(t, d.update(w.host, into, sangdam.TicketChange{State: ptr(ticket.Solved)}, nil))
		require.NoError(t, errOf(w.eng.MergeTickets(w.ctx, w.host, sangdam.MergeTickets{From: id, Into: into})))
		mina.SendText("and hurry")
		w.settle()
		target := d.read(into)
		last = target.Entries[len(target.Entries)-1]
		require.Equal(t, []any{"and hurry", id, ticket.Solved}, []any{last.Text, last.From, target.Ticket.State})
		require.NoError(t, d.update(w.host, into, sangdam.TicketChange{State: ptr(ticket.Complete)}, nil))
		mina.SendText("hello?")
		w.settle()
		require.Len(t, d.read(into).Entries, len(target.Entries)+1, "it is complete: the words are the chat's alone")
		d.replays(id)
		d.replays(into)
	})
}

// TestACustomersMailAnswersTheTicket that the mail which it answers was about:
// by that mail's exact id, from the address that it went to. From then on the
// ticket answers in that thread.
func TestACustomersMailAnswersTheTicket(t *testing.T) {
	inMail(t, emailtest.Options{AuthServer: "mx.shop.test"}, func(w *mailWorld) {
		sink := mailtest.New(mailtest.Options{})
		defer sink.Close()
		w.cfg.Carriers = []notify.Carrier{mail.New(mail.Options{Dial: sink.Dial})}
		w.halt()
		var err error
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		w.start()
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host,
			sangdam.SaveTarget{Target: notify.Target{ID: "mail", Kind: mail.Kind, Name: "Mail",
				Settings: json.RawMessage(`{"host":"smtp.shop.test","encryption":"none","from":"help@shop.test"}`)}})))
		require.NoError(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host,
			sangdam.SaveWorkspaceSettings{Settings: sangdam.WorkspaceSettings{
				Tickets: sangdam.TicketRouting{AnswerBy: "mail"}}})))
		opened, err := w.eng.OpenTicket(w.ctx, w.host,
			sangdam.OpenTicket{Title: "Lamp", Requester: ticket.Requester{Email: "mina@example.com"}})
		require.NoError(t, err)
		say := func(text string, version int64, state ticket.State) {
			require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: opened.Ticket, Version: version,
				Change: sangdam.TicketChange{State: &state}, Comment: &sangdam.TicketComment{Text: text, Public: true}})))
			w.pass(3 * time.Second)
		}
		say("Which colour?", opened.Version, ticket.OnHold)
		asked := strings.Trim(sink.Mails()[0].Header["Message-Id"][0], "<>")
		w.write(emailtest.Letter{From: "eve@example.com", Name: "Eve", Subject: "Re: Lamp", Text: "I know the id", InReplyTo: asked})
		got, err := w.eng.Ticket(w.ctx, w.host, opened.Ticket)
		require.NoError(t, err)
		require.Len(t, got.Entries, 2, "another address has no part in it")
		w.write(emailtest.Letter{Subject: "Re: Lamp", Text: "The blue one", InReplyTo: asked})
		got, err = w.eng.Ticket(w.ctx, w.host, opened.Ticket)
		require.NoError(t, err)
		require.Len(t, got.Entries, 3)
		require.Contains(t, got.Entries[2].Text, "The blue one")
		require.Equal(t, ticket.Unassigned, got.Ticket.State)
		say("It is on its way", got.Ticket.Version, ticket.Solved)
		mails := w.got("mina@example.com")
		require.Equal(t, "It is on its way", mails[len(mails)-1].Text)
		w.write(emailtest.Answer(mails[len(mails)-1], "Thank you"))
		got, err = w.eng.Ticket(w.ctx, w.host, opened.Ticket)
		require.NoError(t, err)
		require.Contains(t, got.Entries[len(got.Entries)-1].Text, "Thank you")
	})
}

// TestTheMailsOfATicket are read by whoever may read the ticket, also without a
// right to the conversation, and no other file is; what is masked in the ticket
// or in the mail is in none of them.
func TestTheMailsOfATicket(t *testing.T) {
	html := func(text string) emailtest.Letter {
		return emailtest.Letter{Subject: "order", Text: text, HTML: "<p>" + text + "</p>"}
	}
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		stream := w.configuration().WorkStreams["mail"]
		stream.Tickets = true
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
		for _, id := range []routing.AgentID{"outsider", "stranger"} {
			w.saveAgent(routing.Agent{ID: id, Name: string(id), Role: "agent", Assign: routing.AssignmentSwitches{Ticket: true},
				Permissions: []routing.Permission{routing.PermitTicket}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}})
		}
		w.pass(3 * time.Second)
		w.write(html("Call 010-1234-5678"))
		page, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		id := page.Tickets[0].ID
		out := routing.AgentID("outsider")
		made, err := w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: id, Version: page.Tickets[0].Version,
			Change: sangdam.TicketChange{Agent: &out}, Comment: &sangdam.TicketComment{Text: "Which one?", Public: true}})
		require.NoError(t, err)
		w.pass(3 * time.Second)
		mails := w.got("mina@example.com")
		w.write(emailtest.Answer(mails[len(mails)-1], "The red one"))
		w.pass(time.Minute)
		read := func() []conversation.Message {
			d, err := w.eng.Ticket(w.ctx, w.agent("outsider"), id)
			require.NoError(t, err)
			made.Version = d.Ticket.Version
			return d.Mails
		}
		opens := func(who routing.AgentID, m conversation.MessageID, n int, of ticket.ID) error {
			a, err := w.eng.Attachment(w.ctx, w.agent(who), sangdam.AttachmentRef{Message: m, N: n, Ticket: of})
			if err == nil {
				require.NoError(t, a.Close())
			}
			return err
		}
		got := read()
		require.Len(t, got, 2)
		require.Equal(t, []string{"Call 010-1234-5678", "The red one"}, []string{got[0].Content.Text, got[1].Content.Text[:11]})
		first := got[0].ID
		require.NoError(t, opens("outsider", first, 0, id))
		require.Error(t, opens("outsider", first, 0, ""), "the conversation is not this agent's")
		require.ErrorIs(t, opens("stranger", first, 0, id), sangdam.ErrNotFound)
		require.ErrorIs(t, opens("outsider", first, 1, id), sangdam.ErrNotFound)
		w.write(emailtest.Letter{From: "jun@example.com", Name: "Jun", Subject: "mine", Text: "other", HTML: "<p>other</p>"})
		w.pass(time.Minute)
		all, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, all.Tickets, 2)
		for _, other := range all.Tickets {
			if other.ID != id {
				d, err := w.eng.Ticket(w.ctx, w.host, other.ID)
				require.NoError(t, err)
				require.ErrorIs(t, opens("outsider", d.Mails[0].ID, 0, id), sangdam.ErrNotFound, "a mail of another ticket")
			}
		}
		at := strings.Index("Call 010-1234-5678", "0")
		require.NoError(t, errOf(w.eng.MaskTicket(w.ctx, w.host,
			sangdam.MaskTicket{Ticket: id, Part: ticket.BodyPart, Version: made.Version,
				Spans: []privacy.Span{{Start: at, End: at + 13}}})))
		got = read()
		require.Len(t, got, 1, "the masked one is not told")
		require.Equal(t, "The red one", got[0].Content.Text[:11])
		require.ErrorIs(t, opens("outsider", first, 0, id), sangdam.ErrNotFound)
	})
}
