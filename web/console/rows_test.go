package console_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite"
)

// fillDesk writes conversations of one message each, every tenth of them ended.
func (w *world) fillDesk(n int) {
	w.t.Helper()
	for from := 0; from < n; from += 5_000 {
		require.NoError(w.t, w.db.Update(w.t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
			for i := from; i < min(from+5_000, n); i++ {
				id := conversation.ID(fmt.Sprintf("c%06d", i))
				at := tx.Now().Add(-time.Duration(n-i) * time.Second)
				c := conversation.Conversation{ID: id, Thread: string(id), State: conversation.StateOpen,
					Desk: "support", WorkStream: "line",
					Account: "shop", Channel: "line", Chat: channel.Chat{Kind: channel.ChatUser, ID: string(id)},
					Control: conversation.ControlNobody, Preview: fmt.Sprintf("message %d", i), OpenedAt: at, UpdatedAt: at}
				if i%10 == 0 {
					c.State, c.ClosedAt = conversation.StateClosed, at
				}
				if _, err := tx.Conversations().SaveConversation(ctx, c); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// rowsFor is how many rows of the database a page costs: the least of some tries,
// since the engine reads beside it.
func (w *world) rowsFor(path string) int64 {
	w.t.Helper()
	least := int64(1 << 62)
	for range 5 {
		before := w.db.Stats().RowsRead
		resp := w.client("admin").do(http.MethodGet, path, "")
		_, err := io.Copy(io.Discard, resp.Body)
		require.NoError(w.t, err)
		require.Equal(w.t, http.StatusOK, resp.StatusCode, path)
		least = min(least, w.db.Stats().RowsRead-before)
	}
	return least
}

// The pages of a desk with very many conversations read as many rows as those of
// a small one.
func TestPagesReadABoundedNumberOfRows(t *testing.T) {
	paths := []string{"/conversations?view=mine", "/conversations?view=waiting", "/conversations?view=all", "/conversations?view=ended",
		"/conversations/c000101?view=all", "/conversations?view=all&rows=300", "/history?state=closed", "/bar", "/queues"}
	var small map[string]int64
	for _, n := range []int{2_000, 20_000} {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		w := newWorldOn(t, db)
		w.fillDesk(n)
		rows := map[string]int64{}
		for _, path := range paths {
			rows[path] = w.rowsFor(path)
			require.Less(t, rows[path], int64(3_000), path)
			if small != nil {
				require.InDelta(t, small[path], rows[path], 20, "%s: %d rows of few, %d of many", path, small[path], rows[path])
			}
		}
		t.Log(n, rows)
		small = rows
	}
}

// A page asks whether the configuration is still what is known, and does not read
// all of it again; what was changed is shown by the next page.
func TestPagesDoNotReadTheConfigurationAgain(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := newWorldOn(t, db)
	w.fillDesk(20)
	paths := []string{"/conversations?view=mine", "/conversations/c000001?view=mine", "/history?state=closed", "/bar"}
	before := map[string]int64{}
	for _, path := range paths {
		before[path] = w.rowsFor(path)
	}
	for i := range 100 {
		_, err := w.eng.SaveQueue(t.Context(), w.host, sangdam.SaveQueue{Queue: routing.Queue{ID: routing.QueueID(fmt.Sprintf("q%d", i)),
			Name: fmt.Sprintf("Queue %d", i)}})
		require.NoError(t, err)
	}
	for _, path := range paths {
		require.InDelta(t, before[path], w.rowsFor(path), 20, path)
	}
	page, err := io.ReadAll(w.client("admin").do(http.MethodGet, "/setup", "").Body)
	require.NoError(t, err)
	require.Contains(t, string(page), "Queue 99")
}

// A page is made of about what it shows: what its tabs count is not loaded, nor is
// a page of every state where one page of all of them is shown. The bytes are the
// least of some tries, since the engine works beside them.
func TestPagesAllocateWhatTheyShow(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := newWorldOn(t, db)
	w.fillDesk(3_000)
	for path, most := range map[string]uint64{"/conversations?view=mine": 300, "/conversations?view=all": 800,
		"/conversations/c000101?view=all": 900, "/bar": 100} {
		least := uint64(1 << 62)
		for range 20 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			resp := w.client("admin").do(http.MethodGet, path, "")
			_, err := io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode, path)
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		t.Log(path, least/1024, "KiB")
		require.LessOrEqual(t, least/1024, most, path)
	}
}
