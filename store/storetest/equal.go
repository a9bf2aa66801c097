package storetest

import (
	"reflect"
	"time"

	"github.com/stretchr/testify/require"
)

// same compares what was stored with what came back. Times are compared as
// moments in microseconds and must be UTC; empty and absent lists and maps are
// the same.
func (e *env) same(want, got any, msg ...any) {
	e.Helper()
	require.Equal(e, canon(want), canon(got), msg...)
}

// canon brings a value into the form in which stores may differ no more.
func canon(v any) any {
	if v == nil {
		return nil
	}
	src := reflect.ValueOf(v)
	dst := reflect.New(src.Type()).Elem()
	canonInto(dst, src)
	return dst.Interface()
}

var timeType = reflect.TypeFor[time.Time]()

func canonInto(dst, src reflect.Value) {
	switch src.Kind() {
	case reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(src.Type().Elem()))
			canonInto(dst.Elem(), src.Elem())
		}
	case reflect.Interface:
		if !src.IsNil() {
			val := reflect.New(src.Elem().Type()).Elem()
			canonInto(val, src.Elem())
			dst.Set(val)
		}
	case reflect.Slice:
		if src.Len() > 0 {
			dst.Set(reflect.MakeSlice(src.Type(), src.Len(), src.Len()))
			for i := range src.Len() {
				canonInto(dst.Index(i), src.Index(i))
			}
		}
	case reflect.Map:
		if src.Len() > 0 {
			dst.Set(reflect.MakeMap(src.Type()))
			for it := src.MapRange(); it.Next(); {
				val := reflect.New(src.Type().Elem()).Elem()
				canonInto(val, it.Value())
				dst.SetMapIndex(it.Key(), val)
			}
		}
	case reflect.Struct:
		if src.Type() == timeType {
			t := src.Interface().(time.Time)
			if t.Location() == time.UTC || t.IsZero() { // anything else stays, and differs
				t = time.UnixMicro(t.UnixMicro()).UTC()
			}
			dst.Set(reflect.ValueOf(t))
			return
		}
		dst.Set(src)
		for i := range src.NumField() {
			if src.Type().Field(i).IsExported() {
				canonInto(dst.Field(i), src.Field(i))
			}
		}
	default:
		dst.Set(src)
	}
}
