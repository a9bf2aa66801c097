package sangdam_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// How an agent stops being one who works on chats.
var stops = map[string]func(*routing.Agent){
	"disabled":              func(a *routing.Agent) { a.Disabled = true },
	"without permission":    func(a *routing.Agent) { a.Permissions = nil },
	"with chats turned off": func(a *routing.Agent) { a.Assign.Chat = false },
}

func TestAnAgentWhoIsStoppedLosesOffersRightsAndConversations(t *testing.T) {
	alongside(t, everyStore)
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				owned := w.begun(w.line.User("Mina"), "hello")
				jun := w.line.User("Jun")
				jun.SendText("hello")
				w.settle()
				o := w.of(jun).Offer
				require.NotNil(t, o)
				a := chatAgent("a1")
				stop(&a)
				w.saveAgent(a)

				a1 := w.agent("a1")
				_, err := w.eng.Accept(w.ctx, a1, sangdam.Accept{Offer: o.ID})
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
				_, err = w.eng.Answer(w.ctx, a1, sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("still here")})
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
				_, err = w.eng.Pick(w.ctx, a1, sangdam.Pick{Conversation: w.of(jun).Conversation.ID})
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
				w.settle()
				d := w.detail(owned.Conversation)
				require.Empty(t, d.Conversation.Agent)
				require.Equal(t, conversation.StateOpen, d.Conversation.State, "its conversations are handed on")
				require.Nil(t, w.of(jun).Offer, "its offers are withdrawn")
				w.online("a2")
				require.Equal(t, routing.AgentID("a2"), w.detail(owned.Conversation).Offer.Agent)
				require.Equal(t, routing.AgentID("a2"), w.of(jun).Offer.Agent)
			}, longOffers)
		})
	}
}

func TestADisabledAgentMayNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		stored := sangdam.Answer{Key: "k", Conversation: c.Conversation, Content: channel.Text("before")}
		for _, role := range []sangdam.Role{sangdam.RoleAgent, sangdam.RoleSupervisor, sangdam.RoleAdministrator} {
			p := sangdam.AgentPrincipal(ws, "a1", role)
			_, err := w.eng.Agents(w.ctx, p)
			require.NoError(t, err)
		}
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), stored)
		require.NoError(t, err)
		a := chatAgent("a1")
		a.Disabled = true
		w.saveAgent(a)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), stored)
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied, "not even a stored result")
		for _, role := range []sangdam.Role{sangdam.RoleAgent, sangdam.RoleSupervisor, sangdam.RoleAdministrator} {
			p := sangdam.AgentPrincipal(ws, "a1", role)
			for name, call := range map[string]func() error{
				"Agents":        func() error { _, err := w.eng.Agents(w.ctx, p); return err },
				"Conversations": func() error { _, err := w.eng.Conversations(w.ctx, p, conversation.Filter{}, "", 0); return err },
				"Conversation":  func() error { _, err := w.eng.Conversation(w.ctx, p, c.Conversation); return err },
				"Events":        func() error { _, _, err := w.eng.Events(w.ctx, p, "", 10); return err },
				"Held":          func() error { _, err := w.eng.Held(w.ctx, p, "a1"); return err },
				"ShowTyping":    func() error { return w.eng.ShowTyping(w.ctx, p, c.Conversation, time.Second) },
				"SetPresence": func() error {
					return w.eng.SetPresence(w.ctx, p, sangdam.SetPresence{Agent: "a1", Presence: routing.Online})
				},
				"SaveAgent": func() error { return errOf(w.eng.SaveAgent(w.ctx, p, sangdam.SaveAgent{Agent: chatAgent("a1")})) },
			} {
				require.ErrorIs(t, call(), sangdam.ErrPermissionDenied, name)
			}
		}
		list, err := w.eng.Agents(w.ctx, w.host)
		require.NoError(t, err)
		require.Equal(t, routing.Offline, list[0].State.Presence)
		rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
		require.NoError(t, err)
		require.Equal(t, "denied", rows[len(rows)-1].Outcome)
	})
}

