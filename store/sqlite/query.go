package sqlite

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// one reads the row of a thing, or says that there is none.
func one[T any](t *tx, scan func(raw.Row) (T, error), what, sql string, args ...any) (T, error) {
	all, err := list(t, scan, sql, args...)
	if err != nil || len(all) == 0 {
		var none T
		if err == nil {
			err = errs.New(errs.NotFound, "sqlite: there is no %s", what)
		}
		return none, err
	}
	return all[0], nil
}

// maybe is one where nothing is no error but nil.
func maybe[T any](t *tx, scan func(raw.Row) (T, error), sql string, args ...any) (*T, error) {
	all, err := list(t, scan, sql, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// list reads rows.
func list[T any](t *tx, scan func(raw.Row) (T, error), sql string, args ...any) ([]T, error) {
	return listAbout(t, 0, scan, sql, args...)
}

// mostAbout is how many rows are made room for before they are there.
const mostAbout = 64

// listAbout is list where about so many rows are expected.
func listAbout[T any](t *tx, about int, scan func(raw.Row) (T, error), sql string, args ...any) ([]T, error) {
	var out []T
	var failure error
	err := t.while(sql, func(w raw.Row) bool {
		var v T
		if v, failure = scan(w); failure != nil {
			return false
		}
		if out == nil && about > 0 {
			out = make([]T, 0, min(about, mostAbout))
		}
		out = append(out, v)
		return true
	}, args...)
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// scanDoc reads a value that is a document alone.
func scanDoc[T any](w raw.Row) (T, error) {
	var v T
	err := decode(w.View(0), &v)
	return v, err
}

func (t *tx) exists(sql string, args ...any) (bool, error) {
	_, ok, err := t.number(sql, args...)
	return ok, err
}

// saved creates the row of a thing with version 1 when version is 0, else replaces
// it if it still has the version, which both statements raise by one. Anything else
// means that a rival was first.
//
// None of the statements that run for every message returns what it wrote: a
// statement with RETURNING keeps its rows in a table of its own and copies every
// page that it writes for the case that it must be undone, and its end walks over
// all that the transaction has copied so far. Of 64 conversations in a transaction
// that was a quarter of the time.
func (t *tx) saved(what, id string, version int64, create string, createArgs []any, replace string, replaceArgs []any) (int64, error) {
	sql, args := create, createArgs
	if version != 0 {
		sql, args = replace, replaceArgs
	}
	n, err := t.exec(sql, args...)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, t.clashed(what + " " + id + " was changed, or made, by another")
	}
	return version + 1, nil
}

// HoldConfig implements driver.Session: one Update runs at a time here.
func (t *tx) HoldConfig(_ context.Context, change bool) error {
	if err := t.writable(); err != nil || !change {
		return err
	}
	return t.change(`UPDATE workspaces SET config_version = config_version + 1 WHERE num = ?`, t.ws)
}
