package sangdam_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/internal/storefault"
	"github.com/sangdam/sangdam/routing"
)

var faultsFlag = flag.String("faults", "",
	`store faults: "all" breaks every call in every way; "scenario:n:kind" runs one, as a failure prints it`)

// faultSeed picks the calls of the short form; the long form
// breaks them all.
const faultSeed = 1

// shortRuns is how many runs a scenario and kind get when not every call is
// broken. Under -short, as the race detector runs them, it is fewer: what a
// broken call does to the store is looked for by the others, and the detector
// sees the same goroutines in each run.
func shortRuns() int {
	if testing.Short() {
		return 3
	}
	return 14
}

// scenario is a story that the world lives through while one call to its store
// goes wrong.
type scenario struct {
	name    string
	options []worldOption
	play    func(f *faultWorld)
	// purged says that the feed is, so that it cannot be held against the
	// record.
	purged bool
}

var scenarios = []scenario{
	{name: "desk", options: []worldOption{withStream(func(s *routing.WorkStream) {
		s.OfferFor, s.WrapUp, s.KeepAgentFor, s.ReopenFor = 5*time.Second, 2*time.Second, 10*time.Second, time.Hour
	})}, play: playDesk},
	{name: "bot", options: []worldOption{withStream(func(s *routing.WorkStream) { s.Bot, s.AutoClose = "intake", 100*time.Second }),
		withConfig(func(c *sangdam.Config) { c.Bots = []bot.Bot{intake} })}, play: playBot},
	{name: "lost", options: []worldOption{withConfig(func(c *sangdam.Config) {
		c.Poll, c.KeepRaw, c.KeepFeed, c.KeepResults = 20*time.Second, time.Minute, 2*time.Minute, 2*time.Minute
	})}, play: playLost, purged: true},
	{name: "people", play: playPeople},
	{name: "consult", play: playConsult},
}

var intake = bot.Script{ID: "intake", Greeting: "I am a bot.", Question: "Your order number?", Field: "order",
	Thanks: "A person will help."}

// TestFaults breaks the n-th call to the store, for each n and each way of
// breaking it, lets the callers repeat what was not acknowledged as real ones
// do, and then checks every invariant.
func TestFaults(t *testing.T) {
	if one := strings.SplitN(*faultsFlag, ":", 3); len(one) == 3 {
		n, err := strconv.Atoi(one[1])
		require.NoError(t, err, "-faults=scenario:n:kind")
		for _, s := range scenarios {
			if s.name == one[0] {
				s.run(t, storefault.Plan{At: n, Kind: storefault.Kind(one[2])})
			}
		}
		return
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			calls := s.run(t, storefault.Plan{})
			t.Logf("%s: %d calls to the store", s.name, calls)
			for _, kind := range storefault.Kinds {
				for _, n := range chosen(s.name, kind, calls) {
					s.run(t, storefault.Plan{At: n, Kind: kind})
				}
			}
		})
	}
}

// chosen are the calls to break: all in the long form, else a few by the seed,
// one out of each stretch of equal length.
func chosen(name string, kind storefault.Kind, calls int) []int {
	var out []int
	if *faultsFlag == "all" {
		for n := range calls {
			out = append(out, n+1)
		}
		return out
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name + string(kind)))
	rng := rand.New(rand.NewPCG(faultSeed, h.Sum64()))
	stretch := max(1, calls/shortRuns())
	for from := 0; from+stretch <= calls; from += stretch {
		out = append(out, from+1+rng.IntN(stretch))
	}
	return out
}

// run plays the scenario once and returns how many calls it made.
func (s scenario) run(t *testing.T, plan storefault.Plan) (calls int) {
	name := fmt.Sprintf("%s:%d:%s", s.name, plan.At, plan.Kind)
	ok := t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFaultWorld(t, plan, s.options...)
			defer f.close()
			cursor := ""
			if !s.purged {
				var err error
				_, cursor, err = f.db.Feed(f.ctx, ws, "", 1)
				require.NoError(t, err)
			}
			s.play(f)
			calls = f.fault.Calls()
			f.rest()
			state := observe(t, f.db, f.line, cursor)
			v := state.check()
			state.auditCounts(&v, f.done)
			f.promisesKept(&state, &v)
			require.Empty(t, v, "%d calls, broken: %v", calls, f.broken())
		})
	})
	if !ok {
		t.Logf("run it alone: go test -run 'TestFaults$' -faults='%s' .", name)
	}
	return calls
}

