package sangdam_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// A warm transfer: who may read what, who wins, and that the customer has one
// owner all the while. testdata/consult.txt tells the courses it can take.

// billing adds another desk with its own queue, of which b1 is there and a1 and a2
// know nothing.
func (w *replayWorld) billing() {
	w.t.Helper()
	for _, a := range []routing.AgentID{"b1", "b2"} {
		require.NoError(w.t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: chatAgent(a)})))
	}
	require.NoError(w.t, errOf(w.eng.SaveDesk(w.ctx, w.host,
		sangdam.SaveDesk{Agent: "b1", Desk: routing.Desk{ID: "billing", Name: "Billing"}})))
	require.NoError(w.t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "billing", Agent: "b2"}))
	w.saveQueue(routing.Queue{ID: "billing", Name: "Billing", Desk: "billing", Members: []routing.AgentID{"b1", "b2"}})
}

// asks lets the owner ask.
func (w *replayWorld) asks(owned sangdam.Owned, c sangdam.Consult) conversation.Consultation {
	w.t.Helper()
	c.Conversation = owned.Conversation
	asked, err := w.eng.Consult(w.ctx, w.agent(owned.Agent), c)
	require.NoError(w.t, err)
	w.settle()
	return asked
}

func TestAConsultedColleagueReadsAndNotesUntilTheQuestionEnds(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.billing()
		w.online("a1", "b1")
		owned := w.begun(w.line.User("Mina"), "about my bill")
		b1, b2 := w.agent("b1"), w.agent("b2")
		_, err := w.eng.Conversation(w.ctx, b1, owned.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "another desk's")
		_, cursor, err := w.eng.Events(w.ctx, b1, "", 1)
		require.NoError(t, err)

		asked := w.asks(owned, sangdam.Consult{Desk: "billing", Note: "wants a refund, can you?"})
		require.Equal(t, routing.AgentID("b1"), asked.Agent, "who is there")
		require.Equal(t, routing.DeskID("support"), w.detail(owned.Conversation).Conversation.Desk, "it stays where it is")
		held := w.holds("b1")
		require.Len(t, held.Consultations, 1)
		require.Equal(t, asked, held.Consultations[0])
		require.Empty(t, held.Offers)
		require.Empty(t, w.holds("a1").Consultations)
		d, err := w.eng.Conversation(w.ctx, b1, owned.Conversation)
		require.NoError(t, err, "who is asked may read")
		require.Equal(t, "Mina", d.Contact.Name, "and sees whose it would be")
		require.Contains(t, texts(d), "wants a refund, can you?")
		require.NoError(t, errOf(w.eng.AddNote(w.ctx, b1, sangdam.AddNote{Conversation: owned.Conversation, Text: "yes I can"})))
		require.ErrorIs(t, errOf(w.eng.Answer(w.ctx, b1, sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("hi")})),
			sangdam.ErrPermissionDenied, "the owner answers")
		w.answer("a1", owned.Conversation, "one moment")
		require.Contains(t, kinds(w.news(b1, cursor)), "consult")
		x, err := w.eng.Explain(w.ctx, w.host, owned.Conversation)
		require.NoError(t, err)
		require.Len(t, x.Asked, 1)
		require.Equal(t, routing.AgentID("b1"), x.Asked[0].Agent)
		require.Positive(t, x.Asked[0].Excluded[routing.ExcludePresence], "and why others were not")

		w.strangersMayNot(owned.Conversation, asked, b2, sangdam.AgentPrincipal(ws, "nobody"), w.agent("a2"))
		require.Equal(t, routing.AgentID("a1"), w.detail(owned.Conversation).Conversation.Agent)

		_, cursor, err = w.eng.Events(w.ctx, b1, "", 1)
		require.NoError(t, err)
		require.NoError(t, w.eng.DeclineConsultation(w.ctx, b1, sangdam.DeclineConsultation{Consultation: asked.ID, Reason: "busy"}))
		w.settle()
		_, err = w.eng.Conversation(w.ctx, b1, owned.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "who is asked no longer may not")
		require.ErrorIs(t, errOf(w.eng.AddNote(w.ctx, b1, sangdam.AddNote{Conversation: owned.Conversation, Text: "still here"})),
			sangdam.ErrNotFound)
		require.Equal(t, []string{sangdam.KindGone}, kinds(w.news(b1, cursor))[:1], "and is told that it is gone")
		require.Empty(t, w.holds("b1").Consultations)
		c := w.detail(owned.Conversation).Conversation
		require.Equal(t, conversation.ConsultationDeclined, c.Consultation.State)
		require.Equal(t, "busy", c.Consultation.Reason, "the owner is told")
		require.Equal(t, routing.AgentID("a1"), c.Agent)

		asked = w.asks(owned, sangdam.Consult{Desk: "billing"})
		_, err = w.eng.Conversation(w.ctx, b1, owned.Conversation)
		require.NoError(t, err, "asked again")
		require.NoError(t, w.eng.WithdrawConsultation(w.ctx, w.agent("a1"), sangdam.WithdrawConsultation{Consultation: asked.ID}))
		w.settle()
		_, err = w.eng.Conversation(w.ctx, b1, owned.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "it was taken back")
	}, longOffers)
}

