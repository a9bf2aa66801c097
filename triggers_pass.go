package sangdam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// The pass is the stage of a unit in which triggers run. What a command, a
// message or a deadline changed of one record is one event; a rule sees the
// record as the unit found it and as it is now, with what earlier rules did. A
// record that a rule makes or is the first to change is an event of its own, one
// deeper in the chain; what rules change of the event's record is none.

// maxRecords bounds the events of one unit.
const maxRecords = 50

// firesAnHour is how often a trigger acts on one record within an hour: more
// than people need, few enough that a web hook which calls back does no harm.
const firesAnHour = 30

// depthKey carries how deep in a chain of triggers a call is.
type depthKey struct{}

// CausedBy returns a context that marks every command called with it as caused
// by a web hook that a trigger sent; depth is the member "depth" of that
// request's data. A host that calls the Engine when it receives such a web hook
// should use it: a trigger whose web hook causes the next trigger then ends
// after a few rounds, and not only at the bound of thirty an hour.
func CausedBy(ctx context.Context, depth int) context.Context {
	return context.WithValue(ctx, depthKey{}, max(depth, 0))
}

func depthOf(ctx context.Context) int {
	depth, _ := ctx.Value(depthKey{}).(int)
	return depth
}

// pull runs the triggers over what the unit changed. The list grows by what
// they make.
func (u *unit) pull() error {
	if len(u.changes) == 0 || u.erasing {
		return nil
	}
	sets, err := u.e.triggers(u.ctx, u.tx, u.s)
	if err != nil || len(sets.by) == 0 {
		return err
	}
	own := len(u.changes)
	for i := 0; i < len(u.changes) && i < own+maxRecords; i++ {
		c := u.changes[i]
		subject := triggerSubjects[c.kind]
		if subject == nil || sets.set(c.kind) == nil {
			continue
		}
		depth, actor := depthOf(u.ctx), c.actor
		if i >= own {
			depth++
		} else if u.p.Kind != KindSystem {
			actor = u.p.actor() // whoever asked, although the library spoke first
		}
		c.actor = actor
		if err := u.pullOne(sets, subject, c, depth); err != nil {
			return err
		}
		// Those that a rule made.
		if err := errors.Join(u.gatherConversations(), u.gatherTickets()); err != nil {
			return err
		}
	}
	return nil
}

// pullOne asks the triggers about one change, and sets what timed ones wait for.
func (u *unit) pullOne(sets *triggerSets, subject *triggerSubject, c change, depth int) error {
	record, err := subject.load(u, c)
	if err != nil || record == nil {
		return err
	}
	if subject.release != nil {
		defer subject.release(record)
	}
	kind, happened := record.event()
	if kind == "" {
		return nil
	}
	ev := trigger.Event{ID: newID(), Kind: kind, Actor: triggerActor(c.actor), At: u.tx.Now(), Depth: depth}
	r := &triggerRun{u: u, subject: subject, id: c.id, record: record, ev: ev, happened: happened}
	trace := u.tx.Now().Before(sets.trace)
	set := sets.set(subject.kind)
	if onEvent, _ := set.Len(); onEvent > 0 {
		report, err := set.Run(ev, r, trigger.Options{Misses: trace})
		if err != nil {
			return err
		}
		if err := r.log(report, ""); err != nil {
			return err
		}
	}
	return r.arm(set)
}

// triggerActor tells who began a change.
func triggerActor(actor string) trigger.Actor {
	who, _, _ := strings.Cut(actor, ":")
	if a := trigger.Actor(who); slices.Contains(trigger.Actors(), a) {
		return a
	}
	return trigger.BySystem
}

// triggerRun is the Subject of a pass: one record and one event.
type triggerRun struct {
	u        *unit
	subject  *triggerSubject
	id       string
	record   triggerRecord
	ev       trigger.Event
	happened []string
	// limited remembers which triggers acted too often on this record.
	limited map[trigger.ID]bool
	actions int // carried out so far, for ids that are the same in each run
	// place is that of the present action in its trigger, whose id is firing.
	place  int
	firing trigger.ID
}

// name is the record in the run log, in notices and in lanes.
func (r *triggerRun) name() string { return r.subject.kind + ":" + r.id }

// Fact implements trigger.Subject.
func (r *triggerRun) Fact(field string) (condition.Fact, bool) {
	if field == fieldHappened {
		return condition.Set(r.happened), len(r.happened) > 0
	}
	return r.record.Fact(field)
}

// Before implements trigger.Subject.
func (r *triggerRun) Before(field string) (condition.Fact, bool) {
	if field == fieldHappened {
		return r.Fact(field)
	}
	return r.record.Before(field)
}

// Within implements trigger.Subject.
func (r *triggerRun) Within(calendar string, at time.Time) bool {
	s := r.u.s.schedule(calendar, r.record)
	return s == nil || s.At(at).Open
}

