package sangdam_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// said are warnings as people read them, one a line.
func said(all []sangdam.Warning) string {
	var lines []string
	for _, w := range all {
		lines = append(lines, w.String())
	}
	return strings.Join(lines, "\n")
}

// warned says that each of the warnings names each thing, in their order.
func warned(t *testing.T, s sangdam.Saved, names ...string) {
	t.Helper()
	require.Len(t, s.Warnings, len(names), "%v", s.Warnings)
	for i, name := range names {
		require.Contains(t, s.Warnings[i].Text, name)
	}
}

// What a command stored for its key before warnings had codes is still read.
func TestWarningsOfBeforeAreRead(t *testing.T) {
	var before, now sangdam.Saved
	require.NoError(t, json.Unmarshal([]byte(`{"warnings":["the queue has no hours"]}`), &before))
	require.Equal(t, "the queue has no hours", said(before.Warnings))
	stored, err := json.Marshal(sangdam.Saved{Warnings: []sangdam.Warning{{Code: "skills", Args: []string{"a"}, Text: "b"}}})
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(stored, &now))
	require.Equal(t, []sangdam.Warning{{Code: "skills", Args: []string{"a"}, Text: "b"}}, now.Warnings)
}

// What another save can make right is saved, and said.
func TestASaveWarnsOfWhatCannotWorkYet(t *testing.T) {
	inWorld(t, func(w *world) {
		saved, err := w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: routing.Agent{ID: "a3", Name: "New", Role: "agent"}})
		require.NoError(t, err)
		warned(t, saved, "permission for chats", "assignment of chats", "no capacity")

		q := w.configuration().Queues["q"]
		q.Members = append(q.Members, "ghost", "a3")
		q.Overflow = []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Do: routing.OverflowMessage, Message: "sorry"}}
		saved, err = w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: q})
		require.NoError(t, err)
		warned(t, saved, "ghost, an agent who does not exist", "a3, who is on none of the desks whose work it holds (support)", `"sorry"`)

		s := w.configuration().WorkStreams["line"]
		s.Messages = automated.Texts{"sorry": {"": "It takes longer."}, "greetings": {"": "Hello"}}
		s.SkillMatch, s.Rules = routing.SkillExact, []routing.Rule{{Name: "stars", Skills: []routing.Skill{{Name: "klingon", Level: 1}}}}
		saved, err = w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})
		require.NoError(t, err)
		warned(t, saved, `"greetings", which nothing sends`, `skill "klingon"`)
		require.Equal(t, []string{"line", "1", "stars", "klingon", "1"}, saved.Warnings[1].Args)
		require.NotContains(t, said(saved.Warnings), `"sorry"`, "the queue sends it")

		// The other saves make it right.
		speaker := chatAgent("a3")
		speaker.Skills = []routing.Skill{{Name: "klingon", Level: 2}}
		w.saveAgent(speaker)
		w.saveAgent(chatAgent("ghost"))
		for _, a := range []routing.AgentID{"a3", "ghost"} {
			require.NoError(t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: a}))
		}
		s = w.configuration().WorkStreams["line"]
		delete(s.Messages, "greetings")
		saved, err = w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s})
		require.NoError(t, err)
		warned(t, saved)
		saved, err = w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: w.configuration().Queues["q"]})
		require.NoError(t, err)
		warned(t, saved)
	})
}

// Work that overflow takes to a queue belongs to the desk it came from, unless
// the queue has its own.
func TestSavingAQueueWarnsOfADeskThatNobodyThereServes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.saveAgent(chatAgent("a3"))
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host,
			sangdam.SaveDesk{Agent: "a3", Desk: routing.Desk{ID: "service", Name: "Service"}})))
		w.saveQueue(routing.Queue{ID: "next", Name: "Next", Members: []routing.AgentID{"a3"}})
		q := w.configuration().Queues["q"]
		q.Overflow = []routing.Overflow{{When: routing.OverflowWait, After: time.Minute, Do: routing.OverflowQueue, Queue: "next"}}
		w.saveQueue(q)
		next := w.configuration().Queues["next"]
		saved, err := w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: next})
		require.NoError(t, err)
		warned(t, saved, "a3, who is on none", "no member on desk support")
		next.Version, next.Desk = saved.Version, "service"
		saved, err = w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: next})
		require.NoError(t, err)
		warned(t, saved)
	})
}

// What no later save can make right is refused.
func TestSetUpRefusesWhatCanNeverWork(t *testing.T) {
	inWorld(t, func(w *world) {
		stream := w.configuration().WorkStreams["line"]
		stream.ID, stream.Version, stream.ChannelKind = "other", 0, "telegramm"
		require.ErrorIs(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})), sangdam.ErrUnsupported)
		q := routing.Queue{ID: "lost", Name: "Lost", Desk: "nowhere"}
		require.ErrorIs(t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: q})), sangdam.ErrInvalid)
		acct := w.acct
		acct.Name = " "
		require.ErrorIs(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})), sangdam.ErrInvalid)
	})
}

// An account whose conversations would lead to nobody is saved, and says so.
func TestSavingAnAccountTellsWhatCannotWork(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		require.NoError(t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: chatAgent("a3")})))
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host,
			sangdam.SaveDesk{Agent: "a3", Desk: routing.Desk{ID: "sales", Name: "Sales"}})))
		acct := w.acct
		acct.ID, acct.Version, acct.Token, acct.Name, acct.Desk = "", 0, "", "Sales", "sales"
		acct.Messages = automated.Texts{"hullo": {"": "Hello!"}}
		save := sangdam.SaveAccount{Key: "k", Account: acct}
		first, err := w.eng.SaveAccount(w.ctx, w.host, save)
		require.NoError(t, err)
		require.Len(t, first.Warnings, 2)
		require.Contains(t, first.Warnings[0].Text, "hullo")
		require.Contains(t, first.Warnings[1].Text, "desk sales")
		again, err := w.eng.SaveAccount(w.ctx, w.host, save)
		require.NoError(t, err)
		require.Equal(t, first, again)

		q := w.configuration().Queues["q"]
		q.Members = append(q.Members, "a3")
		w.saveQueue(q)
		acct = first.Account
		acct.Messages = nil
		fixed, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		require.Empty(t, fixed.Warnings)
	})
}

