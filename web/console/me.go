package console

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// meView is the page about whoever is signed in.
type meView struct {
	IsAgent     bool
	Name, Email string
	Role        string
	Presence    string
	Desks       []string
	Skills      []string
	Units       string
	Permissions []string
	// Chat and Ticket are the switches of assignment; Control says that the agent
	// may turn them.
	Chat, Ticket, Control bool
	Version               int64
	Saved                 bool
	Theme                 string
	Sound, Undo           bool
	Langs                 []choice
	Path                  string
}

// me is the agent's own page.
func (q *request) me() error {
	v := meView{IsAgent: q.p.Kind == sangdam.KindAgent, Name: q.p.ID, Saved: q.r.FormValue("saved") != "",
		Theme: cookie(q.r, cookieTheme, "auto"), Sound: cookie(q.r, cookieSound, "on") == "on", Undo: q.undoFor() > 0,
		Langs: q.langs(), Path: q.o.Prefix + "/me?saved=1"}
	d, err := q.directory()
	if err != nil {
		return err
	}
	agents, err := q.engine.Agents(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	for _, a := range agents {
		if v.IsAgent && string(a.ID) == q.p.ID {
			q.aboutMe(a, d, &v)
		}
	}
	q.page(http.StatusOK, "me", q.lang.t("me.title"), "", v)
	return nil
}

func (q *request) aboutMe(a routing.Agent, d *sangdam.Directory, v *meView) {
	v.Name, v.Email, v.Role, v.Presence = a.Name, a.Email, q.lang.of("role", a.Role), string(a.State.Presence)
	v.Chat, v.Ticket, v.Control, v.Version = a.Assign.Chat, a.Assign.Ticket, a.Assign.Control, a.Version
	for _, p := range a.Permissions {
		v.Permissions = append(v.Permissions, q.lang.of("permit", string(p)))
	}
	for _, s := range a.Skills {
		v.Skills = append(v.Skills, s.Name+" "+strconv.Itoa(s.Level))
	}
	if n, ok := a.Capacity[routing.ProfileUnits]; ok {
		v.Units = strconv.Itoa(n)
	}
	for _, id := range sortedKeys(d.Desks) {
		if slices.Contains(d.RetiredDesks, id) {
			continue
		}
		for _, m := range d.Members[id] {
			if m == a.ID {
				v.Desks = append(v.Desks, d.Desks[id])
			}
		}
	}
}

// switches turns the agent's own assignment on or off.
func (q *request) switches() error {
	c := sangdam.SetSwitches{Key: q.key(), Agent: routing.AgentID(q.p.ID), Version: q.number("version"),
		Chat: q.checked("chat"), Ticket: q.checked("ticket")}
	if _, err := q.engine.SetSwitches(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/me?saved=1")
}
