package sangdam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Each kind of work that shares transactions meets each kind of harm, on each
// store: of the members of a shared transaction one goes wrong. The others' work is
// done, each once, and the one's too, as soon as nothing harms it any more.

// harm is what befalls one member. Who that is shows when a transaction comes to
// its second: that one is the victim, so that harm never meets a member alone.
type harm struct {
	name string
	// fail is in place of the victim's write or, with after, comes once it was made;
	// as often as times says.
	fail  func() error
	after bool
	times int
	// change happens to the victim between what the transaction read and its end.
	// An error says that it could not, since the transaction holds what it changes.
	change func(b *batchWorld, victim, agent string) error
	// lost is the reply to the commit, which had an effect or not.
	lost, effect bool
	// stolen is the claim of one of those that are claimed together.
	stolen bool
	// named says that it shows which member it is, so that no other runs alone; but
	// for so many while it is looked for.
	named  bool
	search int
	// ends says that it fails when the transaction writes what is left to be written,
	// which does not show whose fault it is.
	ends bool
}

func refuses() error    { return errs.New(errs.Invalid, "a value that cannot be stored") }
func isStale() error    { return errs.New(errs.Stale, "it has changed") }
func clashes() error    { return driver.ErrClash }
func panics() error     { panic("a fault of the flow") }
func unreadable() error { return errs.New(errs.Unavailable, "a row that cannot be read") }

// harms are those of every kind of work.
var harms = []harm{
	{name: "is refused", fail: refuses, times: 3, named: true},
	{name: "is refused after it wrote", fail: refuses, after: true, times: 3, named: true},
	{name: "is stale", fail: isStale, times: 3, named: true},
	{name: "panics", fail: panics, times: 3, named: true},
	{name: "panics after it wrote", fail: panics, after: true, times: 3, named: true},
	{name: "clashes", fail: clashes, after: true, times: 40, named: true},
	{name: "clashes at the end", fail: clashes, ends: true, times: 40, named: true, search: 2},
	{name: "is refused at the end", fail: refuses, ends: true, times: 3, named: true, search: 2},
	{name: "panics at the end", fail: panics, ends: true, times: 3, named: true, search: 2},
	{name: "cannot be read", fail: unreadable, times: 3, named: true},
	{name: "loses the reply to the commit", lost: true, effect: true},
	{name: "loses the connection before the commit", lost: true},
}

// batchWorld is a world in which work of one kind piles up and is then done.
type batchWorld struct {
	*replayWorld
	m      *meddler
	plain  *sangdam.Engine // on the store as it is, for what happens meanwhile
	serial bool            // the store runs one transaction after the other
	slow   time.Duration

	mu       sync.Mutex
	assigned map[routing.ItemID][]routing.AgentID
	round    int
}

const batchMembers = 8

// inBatches runs each harm on what piles up, in one world a store.
func inBatches(t *testing.T, kind batchKind) {
	alongside(t, []string{onMemory, onSQLite, onPG})
	var m *meddler
	var b *batchWorld
	options := []worldOption{withStream(func(r *routing.WorkStream) {
		r.Cost, r.ChannelCost, r.AutoAccept, r.Messages = 0, 0, true, nil
	}), withConfig(func(cfg *sangdam.Config) {
		b = &batchWorld{assigned: map[routing.ItemID][]routing.AgentID{}}
		m = &meddler{Backend: cfg.DB.Backend(), b: b, shut: map[driver.News]bool{}, jobs: map[string]driver.Job{}, over: map[string]bool{}}
		b.m = m
		cfg.DB = store.New(m)
		cfg.Lease, cfg.SendTimeout = 2*time.Second, time.Second
		cfg.Hooks.Assigned = func(_ id.Workspace, a routing.Assignment) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.assigned[a.Item] = append(b.assigned[a.Item], a.Agent)
		}
	})}
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		b := b
		b.replayWorld, b.serial, b.slow = w, w.dir != "" || kind.serial, 5*time.Millisecond
		plain := w.cfg
		plain.DB, plain.Node, plain.Hooks = w.db, "n2", sangdam.Hooks{}
		var err error
		b.plain, err = sangdam.New(plain)
		require.NoError(t, err)
		for _, h := range append(slices.Clone(harms), kind.harms...) {
			b.suffers(kind, h)
		}
		if !w.real && !kind.masks { // what is masked is not what the customer said
			w.invariants()
		}
	}, options...)
}

