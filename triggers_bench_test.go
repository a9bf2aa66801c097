package sangdam

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// BenchmarkMessagesBesideRules compares, in one run, what a customer's message
// costs in a workspace without triggers and in one with 400 that do not apply:
// 380 about other accounts and agents, 20 that look at what the customer wrote.
// A batch of each in turn; the ratio of the medians is reported. The memory store
// shows the processor's part alone.
func BenchmarkMessagesBesideRules(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		db, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
		require.NoError(b, err)
		besideRules(b, db)
	})
	b.Run("memory", func(b *testing.B) { besideRules(b, memory.New(memory.Options{})) })
}

func besideRules(b *testing.B, db *store.DB) {
	plain, ruled := plainAndRuled(b, db)
	plain.batch(b, 50)
	ruled.batch(b, 50)
	var without, with []time.Duration
	for b.Loop() {
		without = append(without, plain.batch(b, 50))
		with = append(with, ruled.batch(b, 50))
	}
	slices.Sort(without)
	slices.Sort(with)
	a, c := without[len(without)/2], with[len(with)/2]
	b.ReportMetric(float64(c)/float64(a), "with/without")
	b.ReportMetric(float64(a.Microseconds())/50, "µs/message")
}

// What rules that do not apply cost a message is told by what it allocates,
// which load beside moves by a percent or two.
func TestRulesThatDoNotApplyCostLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("what is allocated is counted without the race detector, which is what -short runs with")
	}
	plain, ruled := plainAndRuled(t, memory.New(memory.Options{}))
	allocated := func(b *benched) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b.batch(t, 20)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	var without, with uint64
	for round := range 12 {
		p, r := allocated(plain), allocated(ruled)
		if round > 1 { // the first ones compile the rules
			without, with = without+p, with+r
		}
	}
	require.Less(t, float64(with), 1.1*float64(without), "%d bytes beside 400 rules, %d beside none", with, without)
}

// plainAndRuled are a workspace without rules and one with 400 that do not apply.
func plainAndRuled(b testing.TB, db *store.DB) (plain, ruled *benched) {
	ctx := b.Context()
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	sealer, err := seal.Ephemeral()
	require.NoError(b, err)
	plain, ruled = newBenched(b, db, sealer, "plain"), newBenched(b, db, sealer, "ruled")
	for i := range 400 {
		when := []condition.Clause{{Field: "account", Op: condition.Is, Value: fmt.Sprint("other", i)}}
		switch {
		case i%20 == 0:
			when = []condition.Clause{{Field: "message", Op: condition.Contains, Value: fmt.Sprint("refund", i)}}
		case i%2 == 0:
			when = []condition.Clause{{Field: "agent", Op: condition.Is, Value: fmt.Sprint("agent", i)},
				{Field: "state", Op: condition.Changed}}
		}
		_, err := ruled.e.SaveTrigger(ctx, Host("ruled"),
			SaveTrigger{Trigger: trigger.Trigger{ID: trigger.ID(fmt.Sprint("t", i)), Title: "t",
				Subject: kindConversation, Active: true, When: condition.Condition{All: when},
				Actions: []trigger.Action{trigger.Do(action.Tag, action.TagParams{Add: []string{"x"}})}}})
		require.NoError(b, err)
	}
	return plain, ruled
}

// benched is a workspace whose customers write.
type benched struct {
	e    *Engine
	ws   WorkspaceID
	acct channel.Account
	n    int
}

func newBenched(b testing.TB, db *store.DB, sealer seal.Sealer, ws WorkspaceID) *benched {
	ad, err := postcard.New(postcard.Options{Office: "https://post.example"})
	require.NoError(b, err)
	e, err := New(Config{DB: db, Sealer: sealer, Adapters: []adapter.Adapter{ad}})
	require.NoError(b, err)
	ctx := b.Context()
	require.NoError(b, e.CreateWorkspace(ctx, ws, string(ws)))
	save := func(err error) { require.NoError(b, err) }
	_, err = e.SaveAgent(ctx, Host(ws), SaveAgent{Agent: routing.Agent{ID: "a", Name: "A", Role: "agent",
		Permissions: []routing.Permission{routing.PermitChat},
		Capacity:    map[routing.Profile]int{routing.ProfileUnits: 1}, Assign: routing.AssignmentSwitches{Chat: true}}})
	save(err)
	_, err = e.SaveDesk(ctx, Host(ws), SaveDesk{Desk: routing.Desk{ID: "d", Name: "D"}, Agent: "a"})
	save(err)
	_, err = e.SaveQueue(ctx, Host(ws), SaveQueue{Queue: routing.Queue{ID: "q", Name: "Q", Members: []routing.AgentID{"a"}}})
	save(err)
	_, err = e.SaveWorkStream(ctx, Host(ws), SaveWorkStream{WorkStream: routing.WorkStream{ID: "w", Name: "W",
		ChannelKind: string(postcard.Kind),
		Mode:        routing.Push, Cost: 1, ChannelCost: 1, Queue: "q"}})
	save(err)
	acct := channel.Account{ID: channel.AccountID("acct-" + ws), Kind: postcard.Kind, Name: "P", Desk: "d", WorkStream: "w",
		Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret("0123456789abcdef0123456789abcdef")}}
	saved, err := e.SaveAccount(ctx, Host(ws), SaveAccount{Account: acct})
	save(err)
	return &benched{e: e, ws: ws, acct: saved.Account}
}

// batch processes n messages of one customer, each as an envelope would be.
func (b *benched) batch(t testing.TB, n int) time.Duration {
	begun := time.Now()
	for range n {
		b.n++
		in := adapter.Inbound{Kind: adapter.EventMessage, Type: "text",
			Chat:       channel.Chat{Kind: channel.ChatUser, ID: fmt.Sprint("u", b.n%10)},
			Author:     adapter.Author{User: channel.ProviderUserID(fmt.Sprint("u", b.n%10))},
			MessageID:  channel.ProviderMessageID(fmt.Sprint("m", b.n)),
			OccurredAt: time.Now(), Content: channel.Text("where is my parcel?")}
		err := b.e.unit(context.Background(), system(b.ws), func(u *unit) error { return u.apply(u.s.accounts[b.acct.ID], in) })
		require.NoError(t, err)
	}
	return time.Since(begun)
}