func TestNewRefusesAScriptThatCannotRunAndAStrategyUnderAnotherName(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.cfg
		c.Bots = []bot.Bot{bot.Script{ID: "s"}}
		require.ErrorIs(t, errOf(sangdam.New(c)), sangdam.ErrInvalid)
		c = w.cfg
		c.Strategies = map[string]routing.Strategy{"x": namedStrategy{}}
		require.ErrorIs(t, errOf(sangdam.New(c)), sangdam.ErrInvalid)
		c.Strategies = map[string]routing.Strategy{"y": namedStrategy{}}
		require.NoError(t, errOf(sangdam.New(c)))
	})
}

func TestADeskIsMadeWithItsFirstAgent(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		save := func(id routing.DeskID, name string, agent routing.AgentID) error {
			return errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Agent: agent, Desk: routing.Desk{ID: id, Name: name}}))
		}
		require.ErrorIs(t, save("sales", "Sales", ""), sangdam.ErrInvalid)
		require.ErrorIs(t, save("sales", "Sales", "nobody"), sangdam.ErrNotFound)
		require.ErrorIs(t, save("support", "Sales", "a1"), sangdam.ErrAlreadyExists, "the id is used")
		require.ErrorIs(t, save("sales", "Support", "a1"), sangdam.ErrAlreadyExists, "the name is used")
		require.NotContains(t, w.configuration().Desks, routing.DeskID("sales"), "all or nothing")
		require.NoError(t, save("sales", "Sales", "a1"))
		require.Equal(t, []routing.AgentID{"a1"}, w.configuration().Members["sales"])
		d := w.configuration().Desks["sales"]
		require.ErrorIs(t, errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Agent: "a2", Desk: d})), sangdam.ErrInvalid)
		require.NoError(t, errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: d})))
	})
}

// "From today on" is the desk's today: in Seoul the next day has begun when it
// is 15:00 in UTC.
func TestHolidaysBeginTodayOrLater(t *testing.T) {
	inWorld(t, func(w *world) {
		w.jump(16 * time.Hour) // a bubble begins at midnight in UTC
		today := hours.DateOf(time.Now()).AddDays(1)
		save := func(from hours.Date) error {
			d := w.configuration().Desks["support"]
			d.Hours = &hours.Calendar{Zone: "Asia/Seoul", Always: true,
				Exceptions: []hours.Exception{{From: from, To: from.AddDays(2), Name: "Holiday", Holiday: true}}}
			return errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: d}))
		}
		require.ErrorIs(t, save(today.AddDays(-1)), sangdam.ErrInvalid)
		require.NoError(t, save(today))
		w.jump(30 * time.Hour)
		require.NoError(t, save(today), "a range that has begun stays")
		require.ErrorIs(t, save(today.AddDays(-1)), sangdam.ErrInvalid)
	})
}

// Assignment control lets an agent change its own two switches and nothing else.
func TestAnAgentWithControlSwitchesItsOwnAssignment(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		off := sangdam.SetSwitches{Agent: "a1", Version: 1, Ticket: true}
		require.ErrorIs(t, errOf(w.eng.SetSwitches(w.ctx, w.agent("a1"), off)), sangdam.ErrPermissionDenied)
		a := chatAgent("a1")
		a.Assign.Control = true
		w.saveAgent(a)
		require.ErrorIs(t, errOf(w.eng.SetSwitches(w.ctx, w.agent("a1"), off)), sangdam.ErrStale, "its settings were saved since")
		off.Version = 2
		supervisor := sangdam.AgentPrincipal(ws, "a2", sangdam.RoleSupervisor)
		require.ErrorIs(t, errOf(w.eng.SetSwitches(w.ctx, supervisor, off)), sangdam.ErrPermissionDenied)
		other := sangdam.SetSwitches{Agent: "a2"}
		require.ErrorIs(t, errOf(w.eng.SetSwitches(w.ctx, w.agent("a1"), other)), sangdam.ErrPermissionDenied)

		require.NoError(t, errOf(w.eng.SetSwitches(w.ctx, w.agent("a1"), off)))
		w.settle()
		agents, err := w.eng.Agents(w.ctx, w.host)
		require.NoError(t, err)
		require.Equal(t, routing.AssignmentSwitches{Ticket: true, Control: true}, agents[0].Assign)
		require.Empty(t, w.detail(owned.Conversation).Conversation.Agent, "its customers go to others")
		rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
		require.NoError(t, err)
		last := rows[len(rows)-1]
		require.Equal(t, string(sangdam.ActSwitches), last.Action)
		require.Equal(t, "off", last.Details["chat"])
		on := sangdam.SetSwitches{Agent: "a1", Version: 3, Chat: true}
		require.NoError(t, errOf(w.eng.SetSwitches(w.ctx, w.agent("a1"), on)), "and on again")
	}, longOffers)
}

type namedStrategy struct{}

func (namedStrategy) Name() string { return "y" }

func (namedStrategy) Key(routing.Item, routing.Agent, routing.Queue) float64 { return 0 }
