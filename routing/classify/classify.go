// Package classify runs the rules of a work stream over the facts of what arrived,
// and gives the queue, priority and skills of the work, with why each rule matched.
// The engine calls it; hosts that show or try rules read Fields and the trace.
package classify

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/chance"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Outcome is what classification decided (RT2).
type Outcome struct {
	Queue      routing.QueueID   `json:"queue"`
	Priority   int               `json:"priority"`
	Skills     []routing.Skill   `json:"skills,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Trace explains: one entry for each rule that was tried.
	Trace []RuleTrace `json:"trace,omitempty"`
}

// RuleTrace says how a rule came out.
type RuleTrace struct {
	Rule    int    `json:"rule"` // index in WorkStream.Rules
	Name    string `json:"name"`
	Matched bool   `json:"matched"`
	// Why has one entry a clause of the rule's condition.
	Why []condition.Reason `json:"why,omitempty"`
	// Queue that the rule chose, by percentage split or alone.
	Queue routing.QueueID `json:"queue,omitempty"`
}

// The fields of conditions that rules see of each other's work, besides the
// texts "attribute.<name>": what a bot or form learnt of the conversation, and
// what earlier rules set. A rule may name any; one that nobody set is absent.
const (
	FieldQueue    = "queue"    // id; what an earlier rule set
	FieldPriority = "priority" // number
	FieldSkills   = "skills"   // set of names
	fieldSet      = "attribute."
)

// Fields are the fields that the engine has facts for: where the
// work came from, who wrote what, and when. A host adds its own.
func Fields() []condition.Field {
	return []condition.Field{
		{Name: "channel", Type: condition.TypeID},       // kind: line, webchat, …
		{Name: "account", Type: condition.TypeID},       // channel account
		{Name: "desk", Type: condition.TypeID},          //
		{Name: "language", Type: condition.TypeID},      // BCP 47
		{Name: "contact", Type: condition.TypeID},       //
		{Name: "message", Type: condition.TypeText},     // of the message that began it
		{Name: "postback", Type: condition.TypeText},    // what a pressed choice carried, if it began so
		{Name: "time", Type: condition.TypeTime},        // of that message
		{Name: "open", Type: condition.TypeBool},        // within operating hours
		{Name: "bot.outcome", Type: condition.TypeID},   // how the bot ended
		{Name: "bot.answers", Type: condition.TypeText}, // what the bot was told, joined
	}
}

// Classifier is a work stream's rules, compiled. It never changes and is safe
// for concurrent use.
type Classifier struct {
	ws       routing.WorkStream
	programs []*condition.Program
}

// New compiles the work stream's rules against
// Fields, the fields of this package and extra. Errors are
// ErrInvalid and name the rule.
func New(ws routing.WorkStream, extra ...condition.Field) (*Classifier, error) {
	fields := append(Fields(),
		condition.Field{Name: FieldQueue, Type: condition.TypeID},
		condition.Field{Name: FieldPriority, Type: condition.TypeNumber},
		condition.Field{Name: FieldSkills, Type: condition.TypeSet})
	names := map[string]bool{}
	for _, r := range ws.Rules {
		attributesIn(names, slices.Concat(r.When.All, r.When.Any))
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fields = append(fields, condition.Field{Name: name, Type: condition.TypeText})
	}
	schema, err := condition.NewSchema(append(fields, extra...)...)
	if err != nil {
		return nil, err
	}
	c := &Classifier{ws: ws}
	for i, r := range ws.Rules {
		program, err := r.When.Compile(schema)
		if err != nil {
			return nil, errs.New(errs.Invalid, "routing: work stream %q, rule %d (%s): %w", ws.ID, i+1, r.Name, err)
		}
		c.programs = append(c.programs, program)
	}
	return c, nil
}

// attributesIn collects the attributes that clauses ask about.
func attributesIn(names map[string]bool, clauses []condition.Clause) {
	for _, c := range clauses {
		if len(c.Field) > len(fieldSet) && strings.HasPrefix(c.Field, fieldSet) {
			names[c.Field] = true
		}
		attributesIn(names, slices.Concat(c.All, c.Any))
	}
}

// Classify tries the rules in order. Each sees, as facts, what the ones before
// it set; what a later one sets replaces it; Stop ends. Without a rule that
// sets one, the queue is the work stream's. A percentage split draws by seed
// and the rule's place, so that the same seed gives the same outcome; derive it
// from the item's id.
func (c *Classifier) Classify(facts condition.Facts, now time.Time, seed uint64) Outcome {
	o := Outcome{Queue: c.ws.Queue}
	seen := &outcomeFacts{Facts: facts, o: &o}
	for i, r := range c.ws.Rules {
		result := c.programs[i].Eval(now, seen)
		trace := RuleTrace{Rule: i, Name: r.Name, Matched: result.Match, Why: result.Why}
		if result.Match {
			trace.Queue = queueOf(&r, seed, i)
			seen.apply(r, trace.Queue)
		}
		o.Trace = append(o.Trace, trace)
		if result.Match && r.Stop {
			break
		}
	}
	return o
}

// Classify compiles the work stream's rules and tries them once. Who
// classifies often keeps a Classifier.
func Classify(ws routing.WorkStream, facts condition.Facts, now time.Time, seed uint64, extra ...condition.Field) (Outcome, error) {
	c, err := New(ws, extra...)
	if err != nil {
		return Outcome{}, err
	}
	return c.Classify(facts, now, seed), nil
}

// queueOf is the queue that the rule sends to, empty for none.
func queueOf(r *routing.Rule, seed uint64, rule int) routing.QueueID {
	if len(r.Split) == 0 {
		return r.Queue
	}
	n := int(chance.Draw(seed, "", rule, 100))
	for _, s := range r.Split {
		if n < s.Percent {
			return s.Queue
		}
		n -= s.Percent
	}
	return r.Split[len(r.Split)-1].Queue
}

// outcomeFacts are the caller's facts and what the rules have set so far.
type outcomeFacts struct {
	condition.Facts
	o           *Outcome
	setQueue    bool
	setPriority bool
}

func (f *outcomeFacts) apply(r routing.Rule, q routing.QueueID) {
	if q != "" {
		f.o.Queue, f.setQueue = q, true
	}
	if r.Priority != nil {
		f.o.Priority, f.setPriority = *r.Priority, true
	}
	if len(r.Skills) > 0 {
		f.o.Skills = slices.Clone(r.Skills)
	}
	for name, value := range r.Set {
		if f.o.Attributes == nil {
			f.o.Attributes = map[string]string{}
		}
		f.o.Attributes[name] = value
	}
}

// Fact returns what a rule has set, else the caller's fact.
func (f *outcomeFacts) Fact(field string) (condition.Fact, bool) {
	switch {
	case field == FieldQueue && f.setQueue:
		return condition.Text(f.o.Queue), true
	case field == FieldPriority && f.setPriority:
		return condition.Number(float64(f.o.Priority)), true
	case field == FieldSkills && len(f.o.Skills) > 0:
		var names []string
		for _, s := range f.o.Skills {
			names = append(names, s.Name)
		}
		return condition.Set(names), true
	case len(field) > len(fieldSet) && field[:len(fieldSet)] == fieldSet:
		if v, ok := f.o.Attributes[field[len(fieldSet):]]; ok {
			return condition.Text(v), true
		}
	}
	if f.Facts == nil {
		return condition.Fact{}, false
	}
	return f.Facts.Fact(field)
}