// faultWorld is a world whose engine works on a store that may break, watched
// by a supervisor that starts a new process when the old one died.
type faultWorld struct {
	*world
	fault  *storefault.Fault
	engine atomic.Pointer[sangdam.Engine]
	reader *sangdam.Engine // on the whole store, for looking

	mu     sync.Mutex
	beats  map[routing.AgentID]bool
	done   map[string]int // acknowledged commands: actor and action
	said   []string       // texts of acknowledged answers
	keys   int
	ending context.CancelFunc
	loops  sync.WaitGroup
}

// engineTransport delivers webhooks to the process that lives.
type engineTransport struct{ f *faultWorld }

func (e engineTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return emukit.Transport(e.f.engine.Load().Webhooks()).RoundTrip(r)
}

func newFaultWorld(t *testing.T, plan storefault.Plan, options ...worldOption) *faultWorld {
	t.Helper()
	f := &faultWorld{beats: map[routing.AgentID]bool{}, done: map[string]int{}}
	phones := func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		w.line.Close()
		w.line = linetest.New(linetest.Options{WebhookClient: &http.Client{Transport: engineTransport{f}}, Redeliveries: 200})
	}
	poll := withConfig(func(c *sangdam.Config) { c.Poll = 5 * time.Second })
	f.world = newWorld(t, append([]worldOption{phones, poll}, options...)...)
	f.reader = f.eng
	// The delay is longer than a lease, so that others take over meanwhile.
	plan.Hook = func(ctx context.Context, _ string) {
		select {
		case <-ctx.Done():
		case <-time.After(35 * time.Second):
		}
	}
	f.cfg.DB, f.fault = storefault.Wrap(f.db, plan)
	f.engine.Store(f.process())
	var ctx context.Context
	ctx, f.ending = context.WithCancel(f.ctx)
	f.loops.Go(func() { f.supervise(ctx) })
	f.loops.Go(func() { f.beat(ctx) })
	synctest.Wait()
	return f
}

func (f *faultWorld) process() *sangdam.Engine {
	e, err := sangdam.New(f.cfg)
	require.NoError(f.t, err)
	return e
}

// supervise runs one process after the other, as an operating system does.
func (f *faultWorld) supervise(ctx context.Context) {
	for ctx.Err() == nil {
		life, kill := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- f.engine.Load().Run(life) }()
		for alive := true; alive; {
			select {
			case <-ended: // it could not start, or we end
				alive = false
				ended <- nil
			case <-time.After(50 * time.Millisecond):
				alive = !f.fault.Dead()
			}
		}
		kill()
		<-ended
		if f.fault.Dead() {
			f.fault.Revive()
		}
		if ctx.Err() == nil {
			f.engine.Store(f.process())
		}
	}
}

// beat keeps the consoles of online agents connected.
func (f *faultWorld) beat(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Second):
		}
		f.mu.Lock()
		var online []routing.AgentID
		for _, a := range []routing.AgentID{"a1", "a2"} {
			if f.beats[a] {
				online = append(online, a)
			}
		}
		f.mu.Unlock()
		if len(online) > 0 {
			_ = f.engine.Load().Heartbeat(ctx, ws, online...)
		}
	}
}

func (f *faultWorld) close() {
	f.ending()
	f.loops.Wait()
	f.line.Close()
	require.NoError(f.t, f.db.Close())
}

// rest ends the fault and lets everything come to rest.
func (f *faultWorld) rest() {
	if !f.fault.Dead() {
		f.fault.Revive()
	}
	f.pass(3 * time.Minute)
}

