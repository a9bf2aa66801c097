package postgres

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// leaving calls a function, once, before something is written.
type leaving struct {
	net.Conn
	leave *atomic.Pointer[context.CancelFunc]
}

func (l leaving) Write(p []byte) (int, error) {
	if f := l.leave.Swap(nil); f != nil {
		(*f)()
	}
	return l.Conn.Write(p)
}

// TestAClaimIsHeardByWhoGoes: a process that stops while it claims gets what was
// claimed, and can give it back, instead of leaving it to the end of its lease.
func TestAClaimIsHeardByWhoGoes(t *testing.T) {
	var leave atomic.Pointer[context.CancelFunc]
	db := openAt(t, Options{DSN: pgtest.Start(t), DisableNotify: true, dial: func(ctx context.Context, network, addr string) (net.Conn,
		error) {
		c, err := dialer(fiveSeconds).DialContext(ctx, network, addr)
		return leaving{c, &leave}, err
	}})
	seed(t, db, 1)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Outbox().Enqueue(ctx, driver.OutboxRow{ID: "o", Account: "a", Lane: "l", Conversation: "c", Message: "m",
			Content: channel.Text("hi")}); err != nil {
			return err
		}
		return tx.Jobs().Enqueue(ctx, driver.Job{Kind: "k", Key: "one"})
	})
	_, err := db.AppendEnvelopes(t.Context(), ws, []adapter.Envelope{{Account: "a", Lane: "l", DedupKey: "d", Raw: []byte("{}")}})
	require.NoError(t, err)
	for name, claim := range map[string]func(context.Context) (int, error){
		"inbox": func(ctx context.Context) (int, error) {
			l, err := db.System().ClaimInbox(ctx, "n", 1, 1, time.Minute)
			return len(l), err
		},
		"outbox": func(ctx context.Context) (int, error) {
			l, err := db.System().ClaimOutbox(ctx, "n", 1, 1, time.Minute)
			return len(l), err
		},
		"jobs": func(ctx context.Context) (int, error) {
			l, err := db.System().ClaimJobs(ctx, "n", map[string]int{"k": 1}, time.Minute)
			return len(l), err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		leave.Store(&cancel)
		n, err := claim(ctx)
		require.NoError(t, err, name)
		require.Equal(t, 1, n, name)
		require.Error(t, ctx.Err(), name)
	}
}
