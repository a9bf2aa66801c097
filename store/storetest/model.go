package storetest

import (
	"context"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
)

var modelRules = []rule{
	{name: "random work leaves the same as in the memory store", run: func(e *env) {
		checks := "12"
		if e.mode == "twice" {
			checks = "4"
		}
		defer modestChecks(checks)()
		n := 0
		rapid.Check(e.T, func(rt *rapid.T) {
			n++
			p := e.pair(rt, fmt.Sprintf("%s-%d", e.ws, n))
			defer func() { _ = p.model.Close() }()
			actions := map[string]func(*rapid.T){"": p.compare}
			for name, act := range p.actions() {
				actions[name] = act
			}
			rt.Repeat(actions)
		})
	}},
}

// modestChecks lowers rapid's number of runs, unless somebody set it: a run is
// some hundred commits. It returns what sets it back.
func modestChecks(n string) (restore func()) {
	f := flag.Lookup("rapid.checks")
	if f == nil || f.Value.String() != f.DefValue {
		return func() {}
	}
	_ = f.Value.Set(n)
	return func() { _ = f.Value.Set(f.DefValue) }
}

// pair is the store under test and its model, in the same state.
type pair struct {
	e     *env
	db    *store.DB
	model *store.DB
	ws    driver.WorkspaceID
	ids   int
}

func (e *env) pair(rt *rapid.T, ws string) *pair {
	o := memory.Options{}
	if e.h.Clock != nil {
		o.Now = e.h.Clock.Now
	}
	p := &pair{e: e, db: e.db, model: memory.New(o), ws: driver.WorkspaceID(ws)}
	p.both(rt, "create", func(db *store.DB) (any, error) {
		return nil, db.System().CreateWorkspace(e.ctx, p.ws, ws)
	})
	p.update(rt, "start", func(ctx context.Context, tx store.Tx) (any, error) {
		for _, id := range modelAgents {
			if _, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: id, Capacity: map[routing.Profile]int{routing.ProfileUnits: 3,
				"x": 1}}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return p
}

var (
	modelAgents  = []routing.AgentID{"a", "A", "b"}
	modelItems   = []routing.ItemID{"i1", "i2", "i3", "i4"}
	modelThreads = []string{"t", "T"}
	modelConvs   = []conversation.ID{"c1", "c2", "c3"}
	modelStates  = []conversation.State{conversation.StateOpen, conversation.StateWaiting, conversation.StateWrapUp,
		conversation.StateClosed}
)

// id is the next of ids that are the same in both stores.
func (p *pair) id(prefix string) string {
	p.ids++
	return fmt.Sprint(prefix, p.ids)
}

// both does the same to both stores and requires the same kind of error, with
// the same check that refused, and, without one, the same result.
func (p *pair) both(rt *rapid.T, what string, op func(db *store.DB) (any, error)) {
	rt.Helper()
	got, gotErr := op(p.db)
	want, wantErr := op(p.model)
	if verdict(gotErr) != verdict(wantErr) {
		rt.Fatalf("%s: the store says %v, the model %v", what, gotErr, wantErr)
	}
	if gotErr == nil && !reflect.DeepEqual(canon(got), canon(want)) {
		rt.Fatalf("%s: the store says\n%+v\nthe model\n%+v", what, canon(got), canon(want))
	}
}

func (p *pair) update(rt *rapid.T, what string, fn func(ctx context.Context, tx store.Tx) (any, error)) {
	rt.Helper()
	p.both(rt, what, func(db *store.DB) (out any, err error) {
		err = db.Update(p.e.ctx, p.ws, func(ctx context.Context, tx store.Tx) (err error) {
			out, err = fn(ctx, tx)
			return err
		})
		return out, err
	})
}

// actions are what may happen.
func (p *pair) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"conversation": p.saveConversation, "message": p.saveMessage,
		"item": p.saveItem, "reserve": p.reserve, "end hold": p.endHold, "presence": p.setPresence, "capacity": p.setCapacity,
		"append": p.append, "work inbox": p.workInbox, "enqueue": p.enqueue, "work outbox": p.workOutbox,
		"job": p.enqueueJob, "work jobs": p.workJobs, "deadline": p.deadline, "index": p.index, "command": p.command,
		"member": p.member, "list": p.listed, "contact": p.contact,
		"odd reserve": p.oddReserve, "odd end": p.oddEnd, "odd append": p.oddAppend, "odd saves": p.oddSaves,
	}
}