// schedule finds operating hours by name; nil for none. The record's own are
// asked of a record only.
func (s *settings) schedule(calendar string, record triggerRecord) *hours.Schedule {
	kind, id, _ := strings.Cut(calendar, ":")
	switch kind {
	case ownHours:
		if record == nil {
			return nil
		}
		return record.schedule()
	case "workspace":
		return s.workspaceHours
	case "account":
		return s.accountHours[channel.AccountID(id)]
	case "desk":
		return s.deskHours[routing.DeskID(id)]
	case "queue":
		return s.queueHours[routing.QueueID(id)]
	case "work_stream":
		return s.streamHours[routing.WorkStreamID(id)]
	}
	return nil
}

// Do implements trigger.Subject: the action is carried out in the trigger's own
// name. What only this action cannot do is passed over with a note; the event
// itself never fails because of a rule.
func (r *triggerRun) Do(t *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	r.nextPlace(t)
	over, err := r.tooOften(t.ID)
	if err != nil {
		return trigger.Outcome{}, err
	}
	if over {
		return passed(fmt.Sprintf("it acted %d times on this record within an hour; it does nothing until that is over", firesAnHour)), nil
	}
	was := r.u.as
	r.u.as = "trigger:" + string(t.ID)
	defer func() { r.u.as = was }()
	r.actions++
	var out trigger.Outcome
	err = r.u.attempt(func() (err error) {
		out, err = r.record.act(r, t, a)
		return err
	})
	if err == nil || !passable(err) {
		return out, err
	}
	return passed(errorNote(err)), nil
}

// nextPlace counts the actions of a trigger: it fires once in an event, and what it
// does is done in order.
func (r *triggerRun) nextPlace(t *trigger.Trigger) {
	if r.place++; r.firing != t.ID {
		r.place, r.firing = 0, t.ID
	}
}

// passable says that an action's failure concerns the action alone.
func passable(err error) bool {
	return errors.Is(err, ErrInvalid) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnsupported) ||
		errors.Is(err, ErrPermissionDenied) || errors.Is(err, ErrAlreadyExists) || isRefused(err)
}

func isRefused(err error) bool {
	_, is := errors.AsType[*routing.Refused](err)
	return is
}

// errorNote is an error as the run log keeps it.
func errorNote(err error) string { return cutTo(err.Error(), 300) }

func passed(note string) trigger.Outcome { return trigger.Outcome{Note: note} }

func done(note string) (trigger.Outcome, error) { return trigger.Outcome{Done: true, Note: note}, nil }

// noticeID names what the present action sends: the same whenever the event is
// processed again, by whichever run of the transaction.
func (r *triggerRun) noticeID(t *trigger.Trigger) string {
	return fmt.Sprintf("%s-%s-%d", r.ev.ID, t.ID, r.actions)
}

// tooOften counts how often the trigger acted on this record within the hour.
func (r *triggerRun) tooOften(t trigger.ID) (bool, error) {
	over, known := r.limited[t]
	if known {
		return over, nil
	}
	n, err := triggerRuns.Count(r.u.ctx, r.u.tx, runsOfPair(t, r.name(), r.u.tx.Now().Add(-time.Hour)), firesAnHour)
	if r.limited == nil {
		r.limited = map[trigger.ID]bool{}
	}
	r.limited[t] = n >= firesAnHour
	return r.limited[t], err
}

// dueTrigger is the kind of deadline of timed triggers.
const dueTrigger = "trigger"

func init() { registerDeadline(dueTrigger, deadlineKind{run: (*unit).triggerDue}) }

// armed is a deadline of a timed trigger, found again by its key: once it fired
// it stays, so that the same moment fires once however often it is looked at.
type armed struct {
	ID      string     `json:"id"`
	Version int64      `json:"-"`
	Trigger trigger.ID `json:"trigger"`
	Subject string     `json:"subject"`
	Record  string     `json:"record"`
	Since   time.Time  `json:"since"`
	At      time.Time  `json:"at"`
	FiredAt time.Time  `json:"fired_at,omitzero"`
}

// armedFor is how long an armed deadline is known after its moment.
const armedFor = 90 * 24 * time.Hour

var armedDocs = declare(store.Kind[armed]{Name: "trigger_deadline", Decl: 1,
	ID:      func(a *armed) string { return a.ID },
	Version: func(a *armed) *int64 { return &a.Version },
	Indexes: []store.Index[armed]{{Name: "at", Value: func(a *armed) []byte { return store.Time(a.At) }}}})

