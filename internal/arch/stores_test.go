package arch

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
)

// maxDriverMethods is how many methods the author of a store writes at most.
const maxDriverMethods = 80

// A store is written in an afternoon's reading: what it must answer is counted
// here, over every interface that the driver hands out. What a store may have
// beside (driver.HeadRepo) is none of it, as long as the store in memory does
// without.
func TestAStoreHasFewMethodsToWrite(t *testing.T) {
	found := map[reflect.Type]bool{}
	interfacesOf(reflect.TypeFor[driver.Backend](), found)
	total := 0
	for i := range found {
		t.Logf("%-24s %d", i, i.NumMethod())
		total += i.NumMethod()
	}
	require.Greater(t, len(found), 3)
	db := memory.New(memory.Options{})
	require.NoError(t, db.System().CreateWorkspace(t.Context(), "w", "W"))
	require.NoError(t, db.Backend().View(t.Context(), "w", func(_ context.Context, tx driver.Tx) error {
		_, beside := tx.Conversations.(driver.HeadRepo)
		require.False(t, beside)
		return nil
	}))
	require.LessOrEqual(t, total, maxDriverMethods, "a document (driver.DocRepo) needs no method of its own")
}

// interfacesOf collects the interfaces of this module that are reached from t by
// results of methods, by fields, and by what functions are called with.
func interfacesOf(t reflect.Type, found map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Interface:
		if found[t] || !strings.HasPrefix(t.PkgPath(), "github.com/sangdam/") {
			return
		}
		found[t] = true
		for i := range t.NumMethod() {
			interfacesOf(t.Method(i).Type, found)
		}
	case reflect.Func:
		for i := range t.NumIn() {
			interfacesOf(t.In(i), found)
		}
		for i := range t.NumOut() {
			interfacesOf(t.Out(i), found)
		}
	case reflect.Struct:
		if t == reflect.TypeFor[driver.Tx]() {
			for i := range t.NumField() {
				interfacesOf(t.Field(i).Type, found)
			}
		}
	}
}
