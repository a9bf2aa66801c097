package sangdam

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// stepsOfARecord is how many events each seeded record has.
const stepsOfARecord = 20

// trialDesk is an engine whose jobs a test does itself.
func trialDesk(t testing.TB, db *store.DB) *Engine {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	keys, err := seal.Ephemeral()
	require.NoError(t, err)
	e, err := New(Config{DB: db, Sealer: keys, Poll: time.Hour})
	require.NoError(t, err)
	if err := e.CreateWorkspace(t.Context(), "w", "W"); err != nil {
		require.ErrorIs(t, err, ErrAlreadyExists)
	}
	return e
}

// seedPast writes tickets or conversations with stepsOfARecord events each.
func seedPast(t testing.TB, e *Engine, kind string, from, to int) {
	t.Helper()
	const chunk = 100
	for ; from < to; from += chunk {
		require.NoError(t, e.db.Update(context.Background(), "w", func(ctx context.Context, tx store.Tx) error {
			for i := from; i < min(from+chunk, to); i++ {
				seed := seedTicketPast
				if kind == kindConversation {
					seed = seedConversationPast
				}
				if err := seed(ctx, tx, i); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// pastTime is when the n-th event of the i-th seeded record was.
func pastTime(i, n int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i)*time.Second + time.Duration(n)*time.Minute)
}

func seedTicketPast(ctx context.Context, tx store.Tx, i int) error {
	d, err := ticket.Open(ticket.Ticket{ID: ticket.ID(fmt.Sprintf("t%06d", i)), Channel: ticket.ChannelAPI,
		Title: fmt.Sprint("Order ", i, " has not arrived"), Body: "It was to be here on Monday, and nobody answers the telephone.",
		Requester: ticket.Requester{Name: fmt.Sprint("Customer ", i), Email: fmt.Sprintf("c%d@example.com", i)}}, int64(i+1), "customer",
		pastTime(i, 0))
	for n := 1; err == nil; n++ {
		var tk ticket.Ticket
		var entry ticket.Entry
		if tk, entry, _, err = d.End(); err == nil {
			err = ticketEntries.Save(ctx, tx, &storedEntry{Entry: entry})
		}
		if err == nil && n == stepsOfARecord {
			return tickets.Save(ctx, tx, &storedTicket{Ticket: tk})
		}
		if err == nil {
			d, err = ticket.Edit(tk, fmt.Sprint("agent:a", i%20), pastTime(i, n))
		}
		if err == nil {
			d.T.Priority = ticket.Priority((n+1)%4 - 1)
			if n%3 == 0 {
				err = d.Comment(fmt.Sprint("The parcel of order ", i, " is at depot ", n))
			}
		}
	}
	return err
}

func seedConversationPast(ctx context.Context, tx store.Tx, i int) error {
	id := conversation.ID(fmt.Sprintf("c%06d", i))
	d := draft.Open(conversation.Conversation{ID: id, Thread: string(id), Desk: "support", WorkStream: "line", Account: "shop",
		Channel: "line", Chat: channel.Chat{Kind: channel.ChatUser, ID: string(id)}}, "", "customer", pastTime(i, 0))
	for n := range stepsOfARecord {
		if n > 0 {
			d = draft.Edit(d.C, pastTime(i, n))
		}
		m := conversation.Message{ID: conversation.MessageID(fmt.Sprintf("%s-%d", id, n)), Account: "shop", Chat: d.C.Chat,
			Author:  conversation.Author{Kind: conversation.ByCustomer},
			Content: channel.Text(fmt.Sprint("Where is order ", i, "? It was to be here on Monday."))}
		var err error
		if n%2 == 0 {
			d.AddInbound(m, nil)
		} else {
			m.Author = conversation.Author{Kind: conversation.ByAgent, Agent: "a1"}
			_, _, err = d.AddOutbound(m)
		}
		switch {
		case err != nil:
		case n == 0:
			err = d.Queued("system", "everyone")
		case n == 1:
			err = d.Assigned("a1", "agent:a1")
		}
		if err == nil {
			_, err = tx.Conversations().SaveMessage(ctx, d.Messages[0])
		}
		if err == nil {
			err = tx.Conversations().AppendEvents(ctx, d.Events...)
		}
		if err != nil {
			return err
		}
	}
	_, err := tx.Conversations().SaveConversation(ctx, d.C)
	return err
}

// rareRule is a trigger that fires in some of the seeded events.
func rareRule(kind string) trigger.Trigger {
	when := []condition.Clause{{Field: "comment", Op: condition.Contains, Value: "depot 9"},
		{Field: "priority", Op: condition.Gte, Value: 0.0}}
	if kind == kindConversation {
		when = []condition.Clause{{Field: "message", Op: condition.Contains, Value: "order 7"},
			{Field: "unread", Op: condition.Gt, Value: 0.0}}
	}
	return trigger.Trigger{ID: "rare", Title: "Rare", Subject: kind, When: condition.Condition{All: when},
		Actions: []trigger.Action{trigger.Do(action.Tag, action.TagParams{Add: []string{"rare"}})}}
}

// triesAll does a trial, to its end or for so many steps, and returns it.
func triesAll(t testing.TB, e *Engine, tr trigger.Trigger, id string, steps int) TriggerTrial {
	t.Helper()
	if id == "" {
		saved, err := e.TryTrigger(t.Context(), Host("w"), TryTrigger{Trigger: tr})
		require.NoError(t, err)
		id = saved.ID
	}
	rules := &trialRules{}
	enough := errs.New(errs.Unavailable, "enough")
	j := &runningJob{Job: driver.Job{Workspace: "w"}}
	err := trialErrands.run(e, t.Context(), j, id, func(ctx context.Context, tr TriggerTrial) error {
		if steps--; steps < 0 {
			return enough
		}
		if tr.Parts == 0 {
			return e.beginTrial(ctx, tr)
		}
		return e.trialStep(ctx, tr, rules)
	})
	if err != nil {
		require.ErrorIs(t, err, enough)
	}
	trial, err := e.Trial(t.Context(), Host("w"), id)
	require.NoError(t, err)
	return trial
}

// widest counts the most rows that one statement returned.
type widest struct {
	driver.Backend
	most atomic.Int64
}

func (b *widest) View(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.Backend.View(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Documents = wideDocs{tx.Documents, b}
		tx.Conversations = wideConversations{tx.Conversations, b}
		return fn(ctx, tx)
	})
}

func (b *widest) saw(n int) { b.most.Store(max(b.most.Load(), int64(n))) }

type wideDocs struct {
	driver.DocRepo
	b *widest
}

func (d wideDocs) List(ctx context.Context, r driver.Range, after driver.Place, limit int) ([]driver.Placed, error) {
	out, err := d.DocRepo.List(ctx, r, after, limit)
	d.b.saw(len(out))
	return out, err
}

type wideConversations struct {
	driver.ConversationRepo
	b *widest
}

func (c wideConversations) Events(ctx context.Context, id conversation.ID, after int64, limit int) ([]conversation.Event, error) {
	out, err := c.ConversationRepo.Events(ctx, id, after, limit)
	c.b.saw(len(out))
	return out, err
}

func (c wideConversations) Messages(ctx context.Context, id conversation.ID, p driver.MessagePage) ([]conversation.Message, error) {
	out, err := c.ConversationRepo.Messages(ctx, id, p)
	c.b.saw(len(out))
	return out, err
}

// TestATrialReadsWhatThereIsOnce: the rows that a trial reads for an event are as
// many among 20,000 events as among 2,000, and no statement returns more than a
// page. Rows are counted, times are not.
func TestATrialReadsWhatThereIsOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("the plain run counts rows")
	}
	for _, kind := range []string{kindTicket, kindConversation} {
		t.Run(kind, func(t *testing.T) {
			db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
			require.NoError(t, err)
			wide := &widest{Backend: db.Backend()}
			e := trialDesk(t, store.New(wide))
			had := 0
			var few float64
			for _, records := range []int{100, 1000} {
				seedPast(t, e, kind, had, records)
				had = records
				before := e.db.Stats().RowsRead
				trial := triesAll(t, e, rareRule(kind), "", math.MaxInt)
				read := float64(e.db.Stats().RowsRead-before) / float64(trial.Result.Events)
				require.Equal(t, []any{ErrandDone, records * stepsOfARecord, records, TrialBound("")},
					[]any{trial.State, trial.Result.Events, trial.Result.Records, trial.Cut})
				require.NotZero(t, trial.Result.Now.Events)
				require.LessOrEqual(t, wide.most.Load(), int64(maxPage+1), "rows of one statement")
				if few > 0 {
					require.LessOrEqual(t, read, few*1.05, "rows read for an event")
				}
				few = read
				t.Logf("%d events: %.2f rows read for each", trial.Result.Events, read)
				require.Less(t, read, 3.0)
				waits := rareRule(kind)
				waits.After = &trigger.After{Since: "updated", For: 2 * time.Minute}
				before = e.db.Stats().RowsRead
				waited := triesAll(t, e, waits, "", math.MaxInt)
				require.LessOrEqual(t, e.db.Stats().RowsRead-before, int64(read*float64(trial.Result.Events)*1.05)+10, "for one that waits")
				require.Equal(t, records, waited.Result.Events-trial.Result.Events, "each record comes to its time once")
			}
		})
	}
}

// TestATrialComesToItsTimes: on each store a rule that waits comes between the
// changes of a record, once for each time that it counts from, and reads no more
// rows for that.
func TestATrialComesToItsTimes(t *testing.T) {
	stores := map[string]func() (*store.DB, error){
		"memory": func() (*store.DB, error) { return memory.New(memory.Options{}), nil },
		"sqlite": func() (*store.DB, error) { return sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()}) },
		"postgres": func() (*store.DB, error) {
			return postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
		},
	}
	for name, open := range stores {
		if testing.Short() && name != "memory" {
			continue
		}
		db, err := open()
		require.NoError(t, err)
		e := trialDesk(t, db)
		for _, kind := range []string{kindTicket, kindConversation} {
			seedPast(t, e, kind, 0, 30)
			since := map[string]string{kindTicket: "created", kindConversation: "opened"}[kind]
			rule := trigger.Trigger{ID: "waits", Title: "Waits", Subject: kind,
				After:   &trigger.After{Since: since, For: 10*time.Minute + 30*time.Second},
				Actions: []trigger.Action{trigger.Do(action.Tag, action.TagParams{Add: []string{"late"}})}}
			once := triesAll(t, e, rule, "", math.MaxInt)
			require.Equal(t, []any{ErrandDone, 30, 30 * (stepsOfARecord + 1), 0},
				[]any{once.State, once.Result.Now.Records, once.Result.Events, once.LeftOut}, name+kind)
			at := once.Result.Gained.Samples[0].Event
			i, err := strconv.Atoi(strings.TrimLeft(once.Result.Gained.Samples[0].Record[len(kind)+2:], "0"))
			require.NoError(t, err)
			require.Equal(t, []any{"time", trigger.BySystem, pastTime(i, 0).Add(rule.After.For).UnixMicro()},
				[]any{at.Kind, at.Actor, at.At.UnixMicro()})
			rule.When.All = []condition.Clause{{Field: "agent", Op: condition.Is, Value: "nobody"}}
			require.Zero(t, triesAll(t, e, rule, "", math.MaxInt).Result.Now.Events, "what held then is asked, and not now")
			rule.When, rule.After.Since, rule.After.For = condition.Condition{}, "updated", time.Minute
			last := triesAll(t, e, rule, "", math.MaxInt)
			require.Equal(t, 30, last.Result.Now.Events, "each change moved it, but for the last")
			rule.After.For = 24 * time.Hour
			from := TryTrigger{Trigger: rule, Since: pastTime(0, stepsOfARecord).Add(23 * time.Hour)}
			saved, err := e.TryTrigger(t.Context(), Host("w"), from)
			require.NoError(t, err)
			old := triesAll(t, e, rule, saved.ID, math.MaxInt)
			require.Equal(t, []int{30, 30}, []int{old.Total, old.Result.Now.Events}, "what did not change in the period, but was due")
		}
	}
}

