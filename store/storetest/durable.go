package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var conversationFilter conversation.Filter

// filled is what fill stored, as it was read back at once.
type filled struct {
	conv   conversation.Conversation
	msg    conversation.Message
	item   routing.Item
	agent  routing.Agent
	config routing.Configuration
	audit  []store.AuditEntry
}

// fill stores one of everything; mark tells workspaces apart.
func (e *env) fill(mark string) filled {
	e.Helper()
	e.append(envelopes("k")...)
	e.update(func(ctx context.Context, tx store.Tx) error {
		for i, step := range slices.Concat(e.fillTalk(ctx, tx, mark), e.fillWork(ctx, tx, mark), e.fillRest(ctx, tx, mark)) {
			if err := step(); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
		return nil
	})
	return e.readFill()
}

// fillTalk writes what people say, and who they are.
func (e *env) fillTalk(ctx context.Context, tx store.Tx, mark string) []func() error {
	return []func() error{
		func() error {
			_, err := tx.Conversations().
				SaveConversation(ctx, conversation.Conversation{ID: "c", Thread: "t", State: conversation.StateOpen,
					Memo: mark})
			return err
		},
		func() error {
			_, err := tx.Conversations().
				SaveMessage(ctx, conversation.Message{ID: "m", Conversation: "c", Seq: 1, Account: "acct", Chat: userChat,
					Provider: "p", Content: text(mark)})
			return err
		},
		func() error {
			return tx.Conversations().
				AppendEvents(ctx, conversation.Event{Conversation: "c", Seq: 1, Kind: conversation.EvMessage, Actor: mark,
					At: moment(0)})
		},
		func() error {
			_, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: "k", Name: mark})
			return err
		},
		func() error {
			_, err := tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: "id", Contact: "k", Kind: "line", Scope: "s", User: "u",
				Name: mark})
			return err
		},
		func() error {
			_, err := tx.Accounts().SaveAccount(ctx, channel.Account{ID: "acct", Kind: "line", Name: mark, Token: "fill-" + string(e.ws)})
			return err
		},
	}
}

// fillWork writes who works, and on what.
func (e *env) fillWork(ctx context.Context, tx store.Tx, mark string) []func() error {
	return []func() error{
		func() error {
			_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a", Name: mark, Capacity: units(2)})
			return err
		},
		func() error { _, err := tx.Agents().SetPresence(ctx, "a", routing.Online, "", tx.Now()); return err },
		func() error { return tx.Config().SaveDesk(ctx, routing.Desk{ID: "d", Name: mark}) },
		func() error { return tx.Config().AddMember(ctx, "d", "a") },
		func() error {
			return tx.Config().SaveQueue(ctx, routing.Queue{ID: "q", Name: mark, Members: []routing.AgentID{"a"}})
		},
		func() error {
			v, err := tx.Work().SaveItem(ctx, routing.Item{ID: "i", State: routing.ItemQueued, Queue: "q", Uses: use(1), Contact: mark})
			if err != nil {
				return err
			}
			return tx.Work().Reserve(ctx, transition.Reservation{Item: "i", ItemVersion: v, Agent: "a", Now: moment(0), Turn: true,
				Assignment: &routing.Assignment{ID: "as", Item: "i", Agent: "a", Uses: use(1), StartedAt: moment(0)}})
		},
	}
}

// fillRest writes the rows that the engine keeps for itself.
func (e *env) fillRest(ctx context.Context, tx store.Tx, mark string) []func() error {
	return []func() error{
		func() error { return tx.Outbox().Enqueue(ctx, row("r", "l")) },
		func() error {
			return tx.Events().Append(ctx, store.Event{Aggregate: "x", ID: mark, Version: 1, Kind: "k", At: tx.Now()})
		},
		func() error {
			return tx.Audit().Append(ctx, store.AuditEntry{At: moment(0), Actor: mark, Action: "x", Outcome: "ok"})
		},
		func() error { return tx.Deadlines().Set(ctx, "kind", "d", e.before()) },
		func() error {
			return tx.Jobs().Enqueue(ctx, store.Job{ID: "j", Kind: "fill", Key: "k", Payload: []byte(mark), Due: moment(0)})
		},
		func() error { return tx.Commands().Store(ctx, "p", "k", mark, []byte(mark)) },
		func() error { return tx.Search().Put(ctx, "m", "c", moment(0), []string{"aa", mark}) },
		func() error {
			return tx.Blobs().Reference(ctx, driver.Blob{Name: "b", Owner: mark, CreatedAt: moment(0)})
		},
		func() error { return tx.Vault().PutSealed(ctx, "o", "n", []byte(mark)) },
	}
}

