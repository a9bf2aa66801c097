package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// What the first start makes.
const (
	workspace = "default"
	deskID    = "support"
	queueID   = "everyone"
	streamID  = "line"
	accountID = "line"
)

// agents of the desk.
var agents = []routing.AgentID{"agent-1", "agent-2"}

const (
	// administrator is who signs in first.
	administrator = "admin"
	// visitor is who tries the demonstration.
	visitor = "you"
)

// people are all agents of the first start.
func (h *helpdesk) people() []routing.Agent {
	agent := func(id routing.AgentID, name string, role sangdam.Role) routing.Agent {
		a := routing.Agent{ID: id, Name: name, Role: string(role), Permissions: []routing.Permission{routing.PermitChat},
			Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 100}}
		if h.o.mail.given() {
			a.Permissions, a.Assign.Ticket = append(a.Permissions, routing.PermitTicket), true
		}
		return a
	}
	if h.o.demo {
		return []routing.Agent{agent(visitor, "You · 나", sangdam.RoleAdministrator),
			agent(agents[0], "Jimin · 지민 (program)", sangdam.RoleAgent), agent(agents[1], "Haru · 하루 (program)", sangdam.RoleAgent)}
	}
	return []routing.Agent{agent(agents[0], "Agent 1", sangdam.RoleAgent), agent(agents[1], "Agent 2", sangdam.RoleAgent),
		agent(administrator, "Administrator", sangdam.RoleAdministrator)}
}

// members are the agents of the first queue, in the order in which a
// demonstration asks them: whoever tries it first.
func (h *helpdesk) members() []routing.AgentID {
	var out []routing.AgentID
	for _, a := range h.people() {
		out = append(out, a.ID)
	}
	return out
}

func host() sangdam.Principal { return sangdam.Host(workspace) }

// seededMark says that the first start's set-up is whole: from then on it is the
// administrator's, and nothing that was taken away comes back.
const seededMark = "helpdesk/seeded"

// seed makes what a start needs. Where another process starts at the same moment
// and was first with a part, what is there by now is looked at again.
func (h *helpdesk) seed(ctx context.Context) (err error) {
	for range 10 {
		err = h.seedOnce(ctx)
		if !errors.Is(err, sangdam.ErrStale) && !errors.Is(err, sangdam.ErrAlreadyExists) && !errors.Is(err, sangdam.ErrConflict) {
			return err
		}
	}
	return err
}

