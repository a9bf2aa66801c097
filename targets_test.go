package sangdam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
	"github.com/sangdam/sangdam/notify/mail"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
	"github.com/sangdam/sangdam/routing"
)

// outside is what the targets of a world lead to.
type outside struct {
	mails *mailtest.Server
	hooks *webhooktest.Server
	room  *dooraytest.Server
	// onRequest is what the receiver of web hooks does besides.
	onRequest func(webhooktest.Request)
}

// withOutside gives the engine carriers that lead to emulators.
func withOutside(o *outside) worldOption {
	return func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		o.mails, o.room = mailtest.New(mailtest.Options{}), dooraytest.New()
		o.hooks = webhooktest.New(webhooktest.Options{OnRequest: func(r webhooktest.Request) {
			if o.onRequest != nil {
				o.onRequest(r)
			}
		}})
		w.t.Cleanup(o.mails.Close)
		w.cfg.Carriers = []notify.Carrier{mail.New(mail.Options{Dial: o.mails.Dial}),
			webhook.New(webhook.Options{Transport: o.hooks.Transport()}),
			dooray.New(dooray.Options{Transport: o.room.Transport()})}
	}
}

// targets saves one target of each kind: mail, hook, room.
func (o *outside) targets(w *world) {
	w.t.Helper()
	for _, t := range []notify.Target{
		{ID: "mail", Kind: mail.Kind, Name: "Mail", Settings: json.RawMessage(
			`{"host":"smtp.shop.example","encryption":"none","from":"help@shop.example"}`)},
		{ID: "hook", Kind: webhook.Kind, Name: "CRM", Settings: json.RawMessage(`{"url":"https://crm.shop.example/hook"}`),
			Secrets: map[string]channel.Secret{webhook.SecretName: o.hooks.Secret()}},
		{ID: "room", Kind: dooray.Kind, Name: "Room",
			Secrets: map[string]channel.Secret{dooray.SecretURL: channel.NewSecret(dooraytest.URL)}},
	} {
		require.NoError(w.t, errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: t})))
	}
}

// hours lets hours go by for the store, an hour at a time.
func (w *world) hours(n int) {
	for range n {
		w.jump(time.Hour)
		w.settle()
	}
}

func (w *world) notice(t notify.TargetID, n notify.Notice) string {
	w.t.Helper()
	n.Event = "test.event"
	saved, err := w.eng.SendNotice(w.ctx, w.host, sangdam.SendNotice{Target: t, Notice: n})
	require.NoError(w.t, err)
	return saved.ID
}

func (w *world) deliveries(t notify.TargetID) []sangdam.Delivery {
	w.t.Helper()
	page, err := w.eng.Deliveries(w.ctx, w.host, sangdam.DeliveryFilter{Target: t}, "", 200)
	require.NoError(w.t, err)
	return page.Deliveries
}

func TestNoticesReachTheirTargets(t *testing.T) {
	var o outside
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		w.notice("mail", notify.Notice{ID: "m1", To: notify.Recipient{Address: "minsu@example.com"}, Title: "안녕하세요", Text: "문의를 받았습니다"})
		w.notice("hook", notify.Notice{ID: "h1", Data: json.RawMessage(`{"ticket":"17"}`)})
		w.notice("room", notify.Notice{ID: "r1", Text: "새 문의"})
		w.settle()
		require.Len(t, o.mails.Mails(), 1)
		require.Equal(t, "안녕하세요", o.mails.Mails()[0].Subject)
		require.JSONEq(t, `{"ticket":"17"}`, string(o.hooks.Acted()[0].Data))
		require.Equal(t, "새 문의", o.room.Notices()[0].Text)
		for _, id := range []notify.TargetID{"mail", "hook", "room"} {
			d := w.deliveries(id)
			require.Len(t, d, 1)
			require.Equal(t, channel.OutboxSent, d[0].State)
			require.Equal(t, 1, d[0].Tries)
			require.Equal(t, "host:host", d[0].Cause)
		}
		all, err := w.eng.Targets(w.ctx, w.host)
		require.NoError(t, err)
		require.Len(t, all, 3)
		for _, target := range all {
			require.Empty(t, target.Sealed)
			require.Empty(t, target.Secrets)
		}
	}, withOutside(&o))
}

