package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
	"github.com/sangdam/sangdam/trigger/lint"
	"github.com/sangdam/sangdam/trigger/trial"
)

// Triggers are the workspace's own rules; package trigger decides which fire,
// triggers_pass.go asks it, and each kind of record that has triggers says in a
// file of its own what conditions may ask of it and what actions do to it.

const kindTrigger = "trigger"

// maxTriggers is how many a workspace keeps; beyond lintedAt they are not all
// compared with each other.
const (
	maxTriggers = 10_000
	lintedAt    = 500
)

// storedTrigger is a trigger with the members that a newer program wrote.
type storedTrigger struct {
	trigger.Trigger
	more map[string]json.RawMessage
}

const triggersInOrder = "order"

var triggerDocs = declare(store.Kind[storedTrigger]{Name: "trigger", Decl: 1, Reused: true,
	ID:      func(t *storedTrigger) string { return string(t.ID) },
	Version: func(t *storedTrigger) *int64 { return &t.Version },
	Extra:   func(t *storedTrigger) *map[string]json.RawMessage { return &t.more },
	Indexes: []store.Index[storedTrigger]{{Name: triggersInOrder, Value: func(t *storedTrigger) []byte {
		return store.Tuple(store.Exact(t.Subject), store.Int(int64(t.Position)), store.Exact(string(t.ID)))
	}}},
})

// triggerBook is one document a workspace: its version rises whenever a trigger
// changes, so that a process knows with one read whether its copy is good, and
// two administrators who change the order at once do not mix their orders.
type triggerBook struct {
	Version int64 `json:"-"`
	// TraceUntil is until when the run log keeps misses too.
	TraceUntil time.Time `json:"trace_until,omitzero"`
}

var triggerBooks = declare(store.Kind[triggerBook]{Name: "trigger_book", Decl: 1,
	ID:      func(*triggerBook) string { return "book" },
	Version: func(b *triggerBook) *int64 { return &b.Version }})

// book reads the book; one without a version when no trigger was ever saved.
func book(ctx context.Context, tx store.Tx) (triggerBook, error) {
	b, err := triggerBooks.Get(ctx, tx, "book")
	if errors.Is(err, ErrNotFound) {
		return triggerBook{}, nil
	}
	return b, err
}

// triggerSubject is a kind of record that triggers may be about.
type triggerSubject struct {
	kind string
	// fields are what conditions may ask of it, besides event and actor.
	fields func(u triggerSource) ([]condition.Field, error)
	// events are the kinds of event.
	events []string
	// catalog are its actions.
	catalog *trigger.Catalog
	// load is the record of a change as triggers see and change it; nil: what
	// changed is nothing that triggers hear of.
	load func(u *unit, c change) (triggerRecord, error)
	// release takes back what load made; nil: nobody wants it.
	release func(triggerRecord)
	// find loads a record by its id, for timed triggers; ErrNotFound.
	find func(u *unit, id string) (triggerRecord, error)

	// touched lists the records that the reader may see, the last changed first, a
	// page at a time.
	touched func(r *pastReader, after string) ([]touched, string, error)
	// past yields what makes each past event of a record anew, in order.
	past func(r *pastReader, id string, yield func(func() trial.Past) bool) error
	// resource is the record as the policy is asked about it; ErrNotFound.
	resource func(r *pastReader, id string) (Resource, error)
	// assumed says that the past of a field is not known to the reader.
	assumed func(r *pastReader, field string) bool
}

// triggerSource is what the fields of a kind may depend on.
type triggerSource struct {
	e   *Engine
	ctx context.Context
	tx  store.Tx
	// asked are the names of fields that the triggers ask about.
	asked []string
}

// triggerRecord is a record within a pass.
type triggerRecord interface {
	condition.Facts
	condition.Changes
	// event is what happened to it.
	event() (kind string, happened []string)
	// act carries one action out, as the trigger.
	act(r *triggerRun, t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error)
	// schedule is the record's own operating hours; nil: always open.
	schedule() *hours.Schedule
}

// triggerSubjects are the kinds of record that have triggers, by kind. A file
// that adds one calls registerTriggers in its init.
var triggerSubjects = map[string]*triggerSubject{}

