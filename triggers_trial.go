package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/trial"
)

// A trigger is tried on the past: every event of a period is rebuilt forwards
// from what is stored of the records (triggers_past.go), and both the rules as
// they would be and the rules as they are run over copies. First it is found out
// which records there are, then parts of some records each are gone through; what
// was found is kept after each part.

// TryTrigger asks what a trigger would have done since some time. The trigger
// is tried as it is given, as if it were switched on, together with the other
// active ones; it takes the place of the stored one with its id.
type TryTrigger struct {
	Key     Key             `json:"-"`
	Trigger trigger.Trigger `json:"trigger"` // an empty ID is filled
	// Since is the time from which on events are looked at; zero: all that
	// there are.
	Since time.Time `json:"since,omitzero"`
}

// TrialBound names a bound on what one trial looks at.
type TrialBound string

// The bounds.
const (
	BoundRecords TrialBound = "records" // 200,000
	BoundEvents  TrialBound = "events"  // 5,000,000
)

// TriggerTrial is a trial of a trigger and how far it is. Result covers the
// Done records.
type TriggerTrial struct {
	ID      string          `json:"id"`
	Version int64           `json:"-"`
	By      string          `json:"by"` // who asked for it, as the audit log names principals
	State   ErrandState     `json:"state"`
	Trigger trigger.Trigger `json:"trigger"`
	// Since and At are the beginning and the end of the period that is looked
	// at.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at"`
	// Until is when the result is deleted.
	Until time.Time `json:"until"`
	// Total is how many records were found, 0 while they are being looked for.
	// Done is how many of them were tried, and LeftOut how many were not: they
	// may not be seen any more, are gone, or have a damaged history.
	Total   int `json:"total"`
	Done    int `json:"done"`
	LeftOut int `json:"left_out"`
	// Cut names the bound at which the trial ended before it had looked at the
	// whole period; it has then looked at the records that changed last. Empty:
	// it reached no bound.
	Cut TrialBound `json:"cut,omitempty"`
	// Assumed are fields in the trigger's conditions whose earlier values were
	// not known: those that keep none were taken as they are now, and those
	// that are hidden from the principal were taken as empty.
	Assumed []string `json:"assumed,omitempty"`
	// Gone is how many events have lost their text, for instance by an erasure.
	Gone int `json:"gone,omitempty"`
	// Mixed says that triggers were changed while the trial ran.
	Mixed bool `json:"mixed,omitempty"`
	// Reason says why it failed.
	Reason string      `json:"reason,omitempty"`
	Result trial.Trial `json:"result"`

	Principal Principal `json:"principal"`
	Parts     int       `json:"parts"`
	Made      int       `json:"made"`
	Skip      int       `json:"skip,omitempty"` // records of the next part that are done
	Book      int64     `json:"book"`           // the version of the triggers that it began with
	Slot      int       `json:"slot,omitempty"` // which of maxTrials it is, while it runs
}

// trialPart is some of the records.
type trialPart struct {
	Trial   string    `json:"trial"`
	N       int       `json:"n"`
	Version int64     `json:"-"`
	IDs     []string  `json:"ids"`
	At      time.Time `json:"at"`
}

const (
	kindTrial = "trigger_trial"
	jobTrial  = "trigger_trial"
	// trialFor is how long a result is kept from when it was asked for.
	trialFor = 7 * 24 * time.Hour
	// maxTrials run at once in a workspace.
	maxTrials = 2
	// inTrialPart is how many records a part has.
	inTrialPart = 100
	// maxTried bounds a trigger's size, so that it and what is found fit a document.
	maxTried = 100 << 10
)

// Bounds of one trial, which tests make smaller; see TrialBound.
var (
	triedRecords = 200_000
	triedEvents  = 5_000_000
	// triedAtOnce ends a step after the record in which so many events are reached.
	triedAtOnce = 20_000
)

