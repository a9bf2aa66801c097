package sqlite

import (
	"slices"
	"sync"
	"time"
)

// nodes keeps heart-beats and leases in memory: every node of this store is in
// this process and ends with it. Only the epochs are stored, since they must
// never repeat.
type nodes struct {
	mu     sync.Mutex
	beats  map[string]time.Time // until when the node counts as alive
	leases map[string]*lease
}

type lease struct {
	epoch int64
	node  string
	until time.Time
}

func (n *nodes) beat(node string, now time.Time, ttl time.Duration) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.beats == nil {
		n.beats = map[string]time.Time{}
	}
	n.beats[node] = now.Add(ttl)
	var live []string
	for name, until := range n.beats {
		if until.After(now) {
			live = append(live, name)
		} else {
			delete(n.beats, name)
		}
	}
	slices.Sort(live)
	return live
}

// epoch returns the lease's present one; false when nobody ever held it.
func (n *nodes) epoch(name string) (int64, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.leases[name]; l != nil {
		return l.epoch, true
	}
	return 0, false
}

// holder tells how the lease stands for a node: whether the node holds it, and
// whether somebody else does.
func (n *nodes) holder(name, node string, now time.Time) (mine, taken bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.leases[name]
	if l == nil || !l.until.After(now) {
		return l != nil && l.node == node, false
	}
	return l.node == node, l.node != node
}

func (n *nodes) take(name string, l lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leases == nil {
		n.leases = map[string]*lease{}
	}
	n.leases[name] = &l
}

// prolong moves the end of a lease that the node still holds.
func (n *nodes) prolong(name, node string, until time.Time) (int64, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.leases[name]
	if l == nil || l.node != node {
		return 0, false
	}
	l.until = until
	return l.epoch, true
}