func registerTriggers(s triggerSubject) { triggerSubjects[s.kind] = &s }

// triggerSets is the active triggers of a workspace, compiled. It is immutable.
type triggerSets struct {
	version int64
	trace   time.Time
	read    time.Time // by this process's clock
	by      map[string]*trigger.Set
	schemas map[string]*condition.Schema
	// broken are active triggers that no longer fit, with the reason.
	broken        map[trigger.ID]string
	subscriptions []Subscription
}

func (s *triggerSets) set(kind string) *trigger.Set {
	if s == nil {
		return nil
	}
	return s.by[kind]
}

// triggerCache holds the sets of each workspace for a poll's time: what another
// process changes counts here a moment later.
type triggerCache struct {
	mu  sync.RWMutex
	m   map[id.Workspace]*triggerSets
	gen map[id.Workspace]int // raised when this process changes them
}

func (c *triggerCache) get(ws id.Workspace) (*triggerSets, int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[ws], c.gen[ws]
}

// put keeps what was read since the generation began.
func (c *triggerCache) put(ws id.Workspace, gen int, s *triggerSets) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen[ws] != gen {
		return
	}
	if c.m == nil {
		c.m = map[id.Workspace]*triggerSets{}
	}
	c.m[ws] = s
}

func (c *triggerCache) drop(ws id.Workspace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen == nil {
		c.gen = map[id.Workspace]int{}
	}
	c.gen[ws]++
	delete(c.m, ws)
}

// triggers returns the workspace's sets, hardly older than the poll interval.
func (e *Engine) triggers(ctx context.Context, tx store.Tx, s *settings) (*triggerSets, error) {
	had, gen := e.triggerSets.get(tx.Workspace())
	if had != nil && time.Since(had.read) < e.cfg.Poll {
		return had, nil
	}
	b, err := book(ctx, tx)
	if err != nil {
		return nil, err
	}
	if had != nil && had.version == b.Version {
		again := *had
		again.read = time.Now()
		e.triggerSets.put(tx.Workspace(), gen, &again)
		return &again, nil
	}
	fresh := &triggerSets{version: b.Version, trace: b.TraceUntil, read: time.Now()}
	if b.Version > 0 {
		all, err := allTriggers(ctx, tx, "")
		if err == nil {
			err = e.compileTriggers(ctx, tx, s, fresh, all)
		}
		fresh.subscriptions, err = allOf(ctx, tx, subscriptions, err)
		if err != nil {
			return nil, err
		}
	}
	e.triggerSets.put(tx.Workspace(), gen, fresh)
	return fresh, nil
}

// allTriggers reads the triggers of a kind of record, or of all, in their order.
func allTriggers(ctx context.Context, tx store.Tx, subject string) ([]trigger.Trigger, error) {
	list := store.List[storedTrigger]{Index: triggersInOrder}
	if subject != "" {
		list.From = store.Tuple(store.Exact(subject))
		list.To = store.Next(list.From)
	}
	docs, err := triggerDocs.All(ctx, tx, list, maxTriggers)
	out := make([]trigger.Trigger, len(docs))
	for i, d := range docs {
		out[i] = d.Trigger
	}
	return out, err
}

// compileTriggers compiles the active ones. One that no longer fits, because the
// field or the calendar that it names is gone, is left out by itself.
func (e *Engine) compileTriggers(ctx context.Context, tx store.Tx, s *settings, into *triggerSets, all []trigger.Trigger) error {
	into.by, into.schemas, into.broken = map[string]*trigger.Set{}, map[string]*condition.Schema{}, map[trigger.ID]string{}
	active := map[string][]trigger.Trigger{}
	for _, t := range all {
		if t.Active && triggerSubjects[t.Subject] != nil {
			active[t.Subject] = append(active[t.Subject], t)
		}
	}
	for kind, list := range active {
		schema, err := e.triggerSchema(ctx, tx, s, kind, list...)
		if err != nil {
			return err
		}
		fit := slices.DeleteFunc(slices.Clone(list), func(t trigger.Trigger) bool {
			err := t.Validate(schema, triggerSubjects[kind].catalog)
			if err != nil {
				into.broken[t.ID] = err.Error()
				e.log.Warn("a trigger no longer fits and does not run", "workspace", string(tx.Workspace()), "trigger",
					string(t.ID), "error", err)
			}
			return err != nil
		})
		if into.by[kind], err = trigger.NewSet(schema, kind, fit); err != nil {
			return err
		}
		into.schemas[kind] = schema
	}
	return nil
}

