package sqlite

import (
	"encoding/json"
	"reflect"
	"sync"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// encode makes the document of a value.
func encode(v any) (raw.Text, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errs.New(errs.Invalid, "sqlite: a %T cannot be stored: %w", v, err)
	}
	return b, nil
}

// decode reads a document into p, a pointer to the zero value, and brings all
// times to UTC and microseconds.
func decode(doc []byte, p any) error {
	if err := jsondoc.Unmarshal(doc, p); err != nil {
		return errs.New(errs.Unavailable, "sqlite: a stored %T cannot be read; the data was damaged or written by a newer program: %w", p, err)
	}
	v := reflect.ValueOf(p).Elem()
	fixTimes(v, timesOf(v.Type()))
	return nil
}

// micro is a time as columns hold it: microseconds since 1970. The zero time is
// far below 0, so that 1970 is a time like others.
func micro(t time.Time) int64 { return t.UnixMicro() }

// moment is micro read back.
func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// maybeMoment reads a column that the store itself sets, where 0 is never.
func maybeMoment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return moment(us)
}

// maybeMicro is what maybeMoment reads.
func maybeMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micro(t)
}

// timePath leads to times within a type: a field of a struct, what a pointer
// points to, the elements of a slice.
type timePath struct {
	field int
	inner []timePath // nil: the field is a time itself
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	timePaths sync.Map // reflect.Type → []timePath
)

func timesOf(t reflect.Type) []timePath {
	if known, ok := timePaths.Load(t); ok {
		return known.([]timePath)
	}
	paths := findTimes(t, 0)
	timePaths.Store(t, paths)
	return paths
}

// findTimes looks at most eight types deep: a document does not nest further,
// and a recursive type ends.
func findTimes(t reflect.Type, depth int) []timePath {
	t = elem(t)
	if t.Kind() != reflect.Struct || t == timeType || depth == 8 {
		return nil
	}
	var paths []timePath
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		if elem(f.Type) == timeType {
			paths = append(paths, timePath{field: i})
		} else if inner := findTimes(f.Type, depth+1); inner != nil {
			paths = append(paths, timePath{i, inner})
		}
	}
	return paths
}

func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

func fixTimes(v reflect.Value, paths []timePath) {
	if len(paths) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fixTimes(v.Elem(), paths)
		}
	case reflect.Slice:
		for i := range v.Len() {
			fixTimes(v.Index(i), paths)
		}
	case reflect.Struct:
		for _, p := range paths {
			f := v.Field(p.field)
			if p.inner != nil {
				fixTimes(f, p.inner)
			} else {
				fixTime(f)
			}
		}
	}
}

func fixTime(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fixTime(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			fixTime(v.Index(i))
		}
	default:
		t := v.Addr().Interface().(*time.Time)
		*t = t.UTC().Truncate(time.Microsecond)
	}
}
