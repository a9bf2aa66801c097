package sangdam

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// The library's own work shares transactions: one commit, one round trip and one
// write of a row that many want serve many conversations. What people ask for
// never does: it may wait for a policy, and its error is its caller's.

const (
	// maxTogether bounds how many pieces of work share a transaction: beyond it
	// locks are held longer and little is gained.
	maxTogether = 64
	// togetherFor is how long a transaction takes further pieces.
	togetherFor = 100 * time.Millisecond
	// togetherRuns is how often pieces are tried together while rivals are first;
	// alone each of them meets fewer.
	togetherRuns = 2
)

// piece is work that may share a transaction with other pieces.
type piece struct {
	run func(u *unit) error
	// mayRefuse says of an error that the piece has come to nothing and the others
	// may go on, if it has written nothing yet; nil: of none.
	mayRefuse func(error) bool
}

// readAhead reads what the pieces of a transaction will ask for one after another.
type readAhead func(ctx context.Context, tx store.Tx, s *settings) error

// pieceError says which of the pieces failed. Nothing was written of any.
type pieceError struct {
	piece int
	err   error
}

// Error names the cause.
func (e *pieceError) Error() string { return e.err.Error() }

// Unwrap is the cause.
func (e *pieceError) Unwrap() error { return e.err }

// errRivals says that rivals were first too often.
var errRivals = errs.New(errs.Conflict, "sangdam: rivals were first; each piece is to be tried alone")

// together runs pieces one after the other, in their order, in one transaction,
// each as a unit of its own that sees what those before it did. All that were
// taken, the first of them, are committed, and told to the router and the hooks;
// their refusals are returned in their order, nil for who is done. An error says
// that nothing was committed, or of ErrUnavailable that nobody knows; a
// *pieceError, whatever its cause, names the piece that failed, also by a panic or
// by what it wanted to write being changed again and again, and nothing was committed.
// Where what all of them write together at the end fails, no piece is named (see
// portions).
// then, unless it is nil, adds pieces that follow from what the others did: they are
// numbered after all of these, and their ends come after those that were taken.
func (e *Engine) together(ctx context.Context, p Principal, ahead readAhead, pieces []piece, then following) ([]error, error) {
	var b batch
	runs, clashed := 0, -1 // which piece the last run ended with
	run := func(ctx context.Context, tx store.Tx, s *settings) error {
		switch runs++; {
		case runs <= togetherRuns:
		case clashed >= 0:
			return &pieceError{clashed, errRivals}
		default:
			return errRivals
		}
		clashed = -1
		b = batch{e: e, ctx: ctx, tx: tx, s: s, p: p, clashed: &clashed}
		if err := ahead(ctx, tx, s); err != nil {
			return err
		}
		if err := b.run(pieces, 0, e.sharesFor); err != nil || then == nil {
			return err
		}
		more, err := then(ctx, tx, b.units, len(b.ends))
		if err != nil {
			return err
		}
		return b.run(more, len(pieces), math.MaxInt64)
	}
	err := safely(func() error {
		return e.keyed(ctx, p.Workspace, func() error { return e.update(ctx, p.Workspace, run) })
	})
	if err != nil {
		if _, named := errors.AsType[*pieceError](err); !named && len(pieces) == 1 {
			err = &pieceError{0, err} // it cannot have been another
		}
		return nil, err
	}
	for _, u := range b.units {
		u.committed()
	}
	return b.ends, nil
}

// portions says how many of the first pieces that are left are tried together next.
// Where some fail and nobody can tell by which of them, the first half is tried, and
// of the half that fails the first half again: one bad piece is found in a few
// transactions, and the others stay together.
type portions struct {
	suspects int // one of so many of the first pieces failed; 0: of none it is known
}

func (p *portions) next(left int) int {
	if p.suspects > 0 {
		return min(left, max(1, p.suspects/2))
	}
	return min(left, maxTogether)
}

// done notes that so many of the first pieces are done.
func (p *portions) done(n int) { p.suspects = max(0, p.suspects-n) }

// found notes that the piece is known and taken out.
func (p *portions) found() { p.suspects = 0 }

// divides reports whether so many pieces that failed are to be tried in smaller
// portions. They are not where the piece is known, and where nobody knows whether
// anything was committed.
func (p *portions) divides(n int, err error) bool {
	_, named := errors.AsType[*pieceError](err)
	if named || n < 2 || errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	p.suspects = n
	return true
}

// following makes the pieces that follow from what units of a transaction did, of
// which so many ended.
type following func(ctx context.Context, tx store.Tx, done []*unit, ended int) ([]piece, error)

// batch is one run of the transaction of many pieces.
type batch struct {
	e     *Engine
	ctx   context.Context
	tx    store.Tx
	s     *settings
	p     Principal
	units []*unit // of the pieces that are done
	ends  []error // of all that were taken

	clashed *int // set to the piece that met a rival
}

// run runs pieces, numbered from first on, no further ones once a time is over.
func (b *batch) run(pieces []piece, first int, within time.Duration) error {
	began := time.Now()
	for i, piece := range pieces {
		if i > 0 && time.Since(began) > within {
			break
		}
		u := b.e.newUnit(b.ctx, b.tx, b.s, b.p)
		err := u.whole(piece.run)
		if u.keyless {
			return errKeyless
		}
		switch {
		case err == nil:
			b.units = append(b.units, u)
		case errors.Is(err, driver.ErrClash):
			*b.clashed = first + i
			return err
		case u.wrote || piece.mayRefuse == nil || !piece.mayRefuse(err):
			return &pieceError{first + i, err}
		}
		b.ends = append(b.ends, err)
	}
	return nil
}

// whole runs a unit's function and its end. A panic is an error.
func (u *unit) whole(run func(*unit) error) error {
	return safely(func() error {
		if err := run(u); err != nil {
			return err
		}
		return u.end()
	})
}
