package sangdam

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// settled is a decision and what became of it: carried out, or refused.
type settled struct {
	routing.Decision
	refused error
}

// fullBatches is how many full batches the router carries out in a row before that
// is a backlog.
const fullBatches = 8

// decide asks the Board until it is quiet and carries the decisions out, each batch
// in a turn of its own: transactions that decide on what they bring come in between
// and take of what waits, so that there is less of it. Only a backlog makes them go on
// without the router. What waits may take long, or come as fast as it is carried out:
// after a poll's time the router goes on with it once it has done what else it has to
// do, which is to prolong the lease and to read the feed. Once ctx has ended it asks no
// more: however much waits, stopping is not held up.
func (r *router) decide(ctx, drain context.Context) (quiet bool, err error) {
	now, err := r.clock.now(ctx, r.e)
	if err != nil {
		return false, err
	}
	defer r.backlog.Store(false)
	for until := time.Now().Add(r.e.cfg.Poll); ctx.Err() == nil; {
		err := r.inTurn(func() (err error) {
			quiet, err = r.decideBatch(drain, now)
			return err
		})
		if err != nil || quiet {
			return quiet, err
		}
		if time.Now().After(until) {
			r.look()
			break
		}
	}
	return false, nil
}

// decideBatch carries out as much as a transaction takes; quiet says that there is
// nothing. It has the router's turn.
func (r *router) decideBatch(drain context.Context, now time.Time) (quiet bool, err error) {
	r.boardMu.Lock()
	r.board.Tick(now)
	r.boardMu.Unlock()
	batch := r.next(now, maxTogether)
	if r.full++; len(batch) < maxTogether {
		r.full = 0
	}
	r.backlog.Store(r.full > fullBatches)
	if len(batch) > 0 {
		return false, r.carryOut(drain, batch)
	}
	r.boardMu.Lock()
	r.refusals = nil
	r.boardMu.Unlock()
	return true, nil
}

func (r *router) next(now time.Time, limit int) []routing.Decision {
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	r.keepJournal(now)
	var out []routing.Decision
	for len(out) < limit {
		d, ok := r.decideOne()
		if !ok {
			break
		}
		out = append(out, d)
	}
	return out
}

// maxApart is how many decisions of a batch are taken out of it one by one
// because they failed, before the rest is not tried together any more.
const maxApart = 3

// carryOut performs the decisions, together as long as that goes well: one queue
// alone would else wait for a commit with each. What fails is carried out by
// itself, and so is what is left when too much fails.
func (r *router) carryOut(ctx context.Context, batch []routing.Decision) error {
	var apart []routing.Decision
	var parts portions
	for len(batch) > 0 {
		n := parts.next(len(batch))
		done, err := r.carryOutTogether(ctx, batch[:n])
		failed, named := errors.AsType[*pieceError](err)
		switch {
		case err == nil:
			batch = batch[done:]
			parts.done(done)
		case lostLease(err), r.over(err) && (!named || ctx.Err() != nil):
			return err
		case parts.divides(n, err):
		case named && len(apart) < maxApart:
			apart = append(apart, batch[failed.piece])
			batch = slices.Delete(slices.Clone(batch), failed.piece, failed.piece+1)
			parts.found()
		default:
			apart, batch = append(apart, batch...), nil
		}
	}
	if batch = append(apart, batch...); len(batch) > 1 { // which of them comes first is not known
		if err := r.e.db.Update(ctx, r.ws, r.writeJournal); err != nil {
			return err
		}
		r.journalWritten()
	}
	var group errgroup.Group
	for _, d := range batch {
		group.Go(func() error { return r.carryOutOne(ctx, d) })
	}
	return group.Wait()
}

// over says that an error ends this Board's life: another process routes, the
// store is away, or nobody knows whether a commit took effect.
func (r *router) over(err error) bool {
	return lostLease(err) || errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func lostLease(err error) bool {
	fenced, ok := errors.AsType[*routing.Refused](err)
	return ok && fenced.Check == "lease"
}

// refusal says that a decision could not be carried out because the rows are not
// any more what it rests on.
func refusal(err error) bool {
	return (errors.Is(err, ErrStale) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid)) && !lostLease(err)
}

