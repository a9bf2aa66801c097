package sangdam_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// What an administrator sets up in a script about tickets, in the words of
// testdata/ticket_service.txt: admin VERB ARGUMENTS.

// quoted splits "a word "and a text"" into its words and texts.
func quoted(s string) (out []string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if text, err := strconv.QuotedPrefix(s); err == nil {
			plain, _ := strconv.Unquote(text)
			out, s = append(out, plain), s[len(text):]
			continue
		}
		word, rest, _ := strings.Cut(s, " ")
		out, s = append(out, word), rest
	}
	return out
}

func (s *ticketScript) admin(verb, rest string) error {
	words := append(quoted(rest), "", "", "", "")
	switch verb {
	case "category":
		return s.saveCategory(words[0], words[2])
	case "drops":
		return s.dropCategory(words[0])
	case "field":
		return s.saveField(ticket.Field{Code: words[0], Kind: ticket.AgentField, Type: ticket.FieldType(words[1]), Names: named(words[2]),
			Required: words[3] == "required"})
	case "unfields":
		d := s.desk
		saved, err := d.eng.DeleteField(d.ctx, d.host, sangdam.DeleteField{Version: d.fields, Code: words[0]})
		d.fields = max(d.fields, saved.Version)
		return err
	case "template":
		t := ticket.AnswerTemplate{Title: words[0], SearchCode: words[1], Body: words[2]}
		if words[3] != "" {
			t.Resolutions = []ticket.CategoryID{s.desk.resolved}
		}
		saved, err := s.desk.eng.SaveTemplate(s.desk.ctx, s.desk.host, sangdam.SaveTemplate{Template: t})
		for _, w := range saved.Warnings {
			s.said = append(s.said, w.Text)
		}
		return err
	case "mails":
		return s.mailOn(strings.Fields(strings.TrimPrefix(rest, "on ")))
	case "layout":
		return errOf(s.desk.eng.SaveMailLayout(s.desk.ctx, s.desk.host,
			sangdam.SaveMailLayout{Layout: notify.Layout{Event: words[0], HTML: words[1], Text: words[2]}}))
	case "rule":
		return s.rule(rest)
	case "switches", "deletes":
		return s.touchRule(verb, words[0], words[1])
	case "disbands":
		return s.desk.eng.DeleteGroup(s.desk.ctx, s.desk.host, sangdam.DeleteGroup{Group: ticket.GroupID(words[0]), Version: 1})
	}
	return fmt.Errorf("unknown verb")
}

// called is the category of a name, in the tree where it is.
func (s *ticketScript) called(name string) (ticket.Tree, ticket.Category) {
	setup, err := s.desk.eng.TicketSetup(s.desk.ctx, s.desk.host)
	require.NoError(s.desk.t, err)
	for _, c := range setup.Trees[ticket.Intake].Walk() {
		if strings.EqualFold(c.Names["en"], name) {
			return setup.Trees[ticket.Intake], c
		}
	}
	return setup.Trees[ticket.Intake], ticket.Category{}
}

func (s *ticketScript) saveCategory(name, under string) error {
	tree, parent := s.called(under)
	return errOf(s.desk.eng.SaveCategory(s.desk.ctx, s.desk.host, sangdam.SaveCategory{Tree: ticket.Intake, Version: tree.Version,
		Category: ticket.Category{Parent: parent.ID, Names: named(name), Offered: true}}))
}

func (s *ticketScript) dropCategory(name string) error {
	tree, c := s.called(name)
	_, err := s.desk.eng.DeleteCategory(s.desk.ctx, s.desk.host, sangdam.DeleteCategory{Tree: ticket.Intake, Version: tree.Version,
		Category: c.ID})
	after, _ := s.called("")
	s.said = append(s.said, fmt.Sprintf("%d categories are left", len(after.Categories)))
	return err
}

func (s *ticketScript) saveField(f ticket.Field) error {
	saved, err := s.desk.eng.SaveField(s.desk.ctx, s.desk.host, sangdam.SaveField{Version: s.desk.fields, Field: f})
	s.desk.fields = max(s.desk.fields, saved.Version)
	return err
}

func (s *ticketScript) mailOn(events []string) error {
	setup, err := s.desk.eng.TicketSetup(s.desk.ctx, s.desk.host)
	require.NoError(s.desk.t, err)
	c := setup.Settings
	c.Tickets.AnswerBy, c.Tickets.MailOn = "mail", nil
	for _, e := range events {
		c.Tickets.MailOn = append(c.Tickets.MailOn, ticket.MailEvent(e))
	}
	return errOf(s.desk.eng.SaveWorkspaceSettings(s.desk.ctx, s.desk.host, sangdam.SaveWorkspaceSettings{Settings: c}))
}

