package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

const testWS = store.WorkspaceID("ws")

// fakeClock is a clock that tests move.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openTest opens a store with one workspace.
func openTest(t testing.TB, o Options) *store.DB {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	db, err := Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	err = db.System().CreateWorkspace(context.Background(), testWS, "Test")
	if err != nil {
		require.ErrorIs(t, err, store.ErrAlreadyExists)
	}
	return db
}

func backendOf(db *store.DB) *backend { return db.Backend().(*backend) }

func update(t testing.TB, db *store.DB, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	require.NoError(t, db.Update(context.Background(), testWS, fn))
}

func view(t testing.TB, db *store.DB, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	require.NoError(t, db.View(context.Background(), testWS, fn))
}

// saving returns a function that stores a contact.
func saving(id string) func(context.Context, store.Tx) error {
	return func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: conversation.ContactID(id)})
		return err
	}
}

func hasContact(t testing.TB, db *store.DB, id string) bool {
	t.Helper()
	err := db.View(context.Background(), testWS, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Contacts().Contact(ctx, conversation.ContactID(id))
		return err
	})
	if err != nil {
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	return err == nil
}

func envelope(lane, key string) adapter.Envelope {
	return adapter.Envelope{Account: "acct", Lane: lane, DedupKey: key, OccurredAt: time.Unix(1e9, 0), Raw: []byte(`{"text":"hi"}`)}
}

func appendKeys(t testing.TB, db *store.DB, lane string, keys ...string) []bool {
	t.Helper()
	envs := make([]adapter.Envelope, len(keys))
	for i, k := range keys {
		envs[i] = envelope(lane, k)
	}
	fresh, err := db.AppendEnvelopes(context.Background(), testWS, envs)
	require.NoError(t, err)
	return fresh
}

func claimInbox(t testing.TB, db *store.DB, lease time.Duration) []driver.InboxLane {
	t.Helper()
	got, err := db.System().ClaimInbox(context.Background(), "node", 100, 100, lease)
	require.NoError(t, err)
	return got
}

func claimOutbox(t testing.TB, db *store.DB, lease time.Duration) []driver.OutboxLane {
	t.Helper()
	got, err := db.System().ClaimOutbox(context.Background(), "node", 100, 100, lease)
	require.NoError(t, err)
	return got
}

func keysOf(lanes []driver.InboxLane) (keys []string) {
	for _, l := range lanes {
		for _, e := range l.Envelopes {
			keys = append(keys, e.DedupKey)
		}
	}
	return keys
}

// batch runs the functions in one batch, in order: the committer is held while
// they are handed in.
func batch(t testing.TB, db *store.DB, fns ...func(context.Context, store.Tx) error) []error {
	t.Helper()
	calls := make([]func() error, len(fns))
	for i, fn := range fns {
		calls[i] = func() error { return db.Update(context.Background(), testWS, fn) }
	}
	return batchCalls(t, db, calls...)
}

func batchCalls(t testing.TB, db *store.DB, calls ...func() error) []error {
	t.Helper()
	b := backendOf(db)
	held, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- db.Update(context.Background(), testWS, func(context.Context, store.Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
		for len(b.com.jobs) <= i {
			runtime.Gosched()
		}
	}
	close(release)
	wg.Wait()
	require.NoError(t, <-first)
	return errs
}

func outboxRow(id, lane string) driver.OutboxRow {
	return driver.OutboxRow{ID: channel.OutboxID(id), Account: "acct", Lane: lane, Conversation: "c", Message: channel.MessageID("m" + id),
		Content: channel.Text("hello")}
}

func parallel(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = call(i) })
	}
	wg.Wait()
	return errs
}

func name(prefix string, i int) string { return fmt.Sprintf("%s%06d", prefix, i) }
