package sangdam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// TriggerRun is an entry of the run log: what one trigger did about one event
// and why, or, while TraceTriggers lasts, why it did nothing. It holds ids and
// states, never what people wrote. Entries are kept for thirty days.
type TriggerRun struct {
	ID      string `json:"id"`
	Version int64  `json:"-"`
	// Trigger is empty in an entry that tells why a pass was cut short.
	Trigger trigger.ID    `json:"trigger,omitempty"`
	Record  string        `json:"record"` // "ticket:17"
	Event   trigger.Event `json:"event"`
	// Happened names everything that happened in this one event.
	Happened []string           `json:"happened,omitempty"`
	Pass     int                `json:"pass,omitempty"`
	Matched  bool               `json:"matched"`
	Why      []condition.Reason `json:"why,omitempty"`
	Outcomes []trigger.Outcome  `json:"outcomes,omitempty"`
	// Cut says why the pass was cut short.
	Cut string    `json:"cut,omitempty"`
	At  time.Time `json:"at,omitzero"`
}

const (
	runsByTrigger = "trigger"
	runsByRecord  = "record"
	runsByPair    = "pair" // those that matched, by trigger and record
	runsByAge     = "age"

	runsFor = 30 * 24 * time.Hour
	// missesKept bounds the misses that one event leaves in the log.
	missesKept = 200
)

var triggerRuns = declare(store.Kind[TriggerRun]{Name: "trigger_run", Decl: 1,
	ID:      func(r *TriggerRun) string { return r.ID },
	Version: func(r *TriggerRun) *int64 { return &r.Version },
	Indexes: []store.Index[TriggerRun]{
		{Name: runsByTrigger, Value: func(r *TriggerRun) []byte {
			return store.Tuple(store.Exact(string(r.Trigger)), store.Time(r.At), store.Exact(r.ID))
		}},
		{Name: runsByRecord, Value: func(r *TriggerRun) []byte {
			return store.Tuple(store.Exact(r.Record), store.Time(r.At), store.Exact(r.ID))
		}},
		{Name: runsByPair, Value: func(r *TriggerRun) []byte {
			if !r.Matched {
				return nil
			}
			return store.Tuple(store.Exact(string(r.Trigger)), store.Exact(r.Record), store.Time(r.At))
		}},
		{Name: runsByAge, Value: func(r *TriggerRun) []byte { return store.Time(r.At) }},
	}})

// runsOfPair are the firings of a trigger on a record since a time.
func runsOfPair(t trigger.ID, record string, since time.Time) store.List[TriggerRun] {
	pair := store.Tuple(store.Exact(string(t)), store.Exact(record))
	return store.List[TriggerRun]{Index: runsByPair, From: store.Tuple(store.Exact(string(t)), store.Exact(record), store.Time(since)),
		To: store.Next(pair)}
}

// log keeps what a pass did. note tells of something besides.
func (r *triggerRun) log(report trigger.Report, note string) error {
	misses := 0
	for _, run := range report.Runs {
		if !run.Matched {
			if misses++; misses > missesKept {
				continue
			}
		}
		if err := r.keep(TriggerRun{Trigger: run.Trigger, Pass: run.Pass, Matched: run.Matched, Why: run.Why,
			Outcomes: run.Outcomes}); err != nil {
			return err
		}
	}
	if report.Cut == "" && note == "" {
		return nil
	}
	return r.keep(TriggerRun{Cut: report.Cut + note})
}

func (r *triggerRun) keep(run TriggerRun) error {
	run.ID, run.Record, run.Event, run.Happened, run.At = newID(), r.name(), r.ev, r.happened, r.u.tx.Now()
	return triggerRuns.Save(r.u.ctx, r.u.tx, &run)
}

// TriggerRunFilter says which entries of the run log to list: those of a
// trigger, those of a record, or those of passes that were cut short. The
// newest come first.
type TriggerRunFilter struct {
	Trigger trigger.ID
	// Record is a kind and an id: "ticket:17", "conversation:…".
	Record string
	// Cut lists only the entries which tell that a pass was cut short.
	Cut bool
}

// TriggerRunPage is one page of the run log; Next is empty at the end.
type TriggerRunPage struct {
	Runs []TriggerRun `json:"runs"`
	Next string       `json:"next,omitempty"`
}

var qTriggerRuns = asks("trigger.runs", "TriggerRuns", kindTrigger, ActConfigure).wide(wideLog).log()

// TriggerRuns lists the run log of triggers, which names records by their ids
// and holds none of their texts. limit is 1 to 200, and 0 means 50; page is
// empty or TriggerRunPage.Next.
func (e *Engine) TriggerRuns(ctx context.Context, p Principal, f TriggerRunFilter, page string, limit int) (out TriggerRunPage, err error) {
	list := store.List[TriggerRun]{Index: runsByTrigger, Desc: true, After: page, Limit: limit,
		From: store.Tuple(store.Exact(string(f.Trigger)))}
	switch {
	case f.Trigger != "" && f.Record != "":
		return out, errs.New(errs.Invalid, "sangdam: list the runs of a trigger or those of a record")
	case f.Record != "":
		list.Index, list.From = runsByRecord, store.Tuple(store.Exact(f.Record))
	case f.Trigger == "" && !f.Cut:
		return out, errs.New(errs.Invalid, "sangdam: name the trigger or the record whose runs to list")
	}
	list.To = store.Next(list.From)
	if f.Cut {
		list.Keep = func(r *TriggerRun) bool { return r.Cut != "" }
	}
	err = e.query(ctx, p, qTriggerRuns, string(f.Trigger), func(ctx context.Context, tx store.Tx,
		_ *settings) error {
		found, err := triggerRuns.List(ctx, tx, list)
		out = TriggerRunPage{Runs: found.Items, Next: found.Next}
		return err
	})
	return out, err
}

// TraceTriggers makes the run log keep, for some time, also the triggers that
// did not match an event, each with the reason. Every event then asks every
// trigger, which costs time, so it is meant for minutes.
type TraceTriggers struct {
	Key Key `json:"-"`
	// For is how long, at most an hour; 0 ends the tracing.
	For time.Duration `json:"for"`
}

// TraceTriggers carries the command out for all triggers of the workspace.
// ErrInvalid for a time that is negative or above an hour.
func (e *Engine) TraceTriggers(ctx context.Context, p Principal, c TraceTriggers) error {
	_, err := command(ctx, e, call{opTraceTriggers, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindTrigger}); err != nil {
			return none, err
		}
		if c.For < 0 || c.For > time.Hour {
			return none, errs.New(errs.Invalid, "sangdam: misses are kept for %s; use 0 to an hour", c.For)
		}
		return none, u.triggersChanged("", 0, "traced", func(b *triggerBook) { b.TraceUntil = u.tx.Now().Add(c.For) })
	})
	return err
}

// hashedKey is a key that is short enough for an id.
func hashedKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func init() { registerPurge(purgeTriggerRuns) }

func purgeTriggerRuns(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, triggerRuns, runsByAge, runsFor)
}

func init() { registerPurge(purgeArmed) }

func purgeArmed(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, armedDocs, "at", armedFor)
}
