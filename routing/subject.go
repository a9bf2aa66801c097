package routing

import "strings"

// Subject is what a piece of work is about. The id of its item is made from it
// by Item and nowhere else, so that a subject has at most one item.
type Subject struct {
	Kind string `json:"kind"` // SubjectConversation, SubjectTicket, or a kind of the host's own
	ID   string `json:"id"`
}

// Kinds of subject.
const (
	SubjectConversation = "conversation"
	SubjectTicket       = "ticket"
)

// Item returns the id of the subject's item: for a conversation its own id, for
// anything else "<kind>/<id>".
func (s Subject) Item() ItemID {
	if s.Kind == SubjectConversation {
		return ItemID(s.ID)
	}
	return ItemID(s.Kind + "/" + s.ID)
}

// Subject is what the item is about.
func (id ItemID) Subject() Subject {
	if kind, of, ok := strings.Cut(string(id), "/"); ok {
		return Subject{Kind: kind, ID: of}
	}
	return Subject{Kind: SubjectConversation, ID: string(id)}
}

// SubjectProfile caps how many pieces of work of a kind an agent has at once;
// of conversations ChannelProfile caps those of a channel.
func SubjectProfile(kind string) Profile { return Profile("subject:" + kind) }