// broken tells which calls went wrong.
func (f *faultWorld) broken() []storefault.Call {
	var out []storefault.Call
	for _, c := range f.fault.History() {
		if c.Fault != "" && len(out) < 3 {
			out = append(out, c)
		}
	}
	return out
}

// unavailable says that nothing is known of the outcome: the caller repeats.
func unavailable(err error) bool {
	return errors.Is(err, sangdam.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// do gives a command as a caller would: with one key, until there is an answer.
func (f *faultWorld) do(p sangdam.Principal, a sangdam.Action, call func(e *sangdam.Engine, k sangdam.Key) error) error {
	f.keys++
	key := sangdam.Key(fmt.Sprintf("key %d", f.keys))
	for range 200 {
		err := call(f.engine.Load(), key)
		if err == nil {
			f.done[string(p.Kind)+":"+p.ID+" "+string(a)]++
			return nil
		}
		if !unavailable(err) {
			return err
		}
		f.pass(500 * time.Millisecond)
	}
	f.t.Fatalf("%s never got an answer; broken: %v", a, f.broken())
	return nil
}

// must is do for commands that nothing may refuse.
func (f *faultWorld) must(p sangdam.Principal, a sangdam.Action, call func(e *sangdam.Engine, k sangdam.Key) error) {
	f.t.Helper()
	require.NoError(f.t, f.do(p, a, call), "%s; broken: %v", a, f.broken())
}

// until waits for something that must come to pass. It looks again when the
// engine has called its store since, and every few seconds for what was under
// way in a call that takes long.
func (f *faultWorld) until(what string, cond func() bool) {
	f.t.Helper()
	seen := -1
	for i := range 4000 {
		if calls := f.fault.Calls(); calls != seen || i%20 == 0 {
			seen = calls
			if cond() {
				return
			}
		}
		f.pass(250 * time.Millisecond)
	}
	f.t.Fatalf("it never came to pass: %s; broken: %v", what, f.broken())
}

func (f *faultWorld) presence(a routing.AgentID, to routing.Presence) {
	f.t.Helper()
	f.must(f.agent(a), sangdam.ActPresence, func(e *sangdam.Engine, k sangdam.Key) error {
		return e.SetPresence(f.ctx, f.agent(a), sangdam.SetPresence{Key: k, Agent: a, Presence: to})
	})
	f.mu.Lock()
	f.beats[a] = to != routing.Offline
	f.mu.Unlock()
}

// latest is the newest conversation in a chat; false when there is none.
func (f *faultWorld) latest(u *linetest.User) (sangdam.Detail, bool) {
	f.t.Helper()
	page, err := f.reader.Conversations(f.ctx, f.host, conversation.Filter{}, "", 200)
	require.NoError(f.t, err)
	var found *conversation.Conversation
	for i, c := range page.Conversations {
		if c.Chat.ID == u.ID() && c.MergedInto == "" && (found == nil || c.OpenedAt.After(found.OpenedAt)) {
			found = &page.Conversations[i]
		}
	}
	if found == nil {
		return sangdam.Detail{}, false
	}
	d, err := f.reader.Conversation(f.ctx, f.host, found.ID)
	require.NoError(f.t, err)
	return d, true
}

// offered waits until the user's conversation is offered to somebody.
func (f *faultWorld) offered(u *linetest.User) (d sangdam.Detail) {
	f.t.Helper()
	f.until(u.Name()+" is offered", func() bool {
		var ok bool
		d, ok = f.latest(u)
		return ok && d.Offer != nil
	})
	return d
}

// taken lets whoever is asked accept, until somebody owns the conversation.
func (f *faultWorld) taken(u *linetest.User) (owned sangdam.Owned) {
	f.t.Helper()
	f.until(u.Name()+" is served", func() bool {
		d := f.offered(u)
		p := f.agent(d.Offer.Agent)
		err := f.do(p, sangdam.ActOffer, func(e *sangdam.Engine, k sangdam.Key) (err error) {
			owned, err = e.Accept(f.ctx, p, sangdam.Accept{Key: k, Offer: d.Offer.ID})
			return err
		})
		if err != nil {
			require.ErrorIs(f.t, err, sangdam.ErrStale)
		}
		return err == nil
	})
	return owned
}

func (f *faultWorld) answer(c sangdam.Owned, text string) {
	f.t.Helper()
	p := f.agent(c.Agent)
	f.must(p, sangdam.ActAnswer, func(e *sangdam.Engine, k sangdam.Key) error {
		_, err := e.Answer(f.ctx, p, sangdam.Answer{Key: k, Conversation: c.Conversation, Content: channel.Text(text)})
		return err
	})
	f.said = append(f.said, text)
}

func (f *faultWorld) end(c sangdam.Owned, final bool) {
	f.t.Helper()
	p := f.agent(c.Agent)
	f.must(p, sangdam.ActEnd, func(e *sangdam.Engine, k sangdam.Key) error {
		_, err := e.End(f.ctx, p, sangdam.End{Key: k, Conversation: c.Conversation, Final: final, Reason: "resolved"})
		return err
	})
}

// is waits for a state of the user's newest conversation.
func (f *faultWorld) is(u *linetest.User, st conversation.State) {
	f.t.Helper()
	f.until(fmt.Sprintf("%s's conversation is %s", u.Name(), st), func() bool {
		d, ok := f.latest(u)
		return ok && d.Conversation.State == st
	})
}

// promisesKept holds what was acknowledged against what became of it: every
// answer is one message, and it is on the phone; only one that went out as a
// reply, which has no key, may be shown as unknown.
func (f *faultWorld) promisesKept(s *stateOfWorld, v *violations) {
	for _, text := range f.said {
		n := 0
		for _, ms := range s.messages {
			for _, m := range ms {
				if m.Direction != conversation.Outbound || m.Content.Text != text {
					continue
				}
				n++
				if m.Status != conversation.StatusSent && (m.Status != conversation.StatusUnknown || f.pushed(text)) {
					v.add("I9", "the answer %q is %s (%s, %s), on a route with a key", text, m.Status, m.Reason, m.Detail)
				}
			}
		}
		if n != 1 {
			v.add("I9", "the acknowledged answer %q is stored %d times", text, n)
		}
	}
}

// pushed says that the text went out on the route that has a key.
func (f *faultWorld) pushed(text string) bool {
	return slices.ContainsFunc(f.line.Calls("push"), func(c linetest.Call) bool { return strings.Contains(string(c.Body), text) })
}

// playDesk: two customers, two agents, everything that people do.
func playDesk(f *faultWorld) {
	f.presence("a1", routing.Online)
	f.presence("a2", routing.Online)
	mina, jun := f.line.User("Mina"), f.line.User("Jun")
	mina.SendText("환불 되나요?")
	jun.Follow()
	jun.SendText("second customer")
	c := f.taken(mina)
	first := f.offered(jun).Offer
	err := f.do(f.agent(first.Agent), sangdam.ActOffer, func(e *sangdam.Engine, k sangdam.Key) error {
		return e.Decline(f.ctx, f.agent(first.Agent), sangdam.Decline{Key: k, Offer: first.ID})
	})
	if err != nil {
		require.ErrorIs(f.t, err, sangdam.ErrStale)
	}
	j := f.taken(jun)

	f.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.Fault500Before, Nth: 1})
	f.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultCutAfter, Nth: 2})
	f.answer(c, "네, 가능합니다.")
	f.answer(c, "영수증을 보내 주세요.")
	p := f.agent(c.Agent)
	f.must(p, sangdam.ActNote, func(e *sangdam.Engine, k sangdam.Key) error {
		_, err := e.AddNote(f.ctx, p, sangdam.AddNote{Key: k, Conversation: c.Conversation, Text: "asked for the receipt"})
		return err
	})
	mina.Send(linetest.Image("image/png", []byte("\x89PNG\r\n\x1a\nreceipt")))
	said := mina.SendText("not this")
	f.until("both are stored", func() bool { d, _ := f.latest(mina); return d.Conversation.Unread == 2 })
	_, err = mina.Unsend(said.MessageID)
	require.NoError(f.t, err)
	f.answer(c, "thank you")
	f.must(p, sangdam.ActEnd, func(e *sangdam.Engine, k sangdam.Key) error {
		_, err := e.Wait(f.ctx, p, sangdam.Wait{Key: k, Conversation: c.Conversation})
		return err
	})
	f.is(mina, conversation.StateWaiting)
	mina.SendText("one more thing")
	c = f.taken(mina)

	other := map[routing.AgentID]routing.AgentID{"a1": "a2", "a2": "a1"}[c.Agent]
	f.until("the transfer succeeds", func() bool {
		err := f.do(f.agent(c.Agent), sangdam.ActTransfer, func(e *sangdam.Engine, k sangdam.Key) error {
			_, err := e.Transfer(f.ctx, f.agent(c.Agent), sangdam.Transfer{Key: k, Conversation: c.Conversation, Agent: other})
			return err
		})
		if err != nil {
			require.ErrorIs(f.t, err, sangdam.ErrStale) // the other is busy or is being asked
		}
		return err == nil
	})
	c.Agent = other
	f.answer(c, "the other agent here")
	f.end(c, false) // wrap-up, then closed by its deadline
	f.must(f.agent(j.Agent), sangdam.ActTransfer, func(e *sangdam.Engine, k sangdam.Key) error {
		_, err := e.Transfer(f.ctx, f.agent(j.Agent), sangdam.Transfer{Key: k, Conversation: j.Conversation, Queue: "q"})
		return err
	})
	j = f.taken(jun)
	f.end(j, true)
	f.is(mina, conversation.StateClosed)
	mina.SendText("it is me again") // opens again
	f.end(f.taken(mina), true)
	f.presence("a2", routing.Offline)
}

