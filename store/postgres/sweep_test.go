package postgres

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/stretchr/testify/require"
)

var laneCycles = flag.Int("lanecycles", 3000, "cycles of lanes, jobs and deadlines beside a transaction that holds a snapshot")

// queues goes through whole cycles of work: lanes that are appended to, claimed
// and given back empty, jobs and deadlines that come and go, and events.
type queues struct {
	t      *testing.T
	db     *store.DB
	b      *backend
	dsn    string
	n      int
	cursor string
}

func (q *queues) cycles(n int) {
	const each = 50
	sys := q.db.System()
	for range n / each {
		var envs []adapter.Envelope
		for range each {
			q.n++
			name := fmt.Sprintf("e%06d", q.n)
			envs = append(envs, adapter.Envelope{ID: channel.EnvelopeID(name), Account: "a", DedupKey: name, Lane: name, OccurredAt: at(1),
				ReceivedAt: time.Now(), Raw: []byte("{}")})
		}
		_, err := q.db.AppendEnvelopes(q.t.Context(), ws, envs)
		require.NoError(q.t, err)
		lanes, err := sys.ClaimInbox(q.t.Context(), "n", each, 1, time.Minute)
		require.NoError(q.t, err)
		require.Len(q.t, lanes, each)
		update(q.t, q.db, func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Ahead(ctx, driver.Wanted{}); err != nil {
				return err
			}
			for _, l := range lanes {
				if err := tx.Inbox().Done(ctx, l.Claim, l.Envelopes[0].ID); err != nil {
					return err
				}
				if _, err := tx.GiveBack(ctx, driver.NewsInbox, l.LaneRef); err != nil {
					return err
				}
				name := string(l.Envelopes[0].ID)
				if err := tx.Deadlines().Set(ctx, "k", name, tx.Now()); err != nil {
					return err
				}
				if err := tx.Jobs().Enqueue(ctx, driver.Job{ID: name, Kind: "k", Due: tx.Now()}); err != nil {
					return err
				}
				if err := tx.Events().Append(ctx, driver.Event{Aggregate: "x", ID: name, At: tx.Now()}); err != nil {
					return err
				}
			}
			return nil
		})
		due, err := sys.Due(q.t.Context(), each)
		require.NoError(q.t, err)
		require.Len(q.t, due, each)
		jobs, err := sys.ClaimJobs(q.t.Context(), "n", map[string]int{"k": each}, time.Minute)
		require.NoError(q.t, err)
		require.Len(q.t, jobs, each)
		update(q.t, q.db, func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Ahead(ctx, driver.Wanted{}); err != nil {
				return err
			}
			for i, d := range due {
				if err := tx.Deadlines().Clear(ctx, d.Kind, d.ID); err != nil {
					return err
				}
				if err := tx.Jobs().Finish(ctx, jobs[i].ID, jobs[i].Token); err != nil {
					return err
				}
			}
			return nil
		})
		_, q.cursor, err = q.db.Feed(q.t.Context(), ws, q.cursor, 1000)
		require.NoError(q.t, err)
	}
	q.nothingIsDue()
}

// nothingIsDue: not any more, and everybody has seen that.
func (q *queues) nothingIsDue() {
	sys := q.db.System()
	_, err := sys.ClaimInbox(q.t.Context(), "n", 1, 1, time.Minute)
	require.NoError(q.t, err)
	_, err = sys.ClaimJobs(q.t.Context(), "n", map[string]int{"k": 1}, time.Minute)
	require.NoError(q.t, err)
	_, err = sys.Due(q.t.Context(), 1)
	require.NoError(q.t, err)
}

// found is how many pages each statement that finds work reads, from where a sweep
// begins that everybody has just been through, or from the beginning.
func (q *queues) found(whole bool) map[string]int {
	from := func(s *sweep) time.Time {
		if whole {
			return time.Unix(theBeginning, 0)
		}
		return s.reached.Add(-time.Millisecond)
	}
	s := &q.b.sweeps
	in, job, due := from(&s.inbox), from(s.job("k")), from(&s.deadlines)
	// What was claimed stands in the index with the end of its lease: what is due
	// next is asked as it will be when the last of them is over.
	later := func(at time.Time) time.Time {
		if whole {
			return at
		}
		return at.Add(2 * time.Minute)
	}
	c, err := parseCursor(q.cursor)
	require.NoError(q.t, err)
	return map[string]int{
		"lanes":     q.pages(inboxLanes.claim, 64, time.Minute, in, 32),
		"jobs":      q.pages(claimJobs, []string{"k"}, []int{8}, time.Minute, []time.Time{job}),
		"deadlines": q.pages(dueDeadlines, 100, due),
		"next":      q.pages(nextDue, due, []string{"k"}, []time.Time{later(job)}, later(in), in, in),
		"feed":      q.pages(firstPage, key(ws), fmt.Sprint(c.From.Xmax), c.From.xipText(), 500),
		"append":    q.pages(touchLanes, []string{key(ws)}, []string{"a"}, []string{"new"}, []time.Time{time.Now()}),
	}
}

