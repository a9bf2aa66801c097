package console

import (
	"cmp"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// Bounds of the list of conversations in a page.
const (
	rowsAtFirst = 50
	rowsAtMost  = 300
	// countedTo is how far a tab counts: beyond, "more" is all that matters.
	countedTo = 99
)

// workView is the page of conversations: the list and what is chosen in it.
type workView struct {
	List   listView
	Thread *threadView
}

// listView is the list of conversations.
type listView struct {
	View     string
	Empty    string // which words say that there is nothing
	Tabs     []tab
	Rows     []rowView
	Saved    []savedTab
	Filters  []filterView
	Filtered bool // something is chosen beside the view
	Unread   bool
	Shares   bool // the agent may save views for everybody
	Rown     int
	More     string // address with more rows, empty at the end
	Next     string // address of the next rows, when the page is full
	Newest   string // address of the first page, on a later one
	Self     string // address of the list alone
	SaveURL  string // where to save it as a view
	AsOf     string
}

type tab struct {
	Key, URL, Count string
	Current         bool
}

// rowView is a conversation in a list.
type rowView struct {
	ID, URL       string
	Name, Initial string
	Tint          int
	Kind, Account string
	State         string
	Bot           bool
	Agent         string
	Preview       string
	Unread        int
	When, Full    string
	Waits         string
	Current       bool
	Stars         string // of the rating, "" for none
	Asks          string // whom its owner asks to take it over
}

// views are the lists, in the order of their tabs.
var views = []string{"mine", "waiting", "all", "ended"}

// filterOf is what a list selects: its view, and what was chosen beside it.
func (q *request) filterOf(view string) conversation.Filter {
	f := q.ownFilter(view)
	if a := q.r.FormValue("account"); a != "" {
		f.Account = channel.AccountID(a)
	}
	if desk := q.r.FormValue("desk"); desk != "" {
		f.Desks = []routing.DeskID{routing.DeskID(desk)}
	}
	if a := q.r.FormValue("agent"); a != "" {
		f.Agent = routing.AgentID(a)
	}
	return f
}

// ownFilter is what the view itself selects.
func (q *request) ownFilter(view string) (f conversation.Filter) {
	if saved := q.savedView(view); saved != nil {
		return saved.Filter()
	}
	switch view {
	case "mine":
		f.Agent = routing.AgentID(q.p.ID)
		f.States = []conversation.State{conversation.StateActive, conversation.StateWaiting, conversation.StateWrapUp}
	case "waiting":
		f.States = []conversation.State{conversation.StateOpen}
	case "ended":
		f.States = []conversation.State{conversation.StateClosed}
	default:
		f.States = slices.DeleteFunc(conversation.States(), conversation.State.Closed)
	}
	return f
}

// viewOf is the list that a request names, else the agent's own.
func (q *request) viewOf() string {
	for _, v := range views {
		if q.r.FormValue("view") == v {
			return v
		}
	}
	if v := q.r.FormValue("view"); q.savedView(v) != nil {
		return v
	}
	return "mine"
}

// list reads the list of a request.
func (q *request) list(current conversation.ID) (listView, error) {
	d, err := q.directory()
	if err != nil {
		return listView{}, err
	}
	v := listView{View: q.viewOf(), Unread: q.unreadOnly(q.viewOf()), AsOf: q.now.In(q.zone).Format("15:04:05")}
	rows, _ := strconv.Atoi(q.r.FormValue("rows")) // what is no number is the default
	v.Rown = min(max(rows, rowsAtFirst), rowsAtMost)
	page := q.r.FormValue("page")
	found, next, err := q.rows(q.filterOf(v.View), v.Unread, page, v.Rown)
	if err != nil {
		return v, err
	}
	if v.Rows, err = q.rowViews(d, found, v.View, current); err != nil {
		return v, err
	}
	q.listChoices(d, &v)
	if v.Empty = v.View; v.Filtered || v.Unread || q.savedView(v.View) != nil {
		v.Empty = "filtered"
	}
	for _, key := range views {
		v.Tabs = append(v.Tabs, tab{Key: key, URL: q.listURL(key, "", 0), Current: key == v.View, Count: q.count(key)})
	}
	switch {
	case next == "":
	case v.Rown < rowsAtMost:
		v.More = q.listURL(v.View, page, v.Rown+rowsAtFirst)
	default:
		v.Next = q.listURL(v.View, next, rowsAtFirst)
	}
	if page != "" {
		v.Newest = q.listURL(v.View, "", 0)
	}
	v.Self = q.listURL(v.View, page, v.Rown)
	v.SaveURL = q.o.Prefix + "/views" + strings.TrimPrefix(q.listURL(v.View, "", 0), q.o.Prefix+"/conversations")
	return v, nil
}

// rowsLookedAt is how many conversations a list of the unread looks through, so
// that one page costs no more than that.
const rowsLookedAt = 900

// rows reads so many conversations, in as many calls as that takes.
func (q *request) rows(f conversation.Filter, unread bool, page string, n int) (out []conversation.Conversation, next string, err error) {
	looked := 0
	for next = page; ; {
		p, err := q.engine.Conversations(q.r.Context(), q.p, f, next, min(n-len(out), 150))
		if err != nil {
			return nil, "", err
		}
		looked, next = looked+len(p.Conversations), p.Next
		out = slices.Grow(out, min(len(p.Conversations), n-len(out)))
		for _, c := range p.Conversations {
			if !unread || c.Unread > 0 {
				out = append(out, c)
			}
		}
		if len(out) >= n || next == "" || looked >= rowsLookedAt {
			return out, next, nil
		}
	}
}

func (q *request) listURL(view, page string, rows int) string {
	v := url.Values{"view": {view}}
	for _, name := range listFilters {
		if chosen := q.r.FormValue(name); chosen != "" {
			v.Set(name, chosen)
		}
	}
	if page != "" {
		v.Set("page", page)
	}
	if rows > rowsAtFirst {
		v.Set("rows", strconv.Itoa(rows))
	}
	return q.o.Prefix + "/conversations?" + v.Encode()
}

// count is how many wait in a list, for the two lists where it matters.
func (q *request) count(view string) string {
	if view != "mine" && view != "waiting" {
		return ""
	}
	n, err := q.engine.CountConversations(q.r.Context(), q.p, q.filterOf(view), countedTo)
	switch {
	case err != nil || n == (sangdam.Count{}):
		return ""
	case n.AtLeast:
		return strconv.Itoa(n.N) + "+"
	}
	return strconv.Itoa(n.N)
}

// rowViews makes rows of conversations.
func (q *request) rowViews(d *sangdam.Directory, list []conversation.Conversation, view string, current conversation.ID,
) ([]rowView, error) {
	names := map[conversation.ContactID]string{}
	for from := 0; from < len(list); from += 200 {
		var ids []conversation.ContactID
		for _, c := range list[from:min(from+200, len(list))] {
			ids = append(ids, c.Contact)
		}
		some, err := q.engine.ContactNames(q.r.Context(), q.p, ids...)
		if err != nil {
			return nil, err
		}
		for id, name := range some {
			names[id] = name
		}
	}
	out := make([]rowView, 0, len(list))
	for _, c := range list {
		name := q.customer(c, names[c.Contact])
		r := rowView{ID: string(c.ID), URL: q.o.Prefix + "/conversations/" + url.PathEscape(string(c.ID)) + "?view=" + view, Name: name,
			Initial: initial(name), Tint: tintOf(c), Kind: string(c.Channel), Account: d.Accounts[c.Account].Name,
			State: string(c.State), Bot: byBot(c), Preview: c.Preview, Unread: c.Unread,
			When: q.short(lastAt(c)), Full: q.full(lastAt(c)), Current: c.ID == current}
		if c.Agent != "" {
			r.Agent = agentName(d, c.Agent)
		}
		if c.Rating != nil {
			r.Stars = stars(c.Rating.Score)
		}
		if c.Asked() != "" {
			r.Asks = agentName(d, c.Asked())
		}
		if c.State == conversation.StateOpen && !c.QueuedAt.IsZero() {
			r.Waits = q.since(c.QueuedAt)
		}
		out = append(out, r)
	}
	return out, nil
}

// customer is what a conversation is called: the contact's name, the group's, or
// that nobody knows.
func (q *request) customer(c conversation.Conversation, name string) string {
	switch {
	case name != "":
		return name
	case c.ChatName != "":
		return c.ChatName
	case !c.Chat.OfOne():
		return q.lang.t("customer.group")
	}
	return q.lang.t("customer.unknown")
}

func lastAt(c conversation.Conversation) time.Time {
	if !c.LastMessageAt.IsZero() {
		return c.LastMessageAt
	}
	return c.OpenedAt
}

// initial is the first character of a name, as people see characters.
func initial(name string) string {
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(strings.TrimSpace(name), -1)
	return strings.ToUpper(cluster)
}

// tintOf is one of the eight colours of avatars, the same for the same person,
// or the same group.
func tintOf(c conversation.Conversation) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(cmp.Or(string(c.Contact), c.Chat.ID))) // never fails
	return int(h.Sum32() % 8)
}

// conversations is the page with nothing chosen, or the list alone.
func (q *request) conversations() error {
	list, err := q.list("")
	if err != nil {
		return err
	}
	if q.swaps() {
		q.part(http.StatusOK, "list", list)
		return nil
	}
	q.page(http.StatusOK, "conversations", q.lang.t("nav.conversations"), "conversations", workView{List: list})
	return nil
}

// conversation is the page with one chosen, or that one alone.
func (q *request) conversation() error {
	id := conversation.ID(q.r.PathValue("id"))
	thread, err := q.thread(id)
	if err != nil {
		return err
	}
	if q.swaps() {
		q.part(http.StatusOK, "work", workView{Thread: thread})
		return nil
	}
	list, err := q.list(id)
	if err != nil {
		return err
	}
	q.page(http.StatusOK, "conversations", thread.Name, "conversations", workView{List: list, Thread: thread})
	return nil
}