// playBot: a bot asks, hands over, an agent answers, silence closes.
func playBot(f *faultWorld) {
	f.presence("a1", routing.Online)
	mina := f.line.User("Mina")
	mina.SendText("hello")
	f.until("the bot asks", func() bool { return hears(mina, intake.Question) })
	mina.SendText("A-17")
	c := f.taken(mina)
	d, _ := f.latest(mina)
	require.Equal(f.t, "A-17", d.Conversation.Attributes["order"])
	f.answer(c, "found it")
	f.is(mina, conversation.StateClosed)
}

func hears(u *linetest.User, text string) bool {
	for _, got := range u.Texts() {
		if got == text {
			return true
		}
	}
	return false
}

// playLost: an agent's console dies; its work goes to the other.
func playLost(f *faultWorld) {
	f.presence("a1", routing.Online)
	mina, jun := f.line.User("Mina"), f.line.User("Jun")
	mina.SendText("hello")
	c := f.taken(mina)
	f.answer(c, "one moment")
	mina.SendText("still there?")
	f.presence("a2", routing.Online)
	f.mu.Lock()
	f.beats["a1"] = false
	f.mu.Unlock()
	f.until("a1 is given up", func() bool {
		agents, err := f.reader.Agents(f.ctx, f.host)
		require.NoError(f.t, err)
		return agents[0].State.Presence == routing.Offline
	})
	jun.SendText("hello too")
	j := f.taken(jun)
	require.Equal(f.t, routing.AgentID("a2"), j.Agent)
	f.until("a1's work is queued again", func() bool { d, _ := f.latest(mina); return d.Conversation.State == conversation.StateOpen })
	c = f.taken(mina)
	require.Equal(f.t, routing.AgentID("a2"), c.Agent)
	f.answer(c, "I took over")
	f.end(c, true)
	f.end(j, true)
}

