package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store/driver"
)

// Work stores items, offers and assignments of the transaction's workspace and
// is the only place that changes an agent's load. The rules are those of
// routing/transition.
type Work interface {
	// Item returns one. ErrNotFound.
	Item(ctx context.Context, id routing.ItemID) (routing.Item, error)
	// SaveItem creates (Version 0) or replaces. A Version that is not the stored
	// one is a clash: Update runs again. Returns the new version. Seq is set at
	// creation; Agent stays as it was. A state may only change from queued to
	// done or back: else ErrInvalid.
	SaveItem(ctx context.Context, it routing.Item) (int64, error)
	// Reserve gives the item to the agent, all or nothing; see
	// transition.Reserve. A check that failed is a *routing.Refused (ErrStale).
	Reserve(ctx context.Context, r transition.Reservation) error
	// Accept turns a pending offer into an assignment without touching the
	// load. ErrNotFound; ErrStale (a *routing.Refused) when it ended or expired
	// at now.
	Accept(ctx context.Context, offer routing.OfferID, as routing.AssignmentID, now time.Time) (routing.Assignment, error)
	// EndOffer ends a pending offer as declined, expired or withdrawn, gives its
	// load back and queues the item again; see transition.EndOffer. ErrNotFound;
	// ErrStale when it already ended, or for expired when it is not yet due.
	EndOffer(ctx context.Context, offer routing.OfferID, state routing.OfferState, reason string, now time.Time) (routing.Offer, error)
	// EndAssignment ends the item's open assignment, gives its load back, sets
	// IdleSince, and leaves the item queued or done. ErrNotFound for no such
	// item; ErrStale when it has no assignment, or as is given and is not it.
	EndAssignment(ctx context.Context, item routing.ItemID, as routing.AssignmentID, reason routing.EndReason,
		then routing.ItemState, now time.Time) (routing.Assignment, error)
	// LockItems locks the items in the order of their ids; see driver.WorkRepo. Call
	// it before ending several holds.
	LockItems(ctx context.Context, ids ...routing.ItemID) error
	// Held returns the item's open offer or open assignment, nil for none.
	Held(ctx context.Context, item routing.ItemID) (*routing.Offer, *routing.Assignment, error)
	// Offer returns one, open or ended. ErrNotFound.
	Offer(ctx context.Context, id routing.OfferID) (routing.Offer, error)
	// HeldBy lists an agent's open offers and assignments, oldest first.
	HeldBy(ctx context.Context, a routing.AgentID) ([]routing.Offer, []routing.Assignment, error)
	// Open calls each on every item that is queued, offered or assigned, ordered by
	// Seq. There may be very many: they are handed on as they are read, so that each
	// may not use the transaction, and on an error it has been called on some.
	Open(ctx context.Context, each func(routing.Item)) error
	// Decisions lists the item's decision summaries, oldest first.
	Decisions(ctx context.Context, item routing.ItemID) ([]routing.Decision, error)
}

type work struct {
	driver.WorkRepo
	t *tx
}

// knownItem is an item as this transaction knows it, so that saving it needs no second
// read. One that the transaction wrote needs none for anything: until it ends nobody
// else changes the row. Only the Seq of a new one is to be read once.
type knownItem struct {
	routing.Item
	written bool
}

func (w *work) seen(it routing.Item, written bool) {
	if w.t.items == nil {
		w.t.items = map[routing.ItemID]knownItem{}
	}
	it = copyOfItem(it)
	jsondoc.Times(&it)
	w.t.items[it.ID] = knownItem{it, written || w.t.items[it.ID].written}
}

// copyOfItem is an item for somebody who may change what it points to.
func copyOfItem(it routing.Item) routing.Item {
	it.Presences, it.Uses, it.Skills = slices.Clone(it.Presences), slices.Clone(it.Uses), slices.Clone(it.Skills)
	it.Declined, it.Visited, it.Overflowed = slices.Clone(it.Declined), slices.Clone(it.Visited), slices.Clone(it.Overflowed)
	it.Attributes = maps.Clone(it.Attributes)
	return it
}

func (w *work) Item(ctx context.Context, id routing.ItemID) (routing.Item, error) {
	if known := w.t.items[id]; known.written && known.Seq != 0 {
		return copyOfItem(known.Item), nil
	}
	var list []routing.Item
	err := w.Items(ctx, []routing.ItemID{id}, func(it routing.Item) { list = append(list, it) })
	it, err := only(list, err, "item")
	if err == nil {
		w.seen(it, false)
	}
	return it, err
}

