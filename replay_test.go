package sangdam_test

import (
	"context"
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/sqlite"
)

// Many cases of this package are replays of what went wrong in other desks.
// They run on the stores that they name: memory and SQLite in a bubble of fake
// time, PostgreSQL, which no bubble can hold, in real time.
const (
	onMemory = "memory"
	onSQLite = "sqlite"
	onPG     = "postgres"
)

// replayWorld is a world that also runs outside a bubble.
type replayWorld struct {
	*world
	t    *testing.T
	real bool // time is not fake
	// aside looks at the tables where time is not fake.
	aside *pgxpool.Pool
}

// TestMain lets six tests run at a time that ask for it: they wait more than
// they work, whatever the number of processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6") // a number is never refused
	}
	os.Exit(m.Run())
}

// replay runs fn on each of the stores. The short form, which is for the race
// detector, runs it in memory alone: what races is the engine's.
func replay(t *testing.T, stores []string, fn func(t *testing.T, w *replayWorld), options ...worldOption) {
	t.Helper()
	if testing.Short() {
		if !slices.Contains(stores, onMemory) && !slices.Contains(stores, onSQLite) {
			t.Skip("this is about PostgreSQL; the plain run has it")
		}
		stores = []string{onMemory}
	}
	alongside(t, stores)
	for _, s := range stores {
		t.Run(s, func(t *testing.T) {
			if s == onPG {
				dsn := pgtest.Start(t)
				fn(t, newReplayWorld(t, true, append([]worldOption{withPostgres(t, dsn)}, options...)...))
				return
			}
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				own := options
				if s == onSQLite {
					own = append([]worldOption{withSQLite(t, dir)}, options...)
				}
				fn(t, newReplayWorld(t, false, own...))
			})
		})
	}
}

// asides are the tests that run beside others.
var asides sync.Map

// alongside lets a test run beside others if it waits in real time, as it does
// on PostgreSQL: most of that waiting is for the engine to come to rest.
func alongside(t *testing.T, stores []string) {
	if !slices.Contains(stores, onPG) || strings.Contains(t.Name(), "/") {
		return
	}
	if _, already := asides.LoadOrStore(t.Name(), true); !already {
		t.Parallel()
	}
}

func withSQLite(t *testing.T, dir string) worldOption {
	return func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		require.NoError(t, w.db.Close())
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir,
			Now: func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }})
		require.NoError(t, err)
		w.db, w.cfg.DB, w.dir = db, db, dir
	}
}

func withPostgres(t *testing.T, dsn string) worldOption {
	return func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		require.NoError(t, w.db.Close())
		db, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
		require.NoError(t, err)
		w.db, w.cfg.DB, w.cfg.Poll, w.dsn = db, db, 50*time.Millisecond, dsn
	}
}

func newReplayWorld(t *testing.T, real bool, options ...worldOption) *replayWorld {
	t.Helper()
	w := newWorld(t, options...)
	t.Cleanup(func() {
		w.halt()
		w.line.Close()
		require.NoError(t, w.db.Close())
	})
	if !real {
		w.start()
		return &replayWorld{world: w, t: t}
	}
	aside, err := pgxpool.New(w.ctx, w.dsn)
	require.NoError(t, err)
	t.Cleanup(aside.Close)
	r := &replayWorld{world: w, t: t, real: true, aside: aside}
	r.run()
	return r
}

// run starts the engine in real time, until halt.
func (w *replayWorld) run() {
	w.serving.Store(w.eng)
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- w.eng.Run(ctx) }()
	w.stop = func() {
		cancel()
		require.NoError(w.t, <-done)
	}
	require.Eventually(w.t, func() bool { return w.eng.Ready(w.ctx) == nil }, 10*time.Second, 10*time.Millisecond)
}

// settle lets everything that is under way come to rest. In real time that is
// when nothing is due, nothing waits to leave and the feed has been silent for
// a while.
func (w *replayWorld) settle() {
	if !w.real {
		w.world.settle()
		return
	}
	w.t.Helper()
	require.NoError(w.t, w.line.WaitIdle(w.ctx))
	last, quiet := "", 0
	require.Eventually(w.t, func() bool {
		state, busy := w.progress()
		if quiet++; busy || state != last {
			last, quiet = state, 0
		}
		return quiet >= 6
	}, 30*time.Second, 50*time.Millisecond, "the engine does not come to rest")
}

