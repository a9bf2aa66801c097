package sangdam_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/storefault"
)

// broken is a world whose webhooks meet a store that misbehaves.
func brokenStore(t *testing.T, kind storefault.Kind, hook func(ctx context.Context, call string),
	fn func(w *world, fault *storefault.Fault)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plain := w.cfg
		var fault *storefault.Fault
		w.cfg.DB, fault = storefault.Wrap(w.db, storefault.Plan{Rate: 1, Random: []storefault.Kind{kind}, Hook: hook})
		var err error
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		fn(w, fault)
		fault.Revive()
		w.cfg = plain
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		w.start()
		body := bodyOf(event("1", "hello", 0)) // LINE repeats
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		w.settle()
		require.Equal(t, []string{"hello", "Hello!"}, texts(w.only()))
		w.halt()
		w.line.Close()
		require.NoError(t, w.db.Close())
	})
}

func TestAFailingStoreIsAnswered503(t *testing.T) {
	for _, kind := range []storefault.Kind{storefault.FailBefore, storefault.LoseReply, storefault.Cancel, storefault.CrashBefore,
		storefault.CrashAfter} {
		brokenStore(t, kind, nil, func(w *world, _ *storefault.Fault) {
			body := bodyOf(event("1", "hello", 0))
			out := w.postTo(w.acct.Token, bytes.NewReader(body), w.signed(body))
			require.Equal(t, http.StatusServiceUnavailable, out.Code, kind)
			require.NotEmpty(t, out.Header().Get("Retry-After"))
		})
	}
}

// A store that stalls is given up in time for the provider to repeat.
func TestAStalledStoreIsAnswered503InTime(t *testing.T) {
	stall := func(ctx context.Context, _ string) { <-ctx.Done() }
	brokenStore(t, storefault.Delay, stall, func(w *world, _ *storefault.Fault) {
		body := bodyOf(event("1", "hello", 0))
		start := time.Now()
		require.Equal(t, http.StatusServiceUnavailable, w.post(body, w.signed(body)))
		require.Less(t, time.Since(start), 2*time.Second, "LINE gives up after two seconds")
	})
}

func TestTooManyWaitingWebhooksAreAnswered503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newWorld(t, withConfig(func(c *sangdam.Config) { c.MaxAppending = 3 }))
		w.cfg.DB, _ = storefault.Wrap(w.db, storefault.Plan{Rate: 1, Random: []storefault.Kind{storefault.Delay},
			Hook: func(ctx context.Context, call string) {
				if call != "AppendEnvelopes" {
					return
				}
				select {
				case <-release:
				case <-ctx.Done():
				}
			}})
		var err error
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		statuses := make(chan int, 4)
		for i := range 4 {
			body := bodyOf(event(fmt.Sprint(i), "hello", 0))
			go func() { statuses <- w.post(body, w.signed(body)) }()
		}
		synctest.Wait()
		require.Equal(t, http.StatusServiceUnavailable, <-statuses, "the fourth waits for nothing")
		close(release)
		for range 3 {
			require.Equal(t, http.StatusOK, <-statuses)
		}
		require.Equal(t, http.StatusOK, w.post(bodyOf(), w.signed(bodyOf())), "and then there is room again")
		w.line.Close()
		require.NoError(t, w.db.Close())
	})
}

// A provider that hangs up does not take its events with it half stored.
func TestAWebhookWhoseConnectionEndsIsStoredOrNot(t *testing.T) {
	inWorld(t, func(w *world) {
		body := bodyOf(event("1", "hello", 0))
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhooks/"+w.acct.Token, bytes.NewReader(body))
		r.Header = w.signed(body)
		out := httptest.NewRecorder()
		w.eng.Webhooks().ServeHTTP(out, r)
		require.Equal(t, http.StatusOK, out.Code)
		w.settle()
		require.Equal(t, []string{"hello", "Hello!"}, texts(w.only()))
	})
}
