package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// The lease of a claim ends while a transaction that relied on it is under way:
// nobody else has the lane before the commit, and then what is left of it.
func TestALaneWhoseClaimAWriterReliesOnIsNotTakenBeforeTheCommit(t *testing.T) {
	db := fresh(t)
	_, err := db.AppendEnvelopes(t.Context(), ws, []adapter.Envelope{
		{Account: "acct", Lane: "l", DedupKey: "a", Raw: []byte("{}")}, {Account: "acct", Lane: "l", DedupKey: "b", Raw: []byte("{}")}})
	require.NoError(t, err)
	claim := func(lease time.Duration) []driver.InboxLane {
		lanes, err := db.System().ClaimInbox(t.Context(), "node", 10, 10, lease)
		require.NoError(t, err)
		return lanes
	}
	const lease = 3 * time.Second
	mine := claim(lease)
	require.Len(t, mine, 1)
	require.Len(t, mine[0].Envelopes, 2)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Inbox().Done(ctx, mine[0].Claim, mine[0].Envelopes[0].ID); err != nil {
			return err
		}
		if _, err := tx.Config().Configuration(ctx, 0); err != nil { // what is pipelined reaches the server
			return err
		}
		time.Sleep(lease + 200*time.Millisecond)
		require.Empty(t, claim(time.Minute), "the lease is over, the transaction is not")
		return nil
	})
	theirs := claim(time.Minute)
	require.Len(t, theirs, 1)
	require.Len(t, theirs[0].Envelopes, 1)
	require.Equal(t, mine[0].Envelopes[1].ID, theirs[0].Envelopes[0].ID)
}

// Who decides by a lease keeps it until the decision is committed, however long
// that takes: another leader never decides beside it.
func TestALeaderIsNotReplacedUnderItsDecision(t *testing.T) {
	db := fresh(t)
	item := routing.Item{ID: "i", State: routing.ItemQueued, Queue: "q", Mode: routing.Push, QueuedAt: at(1), EnteredAt: at(1),
		Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 1}}}
	update(t, db, func(ctx context.Context, tx store.Tx) (err error) {
		if _, err := tx.Agents().
			SaveAgent(ctx, routing.Agent{ID: "a", Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}}); err != nil {
			return err
		}
		item.Version, err = tx.Work().SaveItem(ctx, item)
		return err
	})
	const ttl = time.Second
	epoch, err := db.System().Lease(t.Context(), "router", "n1", ttl)
	require.NoError(t, err)
	taken := make(chan error, 1)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		err := tx.Work().Reserve(ctx, transition.Reservation{Item: "i", ItemVersion: item.Version, Agent: "a", Now: tx.Now(),
			Lease: "router", Epoch: epoch, Assignment: &routing.Assignment{ID: "as", Item: "i", Agent: "a", StartedAt: tx.Now()}})
		if err != nil {
			return err
		}
		time.Sleep(ttl + 200*time.Millisecond)
		go func() {
			_, err := db.System().Lease(context.Background(), "router", "n2", time.Minute)
			taken <- err
		}()
		select {
		case err := <-taken:
			require.Fail(t, "another leads before the decision is committed", "%v", err)
		case <-time.After(500 * time.Millisecond):
		}
		return nil
	})
	require.NoError(t, <-taken)
}
