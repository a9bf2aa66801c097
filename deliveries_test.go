package sangdam_test

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
	"github.com/sangdam/sangdam/routing"
)

// TestTheLogTellsWhyAHookFailed: every try with its reason, deliveries of one
// state, and what was sent in a stretch of time once more.
func TestTheLogTellsWhyAHookFailed(t *testing.T) {
	var o outside
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		o.hooks.Fail(webhooktest.Fault{Status: 503}, webhooktest.Fault{Status: 410})
		w.notice("hook", notify.Notice{ID: "first", Data: json.RawMessage(`{}`)})
		w.settle()
		list := func(state channel.OutboxState) (out []string) {
			page, err := w.eng.Deliveries(w.ctx, w.host, sangdam.DeliveryFilter{Target: "hook", State: state, Newest: true}, "", 10)
			require.NoError(t, err)
			for _, d := range page.Deliveries {
				out = append(out, d.Notice.ID)
			}
			return out
		}
		require.Equal(t, []string{"first"}, list(channel.OutboxQueued))
		w.hours(1)
		require.Equal(t, []string{"first"}, list(channel.OutboxFailed))
		one, err := w.eng.Delivery(w.ctx, w.host, w.deliveries("hook")[0].ID)
		require.NoError(t, err)
		require.Len(t, one.Attempts, 2)
		require.Equal(t, channel.OutboxQueued, one.Attempts[0].State)
		require.Contains(t, one.Attempts[0].Detail, "Service Unavailable")
		require.Equal(t, channel.ReasonGone, one.Attempts[1].Reason)
		require.True(t, one.Attempts[0].At.Before(one.Attempts[1].At))
		require.ErrorIs(t, errOf(w.eng.Delivery(w.ctx, w.host, "none")), sangdam.ErrNotFound)

		target := w.target("hook")
		target.Disabled = false
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: target})))
		w.hours(2)
		w.notice("hook", notify.Notice{ID: "second", Data: json.RawMessage(`{}`)})
		w.settle()
		require.Equal(t, []string{"second"}, list(channel.OutboxSent))
		again := sangdam.ReplayDeliveries{Target: "hook", Since: one.QueuedAt, Until: one.QueuedAt.Add(time.Minute)}
		require.NoError(t, w.eng.ReplayDeliveries(w.ctx, w.host, again))
		w.settle()
		require.Equal(t, []string{"first", "second"}, list(channel.OutboxSent), "what was queued in that minute, and no more")
		again.Since, again.Until = one.QueuedAt.Add(time.Minute), one.QueuedAt
		require.ErrorIs(t, w.eng.ReplayDeliveries(w.ctx, w.host, again), sangdam.ErrInvalid)
		require.ErrorIs(t, errOf(w.eng.Deliveries(w.ctx, w.host,
			sangdam.DeliveryFilter{Target: "hook", Dead: true, State: channel.OutboxSent}, "", 10)), sangdam.ErrInvalid)
	}, withOutside(&o))
}

// TestEventsOfATimeAreSentAgain: those from one time to another, from the feed.
func TestEventsOfATimeAreSentAgain(t *testing.T) {
	var o outside
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		now := func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }
		d.open(sangdam.OpenTicket{})
		w.hours(2)
		since := now()
		d.open(sangdam.OpenTicket{})
		d.open(sangdam.OpenTicket{})
		w.hours(2)
		until := now()
		w.hours(1)
		d.open(sangdam.OpenTicket{})
		sub := sangdam.Subscription{ID: "crm", Name: "CRM", Target: "hook", Events: []string{"ticket.created"}}
		require.NoError(t, errOf(w.eng.SaveSubscription(w.ctx, w.host, sangdam.SaveSubscription{Subscription: sub})))
		again := sangdam.ReplayEvents{Subscription: "crm", Since: since, Until: until}
		require.NoError(t, w.eng.ReplayEvents(w.ctx, w.host, again))
		w.settle()
		require.Len(t, o.told(t), 2)
		again.Cursor = "x"
		require.ErrorIs(t, w.eng.ReplayEvents(w.ctx, w.host, again), sangdam.ErrInvalid, "one of the two")
		again.Cursor, again.Since = "", until.Add(time.Minute)
		require.ErrorIs(t, w.eng.ReplayEvents(w.ctx, w.host, again), sangdam.ErrInvalid)
	}, withOutside(&o))
}