// strangersMayNot lets others read and answer a question: somebody else of the desk
// that is asked, a stranger to both, a2 of the owner's own.
func (w *replayWorld) strangersMayNot(id conversation.ID, asked conversation.Consultation, others ...sangdam.Principal) {
	w.t.Helper()
	for _, p := range others {
		if p.ID != "a2" { // whose desk it is on
			_, err := w.eng.Conversation(w.ctx, p, id)
			require.ErrorIs(w.t, err, sangdam.ErrNotFound, p.ID)
		}
		_, err := w.eng.AcceptConsultation(w.ctx, p, sangdam.AcceptConsultation{Consultation: asked.ID})
		require.Error(w.t, err, p.ID)
		require.NotErrorIs(w.t, err, sangdam.ErrStale, p.ID)
		require.Error(w.t, w.eng.DeclineConsultation(w.ctx, p, sangdam.DeclineConsultation{Consultation: asked.ID}), p.ID)
		require.Error(w.t, w.eng.WithdrawConsultation(w.ctx, p, sangdam.WithdrawConsultation{Consultation: asked.ID}), p.ID)
	}
}

// news are the events of conversations that somebody sees after a cursor.
func (w *replayWorld) news(p sangdam.Principal, cursor string) (out []store.Event) {
	w.t.Helper()
	all, _, err := w.eng.Events(w.ctx, p, cursor, 1000)
	require.NoError(w.t, err)
	return slices.DeleteFunc(all, func(ev store.Event) bool { return ev.Aggregate != "conversation" })
}

func kinds(evs []store.Event) (out []string) {
	for _, ev := range evs {
		out = append(out, ev.Kind)
	}
	return out
}

func TestAYesTakesTheConversationOver(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.billing()
		w.online("a1", "b1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "about my bill")
		asked := w.asks(owned, sangdam.Consult{Queue: "billing"})
		key := sangdam.AcceptConsultation{Key: "yes", Consultation: asked.ID}
		got, err := w.eng.AcceptConsultation(w.ctx, w.agent("b1"), key)
		require.NoError(t, err)
		again, err := w.eng.AcceptConsultation(w.ctx, w.agent("b1"), key)
		require.NoError(t, err)
		require.Equal(t, got, again, "a repeat is the same yes")
		w.settle()
		d := w.detail(owned.Conversation)
		require.Equal(t, routing.AgentID("b1"), d.Conversation.Agent)
		require.Equal(t, routing.DeskID("billing"), d.Conversation.Desk)
		require.Equal(t, routing.QueueID("billing"), d.Item.Queue)
		require.Equal(t, routing.DeskID("billing"), d.Item.Desk)
		require.Equal(t, got.Assignment, d.Assignment.ID)
		require.Empty(t, w.holds("a1").Assignments)
		require.Equal(t, conversation.ConsultationAccepted, d.Conversation.Consultation.State)
		_, err = w.eng.Conversation(w.ctx, w.agent("a1"), owned.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "it is another desk's now")
		w.answer("b1", owned.Conversation, "billing here")
		require.Contains(t, mina.Texts(), "billing here")
	}, longOffers)
}