// A receiver that is down for hours gets everything, in order within a subject,
// once each; what nobody took is a dead letter that can be sent again.
func TestAWebHookOutage(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		for range 6 {
			o.hooks.Fail(webhooktest.Fault{Status: 503})
		}
		for i := range 4 {
			w.notice("hook", notify.Notice{ID: fmt.Sprint("n", i), Subject: "order:1", Data: json.RawMessage(`{}`)})
		}
		w.settle()
		d := w.deliveries("hook")
		require.Equal(t, channel.OutboxQueued, d[0].State)
		require.Equal(t, 1, d[0].Tries)
		require.Contains(t, d[0].Detail, "Service Unavailable")
		require.True(t, d[0].NextAt.After(time.Now()))
		w.hours(30)
		require.Equal(t, []string{"n0", "n1", "n2", "n3"}, ids(o.hooks.Acted()))
		require.Len(t, o.hooks.Requests(), 4)
		require.Equal(t, 7, w.deliveries("hook")[0].Tries)
	}, withOutside(&o))
}

func ids(list []webhooktest.Request) (out []string) {
	for _, r := range list {
		out = append(out, r.ID)
	}
	return out
}

func TestDeadLettersAndReplays(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		for range 10 {
			o.hooks.Fail(webhooktest.Fault{Status: 500})
		}
		w.notice("hook", notify.Notice{ID: "dead", Data: json.RawMessage(`{}`)})
		w.hours(120)
		page, err := w.eng.Deliveries(w.ctx, w.host, sangdam.DeliveryFilter{Target: "hook", Dead: true}, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Deliveries, 1)
		require.Equal(t, 10, page.Deliveries[0].Tries, "at once, and nine pauses")
		require.Empty(t, o.hooks.Requests())

		redeliver := sangdam.Redeliver{Key: "again", Delivery: page.Deliveries[0].ID}
		saved, err := w.eng.Redeliver(w.ctx, w.host, redeliver)
		require.NoError(t, err)
		again, err := w.eng.Redeliver(w.ctx, w.host, redeliver)
		require.NoError(t, err)
		require.Equal(t, saved, again, "a repeat of the command sends nothing more")
		w.settle()
		require.Equal(t, []string{"dead"}, ids(o.hooks.Requests()), "under its own id")

		for i := range 250 {
			w.notice("hook", notify.Notice{ID: fmt.Sprint("n", i), Subject: "s", Data: json.RawMessage(`{}`)})
		}
		w.settle()
		first, err := w.eng.Deliveries(w.ctx, w.host, sangdam.DeliveryFilter{Target: "hook"}, "", 102)
		require.NoError(t, err)
		before := len(o.hooks.Requests())
		require.NoError(t, w.eng.ReplayDeliveries(w.ctx, w.host, sangdam.ReplayDeliveries{Key: "r", Target: "hook", After: first.Next}))
		require.NoError(t, w.eng.ReplayDeliveries(w.ctx, w.host, sangdam.ReplayDeliveries{Key: "r", Target: "hook", After: first.Next}))
		w.pass(time.Minute)
		got := ids(o.hooks.Requests()[before:])
		require.Len(t, got, 150)
		require.Equal(t, "n100", got[0])
		require.Equal(t, "n249", got[149], "in order")
		require.Len(t, o.hooks.Acted(), 251, "nobody acts twice")
		require.ErrorIs(t, w.eng.ReplayDeliveries(w.ctx, w.host, sangdam.ReplayDeliveries{Target: "hook", After: "nonsense!"}),
			sangdam.ErrInvalid)
		require.ErrorIs(t, w.eng.ReplayDeliveries(w.ctx, w.host,
			sangdam.ReplayDeliveries{Target: "hook", After: first.Next, Since: time.Now()}), sangdam.ErrInvalid)
	}, withOutside(&o))
}

