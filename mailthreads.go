package sangdam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// chatState is what an adapter wants to know about a chat when it answers there
// (adapter.Inbound.State), as the newest event told it. Threads alone have one.
type chatState struct {
	ID      string `json:"id"`
	Version int64  `json:"-"`
	State   []byte `json:"state"`
	// Subject is that of the mail, which answers take up. It is not the adapter's,
	// so that a mask reaches it.
	Subject string    `json:"subject,omitempty"`
	Vouched bool      `json:"vouched,omitempty"`
	At      time.Time `json:"at"` // of the event
	// User began the chat.
	User channel.ProviderUserID `json:"user"`
}

var chatStates = declare(store.Kind[chatState]{Name: "chat_state",
	ID:      func(c *chatState) string { return c.ID },
	Version: func(c *chatState) *int64 { return &c.Version },
})

// chatState returns what is known of the chat; zero when nothing is.
func (u *unit) chatState(acct channel.AccountID, chat channel.Chat) (chatState, error) {
	return chatStateOf(u.ctx, u.tx, acct, chat)
}

func chatStateOf(ctx context.Context, tx store.Tx, acct channel.AccountID, chat channel.Chat) (chatState, error) {
	if chat.Kind != channel.ChatThread {
		return chatState{}, nil
	}
	c, err := chatStates.Get(ctx, tx, chatID(acct, chat))
	if errors.Is(err, ErrNotFound) {
		return chatState{}, nil
	}
	return c, err
}

// keepState keeps what an event tells of its chat, unless a newer one has. Whose
// chat it is stays so: what others write there, who were in copy or got hold of a
// mail, does not lead the answers to them. m is the event's message as it is stored.
func (u *unit) keepState(acct channel.Account, in adapter.Inbound, m conversation.Message) error {
	if len(in.State) == 0 || in.Chat.Kind != channel.ChatThread {
		return nil
	}
	c, err := u.chatState(acct.ID, in.Chat)
	if err != nil || c.At.After(in.OccurredAt) || c.ID != "" && c.User != in.Author.User {
		return err
	}
	c.ID, c.User, c.State, c.Vouched, c.At = chatID(acct.ID, in.Chat), in.Author.User, in.State, in.Author.Vouched, in.OccurredAt
	if c.Subject = ""; m.Content.Letter != nil {
		c.Subject = m.Content.Letter.Subject
	}
	return chatStates.Save(u.ctx, u.tx, &c)
}

// threadReference says in which chat a message is, on channels where an answer
// names messages instead of the chat, and who took part in it: nobody else can
// answer it.
type threadReference struct {
	ID      string                   `json:"id"`
	Version int64                    `json:"-"`
	Chat    channel.Chat             `json:"chat"`
	People  []channel.ProviderUserID `json:"people"`
	At      time.Time                `json:"at"`
}

var threadReferences = declare(store.Kind[threadReference]{Name: "thread_reference",
	ID:      func(r *threadReference) string { return r.ID },
	Version: func(r *threadReference) *int64 { return &r.Version },
	Indexes: []store.Index[threadReference]{{Name: "at", Value: func(r *threadReference) []byte { return store.Time(r.At) }}},
})

func init() { registerPurge((*Engine).purgeReferences) }

// purgeReferences forgets messages that nobody answers by now. What we sent is
// found without them.
func (e *Engine) purgeReferences(ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, threadReferences, "at", e.cfg.KeepKeys)
}

func referenceID(acct channel.AccountID, m channel.ProviderMessageID) string {
	return "message/" + digest(string(acct), string(m))
}

// placed finds the chat of an event that names messages which it answers: the
// nearest that is known exactly and in which the author took part.
func (u *unit) placed(acct channel.Account, in adapter.Inbound) (adapter.Inbound, error) {
	for _, m := range in.Answers {
		r, err := threadReferences.Get(u.ctx, u.tx, referenceID(acct.ID, m))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return in, err
		}
		if slices.Contains(r.People, in.Author.User) {
			in.Chat = r.Chat
			return in, nil
		}
	}
	return in, nil
}

// keepReference makes a customer's message findable by what answers it.
func (u *unit) keepReference(acct channel.Account, in adapter.Inbound) error {
	name := cmp.Or(in.Name, in.MessageID)
	if in.Chat.Kind != channel.ChatThread || name == "" {
		return nil
	}
	r, err := threadReferences.Get(u.ctx, u.tx, referenceID(acct.ID, name))
	if err == nil || !errors.Is(err, ErrNotFound) {
		return err // the first that came under the id is meant
	}
	people := []channel.ProviderUserID{in.Author.User}
	for _, a := range in.Copied {
		people = append(people, a.User)
	}
	r = threadReference{ID: referenceID(acct.ID, name), Chat: in.Chat, People: people, At: u.tx.Now()}
	return threadReferences.Save(u.ctx, u.tx, &r)
}

// failedLater marks a message that the provider had accepted and could not
// deliver. One that is not a message of a conversation may be a notice.
func (u *unit) failedLater(acct channel.Account, in adapter.Inbound) error {
	m, err := u.byProvider(acct.ID, in.Chat, in.MessageID)
	if errors.Is(err, ErrNotFound) && in.Tag != "" { // its acceptance was never heard
		m, err = u.tx.Conversations().Message(u.ctx, conversation.MessageID(in.Tag))
		if err == nil && (m.Account != acct.ID || m.Direction != conversation.Outbound) {
			return u.accountEvent(acct, in)
		}
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) {
		return u.noticeFailed(acct, in)
	}
	if err != nil {
		return err
	}
	d, err := u.conversation(m.Conversation)
	if err != nil {
		return err
	}
	if !d.ApplyStatus(m, conversation.StatusFailed, in.Reason, in.Details["detail"]) {
		return nil
	}
	m.Status = conversation.StatusFailed
	return u.notHeard(d, m)
}

// noticeFailed marks the notice that left in the mail, the newest of its id.
func (u *unit) noticeFailed(acct channel.Account, in adapter.Inbound) error {
	if in.Tag == "" {
		return u.accountEvent(acct, in)
	}
	id := store.Tuple(store.Exact(in.Tag))
	found, err := deliveries.List(u.ctx, u.tx, store.List[Delivery]{Index: deliveriesByMail, From: id, To: store.Next(id), Desc: true,
		Limit: 1})
	if err != nil {
		return err
	}
	if len(found.Items) == 0 {
		return u.accountEvent(acct, in)
	}
	n := found.Items[0]
	if n.State == channel.OutboxFailed {
		return nil
	}
	n.State, n.Reason, n.Detail, n.EndedAt, n.NextAt = channel.OutboxFailed, in.Reason, in.Details["detail"], u.tx.Now(), time.Time{}
	if err := u.tell(driver.Event{Aggregate: "delivery", ID: n.ID, Version: n.Version + 1, Kind: string(n.State),
		Ref: string(n.Target)}); err != nil {
		return err
	}
	return deliveries.Save(u.ctx, u.tx, &n)
}
