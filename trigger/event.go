package trigger

import (
	"time"

	"github.com/sangdam/sangdam/trigger/condition"
)

// Actor is who caused an event.
type Actor string

// The actors. ByTrigger is the actor of events that a trigger's actions cause outside
// of the pass, such as a web hook's call back.
const (
	ByCustomer Actor = "customer"
	ByAgent    Actor = "agent"
	ByBot      Actor = "bot"
	ByTrigger  Actor = "trigger"
	ByHost     Actor = "host"
	// BySystem is time and routing: a deadline, an assignment that nobody asked
	// for.
	BySystem Actor = "system"
)

// Actors lists the actors.
func Actors() []Actor { return []Actor{ByCustomer, ByAgent, ByBot, ByTrigger, ByHost, BySystem} }

// Event is one change of one subject. Everything that one command or one
// message changed is one event.
type Event struct {
	// ID is unique; a trigger fires at most once for it.
	ID string `json:"id"`
	// Kind is what happened, in the words of the subject's kind: "created" of a
	// ticket, "message" of a conversation. The field "event" in conditions.
	Kind string `json:"kind"`
	// Actor is the field "actor" in conditions.
	Actor Actor `json:"actor"`
	// At is when; older_than and newer_than count back from it.
	At time.Time `json:"at"`
	// Depth is how many events in a chain triggers caused before this one: 0 for
	// what people and customers do, one more for each call back.
	Depth int `json:"depth,omitempty"`
}

// Names of the fields that every subject has.
const (
	FieldEvent = "event"
	FieldActor = "actor"
)

// FieldsOf returns the two fields that every subject has, FieldEvent and FieldActor,
// to be put into its schema. events are the kinds of event that the subject emits.
func FieldsOf(events ...string) []condition.Field {
	var actors []string
	for _, a := range Actors() {
		actors = append(actors, string(a))
	}
	return []condition.Field{{Name: FieldEvent, Type: condition.TypeEnum, Values: events}, {Name: FieldActor, Type: condition.TypeEnum,
		Values: actors}}
}

// Subject is the record that an event is about, within the caller's unit of
// work: its facts change as actions are carried out.
type Subject interface {
	// Facts are what is so now, after what earlier triggers did.
	condition.Facts
	// Changes are what was so before the event; triggers do not change it.
	condition.Changes
	// Within answers within_hours.
	condition.Hours
	// Do carries an action out. An Outcome that is not Done says why it was
	// passed over (the group is empty, the agent is gone), or what it did not
	// reach (an answer was kept and not sent), and the pass goes on.
	// An error ends the pass, and with it the unit of work.
	Do(t *Trigger, a Action) (Outcome, error)
}

// Outcome is what became of an action, for the run log: ids and states, never
// a customer's words.
type Outcome struct {
	Kind string `json:"kind"`
	Done bool   `json:"done"`
	Note string `json:"note,omitempty"`
	// Code is set where Note is the sentence of a warning that a program may want
	// to say in another language, and Args fill it, as of sangdam.Warning.
	Code string   `json:"code,omitempty"`
	Args []string `json:"args,omitempty"`
	// Sent is how much it would send to people and places outside; a dry run
	// alone tells.
	Sent int `json:"sent,omitempty"`
}

// view is a subject with the facts of the event.
type view struct {
	Subject
	event Event
	// folded are the last few texts that conditions asked about, as they are
	// compared; more fall out in turn.
	folded [4]struct{ text, as string }
	next   int
}

// Folded implements condition.Folder.
func (v *view) Folded(text string) string {
	for i := range v.folded {
		if v.folded[i].text == text {
			return v.folded[i].as
		}
	}
	as := condition.Fold(text)
	v.folded[v.next].text, v.folded[v.next].as = text, as
	v.next = (v.next + 1) % len(v.folded)
	return as
}

func (v *view) Fact(field string) (condition.Fact, bool) {
	switch field {
	case FieldEvent:
		return condition.Text(v.event.Kind), true
	case FieldActor:
		return condition.Text(v.event.Actor), true
	}
	return v.Subject.Fact(field)
}

// Before of the event's own fields is what they are: they do not change.
func (v *view) Before(field string) (condition.Fact, bool) {
	if field == FieldEvent || field == FieldActor {
		return v.Fact(field)
	}
	return v.Subject.Before(field)
}