// triggerSchema is what conditions about a kind of record may ask. The triggers
// given may name fields that exist only by their name, such as attributes.
func (e *Engine) triggerSchema(ctx context.Context, tx store.Tx, s *settings, kind string, list ...trigger.Trigger) (*condition.Schema,
	error) {
	subject := triggerSubjects[kind]
	if subject == nil {
		return nil, errs.New(errs.Invalid, "sangdam: triggers are about %s, not about %q",
			strings.Join(triggerKinds(), " or "), cutTo(kind, 64))
	}
	src := triggerSource{e: e, ctx: ctx, tx: tx}
	for _, t := range list {
		src.asked = append(src.asked, askedFields(t.When.All)...)
		src.asked = append(src.asked, askedFields(t.When.Any)...)
	}
	fields, err := subject.fields(src)
	if err != nil {
		return nil, err
	}
	schema, err := condition.NewSchema(append(trigger.FieldsOf(subject.events...), fields...)...)
	if err != nil {
		return nil, err
	}
	return schema.ForEvents(s.calendarNames()...), nil
}

func triggerKinds() []string {
	var out []string
	for k := range triggerSubjects {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func askedFields(list []condition.Clause) (out []string) {
	for _, c := range list {
		if c.Field != "" {
			out = append(out, c.Field)
		}
		out = append(out, askedFields(c.All)...)
		out = append(out, askedFields(c.Any)...)
	}
	return out
}

func cutTo(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// ownHours names the operating hours of the record itself in within_hours and
// After.Calendar.
const ownHours = "own"

// calendarNames lists the calendars that conditions may name: the record's own,
// and those that the workspace, accounts, desks, queues and work streams set.
func (s *settings) calendarNames() []string {
	out := []string{ownHours}
	if s.workspaceHours != nil {
		out = append(out, "workspace")
	}
	for id := range s.accountHours {
		out = append(out, "account:"+string(id))
	}
	for id := range s.deskHours {
		out = append(out, "desk:"+string(id))
	}
	for id := range s.queueHours {
		out = append(out, "queue:"+string(id))
	}
	for id := range s.streamHours {
		out = append(out, "work_stream:"+string(id))
	}
	slices.Sort(out[1:])
	return out
}

// SaveTrigger creates a trigger (Version 0; an empty ID is filled; without a
// Position the trigger comes last) or replaces the one of the version given.
type SaveTrigger struct {
	Key     Key             `json:"-"`
	Trigger trigger.Trigger `json:"trigger"`
}

// SaveTrigger carries the command out. ErrInvalid says what is wrong with it: a
// field, operator, action or placeholder that does not exist, a calendar
// without hours, an agent, queue or target that is not there, a condition that
// can never hold, a mail that is new or changed and not in the form of the
// workspace's editor type (WorkspaceSettings.Editor). Warnings tell of triggers
// that undo each other, that have no effect, or that make each other's
// conditions true, and of mails that stay in the form which the workspace no
// longer uses.
func (e *Engine) SaveTrigger(ctx context.Context, p Principal, c SaveTrigger) (Saved, error) {
	t := c.Trigger
	if t.ID == "" {
		t.ID = trigger.ID(newID())
	}
	return command(ctx, e, call{opSaveTrigger, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindTrigger, ID: string(t.ID)}); err != nil {
			return Saved{}, err
		}
		old, err := triggerDocs.Get(u.ctx, u.tx, string(t.ID))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Saved{}, err
		}
		found := err == nil
		if _, err := replaces(kindTrigger, string(t.ID), found, old.Version, t.Version); err != nil {
			return Saved{}, err
		}
		return u.saveTrigger(t, old, found)
	})
}

