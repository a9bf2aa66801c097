package sqlite

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// work implements routing.WorkRepo; Reserve is in reserve.go.
type work struct{ *tx }

const itemColumns = `doc, version, seq`

func scanItem(w raw.Row) (routing.Item, error) {
	var it routing.Item
	err := decode(w.View(0), &it)
	it.Version, it.Seq = w.Int(1), w.Int(2)
	return it, err
}

func refused(check, detail string) error { return &routing.Refused{Check: check, Detail: detail} }

func (r work) Item(_ context.Context, id routing.ItemID) (routing.Item, error) {
	return one(r.tx, scanItem, "item "+string(id), `SELECT `+itemColumns+` FROM items WHERE ws = ? AND id = ?`, r.ws, string(id))
}

func held(s routing.ItemState) bool { return s == routing.ItemOffered || s == routing.ItemAssigned }

func (r work) SaveItem(_ context.Context, it routing.Item) (int64, error) {
	if err := r.checkState(it); err != nil {
		return 0, err
	}
	doc, err := encode(it)
	if err != nil {
		return 0, err
	}
	return r.saved("item", string(it.ID), it.Version,
		`INSERT INTO items (ws, id, version, state, doc) VALUES (?, ?, 1, ?, ?) RETURNING version`,
		[]any{r.ws, string(it.ID), string(it.State), doc},
		`UPDATE items SET version = version + 1, state = ?, doc = ? WHERE ws = ? AND id = ? AND version = ? RETURNING version`,
		[]any{string(it.State), doc, r.ws, string(it.ID), it.Version})
}

// checkState keeps SaveItem from giving or taking work: Reserve and the
// endings alone do that, together with the load.
func (r work) checkState(it routing.Item) error {
	if it.Version == 0 {
		if it.State != routing.ItemQueued && it.State != routing.ItemDone {
			return errs.New(errs.Invalid, "sqlite: item %s cannot begin as %q; save it as queued", it.ID, it.State)
		}
		return nil
	}
	var state routing.ItemState
	ok, err := r.first(`SELECT state FROM items WHERE ws = ? AND id = ? AND version = ?`,
		func(w raw.Row) { state = routing.ItemState(w.Text(0)) }, r.ws, string(it.ID), it.Version)
	if err != nil || !ok || state == it.State { // a version that is gone is found by the write
		return err
	}
	if held(state) || held(it.State) {
		return errs.New(errs.Invalid, "sqlite: item %s cannot be saved from %q to %q; use Reserve, EndOffer or EndAssignment", it.ID, state, it.State)
	}
	return nil
}

// moveItem writes an item whose hold changed.
func (r work) moveItem(it routing.Item) error {
	doc, err := encode(it)
	if err != nil {
		return err
	}
	return r.change(`UPDATE items SET version = version + 1, state = ?, doc = ? WHERE ws = ? AND id = ?`, string(it.State), doc, r.ws, string(it.ID))
}

func (r work) Offer(_ context.Context, id routing.OfferID) (routing.Offer, error) {
	return one(r.tx, scanDoc[routing.Offer], "offer "+string(id), `SELECT doc FROM offers WHERE ws = ? AND id = ?`, r.ws, string(id))
}

func (r work) Held(_ context.Context, item routing.ItemID) (*routing.Offer, *routing.Assignment, error) {
	o, err := maybe(r.tx, scanDoc[routing.Offer], `SELECT doc FROM offers WHERE ws = ? AND item = ? AND pending = 1`, r.ws, string(item))
	if err != nil {
		return nil, nil, err
	}
	a, err := r.openAssignment(item)
	return o, a, err
}

func (r work) openAssignment(item routing.ItemID) (*routing.Assignment, error) {
	return maybe(r.tx, scanDoc[routing.Assignment], `SELECT doc FROM assignments WHERE ws = ? AND item = ? AND open = 1`, r.ws, string(item))
}

func (r work) HeldBy(_ context.Context, a routing.AgentID) ([]routing.Offer, []routing.Assignment, error) {
	offers, err := list(r.tx, scanDoc[routing.Offer], `SELECT doc FROM offers WHERE ws = ? AND agent = ? AND pending = 1 ORDER BY at, id`, r.ws, string(a))
	if err != nil {
		return nil, nil, err
	}
	as, err := list(r.tx, scanDoc[routing.Assignment], `SELECT doc FROM assignments WHERE ws = ? AND agent = ? AND open = 1 ORDER BY at, id`, r.ws, string(a))
	return offers, as, err
}

