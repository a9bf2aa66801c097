package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// ticketsView is the list of tickets.
type ticketsView struct {
	Views  []tab
	Edit   string // the page of the saved view that is shown
	Rows   []ticketRow
	Own    *columnsTable // instead of Rows, where the view has columns
	Export string
	Next   string
	Text   string
	States []choice
	Groups []choice
	Agents []choice
	Setup  bool
	List   string // which is shown
	Bulk   bool   // several may be changed at once
}

// ticketRow is a ticket in a list.
type ticketRow struct {
	ID, URL, Title     string
	Number             int64
	State, Priority    string
	Agent, Group, From string
	Due                string
	Late               bool
	Updated, Full      string
	Category           string
}

// ticketLists are the lists that everybody has, before the saved ones.
var ticketLists = []string{"mine", "unassigned", "open", "solved"}

// ticketStates are the states that the person may choose.
func (q *request) ticketStates() []ticket.State {
	out := []ticket.State{ticket.Unassigned, ticket.InProgress, ticket.OnHold, ticket.Solved}
	if q.may(sangdam.ActTicketComplete) == nil {
		out = append(out, ticket.Complete)
	}
	return out
}

// ticketFilter is what the list selects.
func (q *request) ticketFilter(list string) sangdam.TicketFilter {
	f := sangdam.TicketFilter{Group: ticket.GroupID(q.r.FormValue("group")), Agent: routing.AgentID(q.r.FormValue("agent"))}
	if s := q.r.FormValue("state"); s != "" {
		f.States = []ticket.State{ticket.State(s)}
	}
	switch list {
	case "mine":
		f.Agent, f.Open = routing.AgentID(q.p.ID), true
	case "unassigned":
		f.NoAgent, f.Open = true, true
	case "open":
		f.Open = true
	case "solved":
		f.States = []ticket.State{ticket.Solved, ticket.Complete}
	default:
		f.View = list
	}
	if f.View == "" {
		f.Desc = true // the newest change first
	}
	return f
}

// tickets is the page of the list.
func (q *request) tickets() error {
	ctx := q.r.Context()
	d, err := q.directory()
	if err != nil {
		return err
	}
	set, err := q.engine.TicketSetup(ctx, q.p)
	if err != nil {
		return err
	}
	saved, err := q.engine.TicketViews(ctx, q.p)
	if err != nil {
		return err
	}
	list := cmp.Or(q.r.FormValue("list"), "mine")
	v := ticketsView{Text: strings.TrimSpace(q.r.FormValue("q")), Setup: q.may(sangdam.ActConfigure) == nil, List: list,
		Bulk: q.may(sangdam.ActTicketBulk) == nil}
	for _, key := range ticketLists {
		v.Views = append(v.Views, tab{Key: q.lang.t("tickets.list." + key), URL: q.o.Prefix + "/tickets?list=" + key, Current: key == list})
	}
	var columns []string
	for _, s := range saved {
		v.Views = append(v.Views, tab{Key: s.Name, URL: q.o.Prefix + "/tickets?list=" + escaped(s.ID), Current: s.ID == list})
		if s.ID == list {
			v.Edit, columns = q.o.Prefix+"/ticket-views/"+escaped(s.ID), s.Columns
		}
	}
	var found []ticket.Ticket
	if v.Text != "" {
		hits, err := q.engine.SearchTickets(ctx, q.p, v.Text, q.r.FormValue("page"), 100)
		if err != nil {
			return err
		}
		for _, h := range hits.Tickets {
			found = append(found, h.Ticket)
		}
		if hits.Next != "" {
			v.Next = q.o.Prefix + "/tickets?" + url.Values{"q": {v.Text}, "page": {hits.Next}}.Encode()
		}
	} else {
		page, err := q.engine.Tickets(ctx, q.p, q.ticketFilter(list), q.r.FormValue("page"), 50)
		if err != nil {
			return err
		}
		found = page.Tickets
		if page.Next != "" {
			v.Next = q.o.Prefix + "/tickets?" + url.Values{"list": {list}, "page": {page.Next}}.Encode()
		}
	}
	for _, t := range found {
		v.Rows = append(v.Rows, q.ticketRow(d, set, t))
	}
	if v.Text == "" {
		v.Export = q.o.Prefix + "/tickets/export?" + url.Values{"list": {list}}.Encode()
		if len(columns) > 0 {
			v.Own = q.ticketTable(d, set, columns, found)
		}
	}
	q.page(http.StatusOK, "tickets", q.lang.t("nav.tickets"), "tickets", v)
	return nil
}

func (q *request) ticketRow(d *sangdam.Directory, set sangdam.TicketSetup, t ticket.Ticket) ticketRow {
	r := ticketRow{ID: string(t.ID), URL: q.o.Prefix + "/tickets/" + url.PathEscape(string(t.ID)), Title: t.Title, Number: t.Number,
		State:    string(t.State),
		Priority: q.lang.t("priority." + strconv.Itoa(int(t.Priority))), From: cmp.Or(t.Requester.Name, t.Requester.Email),
		Updated: q.short(t.UpdatedAt), Full: q.full(t.UpdatedAt), Category: q.categoryPath(set.Trees[ticket.Intake], t.Category)}
	if t.Agent != "" {
		r.Agent = agentName(d, t.Agent)
	}
	for _, g := range set.Groups {
		if g.ID == t.Group {
			r.Group = g.Name
		}
	}
	if due := t.Due(); !due.IsZero() {
		r.Due, r.Late = q.short(due), due.Before(q.now)
	}
	return r
}

