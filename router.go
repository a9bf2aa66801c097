package sangdam

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/journal"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// routerSet holds the routers of this process: one for each workspace in which
// somebody is present or something is open, and for a moment after.
type routerSet struct {
	mu      sync.Mutex
	running map[id.Workspace]*router
	start   func(ws id.Workspace) *router // nil while the engine does not run
	heard   map[id.Workspace]bool         // where there may be work for a router that is not there
	all     bool                          // anywhere
}

// publish gives committed rows to the workspace's router, starting one if they
// are of its concern.
func (s *routerSet) publish(ws id.Workspace, c changes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[ws] == nil && c.routable() {
		s.ensure(ws)
	}
	if r := s.running[ws]; r != nil {
		r.give(c)
	}
}

// ensure starts a workspace's router if the engine runs; s.mu is held.
func (s *routerSet) ensure(ws id.Workspace) {
	if s.running[ws] == nil && s.start != nil {
		s.running[ws] = s.start(ws)
	}
}

// routable reports whether the rows alone make a Board necessary.
func (c changes) routable() bool {
	return slices.ContainsFunc(c.agents, func(a routing.Agent) bool { return a.State.Presence != routing.Offline }) ||
		slices.ContainsFunc(c.items, func(it routing.Item) bool { return it.State != routing.ItemDone })
}

// hinted notes that rows of the workspace changed, here or elsewhere; the empty
// one is any. Whether that needs a router is asked soon, once for all.
func (s *routerSet) hinted(ws id.Workspace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.start == nil || s.running[ws] != nil:
	case ws == "":
		s.all = true
	default:
		s.heard[ws] = true
	}
}

// unsure takes the notes and reports whether there were any.
func (s *routerSet) unsure() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	any := s.all || len(s.heard) > 0
	s.all = false
	clear(s.heard)
	return any
}

// settle starts routers where they are needed, and ends those that only stand
// by where they are not. One that leads ends by itself.
func (s *routerSet) settle(routable []id.Workspace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	needed := map[id.Workspace]bool{}
	for _, ws := range routable {
		needed[ws] = true
		s.ensure(ws)
	}
	for ws, r := range s.running {
		if !needed[ws] && !r.leads() {
			r.stop()
			delete(s.running, ws)
		}
	}
}

// leave takes a router out that has nothing to do, unless rows came for it.
func (s *routerSet) leave(r *router) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.waiting() {
		return false
	}
	if s.running[r.ws] == r {
		delete(s.running, r.ws)
	}
	return true
}

// find returns the workspace's router, nil for none.
func (s *routerSet) find(ws id.Workspace) *router {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[ws]
}

// router owns the Board of one workspace: it feeds rows in, carries decisions
// out as transactions, and settles them. The lease keeps two processes from
// doing the same work; that nothing goes wrong if they do is the store's
// business (Reserve).
type router struct {
	e    *Engine
	ws   id.Workspace
	stop context.CancelFunc // for one that does not lead

	mu      sync.Mutex // guards inbox, leading and failed
	inbox   changes
	leading bool  // there is a Board, or one is being built, that wants the rows
	failed  error // why the Board is of no use any more
	signal  chan struct{}

	// turn is had by whoever asks the Board for decisions, tells it rows or settles:
	// the router, or a transaction that decides on what it brings (placing).
	turn chan struct{}
	// backlog says that one full batch comes after the other, so that the turn is free
	// for a moment only: nobody waits for it.
	backlog atomic.Bool

	boardMu  sync.Mutex // guards what follows
	board    *board.Board
	epoch    int64
	config   routing.Configuration
	journal  *journal.Writer        // nil until the first decision
	refusals map[routing.ItemID]int // since the Board was last quiet
	// known are the versions that this process brought since the feed was last
	// read, and before are those since the time before: the feed will name them,
	// and they need not be read for that.
	known, before versions

	// Of the working goroutine: the store's clock, and how many full batches it has
	// carried out in a row.
	clock storeClock
	full  int
}

// versions are those of rows by their ids.
type versions struct {
	agents map[routing.AgentID]int64
	items  map[routing.ItemID]int64
}

func newVersions() versions {
	return versions{agents: map[routing.AgentID]int64{}, items: map[routing.ItemID]int64{}}
}

// drop takes out what others hold in the same version or a newer one.
func (v versions) drop(others versions) {
	for id, has := range others.agents {
		if at, named := v.agents[id]; named && at <= has {
			delete(v.agents, id)
		}
	}
	for id, has := range others.items {
		if at, named := v.items[id]; named && at <= has {
			delete(v.items, id)
		}
	}
}

// storeClock is the store's clock, which is asked once in a while and goes on by
// this process's own in between.
type storeClock struct{ told, asked time.Time }

