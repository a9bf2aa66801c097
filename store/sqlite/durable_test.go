package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// copyData copies the data as a dead machine would have left them: no lock, no
// shared memory, the log cut after so many bytes (-1: whole).
func copyData(t testing.TB, from string, logBytes int64) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{dataFile, dataFile + "-wal"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		if name != dataFile && logBytes >= 0 {
			content = content[:min(logBytes, int64(len(content)))]
		}
		require.NoError(t, os.WriteFile(filepath.Join(to, name), content, 0o600))
	}
	return to
}

// TestPowerCut cuts the log at many places, also within a commit: whatever was
// acknowledged before that place is there, each batch whole or not at all.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	db := openTest(t, Options{Dir: dir})
	_, err := backendOf(db).com.conn.Exec(`PRAGMA wal_autocheckpoint = 0`) // all of it stays in the log
	require.NoError(t, err)
	logSize := func() int64 {
		st, err := os.Stat(filepath.Join(dir, dataFile+"-wal"))
		require.NoError(t, err)
		return st.Size()
	}
	const batches, each = 12, 3
	var acked []int64 // the log's size at each acknowledgement
	for n := range batches {
		var fns []func(context.Context, store.Tx) error
		for i := range each {
			fns = append(fns, saving(fmt.Sprintf("c%d-%d", n, i)))
		}
		for _, err := range batch(t, db, fns...) {
			require.NoError(t, err)
		}
		acked = append(acked, logSize())
	}
	cuts := slices.Clone(acked)
	for _, size := range acked {
		cuts = append(cuts, size-1, size-2000, size-4096, size+100)
	}
	for _, cut := range cuts {
		after, err := Open(t.Context(), Options{Dir: copyData(t, dir, cut)})
		require.NoError(t, err, "cut at %d", cut)
		for n := range batches {
			found := 0
			for i := range each {
				if cut >= acked[0] && hasContact(t, after, fmt.Sprintf("c%d-%d", n, i)) {
					found++
				}
			}
			if cut >= acked[n] {
				require.Equal(t, each, found, "batch %d was acknowledged at %d and lost by a cut at %d", n, acked[n], cut)
			}
			require.Contains(t, []int{0, each}, found, "half of batch %d survived a cut at %d", n, cut)
		}
		require.NoError(t, after.Close())
	}
}

// TestCopyOfARunningStoreIsWhole is the backup by VACUUM INTO that the package
// comment names.
func TestCopyOfARunningStoreIsWhole(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	db := openTest(t, Options{Dir: dir})
	appendKeys(t, db, "l", "k1", "k2")
	update(t, db, saving("a"))
	require.NoError(t, Backup(t.Context(), db, filepath.Join(to, dataFile)))
	require.ErrorIs(t, Backup(t.Context(), db, filepath.Join(to, dataFile)), store.ErrInvalid, "a backup never overwrites")
	appendKeys(t, db, "l", "k3")
	copied := openTest(t, Options{Dir: to})
	require.True(t, hasContact(t, copied, "a"))
	require.Equal(t, []string{"k1", "k2"}, keysOf(claimInbox(t, copied, time.Minute)))
}

// reopen opens the same data after a crash: nothing of the old memory remains.
func reopen(t testing.TB, db *store.DB, now func() time.Time) *store.DB {
	t.Helper()
	return openTest(t, Options{Dir: copyData(t, backendOf(db).opts.Dir, -1), Now: now})
}

