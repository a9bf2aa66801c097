package sangdam

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/routing/validate"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Switch names a feature that a workspace may switch off (AD9). The feature's
// commands are then ErrUnsupported and name the switch; what is stored can
// still be read.
type Switch string

// The switches.
const (
	SwitchTicket            Switch = "ticket"
	SwitchChat              Switch = "chat"
	SwitchAssignmentControl Switch = "assignment_control" // agents change their own assignment
	SwitchPhone             Switch = "phone"              // tickets of phone calls
	SwitchSMS               Switch = "sms"                // text messages, whoever sends them
	SwitchAPI               Switch = "api"                // tickets that a program opens
)

// Switches returns all switches.
func Switches() []Switch {
	return []Switch{SwitchTicket, SwitchChat, SwitchAssignmentControl, SwitchPhone, SwitchSMS, SwitchAPI, SwitchSecurity}
}

// Editor is the form, HTML or plain text, in which a workspace writes its mail
// layouts: those of mails about tickets and those of mail accounts. A layout
// that was saved in the other form stays in use; only new and changed layouts
// must be in this form.
type Editor string

// The editors.
const (
	EditorHTML Editor = "html"
	EditorText Editor = "text"
)

// WorkspaceSettings are the settings that a workspace has once, for all its
// desks.
type WorkspaceSettings struct {
	// Version that was read; 0 before they are saved first.
	Version int64 `json:"version"`
	// Languages are those of the help center; the first is the default. Texts
	// are edited in each language of this list. When a language is removed from
	// it, the texts in that language stay stored.
	Languages []string `json:"languages,omitempty"`
	// Editor is EditorHTML when empty.
	Editor Editor `json:"editor,omitempty"`
	// Hours are the operating hours where account, desk, queue and work stream
	// set none, and for tickets where the desk sets none; nil is always open.
	Hours *hours.Calendar `json:"hours,omitempty"`
	// Off are the features that are switched off.
	Off []Switch `json:"off,omitempty"`
	// States are the workspace's own states of tickets.
	States []ticket.CustomState `json:"states,omitempty"`
	// CompleteAfter is how long a ticket stays solved before it becomes
	// complete. 0 means two weeks; with a negative time it never becomes
	// complete by itself.
	CompleteAfter time.Duration `json:"complete_after,omitempty"`
	// Tickets says how tickets find an agent.
	Tickets TicketRouting `json:"tickets,omitzero"`
	// Masking says what is done with personal data that is found in texts.
	Masking MaskingPolicy `json:"masking,omitzero"`
	// Channels says what is asked before an outside channel is switched on.
	Channels ChannelPolicy `json:"channels,omitzero"`
	// AgentNotice is what agents confirm before they work.
	AgentNotice AgentNotice `json:"agent_notice,omitzero"`

	more map[string]json.RawMessage
}

// TicketRouting says how tickets without an agent get one. When neither Queue
// nor the ticket's group names a queue, the tickets wait until an agent takes
// them.
type TicketRouting struct {
	// Queue is where tickets wait whose group has no queue of its own.
	Queue routing.QueueID `json:"queue,omitempty"`
	// Cost is how many units of an agent's capacity one ticket takes; 0 takes
	// none. In any case a ticket counts as one against the agent's limit for
	// tickets (routing.SubjectProfile).
	Cost int `json:"cost,omitempty"`
	// AutoAccept assigns without an offer.
	AutoAccept bool `json:"auto_accept,omitempty"`
	// OfferFor is how long an offer stands; 0 means routing.DefaultOfferFor.
	OfferFor time.Duration `json:"offer_for,omitempty"`
	// AnswerBy is the target of mail through which public answers are sent to
	// customers who have no conversation. Empty: the host has to send them; the
	// feed tells it of each one by an entry of kind ticket.Answered.
	AnswerBy notify.TargetID `json:"answer_by,omitempty"`
	// MailOn are the events about which customers get a mail although nobody
	// wrote an answer: received, on_hold and solved. Each needs a mail layout
	// with a text. An answer (the event handled) is always sent.
	MailOn []ticket.MailEvent `json:"mail_on,omitempty"`
	// Presences are those in which an agent receives tickets; empty means only
	// Online.
	Presences []routing.Presence `json:"presences,omitempty"`
}

