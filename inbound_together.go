package sangdam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// inboxRounds is how many claims of inbound lanes are under way at once. Two are
// enough to keep the store busy; with more each would bring less.
const inboxRounds = 2

// runInbox claims inbound lanes and works each to its end, steps 1 and 2 of the
// flow: a lane in order, the lanes of a claim together. What fails there is worked
// by itself, where its tries are counted. A prompt store gathers what is handed in
// into shared commits by itself: to rest before it gains nothing and costs a fifth of
// what it does in a second.
func (e *Engine) runInbox(ctx, drain context.Context) {
	runLanes(ctx, drain, e, laneWork[driver.InboxLane]{sort: driver.NewsInbox, workers: e.cfg.InboxWorkers,
		most: min(e.cfg.InboxWorkers, maxTogether), rounds: inboxRounds, paced: !e.prompt,
		claim: func(ctx context.Context, limit int) ([]driver.InboxLane, error) {
			return e.db.System().ClaimInbox(ctx, e.cfg.Node, limit, laneBatch, e.cfg.Lease)
		},
		work: e.workInboxes})
}

// workInboxes works claimed lanes, those of a workspace together. The round is
// over when all have had their turn; a lane that is worked by itself goes on.
func (e *Engine) workInboxes(ctx context.Context, lanes []driver.InboxLane, r round) {
	of := map[id.Workspace][]driver.InboxLane{}
	for _, l := range lanes {
		of[l.Workspace] = append(of[l.Workspace], l)
	}
	var turns sync.WaitGroup
	var group errgroup.Group
	for _, own := range of {
		turns.Add(1)
		group.Go(func() error {
			b := &inboxBatch{e: e, ws: own[0].Workspace, lanes: own}
			apart := b.work(ctx)
			turns.Done()
			r.ended(b.given, true)
			r.ended(len(own)-b.given-len(apart), false)
			for _, l := range apart {
				group.Go(func() error {
					e.workInbox(ctx, l)
					r.ended(1, false)
					return nil
				})
			}
			return nil
		})
	}
	turns.Wait()
	r.seenTo()
	_ = group.Wait()
}

// inboxBatch are lanes of a workspace that are worked together.
type inboxBatch struct {
	e     *Engine
	ws    id.Workspace
	lanes []driver.InboxLane // Envelopes are those that are not done
	apart map[int]bool       // lanes to be worked by themselves
	freed map[int]bool       // lanes that were given back with the commit of their last step
	steps []inboxStep        // still to be done, a lane's in order
	given int                // how many are freed
}

// inboxStep is one envelope of a lane.
type inboxStep struct {
	lane     int
	env      adapter.Envelope
	acct     channel.Account // for reading ahead alone
	in       adapter.Inbound
	last     bool // of its lane, as far as it was claimed
	absorbed bool
	freed    bool // the lane is given back with the step's commit
}

// work does what can be done together, gives back the lanes that are done, and
// returns the others with what is left of them.
func (b *inboxBatch) work(ctx context.Context) []driver.InboxLane {
	b.apart, b.freed = map[int]bool{}, map[int]bool{}
	b.parse(ctx)
	var parts portions
	for len(b.steps) > 0 && ctx.Err() == nil {
		n := parts.next(len(b.steps))
		done, err := b.commit(ctx, b.steps[:n])
		failed, named := errors.AsType[*pieceError](err)
		switch {
		case err == nil:
			b.finish(b.steps[:done])
			b.steps = b.steps[done:]
			parts.done(done)
		case parts.divides(n, err):
		case named && len(b.apart) < maxApart:
			b.leave(b.steps[failed.piece].lane)
			parts.found()
		default: // too many failed, or the store is away
			b.steps = nil
		}
	}
	return b.giveBack(ctx)
}

// giveBack frees the lanes that are done and returns those to be worked apart.
func (b *inboxBatch) giveBack(ctx context.Context) []driver.InboxLane {
	var done []driver.LaneRef
	var apart []driver.InboxLane
	for i, l := range b.lanes {
		switch {
		case b.freed[i]:
			b.given++
		case len(l.Envelopes) > 0 || b.apart[i]:
			apart = append(apart, l)
		default:
			done = append(done, l.LaneRef)
		}
	}
	if len(done) > 0 {
		err := b.e.insist(ctx, func(ctx context.Context) error { return b.e.db.System().Release(ctx, driver.NewsInbox, done...) })
		if err != nil {
			b.e.trouble("lanes could not be given back; their leases will end", err)
		}
	}
	return apart
}

// leave takes a lane out.
func (b *inboxBatch) leave(lane int) {
	b.apart[lane] = true
	b.steps = slices.DeleteFunc(slices.Clone(b.steps), func(s inboxStep) bool { return s.lane == lane })
}

