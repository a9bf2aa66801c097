package sqlite

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

func done(c driver.Claim, id channel.EnvelopeID) func(context.Context, store.Tx) error {
	return func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Done(ctx, c, id) }
}

func TestALaneWhoseClaimAWriterReliesOnIsNotTakenBeforeTheCommit(t *testing.T) {
	clock := newFakeClock()
	db := openTest(t, Options{Now: clock.Now})
	appendKeys(t, db, "l", "a", "b")
	l := claimInbox(t, db, time.Minute)[0]
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Inbox().Done(ctx, l.Claim, l.Envelopes[0].ID); err != nil {
			return err
		}
		clock.advance(time.Hour) // the lease ends while the function runs
		require.Empty(t, claimInbox(t, db, time.Minute))
		return tx.Inbox().Done(ctx, l.Claim, l.Envelopes[1].ID)
	})
	require.Empty(t, claimInbox(t, db, time.Minute))
	appendKeys(t, db, "l", "c")
	require.Equal(t, []string{"c"}, keysOf(claimInbox(t, db, time.Minute)))
}

func TestRolledBackWorkLeavesTheLaneAsItWas(t *testing.T) {
	clock := newFakeClock()
	db := openTest(t, Options{Now: clock.Now})
	appendKeys(t, db, "l", "a")
	l := claimInbox(t, db, time.Minute)[0]
	errs := batch(t, db, func(ctx context.Context, tx store.Tx) error {
		require.NoError(t, done(l.Claim, l.Envelopes[0].ID)(ctx, tx))
		return context.DeadlineExceeded
	})
	require.ErrorIs(t, errs[0], context.DeadlineExceeded)
	clock.advance(time.Minute)
	again := claimInbox(t, db, time.Minute)
	require.Equal(t, []string{"a"}, keysOf(again))
	require.ErrorIs(t, db.Update(t.Context(), testWS, done(l.Claim, l.Envelopes[0].ID)), store.ErrStale)
	update(t, db, done(again[0].Claim, l.Envelopes[0].ID))
}

func TestTwoOfOneBatchCannotEndOneEnvelopeTwice(t *testing.T) {
	db := openTest(t, Options{})
	appendKeys(t, db, "l", "a")
	l := claimInbox(t, db, time.Minute)[0]
	errs := batch(t, db, done(l.Claim, l.Envelopes[0].ID), done(l.Claim, l.Envelopes[0].ID))
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], store.ErrStale)
}

func TestOneCallIsOrderedByTheEventsOwnTime(t *testing.T) {
	db := openTest(t, Options{})
	at := func(key string, second int) adapter.Envelope {
		e := envelope("l", key)
		e.OccurredAt = time.Unix(int64(second), 0)
		return e
	}
	fresh, err := db.AppendEnvelopes(t.Context(), testWS, []adapter.Envelope{at("c", 3), at("a", 1), at("a", 0), at("b", 2)})
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false, true}, fresh, "the first of one key is the new one")
	appendKeys(t, db, "l", "z")
	require.Equal(t, []string{"a", "b", "c", "z"}, keysOf(claimInbox(t, db, time.Minute)))
}

func TestOneIDForTwoEnvelopesStoresNothing(t *testing.T) {
	db := openTest(t, Options{})
	a, b := envelope("l", "a"), envelope("l", "b")
	a.ID, b.ID = "same", "same"
	_, err := db.AppendEnvelopes(t.Context(), testWS, []adapter.Envelope{a, b})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.Empty(t, claimInbox(t, db, time.Minute))
	appendKeys(t, db, "l", "a")
}