// playPeople: visitors, contacts, and two customers who are one person.
func playPeople(f *faultWorld) {
	f.presence("a1", routing.Online)
	mina, twin := f.line.User("Mina"), f.line.User("Mina at work")
	mina.SendText("from my phone")
	c := f.taken(mina)
	port := visitor.Ref{Workspace: ws, Account: f.acct.ID, User: channel.ProviderUserID(twin.ID())}
	f.visits(port, "visitor.post", func(v visitor.Port, key string) error {
		_, err := v.Post(f.ctx, port, key, channel.Text("from my office"))
		return err
	})
	f.visits(port, "visitor.consent", func(v visitor.Port, key string) error {
		return v.Consent(f.ctx, port, key, "privacy", "2026-01")
	})
	d, ok := f.latest(twin)
	require.True(f.t, ok)
	var saved sangdam.ContactSaved
	first, _ := f.latest(mina)
	f.until("the contact is saved", func() bool {
		contact, _, err := f.reader.Contact(f.ctx, f.host, first.Contact.ID)
		require.NoError(f.t, err)
		version := contact.Version
		contact.Name, contact.Email = "Kim Mina", "mina@example.com"
		err = f.do(f.host, sangdam.ActContact, func(e *sangdam.Engine, k sangdam.Key) (err error) {
			saved, err = e.SaveContact(f.ctx, f.host, sangdam.SaveContact{Key: k, Contact: contact, Version: version})
			return err
		})
		if err != nil {
			require.ErrorIs(f.t, err, sangdam.ErrStale) // its profile just came
		}
		return err == nil
	})
	f.must(f.host, sangdam.ActContact, func(e *sangdam.Engine, k sangdam.Key) (err error) {
		_, err = e.LinkIdentity(f.ctx, f.host, sangdam.LinkIdentity{Key: k, Identity: d.Conversation.Identity, Contact: saved.Contact})
		return err
	})
	f.visits(port, "visitor.post", func(v visitor.Port, key string) error {
		_, err := v.Post(f.ctx, port, key, channel.Text("we are one"))
		return err
	})
	f.until("all is in one conversation", func() bool {
		d, err := f.reader.Conversation(f.ctx, f.host, c.Conversation)
		require.NoError(f.t, err)
		return d.Conversation.Unread == 3
	})
	f.answer(c, "nice to meet you both")
	f.visits(port, "visitor.end", func(v visitor.Port, key string) error { return v.End(f.ctx, port, key) })
	f.visits(port, "visitor.rate", func(v visitor.Port, key string) error { return v.Rate(f.ctx, port, key, 5, "good") })
	f.end(c, true)
	f.erased(saved.Contact, c)
}