var (
	trials = declare(store.Kind[TriggerTrial]{Name: kindTrial, Decl: 1,
		ID:      func(t *TriggerTrial) string { return t.ID },
		Version: func(t *TriggerTrial) *int64 { return &t.Version },
		Unique: []store.Index[TriggerTrial]{{Name: "slot", Value: func(t *TriggerTrial) []byte {
			if t.Slot == 0 {
				return nil
			}
			return store.Int(int64(t.Slot))
		}}},
		Indexes: []store.Index[TriggerTrial]{{Name: "at", Value: func(t *TriggerTrial) []byte { return store.Time(t.At) }}},
		Tags: []store.TagIndex[TriggerTrial]{{Name: "by", Values: func(t *TriggerTrial) [][]byte { return one(t.By) },
			Order: func(t *TriggerTrial) []byte { return store.Time(t.At) }}}})

	trialParts = declare(store.Kind[trialPart]{Name: "trigger_trial_part", Decl: 1,
		ID:      func(t *trialPart) string { return fmt.Sprintf("%s/%d", t.Trial, t.N) },
		Version: func(t *trialPart) *int64 { return &t.Version },
		Indexes: []store.Index[trialPart]{{Name: "at", Value: func(t *trialPart) []byte { return store.Time(t.At) }}}})

	trialErrands = errand[TriggerTrial]{kind: kindTrial, docs: trials, about: func(t *TriggerTrial) errandState {
		return errandState{id: t.ID, by: t.By, state: string(t.State), version: t.Version, over: t.State != ErrandRunning,
			percent: 100 * t.Made / max(t.Parts, 1)}
	}, fail: func(t *TriggerTrial, reason string, _ time.Time) { t.end(ErrandFailed, reason) }}

	opTryTrigger = acts("trigger.try", "TryTrigger", kindTrigger, ActConfigure)
	opStopTrial  = acts("trigger.stop_trial", "StopTrial", kindTrigger, ActConfigure)
)

type trialJobOf struct {
	Trial string `json:"trial"`
}

func init() {
	registerJob(jobKind{name: jobTrial, workers: 1, bound: always(30 * time.Minute), tries: 20}, (*Engine).trialJob,
		func(u *unit, p trialJobOf, why error) error { return trialErrands.givenUp(u, p.Trial, why) })
	registerPurge(func(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
		return purgeOld(ctx, tx, trialParts, "at", trialFor)
	})
	registerPurge(func(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
		return purgeOld(ctx, tx, trials, "at", trialFor)
	})
}

// TryTrigger carries the command out and returns at once; Trial tells how far
// it is. A trial changes and sends nothing. It looks only at records that the
// principal may see, which is asked again for each one. What triggers
// themselves did in the past does not count as an event. A timed trigger is
// tried at each time at which it would have been due; since that time may lie
// in the period for a record that last changed before Since, all records are
// looked at then. ErrInvalid for a trigger that SaveTrigger would refuse,
// ErrConflict while two trials of the workspace are running.
func (e *Engine) TryTrigger(ctx context.Context, p Principal, c TryTrigger) (Saved, error) {
	return command(ctx, e, call{opTryTrigger, p, c.Key, c}, func(u *unit) (Saved, error) {
		t := c.Trigger
		if err := u.allow(ActConfigure, Resource{Kind: kindTrigger, ID: string(t.ID)}); err != nil {
			return Saved{}, err
		}
		if t.ID == "" {
			t.ID = trigger.ID(newID())
		}
		if err := u.triable(t); err != nil {
			return Saved{}, err
		}
		slot, err := u.freeTrial()
		if err != nil {
			return Saved{}, err
		}
		b, err := book(u.ctx, u.tx)
		if err != nil {
			return Saved{}, err
		}
		trial := TriggerTrial{ID: newID(), By: p.keyOwner(), State: ErrandRunning, Trigger: t, Since: c.Since, At: u.tx.Now(),
			Until: u.tx.Now().Add(trialFor), Principal: p, Book: b.Version, Slot: slot}
		if err := trials.Save(u.ctx, u.tx, &trial); err != nil {
			return Saved{}, err
		}
		u.resource.ID = string(t.ID)
		return Saved{ID: trial.ID, Version: trial.Version}, u.enqueueJob(jobTrial, trial.ID, trialJobOf{trial.ID})
	})
}

