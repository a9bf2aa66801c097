package sangdam_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/trigger/condition"
)

// logged collects what an engine logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// canary stands for a customer's words or a secret in the error of foreign code.
const canary = "900101-1234568"

// wicked is what foreign code does to the engine in one test: name it with the
// number of times that it was reached.
type wicked struct {
	panics bool
	hits   map[string]*atomic.Int64
	armed  atomic.Bool
}

func newWicked(panics bool) *wicked {
	w := &wicked{panics: panics, hits: map[string]*atomic.Int64{}}
	for _, call := range []string{"Validate", "Receive", "Parse", "Plan", "Send", "Profile", "FetchMedia", "ShowTyping",
		"MarkRead", "Check", "bot", "strategy", "policy", "hook", "Seal", "Open", "Put", "List"} {
		w.hits[call] = &atomic.Int64{}
	}
	return w
}

func (w *wicked) act(call string) error {
	if !w.armed.Load() {
		return nil
	}
	w.hits[call].Add(1)
	if w.panics {
		panic("the canary " + canary)
	}
	return errors.New("the canary " + canary)
}

// wickedAdapter is LINE's until the one call that it is to fail at.
type wickedAdapter struct {
	*line.Adapter
	w    *wicked
	call string
}

func (a wickedAdapter) at(call string) error {
	if call != a.call {
		return nil
	}
	return a.w.act(call)
}

func (a wickedAdapter) Validate(acct channel.Account) error {
	return errors.Join(a.at("Validate"), a.Adapter.Validate(acct))
}

func (a wickedAdapter) Receive(acct channel.Account, r adapter.Request) (adapter.Receipt, error) {
	if err := a.at("Receive"); err != nil {
		return adapter.Receipt{}, err
	}
	return a.Adapter.Receive(acct, r)
}

func (a wickedAdapter) Parse(acct channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	if err := a.at("Parse"); err != nil {
		return adapter.Inbound{}, err
	}
	return a.Adapter.Parse(acct, env)
}

func (a wickedAdapter) Plan(acct channel.Account, b []adapter.Outbound, now time.Time, k func() string) (adapter.Attempt, error) {
	if err := a.at("Plan"); err != nil {
		return adapter.Attempt{}, err
	}
	return a.Adapter.Plan(acct, b, now, k)
}

func (a wickedAdapter) Send(ctx context.Context, acct channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	if err := a.at("Send"); err != nil {
		return adapter.Sent{}, err
	}
	return a.Adapter.Send(ctx, acct, at)
}

func (a wickedAdapter) Profile(ctx context.Context, acct channel.Account, c channel.Chat, u channel.ProviderUserID) (channel.Profile,
	error) {
	if err := a.at("Profile"); err != nil {
		return channel.Profile{}, err
	}
	return a.Adapter.Profile(ctx, acct, c, u)
}

func (a wickedAdapter) FetchMedia(ctx context.Context, acct channel.Account, ref string, sink adapter.MediaSink) error {
	if err := a.at("FetchMedia"); err != nil {
		return err
	}
	return a.Adapter.FetchMedia(ctx, acct, ref, sink)
}

func (a wickedAdapter) ShowTyping(context.Context, channel.Account, channel.Chat, time.Duration) error {
	return a.at("ShowTyping")
}

func (a wickedAdapter) MarkRead(context.Context, channel.Account, string) error {
	return a.at("MarkRead")
}

func (a wickedAdapter) Check(context.Context, channel.Account, string) ([]adapter.Finding, error) {
	return nil, a.at("Check")
}

type wickedStrategy struct{ w *wicked }

func (wickedStrategy) Name() string { return "own" }
func (s wickedStrategy) Key(routing.Item, routing.Agent, routing.Queue) float64 {
	s.w.hits["strategy"].Add(1)
	if s.w.panics {
		panic("the canary " + canary)
	}
	return 0
}

type wickedSealer struct {
	seal.Sealer
	w    *wicked
	call string
}

func (s wickedSealer) Seal(ctx context.Context, ad seal.AD, plain []byte) ([]byte, error) {
	if s.call == "Seal" {
		if err := s.w.act("Seal"); err != nil {
			return nil, err
		}
	}
	return s.Sealer.Seal(ctx, ad, plain)
}

