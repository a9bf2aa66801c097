// Package action is for a host that writes triggers and macros in code: the kinds of
// action that the engine carries out, and the parameters of each, which
// trigger.Action.Params holds as JSON. A host whose administrators write their
// triggers in the console never reads it.
//
// What a trigger is and when it fires is in package trigger; what an action does to
// a record is the engine's.
package action

import (
	"maps"
	"slices"

	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/trigger"
)

// Kinds of action: what trigger.Action.Kind may be. Tickets and conversations have
// not all the same.
const (
	Assign   = "assign"
	Queue    = "queue"
	Set      = "set"
	Tag      = "tag"
	Priority = "priority"
	Note     = "note"
	Message  = "message"
	End      = "end"
	Ticket   = "ticket"
	Mail     = "mail"
	Forward  = "forward"
	Webhook  = "webhook"
	Notice   = "notice"
	SMS      = "sms"
	Bot      = "bot"
)

// Texts is a text by language; "" is for every language without one of its own.
type Texts map[string]string

// In picks the text for a language: its own, that for every language, or else the first.
func (t Texts) In(language string) string {
	if text, ok := t[language]; ok {
		return text
	}
	if text, ok := t[""]; ok {
		return text
	}
	for _, l := range slices.Sorted(maps.Keys(t)) {
		return t[l]
	}
	return ""
}

// AssignParams gives the record to one of the agents named, by the choice; none
// named: to one of the group. Agents who are gone, disabled or switched off are
// passed over; where none is left the record stays with the group.
type AssignParams struct {
	Group  string            `json:"group,omitempty"`
	Agents []routing.AgentID `json:"agents,omitempty"`
	Choice trigger.Choice    `json:"choice,omitempty"`
}

// QueueParams sends a conversation to a queue, a desk, or a queue for a desk.
type QueueParams struct {
	Queue routing.QueueID `json:"queue,omitempty"`
	Desk  routing.DeskID  `json:"desk,omitempty"`
}

// SetParams sets a field that actions may set.
type SetParams struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// TagParams adds and removes tags.
type TagParams struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// PriorityParams sets the priority: of a ticket -1 (low) to 2 (urgent), of a
// conversation that waits any number, the higher first.
type PriorityParams struct {
	Value int `json:"value"`
}

// TextParams is a text with placeholders, by language.
type TextParams struct {
	Text Texts `json:"text"`
}

// EndParams ends a conversation; Reason is a short code for reports.
type EndParams struct {
	Reason string `json:"reason,omitempty"`
}

// OpenTicketParams makes a ticket of a conversation.
type OpenTicketParams struct {
	Title    Texts    `json:"title,omitempty"`
	Category string   `json:"category,omitempty"`
	Group    string   `json:"group,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

// Recipients of MailParams.
const (
	ToCustomer = "customer"
	ToAssignee = "assignee"
	ToAgent    = "agent"
	ToGroup    = "group"
)

// MailParams mails to the customer, the record's agent, a chosen agent or the
// members of a group: one mail each, so that none sees who else got it.
type MailParams struct {
	// Target to send from; empty: the workspace's only one for mail.
	Target id.Target       `json:"target,omitempty"`
	To     string          `json:"to"`
	Agent  routing.AgentID `json:"agent,omitempty"`
	// Group with ToGroup; empty: the record's own.
	Group   string `json:"group,omitempty"`
	Subject Texts  `json:"subject"`
	Body    Texts  `json:"body"`
	// HTML says that bodies are HTML: values in them are escaped. It is as the
	// workspace's editor type says (TR4): true for "html", which an empty one is.
	HTML bool `json:"html,omitempty"`
}

// ForwardParams sends what the record holds to an address outside, with a link
// to it at the bottom. With Complete the record is completed once the mail was
// sent, and stays as it is when it was not.
type ForwardParams struct {
	Target   id.Target `json:"target,omitempty"`
	To       string    `json:"to"`
	Subject  Texts     `json:"subject,omitempty"`
	Complete bool      `json:"complete,omitempty"`
}

// WebhookParams calls a web hook. The data of the request are always the record's
// kind and id, the event, all that happened, the actor, the trigger and the depth of
// the chain (see sangdam.CausedBy), under kind, id, event, happened, actor, trigger
// and depth; Fields are placeholders whose values it carries besides, under fields.
type WebhookParams struct {
	Target id.Target `json:"target"`
	Fields []string  `json:"fields,omitempty"`
}

// NoticeParams writes into a messenger room, or sends a text message to the
// customer.
type NoticeParams struct {
	Target id.Target `json:"target"`
	Text   Texts     `json:"text"`
}

// BotParams gives a conversation that no agent works on to a bot of
// sangdam.Config.Bots. The bot reads what the customer says in the event; where
// they say nothing, it begins with what they write next.
type BotParams struct {
	Bot string `json:"bot"`
}
