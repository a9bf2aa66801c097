package conversation

import (
	"time"

	"github.com/sangdam/sangdam/channel"
)

// Erased says that nothing is left of what the message said, nor of its place at
// the provider.
func (m Message) Erased() bool {
	return !m.UnsentAt.IsZero() && m.Chat.ID == "" && m.Provider == "" && len(m.Parts) == 0 && len(m.Sources) == 0 &&
		m.Content.Text == "" && m.Content.Letter == nil && len(m.Content.Files()) == 0
}

// Erase ends what is known of a person. That there was one, since when and on
// which desks, stays.
func (c *Contact) Erase(now time.Time) {
	*c = Contact{ID: c.ID, Version: c.Version, Known: true, MergedInto: c.MergedInto, Desks: c.Desks, CreatedAt: c.CreatedAt, ErasedAt: now}
}

// Erase ends what leads from an identity to a person at the provider: whoever
// comes by its name is somebody new.
func (i *Identity) Erase() {
	*i = Identity{ID: i.ID, Version: i.Version, Contact: i.Contact, Kind: i.Kind, Scope: i.Scope,
		User: erasedUser + channel.ProviderUserID(i.ID), Desks: i.Desks, CreatedAt: i.CreatedAt}
}

// erasedUser begins what stands in place of the provider's name of a person.
const erasedUser = "erased:"

// Erased says that Erase was called.
func (i Identity) Erased() bool { return i.User == erasedUser+channel.ProviderUserID(i.ID) }
