package store

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

// TestACopyOfAnItemSharesNothing: whoever changes what a copy points to changes no
// other, also in a field that Item will have one day.
func TestACopyOfAnItemSharesNothing(t *testing.T) {
	var it routing.Item
	v := reflect.ValueOf(&it).Elem()
	var pointing []string
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 2))
		case reflect.Map:
			f.Set(reflect.MakeMap(f.Type()))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Interface, reflect.Chan, reflect.Func:
			t.Fatalf("%s: say here what a copy of it is", v.Type().Field(i).Name)
		default:
			continue
		}
		pointing = append(pointing, v.Type().Field(i).Name)
	}
	require.NotEmpty(t, pointing)
	of := reflect.ValueOf(copyOfItem(it))
	for _, name := range pointing {
		require.NotEqual(t, v.FieldByName(name).Pointer(), of.FieldByName(name).Pointer(), name)
	}
	require.Equal(t, it, of.Interface())
}
