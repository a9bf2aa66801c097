package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// threadsOfRivals is how many threads two writers both come to, and orderRounds how
// often they do.
const (
	threadsOfRivals = 300
	orderRounds     = 40
)

// TestWritersOfTheSameThreadsInOppositeOrderDoNotDeadlock: two transactions change
// the same conversations and deadlines and make the same new conversations, customers
// and jobs, one from the first to the last and the other from the last to the first,
// and come to their ends at once. Each has its effect, and the server has to break no deadlock.
func TestWritersOfTheSameThreadsInOppositeOrderDoNotDeadlock(t *testing.T) {
	dsn := pgtest.Start(t)
	noticesDeadlocks(t, dsn)
	db := openAt(t, Options{DSN: dsn, DisableNotify: true})
	update(t, db, func(ctx context.Context, tx store.Tx) error {
		for i := range threadsOfRivals {
			if _, err := tx.Conversations().SaveConversation(ctx, known(i)); err != nil {
				return err
			}
		}
		return nil
	})
	for round := range orderRounds {
		var ready, done sync.WaitGroup
		ready.Add(2)
		errs := make([]error, 2)
		for writer := range 2 {
			order := make([]int, threadsOfRivals)
			for i := range order {
				order[i] = i
			}
			if writer == 1 {
				slices.Reverse(order)
			}
			done.Go(func() { errs[writer] = comes(db, round, order, sync.OnceFunc(func() { ready.Done(); ready.Wait() })) })
		}
		done.Wait()
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
	}
	view(t, db, func(ctx context.Context, tx store.Tx) error {
		for i := range threadsOfRivals {
			c, err := tx.Conversations().Conversation(ctx, known(i).ID)
			require.NoError(t, err)
			require.Equal(t, 2*orderRounds/len(sorts), c.Unread, "each writer had its effect in each round")
		}
		return nil
	})
	require.Zero(t, deadlocksOf(t, dsn))
}

// noticesDeadlocks has the server look for them before a transaction of many pieces
// gives up waiting, which is a fifth of a second and else hides them.
func noticesDeadlocks(t *testing.T, dsn string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close(context.WithoutCancel(t.Context()))) }()
	var name string
	require.NoError(t, c.QueryRow(t.Context(), "SELECT quote_ident(current_database())").Scan(&name))
	_, err = c.Exec(t.Context(), "ALTER DATABASE "+name+" SET deadlock_timeout = '5ms'")
	require.NoError(t, err)
}

func known(i int) conversation.Conversation {
	return conversation.Conversation{ID: conversation.ID(fmt.Sprintf("known%02d", i)), Thread: fmt.Sprintf("known%02d", i),
		State: conversation.StateOpen, OpenedAt: at(1)}
}

// comes changes what is known and makes what is new in the order given; atEnd waits
// until the rival has done so too.
func comes(db *store.DB, round int, order []int, atEnd func()) error {
	return db.Update(context.Background(), ws, func(ctx context.Context, tx store.Tx) error {
		var w driver.Wanted
		for _, i := range order {
			w.Threads = append(w.Threads, known(i).Thread, newThread(round, i))
			w.Documents = append(w.Documents, store.IdentityKey("line", "s", newcomer(round, i)))
		}
		if _, err := tx.Ahead(ctx, w); err != nil {
			return err
		}
		for _, i := range order {
			if err := sorts[round%len(sorts)](ctx, tx, round, i); err != nil {
				return err
			}
		}
		atEnd()
		return nil
	})
}

// sorts are what both writers come to, a sort a round: what is met first would
// else keep them from meeting at the next.
var sorts = []func(ctx context.Context, tx store.Tx, round, i int) error{
	func(ctx context.Context, tx store.Tx, _, i int) error {
		c, _, err := tx.Conversations().ByThread(ctx, known(i).Thread)
		if err != nil {
			return err
		}
		c.Unread++
		_, err = tx.Conversations().SaveConversation(ctx, *c)
		return err
	},
	func(ctx context.Context, tx store.Tx, round, i int) error {
		fresh := known(i)
		fresh.Thread = newThread(round, i)
		open, _, err := tx.Conversations().ByThread(ctx, fresh.Thread)
		if err != nil || open != nil { // the rival made it
			return err
		}
		fresh.ID = conversation.ID(fmt.Sprintf("%s-%p", fresh.Thread, &fresh))
		_, err = tx.Conversations().SaveConversation(ctx, fresh)
		return err
	},
	func(ctx context.Context, tx store.Tx, round, i int) error {
		_, err := tx.Contacts().Identity(ctx, "line", "s", newcomer(round, i))
		if !errors.Is(err, store.ErrNotFound) { // the rival made it
			return err
		}
		id := conversation.Identity{Contact: "c", Kind: "line", Scope: "s", User: newcomer(round, i)}
		id.ID = conversation.IdentityID(fmt.Sprintf("%s-%p", id.User, &id))
		_, err = tx.Contacts().SaveIdentity(ctx, id)
		return err
	},
	func(ctx context.Context, tx store.Tx, _, i int) error {
		return tx.Deadlines().Set(ctx, "k", string(known(i).ID), tx.Now().Add(time.Hour))
	},
	func(ctx context.Context, tx store.Tx, round, i int) error {
		j := driver.Job{ID: fmt.Sprintf("%d-%d-%p", round, i, &i), Kind: "k", Key: newThread(round, i), Due: tx.Now()}
		return tx.Jobs().Enqueue(ctx, j)
	},
}

func newThread(round, i int) string { return fmt.Sprintf("new%d-%02d", round, i) }

func newcomer(round, i int) channel.ProviderUserID {
	return channel.ProviderUserID(fmt.Sprintf("u%d-%02d", round, i))
}

// deadlocksOf is how many the server had to break in the database. A server process
// counts what it saw at the latest a second after it is idle.
func deadlocksOf(t *testing.T, dsn string) (n int) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close(context.WithoutCancel(t.Context()))) }()
	for range 15 {
		require.NoError(t, c.QueryRow(t.Context(), "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&n))
		if n > 0 {
			return n
		}
		time.Sleep(100 * time.Millisecond)
	}
	return n
}
