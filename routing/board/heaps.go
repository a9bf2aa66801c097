package board

// indexed is a binary heap whose elements know their place, so that any of
// them can be moved or removed. place returns where an element keeps its
// position: index + 1, 0 when it is not in the heap.
type indexed[T any] struct {
	s     []T
	less  func(a, b T) bool
	place func(T) *int32
}

func (h *indexed[T]) len() int             { return len(h.s) }
func (h *indexed[T]) top() T               { return h.s[0] }
func (h *indexed[T]) has(x T) bool         { return *h.place(x) != 0 }
func (h *indexed[T]) set(i int, x T)       { h.s[i] = x; *h.place(x) = int32(i + 1) }
func (h *indexed[T]) fix(x T)              { h.down(h.up(int(*h.place(x)) - 1)) }
func (h *indexed[T]) swap(i, j int)        { a, b := h.s[i], h.s[j]; h.set(i, b); h.set(j, a) }
func (h *indexed[T]) before(i, j int) bool { return h.less(h.s[i], h.s[j]) }

// push adds x, or moves it when it is there already.
func (h *indexed[T]) push(x T) {
	if h.has(x) {
		h.fix(x)
		return
	}
	h.s = append(h.s, x)
	h.set(len(h.s)-1, x)
	h.up(len(h.s) - 1)
}

// remove takes x out; one that is not there is left alone.
func (h *indexed[T]) remove(x T) {
	i := int(*h.place(x)) - 1
	if i < 0 {
		return
	}
	last := len(h.s) - 1
	if i != last {
		h.swap(i, last)
	}
	var zero T
	h.s[last] = zero
	h.s = h.s[:last]
	*h.place(x) = 0
	if i != last {
		h.down(h.up(i))
	}
}

func (h *indexed[T]) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(i, parent) {
			break
		}
		h.swap(i, parent)
		i = parent
	}
	return i
}

func (h *indexed[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.s) {
			return
		}
		if child+1 < len(h.s) && h.before(child+1, child) {
			child++
		}
		if !h.before(child, i) {
			return
		}
		h.swap(i, child)
		i = child
	}
}

// itemKey is an item's place in its queue: the urgency that priority and
// ageing give (lower goes first), then the longer wait. What is equal in both
// goes by Seq and id.
type itemKey struct {
	urgency int64
	since   int64
}

func keyBefore(a, b itemKey, x, y *boardItem) bool {
	switch {
	case a.urgency != b.urgency:
		return a.urgency < b.urgency
	case a.since != b.since:
		return a.since < b.since
	case x.row.Seq != y.row.Seq:
		return x.row.Seq < y.row.Seq
	}
	return x.id < y.id
}

// itemHeap holds the waiting items of a class, four children a node, the keys
// beside the pointers: a million waiting items cost few cache misses.
type itemHeap struct{ s []itemSlot }

type itemSlot struct {
	key itemKey
	it  *boardItem
}

func (a *itemSlot) before(b *itemSlot) bool { return keyBefore(a.key, b.key, a.it, b.it) }

func (h *itemHeap) set(i int, x itemSlot) { h.s[i] = x; x.it.heapPos = int32(i + 1) }

func (h *itemHeap) push(it *boardItem) {
	h.s = append(h.s, itemSlot{})
	h.rise(len(h.s)-1, itemSlot{it.key, it})
}

func (h *itemHeap) remove(it *boardItem) {
	i := int(it.heapPos) - 1
	it.heapPos = 0
	n := len(h.s) - 1
	last := h.s[n]
	h.s[n] = itemSlot{}
	h.s = h.s[:n]
	if i == n {
		return
	}
	if i > 0 && last.before(&h.s[(i-1)/4]) {
		h.rise(i, last)
		return
	}
	h.sink(i, last)
}

// rise puts x at the hole i or above it.
func (h *itemHeap) rise(i int, x itemSlot) {
	for i > 0 {
		parent := (i - 1) / 4
		if !x.before(&h.s[parent]) {
			break
		}
		h.set(i, h.s[parent])
		i = parent
	}
	h.set(i, x)
}

// sink puts x at the hole i or below it.
func (h *itemHeap) sink(i int, x itemSlot) {
	for {
		first := 4*i + 1
		if first >= len(h.s) {
			break
		}
		best := first
		for c := first + 1; c < min(first+4, len(h.s)); c++ {
			if h.s[c].before(&h.s[best]) {
				best = c
			}
		}
		if !h.s[best].before(&x) {
			break
		}
		h.set(i, h.s[best])
		i = best
	}
	h.set(i, x)
}
