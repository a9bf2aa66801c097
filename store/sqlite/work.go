package sqlite

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
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

func (r work) Items(_ context.Context, ids []routing.ItemID) ([]routing.Item, error) {
	if ids == nil {
		return r.open()
	}
	var out []routing.Item
	for _, id := range ids {
		it, err := maybe(r.tx, scanItem, `SELECT `+itemColumns+` FROM items WHERE ws = ? AND id = ?`, r.ws, string(id))
		if err != nil {
			return nil, err
		}
		if it != nil {
			out = append(out, *it)
		}
	}
	return out, nil
}

// open reads what a Board is made of, which may be very much: it is counted first,
// since a list that grows to 100,000 is copied some fifty times on the way, and read
// by this goroutine alone but decoded, which takes longer, by as many as may run.
func (r work) open() ([]routing.Item, error) {
	of := ` FROM items WHERE ws = ? AND state <> 'done'`
	n, _, err := r.number(`SELECT count(*)`+of, r.ws)
	if err != nil || n == 0 {
		return nil, err
	}
	d := itemDecoder{out: make([]routing.Item, n), turns: make(chan struct{}, runtime.GOMAXPROCS(0))}
	err = r.while(`SELECT `+itemColumns+of+` ORDER BY seq LIMIT ?`, func(w raw.Row) bool {
		d.add(w)
		return true
	}, r.ws, n)
	d.decode()
	d.running.Wait()
	return d.out[:d.next], errors.Join(err, d.failure)
}

// itemDecoder decodes rows of items into their places.
type itemDecoder struct {
	out  []routing.Item
	next int // place of the next row
	part itemRows

	turns   chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	failure error
}

// itemRows are rows that one goroutine decodes.
type itemRows struct {
	docs []byte
	rows []struct {
		end          int // of its document in docs
		version, seq int64
	}
}

// decodedTogether is how many rows those are.
const decodedTogether = 512

func (d *itemDecoder) add(w raw.Row) {
	p := &d.part
	p.docs = append(p.docs, w.View(0)...)
	p.rows = append(p.rows, struct {
		end          int
		version, seq int64
	}{len(p.docs), w.Int(1), w.Int(2)})
	if len(p.rows) == decodedTogether {
		d.decode()
	}
}

// decode hands over what was added.
func (d *itemDecoder) decode() {
	p, into := d.part, d.out[d.next:]
	d.part, d.next = itemRows{}, d.next+len(p.rows)
	d.turns <- struct{}{}
	d.running.Go(func() {
		defer func() { <-d.turns }()
		begin := 0
		for i, row := range p.rows {
			it := &into[i]
			if err := decode(p.docs[begin:row.end], it); err != nil {
				d.mu.Lock()
				d.failure = errors.Join(d.failure, err)
				d.mu.Unlock()
				return
			}
			it.Version, it.Seq = row.version, row.seq
			begin = row.end
		}
	})
}

func (r work) Decisions(_ context.Context, item routing.ItemID) ([]routing.Decision, error) {
	return list(r.tx, scanDoc[routing.Decision], `SELECT doc FROM decisions WHERE ws = ? AND item = ? ORDER BY seq`, r.ws, string(item))
}
