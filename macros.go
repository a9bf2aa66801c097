package sangdam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// Macros are the actions of triggers, carried out by a person: with that
// person's rights at that moment, never with those of whoever wrote them.

const kindMacro = "macro"

var (
	opSaveMacro   = acts("macro.save", "SaveMacro", kindMacro, ActConfigure).versioned()
	opDeleteMacro = acts("macro.delete", "DeleteMacro", kindMacro, ActConfigure).versioned()
	opRunMacro    = acts("macro.run", "RunMacro", kindConversation, ActList, ActPanel, ActNote, ActAnswer, ActAssign, ActTransfer,
		ActEnd, ActTicketEdit, ActTicketAnswer, ActTicketComplete).also(kindTicket, kindMacro)
)

// Macro is a list of actions that an agent carries out on one record with one
// command.
type Macro struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Title   string `json:"title"`
	// Subject is the kind of record: "conversation" or "ticket".
	Subject string           `json:"subject"`
	Actions []trigger.Action `json:"actions"`
	// Position is the macro's place among those about the same kind of record,
	// from 1. Saved with 0, a macro stays where it is, and a new one comes
	// last; any other number moves it there and the others make room.
	Position int `json:"position,omitempty"`
}

const macrosByTitle = "title"

// maxMacros is how many a workspace keeps.
const maxMacros = 500

var macroDocs = declare(store.Kind[Macro]{Name: "macro", Decl: 1, Reused: true,
	ID:      func(m *Macro) string { return m.ID },
	Version: func(m *Macro) *int64 { return &m.Version },
	Indexes: []store.Index[Macro]{{Name: macrosByTitle, Value: func(m *Macro) []byte {
		return store.Tuple(store.Exact(m.Subject),
			store.Text(m.Title))
	}}}})

// macroRights are what a person needs for an action; an action that is not here
// is for triggers alone, which administrators answer for: whatever leaves the
// house to others than the customer.
var macroRights = map[string]map[string]Action{
	kindConversation: {action.Set: ActPanel, action.Tag: ActPanel, action.Priority: ActTransfer, action.Note: ActNote,
		action.Message: ActAnswer,
		action.Assign:  ActAssign, action.Queue: ActTransfer, action.End: ActEnd},
	kindTicket: {action.Set: ActTicketEdit, action.Tag: ActTicketEdit, action.Priority: ActTicketEdit, action.Note: ActTicketEdit,
		action.Assign: ActTicketEdit, action.Message: ActTicketAnswer},
}

// SaveMacro creates a macro (Version 0; an empty ID is filled) or replaces the
// one of the version given.
type SaveMacro struct {
	Key   Key   `json:"-"`
	Macro Macro `json:"macro"`
}

// SaveMacro carries the command out. ErrInvalid for an action that no trigger
// could have, and for an action that only triggers have (see MacroActions).
func (e *Engine) SaveMacro(ctx context.Context, p Principal, c SaveMacro) (Saved, error) {
	m := c.Macro
	if m.ID == "" {
		m.ID = newID()
	}
	return command(ctx, e, call{opSaveMacro, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindMacro, ID: m.ID}); err != nil {
			return Saved{}, err
		}
		return u.saveMacro(m)
	})
}

// saveMacro stores a copy of the macro: after a clash it is called again, with the
// version that the caller gave and not the one that the lost attempt counted up to.
func (u *unit) saveMacro(m Macro) (Saved, error) {
	old, err := macroDocs.Get(u.ctx, u.tx, m.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Saved{}, err
	}
	if _, err := replaces(kindMacro, m.ID, err == nil, old.Version, m.Version); err != nil {
		return Saved{}, err
	}
	if err := cmp.Or(u.roomForMacro(m), u.checkMacro(m)); err != nil {
		return Saved{}, err
	}
	if err := u.placeMacro(&m, old); err != nil {
		return Saved{}, err
	}
	if err := macroDocs.Save(u.ctx, u.tx, &m); err != nil {
		return Saved{}, err
	}
	return Saved{ID: m.ID, Version: m.Version}, u.event(kindMacro, m.ID, m.Version, "saved")
}

// roomForMacro refuses one more than a workspace has.
func (u *unit) roomForMacro(m Macro) error {
	n, err := macroDocs.Count(u.ctx, u.tx, store.List[Macro]{Index: macrosByTitle}, maxMacros)
	if err == nil && n >= maxMacros && m.Version == 0 {
		return errs.New(errs.Invalid, "sangdam: a workspace has at most %d macros", maxMacros)
	}
	return err
}