func TestATargetThatWantsNoMoreIsSwitchedOff(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		o.hooks.Fail(webhooktest.Fault{Status: http.StatusGone})
		w.notice("hook", notify.Notice{ID: "1", Subject: "s", Data: json.RawMessage(`{}`)})
		second := notify.Notice{ID: "2", Event: "test.event", Subject: "s", Data: json.RawMessage(`{}`)}
		taken := []string{"1", "2"}
		if _, err := w.eng.SendNotice(w.ctx, w.host, sangdam.SendNotice{Target: "hook", Notice: second}); err != nil {
			require.ErrorIs(t, err, sangdam.ErrUnsupported)
			taken = taken[:1] // the receiver had refused the first one already
		}
		w.settle()
		for _, d := range w.deliveries("hook") {
			require.Equal(t, channel.OutboxFailed, d.State)
		}
		require.Empty(t, o.hooks.Requests())
		_, err := w.eng.SendNotice(w.ctx, w.host, sangdam.SendNotice{Target: "hook", Notice: notify.Notice{Event: "x"}})
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		all, err := w.eng.Targets(w.ctx, w.host)
		require.NoError(t, err)
		hook := all[0]
		require.Equal(t, notify.TargetID("hook"), hook.ID)
		require.True(t, hook.Disabled)
		require.Equal(t, channel.ReasonGone, hook.Why)
		hook.Disabled = false
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: hook})), "the secret is kept")
		require.NoError(t, w.eng.ReplayDeliveries(w.ctx, w.host, sangdam.ReplayDeliveries{Target: "hook", Dead: true}))
		w.settle()
		require.Equal(t, taken, ids(o.hooks.Requests()))
	}, withOutside(&o))
}

// A pause that the receiver asked for holds the whole target, and no other.
func TestRetryAfterPausesTheTarget(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		o.hooks.Fail(webhooktest.Fault{Status: 429, RetryAfter: 600})
		w.notice("hook", notify.Notice{ID: "1", Data: json.RawMessage(`{}`)})
		w.settle()
		w.notice("hook", notify.Notice{ID: "2", Data: json.RawMessage(`{}`)})
		w.notice("room", notify.Notice{ID: "r", Text: "x"})
		w.pass(9 * time.Minute)
		require.Empty(t, o.hooks.Requests())
		require.Len(t, o.room.Notices(), 1)
		w.pass(2 * time.Minute)
		require.ElementsMatch(t, []string{"1", "2"}, ids(o.hooks.Requests()))
	}, withOutside(&o))
}

// A mail whose acceptance was not heard is not sent again: a person decides.
func TestAMailWithoutAnAnswerIsNotRepeated(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		o.mails.Fail(mailtest.Fault{Drop: true}, mailtest.Fault{Code: 451})
		to := notify.Recipient{Address: "minsu@example.com"}
		w.notice("mail", notify.Notice{ID: "lost", To: to, Text: "1"})
		w.settle()
		w.notice("mail", notify.Notice{ID: "later", To: to, Text: "2"})
		w.notice("mail", notify.Notice{ID: "nobody", Text: "3"})
		w.hours(120)
		states := map[string]channel.OutboxState{}
		for _, d := range w.deliveries("mail") {
			states[d.Notice.ID] = d.State
		}
		require.Equal(t, map[string]channel.OutboxState{"lost": channel.OutboxUnknown, "later": channel.OutboxSent,
			"nobody": channel.OutboxFailed}, states)
		require.Len(t, o.mails.Mails(), 2, "the first one arrived although nobody heard so")
	}, withOutside(&o))
}

