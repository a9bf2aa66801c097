package console

import (
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// listFilters are what a list can be narrowed by beside its view.
var listFilters = []string{"account", "desk", "agent", "unread"}

// filterView is one of them as the list shows it.
type filterView struct {
	Name, Label string
	Choices     []choice
}

// savedTab is a saved view.
type savedTab struct {
	ID, Name, URL string
	Version       int64
	Current, Own  bool
}

// savedViews are read once a request; without them the list still works.
func (q *request) savedViews() []sangdam.ConversationView {
	if !q.viewsRead {
		q.viewsRead = true
		q.views, _ = q.engine.ConversationViews(q.r.Context(), q.p) // none, if they cannot be had
	}
	return q.views
}

// savedView is the view of a name such as "v-…"; nil for others.
func (q *request) savedView(name string) *sangdam.ConversationView {
	id, is := strings.CutPrefix(name, "v-")
	if !is {
		return nil
	}
	for i, v := range q.savedViews() {
		if v.ID == id {
			return &q.views[i]
		}
	}
	return nil
}

func (q *request) unreadOnly(view string) bool {
	saved := q.savedView(view)
	return q.r.FormValue("unread") != "" || saved != nil && saved.Unread
}

// listChoices fills what the list can be narrowed by, and the saved views.
func (q *request) listChoices(d *sangdam.Directory, v *listView) {
	add := func(name, label string, choices []choice) {
		if len(choices) > 1 {
			v.Filters = append(v.Filters, filterView{name, label, choices})
		}
	}
	var accounts, desks, agents []choice
	for _, a := range sortedKeys(d.Accounts) {
		accounts = append(accounts, choice{string(a), d.Accounts[a].Name, string(a) == q.r.FormValue("account")})
	}
	for _, id := range sortedKeys(d.Desks) {
		desks = append(desks, choice{string(id), d.Desks[id], string(id) == q.r.FormValue("desk")})
	}
	for _, a := range d.Agents {
		agents = append(agents, choice{string(a.ID), agentName(d, a.ID), string(a.ID) == q.r.FormValue("agent")})
	}
	add("account", q.lang.t("list.all_accounts"), accounts)
	add("desk", q.lang.t("list.all_desks"), desks)
	if v.View != "mine" {
		add("agent", q.lang.t("list.all_agents"), agents)
	}
	v.Filtered = slices.ContainsFunc(listFilters, func(name string) bool { return q.r.FormValue(name) != "" })
	v.Shares = q.may(sangdam.ActConfigure) == nil
	for _, s := range q.savedViews() {
		own := s.Owner != "" && string(s.Owner) == q.p.ID
		v.Saved = append(v.Saved,
			savedTab{ID: s.ID, Name: s.Name, URL: q.o.Prefix + "/conversations?view=v-" + escaped(s.ID), Version: s.Version,
				Current: v.View == "v-"+s.ID, Own: own || v.Shares})
	}
}

// saveView keeps what the list shows under a name.
func (q *request) saveView() error {
	view := q.viewOf()
	f := q.filterOf(view)
	v := sangdam.ConversationView{Name: q.value("name"), Owner: routing.AgentID(q.p.ID), States: f.States,
		Agent: f.Agent, Account: f.Account, Channel: f.Channel, WorkStream: f.WorkStream, Handled: f.Handled, Unread: q.unreadOnly(view)}
	if len(f.Desks) == 1 {
		v.Desk = f.Desks[0]
	}
	if q.checked("shared") {
		v.Owner = ""
	}
	saved, err := q.engine.SaveConversationView(q.r.Context(), q.p, sangdam.SaveConversationView{Key: q.key(), View: v})
	if err != nil {
		return err
	}
	return q.done("/conversations?view=v-" + escaped(saved.ID))
}

func (q *request) deleteView() error {
	c := sangdam.DeleteConversationView{Key: q.key(), View: q.r.PathValue("id"), Version: q.number("version")}
	if err := q.engine.DeleteConversationView(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/conversations")
}
