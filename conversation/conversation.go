// Package conversation holds conversations with customers: contacts and their
// identities, messages, the five states, ratings and automated messages. Its
// functions are pure.
//
// A host meets its values in what the Engine returns: Conversation, Message,
// Contact, Identity, State. Who may do what, and what is stored when, is the
// Engine's; how the Engine changes a conversation is package conversation/draft,
// which no host calls. Bots are package conversation/bot.
package conversation

import (
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/id"
)

// Identifiers, all of them strings: the library's own, and AgentID the host's.
type (
	ID           = id.Conversation
	MessageID    = id.Message
	ContactID    = id.Contact
	IdentityID   = id.Identity
	AgentID      = id.Agent
	DeskID       = id.Desk
	WorkStreamID = id.WorkStream
)

// State of a conversation (CV2). These five are fixed; a host may show others.
type State string

const (
	StateOpen    State = "open"    // nobody owns it: with a bot, queued or offered
	StateActive  State = "active"  // an agent owns it
	StateWaiting State = "waiting" // answered; the customer's turn; no agent holds it
	StateWrapUp  State = "wrap-up" // the customer ended, or the agent finishes the panels
	StateClosed  State = "closed"  // over; nobody holds it
)

// States returns all states.
func States() []State {
	return []State{StateOpen, StateActive, StateWaiting, StateWrapUp, StateClosed}
}

// Controller says who may write to the customer of a conversation at the
// moment.
type Controller string

const (
	ControlNobody Controller = "nobody" // whoever comes first
	ControlBot    Controller = "bot"    // the host's bot; people are not asked meanwhile
	ControlAgent  Controller = "agent"  // the agent who owns it
	ControlHost   Controller = "host"   // the host answered while it was nobody's turn
	// ControlProvider is the provider's own bot, or another module at the
	// provider: nothing is sent until the provider says that it is our turn
	// again.
	ControlProvider Controller = "provider"
)

// BotOutcome says how a bot's turn ended.
type BotOutcome string

const (
	BotHandedOver BotOutcome = "handed_over" // the bot asked for a person
	BotEnded      BotOutcome = "ended"       // the bot ended the conversation
	BotFailed     BotOutcome = "failed"      // it erred, was too slow, is gone, or its answer could not be kept
	BotUnsent     BotOutcome = "unsent"      // what it said may not have reached the customer
	BotTaken      BotOutcome = "taken"       // a person stepped in
)

