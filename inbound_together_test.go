package sangdam_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// togetherN is how many customers write while the engine stands still, so that
// their lanes are claimed at once; each writes twice.
const togetherN = 12

// pile lets customers write to an engine that stands still, and returns the chat
// of one in the middle.
func (w *world) pile() (victim string) {
	w.t.Helper()
	w.halt()
	for i := range togetherN {
		u := w.line.User(fmt.Sprint("customer", i))
		u.SendText("one")
		u.SendText("two")
		if i == togetherN/2 {
			victim = u.ID()
		}
	}
	synctest.Wait() // all of it is stored before anybody claims
	return victim
}

// piled checks that everything that was piled up was done once and in order.
func (w *world) piled(but string) {
	w.t.Helper()
	seen := 0
	for _, c := range w.conversations() {
		if c.Chat.ID == but {
			continue
		}
		seen++
		var customer []string
		for _, m := range w.detail(c.ID).Messages {
			if m.Direction == conversation.Inbound {
				customer = append(customer, m.Content.Text)
			}
		}
		require.Equal(w.t, []string{"one", "two"}, customer, "chat %s", c.Chat.ID)
	}
	if but == "" {
		require.Equal(w.t, togetherN, seen)
	} else {
		require.Equal(w.t, togetherN-1, seen)
	}
}

// TestBatchOfEventsHarmsNobody: when one of many lanes fails, the others are
// processed, each event once and in order; and the one is tried by itself.
func TestBatchOfEventsHarmsNobody(t *testing.T) {
	all := maps.Clone(failures)
	all["panics"] = func() error { panic("a fault of the flow") }
	for name, fail := range all {
		t.Run(name, func(t *testing.T) {
			var s *saboteur
			inWorld(t, func(w *world) {
				victim := w.pile()
				tries := 3
				s.set(func(c conversation.Conversation) bool { return c.Chat.ID == victim }, func() error {
					if tries--; tries < 0 && name != "clashes" {
						return nil
					}
					return fail()
				})
				w.resume()
				w.settle()
				times, most := s.seen()
				require.Greater(t, times, 1, "it was tried together and alone")
				require.Greater(t, most, 4, "lanes share a transaction")
				if name == "clashes" {
					w.piled(victim)
				}
				s.set(nil, nil)
				w.pass(2 * time.Minute)
				w.piled("")
				w.invariants()
			}, withConfig(func(cfg *sangdam.Config) {
				s = &saboteur{Backend: cfg.DB.Backend()}
				cfg.DB = store.New(s)
			}))
		})
	}
}

// TestBatchWithAPoisonedEventSetsItAside: an event that never can be processed is
// set aside after its tries, which the others are spared, and its lane goes on.
func TestBatchWithAPoisonedEventSetsItAside(t *testing.T) {
	var s *saboteur
	inWorld(t, func(w *world) {
		victim := w.pile()
		s.set(func(c conversation.Conversation) bool { return c.Chat.ID == victim && c.Unread == 1 }, failures["refused"])
		w.resume()
		w.pass(10 * time.Minute)
		w.piled(victim)
		set, err := w.eng.Quarantined(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Len(t, set, 2)
		for _, q := range set {
			require.Equal(t, 4, q.Envelope.Tries, "and the fifth set it aside")
		}
	}, withConfig(func(cfg *sangdam.Config) {
		s = &saboteur{Backend: cfg.DB.Backend()}
		cfg.DB = store.New(s)
	}))
}

// TestAFlowThatStaysStaleIsSetAside: an event whose flow is refused as stale again
// and again although its claim is not lost is tried ever more rarely and then set
// aside, as one that fails otherwise.
func TestAFlowThatStaysStaleIsSetAside(t *testing.T) {
	var s *saboteur
	inWorld(t, func(w *world) {
		victim := w.pile()
		tries := 0
		s.set(func(c conversation.Conversation) bool { return c.Chat.ID == victim && c.Unread == 1 }, func() error {
			if tries++; tries > 100 {
				return nil // it spins: enough is seen
			}
			return failures["is stale"]()
		})
		w.resume()
		w.pass(10 * time.Minute)
		require.Less(t, tries, 30)
		w.piled(victim)
		set, err := w.eng.Quarantined(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Len(t, set, 2)
	}, withConfig(func(cfg *sangdam.Config) {
		s = &saboteur{Backend: cfg.DB.Backend()}
		cfg.DB = store.New(s)
	}))
}

// TestBatchOfEventsWhoseReplyIsLost: nobody knows whether the commit took effect;
// whoever claims the lanes next finds out, and nothing is done twice.
func TestBatchOfEventsWhoseReplyIsLost(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprintf("before the commit: %v", before), func(t *testing.T) {
			lost := &lostReply{before: before}
			inWorld(t, func(w *world) {
				w.pile()
				lost.arm()
				w.resume()
				w.pass(time.Minute)
				require.True(t, lost.happened())
				w.piled("")
				w.invariants()
			}, withConfig(func(cfg *sangdam.Config) {
				lost.Backend = cfg.DB.Backend()
				cfg.DB = store.New(lost)
			}))
		})
	}
}

// thief is a store that spoils the claim of one lane, once.
type thief struct {
	driver.Backend
	mu     sync.Mutex
	victim string
	done   bool
}

func (b *thief) System() driver.System { return thiefSystem{b.Backend.System(), b} }

type thiefSystem struct {
	driver.System
	b *thief
}

func (s thiefSystem) ClaimInbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.InboxLane, error) {
	lanes, err := s.System.ClaimInbox(ctx, node, limit, batch, lease)
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for i, l := range lanes {
		if s.b.victim != "" && !s.b.done && l.Lane == s.b.victim {
			lanes[i].Token, s.b.done = "stolen", true
		}
	}
	return lanes, err
}

// TestBatchWithALostClaim: a lane whose claim is lost is left to whoever has it;
// the others are processed.
func TestBatchWithALostClaim(t *testing.T) {
	b := &thief{}
	inWorld(t, func(w *world) {
		victim := w.pile()
		b.victim = "user:" + victim
		w.resume()
		w.settle()
		require.True(t, b.done, "the lane was among those that were claimed")
		w.piled(victim)
		w.pass(2 * time.Minute) // its lease ends
		w.piled("")
		w.invariants()
	}, withConfig(func(cfg *sangdam.Config) {
		b.Backend = cfg.DB.Backend()
		cfg.DB = store.New(b)
	}))
}