func (w *work) SaveItem(ctx context.Context, it routing.Item) (int64, error) {
	old, err := w.old(ctx, it)
	if err != nil {
		return 0, err
	}
	if it, err = transition.Saved(old, it); err != nil {
		return 0, err
	}
	v, err := w.WorkRepo.SaveItem(ctx, it)
	if err == nil {
		if it.Version, it.Seq = v, 0; old != nil {
			it.Seq = old.Seq
		}
		w.seen(it, true)
	}
	return v, err
}

func (w *work) LockItems(ctx context.Context, ids ...routing.ItemID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := w.Lock(ctx, driver.WorkKey{Items: ids})
	return err
}

func (w *work) Open(ctx context.Context, each func(routing.Item)) error {
	return w.Items(ctx, nil, each)
}

func (w *work) Held(ctx context.Context, item routing.ItemID) (o *routing.Offer, a *routing.Assignment, err error) {
	offers, assignments, err := w.Holds(ctx, driver.HoldKey{Item: item})
	if len(offers) > 0 {
		o = &offers[0]
	}
	if len(assignments) > 0 {
		a = &assignments[0]
	}
	return o, a, err
}

func (w *work) HeldBy(ctx context.Context, a routing.AgentID) ([]routing.Offer, []routing.Assignment, error) {
	return w.Holds(ctx, driver.HoldKey{Agent: a})
}

func (w *work) Offer(ctx context.Context, id routing.OfferID) (routing.Offer, error) {
	offers, _, err := w.Holds(ctx, driver.HoldKey{Offer: id})
	return only(offers, err, "offer")
}

// old is the stored item that is to be replaced: nil for a new one. One in
// another version is a clash, which the write finds.
func (w *work) old(ctx context.Context, it routing.Item) (*routing.Item, error) {
	if it.Version == 0 {
		return nil, nil
	}
	if known, ok := w.t.items[it.ID]; ok && known.Version == it.Version {
		return &known.Item, nil
	}
	old, err := w.Item(ctx, it.ID)
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return nil, err
	}
	if err != nil || old.Version != it.Version {
		return &it, nil
	}
	return &old, nil
}

// change locks the rows, lets decide say what becomes of them, and writes it.
func (w *work) change(ctx context.Context, k driver.WorkKey, decide func(transition.Rows) (transition.Change, error)) (transition.Change,
	error) {
	rows, err := w.Lock(ctx, k)
	if err != nil {
		return transition.Change{}, err
	}
	c, err := decide(rows)
	if err != nil {
		return transition.Change{}, err
	}
	if err := w.Put(ctx, c); err != nil {
		return transition.Change{}, err
	}
	w.seen(c.Item, true)
	return c, nil
}

func (w *work) Reserve(ctx context.Context, r transition.Reservation) error {
	r.Now = micro(r.Now)
	k := driver.WorkKey{Item: r.Item, Agents: []routing.AgentID{r.Agent}, Lease: r.Lease}
	_, err := w.change(ctx, k, func(rows transition.Rows) (transition.Change, error) { return transition.Reserve(rows, r) })
	return err
}

func (w *work) Accept(ctx context.Context, offer routing.OfferID, as routing.AssignmentID, now time.Time) (routing.Assignment, error) {
	c, err := w.change(ctx, driver.WorkKey{Offer: offer}, func(rows transition.Rows) (transition.Change, error) {
		return transition.Accept(rows, as, micro(now))
	})
	if err != nil {
		return routing.Assignment{}, err
	}
	return *c.Assignment, nil
}

func (w *work) EndOffer(ctx context.Context, offer routing.OfferID, state routing.OfferState, reason string, now time.Time) (routing.Offer,
	error) {
	c, err := w.change(ctx, driver.WorkKey{Offer: offer}, func(rows transition.Rows) (transition.Change, error) {
		return transition.EndOffer(rows, state, reason, micro(now))
	})
	if err != nil {
		return routing.Offer{}, err
	}
	return *c.EndedOffer, nil
}

func (w *work) EndAssignment(ctx context.Context, item routing.ItemID, as routing.AssignmentID, reason routing.EndReason,
	then routing.ItemState, now time.Time) (routing.Assignment, error) {
	c, err := w.change(ctx, driver.WorkKey{Item: item}, func(rows transition.Rows) (transition.Change, error) {
		return transition.EndAssignment(rows, item, as, reason, then, micro(now))
	})
	if err != nil {
		return routing.Assignment{}, err
	}
	return *c.EndedAssignment, nil
}

// micro is the precision and zone of every stored time.
func micro(t time.Time) time.Time { return jsondoc.Micro(t) }
