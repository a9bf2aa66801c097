package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "sangdam")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := db.System().CreateWorkspace(ctx, "shop", "My shop"); err != nil {
		log.Fatal(err)
	}

	// An Update is all or nothing, and on the disk when it returns.
	err = db.Update(ctx, "shop", func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "c1", Name: "김하나"})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	err = db.View(ctx, "shop", func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Contacts().Contact(ctx, "c1")
		fmt.Println(c.Name, err)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := sqlite.Backup(ctx, db, filepath.Join(dir, "backup.db")); err != nil {
		log.Fatal(err)
	}
	// Output: 김하나 <nil>
}