// suffers lets work pile up, harm befall one of it, and waits until it is done. On a
// machine that does much else all may come one by one; then more of it piles up.
func (b *batchWorld) suffers(kind batchKind, h harm) {
	b.t.Helper()
	for range 5 {
		if b.suffered(kind, h) {
			return
		}
	}
	require.Fail(b.t, "nothing was harmed, or the others never share a transaction", h.name)
}

func (b *batchWorld) suffered(kind batchKind, h harm) bool {
	b.t.Helper()
	b.round++
	kind.pile(b)
	b.m.arm(&h, func(of touch) string { return kind.member(b, of) })
	kind.open(b)
	var why string
	b.until(func() bool { why = kind.done(b); return why == "" }, func() string { return kind.name + " " + h.name + ": " + why })
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	b.m.harm, b.m.member = nil, nil
	if b.m.victim == "" || b.m.happen {
		return false
	}
	if h.named {
		if b.m.most < 2 { // no time was left for others in any transaction that was committed
			return false
		}
		require.LessOrEqual(b.t, b.m.alone, kind.alone+h.search, "%s: the others go on together", h.name)
	}
	return true
}

// until waits for something that must come to pass.
func (b *batchWorld) until(cond func() bool, what func() string) {
	b.t.Helper()
	for range 1200 {
		if cond() {
			return
		}
		if b.real {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		b.pass(250 * time.Millisecond)
		beaten(b.t, b.plain.Heartbeat(b.ctx, ws, "a1", "a2"))
	}
	require.Fail(b.t, "it never came to pass", what())
}

// shut has nobody claim work of a sort; opened ends that.
func (b *batchWorld) shut(sort driver.News) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	b.m.shut[sort] = true
}

func (b *batchWorld) opened(sort driver.News) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	delete(b.m.shut, sort)
}

// users are the round's customers.
func (b *batchWorld) name(i int) string { return fmt.Sprintf("r%dc%d", b.round, i) }

// write lets each of the round's customers write.
func (b *batchWorld) write(texts ...string) {
	b.t.Helper()
	for i := range batchMembers {
		for _, text := range texts {
			b.line.User(b.name(i)).SendText(text)
		}
	}
	if !b.real {
		synctest.Wait()
		return
	}
	require.NoError(b.t, b.line.WaitIdle(b.ctx))
}

// states are the round's newest conversations; nil while one is missing.
func (b *batchWorld) begunAll() []conversation.Conversation {
	b.t.Helper()
	of := map[string]conversation.Conversation{}
	for _, c := range b.conversations() {
		if had, is := of[c.Chat.ID]; !is || c.OpenedAt.After(had.OpenedAt) {
			of[c.Chat.ID] = c
		}
	}
	var list []conversation.Conversation
	for i := range batchMembers {
		c, is := of[b.line.User(b.name(i)).ID()]
		if !is {
			return nil
		}
		list = append(list, c)
	}
	return list
}

// are waits until all of the round's conversations are there and so.
func (b *batchWorld) are(so func(conversation.Conversation) bool) []conversation.Conversation {
	b.t.Helper()
	var list []conversation.Conversation
	b.until(func() bool {
		list = b.begunAll()
		return list != nil && !slices.ContainsFunc(list, func(c conversation.Conversation) bool { return !so(c) })
	}, func() string { return "the round's conversations" })
	return list
}

func isHeld(c conversation.Conversation) bool { return c.Agent != "" }

// present lets agents come or go without waiting for what follows.
func (b *batchWorld) presence(p routing.Presence, agents ...routing.AgentID) {
	b.t.Helper()
	for _, a := range agents {
		require.NoError(b.t, b.plain.SetPresence(b.ctx, b.agent(a), sangdam.SetPresence{Agent: a, Presence: p}))
	}
}

// note is a change of the victim's conversation by somebody else.
func note(b *batchWorld, victim string) error {
	for _, c := range b.begunAll() {
		if string(c.ID) == victim || c.Chat.ID == victim {
			return errOf(b.plain.AddNote(b.ctx, b.host, sangdam.AddNote{Conversation: c.ID, Text: "meanwhile"}))
		}
	}
	return nil
}

// goes has the victim's agent go offline.
func goes(b *batchWorld, _, agent string) error {
	if agent != "" {
		b.presence(routing.Offline, routing.AgentID(agent))
	}
	return nil
}

// batchKind is a kind of work that shares transactions.
type batchKind struct {
	name   string
	serial bool // what it changes is locked: a change comes before it is read
	masks  bool
	// alone is how many of the others may go alone although it is known who is harmed:
	// whoever comes first waits for nobody.
	alone  int
	harms  []harm
	pile   func(b *batchWorld)
	open   func(b *batchWorld)
	member func(b *batchWorld, of touch) string
	done   func(b *batchWorld) (missing string) // and fails on what is done twice
}

