package console

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/ticket"
)

// What a ticket has to do with others: links, merging, splitting, and handing over
// to a system outside.

// relations are those that a person sets and takes away; the others come of what
// was done.
var relations = []ticket.Relation{ticket.Related, ticket.Parent, ticket.Child}

func (q *request) relationChoices() (out []choice) {
	for _, r := range relations {
		out = append(out, choice{string(r), q.lang.of("relation", string(r)), string(r) == q.value("as")})
	}
	return out
}

// linkViews are the related tickets, by the names of those that the person may see.
func (q *request) linkViews(t ticket.Ticket, names map[ticket.ID]ticket.Ref) (out []linkView) {
	for _, l := range t.Links {
		v := linkView{ID: string(l.To), As: q.lang.of("relation", string(l.As)), Ends: slices.Contains(relations, l.As)}
		if n, seen := names[l.To]; seen {
			v.URL, v.Number, v.Title = q.o.Prefix+"/tickets/"+url.PathEscape(v.ID), n.Number, n.Title
		} else {
			v.Ends = false // the right is needed on both
		}
		out = append(out, v)
	}
	return out
}

// linkTicket relates a ticket to another one, or ends that.
func (q *request) linkTicket() error {
	var err error
	to := ticket.ID(q.value("to"))
	if to == "" {
		to, err = q.ticketByNumber("number")
	}
	if err == nil {
		c := sangdam.LinkTickets{Key: q.key(), Ticket: ticket.ID(q.r.PathValue("id")), To: to, As: ticket.Relation(q.value("as")),
			Remove: q.checked("remove")}
		_, err = q.engine.LinkTickets(q.r.Context(), q.p, c)
	}
	if err != nil {
		return q.showTicket("", err)
	}
	return q.done("/tickets/" + url.PathEscape(q.r.PathValue("id")) + "#related")
}

// mergeTicket puts a ticket into another one, named by its number.
func (q *request) mergeTicket() error {
	into, err := q.ticketByNumber("into")
	if err == nil {
		c := sangdam.MergeTickets{Key: q.key(), From: ticket.ID(q.r.PathValue("id")), Into: into}
		_, err = q.engine.MergeTickets(q.r.Context(), q.p, c)
	}
	if err != nil {
		return q.showTicket("", err)
	}
	return q.done("/tickets/" + url.PathEscape(string(into)))
}

// ticketByNumber is the ticket whose number a field holds, written as 12 or #12.
func (q *request) ticketByNumber(field string) (ticket.ID, error) {
	typed := q.value(field)
	n, err := strconv.ParseInt(strings.TrimPrefix(typed, "#"), 10, 64)
	if err == nil && n > 0 {
		page, err := q.engine.Tickets(q.r.Context(), q.p, sangdam.TicketFilter{Number: n}, "", 1)
		if err != nil {
			return "", err
		}
		if len(page.Tickets) > 0 {
			return page.Tickets[0].ID, nil
		}
	}
	return "", errs.New(errs.Invalid, "console: %s", q.lang.t("tickets.no_number", typed))
}

// canSplit says that an entry can become a ticket of its own: somebody's words,
// written on this ticket.
func canSplit(t ticket.Ticket, e ticket.Entry) bool {
	said := []ticket.EntryKind{ticket.Commented, ticket.Answered, ticket.Replied}
	return t.MergedInto == "" && e.Text != "" && slices.Contains(said, e.Kind)
}

// splitView is the page on which a comment becomes a ticket.
type splitView struct {
	ID      string
	Number  int64
	Of      string
	Entries []splitEntry
	Title   string
	Trouble *trouble
}

type splitEntry struct {
	Seq             int64
	Who, When, Kind string
	Text            string
	Chosen          bool
}

func (q *request) splitPage() error { return q.showSplit(nil) }

