package sqlite

import (
	"context"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// work implements driver.WorkRepo; what is written of it is in reserve.go.
type work struct{ *tx }

const itemColumns = `doc, version, seq`

func scanItem(w raw.Row) (routing.Item, error) {
	var it routing.Item
	err := decode(w.View(0), &it)
	it.Version, it.Seq = w.Int(1), w.Int(2)
	return it, err
}

func (r work) Item(_ context.Context, id routing.ItemID) (routing.Item, error) {
	return one(r.tx, scanItem, "item "+string(id), `SELECT `+itemColumns+` FROM items WHERE ws = ? AND id = ?`, r.ws, string(id))
}

func (r work) SaveItem(_ context.Context, it routing.Item) (int64, error) {
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
	return maybe(r.tx, scanDoc[routing.Assignment], `SELECT doc FROM assignments WHERE ws = ? AND item = ? AND open = 1`,
		r.ws, string(item))
}

func (r work) HeldBy(_ context.Context, a routing.AgentID) ([]routing.Offer, []routing.Assignment, error) {
	offers, err := list(r.tx, scanDoc[routing.Offer], `SELECT doc FROM offers WHERE ws = ? AND agent = ? AND pending = 1 ORDER BY at, id`,
		r.ws, string(a))
	if err != nil {
		return nil, nil, err
	}
	as, err := list(r.tx, scanDoc[routing.Assignment],
		`SELECT doc FROM assignments WHERE ws = ? AND agent = ? AND open = 1 ORDER BY at, id`, r.ws, string(a))
	return offers, as, err
}

func (r work) Open(context.Context) ([]routing.Item, error) {
	return list(r.tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE ws = ? AND state <> 'done' ORDER BY seq`, r.ws)
}

func (r work) Decisions(_ context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return list(r.tx, scanDoc[routing.Decision], `SELECT doc FROM decisions WHERE ws = ? AND item = ? ORDER BY seq`, r.ws, string(item))
}