// triable refuses what could not be saved, and what cannot be tried.
func (u *unit) triable(t trigger.Trigger) error {
	if raw, err := json.Marshal(t); err != nil || len(raw) > maxTried {
		return errs.New(errs.Invalid, "sangdam: the trigger is larger than %d bytes; try one with less in it", maxTried)
	}
	schema, err := u.e.triggerSchema(u.ctx, u.tx, u.s, t.Subject, t)
	if err != nil {
		return err
	}
	if err := t.Validate(schema, triggerSubjects[t.Subject].catalog); err != nil {
		return err
	}
	return u.knownInActions(t)
}

// freeTrial is a place among those that may run at once: two that are asked for
// at the same time want the same, and one of them is asked again.
func (u *unit) freeTrial() (int, error) {
	for slot := 1; slot <= maxTrials; slot++ {
		_, err := trials.ByKey(u.ctx, u.tx, "slot", store.Int(int64(slot)))
		if errors.Is(err, ErrNotFound) {
			return slot, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, errs.New(errs.Conflict, "sangdam: %d trials of this workspace are running; wait for one of them, or stop yours", maxTrials)
}

// end ends a trial and leaves its place to another.
func (t *TriggerTrial) end(as ErrandState, reason string) { t.State, t.Reason, t.Slot = as, reason, 0 }

// StopTrial ends a trial before it is done. What it has found so far is kept.
type StopTrial struct {
	Key   Key    `json:"-"`
	Trial string `json:"trial"`
}

// StopTrial carries the command out. To stop a trial that is over changes
// nothing.
func (e *Engine) StopTrial(ctx context.Context, p Principal, c StopTrial) error {
	_, err := command(ctx, e, call{opStopTrial, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindTrigger}); err != nil {
			return none, err
		}
		t, err := trialErrands.get(u.ctx, u.tx, p, c.Trial)
		if err != nil || t.State != ErrandRunning {
			return none, err
		}
		u.resource.ID = string(t.Trigger.ID)
		t.end(ErrandCancelled, "")
		return none, trialErrands.save(u, &t)
	})
	return err
}

var qTrial = asks("trigger.trial", "Trial", kindTrigger, ActConfigure)

// Trial tells how far a trial of the principal's own is and what it has found
// so far. Its samples are those whose records the principal may see now.
// ErrNotFound for another principal's trial.
func (e *Engine) Trial(ctx context.Context, p Principal, id string) (out TriggerTrial, err error) {
	err = e.query(ctx, p, qTrial, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		t, err := trialErrands.get(ctx, tx, p, id)
		if err == nil && !tx.Now().Before(t.Until) {
			return noSuch(kindTrial)
		}
		if err != nil {
			return err
		}
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		r := &pastReader{e: e, ctx: ctx, tx: tx, s: s, w: w, subject: triggerSubjects[t.Trigger.Subject]}
		for _, samples := range []*[]trial.Sample{&t.Result.Gained.Samples, &t.Result.Lost.Samples} {
			if *samples, err = r.shown(*samples); err != nil {
				return err
			}
		}
		out = t
		return nil
	})
	return out, err
}

var qTrials = asks("trigger.trials", "Trials", kindTrigger, ActConfigure).wide(wideNumber)

// Trials lists the principal's own trials of a trigger, newest first, among the
// last fifty trials that it began. They come without samples, which only Trial
// returns.
func (e *Engine) Trials(ctx context.Context, p Principal, of trigger.ID) (out []TriggerTrial, err error) {
	err = e.query(ctx, p, qTrials, string(of),
		func(ctx context.Context, tx store.Tx, _ *settings) error {
			list, err := trialErrands.of(ctx, tx, p, 50)
			out = []TriggerTrial{}
			for _, t := range list {
				if t.Trigger.ID == of && tx.Now().Before(t.Until) {
					t.Result.Gained.Samples, t.Result.Lost.Samples = nil, nil
					out = append(out, t)
				}
			}
			return err
		})
	return out, err
}

// trialJob makes one part after the other.
func (e *Engine) trialJob(ctx context.Context, j *runningJob, p trialJobOf) error {
	rules := &trialRules{}
	return trialErrands.run(e, ctx, j, p.Trial, func(ctx context.Context, t TriggerTrial) error {
		var err error
		if t.Parts == 0 {
			err = e.beginTrial(ctx, t)
		} else {
			err = e.trialStep(ctx, t, rules)
		}
		if errors.Is(err, ErrPermissionDenied) || errors.Is(err, ErrNotFound) { // whoever asked may not any more, or a part is gone
			return e.saveTrial(ctx, t, func(t *TriggerTrial) { t.end(ErrandFailed, kindName(err)) })
		}
		return err
	})
}

