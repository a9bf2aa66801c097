package routing

import (
	"slices"
	"time"
)

// OfferEnded is the item after an offer to the agent ended at now without
// being accepted: queued again, and after a decline or a time-out with the
// agent last among those who declined. Every store goes by it.
func OfferEnded(it Item, agent AgentID, state OfferState, now time.Time) Item {
	it.State, it.Agent = ItemQueued, ""
	if state == OfferDeclined || state == OfferExpired {
		rest := slices.DeleteFunc(slices.Clone(it.Declined), func(a AgentID) bool { return a == agent })
		it.Declined, it.DeclinedAt = append(rest, agent), now
	}
	return it
}
