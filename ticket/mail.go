package ticket

import (
	"encoding/json"
	"slices"
)

// MailEvent is a step of a ticket of which its customer is told by mail (TK8).
type MailEvent string

// The events. Handled is a public answer that neither solves the ticket nor
// puts it on hold.
const (
	MailReceived MailEvent = "received"
	MailOnHold   MailEvent = "on_hold"
	MailHandled  MailEvent = "handled"
	MailSolved   MailEvent = "solved"
)

// MailEvents lists the events, in the order in which a ticket usually meets them.
func MailEvents() []MailEvent {
	return []MailEvent{MailReceived, MailOnHold, MailHandled, MailSolved}
}

// MailEvent is the event of which the customer is told because of the entry; false
// where they are told nothing: of a merger, of their own reply, and of whatever is
// neither a public answer nor puts the ticket on hold or solves it.
func (e Entry) MailEvent() (MailEvent, bool) {
	switch state := e.becomes(); {
	case e.Kind == Created:
		return MailReceived, true
	case e.Kind == Merged || e.Kind == Replied:
		return "", false
	case state == Solved:
		return MailSolved, true
	case state == OnHold:
		return MailOnHold, true
	}
	return MailHandled, e.Kind == Answered
}

// becomes is the state that the entry moved the ticket to; empty: none.
func (e Entry) becomes() (s State) {
	i := slices.IndexFunc(e.Changes, func(c Change) bool { return c.Member == "state" })
	if i < 0 || json.Unmarshal(e.Changes[i].Now, &s) != nil {
		return ""
	}
	return s
}