// TestClaimsAreExclusiveInOrderAndNeverLost drives the lanes as workers do, at
// random, against a plain list.
func TestClaimsAreExclusiveInOrderAndNeverLost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newLanes()
		key := func(n int) laneKey { return laneKey{accountKey{1, "acct"}, fmt.Sprint(n)} }
		pending := map[laneKey][]entry{}
		type holder struct {
			claimed
			until int64
		}
		held := map[laneKey]holder{}
		now, seq := int64(1000), int64(0)
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) {
				seq++
				k, e := key(rapid.IntRange(0, 4).Draw(r, "lane")), entry{seq: seq}
				if seq%2 == 0 {
					e.row = &adapter.Envelope{Raw: make([]byte, seq)}
				}
				s.add(k, now, e)
				pending[k] = append(pending[k], e)
			},
			"time": func(r *rapid.T) { now += int64(rapid.IntRange(1, 50).Draw(r, "by")) },
			"claim": func(r *rapid.T) {
				limit, lease := rapid.IntRange(1, 3).Draw(r, "limit"), int64(rapid.IntRange(1, 60).Draw(r, "lease"))
				last := int64(0)
				for _, c := range s.claim(limit, 2, now, now+lease) {
					if h, ok := held[c.key]; ok && h.until > now {
						r.Fatalf("lane %v is claimed twice", c.key)
					}
					if c.entries[0].seq != pending[c.key][0].seq {
						r.Fatalf("lane %v does not begin with its head", c.key)
					}
					if c.entries[0].seq < last {
						r.Fatalf("heads are not oldest first")
					}
					last = c.entries[0].seq
					held[c.key] = holder{c, now + lease}
				}
			},
			"done": func(r *rapid.T) {
				for k, h := range held {
					if h.until <= now {
						continue
					}
					s.edit(k, now, func(l *lane) { l.drop(h.entries[0].seq) })
					pending[k] = slices.DeleteFunc(pending[k], func(e entry) bool { return e.seq == h.entries[0].seq })
					s.release(k, h.token, now)
					delete(held, k)
					return
				}
			},
			"retry": func(r *rapid.T) {
				until := now + int64(rapid.IntRange(1, 80).Draw(r, "delay"))
				for k, h := range held {
					if h.until <= now {
						continue
					}
					s.edit(k, now, func(l *lane) { l.delay(h.entries[0].seq, until) })
					pending[k][0].notBefore = until
					s.release(k, h.token, now)
					delete(held, k)
					return
				}
			},
			"": func(r *rapid.T) { // whatever is due and free is found at once
				if at, ok := s.next(now); ok && at < now {
					r.Fatalf("next is %d at %d", at, now)
				}
				free, rows := false, 0
				for _, l := range s.all {
					for _, e := range l.entries {
						rows += e.bytes()
					}
				}
				if rows != s.rows {
					r.Fatalf("rows of %d bytes are kept, %d are reckoned", rows, s.rows)
				}
				for k, es := range pending {
					h, taken := held[k]
					free = free || len(es) > 0 && es[0].notBefore <= now && !(taken && h.until > now)
				}
				if at, ok := s.next(now); free != (ok && at <= now) {
					r.Fatalf("free work: %v, next: %v %v", free, at, ok)
				}
			},
		})
	})
}

// What was appended is claimed as it would be read, whether it is still in memory or not.
func TestAClaimFromMemoryIsWhatIsStored(t *testing.T) {
	db := openTest(t, Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 678912345, time.FixedZone("KST", 9*3600))
	raw := []byte(`{"text":"hi"}`)
	envs := []adapter.Envelope{
		{ID: "e1", Account: "acct", Lane: "l", DedupKey: "a", OccurredAt: at, ReceivedAt: at, Tries: 2, Raw: raw, Sealed: true},
		{Account: "acct", Lane: "l", DedupKey: "b", OccurredAt: at, Raw: []byte{}},
		{Account: "acct", Lane: "", DedupKey: "c"},
		{Account: "acct", Lane: "l", DedupKey: "a", Raw: []byte("a repetition")},
	}
	for i := range mostRows / adapter.MaxEnvelope { // the last finds no room
		envs = append(envs,
			adapter.Envelope{Account: "acct", Lane: "large", DedupKey: name("d", i), Raw: make([]byte, adapter.MaxEnvelope)})
	}
	_, err := db.AppendEnvelopes(t.Context(), testWS, envs)
	require.NoError(t, err)
	raw[2] = 'X' // the caller's own again
	claimed := func() (all []adapter.Envelope) {
		for _, l := range claimInbox(t, db, time.Minute) {
			all = append(all, l.Envelopes...)
			require.NoError(t, db.System().Release(t.Context(), driver.NewsInbox, l.LaneRef))
		}
		return all
	}
	rows := db.Stats().RowsRead
	fromMemory := claimed()
	require.EqualValues(t, 1, db.Stats().RowsRead-rows, "the last large one alone is read")
	stored := claimed()
	require.Len(t, stored, 3+mostRows/adapter.MaxEnvelope)
	require.Equal(t, stored, fromMemory)
	require.Zero(t, backendOf(db).inbox.rows)
}

