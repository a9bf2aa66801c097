package sangdam

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/store"
)

// ErrandState is the state of something that is done in the background: a
// backup, a bulk change, a trial of a trigger, or the erasure of a contact.
type ErrandState string

// The states.
const (
	ErrandRunning   ErrandState = "running"
	ErrandReady     ErrandState = "ready" // a backup: its file is there
	ErrandDone      ErrandState = "done"
	ErrandCancelled ErrandState = "cancelled" // a trial, stopped by the person who asked for it
	// ErrandFailed means that it was given up. A backup then has no file; what
	// a bulk change has changed stays; EraseContact goes on with an erasure
	// from where it stopped.
	ErrandFailed ErrandState = "failed"
)

// errand is the shape of work that a person asks for and that goes on in the
// background, step by step. A document says who asked and how far it is, a job
// takes the steps, and each step keeps in the document where the next begins: a
// job that is done again, after a restart too, goes on there. The documents carry
// the tag "by", in the order in which they were asked for.
type errand[T any] struct {
	kind  string // names the documents in news and refusals
	docs  *store.Documents[T]
	about func(*T) errandState
	// fail ends one that will not come to its end, and keeps why and when.
	fail func(v *T, reason string, now time.Time)
}

// errandState is what all errands have.
type errandState struct {
	id, by, state string
	version       int64
	over          bool // there is nothing left to do
	percent       int
}

// run takes one step after the other until the errand is over. One that is gone
// has nothing left to do.
func (k errand[T]) run(e *Engine, ctx context.Context, j *runningJob, id string, step func(context.Context, T) error) error {
	for ctx.Err() == nil {
		var v T
		err := e.db.View(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
			v, err = k.docs.Get(ctx, tx, id)
			return err
		})
		if errors.Is(err, ErrNotFound) || err == nil && k.about(&v).over {
			return nil
		}
		if err != nil {
			return err
		}
		j.progress(k.about(&v).percent)
		if err := step(ctx, v); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// save keeps how far the errand is, and tells whoever looks.
func (k errand[T]) save(u *unit, v *T) error {
	if err := k.docs.Save(u.ctx, u.tx, v); err != nil {
		return err
	}
	is := k.about(v)
	return u.event(k.kind, is.id, is.version, is.state)
}

// givenUp ends an errand whose job is not tried again, so that it is not taken for
// one that goes on, which would hold up its owner's next one. One that is over, or
// gone, stays as it is.
func (k errand[T]) givenUp(u *unit, id string, why error) error {
	v, err := k.docs.Get(u.ctx, u.tx, id)
	if errors.Is(err, ErrNotFound) || err == nil && k.about(&v).over {
		return nil
	}
	if err != nil {
		return err
	}
	k.fail(&v, kindName(why), u.tx.Now())
	return k.save(u, &v)
}

// errandsRunning is the index of errands that are not over, by when they were asked for.
const errandsRunning = "running"

// abandoned ends errands that nobody takes further any more: their jobs were given
// up and could not even say so, and are kept no longer than keys are. The kind has
// the index errandsRunning.
func (k errand[T]) abandoned(e *Engine, ctx context.Context, tx store.Tx) (int, error) {
	before := tx.Now().Add(-e.cfg.KeepKeys - abandonedAfter)
	page, err := k.docs.List(ctx, tx, store.List[T]{Index: errandsRunning, To: store.Time(before), Limit: purgeChunk})
	if err != nil {
		return 0, err
	}
	for i := range page.Items {
		k.fail(&page.Items[i], "the job was given up long ago", tx.Now())
		if err := k.docs.Save(ctx, tx, &page.Items[i]); err != nil {
			return 0, err
		}
	}
	return len(page.Items), nil
}

// abandonedAfter is more than the tries of any errand's job take.
const abandonedAfter = 7 * 24 * time.Hour

// of lists the principal's own errands, the newest first.
func (k errand[T]) of(ctx context.Context, tx store.Tx, p Principal, limit int) ([]T, error) {
	page, err := k.docs.List(ctx, tx, store.List[T]{Tag: "by", Value: store.Exact(p.keyOwner()), Desc: true, Limit: limit})
	return page.Items, err
}

// get is an errand of the principal's own; the host may look at everybody's.
func (k errand[T]) get(ctx context.Context, tx store.Tx, p Principal, id string) (T, error) {
	v, err := k.docs.Get(ctx, tx, id)
	if errors.Is(err, ErrNotFound) || err == nil && k.about(&v).by != p.keyOwner() && p.Kind != KindHost {
		var none T
		return none, noSuch(k.kind)
	}
	return v, err
}

// touched is a record in a list that goes by the last change.
type touched struct {
	id string
	at time.Time // of the last change
}

// gatherPasses bounds how often the beginning of a list is looked at again for
// what moved there meanwhile.
const gatherPasses = 20

// gather goes through such a list, the newest change first, down to since. What
// changes while it is read moves to its beginning, so that this is read again
// until it has nothing new. At most so many are returned; cut says that there
// were more.
func gather(since time.Time, most int, page func(after string) (some []touched, next string, err error)) (ids []string, cut bool,
	err error) {
	had := map[string]bool{}
	until := since // a pass ends at what has not changed since the one before
	for range gatherPasses {
		fresh, newest := 0, until
		for after, last := "", false; !last; {
			some, next, err := page(after)
			if err != nil {
				return nil, false, err
			}
			for _, it := range some {
				last = last || it.at.Before(until)
				if it.at.After(newest) {
					newest = it.at
				}
				if it.at.Before(since) || had[it.id] {
					continue
				}
				if len(ids) == most {
					return ids, true, nil
				}
				had[it.id], ids = true, append(ids, it.id)
				fresh++
			}
			after, last = next, last || next == ""
		}
		if fresh == 0 {
			break
		}
		until = newest
	}
	return ids, false, nil
}