func (s wickedSealer) Open(ctx context.Context, ad seal.AD, sealed []byte) ([]byte, error) {
	if s.call == "Open" {
		if err := s.w.act("Open"); err != nil {
			return nil, err
		}
	}
	return s.Sealer.Open(ctx, ad, sealed)
}

type wickedBlobs struct {
	blob.Store
	w    *wicked
	call string
}

func (b wickedBlobs) Put(ctx context.Context, r io.Reader, limit int64) (blob.Info, error) {
	if b.call == "Put" {
		if err := b.w.act("Put"); err != nil {
			return blob.Info{}, err
		}
	}
	return b.Store.Put(ctx, r, limit)
}

func (b wickedBlobs) List(ctx context.Context, before time.Time, after string, limit int) ([]string, error) {
	if b.call == "List" {
		if err := b.w.act("List"); err != nil {
			return nil, err
		}
	}
	return b.Store.List(ctx, before, after, limit)
}

// equip puts the wicked part in its place.
func (w *wicked) equip(c *sangdam.Config, call string) {
	if a, is := c.Adapters[0].(*line.Adapter); is {
		c.Adapters = []adapter.Adapter{wickedAdapter{a, w, call}}
	}
	c.Sealer, c.Blobs = wickedSealer{c.Sealer, w, call}, wickedBlobs{c.Blobs, w, call}
	switch call {
	case "policy":
		c.Policy = sangdam.PolicyFunc(func(ctx context.Context, who sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
			if err := w.act("policy"); err != nil {
				return err
			}
			return sangdam.DefaultPolicy{}.Authorize(ctx, who, a, r)
		})
	case "hook":
		hit := func() { _ = w.act("hook") }
		c.Hooks = sangdam.Hooks{
			Received:    func(sangdam.WorkspaceID, channel.AccountID, int, int) { hit() },
			Processed:   func(sangdam.WorkspaceID, channel.AccountID, adapter.EventKind) { hit() },
			Quarantined: func(sangdam.WorkspaceID, channel.AccountID, string) { hit() },
			Offered:     func(sangdam.WorkspaceID, routing.Offer) { hit() },
			Assigned:    func(sangdam.WorkspaceID, routing.Assignment) { hit() },
			Sent: func(sangdam.WorkspaceID, channel.AccountID, string, channel.OutboxState, channel.Reason) {
				hit()
			},
		}
	case "strategy":
		c.Strategies = map[string]routing.Strategy{"own": wickedStrategy{w}}
	}
}

// Whatever foreign code does, an error or a panic: the process lives, a
// healthy customer is still served afterwards, and neither its error's text nor
// the panic's value is in the log.
func TestForeignCodeThatFailsHarmsNobodyAndIsNotQuoted(t *testing.T) {
	for _, panics := range []bool{false, true} {
		for call := range newWicked(false).hits {
			if call == "strategy" && !panics {
				continue // a key is a number: it cannot fail
			}
			name := call + map[bool]string{true: " panics", false: " fails"}[panics]
			t.Run(name, func(t *testing.T) { failForeign(t, call, panics) })
		}
	}
}

