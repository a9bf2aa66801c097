package sangdam_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// saboteur is a store in which saving one conversation goes wrong for a while.
// It also sees how many conversations one transaction saves.
type saboteur struct {
	driver.Backend
	mu     sync.Mutex
	victim func(conversation.Conversation) bool
	fail   func() error // nil when it goes well again
	times  int          // how often it failed
	most   int          // conversations of one transaction
	slow   time.Duration
}

func (s *saboteur) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	time.Sleep(s.slow) // so that others come meanwhile
	return s.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Conversations = saboteurConversations{tx.Conversations, &savedIn{s: s}}
		return fn(ctx, tx)
	})
}

// savedIn counts the conversations that one transaction saved.
type savedIn struct {
	s *saboteur
	n int
}

type saboteurConversations struct {
	driver.ConversationRepo
	t *savedIn
}

func (r saboteurConversations) SaveConversation(ctx context.Context, c conversation.Conversation) (int64, error) {
	s := r.t.s
	s.mu.Lock()
	var fail func() error
	if s.victim != nil && s.victim(c) {
		if fail = s.fail; fail != nil {
			s.times++
		}
	}
	r.t.n++
	s.most = max(s.most, r.t.n)
	s.mu.Unlock()
	if fail != nil {
		if err := fail(); err != nil {
			return 0, err
		}
	}
	return r.ConversationRepo.SaveConversation(ctx, c)
}

// set makes saving what the victim says go wrong from now on.
func (s *saboteur) set(victim func(conversation.Conversation) bool, fail func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.victim, s.fail, s.times, s.most = victim, fail, 0, 0
}

func (s *saboteur) seen() (times, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.times, s.most
}

// inSabotage runs fn in a world whose store may be sabotaged, with agents who may
// have as much as they like, without being asked.
func inSabotage(t *testing.T, fn func(w *world, s *saboteur, assigned map[routing.ItemID]int)) {
	t.Helper()
	var s *saboteur
	assigned := map[routing.ItemID]int{}
	var mu sync.Mutex // what goes alone goes beside others
	inWorld(t, func(w *world) { fn(w, s, assigned) },
		withStream(func(r *routing.WorkStream) { r.Cost, r.ChannelCost, r.AutoAccept = 0, 0, true }),
		withConfig(func(cfg *sangdam.Config) {
			s = &saboteur{Backend: cfg.DB.Backend()}
			cfg.DB = store.New(s)
			cfg.Hooks.Assigned = func(_ id.Workspace, a routing.Assignment) {
				mu.Lock()
				defer mu.Unlock()
				assigned[a.Item]++
			}
		}))
}

// failures are the ways in which one piece of a transaction goes wrong.
var failures = map[string]func() error{
	"refused":  func() error { return errs.New(errs.Invalid, "a value that cannot be stored") },
	"is stale": func() error { return errs.New(errs.Stale, "it has changed") },
	"clashes":  func() error { return driver.ErrClash },
}

// waiting lets so many customers write while nobody is there, and returns the
// conversation of one in the middle.
func (w *world) waiting(n int) conversation.ID {
	w.t.Helper()
	for i := range n {
		w.line.User(fmt.Sprint("customer", i)).SendText("hello")
	}
	w.settle()
	all := w.conversations()
	require.Len(w.t, all, n)
	return all[n/2].ID
}

// TestBatchOfDecisionsHarmsNobody: when one of many decisions cannot be carried
// out, the others are, each once; and the one is as soon as it can be.
func TestBatchOfDecisionsHarmsNobody(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			inSabotage(t, func(w *world, s *saboteur, assigned map[routing.ItemID]int) {
				const n = 12
				victim := w.waiting(n)
				s.set(func(c conversation.Conversation) bool { return c.ID == victim && c.Agent != "" }, fail)
				w.online("a1", "a2")
				times, most := s.seen()
				require.Positive(t, times, "it was tried")
				require.Greater(t, most, 1, "decisions share a transaction")
				require.Len(t, assigned, n-1)
				require.NotContains(t, assigned, routing.ItemID(victim))
				s.set(nil, nil)
				w.pass(2 * time.Minute)
				require.Len(t, assigned, n)
				for item, times := range assigned {
					require.Equal(t, 1, times, "item %s", item)
				}
				w.invariants()
			})
		})
	}
}