// saveTrial changes a trial that still runs and is as far as the caller saw it.
func (e *Engine) saveTrial(ctx context.Context, seen TriggerTrial, change func(*TriggerTrial)) error {
	return e.unit(ctx, system(seen.Principal.Workspace), func(u *unit) error {
		t, err := trials.Get(u.ctx, u.tx, seen.ID)
		if errors.Is(err, ErrNotFound) || err == nil && (t.State != ErrandRunning || t.Made != seen.Made || t.Skip != seen.Skip) {
			return nil // it was stopped, or another process made this step
		}
		if err != nil {
			return err
		}
		change(&t)
		if t.Made > seen.Made {
			if err := u.dropTrialPart(t.ID, seen.Made); err != nil {
				return err
			}
		}
		return trialErrands.save(u, &t)
	})
}

// dropTrialPart deletes a part that is done.
func (u *unit) dropTrialPart(id string, n int) error {
	part, err := trialParts.Get(u.ctx, u.tx, fmt.Sprintf("%s/%d", id, n))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return trialParts.Delete(u.ctx, u.tx, &part)
}

// pastOf runs fn with a reader in the rights that whoever asked has now.
func (e *Engine) pastOf(ctx context.Context, t TriggerTrial, fn func(r *pastReader) error) error {
	return e.query(ctx, t.Principal, qTrial, string(t.Trigger.ID),
		func(ctx context.Context, tx store.Tx, s *settings) error {
			w, err := e.who(ctx, tx, s, t.Principal)
			if err != nil {
				return err
			}
			return fn(&pastReader{e: e, ctx: ctx, tx: tx, s: s, w: w, since: t.Since, until: t.At,
				subject: triggerSubjects[t.Trigger.Subject]})
		})
}

// beginTrial finds out which records there are, and divides them.
func (e *Engine) beginTrial(ctx context.Context, t TriggerTrial) error {
	since := t.Since
	err := e.pastOf(ctx, t, func(r *pastReader) error {
		if err := (&trialRules{}).read(r, &t); err != nil || !r.timed() {
			return err
		}
		since = time.Time{}
		return nil
	})
	if err != nil {
		return err
	}
	ids, cut, err := gather(since, triedRecords, func(after string) (some []touched, next string, err error) {
		err = e.pastOf(ctx, t, func(r *pastReader) (err error) {
			r.since = since
			some, next, err = r.subject.touched(r, after)
			return err
		})
		return some, next, err
	})
	if err != nil {
		return err
	}
	parts := slices.Collect(slices.Chunk(ids, inTrialPart))
	for n, some := range parts {
		err := e.db.Update(ctx, t.Principal.Workspace, func(ctx context.Context, tx store.Tx) error {
			part := trialPart{Trial: t.ID, N: n, IDs: some, At: t.At}
			old, err := trialParts.Get(ctx, tx, fmt.Sprintf("%s/%d", t.ID, n))
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			part.Version = old.Version // of a try that did not come to its end
			return trialParts.Save(ctx, tx, &part)
		})
		if err != nil {
			return err
		}
	}
	return e.saveTrial(ctx, t, func(t *TriggerTrial) {
		if t.Total, t.Parts = len(ids), len(parts); cut {
			t.Cut = BoundRecords
		}
		if t.Parts == 0 {
			t.end(ErrandDone, "")
		}
	})
}

