package draft

import (
	"fmt"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// consulting is the open question to change, a copy of what was loaded; nil for
// none.
func (d *Draft) consulting() *conversation.Consultation {
	if d.C.Consultation == nil || d.C.Consultation.State != conversation.ConsultationOpen {
		return nil
	}
	c := *d.C.Consultation
	d.C.Consultation = &c
	return &c
}

// Consult begins a question; c says whom, where to, and for how long. ErrInvalid
// unless an agent owns the conversation and asks somebody else, ErrStale while
// another question is open. AskColleague then says who is asked first.
func (d *Draft) Consult(c conversation.Consultation) error {
	switch {
	case d.C.State != conversation.StateActive || d.C.Agent == "":
		return fmt.Errorf("conversation: %s is %s; only one that an agent owns is handed over after asking: %w",
			d.C.ID, d.C.State, errs.Invalid)
	case c.Agent == d.C.Agent:
		return fmt.Errorf("conversation: agent %s has %s already; ask somebody else: %w", c.Agent, d.C.ID, errs.Invalid)
	case d.consulting() != nil:
		return fmt.Errorf("conversation: of %s somebody is asked already; withdraw that question first: %w", d.C.ID, errs.Stale)
	}
	c.Conversation, c.By, c.Agent, c.State, c.At = d.C.ID, d.C.Agent, "", conversation.ConsultationOpen, d.now
	d.C.Consultation = &c
	return nil
}

// AskColleague makes it the agent's turn to answer the open question; empty:
// nobody can be asked now.
func (d *Draft) AskColleague(agent conversation.AgentID, actor string) {
	c := d.consulting()
	if c == nil {
		return
	}
	c.Agent, c.AgentAt, c.Until, c.Reason = agent, d.now, d.now.Add(c.For), ""
	to := "queue:" + string(c.Queue)
	if agent == "" {
		c.Until = c.Ends
	} else {
		to = "agent:" + string(agent)
	}
	if c.Until.After(c.Ends) {
		c.Until = c.Ends
	}
	d.event(conversation.Event{Kind: conversation.EvConsult, Actor: actor, From: "agent:" + string(c.By), To: to}, false)
}

// PassOn ends the turn of whoever is asked: with declined, expired or gone. Of a
// queue others may be asked next; a question to one colleague is over.
func (d *Draft) PassOn(how conversation.ConsultationState, reason, actor string) {
	c := d.consulting()
	if c == nil || c.Queue == "" || c.Agent == "" {
		d.EndConsultation(how, reason, actor)
		return
	}
	d.event(conversation.Event{Kind: conversation.EvConsultEnded, Actor: actor, From: "agent:" + string(c.Agent), To: string(how)}, false)
	c.Before = append(slices.Clone(c.Before), c.Agent)
	c.Agent, c.AgentAt, c.Until, c.Reason = "", time.Time{}, c.Ends, reason
}

// EndConsultation ends the open question, if there is one. It changes nothing
// else: who owns the conversation is Assigned's part.
func (d *Draft) EndConsultation(how conversation.ConsultationState, reason, actor string) {
	c := d.consulting()
	if c == nil {
		return
	}
	c.State, c.EndedAt = how, d.now
	if reason != "" {
		c.Reason = reason
	}
	from := "queue:" + string(c.Queue)
	if c.Agent != "" {
		from = "agent:" + string(c.Agent)
	}
	d.event(conversation.Event{Kind: conversation.EvConsultEnded, Actor: actor, From: from, To: string(how)}, false)
}

// ownerChanged ends a question whose owner has the conversation no longer.
func (d *Draft) ownerChanged(actor string) {
	if c := d.C.Consultation; c != nil && c.By != d.C.Agent {
		d.EndConsultation(conversation.ConsultationOver, "owner_changed", actor)
	}
}
