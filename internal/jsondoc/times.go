package jsondoc

import (
	"reflect"
	"sync"
	"time"
)

// Micro is the time as every store keeps it: UTC, microseconds.
func Micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Times brings every time in what p points to into the form of Micro: those in
// exported fields, behind pointers and in slices.
func Times(p any) {
	v := reflect.ValueOf(p).Elem()
	fixTimes(v, timesOf(v.Type()))
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
		*t = Micro(*t)
	}
}
