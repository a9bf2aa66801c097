package adapter

import (
	"time"

	"github.com/sangdam/sangdam/channel"
)

// EventKind says what an Inbound reports.
type EventKind string

const (
	EventMessage      EventKind = "message"       // somebody wrote
	EventEdit         EventKind = "edit"          // what a message says was replaced
	EventUnsend       EventKind = "unsend"        // a message was taken back
	EventFollow       EventKind = "follow"        // the customer added or unblocked the account
	EventUnfollow     EventKind = "unfollow"      // the customer blocked or left the account
	EventPostback     EventKind = "postback"      // a button was pressed
	EventJoin         EventKind = "join"          // the account entered a group or room
	EventLeave        EventKind = "leave"         // the account left one
	EventMemberJoined EventKind = "member_joined" // people came into the group
	EventMemberLeft   EventKind = "member_left"   // people left the group
	EventDelivered    EventKind = "delivered"     // our message arrived
	EventRead         EventKind = "read"          // our message was read
	EventFailed       EventKind = "failed"        // a message that was accepted could not be delivered, see Inbound.Reason
	EventTyping       EventKind = "typing"        // somebody is writing
	EventWatched      EventKind = "watched"       // a video was watched to its end, see Media.Track
	EventNotified     EventKind = "notified"      // a notice outside of any chat has arrived, see Inbound.Tag
	EventAccountLink  EventKind = "account_link"  // the provider's answer to a link with a log-in
	EventEnded        EventKind = "ended"         // the customer ended a live chat
	EventOther        EventKind = "other"         // known to the adapter, of no effect on the conversation
	EventUnsupported  EventKind = "unsupported"   // unknown to the adapter; kept raw, shown as such
)

// Inbound is an event in the library's terms: what Adapter.Parse returns.
type Inbound struct {
	Kind EventKind
	// Type is the provider's name of the event or message kind, for display and
	// figures; required for EventOther and EventUnsupported.
	Type string
	Chat channel.Chat
	// Author is who wrote; empty User means unknown, which is legal in groups.
	Author Author
	// MessageID is the provider's id of the message concerned, for message,
	// edit, unsend and receipts; empty where there is none.
	MessageID channel.ProviderMessageID
	// Watermark, for receipts without MessageID: every message sent at or
	// before it.
	Watermark time.Time
	// OccurredAt is the event's own time; state follows it.
	OccurredAt time.Time
	Content    channel.Content
	// Tag, for watched and notified, is the name that was given to what was
	// sent: for a video sent with Media.Track the MessageID of the Outbound.
	Tag string
	// Members are the people of member_joined and member_left.
	Members []Author
	// Reply lets the next answer use a route that the provider ties to this
	// event. Nil where there is none.
	Reply *channel.ReplyHandle
	// ReadHandle lets the account mark the message as read. Empty: none.
	ReadHandle string
	// Silent forbids sending anything because of this event (LINE standby, the
	// mail of a machine).
	Silent bool
	// Standby says that somebody else has the word in the chat at the provider,
	// such as its own bot or another module (LINE standby): the event is kept and
	// shown, and nothing is sent until an event comes that is not.
	Standby bool
	// Aside: no person wrote it. It joins the conversation of its chat, also one
	// that is closed, and opens none again; a new one begins where there is none.
	Aside bool
	// Name is how answers will name this message, where that is not MessageID.
	Name channel.ProviderMessageID
	// Answers are messages that this one answers, the nearest first, on channels
	// where an answer names messages and not its chat: one that is known exactly,
	// and in which the author took part, decides which chat it is. Else Chat does.
	Answers []channel.ProviderMessageID
	// Copied are the people to whom the message went beside us. They may answer
	// it; they gain nothing else.
	Copied []Author
	// State is what the adapter wants to know about the chat when it answers
	// there (Outbound.State), for chats of kind thread. It counts of the person
	// who began the chat; nil keeps what there is. Masks do not reach it: it holds
	// no words of people's beside names and addresses.
	State []byte
	// Reason is why, for failed; Details["detail"] may say more to a person. Tag
	// is then the Outbound.Message, or the notice, if the adapter can tell.
	Reason channel.Reason
	// Details holds further facts of the event as short strings.
	Details map[string]string
	// Begins are attributes of a conversation that begins with this event, such
	// as the page that it came from.
	Begins map[string]string
}

// Author is a person as the provider names them.
type Author struct {
	User channel.ProviderUserID
	Name string // display name if the event carries it
	// Vouched says that somebody whom the host trusts vouches for the author,
	// such as the host's own mail server for the sender's domain.
	Vouched bool
}
