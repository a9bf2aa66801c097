package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// uuid returns ids in the form the library uses, ascending, the same ones in
// every workspace.
func (e *env) uuid() string {
	e.ids++
	return fmt.Sprintf("01900000-0000-7000-8000-%012x", e.ids)
}

// moment is a fixed time with microseconds, past on every clock.
func moment(minutes int) time.Time {
	return time.Date(2019, 12, 31, 23, 0, 0, 123_456_000, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// future is a fixed time that no clock has reached.
func future(minutes int) time.Time {
	return time.Date(2120, 2, 29, 0, 0, 0, 654_321_000, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// text content.
func text(s string) channel.Content { return channel.Text(s) }

var userChat = channel.Chat{Kind: channel.ChatUser, ID: "U1"}

// conv makes an open conversation that is not stored yet.
func (e *env) conv(thread string) conversation.Conversation {
	return conversation.Conversation{
		ID: conversation.ID(e.uuid()), Thread: thread, State: conversation.StateOpen, Control: conversation.ControlNobody,
		Fence: 1, Account: "acct", Channel: "line", Chat: userChat, OpenedAt: moment(0), UpdatedAt: moment(0),
	}
}

// storeConv makes and stores one.
func (e *env) storeConv(thread string) conversation.Conversation {
	e.Helper()
	c := e.conv(thread)
	e.saveConv(&c)
	return c
}

// saveConv stores a conversation and takes its new version.
func (e *env) saveConv(c *conversation.Conversation) {
	e.Helper()
	var version int64
	e.update(func(ctx context.Context, tx store.Tx) (err error) {
		version, err = tx.Conversations().SaveConversation(ctx, *c)
		return err
	})
	c.Version = version
}

// msg makes a message that is not stored yet.
func (e *env) msg(c conversation.ID, seq int64) conversation.Message {
	return conversation.Message{
		ID: conversation.MessageID(e.uuid()), Conversation: c, Seq: seq, CustomerSeq: seq, Direction: conversation.Inbound,
		Author: conversation.Author{Kind: conversation.ByCustomer}, Content: text("hello"), Account: "acct", Chat: userChat,
		Status: conversation.StatusReceived, OccurredAt: moment(1), At: moment(1),
	}
}

// agent stores an agent with the capacities and puts them online.
func (e *env) agent(id routing.AgentID, capacity map[routing.Profile]int) routing.Agent {
	e.Helper()
	var a routing.Agent
	e.update(func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: id, Name: "Agent " + string(id), Role: "agent",
			Capacity: capacity}); err != nil {
			return err
		}
		var err error
		a, err = tx.Agents().SetPresence(ctx, id, routing.Online, "", tx.Now())
		return err
	})
	return a
}

// units is a capacity in units alone.
func units(n int) map[routing.Profile]int { return map[routing.Profile]int{routing.ProfileUnits: n} }

// use is a demand in units alone.
func use(n int) []routing.Use { return []routing.Use{{Profile: routing.ProfileUnits, Units: n}} }

// item stores a queued item.
func (e *env) item(uses []routing.Use) routing.Item {
	e.Helper()
	it := routing.Item{
		ID: routing.ItemID(e.uuid()), State: routing.ItemQueued, Queue: "queue", Mode: routing.Push, Permission: routing.PermitChat,
		Uses: uses, QueuedAt: moment(0), EnteredAt: moment(0),
	}
	e.update(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Work().SaveItem(ctx, it)
		return err
	})
	return e.loadItem(it.ID)
}

func (e *env) loadItem(id routing.ItemID) (it routing.Item) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		it, err = tx.Work().Item(ctx, id)
		return err
	})
	return it
}

func (e *env) loadAgent(id routing.AgentID) (a routing.Agent) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		a, err = tx.Agents().Agent(ctx, id)
		return err
	})
	return a
}

// offering is a reservation of the item as it was loaded, by an offer of one
// minute.
func (e *env) offering(it routing.Item, to routing.AgentID) transition.Reservation {
	return transition.Reservation{
		Item: it.ID, ItemVersion: it.Version, Agent: to, Now: moment(10),
		Offer: &routing.Offer{
			ID: routing.OfferID(e.uuid()), Item: it.ID, Agent: to, State: routing.OfferPending, Uses: it.Uses,
			OfferedAt: moment(10), ExpiresAt: moment(11),
		},
	}
}

// assigning is a reservation by an assignment.
func (e *env) assigning(it routing.Item, to routing.AgentID) transition.Reservation {
	return transition.Reservation{
		Item: it.ID, ItemVersion: it.Version, Agent: to, Now: moment(10),
		Assignment: &routing.Assignment{
			ID: routing.AssignmentID(e.uuid()), Item: it.ID, Agent: to, Uses: it.Uses, StartedAt: moment(10),
		},
	}
}

// reserve runs Reserve in an Update of its own.
func (e *env) reserve(r transition.Reservation) error {
	return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error { return tx.Work().Reserve(ctx, r) })
}

// envelope makes an inbound event.
func envelope(key, lane string) adapter.Envelope {
	return adapter.Envelope{
		ID: channel.EnvelopeID("env-" + key), Account: "acct", DedupKey: key, Lane: lane,
		OccurredAt: moment(0), Raw: []byte(`{"key":"` + key + `"}`),
	}
}

// append stores envelopes.
func (e *env) append(envs ...adapter.Envelope) []bool {
	e.Helper()
	fresh, err := e.db.AppendEnvelopes(e.ctx, e.ws, envs)
	require.NoError(e, err)
	return fresh
}

// all is a limit above whatever earlier cases left behind.
const all = 10_000

// claimInbox claims what is due and returns this workspace's lanes; those of
// earlier cases stay claimed.
func (e *env) claimInbox(batch int, lease time.Duration) []driver.InboxLane {
	e.Helper()
	lanes, err := e.db.System().ClaimInbox(e.ctx, "node", all, batch, lease)
	require.NoError(e, err)
	var own []driver.InboxLane
	for _, l := range lanes {
		if l.Workspace == e.ws {
			own = append(own, l)
		}
	}
	return own
}

// claimOutbox is claimInbox for outbound lanes.
func (e *env) claimOutbox(batch int, lease time.Duration) []driver.OutboxLane {
	e.Helper()
	lanes, err := e.db.System().ClaimOutbox(e.ctx, "node", all, batch, lease)
	require.NoError(e, err)
	var own []driver.OutboxLane
	for _, l := range lanes {
		if l.Workspace == e.ws {
			own = append(own, l)
		}
	}
	return own
}

// claimJobs is claimInbox for jobs.
func (e *env) claimJobs(lease time.Duration, kinds ...string) []driver.Job {
	e.Helper()
	limits := map[string]int{}
	for _, kind := range kinds {
		limits[kind] = all
	}
	jobs, err := e.db.System().ClaimJobs(e.ctx, "node", limits, lease)
	require.NoError(e, err)
	var own []driver.Job
	for _, j := range jobs {
		if j.Workspace == e.ws {
			own = append(own, j)
		}
	}
	return own
}

// parallel runs fn n times at once and returns the errors.
func parallel(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	done := make(chan struct{})
	for i := range n {
		go func() {
			<-start
			errs[i] = fn(i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return errs
}

// successes counts nil errors.
func successes(errs []error) int {
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	return n
}

// token is unique over all workspaces and runs.
func token() string { return rand.Text() }

// envelopes makes one envelope a key, all in one lane.
func envelopes(keys ...string) []adapter.Envelope {
	var out []adapter.Envelope
	for _, key := range keys {
		out = append(out, envelope(key, "lane"))
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
