package sangdam

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Bounds of the streams of one workspace in one process.
const (
	// streamKept is how many events the process keeps for those who come back
	// and for those who are slower than others.
	streamKept = 4096
	// streamBatch is how many events one reading of the feed returns at most.
	streamBatch = 1000
	// streamLinger is how long the reader goes on after the last subscriber: a
	// page that loads anew finds what it missed in memory.
	streamLinger = 30 * time.Second
	// streamCursor is the longest cursor that is given out, in bytes; while a
	// database has thousands of open transactions a cursor names them all.
	streamCursor = 2 << 10
)

// Batch is a part of a Stream.
type Batch struct {
	// Events as far as the principal may see them; never text, only ids, kinds
	// and versions. A batch without events says that Cursor is further.
	Events []store.Event
	// Cursor is the place after the whole batch: give it to Stream, in any
	// process, to go on. Whoever got half a batch gets it again from the cursor
	// before: delivery is at least once, and readers keep what is newest by
	// (Aggregate, ID, Version).
	Cursor string
	// Reload says that events are missing before this batch, or that the
	// principal's rights changed: read anew what is shown, then go on.
	Reload bool
}

var qStream = asks("feed.stream", "Stream", "events", ActList)

// Stream returns the events of the workspace after the cursor, as far as the
// principal may see them, and then each new one, until ctx ends or the loop is
// left. The empty cursor is the present. With a cursor that is too old, or that
// is of another workspace or database, the first Batch says Reload. The rights
// are those of Events, asked for each event: when the principal's rights
// change, the stream says Reload before it shows the next event, and when the
// principal may see nothing any more, it ends with ErrPermissionDenied.
//
// All streams of a workspace in a process share one reader of the feed. A slow
// loop delays no other one: when it falls too far behind, it gets a Batch with
// Reload and goes on from the present.
func (e *Engine) Stream(ctx context.Context, p Principal, cursor string) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		s, err := e.subscribe(ctx, p, cursor)
		if err != nil {
			yield(Batch{}, err)
			return
		}
		defer s.leave()
		for {
			b, err := s.next(ctx)
			if errors.Is(err, ctx.Err()) && ctx.Err() != nil {
				return
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// streams are the readers of the feed, one for each workspace that somebody
// follows.
type streams struct {
	mu    sync.Mutex
	m     map[id.Workspace]*stream
	ended bool // the engine ran and does not any more
	// past shares the reading of one cursor among those who come back with it.
	past singleflight.Group
}

// stream is the newest part of a workspace's feed, and who waits for more.
type stream struct {
	mu      sync.Mutex
	first   int64 // number of the first batch kept
	kept    []Batch
	events  int
	present string // cursor after the last batch
	more    chan struct{}
	ended   bool // no batch will come any more
	readers int
	stop    context.CancelFunc
	idle    *time.Timer
}

// subscriber is one Stream.
type subscriber struct {
	e       *Engine
	p       Principal
	who     Who
	s       *stream
	at      int64 // number of the batch to show next
	waiting []Batch
}

// subscribe finds the place of the cursor.
func (e *Engine) subscribe(ctx context.Context, p Principal, cursor string) (*subscriber, error) {
	sub := &subscriber{e: e, p: p}
	if err := sub.rights(ctx); err != nil {
		return nil, err
	}
	s, err := e.follow(ctx, p.Workspace)
	if err != nil {
		return nil, err
	}
	sub.s = s
	if err := sub.place(ctx, cursor); err != nil {
		sub.leave()
		return nil, err
	}
	return sub, nil
}

// rights reads who the principal is now.
func (s *subscriber) rights(ctx context.Context) error {
	return s.e.query(ctx, s.p, qStream, "", func(ctx context.Context, tx store.Tx, set *settings) (err error) {
		s.who, err = s.e.who(ctx, tx, set, s.p)
		return err
	})
}

// follow returns the workspace's stream, with one more reader.
func (e *Engine) follow(ctx context.Context, ws id.Workspace) (*stream, error) {
	e.streams.mu.Lock()
	defer e.streams.mu.Unlock()
	if e.streams.ended {
		return nil, errStopped
	}
	s := e.streams.m[ws]
	if s == nil {
		_, present, err := e.db.Feed(ctx, ws, "", 1)
		if err != nil {
			return nil, err
		}
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		s = &stream{present: present, more: make(chan struct{}), stop: stop}
		if e.streams.m == nil {
			e.streams.m = map[id.Workspace]*stream{}
		}
		e.streams.m[ws] = s
		go e.readFeed(run, ws, s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers++
	if s.idle != nil {
		s.idle.Stop()
	}
	return s, nil
}

// leave gives the subscription up; the reader ends some time after the last.
func (s *subscriber) leave() {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if s.s.readers--; s.s.readers == 0 && !s.s.ended {
		s.s.idle = time.AfterFunc(streamLinger, func() { s.e.endStream(s.p.Workspace, s.s) })
	}
}

// endStream ends a reader that nobody came back to.
func (e *Engine) endStream(ws id.Workspace, s *stream) {
	e.streams.mu.Lock()
	defer e.streams.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers > 0 || e.streams.m[ws] != s {
		return
	}
	delete(e.streams.m, ws)
	s.stop()
}

// errStopped ends the streams of a process that stops: clients go on at another.
var errStopped = errs.New(errs.Unavailable, "sangdam: the engine has stopped; go on from the cursor at another process")

// begin lets streams be followed, and end ends them all, with the engine.
func (s *streams) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = false
}

func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for ws, one := range s.m {
		delete(s.m, ws)
		one.stop()
		one.mu.Lock()
		one.ended = true
		close(one.more)
		one.more = make(chan struct{})
		if one.idle != nil {
			one.idle.Stop()
		}
		one.mu.Unlock()
	}
}

// readFeed follows the feed for everybody. It reads when a hint says that there
// may be news, and at the poll interval.
func (e *Engine) readFeed(ctx context.Context, ws id.Workspace, s *stream) {
	hints, stop := e.wake.subscribe(ws, driver.NewsFeed)
	defer stop()
	fails := 0
	for ctx.Err() == nil {
		evs, next, err := e.db.Feed(ctx, ws, s.cursor(), streamBatch)
		switch {
		case errors.Is(err, ErrStale): // the feed was purged under a reader that stood still
			_, present, again := e.db.Feed(ctx, ws, "", 1)
			if again == nil {
				s.add(Batch{Cursor: present, Reload: true})
				continue
			}
			err = again
		case err == nil && len(evs) > 0:
			fails = 0
			s.add(Batch{Events: evs, Cursor: next})
			continue
		case err == nil:
			s.moved(next)
		}
		wait := e.cfg.Poll
		if err != nil {
			fails++
			wait = backoff(fails)
		} else {
			fails = 0
		}
		pauseFor(ctx, wait, hints, err == nil)
	}
}

// pauseFor waits, and with eager no longer than until a hint comes.
func pauseFor(ctx context.Context, d time.Duration, hints <-chan struct{}, eager bool) {
	if !eager {
		hints = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-hints:
	case <-timer.C:
	}
}

func (s *stream) cursor() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present
}

// moved keeps a newer cursor of the same place.
func (s *stream) moved(cursor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = cursor
}

// add shows a batch to everybody and forgets what is too old.
func (s *stream) add(b Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.present = append(s.kept, b), b.Cursor
	s.events += len(b.Events)
	for s.events > streamKept && len(s.kept) > 1 {
		s.events -= len(s.kept[0].Events)
		s.kept = slices.Clone(s.kept[1:])
		s.first++
	}
	close(s.more)
	s.more = make(chan struct{})
}

// place puts the subscriber behind its cursor: in what is kept if it is there,
// else by reading the feed from it until the present.
func (s *subscriber) place(ctx context.Context, cursor string) error {
	s.s.mu.Lock()
	s.at = s.s.first + int64(len(s.s.kept))
	present := s.s.present
	for i, b := range s.s.kept {
		if b.Cursor == cursor {
			s.at = s.s.first + int64(i) + 1
			s.s.mu.Unlock()
			return nil
		}
	}
	s.s.mu.Unlock()
	if cursor == "" || cursor == present {
		s.waiting = []Batch{{Cursor: present}}
		return nil
	}
	past, err := s.e.feedFrom(ctx, s.p.Workspace, cursor)
	if errors.Is(err, ErrStale) || errors.Is(err, ErrInvalid) {
		s.waiting = []Batch{{Cursor: present, Reload: true}}
		return nil
	}
	s.waiting = past
	return err
}

// feedFrom reads the feed from a cursor to the present. After a restart many
// come back with one cursor; they share a reading.
func (e *Engine) feedFrom(ctx context.Context, ws id.Workspace, cursor string) ([]Batch, error) {
	read := e.streams.past.DoChan(string(ws)+"\x00"+cursor, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		var out []Batch
		for at, events := cursor, 0; ; {
			evs, next, err := e.db.Feed(ctx, ws, at, streamBatch)
			if err != nil || len(evs) == 0 {
				return out, err
			}
			if events += len(evs); events > streamKept {
				return []Batch(nil), errs.New(errs.Stale, "sangdam: the cursor lies too far back to be caught up with; reload")
			}
			out = append(out, Batch{Events: evs, Cursor: next})
			at = next
		}
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-read:
		if r.Err != nil {
			return nil, r.Err
		}
		return slices.Clone(r.Val.([]Batch)), nil
	}
}

// next waits for the next batch and leaves out what may not be shown.
func (s *subscriber) next(ctx context.Context) (Batch, error) {
	b, err := s.raw(ctx)
	if err != nil {
		return Batch{}, err
	}
	if len(b.Cursor) > streamCursor {
		b.Cursor, b.Reload = "", true
	}
	if s.touched(b) {
		was := s.who
		if err := s.rights(ctx); err != nil {
			return Batch{}, err
		}
		b.Reload = b.Reload || !sameWho(was, s.who)
	}
	var shown []store.Event
	for _, ev := range b.Events {
		ev, ok, err := s.e.shown(ctx, s.who, ev)
		if err != nil {
			return Batch{}, err
		}
		if ok {
			shown = append(shown, ev)
		}
	}
	b.Events = shown
	return b, nil
}

// sameWho says whether a principal has the rights that it had.
func sameWho(a, b Who) bool { return slices.Equal(a.Desks, b.Desks) && slices.Equal(a.Roles, b.Roles) }

// touched says whether a batch may change what the principal is allowed to see.
func (s *subscriber) touched(b Batch) bool {
	return b.Reload || slices.ContainsFunc(b.Events, func(ev store.Event) bool {
		return ev.Aggregate == "configuration" || ev.Aggregate == kindAgent && ev.ID == s.p.ID
	})
}

func (s *subscriber) raw(ctx context.Context) (Batch, error) {
	if len(s.waiting) > 0 {
		b := s.waiting[0]
		s.waiting = s.waiting[1:]
		return b, nil
	}
	for {
		s.s.mu.Lock()
		if s.at < s.s.first { // it was too slow for what is kept
			s.at = s.s.first + int64(len(s.s.kept))
			b := Batch{Cursor: s.s.present, Reload: true}
			s.s.mu.Unlock()
			return b, nil
		}
		if i := s.at - s.s.first; i < int64(len(s.s.kept)) {
			b := s.s.kept[i]
			s.at++
			s.s.mu.Unlock()
			return b, nil
		}
		more, ended := s.s.more, s.s.ended
		s.s.mu.Unlock()
		if ended {
			return Batch{}, errStopped
		}
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-more:
		}
	}
}