// carryOutTogether performs decisions in one transaction and tells how many of
// the first it took. A refused one leaves nothing behind, and the rest goes on.
func (r *router) carryOutTogether(ctx context.Context, batch []routing.Decision) (int, error) {
	want, pieces := r.carrying(batch, r.fence())
	ends, err := r.e.together(ctx, system(r.ws), func(ctx context.Context, tx store.Tx, _ *settings) error {
		kept, err := tx.Ahead(ctx, want)
		if err != nil {
			return err
		}
		if kept {
			r.clock.hear(tx.Now())
		}
		return r.writeJournal(ctx, tx)
	}, pieces, nil)
	if err != nil {
		return 0, err
	}
	r.journalWritten()
	list := make([]settled, len(ends))
	for i, refused := range ends {
		list[i] = settled{batch[i], refused}
	}
	return len(ends), r.settle(ctx, list...)
}

// carrying are what decisions ask for and the pieces that carry them out.
func (r *router) carrying(batch []routing.Decision, epoch int64) (driver.Wanted, []piece) {
	want := driver.Wanted{Lease: r.lease()}
	pieces := make([]piece, len(batch))
	for i, d := range batch {
		want.Items = append(want.Items, d.Item)
		if d.Item.Subject().Kind == routing.SubjectConversation {
			want.Conversations = append(want.Conversations, conversation.ID(d.Item))
		}
		if d.Agent != "" {
			want.Agents, want.Queues = append(want.Agents, d.Agent), append(want.Queues, d.Queue)
		}
		pieces[i] = piece{run: func(u *unit) error { return u.carryOut(d, r.lease(), epoch) }, mayRefuse: refusal}
	}
	return want, pieces
}

// carryOutOne performs one decision in a transaction of its own.
func (r *router) carryOutOne(ctx context.Context, d routing.Decision) error {
	epoch := r.fence()
	err := r.e.safeUnit(ctx, system(r.ws), func(u *unit) error {
		if err := u.carryOut(d, r.lease(), epoch); err != nil {
			return err
		}
		return r.writeJournal(u.ctx, u.tx)
	})
	if err != nil && !refusal(err) {
		return err
	}
	if err == nil {
		r.journalWritten()
	}
	return r.settle(ctx, settled{d, err})
}

// fence is the lease's epoch, without which nothing is written.
func (r *router) fence() int64 {
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	return r.epoch
}

// maxRefusals is how often in a row an item's decision may be refused before
// the Board is built anew, after a wait: rivals end sooner, so that what is
// wrong would come again and again.
const maxRefusals = 32

// refusedAgain counts a refusal and says that it was one too many.
func (r *router) refusedAgain(item routing.ItemID) bool {
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	if r.refusals == nil {
		r.refusals = map[routing.ItemID]int{}
	}
	r.refusals[item]++
	return r.refusals[item] > maxRefusals
}

// settle tells the Board what became of decisions. A refusal undoes one in the
// Board and brings fresh rows; an error of the store ends this Board's life.
func (r *router) settle(ctx context.Context, list ...settled) error {
	agents, items, configured, err := r.toReadAnew(list)
	if err != nil {
		return err
	}
	rows, err := r.read(ctx, agents, items, configured)
	if err != nil {
		return err
	}
	own := r.taken() // what the transactions published
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	for _, s := range list {
		r.board.Settle(s.ID, s.refused == nil)
	}
	if rows.cfg != nil {
		r.reconfigure(rows.cfg)
	}
	r.apply(own)
	r.apply(rows.changes)
	if own.queues {
		r.give(changes{queues: true})
	}
	return nil
}

