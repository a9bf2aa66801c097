package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var inboxRules = []rule{
	{name: "append tells what was new, within a call too", run: func(e *env) {
		require.Equal(e, []bool{true, true}, e.append(envelopes("a", "b")...))
		twice := envelopes("c", "c")
		twice[1].ID = "env-c2"
		require.Equal(e, []bool{false, true, false}, e.append(append(envelopes("a"), twice...)...))
		other := envelopes("a")
		other[0].ID, other[0].Account = "env-other", "other" // keys are per account
		require.Equal(e, []bool{true}, e.append(other...))
		upper := envelopes("A")
		require.Equal(e, []bool{true}, e.append(upper...), "keys differ by case")
	}},
	{name: "an envelope comes out as it went in", run: func(e *env) {
		want := envelope("key \U0001F600", "lane 김")
		want.Raw = []byte("\x00\x01\xff raw \U0001F600")
		want.ReceivedAt = moment(5)
		e.append(want)
		lanes := e.claimInbox(10, e.lease())
		require.Len(e, lanes, 1)
		require.Equal(e, "lane 김", lanes[0].Lane)
		require.Equal(e, want.Account, lanes[0].Account)
		e.same([]adapter.Envelope{want}, lanes[0].Envelopes)
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Inbox().Envelope(ctx, want.ID)
			e.same(want, got)
			_, missing := tx.Inbox().Envelope(ctx, "none")
			require.ErrorIs(e, missing, store.ErrNotFound)
			return err
		})
	}},
	{name: "received-at is the store's clock where it is zero", run: func(e *env) {
		from := e.now()
		e.append(envelopes("a")...)
		got := e.claimInbox(1, e.lease())[0].Envelopes[0].ReceivedAt
		require.False(e, got.Before(from))
		require.False(e, got.After(e.now()))
	}},
	{name: "a lane is ordered by own time within a call, else by appending", run: func(e *env) {
		first := envelopes("a", "b", "c")
		for i, minute := range []int{5, 3, 4} {
			first[i].OccurredAt = moment(minute)
		}
		e.append(first...)
		second := envelopes("d")
		second[0].OccurredAt = moment(1) // late, and yet behind what came before
		e.append(second...)
		require.Equal(e, []string{"b", "c", "a", "d"}, keysOf(e.claimInbox(10, e.lease())[0]))
	}},
	{name: "a batch takes the head of each lane; lanes come by their oldest head", run: func(e *env) {
		e.append(envelope("x1", "x"), envelope("y1", "y"), envelope("x2", "x"), envelope("x3", "x"), envelope("0", ""))
		lanes := e.claimInbox(2, e.lease())
		require.Len(e, lanes, 3)
		require.Equal(e, []string{"x", "y", ""}, []string{lanes[0].Lane, lanes[1].Lane, lanes[2].Lane})
		require.Equal(e, []string{"x1", "x2"}, keysOf(lanes[0]))
	}},
	{name: "at most limit lanes are claimed", alone: true, run: func(e *env) {
		for i := range 5 {
			e.append(envelope(fmt.Sprint(i), fmt.Sprint("lane", i)))
		}
		for _, want := range []int{2, 2, 1, 0} {
			lanes, err := e.db.System().ClaimInbox(e.ctx, "node", 2, 10, time.Hour)
			require.NoError(e, err)
			require.Len(e, lanes, want)
		}
	}},
	{name: "done is done: the next batch goes on behind it", run: func(e *env) {
		e.append(envelopes("a", "b", "c")...)
		lane := e.claimInbox(2, e.lease())[0]
		e.done(lane, "a")
		e.releaseIn(lane)
		lane = e.claimInbox(10, e.lease())[0]
		require.Equal(e, []string{"b", "c"}, keysOf(lane))
		e.done(lane, "b", "c")
		e.releaseIn(lane)
		require.Empty(e, e.claimInbox(10, e.lease()))
		require.Equal(e, []bool{false}, e.append(envelopes("a")...), "its key is still known")
	}},
	{name: "an envelope ends once", run: func(e *env) {
		e.append(envelopes("a", "b")...)
		lane := e.claimInbox(2, e.lease())[0]
		e.done(lane, "a")
		for _, again := range e.endings(lane.Claim, "env-a") {
			e.refuse(store.ErrStale, again)
		}
	}},
	{name: "a claim excludes others until it is given back", run: func(e *env) {
		e.append(envelopes("a")...)
		lane := e.claimInbox(10, time.Hour)[0]
		e.append(envelopes("b")...)
		require.Empty(e, e.claimInbox(10, time.Hour))
		e.releaseIn(lane)
		again := e.claimInbox(10, time.Hour)
		require.Len(e, again, 1)
		require.Equal(e, []string{"a", "b"}, keysOf(again[0]))
		require.NotEqual(e, lane.Token, again[0].Token)
		e.releaseIn(lane) // a lost claim is ignored
		require.Empty(e, e.claimInbox(10, time.Hour))
	}},
	{name: "a claim whose lease ended is another's, and its token is stale", run: func(e *env) {
		e.append(envelopes("a", "b")...)
		slow := e.claimInbox(10, e.lease())[0]
		e.pass(e.lease() + time.Millisecond)
		fast := e.claimInbox(10, time.Hour)
		require.Len(e, fast, 1)
		for _, ending := range e.endings(slow.Claim, "env-a") {
			e.refuse(store.ErrStale, ending)
		}
		require.Equal(e, "a", keysOf(fast[0])[0])
		e.done(fast[0], "a", "b")
	}},
	{name: "a stale claim takes the rest of its Update with it", run: func(e *env) {
		e.append(envelopes("a")...)
		lane := e.claimInbox(10, time.Hour)[0]
		e.releaseIn(lane)
		c := e.conv("t")
		e.refuse(store.ErrStale, func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Conversations().SaveConversation(ctx, c); err != nil {
				return err
			}
			return tx.Inbox().Done(ctx, lane.Claim, "env-a")
		})
		e.noConv(c.ID)
	}},
	{name: "retry blocks the lane until its time and counts a try", run: func(e *env) {
		e.append(envelopes("a", "b")...)
		wait := e.lease()
		lane := e.claimInbox(10, time.Hour)[0]
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Inbox().Retry(ctx, lane.Claim, "env-a", tx.Now().Add(wait), "provider is down")
		})
		e.releaseIn(lane)
		require.Empty(e, e.claimInbox(10, time.Hour), "b must not overtake a")
		e.pass(wait + time.Millisecond)
		again := e.claimInbox(10, time.Hour)
		require.Len(e, again, 1)
		require.Equal(e, []string{"a", "b"}, keysOf(again[0]))
		require.Equal(e, 1, again[0].Envelopes[0].Tries)
		require.Equal(e, 0, again[0].Envelopes[1].Tries)
	}},
	{name: "a bad envelope goes to quarantine, the lane goes on, and it can come back", run: func(e *env) {
		e.append(envelopes("a", "b")...)
		lane := e.claimInbox(10, time.Hour)[0]
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Inbox().Quarantine(ctx, lane.Claim, "env-a", "bad JSON")
		})
		e.done(lane, "b")
		e.releaseIn(lane)
		e.append(envelopes("c")...)
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Inbox().Quarantined(ctx, 10)
			require.Len(e, list, 1)
			require.Equal(e, "bad JSON", list[0].Reason)
			require.Equal(e, channel.EnvelopeID("env-a"), list[0].Envelope.ID)
			require.NotEmpty(e, list[0].Envelope.Raw)
			require.False(e, list[0].At.IsZero())
			return err
		})
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Requeue(ctx, "env-a") })
		require.Equal(e, []string{"c", "a"}, keysOf(e.claimInbox(10, time.Hour)[0]))
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Inbox().Quarantined(ctx, 10)
			require.Empty(e, list)
			return err
		})
	}},
	{name: "the bytes of a done envelope are forgotten, its key is not", run: func(e *env) {
		e.append(envelopes("a", "b")...)
		lane := e.claimInbox(10, time.Hour)[0]
		forget := func(ids ...channel.EnvelopeID) {
			e.update(func(ctx context.Context, tx store.Tx) error {
				for _, id := range ids {
					if err := tx.Inbox().Forget(ctx, id); err != nil {
						return err
					}
				}
				return nil
			})
		}
		size := func(id channel.EnvelopeID) (n int) {
			e.view(func(ctx context.Context, tx store.Tx) error {
				env, err := tx.Inbox().Envelope(ctx, id)
				n = len(env.Raw)
				return err
			})
			return n
		}
		forget("env-a", "none")
		require.NotZero(e, size("env-a"), "it waits to be processed")
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Inbox().Done(ctx, lane.Claim, "env-a"); err != nil {
				return err
			}
			return tx.Inbox().Forget(ctx, "env-a") // in the Update that ends it
		})
		require.Zero(e, size("env-a"))
		require.NotZero(e, size("env-b"))
		require.Equal(e, []bool{false}, e.append(envelopes("a")...), "it is still known")
	}},
	{name: "what is not in quarantine is not found there", run: func(e *env) {
		e.append(envelopes("a", "b")...)
		requeue := func(id channel.EnvelopeID) func(context.Context, store.Tx) error {
			return func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Requeue(ctx, id) }
		}
		e.refuse(store.ErrNotFound, requeue("none"))
		e.refuse(store.ErrNotFound, requeue("env-a"))
		lane := e.claimInbox(10, time.Hour)[0]
		e.done(lane, "a")
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Inbox().Quarantine(ctx, lane.Claim, "env-b", "bad")
		})
		e.refuse(store.ErrNotFound, requeue("env-a"))
		e.update(requeue("env-b"))
		e.refuse(store.ErrNotFound, requeue("env-b"))
	}},
	{name: "purge takes ended envelopes and old keys, never what waits or is bad", run: func(e *env) {
		e.append(envelopes("a", "b", "c", "d")...)
		lane := e.claimInbox(10, time.Hour)[0]
		e.done(lane, "a", "b")
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Inbox().Quarantine(ctx, lane.Claim, "env-c", "bad")
		})
		far := e.now().Add(time.Hour)
		require.Zero(e, e.purgeInbox(e.now().Add(-time.Hour), time.Time{}, 10))
		require.Equal(e, 1, e.purgeInbox(far, time.Time{}, 1))
		require.Equal(e, 1, e.purgeInbox(far, time.Time{}, 10))
		require.Zero(e, e.purgeInbox(far, time.Time{}, 10))
		e.view(func(ctx context.Context, tx store.Tx) error {
			for id, want := range map[channel.EnvelopeID]bool{"env-a": false, "env-b": false, "env-c": true, "env-d": true} {
				_, err := tx.Inbox().Envelope(ctx, id)
				require.Equal(e, want, err == nil, "%s: %v", id, err)
			}
			return nil
		})
		require.Equal(e, []bool{false}, e.append(envelopes("a")...), "the key outlives the envelope")
		for range 10 {
			e.purgeInbox(time.Time{}, far, 10)
		}
		again := envelopes("a")
		again[0].ID = "env-a-again"
		require.Equal(e, []bool{true}, e.append(again...), "the key is gone")
	}},
	{name: "a claim that is lost while its Update runs: one of both holders ends the envelope", run: lostWhileRunning},
	{name: "eight claimers never hold one lane at once", run: func(e *env) {
		const lanes, each = 6, 4
		var envs []adapter.Envelope
		for i := range lanes * each {
			envs = append(envs, envelope(fmt.Sprintf("%02d", i), fmt.Sprint("lane", i%lanes)))
		}
		e.append(envs...)
		taken := make([][]driver.InboxLane, racers)
		errs := parallel(racers, func(i int) error {
			got, err := e.db.System().ClaimInbox(e.ctx, fmt.Sprint("node", i), 2, each, time.Hour)
			taken[i] = got
			return err
		})
		require.Equal(e, racers, successes(errs), "%v", errs)
		seen := map[string]bool{}
		for _, list := range taken {
			for _, l := range list {
				if l.Workspace == e.ws {
					require.False(e, seen[l.Lane], "lane %s was claimed twice", l.Lane)
					seen[l.Lane] = true
					require.Len(e, l.Envelopes, each)
				}
			}
		}
	}},
}

