package sangdamtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// Customer is somebody outside who writes to the desk.
type Customer struct {
	desk *Desk
	id   string
}

// Customer returns the customer of that name. The same name is the same person, and
// another name, in whatever script, is another person.
func (d *Desk) Customer(name string) *Customer {
	var id strings.Builder
	for _, r := range name {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			id.WriteRune(r)
		} else { // what the office takes no id with is written by its number
			fmt.Fprintf(&id, "-%x_", r)
		}
	}
	return &Customer{desk: d, id: id.String()}
}

// Says writes, and returns when the desk has done all that follows.
func (c *Customer) Says(text string) *Customer {
	c.desk.t.Helper()
	if status := c.desk.office.Write("/webhooks/"+c.desk.token, c.id, text); status != http.StatusOK {
		c.desk.t.Fatalf("the webhook of the customer's message was answered %d", status)
	}
	c.desk.Quiet()
	return c
}

// Heard returns everything that reached the customer, oldest first.
func (c *Customer) Heard() []string { return c.desk.office.Delivered(c.id) }

// Conversation is the one of the customer's conversations with the newest activity.
// It fails the test when the customer never wrote, and where 200 others are newer.
func (c *Customer) Conversation() sangdam.Detail {
	c.desk.t.Helper()
	all := c.desk.Conversations()
	i := slices.IndexFunc(all, func(cv conversation.Conversation) bool { return cv.Chat.ID == c.id })
	if i < 0 {
		c.desk.t.Fatalf("customer %s has no conversation", c.id)
	}
	d, err := c.desk.Engine.Conversation(c.desk.ctx, c.desk.Host, all[i].ID)
	c.desk.must(err)
	return d
}

// Agent is somebody at the desk.
type Agent struct {
	desk *Desk
	id   routing.AgentID
	// Principal is who the agent is to the engine.
	Principal sangdam.Principal
	// Conversation is the one that the agent accepted last.
	Conversation conversation.ID

	online bool
}

// Agent returns the agent of that id, who is made, put on the desk and into the
// queue when there is none yet. It has the permission for chat alone: work of a
// kind of the host's own names routing.PermitChat, or the agent is saved again with
// others by Desk.Engine.SaveAgent.
func (d *Desk) Agent(id routing.AgentID) *Agent {
	d.t.Helper()
	if a := d.agents[id]; a != nil {
		return a
	}
	cfg, err := d.Engine.Configuration(d.ctx, d.Host)
	d.must(err)
	if !slices.Contains(cfg.Members[DeskID], id) {
		q := cfg.Queues[QueueID]
		q.Members = append(q.Members, id)
		_, err := d.Engine.Apply(d.ctx, d.Host, sangdam.Apply{Setup: sangdam.Setup{Agents: []routing.Agent{agentOf(id)},
			Desks: []sangdam.SetupDesk{{Desk: cfg.Desks[DeskID], Members: []routing.AgentID{id}}}, Queues: []routing.Queue{q}}})
		d.must(err)
	}
	a := &Agent{desk: d, id: id, Principal: sangdam.AgentPrincipal(Workspace, id)}
	d.agents[id] = a
	return a
}

// Online lets the agent be offered work. Heart-beats are given as long as the
// test runs.
func (a *Agent) Online() *Agent { return a.present(routing.Online) }

// Offline has the agent offered nothing any more, and ends the heart-beats.
func (a *Agent) Offline() *Agent { return a.present(routing.Offline) }

func (a *Agent) present(p routing.Presence) *Agent {
	a.desk.t.Helper()
	a.desk.must(a.desk.Engine.SetPresence(a.desk.ctx, a.Principal, sangdam.SetPresence{Agent: a.id, Presence: p}))
	a.online = p == routing.Online
	a.desk.Quiet()
	return a
}

// Offers lists what the agent is offered and has not answered.
func (a *Agent) Offers() []routing.Offer {
	a.desk.t.Helper()
	held, err := a.desk.Engine.Held(a.desk.ctx, a.Principal, a.id)
	a.desk.must(err)
	return held.Offers
}

// Accepts takes the oldest offer; it fails the test when there is none.
func (a *Agent) Accepts() *Agent {
	a.desk.t.Helper()
	offers := a.Offers()
	if len(offers) == 0 {
		a.desk.t.Fatalf("agent %s is offered nothing", a.id)
	}
	owned, err := a.desk.Engine.Accept(a.desk.ctx, a.Principal, sangdam.Accept{Offer: offers[0].ID})
	a.desk.must(err)
	a.Conversation = owned.Conversation
	a.desk.Quiet()
	return a
}

// Answers writes to the customer of the conversation that the agent accepted last; it
// fails the test when the engine refuses that.
func (a *Agent) Answers(text string) *Agent {
	a.desk.t.Helper()
	_, err := a.desk.Engine.Answer(a.desk.ctx, a.Principal, sangdam.Answer{Conversation: a.Conversation, Content: channel.Text(text)})
	a.desk.must(err)
	a.desk.Quiet()
	return a
}

// Ends closes the conversation that the agent accepted last, without wrap-up.
func (a *Agent) Ends() *Agent {
	a.desk.t.Helper()
	_, err := a.desk.Engine.End(a.desk.ctx, a.Principal, sangdam.End{Conversation: a.Conversation, Final: true})
	a.desk.must(err)
	a.desk.Quiet()
	return a
}