func failForeign(t *testing.T, call string, panics bool) {
	var log logged
	w := newWicked(panics)
	options := []worldOption{withConfig(func(c *sangdam.Config) { c.Logger = log.logger() }),
		withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour })}
	if call == "bot" {
		options = append(options, withBot(botFunc(func(context.Context, bot.Turn) (bot.Reply, error) {
			return bot.Reply{}, w.act("bot")
		})))
	}
	inWorld(t, func(world *world) {
		world.online("a1")
		world.line.User("Before").SendText("hello")
		world.settle()
		first := world.only().Conversation.ID
		world.halt()
		world.cfg.Blobs = blob.Memory()
		w.equip(&world.cfg, call)
		var err error
		world.eng, err = sangdam.New(world.cfg)
		require.NoError(t, err)
		w.armed.Store(call != "Open") // the credentials must open once
		world.start()
		if call == "strategy" {
			q := routing.Queue{ID: "q", Name: "Q", Members: []routing.AgentID{"a1", "a2"}, Strategy: "own", Version: 1}
			require.NoError(t, errOf(world.eng.SaveQueue(world.ctx, world.host, sangdam.SaveQueue{Queue: q})))
		}
		if call == "Open" {
			world.pass(2 * time.Second)
			w.armed.Store(true)
		}
		// Every way that leads to foreign code; what becomes of each is its own
		// test's business.
		world.line.User("Mina").SendText("my number is " + canary)
		world.line.User("Jun").Send(linetest.Image("image/png", pixel))
		_, _ = world.eng.Answer(world.ctx, world.agent("a1"), sangdam.Answer{Conversation: first, Content: channel.Text(canary)})
		_ = world.eng.ShowTyping(world.ctx, world.host, first, time.Second)
		_ = world.eng.MarkRead(world.ctx, world.host, first)
		_, _ = world.eng.CheckAccount(world.ctx, world.host, world.acct.ID, "https://host.test")
		_, _ = world.eng.SaveAccount(world.ctx, world.host, sangdam.SaveAccount{Account: world.acct})
		_ = errOf(world.eng.SaveQueue(world.ctx, world.host,
			sangdam.SaveQueue{Queue: routing.Queue{ID: "q2", Name: "Two"}})) // settings are read anew
		world.pass(10 * time.Minute)
		require.Positive(t, w.hits[call].Load(), "the test reached %s", call)
		w.armed.Store(false)
		world.pass(time.Minute)
		late := world.line.User("Late")
		late.SendText("is anybody there?")
		world.pass(time.Minute)
		require.Equal(t, "is anybody there?", world.of(late).Messages[0].Content.Text)
	}, options...)
	require.NotContains(t, log.String(), canary)
}

// Nil parts and impossible sizes are refused by New, not met by a panic later.
func TestNewRefusesWhatCannotWork(t *testing.T) {
	keys, err := seal.Ephemeral()
	require.NoError(t, err)
	for name, change := range map[string]func(*sangdam.Config){
		"a nil adapter":       func(c *sangdam.Config) { c.Adapters = []adapter.Adapter{nil} },
		"a panicking adapter": func(c *sangdam.Config) { c.Adapters = []adapter.Adapter{nameless{}} },
		"a nil bot":           func(c *sangdam.Config) { c.Bots = []bot.Bot{nil} },
		"a panicking bot":     func(c *sangdam.Config) { c.Bots = []bot.Bot{(*pointerBot)(nil)} },
		"a nil strategy":      func(c *sangdam.Config) { c.Strategies = map[string]routing.Strategy{"own": nil} },
		"a panicking strategy": func(c *sangdam.Config) {
			c.Strategies = map[string]routing.Strategy{"own": unnamed{}}
		},
		"an adapter of a nil pointer": func(c *sangdam.Config) { c.Adapters = []adapter.Adapter{(*line.Adapter)(nil)} },
		"a strategy of a nil pointer": func(c *sangdam.Config) {
			c.Strategies = map[string]routing.Strategy{"own": (*unnamed)(nil)}
		},
		"a nil policy":  func(c *sangdam.Config) { c.Policy = sangdam.PolicyFunc(nil) },
		"a nil carrier": func(c *sangdam.Config) { c.Carriers = []notify.Carrier{nil} },
		"a carrier of a nil pointer": func(c *sangdam.Config) {
			c.Carriers = []notify.Carrier{(*struct{ notify.Carrier })(nil)}
		},
		"media of no size": func(c *sangdam.Config) { c.MaxMedia = -1 },
		"no workers":       func(c *sangdam.Config) { c.InboxWorkers = -1 },
		"a negative lease": func(c *sangdam.Config) { c.Lease = -time.Second },
		"files over http":  func(c *sangdam.Config) { c.FilesURL = "http://desk.example/files" },
		"no network":       func(c *sangdam.Config) { c.AllowPrivate = append(c.AllowPrivate, netip.Prefix{}) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := sangdam.Config{DB: memory.New(memory.Options{}), Sealer: keys}
			change(&cfg)
			_, err := sangdam.New(cfg)
			require.ErrorIs(t, err, sangdam.ErrInvalid)
		})
	}
}

