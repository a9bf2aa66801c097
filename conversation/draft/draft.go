// Package draft is how the Engine changes a conversation, and nothing that a host
// calls: a host reads package conversation. Who works on the Engine, or on a backend's
// tests, finds here which changes of state are legal, what a message joins, how
// statuses advance and what each change writes into the history.
//
// Its functions are pure: they take what was loaded, the time and fresh ids, and
// collect what is to be written in a Draft.
package draft

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// Draft is a conversation that is being changed within one transaction. Its
// methods apply the rules and collect what is to be written: the conversation,
// messages and events with their gap-free numbers. A Draft is for one goroutine.
type Draft struct {
	C        conversation.Conversation
	Messages []conversation.Message // to save, each at most once
	Events   []conversation.Event   // to append
	was      conversation.Conversation
	now      time.Time
}

// Edit begins a Draft of an existing conversation.
func Edit(c conversation.Conversation, now time.Time) *Draft {
	d := &Draft{C: c, was: c, now: now}
	d.C.Attributes = maps.Clone(c.Attributes)
	d.C.BotData = maps.Clone(c.BotData)
	return d
}

// Was is the conversation as it was before the Draft; the zero Conversation for a
// new one. Its maps are not to be written into.
func (d *Draft) Was() conversation.Conversation { return d.was }

// Mark remembers the Draft; back brings it to where it was.
func (d *Draft) Mark() (back func()) {
	c, messages, events := d.C, slices.Clone(d.Messages), len(d.Events)
	c.Attributes, c.BotData = maps.Clone(c.Attributes), maps.Clone(c.BotData)
	return func() { d.C, d.Messages, d.Events = c, messages, d.Events[:events] }
}

// Open begins a Draft of a new conversation; c carries id, thread, kind, desk,
// work stream, account, channel, chat, contact, identity and language. previous
// is the closed conversation that it follows, or empty.
func Open(c conversation.Conversation, previous conversation.ID, actor string, now time.Time) *Draft {
	c.Version, c.EventSeq, c.CustomerSeq = 0, 0, 0
	c.State, c.Control, c.Fence = conversation.StateOpen, conversation.ControlNobody, 1
	c.Previous, c.OpenedAt, c.UpdatedAt, c.LastMessageAt = previous, now, now, now
	d := &Draft{C: c, now: now}
	d.event(conversation.Event{Kind: conversation.EvOpened, Actor: actor, To: string(conversation.StateOpen)}, false)
	return d
}

// Now is the time of the transaction.
func (d *Draft) Now() time.Time { return d.now }

// event numbers and collects one entry; shown entries also take a number of
// the customer's stream.
func (d *Draft) event(e conversation.Event, shown bool) conversation.Event {
	d.C.EventSeq++
	e.Conversation, e.Seq, e.At = d.C.ID, d.C.EventSeq, d.now
	if shown {
		d.C.CustomerSeq++
		e.CustomerSeq = d.C.CustomerSeq
	}
	d.C.UpdatedAt = d.now
	d.Events = append(d.Events, e)
	return e
}

// Note records an entry that changes no message and no state: an offer, a
// queueing, a panel saved. from and to are ids or states, never text.
func (d *Draft) Note(kind conversation.EventKind, actor, from, to string) {
	d.event(conversation.Event{Kind: kind, Actor: actor, From: from, To: to}, false)
}

// AddInbound adds a message of the customer. The conversation's account, chat,
// identity and reply handle follow it: answers go to who wrote last.
func (d *Draft) AddInbound(m conversation.Message, reply *channel.ReplyHandle) conversation.Message {
	m.Conversation, m.Direction, m.Status = d.C.ID, conversation.Inbound, conversation.StatusReceived
	m.At = d.now
	e := d.event(conversation.Event{Kind: conversation.EvMessage, Message: m.ID, Actor: "customer"}, true)
	m.Seq, m.CustomerSeq = e.Seq, e.CustomerSeq
	if d.C.Chat != m.Chat || d.C.Account != m.Account {
		d.C.Reply = nil // a right to answer in another chat
	}
	d.C.Account, d.C.Chat = m.Account, m.Chat
	if m.Author.Identity != "" {
		d.C.Identity = m.Author.Identity
	}
	if reply != nil {
		d.C.Reply = reply
	}
	if m.OccurredAt.After(d.C.LastCustomerAt) {
		d.C.LastCustomerAt = m.OccurredAt
	}
	d.C.Unread++
	d.C.LastMessageAt = d.now
	d.C.Preview = conversation.Preview(m.Content)
	d.put(m)
	return m
}

