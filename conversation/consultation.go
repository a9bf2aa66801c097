package conversation

import (
	"fmt"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/id"
)

// Consultation is the owner's question whether a colleague takes the conversation
// over: a warm transfer. The owner keeps the conversation and goes on answering
// until somebody says yes, and whatever else happens to the question changes
// nothing for the customer. A conversation has one open question at most, and
// keeps the last one with how it ended.
type Consultation struct {
	ID           string `json:"id"`
	Conversation ID     `json:"conversation"`
	// By is the owner at the time; under another one the question is over.
	By AgentID `json:"by"`
	// Agent is who is asked now, or was last; empty while nobody of the queue can
	// be asked.
	Agent AgentID `json:"agent,omitempty"`
	// Queue and Desk are where the conversation goes with a yes. Empty for a
	// question to one colleague; else those who work there are asked one after the
	// other.
	Queue id.Queue `json:"queue,omitempty"`
	Desk  DeskID   `json:"desk,omitempty"`
	// Note is the internal note that goes with the question; empty for none.
	Note MessageID `json:"note,omitempty"`
	// For is how long each is asked, AgentAt when Agent was, and Until when that
	// time is over. Nobody is asked any more after Ends.
	For     time.Duration `json:"for"`
	At      time.Time     `json:"at,omitzero"`
	AgentAt time.Time     `json:"agent_at,omitzero"`
	Until   time.Time     `json:"until,omitzero"`
	Ends    time.Time     `json:"ends,omitzero"`
	// Before are those of the queue who were asked and did not take it.
	Before []AgentID `json:"before,omitempty"`
	// State is how it stands; Reason the word that came with a no, or what ended
	// it; both of the last colleague who was asked.
	State   ConsultationState `json:"state"`
	Reason  string            `json:"reason,omitempty"`
	EndedAt time.Time         `json:"ended_at,omitzero"`
}

// ConsultationState says how a question to a colleague stands or ended.
type ConsultationState string

const (
	ConsultationOpen      ConsultationState = "open"      // a colleague, or a queue, is asked
	ConsultationAccepted  ConsultationState = "accepted"  // the colleague owns the conversation
	ConsultationDeclined  ConsultationState = "declined"  // by the colleague, or the last one of the queue
	ConsultationExpired   ConsultationState = "expired"   // nobody answered in time
	ConsultationWithdrawn ConsultationState = "withdrawn" // by whoever asked
	ConsultationGone      ConsultationState = "gone"      // whoever asked, or was asked, is not there any more
	ConsultationOver      ConsultationState = "over"      // the conversation ended, or left its owner
)

// Asked is whom the owner asks now whether to take the conversation over; empty
// for nobody.
func (c Conversation) Asked() AgentID {
	if c.Consultation == nil || c.Consultation.State != ConsultationOpen {
		return ""
	}
	return c.Consultation.Agent
}

// consulting is the open question to change, a copy of what was loaded; nil for
// none.
func (d *Draft) consulting() *Consultation {
	if d.C.Consultation == nil || d.C.Consultation.State != ConsultationOpen {
		return nil
	}
	c := *d.C.Consultation
	d.C.Consultation = &c
	return &c
}

// Consult begins a question; c says whom, where to, and for how long. ErrInvalid
// unless an agent owns the conversation and asks somebody else, ErrStale while
// another question is open. AskColleague then says who is asked first.
func (d *Draft) Consult(c Consultation) error {
	switch {
	case d.C.State != StateActive || d.C.Agent == "":
		return fmt.Errorf("conversation: %s is %s; only one that an agent owns is handed over after asking: %w",
			d.C.ID, d.C.State, ErrInvalid)
	case c.Agent == d.C.Agent:
		return fmt.Errorf("conversation: agent %s has %s already; ask somebody else: %w", c.Agent, d.C.ID, ErrInvalid)
	case d.consulting() != nil:
		return fmt.Errorf("conversation: of %s somebody is asked already; withdraw that question first: %w", d.C.ID, ErrStale)
	}
	c.Conversation, c.By, c.Agent, c.State, c.At = d.C.ID, d.C.Agent, "", ConsultationOpen, d.now
	d.C.Consultation = &c
	return nil
}

// AskColleague makes it the agent's turn to answer the open question; empty:
// nobody can be asked now.
func (d *Draft) AskColleague(agent AgentID, actor string) {
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
	d.event(Event{Kind: EvConsult, Actor: actor, From: "agent:" + string(c.By), To: to}, false)
}

// PassOn ends the turn of whoever is asked: with declined, expired or gone. Of a
// queue others may be asked next; a question to one colleague is over.
func (d *Draft) PassOn(how ConsultationState, reason, actor string) {
	c := d.consulting()
	if c == nil || c.Queue == "" || c.Agent == "" {
		d.EndConsultation(how, reason, actor)
		return
	}
	d.event(Event{Kind: EvConsultEnded, Actor: actor, From: "agent:" + string(c.Agent), To: string(how)}, false)
	c.Before = append(slices.Clone(c.Before), c.Agent)
	c.Agent, c.AgentAt, c.Until, c.Reason = "", time.Time{}, c.Ends, reason
}

// EndConsultation ends the open question, if there is one. It changes nothing
// else: who owns the conversation is Assigned's part.
func (d *Draft) EndConsultation(how ConsultationState, reason, actor string) {
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
	d.event(Event{Kind: EvConsultEnded, Actor: actor, From: from, To: string(how)}, false)
}

// ownerChanged ends a question whose owner has the conversation no longer.
func (d *Draft) ownerChanged(actor string) {
	if c := d.C.Consultation; c != nil && c.By != d.C.Agent {
		d.EndConsultation(ConsultationOver, "owner_changed", actor)
	}
}
