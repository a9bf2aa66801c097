package conversation

import (
	"time"

	"github.com/sangdam/sangdam/channel"
)

// EraseMessage takes out of a message what it says, where the provider knows it
// from, and what would lead back to who wrote it. That there was a message, when,
// in which direction and what became of it stays, for whoever counts; withdrawn says
// that it was taken back before it left. It reports whether anything differs. The
// caller drops files, originals and search entries.
func (d *Draft) EraseMessage(m Message, withdrawn bool) bool {
	if m.Erased() {
		return false
	}
	m.Content = channel.Content{Kind: m.Content.Kind}
	m.Masks, m.Sources, m.Provider, m.Parts, m.Detail, m.ReadHandle = nil, nil, "", nil, "", ""
	m.Quotes, m.Chat.ID, m.EditedAt = "", "", time.Time{}
	if m.UnsentAt.IsZero() {
		m.UnsentAt = d.now
	}
	if withdrawn {
		m.Status = StatusWithdrawn
	}
	d.put(m)
	return true
}

// Erased says that nothing is left of what the message said, nor of its place at
// the provider.
func (m Message) Erased() bool {
	return !m.UnsentAt.IsZero() && m.Chat.ID == "" && m.Provider == "" && len(m.Parts) == 0 && len(m.Sources) == 0 &&
		m.Content.Text == "" && m.Content.Letter == nil && len(m.Content.Files()) == 0
}

// Erase ends what the conversation itself knows of its customer: chat, group,
// panels, what bots and pages noted, the comment on a rating. Times, desk, agents,
// category, tags and score stay. Nothing can be written in it any more.
func (d *Draft) Erase(actor string) {
	c := &d.C
	c.Thread, c.Chat.ID, c.ChatName, c.ChatPicture = "erased:"+string(c.ID), "", "", ""
	c.BotData, c.Attributes, c.Reply, c.Left = nil, nil, nil, nil
	c.Memo, c.Preview, c.Unread = "", "", 0
	if c.Rating != nil {
		r := *c.Rating
		r.Comment, r.CommentUntil = "", time.Time{}
		c.Rating = &r
	}
	if c.Consultation != nil {
		q := *c.Consultation
		q.Reason = ""
		c.Consultation = &q
	}
	c.ErasedAt = d.now
	changed := c.UpdatedAt
	d.event(Event{Kind: EvErased, Actor: actor}, false)
	c.UpdatedAt = changed // it keeps its place in lists
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
