package routing

import (
	"slices"
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

// Takes reports whether the stream takes accounts of the channel.
func (w WorkStream) Takes(channel string) bool {
	return w.AnyChannel() || w.ChannelKind == channel || slices.Contains(w.Channels, channel)
}

// AnyChannel reports whether the stream names no channel and so takes every one.
func (w WorkStream) AnyChannel() bool { return w.ChannelKind == "" && len(w.Channels) == 0 }

// On returns the stream for work that came by the channel: ChannelCost counts
// against the agent's limit for that channel, whichever the stream names itself.
func (w WorkStream) On(channel string) WorkStream {
	w.ChannelKind = channel
	return w
}
