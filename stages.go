package sangdam

import (
	"cmp"
	"slices"
)

// stage is a part of the end of every unit, in the unit's transaction.
type stage struct {
	name string
	run  func(*unit) error
}

// stages lists what follows the body of a command or event, in its order. A
// stage sees what those before it did and changes nothing that an earlier one
// derived something from. Adding one is a line here.
func stages() []stage {
	return []stage{
		{"what changed of conversations", (*unit).gatherConversations},
		{"replies in chats", (*unit).joinTickets},
		{"what changed of tickets", (*unit).gatherTickets},
		{"triggers", (*unit).pull},
		{"service levels", (*unit).measureTickets},
		{"work of tickets", (*unit).routeTickets},
		{"tickets", (*unit).writeTickets},
		{"mails to customers", (*unit).mailCustomers},
		{"deadlines", (*unit).scheduleConversations},
		{"what decisions rest on", (*unit).guard},
		{"customers", (*unit).writeCustomers},
		{"conversations", (*unit).writeConversations},
		{"feed", (*unit).announce},
		{"audit", (*unit).recorded},
	}
}

// end runs the stages.
func (u *unit) end() error {
	for _, s := range stages() {
		if err := s.run(u); err != nil {
			return err
		}
	}
	return nil
}

// record names what a unit makes or changes: kindConversation, kindMessage or
// kindTicket, and its id.
type record struct{ kind, id string }

// change is one record that a unit made or changed. One command or event is one
// change of each record, however often it was written on the way. What the record
// was and is now, the unit's own copy of it says: see conversations, messageOf
// and tickets.
type change struct {
	record
	// actor is who changed it first: people and customers, before any trigger.
	actor string
	// events are what happened to it, in order: the kinds of a conversation's
	// or ticket's history, each once; "created" or "changed" of a message.
	events []string
}

// changed notes a record. The first actor stays.
func (u *unit) changed(r record, actor string, events ...string) {
	i, known := u.changedAt[r]
	if !known {
		if u.changedAt == nil {
			u.changedAt = map[record]int{}
		}
		i = len(u.changes)
		u.changedAt[r] = i
		u.changes = append(u.changes, change{record: r, actor: cmp.Or(actor, u.actor())})
	}
	for _, e := range events {
		u.changes[i].add(e)
	}
}

func (c *change) add(event string) {
	if !slices.Contains(c.events, event) {
		c.events = append(c.events, event)
	}
}

// actor is how records name who acts now: the principal, or a rule that acts as
// itself.
func (u *unit) actor() string { return cmp.Or(u.as, u.p.actor()) }

// recorded writes what a command leaves behind: its audit row and its result.
func (u *unit) recorded() error {
	if u.closing == nil {
		return nil
	}
	return u.closing()
}
