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

// receive puts a message on the phone, at the cost of the oldest one where the
// phone is full. The lock is held.
func (u *User) receive(d Delivered) {
	u.srv.entries++
	d.Number, d.Order = u.dropped+len(u.phone), u.srv.entries
	u.phone = append(u.phone, d)
	if limit := u.srv.opt.KeepReceived; limit > 0 && len(u.phone) > limit {
		u.phone[0] = Delivered{} // the array lives on for a while
		u.phone = u.phone[1:]
		u.dropped++
	}
}

// receivedFrom returns what is kept of the n-th message received and those
// after it, counted from 0.
func (u *User) receivedFrom(n int) []Delivered {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return append([]Delivered{}, u.phone[min(max(n-u.dropped, 0), len(u.phone)):]...)
}