// seedOnce makes the first set-up, so that a start that was interrupted is
// completed by the next one, and brings the LINE account up to date.
func (h *helpdesk) seedOnce(ctx context.Context) error {
	if err := h.eng.CreateWorkspace(ctx, workspace, "Default"); err != nil && !errors.Is(err, sangdam.ErrAlreadyExists) {
		return err
	}
	_, err := h.db.System().Meta(ctx, seededMark)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil {
		if err := h.seedDesk(ctx); err != nil {
			return err
		}
		if err := h.db.System().PutMeta(ctx, seededMark, nil, []byte("1")); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	if err := h.seedTickets(ctx); err != nil {
		return err
	}
	if err := h.seedMailbox(ctx); err != nil {
		return err
	}
	return h.seedAccount(ctx)
}

// seedDesk makes what is missing of agents, desk, queue and work stream.
func (h *helpdesk) seedDesk(ctx context.Context) error {
	if err := h.seedAgents(ctx); err != nil {
		return err
	}
	have, err := h.eng.Configuration(ctx, host())
	if err != nil {
		return err
	}
	if _, ok := have.Desks[deskID]; !ok {
		desk := sangdam.SaveDesk{Desk: routing.Desk{ID: deskID, Name: "Support"}, Agent: h.members()[0]}
		if _, err := h.eng.SaveDesk(ctx, host(), desk); err != nil {
			return err
		}
	}
	if _, ok := have.Queues[queueID]; !ok {
		if err := h.seedQueue(ctx); err != nil {
			return err
		}
	}
	if _, ok := have.WorkStreams[streamID]; !ok {
		if _, err := h.eng.SaveWorkStream(ctx, host(), sangdam.SaveWorkStream{WorkStream: h.defaultStream()}); err != nil {
			return err
		}
	}
	for _, a := range h.members() {
		if err := h.eng.AddToDesk(ctx, host(), sangdam.AddToDesk{Desk: deskID, Agent: a}); err != nil {
			return err
		}
	}
	return nil
}

// seedQueue makes the queue that everybody works for.
func (h *helpdesk) seedQueue(ctx context.Context) error {
	q := routing.Queue{ID: queueID, Name: "Everyone", Members: h.members()}
	if h.o.demo {
		q.Strategy, q.Rank = routing.FixedOrder, map[routing.AgentID]int{visitor: 1, agents[0]: 2, agents[1]: 3}
	}
	_, err := h.eng.SaveQueue(ctx, host(), sangdam.SaveQueue{Queue: q})
	return err
}

func (h *helpdesk) seedAgents(ctx context.Context) error {
	have, err := h.eng.Agents(ctx, host())
	if err != nil {
		return err
	}
	known := map[routing.AgentID]bool{}
	for _, a := range have {
		known[a.ID] = true
	}
	for _, a := range h.people() {
		if known[a.ID] {
			continue
		}
		if _, err := h.eng.SaveAgent(ctx, host(), sangdam.SaveAgent{Agent: a}); err != nil {
			return err
		}
	}
	return nil
}

// defaultStream offers each conversation to the agents in turn. Two minutes are
// enough to accept an offer by hand; in a demonstration a program takes over
// after half a minute.
func (h *helpdesk) defaultStream() routing.WorkStream {
	offerFor := 2 * time.Minute
	if h.o.demo {
		offerFor = 30 * time.Second
	}
	w := routing.WorkStream{ID: streamID, Name: "LINE", ChannelKind: string(line.Kind), Mode: routing.Push, Cost: 1, Queue: queueID,
		OfferFor: offerFor, ReopenFor: 24 * time.Hour, KeepAgentFor: 10 * time.Minute,
		Messages: automated.Texts{
			automated.Greeting: {"ko": "안녕하세요! 곧 상담원이 답변해 드릴게요.", "": "Hello! An agent will answer you soon."},
			automated.Welcome:  {"ko": "친구로 추가해 주셔서 감사합니다. 궁금한 점을 남겨 주세요.", "": "Thank you for adding us. Ask us anything."},
			automated.Away: {"ko": "지금은 상담 시간이 아닙니다. 메시지를 남겨 주시면 답변드릴게요.",
				"": "We are away now. Leave a message and we will answer."},
			automated.Ended: {"ko": "상담이 종료되었습니다. 이용해 주셔서 감사합니다.", "": "The conversation has ended. Thank you."},
		}}
	if h.o.demo {
		w.Messages[automated.Rating] = map[string]string{"ko": "상담은 어떠셨나요? 별점을 선택해 주세요.",
			"": "How was it? Choose from one to five stars."}
		w.Messages[automated.Rated] = map[string]string{"ko": "평가해 주셔서 감사합니다.", "": "Thank you for your rating."}
		w.Messages[automated.RatingComment] = map[string]string{"ko": "의견 남기기", "": "Add a comment"}
	}
	return w
}

// seedAccount makes the LINE account of the environment or brings its
// credentials up to date. Without an environment the account of an earlier
// start, whose credentials are stored sealed, goes on.
func (h *helpdesk) seedAccount(ctx context.Context) error {
	stored, err := h.storedAccount(ctx)
	if err != nil {
		return err
	}
	l := h.o.line
	if !l.given() {
		h.account = stored
		return nil
	}
	acct := channel.Account{ID: accountID, Kind: line.Kind, Name: "LINE", Desk: deskID, WorkStream: streamID,
		Attachments: true, CustomerAttachments: true, AgentAttachments: true}
	if stored != nil {
		acct = *stored
	}
	if acct.Settings, err = json.Marshal(line.Settings{ChannelID: l.channelID}); err != nil {
		return err
	}
	acct.Secrets = map[string]channel.Secret{
		line.SecretChannel: channel.NewSecret(l.channelSecret), line.SecretToken: channel.NewSecret(l.channelToken)}
	saved, err := h.eng.SaveAccount(ctx, host(), sangdam.SaveAccount{Account: acct})
	if err != nil {
		return fmt.Errorf("the LINE account (LINE_CHANNEL_ID, LINE_CHANNEL_SECRET, LINE_CHANNEL_TOKEN): %w", err)
	}
	h.account = &saved.Account
	return nil
}

func (h *helpdesk) storedAccount(ctx context.Context) (*channel.Account, error) {
	all, err := h.eng.Accounts(ctx, host())
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.ID == accountID && !a.Deleted {
			return &a, nil
		}
	}
	return nil, nil
}