func (p *pair) saveConversation(rt *rapid.T) {
	id, thread, state := pick(rt, "id", modelConvs), pick(rt, "thread", modelThreads), pick(rt, "state", modelStates)
	at := rapid.IntRange(0, 5).Draw(rt, "at")
	p.update(rt, "conversation", func(ctx context.Context, tx store.Tx) (any, error) {
		c, err := tx.Conversations().Conversation(ctx, id)
		if err != nil {
			c = conversation.Conversation{ID: id}
		}
		open, _, err := tx.Conversations().ByThread(ctx, thread)
		if err != nil {
			return nil, err
		}
		running := state != conversation.StateWrapUp && state != conversation.StateClosed
		if running && open != nil && open.ID != id {
			return "taken by " + string(open.ID), nil
		}
		c.Thread, c.State, c.OpenedAt, c.UpdatedAt = thread, state, moment(at), moment(at)
		_, err = tx.Conversations().SaveConversation(ctx, c)
		return nil, err
	})
}

func (p *pair) saveMessage(rt *rapid.T) {
	conv, provider := pick(rt, "conversation", modelConvs), pick(rt, "provider", []string{"", "p", "P"})
	id := p.id("m")
	p.update(rt, "message", func(ctx context.Context, tx store.Tx) (any, error) {
		c, err := tx.Conversations().Conversation(ctx, conv)
		if err != nil {
			return nil, err
		}
		if provider != "" {
			if m, err := tx.Conversations().ByProvider(ctx, "acct", userChat, providerID(provider)); err == nil {
				return m.ID, nil
			}
		}
		c.EventSeq++
		m := conversation.Message{ID: conversation.MessageID(id), Conversation: conv, Seq: c.EventSeq, Account: "acct", Chat: userChat,
			Provider: providerID(provider), Content: text(id)}
		if _, err := tx.Conversations().SaveMessage(ctx, m); err != nil {
			return nil, err
		}
		if err := tx.Conversations().AppendEvents(ctx, conversation.Event{Conversation: conv, Seq: c.EventSeq, Kind: conversation.EvMessage,
			Actor: "x", At: moment(0)}); err != nil {
			return nil, err
		}
		_, err = tx.Conversations().SaveConversation(ctx, c)
		return nil, err
	})
}

func (p *pair) saveItem(rt *rapid.T) {
	id := pick(rt, "item", modelItems)
	state := pick(rt, "state", []routing.ItemState{routing.ItemQueued, routing.ItemQueued, routing.ItemDone, routing.ItemOffered})
	cost := rapid.IntRange(1, 2).Draw(rt, "cost")
	p.update(rt, "item", func(ctx context.Context, tx store.Tx) (any, error) {
		it, err := tx.Work().Item(ctx, id)
		if err != nil {
			it = routing.Item{ID: id}
		}
		it.State, it.Queue = state, "queue"
		it.Uses = []routing.Use{{Profile: routing.ProfileUnits, Units: cost}, {Profile: "x", Units: cost - 1}}
		_, err = tx.Work().SaveItem(ctx, it)
		return nil, err
	})
}

func (p *pair) reserve(rt *rapid.T) {
	id, to := pick(rt, "item", modelItems), pick(rt, "agent", modelAgents)
	kind := pick(rt, "kind", []string{"offer", "assign", "force", "take"})
	stale, turn := rapid.IntRange(0, 9).Draw(rt, "stale") == 0, rapid.Bool().Draw(rt, "turn")
	hold := p.id("h")
	p.update(rt, "reserve", func(ctx context.Context, tx store.Tx) (any, error) {
		it, err := tx.Work().Item(ctx, id)
		if err != nil {
			return nil, err
		}
		r := transition.Reservation{Item: id, ItemVersion: it.Version, Agent: to, Turn: turn, Force: kind == "force", Now: moment(10)}
		if stale {
			r.ItemVersion++
		}
		if kind == "offer" {
			r.Offer = &routing.Offer{ID: routing.OfferID(hold), Item: id, Agent: to, State: routing.OfferPending, Uses: it.Uses,
				OfferedAt: moment(10), ExpiresAt: moment(11)}
		} else {
			r.Assignment = &routing.Assignment{ID: routing.AssignmentID(hold), Item: id, Agent: to, Uses: it.Uses, StartedAt: moment(10)}
		}
		if kind == "take" {
			o, a, err := tx.Work().Held(ctx, id)
			if err != nil {
				return nil, err
			}
			if o != nil {
				r.FromOffer = o.ID
			}
			if a != nil {
				r.FromAssignment = a.ID
			}
			r.FromReason = routing.EndTransferred
		}
		return nil, tx.Work().Reserve(ctx, r)
	})
}

