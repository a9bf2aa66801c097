// Package routing holds what a host sets up and reads about who gets which
// work: desks, work streams, queues and agents, and the rows of work itself
// (items, offers, assignments, decisions). It does no I/O and needs nothing but
// the standard library and golang.org/x/text, so a backend with conversations
// and a database of its own can use it, and the packages below it, alone.
//
// # How work flows
//
// Work arrives on a WorkStream. Package classify runs the work stream's rules and
// gives an Outcome: queue, priority, skills, attributes. Package transition makes an
// Item of it, which waits in a Queue. Package board matches waiting items with agents
// and answers with Decisions: offer, assign, overflow, relax. Whoever owns the rows
// writes each decision, all or nothing (transition says what must still hold), and
// tells the Board with the new rows. Package journal keeps what decisions rested on,
// and package validate refuses what cannot work before it is saved.
//
// # Who may take what
//
// board.Eligible is the one rule: member of the queue and on the desk, permission and
// assignment switch, presence, own hours, capacity in every profile, skills, not just
// declined. Among the eligible the queue's Strategy orders, ties by agent id; a
// preferred agent goes first, a designated one goes alone.
package routing

import (
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Identifiers, all of them strings. AgentID is the host's own; the others the
// library or the administrator makes.
type (
	DeskID       = id.Desk
	WorkStreamID = id.WorkStream
	QueueID      = id.Queue
	AgentID      = id.Agent
	OfferID      = id.Offer
	AssignmentID = id.Assignment
	// ItemID names a piece of work; for a conversation it is the
	// conversation's id.
	ItemID string
)

// Error kinds, with one identity across the module; compare with errors.Is.
var (
	ErrNotFound error = errs.NotFound
	ErrInvalid  error = errs.Invalid
)

// Presence of an agent (RT6). An agent begins as Offline; only agents whose
// presence the work stream allows receive work.
type Presence string

const (
	Online  Presence = "online"  // receives work
	Break   Presence = "break"   // there, and receives none unless the work stream says so
	Offline Presence = "offline" // not there
)

// Profile names a capacity of an agent. ProfileUnits is the agent's capacity
// in units; "channel:<kind>" caps the pieces of work of one channel kind; any
// other name is the host's. A demand on a profile that the agent has no entry
// for is unlimited, except ProfileUnits, where no entry means zero.
type Profile string

// ProfileUnits is the capacity that every work stream's cost counts against.
const ProfileUnits Profile = "units"

// ChannelProfile caps the work of one channel kind.
func ChannelProfile(kind string) Profile { return Profile("channel:" + kind) }

// Use is a demand on one profile. Units is at least 0.
type Use struct {
	Profile Profile `json:"profile"`
	Units   int     `json:"units"`
}

// Skill is what an agent has: a level from 1, higher is better.
type Skill struct {
	Name  string `json:"name"`
	Level int    `json:"level"`
}

// Permission of an agent (RT9).
type Permission string

const (
	PermitTicket   Permission = "ticket"    // tickets
	PermitChat     Permission = "chat"      // conversations
	PermitPhone    Permission = "phone"     // brings ticket
	PermitCallBack Permission = "call_back" // call-backs; a plain agent needs phone too
	PermitHandOver Permission = "hand_over" // handing tickets to another system
	PermitLogs     Permission = "logs"      // reading logs
	PermitReveal   Permission = "reveal"    // see what masks hide
)

// Desk is a presence with its own agents, hours, holidays and messages (AD2).
type Desk struct {
	ID DeskID `json:"id"`
	// Version counts the changes. Who replaces gives back the one that was
	// read; 0 makes a new one.
	Version     int64  `json:"version"`
	Name        string `json:"name"` // customers see it; at most 20 characters, unique in the workspace
	Description string `json:"description,omitempty"`
	// Hours of the desk; nil falls to the next in precedence: the queue that
	// serves, the work stream, the workspace. Those of the account a customer
	// wrote to count before them. Outside of the hours that count customers hear
	// the away or the holiday message, and routing offers nothing (Queue.Hours).
	Hours *hours.Calendar `json:"hours,omitempty"`
	// Seats limits the desk's agents; 0 means no limit (RT12).
	Seats int `json:"seats,omitempty"`
	// Messages are the desk's automated messages: event, then language.
	Messages map[string]map[string]string `json:"messages,omitempty"`
	// Since is when the desk was made; the engine keeps it.
	Since time.Time `json:"since,omitzero"`
	// Retired takes the desk out of use: no account and no queue may be on it, and
	// whoever chooses a desk is not shown it. It keeps its id and name, by which the
	// past calls it, and its agents, who go on seeing what they saw; false brings it
	// back.
	Retired bool `json:"retired,omitempty"`
}

// Mode says how work reaches agents.
type Mode string

const (
	Push Mode = "push" // the Board offers or assigns
	Pick Mode = "pick" // agents choose from the queue
)

// SkillMatch says how an item's skills are compared with an agent's.
type SkillMatch string

const (
	SkillIgnore  SkillMatch = "ignore"  // not at all
	SkillExact   SkillMatch = "exact"   // every skill at its level or higher
	SkillClosest SkillMatch = "closest" // whoever has most of it first
	SkillRelaxed SkillMatch = "relaxed" // exact first, dropping requirements after each RelaxAfter
)

// WorkStream says how conversations of its accounts live and reach agents (RT1).
// Its durations are 0 or at least one millisecond; in JSON they are in nanoseconds.
type WorkStream struct {
	ID WorkStreamID `json:"id"`
	// Version counts the changes. Whoever replaces a stream gives back the version
	// that was read; 0 makes a new one.
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// ChannelKind and Channels together are the channels whose accounts the stream
	// takes; where both are empty it takes any. A customer who is known on several
	// of them has one conversation over all: it follows to where the customer wrote
	// last. ThreadPerAccount keeps them apart instead.
	ChannelKind string   `json:"channel_kind"`
	Channels    []string `json:"channels,omitempty"`
	Live        bool     `json:"live"` // else persistent (CV1)
	Mode        Mode     `json:"mode"`
	// Cost is how many units of an agent's capacity one conversation takes; 0
	// takes none.
	Cost int `json:"cost"`
	// ChannelCost is how much one conversation counts against the agent's limit
	// for the channel that it came by (ChannelProfile); usually 1. 0 counts nothing.
	ChannelCost int `json:"channel_cost"`
	// Presences that may receive this work; empty means Online alone.
	Presences []Presence `json:"presences,omitempty"`
	// Queue is the fall-back queue when no rule sets one.
	Queue QueueID `json:"queue"`
	// Rules are tried in order; package routing/classify says how.
	Rules      []Rule     `json:"rules,omitempty"`
	SkillMatch SkillMatch `json:"skill_match,omitempty"`
	// RelaxAfter is how long an item waits before SkillRelaxed drops one of its
	// requirements, and then the next; needed there, and without effect elsewhere.
	RelaxAfter time.Duration `json:"relax_after,omitempty"`
	// AutoAccept assigns without an offer.
	AutoAccept bool `json:"auto_accept,omitempty"`
	// OfferFor is how long an offer stands; 0 means 15 s.
	OfferFor time.Duration `json:"offer_for,omitempty"`
	// WrapUp is how long a conversation stays in wrap-up before it closes by
	// itself; 0: until the agent closes it.
	WrapUp time.Duration `json:"wrap_up,omitempty"`
	// AskAgain is how long after the last decline an item that everyone who
	// could take it has declined is offered to them again, the first decliner
	// first; 0 means one minute.
	AskAgain time.Duration `json:"ask_again,omitempty"`
	// AutoClose ends a conversation this long after the last message; 0: never.
	AutoClose time.Duration `json:"auto_close,omitempty"`
	// ReopenFor is how long after closing a persistent conversation opens again
	// when the customer writes; later a new one is made, linked to it. 0: it never
	// opens again because of a message.
	ReopenFor time.Duration `json:"reopen_for,omitempty"`
	// KeepAgentFor is how long the last agent is preferred, counted from when the
	// conversation goes into a queue again: the customer wrote while it was waiting
	// or closed, or its agent put it back. 0: not at all.
	KeepAgentFor time.Duration `json:"keep_agent_for,omitempty"`
	// RecentAgentWithin prefers, in a new conversation, the agent who had the
	// contact's last one, if that ended no longer ago than this (RT5). The
	// preference lasts as long again. 0: off.
	RecentAgentWithin time.Duration `json:"recent_agent_within,omitempty"`
	// HoldWhileWaiting says that a conversation which waits for the customer stays
	// with its agent and goes on taking capacity; else it is released.
	HoldWhileWaiting bool `json:"hold_while_waiting,omitempty"`
	// Bot names the bot registered with the engine that takes the conversation
	// before any agent; empty: none does.
	Bot string `json:"bot,omitempty"`
	// Tickets makes a ticket of what customers write, instead of a chat that is
	// offered to agents: the ticket is routed, and answered through the channel.
	// A bot, if there is one, comes first. While tickets are switched off it is a
	// chat.
	Tickets bool `json:"tickets,omitempty"`
	// ThreadPerAccount gives a contact a conversation of its own on each account,
	// instead of one in the whole stream.
	ThreadPerAccount bool `json:"thread_per_account,omitempty"`
	// Hours are the operating hours where neither the account nor the desk nor the
	// queue has its own; nil: those of the workspace.
	Hours *hours.Calendar `json:"hours,omitempty"`
	// Messages are automated messages: event, then language.
	Messages map[string]map[string]string `json:"messages,omitempty"`
	// Retired takes the work stream out of use: no account may be on it. What was begun
	// on it goes on as it says, and false brings it back.
	Retired bool `json:"retired,omitempty"`
}

// Rule of classification (RT2): when When holds, the set fields apply; later
// rules see and may override what earlier ones set, unless Stop. It asks about
// channel, account, desk, language, contact, message, postback, time, open,
// bot.outcome and bot.answers (classify.Fields), about "attribute.<name>" of the
// conversation, such as a bot sets, about the host's own fields, and about what
// earlier rules set: queue, priority, skills.
type Rule struct {
	Name     string              `json:"name"`
	When     condition.Condition `json:"when"`
	Queue    QueueID             `json:"queue,omitempty"`
	Split    []Share             `json:"split,omitempty"` // percentages that add up to 100, instead of Queue
	Priority *int                `json:"priority,omitempty"`
	Skills   []Skill             `json:"skills,omitempty"`
	Set      map[string]string   `json:"set,omitempty"`
	Stop     bool                `json:"stop,omitempty"`
}

// Share of a percentage split.
type Share struct {
	Queue   QueueID `json:"queue"`
	Percent int     `json:"percent"`
}

// Queue is where items wait.
type Queue struct {
	ID QueueID `json:"id"`
	// Version counts the changes. Who replaces gives back the one that was
	// read; 0 makes a new one.
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// Strategy names a registered strategy; empty means round_robin.
	Strategy string `json:"strategy,omitempty"`
	// Desk is the desk that this queue works for; what enters the queue goes over
	// to it. Empty: items keep their own desk.
	Desk DeskID `json:"desk,omitempty"`
	// Members may take work from this queue, if they are on the desk that the
	// work belongs to (DeskFor).
	Members []AgentID `json:"members,omitempty"`
	// Weights for the weighted strategy, Rank for fixed order; by agent. Those of
	// agents who are no members are kept and not used; a save warns of them.
	Weights map[AgentID]int `json:"weights,omitempty"`
	Rank    map[AgentID]int `json:"rank,omitempty"`
	// Designated is the agent of the designated strategy.
	Designated AgentID `json:"designated,omitempty"`
	// AgeingPerMinute is by how much an item's priority rises in each minute of
	// waiting, 0 to 1,000, exact to a thousandth. It is the same for all items
	// of the queue.
	AgeingPerMinute float64 `json:"ageing_per_minute,omitempty"`
	// Reserve keeps agents free for other queues: an item of this queue is
	// offered or assigned only while more than Reserve agents could do the
	// work, including those who declined it; 0 keeps none free.
	Reserve int `json:"reserve,omitempty"`
	// Hours of the queue count where its desk sets none; nil falls to the work
	// stream's. Outside the hours that count nothing is offered nor assigned by
	// routing, unless OutsideHours is set; people may pick, assign and transfer.
	Hours *hours.Calendar `json:"hours,omitempty"`
	// OutsideHours says that this queue works outside operating hours too.
	OutsideHours bool       `json:"outside_hours,omitempty"`
	Overflow     []Overflow `json:"overflow,omitempty"`
	// Retired takes the queue out of use: nothing enters it, nothing may lead to it,
	// and whoever chooses a queue is not shown it. It keeps its id and its name, by
	// which the past calls it, and false brings it back.
	Retired bool `json:"retired,omitempty"`
}

// OverflowWhen says what makes an item overflow (RT11).
type OverflowWhen string

const (
	OverflowHours     OverflowWhen = "hours"     // outside operating hours
	OverflowWait      OverflowWhen = "wait"      // waited longer than After
	OverflowLength    OverflowWhen = "length"    // Limit items or more already wait
	OverflowExhausted OverflowWhen = "exhausted" // every eligible agent declined
)

// OverflowDo says what happens to an item that overflows.
type OverflowDo string

const (
	OverflowQueue    OverflowDo = "queue"     // it goes to another queue
	OverflowMessage  OverflowDo = "message"   // the customer is told
	OverflowTicket   OverflowDo = "ticket"    // it becomes a ticket
	OverflowCallBack OverflowDo = "call_back" // it becomes a ticket to call back
)

// Overflow is one rule for items that wait in a queue; the first rule that
// applies is carried out. Rules that would send items round in a circle are
// refused when they are saved, and an item enters a queue at most once in any
// case.
type Overflow struct {
	When    OverflowWhen  `json:"when"`
	After   time.Duration `json:"after,omitempty"`
	Limit   int           `json:"limit,omitempty"`
	Do      OverflowDo    `json:"do"`
	Queue   QueueID       `json:"queue,omitempty"`
	Message string        `json:"message,omitempty"` // name of an automated message
}

// Agent is a person who answers: settings by the administrator, and state that
// the store keeps true. Settings change through SaveAgent, which raises
// EligRev; state changes through SetPresence, Reserve and the calls that end
// what Reserve began.
type Agent struct {
	ID AgentID `json:"id"`
	// Version counts the changes of the settings, not of the state. To replace
	// the settings, give the version that was read; 0 makes a new agent.
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Picture string `json:"picture,omitempty"`
	Email   string `json:"email,omitempty"`
	// Role is administrator, supervisor or agent. It gives no right by itself:
	// the host reads it when the agent logs in and puts it into the Principal.
	Role string `json:"role"`
	// An agent is offered a kind of work only with three things: the permission
	// for it, its switch in Assign (not to be confused with the command
	// Assign), and free Capacity. A Capacity without ProfileUnits has no room
	// at all; any other profile that is left out is without limit.
	Permissions []Permission       `json:"permissions,omitempty"`
	Capacity    map[Profile]int    `json:"capacity,omitempty"` // in units
	Skills      []Skill            `json:"skills,omitempty"`
	Hours       *hours.Calendar    `json:"hours,omitempty"` // of this agent alone; nil: always
	Disabled    bool               `json:"disabled,omitempty"`
	Assign      AssignmentSwitches `json:"assign"`
	State       AgentState         `json:"-"` // kept by the store
	Attributes  map[string]string  `json:"attributes,omitempty"`
}

// AssignmentSwitches say whether tickets and chats are assigned to an agent
// (RT9).
type AssignmentSwitches struct {
	Ticket  bool `json:"ticket"`
	Chat    bool `json:"chat"`
	Control bool `json:"control"` // the agent may change the other two by itself
}

// AgentState is what changes while an agent works.
type AgentState struct {
	Presence Presence
	Reason   string // custom presence reason
	// EligRev rises with every change of presence, membership, skill,
	// permission, hours, capacity, switch or decline of this agent. A decision
	// that rests on an older one is refused by Reserve.
	EligRev int64
	// Rev rises with every change of this row at all; Board drops older rows.
	Rev int64
	// Load is what is in use, per profile; it always equals the sum over the
	// agent's open offers and assignments.
	Load map[Profile]int
	// Open counts open offers and assignments together.
	Open int
	// IdleSince is the end of the last work or going online, whichever is later.
	IdleSince time.Time
	// Turns is the number of the wheel at the agent's last turn, per queue;
	// higher is more recent, absent is never.
	Turns map[QueueID]int64
	// BeatAt is the last heart-beat; zero when Offline.
	BeatAt time.Time
}

// ItemState is the state of a piece of work in routing.
type ItemState string

const (
	ItemQueued   ItemState = "queued"   // it waits for an agent
	ItemOffered  ItemState = "offered"  // an agent is asked
	ItemAssigned ItemState = "assigned" // an agent has it
	ItemDone     ItemState = "done"     // ended, waiting for the customer, or taken elsewhere
)

// Waits reports whether no agent has taken the work yet, though one may be asked.
func (s ItemState) Waits() bool { return s == ItemQueued || s == ItemOffered }

// Held reports whether the work takes capacity of the agent that its row names.
func (s ItemState) Held() bool { return s == ItemOffered || s == ItemAssigned }

// Item is a piece of work that needs an agent.
type Item struct {
	ID         ItemID       `json:"id"`
	Version    int64        `json:"-"`
	State      ItemState    `json:"state"`
	Desk       DeskID       `json:"desk"`
	WorkStream WorkStreamID `json:"work_stream"`
	// Account is the channel account by which the item came, whose operating
	// hours count before all others; empty for an item that came by none.
	Account    string     `json:"account,omitempty"`
	Queue      QueueID    `json:"queue"`
	Mode       Mode       `json:"mode"`
	Permission Permission `json:"permission"` // usually PermitChat
	Presences  []Presence `json:"presences,omitempty"`
	Priority   int        `json:"priority"`
	Uses       []Use      `json:"uses,omitempty"`
	Skills     []Skill    `json:"skills,omitempty"`
	// SkillMatch says how Skills are compared with an agent's; empty means
	// exact.
	SkillMatch SkillMatch    `json:"skill_match,omitempty"`
	RelaxAfter time.Duration `json:"relax_after,omitempty"`
	// Relaxed is how many skill requirements were dropped so far, the last of
	// Skills first: list the most important skill first. Another is dropped
	// each time RelaxAfter passed since QueuedAt.
	Relaxed    int           `json:"relaxed,omitempty"`
	AutoAccept bool          `json:"auto_accept,omitempty"`
	OfferFor   time.Duration `json:"offer_for,omitempty"`
	// QueuedAt is when the item began to wait in the queue system; it stays
	// over overflow and declined offers.
	QueuedAt time.Time `json:"queued_at,omitzero"`
	// EnteredAt is when it entered the present queue.
	EnteredAt time.Time `json:"entered_at,omitzero"`
	// Seq orders items of equal priority and age: the store's order of creation.
	Seq int64 `json:"-"`
	// Preferred is asked first, if able. Until PreferredUntil the item waits for
	// it as long as nothing but its capacity stands in the way; when that time
	// is over, or the agent is away, anyone may take the item. A zero
	// PreferredUntil never waits: the preferred agent if able, else anyone.
	Preferred      AgentID   `json:"preferred,omitempty"`
	PreferredUntil time.Time `json:"preferred_until,omitzero"`
	// Designated, if set, alone may take the item (RT4).
	Designated AgentID `json:"designated,omitempty"`
	// Declined are agents who declined or let an offer expire, oldest first:
	// asked again only after everyone else.
	Declined []AgentID `json:"declined,omitempty"`
	// DeclinedAt is when the last of Declined declined; zero counts as
	// EnteredAt. AskAgain is as in WorkStream.
	DeclinedAt time.Time     `json:"declined_at,omitzero"`
	AskAgain   time.Duration `json:"ask_again,omitempty"`
	// Visited are the queues the item has been in, the present one last.
	Visited []QueueID `json:"visited,omitempty"`
	// Attempt counts decisions for this item and never goes back, not even
	// when the item is queued anew or its id is used again: Random and
	// Weighted draw by seed, item and attempt, so the same three draw the same.
	Attempt int `json:"attempt"`
	// Agent holds the item's agent while offered or assigned.
	Agent AgentID `json:"agent,omitempty"`
	// Contact groups items of one person, for recent-agent figures.
	Contact    string            `json:"contact,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Overflowed are overflow actions already taken ("queue/rule index"), so
	// that none acts twice.
	Overflowed []string `json:"overflowed,omitempty"`
}

// OfferState is how an offer stands or ended; each ends exactly once.
type OfferState string

const (
	OfferPending   OfferState = "pending"   // the agent is asked
	OfferAccepted  OfferState = "accepted"  // the agent took it
	OfferDeclined  OfferState = "declined"  // the agent did not want it
	OfferExpired   OfferState = "expired"   // its time passed
	OfferWithdrawn OfferState = "withdrawn" // it was taken back
)

// Offer asks one agent to take one item. It holds the item's Uses.
type Offer struct {
	ID        OfferID    `json:"id"`
	Item      ItemID     `json:"item"`
	Agent     AgentID    `json:"agent"`
	State     OfferState `json:"state"`
	Uses      []Use      `json:"uses,omitempty"`
	OfferedAt time.Time  `json:"offered_at,omitzero"`
	ExpiresAt time.Time  `json:"expires_at,omitzero"`
	EndedAt   time.Time  `json:"ended_at,omitzero"`
	Reason    string     `json:"reason,omitempty"`
}

// Assignment is an agent's ownership of an item. It holds the item's Uses
// until it ends; it ends exactly once.
type Assignment struct {
	ID        AssignmentID `json:"id"`
	Item      ItemID       `json:"item"`
	Agent     AgentID      `json:"agent"`
	Uses      []Use        `json:"uses,omitempty"`
	StartedAt time.Time    `json:"started_at,omitzero"`
	EndedAt   time.Time    `json:"ended_at,omitzero"` // zero while open
	EndReason EndReason    `json:"end_reason,omitempty"`
	Forced    bool         `json:"forced,omitempty"` // a person exceeded capacity knowingly
}

// EndReason says why an assignment ended.
type EndReason string

const (
	EndClosed      EndReason = "closed"        // the work is done
	EndTransferred EndReason = "transferred"   // another agent or queue has it
	EndWaiting     EndReason = "waiting"       // it is the customer's turn
	EndRequeued    EndReason = "requeued"      // it waits for an agent again
	EndRemoved     EndReason = "agent_removed" // the agent left the desk or may no longer
	EndMerged      EndReason = "merged"        // it became a part of another
)
