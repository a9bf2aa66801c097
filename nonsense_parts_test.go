package sangdam_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

// sly is an error all of whose methods panic.
type sly struct{}

func (sly) Error() string { panic(canary) }
func (sly) Is(error) bool { panic(canary) }
func (sly) As(any) bool   { panic(canary) }
func (sly) Unwrap() error { panic(canary) }

// senseless are errors that nobody can act on, by what is wrong with them.
func senseless() map[string]error {
	long := 200 * 365 * 24 * time.Hour
	return map[string]error{
		"a typed nil":    (*adapter.SendError)(nil),
		"wrapped nil":    fmt.Errorf("no: %w", (*adapter.SendError)(nil)),
		"unknown":        &adapter.SendError{Disposition: "perhaps", Reason: "moon", Detail: "x"},
		"empty":          &adapter.SendError{},
		"huge":           &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.Reason(big), Detail: big},
		"broken":         &adapter.SendError{Disposition: adapter.Permanent, Reason: broken, Detail: broken},
		"ambiguous":      &adapter.SendError{Disposition: adapter.Ambiguous, Reason: broken, Detail: broken},
		"a negative":     &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonProvider, After: math.MinInt64},
		"centuries":      &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonProvider, After: long},
		"rate centuries": &adapter.SendError{Disposition: adapter.RateLimited, Reason: channel.ReasonRate, After: math.MaxInt64},
		"rows":           &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent, Rows: []int{-1, 7, 7}},
		"panicking":      sly{},
		"wrapped sly":    fmt.Errorf("no: %w", sly{}),
	}
}

// chatter is a carrier whose answers are changed while it babbles.
type chatter struct {
	on   *atomic.Bool
	plan func() ([]byte, error)
	send func() (notify.Receipt, error)
}

func (chatter) Kind() notify.Kind { return "own" }
func (chatter) Policy() notify.Policy {
	return notify.Policy{Timeout: time.Second, Waits: []time.Duration{time.Minute, time.Minute}, IdempotentFor: 24 * time.Hour}
}
func (chatter) Validate(notify.Target) error { return nil }
func (c chatter) Plan(notify.Target, notify.Notice, time.Time) ([]byte, error) {
	if c.on.Load() && c.plan != nil {
		return c.plan()
	}
	return []byte("request"), nil
}

func (c chatter) Send(context.Context, notify.Target, []byte) (notify.Receipt, error) {
	if c.on.Load() && c.send != nil {
		return c.send()
	}
	return notify.Receipt{ID: "fine"}, nil
}

func carrierBabbles() map[string]chatter {
	plan := func(raw []byte, err error) chatter { return chatter{plan: func() ([]byte, error) { return raw, err }} }
	send := func(r notify.Receipt, err error) chatter {
		return chatter{send: func() (notify.Receipt, error) { return r, err }}
	}
	all := map[string]chatter{
		"Plan: nothing":         plan(nil, nil),
		"Plan: 9 MiB":           plan([]byte(strings.Repeat(big, 3)), nil),
		"Plan: broken":          plan([]byte(broken), nil),
		"Receipt: 3 MiB":        send(notify.Receipt{ID: big}, nil),
		"Receipt: broken":       send(notify.Receipt{ID: broken}, nil),
		"Receipt: status":       send(notify.Receipt{Status: math.MinInt}, nil),
		"Receipt with an error": send(notify.Receipt{ID: "1"}, &adapter.SendError{Disposition: adapter.Permanent}),
	}
	for name, err := range senseless() {
		all["Plan fails: "+name], all["Send fails: "+name] = plan(nil, err), send(notify.Receipt{}, err)
	}
	return all
}

