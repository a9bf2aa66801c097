package routing

import (
	"slices"
	"strconv"
	"time"
)

// DefaultOfferFor is how long an offer stands when OfferFor is 0: the usual
// time in contact centres.
const DefaultOfferFor = 15 * time.Second

// OfferStands is how long an offer of the item stands: OfferFor, else
// DefaultOfferFor.
func (it Item) OfferStands() time.Duration {
	if it.OfferFor > 0 {
		return it.OfferFor
	}
	return DefaultOfferFor
}

// Takes says whether the stream takes accounts of the channel.
func (w WorkStream) Takes(channel string) bool {
	return w.AnyChannel() || w.ChannelKind == channel || slices.Contains(w.Channels, channel)
}

// AnyChannel says that the stream names no channel and so takes every one.
func (w WorkStream) AnyChannel() bool { return w.ChannelKind == "" && len(w.Channels) == 0 }

// On is the stream as it is for work that came by the channel: its cap counts.
func (w WorkStream) On(channel string) WorkStream {
	w.ChannelKind = channel
	return w
}

// Uses is what a piece of the work stream's work takes of an agent: Cost units,
// and ChannelCost of the channel kind's cap. A cost of 0 takes nothing.
func Uses(ws WorkStream) []Use {
	var out []Use
	if ws.Cost > 0 {
		out = append(out, Use{ProfileUnits, ws.Cost})
	}
	if ws.ChannelCost > 0 && ws.ChannelKind != "" {
		out = append(out, Use{ChannelProfile(ws.ChannelKind), ws.ChannelCost})
	}
	return out
}

// NewItem makes the item of a piece of work that was classified: queued at
// now, with PermitChat, in the outcome's queue.
func NewItem(id ItemID, desk DeskID, ws WorkStream, o Outcome, now time.Time) Item {
	it := Item{
		ID: id, State: ItemQueued, Desk: desk, WorkStream: ws.ID, Mode: ws.Mode,
		Permission: PermitChat, Presences: slices.Clone(ws.Presences), Priority: o.Priority,
		Uses: Uses(ws), Skills: slices.Clone(o.Skills), SkillMatch: ws.SkillMatch, RelaxAfter: ws.RelaxAfter,
		AutoAccept: ws.AutoAccept, OfferFor: ws.OfferFor, AskAgain: ws.AskAgain, Attributes: o.Attributes,
	}
	if it.Mode == "" {
		it.Mode = Push
	}
	it.OfferFor = it.OfferStands()
	return Enter(it, o.Queue, now)
}

// Enter puts the item into the queue at now: its step begins anew, while
// QueuedAt stays as it was unless it is zero. Declines are forgotten, since
// other people work there.
func Enter(it Item, q QueueID, now time.Time) Item {
	it.State, it.Queue, it.EnteredAt, it.Agent = ItemQueued, q, now, ""
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
func Overflowed(it Item, from QueueID, rule int, o Overflow, now time.Time) Item {
	it = OverflowPassed(it, from, rule)
	switch o.Do {
	case OverflowQueue:
		return Enter(it, o.Queue, now)
	case OverflowTicket, OverflowCallBack:
		it.State, it.Agent = ItemDone, ""
	}
	return it
}

// OverflowPassed is the item on which the queue's overflow rule will not act
// again, otherwise unchanged.
func OverflowPassed(it Item, from QueueID, rule int) Item {
	it.Overflowed = append(slices.Clone(it.Overflowed), string(from)+"/"+strconv.Itoa(rule))
	return it
}

// Relaxed is the item with one more skill requirement dropped.
func Relaxed(it Item) Item {
	it.Relaxed = min(it.Relaxed+1, len(it.Skills))
	return it
}
