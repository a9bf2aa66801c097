package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/storetest"
	"github.com/stretchr/testify/require"
)

// inner is the driver's transaction, under a name that a parameter does not hide.
type inner = tx

// eager reads all there is ahead of every Update.
type eager struct{ *backend }

func (b eager) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		t := tx.Session.(*inner)
		all := func(table, column string) (ids []string) {
			_ = t.read(ctx, query(`SELECT DISTINCT `+column+` FROM sd.`+table+` WHERE ws = $1`, key(ws)).rows(func(r pgx.Rows) error {
				var id string
				err := r.Scan(&id)
				ids = append(ids, unkey[string](id))
				return err
			}))
			return ids
		}
		w := driver.Wanted{NewItems: 3, Queues: []routing.QueueID{"queue", "q1", "q2"}}
		for _, id := range all("items", "id") {
			w.Items = append(w.Items, routing.ItemID(id))
		}
		for _, id := range all("agents", "id") {
			w.Agents = append(w.Agents, routing.AgentID(id))
		}
		for _, id := range all("conversations", "id") {
			w.Conversations = append(w.Conversations, conversation.ID(id))
		}
		w.Threads = append(w.Threads, all("conversations", "thread")...)
		if err := t.read(ctx, query(`SELECT kind, u0 FROM sd.documents WHERE ws = $1 AND u0 IS NOT NULL`,
			key(ws)).rows(func(r pgx.Rows) error {
			k := driver.Keys{Values: make([][]byte, 1)}
			err := r.Scan(&k.Kind, &k.Values[0])
			w.Documents = append(w.Documents, k)
			return err
		}), query(`SELECT account, chat_kind, chat_id, provider FROM sd.messages WHERE ws = $1
			UNION ALL SELECT account, chat_kind, chat_id, message FROM sd.early WHERE ws = $1`, key(ws)).rows(func(r pgx.Rows) error {
			var m driver.ProviderMessage
			err := r.Scan(&m.Account, &m.Chat.Kind, &m.Chat.ID, &m.Message)
			w.Heard = append(w.Heard, m)
			return err
		})); err != nil {
			return err
		}
		if _, err := tx.Ahead(ctx, w); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// TestStoreReadingAhead: what the suite says of work, agents and conversations
// holds also where every transaction reads all of them ahead.
func TestStoreReadingAhead(t *testing.T) {
	pgtest.Start(t)
	storetest.Run(t, storetest.Harness{
		Name: "postgres, reading ahead",
		Open: func(t testing.TB) *store.DB {
			db := reopen(t, Options{DSN: pgtest.Start(t), MaxConns: 20})
			return store.New(eager{db.Backend().(*backend)})
		},
		Caps: storetest.Caps{GroupedAppends: true, Wakes: true},
		Only: []string{"conversation", "contact", "unique", "answer", "agent", "reserve", "ahead", "ending", "rival"},
	})
}

// TestReadingAheadWaitsBriefly: a row that a stranger holds is a clash to a
// transaction of many pieces, so that each may then wait for its own rows alone.
func TestReadingAheadWaitsBriefly(t *testing.T) {
	db := fresh(t)
	c := conversation.Conversation{ID: "c1", Thread: "t1", State: conversation.StateOpen, OpenedAt: at(1), UpdatedAt: at(1)}
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Conversations().SaveConversation(ctx, c)
		return err
	})
	b := db.Backend().(*backend)
	stranger, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = stranger.Rollback(context.Background()) }()
	_, err = stranger.Exec(t.Context(), b.qualify(`SELECT 1 FROM sd.conversations WHERE id = 'c1' FOR UPDATE`))
	require.NoError(t, err)
	err = b.Update(t.Context(), ws, func(ctx context.Context, tx driver.Tx) error {
		_, err := tx.Ahead(ctx, driver.Wanted{Conversations: []conversation.ID{"c1"}})
		return err
	})
	require.ErrorIs(t, err, driver.ErrClash)
}

// newItem makes an item and its conversation in a transaction that reads ahead.
func newItem(ctx context.Context, t *testing.T, tx store.Tx, id string) {
	t.Helper()
	_, err := tx.Work().SaveItem(ctx, routing.Item{ID: routing.ItemID(id), State: routing.ItemQueued, Queue: "q",
		Uses: []routing.Use{{Profile: routing.ProfileUnits, Units: 1}}})
	require.NoError(t, err)
	_, err = tx.Conversations().SaveConversation(ctx, conversation.Conversation{ID: conversation.ID(id), Thread: "t" + id,
		State: conversation.StateOpen, OpenedAt: at(1), UpdatedAt: at(1)})
	require.NoError(t, err)
}