// maxLanguages and maxStates bound the settings.
const (
	maxLanguages = 30
	maxStates    = 50
)

// validate checks the settings by themselves.
func (s WorkspaceSettings) validate() error {
	bad := func(format string, args ...any) error {
		return errs.New(errs.Invalid, "sangdam: workspace settings: "+format, args...)
	}
	if len(s.Languages) > maxLanguages || len(s.States) > maxStates {
		return bad("%d languages and %d states; use at most %d and %d", len(s.Languages), len(s.States), maxLanguages, maxStates)
	}
	if err := s.validateLists(bad); err != nil {
		return err
	}
	if err := validate.Hours(s.Hours, "workspace settings"); err != nil {
		return err
	}
	if err := s.Masking.validate(); err != nil {
		return err
	}
	if err := cmp.Or(s.Channels.validate(), s.AgentNotice.validate()); err != nil {
		return err
	}
	r, of := s.Tickets, "workspace settings, tickets"
	return cmp.Or(validate.Presences(r.Presences, of), validate.Cost(r.Cost, "workspace settings: a ticket"),
		validate.Duration(r.OfferFor, "OfferFor", of))
}

// validateLists refuses languages, switches and states that are none.
func (s WorkspaceSettings) validateLists(bad func(format string, args ...any) error) error {
	for i, l := range s.Languages {
		if l == "" || len(l) > 35 || slices.Contains(s.Languages[:i], l) {
			return bad("a language is empty, too long or there twice; use tags such as ko or en")
		}
	}
	if s.Editor != "" && s.Editor != EditorHTML && s.Editor != EditorText {
		return bad("the editor is html or text")
	}
	for _, off := range s.Off {
		if !slices.Contains(Switches(), off) {
			return bad("there is no switch %q; use one of %v", off, Switches())
		}
	}
	for i, c := range s.States {
		if err := c.Validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(s.States[:i], func(o ticket.CustomState) bool { return o.ID == c.ID }) {
			return bad("state %s is there twice", c.ID)
		}
	}
	return nil
}

// SaveWorkspaceSettings replaces the workspace's settings, which TicketSetup
// returns.
type SaveWorkspaceSettings struct {
	Key      Key               `json:"-"`
	Settings WorkspaceSettings `json:"settings"`
}

// SaveWorkspaceSettings carries the command out; ErrStale when the settings are
// not of the version given. Warnings name the categories, fields, options and
// states of tickets that customers read and that have no text in one of
// Languages.
func (e *Engine) SaveWorkspaceSettings(ctx context.Context, p Principal, c SaveWorkspaceSettings) (Saved, error) {
	return command(ctx, e, call{opSaveWorkspaceSettings, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: "workspace", ID: string(p.Workspace)}); err != nil {
			return Saved{}, err
		}
		s := c.Settings
		if err := s.validate(); err != nil {
			return Saved{}, err
		}
		if q := s.Tickets.Queue; q != "" {
			if had, ok := u.s.routing.Queues[q]; !ok {
				return Saved{}, errs.New(errs.Invalid, "sangdam: workspace settings: there is no queue %s", q)
			} else if had.Retired {
				return Saved{}, outOfUse("queue", string(q))
			}
		}
		if err := u.checkMails(s.Tickets); err != nil {
			return Saved{}, err
		}
		var was WorkspaceSettings
		saved, err := saveDefinition(u, settingsKind, s, func(old, s *WorkspaceSettings) error {
			if old != nil {
				was, s.more = *old, old.more
			}
			return u.fromToday("workspace settings", s.Hours, was.Hours)
		})
		if err == nil && !reflect.DeepEqual(was.Hours, s.Hours) {
			err = u.hoursChanged()
		}
		if err != nil {
			return saved, err
		}
		d, err := u.e.readTicketSetup(u.ctx, u.tx)
		if err != nil {
			return saved, err
		}
		others, err := u.otherForms(s.form())
		saved.Warnings = append(d.gaps(s.Languages), others...)
		return saved, err
	})
}

