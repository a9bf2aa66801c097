package sqlite

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

func TestBatchSharesOneCommit(t *testing.T) {
	db := openTest(t, Options{})
	before := db.Stats()
	for _, err := range batch(t, db, saving("a"), saving("b"), saving("c")) {
		require.NoError(t, err)
	}
	after := db.Stats()
	require.EqualValues(t, 1, after.Commits-before.Commits, "the batch's commit; the one that held it wrote nothing")
	require.EqualValues(t, 4, after.Updates-before.Updates)
}

func TestMaxBatchBoundsACommit(t *testing.T) {
	db := openTest(t, Options{MaxBatch: 2})
	before := db.Stats().Commits
	for _, err := range batch(t, db, saving("a"), saving("b"), saving("c"), saving("d"), saving("e")) {
		require.NoError(t, err)
	}
	require.EqualValues(t, 3, db.Stats().Commits-before)
}

func TestErrorInABatchConcernsItsOwnFunctionAlone(t *testing.T) {
	db := openTest(t, Options{})
	boom := errors.New("boom")
	errs := batch(t, db, saving("a"), func(ctx context.Context, tx store.Tx) error {
		require.NoError(t, saving("lost")(ctx, tx))
		return boom
	}, saving("b"))
	require.NoError(t, errs[0])
	require.Same(t, boom, errs[1])
	require.NoError(t, errs[2])
	require.True(t, hasContact(t, db, "a"))
	require.True(t, hasContact(t, db, "b"))
	require.False(t, hasContact(t, db, "lost"))
}

// The first of a batch that writes has no savepoint: to undo it is to undo the transaction.
func TestWhoIsFirstInABatchFailsAlone(t *testing.T) {
	boom := errors.New("boom")
	for name, fails := range map[string]func() error{
		"an error": func() error { return boom },
		"a panic":  func() error { panic(boom) },
		"a clash":  func() error { return driver.ErrClash },
		"an exit": func() error {
			runtime.Goexit()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, Options{})
			ended := make(chan struct{})
			before := db.Stats().Commits
			var runs atomic.Int32
			errs := batchCalls(t, db,
				func() error {
					go func() {
						defer close(ended)
						defer func() { _ = recover() }()
						_ = backendOf(db).Update(context.Background(), testWS, inTx(func(x *tx) error {
							runs.Add(1)
							if err := x.change(`INSERT INTO meta (key, value) VALUES ('lost', x'00')`); err != nil {
								return err
							}
							return fails()
						}))
					}()
					return nil
				},
				func() error { return db.Update(t.Context(), testWS, saving("a")) },
				func() error { return db.Update(t.Context(), testWS, saving("b")) },
				func() error {
					fresh, err := db.AppendEnvelopes(t.Context(), testWS, []adapter.Envelope{envelope("l", "k")})
					require.Equal(t, []bool{true}, fresh)
					return err
				})
			require.Equal(t, []error{nil, nil, nil, nil}, errs)
			<-ended
			require.EqualValues(t, 1, runs.Load())
			require.EqualValues(t, 1, db.Stats().Commits-before)
			require.True(t, hasContact(t, db, "a"))
			require.True(t, hasContact(t, db, "b"))
			require.Len(t, claimInbox(t, db, 1e9), 1)
			require.NoError(t, backendOf(db).View(t.Context(), testWS, inTx(func(x *tx) error {
				stored, err := x.exists(`SELECT 1 FROM meta WHERE key = 'lost'`)
				require.False(t, stored)
				return err
			})))
		})
	}
}

func TestPanicInABatchGoesOnInItsCallerAndSiblingsSurvive(t *testing.T) {
	db := openTest(t, Options{})
	var value any
	errs := batchCalls(t, db,
		func() error { return db.Update(t.Context(), testWS, saving("a")) },
		func() error {
			defer func() { value = recover() }()
			return db.Update(t.Context(), testWS, func(ctx context.Context, tx store.Tx) error {
				_ = saving("lost")(ctx, tx)
				panic("boom")
			})
		},
		func() error { return db.Update(t.Context(), testWS, saving("b")) })
	require.Equal(t, []error{nil, nil, nil}, errs)
	require.Equal(t, "boom", value)
	require.True(t, hasContact(t, db, "a"))
	require.True(t, hasContact(t, db, "b"))
	require.False(t, hasContact(t, db, "lost"))
}

