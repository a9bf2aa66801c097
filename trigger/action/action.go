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

// Kinds of action: what trigger.Action.Kind may be, each with the type of its
// parameters. Queue, End, Ticket and Bot are for conversations alone, the others for
// tickets too.
const (
	Assign   = "assign"   // AssignParams
	Queue    = "queue"    // QueueParams
	Set      = "set"      // SetParams
	Tag      = "tag"      // TagParams
	Priority = "priority" // PriorityParams
	Note     = "note"     // TextParams: an internal note or comment
	Message  = "message"  // TextParams: a message or public answer to the customer
	End      = "end"      // EndParams
	Ticket   = "ticket"   // OpenTicketParams
	Mail     = "mail"     // MailParams
	Forward  = "forward"  // ForwardParams
	Webhook  = "webhook"  // WebhookParams
	Notice   = "notice"   // NoticeParams, to a messenger room
	SMS      = "sms"      // NoticeParams, to the customer's phone number
	Bot      = "bot"      // BotParams
)

// Texts is a text by language; "" is for every language without one of its own.
type Texts map[string]string

// In picks the text for a language: its own, else that of "", else that of the first
// language by its tag; empty where there is no text.
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
// named: to one of the group. One of the two is needed. Agents who are gone, disabled
// or not permitted such work are passed over, of a ticket also those who are not in
// the group that is named, of a conversation also those who are offline. Where none is
// left a ticket goes to the group alone, if one is named, and a conversation stays as
// it is.
type AssignParams struct {
	Group string `json:"group,omitempty"`
	// Agents has at most 500; with trigger.ChooseOne exactly one.
	Agents []routing.AgentID `json:"agents,omitempty"`
	// Choice is always needed.
	Choice trigger.Choice `json:"choice,omitempty"`
}

// QueueParams sends a conversation to a queue, a desk, or a queue for a desk; one of
// the two is needed.
type QueueParams struct {
	Queue routing.QueueID `json:"queue,omitempty"`
	Desk  routing.DeskID  `json:"desk,omitempty"`
}

// SetParams sets a field to a value of at most 2000 bytes. Field is, of a
// conversation, category, memo, language or "attribute.<name>"; of a ticket title,
// category, resolution, state, custom_state, language, desk or "field.<code>".
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
// conversation that waits -1000 to 1000. The higher comes first.
type PriorityParams struct {
	Value int `json:"value"`
}

// TextParams is a text with placeholders, by language.
type TextParams struct {
	Text Texts `json:"text"`
}

// EndParams ends a conversation; Reason is a code for reports, of at most 50 bytes.
type EndParams struct {
	Reason string `json:"reason,omitempty"`
}

// OpenTicketParams makes a ticket of a conversation. Priority is -1 (low) to 2
// (urgent).
type OpenTicketParams struct {
	Title    Texts    `json:"title,omitempty"`
	Category string   `json:"category,omitempty"`
	Group    string   `json:"group,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

// Recipients of a mail: what MailParams.To may be.
const (
	ToCustomer = "customer"
	ToAssignee = "assignee" // the record's agent
	ToAgent    = "agent"    // MailParams.Agent
	ToGroup    = "group"    // the members of MailParams.Group
)

// MailParams mails to the customer, the record's agent, a chosen agent or the
// members of a group: one mail each, so that none sees who else got it.
type MailParams struct {
	// Target to send from; empty: the workspace's only one for mail.
	Target id.Target `json:"target,omitempty"`
	// To is ToCustomer, ToAssignee, ToAgent or ToGroup.
	To string `json:"to"`
	// Agent is needed with ToAgent, and empty with all others.
	Agent routing.AgentID `json:"agent,omitempty"`
	// Group with ToGroup; empty: the record's own.
	Group   string `json:"group,omitempty"`
	Subject Texts  `json:"subject"`
	Body    Texts  `json:"body"`
	// HTML says that bodies are HTML: values in them are escaped. It is as the
	// workspace's editor type says (TR4): true for "html", which an empty one is.
	HTML bool `json:"html,omitempty"`
}

// ForwardParams mails what the record holds to one address outside, with a link to
// the record at the bottom. Target is as in MailParams; without a Subject it is the
// record's kind, number and title. With Complete the record is completed once the
// mail was sent, and stays as it is when it was not.
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

// NoticeParams writes into a messenger room (Notice), or sends a text message to the
// customer (SMS), by the target, which it needs.
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
