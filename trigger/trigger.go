package trigger

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/trigger/condition"
)

// ErrInvalid is the kind of this package's errors about what people set up, with one
// identity across the module; compare with errors.Is.
var ErrInvalid error = errs.Invalid

// ID names a trigger.
type ID string

// Limits of a trigger; beyond them saving it is ErrInvalid.
const (
	MaxTitle   = 100      // characters
	MaxActions = 20       // of one trigger
	MaxParams  = 64 << 10 // bytes of JSON of one action
	// minAfter and maxAfter bound the wait of a timed trigger.
	minAfter, maxAfter = time.Minute, 365 * 24 * time.Hour
)

// Trigger is a rule as it is stored and edited.
type Trigger struct {
	ID ID `json:"id"`
	// Version counts the changes: whoever replaces a trigger gives back the version
	// that was read, and 0 makes a new one.
	Version int64  `json:"version"`
	Title   string `json:"title"`
	// Subject is the kind of record: "ticket", "conversation" or the host's own.
	Subject string `json:"subject"`
	// When must hold; the zero Condition always holds.
	When condition.Condition `json:"when"`
	// After makes it a timed trigger; nil: it runs on events.
	After *After `json:"after,omitempty"`
	// Actions are carried out in order.
	Actions []Action `json:"actions"`
	// Position orders the triggers of a workspace; ties go by id.
	Position int `json:"position"`
	// Active triggers run. Only one that is not active may be deleted.
	Active bool `json:"active"`
	// Cascade has the trigger asked again after other triggers of the same event
	// changed something, if it has not fired in that event yet. It says nothing of a
	// timed trigger.
	Cascade bool `json:"cascade,omitempty"`
}

// After is the wait of a timed trigger.
type After struct {
	// Since names the time field from which the wait counts.
	Since string `json:"since"`
	// For is how long, one minute to 365 days; in JSON in nanoseconds.
	For time.Duration `json:"for"`
	// Calendar counts open hours only; empty: every hour.
	Calendar string `json:"calendar,omitempty"`
}

// Action is what a trigger does. Kind names a Spec of the Catalog, which says
// what Params holds.
type Action struct {
	Kind   string          `json:"kind"`
	Params json.RawMessage `json:"params,omitempty"`
}

// Do makes an Action of a kind with its parameters; it panics when they cannot
// be encoded, which is a mistake in the program.
func Do(kind string, params any) Action {
	raw, err := json.Marshal(params)
	if err != nil {
		panic("trigger: the parameters of " + kind + " cannot be encoded: " + err.Error())
	}
	return Action{Kind: kind, Params: raw}
}

// Params reads an action's parameters. No parameters and unknown members are
// ErrInvalid, so that a misspelt one is not silently without effect.
func Params[T any](a Action) (T, error) {
	var p T
	dec := json.NewDecoder(bytes.NewReader(a.Params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, errs.New(errs.Invalid, "trigger: action %s: its parameters do not fit: %w", a.Kind, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return p, errs.New(errs.Invalid, "trigger: action %s: there is something after its parameters", a.Kind)
	}
	return p, nil
}

// Spec describes a kind of action.
type Spec struct {
	// Kind is its name: "assign", "mail".
	Kind string
	// Check refuses parameters that cannot work when a trigger is saved, with
	// ErrInvalid; nil: the action takes none.
	Check func(Action) error
	// Sets tells which fields the action writes, and with what, for package
	// trigger/lint; nil: the action writes nothing that conditions ask about.
	Sets func(Action) []Write
}

// Write is a field that an action sets. Value is empty where it is not known
// before the action runs.
type Write struct{ Field, Value string }

// Catalog is the list of kinds of action that triggers may use. It is immutable
// and safe for concurrent use.
type Catalog struct{ specs map[string]Spec }

// NewCatalog makes a Catalog; a kind without a name or named twice is
// ErrInvalid.
func NewCatalog(specs ...Spec) (*Catalog, error) {
	c := &Catalog{specs: map[string]Spec{}}
	for _, s := range specs {
		if _, twice := c.specs[s.Kind]; twice || s.Kind == "" {
			return nil, errs.New(errs.Invalid, "trigger: the catalog has an empty or repeated kind of action %q", s.Kind)
		}
		c.specs[s.Kind] = s
	}
	return c, nil
}

// Kinds lists the kinds of action, sorted.
func (c *Catalog) Kinds() []string {
	var out []string
	for k := range c.specs {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (c *Catalog) check(a Action) error {
	spec, ok := c.specs[a.Kind]
	switch {
	case !ok:
		return errs.New(errs.Invalid, "trigger: unknown action %q: use one of %s", cut(a.Kind, 64), strings.Join(c.Kinds(), ", "))
	case len(a.Params) > MaxParams:
		return errs.New(errs.Invalid, "trigger: action %s has %d bytes of parameters; use at most %d", a.Kind, len(a.Params), MaxParams)
	case spec.Check != nil:
		return spec.Check(a)
	case len(a.Params) > 0 && string(a.Params) != "null" && string(a.Params) != "{}":
		return errs.New(errs.Invalid, "trigger: action %s takes no parameters", a.Kind)
	}
	return nil
}

// Sets are the fields that the action sets, as its Spec says; nil for an action of a
// kind that the catalog does not have.
func (c *Catalog) Sets(a Action) []Write {
	if f := c.specs[a.Kind].Sets; f != nil {
		return f(a)
	}
	return nil
}

// Validate checks a trigger before it is saved, against the fields of its
// subject (a schema of FieldsOf and the subject's own, made ForEvents) and the
// kinds of action. Errors are ErrInvalid and say what to change.
func (t Trigger) Validate(schema *condition.Schema, catalog *Catalog) error {
	switch n := utf8.RuneCountInString(t.Title); {
	case t.ID == "" || len(t.ID) > 100:
		return errs.New(errs.Invalid, "trigger: the id has %d bytes; use 1 to 100", len(t.ID))
	case n < 1 || n > MaxTitle || strings.TrimSpace(t.Title) == "":
		return errs.New(errs.Invalid, "trigger: the title has %d characters; use 1 to %d", n, MaxTitle)
	case t.Subject == "":
		return errs.New(errs.Invalid, "trigger: it names no kind of subject, such as ticket")
	case len(t.Actions) < 1 || len(t.Actions) > MaxActions:
		return errs.New(errs.Invalid, "trigger: it has %d actions; use 1 to %d", len(t.Actions), MaxActions)
	}
	if err := t.When.Validate(schema); err != nil {
		return err
	}
	if err := t.After.validate(schema); err != nil {
		return err
	}
	for i, a := range t.Actions {
		if err := catalog.check(a); err != nil {
			return fmt.Errorf("actions[%d]: %w", i, err)
		}
	}
	return nil
}

func (a *After) validate(schema *condition.Schema) error {
	if a == nil {
		return nil
	}
	field, ok := schema.Field(a.Since)
	if !ok || field.Type != condition.TypeTime {
		return errs.New(errs.Invalid, "trigger: after.since is %q; name a field of type time", cut(a.Since, 64))
	}
	if a.For < minAfter || a.For > maxAfter {
		return errs.New(errs.Invalid, "trigger: after.for is %s; use %s to 365 days", a.For, minAfter)
	}
	return schema.CheckCalendar(a.Calendar)
}

// Compare is negative when t runs before o, by Position and then by ID.
func (t *Trigger) Compare(o *Trigger) int {
	return cmp.Or(cmp.Compare(t.Position, o.Position), cmp.Compare(t.ID, o.ID))
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
