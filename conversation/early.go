package conversation

import (
	"time"

	"github.com/sangdam/sangdam/channel"
)

// newerEdit says whether an edit replaces another: by its own time, and at the
// same time by its text, so that the order of arrival never matters.
func newerEdit(c channel.Content, at time.Time, old channel.Content, oldAt time.Time) bool {
	if !at.Equal(oldAt) {
		return at.After(oldAt)
	}
	return c.Text > old.Text
}

// OlderThan reports whether an edit made at that time replaces the message's
// present content.
func (m Message) OlderThan(edit channel.Content, at time.Time) bool {
	return newerEdit(edit, at, m.Content, m.EditedAt)
}

// Merge returns which of two early events counts when the message arrives: an
// unsend before any edit, and of two edits the newer one.
func (e Early) Merge(other Early) Early {
	switch {
	case e.Unsent || other.Unsent:
		if other.Unsent && (!e.Unsent || other.At.After(e.At)) {
			return other
		}
		return e
	case e.Content == nil:
		return other
	case other.Content != nil && newerEdit(*other.Content, other.At, *e.Content, e.At):
		return other
	}
	return e
}

// Early is an edit or an unsend that arrived before the message which it is
// about.
type Early struct {
	Account channel.AccountID         `json:"account"`
	Chat    channel.Chat              `json:"chat"`
	Message channel.ProviderMessageID `json:"message"`
	At      time.Time                 `json:"at,omitzero"` // the event's own time
	Unsent  bool                      `json:"unsent"`
	Content *channel.Content          `json:"content,omitempty"` // of the edit
	// Sealed is Content as the engine stores it, Source the event that brought it.
	Sealed []byte             `json:"sealed,omitempty"`
	Source channel.EnvelopeID `json:"source,omitempty"`
}
