package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

const (
	// bulksShown are the bulk changes on their page.
	bulksShown = 100
	// bulkPage is how many tickets are gathered at once of all that match.
	bulkPage = 200
)

// bulkForm is the page on which many tickets are changed in one step.
type bulkForm struct {
	Rows   []bulkRow
	Chosen int
	Most   int
	More   bool // more tickets match than one change takes
	States, Priorities, Agents,
	Groups, Categories, Resolution []choice
	AddTags, RemoveTags, Comment string
	Public                       bool
	Fields                       []bulkField
	Macros                       []bulkMacro
	Macro                        []choice
	Trouble                      *trouble
}

// bulkRow is a ticket of the change, which can still be left out.
type bulkRow struct {
	ID, Title string
	Number    int64
	Chosen    bool
}

// bulkView is one bulk change and how far it is.
type bulkView struct {
	ID, URL, Who, When, Full     string
	What                         []string
	Macro                        *bulkMacro
	Undoes                       string // the page of what it takes back
	Done, Failed, Total, Percent int
	Running, GivenUp             bool
	Undone                       bool
	Reason                       string
	Undoable                     bool
	Failures                     []bulkFailure
	Warnings                     []string
}

type bulkFailure struct {
	URL    string
	Number int64
	Reason string
}

// newBulk is the page of the form: for the tickets that were chosen in the list,
// or for all that it finds.
func (q *request) newBulk() error {
	if q.r.FormValue("all") == "" {
		ids := ticketIDs(q.r.Form["ticket"])
		if len(ids) == 0 {
			return errs.New(errs.Invalid, "console: %s", q.lang.t("bulk.none_chosen"))
		}
		rows, err := q.bulkRows(ids, ids)
		if err != nil {
			return err
		}
		return q.showBulk(rows, false, nil)
	}
	found, more, err := q.allFound()
	if err != nil {
		return err
	}
	var rows []bulkRow
	for _, t := range found {
		rows = append(rows, bulkRow{string(t.ID), t.Title, t.Number, true})
	}
	return q.showBulk(rows, more, nil)
}

// allFound are the tickets of the list or the search that the request names, as
// many as one change takes.
func (q *request) allFound() (out []ticket.Ticket, more bool, err error) {
	ctx, text, filter := q.r.Context(), strings.TrimSpace(q.r.FormValue("q")), q.ticketFilter(cmp.Or(q.r.FormValue("list"), "mine"))
	for page := ""; ; {
		if text != "" {
			hits, err := q.engine.SearchTickets(ctx, q.p, text, page, bulkPage)
			if err != nil {
				return nil, false, err
			}
			for _, h := range hits.Tickets {
				out = append(out, h.Ticket)
			}
			page = hits.Next
		} else {
			list, err := q.engine.Tickets(ctx, q.p, filter, page, bulkPage)
			if err != nil {
				return nil, false, err
			}
			out, page = append(out, list.Tickets...), list.Next
		}
		if len(out) > sangdam.MaxBulk {
			return out[:sangdam.MaxBulk], true, nil
		}
		if page == "" {
			return out, false, nil
		}
	}
}

// ticketIDs are the ids of a form, each once.
func ticketIDs(values []string) (out []ticket.ID) {
	had := map[string]bool{"": true}
	for _, v := range values {
		if !had[v] {
			out = append(out, ticket.ID(v))
		}
		had[v] = true
	}
	return out
}

// bulkRows are the tickets of a form that the person may see.
func (q *request) bulkRows(ids, chosen []ticket.ID) (out []bulkRow, err error) {
	names, err := q.engine.TicketNames(q.r.Context(), q.p, ids...)
	if err != nil {
		return nil, err
	}
	picked := map[ticket.ID]bool{}
	for _, id := range chosen {
		picked[id] = true
	}
	for _, id := range ids {
		if n, there := names[id]; there {
			out = append(out, bulkRow{string(id), n.Title, n.Number, picked[id]})
		}
	}
	return out, nil
}