func TestBadTargetsAndNotices(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		save := func(target notify.Target) error {
			return errOf(w.eng.SaveTarget(w.ctx, w.host, sangdam.SaveTarget{Target: target}))
		}
		secret := map[string]channel.Secret{webhook.SecretName: o.hooks.Secret()}
		url := json.RawMessage(`{"url":"https://crm.shop.example/hook"}`)
		require.ErrorIs(t, save(notify.Target{Kind: "pigeon", Name: "x"}), sangdam.ErrUnsupported)
		require.ErrorIs(t, save(notify.Target{Kind: webhook.Kind, Name: " ", Settings: url, Secrets: secret}), sangdam.ErrInvalid)
		require.ErrorIs(t, save(notify.Target{Kind: webhook.Kind, Name: "x", Settings: url}), sangdam.ErrInvalid, "no secret")
		require.ErrorIs(t, save(notify.Target{ID: "hook", Kind: webhook.Kind, Name: "x", Settings: url, Secrets: secret}),
			sangdam.ErrAlreadyExists)
		require.ErrorIs(t, save(notify.Target{ID: "hook", Version: 7, Kind: webhook.Kind, Name: "x", Settings: url}), sangdam.ErrStale)
		require.ErrorIs(t, save(notify.Target{ID: "hook", Version: 1, Kind: dooray.Kind, Name: "x"}), sangdam.ErrInvalid, "another kind")
		require.ErrorIs(t, save(notify.Target{ID: "hook", Version: 1, Kind: webhook.Kind, Name: "x", Settings: url,
			Secrets: map[string]channel.Secret{webhook.SecretName: {}}}), sangdam.ErrInvalid, "the secret is taken away")

		keyed := sangdam.SaveTarget{Key: "k",
			Target: notify.Target{ID: "new", Kind: webhook.Kind, Name: "x", Settings: url, Secrets: secret}}
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host, keyed)))
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host, keyed)))
		keyed.Target.Secrets = map[string]channel.Secret{webhook.SecretName: webhook.NewSecret()}
		require.ErrorIs(t, errOf(w.eng.SaveTarget(w.ctx, w.host, keyed)), sangdam.ErrConflict)

		for name, n := range map[string]notify.Notice{
			"no event": {}, "large": {Event: "x", Text: strings.Repeat("x", notify.MaxBody+1)},
			"header": {Event: "x", To: notify.Recipient{Address: "a@b.c\r\nBcc: d@e.f"}}} {
			require.ErrorIs(t, errOf(w.eng.SendNotice(w.ctx, w.host, sangdam.SendNotice{Target: "hook", Notice: n})),
				sangdam.ErrInvalid, name)
		}
		require.ErrorIs(t, errOf(w.eng.SendNotice(w.ctx, w.host, sangdam.SendNotice{Target: "none", Notice: notify.Notice{Event: "x"}})),
			sangdam.ErrNotFound)
		require.ErrorIs(t, w.eng.DeleteTarget(w.ctx, w.host, sangdam.DeleteTarget{Target: "hook", Version: 9}), sangdam.ErrStale)
		require.NoError(t, w.eng.DeleteTarget(w.ctx, w.host, sangdam.DeleteTarget{Target: "hook", Version: 1}))
		require.ErrorIs(t, w.eng.DeleteTarget(w.ctx, w.host, sangdam.DeleteTarget{Target: "hook", Version: 1}), sangdam.ErrNotFound)
		acct := w.acct
		acct.ID, acct.Version = "target:hook", 0
		require.ErrorIs(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})), sangdam.ErrInvalid)
	}, withOutside(&o))
	_, err := sangdam.New(sangdam.Config{Carriers: []notify.Carrier{nil}})
	require.ErrorIs(t, err, sangdam.ErrInvalid)
}

// badCarrier does everything wrong that a carrier can.
type badCarrier struct{ kind notify.Kind }

func (c badCarrier) Kind() notify.Kind          { return c.kind }
func (c badCarrier) Policy() notify.Policy      { return notify.Policy{Timeout: time.Second} }
func (badCarrier) Validate(notify.Target) error { return nil }
func (badCarrier) Plan(_ notify.Target, n notify.Notice, _ time.Time) ([]byte, error) {
	if n.Text == "plan" {
		panic(n.Text)
	}
	return []byte(n.Text), nil
}

