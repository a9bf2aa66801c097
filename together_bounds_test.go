package sangdam_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// TestATransactionTakesPiecesForAWhile: slow pieces share a transaction for no
// longer than a tenth of a second; what is left comes with the next.
func TestATransactionTakesPiecesForAWhile(t *testing.T) {
	inWorld(t, func(w *world) {
		w.halt()
		ran := 0
		slow := make([]func(), 10)
		for i := range slow {
			slow[i] = func() { ran++; time.Sleep(30 * time.Millisecond) }
		}
		taken, err := w.eng.Together(w.ctx, ws, slow...)
		require.NoError(t, err)
		require.Equal(t, 4, taken, "the fourth was begun before the time was over")
		require.Equal(t, 4, ran)
		w.eng.ShareFor(time.Minute)
		taken, err = w.eng.Together(w.ctx, ws, slow...)
		require.NoError(t, err)
		require.Equal(t, 10, taken)
		w.resume()
	})
}

// TestATransactionTakesSixtyFourPieces: however much waits, and however quick it is.
func TestATransactionTakesSixtyFourPieces(t *testing.T) {
	inSabotage(t, func(w *world, s *saboteur, assigned map[routing.ItemID]int) {
		const n = 200
		most := func(what string) {
			t.Helper()
			_, most := s.seen()
			require.LessOrEqual(t, most, 64, what)
			require.Greater(t, most, 32, what)
		}
		s.set(nil, nil)
		w.halt()
		for i := range n {
			w.line.User(fmt.Sprint("customer", i)).SendText("hello")
		}
		synctest.Wait()
		w.resume()
		w.pass(5 * time.Second)
		require.Len(t, w.conversations(), n)
		most("events")
		s.set(nil, nil)
		w.online("a1", "a2")
		w.pass(5 * time.Second)
		require.Len(t, assigned, n)
		most("decisions")
		w.halt()
		w.answerAll()
		s.set(nil, nil)
		s.slow = 20 * time.Millisecond
		w.resume()
		w.pass(30 * time.Second)
		_, together := s.seen()
		require.LessOrEqual(t, together, 64, "outcomes")
		require.Greater(t, together, 8, "outcomes")
		w.invariants()
	})
}

// timed is a store that measures how long its transactions are at work.
type timed struct {
	driver.Backend
	mu      sync.Mutex
	longest time.Duration
	runs    int
}

func (b *timed) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		began := time.Now()
		err := fn(ctx, tx)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.longest, b.runs = max(b.longest, time.Since(began)), b.runs+1
		return err
	})
}

// slowProvider answers after a second.
type slowProvider struct{ http.RoundTripper }

func (p slowProvider) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Second)
	return p.RoundTripper.RoundTrip(r)
}

// TestNoTransactionWaitsForAProvider: names and pictures of customers, their files
// and what is sent to them take a second each at the provider, and no transaction
// takes any time. In a bubble only waiting does.
func TestNoTransactionWaitsForAProvider(t *testing.T) {
	b := &timed{}
	inWorld(t, func(w *world) {
		ad, err := line.New(line.Options{APIBase: "https://api.line.test", DataAPIBase: "https://api.line.test",
			HTTPClient: &http.Client{Transport: slowProvider{w.line.Transport()}}})
		require.NoError(t, err)
		w.cfg.Adapters = []adapter.Adapter{ad}
		w.restart()
		const n = 12
		for i := range n {
			u := w.line.User(fmt.Sprint("customer", i))
			u.SendText("hello")
			u.Send(linetest.Image("image/png", pixel))
		}
		w.pass(10 * time.Second)
		w.online("a1", "a2")
		w.answerAll()
		w.pass(20 * time.Second)
		for _, c := range w.conversations() {
			require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: c.ID, Final: true})))
		}
		w.pass(20 * time.Second)
		require.GreaterOrEqual(t, len(w.line.Calls("profile")), n)
		require.GreaterOrEqual(t, len(w.line.Calls("content")), n)
		require.GreaterOrEqual(t, len(w.line.Calls("reply"))+len(w.line.Calls("push")), n)
		for _, c := range w.conversations() {
			require.Equal(t, conversation.StateClosed, c.State)
		}
		require.Greater(t, b.runs, n)
		require.Zero(t, b.longest)
		w.invariants()
	}, withStream(func(r *routing.WorkStream) { r.Cost, r.ChannelCost, r.AutoAccept = 0, 0, true }),
		withConfig(func(cfg *sangdam.Config) {
			b.Backend = cfg.DB.Backend()
			cfg.DB = store.New(b)
		}))
}

// clashing is a store in which the ends of transactions that begin a conversation of
// the victim clash.
type clashing struct {
	driver.Backend
	mu       sync.Mutex
	victim   string // its chat; empty: nobody's
	together int    // committed transactions that begin conversations
	saved    map[string]int
}

func (b *clashing) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	of := map[string]bool{}
	err := b.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Conversations = clashingConversations{tx.Conversations, of}
		if err := fn(ctx, tx); err != nil {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.victim != "" && of[b.victim] {
			return driver.ErrClash
		}
		return nil
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && len(of) > 0 {
		b.together++
	}
	return err
}

type clashingConversations struct {
	driver.ConversationRepo
	of map[string]bool
}

func (r clashingConversations) SaveConversation(ctx context.Context, c conversation.Conversation) (int64, error) {
	if c.Version == 0 {
		r.of[c.Chat.ID] = true
	}
	return r.ConversationRepo.SaveConversation(ctx, c)
}

// TestOneBadPieceOfManyIsFoundInFewTransactions: where the end of a transaction
// clashes again and again and nobody can tell because of whom, the customers are
// halved until it is one.
func TestOneBadPieceOfManyIsFoundInFewTransactions(t *testing.T) {
	for _, place := range []int{0, 1, 31, 40, 63} {
		t.Run(fmt.Sprint(place), func(t *testing.T) {
			var b *clashing
			inWorld(t, func(w *world) {
				w.halt()
				for i := range 64 {
					u := w.line.User(fmt.Sprint("customer", i))
					if u.SendText("hello"); i == place {
						b.victim = u.ID()
					}
				}
				synctest.Wait()
				w.resume()
				w.pass(100 * time.Millisecond)
				b.mu.Lock()
				together := b.together
				b.victim = ""
				b.mu.Unlock()
				require.Len(t, w.conversations(), 63)
				require.LessOrEqual(t, together, 8, "transactions of 63 customers")
				w.pass(time.Minute)
				require.Len(t, w.conversations(), 64)
				w.invariants()
			}, withConfig(func(cfg *sangdam.Config) {
				b = &clashing{Backend: cfg.DB.Backend()}
				cfg.DB = store.New(b)
			}))
		})
	}
}