func TestGoexitInABatchEndsItsCallerAloneAndTheStoreWorksOn(t *testing.T) {
	db := openTest(t, Options{})
	ended := make(chan bool, 1)
	errs := batchCalls(t, db,
		func() error { return db.Update(t.Context(), testWS, saving("a")) },
		func() error {
			returned := false
			go func() {
				defer func() { ended <- returned }()
				_ = db.Update(context.Background(), testWS, func(ctx context.Context, tx store.Tx) error {
					_ = saving("lost")(ctx, tx)
					runtime.Goexit()
					return nil
				})
				returned = true
			}()
			return nil
		},
		func() error { return db.Update(t.Context(), testWS, saving("b")) })
	require.Equal(t, []error{nil, nil, nil}, errs)
	require.False(t, <-ended, "Update returned to a goroutine that was to end")
	require.NoError(t, db.Update(t.Context(), testWS, saving("c")))
	require.True(t, hasContact(t, db, "b"))
	require.False(t, hasContact(t, db, "lost"))
}

func TestCancelledWhileWaitingNeverRuns(t *testing.T) {
	db := openTest(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ran := false
	errs := batchCalls(t, db,
		func() error { return db.Update(t.Context(), testWS, saving("a")) },
		func() error {
			go cancel()
			return db.Update(ctx, testWS, func(context.Context, store.Tx) error {
				ran = true
				return nil
			})
		})
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], context.Canceled)
	require.False(t, ran)
}

func TestCancelInTheMiddleOfABatchConcernsItsOwnFunctionAlone(t *testing.T) {
	db := openTest(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	errs := batchCalls(t, db,
		func() error { return db.Update(t.Context(), testWS, saving("a")) },
		func() error {
			return db.Update(ctx, testWS, func(ctx context.Context, tx store.Tx) error {
				cancel()
				return saving("lost")(ctx, tx) // SQLite never sees the context
			})
		},
		func() error { return db.Update(t.Context(), testWS, saving("b")) })
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], context.Canceled)
	require.NoError(t, errs[2])
	require.True(t, hasContact(t, db, "a"))
	require.False(t, hasContact(t, db, "lost"))
	require.True(t, hasContact(t, db, "b"))
}

func TestLostTransactionRunsTheBatchAgainSingly(t *testing.T) {
	db := openTest(t, Options{})
	var runs atomic.Int32
	errs := batch(t, db,
		func(ctx context.Context, tx store.Tx) error {
			runs.Add(1)
			return saving("a")(ctx, tx)
		},
		func(ctx context.Context, stx store.Tx) error {
			// What SQLite does by itself on a full disk or an I/O error.
			_, err := backendOf(db).com.conn.Exec("ROLLBACK")
			require.NoError(t, err)
			err = saving("stray")(ctx, stx)
			require.ErrorIs(t, err, store.ErrUnavailable, "a write after the transaction ended would commit at once")
			return nil
		},
		saving("b"))
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], store.ErrUnavailable)
	require.NoError(t, errs[2])
	require.EqualValues(t, 2, runs.Load())
	require.True(t, hasContact(t, db, "a"))
	require.True(t, hasContact(t, db, "b"))
	require.False(t, hasContact(t, db, "stray"))
}

func TestFailedCommitAcknowledgesNothing(t *testing.T) {
	db := openTest(t, Options{})
	boom := errors.New("boom")
	var fresh []bool
	errs := batchCalls(t, db,
		func() error { return db.Update(t.Context(), testWS, saving("a")) },
		func() (err error) {
			fresh, err = db.AppendEnvelopes(t.Context(), testWS, []adapter.Envelope{envelope("l", "k")})
			return err
		},
		func() error {
			return backendOf(db).Update(t.Context(), testWS, func(_ context.Context, stx driver.Tx) error {
				x := stx.Session.(*tx) // a constraint that is looked at by COMMIT
				_, err := x.conn.Exec(`PRAGMA defer_foreign_keys = ON`)
				require.NoError(t, err)
				_, err = x.exec(`INSERT INTO agent_load (ws, agent, profile, used) VALUES (?, 'none', 'a', 1)`, x.ws)
				return err
			})
		},
		func() error {
			return db.Update(t.Context(), testWS, func(context.Context, store.Tx) error { return boom })
		})
	for i, err := range errs {
		require.ErrorIs(t, err, store.ErrUnavailable, "caller %d", i)
	}
	require.Nil(t, fresh)
	require.False(t, hasContact(t, db, "a"))
	require.Empty(t, claimInbox(t, db, 1e9), "the lanes must not know what was never committed")
	require.NoError(t, db.Update(t.Context(), testWS, saving("a")), "the store works on")
}

