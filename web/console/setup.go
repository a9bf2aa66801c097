package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
)

func escaped(s string) string { return url.QueryEscape(s) }

// setupView is the page that leads to every part of the set-up.
type setupView struct {
	Sections []setupSection
	Heard    heardForm
}

type setupSection struct {
	Key, Icon, Path string
	Rows            []setupRow
	Retired         []setupRow // out of use, apart from the others
}

type setupRow struct {
	ID, Name, Detail string
	Off              bool
}

// setup is the page of everything that is set up.
func (q *request) setup() error {
	ctx := q.r.Context()
	cfg, err := q.engine.Configuration(ctx, q.p)
	if err != nil {
		return err
	}
	agents, err := q.engine.Agents(ctx, q.p)
	if err != nil {
		return err
	}
	accounts, err := q.engine.Accounts(ctx, q.p)
	if err != nil {
		return err
	}
	accounts = slices.DeleteFunc(accounts, func(a channel.Account) bool { return a.Deleted })
	sections := []setupSection{{Key: "accounts", Icon: "link"}, {Key: "agents", Icon: "people"}, {Key: "desks", Icon: "chat"},
		{Key: "queues", Icon: "queue"}, {Key: "streams", Icon: "arrow"}}
	put := func(section int, retired bool, row setupRow) {
		if s := &sections[section]; retired {
			s.Retired = append(s.Retired, row)
		} else {
			s.Rows = append(s.Rows, row)
		}
	}
	add := func(section int, id, name, detail string, off bool) {
		put(section, false, setupRow{id, cmp.Or(name, id), detail, off})
	}
	for _, a := range accounts {
		add(0, string(a.ID), a.Name, q.lang.of("channel", string(a.Kind)), a.Disabled)
	}
	for _, a := range agents {
		add(1, string(a.ID), a.Name, q.lang.of("role", a.Role), a.Disabled)
	}
	for _, id := range sortedKeys(cfg.Desks) {
		detail := q.lang.t("setup.members", len(cfg.Members[id]))
		if since := cfg.Desks[id].Since; !since.IsZero() {
			detail += " · " + q.lang.t("desk.since", since.In(q.zone).Format(time.DateOnly))
		}
		put(2, cfg.Desks[id].Retired, setupRow{string(id), cmp.Or(cfg.Desks[id].Name, string(id)), detail, false})
	}
	for _, id := range sortedKeys(cfg.Queues) {
		v := cfg.Queues[id]
		put(3, v.Retired, setupRow{string(id), cmp.Or(v.Name, string(id)), q.lang.of("strategy", v.Strategy), false})
	}
	for _, id := range sortedKeys(cfg.WorkStreams) {
		w := cfg.WorkStreams[id]
		put(4, w.Retired, setupRow{string(id), cmp.Or(w.Name, string(id)), q.lang.of("channel", w.ChannelKind), false})
	}
	for i := range sections {
		sections[i].Path = "/setup/" + sections[i].Key + "/"
	}
	q.page(http.StatusOK, "setup", q.lang.t("nav.setup"), "setup", setupView{Sections: sections, Heard: q.heardForm(accounts)})
	return nil
}

// heardForm asks what a customer would hear.
type heardForm struct {
	Accounts  []choice
	At        string
	Languages []choice
}

func (q *request) heardForm(accounts []channel.Account) heardForm {
	f := heardForm{At: q.now.In(q.zone).Format("2006-01-02T15:04")}
	for _, a := range accounts {
		f.Accounts = append(f.Accounts, choice{Value: string(a.ID), Label: cmp.Or(a.Name, string(a.ID))})
	}
	for _, l := range languages {
		f.Languages = append(f.Languages, choice{Value: l, Label: q.lang.nameOf(l)})
	}
	return f
}

// heardView is the answer.
type heardView struct {
	Open, Holiday            bool
	Exception, Message, Text string
	Until                    string
	At                       string
}

// heard says what a customer would hear at a time.
func (q *request) heard() error {
	at, err := time.ParseInLocation("2006-01-02T15:04", q.r.FormValue("at"), q.zone)
	if err != nil {
		at = q.now
	}
	h, err := q.engine.WouldHear(q.r.Context(), q.p, channel.AccountID(q.r.FormValue("account")), q.r.FormValue("language"), at)
	if err != nil {
		return err
	}
	v := heardView{Open: h.Open, Holiday: h.Holiday, Exception: h.Exception, Text: h.Text, At: q.full(at), Until: q.full(h.Until)}
	if h.Message != "" {
		v.Message = q.lang.of("auto", h.Message)
	}
	q.part(http.StatusOK, "heard", v)
	return nil
}

// agentForm is an agent as the page shows it.
type agentForm struct {
	Agent       routing.Agent
	Units       string
	Skills      string // one a line: name and level
	Roles       []choice
	Permissions []choice
	Desks       []choice
	Hours       hoursForm
	Invite      *inviteForm // nil where the host has no page for it
	HandOn      []string    // what the agent hands on at the desks it is taken off, to be confirmed
}

// permissions that can be given, in the order of the page.
var permissions = []routing.Permission{routing.PermitChat, routing.PermitTicket, routing.PermitPhone, routing.PermitCallBack,
	routing.PermitHandOver, routing.PermitLogs, routing.PermitReveal}