func (r work) Open(context.Context) ([]routing.Item, error) {
	return list(r.tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE ws = ? AND state <> 'done' ORDER BY seq`, r.ws)
}

func (r work) Decisions(_ context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return list(r.tx, scanDoc[routing.Decision], `SELECT doc FROM decisions WHERE ws = ? AND item = ? ORDER BY seq`, r.ws, string(item))
}

// pendingOffer returns an offer that has not ended.
func (r work) pendingOffer(ctx context.Context, id routing.OfferID) (routing.Offer, error) {
	if err := r.writable(); err != nil {
		return routing.Offer{}, err
	}
	o, err := r.Offer(ctx, id)
	if err == nil && o.State != routing.OfferPending {
		err = refused("ended", "the offer ended as "+string(o.State))
	}
	return o, err
}

func (r work) Accept(ctx context.Context, id routing.OfferID, as routing.AssignmentID, now time.Time) (routing.Assignment, error) {
	o, err := r.pendingOffer(ctx, id)
	if err != nil {
		return routing.Assignment{}, err
	}
	if !o.ExpiresAt.IsZero() && !now.Before(o.ExpiresAt) {
		return routing.Assignment{}, refused("expired", "the offer expired before it was accepted")
	}
	it, err := r.Item(ctx, o.Item)
	if err != nil {
		return routing.Assignment{}, err
	}
	a := routing.Assignment{ID: as, Item: o.Item, Agent: o.Agent, Uses: o.Uses, StartedAt: now}
	if err := r.closeOffer(o, routing.OfferAccepted, "", now); err != nil {
		return a, err
	}
	if err := r.putAssignment(a); err != nil {
		return a, err
	}
	it.State, it.Agent = routing.ItemAssigned, o.Agent
	return a, r.moveItem(it)
}

func (r work) EndOffer(ctx context.Context, id routing.OfferID, state routing.OfferState, reason string, now time.Time) (routing.Offer, error) {
	if state != routing.OfferDeclined && state != routing.OfferExpired && state != routing.OfferWithdrawn {
		return routing.Offer{}, errs.New(errs.Invalid, "sqlite: an offer cannot be ended as %q; use Accept, or declined, expired or withdrawn", state)
	}
	o, err := r.pendingOffer(ctx, id)
	if err != nil {
		return routing.Offer{}, err
	}
	if state == routing.OfferExpired && now.Before(o.ExpiresAt) {
		return routing.Offer{}, refused("expired", "the offer is not due yet")
	}
	it, err := r.Item(ctx, o.Item)
	if err != nil {
		return routing.Offer{}, err
	}
	if err := r.closeOffer(o, state, reason, now); err != nil {
		return o, err
	}
	if err := r.unload(o.Agent, o.Uses, time.Time{}); err != nil {
		return o, err
	}
	it = routing.OfferEnded(it, o.Agent, state, now)
	if state != routing.OfferWithdrawn {
		if err := r.raiseElig(o.Agent); err != nil {
			return o, err
		}
	}
	if err := r.moveItem(it); err != nil {
		return o, err
	}
	return r.Offer(ctx, id)
}

func (r work) EndAssignment(ctx context.Context, item routing.ItemID, as routing.AssignmentID, reason routing.EndReason, then routing.ItemState, now time.Time) (routing.Assignment, error) {
	if then != routing.ItemQueued && then != routing.ItemDone {
		return routing.Assignment{}, errs.New(errs.Invalid, "sqlite: after an assignment item %s is queued or done, not %q", item, then)
	}
	if err := r.writable(); err != nil {
		return routing.Assignment{}, err
	}
	it, err := r.Item(ctx, item)
	if err != nil {
		return routing.Assignment{}, err
	}
	a, err := r.openAssignment(item)
	if err != nil {
		return routing.Assignment{}, err
	}
	if a == nil || as != "" && a.ID != as {
		return routing.Assignment{}, refused("ended", "the assignment is not the item's open one")
	}
	if err := r.closeAssignment(a, reason, now); err != nil {
		return *a, err
	}
	if err := r.unload(a.Agent, a.Uses, now); err != nil {
		return *a, err
	}
	it.State, it.Agent = then, ""
	return *a, r.moveItem(it)
}

func (r work) closeOffer(o routing.Offer, state routing.OfferState, reason string, now time.Time) error {
	o.State, o.Reason, o.EndedAt = state, reason, now.UTC()
	doc, err := encode(o)
	if err != nil {
		return err
	}
	return r.change(`UPDATE offers SET pending = 0, doc = ? WHERE ws = ? AND id = ?`, doc, r.ws, string(o.ID))
}

func (r work) closeAssignment(a *routing.Assignment, reason routing.EndReason, now time.Time) error {
	a.EndReason, a.EndedAt = reason, now.UTC().Truncate(time.Microsecond)
	doc, err := encode(a)
	if err != nil {
		return err
	}
	return r.change(`UPDATE assignments SET open = 0, doc = ? WHERE ws = ? AND id = ?`, doc, r.ws, string(a.ID))
}

func (r work) putAssignment(a routing.Assignment) error {
	doc, err := encode(a)
	if err != nil {
		return err
	}
	return r.change(`INSERT INTO assignments (ws, id, item, agent, open, at, doc) VALUES (?, ?, ?, ?, 1, ?, ?)`,
		r.ws, string(a.ID), string(a.Item), string(a.Agent), micro(a.StartedAt), doc)
}

// unload gives back what a hold used. idle, if not zero, is the end of work.
func (r work) unload(agent routing.AgentID, uses []routing.Use, idle time.Time) error {
	for _, u := range uses {
		if u.Units == 0 {
			continue
		}
		if err := r.change(`UPDATE agent_load SET used = used - ? WHERE ws = ? AND agent = ? AND profile = ?`,
			u.Units, r.ws, string(agent), string(u.Profile)); err != nil {
			return err
		}
	}
	return r.change(`UPDATE agents SET open = open - 1, rev = rev + 1, idle_since = max(idle_since, ?) WHERE ws = ? AND id = ?`,
		micro(idle), r.ws, string(agent))
}