func TestFullDiskFailsWhatDoesNotFitAndNothingElse(t *testing.T) {
	db := openTest(t, Options{})
	big := adapter.Envelope{Account: "acct", DedupKey: "big", Raw: make([]byte, 1<<20)}
	_, err := backendOf(db).com.conn.Exec(`PRAGMA max_page_count = 300`) // 1.2 MB
	require.NoError(t, err)
	appendEnv := func(e adapter.Envelope) func() error {
		return func() error {
			_, err := db.AppendEnvelopes(context.Background(), testWS, []adapter.Envelope{e})
			return err
		}
	}
	errs := batchCalls(t, db, appendEnv(envelope("l", "k1")), appendEnv(big),
		func() error { return db.Update(context.Background(), testWS, saving("a")) }, appendEnv(envelope("l", "k2")))
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], store.ErrUnavailable)
	require.ErrorContains(t, errs[1], "disk is full")
	require.NoError(t, errs[2])
	require.NoError(t, errs[3])
	require.True(t, hasContact(t, db, "a"))
	require.Equal(t, []string{"k1", "k2"}, keysOf(claimInbox(t, db, 1e9)))
}

func TestNestedCallsAreRefused(t *testing.T) {
	db := openTest(t, Options{})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		require.ErrorIs(t, db.Update(ctx, testWS, saving("x")), store.ErrInvalid)
		require.ErrorIs(t, db.View(ctx, testWS, saving("x")), store.ErrInvalid)
		_, err := db.AppendEnvelopes(ctx, testWS, []adapter.Envelope{envelope("l", "k")})
		require.ErrorIs(t, err, store.ErrInvalid)
		_, _, err = db.Feed(ctx, testWS, "", 1)
		require.ErrorIs(t, err, store.ErrInvalid)
		require.ErrorIs(t, db.System().Check(ctx), store.ErrInvalid)
		_, err = db.System().ClaimInbox(ctx, "n", 1, 1, 1)
		require.ErrorIs(t, err, store.ErrInvalid)
		return nil
	})
}

func TestTxIsUselessAfterItsFunction(t *testing.T) {
	db := openTest(t, Options{})
	var kept store.Tx
	update(t, db, func(_ context.Context, tx store.Tx) error { kept = tx; return nil })
	require.ErrorIs(t, saving("late")(t.Context(), kept), store.ErrInvalid)
	require.False(t, hasContact(t, db, "late"))
}

// TestCommitsPerMessage asserts counts, never times: at 64 callers at most 0.3
// commits a message (performance.md 5.2).
func TestCommitsPerMessage(t *testing.T) {
	db := openTest(t, Options{})
	const callers, each = 64, 20
	run := func(call func(i int) error) float64 {
		before := db.Stats().Commits
		for _, err := range parallel(callers, func(c int) error {
			for i := range each {
				if err := call(c*each + i); err != nil {
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		return float64(db.Stats().Commits-before) / (callers * each)
	}
	require.LessOrEqual(t, run(func(i int) error {
		_, err := db.AppendEnvelopes(context.Background(), testWS, []adapter.Envelope{envelope(name("l", i%10), name("k", i))})
		return err
	}), 0.3)
	require.LessOrEqual(t, run(func(i int) error { return db.Update(context.Background(), testWS, saving(name("c", i))) }), 0.3)
}

func TestNothingIsLeftRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, db.System().CreateWorkspace(t.Context(), testWS, ""))
	go func() {
		_ = db.Update(context.Background(), testWS, func(context.Context, store.Tx) error { runtime.Goexit(); return nil })
	}()
	require.NoError(t, db.Update(t.Context(), testWS, saving("a")))
	require.NoError(t, db.Close())
	require.NoError(t, db.Close(), "twice is no error")
	require.ErrorIs(t, db.Update(t.Context(), testWS, saving("b")), store.ErrUnavailable)
	require.ErrorIs(t, db.View(t.Context(), testWS, saving("b")), store.ErrUnavailable)
}
