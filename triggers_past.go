package sangdam

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/trial"
)

// What the past of every kind of record has. Steps of one time are one unit of
// work, and so one event; what a rule added to it comes after what the others
// made, and is no event.

// pastReader reads the past of records, within one transaction, for somebody.
type pastReader struct {
	e            *Engine
	ctx          context.Context
	tx           store.Tx
	s            *settings
	w            Who
	subject      *triggerSubject
	since, until time.Time
	// waits has the rule that is tried, as it is edited and as it is stored; nil
	// where that form waits for no time.
	waits [2]*trigger.Set
	rule  trigger.ID

	done, leftOut, gone int
	err                 error        // what ended it
	setup               *ticketSetup // read when it is asked for
	reached             map[routing.AgentID]bool
}

// errPastLeftOut is a record that may not be seen.
var errPastLeftOut = errors.New("sangdam: the record may not be seen")

// events yields what makes each past event of the records anew, and ends with a
// record when there were enough for one step. A record that is gone, may not be
// seen, or has a damaged history is left out and counted.
func (r *pastReader) events(ids []string) iter.Seq[func() trial.Past] {
	return func(yield func(func() trial.Past) bool) {
		n := 0
		for _, id := range ids {
			if n >= triedAtOnce {
				return
			}
			ended := false
			err := r.subject.past(r, id, func(p func() trial.Past) bool {
				n++
				ended = !yield(p)
				return !ended
			})
			switch {
			case err == nil:
				r.done++
			case errors.Is(err, errPastLeftOut), errors.Is(err, ErrNotFound), errors.Is(err, ErrInvalid):
				r.leftOut++
			default:
				r.err = err
				return
			}
			if ended {
				return
			}
		}
	}
}

// in says whether an event of the time is looked at.
func (r *pastReader) in(at time.Time) bool { return !at.Before(r.since) && !at.After(r.until) }

// shown are the samples whose records may be seen.
func (r *pastReader) shown(samples []trial.Sample) (out []trial.Sample, err error) {
	for _, s := range samples {
		of, err := r.subject.resource(r, recordID(s.Record))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ok, err := r.e.sees(r.ctx, r.w, of)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// byRule says that a rule made the step.
func byRule(actor string) bool { return strings.HasPrefix(actor, string(trigger.ByTrigger)+":") }

// pastActor tells who began an event: the first of its steps that the library did
// not make by itself.
type pastActor string

func (a *pastActor) step(actor string) {
	if *a == "" || triggerActor(string(*a)) == trigger.BySystem {
		*a = pastActor(actor)
	}
}

// tried is what the actions have in common that leave the house: they count what
// they would send.
type tried struct {
	r *pastReader
	// agent and group of the record, and its customer's address and number.
	agent        routing.AgentID
	group        string
	email, phone func() (string, error)
}

// outside counts what an action would send; ok is false for another kind.
func (t tried) outside(a trigger.Action) (out trigger.Outcome, ok bool, err error) {
	switch a.Kind {
	case action.Mail:
		p, err := trigger.Params[action.MailParams](a)
		if err != nil {
			return out, true, err
		}
		n, err := t.recipients(p)
		return trigger.Outcome{Done: n > 0, Sent: n}, true, err
	case action.SMS:
		to, err := t.phone()
		return trigger.Outcome{Done: to != "", Sent: min(len(to), 1)}, true, err
	case action.Forward, action.Webhook, action.Notice:
		return trigger.Outcome{Done: true, Sent: 1}, true, nil
	}
	return out, false, nil
}

// recipients counts who would get a mail, as things are now.
func (t tried) recipients(p action.MailParams) (n int, err error) {
	var agents []routing.AgentID
	switch p.To {
	case action.ToCustomer:
		to, err := t.email()
		return min(len(to), 1), err
	case action.ToAssignee:
		agents = []routing.AgentID{t.agent}
	case action.ToAgent:
		agents = []routing.AgentID{p.Agent}
	case action.ToGroup:
		if agents, err = t.r.members(orElse(p.Group, t.group)); err != nil {
			return 0, err
		}
	}
	for _, id := range agents {
		ok, err := t.r.reaches(id)
		if err != nil {
			return 0, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// reaches says whether an agent is there and has a mail address.
func (r *pastReader) reaches(id routing.AgentID) (bool, error) {
	if ok, known := r.reached[id]; known || id == "" {
		return ok, nil
	}
	a, err := r.tx.Agents().Agent(r.ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	if r.reached == nil {
		r.reached = map[routing.AgentID]bool{}
	}
	r.reached[id] = err == nil && !a.Disabled && a.Email != ""
	return r.reached[id], nil
}

// contact is the customer of a record; the zero one when there is none, or none
// that the reader may see.
func (r *pastReader) contact(id conversation.ContactID) (conversation.Contact, error) {
	if id == "" {
		return conversation.Contact{}, nil
	}
	c, err := r.tx.Contacts().Contact(r.ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return c, err
	}
	if ok, seen := r.e.sees(r.ctx, r.w, contactResource(c)); err != nil || seen != nil || !ok {
		return conversation.Contact{}, seen
	}
	return c, nil
}

// chosen is the agent that an assignment would name: which of several is known
// in the turn alone, so that it is the first.
func (r *pastReader) chosen(p action.AssignParams) (routing.AgentID, error) {
	agents := p.Agents
	if len(agents) == 0 {
		var err error
		if agents, err = r.members(p.Group); err != nil {
			return "", err
		}
	}
	if len(agents) == 0 {
		return "", nil
	}
	return agents[0], nil
}

// ticketSetup is what is set up for tickets, read once.
func (r *pastReader) ticketSetup() (*ticketSetup, error) {
	var err error
	if r.setup == nil {
		r.setup, err = r.e.currentTicketSetup(r.ctx, r.tx)
	}
	return r.setup, err
}

// members are the agents of a group.
func (r *pastReader) members(group string) ([]routing.AgentID, error) {
	s, err := r.ticketSetup()
	if err != nil {
		return nil, err
	}
	g, _ := s.group(ticket.GroupID(group))
	return g.Agents, nil
}
