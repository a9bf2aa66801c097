// Package condition is the one condition language of the library: triggers,
// classification rules, saved views and bots all ask their questions in it.
// Conditions are data. They are validated against a Schema of typed fields,
// compiled to a Program and evaluated over Facts, with an explanation of every
// clause. Nothing here reads a clock, the network or Go structures of the
// caller.
//
// # A condition
//
// A Condition holds when every clause of "all" holds and, if "any" has
// clauses, at least one of those. A clause is a field, an operator and a
// value, or a nested group. An empty condition always holds.
//
//	{"version":1,
//	 "all":[{"field":"channel","op":"in","value":["line","kakao"]},
//	        {"field":"opened_at","op":"older_than","value":"30m"}],
//	 "any":[{"field":"text","op":"contains","value":["환불","refund"]},
//	        {"field":"tags","op":"has","value":"vip"}]}
//
// # Types and operators
//
//	text      is is_not contains not_contains starts_with matches in not_in
//	number    is is_not gt gte lt lte between in not_in
//	bool      is is_not
//	time      gt gte lt lte between older_than newer_than
//	enum, id  is is_not in not_in
//	set       has has_any has_all has_none
//	duration  is is_not gt gte lt lte between
//	each      present absent
//
// Schemas of events (Schema.ForEvents) add changed to each type, changed_to
// and changed_from to text, number, bool, enum and id, and within_hours to time
// where they name calendars.
//
// Text ignores case, width, and the way in which Hangul is composed, as names
// do everywhere (internal/fold); matches alone sees it as it was written. Ids,
// enums and members of sets compare exactly. Times in values are RFC 3339, durations "90m", "36h" or
// "3d"; both take part to the microsecond. older_than holds from the very
// moment at which the duration has passed.
//
// # Absent facts
//
// A field without a fact, an empty text, an empty set and the zero time are
// absent, and so is a fact of the wrong type. On an absent fact every positive
// operator fails, and is_not, not_contains, not_in, has_none and absent hold.
//
// # Explanations
//
// Eval returns one Reason per clause: where it stands, field, operator,
// whether it held and whether the fact was there. Values are left out, so a
// Reason never carries what a customer wrote.
//
// # Hostile input
//
// Decoding is strict: an object or a mixed list where a value is due, unknown
// or repeated keys and unknown versions are ErrInvalid. A condition has at
// most 50 clauses, 1,000 values of 512 bytes and four levels; patterns are
// RE2 of at most 512 bytes, ten in a condition, repeat at most 100 times and
// compile to at most 256 instructions; only the first 64 KiB of a text fact are
// looked at. The worst pattern that passes takes some 0.1 s on 64 KiB, see
// BenchmarkWorstPattern; ordinary clauses take some 50 ns.
package condition
