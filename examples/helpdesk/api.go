package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// api is the JSON interface by which a person or a test is the agent. Bodies
// name the agent who acts; an Idempotency-Key header makes a command
// repeatable.
func (h *helpdesk) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /agents", query(func(r *http.Request) (any, error) { return h.eng.Agents(r.Context(), host()) }))
	mux.HandleFunc("POST /agent/{id}/presence", command(h.presence))
	mux.HandleFunc("GET /agent/{id}/offers", query(h.offers))
	mux.HandleFunc("POST /offers/{id}/accept", command(h.accept))
	mux.HandleFunc("POST /offers/{id}/decline", command(h.decline))
	mux.HandleFunc("GET /conversations", query(h.conversations))
	mux.HandleFunc("GET /conversations/{id}", query(h.conversation))
	mux.HandleFunc("POST /conversations/{id}/answer", command(h.answer))
	mux.HandleFunc("POST /conversations/{id}/end", command(h.end))
	mux.HandleFunc("GET /accounts/{id}/invitation", query(h.invitation))
	h.ticketAPI(mux)
	mux.HandleFunc("GET /status", query(h.status))
	return h.guard(mux)
}

// key is the caller's name for the command.
func key(r *http.Request) sangdam.Key { return sangdam.Key(r.Header.Get("Idempotency-Key")) }

// as is the principal of the agent who acts.
func as(agent routing.AgentID) sangdam.Principal { return sangdam.AgentPrincipal(workspace, agent) }

type presenceBody struct {
	Presence routing.Presence `json:"presence"`
	Reason   string           `json:"reason"`
}

func (h *helpdesk) presence(r *http.Request, b presenceBody) (any, error) {
	agent := routing.AgentID(r.PathValue("id"))
	err := h.eng.SetPresence(r.Context(), as(agent), sangdam.SetPresence{Key: key(r), Agent: agent, Presence: b.Presence, Reason: b.Reason})
	if err == nil {
		h.present.set(agent, b.Presence != routing.Offline)
	}
	return presenceBody{Presence: b.Presence, Reason: b.Reason}, err
}

func (h *helpdesk) offers(r *http.Request) (any, error) {
	agent := routing.AgentID(r.PathValue("id"))
	agents, err := h.eng.Agents(r.Context(), host())
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(agents, func(a routing.Agent) bool { return a.ID == agent }) {
		return nil, fmt.Errorf("there is no agent %q: %w", agent, sangdam.ErrNotFound)
	}
	offers, _, err := h.held(r.Context(), agent)
	return offers, err
}

// held lists what an agent has: open offers and conversations.
func (h *helpdesk) held(ctx context.Context, agent routing.AgentID) (offers []routing.Offer, owned []routing.Assignment, err error) {
	held, err := h.eng.Held(ctx, as(agent), agent)
	return held.Offers, held.Assignments, err
}

type agentBody struct {
	Agent routing.AgentID `json:"agent"`
}

func (h *helpdesk) accept(r *http.Request, b agentBody) (any, error) {
	return h.eng.Accept(r.Context(), as(b.Agent), sangdam.Accept{Key: key(r), Offer: routing.OfferID(r.PathValue("id"))})
}

func (h *helpdesk) decline(r *http.Request, b agentBody) (any, error) {
	id := routing.OfferID(r.PathValue("id"))
	err := h.eng.Decline(r.Context(), as(b.Agent), sangdam.Decline{Key: key(r), Offer: id})
	return map[string]routing.OfferID{"offer": id}, err
}

func (h *helpdesk) conversations(r *http.Request) (any, error) {
	q := r.URL.Query()
	f := conversation.Filter{Agent: routing.AgentID(q.Get("agent"))}
	if s := q.Get("state"); s != "" {
		f.States = []conversation.State{conversation.State(s)}
	}
	return h.eng.Conversations(r.Context(), host(), f, q.Get("page"), 0)
}

func (h *helpdesk) conversation(r *http.Request) (any, error) {
	return h.eng.Conversation(r.Context(), host(), conversation.ID(r.PathValue("id")))
}

// invitation is the address that adds the account as a friend; ?size=256 adds its
// QR picture, in base64.
func (h *helpdesk) invitation(r *http.Request) (any, error) {
	size := 0
	if s := r.URL.Query().Get("size"); s != "" {
		var err error
		if size, err = strconv.Atoi(s); err != nil || size == 0 {
			size = -1 // which the adapter refuses in words
		}
	}
	return h.eng.Invite(r.Context(), host(), channel.AccountID(r.PathValue("id")), size)
}

type answerBody struct {
	Agent routing.AgentID `json:"agent"`
	Text  string          `json:"text"`
}

func (h *helpdesk) answer(r *http.Request, b answerBody) (any, error) {
	return h.eng.Answer(r.Context(), as(b.Agent), sangdam.Answer{Key: key(r), Conversation: conversation.ID(r.PathValue("id")),
		Content: channel.Text(b.Text)})
}

type endBody struct {
	Agent  routing.AgentID `json:"agent"`
	Reason string          `json:"reason"`
}

func (h *helpdesk) end(r *http.Request, b endBody) (any, error) {
	return h.eng.End(r.Context(), as(b.Agent), sangdam.End{Key: key(r), Conversation: conversation.ID(r.PathValue("id")), Reason: b.Reason})
}

// status is what waits: an idle desk has zeros everywhere but in Quarantined.
type status struct {
	Outgoing    int `json:"outgoing"`    // messages that have not left
	Waiting     int `json:"waiting"`     // conversations that wait for an agent, offered ones included
	Unread      int `json:"unread"`      // customers' messages without an answer, in conversations that go on
	Quarantined int `json:"quarantined"` // events that could not be understood, at most 1000
}

func (h *helpdesk) status(r *http.Request) (any, error) {
	load, err := h.eng.Load(r.Context(), host())
	if err != nil {
		return nil, err
	}
	s := status{Outgoing: load.Sending}
	for _, q := range load.Queues {
		s.Waiting += q.Waiting + q.Offered
	}
	f := conversation.Filter{States: []conversation.State{conversation.StateOpen, conversation.StateActive}}
	for page, more := "", true; more; more = page != "" {
		list, err := h.eng.Conversations(r.Context(), host(), f, page, 200)
		if err != nil {
			return nil, err
		}
		for _, c := range list.Conversations {
			s.Unread += c.Unread
		}
		page = list.Next
	}
	bad, err := h.eng.Quarantined(r.Context(), host(), 1000)
	s.Quarantined = len(bad)
	return s, err
}
