package adapter

import (
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
)

// Level says how far a channel carries something. An agent is told before sending
// what would not arrive as it is.
type Level int

const (
	Rejected Level = iota // cannot be sent at all
	Fallback              // sent in a poorer form, e.g. a link or plain text
	Partial               // sent with losses named in Limits
	Full
)

// Limits of a kind of content on a channel. Zero: no limit known.
type Limits struct {
	MaxChars int      // in Unit
	Unit     string   // "utf16", "grapheme", "rune", "byte"
	MaxBytes int64    // of a file
	Types    []string // accepted media types; empty: any
	MaxItems int      // cards, choices
	Note     string   // what is lost under Partial or Fallback, for the agent
}

// Capabilities is an adapter's declaration; channeltest holds it against the
// implemented interfaces and the behaviour.
type Capabilities struct {
	// Send has the level of each content kind; absent means Rejected.
	Send   map[channel.ContentKind]Level
	Limits map[channel.ContentKind]Limits
	// Choices is the level of quick replies under a message.
	Choices Level
	// ChoiceKinds are those that the channel carries; nil: message, postback and
	// uri. A message with a choice of another kind is refused for
	// ReasonUnsupported. See Chooses.
	ChoiceKinds []channel.ChoiceKind
	// MaxFiles is how many files one message carries; 0 is one. A message with
	// more is refused before the adapter is asked.
	MaxFiles int
	// MediaLinks: the provider fetches files from their address. Plan needs
	// Media.URL; else it has Media.Blob, which the adapter has served.
	MediaLinks bool
	// MaxBatch is how many messages one Attempt can carry; at least 1.
	MaxBatch int
	// Routes describes every route that Plan may choose.
	Routes map[string]Route
	// Persistent is false for channels whose chats end with the window.
	Persistent bool
	// What the channel reports or accepts.
	Groups, Edits, Unsends, Delivered, Read, TypingIn, TypingOut bool
	MarkRead, Profiles, MediaFetch, Quotes, SenderName           bool
	// ReplyHandle: events may carry a one-time right to answer.
	ReplyHandle bool
	// Watched: it tells when a video was watched to its end. Notified: it tells
	// of notices that were sent outside of any chat.
	Watched, Notified bool
	// AsksRating and AsksConsent: its own surface asks for a rating after the end,
	// for consent before the beginning, so that no message does.
	AsksRating, AsksConsent bool
	// NoWelcome forbids the automatic welcome (mail).
	NoWelcome bool
	// Automatic bounds what is sent without a person, on channels where the other
	// side may be a machine that answers; zero: no bounds.
	Automatic AutomaticLimits
}

// AutomaticLimits bound automatic messages within a time that goes with the
// clock: in one thread, to one person over all threads, and to all people of a
// domain for whom nobody vouches (Author.Vouched).
type AutomaticLimits struct {
	PerThread, PerPerson, PerDomain int
	Within                          time.Duration
}

// Route describes one way of sending.
type Route struct {
	// IdempotentFor is how long a repeat cannot send twice; 0: never safe. For
	// a ByHandle route it is the longest that Plan gives.
	IdempotentFor time.Duration
	// ByHandle: the route spends the reply handle, which the provider takes
	// once. A repeat cannot send twice while the handle lives, so Plan's
	// IdempotentFor ends some seconds before ReplyHandle.Expires, and there is
	// no key. That the provider refuses the handle of an Attempt whose earlier
	// try was ambiguous means that this try was accepted, most likely.
	ByHandle bool
	// Metered counts against a quota at the provider.
	Metered bool
}

// plainChoices are the kinds of a channel that names none of its own.
var plainChoices = []channel.ChoiceKind{channel.ChoiceMessage, channel.ChoicePostback, channel.ChoiceURI}

// Chooses reports whether the channel carries choices of the kind.
func (c Capabilities) Chooses(kind channel.ChoiceKind) bool {
	kinds := c.ChoiceKinds
	if kinds == nil {
		kinds = plainChoices
	}
	return c.Choices != Rejected && slices.Contains(kinds, kind)
}
