package sangdam

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
)

// A part of the set-up that past conversations name is taken out of use and never
// deleted: its id never stands for anything else, and what happened there keeps its
// name. It goes out of use only once nothing leads there and nothing is left in it,
// so that nothing has to be moved. What leads there within the configuration is
// package routing/validate's to refuse, in the save that takes it out of use and in
// one that would lead there afterwards; the rest is here. Whoever gives work rests on
// the configuration's version, and the save holds it: of the two one comes first.

// outOfUse refuses to let something lead to what is out of use.
func outOfUse(kind, id string) error {
	return errs.New(errs.Invalid, "sangdam: %s %s is out of use; choose another, or bring it back into use first", kind, id)
}

// mayRetireQueue refuses to take a queue out of use that something outside of the
// configuration leads to, or in which work is left.
func (u *unit) mayRetireQueue(before, q routing.Queue) error {
	if !q.Retired || before.Retired {
		return nil
	}
	by, err := u.leadToQueue(q.ID)
	if err != nil {
		return err
	}
	return u.nothingLeft(leaving{kind: "queue", id: string(q.ID), by: by, members: append(slices.Clone(before.Members), q.Members...),
		asks:  func(c storedConsultation) bool { return c.Queue == q.ID },
		holds: func(it routing.Item) bool { return it.Queue == q.ID }})
}

// mayRetireDesk does the same for a desk. Tickets and conversations that nobody is to be
// found for stay where they are: its agents go on seeing them, and a customer who writes
// again is answered where the account is then.
func (u *unit) mayRetireDesk(before, d routing.Desk) error {
	if !d.Retired || before.Retired {
		return nil
	}
	by, err := u.actingOn(func(r referred) bool { return r.toDesk() == d.ID })
	if err != nil {
		return err
	}
	return u.nothingLeft(leaving{kind: kindDesk, id: string(d.ID), by: by, members: u.s.routing.Members[d.ID],
		asks:  func(c storedConsultation) bool { return c.Desk == d.ID },
		holds: func(it routing.Item) bool { return it.Desk == d.ID }})
}

// leaving is what is to be taken out of use.
type leaving struct {
	kind, id string
	by       []string          // what leads there
	members  []routing.AgentID // who may be asked to take a conversation over there
	asks     func(storedConsultation) bool
	holds    func(routing.Item) bool
}

// nothingLeft refuses to take out of use what something leads to, or where work is left.
func (u *unit) nothingLeft(l leaving) error {
	if len(l.by) > 0 {
		return errs.New(errs.Invalid, "sangdam: %s %s is named by %s; change them first, then take it out of use", l.kind, l.id,
			strings.Join(l.by, ", "))
	}
	asked, err := u.consulting(l.members)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(asked, l.asks) {
		return errs.New(errs.Invalid, "sangdam: an agent of %s %s is asked whether to take a conversation over; wait for the answer, then "+
			"take it out of use", l.kind, l.id)
	}
	waiting, taken := 0, 0
	err = u.tx.Work().Open(u.ctx, func(it routing.Item) {
		switch {
		case !l.holds(it):
		case it.State.Waits():
			waiting++
		default:
			taken++
		}
	})
	if err == nil && waiting+taken > 0 {
		err = errs.New(errs.Invalid, "sangdam: in %s %s %d conversations, tickets or other pieces of work wait, and agents have %d; "+
			"transfer or end them first, then take it out of use", l.kind, l.id, waiting, taken)
	}
	return err
}

// accountsInUse refuses that an account is on a desk or work stream that is out of use.
// It is asked of the whole, since a set-up may move the account in the same command.
func (u *unit) accountsInUse(cfg routing.Configuration) error {
	accounts, err := u.tx.Accounts().Accounts(u.ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		switch {
		case a.Deleted:
		case cfg.Desks[a.Desk].Retired:
			return onOutOfUse(kindDesk, string(a.Desk), a.Name)
		case cfg.WorkStreams[a.WorkStream].Retired:
			return onOutOfUse("work stream", string(a.WorkStream), a.Name)
		}
	}
	return nil
}

func onOutOfUse(kind, id, account string) error {
	return errs.New(errs.Invalid, "sangdam: %s %s is out of use, but account %q is on it: move that to another, or bring it back into use",
		kind, id, account)
}

// leadToQueue names what outside of the configuration leads to the queue.
func (u *unit) leadToQueue(q routing.QueueID) (by []string, err error) {
	set, err := u.e.readTicketSetup(u.ctx, u.tx) // not the kept one, which may be a poll old
	if err != nil {
		return nil, err
	}
	if set.Settings.Tickets.Queue == q {
		by = append(by, "the workspace settings (tickets)")
	}
	for _, g := range set.Groups {
		if queueID(g.Queue) == q {
			by = append(by, fmt.Sprintf("group %q", g.Name))
		}
	}
	more, err := u.actingOn(func(r referred) bool { return r.Queue == q })
	return append(by, more...), err
}

// actingOn names the triggers and macros of which an action refers to something.
func (u *unit) actingOn(refers func(referred) bool) (by []string, err error) {
	titles, err := u.usersOf(refers)
	if err != nil {
		return nil, err
	}
	for _, t := range titles {
		by = append(by, fmt.Sprintf("trigger %q", t))
	}
	more, err := u.macrosActingOn(refers)
	return append(by, more...), err
}

// macrosActingOn names the macros of which an action refers to something.
func (u *unit) macrosActingOn(refers func(referred) bool) (out []string, err error) {
	all, err := macroDocs.All(u.ctx, u.tx, store.List[Macro]{Index: macrosByTitle}, maxMacros)
	for _, m := range all {
		if slices.ContainsFunc(references(trigger.Trigger{Actions: m.Actions}), refers) {
			out = append(out, fmt.Sprintf("macro %q", m.Title))
		}
	}
	return out, err
}

func groupInMacros(u *unit, g ticket.GroupID) ([]string, error) {
	return u.macrosActingOn(func(r referred) bool { return r.Group == string(g) })
}
