package sangdam

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// A unit has one copy of each conversation that it touches. Flows ask for a draft
// and change it; nobody saves. The end of the unit writes each that differs from
// what the unit found, once, with its messages and entries. What the unit reads
// meanwhile it reads through its copies.

// conversationWork is a conversation within a unit.
type conversationWork struct {
	d *draft.Draft
	// desk is the one whose members see the customer already.
	desk routing.DeskID
	// events and messages are how many of the draft's the stages have heard of.
	events, messages int
}

// conversation is the unit's one copy. ErrNotFound.
func (u *unit) conversation(id conversation.ID) (*draft.Draft, error) {
	if w := u.conversations[id]; w != nil {
		return w.d, nil
	}
	cv, err := u.tx.Conversations().Conversation(u.ctx, id)
	if err != nil {
		return nil, err
	}
	return u.conversationOf(cv), nil
}

// conversationOf is the unit's one copy of a conversation that it has read. What
// was changed since then is in the copy.
func (u *unit) conversationOf(cv conversation.Conversation) *draft.Draft {
	if w := u.conversations[cv.ID]; w != nil {
		return w.d
	}
	return u.keepConversation(draft.Edit(cv, u.tx.Now()))
}

// keepConversation takes a draft into the unit: one that was read, or one that
// begins.
func (u *unit) keepConversation(d *draft.Draft) *draft.Draft {
	if u.conversations == nil {
		u.conversations = map[conversation.ID]*conversationWork{}
	}
	u.conversations[d.C.ID] = &conversationWork{d: d, desk: d.C.Desk}
	u.conversationOrder = append(u.conversationOrder, d.C.ID)
	return d
}

func (w *conversationWork) differs() bool {
	return len(w.d.Events)+len(w.d.Messages) > 0 || !reflect.DeepEqual(w.d.C, w.d.Was())
}

// gatherConversations tells the stages after it what the unit changed since they
// were told last.
func (u *unit) gatherConversations() error {
	for _, id := range u.conversationOrder {
		w := u.conversations[id]
		d := w.d
		if len(d.Events) == w.events && len(d.Messages) == w.messages {
			continue
		}
		actor := ""
		for _, e := range d.Events[w.events:] {
			actor = cmp.Or(actor, e.Actor)
		}
		u.changed(record{kindConversation, string(id)}, actor)
		for _, e := range d.Events[w.events:] {
			u.changed(record{kindConversation, string(id)}, actor, string(e.Kind))
		}
		w.events, w.messages = len(d.Events), len(d.Messages)
		for i := range d.Messages {
			event := "changed"
			if d.Messages[i].Version == 0 {
				event = "created"
			}
			u.changed(record{kindMessage, string(d.Messages[i].ID)}, actor, event)
		}
	}
	return nil
}

