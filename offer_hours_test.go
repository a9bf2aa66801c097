package sangdam_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// opensAt is a calendar that opens so many minutes after midnight, every day.
func opensAt(minutes int) *hours.Calendar {
	return &hours.Calendar{Zone: "UTC", Week: hours.Every([]hours.Interval{{From: hours.At(0, minutes), To: hours.At(18, 0)}},
		time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday)}
}

func (w *replayWorld) accountHours(c *hours.Calendar) {
	w.t.Helper()
	if c == nil {
		return
	}
	all, err := w.eng.Accounts(w.ctx, w.host)
	require.NoError(w.t, err)
	a := all[slices.IndexFunc(all, func(a channel.Account) bool { return a.ID == w.acct.ID })]
	a.Hours = c
	require.NoError(w.t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})))
}

func (w *replayWorld) workspaceHours(c *hours.Calendar) {
	w.t.Helper()
	set, err := w.eng.TicketSetup(w.ctx, w.host)
	require.NoError(w.t, err)
	if set.Settings.Hours == c {
		return
	}
	set.Settings.Hours = c
	require.NoError(w.t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: set.Settings})))
}

// The hours that a customer is told of are those in which people are asked:
// what waits is offered in the moment in which they begin, whatever the poll is.
func TestNothingIsOfferedOutsideOperatingHours(t *testing.T) {
	type set struct {
		account, desk, queue, stream, workspace *hours.Calendar
		outside                                 bool
	}
	for name, c := range map[string]struct {
		set
		opens int // minutes after midnight; 0: offered at once
	}{
		"hours of the desk":                       {set{desk: opensAt(7)}, 7},
		"hours of the queue":                      {set{queue: opensAt(7)}, 7},
		"hours of the work stream":                {set{stream: opensAt(7)}, 7},
		"the desk's go before the queue's":        {set{desk: opensAt(7), queue: opensAt(2)}, 7},
		"the queue's go before the work stream's": {set{queue: opensAt(7), stream: opensAt(2)}, 7},
		"a queue that works outside hours":        {set{desk: opensAt(7), outside: true}, 0},
		"the account's go before the desk's":      {set{account: opensAt(7), desk: opensAt(2)}, 7},
		"the workspace's go last":                 {set{workspace: opensAt(2), stream: opensAt(7)}, 7},
		"hours of the workspace":                  {set{workspace: opensAt(7)}, 7},
		"none":                                    {set{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				w.accountHours(c.account)
				w.workspaceHours(c.workspace)
				w.online("a1")
				midnight := time.Now().UTC().Truncate(24 * time.Hour)
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.settle()
				id := w.of(mina).Conversation.ID
				if c.opens == 0 {
					require.NotNil(t, w.of(mina).Offer)
					return
				}
				opening := midnight.Add(time.Duration(c.opens) * time.Minute)
				w.beat(time.Until(opening.Add(-20*time.Second)), "a1")
				require.Nil(t, w.of(mina).Offer)
				why, err := w.eng.Explain(w.ctx, w.host, id)
				require.NoError(t, err)
				require.NotNil(t, why.Now)
				require.Contains(t, why.Now.Why, "outside operating hours until "+opening.Format(time.RFC3339))
				_, err = w.eng.Place(w.ctx, w.host, id)
				require.NoError(t, err)
				w.beat(25*time.Second, "a1")
				offer := w.of(mina).Offer
				require.NotNil(t, offer)
				require.Less(t, offer.OfferedAt.Sub(opening), 100*time.Millisecond)
				require.GreaterOrEqual(t, offer.OfferedAt.Sub(opening), time.Duration(0))
			}, quiet, withConfig(func(cfg *sangdam.Config) { cfg.Poll = 40 * time.Second }),
				withDesk(func(d *routing.Desk) { d.Hours = c.desk }),
				withQueue(func(q *routing.Queue) { q.Hours, q.OutsideHours = c.queue, c.outside }),
				withStream(func(s *routing.WorkStream) { s.Hours = c.stream }))
		})
	}
}

// Saved hours count for what waits already, and a person may always take it.
func TestHoursThatAreChangedCountAtOnce(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		mina.SendText("hello")
		jun.SendText("hello")
		w.settle()
		require.Nil(t, w.of(mina).Offer)
		_, err := w.eng.Pick(w.ctx, w.agent("a1"), sangdam.Pick{Conversation: w.of(jun).Conversation.ID})
		require.NoError(t, err, "whoever is there may take it")
		q := w.configuration().Queues["q"]
		q.OutsideHours = true
		w.saveQueue(q)
		w.settle()
		require.NotNil(t, w.of(mina).Offer)
	}, quiet, withDesk(func(d *routing.Desk) { d.Hours = opensAt(59) }))
}

// The workspace's hours are no part of the configuration, yet every process
// follows them at once: what waits is offered when they are taken away, and
// customers are told by them.
func TestHoursOfTheWorkspaceCountAtOnce(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		never := &hours.Calendar{Zone: "UTC", Week: hours.Every([]hours.Interval{{From: 0, To: hours.At(0, 1)}},
			(time.Now().UTC().Weekday()+3)%7)}
		w.workspaceHours(never)
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		require.Contains(t, mina.Texts(), "We are away.")
		require.Nil(t, w.of(mina).Offer)
		w.workspaceHours(nil)
		w.settle()
		require.NotNil(t, w.of(mina).Offer)
		jun := w.line.User("Jun")
		jun.SendText("hello")
		w.settle()
		require.NotContains(t, jun.Texts(), "We are away.")
		set, err := w.eng.TicketSetup(w.ctx, w.host)
		require.NoError(t, err)
		set.Settings.Hours = &hours.Calendar{Zone: "UTC"}
		require.ErrorIs(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: set.Settings})),
			sangdam.ErrInvalid)
	}, longOffers)
}
