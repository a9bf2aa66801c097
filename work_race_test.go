package sangdam_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// rivalStore lets a rival act once between two statements of a transaction: right
// after its n-th question about a piece of work or about who holds one.
type rivalStore struct {
	driver.Backend
	n     int
	rival func()
}

func (b *rivalStore) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Work = rivalWork{tx.Work, b}
		return fn(ctx, tx)
	})
}

func (b *rivalStore) asked() {
	if b.n--; b.n == 0 {
		b.rival()
	}
}

type rivalWork struct {
	driver.WorkRepo
	b *rivalStore
}

func (r rivalWork) Items(ctx context.Context, ids []routing.ItemID, each func(routing.Item)) error {
	err := r.WorkRepo.Items(ctx, ids, each)
	r.b.asked()
	return err
}

func (r rivalWork) Holds(ctx context.Context, k driver.HoldKey) ([]routing.Offer, []routing.Assignment, error) {
	o, a, err := r.WorkRepo.Holds(ctx, k)
	r.b.asked()
	return o, a, err
}

// raced is a world with one piece of each kind of work.
type raced struct {
	*world
	chat   conversation.ID
	ticket ticket.ID
	// version of the ticket that the host saw
	version int64
}

// rivalsOfCommands are what happens to work meanwhile: what it is before, and what
// the rival does.
var rivalsOfCommands = map[string]struct {
	before, act func(r raced, item routing.ItemID)
}{
	"offered": {func(raced, routing.ItemID) {}, func(r raced, item routing.ItemID) {
		r.online("a1")
		r.offerOf(item)
	}},
	"declined": {func(r raced, _ routing.ItemID) { r.online("a1") }, func(r raced, item routing.ItemID) {
		require.NoError(r.t, r.eng.Decline(r.ctx, r.agent("a1"), sangdam.Decline{Offer: r.offerOf(item)}))
	}},
	"accepted": {func(r raced, _ routing.ItemID) { r.online("a1") }, func(r raced, item routing.ItemID) {
		require.NoError(r.t, errOf(r.eng.Accept(r.ctx, r.agent("a1"), sangdam.Accept{Offer: r.offerOf(item)})))
	}},
}

// offerOf is the offer that a1 has of an item.
func (r raced) offerOf(item routing.ItemID) routing.OfferID {
	r.t.Helper()
	held, err := r.eng.Held(r.ctx, r.host, "a1")
	require.NoError(r.t, err)
	for _, o := range held.Offers {
		if o.Item == item {
			return o.ID
		}
	}
	require.Fail(r.t, "a1 is not asked about "+string(item))
	return ""
}

// ticketChange changes the ticket as the host. The one who accepts it meanwhile
// changes the ticket itself, of which the host has seen a version: it is told so.
func (r raced) ticketChange(e *sangdam.Engine, c sangdam.TicketChange) error {
	err := errOf(e.UpdateTicket(r.ctx, r.host, sangdam.UpdateTicket{Ticket: r.ticket, Version: r.version, Change: c}))
	d, readErr := r.eng.Ticket(r.ctx, r.host, r.ticket)
	require.NoError(r.t, readErr)
	if d.Ticket.Version != r.version && err != nil {
		require.ErrorIs(r.t, err, sangdam.ErrStale)
		return nil
	}
	return err
}

// A transaction sees what others commit meanwhile. A command that may be carried out
// whatever state the work is in is carried out, at whichever of its reads that state
// changes: it never answers that somebody was faster.
func TestACommandWhoseWorkChangesMeanwhileRunsAgain(t *testing.T) {
	chat := func(r raced) routing.ItemID { return routing.ItemID(r.chat) }
	tick := func(r raced) routing.ItemID {
		return routing.Subject{Kind: routing.SubjectTicket, ID: string(r.ticket)}.Item()
	}
	work := func(raced) routing.ItemID { return order("17").Item() }
	for name, c := range map[string]struct {
		item func(r raced) routing.ItemID
		do   func(e *sangdam.Engine, r raced) error
	}{
		"end": {chat, func(e *sangdam.Engine, r raced) error {
			return errOf(e.End(r.ctx, r.host, sangdam.End{Conversation: r.chat}))
		}},
		"transfer": {chat, func(e *sangdam.Engine, r raced) error {
			return errOf(e.Transfer(r.ctx, r.host, sangdam.Transfer{Conversation: r.chat, Queue: "q"}))
		}},
		"wait": {chat, func(e *sangdam.Engine, r raced) error {
			return errOf(e.Wait(r.ctx, r.host, sangdam.Wait{Conversation: r.chat}))
		}},
		"force": {chat, func(e *sangdam.Engine, r raced) error {
			return errOf(e.Assign(r.ctx, r.host, sangdam.Assign{Conversation: r.chat, Agent: "a2", Force: true}))
		}},
		"ticket given": {tick, func(e *sangdam.Engine, r raced) error {
			return r.ticketChange(e, sangdam.TicketChange{Agent: ptr(routing.AgentID("a2"))})
		}},
		"ticket solved": {tick, func(e *sangdam.Engine, r raced) error {
			return r.ticketChange(e, sangdam.TicketChange{State: ptr(ticket.Solved)})
		}},
		"enqueue": {work, func(e *sangdam.Engine, r raced) error {
			return errOf(e.Enqueue(r.ctx, r.host, sangdam.Enqueue{Subject: order("17"), Queue: "q", Desk: "support", Priority: 3}))
		}},
		"finish": {work, func(e *sangdam.Engine, r raced) error {
			return e.Finish(r.ctx, r.host, sangdam.Finish{Subject: order("17")})
		}},
	} {
		for rival, meanwhile := range rivalsOfCommands {
			t.Run(name+"/"+rival, func(t *testing.T) {
				acted := true
				for n := 1; acted; n++ {
					inRacedWorld(t, func(r raced) {
						meanwhile.before(r, c.item(r))
						b := &rivalStore{Backend: r.db.Backend(), n: n, rival: func() { meanwhile.act(r, c.item(r)) }}
						cfg := r.cfg
						cfg.DB = store.New(b)
						e, err := sangdam.New(cfg)
						require.NoError(t, err)
						require.NoError(t, c.do(e, r), "the rival came after read %d", n)
						acted = b.n <= 0
						r.settle()
						r.invariants()
					})
				}
			})
		}
	}
}

// inRacedWorld makes a conversation, a ticket and an order wait for an agent.
func inRacedWorld(t *testing.T, fn func(raced)) {
	inWorld(t, func(w *world) {
		for _, id := range []routing.AgentID{"a1", "a2"} {
			w.saveAgent(routing.Agent{ID: id, Name: string(id), Role: "agent",
				Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket},
				Capacity:    map[routing.Profile]int{routing.ProfileUnits: 10},
				Assign:      routing.AssignmentSwitches{Chat: true, Ticket: true}})
		}
		setup, err := w.eng.TicketSetup(w.ctx, w.host)
		require.NoError(t, err)
		setup.Settings.Tickets = sangdam.TicketRouting{Queue: "q", OfferFor: time.Hour}
		require.NoError(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: setup.Settings})))
		w.line.User("Mina").SendText("hi")
		w.settle()
		opened, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "Lamp broken", Desk: "support"})
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.Enqueue(w.ctx, w.host,
			sangdam.Enqueue{Subject: order("17"), Queue: "q", Desk: "support", Cost: 1, OfferFor: time.Hour})))
		w.settle()
		fn(raced{w, w.only().Conversation.ID, opened.Ticket, opened.Version})
	}, withStream(func(s *routing.WorkStream) { s.OfferFor = time.Hour }))
}