func TestManyConversationsAreHandedOnInParts(t *testing.T) {
	replay(t, []string{onMemory, onPG}, func(t *testing.T, w *replayWorld) {
		const many = 45
		a := chatAgent("a1")
		a.Capacity[routing.ProfileUnits] = many
		w.saveAgent(a)
		w.online("a1")
		for i := range many {
			w.line.User(fmt.Sprintf("C%02d", i)).SendText("hi")
		}
		w.settle()
		held := func() int {
			h, err := w.eng.Held(w.ctx, w.host, "a1")
			require.NoError(t, err)
			return len(h.Assignments)
		}
		require.Equal(t, many, held())
		a.Disabled = true
		w.saveAgent(a)
		// A transaction of twenty may take longer than what settle waits for.
		require.Eventually(t, func() bool { return held() == 0 }, time.Minute, 50*time.Millisecond)
		for _, c := range w.conversations() {
			require.Equal(t, conversation.StateOpen, c.State)
		}
	}, withStream(func(s *routing.WorkStream) { s.AutoAccept = true }))
}

func TestADeskKeepsNothingOfWhoLeavesWithManyConversations(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		const many = 25
		a := chatAgent("a1")
		a.Capacity[routing.ProfileUnits] = many
		w.saveAgent(a)
		w.online("a1")
		for i := range many {
			w.line.User(fmt.Sprintf("C%02d", i)).SendText("hi")
		}
		w.settle()
		require.NoError(t, w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "support", Agent: "a1"}))
		w.settle()
		h, err := w.eng.Held(w.ctx, w.host, "a1")
		require.NoError(t, err)
		require.Empty(t, h.Assignments)
		require.Empty(t, h.Offers)
	}, withStream(func(s *routing.WorkStream) { s.AutoAccept = true }))
}

func TestGoingOfflineByTheButtonStartsTheClock(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		silent := w.begun(w.line.User("Mina"), "hello")
		w.answer("a1", silent.Conversation, "one moment")
		unanswered := w.begun(w.line.User("Jun"), "hello")
		w.offline("a1")
		w.pass(4 * time.Minute)
		require.Equal(t, routing.AgentID("a1"), w.detail(unanswered.Conversation).Conversation.Agent, "a short way out")
		w.pass(2 * time.Minute)
		require.Equal(t, conversation.StateOpen, w.detail(unanswered.Conversation).Conversation.State, "the customer waits for an answer")
		require.Equal(t, conversation.StateWaiting, w.detail(silent.Conversation).Conversation.State)
		require.Empty(t, w.detail(silent.Conversation).Conversation.Agent)
	}, longOffers)
}

func TestComingBackInTimeStopsTheClock(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		w.offline("a1")
		w.pass(4 * time.Minute)
		w.online("a1")
		w.beat(5*time.Minute, "a1")
		require.Equal(t, routing.AgentID("a1"), w.detail(owned.Conversation).Conversation.Agent)
	}, longOffers)
}

func TestAMessageToAnAgentWhoIsOfflineFindsAnother(t *testing.T) {
	replay(t, []string{onMemory, onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "hello")
		w.answer("a1", owned.Conversation, "one moment")
		w.online("a2")
		mina.SendText("I am still here")
		w.settle()
		require.Equal(t, routing.AgentID("a1"), w.detail(owned.Conversation).Conversation.Agent, "its agent reads it")
		w.offline("a1")
		mina.SendText("are you there?")
		w.settle()
		d := w.detail(owned.Conversation)
		require.NotNil(t, d.Offer)
		require.Equal(t, routing.AgentID("a2"), d.Offer.Agent)
	}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.KeepAgentFor = time.Hour, time.Minute }))
}

// slowBot answers only when it is let.
type slowBot struct{ gate chan struct{} }

func (slowBot) Name() string { return "slow" }

func (b slowBot) Next(ctx context.Context, _ bot.Turn) (bot.Reply, error) {
	select {
	case <-b.gate:
	case <-ctx.Done():
		return bot.Reply{}, ctx.Err()
	}
	return bot.Reply{Say: []channel.Content{channel.Text("bot's word")}, HandOver: true}, nil
}