// erased erases a contact, and finds nothing of it afterwards.
func (f *faultWorld) erased(id conversation.ContactID, c sangdam.Owned) {
	plan, err := f.reader.PlanErasure(f.ctx, f.host, id)
	require.NoError(f.t, err)
	f.must(f.host, sangdam.ActErase, func(e *sangdam.Engine, k sangdam.Key) error {
		return errOf(e.EraseContact(f.ctx, f.host,
			sangdam.EraseContact{Key: k, Contact: id, Version: plan.Version, Reason: "asked for it"}))
	})
	f.until("the contact is erased", func() bool {
		at, err := f.reader.Erasure(f.ctx, f.host, id)
		require.NoError(f.t, err)
		return at.State == sangdam.ErrandDone
	})
	d, err := f.reader.Conversation(f.ctx, f.host, c.Conversation)
	require.NoError(f.t, err)
	require.Empty(f.t, d.Contact.Name+d.Contact.Email)
	for _, m := range d.Messages {
		require.True(f.t, m.Erased())
	}
	f.mu.Lock()
	f.said = nil // all of it was said to that person
	f.mu.Unlock()
}

// visits is do for the Visitor port.
func (f *faultWorld) visits(v visitor.Ref, a sangdam.Action, call func(v visitor.Port, key string) error) {
	f.t.Helper()
	p := sangdam.Principal{Workspace: ws, Kind: sangdam.KindVisitor, ID: string(v.Account) + "/" + string(v.User)}
	err := f.do(p, a, func(e *sangdam.Engine, k sangdam.Key) error { return call(e.Visitor(), string(k)) })
	require.NoError(f.t, err, "%s; broken: %v", a, f.broken())
	delete(f.done, string(p.Kind)+":"+p.ID+" "+string(a))
	f.done["customer "+string(a)]++
}