// TestASecretIsRotatedWithoutALostRequest: the old one goes on beside the new one
// under another name, until it is taken away.
func TestASecretIsRotatedWithoutALostRequest(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		require.Equal(t, []string{webhook.SecretName}, w.target("hook").SecretNames)
		target := w.target("hook")
		target.Secrets = map[string]channel.Secret{webhook.SecretName: webhook.NewSecret()}
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: target,
			Renamed: map[string]string{webhook.SecretName: webhook.SecretNext}})))
		require.Equal(t, []string{webhook.SecretName, webhook.SecretNext}, w.target("hook").SecretNames)
		w.notice("hook", notify.Notice{ID: "between", Data: json.RawMessage(`{}`)})
		w.settle()
		require.Len(t, o.hooks.Acted(), 1, "the receiver still has the old one")
		require.Empty(t, o.hooks.Refused())
		target = w.target("hook")
		target.Secrets = map[string]channel.Secret{webhook.SecretNext: {}}
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: target})))
		require.Equal(t, []string{webhook.SecretName}, w.target("hook").SecretNames)
		w.notice("hook", notify.Notice{ID: "after", Data: json.RawMessage(`{}`)})
		w.settle()
		require.Len(t, o.hooks.Refused(), 1)
	}, withOutside(&o))
}

// TestDeliveriesShowNoTextOfHiddenRecords: who runs the place sees that a notice
// failed and why, and what it says only where the record may be read.
func TestDeliveriesShowNoTextOfHiddenRecords(t *testing.T) {
	var o outside
	hide := func(c *sangdam.Config) {
		c.Policy = sangdam.PolicyFunc(func(ctx context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
			if w.ID == "boss" && a == sangdam.ActRead && r.Kind == "ticket" {
				return sangdam.ErrNotFound
			}
			return sangdam.DefaultPolicy{}.Authorize(ctx, w, a, r)
		})
	}
	inTickets(t, func(d *ticketDesk) {
		o.targets(d.world)
		id := d.open(sangdam.OpenTicket{})
		d.notice("hook", notify.Notice{ID: "n", Subject: "ticket:" + string(id), Title: "It is broken", Text: "a text",
			Data: json.RawMessage(`{"a":"text"}`)})
		sub := sangdam.Subscription{ID: "crm", Name: "CRM", Target: "hook", Events: []string{"ticket"}}
		require.NoError(t, errOf(d.eng.SaveSubscription(d.ctx, d.host, sangdam.SaveSubscription{Subscription: sub})))
		d.open(sangdam.OpenTicket{})
		for who, hidden := range map[string]bool{"boss": true, "other": false} {
			page, err := d.eng.Deliveries(d.ctx, sangdam.AgentPrincipal(ws, routing.AgentID(who), sangdam.RoleAdministrator),
				sangdam.DeliveryFilter{Target: "hook"}, "", 10)
			require.NoError(t, err)
			require.Len(t, page.Deliveries, 2)
			said := page.Deliveries[0]
			require.Equal(t, hidden, said.Hidden, who)
			require.Equal(t, hidden, said.Notice.Text == "" && said.Notice.Title == "" && said.Notice.Data == nil, who)
			require.Equal(t, "n", said.Notice.ID)
			require.False(t, page.Deliveries[1].Hidden, "events of a subscription hold no text")
		}
	}, withOutside(&o), withConfig(hide))
}

// TestPeopleChooseFromEveryKindOfEvent: the kinds that the code declares are those
// that a subscription's page offers.
func TestPeopleChooseFromEveryKindOfEvent(t *testing.T) {
	for aggregate, in := range map[string][2]string{"conversation": {"conversation/conversation.go", "EventKind"},
		"ticket": {"ticket/history.go", "EntryKind"}} {
		file, err := parser.ParseFile(token.NewFileSet(), in[0], nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			spec, is := n.(*ast.ValueSpec)
			if !is || spec.Type == nil || len(spec.Values) == 0 {
				return true
			}
			if of, named := spec.Type.(*ast.Ident); named && of.Name == in[1] {
				kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				require.Contains(t, sangdam.SubscribedEvents(), aggregate+"."+kind)
			}
			return true
		})
	}
}
