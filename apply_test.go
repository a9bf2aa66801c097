package sangdam_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
)

// branch is a set-up of its own beside the one of the world: a second desk with
// its queue, stream and account, each named before it is there.
func branch(w *replayWorld) sangdam.Setup {
	return sangdam.Setup{
		Accounts: []channel.Account{{ID: "branch-line", Kind: "line", Name: "Branch", Desk: "branch", WorkStream: "branch",
			Settings: []byte(`{"channel_id":"1234567890"}`), Secrets: map[string]channel.Secret{
				"channel_secret": channel.NewSecret("0123456789abcdef0123456789abcdef"),
				"channel_token":  channel.NewSecret("a-token-of-some-length")}}},
		WorkStreams: []routing.WorkStream{{ID: "branch", Name: "Branch", ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "branch",
			Messages: automated.Texts{automated.Greeting: {"": "Welcome to the branch."}}}},
		Queues: []routing.Queue{{ID: "branch", Name: "Branch", Members: []routing.AgentID{"b1", "b2"}, Desk: "branch"}},
		Desks:  []sangdam.SetupDesk{{Desk: routing.Desk{ID: "branch", Name: "Branch"}, Members: []routing.AgentID{"b1", "b2"}}},
		Agents: []routing.Agent{branchAgent("b1"), branchAgent("b2")},
	}
}

func branchAgent(id routing.AgentID) routing.Agent {
	return routing.Agent{ID: id, Name: "Agent " + string(id), Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 3}}
}

func dos(parts []sangdam.Planned) map[string]int {
	out := map[string]int{}
	for _, p := range parts {
		out[string(p.Do)]++
	}
	return out
}

// TestApplyInAnyOrderAndTwice: a whole set-up in one command, whose parts name
// each other before they are there; the same again changes nothing.
func TestApplyInAnyOrderAndTwice(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		plan, err := w.eng.Plan(w.ctx, w.host, branch(w))
		require.NoError(t, err)
		require.Equal(t, map[string]int{"make": 7}, dos(plan.Parts), "two agents, a desk, its second member, queue, stream, account")
		require.NotContains(t, w.configuration().Desks, routing.DeskID("branch"), "a plan changes nothing")

		done, err := w.eng.Apply(w.ctx, w.host, sangdam.Apply{Key: "branch", Setup: branch(w), Version: plan.Version})
		require.NoError(t, err)
		require.Equal(t, plan, done)
		require.Empty(t, done.Warnings)
		require.Len(t, w.configuration().Members["branch"], 2)
		before := w.configuration().Version

		again, err := w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: branch(w)})
		require.NoError(t, err)
		require.Equal(t, map[string]int{"keep": 6}, dos(again.Parts))
		require.Equal(t, before, w.configuration().Version, "nothing was written")
	})
}

// TestApplyChangesWhatDiffers, and only that.
func TestApplyChangesWhatDiffers(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		_, err := w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: branch(w)})
		require.NoError(t, err)
		token := accountOf(t, w, "branch-line").Token
		s := branch(w)
		s.Queues[0].Members = []routing.AgentID{"b2"}
		s.Accounts[0].Secrets = map[string]channel.Secret{"channel_token": channel.NewSecret("another-token-of-some-length")}
		done, err := w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: s})
		require.NoError(t, err)
		require.Equal(t, map[string]int{"keep": 4, "change": 2}, dos(done.Parts), "the queue and the credentials")
		require.Equal(t, []routing.AgentID{"b2"}, w.configuration().Queues["branch"].Members)
		require.Equal(t, token, accountOf(t, w, "branch-line").Token, "the webhook's address stays")
	})
}

func accountOf(t *testing.T, w *replayWorld, id channel.AccountID) channel.Account {
	t.Helper()
	all, err := w.eng.Accounts(w.ctx, w.host)
	require.NoError(t, err)
	for _, a := range all {
		if a.ID == id {
			return a
		}
	}
	t.Fatalf("there is no account %s", id)
	return channel.Account{}
}

