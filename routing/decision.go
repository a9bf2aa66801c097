package routing

import "time"

// DecisionKind says what the Board decided.
type DecisionKind string

const (
	DecideOffer    DecisionKind = "offer"    // ask the agent
	DecideAssign   DecisionKind = "assign"   // give it to the agent without asking
	DecideOverflow DecisionKind = "overflow" // carry out a rule of the queue's Overflow
	DecideRelax    DecisionKind = "relax"    // drop one more skill requirement
	DecideConsult  DecisionKind = "consult"  // whom an owner asks; not the Board's, see board.Consult
)

// Decision is what the Board wants done. Persisted as a summary of at most
// 2 KiB for DecideOffer and DecideAssign.
type Decision struct {
	// ID is unique within a Board; Settle takes it.
	ID   int64        `json:"id"`
	Kind DecisionKind `json:"kind"`
	At   time.Time    `json:"at,omitzero"`
	Item ItemID       `json:"item"`
	// ItemVersion and EligRev are what the decision rests on.
	ItemVersion int64   `json:"item_version"`
	Queue       QueueID `json:"queue"`
	Agent       AgentID `json:"agent,omitempty"`
	EligRev     int64   `json:"elig_rev,omitempty"`
	Strategy    string  `json:"strategy,omitempty"`
	// Key is the winner's strategy key, rendered; lower wins, ties by agent id.
	Key string `json:"key,omitempty"`
	// Why names what chose the agent: strategy, preferred or designated.
	Why string `json:"why,omitempty"`
	// Next are the next best, at most five.
	Next []Candidate `json:"next,omitempty"`
	// Excluded counts agents per reason.
	Excluded map[Exclusion]int `json:"excluded,omitempty"`
	// Overflow is the rule that acts, for DecideOverflow, and Rule its index in
	// the queue.
	Overflow *Overflow `json:"overflow,omitempty"`
	Rule     int       `json:"rule,omitempty"`
	// Journal is where routing/journal keeps what the decision rests on; empty
	// where nobody keeps it.
	Journal string `json:"journal,omitempty"`
}

// Candidate is an agent with the key the strategy gave.
type Candidate struct {
	Agent AgentID `json:"agent"`
	Key   string  `json:"key"`
}

// Exclusion is why an agent cannot take an item.
type Exclusion string

const (
	ExcludeMember     Exclusion = "not_a_member"      // not in Queue.Members
	ExcludeDesk       Exclusion = "not_on_the_desk"   // not on the desk that the work belongs to
	ExcludePermission Exclusion = "no_permission"     // without the permission for this kind of work
	ExcludeSwitch     Exclusion = "assignment_off"    // the agent's assignment switch is off
	ExcludePresence   Exclusion = "presence"          // not in a presence that receives such work
	ExcludeHours      Exclusion = "outside_own_hours" // outside the agent's own hours
	ExcludeCapacity   Exclusion = "no_capacity"       // no room in a profile
	ExcludeSkill      Exclusion = "skill"             // a required skill is missing or too low
	ExcludeDeclined   Exclusion = "declined"          // declined it a moment ago
	ExcludeDisabled   Exclusion = "disabled"          // the administrator disabled the agent
	ExcludeDesignated Exclusion = "other_designated"  // another agent alone may take it
	ExcludeReserved   Exclusion = "reserved"          // an item of higher rank has first call on this agent
)