// held is how far the feed is, and counts what a worker has in hand: on a loaded machine that may take
// longer than the feed is silent otherwise.
const held = `SELECT (SELECT coalesce(max(id), 0) FROM sangdam.events), (SELECT count(*) FROM sangdam.inbox_lanes
	WHERE until > clock_timestamp())
	+ (SELECT count(*) FROM sangdam.outbox_lanes WHERE until > clock_timestamp())
	+ (SELECT count(*) FROM sangdam.jobs WHERE state = 'running' AND claimable > clock_timestamp())`

// progress says how far the feed is and whether something is left to do.
func (w *replayWorld) progress() (state string, busy bool) {
	// Not the feed's cursor: it moves with every transaction of the server, of
	// tests beside this one too.
	var last, hands int64
	if err := w.aside.QueryRow(w.ctx, held).Scan(&last, &hands); err != nil {
		return "", true
	}
	cursor := strconv.FormatInt(last, 10)
	if hands > 0 {
		return cursor, true
	}
	dues, err := w.db.System().NextDue(w.ctx)
	if due, any := dues.Next(); err != nil || any && time.Until(due) < 0 {
		return cursor, true
	}
	pending := 0
	err = w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		pending, err = tx.Outbox().Pending(ctx)
		return err
	})
	return cursor, err != nil || pending > 0
}

// pass lets time go by.
func (w *replayWorld) pass(d time.Duration) {
	if !w.real {
		w.world.pass(d)
		return
	}
	time.Sleep(d)
	w.settle()
}

func (w *replayWorld) online(ids ...routing.AgentID) { w.present(routing.Online, ids) }

func (w *replayWorld) offline(ids ...routing.AgentID) { w.present(routing.Offline, ids) }

func (w *replayWorld) present(p routing.Presence, ids []routing.AgentID) {
	w.t.Helper()
	for _, id := range ids {
		require.NoError(w.t, w.eng.SetPresence(w.ctx, w.agent(id), sangdam.SetPresence{Agent: id, Presence: p}))
	}
	w.settle()
}

// beat lets time go by while the agents' consoles live.
func (w *replayWorld) beat(d time.Duration, ids ...routing.AgentID) {
	w.t.Helper()
	for left := d; left > 0; left -= 15 * time.Second {
		beaten(w.t, w.eng.Heartbeat(w.ctx, ws, ids...))
		w.pass(min(left, 15*time.Second))
	}
	beaten(w.t, w.eng.Heartbeat(w.ctx, ws, ids...))
}

// acceptOf takes the pending offer of a conversation.
func (w *replayWorld) acceptOf(id conversation.ID) sangdam.Owned {
	w.t.Helper()
	d := w.detail(id)
	require.NotNil(w.t, d.Offer, "there is no offer")
	owned, err := w.eng.Accept(w.ctx, w.agent(d.Offer.Agent), sangdam.Accept{Offer: d.Offer.ID})
	require.NoError(w.t, err)
	w.settle()
	return owned
}

// begun lets a customer write and an agent accept.
func (w *replayWorld) begun(u *linetest.User, text string) sangdam.Owned {
	w.t.Helper()
	u.SendText(text)
	w.settle()
	return w.acceptOf(w.of(u).Conversation.ID)
}

// answer lets an agent answer and waits for what becomes of it.
func (w *replayWorld) answer(a routing.AgentID, c conversation.ID, text string) {
	w.t.Helper()
	_, err := w.eng.Answer(w.ctx, w.agent(a), sangdam.Answer{Conversation: c, Content: channel.Text(text)})
	require.NoError(w.t, err)
	w.settle()
}

// link is world's, also outside a bubble.
func (w *replayWorld) link(u *linetest.User, to conversation.ContactID) {
	w.t.Helper()
	_, err := w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Key: sangdam.Key("link " + u.Name()),
		Identity: w.of(u).Conversation.Identity, Contact: to})
	require.NoError(w.t, err)
	w.settle()
}

// message returns one of a conversation's messages.
func (w *replayWorld) message(c conversation.ID, id conversation.MessageID) conversation.Message {
	w.t.Helper()
	for _, m := range w.detail(c).Messages {
		if m.ID == id {
			return m
		}
	}
	require.Fail(w.t, "no such message", "%s in %s", id, c)
	return conversation.Message{}
}
