package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
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
		want := store.Event{Aggregate: "conversation", ID: "c \U0001F600", Version: 7, Kind: "message", Ref: "m",
			Actor: "agent:김", At: moment(1)}
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
				n, err = tx.Purge(ctx, driver.Ages{Feed: tx.Now().Add(-time.Hour)}, limit)
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
	{name: "a cursor at a time tells all from then on", run: func(e *env) {
		noon := e.now().Add(-time.Hour)
		e.eventAt("old", 1, noon.Add(-time.Minute))
		e.eventAt("noon", 1, noon)
		e.eventAt("late", 1, noon.Add(time.Minute))
		told := func(at time.Time) (out []string) {
			evs, _ := e.feed(driver.CursorAt(at))
			for _, ev := range evs {
				if !ev.At.Before(at) {
					out = append(out, ev.ID)
				}
			}
			return out
		}
		require.Equal(e, []string{"old", "noon", "late"}, told(noon.Add(-time.Hour)))
		require.Equal(e, []string{"noon", "late"}, told(noon))
		require.Equal(e, []string{"late"}, told(noon.Add(time.Second)))
		require.Empty(e, told(noon.Add(2*time.Minute)))
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Purge(ctx, driver.Ages{Feed: noon.Add(time.Second)}, 10)
			return err
		})
		require.Equal(e, []string{"late"}, told(noon.Add(-time.Hour)), "as far as it goes back")
		for _, garbled := range []string{"@", "@noon", "@2026-13-01T00:00:00Z"} {
			_, _, err := e.db.Feed(e.ctx, e.ws, garbled, 10)
			require.ErrorIs(e, err, store.ErrInvalid)
		}
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
				if err := tx.Events().Append(ctx, store.Event{Aggregate: "conversation", ID: "slow", Version: 1, Kind: "k",
					At: moment(0)}); err != nil {
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
	{name: "a commit gives a hint that says what and where, until stop or Close", alone: true, once: true, run: hints},
	{name: "the workspaces with new events are known", run: changedWorkspaces},
	{name: "the workspaces that need a board are known", run: routableWorkspaces},
}

// hints checks what a subscriber is told.
func hints(e *env) {
	said := make(chan driver.Hint, 100)
	stop := e.db.Wake(func(driver.Hint) { e.Error("a hint came after stop") })
	stop()
	stopOther := e.db.Wake(func(h driver.Hint) { said <- h })
	defer stopOther()
	heard := func(want driver.News) {
		e.Helper()
		if !e.h.Caps.Wakes {
			e.cannot("be certain of hints")
			return
		}
		for {
			select {
			case h := <-said:
				if h.Workspace == e.ws && h.News&want == want {
					require.Equal(e, want, h.News, "no more than what was written")
					return
				}
			case <-time.After(5 * time.Second):
				require.FailNow(e, "no such hint came", "%b", want)
			}
		}
	}
	e.event("a", 1)
	heard(driver.NewsFeed)
	e.update(func(ctx context.Context, tx store.Tx) error {
		return tx.Events().Append(ctx, store.Event{Aggregate: "item", ID: "i", Version: 1, Kind: "changed", At: moment(0)})
	})
	heard(driver.NewsFeed | driver.NewsRouting)
	e.setDeadline("k", "i", e.now().Add(time.Hour))
	heard(driver.NewsDeadlines)
	e.enqueueJob(store.Job{ID: "j", Kind: "k", Due: e.now().Add(time.Hour)})
	heard(driver.NewsJobs)
	e.enqueue(row("r", "l"))
	heard(driver.NewsOutbox)
	e.append(envelopes("a")...)
	heard(driver.NewsInbox)
	db := e.db
	e.db = nil
	require.NoError(e, db.Close())
}

// changedWorkspaces checks that no event is missed, whoever wrote it when.
func changedWorkspaces(e *env) {
	changed := func(since string) (bool, string) {
		e.Helper()
		list, next, err := e.db.System().Changed(e.ctx, since)
		require.NoError(e, err)
		return slices.Contains(list, e.ws), next
	}
	is, place := changed("")
	require.True(e, is, "at first everybody")
	_, place = changed(place)
	e.event("a", 1)
	is, place = changed(place)
	require.True(e, is)
	if e.rivals() { // what began before and is committed after is found
		inside, finish, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var runs atomic.Int32
		go func() {
			done <- e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				if err := tx.Events().Append(ctx, store.Event{Aggregate: "b", ID: "b", Version: 1, Kind: "k", At: moment(0)}); err != nil {
					return err
				}
				if _, err := tx.Agents().Agents(ctx); err != nil { // a store may keep writes back until something is read
					return err
				}
				if runs.Add(1) == 1 {
					close(inside)
					<-finish
				}
				return nil
			})
		}()
		<-inside
		_, place = changed(place)
		close(finish)
		require.NoError(e, <-done)
		is, _ = changed(place)
		require.True(e, is)
	}
	_, _, err := e.db.System().Changed(e.ctx, "no place")
	require.ErrorIs(e, err, store.ErrInvalid)
}

// routableWorkspaces checks who needs a Board: where somebody is present, or
// something is not done.
func routableWorkspaces(e *env) {
	routable := func() bool {
		e.Helper()
		list, err := e.db.System().Workspaces(e.ctx, driver.Having{Present: true})
		require.NoError(e, err)
		return slices.Contains(list, e.ws)
	}
	require.False(e, routable())
	e.update(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a1", Name: "Agent", Role: "agent"})
		return err
	})
	require.False(e, routable(), "an agent who is offline")
	presence := func(p routing.Presence) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Agents().SetPresence(ctx, "a1", p, "", tx.Now())
			return err
		})
	}
	presence(routing.Break)
	require.True(e, routable())
	presence(routing.Offline)
	require.False(e, routable())
	it := e.item(nil)
	require.True(e, routable())
	it.State = routing.ItemDone
	e.update(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Work().SaveItem(ctx, it)
		return err
	})
	require.False(e, routable())
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
