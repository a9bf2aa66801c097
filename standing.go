package sangdam

import (
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// enabled refuses who is nobody, and an agent who was switched off, whatever it
// asks for.
func enabled(w Who) error {
	if err := w.made(); err != nil {
		return err
	}
	if w.Agent != nil && w.Agent.Disabled {
		return errs.New(errs.PermissionDenied, "sangdam: agent %s is disabled; an administrator can enable it again", w.Agent.ID)
	}
	return nil
}

// permitted refuses the work of conversations to a plain agent without the
// permission for chats, or with their assignment switched off. What it may read
// goes with its desks, not with the permission; administrators and supervisors
// act by their role.
func permitted(w Who, a Action, r Resource) error {
	switch {
	case w.Agent == nil || w.has(RoleAdministrator) || w.has(RoleSupervisor):
	case a != ActRead && (r.Kind == kindTicket || r.Kind == kindTicketOffer):
		return mayWorkOnTickets(w)
	case a == ActRead || r.Kind != kindConversation && r.Kind != kindOffer && r.Kind != kindConsultation:
	case !w.Agent.May(routing.PermitChat):
		return errs.New(errs.PermissionDenied, "sangdam: agent %s has no permission for chats; an administrator can grant it", w.Agent.ID)
	case slices.Contains(onTexts, a): // no work on the chat itself: from the history too
	case !w.Agent.Works(routing.PermitChat):
		return errs.New(errs.PermissionDenied,
			"sangdam: the assignment of chats is switched off for agent %s; switch it on to work on them", w.Agent.ID)
	}
	return nil
}

// onTexts are the rights of masking.
var onTexts = []Action{ActMask, ActReveal, ActUnmask}

// ownersRights are what the owner of an open conversation may always do, so that
// a customer is never with somebody who cannot serve.
var ownersRights = []Action{ActRead, ActAnswer, ActNote, ActEnd}

// consulted says that the owner asks the agent to take the conversation over: it
// may read it until that is over, and write notes.
func consulted(w Who, a Action, r Resource) bool {
	return r.Kind == kindConversation && r.Asked != "" && r.Asked == w.agent() && (a == ActRead || a == ActNote)
}

func owns(w Who, a Action, r Resource) bool {
	return r.Kind == kindConversation && r.Owner != "" && r.Owner == w.agent() && slices.Contains(ownersRights, a)
}
