package condition

// Version is that of the JSON form of a Condition.
const Version = 1

// Limits of a condition; beyond them it is ErrInvalid.
const (
	MaxClauses  = 50       // clauses and groups together
	MaxValues   = 1000     // values in all clauses together
	MaxValue    = 512      // bytes in a text value or a pattern
	MaxDepth    = 4        // nested groups
	MaxRepeat   = 100      // of a counted repetition in a pattern, {n,m}
	MaxProgram  = 256      // instructions of a compiled pattern
	MaxPatterns = 10       // patterns in one condition
	MaxText     = 64 << 10 // bytes of a text fact that are looked at
	MaxJSON     = 1 << 20  // bytes of a condition in JSON
)

// Condition holds when every clause of All holds and, if Any has clauses, at
// least one of them holds. The zero Condition always holds. It is plain data;
// Compile makes it ready to be evaluated.
type Condition struct {
	All []Clause
	Any []Clause
}

// Clause is a field, an operator and a value; or, with All or Any and none of
// the others, a group of clauses that holds as a Condition does.
type Clause struct {
	// Field is the name of a field of the Schema.
	Field string
	// Op must suit the field's type, see the package comment.
	Op Op
	// Value is what Op takes. Accepted are string, bool, int, int64, float64,
	// time.Time, time.Duration, []string, []int, []float64 and nil. From JSON
	// come string, bool, float64, []string, []float64 and nil; times are RFC
	// 3339 strings and durations strings such as "90m", "36h" or "3d".
	Value any

	All []Clause
	Any []Clause
}

// IsZero reports whether the condition has no clauses and so always holds.
func (c Condition) IsZero() bool { return len(c.All) == 0 && len(c.Any) == 0 }

func (c Clause) group() bool { return len(c.All) > 0 || len(c.Any) > 0 }

// Op is an operator.
type Op string

// The operators. IsNot, NotContains, NotIn, HasNone and Absent are the exact opposites
// of Is, Contains, In, HasAny and Present, and so they also hold where the fact is
// absent. Every other operator of these then fails.
const (
	Is          Op = "is"
	IsNot       Op = "is_not"
	Contains    Op = "contains"     // one text, or several of which one suffices
	NotContains Op = "not_contains" // none of them
	StartsWith  Op = "starts_with"  // one text, or several of which one suffices
	Matches     Op = "matches"      // RE2, found anywhere; (?i) ignores case
	In          Op = "in"
	NotIn       Op = "not_in"
	Has         Op = "has"      // a set has the one value
	HasAny      Op = "has_any"  // at least one of the values
	HasAll      Op = "has_all"  // each of the values
	HasNone     Op = "has_none" // the opposite of HasAny
	Gt          Op = "gt"
	Gte         Op = "gte"
	Lt          Op = "lt"
	Lte         Op = "lte"
	Between     Op = "between"    // two values, both included
	OlderThan   Op = "older_than" // a time at least a duration before now
	NewerThan   Op = "newer_than" // a time less than a duration before now, or after now
	Present     Op = "present"    // takes no value; empty text and empty sets are absent
	Absent      Op = "absent"
)

// The operators of events, for schemas made with Schema.ForEvents: they compare
// a field with what it was before the event, or a time with a calendar.
const (
	Changed     Op = "changed"      // takes no value; a fact that came or went changed too
	ChangedTo   Op = "changed_to"   // changed, and is now the value
	ChangedFrom Op = "changed_from" // changed, and was the value before
	WithinHours Op = "within_hours" // a time at which the named calendar is open
)