func TestEveryWayToPeopleTakesTheWordFromTheBot(t *testing.T) {
	ways := map[string]func(w *replayWorld, id conversation.ID) error{
		"transfer to a queue": func(w *replayWorld, id conversation.ID) error {
			_, err := w.eng.Transfer(w.ctx, w.host, sangdam.Transfer{Conversation: id, Queue: "q"})
			return err
		},
		"transfer to an agent": func(w *replayWorld, id conversation.ID) error {
			_, err := w.eng.Transfer(w.ctx, w.host, sangdam.Transfer{Conversation: id, Agent: "a1"})
			return err
		},
		"assign": func(w *replayWorld, id conversation.ID) error {
			_, err := w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: id, Agent: "a1"})
			return err
		},
		"a notice of the host": func(w *replayWorld, id conversation.ID) error {
			_, err := w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: id, Content: channel.Text("Your parcel has left.")})
			return err
		},
		"pick": func(w *replayWorld, id conversation.ID) error {
			_, err := w.eng.Pick(w.ctx, w.agent("a1"), sangdam.Pick{Conversation: id})
			return err
		},
	}
	for name, take := range ways {
		t.Run(name, func(t *testing.T) {
			var gate chan struct{}
			replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.settle()
				id := w.of(mina).Conversation.ID
				require.Equal(t, conversation.ControlBot, w.detail(id).Conversation.Control)
				require.NoError(t, take(w, id))
				w.settle()
				require.NotEqual(t, conversation.ControlBot, w.detail(id).Conversation.Control)
				close(gate)
				w.pass(time.Minute)
				require.NotContains(t, mina.Texts(), "bot's word", "it comes too late")
				d := w.detail(id)
				require.True(t, d.Offer != nil || d.Conversation.Agent == "a1")
				err := w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
					dead, err := tx.Jobs().List(ctx, driver.JobDead, 10)
					require.Empty(t, dead)
					return err
				})
				require.NoError(t, err)
			}, withStream(func(s *routing.WorkStream) { s.OfferFor, s.Bot = time.Hour, "slow" }),
				withConfig(func(c *sangdam.Config) {
					gate = make(chan struct{}) // of the bubble
					c.Bots = []bot.Bot{slowBot{gate}}
				}))
		})
	}
}

// Accepting takes the item, then the agent; going offline ends several offers,
// and must not take the agent before it has all their items.
func TestGoingOfflineWhileAcceptingWaitsForNobodyInACircle(t *testing.T) {
	replay(t, []string{onPG}, func(t *testing.T, w *replayWorld) {
		const offers = 6
		a := chatAgent("a1")
		a.Capacity[routing.ProfileUnits] = offers
		w.saveAgent(a)
		rival, err := sangdam.New(w.cfg) // another process would do the same
		require.NoError(t, err)
		written := 0
		for range 8 {
			for range offers {
				written++
				w.line.User(fmt.Sprint("Customer ", written)).SendText("hello")
			}
			w.online("a1")
			held, err := w.eng.Held(w.ctx, w.host, "a1")
			require.NoError(t, err)
			require.Len(t, held.Offers, offers)
			var all sync.WaitGroup
			for _, o := range held.Offers {
				all.Go(func() {
					_, err := w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: o.ID})
					if !errors.Is(err, sangdam.ErrStale) { // withdrawn before
						assert.NoError(t, err)
					}
				})
			}
			all.Go(func() {
				assert.NoError(t, rival.SetPresence(w.ctx, w.agent("a1"), sangdam.SetPresence{Agent: "a1", Presence: routing.Offline}))
			})
			all.Wait()
			held, err = w.eng.Held(w.ctx, w.host, "a1")
			require.NoError(t, err)
			require.Empty(t, held.Offers, "none is left")
			for _, c := range w.conversations() {
				if c.State != conversation.StateClosed {
					require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: c.ID, Final: true})))
				}
			}
		}
		require.Zero(t, deadlocks(t, w.dsn))
	}, longOffers)
}

// deadlocks is how many PostgreSQL had to break in the database.
func deadlocks(t *testing.T, dsn string) (n int) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close(context.WithoutCancel(t.Context()))) }()
	// A server process counts what it saw at the latest a second after it is idle.
	last, same := -1, 0
	require.Eventually(t, func() bool {
		require.NoError(t, c.QueryRow(t.Context(), "select deadlocks from pg_stat_database where datname = current_database()").Scan(&n))
		if same++; n != last {
			last, same = n, 0
		}
		return same >= 15
	}, 30*time.Second, 100*time.Millisecond)
	return n
}