// named is a name in the reader's language, else in any.
func (q *request) inLanguage(names map[string]string) string {
	if n := names[q.lang.tag]; n != "" {
		return n
	}
	for _, l := range sortedKeys(names) {
		if names[l] != "" {
			return names[l]
		}
	}
	return ""
}

// categoryPath is "Delivery › Lost".
func (q *request) categoryPath(tree ticket.Tree, id ticket.CategoryID) string {
	var parts []string
	for _, c := range tree.Path(id) {
		parts = append(parts, q.inLanguage(c.Names))
	}
	return strings.Join(parts, " › ")
}

// ticketView is one ticket.
type ticketView struct {
	Row        ticketRow
	Title      []segment
	Body       []segment
	BodyFound  []found
	Letter     *letterView // the mail that it was made from
	Masking    maskingView
	Version    int64
	Contact    string
	Chat       string // address of the conversation
	Entries    []entryView
	Earlier    bool
	States     []choice
	Priorities []choice
	Agents     []choice
	Groups     []choice
	Categories []choice
	Resolution []choice
	Tags       string
	Fields     []fieldView
	Links      []linkView
	Merged     string // address of the ticket that took it in
	Following  bool
	Trouble    *trouble
	Warnings   []string // of a mask that did not reach everything, an answer that went nowhere
	Comment    string   // typed and not saved
	Public     bool     // likewise
	Attach     attachView
	Requester  ticket.Requester
	Created    string
	Closed     bool
	Relations  []choice // that a link can be
	Other      string   // number typed for a link
	Into       string   // number typed for a merge
	Away       handOverView
	Macros     chooseMacro
	Edits      bool // the person may work on tickets
}

type entryView struct {
	Who, When, Full, Kind string
	Text                  []segment
	Part                  string
	Seq                   int64
	Found                 []found
	Letter                *letterView // the mail that the entry stands for
	Folded                bool
	Public                bool
	Kept                  bool // an answer that was not sent
	Files                 []ticketFile
	Changes               []string
	Split                 string // address of the page that makes a ticket of it
}

type fieldView struct {
	Code, Name, Type, Value, Guide string
	None                           string // what its choice says where nothing is chosen; empty: a dash
	Options                        []choice
	Sealed, Required               bool
}

// linkView is a related ticket; Ends says that the relation can be taken away.
type linkView struct {
	ID, URL, As, Title string
	Number             int64
	Ends               bool
}

// oneTicket is the page of a ticket.
func (q *request) oneTicket() error { return q.showTicket("", nil) }

// showTicket shows it again with what could not be saved.
func (q *request) showTicket(comment string, wrong error) error {
	ctx, id := q.r.Context(), ticket.ID(q.r.PathValue("id"))
	detail, err := q.engine.Ticket(ctx, q.p, id)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	set, err := q.engine.TicketSetup(ctx, q.p)
	if err != nil {
		return err
	}
	t := detail.Ticket
	if q.masks, err = q.engine.TicketProposals(ctx, q.p, id); err != nil {
		return err
	}
	found := q.masks.Parts
	v := ticketView{Row: q.ticketRow(d, set, t), Title: q.marked(t.Title, t.Masks[ticket.TitlePart], found[ticket.TitlePart]),
		Body: q.marked(t.Body, t.Masks[ticket.BodyPart], found[ticket.BodyPart]), BodyFound: q.proposed(found[ticket.BodyPart]),
		Masking: maskingView{On: q.masks.Mask, Reveal: q.masks.Reveal}, Version: t.Version, Earlier: detail.Earlier,
		Tags:      strings.Join(t.Tags, ", "),
		Warnings:  q.leftWord().Warnings,
		Requester: t.Requester, Created: q.full(t.CreatedAt), Comment: comment, Public: q.checked("public"),
		Following: slices.Contains(t.Followers, routing.AgentID(q.p.ID)),
		Closed:    t.State == ticket.Complete || t.State == ticket.HandedOver}
	if t.Conversation != "" {
		v.Chat = q.o.Prefix + "/conversations/" + url.PathEscape(string(t.Conversation))
	}
	if t.MergedInto != "" {
		v.Merged = q.o.Prefix + "/tickets/" + url.PathEscape(string(t.MergedInto))
	}
	q.ticketChoices(d, set, t, &v)
	if v.Away, err = q.handOverView(t); err != nil {
		return err
	}
	if v.Macros, _, err = q.macrosFor("ticket", string(id)); err != nil {
		return err
	}
	v.Edits = q.may(sangdam.ActTicketEdit) == nil
	v.Relations, v.Other, v.Into = q.relationChoices(), q.value("number"), q.value("into")
	h, err := q.historian(d, set, detail)
	if err != nil {
		return err
	}
	q.ticketLetters(h, detail, &v)
	v.Links = q.linkViews(t, h.names)
	if v.Attach, err = q.attach(detail); err != nil {
		return err
	}
	var status int
	if v.Trouble, status, err = q.mistake(wrong); err != nil {
		return err
	}
	if wrong != nil {
		q.retype(&v)
	}
	q.page(status, "ticket", fmt.Sprintf("#%d %s", t.Number, t.Title), "tickets", v)
	return nil
}

