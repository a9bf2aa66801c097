package sqlite

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// What a Board is made of comes whole and in order, however many goroutines decode it,
// and a row that cannot be read is an error, not a gap.
func TestOpenItemsAreDecodedTogether(t *testing.T) {
	for _, n := range []int{1, 1_500} {
		db := openTest(t, Options{})
		update(t, db, func(ctx context.Context, tx store.Tx) error {
			for i := range n {
				it := routing.Item{ID: routing.ItemID(fmt.Sprint("i", i)), State: routing.ItemQueued, Queue: "q", Contact: fmt.Sprint(i)}
				if _, err := tx.Work().SaveItem(ctx, it); err != nil {
					return err
				}
			}
			return nil
		})
		open := func() (items []routing.Item, err error) {
			err = backendOf(db).View(t.Context(), testWS, inTx(func(x *tx) error {
				return work{x}.Items(t.Context(), nil, func(it routing.Item) { items = append(items, it) })
			}))
			return items, err
		}
		items, err := open()
		require.NoError(t, err)
		require.Len(t, items, n)
		for i, it := range items {
			require.Equal(t, routing.ItemID(fmt.Sprint("i", i)), it.ID)
			require.Equal(t, fmt.Sprint(i), it.Contact)
			require.EqualValues(t, 1, it.Version)
			require.Positive(t, it.Seq)
		}
		require.NoError(t, backendOf(db).Update(t.Context(), testWS, inTx(func(x *tx) error {
			return x.change(`UPDATE items SET doc = '{' WHERE ws = ? AND id = ?`, x.ws, fmt.Sprint("i", n-1))
		})))
		_, err = open()
		require.ErrorIs(t, err, store.ErrUnavailable)
	}
}
