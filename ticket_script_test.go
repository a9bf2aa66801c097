package sangdam_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// ticketScript is the part of a script that is about tickets: t1, t2, … in the
// order of their numbers.
type ticketScript struct {
	desk *ticketDesk
	seen []int64 // entries told so far, by ticket
	// out is where mails and the like go, of which so many were told; said is what
	// was answered to the one who asked.
	out                *outside
	said               []string
	mails, calls, room int
}

// withTicketDesk sets up what scripts about tickets speak of: one agent takes
// two tickets at once, offers are not needed, and the first answer is due within
// two hours.
func withTicketDesk(t *testing.T, w *world) *ticketScript {
	t.Helper()
	d := newTicketDesk(t, &replayWorld{world: w, t: t})
	d.routed(sangdam.TicketRouting{AutoAccept: true})
	d.worksOn("a1", 2, true)
	d.worksOn("a2", 2, true)
	require.NoError(t, errOf(w.eng.SaveServiceLevel(w.ctx, w.host, sangdam.SaveServiceLevel{Level: ticket.ServiceLevel{Name: "Two hours",
		Goals: map[ticket.Target]time.Duration{ticket.FirstAnswer: 2 * time.Hour}, WarnBefore: 30 * time.Minute}})))
	return &ticketScript{desk: d}
}

// list is every ticket by number.
func (s *ticketScript) list() []ticket.Ticket {
	page, err := s.desk.eng.Tickets(s.desk.ctx, s.desk.host, sangdam.TicketFilter{Order: ticket.ByNumber}, "", 200)
	require.NoError(s.desk.t, err)
	return page.Tickets
}

// find is the ticket that the script calls so; the zero one for another word.
func (s *ticketScript) find(name string) ticket.Ticket {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "t"))
	list := s.list()
	if err != nil || !strings.HasPrefix(name, "t") || n < 1 || n > len(list) {
		return ticket.Ticket{}
	}
	return list[n-1]
}

// form is what a customer sends by the inquiry form, or answers by mail.
func (s *ticketScript) form(who, rest string) error {
	d := s.desk
	if who == "mail" {
		name, text, _ := strings.Cut(rest, " ")
		said, _ := strconv.Unquote(text)
		return errOf(d.eng.ReplyTicket(d.ctx, d.host, sangdam.ReplyTicket{Ticket: s.find(name).ID, Text: said}))
	}
	order, title, _ := strings.Cut(rest, " ")
	said, _ := strconv.Unquote(title)
	c := sangdam.SubmitTicket{Desk: "support", Category: d.refund, Title: said, Content: said, Consent: true,
		Requester: ticket.Requester{Name: "Kim", Email: "kim@example.com"}}
	if order != "-" {
		c.Fields = map[string]ticket.Value{"order": {Text: order}}
	}
	return errOf(d.eng.SubmitTicket(d.ctx, d.host, c))
}

// agent does what an agent does with a ticket.
func (s *ticketScript) agent(id routing.AgentID, verb, target, rest string) error {
	d, t := s.desk, s.find(target)
	p := d.agent(id)
	text, _ := strconv.Unquote(rest)
	save := func(c sangdam.TicketChange, say *sangdam.TicketComment) error {
		return errOf(d.eng.UpdateTicket(d.ctx, p, sangdam.UpdateTicket{Ticket: t.ID, Version: t.Version, Change: c, Comment: say}))
	}
	var say *sangdam.TicketComment
	if text != "" {
		say = &sangdam.TicketComment{Text: text, Public: verb != "comments"}
	}
	switch verb {
	case "comments", "answers":
		return save(sangdam.TicketChange{}, say)
	case "solves":
		return save(sangdam.TicketChange{State: ptr(ticket.Solved), Resolution: &d.resolved}, say)
	case "holds":
		return save(sangdam.TicketChange{State: ptr(ticket.OnHold)}, say)
	case "completes":
		return save(sangdam.TicketChange{State: ptr(ticket.Complete)}, nil)
	case "gives":
		return save(sangdam.TicketChange{Agent: ptr(routing.AgentID(strings.TrimPrefix(rest, "to ")))}, nil)
	case "returns":
		return save(sangdam.TicketChange{Agent: ptr(routing.AgentID(""))}, nil)
	case "merges":
		into := s.find(strings.TrimPrefix(rest, "into "))
		return errOf(d.eng.MergeTickets(d.ctx, p, sangdam.MergeTickets{From: t.ID, Into: into.ID}))
	case "splits":
		entry, title, _ := strings.Cut(rest, " ")
		n, _ := strconv.ParseInt(entry, 10, 64)
		named, _ := strconv.Unquote(title)
		return errOf(d.eng.SplitTicket(d.ctx, p, sangdam.SplitTicket{Ticket: t.ID, Entry: n, Title: named}))
	}
	return fmt.Errorf("unknown verb")
}

// names adds what errors say instead of ids.
func (s *ticketScript) names(to map[string]string) {
	for i, t := range s.list() {
		to[string(t.ID)] = fmt.Sprintf("t%d", i+1)
	}
	tree, _ := s.called("")
	for id, c := range tree.Categories {
		to[string(id)] = strings.ToLower(c.Names["en"])
	}
	to[string(s.desk.refund)], to[string(s.desk.resolved)] = "refund", "explained"
}

// report prints what is new in every history.
func (s *ticketScript) report(out *strings.Builder, short func(string) string) {
	for i, t := range s.list() {
		if len(s.seen) <= i {
			s.seen = append(s.seen, 0)
		}
		for _, e := range s.desk.read(t.ID).Entries {
			if e.Seq <= s.seen[i] {
				continue
			}
			require.Equal(s.desk.t, s.seen[i]+1, e.Seq)
			s.seen[i] = e.Seq
			fmt.Fprintf(out, "t%d %s%s (%s)\n", i+1, e.Kind, short(told(e)), e.Actor)
		}
		s.desk.replays(t.ID)
	}
}

// told is what an entry says, without what does not matter to a reader.
func told(e ticket.Entry) string {
	line := ""
	if e.Text != "" {
		line += fmt.Sprintf(" %q", e.Text)
	}
	shown := []string{"agent", "category", "conversation", "merged_into", "resolution", "state", "title"}
	for _, c := range e.Changes {
		if slices.Contains(shown, c.Member) {
			line += fmt.Sprintf(" %s %s→%s", c.Member, bare(c.Was), bare(c.Now))
		}
		if c.Member == "clocks" && strings.Contains(string(c.Now), `"warned":true`) && !strings.Contains(string(c.Was), `"warned":true`) {
			line += " the first answer is due soon"
		}
		if c.Member == "clocks" && strings.Contains(string(c.Now), `"breached":true`) &&
			!strings.Contains(string(c.Was), `"breached":true`) {
			line += " the first answer is late"
		}
	}
	return line
}

func bare(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	return strings.Trim(string(raw), `"`)
}
