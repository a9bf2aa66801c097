package transition

import (
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/routing"
)

// Redirected is the item as whoever takes it over from the queue, on the desk, has
// it: its owner stays until then, and nobody has declined it there.
func Redirected(it routing.Item, q routing.QueueID, desk routing.DeskID, now time.Time) routing.Item {
	it.Queue, it.Desk, it.EnteredAt = q, desk, now
	it.Designated, it.Preferred, it.PreferredUntil = "", "", time.Time{}
	it.Declined, it.DeclinedAt = nil, time.Time{}
	return it
}

// Uses is what a piece of the work stream's work takes of an agent: Cost units,
// and ChannelCost of the channel kind's cap. A cost of 0 takes nothing.
func Uses(ws routing.WorkStream) []routing.Use {
	var out []routing.Use
	if ws.Cost > 0 {
		out = append(out, routing.Use{Profile: routing.ProfileUnits, Units: ws.Cost})
	}
	if ws.ChannelCost > 0 && ws.ChannelKind != "" {
		out = append(out, routing.Use{Profile: routing.ChannelProfile(ws.ChannelKind), Units: ws.ChannelCost})
	}
	return out
}

// NewItem makes the item of a piece of work of the stream: queued at now, with
// PermitChat. Of the item it takes what the work itself says: ID, Desk, Queue,
// Priority, Skills and Attributes.
func NewItem(of routing.Item, ws routing.WorkStream, now time.Time) routing.Item {
	it := routing.Item{
		ID: of.ID, State: routing.ItemQueued, Desk: of.Desk, WorkStream: ws.ID, Mode: ws.Mode,
		Permission: routing.PermitChat, Presences: slices.Clone(ws.Presences), Priority: of.Priority,
		Uses: Uses(ws), Skills: slices.Clone(of.Skills), SkillMatch: ws.SkillMatch, RelaxAfter: ws.RelaxAfter,
		AutoAccept: ws.AutoAccept, OfferFor: ws.OfferFor, AskAgain: ws.AskAgain, Attributes: of.Attributes,
	}
	if it.Mode == "" {
		it.Mode = routing.Push
	}
	it.OfferFor = it.OfferStands()
	return Enter(it, of.Queue, now)
}

// Enter puts the item into the queue at now: its step begins anew, while
// QueuedAt stays as it was unless it is zero. Declines are forgotten, since
// other people work there.
func Enter(it routing.Item, q routing.QueueID, now time.Time) routing.Item {
	it.State, it.Queue, it.EnteredAt, it.Agent = routing.ItemQueued, q, now, ""
	if it.QueuedAt.IsZero() {
		it.QueuedAt = now
	}
	it.Visited = append(slices.Clone(it.Visited), q)
	it.Declined, it.DeclinedAt = nil, time.Time{}
	return it
}

// Overflowed is the item after the queue's overflow rule has acted on it at
// now, so that the rule never acts on it again: in the next queue, done where
// a ticket or a call-back takes its place, still waiting after a message.
func Overflowed(it routing.Item, from routing.QueueID, rule int, o routing.Overflow, now time.Time) routing.Item {
	it = OverflowPassed(it, from, rule)
	switch o.Do {
	case routing.OverflowQueue:
		return Enter(it, o.Queue, now)
	case routing.OverflowTicket, routing.OverflowCallBack:
		it.State, it.Agent = routing.ItemDone, ""
	}
	return it
}

// OverflowPassed is the item on which the queue's overflow rule will not act
// again, otherwise unchanged.
func OverflowPassed(it routing.Item, from routing.QueueID, rule int) routing.Item {
	it.Overflowed = append(slices.Clone(it.Overflowed), string(from)+"/"+strconv.Itoa(rule))
	return it
}

// Relaxed is the item with one more skill requirement dropped.
func Relaxed(it routing.Item) routing.Item {
	it.Relaxed = min(it.Relaxed+1, len(it.Skills))
	return it
}