// showBulk shows the form with what was typed; wrong is what was wrong with it.
func (q *request) showBulk(rows []bulkRow, more bool, wrong error) error {
	d, err := q.directory()
	if err != nil {
		return err
	}
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	var of ticketView
	q.ticketChoices(d, set, ticket.Ticket{State: ticket.Unassigned}, &of)
	v := bulkForm{Rows: rows, More: more, Most: sangdam.MaxBulk,
		States: q.bulkChoices("state", "", of.States), Priorities: q.bulkChoices("priority", "", of.Priorities),
		Agents: q.bulkChoices("agent", "bulk.nobody", of.Agents), Groups: q.bulkChoices("group", "bulk.no_group", of.Groups),
		Categories: q.bulkChoices("category", "bulk.no_category", of.Categories),
		Resolution: q.bulkChoices("resolution", "bulk.no_category", of.Resolution),
		AddTags:    q.value("add_tags"), RemoveTags: q.value("remove_tags"), Comment: q.value("comment"), Public: q.checked("public")}
	v.Fields = q.bulkFields(set)
	if v.Macros, v.Macro, err = q.bulkMacros(d, set); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Chosen {
			v.Chosen++
		}
	}
	var status int
	if v.Trouble, status, err = q.mistake(wrong); err != nil {
		return err
	}
	q.page(status, "bulk-form", q.lang.t("bulk.title"), "tickets", v)
	return nil
}

// A field of the form that stays as it is has no value; one that is taken away,
// such as an assignee, has valueIs alone; any other has its value behind it.
const valueIs = "="

// bulkChoices are the values that a field can be given, before them to leave it,
// and to take it away where that has a name.
func (q *request) bulkChoices(field, none string, values []choice) []choice {
	typed := q.value(field)
	out := []choice{{"", q.lang.t("bulk.keep"), typed == ""}}
	if none != "" {
		out = append(out, choice{valueIs, q.lang.t(none), typed == valueIs})
	}
	for _, c := range values {
		out = append(out, choice{valueIs + c.Value, c.Label, typed == valueIs+c.Value})
	}
	return out
}

// given points to the value that a field of the form is given; nil where it stays.
func given[T ~string](typed string) *T {
	value, is := strings.CutPrefix(typed, valueIs)
	if !is {
		return nil
	}
	v := T(value)
	return &v
}

// bulkChange reads the form.
func (q *request) bulkChange() (c sangdam.TicketChange, err error) {
	c = sangdam.TicketChange{State: given[ticket.State](q.value("state")), Agent: given[routing.AgentID](q.value("agent")),
		Group: given[ticket.GroupID](q.value("group")), Category: given[ticket.CategoryID](q.value("category")),
		Resolution: given[ticket.CategoryID](q.value("resolution")), AddTags: words(q.value("add_tags")),
		RemoveTags: words(q.value("remove_tags"))}
	if p := given[string](q.value("priority")); p != nil {
		n, err := strconv.Atoi(*p)
		if err != nil {
			return c, errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", *p))
		}
		priority := ticket.Priority(n)
		c.Priority = &priority
	}
	c.Fields, err = q.bulkValues()
	return c, err
}

// words are those of a field in which commas part them.
func words(text string) (out []string) {
	for w := range strings.SplitSeq(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// startBulk begins the change.
func (q *request) startBulk() error {
	c := sangdam.BulkTickets{Key: q.key(), Tickets: ticketIDs(q.r.PostForm["ticket"]), Macro: q.value("macro")}
	if text := q.value("comment"); text != "" {
		c.Comment = &sangdam.TicketComment{Text: text, Public: q.checked("public")}
	}
	change, err := q.bulkChange()
	if err == nil && len(c.Tickets) == 0 {
		err = errs.New(errs.Invalid, "console: %s", q.lang.t("bulk.none_chosen"))
	}
	if c.Change = change; err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.BulkTickets(q.r.Context(), q.p, c); err == nil {
			return q.done("/bulk/" + url.PathEscape(saved.ID))
		}
	}
	rows, failed := q.bulkRows(ticketIDs(slices.Concat(q.r.PostForm["listed"], q.r.PostForm["ticket"])), c.Tickets)
	if failed != nil {
		return failed
	}
	return q.showBulk(rows, false, err)
}

// bulks is the page of the bulk changes: one's own, to administrators everybody's.
func (q *request) bulks() error {
	list, err := q.engine.Bulks(q.r.Context(), q.p, bulksShown)
	if err != nil {
		return err
	}
	var v []bulkView
	for _, b := range list {
		row, err := q.bulkView(b)
		if err != nil {
			return err
		}
		v = append(v, row)
	}
	q.page(http.StatusOK, "bulks", q.lang.t("bulk.list"), "tickets", v)
	return nil
}

func (q *request) bulkView(b sangdam.Bulk) (bulkView, error) {
	d, err := q.directory()
	if err != nil {
		return bulkView{}, err
	}
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return bulkView{}, err
	}
	v := bulkView{ID: b.ID, URL: q.o.Prefix + "/bulk/" + url.PathEscape(b.ID), Who: q.actor(d, b.By),
		When: q.short(b.At), Full: q.full(b.At), What: q.changeWords(d, set, b.Change, b.Comment),
		Done: b.Done, Failed: b.Failed, Total: b.Total, Percent: 100 * (b.Done + b.Failed) / max(b.Total, 1),
		Running: b.State == sangdam.ErrandRunning, GivenUp: b.State == sangdam.ErrandFailed, Undone: b.Undone, Reason: b.Reason}
	if b.Macro != nil {
		m := q.bulkMacro(d, set, *b.Macro)
		v.Macro = &m
	}
	if b.Undoes != "" {
		v.Undoes = q.o.Prefix + "/bulk/" + url.PathEscape(b.Undoes)
	}
	return v, nil
}

