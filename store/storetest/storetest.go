// Package storetest is the storage contract in code: what every backend must
// do, as named cases. The author of a store calls Run from a test:
//
//	storetest.Run(t, storetest.Harness{Name: "mine", Open: open})
//
// Every case runs with each Update's function run once, and again with each
// run twice, the first time rolled back. Cases share a database and have a
// workspace each, with the same ids in all of them, so that whatever leaks
// between workspaces is found; the few that look at the whole database get one
// of their own. What a harness cannot do is counted and logged at the end.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Harness tells Run how to use a store. Only Name and Open are required; each
// other nil field is something the store or its test cannot do.
type Harness struct {
	Name string
	// Open makes a fresh, empty store. The suite closes it.
	Open func(t testing.TB) *store.DB
	// Reopen closes the store and opens the same data again.
	Reopen func(t testing.TB, db *store.DB) *store.DB
	// Kill opens the same data again without Close, as after the death of the
	// process: nothing that was only in its memory may remain. It releases what
	// the dead store held of the test process.
	Kill func(t testing.TB, db *store.DB) *store.DB
	// Second opens the same data as another node, both working at once.
	Second func(t testing.TB, db *store.DB) *store.DB
	// Older makes a copy of the data as they are. back closes the store, puts the copy
	// in the place of its data and opens it.
	Older func(t testing.TB, db *store.DB) (back func(*store.DB) *store.DB)
	// Clock drives the store's time; it is what Open gave the store. Nil when
	// the store uses its database's clock: then Pass is needed.
	Clock *Clock
	// Pass makes every time that the data hold earlier by d, in place of a Clock:
	// what was to be in d from now is now. The suite never waits for a clock, so
	// that a busy machine ends no lease that a case still needs.
	Pass func(t testing.TB, db *store.DB, d time.Duration)
	// ForeignTx begins a transaction of a stranger on the same server, one that
	// has written and stays open until end.
	ForeignTx func(t testing.TB, db *store.DB) (end func())
	// Migrations tests the schema's history.
	Migrations *Migrations
	Caps       Caps
	// Only names the groups of cases to run; none means all.
	Only []string
}

// Caps declares what a backend promises beyond the contract, or counts.
type Caps struct {
	// Serial: one Update at a time runs in the whole database, so that no rival
	// can commit while another's function runs.
	Serial bool
	// GroupedAppends: appends of parallel callers share commits.
	GroupedAppends bool
	// GroupedUpdates: Updates of parallel callers share commits.
	GroupedUpdates bool
	// Wakes: a commit in this process is certain to give a hint in it.
	Wakes bool
}

// Migrations is how to meet older and newer schemas.
type Migrations struct {
	// Versions are the schema versions that a release had, ascending.
	Versions []int64
	// OpenFrom builds a database of the version with the author's recorded rows
	// and opens it with the present program.
	OpenFrom func(t testing.TB, version int64) *store.DB
	// Verify checks that the recorded rows are still there.
	Verify func(t testing.TB, version int64, db *store.DB)
	// Together opens one fresh database n times at once and returns the stores
	// that opened (nil for the others) and the errors.
	Together func(t testing.TB, n int) ([]*store.DB, []error)
	// TooNew opens a database whose schema says that it needs a newer program
	// and returns the error.
	TooNew func(t testing.TB) error
}

// Clock is a clock that tests move. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a fixed moment.
func NewClock() *Clock {
	return &Clock{now: time.Date(2030, 3, 4, 5, 6, 7, 891_234_000, time.UTC)}
}

// Now is the clock's reading.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, also backwards.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rule is one case: name says what must hold.
type rule struct {
	name string
	run  func(e *env)
	// alone gives the case a database of its own. A case that closes it sets
	// env.db to nil.
	alone bool
	// once: running functions twice would show nothing new.
	once bool
}

// group is a list of rules about one thing.
type group struct {
	name  string
	rules []rule
}

// suite is every group, in the order in which a new backend grows.
func suite() []group {
	return []group{
		{"update", updateRules}, {"roundtrip", roundTripRules}, {"version", versionRules}, {"unique", uniqueRules},
		{"guard", guardRules}, {"conversation", conversationRules}, {"contact", contactRules},
		{"config", configRules}, {"agent", agentRules}, {"reserve", reserveRules}, {"ahead", aheadRules}, {"ending", endingRules},
		{"rival", rivalRules}, {"answer", answerRules},
		{"inbox", inboxRules}, {"outbox", outboxRules}, {"doubt", doubtRules}, {"job", jobRules}, {"retention", retentionRules},
		{"deadline", deadlineRules},
		{"feed", feedRules}, {"audit", auditRules}, {"search", searchRules}, {"command", commandRules},
		{"vault", vaultRules}, {"document", documentRules}, {"blob", blobRules}, {"system", systemRules}, {"workspace", workspaceRules},
		{"model", modelRules}, {"linear", linearRules},
		{"stats", statsRules}, {"durable", durableRules}, {"migrate", migrateRules},
	}
}

// Run runs the whole suite. The store's own goroutines must end with Close.
func Run(t *testing.T, h Harness) {
	require.NotNil(t, h.Open, "storetest: Harness.Open is required")
	leaks := goleak.IgnoreCurrent()
	rep := &report{}
	for _, mode := range []string{"once", "twice"} {
		t.Run(mode, func(t *testing.T) { runMode(t, h, mode, rep) })
	}
	if err := goleak.Find(leaks); err != nil {
		t.Errorf("storetest: goroutines are left after Close: %v", err)
	}
	rep.log(t, h)
}

