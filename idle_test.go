package sangdam_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
)

// tally counts what an engine asks of its store: transactions and readings of
// the feed by workspace, everything else under the empty name.
type tally struct {
	driver.Backend
	mu sync.Mutex
	by map[driver.WorkspaceID]int
}

func newTally(b driver.Backend) *tally { return &tally{Backend: b, by: map[driver.WorkspaceID]int{}} }

func (c *tally) add(ws driver.WorkspaceID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[ws]++
}

// taken returns the counts and begins anew.
func (c *tally) taken() map[driver.WorkspaceID]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.by
	c.by = map[driver.WorkspaceID]int{}
	return was
}

func (c *tally) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	c.add(ws)
	return c.Backend.Update(ctx, ws, fn)
}

func (c *tally) View(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	c.add(ws)
	return c.Backend.View(ctx, ws, fn)
}

func (c *tally) Feed(ctx context.Context, ws driver.WorkspaceID, cursor string, limit int) ([]driver.Event, string, error) {
	c.add(ws)
	return c.Backend.Feed(ctx, ws, cursor, limit)
}

// System is asked for once for each call.
func (c *tally) System() driver.System {
	c.add("")
	return c.Backend.System()
}

// idleEngine runs an engine over n workspaces of which nothing is asked.
func idleEngine(t *testing.T, db *store.DB, n int) *sangdam.Engine {
	t.Helper()
	for i := range n {
		require.NoError(t, db.System().CreateWorkspace(t.Context(), driver.WorkspaceID(fmt.Sprintf("w%04d", i)), ""))
	}
	sealer, err := seal.Ephemeral()
	require.NoError(t, err)
	eng, err := sangdam.New(sangdam.Config{DB: db, Sealer: sealer, Node: "n1"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- eng.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, db.Close())
	})
	return eng
}

// once takes out the workspaces that had one transaction, as each has once a day for
// what is kept for a time, and says that no more had it than come to that.
func once(t *testing.T, counts map[driver.WorkspaceID]int, workspaces int, in time.Duration) {
	t.Helper()
	n := 0
	for ws, times := range counts {
		if times == 1 {
			n++
			delete(counts, ws)
		}
	}
	require.LessOrEqual(t, n, 10+2*workspaces*int(in.Seconds())/(24*60*60), "looks at what is kept for a time")
}

// A thousand workspaces in which nothing happens cost a node no more than five
// statements a second in all, and not one transaction of their own, but one a day.
func TestIdleWorkspacesCostNothing(t *testing.T) {
	const workspaces, most = 1000, 5
	alongside(t, []string{onMemory, onPG})
	t.Run(onMemory, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newTally(memory.New(memory.Options{}).Backend())
			idleEngine(t, store.New(c), workspaces)
			time.Sleep(2 * time.Minute) // the first look at each, for the index
			c.taken()
			const seconds = 600
			time.Sleep(seconds * time.Second)
			counts := c.taken()
			require.LessOrEqual(t, counts[""], most*seconds)
			delete(counts, "")
			once(t, counts, workspaces, seconds*time.Second)
			require.Empty(t, counts, "transactions of workspaces")
		})
	})
	t.Run(onPG, func(t *testing.T) {
		if testing.Short() {
			t.Skip("counts statements for fifteen seconds; the plain run does")
		}
		db, err := postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
		require.NoError(t, err)
		c := newTally(db.Backend())
		idleEngine(t, store.New(c), workspaces)
		// Until the first look at each is over: then no workspace is asked for.
		quiet := func() bool {
			delete(c.taken(), "")
			time.Sleep(2 * time.Second)
			counts := c.taken()
			delete(counts, "")
			return len(counts) <= 1
		}
		require.Eventually(t, quiet, 2*time.Minute, time.Millisecond)
		before, begun := db.Stats().Statements, time.Now()
		time.Sleep(15 * time.Second) // past each of the loops' intervals but the minute's
		n, took := db.Stats().Statements-before, time.Since(begun)
		t.Logf("%d statements in %.0f s", n, took.Seconds())
		require.LessOrEqual(t, float64(n), most*took.Seconds())
		counts := c.taken()
		delete(counts, "")
		once(t, counts, workspaces, took)
		require.Empty(t, counts, "transactions of workspaces")
	})
}

// A command in one of a hundred workspaces starts no transaction in another,
// neither where somebody is at work nor where nobody is.
func TestACommandWakesItsOwnWorkspaceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTally(memory.New(memory.Options{}).Backend())
		eng := idleEngine(t, store.New(c), 100)
		for i := range 100 { // each has a Board: somebody is at work
			host := sangdam.Host(sangdam.WorkspaceID(fmt.Sprintf("w%04d", i)))
			require.NoError(t, errOf(eng.SaveAgent(t.Context(), host, sangdam.SaveAgent{Agent: chatAgent("a1")})))
			if i >= 50 {
				require.NoError(t, eng.SetPresence(t.Context(), host, sangdam.SetPresence{Agent: "a1", Presence: routing.Online}))
			}
		}
		time.Sleep(30 * time.Second)
		for i, ws := range []sangdam.WorkspaceID{"w0007", "w0077"} {
			// Between two polls, which begin at whole seconds and at the commands
			// before, so that what is counted is this command's doing.
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1300*time.Millisecond + time.Duration(i)*300*time.Millisecond)))
			c.taken()
			require.NoError(t, eng.SetPresence(t.Context(), sangdam.Host(ws), sangdam.SetPresence{Agent: "a1", Presence: routing.Break}))
			time.Sleep(100 * time.Millisecond)
			counts := c.taken()
			delete(counts, "")
			require.Positive(t, counts[ws])
			delete(counts, ws)
			require.Empty(t, counts, "transactions of others after a command in %s", ws)
		}
	})
}

// A Board is there while somebody is present or something waits, and for a
// moment after; whoever comes back finds it again.
func TestABoardComesAndGoes(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.pass(30 * time.Second)
		require.False(t, w.eng.HasBoard(ws), "nobody is there and nothing waits")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		require.True(t, w.eng.HasBoard(ws), "something waits")
		id := w.of(mina).Conversation.ID
		place, err := w.eng.Place(w.ctx, w.host, id)
		require.NoError(t, err)
		require.True(t, place.Waiting)
		w.online("a1")
		w.acceptOf(id)
		place, err = w.eng.Place(w.ctx, w.host, id)
		require.NoError(t, err)
		require.False(t, place.Waiting)
		_, err = w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: id})
		require.NoError(t, err)
		w.beat(30*time.Second, "a1")
		require.True(t, w.eng.HasBoard(ws), "somebody is there")
		w.offline("a1")
		w.pass(30 * time.Second)
		require.False(t, w.eng.HasBoard(ws))
		place, err = w.eng.Place(w.ctx, w.host, id)
		require.NoError(t, err, "what does not wait has no place, Board or not")
		require.False(t, place.Waiting)
		w.online("a1")
		mina.SendText("again")
		w.settle()
		require.NotNil(t, w.of(mina).Offer)
	}, quiet)
}
