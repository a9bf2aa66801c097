package sangdam

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
)

// OpenTicket makes a ticket: by hand, by a Go call of the host, or from a
// conversation.
type OpenTicket struct {
	Key Key `json:"-"`
	// Conversation is the one that the ticket is made from, if any. The ticket
	// gets its desk, customer, language and chat log and, where Title is empty,
	// its last message as the title.
	Conversation conversation.ID `json:"conversation,omitempty"`
	// Channel is where the inquiry came from. Empty means ticket.ChannelChat
	// with a Conversation; without one, ticket.ChannelHand for an agent and
	// ticket.ChannelAPI for the host.
	Channel    string                  `json:"channel,omitempty"`
	Desk       routing.DeskID          `json:"desk,omitempty"`
	Title      string                  `json:"title"`
	Body       string                  `json:"body,omitempty"`
	Contact    conversation.ContactID  `json:"contact,omitempty"`
	Requester  ticket.Requester        `json:"requester,omitzero"`
	Language   string                  `json:"language,omitempty"`
	Category   ticket.CategoryID       `json:"category,omitempty"`
	Resolution ticket.CategoryID       `json:"resolution,omitempty"`
	Priority   ticket.Priority         `json:"priority,omitempty"`
	Tags       []string                `json:"tags,omitempty"`
	Group      ticket.GroupID          `json:"group,omitempty"`
	Agent      routing.AgentID         `json:"agent,omitempty"`
	Fields     map[string]ticket.Value `json:"fields,omitempty"`
}

// TicketState is the result of every command that makes or changes a ticket.
type TicketState struct {
	Ticket ticket.ID    `json:"ticket"`
	Number int64        `json:"number"`
	State  ticket.State `json:"state"`
	// Version is the one to give with the next change. It includes what
	// triggers and routing changed in the same transaction; what they change
	// later raises it.
	Version int64 `json:"version"`
	// Warnings say what the command could not do: see MaskTicket, and a public
	// answer that the Engine sends nowhere (UpdateTicket).
	Warnings []Warning `json:"warnings,omitempty"`
}

func ticketState(d *ticket.Draft) TicketState {
	out := TicketState{Ticket: d.T.ID, Number: d.T.Number, State: d.T.State, Version: d.T.Version + 1}
	if d.Unsent() {
		out.Warnings = append(out.Warnings, answerUnsent(d.T.Number))
	}
	return out
}

// answerUnsent tells whoever gave a public answer that nothing carries it.
func answerUnsent(number int64) Warning {
	return warn("answer_unsent", "the answer on ticket %d was kept and not sent: the workspace names no "+
		"mail target by which answers leave (TicketRouting.AnswerBy); name one, unless a trigger or your program sends it", number)
}

// OpenTicket carries the command out. *ticket.MissingFields (ErrInvalid) when
// an agent leaves an agents' field empty that is required; ErrInvalid for a
// category, group or agent that does not exist or cannot be given, and for a desk
// that is out of use; ErrNotFound for a conversation or contact that the principal may not see.
func (e *Engine) OpenTicket(ctx context.Context, p Principal, c OpenTicket) (TicketState, error) {
	return command(ctx, e, call{opOpenTicket, p, c.Key, c}, func(u *unit) (TicketState, error) {
		t := c.ticket()
		var log *draft.Draft
		if c.Conversation != "" {
			var err error
			if log, err = u.fromConversation(&t, c.Conversation); err != nil {
				return TicketState{}, err
			}
		}
		if err := u.allow(ActTicketOpen, Resource{Kind: kindTicket, Desk: t.Desk, Contact: t.Contact}); err != nil {
			return TicketState{}, err
		}
		if err := u.off(SwitchTicket); err != nil {
			return TicketState{}, err
		}
		if u.s.routing.Desks[c.Desk].Retired {
			return TicketState{}, outOfUse(kindDesk, string(c.Desk))
		}
		t.Channel = cmp.Or(t.Channel, openedOn(p.Kind))
		if err := u.requester(&t); err != nil {
			return TicketState{}, err
		}
		d, err := u.openTicket(t,
			TicketChange{Category: set(c.Category), Resolution: set(c.Resolution), Group: set(c.Group), Agent: set(c.Agent),
				Fields: c.Fields})
		if err != nil {
			return TicketState{}, err
		}
		if err := u.requiredFields(d.T); err != nil {
			return TicketState{}, err
		}
		if log != nil {
			log.Note(conversation.EvTicket, u.actor(), "", string(d.T.ID))
		}
		u.resource.ID = string(d.T.ID)
		return ticketState(d), nil
	})
}

// ticket is what the command gives.
func (c OpenTicket) ticket() ticket.Ticket {
	return ticket.Ticket{Channel: c.Channel, Desk: c.Desk, Title: c.Title, Body: c.Body, Contact: c.Contact, Requester: c.Requester,
		Language: c.Language, Priority: c.Priority, Tags: c.Tags}
}

// openedOn is the channel of a ticket that names none.
func openedOn(by PrincipalKind) string {
	if by == KindAgent {
		return ticket.ChannelHand
	}
	return ticket.ChannelAPI
}