func (p *pair) endHold(rt *rapid.T) {
	id := pick(rt, "item", modelItems)
	how := pick(rt, "how", []string{"accept", string(routing.OfferDeclined), string(routing.OfferExpired), string(routing.OfferWithdrawn)})
	then := pick(rt, "then", []routing.ItemState{routing.ItemQueued, routing.ItemDone})
	at := moment(rapid.IntRange(10, 11).Draw(rt, "minute"))
	as := routing.AssignmentID(p.id("as"))
	p.update(rt, "end hold", func(ctx context.Context, tx store.Tx) (any, error) {
		o, a, err := tx.Work().Held(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case o != nil && how == "accept":
			return tx.Work().Accept(ctx, o.ID, as, at)
		case o != nil:
			return tx.Work().EndOffer(ctx, o.ID, routing.OfferState(how), "r", at)
		case a != nil:
			return tx.Work().EndAssignment(ctx, id, a.ID, routing.EndClosed, then, at)
		}
		return "free", nil
	})
}

func (p *pair) setPresence(rt *rapid.T) {
	id, to := pick(rt, "agent", modelAgents), pick(rt, "presence", []routing.Presence{routing.Online, routing.Break, routing.Offline})
	p.update(rt, "presence", func(ctx context.Context, tx store.Tx) (any, error) {
		a, err := tx.Agents().SetPresence(ctx, id, to, "r", moment(20))
		return a.State.Presence, err
	})
}

func (p *pair) setCapacity(rt *rapid.T) {
	id, n := pick(rt, "agent", modelAgents), rapid.IntRange(0, 4).Draw(rt, "units")
	p.update(rt, "capacity", func(ctx context.Context, tx store.Tx) (any, error) {
		a, err := tx.Agents().Agent(ctx, id)
		if err != nil {
			return nil, err
		}
		a.Capacity = units(n)
		_, err = tx.Agents().SaveAgent(ctx, a)
		return nil, err
	})
}

func (p *pair) member(rt *rapid.T) {
	id, add := pick(rt, "agent", modelAgents), rapid.Bool().Draw(rt, "add")
	p.update(rt, "member", func(ctx context.Context, tx store.Tx) (any, error) {
		c, err := tx.Config().Configuration(ctx, 0)
		if err != nil {
			return nil, err
		}
		if _, ok := c.Desks["d"]; !ok {
			return nil, tx.Config().SaveDesk(ctx, routing.Desk{ID: "d", Name: "d", Seats: 2})
		}
		if add {
			return nil, tx.Config().AddMember(ctx, "d", id)
		}
		return nil, tx.Config().RemoveMember(ctx, "d", id)
	})
}

func (p *pair) deadline(rt *rapid.T) {
	id, minute := pick(rt, "id", []string{"x", "X"}), rapid.IntRange(-1, 3).Draw(rt, "minute")
	p.update(rt, "deadline", func(ctx context.Context, tx store.Tx) (any, error) {
		if minute < 0 {
			return nil, tx.Deadlines().Clear(ctx, "k", id)
		}
		return nil, tx.Deadlines().Set(ctx, "k", id, p.e.before().Add(time.Duration(minute)*time.Minute))
	})
}

var modelTokens = []string{"aa", "bb", "cc"}

func (p *pair) index(rt *rapid.T) {
	id := conversation.MessageID(pick(rt, "message", []string{"m1", "m2", "m3"}))
	tokens := rapid.SliceOfN(rapid.SampledFrom(modelTokens), 0, 3).Draw(rt, "tokens")
	minute, remove := rapid.IntRange(0, 2).Draw(rt, "minute"), rapid.IntRange(0, 3).Draw(rt, "remove") == 0
	p.update(rt, "index", func(ctx context.Context, tx store.Tx) (any, error) {
		if remove {
			return nil, tx.Search().Delete(ctx, id)
		}
		return nil, tx.Search().Put(ctx, id, "c", moment(minute), tokens)
	})
}

func (p *pair) command(rt *rapid.T) {
	key := pick(rt, "key", []string{"k1", "k2", "K1"})
	value := p.id("v")
	p.update(rt, "command", func(ctx context.Context, tx store.Tx) (any, error) {
		digest, result, err := tx.Commands().Lookup(ctx, "agent:a", key)
		if err == nil {
			return []string{digest, string(result)}, nil
		}
		return nil, tx.Commands().Store(ctx, "agent:a", key, value, []byte(value))
	})
}