// differing are the conversations that the unit made or changed, in the order in
// which they are written: what lets go of its thread before what takes it, else
// by id, so that units that write the same ones do not wait for each other.
func (u *unit) differing() []*conversationWork {
	var out []*conversationWork
	for _, id := range u.conversationOrder {
		if w := u.conversations[id]; w.differs() {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *conversationWork) int {
		if holds := a.d.C.State.HoldsThread(); holds != b.d.C.State.HoldsThread() {
			if holds {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.d.C.ID, b.d.C.ID)
	})
	return out
}

// scheduleConversations is the stage that sets the deadlines of what changed.
func (u *unit) scheduleConversations() error {
	for _, w := range u.differing() {
		if err := u.schedule(w.d); err != nil {
			return err
		}
	}
	return nil
}

// writeConversations is the stage that stores what the unit changed: each
// conversation once, its messages and entries, and what the feed tells.
func (u *unit) writeConversations() error {
	for _, w := range u.differing() {
		if err := u.writeConversation(w.d); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) writeConversation(d *draft.Draft) error {
	repo := u.rows.Conversations()
	if _, err := repo.SaveConversation(u.ctx, d.C); err != nil {
		return err
	}
	u.texts = u.texts || len(d.Messages) > 0
	for _, m := range d.Messages {
		if _, err := repo.SaveMessage(u.ctx, m); err != nil {
			return err
		}
	}
	if err := repo.AppendEvents(u.ctx, d.Events...); err != nil {
		return err
	}
	if err := u.keepConsultation(d); err != nil {
		return err
	}
	u.tellEvents(d)
	return nil
}

// tellEvents puts what happened to a conversation into the feed.
func (u *unit) tellEvents(d *draft.Draft) {
	was := d.Was()
	u.feed = slices.Grow(u.feed, len(d.Events))
	for _, ev := range d.Events {
		fe := placed(driver.Event{Aggregate: kindConversation, ID: string(ev.Conversation), Version: ev.Seq,
			Kind: string(ev.Kind), Ref: string(ev.Message), Actor: ev.Actor, At: ev.At}, d.C)
		if was.ID != "" && was.Desk != d.C.Desk {
			fe.FormerDesk = was.Desk
		}
		if was.Agent != "" && was.Agent != d.C.Agent {
			fe.FormerAgent = was.Agent
		}
		if was.Asked() != d.C.Asked() {
			fe.FormerAsked = was.Asked()
		}
		u.feed = append(u.feed, fe)
	}
}

// unitTx is the transaction as the body of a unit sees it: it reads through the
// unit's copies, and what the end of the unit writes cannot be written by hand.
type unitTx struct {
	store.Tx
	u *unit
}

// Conversations implements store.Tx.
func (t unitTx) Conversations() store.ConversationRepo {
	return unitConversations{t.Tx.Conversations(), t.u}
}

// errByHand says that a flow wrote what the end of its unit writes.
var errByHand = errs.New(errs.Invalid, "sangdam: a flow saved a record that the end of its unit saves; this is a fault of the library")

// unitConversations reads what the store has with what the unit changed of it.
type unitConversations struct {
	store.ConversationRepo
	u *unit
}

// Conversation implements store.ConversationRepo.
func (r unitConversations) Conversation(ctx context.Context, id conversation.ID) (conversation.Conversation, error) {
	if w := r.u.conversations[id]; w != nil {
		return w.d.C, nil
	}
	return r.ConversationRepo.Conversation(ctx, id)
}

// ByThread implements store.ConversationRepo.
func (r unitConversations) ByThread(ctx context.Context, thread string) (open, last *conversation.Conversation, err error) {
	rows := make([]*conversation.Conversation, 2, 3)
	if rows[0], rows[1], err = r.ConversationRepo.ByThread(ctx, thread); err != nil || len(r.u.conversations) == 0 {
		return rows[0], rows[1], err
	}
	for _, id := range r.u.conversationOrder {
		c := r.u.conversations[id].d.C
		rows = slices.DeleteFunc(rows, func(o *conversation.Conversation) bool { return o != nil && o.ID == id })
		if c.Thread == thread {
			rows = append(rows, &c)
		}
	}
	for _, c := range rows {
		switch {
		case c == nil:
		case c.State.HoldsThread():
			open = c
		case last == nil || cmp.Or(c.OpenedAt.Compare(last.OpenedAt), cmp.Compare(c.ID, last.ID)) > 0:
			last = c
		}
	}
	return open, last, nil
}

// List implements store.ConversationRepo. It selects by what is stored: what the unit
// changed is as it is now, and is left out where it does not match any more.
func (r unitConversations) List(ctx context.Context, f conversation.Filter, page string, limit int) ([]conversation.Conversation, string,
	error) {
	list, next, err := r.ConversationRepo.List(ctx, f, page, limit)
	if err != nil || len(r.u.conversations) == 0 {
		return list, next, err
	}
	out := list[:0]
	for _, c := range list {
		if w := r.u.conversations[c.ID]; w != nil {
			c = w.d.C
		}
		if f.Match(c) {
			out = append(out, c)
		}
	}
	return out, next, nil
}

// Message implements store.ConversationRepo.
func (r unitConversations) Message(ctx context.Context, id conversation.MessageID) (conversation.Message, error) {
	if m, is := r.u.messageOf(id); is {
		return m, nil
	}
	return r.ConversationRepo.Message(ctx, id)
}

// ByProvider implements store.ConversationRepo.
func (r unitConversations) ByProvider(ctx context.Context, account channel.AccountID, chat channel.Chat,
	p channel.ProviderMessageID) (conversation.Message, error) {
	m, is := r.u.changedMessage(func(m *conversation.Message) bool { return m.Account == account && m.Chat == chat && m.Provider == p })
	if is && p != "" {
		return m, nil
	}
	return r.ConversationRepo.ByProvider(ctx, account, chat, p)
}

// Messages implements store.ConversationRepo.
func (r unitConversations) Messages(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Message, error) {
	list, err := r.ConversationRepo.Messages(ctx, id, after, limit)
	if err != nil {
		return nil, err
	}
	list = r.u.withMessages(list, id, func(m conversation.Message) bool { return m.Seq > after })
	return list[:min(len(list), limit)], nil
}

// Latest implements store.ConversationRepo.
func (r unitConversations) Latest(ctx context.Context, id conversation.ID, before int64, limit int) ([]conversation.Message, error) {
	list, err := r.ConversationRepo.Latest(ctx, id, before, limit)
	if err != nil {
		return nil, err
	}
	list = r.u.withMessages(list, id, func(m conversation.Message) bool { return before == 0 || m.Seq < before })
	return list[max(len(list)-limit, 0):], nil
}

// SaveConversation, SaveMessage and AppendEvents are for the end of the unit.
func (r unitConversations) SaveConversation(context.Context, conversation.Conversation) (int64, error) {
	return 0, errByHand
}

// SaveMessage is refused.
func (r unitConversations) SaveMessage(context.Context, conversation.Message) (int64, error) {
	return 0, errByHand
}

// AppendEvents is refused.
func (r unitConversations) AppendEvents(context.Context, ...conversation.Event) error {
	return errByHand
}

// changedMessage finds a message among those that the unit made or changed.
func (u *unit) changedMessage(is func(*conversation.Message) bool) (conversation.Message, bool) {
	for _, id := range u.conversationOrder {
		messages := u.conversations[id].d.Messages
		for i := range messages {
			if is(&messages[i]) {
				return messages[i], true
			}
		}
	}
	return conversation.Message{}, false
}

// messageOf is a message that the unit made or changed.
func (u *unit) messageOf(id conversation.MessageID) (conversation.Message, bool) {
	return u.changedMessage(func(m *conversation.Message) bool { return m.ID == id })
}

// withMessages is a list of a conversation's messages, in their order, with what
// the unit made or changed: what was moved elsewhere is left out.
func (u *unit) withMessages(list []conversation.Message, of conversation.ID, shown func(conversation.Message) bool) []conversation.Message {
	sorted := true
	for _, id := range u.conversationOrder {
		for _, m := range u.conversations[id].d.Messages {
			at := slices.IndexFunc(list, func(o conversation.Message) bool { return o.ID == m.ID })
			switch {
			case at >= 0 && m.Conversation == of:
				list[at] = m
			case at >= 0:
				list = slices.Delete(list, at, at+1)
			case m.Conversation == of && shown(m):
				list, sorted = append(list, m), false
			}
		}
	}
	if !sorted {
		slices.SortFunc(list, func(a, b conversation.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	return list
}

// attempt runs a part of a unit that may come to nothing while the unit goes on:
// what it changed of conversations before it failed is undone. What it did to work
// is stored already and stays, and so does what goes with it.
func (u *unit) attempt(run func() error) error {
	had, moved := len(u.conversationOrder), u.moved
	backs := make([]func(), 0, had)
	for _, id := range u.conversationOrder {
		backs = append(backs, u.conversations[id].d.Mark())
	}
	err := run()
	if err == nil || moved != u.moved || errors.Is(err, driver.ErrClash) {
		return err
	}
	for _, back := range backs {
		back()
	}
	for _, id := range u.conversationOrder[had:] {
		delete(u.conversations, id)
	}
	u.conversationOrder = u.conversationOrder[:had]
	return err
}