// TestBatchOfOutcomesHarmsNobody: the outcomes of sends that end at the same time
// are recorded together. One that cannot be harms none of the others, and no
// message goes out twice for it.
func TestBatchOfOutcomesHarmsNobody(t *testing.T) {
	all := maps.Clone(failures)
	all["panics"] = func() error { panic("a fault of the flow") }
	for name, fail := range all {
		t.Run(name, func(t *testing.T) {
			inSabotage(t, func(w *world, s *saboteur, _ map[routing.ItemID]int) {
				const n = 12
				victim := w.waiting(n)
				w.online("a1", "a2")
				w.halt()
				w.answerAll()
				tries := 3
				s.set(func(c conversation.Conversation) bool { return c.ID == victim }, func() error {
					if tries--; tries < 0 {
						return nil
					}
					return fail()
				})
				s.slow = 10 * time.Millisecond
				w.resume()
				w.pass(5 * time.Second)
				_, most := s.seen()
				require.Greater(t, most, 1, "outcomes share a transaction")
				s.set(nil, nil)
				w.pass(5 * time.Minute)
				for _, u := range w.line.Users() {
					got := 0
					for _, m := range u.Received() {
						if m.Text == "answer" {
							got++
						}
					}
					require.Equal(t, 1, got, u.ID())
				}
				for _, c := range w.conversations() {
					for _, m := range w.detail(c.ID).Messages {
						if m.Direction == conversation.Outbound && m.Author.Kind == conversation.ByAgent {
							require.Equal(t, conversation.StatusSent, m.Status)
						}
					}
				}
				w.invariants()
			})
		})
	}
}

// answerAll lets every conversation be answered at once.
func (w *world) answerAll() {
	var wg sync.WaitGroup
	for _, c := range w.conversations() {
		wg.Go(func() {
			_, err := w.eng.Answer(w.ctx, w.agent(c.Agent), sangdam.Answer{Conversation: c.ID, Content: channel.Text("answer")})
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestBatchOfDecisionsEndsWithAPanic: a function that panics once in a shared
// transaction leaves nothing behind, and everything is done after it.
func TestBatchOfDecisionsEndsWithAPanic(t *testing.T) {
	inSabotage(t, func(w *world, s *saboteur, assigned map[routing.ItemID]int) {
		victim := w.waiting(12)
		first := true
		s.set(func(c conversation.Conversation) bool { return c.ID == victim && c.Agent != "" }, func() error {
			if first {
				first = false
				panic("a strategy's fault")
			}
			return nil
		})
		w.online("a1", "a2")
		require.Len(t, assigned, 12)
		w.invariants()
	})
}

// TestBatchOfDecisionsWhoseReplyIsLost: nobody knows whether the commit took
// effect; it is found out, and nothing is done twice.
func TestBatchOfDecisionsWhoseReplyIsLost(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprintf("before the commit: %v", before), func(t *testing.T) {
			lost := &lostReply{before: before}
			inWorld(t, func(w *world) {
				w.waiting(12)
				lost.arm()
				w.online("a1", "a2")
				w.pass(time.Minute)
				require.True(t, lost.happened())
				for _, c := range w.conversations() {
					require.Equal(t, conversation.StateActive, c.State)
				}
				w.invariants()
			}, withStream(func(r *routing.WorkStream) { r.Cost, r.ChannelCost, r.AutoAccept = 0, 0, true }),
				withConfig(func(cfg *sangdam.Config) {
					lost.Backend = cfg.DB.Backend()
					cfg.DB = store.New(lost)
				}))
		})
	}
}

// lostReply loses the reply to the first transaction that gives several items to
// agents, once armed.
type lostReply struct {
	driver.Backend
	mu                  sync.Mutex
	before, armed, lost bool
}

func (l *lostReply) arm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = true
}

func (l *lostReply) happened() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *lostReply) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	var saved int
	gone := errs.New(errs.Unavailable, "the connection was cut")
	hit := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.armed || saved < 2 {
			return false
		}
		l.armed, l.lost = false, true
		return true
	}
	err := l.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		counting := &saboteur{}
		of := &savedIn{s: counting}
		tx.Conversations = saboteurConversations{tx.Conversations, of}
		err := fn(ctx, tx)
		saved = of.n
		if err == nil && l.before && hit() {
			return gone
		}
		return err
	})
	if err == nil && !l.before && hit() {
		return gone
	}
	return err
}

// meantime is a store in which something happens between the Board's decisions and
// the transaction that carries them out, once.
type meantime struct {
	driver.Backend
	mu     sync.Mutex
	happen func()
	pieces int // decisions of the transaction
}

func (m *meantime) set(happen func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.happen = happen
}

func (m *meantime) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	met := false
	err := m.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Session = meantimeSession{tx.Session, func(w driver.Wanted) bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			if met = m.happen != nil && w.Lease != "" && len(w.Agents) > 1; met {
				m.pieces = len(w.Agents)
			}
			return met
		}}
		return fn(ctx, tx)
	})
	if met {
		m.mu.Lock()
		happen := m.happen
		m.happen = nil
		m.mu.Unlock()
		happen()
	}
	return err
}

type meantimeSession struct {
	driver.Session
	met func(driver.Wanted) bool
}