// give reserves the item for the agent in the same transaction.
func give(ctx context.Context, t *testing.T, tx store.Tx, id string) {
	t.Helper()
	kept, err := tx.Ahead(ctx, driver.Wanted{Items: []routing.ItemID{routing.ItemID(id)},
		Conversations: []conversation.ID{conversation.ID(id)}, Agents: []routing.AgentID{"a1"}, Queues: []routing.QueueID{"q"}})
	require.NoError(t, err)
	require.True(t, kept)
	it, err := tx.Work().Item(ctx, routing.ItemID(id))
	require.NoError(t, err)
	a, err := tx.Agents().Agent(ctx, "a1")
	require.NoError(t, err)
	require.NoError(t, tx.Work().Reserve(ctx, transition.Reservation{Item: it.ID, ItemVersion: it.Version, Agent: "a1",
		EligRev: a.State.EligRev, Turn: true, Now: at(2),
		Assignment: &routing.Assignment{ID: routing.AssignmentID("as" + id), Item: it.ID, Agent: "a1", Uses: it.Uses, StartedAt: at(2)}}))
	c, err := tx.Conversations().Conversation(ctx, conversation.ID(id))
	require.NoError(t, err)
	c.Agent, c.State = "a1", conversation.StateActive
	_, err = tx.Conversations().SaveConversation(ctx, c)
	require.NoError(t, err)
}

// TestWhatIsNewIsGivenAwayBeforeItIsWritten: a transaction that makes work and then
// gives it to somebody reads the agent beside what it made, which is written once.
// Where it changed what it then asks for, that is written first.
func TestWhatIsNewIsGivenAwayBeforeItIsWritten(t *testing.T) {
	db := fresh(t)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a1", Name: "A", Role: "agent",
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 9}})
		if err == nil {
			_, err = tx.Agents().SetPresence(ctx, "a1", routing.Online, "", tx.Now())
		}
		return err
	})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Ahead(ctx, driver.Wanted{NewItems: 3}); err != nil {
			return err
		}
		newItem(ctx, t, tx, "c1")
		give(ctx, t, tx, "c1")
		newItem(ctx, t, tx, "c2") // the agent is changed now
		give(ctx, t, tx, "c2")
		return nil
	})
	b := db.Backend().(*backend)
	for _, table := range []string{"items", "conversations"} {
		var where string
		var version int64
		require.NoError(t, b.pool.QueryRow(t.Context(),
			b.qualify(`SELECT ctid::text, version FROM sd.`+table+` WHERE id = 'c1'`)).Scan(&where, &version))
		require.Equal(t, "(0,1)", where, "of %s a row was written once", table)
		require.EqualValues(t, 2, version)
	}
	view(t, db, func(ctx context.Context, tx store.Tx) error {
		a, err := tx.Agents().Agent(ctx, "a1")
		require.NoError(t, err)
		require.Equal(t, 2, a.State.Load[routing.ProfileUnits])
		require.EqualValues(t, 2, a.State.Turns["q"])
		_, held, err := tx.Work().HeldBy(ctx, "a1")
		require.Len(t, held, 2)
		return err
	})
}

// TestWhatWaitsToBeWrittenIsWrittenBeforeItIsAskedFor: a transaction that ended a
// hold, which is written past what it keeps, and then reads the agent ahead again
// knows what the agent has now, and what it writes is not overwritten by that.
func TestWhatWaitsToBeWrittenIsWrittenBeforeItIsAskedFor(t *testing.T) {
	db := fresh(t)
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a1", Name: "A", Role: "agent",
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 2}})
		if err == nil {
			_, err = tx.Agents().SetPresence(ctx, "a1", routing.Online, "", tx.Now())
		}
		return err
	})
	for _, id := range []string{"c1", "c2"} {
		update(t, db, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Ahead(ctx, driver.Wanted{NewItems: 1})
			newItem(ctx, t, tx, id)
			give(ctx, t, tx, id)
			return err
		})
	}
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Ahead(ctx, driver.Wanted{NewItems: 1})
		require.NoError(t, err)
		newItem(ctx, t, tx, "c3")
		_, err = tx.Work().EndAssignment(ctx, "c1", "asc1", routing.EndClosed, routing.ItemDone, at(3))
		require.NoError(t, err)
		_, err = tx.Ahead(ctx, driver.Wanted{})
		require.NoError(t, err)
		give(ctx, t, tx, "c3")
		return nil
	})
	view(t, db, func(ctx context.Context, tx store.Tx) error {
		a, err := tx.Agents().Agent(ctx, "a1")
		require.NoError(t, err)
		require.Equal(t, 2, a.State.Load[routing.ProfileUnits])
		_, held, err := tx.Work().HeldBy(ctx, "a1")
		require.Len(t, held, 2)
		return err
	})
}
