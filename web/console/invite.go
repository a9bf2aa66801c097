package console

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
)

// inviteForm is how an agent gets a log-in of its own.
type inviteForm struct {
	Link  string // of the invitation that was made just now; it is shown once
	Until string // an invitation works until then; "" for none
	Mails []choice
	Email string
}

func (q *request) inviteForm(a routing.Agent, link string) (*inviteForm, error) {
	if q.o.InviteURL == "" || a.Version == 0 || a.Disabled {
		return nil, nil //nolint:nilnil // there is nothing to show
	}
	f := &inviteForm{Link: link, Email: a.Email}
	all, err := q.engine.Invitations(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if i.Agent == a.ID {
			f.Until = q.full(i.Expires)
		}
	}
	targets, err := q.engine.Targets(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if t.Kind == "mail" && !t.Disabled {
			f.Mails = append(f.Mails, choice{Value: string(t.ID), Label: cmp.Or(t.Name, string(t.ID))})
		}
	}
	return f, nil
}

// invite makes an invitation and shows its link, which is known once.
func (q *request) invite() error {
	a, err := q.findAgent(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	c := sangdam.InviteAgent{Key: q.key(), Agent: a.ID, Title: q.lang.t("invite.mail_title", q.o.Brand.Name),
		Text: q.lang.t("invite.mail_text", a.Name, q.o.Brand.Name), Link: q.o.InviteURL}
	for _, mail := range q.r.PostForm["mail"] {
		if mail != "" {
			c.Mail = notify.TargetID(mail)
		}
	}
	made, err := q.engine.InviteAgent(q.r.Context(), q.p, c)
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
	if f.Invite, err = q.inviteForm(a, q.o.InviteURL+made.Token); err != nil {
		return err
	}
	q.page(http.StatusOK, "agent", a.Name, "setup", editView{ID: string(a.ID), Form: f})
	return nil
}

func (q *request) uninvite() error {
	id := q.r.PathValue("id")
	if err := q.engine.UninviteAgent(q.r.Context(), q.p, sangdam.UninviteAgent{Key: q.key(), Agent: routing.AgentID(id)}); err != nil {
		return err
	}
	return q.done("/setup/agents/" + escaped(id) + "?saved=1")
}
