package conversation

import (
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