// showSplit shows it with what was typed; wrong is what was wrong with it.
func (q *request) showSplit(wrong error) error {
	detail, err := q.engine.Ticket(q.r.Context(), q.p, ticket.ID(q.r.PathValue("id")))
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	t := detail.Ticket
	v := splitView{ID: string(t.ID), Number: t.Number, Of: t.Title, Title: q.value("title")}
	for _, e := range detail.Entries {
		if canSplit(t, e) {
			v.Entries = append(v.Entries, splitEntry{Seq: e.Seq, Who: q.actor(d, e.Actor), When: q.full(e.At), Kind: string(e.Kind),
				Text: e.Text, Chosen: strconv.FormatInt(e.Seq, 10) == q.r.FormValue("entry")})
		}
	}
	var status int
	if v.Trouble, status, err = q.mistake(wrong); err != nil {
		return err
	}
	q.page(status, "split", q.lang.t("split.title"), "tickets", v)
	return nil
}

// splitTicket makes the ticket, and leads to it.
func (q *request) splitTicket() error {
	var err error
	c := sangdam.SplitTicket{Key: q.key(), Ticket: ticket.ID(q.r.PathValue("id")), Entry: q.number("entry"), Title: q.value("title")}
	if c.Entry == 0 {
		err = errs.New(errs.Invalid, "console: %s", q.lang.t("split.none_chosen"))
	}
	if err == nil {
		var made sangdam.TicketState
		if made, err = q.engine.SplitTicket(q.r.Context(), q.p, c); err == nil {
			return q.done("/tickets/" + url.PathEscape(string(made.Ticket)))
		}
	}
	return q.showSplit(err)
}

// handOverView is what a ticket's page shows of handing it over.
type handOverView struct {
	To   []choice // where it can go; none where the person may not, or it cannot now
	Note string
	// Where it is, or was, and what it is called there.
	Where, Task string
	Now, Asked  bool // it is there; the other system has not yet said what it calls it
}

func (q *request) handOverView(t ticket.Ticket) (v handOverView, err error) {
	v = handOverView{Note: q.value("note"), Now: t.State == ticket.HandedOver}
	var all []notify.Target
	if q.may(sangdam.ActTicketHandOver) == nil {
		if all, err = q.engine.Receivers(q.r.Context(), q.p); err != nil {
			return v, err
		}
	}
	at, task, _ := strings.Cut(t.HandedTo, "/")
	v.Where, v.Task, v.Asked = at, task, v.Now && task == ""
	for _, r := range all {
		if string(r.ID) == at {
			v.Where = cmp.Or(r.Name, at)
		}
		if !v.Now && t.MergedInto == "" && t.State != ticket.Complete {
			v.To = append(v.To, choice{string(r.ID), r.Name, string(r.ID) == q.value("target")})
		}
	}
	return v, nil
}

// handOver hands the ticket over.
func (q *request) handOver() error {
	c := sangdam.HandOver{Key: q.key(), Ticket: ticket.ID(q.r.PathValue("id")), Version: q.number("version"),
		Target: notify.TargetID(q.value("target")), Note: q.value("note")}
	var err error
	if c.Target == "" {
		err = errs.New(errs.Invalid, "console: %s", q.lang.t("handover.nowhere"))
	} else {
		_, err = q.engine.HandOver(q.r.Context(), q.p, c)
	}
	if err != nil {
		return q.showTicket("", err)
	}
	return q.done("/tickets/" + url.PathEscape(q.r.PathValue("id")))
}

// takeBack takes a ticket that was handed over back to whom it had before.
func (q *request) takeBack() error {
	id := ticket.ID(q.r.PathValue("id"))
	detail, err := q.engine.Ticket(q.r.Context(), q.p, id)
	if err != nil {
		return err
	}
	state := ticket.Unassigned
	if detail.Ticket.Agent != "" {
		state = ticket.InProgress
	}
	c := sangdam.UpdateTicket{Key: q.key(), Ticket: id, Version: q.number("version"), Change: sangdam.TicketChange{State: &state}}
	if _, err := q.engine.UpdateTicket(q.r.Context(), q.p, c); err != nil {
		return q.showTicket("", err)
	}
	return q.done("/tickets/" + url.PathEscape(string(id)))
}
