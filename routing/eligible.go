package routing

import (
	"slices"
)

// administrator is the Role that always may take call-backs (RT9).
const administrator = "administrator"

// May reports whether the agent holds the permission: phone brings ticket, an
// administrator always has call-back, a plain agent only with phone (RT9). The
// empty permission asks for nothing.
func (a *Agent) May(p Permission) bool {
	has := func(p Permission) bool { return slices.Contains(a.Permissions, p) }
	switch p {
	case "":
		return true
	case PermitTicket:
		return has(PermitTicket) || has(PermitPhone)
	case PermitCallBack:
		return a.Role == administrator || has(PermitCallBack) && has(PermitPhone)
	}
	return has(p)
}

// Works reports whether the agent does such work at all: not disabled, with the
// permission and with its assignment switched on.
func (a *Agent) Works(p Permission) bool { return !a.Disabled && a.May(p) && a.SwitchedOn(p) }

// SwitchedOn reports whether the agent's assignment switch lets the kind of
// work through (RT9).
func (a *Agent) SwitchedOn(p Permission) bool {
	switch p {
	case PermitTicket:
		return a.Assign.Ticket
	case PermitChat:
		return a.Assign.Chat
	}
	return true
}