// Whatever a carrier answers, the notice ends or waits for a time that comes, what
// comes after it leaves, and every page of the log can be read.
func TestACarriersNonsenseHarmsNobody(t *testing.T) {
	for name, c := range carrierBabbles() {
		t.Run(name, func(t *testing.T) {
			var log logged
			var on atomic.Bool
			c.on = &on
			stores := []string{onMemory}
			if strings.HasSuffix(name, ": broken") { // what the databases do not take, and what ends at once
				stores = []string{onMemory, onSQLite, onPG}
			}
			replay(t, stores, func(t *testing.T, w *replayWorld) {
				on.Store(true)
				require.NoError(t, errOf(w.eng.SaveTarget(w.ctx, w.host,
					sangdam.SaveTarget{Target: notify.Target{ID: "own", Kind: "own", Name: "Own"}})))
				w.notice("own", notify.Notice{ID: "odd", Subject: "order:1", Text: canary})
				w.settle()
				require.NotEqual(t, 0, w.deliveries("own")[0].Tries+len(w.deliveries("own")[0].Attempts), "it was tried")
				on.Store(false)
				w.notice("own", notify.Notice{ID: "next", Subject: "order:1", Text: "x"})
				if !w.real {
					w.settle() // what is under way while the clock jumps counts as lost
					w.jump(36 * 24 * time.Hour)
				}
				w.settle()
				for _, d := range w.deliveries("own") {
					require.NotEqual(t, channel.OutboxQueued, d.State, d.Notice.ID)
					require.True(t, d.Notice.ID == "odd" || d.State == channel.OutboxSent, "%s is %s", d.Notice.ID, d.State)
				}
			}, withConfig(func(cfg *sangdam.Config) { cfg.Logger, cfg.Carriers = log.logger(), []notify.Carrier{c} }))
			require.NotContains(t, log.String(), canary)
		})
	}
}

// New refuses carriers, adapters and bots whose constants cannot be meant.
func TestNewRefusesConstantsThatCannotBeMeant(t *testing.T) {
	keys, err := seal.Ephemeral()
	require.NoError(t, err)
	good := notify.Policy{Timeout: time.Second}
	for name, c := range map[string]sangdam.Config{
		"a huge kind":      {Carriers: []notify.Carrier{constant{kind: notify.Kind(big), policy: good}}},
		"a broken kind":    {Carriers: []notify.Carrier{constant{kind: broken, policy: good}}},
		"no timeout":       {Carriers: []notify.Carrier{constant{kind: "x"}}},
		"a century":        {Carriers: []notify.Carrier{constant{kind: "x", policy: waitsOf(math.MaxInt64)}}},
		"too many waits":   {Carriers: []notify.Carrier{constant{kind: "x", policy: waitsOf(make([]time.Duration, 1<<20)...)}}},
		"negative files":   {Carriers: []notify.Carrier{constant{kind: "x", policy: good, files: -1}}},
		"a form of nobody": {Carriers: []notify.Carrier{constant{kind: "x", policy: good, form: notify.Form{To: notify.PartType(big)}}}},
		"a nameless part": {Carriers: []notify.Carrier{constant{kind: "x", policy: good,
			form: notify.Form{Parts: []notify.Part{{Name: big}}}}}},
		"a part of a huge type": {Carriers: []notify.Carrier{constant{kind: "x", policy: good,
			form: notify.Form{Parts: []notify.Part{{Name: "a", Type: notify.PartType(big)}}}}}},
		"a form that panics": {Carriers: []notify.Carrier{describing{badCarrier{"x"}}}},
		"a huge adapter":     {Adapters: []adapter.Adapter{oddly{kind: channel.Kind(big)}}},
		"a broken adapter":   {Adapters: []adapter.Adapter{oddly{kind: broken}}},
		"a huge bot":         {Bots: []bot.Bot{&pointerBot{big}}},
		"a broken bot":       {Bots: []bot.Bot{&pointerBot{broken}}},
	} {
		c.DB, c.Sealer = memory.New(memory.Options{}), keys
		_, err := sangdam.New(c)
		require.ErrorIs(t, err, sangdam.ErrInvalid, name)
		require.Less(t, len(err.Error()), 1000, name)
	}
}

func waitsOf(d ...time.Duration) notify.Policy { return notify.Policy{Timeout: 1, Waits: d} }

type constant struct {
	notify.FileCarrier
	kind   notify.Kind
	policy notify.Policy
	files  int64
	form   notify.Form
}

func (c constant) Form() notify.Form     { return c.form }
func (c constant) Kind() notify.Kind     { return c.kind }
func (c constant) Policy() notify.Policy { return c.policy }
func (c constant) FileBytes() int64      { return c.files }

// describing panics when it is asked what its targets are made of.
type describing struct{ badCarrier }

func (describing) Form() notify.Form { panic("secret") }

type oddly struct {
	adapter.Adapter
	kind channel.Kind
}