type nameless struct{ adapter.Adapter }

type unnamed struct{ routing.Strategy }

type pointerBot struct{ name string }

func (b *pointerBot) Name() string                                      { return b.name }
func (b *pointerBot) Next(context.Context, bot.Turn) (bot.Reply, error) { return bot.Reply{}, nil }

// A call that does not heed the end of its time is left behind: its worker goes
// on with others, and after eight of them the adapter is not called any more,
// for which the log gives the reason.
func TestACallThatNeverEndsIsLeftBehind(t *testing.T) {
	var log logged
	var calls atomic.Int64
	inWorld(t, func(w *world) {
		release := make(chan struct{})
		defer close(release)
		w.halt()
		w.cfg.Adapters = []adapter.Adapter{deafAdapter{w.cfg.Adapters[0].(*line.Adapter), &calls, release}}
		var err error
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		w.start()
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
			w.line.User(name).SendText("hello")
			w.pass(15 * time.Second)
		}
		begun := calls.Load()
		require.GreaterOrEqual(t, begun, int64(8), "calls that were begun")
		w.line.User("m").SendText("hello")
		w.pass(10 * time.Minute)
		require.Equal(t, begun, calls.Load(), "what was on its way when the eighth was left behind is the last")
		require.Contains(t, log.String(), "do not end although their time is over")
		require.Len(t, w.conversations(), 13, "what customers write is stored all the same")
	}, withConfig(func(c *sangdam.Config) { c.Logger = log.logger() }))
}

type deafAdapter struct {
	*line.Adapter
	calls   *atomic.Int64
	release chan struct{}
}

func (a deafAdapter) Send(context.Context, channel.Account, adapter.Attempt) (adapter.Sent, error) {
	a.calls.Add(1)
	<-a.release
	return adapter.Sent{}, errors.New("at last")
}

func (a deafAdapter) Profile(context.Context, channel.Account, channel.Chat, channel.ProviderUserID) (channel.Profile, error) {
	return channel.Profile{}, sangdam.ErrNotFound
}

// blocking is foreign code that does nothing wrong but to take two seconds in
// one of the calls that must return at once.
type blocking struct {
	*line.Adapter
	call  string
	armed *atomic.Bool
}

func (b blocking) at(call string) {
	if call == b.call && b.armed.Load() {
		time.Sleep(2 * time.Second)
	}
}

func (b blocking) Validate(acct channel.Account) error {
	b.at("Validate")
	return b.Adapter.Validate(acct)
}

func (b blocking) Receive(acct channel.Account, r adapter.Request) (adapter.Receipt, error) {
	b.at("Receive")
	return b.Adapter.Receive(acct, r)
}

func (b blocking) Parse(acct channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	b.at("Parse")
	return b.Adapter.Parse(acct, env)
}

func (b blocking) Plan(acct channel.Account, o []adapter.Outbound, now time.Time, k func() string) (adapter.Attempt, error) {
	b.at("Plan")
	return b.Adapter.Plan(acct, o, now, k)
}

func (b blocking) MayChange(channel.Account, channel.Account) error { b.at("MayChange"); return nil }

func (b blocking) Name() string { return "own" }

func (b blocking) Key(routing.Item, routing.Agent, routing.Queue) float64 { b.at("Key"); return 0 }

func (b blocking) Authorize(ctx context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	b.at("Authorize")
	return sangdam.DefaultPolicy{}.Authorize(ctx, w, a, r)
}

func (b blocking) Scope(w sangdam.Who, kind string) sangdam.Scope {
	b.at("Scope")
	return sangdam.DefaultPolicy{}.Scope(w, kind)
}