// TestEventsInABatchHarmNobody: events of customers, known ones and new.
func TestEventsInABatchHarmNobody(t *testing.T) {
	inBatches(t, batchKind{name: "events", alone: 2,
		harms: []harm{
			{name: "its conversation is changed", change: func(b *batchWorld, victim, _ string) error { return note(b, victim) }},
			{name: "its agent goes", change: goes},
			{name: "its claim is lost", stolen: true},
		},
		pile: func(b *batchWorld) {
			b.presence(routing.Online, "a1", "a2")
			b.write("zero")
			b.are(isHeld)
			b.shut(driver.NewsInbox)
			b.write("one", "two")
		},
		open:   func(b *batchWorld) { b.opened(driver.NewsInbox) },
		member: func(_ *batchWorld, of touch) string { return of.conversation.Chat.ID },
		done: func(b *batchWorld) string {
			for i, c := range b.begunAll() {
				var said []string
				for _, m := range b.detail(c.ID).Messages {
					if m.Direction == conversation.Inbound {
						said = append(said, m.Content.Text)
					}
				}
				require.LessOrEqual(b.t, len(said), 3, "%s: %v", b.name(i), said)
				if !slices.Equal(said, []string{"zero", "one", "two"}) {
					return fmt.Sprint(b.name(i), " said ", said)
				}
			}
			return ""
		}})
}

// TestDecisionsInABatchHarmNobody: conversations that wait are given to agents.
func TestDecisionsInABatchHarmNobody(t *testing.T) {
	inBatches(t, batchKind{name: "decisions", serial: true, alone: 2,
		harms: []harm{
			{name: "its conversation is changed", change: func(b *batchWorld, victim, _ string) error { return note(b, victim) }},
			{name: "its agent goes", change: goes},
			{name: "its lead is lost", change: func(b *batchWorld, _, _ string) error {
				const lease = "router/" + string(ws)
				_, err := b.db.System().Lease(b.ctx, lease, "n1", time.Millisecond)
				time.Sleep(3 * time.Millisecond)
				_, again := b.db.System().Lease(b.ctx, lease, "another", time.Second)
				return errors.Join(err, again)
			}},
		},
		pile: func(b *batchWorld) {
			for _, c := range b.conversations() {
				if c.State != conversation.StateClosed {
					require.NoError(b.t, errOf(b.plain.End(b.ctx, b.host, sangdam.End{Conversation: c.ID, Final: true, Unrated: true})))
				}
			}
			b.presence(routing.Offline, "a1", "a2")
			b.write("hello")
			b.are(func(c conversation.Conversation) bool { return c.State == conversation.StateOpen })
		},
		open: func(b *batchWorld) { b.presence(routing.Online, "a1", "a2") },
		member: func(_ *batchWorld, of touch) string {
			if of.conversation.Agent == "" {
				return ""
			}
			return string(of.conversation.ID)
		},
		done: func(b *batchWorld) string {
			b.mu.Lock()
			so := maps.Clone(b.assigned)
			b.mu.Unlock()
			for _, c := range b.begunAll() {
				who := so[routing.ItemID(c.ID)]
				require.LessOrEqual(b.t, len(who), 1, "assigned to %v", who)
				if c.Agent == "" {
					return "somebody waits"
				}
			}
			return ""
		}})
}

// TestOutcomesInABatchHarmNobody: what became of answers that were sent.
func TestOutcomesInABatchHarmNobody(t *testing.T) {
	inBatches(t, batchKind{name: "outcomes", alone: batchMembers,
		harms: []harm{
			{name: "its conversation is changed", change: func(b *batchWorld, victim, _ string) error { return note(b, victim) }},
			{name: "its agent goes", change: goes},
			{name: "its claim is lost", stolen: true},
		},
		pile: func(b *batchWorld) {
			b.opened(driver.NewsOutbox)
			b.presence(routing.Online, "a1", "a2")
			b.write("hello")
			list := b.are(isHeld)
			b.shut(driver.NewsOutbox)
			var all sync.WaitGroup
			for _, c := range list {
				all.Go(func() {
					_, err := b.plain.Answer(b.ctx, b.agent(c.Agent), sangdam.Answer{Conversation: c.ID, Content: channel.Text("answer")})
					if err != nil {
						b.t.Error(err)
					}
				})
			}
			all.Wait()
		},
		open:   func(b *batchWorld) { b.opened(driver.NewsOutbox) },
		member: func(_ *batchWorld, of touch) string { return string(of.conversation.ID) },
		done: func(b *batchWorld) string {
			for i, c := range b.begunAll() {
				heard := b.line.User(b.name(i)).Texts()
				require.LessOrEqual(b.t, len(heard), 1, "%s hears %v", b.name(i), heard)
				for _, m := range b.detail(c.ID).Messages {
					if m.Direction == conversation.Outbound && m.Content.Text == "answer" && m.Status != conversation.StatusSent {
						require.NotEqual(b.t, conversation.StatusUnknown, m.Status)
						return fmt.Sprint("an answer is ", m.Status)
					}
				}
				if len(heard) == 0 {
					return b.name(i) + " has heard nothing"
				}
			}
			return ""
		}})
}