// compare requires that both stores show the same.
func (p *pair) compare(rt *rapid.T) {
	p.both(rt, "state", func(db *store.DB) (any, error) { return p.show(db) })
}

// shown is what a caller can see of a workspace, without versions and what
// comes from the clock.
type shown struct {
	Conversations []conversation.Conversation
	Messages      []conversation.Message
	Events        []conversation.Event
	Open          []routing.Item
	Items         []string
	Agents        []string
	Members       []routing.AgentID
	Due           []string
	Pending       int
	Hits          [][]driver.SearchHit
	Quarantined   []string
}

func (p *pair) show(db *store.DB) (s shown, err error) {
	due, err := db.System().Due(p.e.ctx, all)
	if err != nil {
		return s, err
	}
	for _, d := range due {
		if d.Workspace == p.ws {
			s.Due = append(s.Due, d.ID+" "+d.At.String())
		}
	}
	slices.Sort(s.Due)
	err = db.View(p.e.ctx, p.ws, func(ctx context.Context, tx store.Tx) (err error) {
		for _, part := range []func(context.Context, store.Tx, *shown) error{p.showTalk, p.showWork, p.showRest} {
			if err := part(ctx, tx, &s); err != nil {
				return err
			}
		}
		return nil
	})
	return s, err
}

func (p *pair) showTalk(ctx context.Context, tx store.Tx, s *shown) error {
	list, _, err := tx.Conversations().List(ctx, conversation.Filter{}, "", 100)
	if err != nil {
		return err
	}
	for _, c := range list {
		c.Version = 0
		s.Conversations = append(s.Conversations, c)
		msgs, err := tx.Conversations().Messages(ctx, c.ID, 0, 100)
		if err != nil {
			return err
		}
		for _, m := range msgs {
			m.Version = 0
			s.Messages = append(s.Messages, m)
		}
		evs, err := tx.Conversations().Events(ctx, c.ID, 0, 100)
		if err != nil {
			return err
		}
		s.Events = append(s.Events, evs...)
	}
	return nil
}

func (p *pair) showWork(ctx context.Context, tx store.Tx, s *shown) error {
	var open []routing.Item
	if err := tx.Work().Open(ctx, func(it routing.Item) { open = append(open, it) }); err != nil {
		return err
	}
	for _, it := range open {
		it.Version, it.Seq = 0, 0
		s.Open = append(s.Open, it)
		o, a, err := tx.Work().Held(ctx, it.ID)
		if err != nil {
			return err
		}
		s.Items = append(s.Items, fmt.Sprintf("%s %+v %+v", it.ID, canon(o), canon(a)))
		if o != nil {
			s.Items[len(s.Items)-1] = fmt.Sprintf("%s offer %s to %s", it.ID, o.ID, o.Agent)
		}
		if a != nil {
			s.Items[len(s.Items)-1] = fmt.Sprintf("%s assignment %s of %s, forced %v", it.ID, a.ID, a.Agent, a.Forced)
		}
	}
	agents, err := tx.Agents().Agents(ctx)
	if err != nil {
		return err
	}
	for _, a := range agents {
		// The numbers of turns may have gaps; which queues had one is the same.
		s.Agents = append(s.Agents, fmt.Sprintf("%s %s %q load %v open %d idle %v turns %d", a.ID, a.State.Presence, a.State.Reason,
			nonZero(a.State.Load), a.State.Open, a.State.IdleSince.UTC(), len(a.State.Turns)))
	}
	c, err := tx.Config().Configuration(ctx, 0)
	s.Members = c.Members["d"]
	return err
}

func (p *pair) showRest(ctx context.Context, tx store.Tx, s *shown) (err error) {
	if s.Pending, err = tx.Outbox().Pending(ctx); err != nil {
		return err
	}
	bad, err := tx.Inbox().Quarantined(ctx, 100)
	if err != nil {
		return err
	}
	for _, q := range bad {
		s.Quarantined = append(s.Quarantined, string(q.Envelope.ID)+" "+q.Reason)
	}
	slices.Sort(s.Quarantined)
	for _, tokens := range [][]string{{"aa"}, {"bb", "cc"}} {
		hits, err := tx.Search().Find(ctx, tokens, driver.SearchHit{}, 10)
		if err != nil {
			return err
		}
		s.Hits = append(s.Hits, hits)
	}
	return nil
}

func pick[T any](rt *rapid.T, label string, from []T) T {
	return rapid.SampledFrom(from).Draw(rt, strings.ReplaceAll(label, " ", "_"))
}
