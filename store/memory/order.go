package memory

import (
	"slices"
	"strings"

	"github.com/sangdam/sangdam/store/driver"
)

// listKey names a list of documents of a kind: those of an index slot, or those
// that carry a value of a tag.
type listKey struct {
	kind       string
	slot       int
	tag, value string
}

func listOf(r driver.Range) listKey {
	if r.Tag != "" {
		return listKey{kind: r.Kind, tag: r.Tag, value: string(r.Value)}
	}
	return listKey{kind: r.Kind, slot: r.Slot}
}

// spot is where a document stands in a list.
type spot struct{ value, id string }

func (p spot) compare(q spot) int {
	if c := strings.Compare(p.value, q.value); c != 0 {
		return c
	}
	return strings.Compare(p.id, q.id)
}

// orders are the lists of committed documents, each in its order.
type orders map[listKey][]spot

// eachPlace calls fn for every place of a document.
func eachPlace(d *driver.Doc, fn func(listKey, spot)) {
	if d == nil {
		return
	}
	for slot, v := range d.Index {
		if v != nil {
			fn(listKey{kind: d.Kind, slot: slot}, spot{string(v), d.ID})
		}
	}
	for _, t := range d.Tags {
		fn(listKey{kind: d.Kind, tag: t.Name, value: string(t.Value)}, spot{string(t.Order), d.ID})
	}
}

// changed moves a document to its new places.
func (o orders) changed(was, is *driver.Doc) {
	type in struct {
		list listKey
		at   spot
	}
	had, has := map[in]bool{}, map[in]bool{}
	eachPlace(was, func(l listKey, p spot) { had[in{l, p}] = true })
	eachPlace(is, func(l listKey, p spot) { has[in{l, p}] = true })
	for s := range had {
		if at, found := slices.BinarySearchFunc(o[s.list], s.at, spot.compare); found && !has[s] {
			if o[s.list] = slices.Delete(o[s.list], at, at+1); len(o[s.list]) == 0 {
				delete(o, s.list)
			}
		}
	}
	for s := range has {
		if at, found := slices.BinarySearchFunc(o[s.list], s.at, spot.compare); !found {
			o[s.list] = slices.Insert(o[s.list], at, s.at)
		}
	}
}

// between is the part of a list that the range selects behind a place.
func between(list []spot, r driver.Range, after driver.Place) []spot {
	from, _ := slices.BinarySearchFunc(list, spot{value: string(r.From)}, spot.compare)
	to := len(list)
	if r.To != nil {
		to, _ = slices.BinarySearchFunc(list, spot{value: string(r.To)}, spot.compare)
	}
	if after.ID != "" {
		at, found := slices.BinarySearchFunc(list, spot{string(after.Value), after.ID}, spot.compare)
		switch {
		case r.Desc:
			to = min(to, at)
		case found:
			from = max(from, at+1)
		default:
			from = max(from, at)
		}
	}
	return list[min(from, to):to]
}

// list returns at most limit documents of a range: committed ones by their order,
// and those that the transaction wrote between them.
func (r documents) list(rg driver.Range, after driver.Place, limit int) []driver.Placed {
	committed := between(r.t.s.orders[listOf(rg)], rg, after)
	var own []spot
	o := written(r.t, r.t.s.documents)
	if o != nil {
		for id, c := range o.rows {
			if id.kind == rg.Kind && !c.gone {
				eachPlace(&c.val, func(l listKey, p spot) {
					if l == listOf(rg) {
						own = append(own, p)
					}
				})
			}
		}
		slices.SortFunc(own, spot.compare)
		own = between(slices.Compact(own), rg, after)
	}
	var out []driver.Placed
	for len(out) < limit && len(committed)+len(own) > 0 {
		var p spot
		if len(own) == 0 || len(committed) > 0 && before(committed, own, rg.Desc) {
			p, committed = next(committed, rg.Desc)
			if o != nil && o.rows[docID{rg.Kind, p.id}] != nil {
				continue // it stands among our own now, or nowhere
			}
		} else {
			p, own = next(own, rg.Desc)
		}
		r.t.b.looked++
		d, _ := get(r.t, r.t.s.documents, docID{rg.Kind, p.id})
		out = append(out, driver.Placed{Doc: d, At: driver.Place{Value: []byte(p.value), ID: p.id}})
	}
	return out
}

// before says which of two lists goes on first.
func before(a, b []spot, desc bool) bool {
	x, _ := next(a, desc)
	y, _ := next(b, desc)
	return (x.compare(y) < 0) != desc
}

// next takes the first place of a list, or the last.
func next(list []spot, desc bool) (spot, []spot) {
	if desc {
		return list[len(list)-1], list[:len(list)-1]
	}
	return list[0], list[1:]
}