// arm sets the deadlines of timed triggers whose time field this event moved.
func (r *triggerRun) arm(set *trigger.Set) error {
	if _, timed := set.Len(); timed == 0 {
		return nil
	}
	for _, d := range set.Deadlines(r, r.openTime) {
		since, _ := set.Since(d.Trigger)
		was, had := r.record.Before(since)
		is, has := r.record.Fact(since)
		if had == has && was.Equal(is) {
			continue
		}
		if err := r.u.setArmed(d, r.subject.kind, r.id); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) setArmed(d trigger.Deadline, kind, record string) error {
	key := hashedKey(d.Key(kind + ":" + record))
	a, err := armedDocs.Get(u.ctx, u.tx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && (!a.FiredAt.IsZero() || a.At.Equal(d.At)) {
		return nil
	}
	a = armed{ID: key, Version: a.Version, Trigger: d.Trigger, Subject: kind, Record: record, Since: d.Since, At: d.At}
	if err := armedDocs.Save(u.ctx, u.tx, &a); err != nil {
		return err
	}
	return u.tx.Deadlines().Set(u.ctx, dueTrigger, key, d.At)
}

// openTime adds open time of a calendar.
func (r *triggerRun) openTime(calendar string, from time.Time, d time.Duration) (time.Time, bool) {
	if calendar == "" {
		return from.Add(d), true
	}
	s := r.u.s.schedule(calendar, r.record)
	if s == nil {
		return from.Add(d), true
	}
	return s.Add(from, d)
}

// triggerDue looks at a timed trigger whose moment has come. What it changes is
// an event to the others, as that of a person would be.
func (u *unit) triggerDue(key string) error {
	if err := u.tx.Deadlines().Clear(u.ctx, dueTrigger, key); err != nil {
		return err
	}
	a, err := armedDocs.Get(u.ctx, u.tx, key)
	if errors.Is(err, ErrNotFound) || err == nil && !a.FiredAt.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	a.FiredAt = u.tx.Now()
	if err := armedDocs.Save(u.ctx, u.tx, &a); err != nil {
		return err
	}
	return u.runDue(key, a)
}

// runDue runs a timed trigger on its record.
func (u *unit) runDue(key string, a armed) error {
	subject := triggerSubjects[a.Subject]
	sets, err := u.e.triggers(u.ctx, u.tx, u.s)
	if err != nil || subject == nil || sets.set(a.Subject) == nil {
		return err
	}
	record, err := subject.find(u, a.Record)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	ev := trigger.Event{ID: key, Kind: eventTime, Actor: trigger.BySystem, At: u.tx.Now()}
	r := &triggerRun{u: u, subject: subject, id: a.Record, record: record, ev: ev, happened: []string{eventTime}}
	report, err := sets.set(a.Subject).RunTimed(trigger.Deadline{Trigger: a.Trigger, At: a.At, Since: a.Since}, ev, r,
		trigger.Options{Misses: true})
	if err != nil {
		return err
	}
	return r.log(report, "")
}

// Names that every kind of record has besides event and actor.
const (
	// fieldHappened is everything that happened in the event; "event" is the most
	// telling of it.
	fieldHappened = "happened"
	// eventTime is the event of a timed trigger.
	eventTime = "time"
)

// jobArm arms a timed trigger that was just switched on for the records that are
// there.
const jobArm = "arm_trigger"

type armJob struct {
	Trigger trigger.ID `json:"trigger"`
	After   string     `json:"after,omitempty"`
}

func init() {
	registerJob(jobKind{name: jobArm, workers: 2, bound: always(15 * time.Minute), tries: jobTries}, (*Engine).armTrigger, nil)
}

// armTrigger goes through the open records, a page at a time.
func (e *Engine) armTrigger(ctx context.Context, j *runningJob, p armJob) error {
	for {
		var next string
		err := e.unit(ctx, system(j.Workspace), func(u *unit) (err error) {
			next, err = u.armPage(p)
			return err
		})
		if err != nil || next == "" {
			return err
		}
		p.After = next
	}
}

func (u *unit) armPage(p armJob) (next string, err error) {
	stored, err := triggerDocs.Get(u.ctx, u.tx, string(p.Trigger))
	if errors.Is(err, ErrNotFound) || err == nil && !stored.Active {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	schema, err := u.e.triggerSchema(u.ctx, u.tx, u.s, stored.Subject, stored.Trigger)
	if err != nil {
		return "", err
	}
	set, err := trigger.NewSet(schema, stored.Subject, []trigger.Trigger{stored.Trigger})
	if err != nil {
		return "", nil // it no longer fits; whoever lists the triggers is told
	}
	ids, next, err := u.openRecords(stored.Subject, p.After)
	if err != nil {
		return "", err
	}
	return next, u.armAll(stored.Subject, set, ids)
}

// armAll arms the timed triggers of a set for records.
func (u *unit) armAll(subject string, set *trigger.Set, ids []string) error {
	for _, id := range ids {
		record, err := triggerSubjects[subject].find(u, id)
		if err != nil {
			return err
		}
		r := &triggerRun{u: u, subject: triggerSubjects[subject], id: id, record: record}
		for _, d := range set.Deadlines(r, r.openTime) {
			if err := u.setArmed(d, subject, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// openRecords lists the records that a timed trigger may be waiting for, a page
// at a time.
func (u *unit) openRecords(kind, after string) (ids []string, next string, err error) {
	if kind == kindTicket {
		return u.openTickets(after)
	}
	open := slices.DeleteFunc(conversation.States(), conversation.State.Closed)
	list, next, err := u.tx.Conversations().List(u.ctx, conversation.Filter{States: open}, after, 100)
	for _, c := range list {
		ids = append(ids, string(c.ID))
	}
	return ids, next, err
}

// unknownAction is an action that the catalog has and the record does not know:
// a fault of the library.
func unknownAction(a trigger.Action) error {
	return errs.New(errs.Unsupported, "sangdam: action %q cannot be done here", a.Kind)
}
