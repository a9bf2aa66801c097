package sqlite

import (
	"cmp"
	"context"

	"github.com/sangdam/sangdam/internal/inorder"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// work implements driver.WorkRepo; what is written of it is in reserve.go.
type work struct{ *tx }

const itemColumns = `doc, version, seq`

func scanItem(w raw.Row) (it routing.Item, err error) {
	return it, decodeItem(w.View(0), [2]int64{w.Int(1), w.Int(2)}, &it)
}

// decodeItem reads an item of its document, version and place in line.
func decodeItem(doc []byte, numbers [2]int64, it *routing.Item) error {
	err := decode(doc, it)
	it.Version, it.Seq = numbers[0], numbers[1]
	return err
}

func (r work) SaveItem(_ context.Context, it routing.Item) (int64, error) {
	doc, err := encode(it)
	if err != nil {
		return 0, err
	}
	return r.saved("item", string(it.ID), it.Version,
		`INSERT INTO items (ws, id, version, state, doc) VALUES (?, ?, 1, ?, ?)`,
		[]any{r.ws, string(it.ID), string(it.State), doc},
		`UPDATE items SET version = version + 1, state = ?, doc = ? WHERE ws = ? AND id = ? AND version = ?`,
		[]any{string(it.State), doc, r.ws, string(it.ID), it.Version})
}

func (r work) Holds(_ context.Context, k driver.HoldKey) ([]routing.Offer, []routing.Assignment, error) {
	of, id := "item = ?", string(k.Item)
	switch {
	case k.Offer != "":
		offers, err := list(r.tx, scanDoc[routing.Offer], `SELECT doc FROM offers WHERE ws = ? AND id = ?`, r.ws, string(k.Offer))
		return offers, nil, err
	case k.Agent != "":
		of, id = "agent = ?", string(k.Agent)
	}
	offers, err := list(r.tx, scanDoc[routing.Offer],
		`SELECT doc FROM offers WHERE ws = ? AND `+of+` AND pending = 1 ORDER BY at, id`, r.ws, id)
	if err != nil {
		return nil, nil, err
	}
	as, err := list(r.tx, scanDoc[routing.Assignment],
		`SELECT doc FROM assignments WHERE ws = ? AND `+of+` AND open = 1 ORDER BY at, id`, r.ws, id)
	return offers, as, err
}

func (r work) Items(_ context.Context, ids []routing.ItemID, each func(routing.Item)) error {
	if ids == nil {
		return r.open(each)
	}
	for _, id := range ids {
		it, err := maybe(r.tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE ws = ? AND id = ?`, r.ws, string(id))
		if err != nil {
			return err
		}
		if it != nil {
			each(*it)
		}
	}
	return nil
}

// open reads what a Board is made of, which may be very much.
func (r work) open(each func(routing.Item)) error {
	var failure error
	d := inorder.New(decodeItem, each)
	err := r.while(`SELECT `+itemColumns+` FROM items WHERE ws = ? AND state <> 'done' ORDER BY seq`, func(w raw.Row) bool {
		failure = d.Add(w.View(0), [2]int64{w.Int(1), w.Int(2)})
		return failure == nil
	}, r.ws)
	if err = cmp.Or(err, failure); err != nil {
		return err
	}
	return d.End()
}

func (r work) Decisions(_ context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return list(r.tx, scanDoc[routing.Decision], `SELECT doc FROM decisions WHERE ws = ? AND item = ? ORDER BY seq`, r.ws, string(item))
}
