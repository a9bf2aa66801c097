package memory_test

import (
	"testing"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/storetest"
)

func TestStore(t *testing.T) {
	clock := storetest.NewClock()
	storetest.Run(t, storetest.Harness{
		Name:  "memory",
		Clock: clock,
		Open:  func(testing.TB) *store.DB { return memory.New(memory.Options{Now: clock.Now}) },
		Caps:  storetest.Caps{Wakes: true},
	})
}