// set is a pointer to what was given; nil for the zero value.
func set[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// openTicket begins a ticket and applies what needs checks.
func (u *unit) openTicket(t ticket.Ticket, c TicketChange) (*ticket.Draft, error) {
	if t.Desk != "" {
		if _, ok := u.s.routing.Desks[t.Desk]; !ok {
			return nil, errs.New(errs.Invalid, "sangdam: there is no desk %s", t.Desk)
		}
	}
	if s, has := map[string]Switch{ticket.ChannelPhone: SwitchPhone, ticket.ChannelAPI: SwitchAPI}[t.Channel]; has {
		if err := u.off(s); err != nil {
			return nil, err
		}
	}
	d, err := u.newTicket(t)
	if err != nil {
		return nil, err
	}
	return d, u.applyChange(d, c)
}

// fromConversation fills a ticket from a conversation that the principal may
// read.
func (u *unit) fromConversation(t *ticket.Ticket, id conversation.ID) (*draft.Draft, error) {
	d, err := u.draft(id, ActRead)
	if err != nil {
		return nil, err
	}
	u.inherit(t, d.C)
	return d, nil
}

// inherit gives a ticket what it has of a conversation.
func (u *unit) inherit(t *ticket.Ticket, c conversation.Conversation) {
	t.Conversation, t.Origin.ChatTo = c.ID, c.EventSeq
	if t.Channel == "" {
		t.Channel = ticket.ChannelChat
	}
	if t.Desk == "" {
		t.Desk = c.Desk
	}
	if t.Contact == "" {
		t.Contact = c.Contact
	}
	if t.Language == "" {
		t.Language = c.Language
	}
	if t.Title == "" {
		t.Title = c.Preview
	}
	if t.Title == "" {
		t.Title = "Conversation " + string(c.ID)
	}
}

// requester fills who asks from the contact, which the principal must see.
func (u *unit) requester(t *ticket.Ticket) error {
	if t.Contact == "" {
		return nil
	}
	c, err := u.tx.Contacts().Contact(u.ctx, t.Contact)
	if errors.Is(err, ErrNotFound) {
		return noSuch(kindContact)
	}
	if err != nil {
		return err
	}
	w, err := u.acting()
	if err != nil {
		return err
	}
	if t.Conversation == "" { // who reads the conversation knows its customer
		if ok, err := u.e.sees(u.ctx, w, contactResource(c)); err != nil || !ok {
			return cmpErr(err, noSuch(kindContact))
		}
	}
	if err := notErased(c); err != nil {
		return err
	}
	r := &t.Requester
	r.Name, r.Email, r.Phone = orElse(r.Name, c.Name), orElse(r.Email, c.Email), orElse(r.Phone, c.Phone)
	return nil
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// requiredFields refuses an agent's ticket in which a field that agents must
// fill is empty. Programs open tickets with what they know.
func (u *unit) requiredFields(t ticket.Ticket) error {
	if u.p.Kind != KindAgent {
		return nil
	}
	d, err := u.ticketSetup()
	if err != nil {
		return err
	}
	fields := d.Fields.AgentFields(t.Channel, u.p.has(RoleAdministrator))
	if t.Channel == ticket.ChannelHand || t.Channel == ticket.ChannelPhone {
		fields = append(fields, d.formFields(t.Category)...)
	}
	if missing := ticket.Missing(t, fields); len(missing) > 0 {
		return &ticket.MissingFields{Codes: missing}
	}
	return nil
}

// SubmitTicket makes a ticket of what a customer sent with the inquiry form.
// The host calls it, because the host knows who the customer is; it also has to
// bound how often one customer may send the form.
type SubmitTicket struct {
	Key       Key                     `json:"-"`
	Desk      routing.DeskID          `json:"desk,omitempty"`
	Category  ticket.CategoryID       `json:"category"`
	Title     string                  `json:"title"`
	Content   string                  `json:"content"`
	Requester ticket.Requester        `json:"requester"`
	Contact   conversation.ContactID  `json:"contact,omitempty"`
	Language  string                  `json:"language,omitempty"`
	Consent   bool                    `json:"consent"`
	Fields    map[string]ticket.Value `json:"fields,omitempty"`
}

// SubmitTicket carries the command out. ErrInvalid for a category that is not
// offered to customers and for a value that its field does not take;
// *ticket.MissingFields (ErrInvalid) for a required field that is empty.
func (e *Engine) SubmitTicket(ctx context.Context, p Principal, c SubmitTicket) (TicketState, error) {
	return command(ctx, e, call{opSubmitTicket, p, c.Key, c}, func(u *unit) (TicketState, error) {
		if err := u.allow(ActTicketSubmit, Resource{Kind: kindTicket, Desk: c.Desk, Contact: c.Contact}); err != nil {
			return TicketState{}, err
		}
		if err := u.off(SwitchTicket); err != nil {
			return TicketState{}, err
		}
		t := c.ticket(u.tx.Now())
		d, err := u.ticketSetup()
		if err != nil {
			return TicketState{}, err
		}
		if err := d.form(c.Category).CheckSubmission(t, d.Fields, d.Trees[ticket.Intake]); err != nil {
			return TicketState{}, err
		}
		if err := u.requester(&t); err != nil {
			return TicketState{}, err
		}
		t.Fields = nil // checked and sealed one by one
		u.as = "customer"
		draft, err := u.openTicket(t, TicketChange{Fields: c.Fields})
		if err != nil {
			return TicketState{}, err
		}
		u.resource.ID = string(draft.T.ID)
		return ticketState(draft), nil
	})
}

// ticket is what the form asks for.
func (c SubmitTicket) ticket(now time.Time) ticket.Ticket {
	t := ticket.Ticket{Channel: ticket.ChannelWeb, Desk: c.Desk, Category: c.Category, Title: c.Title, Body: c.Content,
		Requester: c.Requester, Contact: c.Contact, Language: c.Language, Fields: c.Fields}
	if c.Consent {
		t.ConsentAt = now
	}
	return t
}

// ticketFieldAD binds the sealed value of a field to its place.
func ticketFieldAD(ws WorkspaceID, t ticket.ID, code string) seal.AD {
	return seal.AD{Workspace: string(ws), Table: kindTicket, Row: string(t), Column: code}
}

// sealed seals a value of an encrypted field.
func (u *unit) sealed(t ticket.ID, f ticket.Field, v ticket.Value) (ticket.Value, error) {
	if !f.Encrypted || v.Empty() {
		return v, nil
	}
	if len(v.Sealed) > 0 {
		return v, errs.New(errs.Invalid, "sangdam: field %s takes its plain value, which is sealed here", f.Code)
	}
	if err := f.Check(v); err != nil {
		return v, err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return v, err
	}
	raw, err = u.e.cfg.Sealer.Seal(u.ctx, ticketFieldAD(u.tx.Workspace(), t, f.Code), raw)
	return ticket.Value{Sealed: raw}, err
}

var qRevealTicketField = asks("ticket.reveal_field", "RevealTicketField", kindTicket, ActTicketEdit)

// RevealTicketField returns the value of an encrypted field, for whoever may
// edit the ticket; code is the field's code. Each call is in the audit log.
func (e *Engine) RevealTicketField(ctx context.Context, p Principal, id ticket.ID, code string) (ticket.Value, error) {
	var out ticket.Value
	err := e.unit(ctx, p, func(u *unit) error {
		w, err := u.onTicket(id, qRevealTicketField.Actions[0])
		if err != nil {
			return err
		}
		d, err := u.ticketSetup()
		if err != nil {
			return err
		}
		who, err := u.acting()
		if err != nil {
			return err
		}
		if slices.Contains(hiddenFields(who, d.Fields), code) {
			return noSuch("ticket_field")
		}
		out = w.now.Fields[code]
		if len(out.Sealed) == 0 {
			return nil
		}
		if out, err = u.openField(id, code, out.Sealed); err != nil {
			return err
		}
		u.detail("field", code)
		return u.audit("ticket.reveal_field", "ok")
	})
	return out, err
}

// openField opens what is sealed of a ticket's field.
func (u *unit) openField(id ticket.ID, code string, sealed []byte) (v ticket.Value, err error) {
	raw, err := u.e.cfg.Sealer.Open(u.ctx, ticketFieldAD(u.tx.Workspace(), id, code), sealed)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(raw, &v)
}

// bannedIn looks for banned words.
func (u *unit) bannedIn(text string) error {
	d, err := u.ticketSetup()
	if err != nil {
		return err
	}
	if hits := ticket.FindBanned(text, d.Banned); len(hits) > 0 {
		return &BannedWords{Hits: hits}
	}
	return nil
}

// BannedWords is the refusal of a text with banned words in it (TK6). It is
// ErrInvalid.
type BannedWords struct{ Hits []ticket.BannedHit }

// Error shows the words and what is suggested instead: they are the workspace's
// own, not the customer's.
func (b *BannedWords) Error() string {
	text := "sangdam: the text holds words that are not to be sent:"
	for _, h := range b.Hits {
		text += " " + h.Word
		if h.Instead != "" {
			text += " (rather: " + h.Instead + ")"
		}
	}
	return text
}

// Unwrap makes it ErrInvalid.
func (b *BannedWords) Unwrap() error { return errs.Invalid }

var qCheckAnswer = asks("banned_word.check", "CheckAnswer", "banned_words", ActList).wide(wideSetUp)

// CheckAnswer returns the banned words in a text, so that a page can show them
// before the text is sent. It sends and stores nothing.
func (e *Engine) CheckAnswer(ctx context.Context, p Principal, text string) (hits []ticket.BannedHit, err error) {
	err = e.query(ctx, p, qCheckAnswer, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		d, err := e.currentTicketSetup(ctx, tx)
		if err == nil {
			hits = listed(ticket.FindBanned(text, d.Banned))
		}
		return err
	})
	return hits, err
}

// solvedFor is how long a solved ticket waits before it is complete; 0: for ever.
func (s WorkspaceSettings) solvedFor() time.Duration {
	switch {
	case s.CompleteAfter < 0:
		return 0
	case s.CompleteAfter == 0:
		return ticket.CompleteAfter
	}
	return s.CompleteAfter
}