// rule reads: NAME [after 2h] when FIELD OP VALUE and … do ACTION ARGUMENT; ….
func (s *ticketScript) rule(text string) error {
	head, do, _ := strings.Cut(text, " do ")
	name, when, _ := strings.Cut(head, " when ")
	t := ticketRule("", nil)
	for _, one := range strings.Split(when, " and ") {
		words := quoted(one)
		c := condition.Clause{Field: words[0], Op: condition.Op(words[1])}
		if len(words) > 2 {
			c.Value = words[2]
		}
		t.When.All = append(t.When.All, c)
	}
	name, after, timed := strings.Cut(name, " after ")
	if timed {
		wait, err := time.ParseDuration(after)
		if err != nil {
			return err
		}
		t.After = &trigger.After{Since: "created", For: wait}
	}
	t.ID, t.Title = trigger.ID(name), name
	for _, a := range strings.Split(do, "; ") {
		t.Actions = append(t.Actions, actionOf(quoted(a)))
	}
	saved, err := s.desk.eng.SaveTrigger(s.desk.ctx, s.desk.host, sangdam.SaveTrigger{Trigger: t})
	for _, w := range saved.Warnings {
		s.said = append(s.said, w.Text)
	}
	return err
}

func actionOf(w []string) trigger.Action {
	w = append(w, "", "", "")
	texts := func(s string) action.Texts { return action.Texts{"": s} }
	switch w[0] {
	case "assign": // assign GROUP how
		return trigger.Do(action.Assign, action.AssignParams{Group: w[1], Choice: trigger.Choice(w[2])})
	case "give": // give AGENT
		return trigger.Do(action.Assign,
			action.AssignParams{Agents: []routing.AgentID{routing.AgentID(w[1])}, Choice: trigger.ChooseOne})
	case "tag":
		return tag(w[1])
	case "set":
		return setting(w[1], w[2])
	case "priority":
		n, _ := strconv.Atoi(w[1])
		return trigger.Do(action.Priority, action.PriorityParams{Value: n})
	case "mail": // mail TO SUBJECT BODY
		return trigger.Do(action.Mail, action.MailParams{To: w[1], Subject: texts(w[2]), Body: texts(w[3]), HTML: true})
	case "forward":
		return trigger.Do(action.Forward, action.ForwardParams{To: w[1], Complete: w[2] == "complete"})
	case "call":
		return trigger.Do(action.Webhook, action.WebhookParams{Target: "hook", Fields: []string{"number", "title"}})
	case "room":
		return trigger.Do(action.Notice, action.NoticeParams{Target: "room", Text: texts(w[1])})
	case "note":
		return trigger.Do(action.Note, action.TextParams{Text: texts(w[1])})
	}
	return trigger.Action{Kind: w[0]}
}

func (s *ticketScript) touchRule(verb, name, how string) error {
	d := s.desk
	list, err := d.eng.Triggers(d.ctx, d.host, "ticket")
	require.NoError(d.t, err)
	for _, t := range list.Triggers {
		switch {
		case string(t.ID) != name:
		case verb == "deletes":
			return d.eng.DeleteTrigger(d.ctx, d.host, sangdam.DeleteTrigger{Trigger: t.ID, Version: t.Version})
		default:
			return errOf(d.eng.SwitchTrigger(d.ctx, d.host, sangdam.SwitchTrigger{Trigger: t.ID, Version: t.Version, Active: how == "on"}))
		}
	}
	return fmt.Errorf("no rule of that name")
}

// asks is what an agent looks up; the answer is printed.
func (s *ticketScript) asks(id routing.AgentID, verb, text string) error {
	d := s.desk
	switch verb {
	case "searches":
		found, err := d.eng.SearchTickets(d.ctx, d.agent(id), text, "", 10)
		for _, f := range found.Tickets {
			s.said = append(s.said, fmt.Sprintf("found t%d", f.Ticket.Number))
		}
		return err
	case "templates":
		list, err := d.eng.Templates(d.ctx, d.agent(id), sangdam.TemplateFilter{Text: text, Resolution: d.resolved})
		for _, t := range list {
			s.said = append(s.said, fmt.Sprintf("%s: %s", t.Title, t.Offer))
		}
		return err
	}
	return fmt.Errorf("unknown verb")
}

// sent tells what left for other places than chats since it was asked last.
func (s *ticketScript) sent(out *strings.Builder) {
	for _, line := range s.said {
		fmt.Fprintf(out, "  %s\n", line)
	}
	s.said = nil
	mails, calls, room := s.out.mails.Mails(), s.out.hooks.Acted(), s.out.room.Notices()
	var lines []string // places have lanes of their own: which is first is chance
	for _, m := range mails[s.mails:] {
		lines = append(lines, fmt.Sprintf("mail to %s %q: %q\n", strings.Join(m.To, ", "), m.Subject,
			firstLine(strings.TrimPrefix(strings.TrimSpace(m.Text), "Shop")))) // without the layout's heading
	}
	for _, c := range calls[s.calls:] {
		lines = append(lines, fmt.Sprintf("web hook %s\n", c.Type))
	}
	for _, n := range room[s.room:] {
		lines = append(lines, fmt.Sprintf("room %q\n", n.Text))
	}
	slices.Sort(lines)
	out.WriteString(strings.Join(lines, ""))
	s.mails, s.calls, s.room = len(mails), len(calls), len(room)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(s, "\r", "")), "\n")
	return line
}