// hoursChanged makes everybody who keeps the configuration read it again. The
// workspace's hours are no part of it, but work streams fall back to them: one is
// saved as it is, which raises the configuration's version. Without a work stream
// nobody rests on the hours.
func (u *unit) hoursChanged() error {
	for _, w := range u.s.routing.WorkStreams {
		if err := u.tx.Config().SaveWorkStream(u.ctx, w); err != nil {
			return err
		}
		return u.configured()
	}
	return nil
}

// off refuses when the feature is switched off.
func (u *unit) off(s Switch) error {
	d, err := u.ticketSetup()
	if err != nil || !slices.Contains(d.Settings.Off, s) {
		return err
	}
	return errs.New(errs.Unsupported,
		"sangdam: %q is switched off in this workspace; an administrator can switch it on in the workspace settings", s)
}

// TicketSetup is everything that is set up for tickets except templates and
// views.
type TicketSetup struct {
	Settings WorkspaceSettings               `json:"settings"`
	Trees    map[ticket.TreeKind]ticket.Tree `json:"trees"`
	Fields   ticket.Fields                   `json:"fields"`
	Forms    []ticket.Form                   `json:"forms"`
	Groups   []ticket.Group                  `json:"groups"`
	Levels   []ticket.ServiceLevel           `json:"levels"`
	Banned   []ticket.BannedWord             `json:"banned"`
}

var qTicketSetup = asks("ticket_setup.read", "TicketSetup", "ticket_setup", ActList).wide(wideSetUp)

// TicketSetup returns the workspace's settings and what is set up for tickets.
// Every agent of the workspace may call it.
func (e *Engine) TicketSetup(ctx context.Context, p Principal) (out TicketSetup, err error) {
	err = e.query(ctx, p, qTicketSetup, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		d, err := e.readTicketSetup(ctx, tx)
		if err == nil {
			out = d.TicketSetup
			out.Forms, out.Groups, out.Levels, out.Banned = listed(out.Forms), listed(out.Groups), listed(out.Levels), listed(out.Banned)
		}
		return err
	})
	return out, err
}

// ticketSetup is what flows need of the set-up. It is immutable and shared.
type ticketSetup struct {
	TicketSetup
	schema *condition.Schema
	levels []compiledLevel
	read   time.Time // by this process's clock
}

type compiledLevel struct {
	ticket.ServiceLevel
	program *condition.Program
}

// setupCache holds the set-up of each workspace for a poll's time: what another
// process changes counts here a moment later.
type setupCache struct {
	mu  sync.Mutex
	m   map[id.Workspace]*ticketSetup
	gen map[id.Workspace]int // raised when this process changes it
}

func (c *setupCache) get(ws id.Workspace) (*ticketSetup, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[ws], c.gen[ws]
}

// put keeps what was read since the generation began.
func (c *setupCache) put(ws id.Workspace, gen int, s *ticketSetup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen[ws] != gen {
		return
	}
	if c.m == nil {
		c.m = map[id.Workspace]*ticketSetup{}
	}
	c.m[ws] = s
}

func (c *setupCache) drop(ws id.Workspace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gen == nil {
		c.gen = map[id.Workspace]int{}
	}
	c.gen[ws]++
	delete(c.m, ws)
}

// ticketSetup is the set-up, hardly older than the poll interval.
func (u *unit) ticketSetup() (*ticketSetup, error) {
	return u.e.currentTicketSetup(u.ctx, u.tx)
}

func (e *Engine) currentTicketSetup(ctx context.Context, tx store.Tx) (*ticketSetup, error) {
	s, gen := e.setups.get(tx.Workspace())
	if s != nil && time.Since(s.read) < e.cfg.Poll {
		return s, nil
	}
	s, err := e.readTicketSetup(ctx, tx)
	if err == nil {
		e.setups.put(tx.Workspace(), gen, s)
	}
	return s, err
}

// maxDefinitions is how many of a kind are read.
const maxDefinitions = 2000

