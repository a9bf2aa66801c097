package memory

import (
	"reflect"
	"time"
)

// clone copies v with everything it refers to through exported fields, so that
// nothing is shared between the store and its callers. Times become UTC in
// microseconds, as in every store. Unexported fields are copied as they are:
// the domain's are immutable.
func clone[T any](v T) T {
	var out T
	copyInto(reflect.ValueOf(&out).Elem(), reflect.ValueOf(&v).Elem())
	return out
}

// clones copies a list.
func clones[T any](list []T) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = clone(v)
	}
	return out
}

var timeType = reflect.TypeFor[time.Time]()

func copyInto(dst, src reflect.Value) {
	switch src.Kind() {
	case reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(src.Type().Elem()))
			copyInto(dst.Elem(), src.Elem())
		}
	case reflect.Slice:
		if !src.IsNil() {
			dst.Set(reflect.MakeSlice(src.Type(), src.Len(), src.Len()))
			if flat(src.Type().Elem().Kind()) {
				reflect.Copy(dst, src)
				return
			}
			for i := range src.Len() {
				copyInto(dst.Index(i), src.Index(i))
			}
		}
	case reflect.Array:
		for i := range src.Len() {
			copyInto(dst.Index(i), src.Index(i))
		}
	case reflect.Map:
		if !src.IsNil() {
			dst.Set(reflect.MakeMapWithSize(src.Type(), src.Len()))
			for it := src.MapRange(); it.Next(); {
				val := reflect.New(src.Type().Elem()).Elem()
				copyInto(val, it.Value())
				dst.SetMapIndex(it.Key(), val)
			}
		}
	case reflect.Interface:
		if !src.IsNil() {
			val := reflect.New(src.Elem().Type()).Elem()
			copyInto(val, src.Elem())
			dst.Set(val)
		}
	case reflect.Struct:
		copyStruct(dst, src)
	default:
		dst.Set(src)
	}
}

func copyStruct(dst, src reflect.Value) {
	if src.Type() == timeType {
		dst.Set(reflect.ValueOf(src.Interface().(time.Time).UTC().Truncate(time.Microsecond)))
		return
	}
	dst.Set(src)
	for i := range src.NumField() {
		if src.Type().Field(i).IsExported() && !flat(src.Field(i).Kind()) {
			copyInto(dst.Field(i), src.Field(i))
		}
	}
}

// flat reports that values of the kind refer to nothing that can change.
func flat(k reflect.Kind) bool {
	return k <= reflect.Complex128 || k == reflect.String
}
