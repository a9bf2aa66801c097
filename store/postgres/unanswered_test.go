package postgres

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
)

// muteWire passes bytes on to the server; answers wait while it is mute.
type muteWire struct {
	net.Listener
	target string
	mute   atomic.Bool
	free   chan struct{} // closed when the test ends
}

func startMuteWire(t *testing.T, target string) *muteWire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &muteWire{Listener: l, target: target, free: make(chan struct{})}
	t.Cleanup(func() { close(w.free); _ = l.Close() })
	go w.serve()
	return w
}

func (w *muteWire) serve() {
	for {
		client, err := w.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.target)
		if err != nil {
			_ = client.Close()
			return
		}
		go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
		go w.answer(client, server)
	}
}

func (w *muteWire) answer(client, server net.Conn) {
	defer client.Close() //nolint:errcheck // the other side has gone
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if w.mute.Load() {
			<-w.free
			return
		}
		if n > 0 {
			if _, werr := client.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// A commit that nobody answers in time may have taken effect: the error says
// so, and is of the kind that callers repeat with the same key.
func TestACommitThatIsNeverAnsweredIsOfUnknownOutcome(t *testing.T) {
	u, err := url.Parse(pgtest.Start(t))
	require.NoError(t, err)
	w := startMuteWire(t, u.Host)
	u.Host = w.Addr().String()
	db := openAt(t, Options{DSN: u.String(), DisableNotify: true})
	require.NoError(t, db.System().CreateWorkspace(t.Context(), "w", "W"))
	db.Backend().(*backend).commitWithin = 200 * time.Millisecond
	err = db.Update(t.Context(), "w", func(ctx context.Context, tx store.Tx) error {
		tx.Now()
		w.mute.Store(true) // the answer to what follows never comes
		return tx.Deadlines().Set(ctx, "k", "i", tx.Now().Add(time.Hour))
	})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, "unknown")
	w.mute.Store(false)
}
