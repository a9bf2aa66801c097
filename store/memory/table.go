package memory

import (
	"iter"
	"maps"
)

// table is the committed rows of one kind in one workspace. Values are never
// changed in place.
type table[K comparable, V any] struct {
	rows map[K]cell[V]
	// changed keeps indexes; it is called for each row a commit changes, with
	// nil for a row that was not or is no longer there. It may be nil.
	changed func(k K, was, is *V)
}

type cell[V any] struct {
	val V
	rev uint64 // of the commit that wrote it
}

func newTable[K comparable, V any](changed func(k K, was, is *V)) *table[K, V] {
	return &table[K, V]{rows: map[K]cell[V]{}, changed: changed}
}

// any reports whether a committed row is so.
func (t *table[K, V]) any(is func(V) bool) bool {
	for _, c := range t.rows {
		if is(c.val) {
			return true
		}
	}
	return false
}

// overlay is what one transaction wrote to a table.
type overlay[K comparable, V any] struct {
	t    *table[K, V]
	rows map[K]*change[V]
}

type change[V any] struct {
	base uint64 // revision that was there when it was first written over; 0 for none
	val  V
	gone bool
}

// pending is an overlay of any type.
type pending interface {
	fits() bool
	apply(rev uint64)
}

// fits reports that no other commit changed a row which this one changes.
func (o *overlay[K, V]) fits() bool {
	for k, c := range o.rows {
		if o.t.rows[k].rev != c.base {
			return false
		}
	}
	return true
}

func (o *overlay[K, V]) apply(rev uint64) {
	for k, c := range o.rows {
		var was, is *V
		if old, ok := o.t.rows[k]; ok {
			was = &old.val
		}
		if c.gone {
			delete(o.t.rows, k)
		} else {
			is = &c.val
			o.t.rows[k] = cell[V]{val: c.val, rev: rev}
		}
		if o.t.changed != nil {
			o.t.changed(k, was, is)
		}
	}
}

// written returns the transaction's overlay of a table, nil when it wrote
// nothing there.
func written[K comparable, V any](t *tx, tab *table[K, V]) *overlay[K, V] {
	o, _ := t.overlays[tab].(*overlay[K, V])
	return o
}

// get returns a row as the transaction sees it: its own write, else the
// committed row. The caller must not change what it refers to.
func get[K comparable, V any](t *tx, tab *table[K, V], k K) (V, bool) {
	if o := written(t, tab); o != nil {
		if c, ok := o.rows[k]; ok {
			return c.val, !c.gone
		}
	}
	c, ok := tab.rows[k]
	return c.val, ok
}

// has reports whether the transaction sees such a row.
func has[K comparable, V any](t *tx, tab *table[K, V], k K) bool {
	_, ok := get(t, tab, k)
	return ok
}

// committed returns a row as others see it.
func committed[K comparable, V any](tab *table[K, V], k K) (V, bool) {
	c, ok := tab.rows[k]
	return c.val, ok
}

// touch returns the overlay's entry of a row, noting the revision that it is
// written over.
func touch[K comparable, V any](t *tx, tab *table[K, V], k K) *change[V] {
	o := written(t, tab)
	if o == nil {
		o = &overlay[K, V]{t: tab, rows: map[K]*change[V]{}}
		t.overlays[tab] = o
		t.ordered = append(t.ordered, o)
	}
	c := o.rows[k]
	if c == nil {
		c = &change[V]{base: tab.rows[k].rev}
		o.rows[k] = c
	}
	return c
}

// put writes a row; v must not be shared with the caller of the store.
func put[K comparable, V any](t *tx, tab *table[K, V], k K, v V) {
	c := touch(t, tab, k)
	c.val, c.gone = v, false
}

// drop deletes a row.
func drop[K comparable, V any](t *tx, tab *table[K, V], k K) {
	c := touch(t, tab, k)
	var none V
	c.val, c.gone = none, true
}

// each yields every row as the transaction sees it, in no order.
func each[K comparable, V any](t *tx, tab *table[K, V]) iter.Seq2[K, V] {
	return some(t, tab, maps.Keys(tab.rows))
}

// some yields the committed rows of the keys and every row that the
// transaction wrote: what an index of committed rows is good for. The caller
// filters.
func some[K comparable, V any](t *tx, tab *table[K, V], keys iter.Seq[K]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		o := written(t, tab)
		for k := range keys {
			if o != nil && o.rows[k] != nil {
				continue
			}
			if c, ok := tab.rows[k]; ok && !yield(k, c.val) {
				return
			}
		}
		if o == nil {
			return
		}
		for k, c := range o.rows {
			if !c.gone && !yield(k, c.val) {
				return
			}
		}
	}
}

// groups is an index: the keys of committed rows by something they share.
type groups[G, K comparable] map[G]map[K]struct{}

func (g groups[G, K]) add(group G, k K) {
	if g[group] == nil {
		g[group] = map[K]struct{}{}
	}
	g[group][k] = struct{}{}
}

func (g groups[G, K]) remove(group G, k K) {
	delete(g[group], k)
	if len(g[group]) == 0 {
		delete(g, group)
	}
}

func (g groups[G, K]) keys(group G) iter.Seq[K] { return maps.Keys(g[group]) }
