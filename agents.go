package sangdam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/validate"
	"github.com/sangdam/sangdam/store"
)

// Agents who are gone (docs/design.md section 6.9).
const (
	// lostGrace is how long after the last heart-beat an agent counts as gone.
	lostGrace = 60 * time.Second
	// requeueAfter is how long after an agent went Offline, by itself or lost, its
	// conversations are handed on.
	requeueAfter = 5 * time.Minute
)

func init() {
	registerDeadline(dueLost, deadlineKind{ofAgents: true, run: thenCleared(dueLost, func(u *unit, id string) error {
		return u.handOn(handOn{Agent: routing.AgentID(id), Why: handOnAway})
	})})
	registerDeadline(dueSilent, deadlineKind{ofAgents: true, run: thenCleared(dueSilent, func(u *unit, id string) error {
		return u.agentSilent(routing.AgentID(id))
	})})
}

// SaveAgent creates an agent (Version 0; the host chooses the id) or replaces
// its settings. Agent.State is ignored. A disabled agent has no right any more.
// An agent who is disabled, loses the permission for chats or has chats
// switched off loses its offers at once, and a job hands its conversations on.
type SaveAgent struct {
	Key   Key           `json:"-"`
	Agent routing.Agent `json:"agent"`
}

// SaveAgent carries the command out; ErrStale when the settings are not of the
// version given.
func (e *Engine) SaveAgent(ctx context.Context, p Principal, c SaveAgent) (Saved, error) {
	return command(ctx, e, call{opSaveAgent, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: "agent", ID: string(c.Agent.ID)}); err != nil {
			return Saved{}, err
		}
		return u.replaceAgent(c.Agent)
	})
}

// replaceAgent checks an agent's settings against the stored ones and writes
// them.
func (u *unit) replaceAgent(a routing.Agent) (Saved, error) {
	if err := validate.Agent(a); err != nil {
		return Saved{}, err
	}
	old, err := u.tx.Agents().Agent(u.ctx, a.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Saved{}, err
	}
	if _, err := replaces("agent", string(a.ID), err == nil, old.Version, a.Version); err != nil {
		return Saved{}, err
	}
	if err := u.fromToday("agent "+string(a.ID), a.Hours, old.Hours); err != nil {
		return Saved{}, err
	}
	version, err := u.saveAgent(old, a)
	return Saved{ID: string(a.ID), Version: version, Warnings: agentWarnings(a)}, err
}

// saveAgent writes an agent's settings and returns their version; old is the
// stored agent, zero for none.
func (u *unit) saveAgent(old, a routing.Agent) (int64, error) {
	stopped := old.Version > 0 && (!a.Works(routing.PermitChat) || !keepsTickets(a) && keepsTickets(old))
	if stopped {
		if err := u.withdraw("agent_unable", nil, a.ID); err != nil {
			return 0, err
		}
	}
	version, err := u.tx.Agents().SaveAgent(u.ctx, a)
	if err != nil {
		return 0, err
	}
	if stopped {
		if err := u.noneOffered(a.ID); err != nil {
			return 0, err
		}
		if err := u.handOn(handOn{Agent: a.ID, Why: handOnUnable}); err != nil {
			return 0, err
		}
	}
	if a.Disabled && old.State.Presence != "" && old.State.Presence != routing.Offline {
		return version, u.setPresence(a.ID, routing.Offline, "disabled") // which tells of the change too
	}
	return version, u.changedAgent(a.ID)
}

var qAgents = asks("agent.list", "Agents", "agents", ActList).wide(wideAgents)

// Agents lists the agents that the principal may see, by id, with settings and
// state.
func (e *Engine) Agents(ctx context.Context, p Principal) (out []routing.Agent, err error) {
	err = e.query(ctx, p, qAgents, "", func(ctx context.Context, tx store.Tx, s *settings) (err error) {
		out, err = e.agentsSeen(ctx, tx, s, p)
		return err
	})
	return out, err
}

