package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/stretchr/testify/require"
)

// nursery are two processes over one database.
type nursery struct {
	t         *testing.T
	own, peer *store.DB
}

func newNursery(t *testing.T) *nursery {
	opts := Options{DSN: pgtest.Start(t)}
	return &nursery{t, openAt(t, opts), openAt(t, opts)}
}

func say(ctx context.Context, tx store.Tx, lane string) error {
	return tx.Outbox().Enqueue(ctx, driver.OutboxRow{Account: "a1", Lane: lane, Content: channel.Text("hello")})
}

func (n *nursery) enqueue(lane string) {
	n.t.Helper()
	update(n.t, n.own, func(ctx context.Context, tx store.Tx) error { return say(ctx, tx, lane) })
}

// claims are the lanes that a process gets.
func (n *nursery) claims(ctx context.Context, db *store.DB) (lanes []string) {
	n.t.Helper()
	got, err := db.System().ClaimOutbox(ctx, "n", 10, 10, time.Minute)
	require.NoError(n.t, err)
	for _, l := range got {
		require.Len(n.t, l.Rows, 1)
		require.WithinDuration(n.t, time.Now().Add(time.Minute), l.Until, 20*time.Second)
		lanes = append(lanes, l.Lane)
	}
	return lanes
}

func TestAnOutboundLaneIsBornClaimed(t *testing.T) {
	n := newNursery(t)
	require.Empty(t, n.claims(t.Context(), n.own), "and it waits for more")
	before := n.own.Stats().Commits
	n.enqueue("l1")
	require.Empty(t, n.claims(t.Context(), n.peer), "it belongs to who brought the work")
	dues, err := n.own.System().NextDue(t.Context())
	require.NoError(t, err)
	require.False(t, dues.Outbox.After(dues.Now), "it is to be fetched")
	require.Equal(t, []string{"l1"}, n.claims(t.Context(), n.own))
	require.EqualValues(t, 1, n.own.Stats().Commits-before, "the claim is no commit of its own")
	n.enqueue("l1") // which is claimed
	require.Empty(t, n.claims(t.Context(), n.own))
}

func TestWhoWaitsNoMoreGetsNoLanes(t *testing.T) {
	for name, do := range map[string]func(n *nursery){
		"nobody ever waited": func(n *nursery) { n.enqueue("l1") },
		"who waited has gone": func(n *nursery) {
			ctx, stop := context.WithCancel(n.t.Context())
			require.Empty(n.t, n.claims(ctx, n.own))
			stop()
			n.enqueue("l1")
		},
		"all room is taken": func(n *nursery) {
			require.Empty(n.t, n.claims(n.t.Context(), n.own))
			n.own.Backend().(*backend).cradle.places(10)
			n.enqueue("l1")
		},
		"the host's own transaction brought it": func(n *nursery) {
			require.Empty(n.t, n.claims(n.t.Context(), n.own))
			c, err := pgx.Connect(n.t.Context(), optionsOf(n.own).DSN)
			require.NoError(n.t, err)
			defer func() { _ = c.Close(context.Background()) }()
			host, err := c.Begin(n.t.Context())
			require.NoError(n.t, err)
			err = Within(n.t.Context(), n.own, host, ws, func(ctx context.Context, tx store.Tx) error { return say(ctx, tx, "l1") })
			require.NoError(n.t, err)
			require.NoError(n.t, host.Commit(n.t.Context()))
		},
		"the process ends": func(n *nursery) {
			require.Empty(n.t, n.claims(n.t.Context(), n.own))
			n.enqueue("l1")
			require.NoError(n.t, n.own.Close())
		},
		"the transaction came to nothing": func(n *nursery) {
			require.Empty(n.t, n.claims(n.t.Context(), n.own))
			lost := n.own.Update(n.t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
				require.NoError(n.t, say(ctx, tx, "l1"))
				return context.Canceled
			})
			require.Error(n.t, lost)
			require.Empty(n.t, n.claims(n.t.Context(), n.own))
			n.own.Backend().(*backend).cradle.places(10)
			n.enqueue("l1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNursery(t)
			do(n)
			require.Equal(t, []string{"l1"}, n.claims(t.Context(), n.peer))
		})
	}
}

func TestALaneThatLayTooLongIsClaimedAnew(t *testing.T) {
	n := newNursery(t)
	require.Empty(t, n.claims(t.Context(), n.own))
	n.enqueue("l1")
	c := &n.own.Backend().(*backend).cradle
	born := c.lanes[0].ref.Token
	c.lanes[0].at = c.lanes[0].at.Add(-bornFor)
	got, err := n.own.System().ClaimOutbox(t.Context(), "n", 10, 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.NotEqual(t, born, got[0].Token)
}

func TestALaneOfAPausedAccountIsNotBorn(t *testing.T) {
	n := newNursery(t)
	require.Empty(t, n.claims(t.Context(), n.own))
	update(t, n.own, func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Pause(ctx, "a1", tx.Now().Add(time.Hour))
	})
	n.enqueue("l1")
	require.Empty(t, n.claims(t.Context(), n.own))
	require.False(t, n.own.Backend().(*backend).cradle.any())
	var d driver.Dues
	d, err := n.peer.System().NextDue(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, d.Now.Add(time.Hour), d.Outbox, time.Minute)
}