// changeWords say what a change does to each ticket.
func (q *request) changeWords(d *sangdam.Directory, set sangdam.TicketSetup, c sangdam.TicketChange,
	said *sangdam.TicketComment) (out []string) {
	to := func(member, value string) {
		out = append(out, q.lang.t("bulk.to", q.lang.of("member", member), cmp.Or(value, "–")))
	}
	if c.State != nil {
		to("state", q.lang.of("ticket_state", string(*c.State)))
	}
	if c.Priority != nil {
		to("priority", q.lang.t("priority."+strconv.Itoa(int(*c.Priority))))
	}
	if c.Agent != nil {
		to("agent", agentName(d, *c.Agent))
	}
	if c.Group != nil {
		to("group", q.ticketWord(d, set, "group", string(*c.Group)))
	}
	if c.Category != nil {
		to("category", q.categoryPath(set.Trees[ticket.Intake], *c.Category))
	}
	if c.Resolution != nil {
		to("resolution", q.categoryPath(set.Trees[ticket.Resolution], *c.Resolution))
	}
	if len(c.AddTags) > 0 {
		out = append(out, q.lang.t("bulk.tags_added", strings.Join(c.AddTags, ", ")))
	}
	if len(c.RemoveTags) > 0 {
		out = append(out, q.lang.t("bulk.tags_removed", strings.Join(c.RemoveTags, ", ")))
	}
	out = append(out, q.valuesWords(set, c.Fields)...)
	if said != nil {
		out = append(out, q.lang.t(map[bool]string{true: "bulk.answered", false: "bulk.commented"}[said.Public], said.Text))
	}
	return out
}

// bulk is the page of one bulk change; its live part alone for the page's script.
func (q *request) bulk() error {
	report, err := q.engine.BulkProgress(q.r.Context(), q.p, q.r.PathValue("id"))
	if err != nil {
		return err
	}
	v, err := q.bulkView(report.Bulk)
	if err != nil {
		return err
	}
	v.Undoable, v.Warnings = report.Undoable, q.lang.warned(report.Warnings)
	for _, f := range report.Failures {
		row := bulkFailure{Number: f.Number, Reason: q.lang.said(f.Reason)}
		if f.Number > 0 {
			row.URL = q.o.Prefix + "/tickets/" + url.PathEscape(string(f.Ticket))
		}
		v.Failures = append(v.Failures, row)
	}
	if q.swaps() {
		q.part(http.StatusOK, "bulk-state", v)
		return nil
	}
	q.page(http.StatusOK, "bulk", q.lang.t("bulk.one"), "tickets", v)
	return nil
}

// undoBulk takes it back, by another one.
func (q *request) undoBulk() error {
	saved, err := q.engine.UndoBulk(q.r.Context(), q.p, sangdam.UndoBulk{Key: q.key(), Bulk: q.r.PathValue("id")})
	if err != nil {
		return err
	}
	return q.done("/bulk/" + url.PathEscape(saved.ID))
}
