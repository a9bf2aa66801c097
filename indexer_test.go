package sangdam_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// watchedIndex calls indexed once, before the next message is indexed.
type watchedIndex struct {
	driver.Backend
	mu      sync.Mutex
	indexed func()
}

func (b *watchedIndex) arm(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.indexed = fn
}

func (b *watchedIndex) take() func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn := b.indexed
	b.indexed = nil
	return fn
}

func (b *watchedIndex) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Search = watchedSearch{tx.Search, b}
		return fn(ctx, tx)
	})
}

type watchedSearch struct {
	driver.SearchRepo
	b *watchedIndex
}

func (s watchedSearch) Put(ctx context.Context, m conversation.MessageID, c conversation.ID, at time.Time, tokens []string) error {
	if fn := s.b.take(); fn != nil {
		fn()
	}
	return s.SearchRepo.Put(ctx, m, c, at, tokens)
}

// The index is built anew while a conversation changes that the walk has not
// reached: it jumps to where the walk has been, and is found all the same.
func TestRebuildingTheIndexMissesNothingThatChangesMeanwhile(t *testing.T) {
	inWorld(t, func(w *world) {
		_, past, err := w.db.Feed(w.ctx, ws, "", 1)
		require.NoError(t, err)
		w.line.User("Old").SendText("searchable elephant")
		w.settle()
		old := w.only()
		for i := range 205 { // more than a page of conversations
			w.line.User(fmt.Sprint("u", i)).SendText("filler")
			if i%50 == 0 {
				w.settle()
			}
		}
		w.pass(5 * time.Second)
		w.halt()

		// The index is lost, and its cursor leads to what is no longer kept.
		require.NoError(t, w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
			for _, m := range old.Messages {
				if err := tx.Search().Delete(ctx, m.ID); err != nil {
					return err
				}
			}
			_, err := tx.Purge(ctx, driver.Ages{Feed: tx.Now().Add(time.Hour)}, 100_000)
			return err
		}))
		cursor, err := w.db.System().Meta(w.ctx, "index/numbers/"+ws)
		require.NoError(t, err)
		require.NoError(t, w.db.System().PutMeta(w.ctx, "index/numbers/"+ws, cursor, []byte(past)))
		search := func() []sangdam.Found {
			found, err := w.eng.Search(w.ctx, w.host, "elephant", 10)
			require.NoError(t, err)
			return found
		}
		require.Empty(t, search())

		plain := w.eng
		b := &watchedIndex{Backend: w.db.Backend()}
		b.arm(func() {
			_, err := plain.AddNote(context.Background(), w.host,
				sangdam.AddNote{Conversation: old.Conversation.ID, Text: "changed meanwhile"})
			require.NoError(t, err)
		})
		w.cfg.DB = store.New(b)
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		w.start()
		w.pass(30 * time.Second)
		require.Nil(t, b.take(), "the change came while the index was built")
		require.Len(t, search(), 1)
	})
}
