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

// change is one record that a unit made or changed. One command or event is one
// change of each record, however often it was written on the way.
type change struct {
	kind, id string // kindConversation, kindMessage, kindTicket
	// before is the record as the unit found it, nil for one that it made;
	// after is what it is now. Both are values of the domain package
	// (conversation.Conversation, …) and are not to be written into. Of a
	// message that was there before only the present form is known, and events
	// say "changed".
	before, after any
	// actor is who changed it first: people and customers, before any trigger.
	actor string
	// events are what happened to it, in order: the kinds of a conversation's
	// or ticket's history, each once; "created" or "changed" of a message.
	events []string
}

// changed notes a record. The first before and actor stay.
func (u *unit) changed(c change) {
	if i, known := u.changedAt[c.kind+c.id]; known {
		old := &u.changes[i]
		old.after = c.after
		for _, e := range c.events {
			old.add(e)
		}
		return
	}
	if u.changedAt == nil {
		u.changedAt = map[string]int{}
	}
	u.changedAt[c.kind+c.id] = len(u.changes)
	noted := change{kind: c.kind, id: c.id, before: c.before, after: c.after, actor: cmp.Or(c.actor, u.actor())}
	for _, e := range c.events {
		noted.add(e)
	}
	u.changes = append(u.changes, noted)
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
