package sangdam

import (
	"context"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// TicketChange is what a command changes of a ticket. What is nil stays; a
// pointer to the empty value deletes the present value.
type TicketChange struct {
	Title      *string            `json:"title,omitempty"`
	Category   *ticket.CategoryID `json:"category,omitempty"`
	Resolution *ticket.CategoryID `json:"resolution,omitempty"`
	Priority   *ticket.Priority   `json:"priority,omitempty"`
	State      *ticket.State      `json:"state,omitempty"`
	// Custom is a state that the workspace has defined
	// (WorkspaceSettings.States), and is given instead of State.
	Custom     *string  `json:"custom,omitempty"`
	AddTags    []string `json:"add_tags,omitempty"`
	RemoveTags []string `json:"remove_tags,omitempty"`
	// Fields are new values by the fields' codes; an empty value deletes the
	// present one. Fields that are not named stay.
	Fields map[string]ticket.Value `json:"fields,omitempty"`
	// Group and Agent assign the ticket. An Agent alone keeps the present group
	// if the agent is in it.
	Group    *ticket.GroupID  `json:"group,omitempty"`
	Agent    *routing.AgentID `json:"agent,omitempty"`
	Desk     *routing.DeskID  `json:"desk,omitempty"`
	Language *string          `json:"language,omitempty"`
	// HandedTo names what another system calls the ticket.
	HandedTo *string `json:"handed_to,omitempty"`
}

// empty says that nothing is to change.
func (c TicketChange) empty() bool {
	return c.Title == nil && c.Category == nil && c.Resolution == nil && c.Priority == nil && c.State == nil && c.Custom == nil &&
		len(c.AddTags)+len(c.RemoveTags)+len(c.Fields) == 0 && c.Group == nil && c.Agent == nil && c.Desk == nil && c.Language == nil &&
		c.HandedTo == nil
}

// TicketComment is what an agent says on a ticket.
type TicketComment struct {
	Text string `json:"text"`
	// Public sends the comment to the customer: through the conversation that
	// the ticket was made from, or else by mail. A comment that is not public
	// is for colleagues only.
	Public bool `json:"public,omitempty"`
	// Files are uploads of the principal, by the names of their blobs
	// (Uploaded.Media.Blob). With a public comment they go to the customer too,
	// in the message or in the mail.
	Files []string `json:"files,omitempty"`
}

// UpdateTicket changes a ticket. All changes and the comment together are one
// transaction and one event.
type UpdateTicket struct {
	Key    Key       `json:"-"`
	Ticket ticket.ID `json:"ticket"`
	// Version that the caller saw. 0 is allowed where only a comment is added,
	// which replaces nothing.
	Version int64          `json:"version"`
	Change  TicketChange   `json:"change,omitzero"`
	Comment *TicketComment `json:"comment,omitempty"`
	// Quiet sends the customer no mail about the state that changes, for
	// instance when a ticket is solved as spam or was settled on the phone. It
	// cannot be given with a public comment.
	Quiet bool `json:"quiet,omitempty"`
}

// UpdateTicket carries the command out. ErrStale when the ticket is not of the
// version given, ErrConflict for one that was merged or is complete,
// ErrInvalid, with the reason, for a value that its field does not take, and
// *BannedWords (ErrInvalid) for a public comment with a banned word.
func (e *Engine) UpdateTicket(ctx context.Context, p Principal, c UpdateTicket) (TicketState, error) {
	return command(ctx, e, call{opUpdateTicket, p, c.Key, c}, func(u *unit) (TicketState, error) {
		public := c.Comment != nil && c.Comment.Public
		act := ActTicketEdit
		if c.Change.empty() && public {
			act = ActTicketAnswer
		}
		w, err := u.onTicket(c.Ticket, act)
		if err != nil {
			return TicketState{}, err
		}
		if act != ActTicketAnswer && public {
			if err := u.allow(ActTicketAnswer, u.resource); err != nil {
				return TicketState{}, err
			}
		}
		if err := ticketVersion(w, c); err != nil {
			return TicketState{}, err
		}
		if c.Change.State != nil && *c.Change.State == ticket.Complete {
			if err := u.allow(ActTicketComplete, u.resource); err != nil {
				return TicketState{}, err
			}
		}
		d, err := u.editTicket(c.Ticket)
		if err != nil {
			return TicketState{}, err
		}
		switch {
		case c.Quiet && public:
			return TicketState{},
				errs.New(errs.Invalid, "sangdam: a public comment goes to the customer; make it internal, or leave quiet out")
		case c.Quiet:
			w.telling()
		}
		if err := u.applyChange(d, c.Change); err != nil {
			return TicketState{}, err
		}
		if c.Comment != nil {
			if err := u.comment(d, *c.Comment); err != nil {
				return TicketState{}, err
			}
		}
		u.detail("state", string(d.T.State))
		return ticketState(d), nil
	})
}

// ticketVersion compares the version that the caller saw.
func ticketVersion(w *ticketWork, c UpdateTicket) error {
	switch {
	case c.Version == 0 && c.Change.empty() && c.Comment != nil:
		return nil
	case c.Version == 0:
		return errs.New(errs.Invalid, "sangdam: give the version of the ticket that you saw")
	case c.Version != w.stored.Version:
		return errs.New(errs.Stale, "sangdam: ticket %s was changed by somebody else; read it again and repeat your change", c.Ticket)
	}
	return nil
}

// applyChange changes a ticket by the rules of the workspace's set-up.
func (u *unit) applyChange(d *ticket.Draft, c TicketChange) error {
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	if c.Title != nil {
		d.T.Title = *c.Title
	}
	if c.Priority != nil {
		d.T.Priority = *c.Priority
	}
	if c.Language != nil {
		d.T.Language = *c.Language
	}
	if c.HandedTo != nil {
		d.T.HandedTo = *c.HandedTo
	}
	if err := u.categorise(d, s, c); err != nil {
		return err
	}
	if err := u.setFields(d, s, c.Fields); err != nil {
		return err
	}
	if len(c.AddTags)+len(c.RemoveTags) > 0 {
		kept := slices.DeleteFunc(slices.Concat(d.T.Tags, c.AddTags), func(t string) bool { return slices.Contains(c.RemoveTags, t) })
		if err := d.SetTags(kept...); err != nil {
			return err
		}
	}
	if c.Desk != nil {
		if had, ok := u.s.routing.Desks[*c.Desk]; !ok && *c.Desk != "" {
			return errs.New(errs.Invalid, "sangdam: there is no desk %s", *c.Desk)
		} else if had.Retired && *c.Desk != d.T.Desk {
			return outOfUse(kindDesk, string(*c.Desk))
		}
		d.T.Desk = *c.Desk
	}
	// Before the state: who solves and assigns in one save assigns first.
	if err := u.assignTicket(d, s, c); err != nil {
		return err
	}
	was := d.T.State
	if err := setTicketState(d, s, c); err != nil {
		return err
	}
	return u.mayComplete(d.T, was, s)
}

// mayComplete holds an agent to the fields that the category of a mail requires:
// whoever wrote it was shown no form, and the agent chose the category.
func (u *unit) mayComplete(t ticket.Ticket, was ticket.State, s *ticketSetup) error {
	done := t.State == ticket.Solved || t.State == ticket.Complete
	if !done || t.State == was || u.p.Kind != KindAgent || u.as != "" || t.Category == "" || t.Conversation == "" {
		return nil
	}
	cv, err := u.tx.Conversations().Conversation(u.ctx, t.Conversation)
	if err != nil || cv.Chat.Kind != channel.ChatThread {
		return err
	}
	if missing := ticket.Missing(t, s.formFields(t.Category)); len(missing) > 0 {
		return &ticket.MissingFields{Codes: missing}
	}
	return nil
}

// formFields are the fields that a category's form adds.
func (s *ticketSetup) formFields(c ticket.CategoryID) (out []ticket.Field) {
	for _, code := range s.form(c).Fields {
		if f, ok := s.Fields.Field(code); ok && !f.Deleted {
			out = append(out, f)
		}
	}
	return out
}

func setTicketState(d *ticket.Draft, s *ticketSetup, c TicketChange) error {
	if c.Custom != nil && *c.Custom != "" {
		i := slices.IndexFunc(s.Settings.States, func(o ticket.CustomState) bool { return o.ID == *c.Custom })
		if i < 0 {
			return errs.New(errs.Invalid, "sangdam: this workspace has no state %q of its own", *c.Custom)
		}
		return d.SetCustom(s.Settings.States[i])
	}
	if c.State == nil {
		return nil
	}
	return d.SetState(*c.State)
}

func (u *unit) categorise(d *ticket.Draft, s *ticketSetup, c TicketChange) error {
	for _, x := range []struct {
		to   *ticket.CategoryID
		at   *ticket.CategoryID
		tree ticket.TreeKind
	}{{c.Category, &d.T.Category, ticket.Intake}, {c.Resolution, &d.T.Resolution, ticket.Resolution}} {
		if x.to == nil {
			continue
		}
		if *x.to != "" && s.Trees[x.tree].Level(*x.to) == 0 {
			return errs.New(errs.Invalid, "sangdam: there is no %s category %s", x.tree, *x.to)
		}
		*x.at = *x.to
	}
	return nil
}

func (u *unit) setFields(d *ticket.Draft, s *ticketSetup, fields map[string]ticket.Value) error {
	for code, v := range fields {
		f, ok := s.Fields.Field(code)
		if !ok {
			return errs.New(errs.Invalid, "sangdam: there is no field %q", shortened(code))
		}
		if f.AdminsOnly && u.as == "" && u.p.Kind == KindAgent && !u.p.has(RoleAdministrator) {
			return errs.New(errs.Invalid, "sangdam: there is no field %q", shortened(code))
		}
		v, err := u.sealed(d.T.ID, f, v)
		if err != nil {
			return err
		}
		if err := u.referFiles(d.T.ID, v.Files); err != nil {
			return err
		}
		if err := d.SetField(f, v); err != nil {
			return err
		}
	}
	return nil
}

func shortened(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// assignTicket gives a ticket to a group or an agent, as a person asks for it.
func (u *unit) assignTicket(d *ticket.Draft, s *ticketSetup, c TicketChange) error {
	if c.Group == nil && c.Agent == nil {
		return nil
	}
	group, agent := d.T.Group, d.T.Agent
	if c.Group != nil {
		if group = *c.Group; group != d.T.Group && c.Agent == nil {
			agent = "" // another group: somebody of it takes the ticket
		}
	}
	if c.Agent != nil {
		agent = *c.Agent
	}
	g, known := s.group(group)
	if group != "" && !known {
		return errs.New(errs.Invalid, "sangdam: there is no group %s", group)
	}
	if agent != "" && agent != d.T.Agent {
		if err := u.takesTickets(agent); err != nil {
			return err
		}
	}
	if agent != "" && group != "" && !slices.Contains(g.Agents, agent) {
		if c.Group != nil && *c.Group != "" {
			return errs.New(errs.Invalid, "sangdam: agent %s is not in group %s", agent, group)
		}
		group = "" // given to somebody outside of it
	}
	return d.Assign(group, agent)
}

// takesTickets refuses an agent to whom no ticket can be given.
func (u *unit) takesTickets(id routing.AgentID) error {
	a, err := u.tx.Agents().Agent(u.ctx, id)
	if err != nil {
		return err
	}
	u.rests(driver.GuardAgent, string(id), a.State.EligRev)
	switch {
	case a.Disabled:
		return errs.New(errs.Invalid, "sangdam: agent %s is disabled and takes no tickets", id)
	case !a.May(routing.PermitTicket):
		return errs.New(errs.Invalid, "sangdam: agent %s has no permission for tickets", id)
	case !a.Works(routing.PermitTicket):
		return errs.New(errs.Invalid, "sangdam: the assignment of tickets is switched off for agent %s", id)
	}
	return nil
}

// comment adds what an agent says, and sends it where it is public.
func (u *unit) comment(d *ticket.Draft, c TicketComment) error {
	if err := u.referFiles(d.T.ID, c.Files); err != nil {
		return err
	}
	if !c.Public {
		if err := d.Comment(c.Text, c.Files...); err != nil {
			return err
		}
		return u.hideComment(d, c.Text, false)
	}
	if err := u.bannedIn(c.Text); err != nil {
		return err
	}
	if err := d.Answer(c.Text, c.Files...); err != nil {
		return err
	}
	if err := u.hideComment(d, c.Text, true); err != nil {
		return err
	}
	return u.sayToCustomer(d, c.Text, c.Files)
}

// ReplyTicket adds the customer's own words to a ticket, which came by mail or
// from a form. The host calls it in the customer's name.
type ReplyTicket struct {
	Key    Key       `json:"-"`
	Ticket ticket.ID `json:"ticket"`
	Text   string    `json:"text"`
	Files  []string  `json:"files,omitempty"`
}

// ReplyTicket carries the command out. A ticket that is solved or on hold
// becomes open again. A reply to a ticket that was merged is added to the
// ticket into which it was merged, without opening that one again; the result
// names it. ErrConflict for a complete ticket.
func (e *Engine) ReplyTicket(ctx context.Context, p Principal, c ReplyTicket) (TicketState, error) {
	return command(ctx, e, call{opReplyTicket, p, c.Key, c}, func(u *unit) (TicketState, error) {
		if _, err := u.onTicket(c.Ticket, ActTicketReply); err != nil {
			return TicketState{}, err
		}
		w, err := u.mergedInto(c.Ticket)
		if err != nil {
			return TicketState{}, err
		}
		at := w.now.ID
		u.as = "customer"
		d, err := u.editTicket(at)
		if err != nil {
			return TicketState{}, err
		}
		if err := u.referFiles(at, c.Files); err != nil {
			return TicketState{}, err
		}
		if at != c.Ticket {
			err = d.ReplyTo(c.Ticket, c.Text, c.Files...)
		} else {
			err = d.Reply(c.Text, c.Files...)
		}
		if err != nil {
			return TicketState{}, err
		}
		return ticketState(d), u.hideComment(d, c.Text, false)
	})
}

// FollowTicket makes an agent a follower of a ticket or, with Stop, ends that.
type FollowTicket struct {
	Key    Key             `json:"-"`
	Ticket ticket.ID       `json:"ticket"`
	Agent  routing.AgentID `json:"agent"` // empty: the principal
	Stop   bool            `json:"stop,omitempty"`
}

// FollowTicket carries the command out; following twice is the same as once.
func (e *Engine) FollowTicket(ctx context.Context, p Principal, c FollowTicket) (TicketState, error) {
	return command(ctx, e, call{opFollowTicket, p, c.Key, c}, func(u *unit) (TicketState, error) {
		if _, err := u.onTicket(c.Ticket, ActTicketEdit); err != nil {
			return TicketState{}, err
		}
		agent := c.Agent
		if agent == "" {
			agent = p.agent()
		}
		if _, err := u.tx.Agents().Agent(u.ctx, agent); err != nil && !c.Stop {
			return TicketState{}, err
		}
		d, err := u.editTicket(c.Ticket)
		if err != nil {
			return TicketState{}, err
		}
		return ticketState(d), d.Follow(agent, !c.Stop)
	})
}
