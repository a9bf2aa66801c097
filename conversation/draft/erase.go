package draft

import (
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
)

// EraseMessage takes out of a message what it says, where the provider knows it
// from, and what would lead back to who wrote it. That there was a message, when,
// in which direction and what became of it stays, for whoever counts; withdrawn says
// that it was taken back before it left. What bots and pages noted of its words goes
// too. It reports whether anything differs. The caller drops files, originals and
// search entries.
func (d *Draft) EraseMessage(m conversation.Message, withdrawn bool) bool {
	if m.Erased() {
		return false
	}
	for _, kept := range []map[string]string{d.C.BotData, d.C.Attributes} {
		for k, v := range kept {
			kept[k] = privacy.Conceal(v, map[string]string{"": m.Content.Text})
		}
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

// EraseNamed takes who was named beside the writer and the desk, as somebody who got
// a copy of a mail, out of a message that stays; is says of which addresses. It
// reports whether anything differs.
func (d *Draft) EraseNamed(m conversation.Message, is func(address string) bool) bool {
	if m.Content.Letter == nil {
		return false
	}
	named := func(who string) bool {
		if at := strings.LastIndexByte(who, '<'); at >= 0 {
			who = strings.TrimSuffix(who[at+1:], ">")
		}
		return is(strings.TrimSpace(who))
	}
	l := *m.Content.Letter
	l.To, l.Cc = slices.DeleteFunc(slices.Clone(l.To), named), slices.DeleteFunc(slices.Clone(l.Cc), named)
	if len(l.To) == len(m.Content.Letter.To) && len(l.Cc) == len(m.Content.Letter.Cc) {
		return false
	}
	m.Content.Letter = &l
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
