package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var outboxRules = []rule{
	{name: "a row comes out as it went in, queued", run: func(e *env) {
		want := row("r", "lane 김")
		want.Conversation, want.Message, want.SenderName, want.SenderIcon = "c", "m", "Kim", "https://x/y.png"
		want.Reply = &channel.ReplyHandle{Token: "secret", Expires: moment(1)}
		want.Content = text("hi \x00 \U0001F600")
		e.enqueue(want)
		e.same(want, e.row("r"))
		lanes := e.claimOutbox(10, e.lease())
		require.Len(e, lanes, 1)
		e.same([]driver.OutboxRow{want}, lanes[0].Rows)
		require.Nil(e, lanes[0].Attempt)
		require.False(e, lanes[0].Doubtful)
		e.view(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Outbox().Row(ctx, "none")
			require.ErrorIs(e, err, store.ErrNotFound)
			return nil
		})
	}},
	{name: "what an ended row said is forgotten, what waits is not", run: func(e *env) {
		said := row("1", "l")
		said.Content, said.Sealed = text("a secret"), []byte{0, 0xff, 7}
		other := row("2", "m")
		other.Content = text("waits")
		e.enqueue(said, other)
		e.same(said.Sealed, e.row("1").Sealed)
		for _, l := range e.claimOutbox(10, time.Hour) {
			if l.Lane == "l" {
				e.sent(l, "at1")
			}
		}
		e.update(func(ctx context.Context, tx store.Tx) error {
			for _, id := range []channel.OutboxID{"1", "2", "none"} {
				if err := tx.Outbox().Forget(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
		got := e.row("1")
		require.Empty(e, got.Content.Text)
		require.Empty(e, got.Sealed)
		require.Equal(e, channel.OutboxSent, got.State)
		require.Equal(e, "waits", e.row("2").Content.Text)
	}},
	{name: "a row id that is taken is a clash", run: func(e *env) {
		e.enqueue(row("r", "l"))
		e.clash(func(ctx context.Context, tx store.Tx) error { return tx.Outbox().Enqueue(ctx, row("r", "other")) })
	}},
	{name: "lanes keep the order of enqueueing, whatever the ids", run: func(e *env) {
		e.enqueue(row("z", "l"), row("y", "l"), row("other", "m"))
		e.enqueue(row("a", "l"))
		lanes := e.claimOutbox(10, e.lease())
		require.Len(e, lanes, 2)
		require.Equal(e, []channel.OutboxID{"z", "y", "a"}, rowsOf(lanes[0]))
		require.Equal(e, []channel.OutboxID{"other"}, rowsOf(lanes[1]))
	}},
	{name: "a batch takes the head of the lane", run: func(e *env) {
		e.enqueue(row("1", "l"), row("2", "l"), row("3", "l"))
		require.Equal(e, []channel.OutboxID{"1", "2"}, rowsOf(e.claimOutbox(2, e.lease())[0]))
	}},
	{name: "a row that must wait blocks those behind it", run: func(e *env) {
		wait := e.lease()
		late := row("2", "l")
		late.NotBefore = e.now().Add(wait)
		e.enqueue(row("1", "l"), late, row("3", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		require.Equal(e, []channel.OutboxID{"1"}, rowsOf(lane))
		e.sent(lane, "at1")
		e.releaseOut(lane)
		require.Empty(e, e.claimOutbox(10, time.Hour))
		e.pass(wait + time.Millisecond)
		require.Equal(e, []channel.OutboxID{"2", "3"}, rowsOf(e.claimOutbox(10, time.Hour)[0]))
	}},
	{name: "a claim excludes others until it is given back", run: func(e *env) {
		e.enqueue(row("1", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		require.Empty(e, e.claimOutbox(10, time.Hour))
		e.releaseOut(lane)
		require.Len(e, e.claimOutbox(10, time.Hour), 1)
	}},
	{name: "a claim whose lease ended is another's, and its token is stale", run: func(e *env) {
		e.enqueue(row("1", "l"))
		slow := e.claimOutbox(10, e.lease())[0]
		e.pass(e.lease() + time.Millisecond)
		require.Len(e, e.claimOutbox(10, time.Hour), 1)
		e.refuse(store.ErrStale, begin(slow, "at", 1))
		e.refuse(store.ErrStale, func(ctx context.Context, tx store.Tx) error {
			return tx.Outbox().Fail(ctx, slow.Claim, "1", channel.ReasonContent, "")
		})
	}},
	{name: "a paused account's lanes are not claimed until then; others are", run: func(e *env) {
		wait := e.lease()
		other := row("o", "l")
		other.Account = "other"
		e.enqueue(row("1", "l"), other)
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Outbox().Pause(ctx, "acct", tx.Now().Add(wait))
		})
		lanes := e.claimOutbox(10, time.Hour)
		require.Len(e, lanes, 1)
		require.Equal(e, channel.AccountID("other"), lanes[0].Account)
		e.pass(wait + time.Millisecond)
		lanes = e.claimOutbox(10, time.Hour)
		require.Len(e, lanes, 1)
		require.Equal(e, channel.AccountID("acct"), lanes[0].Account)
	}},
	{name: "a shorter pause does not end a longer one", run: func(e *env) {
		wait := e.lease()
		e.enqueue(row("1", "l"))
		for _, d := range []time.Duration{wait, wait / 4} {
			e.update(func(ctx context.Context, tx store.Tx) error {
				return tx.Outbox().Pause(ctx, "acct", tx.Now().Add(d))
			})
		}
		e.pass(wait / 2)
		require.Empty(e, e.claimOutbox(10, time.Hour))
		e.pass(wait/2 + time.Millisecond)
		require.Len(e, e.claimOutbox(10, time.Hour), 1)
	}},
	{name: "a settled attempt ends its rows", run: func(e *env) {
		for i, state := range []channel.OutboxState{channel.OutboxSent, channel.OutboxFailed, channel.OutboxUnknown} {
			l := fmt.Sprint("lane", i)
			first, second := channel.OutboxID(l+"-1"), channel.OutboxID(l+"-2")
			e.enqueue(row(first, l), row(second, l))
			lane := e.claimOutbox(10, time.Hour)[0]
			e.update(begin(lane, "at-"+l, 1))
			require.Equal(e, channel.OutboxSending, e.row(first).State)
			require.Equal(e, 2, e.pending())
			e.update(settle(lane, "at-"+l, driver.Settlement{State: state, Reason: channel.ReasonContent, Detail: "d"}))
			for _, id := range []channel.OutboxID{first, second} {
				got := e.row(id)
				require.Equal(e, state, got.State)
				require.Equal(e, channel.ReasonContent, got.Reason)
				require.Equal(e, "d", got.Detail)
				require.Equal(e, 1, got.Tries)
			}
			e.refuse(store.ErrStale, settle(lane, "at-"+l, driver.Settlement{State: channel.OutboxSent}))
			e.refuse(store.ErrStale, begin(lane, "at-"+l, 2))
			e.releaseOut(lane)
			require.Empty(e, e.claimOutbox(10, time.Hour))
			require.Zero(e, e.pending())
		}
	}},
	{name: "rows that ended as unknown are listed, newest first", run: func(e *env) {
		for i, state := range []channel.OutboxState{channel.OutboxUnknown, channel.OutboxSent, channel.OutboxUnknown, channel.OutboxFailed,
			channel.OutboxUnknown} {
			id := channel.OutboxID(fmt.Sprint("row", i))
			e.enqueue(row(id, fmt.Sprint("lane", i)))
			lane := e.claimOutbox(10, time.Hour)[0]
			e.update(begin(lane, fmt.Sprint("at", i), 1))
			e.update(settle(lane, fmt.Sprint("at", i), driver.Settlement{State: state, Reason: channel.ReasonNetwork}))
			e.releaseOut(lane)
			e.pass(time.Millisecond)
		}
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Outbox().Unknown(ctx, 2)
			require.Len(e, list, 2)
			require.Equal(e, channel.OutboxID("row4"), list[0].ID)
			require.Equal(e, channel.OutboxID("row2"), list[1].ID)
			require.Equal(e, channel.ReasonNetwork, list[0].Reason)
			return err
		})
	}},
	{name: "an attempt may carry part of the batch; the rest comes next", run: func(e *env) {
		e.enqueue(row("1", "l"), row("2", "l"), row("3", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		lane.Rows = lane.Rows[:2]
		e.sent(lane, "at")
		e.releaseOut(lane)
		require.Equal(e, []channel.OutboxID{"3"}, rowsOf(e.claimOutbox(10, time.Hour)[0]))
	}},
	{name: "an attempt to be repeated stays at the head, exact, not before its time", run: func(e *env) {
		wait := e.lease()
		e.enqueue(row("1", "l"), row("2", "l"), row("3", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		at := attempt(lane, "at", 1)
		at.Rows = at.Rows[:2]
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Outbox().Begin(ctx, lane.Claim, at) })
		e.update(settle(lane, "at", driver.Settlement{State: channel.OutboxQueued, NotBefore: e.now().Add(wait),
			Reason: channel.ReasonProvider}))
		e.releaseOut(lane)
		require.Empty(e, e.claimOutbox(10, time.Hour))
		e.pass(wait + time.Millisecond)
		again := e.claimOutbox(1, time.Hour)
		require.Len(e, again, 1)
		require.Equal(e, []channel.OutboxID{"1", "2"}, rowsOf(again[0]), "exactly the attempt's rows, whatever the batch")
		e.same(&at, again[0].Attempt)
		require.False(e, again[0].Doubtful, "its outcome is known")
		at.Tries = 2
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Outbox().Begin(ctx, again[0].Claim, at) })
		require.Equal(e, 2, e.row("1").Tries)
		e.update(settle(again[0], "at", driver.Settlement{State: channel.OutboxSent}))
		e.releaseOut(again[0])
		require.Equal(e, []channel.OutboxID{"3"}, rowsOf(e.claimOutbox(10, time.Hour)[0]))
	}},
	{name: "an attempt to be planned anew ends; its rows lose the reply and keep their tries", run: func(e *env) {
		first := row("1", "l")
		first.Reply = &channel.ReplyHandle{Token: "used", Expires: moment(1)}
		e.enqueue(first, row("2", "l"))
		lane := e.claimOutbox(1, time.Hour)[0]
		e.update(begin(lane, "at", 1))
		e.update(settle(lane, "at", driver.Settlement{State: channel.OutboxQueued, Replan: true, Reason: channel.ReasonReplyHandle}))
		e.refuse(store.ErrStale, settle(lane, "at", driver.Settlement{State: channel.OutboxSent}))
		e.releaseOut(lane)
		again := e.claimOutbox(10, time.Hour)[0]
		require.Nil(e, again.Attempt)
		require.False(e, again.Doubtful)
		require.Equal(e, []channel.OutboxID{"1", "2"}, rowsOf(again))
		require.Nil(e, again.Rows[0].Reply)
		require.Equal(e, channel.OutboxQueued, again.Rows[0].State)
		require.Equal(e, 1, again.Rows[0].Tries)
		e.sent(again, "at2")
		require.Equal(e, 2, e.row("1").Tries)
	}},
	{name: "an attempt to be repeated keeps what is settled with it", run: func(e *env) {
		e.enqueue(row("1", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		e.update(begin(lane, "at", 1))
		at := attempt(lane, "at", 1)
		at.Unsure = true
		e.update(settle(lane, "at", driver.Settlement{State: channel.OutboxQueued, Attempt: &at}))
		e.releaseOut(lane)
		again := e.claimOutbox(10, time.Hour)[0]
		e.same(&at, again.Attempt)
		require.False(e, again.Doubtful)
		e.update(settle(again, "at", driver.Settlement{State: channel.OutboxQueued}))
		e.releaseOut(again)
		e.same(&at, e.claimOutbox(10, time.Hour)[0].Attempt)
	}},
	{name: "a row with a reply makes due what waits for the plan's messages, and nothing else", run: func(e *env) {
		hold := func(lane string, reason channel.Reason, replan bool) {
			e.enqueue(row(channel.OutboxID(lane+"-1"), lane))
			l := e.claimOutbox(10, time.Hour)[0]
			e.update(begin(l, "at-"+lane, 1))
			e.update(settle(l, "at-"+lane, driver.Settlement{State: channel.OutboxQueued, Replan: replan, Reason: reason,
				NotBefore: e.now().Add(time.Hour)}))
			e.releaseOut(l)
		}
		hold("quota", channel.ReasonQuota, true)
		hold("carried", channel.ReasonQuota, false)
		hold("rate", channel.ReasonRate, true)
		require.Empty(e, e.claimOutbox(10, time.Hour))
		e.enqueue(row("quota-2", "quota"))
		require.Empty(e, e.claimOutbox(10, time.Hour), "a row without a reply waits behind")
		for _, lane := range []string{"quota", "carried", "rate", "empty"} {
			r := row(channel.OutboxID(lane+"-3"), lane)
			r.Reply = &channel.ReplyHandle{Token: "t", Expires: moment(1)}
			e.enqueue(r)
		}
		lanes := e.claimOutbox(10, time.Hour)
		require.Len(e, lanes, 2)
		require.Equal(e, []channel.OutboxID{"quota-1", "quota-2", "quota-3"}, rowsOf(lanes[0]))
		require.Equal(e, []channel.OutboxID{"empty-3"}, rowsOf(lanes[1]))
	}},
	{name: "a row that cannot be planned fails alone", run: func(e *env) {
		e.enqueue(row("1", "l"), row("2", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		fail := func(ctx context.Context, tx store.Tx) error {
			return tx.Outbox().Fail(ctx, lane.Claim, "1", channel.ReasonContent, "too long")
		}
		e.update(fail)
		e.refuse(store.ErrStale, fail)
		got := e.row("1")
		require.Equal(e, channel.OutboxFailed, got.State)
		require.Equal(e, channel.ReasonContent, got.Reason)
		require.Equal(e, "too long", got.Detail)
		e.releaseOut(lane)
		require.Equal(e, []channel.OutboxID{"2"}, rowsOf(e.claimOutbox(10, time.Hour)[0]))
	}},
	{name: "of an attempt to be planned anew a row ends in the same update, and the others go on in the same claim", run: func(e *env) {
		e.enqueue(row("1", "l"), row("2", "l"), row("3", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		e.update(begin(lane, "at", 3))
		e.update(func(ctx context.Context, tx store.Tx) error {
			err := settle(lane, "at", driver.Settlement{State: channel.OutboxQueued, Replan: true})(ctx, tx)
			if err != nil {
				return err
			}
			return tx.Outbox().Fail(ctx, lane.Claim, "2", channel.ReasonContent, "refused")
		})
		require.Equal(e, channel.OutboxFailed, e.row("2").State)
		rest := lane
		rest.Rows = []driver.OutboxRow{lane.Rows[0], lane.Rows[2]}
		e.sent(rest, "at2")
		require.Equal(e, channel.OutboxSent, e.row("1").State)
		require.Equal(e, channel.OutboxSent, e.row("3").State)
	}},
	{name: "a row that no attempt carries is taken back, also from a claimed lane; what waited behind it goes on", run: func(e *env) {
		cancel := func(id channel.OutboxID) func(context.Context, store.Tx) error {
			return func(ctx context.Context, tx store.Tx) error { return tx.Outbox().Cancel(ctx, id) }
		}
		held := row("held", "l")
		held.NotBefore = e.now().Add(time.Hour)
		e.enqueue(held, row("next", "l"))
		require.Empty(e, e.claimOutbox(10, time.Hour))
		e.update(cancel("held"))
		require.Equal(e, channel.OutboxCancelled, e.row("held").State)
		require.Equal(e, 1, e.pending())
		lane := e.claimOutbox(10, time.Hour)[0]
		require.Equal(e, []channel.OutboxID{"next"}, rowsOf(lane))
		e.update(cancel("next"))
		e.refuse(store.ErrStale, begin(lane, "late", 1)) // whoever loaded it before sends nothing
		e.releaseOut(lane)
		require.Empty(e, e.claimOutbox(10, time.Hour))

		e.enqueue(row("begun", "l"))
		lane = e.claimOutbox(10, time.Hour)[0]
		e.update(begin(lane, "at", 1))
		e.refuse(store.ErrStale, cancel("begun"))
		e.update(settle(lane, "at", driver.Settlement{State: channel.OutboxSent}))
		e.refuse(store.ErrStale, cancel("begun"))
		e.refuse(store.ErrStale, cancel("held"))
		e.refuse(store.ErrNotFound, cancel("none"))
		require.Zero(e, e.pending())
	}},
	{name: "an attempt cannot be settled as anything else", run: func(e *env) {
		e.enqueue(row("1", "l"))
		lane := e.claimOutbox(10, time.Hour)[0]
		e.update(begin(lane, "at", 1))
		e.refuse(store.ErrInvalid, settle(lane, "at", driver.Settlement{State: channel.OutboxSending}))
	}},
	{name: "purge takes ended rows", run: func(e *env) {
		e.enqueue(row("1", "l"), row("2", "l"), row("3", "l"))
		lane := e.claimOutbox(2, time.Hour)[0]
		e.sent(lane, "at")
		purge := func(before time.Time, limit int) (n int) {
			e.update(func(ctx context.Context, tx store.Tx) (err error) {
				n, err = tx.Purge(ctx, driver.Ages{Raw: before}, limit)
				return err
			})
			return n
		}
		require.Zero(e, purge(e.now().Add(-time.Hour), 10))
		far := e.now().Add(time.Hour)
		require.Equal(e, 1, purge(far, 1))
		require.Equal(e, 1, purge(far, 10))
		require.Zero(e, purge(far, 10))
		require.Equal(e, channel.OutboxQueued, e.row("3").State)
	}},
	{name: "eight claimers never hold one lane at once", run: func(e *env) {
		for i := range 6 {
			e.enqueue(row(channel.OutboxID(fmt.Sprint(i)), fmt.Sprint("lane", i)))
		}
		taken := make([][]driver.OutboxLane, racers)
		errs := parallel(racers, func(i int) error {
			got, err := e.db.System().ClaimOutbox(e.ctx, fmt.Sprint("node", i), all, 10, time.Hour)
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
				}
			}
		}
	}},
}

// doubtRules say what an attempt is when nobody recorded how it ended.
var doubtRules = []rule{
	{name: "an attempt whose lease ended without an outcome is doubtful", run: func(e *env) {
		e.enqueue(row("1", "l"), row("2", "l"))
		lane := e.claimOutbox(1, e.lease())[0]
		e.update(begin(lane, "at", 1))
		e.pass(e.lease() + time.Millisecond)
		again := e.claimOutbox(10, time.Hour)
		require.Len(e, again, 1)
		require.True(e, again[0].Doubtful)
		require.Equal(e, []channel.OutboxID{"1"}, rowsOf(again[0]))
		want := attempt(lane, "at", 1)
		e.same(&want, again[0].Attempt)
		e.refuse(store.ErrStale, settle(lane, "at", driver.Settlement{State: channel.OutboxSent}))
		e.update(settle(again[0], "at", driver.Settlement{State: channel.OutboxUnknown}))
	}},
	{name: "an attempt given back without an outcome is doubtful", run: func(e *env) {
		e.enqueue(row("1", "l"))
		lane := e.claimOutbox(1, time.Hour)[0]
		e.update(begin(lane, "at", 1))
		e.releaseOut(lane)
		again := e.claimOutbox(10, time.Hour)
		require.Len(e, again, 1)
		require.True(e, again[0].Doubtful)
	}},
	{name: "a repeat without an outcome is doubtful", run: func(e *env) {
		e.enqueue(row("1", "l"))
		lane := e.claimOutbox(1, time.Hour)[0]
		e.update(begin(lane, "at", 1))
		e.update(settle(lane, "at", driver.Settlement{State: channel.OutboxQueued}))
		e.update(begin(lane, "at", 2))
		e.releaseOut(lane)
		again := e.claimOutbox(10, time.Hour)[0]
		require.True(e, again.Doubtful)
		require.Equal(e, 2, again.Attempt.Tries)
	}},
	{name: "a dead process leaves its attempt doubtful and its claims free", alone: true, run: func(e *env) {
		reopen := e.h.Kill
		if reopen == nil {
			reopen = e.h.Reopen
		}
		if reopen == nil {
			e.cannot("reopen: doubtful attempts of a dead process")
			return
		}
		e.enqueue(row("1", "l"), row("2", "m"))
		e.append(envelopes("a")...)
		e.claimInbox(10, e.lease())
		var sending driver.OutboxLane
		for _, l := range e.claimOutbox(10, e.lease()) {
			if l.Lane == "l" {
				sending = l
			}
		}
		e.update(begin(sending, "at", 1))
		e.db = inMode(reopen(e, bare(e.db)), e.mode)
		e.pass(e.lease() + time.Millisecond) // where claims are rows they end with their lease
		require.Len(e, e.claimInbox(10, time.Hour), 1)
		lanes := e.claimOutbox(10, time.Hour)
		require.Len(e, lanes, 2)
		for _, l := range lanes {
			require.Equal(e, l.Lane == "l", l.Doubtful, "lane %s", l.Lane)
		}
		e.refuse(store.ErrStale, settle(sending, "at", driver.Settlement{State: channel.OutboxSent}))
	}},
}

func row(id channel.OutboxID, lane string) driver.OutboxRow {
	return driver.OutboxRow{ID: id, Account: "acct", Lane: lane, To: userChat, Content: text("hi"), State: channel.OutboxQueued}
}

func (e *env) enqueue(rows ...driver.OutboxRow) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error { return tx.Outbox().Enqueue(ctx, rows...) })
}

func (e *env) row(id channel.OutboxID) (r driver.OutboxRow) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		r, err = tx.Outbox().Row(ctx, id)
		return err
	})
	return r
}

func (e *env) pending() (n int) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		n, err = tx.Outbox().Pending(ctx)
		return err
	})
	return n
}

