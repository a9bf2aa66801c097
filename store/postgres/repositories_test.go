package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/stretchr/testify/require"
)

// TestEveryRepository runs every repository once, so that a broken statement is found in
// a second.
func TestEveryRepository(t *testing.T) {
	db := fresh(t)
	ctx := t.Context()
	_, cur, err := db.Feed(ctx, ws, "", 10)
	require.NoError(t, err)
	fresh, err := db.AppendEnvelopes(ctx, ws, []adapter.Envelope{{Account: "a", DedupKey: "k1", Lane: "l", Raw: []byte("x")},
		{Account: "a", DedupKey: "k1", Lane: "l"}, {Account: "a", DedupKey: "k2", Lane: "l"}})
	require.NoError(t, err)
	require.Equal(t, []bool{true, false, true}, fresh)
	lanes, err := db.System().ClaimInbox(ctx, "n", 10, 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, lanes, 1)
	require.Len(t, lanes[0].Envelopes, 2)
	writesOfEverySort(t, db, lanes)
	require.NoError(t, db.System().Release(ctx, driver.NewsInbox, lanes[0].LaneRef))
	readsOfEverySort(t, db)
	evs, _, err := db.Feed(ctx, ws, cur, 10)
	require.NoError(t, err)
	require.Len(t, evs, 1)
	leavesOnce(t, db)
	worksOnce(t, db)
	require.NoError(t, db.System().Check(ctx))
	_, err = db.System().BeatAgents(ctx, ws, []routing.AgentID{"a1"})
	require.NoError(t, err)
	_, err = db.System().Lease(ctx, "l", "n", time.Minute)
	require.NoError(t, err)
	_, err = db.System().Beat(ctx, "n", time.Minute)
	require.NoError(t, err)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		ages := driver.Ages{Raw: tx.Now(), Keys: tx.Now(), Feed: tx.Now().Add(time.Hour), Results: tx.Now()}
		_, err := tx.Purge(ctx, ages, 1000)
		return err
	})
	_, _, err = db.Feed(ctx, ws, cur, 10)
	require.ErrorIs(t, err, store.ErrCursorGone)
}

// writesOfEverySort writes a row of each sort that people and the engine make.
func writesOfEverySort(t *testing.T, db *store.DB, lanes []driver.InboxLane) {
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		require.NoError(t, tx.Inbox().Done(ctx, lanes[0].Claim, lanes[0].Envelopes[0].ID))
		_, _, err := tx.Conversations().ByThread(ctx, "th")
		require.NoError(t, err)
		_, err = tx.Conversations().SaveConversation(ctx, conversation.Conversation{ID: "c1", Thread: "th\x00\xff",
			State: conversation.StateOpen})
		require.NoError(t, err)
		_, err = tx.Conversations().SaveMessage(ctx, conversation.Message{ID: "m1", Conversation: "c1", Seq: 1, Provider: "p",
			Content: channel.Text("a\x00😀")})
		require.NoError(t, err)
		require.NoError(t, tx.Conversations().AppendEvents(ctx, conversation.Event{Conversation: "c1", Seq: 1, At: tx.Now()}))
		require.NoError(t, tx.Events().Append(ctx, driver.Event{Aggregate: "conversation", ID: "c1", Version: 1, At: tx.Now()}))
		require.NoError(t, tx.Audit().Append(ctx, driver.AuditEntry{At: tx.Now(), Actor: "x\xff"}))
		require.NoError(t, tx.Audit().Append(ctx, driver.AuditEntry{At: tx.Now(), Actor: "y"}))
		require.NoError(t, tx.Search().Put(ctx, "m1", "c1", tx.Now(), []string{"ab", "b'c\\"}))
		require.NoError(t, tx.Deadlines().Set(ctx, "k", "i", tx.Now()))
		require.NoError(t, tx.Jobs().Enqueue(ctx, driver.Job{Kind: "j", Key: "k"}))
		require.NoError(t, tx.Jobs().Enqueue(ctx, driver.Job{Kind: "j", Key: "k"}))
		require.NoError(t, tx.Commands().Store(ctx, "p", "k", "d", []byte("r")))
		require.NoError(t, tx.Blobs().Reference(ctx, driver.Blob{Name: "b"}))
		require.NoError(t, tx.Vault().PutSealed(ctx, "o", "n", []byte{1}))
		require.NoError(t, tx.Outbox().Enqueue(ctx, driver.OutboxRow{ID: "r1", Account: "a", Lane: "l"},
			driver.OutboxRow{ID: "r2", Account: "a", Lane: "l"}))
		_, err = tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "p1", Name: "Émile"})
		require.NoError(t, err)
		_, err = tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: "i1", Contact: "p1", User: "u"})
		return err
	})
}