// AddOutbound adds a message to the customer by an agent, a bot, the system or
// a trigger, queued. It takes the reply handle away: the caller gives it to the
// outbox row. ErrInvalid when the conversation is closed.
func (d *Draft) AddOutbound(m conversation.Message) (conversation.Message, *channel.ReplyHandle, error) {
	if d.C.State == conversation.StateClosed && m.Author.Kind != conversation.BySystem {
		return conversation.Message{}, nil, fmt.Errorf("conversation: %s is closed; open it again first: %w", d.C.ID,
			errs.Invalid)
	}
	m.Conversation, m.Direction, m.Status = d.C.ID, conversation.Outbound, conversation.StatusQueued
	m.Account, m.Chat = d.C.Account, d.C.Chat
	m.At, m.OccurredAt = d.now, d.now
	e := d.event(conversation.Event{Kind: conversation.EvMessage, Message: m.ID, Actor: actorOf(m.Author)}, true)
	m.Seq, m.CustomerSeq = e.Seq, e.CustomerSeq
	if m.Author.Kind == conversation.ByAgent {
		d.C.LastAgentAt = d.now
		d.C.Unread = 0
		d.C.Handled = true
		if d.C.FirstAnswerAt.IsZero() {
			d.C.FirstAnswerAt = d.now
		}
	}
	d.C.LastMessageAt = d.now
	d.C.Preview = conversation.Preview(m.Content)
	reply := d.C.Reply
	d.C.Reply = nil
	d.put(m)
	return m, reply, nil
}

// AddNote adds an internal note. It takes no number of the customer's stream
// and changes nothing the customer could notice.
func (d *Draft) AddNote(m conversation.Message) conversation.Message {
	m.Conversation, m.Direction, m.Status = d.C.ID, conversation.Internal, conversation.StatusReceived
	m.At, m.OccurredAt = d.now, d.now
	e := d.event(conversation.Event{Kind: conversation.EvNote, Message: m.ID, Actor: actorOf(m.Author)}, false)
	m.Seq = e.Seq
	d.put(m)
	return m
}

// ApplyEdit replaces a message's content, with its masks and sources, if the edit
// is the newest by its own time and the message was not taken back. It reports
// whether it did.
func (d *Draft) ApplyEdit(m, edited conversation.Message, at time.Time) bool {
	c := edited.Content
	if !m.UnsentAt.IsZero() || !m.OlderThan(c, at) {
		return false
	}
	if c.QuoteOf == "" {
		c.QuoteOf = m.Content.QuoteOf // edits do not say again what they answer
	}
	if d.C.Preview == conversation.Preview(m.Content) {
		d.C.Preview = conversation.Preview(c)
	}
	m.Content, m.EditedAt, m.Masks, m.Sources = c, at, edited.Masks, edited.Sources
	d.event(conversation.Event{Kind: conversation.EvEdit, Message: m.ID, Actor: "customer"}, true)
	d.put(m)
	return true
}

// ApplyUnsend makes a message's content unrecoverable here. Once is enough; it
// reports whether it did anything. The caller drops blobs and search entries.
func (d *Draft) ApplyUnsend(m conversation.Message, at time.Time) bool {
	if !m.UnsentAt.IsZero() {
		return false
	}
	if d.C.Preview == conversation.Preview(m.Content) {
		d.C.Preview = ""
	}
	if m.Direction == conversation.Inbound && d.C.Unread > 0 && m.At.After(d.C.LastAgentAt) {
		d.C.Unread-- // nobody has answered it, and there is nothing left to read
	}
	m.Content = channel.Content{Kind: m.Content.Kind}
	m.Masks, m.Sources, m.ReadHandle, m.UnsentAt, m.EditedAt = nil, nil, "", at, time.Time{}
	d.event(conversation.Event{Kind: conversation.EvUnsend, Message: m.ID, Actor: "customer"}, true)
	d.put(m)
	return true
}