// pages is how many a statement reads, of whatever plan the server makes for it.
func (q *queues) pages(sql string, args ...any) int {
	c, err := pgx.Connect(q.t.Context(), q.dsn)
	require.NoError(q.t, err)
	defer func() { _ = c.Close(context.Background()) }()
	_, err = c.Exec(q.t.Context(), "BEGIN")
	require.NoError(q.t, err)
	var raw []byte
	require.NoError(q.t, c.QueryRow(q.t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+q.b.qualify(sql), args...).Scan(&raw))
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	require.NoError(q.t, json.Unmarshal(raw, &plans))
	return plans[0].Plan.Hit + plans[0].Plan.Read
}

// analyse has the server look at all tables.
func (q *queues) analyse() {
	c, err := pgx.Connect(q.t.Context(), q.dsn)
	require.NoError(q.t, err)
	defer func() { _ = c.Close(context.Background()) }()
	_, err = c.Exec(q.t.Context(), "ANALYZE")
	require.NoError(q.t, err)
}

// TestFindingWorkStaysCheapBesideASnapshot: while a foreign transaction holds a
// snapshot, thousands of lanes, jobs and deadlines come and go. What finds work
// reads no more pages at the end than at the beginning, although a look from the
// very beginning does. It counts pages, not time.
func TestFindingWorkStaysCheapBesideASnapshot(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn, DisableNotify: true})
	q := &queues{t: t, db: db, b: db.Backend().(*backend), dsn: dsn}
	_, cursor, err := db.Feed(t.Context(), ws, "", 1)
	require.NoError(t, err)
	q.cursor = cursor
	q.cycles(200)
	free := q.found(false)
	foreign, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = foreign.Close(context.Background()) }()
	_, err = foreign.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ")
	require.NoError(t, err)
	_, err = foreign.Exec(t.Context(), "SELECT count(*) FROM sangdam.inbox_lanes")
	require.NoError(t, err)
	var now map[string]int
	for part := range 3 {
		q.cycles(*laneCycles / 3)
		if part == 1 { // as the server does now and then: tables of which nothing lives are empty to it
			q.analyse()
		}
		now = q.found(false)
		t.Logf("after %d cycles: %v; before: %v", (part+1)**laneCycles/3, now, free)
		for name, pages := range now {
			require.LessOrEqual(t, pages, free[name]+12, "%s after %d cycles", name, (part+1)**laneCycles/3)
		}
	}
	whole := q.found(true)
	t.Logf("from the beginning: %v", whole)
	for _, name := range []string{"lanes", "jobs", "deadlines"} {
		require.Greater(t, whole[name], 3*now[name], "the snapshot keeps what the others would walk over: %s", name)
	}
}

// TestASweepFindsWhatIsLate: what shows later than its time says is found by the
// next look further back, and what a host's transaction left by the next that
// looks at everything.
func TestASweepFindsWhatIsLate(t *testing.T) {
	var s sweep
	first := s.from()
	require.Less(t, first.Year(), 0, "the first looks at everything")
	now := time.Now().UTC()
	s.saw(first, now)
	require.Equal(t, now.Add(-sweepMargin), s.from())
	s.saw(first, now.Add(-time.Hour))
	require.Equal(t, now.Add(-sweepMargin), s.from(), "it does not go back by itself")
	s.stopped(now.Add(-time.Hour))
	s.saw(now.Add(-sweepMargin), now)
	require.Equal(t, now.Add(-time.Hour-sweepMargin), s.from(), "another sweep, which began later, saw nothing of what was left")
	s.saw(now.Add(-2*time.Hour), now)
	late := now.Add(-30 * time.Second)
	s.left(&late)
	require.Equal(t, now.Add(-wideMargin), s.from())
	require.Equal(t, now.Add(-sweepMargin), s.from())
	late = now.Add(-time.Hour)
	s.left(&late)
	require.Less(t, s.from().Year(), 0)
	s.wide = time.Now().Add(-wideEvery)
	require.Equal(t, now.Add(-wideMargin), s.from(), "once a second further back")
	s.whole = time.Now().Add(-wholeEvery)
	require.Less(t, s.from().Year(), 0, "once a minute at everything")
	s.again()
	require.Less(t, s.from().Year(), 0)
	reached := s.upTo().Add(time.Second)
	require.Equal(t, reached.Add(-wideMargin), s.look())
	s.again()
	require.Less(t, s.look().Year(), 0, "nobody has looked at everything")
	require.Equal(t, reached.Add(-wideMargin), s.look(), "an idle process does not ask about everything each second")
}
