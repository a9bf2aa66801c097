package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// lines is a log that several write to.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// pages bounds the size of the database to what it has, or lifts the bound. It
// runs on the connection that writes: the bound is the connection's own.
func pages(t *testing.T, db *store.DB, bounded bool) {
	t.Helper()
	b := backendOf(db)
	require.NoError(t, system{b}.write(t.Context(), func(tx *tx) error {
		limit := int64(1 << 30)
		if bounded {
			if err := tx.conn.Query(`PRAGMA page_count`, func(r raw.Row) bool { limit = r.Int(0); return true }); err != nil {
				return err
			}
		}
		_, err := tx.conn.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, limit))
		return err
	}))
}

// TestTheEngineWaitsForAFullDatabase needs no small disk: SQLite refuses to grow
// beyond a number of pages as it does on a full one.
func TestTheEngineWaitsForAFullDatabase(t *testing.T) {
	db := openTest(t, Options{})
	waitsWhileFull(t, db, func() { pages(t, db, true) }, func() { pages(t, db, false) })
}

// waitsWhileFull fills the disk while customers write: the engine says so once
// and in Ready, waits, goes on when there is room, and loses nothing that it
// acknowledged.
func waitsWhileFull(t *testing.T, db *store.DB, fill, empty func()) {
	t.Helper()
	var log lines
	s := newEngineBench(t, db, func(c *sangdam.Config) {
		c.DB, c.Logger = db, slog.New(slog.NewTextHandler(&log, nil))
	})
	s.run(t)
	until := func(what string, done func() bool) {
		t.Helper()
		require.Eventually(t, done, time.Minute, 5*time.Millisecond, "%s", what)
	}
	ready := func() error { return s.eng.Ready(t.Context()) }
	until("it starts", func() bool { return ready() == nil })
	var n, acknowledged atomic.Int64
	write := func() bool {
		i := int(n.Add(1))
		if s.post(s.textEvent(benchUser(i%5), i)) != nil {
			return false
		}
		acknowledged.Add(1)
		return true
	}
	ctx, stop := context.WithCancel(context.Background())
	var customers sync.WaitGroup
	for range 5 {
		customers.Go(func() {
			for ctx.Err() == nil {
				write()
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	until("customers write", func() bool { return len(s.done) >= 20 })
	fill()
	until("readiness tells", func() bool { err := ready(); return err != nil && strings.Contains(err.Error(), "disk is full") })
	before := log.count("\n")
	time.Sleep(3 * time.Second) // of a full disk: the engine must wait between its tries
	require.LessOrEqual(t, log.count("\n")-before, 5, "log lines in three seconds")
	require.LessOrEqual(t, log.count("the store does not work"), 2)
	empty()
	until("it works again", func() bool { return ready() == nil })
	until("customers are heard again", write)
	stop()
	customers.Wait()
	until("all that was acknowledged is processed", func() bool { return int64(len(s.done)) >= acknowledged.Load() })
	require.Positive(t, log.count("the store works again"))
}