// profileOf is the identity that a job asks the provider about.
func (b *batchWorld) profileOf(job string) (of conversation.IdentityID) {
	j := b.m.jobs[job] // its lock is held
	if j.Kind != "profile" {
		return ""
	}
	var p struct {
		Identity conversation.IdentityID `json:"identity"`
	}
	_ = json.Unmarshal(j.Payload, &p)
	return p.Identity
}

// TestEndsOfJobsInABatchHarmNobody: what providers said of new customers.
func TestEndsOfJobsInABatchHarmNobody(t *testing.T) {
	inBatches(t, batchKind{name: "ends of jobs", alone: batchMembers,
		harms: []harm{
			{name: "its contact is changed", change: func(b *batchWorld, victim, _ string) error {
				b.m.mu.Lock()
				identity := b.profileOf(victim)
				b.m.mu.Unlock()
				for _, c := range b.begunAll() {
					if c.Identity == identity {
						contact := *b.detail(c.ID).Contact
						contact.Name = "by hand"
						return errOf(b.plain.SaveContact(b.ctx, b.host, sangdam.SaveContact{Contact: contact, Version: contact.Version}))
					}
				}
				return nil
			}},
			{name: "its claim is lost", stolen: true},
		},
		pile: func(b *batchWorld) {
			b.shut(driver.NewsJobs)
			b.write("hello")
			b.are(func(conversation.Conversation) bool { return true })
		},
		open: func(b *batchWorld) { b.opened(driver.NewsJobs) },
		member: func(b *batchWorld, of touch) string {
			if b.profileOf(of.job) == "" {
				return ""
			}
			return of.job
		},
		done: func(b *batchWorld) string {
			for i, c := range b.begunAll() {
				d := b.detail(c.ID)
				want := b.name(i)
				if d.Contact.Known {
					want = "by hand"
				}
				if d.Contact.Name != want {
					return fmt.Sprintf("%s is called %q", b.name(i), d.Contact.Name)
				}
			}
			jobs, err := b.plain.Jobs(b.ctx, b.host, 100)
			require.NoError(b.t, err)
			if len(jobs) > 0 {
				return "a job runs"
			}
			return ""
		}})
}

// word is what a round's customer alone says.
func (b *batchWorld) word(i int) string { return fmt.Sprintf("word%cx%c", 'a'+b.round, 'a'+i) }

// TestTheIndexOfABatchHarmsNobody: what customers said is found.
func TestTheIndexOfABatchHarmsNobody(t *testing.T) {
	inBatches(t, batchKind{name: "index", masks: true, alone: 2,
		harms: []harm{
			{name: "is cut off again and again", fail: func() error { return context.Canceled }, times: 6},
			{name: "its message is masked", change: func(b *batchWorld, victim, _ string) error {
				m := b.detail(conversation.ID(victim)).Messages[0]
				return errOf(b.plain.MaskMessage(b.ctx, b.host, sangdam.MaskMessage{Message: m.ID, Version: m.Version,
					Spans: []privacy.Span{{Start: 0, End: len(m.Content.Text)}}}))
			}},
		},
		pile: func(b *batchWorld) {
			b.shut(indexing)
			for i := range batchMembers {
				b.line.User(b.name(i)).SendText(b.word(i))
			}
			b.are(func(conversation.Conversation) bool { return true })
		},
		open:   func(b *batchWorld) { b.opened(indexing) },
		member: func(_ *batchWorld, of touch) string { return string(of.message) },
		done: func(b *batchWorld) string {
			for i, c := range b.begunAll() {
				found, err := b.plain.Search(b.ctx, b.host, b.word(i), 10)
				require.NoError(b.t, err)
				want := 1
				if len(b.detail(c.ID).Messages[0].Masks) > 0 {
					want = 0
				}
				if len(found) != want {
					return fmt.Sprintf("%s is found %d times", b.word(i), len(found))
				}
			}
			return ""
		}})
}