func (e *env) readFill() filled {
	e.Helper()
	var f filled
	f.conv, f.item, f.agent, f.config, f.audit = e.loadConv("c"), e.loadItem("i"), e.loadAgent("a"), e.config(), e.audit(0, 10)
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		f.msg, err = tx.Conversations().Message(ctx, "m")
		return err
	})
	return f
}

// checkFill requires that everything is as fill stored it.
func (e *env) checkFill(want filled, mark string) {
	e.Helper()
	e.same(want, e.readFill())
	require.Equal(e, mark, want.conv.Memo)
	e.sums("a")
	e.view(func(ctx context.Context, tx store.Tx) error {
		job, _ := jobOf(ctx, e, tx, "j")
		require.Equal(e, mark, string(job.Payload))
		digest, result, err := tx.Commands().Lookup(ctx, "p", "k")
		require.NoError(e, err)
		require.Equal(e, mark, digest)
		require.Equal(e, mark, string(result))
		hits, err := tx.Search().Find(ctx, []string{"aa", mark}, driver.SearchHit{}, 10)
		require.NoError(e, err)
		require.Len(e, hits, 1)
		sealed, err := tx.Vault().Sealed(ctx, "o", "n")
		require.NoError(e, err)
		require.Equal(e, mark, string(sealed))
		b, err := tx.Blobs().Blob(ctx, "b")
		require.NoError(e, err)
		require.Equal(e, mark, b.Owner)
		evs, err := tx.Conversations().Events(ctx, "c", 0, 10)
		require.NoError(e, err)
		require.Len(e, evs, 1)
		require.Equal(e, mark, evs[0].Actor)
		i, err := tx.Contacts().Identity(ctx, "line", "s", "u")
		require.NoError(e, err)
		require.Equal(e, mark, i.Name)
		a, err := tx.Accounts().Account(ctx, "acct")
		require.NoError(e, err)
		require.Equal(e, mark, a.Name)
		r, err := tx.Outbox().Row(ctx, "r")
		require.Equal(e, channel.OutboxQueued, r.State)
		return err
	})
}

var durableRules = []rule{
	{name: "everything survives closing and opening again", alone: true, run: func(e *env) {
		if e.h.Reopen == nil {
			e.cannot("reopen: nothing survives the process")
			return
		}
		e.survives(e.h.Reopen)
	}},
	{name: "everything survives the death of the process", alone: true, run: func(e *env) {
		if e.h.Kill == nil {
			e.cannot("kill: open without closing")
			return
		}
		e.survives(e.h.Kill)
	}},
	{name: "a place in the feed of data that an older copy has replaced is gone", alone: true, once: true, run: replaced},
	{name: "two nodes see each other's work and share it", alone: true, run: func(e *env) {
		if e.h.Second == nil {
			e.cannot("open a second node: one process owns the data")
			return
		}
		second := inMode(e.h.Second(e, bare(e.db)), e.mode)
		defer func() { require.NoError(e, second.Close()) }()
		other := *e
		other.db = second
		want := e.fill("mark")
		other.checkFill(want, "mark")
		require.Len(e, e.claimInbox(10, time.Hour), 1)
		require.Empty(e, other.claimInbox(10, time.Hour))
		require.Len(e, other.claimJobs(time.Hour, "fill"), 1)
		require.Empty(e, e.claimJobs(time.Hour, "fill"))
		errs := parallel(racers, func(i int) error {
			db := e.db
			if i%2 == 0 {
				db = second
			}
			return db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				c, err := tx.Conversations().Conversation(ctx, "c")
				if err != nil {
					return err
				}
				c.Unread++
				_, err = tx.Conversations().SaveConversation(ctx, c)
				return err
			})
		})
		require.Equal(e, racers, successes(errs), "%v", errs)
		require.Equal(e, racers, other.loadConv("c").Unread)
	}},
}

