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
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
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

func host() sangdam.Principal { return sangdam.Host(workspace) }

// seed makes what is missing and changes nothing that is there, so that a start
// that was interrupted is completed by the next one.
func (h *helpdesk) seed(ctx context.Context) error {
	if err := h.eng.CreateWorkspace(ctx, workspace, "Default"); err != nil && !errors.Is(err, sangdam.ErrAlreadyExists) {
		return err
	}
	if err := h.seedAgents(ctx); err != nil {
		return err
	}
	have, err := h.eng.Configuration(ctx, host())
	if err != nil {
		return err
	}
	if _, ok := have.Desks[deskID]; !ok {
		desk := sangdam.SaveDesk{Desk: routing.Desk{ID: deskID, Name: "Support"}, Agent: agents[0]}
		if _, err := h.eng.SaveDesk(ctx, host(), desk); err != nil {
			return err
		}
	}
	if _, ok := have.Queues[queueID]; !ok {
		q := routing.Queue{ID: queueID, Name: "Everyone", Members: agents}
		if _, err := h.eng.SaveQueue(ctx, host(), sangdam.SaveQueue{Queue: q}); err != nil {
			return err
		}
	}
	if _, ok := have.WorkStreams[streamID]; !ok {
		if _, err := h.eng.SaveWorkStream(ctx, host(), sangdam.SaveWorkStream{WorkStream: defaultStream()}); err != nil {
			return err
		}
	}
	if len(have.Members[deskID]) < 2 {
		for _, a := range agents {
			if err := h.eng.AddToDesk(ctx, host(), sangdam.AddToDesk{Desk: deskID, Agent: a}); err != nil {
				return err
			}
		}
	}
	return h.seedAccount(ctx)
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
	for i, id := range agents {
		if known[id] {
			continue
		}
		a := routing.Agent{ID: id, Name: fmt.Sprintf("Agent %d", i+1), Role: string(sangdam.RoleAgent),
			Permissions: []routing.Permission{routing.PermitChat}, Assign: routing.AssignmentSwitches{Chat: true},
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 100}}
		if _, err := h.eng.SaveAgent(ctx, host(), sangdam.SaveAgent{Agent: a}); err != nil {
			return err
		}
	}
	return nil
}

// defaultStream offers each conversation to the agents in turn. Two minutes are
// enough to accept an offer by hand.
func defaultStream() routing.WorkStream {
	return routing.WorkStream{ID: streamID, Name: "LINE", ChannelKind: string(line.Kind), Mode: routing.Push, Cost: 1, Queue: queueID,
		OfferFor: 2 * time.Minute, ReopenFor: 24 * time.Hour, KeepAgentFor: 10 * time.Minute,
		Messages: conversation.Texts{
			conversation.AutoGreeting: {"ko": "안녕하세요! 곧 상담원이 답변해 드릴게요.", "": "Hello! An agent will answer you soon."},
			conversation.AutoWelcome:  {"ko": "친구로 추가해 주셔서 감사합니다. 궁금한 점을 남겨 주세요.", "": "Thank you for adding us. Ask us anything."},
			conversation.AutoAway:     {"ko": "지금은 상담 시간이 아닙니다. 메시지를 남겨 주시면 답변드릴게요.", "": "We are away now. Leave a message and we will answer."},
			conversation.AutoEnded:    {"ko": "상담이 종료되었습니다. 이용해 주셔서 감사합니다.", "": "The conversation has ended. Thank you."},
		}}
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
	h.account = &saved
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
