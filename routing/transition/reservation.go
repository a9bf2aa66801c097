package transition

import (
	"time"

	"github.com/sangdam/sangdam/routing"
)

// Reservation asks the store to give an item to an agent.
type Reservation struct {
	Item        routing.ItemID
	ItemVersion int64
	Agent       routing.AgentID
	// EligRev the decision rests on; 0 skips the check (pick and force by a
	// person, who decides on what is true at the moment of the write).
	EligRev int64
	// Lease and Epoch fence a stale leader out; empty Lease skips the check.
	Lease string
	Epoch int64
	// Offer or Assignment, exactly one, is written as given.
	Offer      *routing.Offer
	Assignment *routing.Assignment
	// FromOffer or FromAssignment names the hold that this one replaces
	// (transfer, pick of an offered item); its load is released in the same
	// statement set and it ends with FromReason.
	FromOffer      routing.OfferID
	FromAssignment routing.AssignmentID
	FromReason     routing.EndReason
	// Force lets a person exceed the capacity knowingly; the assignment is
	// marked Forced.
	Force bool
	// Turn turns the queue's wheel for the agent: router and trigger
	// assignments do, people's do not.
	Turn bool
	// Decision summary to keep, nil for none.
	Decision *routing.Decision
	Now      time.Time
}
