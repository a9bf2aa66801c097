package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

type work struct{ *tx }

// Work implements driver.Tx.
func (t *tx) Work() routing.WorkRepo { return work{t} }

// knownItem is what this transaction knows of an item's row.
type knownItem struct {
	version int64
	state   routing.ItemState
}

const itemColumns = `version, seq, doc`

// item scans itemColumns and remembers the row.
func (t *tx) item(r pgx.Rows) (routing.Item, error) {
	var version, seq int64
	var doc []byte
	if err := r.Scan(&version, &seq, &doc); err != nil {
		return routing.Item{}, err
	}
	it, err := decode[routing.Item](doc)
	it.Version, it.Seq = version, seq
	t.knows(it)
	return it, err
}

func (t *tx) knows(it routing.Item) {
	if t.items == nil {
		t.items = map[routing.ItemID]knownItem{}
	}
	t.items[it.ID] = knownItem{it.Version, it.State}
}

// Item implements routing.WorkRepo.
func (w work) Item(ctx context.Context, id routing.ItemID) (routing.Item, error) {
	return one(ctx, w.tx, "item", query(`SELECT `+itemColumns+` FROM sd.items WHERE ws = $1 AND id = $2`, key(w.ws), key(id)), w.item)
}

// Open implements routing.WorkRepo.
func (w work) Open(ctx context.Context) ([]routing.Item, error) {
	return many(ctx, w.tx, query(`SELECT `+itemColumns+` FROM sd.items WHERE ws = $1 AND state <> 'done' ORDER BY seq`, key(w.ws)), w.item)
}

var errItemState = errs.New(errs.Invalid, "store: SaveItem may only change a state from queued to done or back; Reserve, Accept and the endings do the rest")

// mayBecome is the rule of SaveItem on states.
func mayBecome(from, to routing.ItemState) bool {
	return from == to || from == routing.ItemQueued && to == routing.ItemDone || from == routing.ItemDone && to == routing.ItemQueued
}

// SaveItem implements routing.WorkRepo.
func (w work) SaveItem(ctx context.Context, it routing.Item) (int64, error) {
	if err := w.writable(); err != nil {
		return 0, err
	}
	w.wakes = true
	if it.Version == 0 {
		if !mayBecome(routing.ItemQueued, it.State) {
			return 0, errItemState
		}
		doc, err := encode(it)
		if err != nil {
			return 0, err
		}
		it.Version = 1
		w.knows(it)
		return 1, w.write(ctx, query(`INSERT INTO sd.items (ws, id, version, state, agent, doc) VALUES ($1, $2, 1, $3, $4, $5)`,
			key(w.ws), key(it.ID), key(it.State), key(it.Agent), doc))
	}
	known, ok := w.items[it.ID]
	if ok && known.version == it.Version && !mayBecome(known.state, it.State) {
		return 0, errItemState
	}
	save, err := w.saveItem(it)
	if err != nil {
		return 0, err
	}
	var list []stmt
	if !ok {
		list = append(list, must(codeInvalid, "SaveItem may only change a state from queued to done or back",
			`SELECT 1 FROM sd.items WHERE ws = $1 AND id = $2 AND (version <> $3 OR state = $4 OR state IN ('queued', 'done') AND $4 IN ('queued', 'done'))
			UNION ALL SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM sd.items WHERE ws = $1 AND id = $2)`, key(w.ws), key(it.ID), it.Version, key(it.State)))
	}
	it.Version++
	w.knows(it)
	return it.Version, w.write(ctx, append(list, save)...)
}

// saveItem replaces an item that is still in its version.
func (t *tx) saveItem(it routing.Item) (stmt, error) {
	doc, err := encode(it)
	return asClash("item", `UPDATE sd.items SET version = version + 1, state = $3, agent = $4, doc = $5 WHERE ws = $1 AND id = $2 AND version = $6 RETURNING 1`,
		key(t.ws), key(it.ID), key(it.State), key(it.Agent), doc, it.Version), err
}

// Offer implements routing.WorkRepo.
func (w work) Offer(ctx context.Context, id routing.OfferID) (routing.Offer, error) {
	return one(ctx, w.tx, "offer", query(`SELECT doc FROM sd.offers WHERE ws = $1 AND id = $2`, key(w.ws), key(id)), document[routing.Offer])
}

// Held implements routing.WorkRepo.
func (w work) Held(ctx context.Context, item routing.ItemID) (*routing.Offer, *routing.Assignment, error) {
	var offers []routing.Offer
	var assignments []routing.Assignment
	err := w.read(ctx,
		collect(query(`SELECT doc FROM sd.offers WHERE ws = $1 AND item = $2 AND open`, key(w.ws), key(item)), &offers, document[routing.Offer]),
		collect(query(`SELECT doc FROM sd.assignments WHERE ws = $1 AND item = $2 AND open`, key(w.ws), key(item)), &assignments, document[routing.Assignment]))
	return first(offers), first(assignments), err
}

func first[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// HeldBy implements routing.WorkRepo.
func (w work) HeldBy(ctx context.Context, a routing.AgentID) ([]routing.Offer, []routing.Assignment, error) {
	var offers []routing.Offer
	var assignments []routing.Assignment
	err := w.read(ctx,
		collect(query(`SELECT doc FROM sd.offers WHERE ws = $1 AND agent = $2 AND open ORDER BY offered_at, id`, key(w.ws), key(a)), &offers, document[routing.Offer]),
		collect(query(`SELECT doc FROM sd.assignments WHERE ws = $1 AND agent = $2 AND open ORDER BY started_at, id`, key(w.ws), key(a)), &assignments, document[routing.Assignment]))
	return offers, assignments, err
}

// Decisions implements routing.WorkRepo.
func (w work) Decisions(ctx context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return many(ctx, w.tx, query(`SELECT doc FROM sd.decisions WHERE ws = $1 AND item = $2 ORDER BY n`, key(w.ws), key(item)), document[routing.Decision])
}

// putOffer writes an offer as it stands.
func (t *tx) putOffer(o routing.Offer) (stmt, error) {
	doc, err := encode(o)
	return query(`INSERT INTO sd.offers (ws, id, item, agent, open, offered_at, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		key(t.ws), key(o.ID), key(o.Item), key(o.Agent), o.State == routing.OfferPending, o.OfferedAt, doc), err
}

// endOffer ends a pending offer; it ends once.
func (t *tx) endOffer(o routing.Offer) (stmt, error) {
	doc, err := encode(o)
	return asClash("offer", `UPDATE sd.offers SET open = false, doc = $3 WHERE ws = $1 AND id = $2 AND open RETURNING 1`,
		key(t.ws), key(o.ID), doc), err
}

// putAssignment writes an open assignment.
func (t *tx) putAssignment(a routing.Assignment) (stmt, error) {
	doc, err := encode(a)
	return query(`INSERT INTO sd.assignments (ws, id, item, agent, open, started_at, doc) VALUES ($1, $2, $3, $4, true, $5, $6)`,
		key(t.ws), key(a.ID), key(a.Item), key(a.Agent), a.StartedAt, doc), err
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

func (b *batch) add(s stmt, err error) {
	b.list = append(b.list, s)
	b.err = errors.Join(b.err, err)
}
