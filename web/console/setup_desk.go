package console

import (
	"cmp"
	"slices"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// deskForm is a desk as the page shows it.
type deskForm struct {
	Desk   routing.Desk
	Agents []choice
	Hours  hoursForm
	Texts  []textsForm
}

func (q *request) deskForm(d routing.Desk, members []string, h hoursForm) (deskForm, error) {
	agents, err := q.engine.Agents(q.r.Context(), q.p)
	if err != nil {
		return deskForm{}, err
	}
	on := func(a routing.AgentID) bool { return slices.Contains(members, string(a)) }
	return deskForm{Desk: d, Agents: q.agentChoices(agents, on), Hours: h, Texts: q.textsForm(d.Messages)}, nil
}

// findDesk is the stored desk with its members.
func (q *request) findDesk(id string) (routing.Desk, []string, error) {
	if id == "new" {
		return routing.Desk{}, nil, nil
	}
	cfg, err := q.engine.Configuration(q.r.Context(), q.p)
	if err != nil {
		return routing.Desk{}, nil, err
	}
	d, ok := cfg.Desks[routing.DeskID(id)]
	if !ok {
		return d, nil, errNoPage
	}
	var members []string
	for _, a := range cfg.Members[d.ID] {
		members = append(members, string(a))
	}
	return d, members, nil
}

func (q *request) desk() error {
	id := q.r.PathValue("id")
	d, members, err := q.findDesk(id)
	if err != nil {
		return err
	}
	f, err := q.deskForm(d, members, q.hoursForm(d.Hours))
	if err != nil {
		return err
	}
	return q.edit("desk", cmp.Or(d.Name, q.lang.t("setup.new.desks")), id, f, nil)
}

func (q *request) saveDesk() error {
	id := q.r.PathValue("id")
	d, was, err := q.findDesk(id)
	if err != nil {
		return err
	}
	d.ID, d.Version, d.Name, d.Description = routing.DeskID(q.idOf()), q.number("version"), q.value("name"), q.value("description")
	d.Messages = q.texts()
	typed, members := q.typedHours(), q.r.PostForm["member"]
	if d.Seats, err = q.whole("seats"); err == nil {
		d.Hours, err = q.calendar(typed)
	}
	if err == nil {
		var warnings []string
		if warnings, err = q.storeDesk(d, was, members); err == nil {
			return q.saved("/setup/desks/", escaped(string(d.ID)), warnings)
		}
	}
	f, again := q.deskForm(d, members, typed.withRoom())
	if again != nil {
		return again
	}
	return q.edit("desk", cmp.Or(d.Name, q.lang.t("setup.new.desks")), id, f, err)
}

// storeDesk saves a desk and its members: first those who come, since a desk is
// never without anybody.
func (q *request) storeDesk(d routing.Desk, was, members []string) ([]string, error) {
	c := sangdam.SaveDesk{Key: q.key(), Desk: d}
	if d.Version == 0 && len(members) > 0 {
		c.Agent = routing.AgentID(members[0])
		was = members[:1]
	}
	saved, err := q.engine.SaveDesk(q.r.Context(), q.p, c)
	if err != nil {
		return nil, err
	}
	for _, coming := range []bool{true, false} {
		for _, a := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(was, members)))) {
			if slices.Contains(members, a) != coming {
				continue
			}
			if err := q.member(d.ID, routing.AgentID(a), slices.Contains(was, a), coming); err != nil {
				return nil, err
			}
		}
	}
	return saved.Warnings, nil
}