func (n oddly) Kind() channel.Kind               { return n.kind }
func (oddly) Capabilities() adapter.Capabilities { return adapter.Capabilities{} }

func botBabbles() map[string]bot.Reply {
	say := func(c ...channel.Content) bot.Reply { return bot.Reply{Say: c, HandOver: true} }
	many := map[string]string{}
	for i := range 100_000 {
		many[fmt.Sprint("name ", i)] = "x"
	}
	return map[string]bot.Reply{
		"thousands":       say(make([]channel.Content, 10_000)...),
		"no kind":         say(channel.Content{}),
		"unknown kind":    say(channel.Content{Kind: "song", Text: "la"}),
		"blank":           say(channel.Text(" ")),
		"3 MiB":           say(channel.Text(big)),
		"broken":          say(channel.Text(broken)),
		"no media":        say(channel.Content{Kind: channel.KindImage}),
		"negative file":   say(channel.Content{Kind: channel.KindImage, Media: &channel.Media{Blob: blob.NewName(), Size: -1}}),
		"a quote":         say(channel.Content{Kind: channel.KindText, Text: "x", QuoteOf: channel.ProviderMessageID(big)}),
		"rich, no JSON":   say(channel.Content{Kind: channel.KindText, Text: "x", Rich: []byte("{")}),
		"choices":         say(channel.Content{Kind: channel.KindText, Text: "x", Choices: make([]channel.Choice, 1000)}),
		"large data":      {Data: map[string]string{"x": big}},
		"broken data":     {Data: map[string]string{broken: broken}},
		"many attributes": {Attributes: many, End: true},
		"no name":         {Attributes: map[string]string{"": "x"}},
		"broken name":     {Attributes: map[string]string{broken: "x"}},
	}
}

// Whatever a bot replies, nothing of it is half done, and the customer gets a person.
func TestABotsNonsenseHarmsNobody(t *testing.T) {
	for name, reply := range botBabbles() {
		t.Run(name, func(t *testing.T) {
			var log logged
			stores := []string{onMemory}
			if strings.HasPrefix(name, "broken") {
				stores = append(stores, onSQLite)
			}
			replay(t, stores, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.pass(2 * time.Minute)
				d := w.of(mina)
				require.Equal(t, conversation.ControlNobody, d.Conversation.Control)
				require.NotNil(t, d.Item, "people are asked")
				require.NotEqual(t, routing.ItemDone, d.Item.State)
				require.Empty(t, d.Conversation.Attributes)
				require.Empty(t, d.Conversation.BotData)
				for _, m := range d.Messages {
					require.NotEqual(t, conversation.ByBot, m.Author.Kind)
				}
			}, withBot(botFunc(func(context.Context, bot.Turn) (bot.Reply, error) { return reply, nil })),
				withConfig(func(c *sangdam.Config) { c.Logger = log.logger() }))
			require.Contains(t, log.String(), "intake", "the log names the bot")
		})
	}
}

// fickle is a strategy whose answers are given by a function. The Board alone says
// who may be asked, so an agent twice, or one who is no candidate, cannot be said.
type fickle struct {
	key func(n int, a routing.Agent) float64
	n   *int
}

func (fickle) Name() string { return "own" }
func (f fickle) Key(_ routing.Item, a routing.Agent, _ routing.Queue) float64 {
	*f.n++
	return f.key(*f.n, a)
}

// Whatever a strategy answers, whoever writes is offered to somebody able: routing/board
// tests that round robin decides in its place and says so.
func TestAStrategysNonsenseHarmsNobody(t *testing.T) {
	constant := func(k float64) func(int, routing.Agent) float64 { return func(int, routing.Agent) float64 { return k } }
	for name, key := range map[string]func(n int, a routing.Agent) float64{
		"NaN":         constant(math.NaN()),
		"infinite":    constant(math.Inf(1)),
		"minus":       constant(math.Inf(-1)),
		"huge":        constant(math.MaxFloat64),
		"minus zero":  func(n int, _ routing.Agent) float64 { return math.Copysign(0, float64(n%2)-0.5) },
		"never alike": func(n int, _ routing.Agent) float64 { return float64(n) },
		"one NaN": func(_ int, a routing.Agent) float64 {
			if a.ID == "a2" {
				return math.NaN()
			}
			return 1
		},
		"panics": func(int, routing.Agent) float64 { panic(canary) },
		"writes": func(_ int, a routing.Agent) float64 { clear(a.State.Load); clear(a.State.Turns); return 1 },
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				w.online("a2")
				q := w.configuration().Queues["q"]
				q.Strategy = "own"
				w.saveQueue(q)
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.settle()
				require.NotNil(t, w.of(mina).Offer)
			}, withConfig(func(c *sangdam.Config) {
				c.Logger, c.Strategies = log.logger(), map[string]routing.Strategy{"own": fickle{key, new(int)}}
			}))
			require.NotContains(t, log.String(), canary)
		})
	}
}

