package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/notify/mail"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Tickets are set up where there is a mail server: answers to an inquiry form
// leave by mail. New tickets go to the agents in turn, and the team gets a mail.

const (
	mailTarget  = "mail"
	groupID     = "everyone"
	ticketsMark = "helpdesk/tickets"
)

// mailOptions are the mail server of the environment; all empty: none given.
type mailOptions struct{ host, port, from, team, user, password string }

func (m mailOptions) given() bool { return m.host != "" }

// parseMail reads SMTP_* and TEAM_MAIL and names those that are missing.
func parseMail(env func(string) string) (m mailOptions, err error) {
	server := env("SMTP_SERVER")
	m.from, m.team, m.user, m.password = env("SMTP_FROM"), env("TEAM_MAIL"), env("SMTP_USER"), env("SMTP_PASSWORD")
	if (server != "") != (m.from != "") || (server != "") != (m.team != "") {
		return m, errors.New("mail needs SMTP_SERVER, SMTP_FROM and TEAM_MAIL, all three")
	}
	if server == "" {
		return m, nil
	}
	if m.host, m.port, err = net.SplitHostPort(server); err != nil {
		return m, fmt.Errorf("SMTP_SERVER is not a host and a port such as smtp.example.com:587")
	}
	return m, nil
}

// local says whether the mail server is this machine's own.
func (m mailOptions) local() bool { return loopback(net.JoinHostPort(m.host, m.port)) }

// carriers are the ways out of what is no message to a customer's chat. Where it goes,
// administrators set up in the console, besides the mail server of the environment.
// A lease must be longer than a carrier may take: with a short one there are none,
// unless mail is asked for.
func (o options) carriers() []notify.Carrier {
	if !o.mail.given() && o.lease < usualLease {
		return nil
	}
	var m mail.Options
	if o.mail.given() && o.mail.local() {
		m.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return []notify.Carrier{mail.New(m), webhook.New(webhook.Options{}), dooray.New(dooray.Options{})}
}

// target is the mail server as a target of notices.
func (m mailOptions) target() (notify.Target, error) {
	port, err := strconv.Atoi(m.port)
	if err != nil {
		return notify.Target{}, fmt.Errorf("SMTP_SERVER: %q is no port", m.port)
	}
	s := mail.Settings{Host: m.host, Port: port, From: m.from, Name: "Support", User: m.user}
	if m.local() {
		s.Encryption = mail.Plain
	}
	t := notify.Target{ID: mailTarget, Kind: mail.Kind, Name: "Mail",
		Secrets: map[string]channel.Secret{mail.SecretPassword: channel.NewSecret(m.password)}}
	t.Settings, err = json.Marshal(s)
	return t, err
}

// seedTickets brings the mail target up to date and makes, once, what tickets
// need: a category of the form, a group, a rule for new tickets.
func (h *helpdesk) seedTickets(ctx context.Context) error {
	if !h.o.mail.given() {
		return nil
	}
	if err := h.seedMail(ctx); err != nil {
		return err
	}
	_, err := h.db.System().Meta(ctx, ticketsMark)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err
	}
	steps := []func(context.Context) error{h.seedTicketSettings, h.seedCategory, h.seedGroup, h.seedRule}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	err = h.db.System().PutMeta(ctx, ticketsMark, nil, []byte("1"))
	if errors.Is(err, store.ErrConflict) {
		return nil // another process on the same database was first
	}
	return err
}

func (h *helpdesk) seedMail(ctx context.Context) error {
	t, err := h.o.mail.target()
	if err != nil {
		return err
	}
	all, err := h.eng.Targets(ctx, host())
	if err != nil {
		return err
	}
	for _, old := range all {
		if old.ID == t.ID {
			t.Version, t.Disabled = old.Version, old.Disabled
		}
	}
	if _, err := h.eng.SaveTarget(ctx, host(), sangdam.SaveTarget{Target: t}); err != nil {
		return fmt.Errorf("the mail server (SMTP_SERVER, SMTP_FROM, SMTP_USER, SMTP_PASSWORD): %w", err)
	}
	return nil
}

func (h *helpdesk) seedTicketSettings(ctx context.Context) error {
	setup, err := h.eng.TicketSetup(ctx, host())
	if err != nil {
		return err
	}
	s := setup.Settings
	s.Tickets.AnswerBy = mailTarget
	_, err = h.eng.SaveWorkspaceSettings(ctx, host(), sangdam.SaveWorkspaceSettings{Settings: s})
	return err
}