// readsOfEverySort finds them again.
func readsOfEverySort(t *testing.T, db *store.DB) {
	view(t, db, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Conversations().Conversation(ctx, "c1")
		require.NoError(t, err)
		require.Equal(t, "th\x00\ufffd", c.Thread, "NUL round-trips; JSON replaces invalid UTF-8")
		list, err := tx.Audit().List(ctx, 0, 10)
		require.NoError(t, err)
		require.Len(t, list, 2)
		bad, err := driver.VerifyChain("", list)
		require.NoError(t, err)
		require.Zero(t, bad)
		hits, err := tx.Search().Find(ctx, []string{"b'c\\"}, driver.SearchHit{}, 5)
		require.NoError(t, err)
		require.Len(t, hits, 1)
		found, err := tx.Contacts().FindContacts(ctx, store.ContactQuery{Text: "éM"}, 5)
		require.NoError(t, err)
		require.Len(t, found, 1)
		_, _, err = tx.Commands().Lookup(ctx, "p", "k")
		require.NoError(t, err)
		_, token, err := tx.Conversations().List(ctx, conversation.Filter{States: []conversation.State{conversation.StateOpen}}, "", 1)
		require.Empty(t, token)
		return err
	})
}

// leavesOnce claims what waits to leave, sends it, and settles it once.
func leavesOnce(t *testing.T, db *store.DB) {
	ctx := t.Context()
	ol, err := db.System().ClaimOutbox(ctx, "n", 10, 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, ol, 1)
	require.Len(t, ol[0].Rows, 2)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Begin(ctx, ol[0].Claim, adapter.Attempt{ID: "at", Account: "a", Rows: []channel.OutboxID{"r1"}})
	})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Settle(ctx, ol[0].Claim, "at", driver.Settlement{State: channel.OutboxSent})
	})
	require.ErrorIs(t, db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Settle(ctx, ol[0].Claim, "at", driver.Settlement{State: channel.OutboxSent})
	}), store.ErrStale)
	js, err := db.System().ClaimJobs(ctx, "n", map[string]int{"j": 10}, time.Minute)
	require.NoError(t, err)
	require.Len(t, js, 1)
	dues, err := db.System().NextDue(ctx)
	require.NoError(t, err)
	require.False(t, dues.Jobs.IsZero())
}

// worksOnce offers an item to an agent, who accepts and ends it.
func worksOnce(t *testing.T, db *store.DB) {
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a1", Capacity: map[routing.Profile]int{routing.ProfileUnits: 3}})
		require.NoError(t, err)
		require.NoError(t, tx.Config().SaveDesk(ctx, routing.Desk{ID: "d", Name: "D", Seats: 2}))
		require.NoError(t, tx.Config().AddMember(ctx, "d", "a1"))
		require.ErrorIs(t, tx.Config().RemoveMember(ctx, "d", "a1"), store.ErrInvalid)
		require.NoError(t, tx.Config().SaveQueue(ctx, routing.Queue{ID: "q", Members: []routing.AgentID{"a1"}}))
		_, err = tx.Agents().SetPresence(ctx, "a1", routing.Online, "", tx.Now())
		require.NoError(t, err)
		_, err = tx.Work().SaveItem(ctx, routing.Item{ID: "it", State: routing.ItemQueued, Queue: "q",
			Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 2}}})
		return err
	})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Work().Reserve(ctx, transition.Reservation{Item: "it", ItemVersion: 1, Agent: "a1", Turn: true, Now: tx.Now(),
			Decision: &routing.Decision{Item: "it"},
			Offer: &routing.Offer{ID: "o1", Item: "it", Agent: "a1", Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 2}},
				OfferedAt: tx.Now(), ExpiresAt: tx.Now().Add(time.Minute)}})
	})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Work().Accept(ctx, "o1", "as1", tx.Now())
		return err
	})
	var eligible int64
	view(t, db, func(ctx context.Context, tx store.Tx) error {
		a, err := tx.Agents().Agent(ctx, "a1")
		eligible = a.State.EligRev
		require.NoError(t, err)
		require.Equal(t, 2, a.State.Load[routing.ProfileUnits])
		require.Equal(t, 1, a.State.Open)
		require.Equal(t, int64(1), a.State.Turns["q"])
		cfg, err := tx.Config().Configuration(ctx, 0)
		require.Len(t, cfg.Members["d"], 1)
		return err
	})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		require.NoError(t, tx.Guard(ctx, driver.GuardAgent, "a1", eligible))
		_, err := tx.Work().EndAssignment(ctx, "it", "as1", routing.EndClosed, routing.ItemDone, tx.Now())
		return err
	})
}

// The audit log cannot be changed by the program's own role, not even by an
// Update that holds a Tx of the database.
func TestTheAuditLogIsAppendOnly(t *testing.T) {
	db := openAt(t, Options{DSN: pgtest.Start(t), DisableNotify: true})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		return tx.Audit().Append(ctx, driver.AuditEntry{At: tx.Now(), Actor: "host:host", Action: "a", Resource: "r:1", Outcome: "ok"})
	})
	b := db.Backend().(*backend)
	for _, sql := range []string{`UPDATE sd.audit SET doc = ''`, `DELETE FROM sd.audit`, `TRUNCATE sd.audit`} {
		err := b.run(t.Context(), query(sql))
		require.ErrorContains(t, err, "42501", sql)
	}
	require.NoError(t, db.View(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		rows, err := tx.Audit().List(ctx, 0, 10)
		require.Len(t, rows, 1)
		return err
	}))
}