// Conversation is one case of work with a customer, a group or a mail thread,
// from its opening to its end.
type Conversation struct {
	ID      ID    `json:"id"`
	Version int64 `json:"-"`
	// Thread is the thread key; unique while the state is open, active or
	// waiting. See ThreadKey.
	Thread     string            `json:"thread"`
	State      State             `json:"state"`
	Live       bool              `json:"live"` // else persistent
	Desk       DeskID            `json:"desk"`
	WorkStream WorkStreamID      `json:"work_stream"`
	Account    channel.AccountID `json:"account"` // of the last customer message
	Channel    channel.Kind      `json:"channel"`
	Chat       channel.Chat      `json:"chat"` // where answers go
	// ChatName and ChatPicture are the name and picture of a group, and ChatAt
	// is when the provider was last asked for them.
	ChatName    string     `json:"chat_name,omitempty"`
	ChatPicture string     `json:"chat_picture,omitempty"`
	ChatAt      time.Time  `json:"chat_at,omitzero"`
	Contact     ContactID  `json:"contact,omitempty"`  // none in groups
	Identity    IdentityID `json:"identity,omitempty"` // who wrote last; answers go there
	Language    string     `json:"language,omitempty"`
	// Agent is the owner while the conversation is active or in wrap-up; it
	// always equals the agent of the item's open assignment.
	Agent AgentID `json:"agent,omitempty"`
	// LastAgent is the last agent who owned the conversation.
	LastAgent AgentID `json:"last_agent,omitempty"`
	// Consultation is the last question to a colleague, open or ended; nil when
	// none was asked yet.
	Consultation *Consultation `json:"consultation,omitempty"`
	// Control says who may write to the customer. Fence rises whenever Control
	// changes, so that an answer which a bot began before the change, with an
	// older fence, is refused.
	Control Controller `json:"control"`
	Fence   int64      `json:"fence"`
	// ControlAt is the event's own time at which the provider last said that it
	// took or gave back control of the chat. An event with an earlier time does
	// not change Control.
	ControlAt time.Time         `json:"control_at,omitzero"`
	Bot       string            `json:"bot,omitempty"`
	BotData   map[string]string `json:"bot_data,omitempty"`
	// BotSeq is the Seq of the last event that the bot has read, or of the last
	// one before its turn began.
	BotSeq int64 `json:"bot_seq,omitempty"`
	// BotOutcome says how the bot's last turn ended; empty while that turn
	// lasts and where there was no bot.
	BotOutcome BotOutcome `json:"bot_outcome,omitempty"`
	// Reply is the provider's latest right to answer, if any.
	Reply *channel.ReplyHandle `json:"reply,omitempty"`
	// EventSeq is the Seq of the conversation's last event, and CustomerSeq the
	// number of the last one that the customer may see. Both count without
	// gaps.
	EventSeq    int64 `json:"event_seq"`
	CustomerSeq int64 `json:"customer_seq"`
	// ReadSeq is the CustomerSeq up to which agents have read.
	ReadSeq int64 `json:"read_seq,omitempty"`
	// Left says that the customer closed the page of a live chat, which ends a
	// short time later unless the customer comes back; nil while the customer
	// is there.
	Left *Left `json:"left,omitempty"`
	// Previous links a conversation to the closed one it follows.
	Previous   ID `json:"previous,omitempty"`
	MergedInto ID `json:"merged_into,omitempty"`
	// Former are the conversations which were merged into this one and still
	// hold their earlier messages, in the order in which they were merged.
	Former []ID `json:"former,omitempty"`
	// Merged are all conversations that were merged into this one, directly or
	// by way of another.
	Merged []ID `json:"merged,omitempty"`
	// Ticket is the ticket that was last answered through this conversation or
	// the one before it. Until that ticket is complete, what the customer
	// writes is a reply to it.
	Ticket string `json:"ticket,omitempty"`

	OpenedAt       time.Time `json:"opened_at,omitzero"`
	QueuedAt       time.Time `json:"queued_at,omitzero"`
	AssignedAt     time.Time `json:"assigned_at,omitzero"`
	LastCustomerAt time.Time `json:"last_customer_at,omitzero"` // by the event's own time
	LastAgentAt    time.Time `json:"last_agent_at,omitzero"`
	// LastMessageAt is when the last message in either direction was stored, or
	// the conversation was opened or reopened. WorkStream.AutoClose counts from
	// it.
	LastMessageAt time.Time `json:"last_message_at,omitzero"`
	FirstAnswerAt time.Time `json:"first_answer_at,omitzero"` // first answer by a person
	WrapUpAt      time.Time `json:"wrap_up_at,omitzero"`
	ClosedAt      time.Time `json:"closed_at,omitzero"`
	UpdatedAt     time.Time `json:"updated_at,omitzero"`
	EndedBy       string    `json:"ended_by,omitempty"` // customer, agent, system
	EndReason     string    `json:"end_reason,omitempty"`
	// AwayAt is when the away or holiday message was last sent.
	AwayAt time.Time `json:"away_at,omitzero"`

	// Handled says that an agent opened the request and sent an answer (CV7).
	Handled  bool   `json:"handled"`
	Unread   int    `json:"unread"` // customer messages since the agent's last answer
	Category string `json:"category,omitempty"`
	Memo     string `json:"memo,omitempty"`
	// PanelVersion counts how often Category and Memo were saved.
	PanelVersion int64             `json:"panel_version,omitempty"`
	Attributes   map[string]string `json:"attributes,omitempty"`
	Tags         []string          `json:"tags,omitempty"` // set by triggers, ordered
	Rating       *Rating           `json:"rating,omitempty"`
	// RatingAsked is the time of the ending (Closure) about which a message
	// asked for a rating.
	RatingAsked time.Time `json:"rating_asked,omitzero"`
	// Preview is the masked beginning of the last message, for lists.
	Preview string `json:"preview,omitempty"`
	// ErasedAt is when everything personal in the conversation was erased; zero
	// if it was not. Nobody can write in an erased conversation.
	ErasedAt time.Time `json:"erased_at,omitzero"`
}

// Left is a customer's closing of a page.
type Left struct {
	Page string    `json:"page"`
	At   time.Time `json:"at,omitzero"`
}