func (u *unit) saveTrigger(t trigger.Trigger, old storedTrigger, found bool) (Saved, error) {
	all, err := allTriggers(u.ctx, u.tx, "")
	if err != nil {
		return Saved{}, err
	}
	if !found && len(all) >= maxTriggers {
		return Saved{}, errs.New(errs.Invalid, "sangdam: a workspace has at most %d triggers", maxTriggers)
	}
	if t.Position == 0 {
		for _, o := range all {
			if o.Subject == t.Subject && o.ID != t.ID {
				t.Position = max(t.Position, o.Position+1)
			}
		}
		t.Position = max(t.Position, 1)
	}
	schema, err := u.e.triggerSchema(u.ctx, u.tx, u.s, t.Subject, append(slices.Clone(all), t)...)
	if err != nil {
		return Saved{}, err
	}
	subject := triggerSubjects[t.Subject]
	if err := t.Validate(schema, subject.catalog); err != nil {
		return Saved{}, err
	}
	if err := u.knownInActions(t); err != nil {
		return Saved{}, err
	}
	forms, err := u.keepsMailForms(t, old.Trigger)
	if err != nil {
		return Saved{}, err
	}
	warnings, err := linted(schema, subject.catalog, t, all)
	if err != nil {
		return Saved{}, err
	}
	warnings = append(warnings, forms...)
	stored := storedTrigger{Trigger: t, more: old.more}
	if err := triggerDocs.Save(u.ctx, u.tx, &stored); err != nil {
		return Saved{}, err
	}
	if t.Active && t.After != nil && (!found || !old.Active || old.After == nil || *old.After != *t.After) {
		if err := u.enqueueJob(jobArm, string(t.ID), armJob{Trigger: t.ID}); err != nil {
			return Saved{}, err
		}
	}
	return Saved{ID: string(t.ID), Version: stored.Version, Warnings: warnings},
		u.triggersChanged(string(t.ID), stored.Version, "saved", nil)
}

// linted looks at a trigger among the others: a condition that never holds is
// refused, the rest is advice.
func linted(schema *condition.Schema, catalog *trigger.Catalog, t trigger.Trigger, all []trigger.Trigger) (warnings []Warning, err error) {
	titles := map[trigger.ID]string{}
	for _, o := range append(slices.Clone(all), t) {
		titles[o.ID] = o.Title
	}
	for _, f := range lint.One(schema, catalog, t, all) {
		if f.Problem == lint.NeverTrue {
			return nil, errs.New(errs.Invalid, "sangdam: trigger %q: %s", t.Title, f.Text)
		}
		warnings = append(warnings, lintWarning(f, titles))
	}
	return warnings, nil
}

// lintWarning is the lint's advice as a warning, which names triggers as people do.
func lintWarning(f lint.Finding, titles map[trigger.ID]string) Warning {
	var names []string
	for _, id := range f.Others {
		names = append(names, titles[id])
	}
	it, others := titles[f.Trigger], strings.Join(names, ", ")
	say := func(format string, args ...any) string {
		return fmt.Sprintf("trigger %q: "+format, append([]any{it}, args...)...)
	}
	switch {
	case f.Problem == lint.Fight:
		return warnOf("lint_fight", say("it and %q may fire in one event and set %s differently; the later one wins", others, f.Field),
			it, others, f.Field)
	case f.Problem == lint.Unreachable:
		return warnOf("lint_unreachable", say("whenever it fires, %q fires after it and sets the same fields (%s): it has no effect",
			others, f.Field), it, others, f.Field)
	case others == "":
		return warnOf("lint_circle_alone",
			say("a circle: what it sets makes its own condition true again; it is stopped after one event"), it)
	default:
		return warnOf("lint_circle", say("a circle: it and %q make each other's conditions true; each fires once in an event, then they "+
			"are stopped", others), it, others)
	}
}

// triggersChanged raises the book's version and tells whoever has a copy.
func (u *unit) triggersChanged(id string, version int64, how string, change func(*triggerBook)) error {
	b, err := book(u.ctx, u.tx)
	if err != nil {
		return err
	}
	if change != nil {
		change(&b)
	}
	return u.bookChanged(b, id, version, how)
}

