package sangdam_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// told is what the receiver of a subscription acted on, in order.
func (o *outside) told(t *testing.T) (out []string) {
	t.Helper()
	for _, r := range o.hooks.Acted() {
		var ev store.Event
		require.NoError(t, json.Unmarshal(r.Data, &ev))
		require.NotContains(t, string(r.Data), "broken", "ids and kinds, never a text")
		out = append(out, fmt.Sprintf("%s.%s %d", ev.Aggregate, ev.Kind, ev.Version))
	}
	return out
}

// TestASubscriptionTellsWhatHappened: each event once, in the order of its
// record, also over an outage; what was missed comes by a replay from a cursor,
// under the ids that it had.
func TestASubscriptionTellsWhatHappened(t *testing.T) {
	var o outside
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		before := d.open(sangdam.OpenTicket{})
		sub := sangdam.Subscription{ID: "crm", Name: "CRM", Target: "hook", Events: []string{"ticket", "conversation.opened"}}
		require.NoError(t, errOf(w.eng.SaveSubscription(w.ctx, w.host, sangdam.SaveSubscription{Subscription: sub})))
		for range 3 {
			o.hooks.Fail(webhooktest.Fault{Status: 503})
		}
		id := d.open(sangdam.OpenTicket{Title: "broken"})
		require.NoError(t, d.update(w.host, id, sangdam.TicketChange{State: ptr(ticket.OnHold)}, nil))
		w.line.User("Mina").SendText("it is broken")
		w.settle()
		w.hours(4)
		require.ElementsMatch(t, []string{"ticket.created 1", "ticket.changed 2", "conversation.opened 1"}, o.told(t))

		list, err := w.eng.Subscriptions(w.ctx, w.host)
		require.NoError(t, err)
		sub = list[0]
		sub.Disabled = true
		require.NoError(t, errOf(w.eng.SaveSubscription(w.ctx, w.host, sangdam.SaveSubscription{Subscription: sub})))
		require.NoError(t, d.update(w.host, before, sangdam.TicketChange{State: ptr(ticket.OnHold)}, nil))
		w.settle()
		require.Len(t, o.told(t), 3)
		require.NoError(t, w.eng.ReplayEvents(w.ctx, w.host, sangdam.ReplayEvents{Key: "again", Subscription: "crm", Cursor: cursor}))
		w.settle()
		w.hours(1)
		require.ElementsMatch(t, []string{"ticket.created 1", "ticket.created 1", "ticket.changed 2", "ticket.changed 2",
			"conversation.opened 1"}, o.told(t),
			"what the receiver had before it knows by its id")
		for _, delivery := range w.deliveries("hook") {
			require.Equal(t, channel.OutboxSent, delivery.State)
			require.Equal(t, "subscription:crm", delivery.Cause)
		}
		require.ErrorContains(t, w.eng.DeleteTarget(w.ctx, w.host, sangdam.DeleteTarget{Target: "hook", Version: 1}), `subscription "CRM"`)
		require.NoError(t, w.eng.DeleteSubscription(w.ctx, w.host, sangdam.DeleteSubscription{Subscription: "crm", Version: 2}))
		require.ErrorIs(t, w.eng.ReplayEvents(w.ctx, w.host, sangdam.ReplayEvents{Subscription: "crm", Cursor: cursor}),
			sangdam.ErrNotFound)
	}, withOutside(&o))
}

// TestASubscriptionOutlivesTheReceiversEnd: 410 switches the target off; what
// happens then is kept as dead letters and can be sent again.
func TestASubscriptionOutlivesTheReceiversEnd(t *testing.T) {
	var o outside
	inTickets(t, func(d *ticketDesk) {
		o.targets(d.world)
		sub := sangdam.Subscription{Name: "CRM", Target: "hook", Events: []string{"ticket.created"}}
		for name, spoil := range map[string]func(*sangdam.Subscription){
			"no name":      func(s *sangdam.Subscription) { s.Name = " " },
			"no events":    func(s *sangdam.Subscription) { s.Events = nil },
			"its own tail": func(s *sangdam.Subscription) { s.Events = []string{"delivery"} },
			"misspelt":     func(s *sangdam.Subscription) { s.Events = []string{"tickets"} },
			"no kind":      func(s *sangdam.Subscription) { s.Events = []string{"ticket."} },
		} {
			bad := sub
			spoil(&bad)
			require.ErrorIs(t, errOf(d.eng.SaveSubscription(d.ctx, d.host, sangdam.SaveSubscription{Subscription: bad})),
				sangdam.ErrInvalid, name)
		}
		bad := sub
		bad.Target = "nowhere"
		require.ErrorIs(t, errOf(d.eng.SaveSubscription(d.ctx, d.host, sangdam.SaveSubscription{Subscription: bad})), sangdam.ErrNotFound)
		require.NoError(t, errOf(d.eng.SaveSubscription(d.ctx, d.host, sangdam.SaveSubscription{Subscription: sub})))
		o.hooks.Fail(webhooktest.Fault{Status: 410})
		d.open(sangdam.OpenTicket{})
		d.settle()
		d.open(sangdam.OpenTicket{})
		d.settle()
		target := d.target("hook")
		require.True(t, target.Disabled)
		require.Equal(t, channel.ReasonGone, target.Why)
		for _, delivery := range d.deliveries("hook") {
			require.Equal(t, channel.OutboxFailed, delivery.State)
		}
		target.Disabled = false
		require.NoError(t, errOf(d.eng.SaveTarget(d.ctx, d.host, sangdam.SaveTarget{Target: target})))
		require.NoError(t, d.eng.ReplayDeliveries(d.ctx, d.host, sangdam.ReplayDeliveries{Target: "hook", Dead: true}))
		d.settle()
		require.Len(t, o.told(t), 2)
	}, withOutside(&o))
}
