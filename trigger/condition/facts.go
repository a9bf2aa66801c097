package condition

import (
	"math"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/fold"
)

// Facts tells what is so. Fact returns the value of a field and false when it
// is absent. It is called during Eval and must not block; a fact of another
// type than the field's counts as absent and is explained as WrongType.
type Facts interface {
	Fact(field string) (Fact, bool)
}

// Changes is implemented by Facts that know what was so before the event.
type Changes interface {
	// Before returns the value of a field before the event and false when it was
	// absent then.
	Before(field string) (Fact, bool)
}

// Hours is implemented by Facts that know operating hours.
type Hours interface {
	// Within reports whether the calendar is open at the time.
	Within(calendar string, at time.Time) bool
}

// Folder is implemented by Facts that many conditions are held against: it may
// remember what Fold made of a text instead of making it again for each.
type Folder interface {
	Folded(text string) string
}

// Fold is a text as text fields are compared.
func Fold(text string) string { return fold.Text(text) }

// Equal reports whether two facts say the same. Sets are compared without
// regard to order.
func (f Fact) Equal(g Fact) bool {
	if f.empty() || g.empty() {
		return f.empty() == g.empty()
	}
	if f.kind != g.kind || f.text != g.text || f.bits != g.bits || len(f.set) != len(g.set) {
		return false
	}
	return f.kind != kindSet || !slices.ContainsFunc(f.set, func(v string) bool { return !slices.Contains(g.set, v) })
}

// Map is Facts held in a map.
type Map map[string]Fact

// Fact returns the entry.
func (m Map) Fact(field string) (Fact, bool) {
	f, ok := m[field]
	return f, ok
}

type kind uint8

const (
	kindNone kind = iota
	kindText
	kindNumber
	kindBool
	kindTime
	kindDuration
	kindSet
)

// Fact is a typed value. The zero Fact is absent.
type Fact struct {
	kind kind
	text string
	// bits holds a float64, a bool (0 or 1), a time in microseconds of Unix
	// time or a duration in nanoseconds.
	bits uint64
	set  []string
}

// Text is a fact for a text, enum or id field.
func Text[T ~string](s T) Fact { return Fact{kind: kindText, text: string(s)} }

// Number is a fact for a number field; NaN is absent.
func Number(n float64) Fact {
	if math.IsNaN(n) {
		return Fact{}
	}
	return Fact{kind: kindNumber, bits: math.Float64bits(n)}
}

// Bool is a fact for a bool field.
func Bool(b bool) Fact {
	f := Fact{kind: kindBool}
	if b {
		f.bits = 1
	}
	return f
}

// Time is a fact for a time field, kept to the microsecond; the zero time is
// absent.
func Time(t time.Time) Fact {
	if t.IsZero() {
		return Fact{}
	}
	return Fact{kind: kindTime, bits: uint64(t.UnixMicro())}
}

// Duration is a fact for a duration field.
func Duration(d time.Duration) Fact { return Fact{kind: kindDuration, bits: uint64(d)} }

// Set is a fact for a set field. The slice must not change while it is used.
func Set(values []string) Fact { return Fact{kind: kindSet, set: values} }

// AsTime returns the value of a time fact, and false for another fact.
func (f Fact) AsTime() (time.Time, bool) {
	return time.UnixMicro(f.int()).UTC(), f.kind == kindTime
}

// AsText returns the value of a text fact, and false for another fact.
func (f Fact) AsText() (string, bool) { return f.text, f.kind == kindText }

func (f Fact) number() float64 { return math.Float64frombits(f.bits) }
func (f Fact) int() int64      { return int64(f.bits) }

// empty reports whether the fact says nothing.
func (f Fact) empty() bool {
	switch f.kind {
	case kindNone:
		return true
	case kindText:
		return f.text == ""
	case kindSet:
		return len(f.set) == 0
	}
	return false
}

// kindOf returns the kind of fact that a field's type takes.
func kindOf(t Type) kind {
	switch t {
	case TypeNumber:
		return kindNumber
	case TypeBool:
		return kindBool
	case TypeTime:
		return kindTime
	case TypeDuration:
		return kindDuration
	case TypeSet:
		return kindSet
	}
	return kindText
}