func TestPendingLanesAreKnownAfterACrash(t *testing.T) {
	clock := newFakeClock()
	db := openTest(t, Options{Now: clock.Now})
	appendKeys(t, db, "l1", "a", "b")
	appendKeys(t, db, "l2", "c")
	appendKeys(t, db, "l3", "d")
	lanes := claimInbox(t, db, time.Hour)
	require.Equal(t, []string{"a", "b", "c", "d"}, keysOf(lanes))
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Inbox().Done(ctx, lanes[0].Claim, lanes[0].Envelopes[0].ID); err != nil {
			return err
		}
		if err := tx.Inbox().Quarantine(ctx, lanes[1].Claim, lanes[1].Envelopes[0].ID, "bad"); err != nil {
			return err
		}
		return tx.Inbox().Retry(ctx, lanes[2].Claim, lanes[2].Envelopes[0].ID, clock.Now().Add(time.Minute), "later")
	})
	db = reopen(t, db, clock.Now)
	require.Equal(t, []string{"b"}, keysOf(claimInbox(t, db, time.Hour)), "claims die with the process, delays do not")
	dues, err := db.System().NextDue(t.Context())
	require.NoError(t, err)
	require.Equal(t, clock.Now().Add(time.Minute), dues.Inbox)
	clock.advance(time.Minute)
	again := claimInbox(t, db, time.Hour)
	require.Equal(t, []string{"d"}, keysOf(again))
	require.Equal(t, 1, again[0].Envelopes[0].Tries)
	require.Equal(t, []bool{false, false, true}, appendKeys(t, db, "l9", "a", "c", "new"), "dedup keys survive")
}

func TestAttemptLeftInSendingIsDoubtfulAfterACrash(t *testing.T) {
	clock := newFakeClock()
	db := openTest(t, Options{Now: clock.Now})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Enqueue(ctx, outboxRow("1", "x"), outboxRow("2", "x"), outboxRow("3", "x"), outboxRow("4", "y"),
			outboxRow("5", "z"))
	})
	lanes := claimOutbox(t, db, time.Hour)
	require.Len(t, lanes, 3)
	attempt := adapter.Attempt{ID: "at", Account: "acct", Rows: []channel.OutboxID{"1", "2"}, Request: []byte{0, 1, 255}, Tries: 1,
		PlannedAt: clock.Now()}
	repeat := adapter.Attempt{ID: "rep", Account: "acct", Rows: []channel.OutboxID{"4"}, Tries: 1, PlannedAt: clock.Now()}
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Outbox().Begin(ctx, lanes[0].Claim, attempt); err != nil {
			return err
		}
		return tx.Outbox().Begin(ctx, lanes[1].Claim, repeat)
	})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Settle(ctx, lanes[1].Claim, "rep", driver.Settlement{State: channel.OutboxQueued,
			NotBefore: clock.Now().Add(time.Minute)})
	})
	db = reopen(t, db, clock.Now)
	lanes = claimOutbox(t, db, time.Hour)
	require.Len(t, lanes, 2)
	require.True(t, lanes[0].Doubtful)
	require.Equal(t, &attempt, lanes[0].Attempt)
	require.Len(t, lanes[0].Rows, 2)
	require.Equal(t, channel.OutboxSending, lanes[0].Rows[0].State)
	require.False(t, lanes[1].Doubtful)
	require.Nil(t, lanes[1].Attempt)
	clock.advance(time.Minute)
	lanes = claimOutbox(t, db, time.Hour)
	require.Len(t, lanes, 1)
	require.Equal(t, "rep", lanes[0].Attempt.ID)
	require.False(t, lanes[0].Doubtful, "its outcome was recorded")
}

func TestPauseSurvivesACrash(t *testing.T) {
	clock := newFakeClock()
	db := openTest(t, Options{Now: clock.Now})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Outbox().Enqueue(ctx, outboxRow("1", "x")); err != nil {
			return err
		}
		return tx.Outbox().Pause(ctx, "acct", clock.Now().Add(time.Minute))
	})
	db = reopen(t, db, clock.Now)
	require.Empty(t, claimOutbox(t, db, time.Hour))
	clock.advance(time.Minute)
	require.Len(t, claimOutbox(t, db, time.Hour), 1)
}