func TestAYesWithoutRoomLeavesTheQuestionOpen(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		w.offline("a2")
		w.online("a2")
		asked := w.asks(owned, sangdam.Consult{Agent: "a2"})
		for i := range 2 { // capacity is for two
			_, err := w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: w.wrote(fmt.Sprint("Other ", i)), Agent: "a2"})
			require.NoError(t, err)
		}
		_, err := w.eng.AcceptConsultation(w.ctx, w.agent("a2"), sangdam.AcceptConsultation{Consultation: asked.ID})
		require.ErrorIs(t, err, sangdam.ErrStale)
		c := w.detail(owned.Conversation).Conversation
		require.Equal(t, routing.AgentID("a1"), c.Agent)
		require.Equal(t, conversation.ConsultationOpen, c.Consultation.State)
		other := w.holds("a2").Assignments[0]
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a2"), sangdam.End{Conversation: conversation.ID(other.Item), Final: true})))
		_, err = w.eng.AcceptConsultation(w.ctx, w.agent("a2"), sangdam.AcceptConsultation{Consultation: asked.ID})
		require.NoError(t, err, "with room it is the colleague's")
	}, longOffers)
}

// Where those of a queue who are there have no room, the question waits for the
// first who has.
func TestAQuestionWaitsForRoom(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		others := w.full("a2")
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "hello")
		asked := w.asks(owned, sangdam.Consult{Queue: "q"})
		require.Empty(t, asked.Agent)
		require.Empty(t, w.holds("a2").Consultations)
		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a2"), sangdam.End{Conversation: others[0].Conversation, Final: true})))
		w.pass(2 * time.Second)
		held := w.holds("a2").Consultations
		require.Len(t, held, 1)
		got, err := w.eng.AcceptConsultation(w.ctx, w.agent("a2"), sangdam.AcceptConsultation{Consultation: held[0].ID})
		require.NoError(t, err)
		require.Equal(t, routing.AgentID("a2"), got.Agent)
	}, longOffers)
}

// wrote lets a customer write and returns the conversation.
func (w *replayWorld) wrote(name string) conversation.ID {
	u := w.line.User(name)
	u.SendText("hello")
	w.settle()
	return w.of(u).Conversation.ID
}