// bookChanged is triggersChanged for who has read the book and decided by it: if it is
// not any more as it was read, the save fails.
func (u *unit) bookChanged(b triggerBook, id string, version int64, how string) error {
	if err := triggerBooks.Save(u.ctx, u.tx, &b); err != nil {
		return err
	}
	u.after.triggers = true
	return u.event(kindTrigger, id, version, how)
}

// SwitchTrigger switches a trigger on or off.
type SwitchTrigger struct {
	Key     Key        `json:"-"`
	Trigger trigger.ID `json:"trigger"`
	Version int64      `json:"version"`
	Active  bool       `json:"active"`
}

// SwitchTrigger carries the command out. To switch a trigger on checks it as
// SaveTrigger does, with the same errors.
func (e *Engine) SwitchTrigger(ctx context.Context, p Principal, c SwitchTrigger) (Saved, error) {
	return command(ctx, e, call{opSwitchTrigger, p, c.Key, c}, func(u *unit) (Saved, error) {
		old, err := u.triggerOf(c.Trigger, c.Version)
		if err != nil {
			return Saved{}, err
		}
		if old.Active == c.Active {
			return Saved{ID: string(old.ID), Version: old.Version}, nil
		}
		t := old.Trigger
		if t.Active = c.Active; t.Active {
			return u.saveTrigger(t, old, true)
		}
		stored := storedTrigger{Trigger: t, more: old.more}
		if err := triggerDocs.Save(u.ctx, u.tx, &stored); err != nil {
			return Saved{}, err
		}
		return Saved{ID: string(t.ID), Version: stored.Version}, u.triggersChanged(string(t.ID), stored.Version, "switched_off", nil)
	})
}

// triggerOf loads the version of a trigger that the caller saw.
func (u *unit) triggerOf(id trigger.ID, seen int64) (storedTrigger, error) {
	if err := u.allow(ActConfigure, Resource{Kind: kindTrigger, ID: string(id)}); err != nil {
		return storedTrigger{}, err
	}
	t, err := triggerDocs.Get(u.ctx, u.tx, string(id))
	switch {
	case errors.Is(err, ErrNotFound):
		return t, noSuch(kindTrigger)
	case err == nil && t.Version != seen:
		err = errs.New(errs.Stale, "sangdam: trigger %s was changed by somebody else; read it again and repeat", id)
	}
	return t, err
}

// DeleteTrigger deletes a trigger, which must be switched off.
type DeleteTrigger struct {
	Key     Key        `json:"-"`
	Trigger trigger.ID `json:"trigger"`
	Version int64      `json:"version"`
}

// DeleteTrigger carries the command out. ErrInvalid for a trigger that is
// switched on. Its entries in the run log stay.
func (e *Engine) DeleteTrigger(ctx context.Context, p Principal, c DeleteTrigger) error {
	_, err := command(ctx, e, call{opDeleteTrigger, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		t, err := u.triggerOf(c.Trigger, c.Version)
		if err != nil {
			return none, err
		}
		if t.Active {
			return none, errs.New(errs.Invalid, "sangdam: trigger %q is switched on; switch it off before deleting it", t.Title)
		}
		if err := triggerDocs.Delete(u.ctx, u.tx, &t); err != nil {
			return none, err
		}
		return none, u.triggersChanged(string(t.ID), t.Version, "deleted", nil)
	})
	return err
}

// OrderTriggers sets the order in which the triggers about one kind of record
// run.
type OrderTriggers struct {
	Key Key `json:"-"`
	// Subject is "conversation" or "ticket". Order holds every trigger about
	// it, switched on or off.
	Subject string       `json:"subject"`
	Order   []trigger.ID `json:"order"`
	// Version is TriggerList.Version as the caller saw it.
	Version int64 `json:"version"`
}