func rowsOf(l driver.OutboxLane) (ids []channel.OutboxID) {
	for _, r := range l.Rows {
		ids = append(ids, r.ID)
	}
	return ids
}

// attempt is a request that carries all rows of the claimed batch.
func attempt(l driver.OutboxLane, id string, tries int) adapter.Attempt {
	return adapter.Attempt{
		ID: id, Account: l.Account, Rows: rowsOf(l), Route: "push", Request: []byte("bytes \x00\xff"),
		IdempotencyKey: "key", IdempotentFor: 24 * time.Hour, PlannedAt: moment(3), Tries: tries,
	}
}

func begin(l driver.OutboxLane, id string, tries int) func(context.Context, store.Tx) error {
	return func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Begin(ctx, l.Claim, attempt(l, id, tries))
	}
}

func settle(l driver.OutboxLane, id string, o driver.Settlement) func(context.Context, store.Tx) error {
	return func(ctx context.Context, tx store.Tx) error { return tx.Outbox().Settle(ctx, l.Claim, id, o) }
}

// sent sends the rows of the claim by one attempt.
func (e *env) sent(l driver.OutboxLane, id string) {
	e.Helper()
	e.update(begin(l, id, 1))
	e.update(settle(l, id, driver.Settlement{State: channel.OutboxSent}))
}

func (e *env) releaseOut(l driver.OutboxLane) {
	e.Helper()
	require.NoError(e, e.db.System().Release(e.ctx, driver.NewsOutbox, l.LaneRef))
}