// replaced checks that whoever has events that are no more begins anew, also once the
// feed has grown past the place, and that nobody else does.
func replaced(e *env) {
	if e.h.Older == nil {
		e.cannot("put an older copy back")
		return
	}
	begin := e.present()
	e.event("kept", 1)
	kept := e.present()
	back := e.h.Older(e, e.db)
	e.event("lost", 1)
	e.event("lost", 2)
	lost := e.present()
	_, place, err := e.db.System().Changed(e.ctx, "")
	require.NoError(e, err)
	e.db = back(e.db)
	for version := range int64(4) {
		_, _, err := e.db.Feed(e.ctx, e.ws, lost, 10)
		require.ErrorIs(e, err, store.ErrCursorGone, "%d events later", version)
		e.event("new", version+1)
	}
	list, _, err := e.db.System().Changed(e.ctx, place)
	require.NoError(e, err)
	require.Contains(e, list, e.ws)
	for place, want := range map[string]int{begin: 5, kept: 4} {
		evs, _ := e.feed(place)
		require.Len(e, evs, want)
	}
}

// survives fills the store, opens its data again and goes on working with it.
func (e *env) survives(again func(t testing.TB, db *store.DB) *store.DB) {
	cursor := e.present()
	want := e.fill("mark")
	name := "survive-" + string(e.ws)
	epoch, err := e.db.System().Lease(e.ctx, name, "n1", e.lease())
	require.NoError(e, err)
	require.NoError(e, e.db.System().PutMeta(e.ctx, name, nil, []byte("v")))
	last := e.now()

	e.db = inMode(again(e, bare(e.db)), e.mode)

	e.checkFill(want, "mark")
	require.Equal(e, []bool{false}, e.append(envelopes("k")...), "dedup keys survive")
	evs, _ := e.feed(cursor)
	require.Len(e, evs, 1, "the feed and its cursors survive")
	e.pass(e.lease() + time.Millisecond)
	next, err := e.db.System().Lease(e.ctx, name, "n2", time.Hour)
	require.NoError(e, err)
	require.Greater(e, next, epoch)
	v, err := e.db.System().Meta(e.ctx, name)
	require.NoError(e, err)
	require.Equal(e, []byte("v"), v)
	ws, id, err := e.db.ResolveAccount(e.ctx, "fill-"+string(e.ws))
	require.NoError(e, err)
	require.Equal(e, e.ws, ws)
	require.Equal(e, channel.AccountID("acct"), id)
	require.Len(e, e.claimInbox(10, time.Hour), 1)
	require.Len(e, e.claimOutbox(10, time.Hour), 1)
	require.Len(e, e.claimJobs(time.Hour, "fill"), 1)
	require.Len(e, e.due(), 1)
	e.saveConv(&want.conv) // versions go on
	e.clash(func(ctx context.Context, tx store.Tx) error {
		return tx.Commands().Store(ctx, "p", "k", "d", nil)
	})
	second := e.conv("t")
	e.clash(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Conversations().SaveConversation(ctx, second)
		return err
	})
	e.update(func(ctx context.Context, tx store.Tx) error {
		require.False(e, tx.Now().Before(last))
		return tx.Audit().Append(ctx, store.AuditEntry{At: moment(1), Actor: "x", Action: "y", Outcome: "ok"})
	})
	e.chain(e.audit(0, 10))
	require.Greater(e, e.item(use(1)).Seq, want.item.Seq, "the order of creation goes on")
}

var migrateRules = []rule{
	{name: "a database of every version opens with its rows", once: true, run: func(e *env) {
		m := e.h.Migrations
		if m == nil || m.OpenFrom == nil {
			e.cannot("migrate from older versions")
			return
		}
		for _, v := range m.Versions {
			db := m.OpenFrom(e, v)
			m.Verify(e, v, db)
			require.NoError(e, db.System().CreateWorkspace(e.ctx, "migrated", "new"))
			other := *e
			other.db, other.ws = db, "migrated"
			other.checkFill(other.fill("new"), "new")
			require.NoError(e, db.Close())
		}
	}},
	{name: "many that migrate one database at once do it once", once: true, run: func(e *env) {
		m := e.h.Migrations
		if m == nil || m.Together == nil {
			e.cannot("migrate together")
			return
		}
		dbs, errs := m.Together(e, 3)
		dbs = slices.DeleteFunc(dbs, func(db *store.DB) bool { return db == nil })
		require.NotEmpty(e, dbs, "nobody could open: %v", errs)
		for i, db := range dbs {
			require.NoError(e, db.System().CreateWorkspace(e.ctx, driver.WorkspaceID(fmt.Sprint("together", i)), ""))
		}
		for _, db := range dbs {
			require.NoError(e, db.Close())
		}
	}},
	{name: "a schema that needs a newer program is refused", once: true, run: func(e *env) {
		m := e.h.Migrations
		if m == nil || m.TooNew == nil {
			e.cannot("meet a newer schema")
			return
		}
		err := m.TooNew(e)
		require.Error(e, err)
	}},
}