func runMode(t *testing.T, h Harness, mode string, rep *report) {
	shared := h.open(t, mode)
	defer func() { require.NoError(t, shared.Close()) }()
	n := 0
	for _, g := range suite() {
		if len(h.Only) > 0 && !slices.Contains(h.Only, g.name) {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			for _, r := range g.rules {
				n++
				if r.once && mode != "once" {
					continue
				}
				t.Run(r.name, func(t *testing.T) {
					rep.ran()
					e := newEnv(t, h, mode, rep, n)
					if r.alone {
						e.db = h.open(t, mode)
						defer e.closeOwn()
					} else {
						e.db = shared
					}
					e.workspace()
					r.run(e)
				})
			}
		})
	}
}

func (h Harness) open(t testing.TB, mode string) *store.DB { return inMode(h.Open(t), mode) }

// inMode wraps a store as the mode says.
func inMode(db *store.DB, mode string) *store.DB {
	if mode == "twice" {
		return store.New(twice{db.Backend()})
	}
	return db
}

// bare takes the wrapper off, for the harness's own functions.
func bare(db *store.DB) *store.DB {
	if w, ok := db.Backend().(twice); ok {
		return store.New(w.Backend)
	}
	return db
}

// env is what a case works with. It fails the test from the test's own
// goroutine only.
type env struct {
	*testing.T
	h    Harness
	mode string
	rep  *report
	db   *store.DB
	ctx  context.Context
	ws   driver.WorkspaceID
	ids  int
	// inside counts the functions of the store that run now, one in the other.
	inside int
}

func newEnv(t *testing.T, h Harness, mode string, rep *report, n int) *env {
	return &env{T: t, h: h, mode: mode, rep: rep, ctx: t.Context(), ws: driver.WorkspaceID(fmt.Sprintf("ws-%s-%03d", mode, n))}
}

func (e *env) workspace() {
	e.Helper()
	require.NoError(e, e.db.System().CreateWorkspace(e.ctx, e.ws, "workspace "+string(e.ws)))
}

// closeOwn closes the case's own database, unless the case did.
func (e *env) closeOwn() {
	if e.db != nil {
		require.NoError(e, e.db.Close())
	}
}

// stopped carries a failed requirement out of a function of the store.
type stopped struct{}

// FailNow ends the case. Within a function of the store, which may run in a
// goroutine of the store's own, it panics so that the store rolls back.
func (e *env) FailNow() {
	if e.inside > 0 {
		panic(stopped{})
	}
	e.T.FailNow()
}

// in runs fn by an Update or View of the store and marks that it runs.
func (e *env) in(by func(context.Context, driver.WorkspaceID, func(context.Context, store.Tx) error) error,
	fn func(context.Context, store.Tx) error) error {
	defer func() {
		if p := recover(); p != nil {
			if _, failed := p.(stopped); failed {
				e.FailNow()
			}
			panic(p)
		}
	}()
	return by(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		e.inside++
		defer func() { e.inside-- }()
		return fn(ctx, tx)
	})
}

// update runs fn in an Update that must succeed.
func (e *env) update(fn func(ctx context.Context, tx store.Tx) error) {
	e.Helper()
	require.NoError(e, e.in(e.db.Update, fn))
}

// refuse runs fn in an Update that must fail with the kind.
func (e *env) refuse(kind error, fn func(ctx context.Context, tx store.Tx) error) {
	e.Helper()
	require.ErrorIs(e, e.in(e.db.Update, fn), kind)
}

// clash runs fn once in an Update that must be a clash.
func (e *env) clash(fn func(ctx context.Context, tx store.Tx) error) {
	e.Helper()
	require.ErrorIs(e, e.in(once(e.db).Update, fn), errOnce)
}

// rivals reports whether another Update can commit while one runs.
func (e *env) rivals() bool {
	if e.h.Caps.Serial {
		e.cannot("let a rival commit while a function runs: Updates are serial")
	}
	return !e.h.Caps.Serial
}

// view runs fn in a View that must succeed.
func (e *env) view(fn func(ctx context.Context, tx store.Tx) error) {
	e.Helper()
	require.NoError(e, e.in(e.db.View, fn))
}

// now is the store's clock.
func (e *env) now() time.Time {
	e.Helper()
	now, err := e.db.System().Now(e.ctx)
	require.NoError(e, err)
	return now
}

// lease outlasts a case, however busy the machine is, unless time is made to pass.
func (e *env) lease() time.Duration { return 10 * time.Minute }

// pass makes the time go by for what is stored.
func (e *env) pass(d time.Duration) {
	e.Helper()
	if e.h.Clock != nil {
		e.h.Clock.Advance(d)
		return
	}
	e.h.Pass(e, bare(e.db), d)
}

// cannot notes that the harness lacks what a case needs.
func (e *env) cannot(what string) { e.rep.add(e.mode + ": " + what) }

// report counts cases and what could not be tested.
type report struct {
	mu    sync.Mutex
	cases int
	lacks map[string]int
}

func (r *report) ran() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cases++
}

func (r *report) add(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lacks == nil {
		r.lacks = map[string]int{}
	}
	r.lacks[what]++
}

func (r *report) log(t *testing.T, h Harness) {
	t.Logf("storetest: %s ran %d cases", h.Name, r.cases)
	var lines []string
	for what, n := range r.lacks {
		lines = append(lines, fmt.Sprintf("%d case(s) could not run: %s", n, what))
	}
	slices.Sort(lines)
	for _, line := range lines {
		t.Logf("storetest: %s: %s", h.Name, line)
	}
}