// lostWhileRunning lets the claim pass to another between Done and the commit.
// A store may hold the other up until the commit, refuse the commit, or refuse
// what the other then does with the envelope.
func lostWhileRunning(e *env) {
	e.append(envelopes("a")...)
	lane := e.claimInbox(10, time.Hour)[0]
	begun, taken := make(chan struct{}), make(chan []driver.InboxLane, 1)
	failed := make(chan error, 1)
	go func() {
		<-begun
		if err := e.db.System().Release(e.ctx, driver.NewsInbox, lane.LaneRef); err != nil {
			failed <- err
		}
		lanes, err := e.db.System().ClaimInbox(e.ctx, "other", all, 10, time.Hour)
		if err != nil {
			failed <- err
		}
		taken <- slices.DeleteFunc(lanes, func(l driver.InboxLane) bool { return l.Workspace != e.ws })
	}()
	var once sync.Once
	var got []driver.InboxLane
	err := e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Inbox().Done(ctx, lane.Claim, "env-a"); err != nil {
			return err
		}
		once.Do(func() { close(begun) })
		if got == nil {
			select {
			case got = <-taken:
			case <-time.After(100 * time.Millisecond): // the store holds the other up
			}
		}
		return nil
	})
	if err != nil {
		require.ErrorIs(e, err, store.ErrStale)
	}
	if got == nil {
		got = <-taken
	}
	select {
	case err := <-failed:
		require.NoError(e, err)
	default:
	}
	if err != nil {
		require.Len(e, got, 1, "the envelope is nobody's")
		e.done(got[0], "a")
		return
	}
	for _, l := range got { // it was handed out before the commit: too late to end it
		for _, ending := range e.endings(l.Claim, "env-a") {
			e.refuse(store.ErrStale, ending)
		}
	}
}

