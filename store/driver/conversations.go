package driver

import (
	"cmp"
	"context"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// ConversationRepo stores conversations, messages and their events, in the
// transaction's workspace.
type ConversationRepo interface {
	// Conversation returns one. ErrNotFound.
	Conversation(ctx context.Context, id conversation.ID) (conversation.Conversation, error)
	// ByThread returns the conversation that is open, active or waiting under
	// the thread key, and the newest other one under it; nil for none.
	ByThread(ctx context.Context, thread string) (open, last *conversation.Conversation, err error)
	// SaveConversation creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. A second open conversation under
	// one thread key is a clash: Update runs again. Returns the new version.
	SaveConversation(ctx context.Context, c conversation.Conversation) (int64, error)

	// Message returns the one of the key. ErrNotFound.
	Message(ctx context.Context, k MessageKey) (conversation.Message, error)
	// SaveMessage creates (Version 0) or replaces. A Version that is not the
	// stored one is a clash: Update runs again. The same provider id in one
	// account and chat twice is a clash. Returns the new version.
	SaveMessage(ctx context.Context, m conversation.Message) (int64, error)
	// Messages returns the messages of the page, oldest first.
	Messages(ctx context.Context, id conversation.ID, p MessagePage) ([]conversation.Message, error)

	// AppendEvents writes entries of conversations' sequences; a number that is
	// taken is a clash.
	AppendEvents(ctx context.Context, evs ...conversation.Event) error
	// Events returns entries with Seq above after, oldest first, at most limit.
	Events(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Event, error)

	// List returns conversations that match in the order of their places, those
	// behind after if it is not nil, at most limit, which is at least 1. No list
	// of the filter is empty without being nil.
	List(ctx context.Context, f conversation.Filter, after *ConversationPlace, limit int) ([]conversation.Conversation, error)

	// PutEarly keeps an unsend or edit that arrived before the message it names. It
	// adds one, or replaces an older one by At; callers take what is there and Merge
	// it first.
	PutEarly(ctx context.Context, e conversation.Early) error
	// TakeEarly removes what PutEarly kept for the message, and returns it;
	// ErrNotFound for none.
	TakeEarly(ctx context.Context, account channel.AccountID, chat channel.Chat, p channel.ProviderMessageID) (conversation.Early, error)
}

// MessageKey names a message by its id, or, when that is empty, by what its
// provider calls it.
type MessageKey struct {
	ID conversation.MessageID
	ProviderMessage
}

// MessagePage is a part of a conversation's messages: the nearest ones above Seq,
// or, with Back, below it (0: the newest of all), at most Limit.
type MessagePage struct {
	Seq   int64
	Back  bool
	Limit int
}

// ConversationPlace is where a conversation stands in a list: newest UpdatedAt first, ties
// by id.
type ConversationPlace struct {
	UpdatedAt time.Time
	ID        conversation.ID
}

// ConversationPlaceOf is the conversation's place.
func ConversationPlaceOf(c conversation.Conversation) ConversationPlace {
	return ConversationPlace{c.UpdatedAt, c.ID}
}

// Compare is negative when p comes before q in a list.
func (p ConversationPlace) Compare(q ConversationPlace) int {
	return cmp.Or(q.UpdatedAt.Compare(p.UpdatedAt), cmp.Compare(p.ID, q.ID))
}

// ConversationHead is what rights may depend on in a conversation, and its place
// in a list.
type ConversationHead struct {
	ID         conversation.ID
	State      conversation.State
	Desk       conversation.DeskID
	Agent      conversation.AgentID
	Account    channel.AccountID
	Channel    channel.Kind
	WorkStream conversation.WorkStreamID
	Contact    conversation.ContactID
	UpdatedAt  time.Time
}

// ConversationHeadOf is the conversation's head.
func ConversationHeadOf(c conversation.Conversation) ConversationHead {
	return ConversationHead{ID: c.ID, State: c.State, Desk: c.Desk, Agent: c.Agent, Account: c.Account, Channel: c.Channel,
		WorkStream: c.WorkStream, Contact: c.Contact, UpdatedAt: c.UpdatedAt}
}

// Place is where the conversation stands.
func (h ConversationHead) Place() ConversationPlace { return ConversationPlace{h.UpdatedAt, h.ID} }

// HeadRepo is what a ConversationRepo may have beside: the heads of what List
// returns, read without their documents. Without it they are taken from List.
type HeadRepo interface {
	Heads(ctx context.Context, f conversation.Filter, after *ConversationPlace, limit int) ([]ConversationHead, error)
}
