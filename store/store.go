// Package store is the transactional storage of the library: DB runs a
// function in a transaction of one workspace (Update, View), hands out the
// feed of events and the cross-workspace System, and runs an Update again when
// a rival was first. What holds for every backend is here: input is checked,
// pages are cut and work changes hands (routing/transition) before and above
// the driver, so that all stores give one answer.
//
// The backends are store/memory, store/sqlite and store/postgres; each has a
// constructor that returns a *DB. Somebody else's backend implements
// driver.Backend and passes storetest.
//
// A host opens a backend, gives it to sangdam.Config and otherwise leaves it alone:
// who writes conversations, items or offers through DB.Update passes by the
// policy, the audit log and the events. A record of one's own beside the library's
// is declared with Declare and kept with Documents.
package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store/driver"
)

// Names that users of a DB need, so that they do not import driver.
type (
	// WorkspaceID names a tenant.
	WorkspaceID = driver.WorkspaceID
	// Event is one entry of the feed: see driver.Event for its fields, and
	// sangdam.SubscribedEvents for the aggregates and their kinds.
	Event = driver.Event
	// System works across workspaces.
	System = driver.System
	// AuditEntry records who did what.
	AuditEntry = driver.AuditEntry
	// Job is work outside the flow.
	Job = driver.Job
	// Deadline is a moment at which something must be looked at again.
	Deadline = driver.Deadline
)

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrNotFound      = driver.ErrNotFound
	ErrConflict      = driver.ErrConflict
	ErrStale         = driver.ErrStale
	ErrAlreadyExists = driver.ErrAlreadyExists
	ErrInvalid       = driver.ErrInvalid
	ErrUnavailable   = driver.ErrUnavailable
	ErrUnsupported   = driver.ErrUnsupported
	ErrCursorGone    = driver.ErrCursorGone
)

// maxRuns bounds how often one Update runs its function. Rivals make progress
// each time one of them loses, so that many losses in a row mean a hot row.
const maxRuns = 32

// DB is a database. It is safe for concurrent use.
type DB struct{ b driver.Backend }

// New makes a DB of a backend.
func New(b driver.Backend) *DB { return &DB{b: b} }

// Backend returns what New was given, for wrappers and conformance suites.
func (db *DB) Backend() driver.Backend { return db.b }

// Update runs fn in a transaction of the workspace and commits it. When
// another writer was first (a unique key, a version, a guard) fn runs again
// after a short random wait, on fresh data, until it has run 32 times; then the
// error is ErrConflict. So fn must do no I/O, must not keep what it captured from
// an earlier run, and must set its results anew. Any other error of fn rolls back
// and is returned as it is: one that fn returns because its caller's version is
// old, such as ErrStale, is not run again. ErrNotFound for an unknown workspace;
// ErrInvalid inside another Update or View whose ctx it was given.
func (db *DB) Update(ctx context.Context, ws WorkspaceID, fn func(ctx context.Context, tx Tx) error) error {
	for run := 1; ; run++ {
		err := db.b.Update(ctx, ws, over(fn))
		if !errors.Is(err, driver.ErrClash) {
			return err
		}
		if run == maxRuns {
			return fmt.Errorf("store: gave up after %d runs: %w", maxRuns, err)
		}
		if err := pause(ctx, run); err != nil {
			return err
		}
	}
}

// pause waits a random time that grows with the number of runs: below 0.2 ms
// after the first, at most 50 ms.
func pause(ctx context.Context, run int) error {
	limit := min(200*time.Microsecond<<min(run-1, 8), 50*time.Millisecond)
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// View runs fn in a read transaction of the workspace. Writes are ErrInvalid. It runs
// once. What it reads may be of several moments on PostgreSQL, where each statement
// sees what is committed by then.
func (db *DB) View(ctx context.Context, ws WorkspaceID, fn func(ctx context.Context, tx Tx) error) error {
	return db.b.View(ctx, ws, over(fn))
}

// AppendEnvelopes stores inbound envelopes durably and tells for each whether
// it was new. A dedup key or lane above 200 bytes is kept as its hash. ErrInvalid
// for an envelope that cannot be stored; then none is. See driver.Backend.
func (db *DB) AppendEnvelopes(ctx context.Context, ws WorkspaceID, envs []adapter.Envelope) ([]bool, error) {
	if len(envs) == 0 {
		return nil, nil
	}
	fitting := make([]adapter.Envelope, len(envs))
	for i, e := range envs {
		var err error
		if fitting[i], err = e.Fitting(); err != nil {
			return nil, err
		}
	}
	return db.b.AppendEnvelopes(ctx, ws, fitting)
}

// Feed returns events after the cursor and the cursor to go on from; the empty
// cursor is the present. See driver.Backend.
func (db *DB) Feed(ctx context.Context, ws WorkspaceID, cursor string, limit int) ([]Event, string, error) {
	if err := atLeastOne(limit); err != nil {
		return nil, "", err
	}
	return db.b.Feed(ctx, ws, cursor, limit)
}

// Wake subscribes to hints that there may be news. See driver.Backend.
func (db *DB) Wake(fn func(driver.Hint)) (stop func()) { return db.b.Wake(fn) }

// System works across workspaces.
func (db *DB) System() System { return system{db.b.System()} }

// Stats counts what the backend did.
func (db *DB) Stats() driver.Stats { return db.b.Stats() }

// Close waits for running functions and releases everything. Stop the engines on it
// first; calls after it are ErrUnavailable.
func (db *DB) Close() error { return db.b.Close() }