func (q *request) agentForm(a routing.Agent, desks []choice, h hoursForm) agentForm {
	f := agentForm{Agent: a, Hours: h, Desks: desks, Skills: skillLines(a.Skills)}
	if n, ok := a.Capacity[routing.ProfileUnits]; ok {
		f.Units = strconv.Itoa(n)
	}
	f.Roles = q.named("role", is(a.Role), "agent", "supervisor", "administrator")
	for _, p := range permissions {
		f.Permissions = append(f.Permissions, choice{string(p), q.lang.of("permit", string(p)), slices.Contains(a.Permissions, p)})
	}
	return f
}

// deskChoices lists the desks, with those of an agent marked.
func (q *request) deskChoices(chosen func(routing.DeskID) bool) ([]choice, error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	return usable(q, d.Desks, d.RetiredDesks, chosen), nil
}

// usable lists what may be chosen, with the chosen marked. What is out of use is there
// only where it is chosen, so that a save does not lose it.
func usable[K ~string](q *request, names map[K]string, retired []K, chosen func(K) bool) (out []choice) {
	for _, id := range sortedKeys(names) {
		c := choice{string(id), cmp.Or(names[id], string(id)), chosen(id)}
		if slices.Contains(retired, id) {
			if !c.Chosen {
				continue
			}
			c.Label += " · " + q.lang.t("setup.retired")
		}
		out = append(out, c)
	}
	return out
}

// queueChoices lists the queues.
func (q *request) queueChoices(d *sangdam.Directory, chosen func(routing.QueueID) bool) []choice {
	return usable(q, d.Queues, d.RetiredQueues, chosen)
}

// none is for choosers of which nothing is chosen yet.
func none[K ~string](K) bool { return false }

// findAgent is the stored agent; a new one has what most have.
func (q *request) findAgent(id string) (routing.Agent, error) {
	if id == "new" {
		return routing.Agent{Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
			Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 5}}, nil
	}
	agents, err := q.engine.Agents(q.r.Context(), q.p)
	if err != nil {
		return routing.Agent{}, err
	}
	for _, a := range agents {
		if string(a.ID) == id {
			return a, nil
		}
	}
	return routing.Agent{}, errNoPage
}

func (q *request) agent() error {
	id := q.r.PathValue("id")
	a, err := q.findAgent(id)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	desks, err := q.deskChoices(func(desk routing.DeskID) bool { return slices.Contains(d.Members[desk], a.ID) })
	if err != nil {
		return err
	}
	f := q.agentForm(a, desks, q.hoursForm(a.Hours))
	if f.Invite, err = q.inviteForm(a, ""); err != nil {
		return err
	}
	return q.edit("agent", cmp.Or(a.Name, q.lang.t("setup.new.agents")), id, f, nil)
}

func (q *request) saveAgent() error {
	id := q.r.PathValue("id")
	a, err := q.findAgent(id)
	if err != nil {
		return err
	}
	typed := q.typedHours()
	err = q.readAgent(&a, typed)
	chosen := q.r.PostForm["desk"]
	var handOn []string
	if err == nil && !q.checked("hand_on") {
		if handOn, err = q.leavesDesks(a.ID, chosen); err != nil {
			return err
		}
	}
	if err == nil && len(handOn) == 0 {
		var warnings []sangdam.Warning
		if warnings, err = q.storeAgent(a, chosen); err == nil {
			return q.saved("/setup/agents/", escaped(string(a.ID)), warnings)
		}
	}
	desks, again := q.deskChoices(func(d routing.DeskID) bool { return slices.Contains(chosen, string(d)) })
	if again != nil {
		return again
	}
	f := q.agentForm(a, desks, typed.withRoom(q.now))
	f.HandOn = handOn
	return q.edit("agent", cmp.Or(a.Name, q.lang.t("setup.new.agents")), id, f, err)
}

// leavesDesks says what an agent hands on who stays on the chosen desks alone.
func (q *request) leavesDesks(a routing.AgentID, chosen []string) (out []string, err error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	for _, id := range sortedKeys(d.Members) {
		if slices.Contains(chosen, string(id)) || !slices.Contains(d.Members[id], a) {
			continue
		}
		some, err := q.handedOn(id, []string{string(a)})
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

func (q *request) readAgent(a *routing.Agent, typed hoursForm) (err error) {
	a.ID, a.Version = routing.AgentID(q.idOf()), q.number("version")
	a.Name, a.Email, a.Role, a.Disabled = q.value("name"), q.value("email"), q.value("role"), q.checked("disabled")
	a.Permissions = nil
	for _, p := range permissions {
		if slices.Contains(q.r.PostForm["permission"], string(p)) {
			a.Permissions = append(a.Permissions, p)
		}
	}
	a.Assign = routing.AssignmentSwitches{Chat: q.checked("assign_chat"), Ticket: q.checked("assign_ticket"),
		Control: q.checked("assign_control")}
	units, err := q.whole("units")
	if err != nil {
		return err
	}
	if a.Capacity == nil {
		a.Capacity = map[routing.Profile]int{}
	}
	a.Capacity[routing.ProfileUnits] = units
	a.Skills = skillsOf(q.r.PostFormValue("skills"))
	a.Hours, err = q.calendar(typed)
	return err
}
