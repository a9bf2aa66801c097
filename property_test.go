package sangdam_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/routing"
)

// TestAnyCourseOfEventsKeepsTheInvariants lets customers, agents, time and the
// process itself do anything in any order. Whatever is refused must be refused
// with one of the error kinds; whatever happens, the invariants hold.
func TestAnyCourseOfEventsKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 40).Draw(r, "steps")
		setting := rapid.IntRange(0, 15).Draw(r, "setting")
		// A bubble needs a *testing.T of its own; what fails there fails here.
		var broken violations
		ok := t.Run("course", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { broken = course(t, setting, steps) })
		})
		if !ok || len(broken) > 0 {
			r.Fatalf("%v", broken)
		}
	})
}

// step is one thing that somebody does.
type step struct {
	Who, What string
	On        int // which conversation, modulo their number
	Pause     time.Duration
}

func drawStep(r *rapid.T) step {
	s := step{Who: rapid.SampledFrom([]string{"u1", "u2", "u3", "a1", "a2", "time", "boss"}).Draw(r, "who"),
		On: rapid.IntRange(0, 3).Draw(r, "on"), Pause: time.Duration(rapid.IntRange(0, 3000).Draw(r, "ms")) * time.Millisecond}
	s.What = rapid.SampledFrom(map[byte][]string{
		'u': {"says", "says", "says", "unsends", "follows", "picture", "ends"},
		'a': {"online", "break", "offline", "accepts", "accepts", "declines", "answers", "answers", "answers and waits", "waits", "notes",
			"ends", "ends finally", "picks", "transfers", "to the queue",
			"asks", "asks the queue", "takes", "refuses", "withdraws"},
		't': {"restarts", "passes", "passes long"},
		'b': {"forces", "removes", "adds", "links", "reopens"},
	}[s.Who[0]]).Draw(r, "what")
	return s
}

// course plays the steps and returns what is broken afterwards.
func course(t *testing.T, setting int, steps []step) violations {
	w := newWorld(t, withStream(func(s *routing.WorkStream) {
		s.OfferFor = 5 * time.Second
		s.HoldWhileWaiting = setting&1 != 0
		if setting&2 != 0 {
			s.WrapUp, s.AutoClose = 5*time.Second, time.Minute
		}
		if setting&4 != 0 {
			s.ReopenFor, s.KeepAgentFor = time.Hour, 5*time.Second
		}
		if setting&8 != 0 {
			s.Bot = "intake"
		}
	}), withConfig(func(c *sangdam.Config) { c.Bots = append(c.Bots, intake) }))
	_, cursor, err := w.db.Feed(w.ctx, ws, "", 1)
	require.NoError(t, err)
	w.start()
	said := map[string]string{}
	for i, s := range steps {
		err := w.perform(i, s, said)
		if err != nil && kind(err) == "other" {
			t.Errorf("step %d %+v: an error of no kind: %v", i, s, err)
		}
		w.pass(s.Pause)
		beaten(t, w.eng.Heartbeat(w.ctx, ws, "a1", "a2"))
	}
	for range 4 { // let what has a deadline come to rest
		w.pass(20 * time.Second)
		beaten(t, w.eng.Heartbeat(w.ctx, ws, "a1", "a2"))
	}
	w.pass(2 * time.Second)
	state := observe(t, w.db, w.line, cursor)
	w.halt()
	w.line.Close()
	require.NoError(t, w.db.Close())
	return state.check()
}

var errNothing = errors.New("there is nothing to do it on")