// Withdraw takes back a message that has not left: its content is gone, and the
// customer never had it. The caller made sure that nothing sends it any more.
func (d *Draft) Withdraw(m conversation.Message, actor string) {
	if d.C.Preview == conversation.Preview(m.Content) {
		d.C.Preview = ""
	}
	m.Content = channel.Content{Kind: m.Content.Kind}
	m.Masks, m.UnsentAt, m.Status = nil, d.now, conversation.StatusWithdrawn
	d.event(conversation.Event{Kind: conversation.EvUnsend, Message: m.ID, Actor: actor}, true)
	d.put(m)
}

// ApplyStatus moves a message's status forward; see Advance. It reports
// whether anything changed.
func (d *Draft) ApplyStatus(m conversation.Message, to conversation.Status, reason channel.Reason, detail string) bool {
	next := Advance(m.Status, to)
	if next == m.Status {
		return false
	}
	from := m.Status
	m.Status = next
	if next == conversation.StatusFailed || next == conversation.StatusUnknown {
		m.Reason, m.Detail = reason, detail
	} else {
		m.Reason, m.Detail = "", ""
	}
	// The customer's stream shows that the conversation goes on, not whether
	// our sending works.
	d.event(conversation.Event{Kind: conversation.EvStatus, Message: m.ID, Actor: "system", From: string(from), To: string(next)}, false)
	d.put(m)
	return true
}

// ApplyWatched records that the customer has watched a message's video to its
// end, the first time. It reports whether it did.
func (d *Draft) ApplyWatched(m conversation.Message, at time.Time) bool {
	if m.Direction != conversation.Outbound || !m.WatchedAt.IsZero() || !m.UnsentAt.IsZero() {
		return false
	}
	m.WatchedAt = at
	d.event(conversation.Event{Kind: conversation.EvWatched, Message: m.ID, Actor: "customer"}, false)
	d.put(m)
	return true
}

// SetProvider records the provider's id and quote handle of a sent message.
func (d *Draft) SetProvider(id conversation.MessageID, provider channel.ProviderMessageID, parts []channel.ProviderMessageID,
	quoteHandle string) {
	for i := range d.Messages {
		if d.Messages[i].ID == id {
			d.Messages[i].Provider, d.Messages[i].Parts = provider, parts
			d.Messages[i].Content.QuoteHandle = quoteHandle
		}
	}
}

// SetUnconfirmed marks a message whose acceptance nobody confirmed.
func (d *Draft) SetUnconfirmed(id conversation.MessageID) {
	for i := range d.Messages {
		if d.Messages[i].ID == id {
			d.Messages[i].Unconfirmed = true
		}
	}
}

// put collects a message, replacing an earlier version within this Draft.
func (d *Draft) put(m conversation.Message) {
	for i := range d.Messages {
		if d.Messages[i].ID == m.ID {
			d.Messages[i] = m
			return
		}
	}
	d.Messages = append(d.Messages, m)
}

func actorOf(a conversation.Author) string {
	switch a.Kind {
	case conversation.ByAgent:
		return "agent:" + string(a.Agent)
	case conversation.ByBot:
		return "bot:" + a.Name
	case conversation.ByTrigger:
		return "trigger:" + a.Name
	case conversation.ByCustomer:
		return "customer"
	}
	return "system"
}

// SetChatProfile keeps what the provider tells of a group; an empty name leaves
// what was known.
func (d *Draft) SetChatProfile(p channel.Profile) {
	d.C.ChatAt = d.now
	if p.Name == "" || p.Name == d.C.ChatName && p.Picture == d.C.ChatPicture {
		return
	}
	d.C.ChatName, d.C.ChatPicture = p.Name, p.Picture
	d.event(conversation.Event{Kind: conversation.EvChat, Actor: "system"}, false)
}

// SetMedia records what became of the n-th file of a message, which it returns
// as it is now.
func (d *Draft) SetMedia(m conversation.Message, n int, media channel.Media) conversation.Message {
	m.Content = m.Content.WithFile(n, media)
	d.event(conversation.Event{Kind: conversation.EvMedia, Message: m.ID, Actor: "system", To: string(media.State)}, true)
	d.put(m)
	return m
}