// trialStep goes on with the next part.
func (e *Engine) trialStep(ctx context.Context, t TriggerTrial, rules *trialRules) error {
	seen, left := t, 0
	err := e.pastOf(ctx, t, func(r *pastReader) error {
		t = seen // the function may run twice
		t.Result = resultOf(seen)
		part, err := trialParts.Get(r.ctx, r.tx, fmt.Sprintf("%s/%d", t.ID, t.Made))
		if err != nil {
			return err
		}
		if err := rules.read(r, &t); err != nil {
			return err
		}
		ids := part.IDs[min(t.Skip, len(part.IDs)):]
		if err := rules.run.Replay(r.events(ids), &t.Result); err != nil {
			return err
		}
		t.Done, t.LeftOut, t.Gone, t.Skip = t.Done+r.done, t.LeftOut+r.leftOut, t.Gone+r.gone, t.Skip+r.done+r.leftOut
		left = len(ids) - r.done - r.leftOut
		return r.err
	})
	if err != nil {
		return err
	}
	if left == 0 {
		t.Made, t.Skip = t.Made+1, 0
	}
	switch {
	case t.Made == t.Parts:
		t.end(ErrandDone, "")
	case t.Result.Events >= triedEvents:
		t.Cut = BoundEvents
		t.end(ErrandDone, "")
	}
	return e.saveTrial(ctx, seen, func(is *TriggerTrial) {
		version := is.Version
		*is = t
		is.Version = version
	})
}

// resultOf is a trial's result so far, to be added to.
func resultOf(t TriggerTrial) trial.Trial {
	r := t.Result
	for _, m := range []*trial.Matches{&r.Now, &r.Was} {
		m.Actions = maps.Clone(m.Actions)
	}
	for _, d := range []*trial.Difference{&r.Gained, &r.Lost} {
		d.Samples = slices.Clone(d.Samples)
	}
	return r
}

// trialRules are the compiled triggers of a trial, as long as none changes.
type trialRules struct {
	version int64
	run     trial.DryRun
	waits   [2]*trigger.Set // see pastReader
	assumed []string
}

// read compiles what is compared, where that is not done.
func (c *trialRules) read(r *pastReader, t *TriggerTrial) error {
	b, err := book(r.ctx, r.tx)
	if err != nil {
		return err
	}
	t.Mixed = t.Mixed || b.Version != t.Book
	if c.run.Now == nil || c.version != b.Version {
		if err := c.compile(r, t, b.Version); err != nil {
			return err
		}
	}
	r.waits, r.rule, t.Assumed = c.waits, t.Trigger.ID, c.assumed
	return nil
}

// compile makes the sets of the triggers as they are now.
func (c *trialRules) compile(r *pastReader, t *TriggerTrial, version int64) error {
	all, err := allTriggers(r.ctx, r.tx, t.Trigger.Subject)
	if err != nil {
		return err
	}
	schema, err := r.e.triggerSchema(r.ctx, r.tx, r.s, t.Trigger.Subject, append(slices.Clone(all), t.Trigger)...)
	if err != nil {
		return err
	}
	var stored []trigger.Trigger
	for _, o := range all {
		if o.Active && o.Validate(schema, r.subject.catalog) == nil { // one that no longer fits does not run
			stored = append(stored, o)
		}
	}
	tried := t.Trigger
	tried.Active = true
	edited := append(slices.DeleteFunc(slices.Clone(stored), func(o trigger.Trigger) bool { return o.ID == tried.ID }), tried)
	c.version, c.run, c.waits = version, trial.DryRun{Rule: t.Trigger.ID}, [2]*trigger.Set{}
	if c.run.Now, err = trigger.NewSet(schema, t.Trigger.Subject, edited); err != nil {
		return err
	}
	if c.run.Was, err = trigger.NewSet(schema, t.Trigger.Subject, stored); err != nil {
		return err
	}
	var asked []string
	forms := [2]int{len(edited) - 1, slices.IndexFunc(stored, func(o trigger.Trigger) bool { return o.ID == tried.ID })}
	for i, list := range [2][]trigger.Trigger{edited, stored} {
		if forms[i] < 0 {
			continue
		}
		rule := list[forms[i]]
		asked = append(asked, askedFields(append(slices.Clone(rule.When.All), rule.When.Any...))...)
		if rule.After == nil {
			continue
		}
		asked = append(asked, rule.After.Since)
		if c.waits[i], err = trigger.NewSet(schema, t.Trigger.Subject, []trigger.Trigger{rule}); err != nil {
			return err
		}
	}
	slices.Sort(asked)
	c.assumed = slices.DeleteFunc(slices.Compact(asked), func(f string) bool { return !r.subject.assumed(r, f) })
	return nil
}

// recordID is the id in the name of a record.
func recordID(name string) string {
	_, id, _ := strings.Cut(name, ":")
	return id
}