func (c *storeClock) now(ctx context.Context, e *Engine) (time.Time, error) {
	if since := time.Since(c.asked); !c.asked.IsZero() && since < min(e.cfg.Poll, time.Second) {
		return c.told.Add(since), nil
	}
	told, err := e.db.System().Now(ctx)
	if err == nil {
		c.hear(told)
	}
	return told, err
}

// hear notes what the store says the time is now.
func (c *storeClock) hear(told time.Time) { c.told, c.asked = told, time.Now() }

func (r *router) lease() string { return "router/" + string(r.ws) }

// lead says from when on rows are kept for the Board. Who stops leading forgets
// them, and the Board with them: what it would answer becomes old.
func (r *router) lead(on bool) {
	r.mu.Lock()
	r.leading = on
	if on {
		r.failed = nil
	} else {
		r.inbox = changes{}
	}
	r.mu.Unlock()
	if !on {
		r.turn <- struct{}{} // whoever has it settles first
		defer r.giveTurn()
		r.boardMu.Lock()
		r.board = nil
		r.boardMu.Unlock()
	}
}

// give adds rows to the inbox and wakes the router. On a process that does not
// lead nothing is kept: the Board will be built from the store.
func (r *router) give(c changes) {
	r.mu.Lock()
	if !r.leading {
		r.mu.Unlock()
		return
	}
	r.inbox.agents = append(r.inbox.agents, c.agents...)
	r.inbox.items = append(r.inbox.items, c.items...)
	r.inbox.removed = append(r.inbox.removed, c.removed...)
	r.inbox.queues = r.inbox.queues || c.queues
	r.mu.Unlock()
	r.look()
}

// leads reports whether there is a Board, or one is being built.
func (r *router) leads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leading
}

// waiting reports whether rows have come that were not looked at.
func (r *router) waiting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.inbox
	return len(c.agents)+len(c.items)+len(c.removed) > 0 || c.queues
}

func (r *router) taken() changes {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.inbox
	r.inbox = changes{}
	return c
}