// TestATrialGoesOnWhereItWas: one whose process ended in the middle finds what one
// finds that ran through.
func TestATrialGoesOnWhereItWas(t *testing.T) {
	e := trialDesk(t, memory.New(memory.Options{}))
	seedPast(t, e, kindConversation, 0, 350)
	rule := rareRule(kindConversation)
	whole := triesAll(t, e, rule, "", math.MaxInt)
	require.Equal(t, []any{ErrandDone, 4, 350}, []any{whole.State, whole.Made, whole.Result.Records})
	half := triesAll(t, e, rule, "", 3)
	require.Equal(t, []any{ErrandRunning, 2, 200, 200}, []any{half.State, half.Made, half.Done, half.Result.Records})
	require.Equal(t, whole.Result, triesAll(t, e, rule, half.ID, math.MaxInt).Result)

	atOnce := triedAtOnce
	t.Cleanup(func() { triedAtOnce = atOnce })
	triedAtOnce = 3*stepsOfARecord - 1
	some := triesAll(t, e, rule, "", 3)
	require.Equal(t, []any{0, 6, 6, 6}, []any{some.Made, some.Skip, some.Done, some.Result.Records})
	triedAtOnce = 70 * stepsOfARecord
	rest := triesAll(t, e, rule, some.ID, math.MaxInt)
	require.Equal(t, []any{whole.Result, 350}, []any{rest.Result, rest.Done})
}

