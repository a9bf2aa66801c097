package sangdam_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Bodies that never end do not take the place of those that are verified.
func TestSlowUnsignedBodiesDoNotShutTheWebhook(t *testing.T) {
	inWorld(t, func(w *world) {
		release := make(chan struct{})
		ended := make(chan int, 50)
		for range 50 {
			body, feed := io.Pipe()
			go func() {
				<-release
				_ = feed.CloseWithError(io.ErrUnexpectedEOF)
			}()
			go func() { ended <- w.postTo(w.acct.Token, body, http.Header{}).Code }()
		}
		synctest.Wait()
		body := bodyOf(event("1", "hello", 0))
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)))
		close(release)
		for range 50 {
			require.Equal(t, http.StatusBadRequest, <-ended)
		}
		w.settle()
		require.Equal(t, []string{"hello", "Hello!"}, texts(w.only()))
	}, withConfig(func(c *sangdam.Config) { c.MaxAppending = 3 }))
}

// countedTokens counts how often the store is asked for a webhook's address.
type countedTokens struct {
	driver.Backend
	asked *atomic.Int64
}

func (c countedTokens) System() driver.System { return countedSystem{c.Backend.System(), c.asked} }

type countedSystem struct {
	driver.System
	asked *atomic.Int64
}

func (c countedSystem) Resolve(ctx context.Context, kind string, global []byte) (driver.WorkspaceID, string, error) {
	c.asked.Add(1)
	return c.System.Resolve(ctx, kind, global)
}

// An unknown address costs one question to the store, not one each time.
func TestUnknownAddressesCostTheStoreLittle(t *testing.T) {
	var asked atomic.Int64
	inWorld(t, func(w *world) {
		asked.Store(0)
		for range 100 {
			require.Equal(t, http.StatusNotFound, w.postTo("nowhere", strings.NewReader("{}"), http.Header{}).Code)
		}
		require.EqualValues(t, 1, asked.Load())
		body := bodyOf(event("1", "hello", 0))
		require.Equal(t, http.StatusOK, w.post(body, w.signed(body)), "the known address goes on")
	}, withConfig(func(c *sangdam.Config) { c.DB = store.New(countedTokens{c.DB.Backend(), &asked}) }))
}

// What is read of a body counts while it is held, and a body over the limit is
// refused as before.
func TestABodyOverTheLimitIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/"+w.acct.Token, strings.NewReader(strings.Repeat("x", 3<<20)))
		out := httptest.NewRecorder()
		w.eng.Webhooks().ServeHTTP(out, r)
		require.Equal(t, http.StatusRequestEntityTooLarge, out.Code)
	})
}

// An announced length is a hint for the room alone: a body is taken as it comes.
func TestABodyIsTakenWhateverLengthIsAnnounced(t *testing.T) {
	inWorld(t, func(w *world) {
		for n, length := range []int64{-1, 0, 1, 1 << 10, 20 << 10, 1 << 40} {
			for m, filler := range []int{0, 1 << 10, 16<<10 - 1, 40 << 10} {
				body := append(bodyOf(event(fmt.Sprint(n, "-", m), "hello", 0)), bytes.Repeat([]byte(" "), filler)...)
				r := httptest.NewRequest(http.MethodPost, "/webhooks/"+w.acct.Token, iotest.OneByteReader(bytes.NewReader(body)))
				r.Header, r.ContentLength = w.signed(body), length
				out := httptest.NewRecorder()
				w.eng.Webhooks().ServeHTTP(out, r)
				require.Equal(t, http.StatusOK, out.Code, "%d announced, %d sent", length, len(body))
			}
		}
	})
}
