package sangdam

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// runDeadlines looks at what has become due. Two processes may look at the
// same deadline; the transaction that handles it decides on the present rows.
func (e *Engine) runDeadlines(ctx, drain context.Context) {
	hints, stop := e.wake.subscribe("", driver.NewsDeadlines)
	defer stop()
	fails := 0
	for ctx.Err() == nil {
		due, err := e.db.System().Due(ctx, 100)
		handled, failed := e.handleDue(ctx, drain, due)
		if failed || err != nil {
			fails++
		} else {
			fails = 0
		}
		if handled == 0 || fails > 0 {
			e.rest(ctx, driver.NewsDeadlines, hints, nil, fails)
		} else {
			e.pulse.found(driver.NewsDeadlines)
		}
	}
}

// handleDue handles what is due until ctx ends, and says how much of it is done
// and whether the store failed.
func (e *Engine) handleDue(ctx, drain context.Context, due []driver.Deadline) (handled int, failed bool) {
	for _, d := range due {
		if ctx.Err() != nil {
			return handled, failed
		}
		done, err := e.handleDeadline(drain, d)
		switch {
		case err != nil:
			e.trouble("a deadline could not be handled", err, "kind", d.Kind, "id", d.ID)
			failed = e.postpone(drain, d, err) != nil || failed
		case done:
			handled++
		}
	}
	return handled, failed
}

// postpone moves a deadline that could not be handled, so that it does not hold
// up the others: for a moment if the reason is temporary.
func (e *Engine) postpone(ctx context.Context, d driver.Deadline, why error) error {
	wait := time.Minute
	if temporary(why) || errors.Is(why, ErrStale) {
		wait = time.Second
	}
	return e.db.Update(ctx, d.Workspace, func(ctx context.Context, tx store.Tx) error {
		return tx.Deadlines().Set(ctx, d.Kind, d.ID, tx.Now().Add(wait))
	})
}

// deadlineKind is what a deadline of a kind brings. run also moves or clears the
// deadline, in the same transaction.
type deadlineKind struct {
	run func(u *unit, id string) error
	// ofAgents says that it is about heart-beats: it waits while none could be
	// heard.
	ofAgents bool
}

// deadlineKinds are all of them, registered by the files that they belong to.
var deadlineKinds = map[string]deadlineKind{}

func registerDeadline(name string, k deadlineKind) {
	if _, twice := deadlineKinds[name]; twice || name == "" || k.run == nil {
		panic("sangdam: the kind of deadline " + name + " is declared twice, or without name or run")
	}
	deadlineKinds[name] = k
}

// thenCleared is run for a deadline that is over when it has been handled.
func thenCleared(name string, run func(u *unit, id string) error) func(u *unit, id string) error {
	return func(u *unit, id string) error {
		if err := run(u, id); err != nil {
			return err
		}
		return u.tx.Deadlines().Clear(u.ctx, name, id)
	}
}

func init() {
	registerDeadline(dueOffer, deadlineKind{run: func(u *unit, id string) error { return u.offerExpired(routing.OfferID(id)) }})
	for _, kind := range []string{dueWrapUp, dueAutoClose} {
		registerDeadline(kind, deadlineKind{run: func(u *unit, id string) error { return u.timeOver(conversation.ID(id), kind) }})
	}
}

// strangeFor is how long a due deadline of a kind that this program does not
// know is left alone: a newer program beside it knows what to do. Later it is
// moved out of the way, but stays.
const strangeFor = time.Second

// handleDeadline reports whether anything was done.
func (e *Engine) handleDeadline(ctx context.Context, due driver.Deadline) (done bool, err error) {
	kind, known := deadlineKinds[due.Kind]
	err = e.safeUnit(ctx, system(due.Workspace), func(u *unit) error {
		away := e.hearing.deaf(u.tx.Now())
		switch {
		case !known:
			if done = u.tx.Now().After(due.At.Add(strangeFor)); !done {
				return nil
			}
			return u.tx.Deadlines().Set(u.ctx, due.Kind, due.ID, u.tx.Now().Add(time.Minute))
		case kind.ofAgents && away > 0:
			done = true
			return u.tx.Deadlines().Set(u.ctx, due.Kind, due.ID, u.tx.Now().Add(away))
		}
		done = true
		return kind.run(u, due.ID)
	})
	return done, err
}

// offerExpired ends an offer whose time is over; the next agent is asked.
func (u *unit) offerExpired(id routing.OfferID) error {
	o, err := u.tx.Work().Offer(u.ctx, id)
	if errors.Is(err, ErrNotFound) || (err == nil && o.State != routing.OfferPending) {
		return u.tx.Deadlines().Clear(u.ctx, dueOffer, string(id))
	}
	if err != nil {
		return err
	}
	if u.tx.Now().Before(o.ExpiresAt) {
		return u.tx.Deadlines().Set(u.ctx, dueOffer, string(id), o.ExpiresAt)
	}
	return u.endOffer(id, routing.OfferExpired, "timeout")
}

// timeOver ends a conversation whose wrap-up or silence lasted long enough, or
// moves the deadline when something happened meanwhile.
func (u *unit) timeOver(id conversation.ID, kind string) error {
	cv, err := u.tx.Conversations().Conversation(u.ctx, id)
	if err != nil {
		return err
	}
	stream := u.s.routing.WorkStreams[cv.WorkStream]
	over := cv.State == conversation.StateWrapUp && stream.WrapUp > 0
	if ends := cv.WrapUpAt.Add(stream.WrapUp); kind == dueWrapUp && over && u.tx.Now().Before(ends) {
		return u.tx.Deadlines().Set(u.ctx, kind, string(id), ends)
	}
	if kind == dueAutoClose {
		quiet := quietUntil(cv, stream)
		open := cv.State.HoldsThread()
		if open && stream.AutoClose > 0 && u.tx.Now().Before(quiet) {
			return u.tx.Deadlines().Set(u.ctx, kind, string(id), quiet)
		}
		over = open && stream.AutoClose > 0
	}
	if err := u.tx.Deadlines().Clear(u.ctx, kind, string(id)); err != nil || !over {
		return err
	}
	return u.endDraft(u.conversationOf(cv), "system", kind, true)
}