// Link gives the conversation to a contact, under the thread key that follows.
func (d *Draft) Link(to conversation.ContactID, thread, actor string) {
	if d.C.Contact == to && d.C.Thread == thread {
		return
	}
	d.event(conversation.Event{Kind: conversation.EvLinked, Actor: actor, From: "contact:" + string(d.C.Contact),
		To: "contact:" + string(to)}, false)
	d.C.Contact, d.C.Thread = to, thread
}

// MoveTo takes the conversation to a desk.
func (d *Draft) MoveTo(desk conversation.DeskID, actor string) {
	if d.C.Desk == desk {
		return
	}
	d.event(conversation.Event{Kind: conversation.EvDesk, Actor: actor, From: "desk:" + string(d.C.Desk),
		To: "desk:" + string(desk)}, false)
	d.C.Desk = desk
}

// Merge ends the conversation because another goes on with its messages. A
// *MoveError (ErrInvalid) for one that has ended.
func (d *Draft) Merge(into conversation.ID, actor string) error {
	if err := d.Close(actor, "merged"); err != nil {
		return err
	}
	d.C.MergedInto = into
	d.event(conversation.Event{Kind: conversation.EvMerged, Actor: actor, To: "conversation:" + string(into)}, false)
	return nil
}

// Adopt moves a message of a merged conversation here, with a new place in the
// sequence; its own times stay.
func (d *Draft) Adopt(m conversation.Message) {
	e := d.event(conversation.Event{Kind: conversation.EvMessage, Message: m.ID, Actor: actorOf(m.Author),
		From: "conversation:" + string(m.Conversation)},
		m.Direction != conversation.Internal)
	m.Conversation, m.Seq, m.CustomerSeq = d.C.ID, e.Seq, e.CustomerSeq
	if m.Direction != conversation.Internal && m.At.After(d.C.LastMessageAt) {
		d.C.LastMessageAt = m.At
	}
	if m.Direction == conversation.Inbound && m.OccurredAt.After(d.C.LastCustomerAt) {
		d.C.LastCustomerAt = m.OccurredAt
	}
	d.put(m)
}

// Leave records that the customer closed the page.
func (d *Draft) Leave(page string) {
	d.C.Left = &conversation.Left{Page: page, At: d.now}
	d.event(conversation.Event{Kind: conversation.EvLeft, Actor: "customer"}, false)
}

// Return records that the customer who left is there again.
func (d *Draft) Return() {
	d.C.Left = nil
	d.event(conversation.Event{Kind: conversation.EvBack, Actor: "customer"}, false)
}

// SetPanel saves the resolution category and the memo, also after the end.
func (d *Draft) SetPanel(category, memo, actor string) {
	from := d.C.Category
	d.C.Category, d.C.Memo = category, memo
	d.C.PanelVersion++
	d.event(conversation.Event{Kind: conversation.EvPanel, Actor: actor, From: from, To: category}, false)
}

// Rate keeps the customer's rating of the last ending: one a closure. ErrInvalid
// while nothing has ended, ErrAlreadyExists for a second answer.
func (d *Draft) Rate(score int, comment string) error {
	if !d.C.State.Ended() {
		return fmt.Errorf("conversation: %s has not ended; it is rated afterwards: %w", d.C.ID, errs.Invalid)
	}
	if d.C.RatedThisEnd() {
		return fmt.Errorf("conversation: %s was rated already: %w", d.C.ID, errs.AlreadyExists)
	}
	d.C.Rating = &conversation.Rating{Score: score, Comment: comment, At: d.now, Closure: d.C.Closure()}
	d.event(conversation.Event{Kind: conversation.EvRated, Actor: "customer", To: strconv.Itoa(score)}, false)
	return nil
}

// AwaitComment lets the customer's next text until then be the comment on the
// rating of this ending, if there is one without.
func (d *Draft) AwaitComment(until time.Time) {
	if d.C.RatedThisEnd() && d.C.Rating.Comment == "" {
		r := *d.C.Rating
		r.CommentUntil = until
		d.C.Rating = &r
	}
}

// CommentRating keeps the comment that was announced. It is for a conversation that
// has a Rating.
func (d *Draft) CommentRating(text string) {
	r := *d.C.Rating
	r.Comment, r.CommentUntil = text, time.Time{}
	d.C.Rating = &r
	d.event(conversation.Event{Kind: conversation.EvRated, Actor: "customer", To: "comment"}, false)
}
