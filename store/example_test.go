package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
)

// Booking is a record of a host's own, kept beside the library's.
type booking struct {
	ID      string `json:"id"`
	Version int64  `json:"-"`
	Room    string `json:"room"`
	Guest   string `json:"guest"`
}

var bookings = store.Declare(store.Kind[booking]{Name: "example_booking",
	ID:      func(b *booking) string { return b.ID },
	Version: func(b *booking) *int64 { return &b.Version },
	Unique:  []store.Index[booking]{{Name: "room", Value: func(b *booking) []byte { return store.Text(b.Room) }}},
	Indexes: []store.Index[booking]{{Name: "guest", Value: func(b *booking) []byte { return store.Text(b.Guest) }}},
})

// A kind of document is declared once and is stored by every backend. Nobody else
// gets the room: Update runs again when a rival was first, and finds it taken.
func ExampleDeclare() {
	ctx := context.Background()
	db := memory.New(memory.Options{})
	defer db.Close()
	if err := db.System().CreateWorkspace(ctx, "hotel", "Hotel"); err != nil {
		fmt.Println(err)
		return
	}
	errTaken := errors.New("the room is taken")
	book := func(id, room, guest string) error {
		return db.Update(ctx, "hotel", func(ctx context.Context, tx store.Tx) error {
			_, err := bookings.ByKey(ctx, tx, "room", store.Text(room))
			if err == nil {
				return errTaken
			}
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return bookings.Save(ctx, tx, &booking{ID: id, Room: room, Guest: guest})
		})
	}
	fmt.Println(book("1", "12", "Mina"), book("2", "7", "Ara"), book("3", "12", "Jun"))

	err := db.View(ctx, "hotel", func(ctx context.Context, tx store.Tx) error {
		page, err := bookings.List(ctx, tx, store.List[booking]{Index: "guest"})
		for _, b := range page.Items {
			fmt.Println(b.Guest, b.Room, b.Version)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// <nil> <nil> the room is taken
	// Ara 7 1
	// Mina 12 1
}
