package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
)

var feedRules = []rule{
	{name: "the empty cursor is the present", run: func(e *env) {
		e.event("old", 1)
		evs, cursor, err := e.db.Feed(e.ctx, e.ws, "", 100)
		require.NoError(e, err)
		require.Empty(e, evs)
		require.NotEmpty(e, cursor)
		evs, cursor = e.feed(cursor)
		require.Empty(e, evs)
		e.event("new", 1)
		evs, _ = e.feed(cursor)
		require.Len(e, evs, 1)
		require.Equal(e, "new", evs[0].ID)
	}},
	{name: "an event comes out as it went in", run: func(e *env) {
		cursor := e.present()
		want := store.Event{Aggregate: "conversation", ID: "c \U0001F600", Version: 7, Kind: "message", Ref: "m", Actor: "agent:김", At: moment(1)}
		bare := store.Event{Aggregate: "item", ID: "i", Version: 1, Kind: "k", At: time.Time{}}
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Events().Append(ctx, want, bare) })
		got, _ := e.feed(cursor)
		require.Len(e, got, 2)
		if got[0].Aggregate == "item" {
			got[0], got[1] = got[1], got[0]
		}
		e.same([]store.Event{want, bare}, got)
	}},
	{name: "events of an Update that failed never come", run: func(e *env) {
		cursor := e.present()
		boom := errors.New("boom")
		require.ErrorIs(e, e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Events().Append(ctx, store.Event{Aggregate: "x", ID: "y", Version: 1, Kind: "k", At: moment(0)}); err != nil {
				return err
			}
			return boom
		}), boom)
		evs, _ := e.feed(cursor)
		require.Empty(e, evs)
	}},
	{name: "pages of any size bring everything once, each aggregate in version order", run: func(e *env) {
		for _, size := range []int{1, 2, 3, 100} {
			cursor := e.present()
			for version := range int64(4) {
				e.update(func(ctx context.Context, tx store.Tx) error {
					ev := store.Event{Aggregate: "conversation", Version: version + 1, Kind: "k", At: moment(0)}
					second := ev
					ev.ID, second.ID = "a", "b"
					return tx.Events().Append(ctx, ev, second)
				})
			}
			follow := newFollower()
			for range 100 {
				evs, next, err := e.db.Feed(e.ctx, e.ws, cursor, size)
				require.NoError(e, err)
				require.LessOrEqual(e, len(evs), size)
				require.NoError(e, follow.take(evs))
				cursor = next
				if len(evs) == 0 {
					break
				}
			}
			require.Equal(e, 8, follow.n, "pages of %d", size)
		}
	}},
	{name: "a cursor read twice brings the same", run: func(e *env) {
		cursor := e.present()
		e.event("a", 1)
		e.event("b", 1)
		first, _ := e.feed(cursor)
		second, _ := e.feed(cursor)
		e.same(first, second)
	}},
	{name: "a garbled cursor is invalid", run: func(e *env) {
		for _, cursor := range []string{"?", "garbage", "1", ".", "\x00", "0.0", "-1"} {
			_, _, err := e.db.Feed(e.ctx, e.ws, cursor, 10)
			require.ErrorIs(e, err, store.ErrInvalid, "cursor %q", cursor)
		}
	}},
	{name: "a cursor from before the purge is gone, one from after it goes on", run: func(e *env) {
		old := e.present()
		for i := range 3 {
			e.eventAt("a", int64(i+1), e.now().Add(-2*time.Hour))
		}
		_, middle := e.feed(old)
		e.event("b", 1)
		purge := func(limit int) (n int) {
			e.update(func(ctx context.Context, tx store.Tx) (err error) {
				n, err = tx.Events().Purge(ctx, tx.Now().Add(-time.Hour), limit)
				return err
			})
			return n
		}
		require.Equal(e, 2, purge(2))
		require.Equal(e, 1, purge(10))
		require.Zero(e, purge(10))
		_, _, err := e.db.Feed(e.ctx, e.ws, old, 10)
		require.ErrorIs(e, err, store.ErrCursorGone)
		evs, _ := e.feed(middle)
		require.Len(e, evs, 1)
		require.Equal(e, "b", evs[0].ID)
	}},
	{name: "under eight writers nothing is missed and versions come in order", run: func(e *env) { e.writers() }},
	{name: "a stranger's open transaction holds nothing up", run: func(e *env) {
		if e.h.ForeignTx == nil {
			e.cannot("open a foreign transaction")
			return
		}
		end := e.h.ForeignTx(e, bare(e.db))
		defer end()
		cursor := e.present()
		e.event("a", 1)
		evs, _ := e.feed(cursor)
		require.Len(e, evs, 1)
		e.writers()
	}},
	{name: "another writer's open Update holds nothing up and is not missed", run: func(e *env) {
		if !e.rivals() {
			return
		}
		cursor := e.present()
		wrote, finish := make(chan struct{}), make(chan struct{})
		slow := make(chan error, 1)
		var runs atomic.Int32
		go func() {
			slow <- e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				if err := tx.Events().Append(ctx, store.Event{Aggregate: "conversation", ID: "slow", Version: 1, Kind: "k", At: moment(0)}); err != nil {
					return err
				}
				if runs.Add(1) == 1 {
					close(wrote)
					<-finish
				}
				return nil
			})
		}()
		<-wrote
		e.event("fast", 1)
		evs, cursor := e.feed(cursor)
		require.Len(e, evs, 1, "the fast one does not wait")
		require.Equal(e, "fast", evs[0].ID)
		close(finish)
		require.NoError(e, <-slow)
		evs, _ = e.feed(cursor)
		require.Len(e, evs, 1, "the slow one is not skipped")
		require.Equal(e, "slow", evs[0].ID)
	}},
	{name: "a commit gives a hint, and Close ends the hints", alone: true, once: true, run: func(e *env) {
		hints, stop := e.db.Wake()
		stop()
		other, stopOther := e.db.Wake()
		defer stopOther()
		e.event("a", 1)
		if e.h.Caps.Wakes {
			select {
			case <-other:
			case <-time.After(5 * time.Second):
				e.Error("no hint came")
			}
		} else {
			e.cannot("be certain of hints")
		}
		_ = hints
		db := e.db
		e.db = nil
		require.NoError(e, db.Close())
		for range other { // drains and ends
		}
	}},
}