// ticketLetters fills the history, and beside it the mails.
func (q *request) ticketLetters(h historian, detail sangdam.TicketDetail, v *ticketView) {
	at := "/tickets/" + url.PathEscape(string(detail.Ticket.ID))
	mails := map[conversation.MessageID]*conversation.Message{}
	for i := range detail.Mails {
		mails[detail.Mails[i].ID] = &detail.Mails[i]
	}
	has := q.filesOf(detail)
	for _, e := range detail.Entries {
		row := h.entryView(e)
		if v.Edits && canSplit(detail.Ticket, e) {
			row.Split = q.o.Prefix + at + "/split?entry=" + strconv.FormatInt(e.Seq, 10)
		}
		row.Files = filesNamed(e, has)
		if m := mails[e.Message]; m != nil && e.Message != "" {
			row.Letter = q.letterView(m, at)
			row.Text, row.Folded = fold(row.Text, m.Content.Spans)
			delete(mails, e.Message)
		}
		v.Entries = append(v.Entries, row)
	}
	for _, m := range mails { // the one that no entry stands for
		v.Letter = q.letterView(m, at)
	}
}

func (q *request) ticketChoices(d *sangdam.Directory, set sangdam.TicketSetup, t ticket.Ticket, v *ticketView) {
	states := q.ticketStates()
	for _, s := range states {
		v.States = append(v.States, choice{string(s), q.lang.of("ticket_state", string(s)), s == t.State})
	}
	if !slices.Contains(states, t.State) {
		v.States = append(v.States, choice{string(t.State), q.lang.of("ticket_state", string(t.State)), true})
	}
	for _, p := range []ticket.Priority{ticket.Low, ticket.Normal, ticket.High, ticket.Urgent} {
		n := strconv.Itoa(int(p))
		v.Priorities = append(v.Priorities, choice{n, q.lang.t("priority." + n), p == t.Priority})
	}
	for _, a := range d.Agents {
		if !a.Disabled || a.ID == t.Agent {
			v.Agents = append(v.Agents, choice{string(a.ID), agentName(d, a.ID), a.ID == t.Agent})
		}
	}
	for _, g := range set.Groups {
		v.Groups = append(v.Groups, choice{string(g.ID), g.Name, g.ID == t.Group})
	}
	v.Categories = q.categoryChoices(set.Trees[ticket.Intake], t.Category)
	v.Resolution = q.categoryChoices(set.Trees[ticket.Resolution], t.Resolution)
	for _, f := range set.Fields.AgentFields(t.Channel, slices.Contains(q.p.Roles, sangdam.RoleAdministrator)) {
		v.Fields = append(v.Fields, q.fieldView(f, t.Fields[f.Code]))
	}
}

func (q *request) categoryChoices(tree ticket.Tree, chosen ticket.CategoryID) []choice {
	var out []choice
	for _, c := range tree.Walk() {
		out = append(out, choice{string(c.ID), q.categoryPath(tree, c.ID), c.ID == chosen})
	}
	return out
}

func (q *request) fieldView(f ticket.Field, v ticket.Value) fieldView {
	fv := fieldView{Code: f.Code, Name: cmp.Or(q.inLanguage(f.Names), f.Code), Type: string(f.Type), Guide: q.inLanguage(f.Guide),
		Sealed:   len(v.Sealed) > 0,
		Required: f.Required, Value: v.Text}
	if v.Number != nil {
		fv.Value = strconv.FormatFloat(*v.Number, 'f', -1, 64)
	}
	for _, o := range f.Options {
		chosen := o.Code == v.Text || slices.Contains(v.List, o.Code)
		fv.Options = append(fv.Options, choice{o.Code, cmp.Or(q.inLanguage(o.Names), o.Code), chosen})
	}
	return fv
}

// partOf is what an entry's text is masked by; "" for one that stands in the chat.
func partOf(e ticket.Entry) string {
	if e.Message != "" {
		return ""
	}
	return string(ticket.CommentPart(e.Seq))
}

// ticketsOf lists the tickets of a conversation, for the panel.
func (q *request) ticketsOf(d *sangdam.Directory, id conversation.ID) []ticketRow {
	page, err := q.engine.Tickets(q.r.Context(), q.p, sangdam.TicketFilter{Conversation: id}, "", 20)
	if err != nil {
		return nil
	}
	var out []ticketRow
	for _, t := range page.Tickets {
		out = append(out, q.ticketRow(d, sangdam.TicketSetup{}, t))
	}
	return out
}
