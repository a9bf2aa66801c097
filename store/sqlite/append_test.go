package sqlite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// What is stored of the envelopes, in the order of their numbers.
func storedKeys(t *testing.T, db *store.DB) (keys []string) {
	require.NoError(t, backendOf(db).View(t.Context(), testWS, inTx(func(x *tx) error {
		return x.each(`SELECT w.id || '/' || e.dedup || '/' || e.id FROM envelopes e JOIN workspaces w ON w.num = e.ws ORDER BY e.seq`,
			func(r raw.Row) { keys = append(keys, r.Text(0)) })
	})))
	return keys
}

// Calls of one batch are inserted by few statements; each is told what it alone would be.
func TestAppendsOfABatchAreAnsweredAsIfAlone(t *testing.T) {
	db := openTest(t, Options{})
	const other = store.WorkspaceID("other")
	require.NoError(t, db.System().CreateWorkspace(t.Context(), other, "Other"))
	appendKeys(t, db, "l", "known")
	before := db.Stats()
	var want, stored [][]bool
	var calls []func() error
	add := func(ws store.WorkspaceID, fresh []bool, keys ...string) {
		var envs []adapter.Envelope
		for i, key := range keys {
			e := envelope("l", key)
			e.ID = channel.EnvelopeID(fmt.Sprintf("%s-%d-%d", ws, len(calls), i))
			e.OccurredAt = time.Unix(1e9-int64(i), 0) // numbered in the order of their time, the last first
			envs = append(envs, e)
		}
		at := len(calls)
		want, stored = append(want, fresh), append(stored, nil)
		calls = append(calls, func() (err error) {
			stored[at], err = db.AppendEnvelopes(t.Context(), ws, envs)
			return err
		})
	}
	add(testWS, []bool{true}, "a")
	add(testWS, []bool{false}, "known")
	add(testWS, []bool{true, true, false}, "b", "c", "b")
	add(testWS, []bool{false}, "c")
	add(other, []bool{true, true}, "a", "known")
	add(testWS, []bool{false, true}, "a", "d")
	for range 70 {
		add(testWS, []bool{true}, fmt.Sprint("more", len(calls)))
	}
	for _, err := range batchCalls(t, db, calls...) {
		require.NoError(t, err)
	}
	require.Equal(t, want, stored)
	require.EqualValues(t, 1, db.Stats().Commits-before.Commits)
	keys := storedKeys(t, db)
	require.Equal(t, []string{"ws/a/ws-0-0", "ws/c/ws-2-1", "ws/b/ws-2-0", "other/known/other-4-1", "other/a/other-4-0",
		"ws/d/ws-5-1"}, keys[1:7])
	require.Len(t, keys, 77)
	taken := 0
	for _, l := range claimInbox(t, db, time.Hour) {
		taken += len(l.Envelopes)
	}
	require.Equal(t, 77, taken, "the lanes know all of them")
}

// One whose envelope cannot be stored fails alone.
func TestAnAppendThatCannotBeStoredFailsAlone(t *testing.T) {
	db := openTest(t, Options{})
	twice := func(key string) func() error {
		return func() error {
			e := envelope("l", key)
			e.ID = "the same"
			_, err := db.AppendEnvelopes(t.Context(), testWS, []adapter.Envelope{e})
			return err
		}
	}
	good := func(key string) func() error {
		return func() error {
			_, err := db.AppendEnvelopes(t.Context(), testWS, []adapter.Envelope{envelope("l", key)})
			return err
		}
	}
	errs := batchCalls(t, db, good("a"), twice("b"), good("c"), twice("d"), good("e"),
		func() error { return db.Update(t.Context(), testWS, saving("saved")) })
	for i, err := range errs {
		if i == 3 {
			require.ErrorIs(t, err, driver.ErrUnavailable)
			continue
		}
		require.NoError(t, err)
	}
	require.True(t, hasContact(t, db, "saved"))
	require.Len(t, storedKeys(t, db), 4)
	require.Len(t, claimInbox(t, db, time.Hour)[0].Envelopes, 4)
}

// Who has to answer in time is let go while a commit hangs (driver.Prompt).
func TestAnAppendReturnsWhenItsContextEnds(t *testing.T) {
	db := openTest(t, Options{})
	hangs, release := make(chan struct{}), make(chan struct{})
	stop := db.Wake(func(driver.Hint) { // as a disk would: it is committed, and nobody is told
		close(hangs)
		<-release
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := db.AppendEnvelopes(ctx, testWS, []adapter.Envelope{envelope("l", "k")})
		ended <- err
	}()
	<-hangs
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	close(release)
	<-stopped
	require.Equal(t, []bool{false}, appendKeys(t, db, "l", "k"), "the repetition is absorbed")
}