// toReadAnew are the rows that refusals rested on.
func (r *router) toReadAnew(list []settled) (agents map[routing.AgentID]int64, items map[routing.ItemID]int64, configured bool,
	err error) {
	agents, items = map[routing.AgentID]int64{}, map[routing.ItemID]int64{}
	for _, s := range list {
		if s.refused == nil {
			continue
		}
		if r.refusedAgain(s.Item) {
			return nil, nil, false, s.refused
		}
		items[s.Item] = 0
		if s.Agent != "" {
			agents[s.Agent] = 0
		}
		// Who may no longer take it may have been taken off the queue or the desk:
		// the Board must know, or it would decide the same again.
		why, _ := errors.AsType[*routing.Refused](s.refused)
		configured = configured || why != nil && why.Check == "eligibility"
	}
	return agents, items, configured, nil
}

// carryOut does what the Board decided.
func (u *unit) carryOut(d routing.Decision, lease string, epoch int64) error {
	switch d.Kind {
	case routing.DecideOffer, routing.DecideAssign:
		return u.reserve(d, lease, epoch)
	case routing.DecideOverflow:
		u.rests(driver.GuardLease, lease, epoch)
		return u.overflow(d)
	case routing.DecideRelax:
		u.rests(driver.GuardLease, lease, epoch)
		return u.relax(d)
	}
	return errs.New(errs.Unsupported, "sangdam: unknown decision %q", d.Kind)
}

// reserve is Tx C for a decision of the Board: offer or assignment, all or
// nothing, refused if anything it rests on has changed.
func (u *unit) reserve(d routing.Decision, lease string, epoch int64) error {
	it, err := u.tx.Work().Item(u.ctx, d.Item)
	if err != nil {
		return err
	}
	now := u.tx.Now()
	res := transition.Reservation{Item: d.Item, ItemVersion: d.ItemVersion, Agent: d.Agent, EligRev: d.EligRev,
		Lease: lease, Epoch: epoch, Turn: true, Decision: &d, Now: now}
	if !u.serves(it, d.Agent) {
		return &routing.Refused{Check: "eligibility", Detail: "the agent is not in the queue or not on the desk"}
	}
	if d.Kind == routing.DecideAssign {
		res.Assignment = &routing.Assignment{ID: routing.AssignmentID(newID()), Item: d.Item, Agent: d.Agent, Uses: it.Uses, StartedAt: now}
		if err := u.tx.Work().Reserve(u.ctx, res); err != nil {
			return err
		}
		u.wrote = true
		_, err := u.own(*res.Assignment)
		return err
	}
	return u.offerTo(it, res)
}

// offerTo reserves an item for an agent who is asked.
func (u *unit) offerTo(it routing.Item, res transition.Reservation) error {
	res.Offer = &routing.Offer{ID: routing.OfferID(newID()), Item: res.Item, Agent: res.Agent, State: routing.OfferPending, Uses: it.Uses,
		OfferedAt: res.Now, ExpiresAt: res.Now.Add(it.OfferStands())}
	if err := u.tx.Work().Reserve(u.ctx, res); err != nil {
		return err
	}
	u.wrote = true
	if err := u.tx.Deadlines().Set(u.ctx, dueOffer, string(res.Offer.ID), res.Offer.ExpiresAt); err != nil {
		return err
	}
	if err := u.changedItem(res.Item); err != nil {
		return err
	}
	if err := u.changedAgent(res.Agent); err != nil {
		return err
	}
	u.after.offers = append(u.after.offers, *res.Offer)
	return u.worker(res.Item).offered(*res.Offer, it.Queue)
}

// relax drops one more skill requirement of a waiting item.
func (u *unit) relax(d routing.Decision) error {
	it, err := u.decided(d)
	if err != nil {
		return err
	}
	return u.saveItem(transition.Relaxed(it))
}

// decided loads the item that a decision concerns, refused when it changed.
func (u *unit) decided(d routing.Decision) (routing.Item, error) {
	it, err := u.tx.Work().Item(u.ctx, d.Item)
	if err != nil {
		return it, err
	}
	if it.Version != d.ItemVersion || it.State != routing.ItemQueued {
		return it, &routing.Refused{Check: "item", Detail: "it changed since the decision"}
	}
	u.wrote = true // from here on
	return it, nil
}
