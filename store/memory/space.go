package memory

import (
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// space is one workspace. Tables of keys alone (by…) are unique constraints:
// who writes the same key meanwhile makes a clash.
type space struct {
	id  driver.WorkspaceID
	now time.Time // latest Now of a commit

	config *table[struct{}, int64] // the configuration's version
	holder *tx                     // who keeps the configuration; nil: nobody

	envelopes  *table[channel.EnvelopeID, envelope]
	dedup      *table[dedupKey, time.Time] // received at
	inbox      lanes[channel.EnvelopeID]
	outbox     *table[channel.OutboxID, outRow]
	attempts   *table[string, attempt]
	pauses     *table[channel.AccountID, time.Time]
	outLanes   lanes[channel.OutboxID]
	inClaims   map[laneKey]driver.Claim
	outClaims  map[laneKey]driver.Claim
	outPending map[channel.OutboxID]struct{}

	conversations *table[conversation.ID, conversation.Conversation]
	byThread      *table[string, conversation.ID] // open, active or waiting
	threads       groups[string, conversation.ID] // all
	messages      *table[conversation.MessageID, conversation.Message]
	byProvider    *table[providerKey, conversation.MessageID]
	messagesOf    groups[conversation.ID, conversation.MessageID]
	convEvents    *table[eventKey, conversation.Event]
	eventsOf      groups[conversation.ID, eventKey]

	early *table[providerKey, conversation.Early]

	agents      *table[routing.AgentID, agentRow]
	beats       map[routing.AgentID]beat
	items       *table[routing.ItemID, routing.Item]
	openItems   map[routing.ItemID]struct{}
	offers      *table[routing.OfferID, routing.Offer]
	assignments *table[routing.AssignmentID, routing.Assignment]
	holds       *table[routing.ItemID, hold]
	holdsOf     groups[routing.AgentID, routing.ItemID]
	decisions   *table[routing.ItemID, []routing.Decision]
	wheels      *table[routing.QueueID, int64]

	feed  feed
	audit []driver.AuditEntry
	due   *table[deadlineKey, time.Time]
	jobs  *table[string, job]
	byKey *table[jobKey, string] // unfinished jobs
	toDo  map[string]struct{}    // unfinished jobs
	cmds  *table[commandKey, command]
	docs  *table[conversation.MessageID, doc]
	grams groups[string, conversation.MessageID]

	documents *table[docID, driver.Doc]
	docKeys   *table[docKey, string] // unique values
	docsOf    groups[string, docID]  // by kind
	orders    orders
}

func (b *backend) newSpace(id driver.WorkspaceID) *space {
	s := &space{
		id: id, inbox: lanes[channel.EnvelopeID]{}, outLanes: lanes[channel.OutboxID]{},
		inClaims: map[laneKey]driver.Claim{}, outClaims: map[laneKey]driver.Claim{},
		outPending: map[channel.OutboxID]struct{}{},
		threads:    groups[string, conversation.ID]{}, eventsOf: groups[conversation.ID, eventKey]{},
		messagesOf: groups[conversation.ID, conversation.MessageID]{},
		beats:      map[routing.AgentID]beat{}, openItems: map[routing.ItemID]struct{}{},
		holdsOf: groups[routing.AgentID, routing.ItemID]{},
		toDo:    map[string]struct{}{}, grams: groups[string, conversation.MessageID]{}, docsOf: groups[string, docID]{}, orders: orders{},
	}
	s.config = newTable[struct{}, int64](nil)
	s.envelopes = newTable(s.envelopeChanged)
	s.dedup = newTable[dedupKey, time.Time](nil)
	s.outbox = newTable(s.outRowChanged)
	s.attempts = newTable[string, attempt](nil)
	s.pauses = newTable[channel.AccountID, time.Time](nil)
	s.conversations = newTable(s.conversationChanged)
	s.byThread = newTable[string, conversation.ID](nil)
	s.messages = newTable(s.messageChanged)
	s.byProvider = newTable[providerKey, conversation.MessageID](nil)
	s.convEvents = newTable(s.eventChanged)
	s.early = newTable[providerKey, conversation.Early](nil)
	s.agents = newTable[routing.AgentID, agentRow](nil)
	s.items = newTable(s.itemChanged)
	s.offers = newTable[routing.OfferID, routing.Offer](nil)
	s.assignments = newTable[routing.AssignmentID, routing.Assignment](nil)
	s.holds = newTable(s.holdChanged)
	s.decisions = newTable[routing.ItemID, []routing.Decision](nil)
	s.wheels = newTable[routing.QueueID, int64](nil)
	s.due = newTable(b.deadlineChanged(id))
	s.jobs = newTable(s.jobChanged)
	s.byKey = newTable[jobKey, string](nil)
	s.cmds = newTable[commandKey, command](nil)
	s.docs = newTable(s.docChanged)
	s.documents = newTable(b.documentChanged(s))
	s.docKeys = newTable[docKey, string](nil)
	return s
}
