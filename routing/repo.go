package routing

import (
	"context"
	"time"
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

// ConfigRepo stores the configuration of the transaction's workspace. Every
// write raises Configuration.Version; writes that touch agents (queue
// membership, removal) raise their EligRev in the same Update. Saves replace
// the whole thing.
type ConfigRepo interface {
	// Configuration returns everything; maps that are empty are not nil. Of the
	// version that the caller knows already (0: of none) it returns the Version
	// alone, which is cheap.
	Configuration(ctx context.Context, known int64) (Configuration, error)
	// Hold keeps everybody else from changing the configuration and from
	// committing what rests on it, until this transaction ends; it waits until
	// those before it have ended. It is the first call of a transaction that
	// changes the configuration: what is read after it stays true. A store whose
	// transactions come one after another has nothing to do.
	Hold(ctx context.Context) error
	// SaveDesk creates or replaces; ErrAlreadyExists when another desk has the
	// Name. Seats below the number of members is ErrInvalid.
	SaveDesk(ctx context.Context, d Desk) error
	SaveWorkStream(ctx context.Context, w WorkStream) error
	// SaveQueue creates or replaces; agents added or removed as Members get a
	// raised EligRev.
	SaveQueue(ctx context.Context, q Queue) error
	// AddMember gives an agent access to a desk in one conditional statement:
	// ErrConflict is never returned for a full desk, ErrInvalid is. Adding
	// twice is a no-op. ErrNotFound for a desk or an agent that is not there.
	AddMember(ctx context.Context, d DeskID, a AgentID) error
	// RemoveMember takes it away; ErrInvalid when the agent is the desk's last
	// (RT12), whoever else removes at the same moment. Removing a stranger is
	// a no-op.
	RemoveMember(ctx context.Context, d DeskID, a AgentID) error
}

// AgentRepo stores agents of the transaction's workspace.
type AgentRepo interface {
	// Agent returns settings and state. ErrNotFound.
	Agent(ctx context.Context, id AgentID) (Agent, error)
	// Agents lists all ordered by id, with state.
	Agents(ctx context.Context) ([]Agent, error)
	// SaveAgent creates (Version 0; presence Offline) or replaces the settings and
	// raises EligRev; a Version that is not the stored one is a clash (Update runs
	// again); ErrAlreadyExists when created twice. State is ignored. Returns the
	// new version.
	SaveAgent(ctx context.Context, a Agent) (int64, error)
	// SetPresence records presence and reason, raises EligRev when it changed,
	// and sets IdleSince when the agent goes online. Returns the agent.
	SetPresence(ctx context.Context, id AgentID, p Presence, reason string, now time.Time) (Agent, error)
}

// Reservation asks the store to give an item to an agent.
type Reservation struct {
	Item        ItemID
	ItemVersion int64
	Agent       AgentID
	// EligRev the decision rests on; 0 skips the check (pick and force by a
	// person, who decides on what is true at the moment of the write).
	EligRev int64
	// Lease and Epoch fence a stale leader out; empty Lease skips the check.
	Lease string
	Epoch int64
	// Offer or Assignment, exactly one, is written as given.
	Offer      *Offer
	Assignment *Assignment
	// FromOffer or FromAssignment names the hold that this one replaces
	// (transfer, pick of an offered item); its load is released in the same
	// statement set and it ends with FromReason.
	FromOffer      OfferID
	FromAssignment AssignmentID
	FromReason     EndReason
	// Force lets a person exceed the capacity knowingly; the assignment is
	// marked Forced.
	Force bool
	// Turn turns the queue's wheel for the agent: router and trigger
	// assignments do, people's do not.
	Turn bool
	// Decision summary to keep, nil for none.
	Decision *Decision
	Now      time.Time
}

// Refused says which check of Reserve, Accept or an ending failed. It is an
// ErrStale.
type Refused struct {
	// Check is item, capacity, eligibility, lease, held, expired or ended.
	Check  string
	Detail string
}

// Error names the check.
func (r *Refused) Error() string { return "routing: refused by the " + r.Check + " check: " + r.Detail }

// Is makes every refusal an ErrStale.
func (r *Refused) Is(target error) bool { return target == ErrStale }