func (h *helpdesk) seedCategory(ctx context.Context) error {
	tree, err := h.intake(ctx)
	if err != nil || len(tree.Categories) > 0 {
		return err
	}
	_, err = h.eng.SaveCategory(ctx, host(), sangdam.SaveCategory{Tree: ticket.Intake,
		Category: ticket.Category{Names: map[string]string{"en": "General inquiry", "ko": "일반 문의"}, Offered: true}})
	return err
}

func (h *helpdesk) intake(ctx context.Context) (ticket.Tree, error) {
	setup, err := h.eng.TicketSetup(ctx, host())
	return setup.Trees[ticket.Intake], err
}

func (h *helpdesk) seedGroup(ctx context.Context) error {
	_, err := h.eng.SaveGroup(ctx, host(), sangdam.SaveGroup{Group: ticket.Group{ID: groupID, Name: "Everyone", Agents: agents}})
	if errors.Is(err, sangdam.ErrAlreadyExists) {
		return nil
	}
	return err
}

// seedRule makes the rule that gives new tickets to the agents in turn and tells
// the team.
func (h *helpdesk) seedRule(ctx context.Context) error {
	rule := trigger.Trigger{ID: "new-tickets", Title: "New tickets", Subject: "ticket", Active: true,
		When: condition.Condition{All: []condition.Clause{{Field: trigger.FieldEvent, Op: condition.Is, Value: "created"}}},
		Actions: []trigger.Action{
			trigger.Do(action.Assign, action.AssignParams{Group: groupID, Choice: trigger.ChooseInTurn}),
			trigger.Do(action.Forward, action.ForwardParams{Target: mailTarget, To: h.o.mail.team}),
		}}
	_, err := h.eng.SaveTrigger(ctx, host(), sangdam.SaveTrigger{Trigger: rule})
	if errors.Is(err, sangdam.ErrAlreadyExists) {
		return nil
	}
	return err
}

// ticketAPI is the part of the JSON interface that is about tickets.
func (h *helpdesk) ticketAPI(mux *http.ServeMux) {
	mux.HandleFunc("GET /tickets", query(func(r *http.Request) (any, error) {
		return h.eng.Tickets(r.Context(), host(), sangdam.TicketFilter{Order: ticket.ByNumber}, r.URL.Query().Get("page"), 0)
	}))
	mux.HandleFunc("POST /tickets", command(h.openTicket))
	mux.HandleFunc("POST /inquiries", command(h.inquiry))
	mux.HandleFunc("POST /conversations/{id}/ticket", command(h.ticketOf))
}

type ticketBody struct {
	Title string `json:"title"`
	Text  string `json:"text"`
	Name  string `json:"name"`
	Email string `json:"email"`
	// Consent of an inquiry: the customer agreed to the form's text.
	Consent bool `json:"consent"`
}

func (b ticketBody) requester() ticket.Requester {
	return ticket.Requester{Name: b.Name, Email: b.Email}
}

// openTicket is the host's own Go call.
func (h *helpdesk) openTicket(r *http.Request, b ticketBody) (any, error) {
	return h.eng.OpenTicket(r.Context(), host(), sangdam.OpenTicket{Key: key(r), Title: b.Title, Body: b.Text, Requester: b.requester()})
}

// inquiry is what the page with the inquiry form sends.
func (h *helpdesk) inquiry(r *http.Request, b ticketBody) (any, error) {
	tree, err := h.intake(r.Context())
	if err != nil {
		return nil, err
	}
	var category ticket.CategoryID
	for _, c := range tree.Walk() {
		if tree.OfferedTo(c.ID) {
			category = c.ID
			break
		}
	}
	return h.eng.SubmitTicket(r.Context(), host(), sangdam.SubmitTicket{Key: key(r), Category: category, Title: b.Title, Content: b.Text,
		Requester: b.requester(), Consent: b.Consent})
}

type ticketOfBody struct {
	Agent routing.AgentID `json:"agent"`
	Title string          `json:"title"`
}

// ticketOf makes a ticket of a conversation, in an agent's name.
func (h *helpdesk) ticketOf(r *http.Request, b ticketOfBody) (any, error) {
	return h.eng.OpenTicket(r.Context(), as(b.Agent), sangdam.OpenTicket{Key: key(r), Conversation: conversation.ID(r.PathValue("id")),
		Title: b.Title})
}

// consoleURL is where the console is for the internet; empty: nobody knows, and
// mails carry no link.
func consoleURL(public string) string {
	if public == "" {
		return ""
	}
	return public + "/console"
}
