package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/sangdam/sangdam/internal/inorder"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

type work struct{ *tx }

const itemColumns = `version, seq, doc`

func scanItem(r pgx.Rows) (it routing.Item, err error) {
	var numbers [2]int64
	var doc []byte
	if err := r.Scan(&numbers[0], &numbers[1], &doc); err != nil {
		return it, err
	}
	return it, decodeItem(doc, numbers, &it)
}

// Items implements driver.WorkRepo.
func (w work) Items(ctx context.Context, ids []routing.ItemID, each func(routing.Item)) error {
	if ids == nil {
		return w.open(ctx, each)
	}
	var list []routing.Item
	var err error
	if len(ids) > 1 {
		list, err = many(ctx, w.tx, query(`SELECT `+itemColumns+` FROM sd.items WHERE ws = $1 AND id = ANY($2)`, key(w.ws), keys(ids)),
			scanItem)
	} else if len(ids) == 1 {
		if k := w.keptItem(ids[0]); k != nil && w.usable() == nil {
			it, err := k.item()
			if err == nil {
				each(it)
			}
			return err
		}
		list, err = many(ctx, w.tx, query(`SELECT `+itemColumns+` FROM sd.items WHERE ws = $1 AND id = $2`, key(w.ws), key(ids[0])),
			scanItem)
	}
	for _, it := range list {
		each(it)
	}
	return err
}

// open reads what a Board is made of, which may be very much.
func (w work) open(ctx context.Context, each func(routing.Item)) error {
	d := inorder.New(decodeItem, each)
	err := w.read(ctx, query(`SELECT `+itemColumns+` FROM sd.items WHERE ws = $1 AND state <> 'done' ORDER BY seq`, key(w.ws)).
		rows(func(r pgx.Rows) error {
			var numbers [2]int64
			var doc pgtype.DriverBytes
			if err := r.Scan(&numbers[0], &numbers[1], &doc); err != nil {
				return err
			}
			return d.Add(doc, numbers)
		}))
	if err != nil {
		return err
	}
	return d.End()
}

// decodeItem reads an item of its document, version and place in line.
func decodeItem(doc []byte, numbers [2]int64, it *routing.Item) (err error) {
	*it, err = decode[routing.Item](doc)
	it.Version, it.Seq = numbers[0], numbers[1]
	return err
}

// SaveItem implements driver.WorkRepo.
func (w work) SaveItem(ctx context.Context, it routing.Item) (int64, error) {
	if err := w.writable(); err != nil {
		return 0, err
	}
	w.news |= driver.NewsRouting
	if it.Version == 0 {
		doc, err := encode(it)
		if err != nil {
			return 0, err
		}
		if seq := w.ahead.seq(); seq != 0 && w.keptItem(it.ID) == nil {
			return w.create(w.ahead.items, key(it.ID), kept{seq: seq, doc: doc, columns: []any{key(it.State), key(it.Agent)}})
		}
		return 1, w.write(ctx, query(`INSERT INTO sd.items (ws, id, version, state, agent, doc) VALUES ($1, $2, 1, $3, $4, $5)`,
			key(w.ws), key(it.ID), key(it.State), key(it.Agent), doc))
	}
	if k := w.keptItem(it.ID); k != nil {
		doc, err := encode(it)
		if err != nil {
			return 0, err
		}
		return w.change(k, it.Version, doc, []any{key(it.State), key(it.Agent)})
	}
	save, err := w.saveItem(it, it.Version)
	if err != nil {
		return 0, err
	}
	return it.Version + 1, w.write(ctx, save)
}

// saveItem replaces an item that is still in the version.
func (t *tx) saveItem(it routing.Item, version int64) (stmt, error) {
	doc, err := encode(it)
	return asClash("item", `UPDATE sd.items SET version = version + 1, state = $3, agent = $4, doc = $5 WHERE ws = $1 AND id = $2
		AND version = $6 RETURNING 1`, key(t.ws), key(it.ID), key(it.State), key(it.Agent), doc, version), err
}

func first[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// Holds implements driver.WorkRepo.
func (w work) Holds(ctx context.Context, k driver.HoldKey) ([]routing.Offer, []routing.Assignment, error) {
	var offers []routing.Offer
	var assignments []routing.Assignment
	if k.Offer != "" {
		offers, err := many(ctx, w.tx, query(`SELECT doc FROM sd.offers WHERE ws = $1 AND id = $2`, key(w.ws), key(k.Offer)),
			document[routing.Offer])
		return offers, nil, err
	}
	of, id := "item", key(k.Item)
	if k.Agent != "" {
		of, id = "agent", key(k.Agent)
	}
	err := w.read(ctx,
		collect(query(`SELECT doc FROM sd.offers WHERE ws = $1 AND `+of+` = $2 AND open ORDER BY offered_at, id`, key(w.ws), id),
			&offers, document[routing.Offer]),
		collect(query(`SELECT doc FROM sd.assignments WHERE ws = $1 AND `+of+` = $2 AND open ORDER BY started_at, id`, key(w.ws), id),
			&assignments, document[routing.Assignment]))
	return offers, assignments, err
}

// Decisions implements driver.WorkRepo.
func (w work) Decisions(ctx context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return many(ctx, w.tx, query(`SELECT doc FROM sd.decisions WHERE ws = $1 AND item = $2 ORDER BY n`, key(w.ws), key(item)),
		document[routing.Decision])
}

// offerRow is an offer as it stands.
func offerRow(o routing.Offer) ([]any, error) {
	doc, err := encode(o)
	return []any{key(o.ID), key(o.Item), key(o.Agent), o.State == routing.OfferPending, o.OfferedAt, doc}, err
}

// endOffer ends a pending offer; it ends once.
func (t *tx) endOffer(o routing.Offer) (stmt, error) {
	doc, err := encode(o)
	return asClash("offer", `UPDATE sd.offers SET open = false, doc = $3 WHERE ws = $1 AND id = $2 AND open RETURNING 1`,
		key(t.ws), key(o.ID), doc), err
}

// assignmentRow is an open assignment.
func assignmentRow(a routing.Assignment) ([]any, error) {
	doc, err := encode(a)
	return []any{key(a.ID), key(a.Item), key(a.Agent), true, a.StartedAt, doc}, err
}

// endAssignment ends an open assignment; it ends once.
func (t *tx) endAssignment(a routing.Assignment) (stmt, error) {
	doc, err := encode(a)
	return asClash("assignment", `UPDATE sd.assignments SET open = false, doc = $3 WHERE ws = $1 AND id = $2 AND open RETURNING 1`,
		key(t.ws), key(a.ID), doc), err
}

// batch collects statements whose making may fail.
type batch struct {
	list []stmt
	err  error
}

func (b *batch) insert(ws string, in *insert) func(row []any, err error) {
	return func(row []any, err error) { b.add(in.of(ws, [][]any{row}), err) }
}

func (b *batch) add(s stmt, err error) {
	b.list = append(b.list, s)
	b.err = errors.Join(b.err, err)
}