// readTicketSetup reads the set-up as the transaction sees it.
func (e *Engine) readTicketSetup(ctx context.Context, tx store.Tx) (*ticketSetup, error) {
	s := &ticketSetup{read: time.Now()}
	s.Trees = map[ticket.TreeKind]ticket.Tree{}
	for _, k := range []ticket.TreeKind{ticket.Intake, ticket.Resolution, ticket.ChatResolution} {
		s.Trees[k] = ticket.Tree{Kind: k, Categories: map[ticket.CategoryID]ticket.Category{}}
	}
	trees, err := allOf(ctx, tx, categoryTrees, nil)
	for _, t := range trees {
		s.Trees[t.Kind] = t
	}
	s.Settings, err = only(ctx, tx, workspaceSettings, err)
	s.Fields, err = only(ctx, tx, ticketFields, err)
	s.Forms, err = allOf(ctx, tx, ticketForms, err)
	s.Groups, err = allOf(ctx, tx, agentGroups, err)
	s.Levels, err = allOf(ctx, tx, serviceLevels, err)
	s.Banned, err = allOf(ctx, tx, bannedWords, err)
	if err != nil {
		return nil, err
	}
	if s.schema, err = condition.NewSchema(ticket.SchemaFields(s.Fields)...); err != nil {
		return nil, err
	}
	for _, l := range s.Levels {
		p, err := l.When.Compile(s.schema)
		if err != nil {
			e.log.Warn("a service level names a field that is gone and takes no ticket", "workspace", string(tx.Workspace()), "level", l.ID)
			continue
		}
		s.levels = append(s.levels, compiledLevel{l, p})
	}
	return s, nil
}

// allOf reads every document of a kind; before is an error of an earlier read.
func allOf[T any](ctx context.Context, tx store.Tx, docs *store.Documents[T], before error) ([]T, error) {
	if before != nil {
		return nil, before
	}
	return docs.All(ctx, tx, store.List[T]{Index: listedName}, maxDefinitions)
}

// only reads the one document of a kind; the zero one when there is none.
func only[T any](ctx context.Context, tx store.Tx, docs *store.Documents[T], before error) (v T, err error) {
	if before != nil {
		return v, before
	}
	if v, err = docs.Get(ctx, tx, theOnly); errors.Is(err, ErrNotFound) {
		var none T
		return none, nil
	}
	return v, err
}

// gaps names the texts that lack a language.
func (s *ticketSetup) gaps(languages []string) (out []Warning) {
	const text = " has no text in %s"
	lacks := func(names map[string]string, say func(in string) Warning) {
		if g := ticket.Gaps(names, languages); len(g) > 0 {
			out = append(out, say(strings.Join(g, ", ")))
		}
	}
	for _, k := range []ticket.TreeKind{ticket.Intake, ticket.Resolution, ticket.ChatResolution} {
		for _, c := range s.Trees[k].Walk() {
			lacks(c.Names, func(in string) Warning {
				return warn("gap_category", "category %s (%s)"+text, c.ID, ticket.Name(c.Names, ""), in)
			})
		}
	}
	for _, f := range s.Fields.List {
		if !f.Deleted {
			lacks(f.Names, func(in string) Warning { return warn("gap_field", "field %s"+text, f.Code, in) })
		}
		for _, o := range f.Options {
			lacks(o.Names, func(in string) Warning { return warn("gap_option", "option %s of field %s"+text, o.Code, f.Code, in) })
		}
	}
	for _, c := range s.Settings.States {
		lacks(c.Names, func(in string) Warning { return warn("gap_state", "state %s"+text, c.ID, in) })
	}
	return out
}

// group finds a group of the set-up.
func (s *ticketSetup) group(id ticket.GroupID) (ticket.Group, bool) {
	i := slices.IndexFunc(s.Groups, func(g ticket.Group) bool { return g.ID == id })
	if i < 0 {
		return ticket.Group{}, false
	}
	return s.Groups[i], true
}

// form is the form of a category; one without fields when none was saved.
func (s *ticketSetup) form(c ticket.CategoryID) ticket.Form {
	i := slices.IndexFunc(s.Forms, func(f ticket.Form) bool { return f.Category == c })
	if i < 0 {
		return ticket.Form{Category: c}
	}
	return s.Forms[i]
}