// Of a yes and anything else that ends the question, one comes first: either the
// colleague has the conversation, or the question is over and changed nothing.
func TestOneOfAYesAndAnythingElseComesFirst(t *testing.T) {
	const another = "another customer writes"
	var customer *linetest.User
	others := map[string]func(w *replayWorld, owner sangdam.Principal, asked conversation.Consultation) error{
		"withdraw": func(w *replayWorld, owner sangdam.Principal, asked conversation.Consultation) error {
			return w.eng.WithdrawConsultation(w.ctx, owner, sangdam.WithdrawConsultation{Consultation: asked.ID})
		},
		"decline": func(w *replayWorld, _ sangdam.Principal, asked conversation.Consultation) error {
			return w.eng.DeclineConsultation(w.ctx, w.agent(asked.Agent), sangdam.DeclineConsultation{Consultation: asked.ID})
		},
		"end": func(w *replayWorld, owner sangdam.Principal, asked conversation.Consultation) error {
			return errOf(w.eng.End(w.ctx, owner, sangdam.End{Conversation: asked.Conversation, Final: true}))
		},
		"transfer": func(w *replayWorld, owner sangdam.Principal, asked conversation.Consultation) error {
			return errOf(w.eng.Transfer(w.ctx, owner, sangdam.Transfer{Conversation: asked.Conversation, Queue: "q"}))
		},
		"the colleague goes": func(w *replayWorld, _ sangdam.Principal, asked conversation.Consultation) error {
			return w.eng.SetPresence(w.ctx, w.agent(asked.Agent), sangdam.SetPresence{Agent: asked.Agent, Presence: routing.Offline})
		},
		"the owner goes": func(w *replayWorld, owner sangdam.Principal, asked conversation.Consultation) error {
			return w.eng.SetPresence(w.ctx, owner, sangdam.SetPresence{Agent: asked.By, Presence: routing.Offline})
		},
		"the customer writes": func(*replayWorld, sangdam.Principal, conversation.Consultation) error {
			customer.SendText("are you there?")
			return nil
		},
		another: func(w *replayWorld, _ sangdam.Principal, asked conversation.Consultation) error {
			w.line.User("Mina " + asked.ID[len(asked.ID)-4:]).SendText("someone else")
			return nil
		},
	}
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		for name, other := range others {
			for round := range 3 {
				w.online("a1", "a2")
				customer = w.line.User(fmt.Sprint(name, round))
				owned := w.begun(customer, "hello")
				colleague := map[routing.AgentID]routing.AgentID{"a1": "a2", "a2": "a1"}[owned.Agent]
				asked := w.asks(owned, sangdam.Consult{Agent: colleague})
				var both sync.WaitGroup
				var yes, no error
				both.Go(func() {
					_, yes = w.eng.AcceptConsultation(w.ctx, w.agent(colleague), sangdam.AcceptConsultation{Consultation: asked.ID})
				})
				both.Go(func() { no = other(w, w.agent(owned.Agent), asked) })
				both.Wait()
				w.settle()
				if name == another && yes != nil { // the room went to that customer, and the question stays
					require.ErrorIs(t, yes, sangdam.ErrStale)
					require.Equal(t, conversation.ConsultationOpen, w.detail(owned.Conversation).Conversation.Consultation.State)
					require.NoError(t, others["withdraw"](w, w.agent(owned.Agent), asked))
				}
				d := w.detail(owned.Conversation)
				how := d.Conversation.Consultation.State
				require.NotEqual(t, conversation.ConsultationOpen, how, "%s: %v", name, yes)
				require.Equal(t, yes == nil, how == conversation.ConsultationAccepted, "%s: %v, %v: %s", name, yes, no, how)
				if yes == nil {
					require.Equal(t, colleague, d.Conversation.Agent, name)
					require.Equal(t, colleague, d.Assignment.Agent, name)
				} else {
					require.NotEqual(t, colleague, d.Conversation.Agent, "%s: %v", name, yes)
				}
				if name == "withdraw" || name == "decline" {
					require.NotEqual(t, yes == nil, no == nil, "%s: %v, %v", name, yes, no)
				}
				require.Empty(t, slices.Concat(w.holds("a1").Consultations, w.holds("a2").Consultations))
				for _, c := range w.conversations() { // room for the next
					if c.State != conversation.StateClosed {
						require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: c.ID, Final: true})))
					}
				}
			}
		}
	}, longOffers, quiet)
}

// A question whose process dies is answered, or runs out, with the next one.
func TestAQuestionSurvivesARestart(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		owned := w.begun(w.line.User("Mina"), "hello")
		colleague := map[routing.AgentID]routing.AgentID{"a1": "a2", "a2": "a1"}[owned.Agent]
		asked := w.asks(owned, sangdam.Consult{Agent: colleague})
		w.restart()
		require.Len(t, w.holds(colleague).Consultations, 1)
		w.beat(3*time.Minute, "a1", "a2")
		c := w.detail(owned.Conversation).Conversation
		require.Equal(t, conversation.ConsultationExpired, c.Consultation.State)
		require.Equal(t, "timeout", c.Consultation.Reason)
		require.Equal(t, owned.Agent, c.Agent)
		_, err := w.eng.AcceptConsultation(w.ctx, w.agent(colleague), sangdam.AcceptConsultation{Consultation: asked.ID})
		require.ErrorIs(t, err, sangdam.ErrStale)
		require.Empty(t, w.holds(colleague).Consultations)
	}, longOffers)
}