// agentsSeen are the agents that somebody may know of.
func (e *Engine) agentsSeen(ctx context.Context, tx store.Tx, s *settings, p Principal) ([]routing.Agent, error) {
	w, err := e.who(ctx, tx, s, p)
	if err != nil {
		return nil, err
	}
	all, err := tx.Agents().Agents(ctx)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, a := range all {
		ok, err := e.sees(ctx, w, Resource{Kind: kindAgent, ID: string(a.ID), Owner: a.ID})
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// Held is what an agent has in hand.
type Held struct {
	Offers      []routing.Offer      `json:"offers"`
	Assignments []routing.Assignment `json:"assignments"`
	// Consultations are the questions of colleagues who ask the agent to take a
	// conversation over.
	Consultations []conversation.Consultation `json:"consultations"`
}

var qHeld = asks("agent.held", "Held", kindAgent, ActPresence)

// Held lists the open offers and assignments of an agent and the open questions
// that colleagues ask it with Consult, each oldest first. An agent may ask for
// itself and gets all of them; supervisors may ask for anybody and get those
// about records that they may see.
func (e *Engine) Held(ctx context.Context, p Principal, agent routing.AgentID) (out Held, err error) {
	err = e.query(ctx, p, qHeld, string(agent), func(ctx context.Context, tx store.Tx,
		s *settings) (err error) {
		if out.Offers, out.Assignments, err = tx.Work().HeldBy(ctx, agent); err != nil {
			return err
		}
		out.Offers, out.Assignments = listed(out.Offers), listed(out.Assignments)
		if out.Consultations, err = askedOf(ctx, tx, agent); err != nil || p.agent() == agent {
			return err
		}
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		out, err = e.shownHeld(ctx, tx, w, out)
		return err
	})
	return out, err
}

// shownHeld is what somebody else gets to see of what an agent holds.
func (e *Engine) shownHeld(ctx context.Context, tx store.Tx, w Who, all Held) (Held, error) {
	out := Held{Offers: []routing.Offer{}, Assignments: []routing.Assignment{}, Consultations: []conversation.Consultation{}}
	for _, o := range all.Offers {
		if ok, err := e.seesItem(ctx, tx, w, o.Item); err != nil {
			return out, err
		} else if ok {
			out.Offers = append(out.Offers, o)
		}
	}
	for _, a := range all.Assignments {
		if ok, err := e.seesItem(ctx, tx, w, a.Item); err != nil {
			return out, err
		} else if ok {
			out.Assignments = append(out.Assignments, a)
		}
	}
	for _, c := range all.Consultations {
		if ok, err := e.seesItem(ctx, tx, w, routing.ItemID(c.Conversation)); err != nil {
			return out, err
		} else if ok {
			out.Consultations = append(out.Consultations, c)
		}
	}
	return out, nil
}

// SetPresence changes an agent's presence. A new agent is Offline, and an agent
// receives work only while Online or in another presence that the work stream
// allows. Going Offline withdraws the agent's open offers. Its conversations
// stay with it for five minutes; then the live and the unanswered ones go to
// other agents, and the others wait for the customer. When a customer writes
// during these five minutes, the conversation goes to another agent at once.
type SetPresence struct {
	Key      Key              `json:"-"`
	Agent    routing.AgentID  `json:"agent"`
	Presence routing.Presence `json:"presence"`
	Reason   string           `json:"reason,omitempty"` // custom, a short code
}

// SetPresence carries the command out. Agents set their own presence,
// supervisors everybody's. It counts as the first heart-beat: unless Heartbeat
// is called from then on, the agent is Offline a minute later. ErrInvalid for a
// presence that does not exist, ErrNotFound when there is no such agent.
func (e *Engine) SetPresence(ctx context.Context, p Principal, c SetPresence) error {
	_, err := command(ctx, e, call{opSetPresence, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActPresence, Resource{Kind: "agent", ID: string(c.Agent), Owner: c.Agent}); err != nil {
			return struct{}{}, err
		}
		if err := validate.Presences([]routing.Presence{c.Presence}, "agent %q", c.Agent); err != nil {
			return struct{}{}, err
		}
		u.detail("presence", string(c.Presence))
		return struct{}{}, u.setPresence(c.Agent, c.Presence, c.Reason)
	})
	if err == nil && c.Presence != routing.Offline {
		_, err = e.db.System().BeatAgents(ctx, p.Workspace, []routing.AgentID{c.Agent})
	}
	return err
}

func (u *unit) setPresence(agent routing.AgentID, to routing.Presence, reason string) error {
	was, err := u.tx.Agents().Agent(u.ctx, agent)
	if err != nil {
		return err
	}
	if to == routing.Offline {
		// Offers before the agent's row: the order in which accepting takes them.
		if err := u.withdraw("agent_offline", nil, agent); err != nil {
			return err
		}
	}
	a, err := u.tx.Agents().SetPresence(u.ctx, agent, to, reason, u.tx.Now())
	if err != nil {
		return err
	}
	if err := u.presenceDue(a, was.State.Presence, to); err != nil {
		return err
	}
	if to == routing.Offline {
		if err := u.noneOffered(agent); err != nil {
			return err
		}
	}
	return u.changedAgent(agent)
}

// presenceDue sets and clears what is due by an agent's presence: that it was
// never heard, and that it stays away.
func (u *unit) presenceDue(a routing.Agent, was, to routing.Presence) error {
	id, now := string(a.ID), u.tx.Now()
	if to != routing.Offline && a.State.BeatAt.IsZero() {
		if err := u.tx.Deadlines().Set(u.ctx, dueSilent, id, now.Add(lostGrace)); err != nil {
			return err
		}
	}
	switch {
	case to != routing.Offline:
		return u.tx.Deadlines().Clear(u.ctx, dueLost, id)
	case was != routing.Offline:
		return u.tx.Deadlines().Set(u.ctx, dueLost, id, now.Add(requeueAfter))
	}
	return nil
}

// Heartbeat says that the consoles of these agents are connected. A host calls
// it for all connected agents at least every 20 seconds, in one call, which is
// one write; an agent without a heart-beat for 60 seconds becomes Offline.
// Agents who are Offline already, or unknown, are named in an *OfflineAgents
// error; the heart-beats of the others count all the same. It takes no
// Principal, because it reports for many agents at once: the host calls it for
// those whose connections it holds.
func (e *Engine) Heartbeat(ctx context.Context, ws WorkspaceID, agents ...routing.AgentID) error {
	offline, err := e.db.System().BeatAgents(ctx, ws, agents)
	if err == nil && len(offline) > 0 {
		err = &OfflineAgents{Agents: offline}
	}
	return err
}

// OfflineAgents is the error of Heartbeat for agents who are Offline, for
// instance because the database could not be reached for a while: they get no
// work until they set their presence again (SetPresence). It is an ErrStale.
type OfflineAgents struct{ Agents []routing.AgentID }

func (o *OfflineAgents) Error() string {
	return fmt.Sprintf("sangdam: agents %v are offline; call SetPresence to bring them back", o.Agents)
}

// Is makes it an ErrStale.
func (o *OfflineAgents) Is(target error) bool { return target == ErrStale }

// loseAgents makes agents Offline whose heart-beat stopped, withdraws their
// offers, and sets the time at which their conversations go to others.
func (e *Engine) loseAgents(ctx context.Context) {
	now, err := e.db.System().Now(ctx)
	if err != nil {
		return
	}
	lost, err := e.db.System().LostAgents(ctx, now.Add(-lostGrace), 100)
	if err != nil {
		e.trouble("lost agents could not be listed", err)
		return
	}
	if down, _ := e.outage.state(); down { // heart-beats do not arrive either
		return
	}
	e.hearing.heard(now)
	if e.hearing.deaf(now) > 0 {
		return
	}
	for _, ref := range lost {
		err := e.safeUnit(ctx, system(ref.Workspace), func(u *unit) error {
			a, err := u.tx.Agents().Agent(u.ctx, ref.Agent)
			if err != nil || a.State.BeatAt.After(u.tx.Now().Add(-lostGrace)) {
				return err
			}
			return u.lose(a)
		})
		if err != nil {
			e.trouble("a lost agent could not be set offline", err, "agent", string(ref.Agent))
		}
	}
}

// lose makes an agent Offline whom nobody hears any more.
func (u *unit) lose(a routing.Agent) error {
	if a.State.Presence == routing.Offline {
		return nil
	}
	if err := u.setPresence(a.ID, routing.Offline, "heartbeat_lost"); err != nil {
		return err
	}
	u.resource = Resource{Kind: "agent", ID: string(a.ID)}
	return u.audit(ActPresence, "lost")
}

// agentSilent loses an agent who came online and was never heard: the process
// that should have recorded the first heart-beat died.
func (u *unit) agentSilent(agent routing.AgentID) error {
	a, err := u.tx.Agents().Agent(u.ctx, agent)
	if err != nil || !a.State.BeatAt.IsZero() {
		return err
	}
	return u.lose(a)
}

// workDesk is a desk of a workspace.
type workDesk struct {
	ws   WorkspaceID
	desk routing.DeskID
}

// askedTogether is how many agents anybodyOnline reads at once.
const askedTogether = 50

// anybodyOnline tells a channel whether an agent of the account's desk is there. Every
// page that a visitor opens asks this, so it reads as little as it can: first whom it
// found last time, who is mostly there still, and then the desk's members, some at a
// time, until one is. No store lists who is online, so that all members of a desk are
// read while nobody is; agents of other desks never are.
func (u *unit) anybodyOnline(acct channel.Account) (bool, error) {
	at := workDesk{u.s.ws, acct.Desk}
	var first []routing.AgentID
	if last, known := u.e.present.Load(at); known && u.s.member(acct.Desk, last.(routing.AgentID)) {
		first = []routing.AgentID{last.(routing.AgentID)}
	}
	groups := slices.Collect(slices.Chunk(u.s.routing.Members[acct.Desk], askedTogether))
	for _, some := range slices.Insert(groups, 0, first) {
		agents, err := u.tx.Agents().Named(u.ctx, some)
		if err != nil {
			return false, err
		}
		for _, a := range agents {
			if a.State.Presence == routing.Online && !a.Disabled {
				u.e.present.Store(at, a.ID)
				return true, nil
			}
		}
	}
	return false, nil
}
