package sangdam

import (
	"errors"
	"slices"
	"time"

	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// Deadlines of tickets.
const (
	dueTicketAlarm    = "ticket_alarm"    // a warning or the end of a service level
	dueTicketComplete = "ticket_complete" // a solved ticket has waited long enough
)

func init() {
	registerDeadline(dueTicketAlarm, deadlineKind{run: func(u *unit, id string) error { return u.ticketAlarm(ticket.ID(id)) }})
	registerDeadline(dueTicketComplete, deadlineKind{run: func(u *unit, id string) error { return u.ticketComplete(ticket.ID(id)) }})
}

// Kinds of events that time alone causes.
const (
	evLevelWarning = "level_warning"
	evLevelBreach  = "level_breach"
)

// measureTickets brings the clocks of the tickets that this unit changed up to
// what happened. What it changes is part of the last step of each history.
func (u *unit) measureTickets() error {
	for _, id := range u.ticketOrder {
		w := u.tickets[id]
		if err := w.flush(); err != nil {
			return err
		}
		if len(w.entries) == 0 {
			continue
		}
		s, err := u.ticketSetup()
		if err != nil {
			return err
		}
		clocks := ticket.Measure(w.before, w.now, s.level(w.now, u.tx.Now()),
			func(name string) *hours.Schedule { return u.s.schedule(name, nil) }, u.tx.Now())
		if slices.Equal(clocks, w.now.Clocks) {
			continue
		}
		w.now.Clocks = clocks
		last := len(w.entries) - 1
		if w.entries[last], err = w.entries[last].Amended(w.last, w.now); err != nil {
			return err
		}
	}
	return nil
}

// level is the service level that takes the ticket; nil: none.
func (s *ticketSetup) level(t ticket.Ticket, now time.Time) *ticket.ServiceLevel {
	if len(s.levels) == 0 {
		return nil
	}
	all := make([]ticket.ServiceLevel, len(s.levels))
	for i, l := range s.levels {
		all[i] = l.ServiceLevel
	}
	return ticket.Choose(all, func(l ticket.ServiceLevel) bool {
		i := slices.IndexFunc(s.levels, func(c compiledLevel) bool { return c.ID == l.ID })
		return s.levels[i].program.Match(now, ticket.Facts{Ticket: &t, Fields: s.Fields})
	})
}

// setTicketDeadlines sets the deadlines that follow from the ticket, where they
// differ from those that followed before.
func (u *unit) setTicketDeadlines(w *ticketWork) error {
	was, hadAlarm := ticket.NextAlarm(w.before.Clocks)
	next, has := ticket.NextAlarm(w.now.Clocks)
	if err := u.setDeadline(dueTicketAlarm, string(w.now.ID), hadAlarm, was, has, next); err != nil {
		return err
	}
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	wait := s.Settings.solvedFor()
	waited, waits := w.before.State == ticket.Solved, w.now.State == ticket.Solved && wait > 0
	return u.setDeadline(dueTicketComplete, string(w.now.ID), waited, w.before.SolvedAt.Add(wait), waits, w.now.SolvedAt.Add(wait))
}

// setDeadline writes a deadline that changed from was to next.
func (u *unit) setDeadline(kind, id string, had bool, was time.Time, has bool, next time.Time) error {
	switch {
	case has && (!had || !was.Equal(next)):
		return u.tx.Deadlines().Set(u.ctx, kind, id, next)
	case had && !has:
		return u.tx.Deadlines().Clear(u.ctx, kind, id)
	}
	return nil
}

// ticketAlarm tells of the service levels whose warning or end has come, each
// once, and waits for the next.
func (u *unit) ticketAlarm(id ticket.ID) error {
	w, err := u.ticketWork(id)
	if errors.Is(err, ErrNotFound) {
		return u.tx.Deadlines().Clear(u.ctx, dueTicketAlarm, string(id))
	}
	if err != nil {
		return err
	}
	if next, runs := ticket.NextAlarm(w.now.Clocks); !runs || w.now.MergedInto != "" {
		return u.tx.Deadlines().Clear(u.ctx, dueTicketAlarm, string(id))
	} else if next.After(u.tx.Now()) {
		return u.tx.Deadlines().Set(u.ctx, dueTicketAlarm, string(id), next)
	}
	d, err := u.editTicket(id)
	if err != nil {
		return err
	}
	clocks, alarms := ticket.Ring(d.T.Clocks, u.tx.Now())
	d.T.Clocks = clocks
	return u.tellAlarms(d, alarms)
}

// tellAlarms says which targets of a ticket are near or missed.
func (u *unit) tellAlarms(d *ticket.Draft, alarms []ticket.Alarm) error {
	for _, a := range alarms {
		kind := evLevelWarning
		if a.Breach {
			kind = evLevelBreach
		}
		ev := driver.Event{Aggregate: kindTicket, ID: string(d.T.ID), Version: d.T.Entries + 1, Kind: kind, Ref: string(a.Target),
			Desk: d.T.Desk, Agent: d.T.Agent, Contact: d.T.Contact}
		if err := u.tell(ev); err != nil {
			return err
		}
		u.alarmed(d.T.ID, kind)
	}
	return nil
}

// alarmed lets triggers see a warning or a breach as an event of the ticket.
func (u *unit) alarmed(id ticket.ID, kind string) {
	u.changed(record{kindTicket, string(id)}, "", kind)
}

// ticketComplete completes a ticket that was solved long enough ago.
func (u *unit) ticketComplete(id ticket.ID) error {
	w, err := u.ticketWork(id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	s, serr := u.ticketSetup()
	if serr != nil {
		return serr
	}
	wait := s.Settings.solvedFor()
	if err != nil || w.now.State != ticket.Solved || wait == 0 {
		return u.tx.Deadlines().Clear(u.ctx, dueTicketComplete, string(id))
	}
	if at := w.now.SolvedAt.Add(wait); at.After(u.tx.Now()) {
		return u.tx.Deadlines().Set(u.ctx, dueTicketComplete, string(id), at)
	}
	d, err := u.editTicket(id)
	if err != nil {
		return err
	}
	return d.SetState(ticket.Complete)
}