func (badCarrier) Send(ctx context.Context, _ notify.Target, request []byte) (notify.Receipt, error) {
	switch string(request) {
	case "panic":
		panic("secret")
	case "block":
		<-ctx.Done()
		return notify.Receipt{}, ctx.Err()
	}
	return notify.Receipt{}, errors.New("nonsense")
}

// Carriers are foreign code: what they do wrong is a failed or unknown delivery.
func TestCarriersThatPanicBlockOrTalkNonsense(t *testing.T) {
	inWorld(t, func(w *world) {
		require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host,
			sangdam.SaveTarget{Target: notify.Target{ID: "bad", Kind: "bad", Name: "Bad"}})))
		for _, text := range []string{"plan", "panic", "block", "other"} {
			w.notice("bad", notify.Notice{ID: text, Text: text})
		}
		w.hours(1)
		states := map[string]channel.OutboxState{}
		for _, d := range w.deliveries("bad") {
			states[d.Notice.ID] = d.State
			require.NotContains(t, d.Detail, "secret")
		}
		require.Equal(t, map[string]channel.OutboxState{"plan": channel.OutboxFailed, "panic": channel.OutboxUnknown,
			"block": channel.OutboxUnknown, "other": channel.OutboxUnknown}, states)
	}, withConfig(func(c *sangdam.Config) { c.Carriers = []notify.Carrier{badCarrier{"bad"}} }))
}

// An answer that is held can be taken back until it leaves; what follows it
// waits, and the customer never sees the first.
func TestAnAnswerIsTakenBack(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		c := w.begun(mina, "hi").Conversation
		a1 := w.agent("a1")
		held, err := w.eng.Answer(w.ctx, a1, sangdam.Answer{Conversation: c, Content: channel.Text("oops"), Hold: 2 * time.Minute})
		require.NoError(t, err)
		next, err := w.eng.Answer(w.ctx, a1, sangdam.Answer{Conversation: c, Content: channel.Text("right")})
		require.NoError(t, err)
		require.ErrorIs(t, errOf(w.eng.Unsend(w.ctx, w.agent("a2"), sangdam.Unsend{Message: held.Message})), sangdam.ErrPermissionDenied)
		require.NoError(t, errOf(w.eng.Unsend(w.ctx, a1, sangdam.Unsend{Key: "u", Message: held.Message})))
		require.NoError(t, errOf(w.eng.Unsend(w.ctx, a1, sangdam.Unsend{Key: "u", Message: held.Message})))
		w.settle()
		require.Equal(t, []string{"Hello!", "right"}, mina.Texts())
		require.ErrorIs(t, errOf(w.eng.Unsend(w.ctx, a1, sangdam.Unsend{Message: next.Message})), sangdam.ErrStale, "it has left")
		for _, m := range w.detail(c).Messages {
			if m.ID == held.Message {
				require.Equal(t, conversation.StatusWithdrawn, m.Status)
				require.Empty(t, m.Content.Text)
				require.ErrorIs(t, errOf(w.eng.Unsend(w.ctx, a1, sangdam.Unsend{Message: w.detail(c).Messages[0].ID})), sangdam.ErrInvalid,
					"the customer's")
			}
		}
		for _, hold := range []time.Duration{-1, time.Hour} {
			require.ErrorIs(t, errOf(w.eng.Answer(w.ctx, a1, sangdam.Answer{Conversation: c, Content: channel.Text("x"), Hold: hold})),
				sangdam.ErrInvalid)
		}
	})
}

var dropped, refused = mailtest.Fault{Drop: true}, mailtest.Fault{Code: 550}

func (w *world) target(id notify.TargetID) notify.Target {
	w.t.Helper()
	all, err := w.eng.Targets(w.ctx, w.host)
	require.NoError(w.t, err)
	for _, t := range all {
		if t.ID == id {
			return t
		}
	}
	w.t.Fatalf("there is no target %s", id)
	return notify.Target{}
}