// follower checks what a reader of the feed gets.
type follower struct {
	last map[string]int64
	n    int
}

func newFollower() *follower { return &follower{last: map[string]int64{}} }

func (f *follower) take(evs []store.Event) error {
	for _, ev := range evs {
		if want := f.last[ev.ID] + 1; ev.Version != want {
			return fmt.Errorf("aggregate %s: version %d came, want %d", ev.ID, ev.Version, want)
		}
		f.last[ev.ID] = ev.Version
		f.n++
	}
	return nil
}

// writers lets eight writers each raise two aggregates that all of them share,
// while a reader follows with small pages.
func (e *env) writers() {
	e.Helper()
	const each = 6
	ids := []string{e.uuid(), e.uuid()}
	follow := newFollower()
	for _, id := range ids {
		c := conversation.Conversation{ID: conversation.ID(id), Thread: id, State: conversation.StateOpen}
		e.saveConv(&c)
		follow.last[id] = c.Version
	}
	cursor := e.present()
	writing := make(chan []error, 1)
	go func() {
		writing <- parallel(racers, func(i int) error {
			for n := range each {
				if err := e.raise(ids[(i+n)%2]); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	var ended []error
	for {
		evs, next, err := e.db.Feed(e.ctx, e.ws, cursor, 3)
		require.NoError(e, err)
		require.NoError(e, follow.take(evs))
		cursor = next
		if len(evs) > 0 {
			continue
		}
		if ended != nil { // nothing came after the last writer's commit
			break
		}
		select {
		case ended = <-writing:
		default:
		}
	}
	require.Equal(e, racers, successes(ended), "%v", ended)
	require.Equal(e, racers*each, follow.n, "events were missed")
}

// raise saves a conversation and tells the new version in the feed.
func (e *env) raise(id string) error {
	return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		open, _, err := tx.Conversations().ByThread(ctx, id)
		if err != nil {
			return err
		}
		version, err := tx.Conversations().SaveConversation(ctx, *open)
		if err != nil {
			return err
		}
		return tx.Events().Append(ctx, store.Event{Aggregate: "conversation", ID: id, Version: version, Kind: "k", At: tx.Now()})
	})
}

func (e *env) present() string {
	e.Helper()
	_, cursor, err := e.db.Feed(e.ctx, e.ws, "", 1)
	require.NoError(e, err)
	return cursor
}

// feed reads everything after the cursor.
func (e *env) feed(cursor string) (list []store.Event, next string) {
	e.Helper()
	for range 1000 {
		evs, next, err := e.db.Feed(e.ctx, e.ws, cursor, 100)
		require.NoError(e, err)
		cursor = next
		if len(evs) == 0 {
			return list, cursor
		}
		list = append(list, evs...)
	}
	e.Fatal("the feed never ends")
	return nil, ""
}

func (e *env) event(id string, version int64) {
	e.Helper()
	e.eventAt(id, version, e.now())
}

func (e *env) eventAt(id string, version int64, at time.Time) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error {
		return tx.Events().Append(ctx, store.Event{Aggregate: "conversation", ID: id, Version: version, Kind: "k", At: at})
	})
}
