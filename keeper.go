package sangdam

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
)

const (
	keepEvery  = 5 * time.Second // heart-beats, lost agents
	purgeEvery = time.Minute
	purgeChunk = 200 // rows in one transaction
)

// runKeeper shows that this process lives, finds lost agents, and deletes what
// is kept for a time only.
func (e *Engine) runKeeper(ctx, drain context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	var purged, swept, turned time.Time // turned by the store's clock
	looked := time.Now()                // for stragglers; Run has just done it
	for {
		if _, err := e.db.System().Beat(ctx, e.cfg.Node, 3*keepEvery); err != nil && ctx.Err() == nil {
			e.trouble("the node's heart-beat failed", err)
		}
		e.loseAgents(drain)
		if time.Since(purged) > purgeEvery {
			turned = e.purge(drain, turned)
			purged = time.Now()
		}
		if time.Since(looked) > time.Hour {
			e.renewStragglers(drain)
			looked = time.Now()
		}
		if e.cfg.Blobs != nil && time.Since(swept) > time.Hour {
			e.sweepBlobs(drain)
			swept = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// hearing knows since when heart-beats can have arrived, by the store's clock.
// Who was not heard while this process or its store stood still, or before it
// began, is not lost: first everybody gets the time to be heard again.
type hearing struct {
	mu          sync.Mutex
	since, last time.Time
}

// heard says that the keeper worked at now. A gap, also one of the clock, begins
// the hearing anew.
func (h *hearing) heard(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if gap := now.Sub(h.last); gap > 3*keepEvery || gap < 0 {
		h.since = now
	}
	h.last = now
}

// deaf is how long it takes at least until somebody may count as lost.
func (h *hearing) deaf(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.last) > 3*keepEvery {
		return lostGrace
	}
	return max(0, h.since.Add(lostGrace).Sub(now))
}

// purge deletes what is over. One statement finds the workspaces that have plumbing
// whose time is over, so that idle ones cost nothing. Records that are kept for a
// time are not found like that: each workspace has a minute of the day in which they
// are looked for whatever else is there. from is when this was done last.
func (e *Engine) purge(ctx context.Context, from time.Time) (now time.Time) {
	now, err := e.db.System().Now(ctx)
	if err != nil {
		return from
	}
	ages := e.ages(now)
	expired, err := e.db.System().Workspaces(ctx, driver.Having{Expired: &ages})
	if err != nil {
		e.trouble("old rows could not be looked for", err)
		return from
	}
	for _, ws := range expired {
		if err := e.purgeWorkspace(ctx, ws); err != nil {
			e.trouble("old rows could not be deleted", err, "workspace", string(ws))
		}
	}
	all, err := e.db.System().Workspaces(ctx, driver.Having{})
	if err != nil {
		e.trouble("old records could not be looked for", err)
		return from
	}
	for _, ws := range all {
		if !turnBetween(ws, from, now) || slices.Contains(expired, ws) {
			continue
		}
		if err := e.purgeQuiet(ctx, ws); err != nil {
			e.trouble("old records could not be deleted", err, "workspace", string(ws))
		}
	}
	return now
}

// turnBetween says whether the workspace's minute of the day begins after from and not
// after to. A process that has just begun knows of no from: the others, or the day
// after, have what was before.
func turnBetween(ws id.Workspace, from, to time.Time) bool {
	const day = 24 * 60
	h := fnv.New32a()
	_, _ = h.Write([]byte(ws)) // never fails
	if from.IsZero() {
		from = to.Add(-purgeEvery)
	}
	first, last := from.Unix()/60+1, to.Unix()/60
	return (int64(h.Sum32()%day)-first%day+day)%day <= last-first
}

// purgeQuiet looks in one transaction whether a workspace has anything whose time is
// over.
func (e *Engine) purgeQuiet(ctx context.Context, ws id.Workspace) error {
	more := false
	err := e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		more = false
		for _, step := range purges {
			n, err := step(e, ctx, tx)
			if err != nil {
				return err
			}
			more = more || n >= purgeChunk
		}
		return nil
	})
	if err != nil || !more {
		return err
	}
	return e.purgeWorkspace(ctx, ws)
}

