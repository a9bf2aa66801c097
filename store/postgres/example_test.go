package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
)

// A process opens the database, makes its workspace once, and hands the DB to
// the engine.
func Example() {
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Options{DSN: os.Getenv("DATABASE_URL")})
	if errors.Is(err, store.ErrInvalid) {
		fmt.Println("the settings are wrong") // the error says which, without the password
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.System().CreateWorkspace(ctx, "acme", "Acme Ltd")
	if err != nil && !errors.Is(err, store.ErrAlreadyExists) {
		log.Fatal(err)
	}
	err = db.View(ctx, "acme", func(ctx context.Context, tx store.Tx) error {
		n, err := tx.Outbox().Pending(ctx)
		fmt.Println(n, "messages wait to leave")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
