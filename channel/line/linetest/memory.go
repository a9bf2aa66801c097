package linetest

// kept remembers values by name, the last limit of them; all when limit is 0.
type kept[V any] struct {
	limit int
	known map[string]V
	order []string // oldest first; empty without a limit
}

func keep[V any](limit int) kept[V] { return kept[V]{limit: limit, known: map[string]V{}} }

func (k *kept[V]) get(name string) (V, bool) {
	v, ok := k.known[name]
	return v, ok
}

// put takes a name that is new.
func (k *kept[V]) put(name string, v V) {
	k.known[name] = v
	if k.limit == 0 {
		return
	}
	k.order = append(k.order, name)
	if len(k.order) > k.limit {
		delete(k.known, k.order[0])
		k.order = k.order[1:]
	}
}