// ages are the times before which plumbing is deleted, seen from now.
func (e *Engine) ages(now time.Time) driver.Ages {
	return driver.Ages{Raw: now.Add(-e.cfg.KeepRaw), Keys: now.Add(-e.cfg.KeepKeys), Feed: now.Add(-e.cfg.KeepFeed),
		Results: now.Add(-e.cfg.KeepResults)}
}

// purges delete what is kept for a time only, at most purgeChunk rows at once,
// and tell how many. They are registered by the files that they belong to.
var purges []func(e *Engine, ctx context.Context, tx store.Tx) (int, error)

func registerPurge(step func(e *Engine, ctx context.Context, tx store.Tx) (int, error)) {
	purges = append(purges, step)
}

// purgePlumbing goes before all others: what belongs to an envelope that is still
// there is kept with it.
func purgePlumbing(e *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return tx.Purge(ctx, e.ages(tx.Now()), purgeChunk)
}

func (e *Engine) purgeWorkspace(ctx context.Context, ws id.Workspace) error {
	for i := range 1 + len(purges) {
		step := purgePlumbing
		if i > 0 {
			step = purges[i-1]
		}
		for more := true; more && ctx.Err() == nil; {
			n := 0
			err := e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
				n, err = step(e, ctx, tx)
				return err
			})
			if err != nil {
				return err
			}
			more = n >= purgeChunk
		}
	}
	return nil
}

// claimBlobs binds the blob store to this database, so that no other one's
// sweep deletes what is referred to here.
func (e *Engine) claimBlobs(ctx context.Context) error {
	blobs, can := e.cfg.Blobs.(blob.Claimer)
	if !can {
		return nil // there is none
	}
	const key = "database"
	sys := e.db.System()
	err := sys.PutMeta(ctx, key, nil, []byte(newSecretID()))
	if err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	database, err := sys.Meta(ctx, key) // one's own, or that of an earlier start
	if err != nil {
		return err
	}
	err = blobs.Claim(ctx, string(database))
	if errors.Is(err, ErrInvalid) {
		return errs.New(errs.Invalid, "sangdam: the blob store holds the blobs of another database; give each database one of its own. "+
			"If this database took the other's place, remove the file \"database\" from the directory: %w", err)
	}
	return err
}

// unreferencedFor is how old a blob must be before it may be swept: its
// reference is written after the bytes (docs/design.md section 3).
const unreferencedFor = 24 * time.Hour

// sweepBlobs deletes bytes that no workspace refers to.
func (e *Engine) sweepBlobs(ctx context.Context) {
	now, err := e.db.System().Now(ctx)
	if err != nil {
		return
	}
	workspaces, err := e.db.System().Workspaces(ctx, driver.Having{})
	if err != nil {
		return
	}
	for after := ""; ctx.Err() == nil; {
		names, err := e.cfg.Blobs.List(ctx, now.Add(-unreferencedFor), after, purgeChunk)
		if err != nil || len(names) == 0 {
			return
		}
		after = names[len(names)-1]
		if !e.sweepThese(ctx, workspaces, names) {
			return
		}
	}
}

// sweepThese deletes those of the blobs that no workspace knows. It is false when
// that could not be asked: what cannot be checked is kept.
func (e *Engine) sweepThese(ctx context.Context, workspaces []WorkspaceID, names []string) bool {
	known := map[string]bool{}
	for _, ws := range workspaces {
		err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
			here, err := tx.Blobs().Known(ctx, names)
			for name, is := range here {
				known[name] = known[name] || is
			}
			return err
		})
		if err != nil {
			e.trouble("blobs could not be swept", err)
			return false
		}
	}
	for _, name := range names {
		if !known[name] {
			if err := e.cfg.Blobs.Delete(ctx, name); err != nil {
				e.log.Warn("a blob could not be deleted", "error", err)
			}
		}
	}
	return true
}
