package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// historyView is the search over conversations.
type historyView struct {
	Text     string
	From, To string
	States   []choice
	Accounts []choice
	Desks    []choice
	Agents   []choice
	Handled  []choice
	Rows     []foundView
	Next     string
	Export   string // address of the table of all of it
	Asked    bool
	Backups  *backupsView // nil for who may make none
}

// foundView is a conversation that was found, with the words where they stand.
type foundView struct {
	Row     rowView
	Text    string
	Opened  string
	Handled bool
	Desk    string
}

// historyFilter reads the filters of a request. Days are whole, in the reader's
// zone.
func (q *request) historyFilter() conversation.Filter {
	f := conversation.Filter{Account: channel.AccountID(q.r.FormValue("account")), Served: routing.AgentID(q.r.FormValue("agent"))}
	if s := q.r.FormValue("state"); s != "" {
		f.States = []conversation.State{conversation.State(s)}
	}
	if desk := q.r.FormValue("desk"); desk != "" {
		f.Desks = []routing.DeskID{routing.DeskID(desk)}
	}
	if h := q.r.FormValue("handled"); h != "" {
		yes := h == "yes"
		f.Handled = &yes
	}
	if t, err := time.ParseInLocation(time.DateOnly, q.r.FormValue("from"), q.zone); err == nil {
		f.From = t
	}
	if t, err := time.ParseInLocation(time.DateOnly, q.r.FormValue("to"), q.zone); err == nil {
		f.To = t.AddDate(0, 0, 1)
	}
	return f
}

// history is the page of search.
func (q *request) history() error {
	d, err := q.directory()
	if err != nil {
		return err
	}
	v := historyView{Text: strings.TrimSpace(q.r.FormValue("q")), From: q.r.FormValue("from"), To: q.r.FormValue("to"),
		Asked: q.r.URL.RawQuery != ""}
	q.historyChoices(d, &v)
	found := q.r.URL.Query()
	found.Del("page")
	v.Export = q.o.Prefix + "/history/export?" + found.Encode()
	f := q.historyFilter()
	if v.Text != "" {
		err = q.historyByText(d, f, &v)
	} else {
		err = q.historyByFilter(d, f, &v)
	}
	if err != nil {
		return err
	}
	if v.Backups, err = q.backupsView(); err != nil {
		return err
	}
	q.page(http.StatusOK, "history", q.lang.t("nav.history"), "history", v)
	return nil
}

func (q *request) historyChoices(d *sangdam.Directory, v *historyView) {
	is := func(name, value string) bool { return q.r.FormValue(name) == value }
	for _, s := range conversation.States() {
		v.States = append(v.States, choice{string(s), q.lang.of("state", string(s)), is("state", string(s))})
	}
	for _, id := range sortedKeys(d.Accounts) {
		v.Accounts = append(v.Accounts, choice{string(id), d.Accounts[id].Name, is("account", string(id))})
	}
	for _, id := range sortedKeys(d.Desks) {
		v.Desks = append(v.Desks, choice{string(id), d.Desks[id], is("desk", string(id))})
	}
	for _, a := range d.Agents {
		v.Agents = append(v.Agents, choice{string(a.ID), agentName(d, a.ID), is("agent", string(a.ID))})
	}
	for _, h := range []string{"yes", "no"} {
		v.Handled = append(v.Handled, choice{h, q.lang.t("handled." + h), is("handled", h)})
	}
}

// foundAt is how many hits of a search are looked at.
const foundAt = 200

// historyByText searches the messages and keeps what the filters select too.
func (q *request) historyByText(d *sangdam.Directory, f conversation.Filter, v *historyView) error {
	found, err := q.engine.Search(q.r.Context(), q.p, v.Text, foundAt)
	if err != nil {
		return err
	}
	for _, m := range found {
		if !f.Match(m.Conversation) {
			continue
		}
		if err := q.addFound(d, m.Conversation, conversation.Preview(m.Message.Content), v); err != nil {
			return err
		}
	}
	return nil
}

func (q *request) historyByFilter(d *sangdam.Directory, f conversation.Filter, v *historyView) error {
	page, err := q.engine.Conversations(q.r.Context(), q.p, f, q.r.FormValue("page"), 100)
	if err != nil {
		return err
	}
	for _, c := range page.Conversations {
		if err := q.addFound(d, c, c.Preview, v); err != nil {
			return err
		}
	}
	if page.Next != "" {
		next := url.Values{}
		for name, values := range q.r.URL.Query() {
			next[name] = values
		}
		next.Set("page", page.Next)
		v.Next = q.o.Prefix + "/history?" + next.Encode()
	}
	return nil
}

func (q *request) addFound(d *sangdam.Directory, c conversation.Conversation, text string, v *historyView) error {
	rows, err := q.rowViews(d, []conversation.Conversation{c}, "all", "")
	if err != nil {
		return err
	}
	if c.Agent == "" && c.LastAgent != "" { // who had it last
		rows[0].Agent = agentName(d, c.LastAgent)
	}
	v.Rows = append(v.Rows, foundView{Row: rows[0], Text: text, Opened: q.full(c.OpenedAt), Handled: c.Handled, Desk: d.Desks[c.Desk]})
	return nil
}