// OrderTriggers carries the command out and returns the list's new version.
// ErrStale when a trigger was added, changed or moved since.
func (e *Engine) OrderTriggers(ctx context.Context, p Principal, c OrderTriggers) (Saved, error) {
	return command(ctx, e, call{opOrderTriggers, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindTrigger}); err != nil {
			return Saved{}, err
		}
		b, err := book(u.ctx, u.tx)
		if err != nil {
			return Saved{}, err
		}
		if b.Version != c.Version {
			return Saved{}, errs.New(errs.Stale, "sangdam: the triggers were changed by somebody else; read them again and repeat")
		}
		all, err := allTriggers(u.ctx, u.tx, c.Subject)
		if err != nil {
			return Saved{}, err
		}
		place := map[trigger.ID]int{}
		for i, id := range c.Order {
			place[id] = i + 1
		}
		if len(place) != len(all) || len(c.Order) != len(all) {
			return Saved{}, errs.New(errs.Invalid, "sangdam: the order names %d triggers; name each of the %d about %q once", len(c.Order),
				len(all), c.Subject)
		}
		for _, t := range all {
			at, named := place[t.ID]
			if !named {
				return Saved{}, errs.New(errs.Invalid, "sangdam: the order leaves out trigger %s", t.ID)
			}
			if at == t.Position {
				continue
			}
			stored, err := triggerDocs.Get(u.ctx, u.tx, string(t.ID))
			if err != nil {
				return Saved{}, err
			}
			stored.Position = at
			if err := triggerDocs.Save(u.ctx, u.tx, &stored); err != nil {
				return Saved{}, err
			}
		}
		return Saved{ID: c.Subject, Version: b.Version + 1}, u.bookChanged(b, c.Subject, b.Version+1, "ordered")
	})
}

// ListedTrigger is a trigger and, if it cannot run, the reason.
type ListedTrigger struct {
	trigger.Trigger
	// Broken says why an active trigger cannot run; empty: it runs.
	Broken string `json:"broken,omitempty"`
}

// TriggerList is the triggers about one kind of record, in their order, with
// what a form for them may offer.
type TriggerList struct {
	Triggers []ListedTrigger `json:"triggers"`
	// Findings are what package trigger/lint finds about the active triggers,
	// when there are at most 500 of them. SaveTrigger returns the findings
	// about the trigger that it saves in any case.
	Findings []lint.Finding `json:"findings,omitempty"`
	// Version of the order, for OrderTriggers.
	Version int64 `json:"version"`
	// TraceUntil is until when the run log keeps misses too.
	TraceUntil time.Time `json:"trace_until,omitzero"`
	// Fields and Actions are what a form for triggers may offer, and Operators
	// the comparisons for each type of field.
	Fields    []condition.Field                 `json:"fields"`
	Operators map[condition.Type][]condition.Op `json:"operators"`
	Actions   []string                          `json:"actions"`
	Calendars []string                          `json:"calendars,omitempty"`
	// Placeholders are the names that the texts of actions may hold, written as
	// #{name}.
	Placeholders []string `json:"placeholders"`
}

var qTriggers = asks("trigger.list", "Triggers", kindTrigger, ActConfigure).wide(wideSetUp)

// Triggers lists the triggers about subject, which is "conversation" or
// "ticket", in their order, with all that a form for them may offer. It needs
// ActConfigure.
func (e *Engine) Triggers(ctx context.Context, p Principal, subject string) (out TriggerList, err error) {
	err = e.query(ctx, p, qTriggers, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		all, err := allTriggers(ctx, tx, subject)
		if err != nil {
			return err
		}
		schema, err := e.triggerSchema(ctx, tx, s, subject, all...)
		if err != nil {
			return err
		}
		b, err := book(ctx, tx)
		catalog := triggerSubjects[subject].catalog
		out = TriggerList{Version: b.Version, TraceUntil: b.TraceUntil, Fields: schema.Fields(),
			Operators: map[condition.Type][]condition.Op{},
			Actions:   catalog.Kinds(), Calendars: s.calendarNames(), Placeholders: placeholders()}
		if len(all) <= lintedAt {
			out.Findings = lint.All(schema, catalog, subject, all)
		}
		for _, f := range out.Fields {
			out.Operators[f.Type] = schema.Operators(f.Type)
		}
		for _, t := range all {
			l := ListedTrigger{Trigger: t}
			if err := t.Validate(schema, catalog); t.Active && err != nil {
				l.Broken = err.Error()
			}
			out.Triggers = append(out.Triggers, l)
		}
		return err
	})
	return out, err
}