// endings are all the ways to end or put back an envelope under a claim.
func (e *env) endings(c driver.Claim, id channel.EnvelopeID) map[string]func(context.Context, store.Tx) error {
	return map[string]func(context.Context, store.Tx) error{
		"done": func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Done(ctx, c, id) },
		"retry": func(ctx context.Context, tx store.Tx) error {
			return tx.Inbox().Retry(ctx, c, id, time.Time{}, "again")
		},
		"quarantine": func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Quarantine(ctx, c, id, "bad") },
	}
}

func keysOf(l driver.InboxLane) (keys []string) {
	for _, env := range l.Envelopes {
		keys = append(keys, env.DedupKey)
	}
	return keys
}

func (e *env) done(l driver.InboxLane, keys ...string) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error {
		for _, env := range l.Envelopes {
			if slices.Contains(keys, env.DedupKey) {
				if err := tx.Inbox().Done(ctx, l.Claim, env.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (e *env) releaseIn(l driver.InboxLane) {
	e.Helper()
	require.NoError(e, e.db.System().Release(e.ctx, driver.NewsInbox, l.LaneRef))
}

func (e *env) purgeInbox(raw, keys time.Time, limit int) (n int) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) (err error) {
		n, err = tx.Purge(ctx, driver.Ages{Raw: raw, Keys: keys}, limit)
		return err
	})
	return n
}