// TestApplyWithAWrongReferenceChangesNothing: each reference in turn is wrong.
func TestApplyWithAWrongReferenceChangesNothing(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		for name, c := range map[string]struct {
			change func(s *sangdam.Setup)
			want   error
		}{
			"a desk without an agent": {func(s *sangdam.Setup) { s.Desks[0].Members = nil }, sangdam.ErrInvalid},
			"a member who does not exist": {func(s *sangdam.Setup) { s.Desks[0].Members = []routing.AgentID{"b1", "nobody"} },
				sangdam.ErrNotFound},
			"an account on a desk that is not":    {func(s *sangdam.Setup) { s.Accounts[0].Desk = "nowhere" }, sangdam.ErrInvalid},
			"an account of a stream that is not":  {func(s *sangdam.Setup) { s.Accounts[0].WorkStream = "nothing" }, sangdam.ErrInvalid},
			"an account without id":               {func(s *sangdam.Setup) { s.Accounts[0].ID = "" }, sangdam.ErrInvalid},
			"an account under the id of a target": {func(s *sangdam.Setup) { s.Accounts[0].ID = "target:x" }, sangdam.ErrInvalid},
			"an account of another channel":       {func(s *sangdam.Setup) { s.Accounts[0].Kind = "pigeon" }, sangdam.ErrUnsupported},
			"a stream into a queue that is not":   {func(s *sangdam.Setup) { s.WorkStreams[0].Queue = "nothing" }, sangdam.ErrInvalid},
			"a stream of another channel": {func(s *sangdam.Setup) { s.WorkStreams[0].ChannelKind = "pigeon" },
				sangdam.ErrUnsupported},
			"a stream with a bot that is not":     {func(s *sangdam.Setup) { s.WorkStreams[0].Bot = "robot" }, sangdam.ErrInvalid},
			"a queue of a desk that is not":       {func(s *sangdam.Setup) { s.Queues[0].Desk = "nowhere" }, sangdam.ErrInvalid},
			"a queue with a strategy that is not": {func(s *sangdam.Setup) { s.Queues[0].Strategy = "by dice" }, sangdam.ErrInvalid},
			"a desk under another desk's name":    {func(s *sangdam.Setup) { s.Desks[0].Name = "Support" }, sangdam.ErrAlreadyExists},
			"an agent with a negative capacity": {func(s *sangdam.Setup) { s.Agents[0].Capacity[routing.ProfileUnits] = -1 },
				sangdam.ErrInvalid},
			"an account without its secret": {func(s *sangdam.Setup) { s.Accounts[0].Secrets = nil }, sangdam.ErrInvalid},
		} {
			before := w.configuration()
			s := branch(w)
			c.change(&s)
			_, err := w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: s})
			require.ErrorIs(t, err, c.want, name)
			_, err = w.eng.Plan(w.ctx, w.host, s)
			require.ErrorIs(t, err, c.want, name)
			require.Equal(t, before, w.configuration(), name)
		}
	})
}

// TestApplyOfAStalePlan: somebody changed the set-up after it was planned.
func TestApplyOfAStalePlan(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		plan, err := w.eng.Plan(w.ctx, w.host, branch(w))
		require.NoError(t, err)
		w.saveQueue(routing.Queue{ID: "other", Name: "Other", Members: []routing.AgentID{"a1"}})
		_, err = w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: branch(w), Version: plan.Version})
		require.ErrorIs(t, err, sangdam.ErrStale)
	})
}

// TestApplyWarnsOfTheWhole, not of what a later part of it makes right.
func TestApplyWarnsOfTheWhole(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		s := branch(w)
		s.Agents[1].Assign.Chat = false
		done, err := w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: s})
		require.NoError(t, err)
		require.Len(t, done.Warnings, 1)
		require.Contains(t, done.Warnings[0].Text, "b2")
	})
}

// A set-up in a file: what is misspelt or has no place there is refused when it is
// read, with its name.
func TestASetupInAFileIsReadStrictly(t *testing.T) {
	var s sangdam.Setup
	require.NoError(t, json.Unmarshal([]byte(`{"queues": [{"id": "all", "name": "All", "members": ["a1"]}],
		"desks": [{"id": "d", "name": "D", "members": ["a1"], "hours": {"version": 1, "zone": "Asia/Seoul", "always": true}}]}`), &s))
	require.Equal(t, []routing.AgentID{"a1"}, s.Desks[0].Members)
	for file, named := range map[string]string{
		`{"queue": []}`: "queue",
		`{"queues": [{"id": "all", "member": ["a1"]}]}`:                               "member",
		`{"desks": [{"id": "d", "seat": 3}]}`:                                         "seat",
		`{"accounts": [{"id": "x", "secrets": {"key": "k"}}]}`:                        "secrets",
		`{"queues": [{"overflow": [{"after": "5m"}]}]}`:                               "overflow.after",
		`{"queues": [{"hours": {"version": 1, "zone": "Asia/Seoul", "weekly": {}}}]}`: "weekly",
		`{"work_streams": [{"rules": [{"when": {"al": []}}]}]}`:                       "al",
	} {
		err := json.Unmarshal([]byte(file), &s)
		require.ErrorIs(t, err, sangdam.ErrInvalid, file)
		require.ErrorContains(t, err, named, file)
	}
}