// What is kept in memory of an envelope is forgotten when its row changes, also
// where nobody had it yet: who holds a lane may put off what it did not claim.
func TestAnEnvelopeThatChangedIsReadAgain(t *testing.T) {
	db := openTest(t, Options{})
	_, err := db.AppendEnvelopes(t.Context(), testWS, []adapter.Envelope{
		{ID: "e1", Account: "acct", Lane: "l", DedupKey: "a"}, {ID: "e2", Account: "acct", Lane: "l", DedupKey: "b"}})
	require.NoError(t, err)
	first, err := db.System().ClaimInbox(t.Context(), "node", 1, 1, time.Minute)
	require.NoError(t, err)
	require.Len(t, first[0].Envelopes, 1)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Inbox().Retry(ctx, first[0].Claim, "e2", time.Time{}, "again")
	})
	require.NoError(t, db.System().Release(t.Context(), driver.NewsInbox, first[0].LaneRef))
	again := claimInbox(t, db, time.Minute)[0].Envelopes
	require.Len(t, again, 2)
	require.Equal(t, []int{0, 1}, []int{again[0].Tries, again[1].Tries})
}

// Whoever asks what is due reads nothing before the first deadline may have come, and
// misses none that was set meanwhile.
func TestDeadlinesAreFoundWithoutALookBeforeTheyAreDue(t *testing.T) {
	clock := newFakeClock()
	now := clock.Now()
	db := openTest(t, Options{Now: clock.Now})
	set := func(id string, at time.Time) {
		update(t, db, func(ctx context.Context, tx store.Tx) error { return tx.Deadlines().Set(ctx, "k", id, at) })
	}
	due := func() (ids []string) {
		list, err := db.System().Due(t.Context(), 10)
		require.NoError(t, err)
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		return ids
	}
	set("a", now.Add(time.Hour))
	require.Empty(t, due())
	rows := db.Stats().RowsRead
	require.Empty(t, due())
	set("b", now.Add(2*time.Hour))
	require.Empty(t, due())
	require.Equal(t, rows, db.Stats().RowsRead, "nothing was read")
	set("c", now)
	require.Equal(t, []string{"c"}, due())
	set("c", time.Time{})
	require.NoError(t, backendOf(db).earliest.look(func() (int64, error) { // of a moment before the next is set
		set("d", now.Add(time.Minute))
		return micro(now.Add(time.Hour)), nil
	}))
	clock.advance(time.Minute)
	require.Equal(t, []string{"d"}, due())
	set("d", time.Time{})
	clock.advance(time.Hour)
	require.Equal(t, []string{"a"}, due())
	set("a", now.Add(5*time.Hour))
	clock.advance(time.Hour)
	require.Equal(t, []string{"b"}, due())
}

func TestAHintSaysWhatACommitBrought(t *testing.T) {
	db := openTest(t, Options{})
	var hints []driver.Hint
	stop := db.Wake(func(h driver.Hint) { hints = append(hints, h) })
	appendKeys(t, db, "l", "a")
	require.Equal(t, []driver.Hint{{Workspace: testWS, News: driver.NewsInbox}}, hints)
	update(t, db, saving("nothing that is work"))
	require.Len(t, hints, 1)
	stop()
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Jobs().Enqueue(ctx, driver.Job{ID: "j", Kind: "k"})
	})
	require.Len(t, hints, 1)
	db.Wake(func(driver.Hint) {})
	require.NoError(t, db.Close())
}
