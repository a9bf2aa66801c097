package routing

import (
	"fmt"

	"github.com/sangdam/sangdam/internal/errs"
)

// Configuration is all that administrators set and every flow needs; read
// through a cache whose Version is guarded in the Update that relied on it.
type Configuration struct {
	Version     int64
	Desks       map[DeskID]Desk
	Members     map[DeskID][]AgentID // ascending
	WorkStreams map[WorkStreamID]WorkStream
	Queues      map[QueueID]Queue
}

// Refused says which check of Reserve, Accept or an ending failed. It is a
// sangdam.ErrStale.
type Refused struct {
	// Check is item, capacity, eligibility, lease, held, expired or ended.
	Check  string
	Detail string
}

// Error names the check.
func (r *Refused) Error() string {
	return fmt.Sprintf("routing: refused by the %s check: %s", r.Check, r.Detail)
}

// Overtaken reports that what was asked for might have been granted a moment before:
// the item, its hold or its agent is not any more what the caller had read. Who decides
// anew on what is true now may be granted it; a caller who named an offer or a version
// that it saw is told instead.
func (r *Refused) Overtaken() bool {
	switch r.Check {
	case "item", "held", "ended", "eligibility":
		return true
	}
	return false
}

// Is makes every refusal a sangdam.ErrStale.
func (r *Refused) Is(target error) bool { return target == errs.Stale }
