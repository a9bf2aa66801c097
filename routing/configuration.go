package routing

import "github.com/sangdam/sangdam/internal/errs"

// Configuration is all that administrators set and every flow needs; read
// through a cache whose Version is guarded in the Update that relied on it.
type Configuration struct {
	Version     int64
	Desks       map[DeskID]Desk
	Members     map[DeskID][]AgentID // ascending
	WorkStreams map[WorkStreamID]WorkStream
	Queues      map[QueueID]Queue
}

// Refused says which check of Reserve, Accept or an ending failed. It is an
// sangdam.ErrStale.
type Refused struct {
	// Check is item, capacity, eligibility, lease, held, expired or ended.
	Check  string
	Detail string
}

// Error names the check.
func (r *Refused) Error() string { return "routing: refused by the " + r.Check + " check: " + r.Detail }

// Is makes every refusal a sangdam.ErrStale.
func (r *Refused) Is(target error) bool { return target == errs.Stale }
