package draft

import (
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// EraseMessage takes out of a message what it says, where the provider knows it
// from, and what would lead back to who wrote it. That there was a message, when,
// in which direction and what became of it stays, for whoever counts; withdrawn says
// that it was taken back before it left. It reports whether anything differs. The
// caller drops files, originals and search entries.
func (d *Draft) EraseMessage(m conversation.Message, withdrawn bool) bool {
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
		m.Status = conversation.StatusWithdrawn
	}
	d.put(m)
	return true
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
	d.event(conversation.Event{Kind: conversation.EvErased, Actor: actor}, false)
	c.UpdatedAt = changed // it keeps its place in lists
}