func TestClockFeedAndEpochsGoOnAfterACrash(t *testing.T) {
	clock := newFakeClock()
	db := openTest(t, Options{Now: clock.Now})
	_, cursor, err := db.Feed(t.Context(), testWS, "", 1)
	require.NoError(t, err)
	var last time.Time
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		last = tx.Now()
		return tx.Events().Append(ctx, store.Event{Aggregate: "x", ID: "1"}, store.Event{Aggregate: "x", ID: "2"})
	})
	epoch, err := db.System().Lease(t.Context(), "board", "n1", time.Hour)
	require.NoError(t, err)
	_, err = db.System().Lease(t.Context(), "board", "n2", time.Hour)
	require.ErrorIs(t, err, store.ErrConflict)

	clock.advance(-time.Hour)
	db = reopen(t, db, clock.Now)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		require.False(t, tx.Now().Before(last), "the clock went back over a restart")
		n, err := tx.Purge(ctx, driver.Ages{Feed: last.Add(time.Hour)}, 100)
		require.Equal(t, 2, n)
		return err
	})
	next, err := db.System().Lease(t.Context(), "board", "n2", time.Hour)
	require.NoError(t, err, "the holder died")
	require.Greater(t, next, epoch)

	_, _, err = db.Feed(t.Context(), testWS, cursor, 10)
	require.ErrorIs(t, err, store.ErrCursorGone)
	_, present, err := db.Feed(t.Context(), testWS, "", 1)
	require.NoError(t, err)
	db = reopen(t, db, clock.Now) // all events are purged: the numbers must not begin again
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Events().Append(ctx, store.Event{Aggregate: "x", ID: "3"})
	})
	evs, _, err := db.Feed(t.Context(), testWS, present, 10)
	require.NoError(t, err)
	require.Len(t, evs, 1)
	require.Equal(t, "3", evs[0].ID)
}

func TestRunningJobIsDueAfterACrashAndCountsItsAttempt(t *testing.T) {
	db := openTest(t, Options{})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Jobs().Enqueue(ctx, driver.Job{ID: "j", Kind: "k"})
	})
	claim := func() []driver.Job {
		got, err := db.System().ClaimJobs(t.Context(), "n", map[string]int{"k": 10}, time.Hour)
		require.NoError(t, err)
		return got
	}
	require.Len(t, claim(), 1)
	require.Empty(t, claim())
	db = reopen(t, db, nil)
	again := claim()
	require.Len(t, again, 1)
	require.Equal(t, 2, again[0].Attempts)
}

func TestCleanCloseLeavesNoLog(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, db.System().CreateWorkspace(t.Context(), testWS, ""))
	require.NoError(t, db.Update(t.Context(), testWS, saving("a")))
	require.NoError(t, db.Close())
	require.NoFileExists(t, filepath.Join(dir, dataFile+"-wal"), "the one file is the whole database")
	require.True(t, hasContact(t, openTest(t, Options{Dir: dir}), "a"))
}

func TestIdleClaimsAndReadsCostNoCommit(t *testing.T) {
	db := openTest(t, Options{})
	appendKeys(t, db, "l", "k")
	before := db.Stats().Commits
	lanes := claimInbox(t, db, time.Minute)
	require.Len(t, lanes, 1)
	require.NoError(t, db.System().Release(t.Context(), driver.NewsInbox, lanes[0].LaneRef))
	require.Len(t, claimInbox(t, db, time.Minute), 1)
	claimOutbox(t, db, time.Minute)
	_, err := db.System().ClaimJobs(t.Context(), "n", map[string]int{"k": 1}, time.Minute)
	require.NoError(t, err)
	_, err = db.System().NextDue(t.Context())
	require.NoError(t, err)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Config().Configuration(ctx, 0)
		return err
	})
	_, err = db.System().Lease(t.Context(), "l", "n", time.Minute)
	require.NoError(t, err)
	for range 5 {
		_, err = db.System().Lease(t.Context(), "l", "n", time.Minute)
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, db.Stats().Commits-before, "the lease's new holder alone")
	require.NoError(t, db.System().Check(t.Context()))
	require.EqualValues(t, 3, db.Stats().Commits-before, "a check writes durably, and takes back what it wrote")
}

