package sangdam

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
)

// Whose turn it is to answer a question before a transfer.

const (
	// dueConsult is about the open question of the conversation that it names.
	dueConsult = "consult"
	// consultAgain is how soon it is looked again for somebody of a queue of whom
	// nobody could be asked.
	consultAgain = time.Second
)

// askNext asks the next one of the question's queue. Where nobody is left it ends
// as how, with the reason.
func (u *unit) askNext(d *draft.Draft, how conversation.ConsultationState, reason string) error {
	c := d.C.Consultation
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(d.C.ID))
	if err != nil {
		return err
	}
	agents, err := u.tx.Agents().Agents(u.ctx)
	if err != nil {
		return err
	}
	now := u.tx.Now()
	it = transition.Redirected(it, c.Queue, c.Desk, now)
	q := u.s.routing.Queues[c.Queue]
	asked := append([]routing.AgentID{c.By}, c.Before...)
	decision, left := board.Consult(it, q, u.s.routing.Members[u.deskOf(it)], agents, asked, u.e.cfg.Seed, now)
	switch {
	case !left || q.Retired || u.s.routing.Desks[c.Desk].Retired || !now.Before(c.Ends):
		d.EndConsultation(how, reason, u.p.actor())
	case decision.Agent != "":
		u.consulted = append(u.consulted, decision)
		d.AskColleague(decision.Agent, u.p.actor())
	case c.Until.IsZero(): // it begins so; later nobody need be told again
		d.AskColleague("", u.p.actor())
	}
	return nil
}

// passOn ends the turn of whoever is asked, and asks the next one if the question
// is to a queue.
func (u *unit) passOn(d *draft.Draft, how conversation.ConsultationState, reason string) error {
	d.PassOn(how, reason, u.p.actor())
	if d.C.Consultation.State != conversation.ConsultationOpen {
		return nil
	}
	return u.askNext(d, how, reason)
}

// consultDue looks at an open question whose time has come: whoever is asked did
// not answer, or somebody may be free now.
func (u *unit) consultDue(id conversation.ID) error {
	d, err := u.conversation(id)
	if errors.Is(err, ErrNotFound) {
		return u.tx.Deadlines().Clear(u.ctx, dueConsult, string(id))
	}
	if err != nil {
		return err
	}
	c := d.C.Consultation
	if c == nil || c.State != conversation.ConsultationOpen {
		return u.tx.Deadlines().Clear(u.ctx, dueConsult, string(id))
	}
	if c.Agent != "" && u.tx.Now().Before(c.Until) {
		return u.tx.Deadlines().Set(u.ctx, dueConsult, string(id), c.Until)
	}
	if c.Agent != "" {
		err = u.passOn(d, conversation.ConsultationExpired, "timeout")
	} else {
		err = u.askNext(d, conversation.ConsultationExpired, "nobody")
	}
	if err != nil {
		return err
	}
	if d.C.Consultation == c { // nobody yet
		return u.tx.Deadlines().Set(u.ctx, dueConsult, string(id), u.tx.Now().Add(consultAgain))
	}
	return nil
}

// consulting lists the open questions that agents asked or are asked.
func (u *unit) consulting(agents []routing.AgentID) (out []storedConsultation, err error) {
	for _, a := range agents {
		for _, tag := range []string{consultationAsked, consultationBy} {
			some, err := consultationsOf(u.ctx, u.tx, tag, string(a))
			if err != nil {
				return nil, err
			}
			out = append(out, some...)
		}
	}
	return out, nil
}

// leaveConsultation ends an agent's part in a question: that of the one who asked
// is over, and of a queue the next one is asked. Its item is locked.
func (u *unit) leaveConsultation(c storedConsultation, reason string, pass func(routing.Item) bool, agents []routing.AgentID) error {
	d, err := u.conversation(c.Conversation)
	if err != nil {
		return err
	}
	asked, err := open(d, c.ID)
	if err != nil {
		return nil // answered meanwhile
	}
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(c.Conversation))
	if err != nil {
		return err
	}
	for _, a := range agents {
		there := it
		if asked.Agent == a && asked.Queue != "" {
			there = transition.Redirected(it, asked.Queue, asked.Desk, u.tx.Now())
		}
		switch {
		case a != asked.By && a != asked.Agent, pass != nil && !pass(there):
		case a == asked.By:
			d.EndConsultation(conversation.ConsultationGone, reason, u.p.actor())
			return nil
		default:
			return u.passOn(d, conversation.ConsultationGone, reason)
		}
	}
	return nil
}

// askedOf lists the open questions to an agent, oldest first.
func askedOf(ctx context.Context, tx store.Tx, agent routing.AgentID) ([]conversation.Consultation, error) {
	list, err := consultationsOf(ctx, tx, consultationAsked, string(agent))
	out := make([]conversation.Consultation, 0, len(list))
	for _, c := range list {
		out = append(out, c.Consultation)
	}
	return out, err
}

// whyAsked are the decisions about whom of a queue the conversation's owners asked,
// oldest first.
func whyAsked(ctx context.Context, tx store.Tx, id conversation.ID) (out []routing.Decision, err error) {
	list, err := consultationsOf(ctx, tx, consultationOf, string(id))
	for _, c := range list {
		out = append(out, c.Decisions...)
	}
	return out, err
}
