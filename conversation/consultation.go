package conversation

import (
	"time"

	"github.com/sangdam/sangdam/internal/id"
)

// Consultation is an owner's question to a colleague: will you take this
// conversation over? It is also called a warm transfer. The owner keeps the
// conversation and goes on answering until somebody says yes; any other end of
// the question changes nothing for the customer. A conversation has at most one
// open question, and keeps the last one after its end.
type Consultation struct {
	ID           string `json:"id"`
	Conversation ID     `json:"conversation"`
	// By is the agent who owned the conversation when the question was asked.
	// When another agent becomes the owner, the question is over.
	By AgentID `json:"by"`
	// Agent is the colleague who is asked now or was asked last; empty while
	// nobody of the queue can be asked.
	Agent AgentID `json:"agent,omitempty"`
	// Queue and Desk say where the conversation goes when a colleague says yes;
	// the agents who work there are asked one after the other. Both are empty
	// for a question to one colleague.
	Queue id.Queue `json:"queue,omitempty"`
	Desk  DeskID   `json:"desk,omitempty"`
	// Note is the internal note that goes with the question; empty for none.
	Note MessageID `json:"note,omitempty"`
	// For is how long each colleague has to answer, At when the owner asked,
	// AgentAt when Agent was asked, and Until when Agent's time is over. After
	// Ends nobody else is asked.
	For     time.Duration `json:"for"`
	At      time.Time     `json:"at,omitzero"`
	AgentAt time.Time     `json:"agent_at,omitzero"`
	Until   time.Time     `json:"until,omitzero"`
	Ends    time.Time     `json:"ends,omitzero"`
	// Before are the agents of the queue who were asked before and did not
	// accept.
	Before []AgentID `json:"before,omitempty"`
	// State says how the question stands or ended. Reason is the reason that
	// the last colleague gave with a no, or what else ended the question.
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

// Asked returns the colleague whom the owner asks at the moment to take the
// conversation over; empty for nobody.
func (c Conversation) Asked() AgentID {
	if c.Consultation == nil || c.Consultation.State != ConsultationOpen {
		return ""
	}
	return c.Consultation.Agent
}