// What must not block is named by the watchdog when it does.
func TestForeignCodeThatBlocksIsNamed(t *testing.T) {
	for call, as := range map[string]string{"Validate": "Validate", "Receive": "Receive", "Parse": "Parse", "Plan": "Plan",
		"MayChange": "MayChange", "Key": "strategy own", "Authorize": "conversation.list", "Scope": "Scope of conversation",
		"Facts": "Facts", "Processed": "Processed", "Offered": "Offered"} {
		t.Run(call, func(t *testing.T) {
			var log logged
			bad := blocking{call: call, armed: &atomic.Bool{}}
			inWorld(t, func(w *world) {
				w.halt()
				bad.Adapter = w.cfg.Adapters[0].(*line.Adapter)
				w.cfg.Adapters = []adapter.Adapter{bad}
				var err error
				w.eng, err = sangdam.New(w.cfg)
				require.NoError(t, err)
				w.start()
				w.online("a1")
				q := w.configuration().Queues["q"]
				q.Strategy = "own"
				w.saveQueue(q)
				bad.armed.Store(true)
				w.line.User("Mina").SendText("hello")
				w.pass(5 * time.Second)
				acct := w.acct
				acct.Secrets, acct.Name = nil, "Renamed"
				require.NoError(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})))
				_, err = w.eng.Conversations(w.ctx, w.agent("a1"), conversation.Filter{}, "", 0)
				require.NoError(t, err)
				w.pass(5 * time.Second)
				require.Contains(t, log.String(), "must not block")
				require.Contains(t, log.String(), as)
			}, withConfig(func(c *sangdam.Config) {
				c.Logger, c.Policy, c.Strategies = log.logger(), bad, map[string]routing.Strategy{"own": bad}
				c.Hooks.Processed = func(sangdam.WorkspaceID, channel.AccountID, adapter.EventKind) { bad.at("Processed") }
				c.Hooks.Offered = func(sangdam.WorkspaceID, routing.Offer) { bad.at("Offered") }
				c.Facts = func(conversation.Conversation) condition.Map { bad.at("Facts"); return nil }
			}), withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
		})
	}
}

// It is named once, however many returned at once before it, and those are not.
func TestOnlyTheCallThatBlocksIsNamed(t *testing.T) {
	var log logged
	inWorld(t, func(w *world) {
		for i := range 30 {
			w.line.User("Mina").SendText(fmt.Sprint("hello ", i))
			w.pass(300 * time.Millisecond)
		}
		require.NotContains(t, log.String(), "must not block")
		w.line.User("Mina").SendText("wait")
		w.pass(10 * time.Second)
		require.Equal(t, 1, strings.Count(log.String(), "must not block"))
	}, withConfig(func(c *sangdam.Config) {
		c.Logger = log.logger()
		events := 0
		c.Hooks.Processed = func(sangdam.WorkspaceID, channel.AccountID, adapter.EventKind) {
			if events++; events == 31 {
				time.Sleep(5 * time.Second)
			}
		}
	}))
}

// A panic while a webhook is verified is answered 500, without its value.
func TestAPanicInReceiveIs500(t *testing.T) {
	inWorld(t, func(w *world) {
		w.halt()
		wick := newWicked(true)
		wick.equip(&w.cfg, "Receive")
		wick.armed.Store(true)
		var err error
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		w.start()
		r, err := http.NewRequest(http.MethodPost, "https://host.test/webhooks/"+w.acct.Token, strings.NewReader("x"))
		require.NoError(t, err)
		resp, err := emukit.Transport(w.eng.Webhooks()).RoundTrip(r)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NotContains(t, string(body), canary)
	})
}

// panickingBody is what a host's own middleware may hand on.
type panickingBody struct{}

func (panickingBody) Read([]byte) (int, error) { panic(canary) }
func (panickingBody) Close() error             { return nil }

// A panic outside the adapter ends no process and tells nobody its value.
func TestABodyThatPanicsIs500(t *testing.T) {
	var log logged
	inWorld(t, func(w *world) {
		r, err := http.NewRequest(http.MethodPost, "https://host.test/webhooks/"+w.acct.Token, panickingBody{})
		require.NoError(t, err)
		resp, err := emukit.Transport(w.eng.Webhooks()).RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
		w.line.User("Mina").SendText("and the next?")
		w.settle()
		require.Equal(t, "and the next?", w.only().Messages[0].Content.Text)
	}, withConfig(func(c *sangdam.Config) { c.Logger = log.logger() }))
	require.NotContains(t, log.String(), canary)
}