// Rating is a customer's rating of one ending of a conversation (CV11); Score
// is 1 to 5.
type Rating struct {
	Score   int       `json:"score"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Closure time.Time `json:"closure,omitzero"` // when what it rates ended
	// CommentUntil is the time until which the customer's next text counts as
	// the comment, after the customer has asked to write one; otherwise zero.
	CommentUntil time.Time `json:"comment_until,omitzero"`
}

// Direction of a message.
type Direction string

const (
	Inbound  Direction = "in"       // from the customer
	Outbound Direction = "out"      // to the customer
	Internal Direction = "internal" // notes; never leave, never counted in the customer's stream
)

// AuthorKind says what wrote a message.
type AuthorKind string

const (
	ByCustomer AuthorKind = "customer" // the customer, or a member of a group
	ByAgent    AuthorKind = "agent"    // an agent of the desk
	ByBot      AuthorKind = "bot"      // the host's bot
	BySystem   AuthorKind = "system"   // automated messages
	ByTrigger  AuthorKind = "trigger"  // a rule
)

// Author of a message.
type Author struct {
	Kind AuthorKind `json:"kind"`
	// Agent for agents; Identity for customers, empty where unknown; Name of
	// the bot, trigger or automated message.
	Agent    AgentID    `json:"agent,omitempty"`
	Identity IdentityID `json:"identity,omitempty"`
	Name     string     `json:"name,omitempty"`
}

// Status of a message; it moves forward only (see Advance).
type Status string

const (
	StatusReceived  Status = "received"  // inbound
	StatusQueued    Status = "queued"    // it waits to leave
	StatusSending   Status = "sending"   // an Attempt carries it
	StatusUnknown   Status = "unknown"   // may have been sent; a person decides
	StatusSent      Status = "sent"      // accepted by the provider, not proof of delivery
	StatusFailed    Status = "failed"    // it was refused, or nobody could send it
	StatusDelivered Status = "delivered" // the provider says that it arrived
	StatusRead      Status = "read"      // the customer has read it
	// StatusWithdrawn messages were taken back before they left.
	StatusWithdrawn Status = "withdrawn"
)

// Message is one message or note.
type Message struct {
	ID           MessageID `json:"id"`
	Version      int64     `json:"-"`
	Conversation ID        `json:"conversation"`
	// Seq is the message's place in the conversation's event sequence;
	// CustomerSeq its place in the customer's stream, 0 for notes.
	Seq         int64           `json:"seq"`
	CustomerSeq int64           `json:"customer_seq,omitempty"`
	Direction   Direction       `json:"direction"`
	Author      Author          `json:"author"`
	Content     channel.Content `json:"content"`
	// Masks are parts of Content.Text whose original is sealed away; the text
	// itself already holds asterisks there.
	Masks []privacy.MaskedSpan `json:"masks,omitempty"`
	// Sources are the ids of the stored events from which the text came, as
	// long as those are kept.
	Sources  []channel.EnvelopeID      `json:"sources,omitempty"`
	Account  channel.AccountID         `json:"account,omitempty"`
	Chat     channel.Chat              `json:"chat"`
	Provider channel.ProviderMessageID `json:"provider,omitempty"`
	// Parts are further ids where the channel cut the message into several.
	Parts      []channel.ProviderMessageID `json:"parts,omitempty"`
	Status     Status                      `json:"status"`
	Reason     channel.Reason              `json:"reason,omitempty"`
	Detail     string                      `json:"detail,omitempty"`
	OccurredAt time.Time                   `json:"occurred_at,omitzero"` // the provider's time
	At         time.Time                   `json:"at,omitzero"`          // when it was stored
	EditedAt   time.Time                   `json:"edited_at,omitzero"`   // the newest edit's own time
	UnsentAt   time.Time                   `json:"unsent_at,omitzero"`   // taken back: content is gone
	// HeldUntil is the time until which the message is held
	// (sangdam.Answer.Hold) and can be taken back; zero when it is not held.
	HeldUntil time.Time `json:"held_until,omitzero"`
	WatchedAt time.Time `json:"watched_at,omitzero"` // a video was first watched to its end
	// Unconfirmed says that the message counts as sent although the provider
	// did not confirm it: that it was accepted is only inferred.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	// ReadHandle lets the account mark it as read.
	ReadHandle string `json:"read_handle,omitempty"`
	// Automated names the automated message this is.
	Automated string `json:"automated,omitempty"`
	// Quotes is the message that this one answers, where it is known here;
	// Content.QuoteOf is what the provider calls it.
	Quotes MessageID `json:"quotes,omitempty"`
	// ResendOf links a manual resend to the message whose outcome was unknown.
	ResendOf MessageID `json:"resend_of,omitempty"`
}

// EventKind says what happened in a conversation.
type EventKind string

const (
	EvMessage  EventKind = "message"     // a message came or was queued
	EvNote     EventKind = "note"        // an internal note
	EvEdit     EventKind = "edit"        // the customer changed a message
	EvUnsend   EventKind = "unsend"      // a message was taken back
	EvStatus   EventKind = "status"      // of a message: sent, failed, delivered, read
	EvMask     EventKind = "mask"        // a part of a text was hidden
	EvUnmask   EventKind = "unmask"      // a hidden part was brought back
	EvOpened   EventKind = "opened"      // it began
	EvReopened EventKind = "reopened"    // it began again
	EvState    EventKind = "state"       // its State changed
	EvQueued   EventKind = "queued"      // it waits for an agent
	EvOffered  EventKind = "offered"     // it was offered to an agent
	EvOffer    EventKind = "offer_ended" // an offer ended
	EvAssigned EventKind = "assigned"    // an agent owns it
	EvReleased EventKind = "released"    // no agent owns it any more
	EvConsult  EventKind = "consult"     // its owner asks a colleague, or a queue, whether to take it over
	EvControl  EventKind = "control"     // somebody else has the word
	EvRated    EventKind = "rated"       // the customer rated it
	EvLinked   EventKind = "linked"      // to a contact
	EvDesk     EventKind = "desk"        // it went over to another desk
	EvMerged   EventKind = "merged"      // it was merged with another one
	EvPanel    EventKind = "panel"       // customer or consultation panel saved
	EvMedia    EventKind = "media"       // an attachment was fetched, or is gone
	EvChat     EventKind = "chat"        // name or picture of the group changed
	EvWatched  EventKind = "watched"     // the video of a message, to its end
	EvLeft     EventKind = "left"        // the customer closed the page of a live chat
	EvBack     EventKind = "back"        // and has another one open
	EvTicket   EventKind = "ticket"      // a ticket was made from it
	// EvConsultEnded says that the colleague who was asked is not asked any
	// more; To says why.
	EvConsultEnded EventKind = "consult_ended"
	EvErased       EventKind = "erased" // everything personal in it was erased
)

// Event is one entry in the sequence of a conversation's events, which has no
// gaps: the record of every change with its time and actor (CV2), on which
// consoles go on after an interruption. It holds ids, kinds and states, never
// text or names.
type Event struct {
	Conversation ID        `json:"conversation"`
	Seq          int64     `json:"seq"`
	CustomerSeq  int64     `json:"customer_seq,omitempty"` // 0: not for the customer
	Kind         EventKind `json:"kind"`
	Message      MessageID `json:"message,omitempty"`
	Actor        string    `json:"actor"` // "customer", "agent:<id>", "bot:<name>", "system", "trigger:<id>"
	From         string    `json:"from,omitempty"`
	To           string    `json:"to,omitempty"`
	At           time.Time `json:"at,omitzero"`
}

// Contact is a customer as a person (CV3, CV4), who may have an Identity on
// each of several channels.
type Contact struct {
	ID       ContactID `json:"id"`
	Version  int64     `json:"version"`
	Name     string    `json:"name,omitempty"`
	Email    string    `json:"email,omitempty"`
	Phone    string    `json:"phone,omitempty"`
	Memo     string    `json:"memo,omitempty"`
	Language string    `json:"language,omitempty"`
	Picture  string    `json:"picture,omitempty"`
	// Known is true once a person or the host confirmed who this is; a contact
	// made from a channel profile alone is not.
	Known      bool      `json:"known"`
	MergedInto ContactID `json:"merged_into,omitempty"`
	// Desks are those to which the contact has written, or that were named when
	// it was saved, in alphabetical order. Their agents may see the contact.
	Desks      []DeskID          `json:"desks,omitempty"`
	CreatedAt  time.Time         `json:"created_at,omitzero"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// ErasedAt is when everything personal of the contact was erased; zero if
	// it was not. An erased contact cannot be changed, and no identity can be
	// linked to it.
	ErasedAt time.Time `json:"erased_at,omitzero"`
}

