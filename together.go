package sangdam

import (
	"context"
	"errors"
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
func (e *Engine) together(ctx context.Context, p Principal, ahead readAhead, pieces []piece) ([]error, error) {
	var units []*unit
	var ends []error
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
		units, ends = nil, nil
		if err := ahead(ctx, tx, s); err != nil {
			return err
		}
		began := time.Now()
		for i, piece := range pieces {
			if i > 0 && time.Since(began) > e.sharesFor {
				break
			}
			u := e.newUnit(ctx, tx, s, p)
			err := u.whole(piece.run)
			if u.keyless {
				return errKeyless
			}
			switch {
			case err == nil:
				units = append(units, u)
			case errors.Is(err, driver.ErrClash):
				clashed = i
				return err
			case u.wrote || piece.mayRefuse == nil || !piece.mayRefuse(err):
				return &pieceError{i, err}
			}
			ends = append(ends, err)
		}
		return nil
	}
	err := e.keyed(ctx, p.Workspace, func() error { return e.update(ctx, p.Workspace, run) })
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		u.committed()
	}
	return ends, nil
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