// placeMacro gives a macro its place, and moves the others where they stand in the
// way. old is as it was, nothing for a new one.
func (u *unit) placeMacro(m *Macro, old Macro) error {
	if m.Position < 0 || m.Position > maxMacros {
		return errs.New(errs.Invalid, "sangdam: the position of a macro is 1 to %d, or 0 to leave it where it is", maxMacros)
	}
	if old.ID != "" && (m.Position == 0 || m.Position == old.Position) {
		m.Position = old.Position
		return nil
	}
	all, err := macrosOf(u.ctx, u.tx, m.Subject)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(o Macro) bool { return o.ID == m.ID })
	at := len(all)
	if m.Position > 0 {
		at = min(m.Position-1, at)
	}
	all = slices.Insert(all, at, *m)
	m.Position = at + 1
	for i := range all {
		if i == at || all[i].Position == i+1 {
			continue
		}
		all[i].Position = i + 1
		if err := macroDocs.Save(u.ctx, u.tx, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// macrosOf are the macros about a kind of record, in their order.
func macrosOf(ctx context.Context, tx store.Tx, subject string) ([]Macro, error) {
	from := store.Tuple(store.Exact(subject))
	all, err := macroDocs.All(ctx, tx, store.List[Macro]{Index: macrosByTitle, From: from, To: store.Next(from)}, maxMacros)
	slices.SortStableFunc(all, func(a, b Macro) int { return a.Position - b.Position })
	return all, err
}

// checkMacro holds a macro against what a trigger with its actions would have to
// be.
func (u *unit) checkMacro(m Macro) error {
	rights := macroRights[m.Subject]
	if rights == nil {
		return noSuchSubject(m.Subject)
	}
	if n := utf8.RuneCountInString(m.Title); n > trigger.MaxTitle || strings.TrimSpace(m.Title) == "" {
		return errs.New(errs.Invalid, "sangdam: the title of a macro has 1 to %d characters", trigger.MaxTitle)
	}
	t := m.asTrigger()
	schema, err := u.e.triggerSchema(u.ctx, u.tx, u.s, m.Subject, t)
	if err != nil {
		return err
	}
	if err := t.Validate(schema, triggerSubjects[m.Subject].catalog); err != nil {
		return err
	}
	for i, a := range m.Actions {
		if rights[a.Kind] == "" {
			return errs.New(errs.Invalid, "sangdam: actions[%d]: %q is for triggers alone; a macro does what a person may do to the record",
				i, a.Kind)
		}
	}
	return u.knownInActions(t)
}

func (m Macro) asTrigger() trigger.Trigger {
	id := m.ID
	if len(id) > 80 { // more than fits into a trigger's id; cut short, two macros could have one turn
		id = hashedKey(id)
	}
	return trigger.Trigger{ID: trigger.ID("macro:" + id), Title: m.Title, Subject: m.Subject, Actions: m.Actions}
}

// DeleteMacro deletes a macro.
type DeleteMacro struct {
	Key     Key    `json:"-"`
	Macro   string `json:"macro"`
	Version int64  `json:"version"`
}

// DeleteMacro carries the command out. ErrNotFound, and ErrStale when the macro is not
// of the version given.
func (e *Engine) DeleteMacro(ctx context.Context, p Principal, c DeleteMacro) error {
	_, err := command(ctx, e, call{opDeleteMacro, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindMacro, ID: c.Macro}); err != nil {
			return none, err
		}
		m, err := macroDocs.Get(u.ctx, u.tx, c.Macro)
		switch {
		case errors.Is(err, ErrNotFound):
			return none, noSuch(kindMacro)
		case err != nil:
			return none, err
		case m.Version != c.Version:
			return none, errs.New(errs.Stale, "sangdam: macro %s was changed by somebody else; read it again and repeat", c.Macro)
		}
		if err := macroDocs.Delete(u.ctx, u.tx, &m); err != nil {
			return none, err
		}
		return none, u.event(kindMacro, m.ID, m.Version, "deleted")
	})
	return err
}

var qMacros = asks("macro.list", "Macros", kindMacro, ActList).wide(wideSetUp)

// Macros lists the macros about "conversation" or "ticket" in their order.
// Every agent may call it.
func (e *Engine) Macros(ctx context.Context, p Principal, subject string) (out []Macro, err error) {
	err = e.query(ctx, p, qMacros, "", func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		out, err = macrosOf(ctx, tx, subject)
		return err
	})
	return out, err
}

var qMacrosFor = asks("macro.list_for", "MacrosFor", kindMacro, ActList)

// MacrosFor lists those macros about "conversation" or "ticket" that the
// principal may run on the record with this id.
func (e *Engine) MacrosFor(ctx context.Context, p Principal, subject, record string) (out []Macro, err error) {
	err = e.query(ctx, p, qMacrosFor, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		r, err := macroRecord(ctx, tx, subject, record)
		if err != nil {
			return err
		}
		if err := e.permit(ctx, w, ActRead, r); err != nil {
			return err
		}
		all, err := macrosOf(ctx, tx, subject)
		for _, m := range all {
			asked, err := m.asks()
			if err == nil && !slices.ContainsFunc(asked, func(a Action) bool { return e.permit(ctx, w, a, r) != nil }) {
				out = append(out, m)
			}
		}
		return err
	})
	return out, err
}

