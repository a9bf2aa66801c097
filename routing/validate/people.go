package validate

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sangdam/sangdam/routing"
)

// Limits of desks and agents (AD2).
const (
	maxDeskName        = 20  // characters
	maxDeskID          = 20  // characters
	maxDeskDescription = 100 // characters
	maxAgentName       = 100 // characters
	maxAgentID         = 200 // bytes
)

// validateDesk checks a desk (AD2, RT12): name of 1 to 20 characters,
// description of at most 100, id of at most 20 ASCII letters and digits that
// begins with a lower-case letter or a digit, hours that open at some time.
// That id and name are unique is the store's to check. Errors are ErrInvalid.
func validateDesk(d routing.Desk) error {
	name := strings.TrimSpace(d.Name)
	switch {
	case !deskID(string(d.ID)):
		return invalid("desk id %q: use 1 to %d ASCII letters and digits, the first a lower-case letter or a digit", d.ID, maxDeskID)
	case name == "":
		return invalid("desk %q has no name: customers see it, give it one", d.ID)
	case utf8.RuneCountInString(d.Name) > maxDeskName:
		return invalid("desk %q: the name has %d characters, at most %d are allowed", d.ID, utf8.RuneCountInString(d.Name), maxDeskName)
	case !utf8.ValidString(d.Name) || strings.ContainsFunc(d.Name, unicode.IsControl):
		return invalid("desk %q: the name has characters that cannot be shown: remove them", d.ID)
	case utf8.RuneCountInString(d.Description) > maxDeskDescription:
		return invalid("desk %q: the description has %d characters, at most %d are allowed", d.ID, utf8.RuneCountInString(d.Description),
			maxDeskDescription)
	case d.Seats < 0:
		return invalid("desk %q has %d seats: use 0 for no limit, or more", d.ID, d.Seats)
	}
	return Hours(d.Hours, "desk %q", d.ID)
}

func deskID(id string) bool {
	if id == "" || len(id) > maxDeskID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		lower, upper := 'a' <= c && c <= 'z' || '0' <= c && c <= '9', 'A' <= c && c <= 'Z'
		if !lower && (!upper || i == 0) {
			return false
		}
	}
	return true
}

var presences = []routing.Presence{routing.Online, routing.Break, routing.Offline}

// Presences refuses what is no presence (RT6), where one is named: by an agent, or as
// one that may receive work. No later save can make it one, and nobody would ever
// receive that work. It is asked of what is saved and not by Configuration, so that a
// work stream from before it was asked stands in the way of its own next save alone.
// Errors are ErrInvalid.
func Presences(named []routing.Presence, what string, args ...any) error {
	for _, p := range named {
		if !slices.Contains(presences, p) {
			return invalid(what+" names presence %q, which does not exist: use online, break or offline", append(slices.Clone(args), p)...)
		}
	}
	return nil
}

var (
	roles       = []string{"administrator", "supervisor", "agent"}
	permissions = []routing.Permission{routing.PermitTicket, routing.PermitChat, routing.PermitPhone, routing.PermitCallBack,
		routing.PermitHandOver, routing.PermitLogs, routing.PermitReveal}
)

// Agent checks an agent's settings (RT7, RT9): a known role, known
// permissions, call-back only with phone except for administrators, no
// negative capacity, skills of level 1 or more, hours that open at some time.
// Errors are ErrInvalid.
func Agent(a routing.Agent) error {
	switch {
	case a.ID == "" || len(a.ID) > maxAgentID || strings.ContainsFunc(string(a.ID), unicode.IsControl):
		return invalid("agent id %q: use 1 to %d bytes without control characters", a.ID, maxAgentID)
	case utf8.RuneCountInString(a.Name) > maxAgentName:
		return invalid("agent %q: the name has %d characters, at most %d are allowed", a.ID, utf8.RuneCountInString(a.Name), maxAgentName)
	case !slices.Contains(roles, a.Role):
		return invalid("agent %q has role %q: use administrator, supervisor or agent", a.ID, a.Role)
	}
	for _, p := range a.Permissions {
		if !slices.Contains(permissions, p) {
			return invalid("agent %q has permission %q, which does not exist: use one of %v", a.ID, p, permissions)
		}
	}
	if slices.Contains(a.Permissions, routing.PermitCallBack) && !a.May(routing.PermitCallBack) {
		return invalid("agent %q has call-back without phone: grant phone too, or make the agent an administrator", a.ID)
	}
	for _, p := range sorted(a.Capacity) {
		n := a.Capacity[p]
		if p == "" {
			return invalid("agent %q has a capacity without a profile: name it", a.ID)
		}
		if n < 0 || n > MaxUnits {
			return invalid("agent %q has a capacity of %d in profile %q: use 0 to %d", a.ID, n, p, int(MaxUnits))
		}
	}
	bad := func(what string, args ...any) error {
		return invalid("agent %q: "+what, append([]any{a.ID}, args...)...)
	}
	if err := validateSkills(a.Skills, bad); err != nil {
		return err
	}
	return Hours(a.Hours, "agent %q", a.ID)
}