// Who is taken off the desk, or disabled, has no part in a question any more; of a
// queue the next one is asked.
func TestWhoIsRemovedLeavesTheQuestion(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.billing()
		w.online("a1", "b1", "b2")
		owned := w.begun(w.line.User("Mina"), "hello")
		asked := w.asks(owned, sangdam.Consult{Queue: "billing"})
		other := map[routing.AgentID]routing.AgentID{"b1": "b2", "b2": "b1"}[asked.Agent]
		require.NoError(t, w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "billing", Agent: asked.Agent}))
		w.settle()
		c := w.detail(owned.Conversation).Conversation.Consultation
		require.Equal(t, conversation.ConsultationOpen, c.State)
		require.Equal(t, other, c.Agent)
		_, err := w.eng.Conversation(w.ctx, w.agent(asked.Agent), owned.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = w.eng.AcceptConsultation(w.ctx, w.agent(asked.Agent), sangdam.AcceptConsultation{Consultation: asked.ID})
		require.Error(t, err)
		require.NotErrorIs(t, err, context.Canceled)

		a := w.stored(other)
		a.Disabled = true
		require.NoError(t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: a})))
		w.settle()
		c = w.detail(owned.Conversation).Conversation.Consultation
		require.Equal(t, conversation.ConsultationGone, c.State, "nobody is left")
		require.Equal(t, routing.AgentID("a1"), w.detail(owned.Conversation).Conversation.Agent)

		w.online("a2")
		again := w.asks(owned, sangdam.Consult{Agent: "a2"})
		require.NoError(t, w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "support", Agent: "a1"}))
		w.settle()
		d := w.detail(owned.Conversation)
		require.NotEqual(t, conversation.ConsultationOpen, d.Conversation.Consultation.State)
		require.Equal(t, again.ID, d.Conversation.Consultation.ID)
		require.NotNil(t, d.Offer, "the customer is with the others")
	}, longOffers)
}

// stored is an agent as it is stored.
func (w *replayWorld) stored(id routing.AgentID) (out routing.Agent) {
	w.t.Helper()
	require.NoError(w.t, w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		out, err = tx.Agents().Agent(ctx, id)
		return err
	}))
	return out
}

// A question before a transfer is the present owner's, runs out, and everybody who
// was asked once is asked no more once.
func (s *stateOfWorld) questionsEnd(v *violations) {
	for _, c := range s.conversations {
		q := c.Consultation
		if q == nil {
			continue
		}
		open := q.State == conversation.ConsultationOpen
		if open && (c.Agent == "" || q.By != c.Agent || q.Agent == c.Agent) {
			v.add("consultation", "%s belongs to %q; %q asks %q", c.ID, c.Agent, q.By, q.Agent)
		}
		if open && s.now.After(q.Ends.Add(10*time.Second)) {
			v.add("consultation", "%s: the question should have ended at %s", c.ID, q.Ends)
		}
		asked := ""
		for _, ev := range s.events[c.ID] {
			switch ev.Kind {
			case conversation.EvConsult:
				if asked != "" && !strings.HasPrefix(asked, "queue:") {
					v.add("consultation", "%s: at %d %s is asked, and so is %s", c.ID, ev.Seq, ev.To, asked)
				}
				asked = ev.To
			case conversation.EvConsultEnded:
				if ev.From != asked && !strings.HasPrefix(ev.From, "queue:") {
					v.add("consultation", "%s: at %d %s is asked no more, but %q was", c.ID, ev.Seq, ev.From, asked)
				}
				asked = ""
			}
		}
		if (asked != "") != open {
			v.add("consultation", "%s: the record leaves %q asked, the question is %s", c.ID, asked, q.State)
		}
	}
}

