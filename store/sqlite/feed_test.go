package sqlite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// A place in the feed at a time is found without looking through what came before it,
// also where another workspace has written between, and where an event tells of a time
// before that of the one in front of it.
func TestAPlaceInTheFeedIsFoundByHalving(t *testing.T) {
	db := openTest(t, Options{})
	begin := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	other := driver.WorkspaceID("another")
	require.NoError(t, db.System().CreateWorkspace(t.Context(), other, "Another"))
	const n = 3000
	at := func(i int) time.Time {
		if i%10 == 3 {
			return begin.Add(time.Duration(i-5) * time.Second) // late to be told
		}
		return begin.Add(time.Duration(i) * time.Second)
	}
	for from := 0; from < n; from += 100 {
		for _, ws := range []driver.WorkspaceID{testWS, other} {
			require.NoError(t, db.Update(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
				for i := from; i < from+100; i++ {
					e := driver.Event{Aggregate: "a", ID: fmt.Sprint(i), Version: int64(i + 1), Kind: "k", At: at(i)}
					if err := tx.Events().Append(ctx, e); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	}
	for _, i := range []int{0, 1, 13, 1500, 1503, n - 1, n + 100} {
		since := begin.Add(time.Duration(i) * time.Second)
		want := 0
		for k := range n {
			if !at(k).Before(since) {
				want++
			}
		}
		before := db.Stats().RowsRead
		evs, _, err := db.Feed(t.Context(), testWS, driver.CursorAt(since), n)
		require.NoError(t, err)
		looked := db.Stats().RowsRead - before - int64(len(evs))
		require.Less(t, looked, int64(20), "rows read to find second %d", i)
		require.LessOrEqual(t, len(evs)-want, 20, "hardly any that are older come as well")
		told := 0
		for _, e := range evs {
			if !e.At.Before(since) {
				told++
			}
		}
		require.Equal(t, want, told, "all from second %d on", i)
	}
}
