package memory_test

import (
	"context"
	"fmt"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
)

// A program that needs no engine reads and writes rows itself; with an engine its
// commands do.
func ExampleNew() {
	ctx := context.Background()
	db := memory.New(memory.Options{})
	defer db.Close()
	if err := db.System().CreateWorkspace(ctx, "shop", "Shop"); err != nil {
		fmt.Println(err)
	}
	err := db.Update(ctx, "shop", func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "jun", Name: "Jun"})
		return err
	})
	fmt.Println(err)
	err = db.View(ctx, "shop", func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Contacts().Contact(ctx, "jun")
		fmt.Println(c.Name, c.Version)
		return err
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// Jun 1
	// <nil>
}