func (w *world) perform(n int, s step, said map[string]string) error {
	text := fmt.Sprintf("%s %d", s.Who, n)
	all := w.conversations()
	var d sangdam.Detail
	if len(all) > 0 {
		d = w.detail(all[s.On%len(all)].ID)
	}
	err := w.act(s, text, d, said)
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

func (w *world) act(s step, text string, d sangdam.Detail, said map[string]string) error {
	switch s.Who[0] {
	case 'u':
		return w.customerActs(s, text, said)
	case 't':
		switch s.What {
		case "restarts":
			w.restart()
		case "passes":
			w.pass(10 * time.Second)
		case "passes long":
			w.pass(50 * time.Second)
		}
		return nil
	case 'b':
		return w.bossActs(s, d)
	}
	return w.agentActs(s, text, d)
}

func (w *world) customerActs(s step, text string, said map[string]string) error {
	u := w.line.User(s.Who)
	switch s.What {
	case "says":
		said[s.Who] = u.SendText(text).MessageID
	case "picture":
		u.Send(linetest.Image("image/png", []byte("\x89PNG\r\n\x1a\n"+text)))
	case "unsends":
		if said[s.Who] != "" {
			_, _ = u.Unsend(said[s.Who]) // twice is refused by LINE
			delete(said, s.Who)
		}
	case "follows":
		u.Follow()
	case "ends":
		return w.eng.Visitor().End(w.ctx, visitor.Ref{Workspace: ws, Account: w.acct.ID, User: channel.ProviderUserID(u.ID())}, text)
	}
	return nil
}

func (w *world) bossActs(s step, d sangdam.Detail) error {
	c := d.Conversation
	switch s.What {
	case "removes":
		return w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "support", Agent: "a2"})
	case "adds":
		return w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: "a2"})
	}
	if c.ID == "" {
		return errNothing
	}
	var err error
	switch s.What {
	case "forces":
		_, err = w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: c.ID, Agent: "a1", Force: true})
	case "links":
		other := w.conversations()[0]
		if other.Contact == "" || c.Identity == "" {
			return errNothing
		}
		_, err = w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Identity: c.Identity, Contact: other.Contact})
	case "reopens":
		_, err = w.eng.Reopen(w.ctx, w.host, sangdam.Reopen{Conversation: c.ID})
	}
	return err
}

// consults does what belongs to a question before a transfer.
func (w *world) consults(what string, p sangdam.Principal, d sangdam.Detail) error {
	c := d.Conversation
	ask := sangdam.Consult{Conversation: c.ID, For: 15 * time.Second}
	switch what {
	case "asks":
		ask.Agent = map[string]routing.AgentID{"a1": "a2", "a2": "a1"}[p.ID]
		return errOf(w.eng.Consult(w.ctx, p, ask))
	case "asks the queue":
		ask.Queue = "q"
		return errOf(w.eng.Consult(w.ctx, p, ask))
	}
	if c.Consultation == nil {
		return errNothing
	}
	switch what {
	case "takes":
		if c.Asked() != "" {
			p = w.agent(c.Asked())
		}
		return errOf(w.eng.AcceptConsultation(w.ctx, p, sangdam.AcceptConsultation{Consultation: c.Consultation.ID}))
	case "refuses":
		return w.eng.DeclineConsultation(w.ctx, p, sangdam.DeclineConsultation{Consultation: c.Consultation.ID, Reason: "busy"})
	}
	return w.eng.WithdrawConsultation(w.ctx, p, sangdam.WithdrawConsultation{Consultation: c.Consultation.ID})
}

func (w *world) agentActs(s step, text string, d sangdam.Detail) error {
	id := routing.AgentID(s.Who)
	p, c := w.agent(id), d.Conversation.ID
	switch s.What {
	case "online", "break", "offline":
		return w.eng.SetPresence(w.ctx, p, sangdam.SetPresence{Agent: id, Presence: routing.Presence(s.What)})
	}
	if c == "" {
		return errNothing
	}
	var err error
	switch s.What {
	case "accepts", "declines":
		if d.Offer == nil {
			return errNothing
		}
		p = w.agent(d.Offer.Agent)
		if s.What == "declines" {
			return w.eng.Decline(w.ctx, p, sangdam.Decline{Offer: d.Offer.ID})
		}
		_, err = w.eng.Accept(w.ctx, p, sangdam.Accept{Offer: d.Offer.ID})
	case "answers", "answers and waits":
		_, err = w.eng.Answer(w.ctx, p, sangdam.Answer{Conversation: c, Content: channel.Text(text), ThenWait: s.What != "answers"})
	case "notes":
		_, err = w.eng.AddNote(w.ctx, p, sangdam.AddNote{Conversation: c, Text: text})
	case "waits":
		_, err = w.eng.Wait(w.ctx, p, sangdam.Wait{Conversation: c})
	case "ends", "ends finally":
		_, err = w.eng.End(w.ctx, p, sangdam.End{Conversation: c, Final: s.What != "ends"})
	case "picks":
		_, err = w.eng.Pick(w.ctx, p, sangdam.Pick{Conversation: c})
	case "transfers":
		_, err = w.eng.Transfer(w.ctx, p, sangdam.Transfer{Conversation: c, Agent: map[routing.AgentID]routing.AgentID{"a1": "a2",
			"a2": "a1"}[id]})
	case "asks", "asks the queue", "takes", "refuses", "withdraws":
		return w.consults(s.What, p, d)
	case "to the queue":
		_, err = w.eng.Transfer(w.ctx, p, sangdam.Transfer{Conversation: c, Queue: "q"})
	}
	return err
}
