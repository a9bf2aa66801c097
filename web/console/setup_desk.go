package console

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// deskForm is a desk as the page shows it.
type deskForm struct {
	Desk    routing.Desk
	Agents  []memberChoice
	Hours   hoursForm
	Texts   []textsForm
	Since   string
	Picture int64    // the version of its picture, 0 for none
	HandOn  []string // what those who are taken off hand on, to be confirmed
	Invites []choice // accounts of the desk that customers can add
	Heard   heardForm
	Retire  retireForm
}

// memberChoice is an agent who may be on a desk, found by name or mail.
type memberChoice struct {
	choice
	Mail string
}

func (q *request) deskForm(d routing.Desk, members []string, h hoursForm) (deskForm, error) {
	agents, err := q.engine.Agents(q.r.Context(), q.p)
	if err != nil {
		return deskForm{}, err
	}
	on := func(a routing.AgentID) bool { return slices.Contains(members, string(a)) }
	f := deskForm{Desk: d, Hours: h, Texts: q.textsForm(d.Messages),
		Retire: retireForm{"/setup/desks/", string(d.ID), d.Version, d.Retired}}
	for i, c := range q.agentChoices(agents, on) {
		f.Agents = append(f.Agents, memberChoice{c, agents[i].Email})
	}
	if d.Version == 0 {
		return f, nil
	}
	if !d.Since.IsZero() {
		f.Since = d.Since.In(q.zone).Format(time.DateOnly)
	}
	picture, err := q.engine.DeskPicture(q.r.Context(), q.p, d.ID)
	if err != nil && !errors.Is(err, sangdam.ErrNotFound) {
		return f, err
	}
	f.Picture = picture.Version
	accounts, err := q.engine.Accounts(q.r.Context(), q.p)
	accounts = slices.DeleteFunc(accounts, func(a channel.Account) bool { return a.Deleted || a.Desk != d.ID })
	for _, a := range accounts {
		if a.Kind == kindLINE && !a.Disabled {
			f.Invites = append(f.Invites, choice{Value: string(a.ID), Label: cmp.Or(a.Name, string(a.ID))})
		}
	}
	f.Heard = q.heardForm(accounts)
	return f, err
}

// handedOn says what each agent has in hand on a desk and would hand on.
func (q *request) handedOn(desk routing.DeskID, agents []string) (out []string, err error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	for _, a := range agents {
		n, err := q.engine.CountConversations(q.r.Context(), q.p,
			conversation.Filter{Agent: routing.AgentID(a), Desks: []routing.DeskID{desk},
				States: []conversation.State{conversation.StateActive}}, 0) // what is in wrap-up is closed
		if err != nil {
			return nil, err
		}
		if n.N > 0 {
			out = append(out, q.lang.t("desk.hands_on", agentName(d, routing.AgentID(a)), cmp.Or(d.Desks[desk], string(desk)), n.N))
		}
	}
	return out, nil
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
	if q.value("retire") != "" {
		return q.retireDesk(d, was)
	}
	d.ID, d.Version, d.Name, d.Description = routing.DeskID(q.idOf()), q.number("version"), q.value("name"), q.value("description")
	d.Messages = q.texts()
	typed, members := q.typedHours(), q.r.PostForm["member"]
	if d.Seats, err = q.whole("seats"); err == nil {
		d.Hours, err = q.calendar(typed)
	}
	var handOn []string
	if err == nil && !q.checked("hand_on") {
		left := slices.DeleteFunc(slices.Clone(was), func(a string) bool { return slices.Contains(members, a) })
		if handOn, err = q.handedOn(d.ID, left); err != nil {
			return err
		}
	}
	if err == nil && len(handOn) == 0 {
		var warnings []sangdam.Warning
		if warnings, err = q.storeDesk(d, was, members); err == nil {
			return q.saved("/setup/desks/", escaped(string(d.ID)), warnings)
		}
	}
	f, again := q.deskForm(d, members, typed.withRoom(q.now))
	if again != nil {
		return again
	}
	f.HandOn = handOn
	return q.edit("desk", cmp.Or(d.Name, q.lang.t("setup.new.desks")), id, f, err)
}

// retireDesk takes a desk out of use, or brings it back.
func (q *request) retireDesk(d routing.Desk, members []string) error {
	next := d
	err := q.retires(&next.Version, &next.Retired)
	if err == nil {
		if _, err = q.engine.SaveDesk(q.r.Context(), q.p, sangdam.SaveDesk{Key: q.key(), Desk: next}); err == nil {
			return q.saved("/setup/desks/", escaped(string(d.ID)), nil)
		}
	}
	f, again := q.deskForm(d, members, q.hoursForm(d.Hours))
	if again != nil {
		return again
	}
	return q.edit("desk", d.Name, string(d.ID), f, err)
}

// storeDesk saves a desk and its members: first those who come, since a desk is
// never without anybody.
func (q *request) storeDesk(d routing.Desk, was, members []string) ([]sangdam.Warning, error) {
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

// deskPicture is the picture of a desk.
func (q *request) deskPicture() error {
	p, err := q.engine.DeskPicture(q.r.Context(), q.p, routing.DeskID(q.r.PathValue("id")))
	if err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", p.Type)
	_, _ = q.w.Write(p.Data) // the reader may be gone
	return nil
}

// saveDeskPicture replaces it, or takes it away.
func (q *request) saveDeskPicture() error {
	id := q.r.PathValue("id")
	c := sangdam.SaveDeskPicture{Key: q.key(), Desk: routing.DeskID(id), Version: q.number("version")}
	var err error
	if !q.checked("delete") {
		file, _, wrong := q.r.FormFile("picture")
		switch {
		case wrong == nil:
			defer file.Close()
			c.Body = io.Reader(file)
		case errors.Is(wrong, http.ErrMissingFile), errors.Is(wrong, http.ErrNotMultipart):
			err = errs.New(errs.Invalid, "console: %s", q.lang.t("desk.no_file"))
		default:
			return wrong
		}
	}
	if err == nil {
		if _, err = q.engine.SaveDeskPicture(q.r.Context(), q.p, c); err == nil {
			return q.saved("/setup/desks/", escaped(id), nil)
		}
	}
	d, members, again := q.findDesk(id)
	if again != nil {
		return again
	}
	f, again := q.deskForm(d, members, q.hoursForm(d.Hours))
	if again != nil {
		return again
	}
	return q.edit("desk", cmp.Or(d.Name, id), id, f, err)
}