func (s meantimeSession) Ahead(ctx context.Context, w driver.Wanted) (bool, error) {
	if s.met(w) {
		return false, driver.ErrClash // it is tried again on what is there then
	}
	return s.Session.Ahead(ctx, w)
}

// inMeantime runs fn in a world in which customers wait and two agents are there,
// while the engine stands still.
func inMeantime(t *testing.T, fn func(w *world, m *meantime, assigned func() map[routing.ItemID][]routing.AgentID)) {
	t.Helper()
	m := &meantime{}
	so := map[routing.ItemID][]routing.AgentID{}
	var mu sync.Mutex
	assigned := func() map[routing.ItemID][]routing.AgentID {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(so)
	}
	inWorld(t, func(w *world) {
		w.waiting(12)
		w.halt()
		w.online("a1", "a2")
		fn(w, m, assigned)
		require.Equal(t, 12, m.pieces, "they were to be carried out together")
		require.Len(t, assigned(), 12)
		for item, who := range assigned() {
			require.Len(t, who, 1, "item %s", item)
		}
		w.invariants()
	}, withStream(func(r *routing.WorkStream) { r.Cost, r.ChannelCost, r.AutoAccept = 0, 0, true }),
		withConfig(func(cfg *sangdam.Config) {
			m.Backend = cfg.DB.Backend()
			cfg.DB = store.New(m)
			cfg.Hooks.Assigned = func(_ id.Workspace, a routing.Assignment) {
				mu.Lock()
				defer mu.Unlock()
				so[a.Item] = append(so[a.Item], a.Agent)
			}
		}))
}

// TestBatchOfDecisionsWhoseAgentWentOffline: what was decided for who has gone is
// refused, the others' is carried out, and the refused goes to who is there.
func TestBatchOfDecisionsWhoseAgentWentOffline(t *testing.T) {
	inMeantime(t, func(w *world, m *meantime, assigned func() map[routing.ItemID][]routing.AgentID) {
		m.set(func() {
			err := w.eng.SetPresence(w.ctx, w.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Offline})
			require.NoError(w.t, err)
		})
		w.resume()
		w.pass(time.Minute)
		for item, who := range assigned() {
			require.Equal(w.t, []routing.AgentID{"a2"}, who, "item %s", item)
		}
	})
}

// TestBatchOfDecisionsWhoseLeaseIsLost: once another process leads, nothing is
// carried out that was decided here before.
func TestBatchOfDecisionsWhoseLeaseIsLost(t *testing.T) {
	inMeantime(t, func(w *world, m *meantime, assigned func() map[routing.ItemID][]routing.AgentID) {
		const lease = "router/" + string(ws)
		m.set(func() {
			_, err := w.db.System().Lease(w.ctx, lease, "n1", time.Millisecond)
			require.NoError(w.t, err)
			time.Sleep(2 * time.Millisecond)
			_, err = w.db.System().Lease(w.ctx, lease, "another", 20*time.Second)
			require.NoError(w.t, err)
		})
		w.resume()
		w.pass(10 * time.Second)
		require.Empty(w.t, assigned(), "another leads")
		w.pass(2 * time.Minute)
	})
}

// TestADeadlineThatPanicsHoldsUpNoOther: what is due and panics each time takes
// neither the process nor the other deadlines with it.
func TestADeadlineThatPanicsHoldsUpNoOther(t *testing.T) {
	var s *saboteur
	inWorld(t, func(w *world) {
		victim := w.waiting(3)
		w.online("a1", "a2")
		s.set(func(c conversation.Conversation) bool { return c.ID == victim && c.State == conversation.StateClosed },
			func() error { panic("a fault of what is due") })
		closed := func() (n int) {
			w.t.Helper()
			for _, c := range w.conversations() {
				if c.State == conversation.StateClosed {
					n++
				}
			}
			return n
		}
		beating := func(d time.Duration) {
			for range d / (15 * time.Second) {
				beaten(t, w.eng.Heartbeat(w.ctx, ws, "a1", "a2"))
				w.pass(15 * time.Second)
			}
		}
		w.answerAll()
		beating(5 * time.Minute)
		times, _ := s.seen()
		require.Greater(t, times, 1, "it was tried again")
		require.Equal(t, 2, closed())
		s.set(nil, nil)
		beating(2 * time.Minute)
		require.Equal(t, 3, closed())
		w.invariants()
	}, withStream(func(r *routing.WorkStream) {
		r.Cost, r.ChannelCost, r.AutoAccept, r.AutoClose, r.Messages = 0, 0, true, time.Minute, nil
	}), withConfig(func(cfg *sangdam.Config) {
		s = &saboteur{Backend: cfg.DB.Backend()}
		cfg.DB = store.New(s)
	}))
}
