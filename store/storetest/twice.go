package storetest

import (
	"context"
	"errors"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// twice runs the function of every Update twice: once rolled back, once for
// good. It finds functions and stores that keep something of a run that did
// not count.
type twice struct{ driver.Backend }

var errRehearsal = errors.New("storetest: this run is rolled back")

func (w twice) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	err := w.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return errRehearsal
	})
	if err == nil {
		return errors.New("storetest: an Update whose function failed reported success")
	}
	if ctx.Err() != nil || errors.Is(err, driver.ErrUnavailable) {
		return err
	}
	return w.Backend.Update(ctx, ws, fn)
}

// single runs a function once: a clash, which store.DB would answer by running
// it again, is errOnce.
type single struct{ driver.Backend }

var errOnce = errs.New(errs.Conflict, "storetest: another writer was first")

func (s single) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	err := s.Backend.Update(ctx, ws, fn)
	if errors.Is(err, driver.ErrClash) {
		return errOnce
	}
	return err
}

// once is the store without running again.
func once(db *store.DB) *store.DB { return store.New(single{db.Backend()}) }
