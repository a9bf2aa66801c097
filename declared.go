package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// The orders in which a document is found are made when it is saved. Where a
// program declares new ones, what was saved before is saved again at its first
// start, in small transactions by one process, before that process says that it
// is ready; what is done stays done if it is killed. Until then lists refuse
// instead of leaving out what they cannot find yet.

// declaredKind is a kind of document whose declaration may be raised.
type declaredKind interface {
	Name() string
	Decl() int
	Renew(ctx context.Context, tx store.Tx, limit int) (int, error)
}

// declaredKinds are all kinds of this package.
var declaredKinds []declaredKind

// declare is store.Declare for the kinds of this package.
func declare[T any](k store.Kind[T]) *store.Documents[T] {
	d := store.Declare(k)
	declaredKinds = append(declaredKinds, d)
	return d
}

const (
	declaredKey   = "declared" // where a database keeps what its documents have
	renewLease    = "documents"
	renewLeaseFor = 30 * time.Second
	renewChunk    = 100
	// renewBeside is for how long after a renewal it is looked again every hour
	// for documents that processes of an older program saved meanwhile.
	renewBeside = 3 * 24 * time.Hour
)

// declarations is what all documents of a database have.
type declarations struct {
	// Kinds has the declaration of each kind whose own is above 1.
	Kinds map[string]int `json:"kinds"`
	// Until is when nobody looks for stragglers any more.
	Until time.Time `json:"until,omitzero"`
}

// raised are the kinds that may have documents of an older declaration at all.
func (e *Engine) raised() []declaredKind {
	return slices.DeleteFunc(slices.Clone(e.kinds), func(k declaredKind) bool { return k.Decl() < 2 })
}

// declarations reads what the database has; raw is for PutMeta.
func (e *Engine) declarations(ctx context.Context) (d declarations, raw []byte, err error) {
	raw, err = e.db.System().Meta(ctx, declaredKey)
	if errors.Is(err, ErrNotFound) {
		return d, nil, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	return d, raw, err
}

// missing are the kinds whose documents may be of an older declaration.
func (e *Engine) missing(d declarations) []declaredKind {
	return slices.DeleteFunc(e.raised(), func(k declaredKind) bool { return d.Kinds[k.Name()] >= k.Decl() })
}

// listable refuses while documents are not found by every order that this
// program declares.
func (e *Engine) listable(ctx context.Context) error {
	if e.allFound.Load() {
		return nil
	}
	d, raw, err := e.declarations(ctx)
	if err != nil {
		return err
	}
	if missing := e.missing(d); len(missing) > 0 {
		stale, err := e.stale(ctx, missing)
		if err != nil {
			return err
		}
		if stale != "" {
			return errs.New(errs.Unavailable,
				"sangdam: the indexes of %s are being made after an update of the program; wait until Ready says so", stale)
		}
		if err := e.allCurrent(ctx, d, raw, time.Time{}); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	e.allFound.Store(true)
	return nil
}

// stale names a kind that has documents of an older declaration.
func (e *Engine) stale(ctx context.Context, kinds []declaredKind) (name string, err error) {
	workspaces, err := e.db.System().Workspaces(ctx, driver.Having{})
	for _, ws := range workspaces {
		err = errors.Join(err, e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
			for _, k := range kinds {
				docs, err := tx.Documents().List(ctx, driver.Range{Kind: k.Name(), Below: k.Decl()}, driver.Place{}, 1)
				if err != nil {
					return err
				}
				if len(docs) > 0 {
					name = k.Name()
				}
			}
			return nil
		}))
		if name != "" || err != nil {
			return name, err
		}
	}
	return "", err
}

// allCurrent notes that no document is of an older declaration.
func (e *Engine) allCurrent(ctx context.Context, had declarations, raw []byte, until time.Time) error {
	now := declarations{Kinds: maps.Clone(had.Kinds), Until: until}
	if now.Kinds == nil {
		now.Kinds = map[string]int{}
	}
	for _, k := range e.raised() {
		now.Kinds[k.Name()] = max(now.Kinds[k.Name()], k.Decl())
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return e.db.System().PutMeta(ctx, declaredKey, raw, text)
}

// renewDocuments returns when all documents have what this program declares, or
// the context ends. Whoever has the lease saves them again, the others wait.
func (e *Engine) renewDocuments(ctx context.Context) {
	for ctx.Err() == nil {
		err := e.listable(ctx)
		if err == nil {
			return
		}
		if errors.Is(err, ErrUnavailable) {
			err = e.renewAll(ctx)
		}
		if err != nil && !errors.Is(err, ErrConflict) && ctx.Err() == nil {
			e.trouble("indexes that the program newly declares could not be made", err)
		}
		if err != nil {
			e.pause(ctx, 1)
		}
	}
}

// renewAll saves every document of an older declaration again; ErrConflict: another
// process does.
func (e *Engine) renewAll(ctx context.Context) error {
	d, raw, err := e.declarations(ctx)
	if err != nil {
		return err
	}
	workspaces, err := e.db.System().Workspaces(ctx, driver.Having{})
	if err != nil {
		return err
	}
	for _, ws := range workspaces {
		for _, k := range e.raised() {
			if err := e.renew(ctx, ws, k); err != nil {
				return err
			}
		}
	}
	if len(e.missing(d)) == 0 {
		return nil
	}
	now, err := e.db.System().Now(ctx)
	if err != nil {
		return err
	}
	return e.allCurrent(ctx, d, raw, now.Add(renewBeside))
}

// renew writes a workspace's documents of a kind anew, some at a time.
func (e *Engine) renew(ctx context.Context, ws WorkspaceID, k declaredKind) error {
	for n := renewChunk; n == renewChunk; {
		if _, err := e.db.System().Lease(ctx, renewLease, e.cfg.Node, renewLeaseFor); err != nil {
			return err
		}
		err := e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
			n, err = k.Renew(ctx, tx, renewChunk)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// renewStragglers looks for what processes of an older program saved beside this
// one, as long as there may be such.
func (e *Engine) renewStragglers(ctx context.Context) {
	d, _, err := e.declarations(ctx)
	now, errNow := e.db.System().Now(ctx)
	if err = errors.Join(err, errNow); err == nil && now.Before(d.Until) {
		err = e.renewAll(ctx)
	}
	if err != nil && !errors.Is(err, ErrConflict) && ctx.Err() == nil {
		e.trouble("documents that an older program saved could not be renewed", err)
	}
}
