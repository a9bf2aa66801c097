package memory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store/driver"
)

// A page of a list looks at the documents of the page, however many there are, in
// whatever order and place it begins.
func TestAListLooksAtItsPageAlone(t *testing.T) {
	b := newBackend(Options{Now: func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }})
	require.NoError(t, b.System().CreateWorkspace(t.Context(), "ws", ""))
	const n = 5000
	id := func(i int) string { return fmt.Sprintf("%05d", i) }
	require.NoError(t, b.Update(t.Context(), "ws", func(ctx context.Context, tx driver.Tx) error {
		for i := range n {
			d := driver.Doc{Kind: "k", ID: id(i), Body: []byte(`{}`),
				Tags: []driver.Tag{{Name: "of", Value: []byte{byte(i % 2)}, Order: []byte(id(n - i))}}}
			d.Index[1] = []byte(id(i))
			if err := tx.Documents.Put(ctx, []driver.Doc{d}); err != nil {
				return err
			}
		}
		return nil
	}))
	middle := driver.Place{Value: []byte(id(n / 2)), ID: id(n / 2)}
	for name, c := range map[string]struct {
		r     driver.Range
		after driver.Place
		first string
	}{
		"an index from the beginning": {driver.Range{Kind: "k", Slot: 1}, driver.Place{}, id(0)},
		"an index from the end":       {driver.Range{Kind: "k", Slot: 1, Desc: true}, driver.Place{}, id(n - 1)},
		"an index from the middle":    {driver.Range{Kind: "k", Slot: 1}, middle, id(n/2 + 1)},
		"backwards from the middle":   {driver.Range{Kind: "k", Slot: 1, Desc: true}, middle, id(n/2 - 1)},
		"a range": {driver.Range{Kind: "k", Slot: 1, From: []byte(id(700)), To: []byte(id(900))},
			driver.Place{}, id(700)},
		"a tag": {driver.Range{Kind: "k", Tag: "of", Value: []byte{1}}, driver.Place{}, id(n - 1)},
	} {
		t.Run(name, func(t *testing.T) {
			before := b.looked
			require.NoError(t, b.View(t.Context(), "ws", func(ctx context.Context, tx driver.Tx) error {
				list, err := tx.Documents.List(ctx, c.r, c.after, 50)
				require.NoError(t, err)
				require.Len(t, list, 50)
				require.Equal(t, c.first, list[0].ID)
				return nil
			}))
			require.EqualValues(t, 50, b.looked-before)
		})
	}
}