// parse makes the steps. A lane goes on by itself from an envelope that cannot be
// parsed, has failed before, or lies elsewhere because of its size.
func (b *inboxBatch) parse(ctx context.Context) {
	s, err := b.e.current(ctx, b.ws)
	if err != nil {
		return
	}
	n := 0
	for _, l := range b.lanes {
		n += len(l.Envelopes)
	}
	b.steps = make([]inboxStep, 0, min(n, 2*maxTogether)) // a step is large: to grow the list copies all of them
	for i, l := range b.lanes {
		for n, env := range l.Envelopes {
			if env.Tries > 0 || isLarge(env.Raw) {
				break
			}
			acct, adapter, err := b.e.account(s, env.Account)
			if err != nil {
				break
			}
			whole, done, err := b.e.wholeEnvelope(ctx, b.ws, env)
			if err != nil {
				break
			}
			in, err := adapter.event(acct, whole)
			done()
			if err != nil {
				break
			}
			b.steps = append(b.steps, inboxStep{lane: i, env: env, acct: acct, in: in, last: n == len(l.Envelopes)-1})
		}
	}
}

// commit does steps in one transaction and tells how many of the first it took.
func (b *inboxBatch) commit(ctx context.Context, steps []inboxStep) (int, error) {
	pieces := make([]piece, len(steps))
	for i := range steps {
		step := &steps[i]
		pieces[i] = piece{run: func(u *unit) error {
			ref := b.lanes[step.lane].LaneRef
			err := u.processes(ref, step.env, step.in)
			step.absorbed = u.absorbed
			if err == nil && step.last {
				step.freed, err = u.tx.GiveBack(u.ctx, driver.NewsInbox, ref)
			}
			return err
		}}
	}
	p := b.e.placing(b.ws)
	ahead := func(ctx context.Context, tx store.Tx, s *settings) error {
		p.undo() // of a run before: the router need not wait for this one
		return readInboxAhead(ctx, tx, s, steps)
	}
	defer p.release()
	ends, err := b.e.together(ctx, system(b.ws), ahead, pieces, p.follow)
	done := len(ends) - len(p.batch)
	if p.end(ctx, ends, err) {
		ends, err = b.e.together(ctx, system(b.ws), ahead, pieces, nil)
		done = len(ends)
	}
	if failed, named := errors.AsType[*pieceError](err); named && failed.piece >= len(pieces) {
		err = failed.err // a decision, and the transaction was not to run again
	}
	return done, err
}

// finish notes that steps are committed.
func (b *inboxBatch) finish(steps []inboxStep) {
	for _, s := range steps {
		l := &b.lanes[s.lane]
		l.Envelopes = l.Envelopes[1:]
		if s.freed {
			b.freed[s.lane] = true
		}
		b.e.processed(l.LaneRef, s.env, s.in, s.absorbed)
	}
}

// readInboxAhead reads what customerMessage and its like ask for: first what the
// provider's names stand for, then the conversations of those who are known, then
// the agents who have these.
func readInboxAhead(ctx context.Context, tx store.Tx, s *settings, steps []inboxStep) error {
	var w driver.Wanted
	for _, st := range steps {
		if st.in.MessageID != "" {
			w.Heard = append(w.Heard, driver.ProviderMessage{Account: st.acct.ID, Chat: st.in.Chat, Message: st.in.MessageID})
			w.NewItems++
		}
		if st.in.Author.User != "" {
			w.Documents = append(w.Documents, store.IdentityKey(st.acct.Kind, st.acct.UserScope(), st.in.Author.User))
		}
	}
	kept, err := tx.Ahead(ctx, w)
	if err != nil || !kept {
		return err
	}
	threads := map[string]bool{}
	for _, st := range steps {
		var contact conversation.ContactID
		if st.in.Chat.OfOne() && st.in.Author.User != "" {
			i, err := tx.Contacts().Identity(ctx, st.acct.Kind, st.acct.UserScope(), st.in.Author.User)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			contact = i.Contact
		}
		if st.in.Chat.ID != "" && (contact != "" || !st.in.Chat.ByContact()) {
			threads[s.thread(st.in.Chat, st.acct.ID, st.acct.WorkStream, contact)] = true
		}
	}
	if len(threads) == 0 {
		return nil
	}
	if _, err := tx.Ahead(ctx, driver.Wanted{Threads: slices.Collect(maps.Keys(threads))}); err != nil {
		return err
	}
	var glances driver.Wanted
	for t := range threads {
		open, _, err := tx.Conversations().ByThread(ctx, t)
		if err != nil {
			return err
		}
		if open != nil && open.Agent != "" {
			glances.Glances = append(glances.Glances, open.Agent)
		}
	}
	if len(glances.Glances) > 0 {
		_, err = tx.Ahead(ctx, glances)
	}
	return err
}