// playConsult is a warm transfer to a colleague and one to a queue, each until
// somebody has said yes, on a store that breaks.
func playConsult(f *faultWorld) {
	f.presence("a1", routing.Online)
	f.presence("a2", routing.Online)
	mina := f.line.User("Mina")
	mina.SendText("hello")
	c := f.taken(mina)
	for _, queue := range []routing.QueueID{"", "q"} {
		owner := f.agent(c.Agent)
		other := map[routing.AgentID]routing.AgentID{"a1": "a2", "a2": "a1"}[c.Agent]
		ask := sangdam.Consult{Conversation: c.Conversation, Queue: queue}
		if queue == "" {
			ask.Agent = other
		}
		f.until("somebody says yes", func() bool {
			d, _ := f.latest(mina)
			asked := d.Conversation.Consultation
			if asked == nil || asked.State != conversation.ConsultationOpen {
				err := f.do(owner, sangdam.ActTransfer, func(e *sangdam.Engine, k sangdam.Key) error {
					ask.Key = k
					return errOf(e.Consult(f.ctx, owner, ask))
				})
				if err != nil && !errors.Is(err, sangdam.ErrInvalid) { // the colleague's console was not heard
					require.ErrorIs(f.t, err, sangdam.ErrStale)
				}
				return false
			}
			if asked.Agent == "" {
				return false
			}
			p := f.agent(asked.Agent)
			err := f.do(p, sangdam.ActOffer, func(e *sangdam.Engine, k sangdam.Key) (err error) {
				c, err = e.AcceptConsultation(f.ctx, p, sangdam.AcceptConsultation{Key: k, Consultation: asked.ID})
				return err
			})
			if err != nil && !errors.Is(err, sangdam.ErrInvalid) && !errors.Is(err, sangdam.ErrPermissionDenied) {
				require.ErrorIs(f.t, err, sangdam.ErrStale)
			}
			return err == nil
		})
		require.Equal(f.t, other, c.Agent)
		f.answer(c, "the colleague here, by "+string(queue))
	}
	f.end(c, true)
	f.is(mina, conversation.StateClosed)
}

// A yes in the moment in which its time is over, before anybody has noticed, is
// refused.
func TestAYesAfterItsTimeIsRefused(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1", "a2")
		owned := w.begun(w.line.User("Mina"), "hello")
		colleague := map[routing.AgentID]routing.AgentID{"a1": "a2", "a2": "a1"}[owned.Agent]
		asked := w.asks(owned, sangdam.Consult{Agent: colleague, For: 30 * time.Second})
		w.halt() // nobody looks at deadlines
		w.jump(31 * time.Second)
		_, err := w.eng.AcceptConsultation(w.ctx, w.agent(colleague), sangdam.AcceptConsultation{Consultation: asked.ID})
		require.ErrorIs(t, err, sangdam.ErrStale)
		require.Equal(t, owned.Agent, w.detail(owned.Conversation).Conversation.Agent)
		w.resume()
	}, longOffers)
}

// A question that waits for anybody who is free is hidden with its conversation from a
// principal that is no agent, too: neither has one.
func TestAQuestionToAnybodyIsHiddenWithItsConversation(t *testing.T) {
	var hidden atomic.Value
	hides := sangdam.PolicyFunc(func(_ context.Context, w sangdam.Who, _ sangdam.Action, r sangdam.Resource) error {
		if w.Kind == sangdam.KindHost && r.Kind == "conversation" && r.ID == hidden.Load() {
			return sangdam.ErrNotFound
		}
		return nil
	})
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.full("a2")
		w.online("a1")
		asked := w.asks(w.begun(w.line.User("Mina"), "hello"), sangdam.Consult{Queue: "q"})
		require.Empty(t, asked.Agent, "nobody is free")
		says := func(id string) string {
			_, err := w.eng.AcceptConsultation(w.ctx, w.host, sangdam.AcceptConsultation{Consultation: id})
			require.Error(t, err)
			return err.Error()
		}
		require.NotEqual(t, says("none"), says(asked.ID))
		hidden.Store(string(asked.Conversation))
		require.Equal(t, says("none"), says(asked.ID))
	}, withConfig(func(cfg *sangdam.Config) { cfg.Policy = hides }))
}

// Who may speak for agents says yes in the name of the colleague who is asked, who then
// has the conversation.
func TestAYesInTheNameOfWhoIsAsked(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.billing()
		w.online("a1", "b1")
		owned := w.begun(w.line.User("Mina"), "about my bill")
		asked := w.asks(owned, sangdam.Consult{Desk: "billing"})
		got, err := w.eng.AcceptConsultation(w.ctx, w.host, sangdam.AcceptConsultation{Consultation: asked.ID})
		require.NoError(t, err)
		require.Equal(t, routing.AgentID("b1"), got.Agent)
		require.Equal(t, routing.AgentID("b1"), w.detail(owned.Conversation).Conversation.Agent)
	}, longOffers)
}