// TestATrialAsksForEachRecord: what is hidden after it was found is left out.
func TestATrialAsksForEachRecord(t *testing.T) {
	for _, kind := range []string{kindTicket, kindConversation} {
		e := trialDesk(t, memory.New(memory.Options{}))
		seedPast(t, e, kind, 0, 10)
		rule := rareRule(kind)
		rule.When = condition.Condition{}
		begun := triesAll(t, e, rule, "", 1)
		require.Equal(t, []any{10, 0}, []any{begun.Total, begun.Result.Events})
		e.policy = PolicyFunc(func(_ context.Context, _ Who, a Action, r Resource) error {
			if a == ActRead && strings.HasSuffix(r.ID, "3") {
				return ErrNotFound
			}
			return nil
		})
		trial := triesAll(t, e, rule, begun.ID, math.MaxInt)
		require.Equal(t, []any{ErrandDone, 9, 1, 9 * stepsOfARecord},
			[]any{trial.State, trial.Done, trial.LeftOut, trial.Result.Now.Events})
	}
}

// TestATrialSaysWhatCutItShort: bounds are told, and so is a change of the rules
// that it compares.
func TestATrialSaysWhatCutItShort(t *testing.T) {
	e := trialDesk(t, memory.New(memory.Options{}))
	seedPast(t, e, kindTicket, 0, 150)
	records, events := triedRecords, triedEvents
	t.Cleanup(func() { triedRecords, triedEvents = records, events })
	triedRecords = 120
	trial := triesAll(t, e, rareRule(kindTicket), "", math.MaxInt)
	require.Equal(t, []any{ErrandDone, BoundRecords, 120, 120}, []any{trial.State, trial.Cut, trial.Total, trial.Result.Records})
	require.Contains(t, trial.Result.Gained.Samples[0].Record, "ticket:t00014", "the last changed come first")
	triedRecords, triedEvents = records, 100*stepsOfARecord
	trial = triesAll(t, e, rareRule(kindTicket), "", math.MaxInt)
	require.Equal(t, []any{ErrandDone, BoundEvents, 150, 100}, []any{trial.State, trial.Cut, trial.Total, trial.Result.Records})
	triedEvents = events
	half := triesAll(t, e, rareRule(kindTicket), "", 2)
	require.False(t, half.Mixed)
	saved := rareRule(kindTicket)
	saved.Active = true
	_, err := e.SaveTrigger(t.Context(), Host("w"), SaveTrigger{Trigger: saved})
	require.NoError(t, err)
	rest := triesAll(t, e, trigger.Trigger{}, half.ID, math.MaxInt)
	require.Equal(t, []any{ErrandDone, true}, []any{rest.State, rest.Mixed})
	require.Less(t, rest.Result.Gained.Events, rest.Result.Now.Events, "it is stored since, and no difference any more")
}