// TestListsUseTheirIndex reads the plans of the lists whose cost must not grow
// with the history.
func TestListsUseTheirIndex(t *testing.T) {
	c := backendOf(openTest(t, Options{})).com.conn
	for sql, args := range map[string]int{
		`SELECT doc FROM items WHERE ws = ? AND state <> 'done' ORDER BY seq`: 1,
		`SELECT seq` + dueJobs: 3,
		`SELECT ws, kind, id, at FROM deadlines WHERE at <= ? ORDER BY at, ws, kind, id LIMIT ?`:                 2,
		`SELECT doc, seq FROM events WHERE ws = ? AND seq > ? ORDER BY seq LIMIT ?`:                              3,
		`SELECT doc FROM messages WHERE ws = ? AND conversation = ? AND seq > ? ORDER BY seq LIMIT ?`:            4,
		`SELECT ws, id FROM agents WHERE presence <> 'offline' AND beat <> 0 AND beat < ? ORDER BY beat LIMIT ?`: 2,
	} {
		require.NoError(t, c.Query("EXPLAIN QUERY PLAN "+sql, func(r raw.Row) bool {
			require.NotContains(t, r.Text(3), "TEMP B-TREE", sql)
			require.NotRegexp(t, `SCAN \w+$`, r.Text(3), sql)
			return true
		}, slices.Repeat([]any{1}, args)...))
	}
}

// TestLogBeginsAnewUnderViewsWithoutAPause keeps the log from growing for ever
// where at any moment some View is open.
func TestLogBeginsAnewUnderViewsWithoutAPause(t *testing.T) {
	db := openTest(t, Options{})
	b := backendOf(db)
	b.logLimit = 1 << 20
	size := func() int64 {
		st, err := os.Stat(b.path + "-wal")
		require.NoError(t, err)
		return st.Size()
	}
	// Two Views that overlap: each begins before the other ends.
	hold := func() (end func()) {
		began, ended, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			_ = db.View(context.Background(), testWS, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Config().Configuration(ctx, 0)
				close(began)
				<-finish
				return err
			})
		}()
		<-began
		return func() { close(finish); <-ended }
	}
	end := hold()
	for n := range 3 * logEvery {
		appendKeys(t, db, "l", name("k", n))
		if n%50 == 0 {
			next := hold()
			end()
			end = next
		}
	}
	require.Greater(t, size(), b.logLimit)
	end()
	for n := range logEvery {
		appendKeys(t, db, "l", name("j", n))
	}
	require.Less(t, size(), 8*b.logLimit)
}

func TestListOfConversationsUsesAnIndexInOrder(t *testing.T) {
	c := backendOf(openTest(t, Options{})).com.conn
	handled := true
	for name, f := range map[string]conversation.Filter{
		"all":           {},
		"state":         {States: []conversation.State{conversation.StateOpen}},
		"agent":         {Agent: "a", States: []conversation.State{conversation.StateActive}},
		"contact":       {Contact: "k"},
		"state, desks":  {States: []conversation.State{conversation.StateOpen}, Desks: []conversation.DeskID{"d"}, Handled: &handled},
		"opened within": {From: time.Unix(1, 0), To: time.Unix(2, 0)},
	} {
		terms, err := filterTerms(f)
		require.NoError(t, err)
		terms.after(driver.ConversationPlace{UpdatedAt: moment(5), ID: "x"})
		state := conversation.State("")
		if len(f.States) > 0 {
			state = f.States[0]
		}
		sql, args := listQuery(1, conversationColumns, state, index(f), terms, 10)
		require.NoError(t, c.Query("EXPLAIN QUERY PLAN "+sql, func(r raw.Row) bool {
			require.NotContains(t, r.Text(3), "TEMP B-TREE", "%s: %s", name, sql)
			return true
		}, args...))
	}
}

func FuzzTokens(f *testing.F) {
	e := epochs{list: []epoch{{-1, rand.Text()}, {50, rand.Text()}}}
	for _, s := range []string{"", "q1-", "q1-10", "q1--1", "q1-zzzzzzzzzzzzzzzz", "q2-", "q2-10", "q2-10-", "q2-1-X", e.cursor(77),
		"q1" + e.cursor(7)[2:], "AAAA", "\x00", "한국"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := e.parse(s)
		switch {
		case err == nil:
			require.Equal(t, s, e.cursor(n), "a cursor is canonical")
		case !errors.Is(err, store.ErrCursorGone):
			require.ErrorIs(t, err, store.ErrInvalid)
		}
	})
}
