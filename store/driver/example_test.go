package driver_test

import (
	"context"
	"fmt"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
)

// reading is a backend that takes no more writes, say while its database is moved.
type reading struct{ driver.Backend }

func (reading) Update(context.Context, driver.WorkspaceID, func(context.Context, driver.Tx) error) error {
	return fmt.Errorf("the database is being moved: %w", driver.ErrUnavailable)
}

// A wrapper embeds a Backend, changes what it watches, and is given to store.New.
func ExampleBackend() {
	ctx := context.Background()
	db := memory.New(memory.Options{})
	defer db.Close()
	if err := db.System().CreateWorkspace(ctx, "shop", "Shop"); err != nil {
		fmt.Println(err)
		return
	}
	moving := store.New(reading{db.Backend()})
	fmt.Println(moving.Update(ctx, "shop", func(context.Context, store.Tx) error { return nil }))
	fmt.Println(moving.View(ctx, "shop", func(context.Context, store.Tx) error { return nil }))
	// Output:
	// the database is being moved: unavailable
	// <nil>
}