// BenchmarkTrial is what a dry run costs, half of it over tickets and half over
// conversations, and the memory that it holds meanwhile.
//
//	SANGDAM_BENCH_EVENTS=1000000 SANGDAM_BENCH_DATA=/var/tmp/past go test -run '^$' -bench Trial -benchtime 1x -timeout 2h .
//
// SANGDAM_BENCH_DATA keeps the data for the next run.
func BenchmarkTrial(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SANGDAM_BENCH_EVENTS"))
	if err != nil {
		n = 20_000
	}
	dir := os.Getenv("SANGDAM_BENCH_DATA")
	if dir == "" {
		dir = b.TempDir()
	}
	db, err := sqlite.Open(b.Context(), sqlite.Options{Dir: dir})
	require.NoError(b, err)
	e := trialDesk(b, db)
	records := n / stepsOfARecord / 2
	for _, kind := range []string{kindTicket, kindConversation} {
		seedPast(b, e, kind, seededPast(b, e, kind, records), records)
	}
	for _, kind := range []string{kindTicket, kindConversation} {
		b.Run(kind, func(b *testing.B) {
			most := mostHeap(b)
			events, took := 0, time.Duration(0)
			for b.Loop() {
				begun := time.Now()
				trial := triesAll(b, e, rareRule(kind), "", math.MaxInt)
				took += time.Since(begun)
				events += trial.Result.Events
				require.Equal(b, ErrandDone, trial.State)
			}
			b.ReportMetric(took.Seconds()/float64(events)*1e6, "s/million")
			b.ReportMetric(float64(events)/float64(b.N), "events")
			b.ReportMetric(float64(most.Load())/(1<<20), "MB-heap")
		})
	}
}

// seededPast is where an earlier run's data ends: it has all of the records, or is
// not there.
func seededPast(b *testing.B, e *Engine, kind string, records int) int {
	b.Helper()
	err := e.db.View(b.Context(), "w", func(ctx context.Context, tx store.Tx) error {
		if kind == kindTicket {
			_, err := tickets.Get(ctx, tx, fmt.Sprintf("t%06d", records-1))
			return err
		}
		_, err := tx.Conversations().Conversation(ctx, conversation.ID(fmt.Sprintf("c%06d", records-1)))
		return err
	})
	if err != nil {
		require.ErrorIs(b, err, ErrNotFound)
		return 0
	}
	return records
}

// mostHeap watches the heap until the benchmark ends.
func mostHeap(b *testing.B) *atomic.Uint64 {
	var most atomic.Uint64
	done := make(chan struct{})
	b.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
		}
	}()
	return &most
}