// Identity is a person's appearance on one channel: unique by channel kind,
// scope and the provider's user id.
type Identity struct {
	ID      IdentityID             `json:"id"`
	Version int64                  `json:"-"`
	Contact ContactID              `json:"contact"`
	Kind    channel.Kind           `json:"kind"`
	Scope   channel.Scope          `json:"scope"`
	User    channel.ProviderUserID `json:"user"`
	Name    string                 `json:"name,omitempty"` // as the provider shows it
	Picture string                 `json:"picture,omitempty"`
	// Follows says whether the customer has the account as a friend, by the
	// event with the greatest time so far; nil is unknown.
	Follows   *bool     `json:"follows,omitempty"`
	FollowsAt time.Time `json:"follows_at,omitzero"`
	// WelcomedAt is when the welcome message was sent; once only (CV10).
	WelcomedAt time.Time `json:"welcomed_at,omitzero"`
	// AwayAt is when the customer was last told that nobody is there.
	AwayAt time.Time `json:"away_at,omitzero"`
	// Desks are those to which the customer wrote by this identity, in
	// alphabetical order.
	Desks []DeskID `json:"desks,omitempty"`
	// VerifiedAs is the contact that this identity was proved to be, by the
	// person's log-in or because the host vouched for it. It is empty when
	// nobody proved it, for instance when an agent linked it by hand. A
	// customer who comes by one identity is shown what was said by another one
	// only if both are proved to be the same contact.
	VerifiedAs ContactID `json:"verified_as,omitempty"`
	// ProfileAt is when the profile was last fetched.
	ProfileAt time.Time `json:"profile_at,omitzero"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}
