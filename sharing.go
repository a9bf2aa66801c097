package sangdam

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// sharing has small pieces of the library's own work that come at the same time
// share transactions: the beginnings and outcomes of sends, the ends of jobs. A
// piece that comes alone goes at once; what comes while a transaction is under
// way shares the next one. Only what the store does is shared, never what asks
// somebody else: a slow provider holds up nobody.
type sharing struct {
	mu sync.Mutex
	of map[id.Workspace]*shareQueue
}

// shareQueue waits for the transaction that is under way.
type shareQueue struct{ waiting []*sharedPiece }

type sharedPiece struct {
	run  func(u *unit) error
	err  error
	done chan struct{} // somebody else ran it
	lead chan struct{} // it is to run itself and who waits with it
}

// share runs a piece of the system's work in a transaction, with others where
// there are some, and returns when that is committed. What fails fails as it would
// alone.
func (e *Engine) share(ctx context.Context, ws id.Workspace, run func(u *unit) error) error {
	p := &sharedPiece{run: run, done: make(chan struct{}), lead: make(chan struct{})}
	s := &e.shares
	s.mu.Lock()
	if s.of == nil {
		s.of = map[id.Workspace]*shareQueue{}
	}
	q := s.of[ws]
	if q == nil {
		q = &shareQueue{}
		s.of[ws] = q
		close(p.lead)
	} else {
		q.waiting = append(q.waiting, p)
	}
	s.mu.Unlock()
	select {
	case <-p.done:
		return p.err
	case <-p.lead:
	}
	s.mu.Lock()
	n := min(len(q.waiting), maxTogether-1)
	batch := append([]*sharedPiece{p}, q.waiting[:n]...)
	q.waiting = q.waiting[n:]
	s.mu.Unlock()
	defer func() { // also where a fault ends this goroutine: the others must not wait for ever
		for _, other := range batch[1:] {
			close(other.done)
		}
		s.passOn(ws, q)
	}()
	for _, p := range batch {
		p.err = errUnknownEnd
	}
	e.runShared(context.WithoutCancel(ctx), ws, batch)
	return p.err
}

// errUnknownEnd is the end of a piece until its transaction says another.
var errUnknownEnd = errs.New(errs.Unavailable, "sangdam: nobody knows whether a piece of work was committed")

// passOn lets the next one that waits lead, or ends the queue.
func (s *sharing) passOn(ws id.Workspace, q *shareQueue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.waiting) == 0 {
		delete(s.of, ws)
		return
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	close(next.lead)
}

// runShared runs pieces together as long as that goes well. What fails runs by
// itself, and so does what is left when too much fails.
func (e *Engine) runShared(ctx context.Context, ws id.Workspace, batch []*sharedPiece) {
	var apart []*sharedPiece
	var parts portions
	for len(batch) > 1 {
		n := parts.next(len(batch))
		pieces := make([]piece, n)
		for i, p := range batch[:n] {
			pieces[i] = piece{run: p.run}
		}
		ends, err := e.together(ctx, system(ws), func(ctx context.Context, tx store.Tx, _ *settings) error {
			_, err := tx.Ahead(ctx, driver.Wanted{})
			return err
		}, pieces, nil)
		failed, named := errors.AsType[*pieceError](err)
		switch {
		case err == nil:
			for _, p := range batch[:len(ends)] {
				p.err = nil
			}
			batch = batch[len(ends):]
			parts.done(len(ends))
		case parts.divides(n, err):
		case named && len(apart) < maxApart:
			apart = append(apart, batch[failed.piece])
			batch = slices.Delete(slices.Clone(batch), failed.piece, failed.piece+1)
			parts.found()
		case errors.Is(err, ErrUnavailable) && !named:
			for _, p := range batch { // nobody knows what became of them
				p.err = err
			}
			batch = nil
		default:
			apart, batch = append(apart, batch...), nil
		}
	}
	e.runApart(ctx, ws, append(apart, batch...))
}

// runApart runs pieces in transactions of their own.
func (e *Engine) runApart(ctx context.Context, ws id.Workspace, pieces []*sharedPiece) {
	var group errgroup.Group
	for _, p := range pieces {
		group.Go(func() error {
			p.err = e.safeUnit(ctx, system(ws), p.run)
			return nil
		})
	}
	_ = group.Wait()
}

// safeUnit is unit for the library's own work, of which nobody else would catch a
// panic.
func (e *Engine) safeUnit(ctx context.Context, p Principal, run func(u *unit) error) error {
	return safely(func() error { return e.unit(ctx, p, run) })
}

// safely runs fn; a panic is an error.
func safely(fn func() error) (err error) {
	defer func() {
		if recover() != nil { // its value may hold a customer's text
			err = errs.New(errs.Invalid, "sangdam: a piece of work panicked in %s", errs.Where())
		}
	}()
	return fn()
}
