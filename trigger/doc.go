// Package trigger holds the rules that a workspace sets up for itself: when
// something happens to a ticket, a conversation or a record of the host's own,
// and a condition holds, actions are carried out.
//
// The package is pure. It decides which triggers fire and in which order; what
// an action does to a record, and what leaves the house, is for the Subject
// that its caller implements. So a backend with tickets of its own uses it
// without the rest of the library (see the example).
//
// # An event and its pass
//
// One change of one record is one Event, however many fields it changed. Set.Run
// looks at the active triggers in their order (position, then id); each sees
// what the earlier ones did, so where several assign, the last one wins. A
// trigger fires at most once in an event. What triggers change is no new event;
// only a trigger with Cascade is asked again after others have changed
// something, in four passes at most.
//
// Conditions may compare with the time before the event: changed, changed_to,
// changed_from. Who did it is the field "actor", what happened the field
// "event".
//
// # Time
//
// A timed trigger fires when a time field lies a given time back, counted in
// open hours where it names a calendar. Set.Deadlines says when; Set.RunTimed
// looks again at that moment. A Deadline has a key of its own, so that the
// caller can make it fire exactly once, also after downtime.
//
// # What keeps triggers harmless
//
// Actions of one event are counted and cut off with a note in the Report, and
// so are events that triggers themselves caused too deep in a chain (a web hook
// that calls back). Package trigger/lint finds, before anything runs, conditions
// that never hold, triggers that fight over a field, ones whose work a later one
// always undoes, and circles.
package trigger
