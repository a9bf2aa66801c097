package ticket

import (
	"strings"
	"time"
	"unicode"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
)

// ID names a ticket. It is random; the Number is for people and authorises
// nothing.
type ID string

// Ref is what people call a ticket by.
type Ref struct {
	Number int64  `json:"number"`
	Title  string `json:"title"`
}

// GroupID names a group of agents.
type GroupID string

// AgentID is the host's identifier of an agent.
type AgentID = conversation.AgentID

// Where tickets come from; a host may have channels of its own.
const (
	ChannelWeb   = "web" // the inquiry form
	ChannelChat  = "chat"
	ChannelEmail = "email"
	ChannelPhone = "phone"
	ChannelAPI   = "api"
	ChannelHand  = "hand" // made by an agent
)

// Priority orders tickets; queues take the higher one first.
type Priority int

// The priorities.
const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
	Urgent Priority = 2
)

// Limits of one ticket.
const (
	MaxTags      = 50
	MaxFollowers = 50
	MaxLinks     = 100
)

// Ticket is an inquiry that is handled until it is solved.
type Ticket struct {
	ID      ID    `json:"id"`
	Number  int64 `json:"number"`
	Version int64 `json:"version"`
	// Channel is where it came from; Conversation the chat it was made from.
	Channel      string          `json:"channel"`
	Conversation conversation.ID `json:"conversation,omitempty"`

	// Desk whose agents it is for; empty: for all who work on tickets.
	Desk conversation.DeskID `json:"desk,omitempty"`
	// Origin says what it took over where it was made from a conversation.
	Origin Origin `json:"origin,omitzero"`

	Title string `json:"title"`
	Body  string `json:"body,omitempty"`
	// Masks are parts of Title and Body that stand as asterisks.
	Masks map[Part][]privacy.MaskedSpan `json:"masks,omitempty"`
	// Contact is the person, where known; Requester what the inquiry said.
	Contact   conversation.ContactID `json:"contact,omitempty"`
	Requester Requester              `json:"requester,omitzero"`
	ConsentAt time.Time              `json:"consent_at,omitzero"`
	Language  string                 `json:"language,omitempty"`

	State State `json:"state"`
	// Custom is the host's own state, mapped on State; empty: none.
	Custom     string           `json:"custom,omitempty"`
	Group      GroupID          `json:"group,omitempty"`
	Agent      AgentID          `json:"agent,omitempty"`
	Priority   Priority         `json:"priority,omitempty"`
	Category   CategoryID       `json:"category,omitempty"`
	Resolution CategoryID       `json:"resolution,omitempty"`
	Tags       []string         `json:"tags,omitempty"`
	Followers  []AgentID        `json:"followers,omitempty"`
	Links      []Link           `json:"links,omitempty"`
	Fields     map[string]Value `json:"fields,omitempty"`
	// MergedInto is set once the ticket was merged: it takes nothing any more.
	MergedInto ID `json:"merged_into,omitempty"`
	// HandedTo names what another system calls it.
	HandedTo string `json:"handed_to,omitempty"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// StateAt is when the state began; SolvedAt when it was solved last.
	StateAt  time.Time `json:"state_at"`
	SolvedAt time.Time `json:"solved_at,omitzero"`
	// CustomerAt is the customer's last word, AnsweredAt the last public answer.
	CustomerAt time.Time `json:"customer_at,omitzero"`
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	// Entries is how many entries the history has, the Seq of the last one.
	Entries int64 `json:"entries"`
	// Clocks are the service levels; see Clock.
	Clocks []Clock `json:"clocks,omitempty"`
}

// Origin is what a ticket took over from the conversation that it was made from.
type Origin struct {
	// ChatTo is the last number of the conversation's record that belongs to the
	// ticket's chat log.
	ChatTo int64 `json:"chat_to,omitempty"`
	// Queue is the one that the conversation waited in, Waited for how long (in JSON
	// in nanoseconds), and Overflow the condition of overflow that was met (wait,
	// length, …); empty: it did not overflow.
	Queue    string        `json:"queue,omitempty"`
	Waited   time.Duration `json:"waited,omitempty"`
	Overflow string        `json:"overflow,omitempty"`
	// CallBack: the customer is to be called.
	CallBack bool `json:"call_back,omitempty"`
}

// Requester is who asks, as the inquiry says.
type Requester struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// Relation is how two tickets hang together.
type Relation string

// The relations: what the ticket that holds the Link has to do with the one in
// Link.To. Each link is stored on both tickets, as the relation looks from there.
// MergedOf alone stands on the target only.
const (
	Related   Relation = "related"
	Follows   Relation = "follows"    // it was made as a follow-up of the other
	Followed  Relation = "followed"   // the other was made as its follow-up
	Parent    Relation = "parent"     // the other is its parent
	Child     Relation = "child"      // the other is its child
	MergedOf  Relation = "merged_of"  // the other was merged into it
	SplitFrom Relation = "split_from" // it was made from an entry of the other
	SplitTo   Relation = "split_to"   // the other was made from one of its entries
)

// opposite is how a relation looks from the other ticket.
var opposite = map[Relation]Relation{Related: Related, Follows: Followed, Followed: Follows, Parent: Child, Child: Parent,
	SplitFrom: SplitTo, SplitTo: SplitFrom}

// Opposite is how the relation looks from the other ticket; false for MergedOf, which
// only Merge makes, and for what is no relation.
func (r Relation) Opposite() (Relation, bool) {
	o, ok := opposite[r]
	return o, ok
}

// Link is a relation to another ticket.
type Link struct {
	To ID       `json:"to"`
	As Relation `json:"as"`
}

// check refuses a ticket that cannot be stored.
func (t *Ticket) check() error {
	switch {
	case t.ID == "":
		return errs.New(errs.Invalid, "ticket: it has no id")
	case t.Channel == "" || len(t.Channel) > 50:
		return errs.New(errs.Invalid, "ticket: it has no channel, such as web or api")
	case len(t.Body) > MaxBody:
		return errs.New(errs.Invalid, "ticket: the text has %d bytes; use at most %d", len(t.Body), MaxBody)
	case t.Priority < Low || t.Priority > Urgent:
		return errs.New(errs.Invalid, "ticket: priority %d is none; use %d to %d", t.Priority, Low, Urgent)
	case strings.ContainsFunc(t.Requester.Email, unicode.IsControl):
		return errs.New(errs.Invalid, "ticket: the requester's mail address holds a control character")
	}
	for name, s := range map[string]string{"name": t.Requester.Name, "email": t.Requester.Email, "phone": t.Requester.Phone} {
		if err := checkText("the requester's "+name, s, 0, 320); err != nil {
			return err
		}
	}
	return checkText("the title", t.Title, 1, MaxTitle)
}