// macroRecord is a record as rights are asked of it.
func macroRecord(ctx context.Context, tx store.Tx, subject, record string) (Resource, error) {
	if macroRights[subject] == nil {
		return Resource{}, noSuchSubject(subject)
	}
	return recordOf(ctx, tx, subject, record)
}

func noSuchSubject(subject string) error {
	return errs.New(errs.Invalid, "sangdam: macros are about conversation or ticket, not about %q", cutTo(subject, 64))
}

// MacroActions returns the kinds of action that a macro may have; subject is
// "conversation" or "ticket".
func (e *Engine) MacroActions(subject string) (out []string) {
	if macroRights[subject] == nil {
		return nil
	}
	for _, kind := range triggerSubjects[subject].catalog.Kinds() {
		if macroRights[subject][kind] != "" {
			out = append(out, kind)
		}
	}
	return out
}

// RunMacro carries a macro out on one record.
type RunMacro struct {
	Key   Key    `json:"-"`
	Macro string `json:"macro"`
	// Record is the id of the conversation or ticket.
	Record string `json:"record"`
}

// RunMacro carries the command out: all actions in one transaction with the
// rights of the principal, or none of them. ErrPermissionDenied names the first
// action that the principal may not do. Who may not list macros runs none.
func (e *Engine) RunMacro(ctx context.Context, p Principal, c RunMacro) (out []trigger.Outcome, err error) {
	return command(ctx, e, call{opRunMacro, p, c.Key, c}, func(u *unit) (out []trigger.Outcome, err error) {
		if err := u.allow(ActList, Resource{Kind: kindMacro, ID: c.Macro}); err != nil {
			return nil, err // who may not know which macros there are
		}
		m, err := macroDocs.Get(u.ctx, u.tx, c.Macro)
		if errors.Is(err, ErrNotFound) {
			return nil, noSuch(kindMacro)
		}
		if err != nil {
			return nil, err
		}
		if err := u.mayRun(m, c.Record); err != nil {
			return nil, err
		}
		if out, err = u.actMacro(m, c.Record); err != nil {
			return nil, err
		}
		u.detail("macro", m.ID)
		return out, nil
	})
}

// actMacro carries a macro's actions out on a record, in order.
func (u *unit) actMacro(m Macro, id string) (out []trigger.Outcome, err error) {
	subject := triggerSubjects[m.Subject]
	record, err := subject.find(u, id)
	if err != nil {
		return nil, err
	}
	t := m.asTrigger()
	r := &triggerRun{u: u, subject: subject, id: id, record: record,
		ev: trigger.Event{ID: newID(), Kind: kindMacro, Actor: triggerActor(u.p.actor()), At: u.tx.Now()}}
	for _, a := range m.Actions {
		r.nextPlace(&t)
		o, err := record.act(r, &t, a)
		if err != nil {
			return nil, err
		}
		o.Kind = a.Kind
		out = append(out, o)
	}
	return out, nil
}

// asks are the rights that a macro needs on its record, each once.
func (m Macro) asks() (asked []Action, err error) {
	for _, a := range m.Actions {
		act := macroRights[m.Subject][a.Kind]
		if p, err := trigger.Params[action.SetParams](a); err == nil && a.Kind == action.Set && m.Subject == kindTicket &&
			p.Field == "state" &&
			p.Value == string(ticket.Complete) {
			act = ActTicketComplete
		}
		if act == "" {
			return nil, errs.New(errs.PermissionDenied, "sangdam: macro %q holds an action that is for triggers alone", m.Title)
		}
		if !slices.Contains(asked, act) {
			asked = append(asked, act)
		}
	}
	return asked, nil
}

// mayRun asks for each action whether the principal may do it to the record.
func (u *unit) mayRun(m Macro, record string) error {
	asked, err := m.asks()
	if err != nil {
		return err
	}
	for _, act := range asked {
		if m.Subject == kindTicket {
			_, err = u.onTicket(ticket.ID(record), act)
		} else {
			_, err = u.draft(conversation.ID(record), act)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// speaks is who says what an action says: the rule, or the person whose macro it
// is.
func (u *unit) speaks(t *trigger.Trigger) conversation.Author {
	if u.as == "" {
		return conversation.Author{Kind: conversation.ByAgent, Agent: u.p.agent(), Name: string(u.p.Kind)}
	}
	return conversation.Author{Kind: conversation.ByTrigger, Name: string(t.ID)}
}