// runRouters starts routers where they are needed and waits for all of them. One
// statement asks for all workspaces, when a hint said that there may be news in
// one without a router, and now and then.
func (e *Engine) runRouters(ctx, drain context.Context) {
	var group errgroup.Group
	s := &e.routers
	s.mu.Lock()
	s.running, s.heard = map[id.Workspace]*router{}, map[id.Workspace]bool{}
	s.start = func(ws id.Workspace) *router {
		own, stop := context.WithCancel(ctx)
		r := &router{e: e, ws: ws, stop: stop, signal: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
		group.Go(func() error {
			defer stop()
			r.run(own, drain)
			return nil
		})
		return r
	}
	s.mu.Unlock()
	e.wake.followRouting(s.hinted)
	defer func() {
		e.wake.followRouting(nil)
		s.mu.Lock()
		s.start, s.running = nil, nil
		s.mu.Unlock()
		_ = group.Wait()
	}()
	var asked time.Time
	for ; ctx.Err() == nil; sleepFor(ctx, e.cfg.Poll) {
		if !s.unsure() && time.Since(asked) < 10*e.cfg.Poll {
			continue
		}
		routable, err := e.db.System().Workspaces(ctx, driver.Having{Present: true})
		if err != nil {
			asked = time.Time{} // at once when the store is back
			continue
		}
		asked = time.Now()
		s.settle(routable)
	}
}

// run loads the Board and works until ctx ends or there is nothing to do.
// Whatever fails, the Board is thrown away and built again from the store.
func (r *router) run(ctx, drain context.Context) {
	for fails := 1; ctx.Err() == nil; fails++ {
		began := time.Now()
		err := r.work(ctx, drain)
		if time.Since(began) > time.Minute {
			fails = 1 // it worked well for a while
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if !errors.Is(err, ErrConflict) { // another process holds the lease
			r.e.trouble("the router starts again", err, "workspace", string(r.ws))
		}
		t := time.NewTimer(min(backoff(fails), 5*r.e.cfg.Poll))
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// work leads until there has been nothing to do for a while: then it returns
// nil.
func (r *router) work(ctx, drain context.Context) error {
	ttl := max(10*r.e.cfg.Poll, 10*time.Second)
	epoch, err := r.e.db.System().Lease(ctx, r.lease(), r.e.cfg.Node, ttl)
	if err != nil {
		return err
	}
	r.lead(true)
	defer r.lead(false)
	cursor, err := r.build(ctx, epoch)
	if err != nil {
		return err
	}
	// Given back on the way out, so that the next leader need not wait for the
	// lease to end.
	defer func() {
		if ctx.Err() != nil {
			_, _ = r.e.db.System().Lease(drain, r.lease(), r.e.cfg.Node, time.Millisecond)
		}
	}()
	hints, stop := r.e.wake.subscribe(r.ws, driver.NewsRouting)
	defer stop()
	renew, watched, busy := time.Now().Add(ttl/3), time.Now(), time.Now()
	feed := follower{hinted: time.Now()}
	for ctx.Err() == nil {
		if time.Now().After(renew) {
			if epoch, err = r.e.db.System().Lease(ctx, r.lease(), r.e.cfg.Node, ttl); err != nil {
				return err
			}
			r.boardMu.Lock()
			r.epoch = epoch
			r.boardMu.Unlock()
			renew = time.Now().Add(ttl / 3)
		}
		if feed.due(r.e.cfg.Poll) || r.reconfigured() {
			if cursor, err = r.follow(ctx, cursor); err != nil {
				return err
			}
			feed = follower{followed: time.Now()}
		} else {
			if err := r.inTurn(r.applyOwn); err != nil {
				return err
			}
		}
		quiet, err := r.decide(ctx, drain)
		if err != nil {
			return err
		}
		if quiet && time.Since(watched) > 2*r.e.cfg.Poll {
			if err := r.watch(); err != nil {
				return err
			}
			watched = time.Now()
		}
		if !r.idle() {
			busy = time.Now()
		} else if time.Since(busy) > 10*r.e.cfg.Poll && r.e.routers.leave(r) {
			return nil // the lease ends by itself: a new router here would prolong it
		}
		r.sleep(ctx, hints, &feed)
	}
	return nil
}

// follower says when to read the feed. What this process committed is decided on
// at once; the feed, which may bring more, is not asked after each commit.
type follower struct {
	followed time.Time // the last time
	hinted   time.Time // since when there may be news; zero for none
}

const (
	// followEvery is the shortest time between two readings of the feed.
	followEvery = 20 * time.Millisecond
	// followAfter is how long a hint is left lying: it comes with a commit, and
	// what this process committed comes here just after it.
	followAfter = 2 * time.Millisecond
)

// wait is how long the feed need not be read.
func (f *follower) wait(poll time.Duration) time.Duration {
	if f.hinted.IsZero() {
		return poll - time.Since(f.followed)
	}
	return max(followEvery-time.Since(f.followed), followAfter-time.Since(f.hinted))
}

func (f *follower) due(poll time.Duration) bool { return f.followed.IsZero() || f.wait(poll) <= 0 }

// reconfigured reports whether the configuration has changed by this process.
func (r *router) reconfigured() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inbox.queues
}

// applyOwn gives the Board what this process committed.
func (r *router) applyOwn() error {
	own := r.taken()
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	r.apply(own)
	if own.queues { // came just now
		r.give(changes{queues: true})
	}
	return nil
}

// idle reports whether the Board has nothing to decide on until rows come.
func (r *router) idle() bool {
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	return r.board.Idle()
}

// build makes a Board of the workspace's rows. The cursor is taken first, so
// that what changes meanwhile is applied again from the feed.
func (r *router) build(ctx context.Context, epoch int64) (string, error) {
	_, cursor, err := r.e.db.Feed(ctx, r.ws, "", 1)
	if err != nil {
		return "", err
	}
	var made *board.Board
	var set *settings
	err = r.e.db.View(ctx, r.ws, func(ctx context.Context, tx store.Tx) error {
		var err error
		if set, err = r.e.loadSettings(ctx, tx); err != nil {
			return err
		}
		agents, err := tx.Agents().Agents(ctx)
		if err != nil {
			return err
		}
		if made, err = board.New(board.Options{Seed: r.e.cfg.Seed, Strategies: r.e.cfg.Strategies}); err != nil {
			return err
		}
		applyConfiguration(made, set)
		for _, a := range agents {
			made.ApplyAgent(a)
		}
		if err := tx.Work().Open(ctx, made.ApplyItem); err != nil {
			return err
		}
		made.Tick(tx.Now())
		return nil
	})
	if err != nil {
		return "", err
	}
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	r.board, r.epoch, r.config, r.journal = made, epoch, set.routing, nil
	r.known, r.before, r.refusals, r.full = newVersions(), newVersions(), nil, 0
	return cursor, nil
}

// follow applies what this process committed and what the feed brings from
// others. Rows of the feed are read afresh: their order does not matter.
func (r *router) follow(ctx context.Context, cursor string) (string, error) {
	own := r.taken()
	r.boardMu.Lock()
	r.known, r.before = newVersions(), r.known
	r.note(own)
	r.boardMu.Unlock()
	named := newVersions() // the newest version that the feed names of each row
	configured := own.queues
	for {
		events, next, err := r.e.db.Feed(ctx, r.ws, cursor, 500)
		if err != nil {
			return cursor, err
		}
		for _, ev := range events {
			switch ev.Aggregate {
			case "agent":
				named.agents[routing.AgentID(ev.ID)] = max(named.agents[routing.AgentID(ev.ID)], ev.Version)
			case "item":
				named.items[routing.ItemID(ev.ID)] = max(named.items[routing.ItemID(ev.ID)], ev.Version)
			case "configuration":
				configured = true
			}
		}
		cursor = next
		if len(events) < 500 {
			break
		}
	}
	r.boardMu.Lock()
	named.drop(r.known)
	named.drop(r.before)
	r.boardMu.Unlock()
	fresh, err := r.read(ctx, named.agents, named.items, configured)
	if err != nil {
		return cursor, err
	}
	return cursor, r.inTurn(func() error {
		r.boardMu.Lock()
		defer r.boardMu.Unlock()
		r.apply(own)
		r.apply(fresh.changes)
		if fresh.cfg != nil {
			r.reconfigure(fresh.cfg)
		}
		return nil
	})
}

// note remembers the versions of rows that the feed will name; r.boardMu is held.
func (r *router) note(c changes) {
	for _, a := range c.agents {
		r.known.agents[a.ID] = max(r.known.agents[a.ID], a.State.Rev)
	}
	for _, it := range c.items {
		r.known.items[it.ID] = max(r.known.items[it.ID], it.Version)
	}
}

// apply gives rows to the Board, which ignores older ones; r.boardMu is held.
func (r *router) apply(c changes) {
	r.note(c)
	for _, a := range c.agents {
		r.board.ApplyAgent(a)
	}
	for _, it := range c.items {
		r.board.ApplyItem(it)
	}
	for _, a := range c.removed {
		r.board.RemoveAgent(a)
	}
}

// reconfigure gives a newer configuration to the Board; r.boardMu is held.
func (r *router) reconfigure(s *settings) {
	cfg := s.routing
	for q := range r.config.Queues {
		if _, still := cfg.Queues[q]; !still {
			r.board.RemoveQueue(q, cfg.Version)
		}
	}
	r.config = cfg
	applyConfiguration(r.board, s)
}

// applyConfiguration tells a Board the queues and who is on which desk.
func applyConfiguration(b *board.Board, s *settings) {
	cfg := s.routing
	b.ApplyHours(s.calendars(), cfg.Version)
	for d := range cfg.Desks {
		b.ApplyDesk(d, cfg.Members[d], cfg.Version)
	}
	for _, q := range cfg.Queues {
		b.ApplyQueue(q, cfg.Version)
	}
}

// fresh is what follow read again.
type fresh struct {
	changes
	cfg *settings
}

// read loads the rows that the feed named.
func (r *router) read(ctx context.Context, agents map[routing.AgentID]int64, items map[routing.ItemID]int64, configured bool) (fresh,
	error) {
	var out fresh
	if len(agents) == 0 && len(items) == 0 && !configured {
		return out, nil
	}
	err := r.e.db.View(ctx, r.ws, func(ctx context.Context, tx store.Tx) error {
		out = fresh{}
		if err := out.load(ctx, tx, agents, items); err != nil {
			return err
		}
		if configured {
			var err error
			if out.cfg, err = r.e.loadSettings(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// load reads agents and items.
func (out *fresh) load(ctx context.Context, tx store.Tx, agents map[routing.AgentID]int64, items map[routing.ItemID]int64) error {
	for id := range agents {
		a, err := tx.Agents().Agent(ctx, id)
		if err != nil {
			return err
		}
		out.agents = append(out.agents, a)
	}
	for id := range items {
		it, err := tx.Work().Item(ctx, id)
		if err != nil {
			return err
		}
		out.items = append(out.items, it)
	}
	return nil
}

// sleep waits for rows, a hint, the Board's next wake-up, or the time at which the
// feed is to be read.
func (r *router) sleep(ctx context.Context, hints <-chan struct{}, feed *follower) {
	wait := max(0, feed.wait(r.e.cfg.Poll))
	r.boardMu.Lock()
	at, ok := r.board.NextWake()
	r.boardMu.Unlock()
	if ok {
		if now, err := r.clock.now(ctx, r.e); err == nil {
			wait = min(wait, max(at.Sub(now), 5*time.Millisecond))
		}
	}
	if !feed.hinted.IsZero() {
		hints = nil // nothing new
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-r.signal:
	case <-hints:
		feed.hinted = time.Now()
	case <-t.C:
	}
}