// scoped is the default policy with another Scope, or other errors.
type scoped struct {
	sangdam.DefaultPolicy
	scope func() sangdam.Scope
	err   error
}

func (s scoped) Scope(w sangdam.Who, kind string) sangdam.Scope {
	if s.scope == nil || w.ID != "a1" {
		return s.DefaultPolicy.Scope(w, kind)
	}
	return s.scope()
}

func (s scoped) Authorize(ctx context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	if s.err != nil && w.ID == "a1" && a == sangdam.ActRead {
		return s.err
	}
	return s.DefaultPolicy.Authorize(ctx, w, a, r)
}

// Whatever Scope says, a list shows what Authorize allows, once each, or less where
// the Scope was too narrow by its own words; it never fails.
func TestAPolicysNonsenseHarmsNobody(t *testing.T) {
	desks := make([]routing.DeskID, 200_000)
	for i := range desks {
		desks[i] = routing.DeskID(fmt.Sprint("desk ", i))
	}
	for name, tc := range map[string]struct {
		scope sangdam.Scope
		sees  int
	}{
		"empty":         {sangdam.Scope{Limited: true}, 0},
		"contradictory": {sangdam.Scope{Desks: []routing.DeskID{"elsewhere"}}, 1},
		"twice":         {sangdam.Scope{Limited: true, Desks: []routing.DeskID{"support", "support", "support"}}, 1},
		"unknown":       {sangdam.Scope{Limited: true, Desks: []routing.DeskID{"elsewhere", "support"}}, 1},
		"no names":      {sangdam.Scope{Limited: true, Desks: []routing.DeskID{"", "support", ""}}, 1},
		"broken":        {sangdam.Scope{Limited: true, Desks: []routing.DeskID{broken, "support"}}, 1},
		"3 MiB":         {sangdam.Scope{Limited: true, Desks: []routing.DeskID{routing.DeskID(big), "support"}}, 1},
		"huge":          {sangdam.Scope{Limited: true, Desks: desks}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			stores := []string{onMemory, onSQLite}
			if name == "broken" {
				stores = append(stores, onPG)
			}
			replay(t, stores, func(t *testing.T, w *replayWorld) {
				w.line.User("Mina").SendText("hello")
				w.settle()
				page, err := w.eng.Conversations(w.ctx, w.agent("a1"), conversation.Filter{}, "", 50)
				require.NoError(t, err)
				require.Len(t, page.Conversations, tc.sees)
				count, err := w.eng.CountConversations(w.ctx, w.agent("a1"), conversation.Filter{}, 100)
				require.NoError(t, err)
				require.Equal(t, tc.sees, count.N)
			}, withConfig(func(c *sangdam.Config) { c.Policy = scoped{scope: func() sangdam.Scope { return tc.scope }} }))
		})
	}
	for name, wrong := range map[string]error{"a typed nil": (*adapter.SendError)(nil), "sly": sly{}, "3 MiB": errors.New(big),
		"broken": errors.New(broken)} {
		t.Run("refuses with "+name, func(t *testing.T) {
			replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.settle()
				_, err := w.eng.Conversation(w.ctx, w.agent("a1"), w.of(mina).Conversation.ID)
				require.Error(t, err)
				require.Less(t, len(err.Error()), 2000)
				_, err = w.eng.Conversations(w.ctx, w.agent("a1"), conversation.Filter{}, "", 50)
				require.Error(t, err, "what cannot be decided is not shown")
			}, withConfig(func(c *sangdam.Config) { c.Policy = scoped{err: wrong} }))
		})
	}
}
