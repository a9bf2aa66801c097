package conversation

import (
	"time"

	"github.com/sangdam/sangdam/channel"
)

// Erased says that what the message said and its id at the provider were
// erased.
func (m Message) Erased() bool {
	return !m.UnsentAt.IsZero() && m.Chat.ID == "" && m.Provider == "" && len(m.Parts) == 0 && len(m.Sources) == 0 &&
		m.Content.Text == "" && m.Content.Letter == nil && len(m.Content.Files()) == 0
}

// Erase deletes everything personal from the contact. Its id, when it was made
// and its desks stay.
func (c *Contact) Erase(now time.Time) {
	*c = Contact{ID: c.ID, Version: c.Version, Known: true, MergedInto: c.MergedInto, Desks: c.Desks, CreatedAt: c.CreatedAt, ErasedAt: now}
}

// Erase deletes what leads from the identity to a person at the provider. When
// the same person writes again, a new identity is made.
func (i *Identity) Erase() {
	*i = Identity{ID: i.ID, Version: i.Version, Contact: i.Contact, Kind: i.Kind, Scope: i.Scope,
		User: erasedUser + channel.ProviderUserID(i.ID), Desks: i.Desks, CreatedAt: i.CreatedAt}
}

// erasedUser begins what stands in place of the provider's name of a person.
const erasedUser = "erased:"

// Erased says that Erase was called.
func (i Identity) Erased() bool { return i.User == erasedUser+channel.ProviderUserID(i.ID) }
