package sangdam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
)

// Mails to customers about their tickets (TK8). What one actor did to a ticket
// in one step is at most one mail: an answer, or what the workspace has to say
// about an event. Mails of triggers are others: they carry their own text and no
// layout.

// layoutID names a layout; the parts that are for everything are "*".
func layoutID(event, language string) string { return cmp.Or(event, "*") + "/" + cmp.Or(language, "*") }

var layoutKind = definition[notify.Layout]{"mail_layout", mailLayouts,
	func(l *notify.Layout) string { return layoutID(l.Event, l.Language) }, func(l *notify.Layout) *int64 { return &l.Version }}

// SaveMailLayout creates the layout of mails about an event in a language
// (Version 0), or replaces the one of the version given.
type SaveMailLayout struct {
	Key Key `json:"-"`
	// Layout.Event is a ticket.MailEvent, or empty for all events.
	Layout notify.Layout `json:"layout"`
}

// SaveMailLayout carries the command out. ErrInvalid for one without #{content}
// or with it twice, for an event that does not exist, for a placeholder that does
// not exist, and for a body that is new or changed and not in the form of the
// workspace's editor type (WorkspaceSettings.Editor).
func (e *Engine) SaveMailLayout(ctx context.Context, p Principal, c SaveMailLayout) (Saved, error) {
	return command(ctx, e, call{opSaveMailLayout, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: layoutKind.name, ID: layoutID(c.Layout.Event, c.Layout.Language)}); err != nil {
			return Saved{}, err
		}
		return u.saveLayout(c.Layout)
	})
}

func (u *unit) saveLayout(l notify.Layout) (Saved, error) {
	if err := checkLayout(l); err != nil {
		return Saved{}, err
	}
	if err := u.keepsForm(l); err != nil {
		return Saved{}, err
	}
	saved, err := saveDefinition(u, layoutKind, l, nil)
	if err != nil {
		return Saved{}, err
	}
	s, err := u.e.readTicketSetup(u.ctx, u.tx)
	if err != nil {
		return Saved{}, err
	}
	if wanted := s.Settings.form(); layoutForm(l) != wanted {
		saved.Warnings = append(saved.Warnings, layoutInOtherForm(layoutID(l.Event, l.Language), wanted))
	}
	return saved, u.checkMails(s.Settings.Tickets) // its text may have been the last
}

func checkLayout(l notify.Layout) error {
	if err := l.Check(); err != nil {
		return err
	}
	if l.Event != "" && !slices.Contains(ticket.MailEvents(), ticket.MailEvent(l.Event)) {
		return errs.New(errs.Invalid, "sangdam: mail layout: there is no event %q; use one of %v, or none for all",
			cutTo(l.Event, 64), ticket.MailEvents())
	}
	before, after := l.Around()
	above, below := l.AroundText()
	for part, text := range map[string]string{"html": before, "html after the content": after, "plain text": above,
		"plain text after the content": below, "subject": l.Subject, "text": l.Text} {
		if _, err := trigger.ParseTemplate(text, placeholders()); err != nil {
			return errs.New(errs.Invalid, "sangdam: mail layout: %s: %w", part, err)
		}
	}
	return nil
}

// DeleteMailLayout deletes the mail layout of an event and a language. An empty
// Event is the layout for all events, an empty Language the one for every other
// language.
type DeleteMailLayout struct {
	Key      Key    `json:"-"`
	Event    string `json:"event,omitempty"`
	Language string `json:"language,omitempty"`
	Version  int64  `json:"version"`
}

// DeleteMailLayout carries the command out. ErrInvalid when no other layout has
// a text for an event about which customers get mails (TicketRouting.MailOn).
func (e *Engine) DeleteMailLayout(ctx context.Context, p Principal, c DeleteMailLayout) error {
	_, err := command(ctx, e, call{opDeleteMailLayout, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		name := layoutID(c.Event, c.Language)
		if err := u.allow(ActConfigure, Resource{Kind: layoutKind.name, ID: name}); err != nil {
			return none, err
		}
		if err := deleteDefinition(u, layoutKind, name, c.Version, nil); err != nil {
			return none, err
		}
		s, err := e.readTicketSetup(u.ctx, u.tx)
		if err != nil {
			return none, err
		}
		return none, u.checkMails(s.Settings.Tickets)
	})
	return err
}

var qMailLayouts = asks("mail_layout.list", "MailLayouts", layoutKind.name, ActConfigure).wide(wideSetUp)

// MailLayouts lists the mail layouts, those for all events first.
func (e *Engine) MailLayouts(ctx context.Context, p Principal) (out []notify.Layout, err error) {
	err = e.query(ctx, p, qMailLayouts, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		all, err := allOf(ctx, tx, mailLayouts, nil)
		out = listed(all)
		return err
	})
	return out, err
}

// checkMails refuses settings by which a mail would have no way out or no words.
func (u *unit) checkMails(t TicketRouting) error {
	if err := u.answersByMail(t.AnswerBy); err != nil {
		return err
	}
	if len(t.MailOn) == 0 {
		return nil
	}
	if t.AnswerBy == "" {
		return errs.New(errs.Invalid, "sangdam: workspace settings: mail_on needs answer_by, the target of mail that they leave by")
	}
	all, err := allOf(u.ctx, u.tx, mailLayouts, nil)
	for _, ev := range t.MailOn {
		says := func(l notify.Layout) bool { return (l.Event == string(ev) || l.Event == "") && l.Text != "" }
		switch {
		case ev == ticket.MailHandled || !slices.Contains(ticket.MailEvents(), ev):
			return errs.New(errs.Invalid, "sangdam: workspace settings: mail_on holds %q; use received, on_hold and solved",
				cutTo(string(ev), 64))
		case err == nil && !slices.ContainsFunc(all, says):
			return errs.New(errs.Invalid,
				"sangdam: customers are told by mail when a ticket is %s, and no mail layout has a text for it; save one with a text first",
				ev)
		}
	}
	return err
}

// answersByMail refuses a target of answers that is none for mail.
func (u *unit) answersByMail(target notify.TargetID) error {
	if target == "" {
		return nil
	}
	to, err := targets.Get(u.ctx, u.tx, string(target))
	switch {
	case errors.Is(err, ErrNotFound):
		return noSuch(kindTarget)
	case err == nil && to.Kind != "mail":
		return errs.New(errs.Invalid, "sangdam: workspace settings: answer_by: target %q is of kind %s; name one for mail",
			to.Name, to.Kind)
	}
	return err
}

// mailID names the mail about a step, of which package mail makes the Message-ID.
func mailID(t ticket.ID, seq int64) string { return fmt.Sprintf("%s_%d", t, seq) }

// ofMail is the ticket, and the step of it, that a mail of such a Message-ID was
// about.
func ofMail(messageID string) (id ticket.ID, seq int64, is bool) {
	local, _, _ := strings.Cut(strings.Trim(messageID, "<> "), "@")
	at := strings.LastIndexByte(local, '_')
	if at < 1 {
		return "", 0, false
	}
	id = ticket.ID(local[:at])
	seq, err := strconv.ParseInt(local[at+1:], 10, 64)
	return id, seq, err == nil && seq > 0 && mailID(id, seq) == local // no other spelling of it
}

// mailCustomers is the stage in which the steps of this unit become mails.
func (u *unit) mailCustomers() error {
	for _, id := range u.ticketOrder {
		w := u.tickets[id]
		for _, e := range w.entries {
			if ev, tells := e.MailEvent(); tells && !w.told[e.Seq] && w.now.Requester.Email != "" {
				if err := u.mailCustomer(w, e, ev); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mailCustomer sends the mail about one step: the answer, or the workspace's own
// words where it wants customers to be told.
func (u *unit) mailCustomer(w *ticketWork, e ticket.Entry, ev ticket.MailEvent) error {
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	answer, by := e.Kind == ticket.Answered, s.Settings.Tickets.AnswerBy
	if by == "" || !answer && !slices.Contains(s.Settings.Tickets.MailOn, ev) {
		return nil
	}
	t := w.now
	p := &pulledTicket{u: u, w: w, now: ticket.Facts{Ticket: &t, Fields: s.Fields, Comment: e.Text}}
	values, err := p.values()
	if err != nil {
		return err
	}
	delete(values, "record.link") // it leads into the console
	language := values["customer.language"]
	if language == "" && len(s.Settings.Languages) > 0 {
		language = s.Settings.Languages[0]
	}
	n := notify.Notice{ID: mailID(t.ID, e.Seq), Event: "ticket." + string(ev), Subject: "ticket:" + string(t.ID), At: e.At, Text: e.Text,
		To: notify.Recipient{Name: t.Requester.Name, Address: t.Requester.Email}}
	if answer {
		u.attach(&n, e.Files)
	}
	if err := u.layOut(&n, answer, ev, language, values); err != nil || n.Text == "" {
		return err
	}
	_, err = u.deliver(Delivery{Target: by, Notice: n})
	return err
}

// attach adds the files of an answer to its mail.
func (u *unit) attach(n *notify.Notice, files []string) {
	for _, name := range files {
		f := u.ticketFiles[name]
		n.Files = append(n.Files, notify.File{Blob: name, Name: privacy.SafeName(f.Name), Type: f.Type, Size: f.Size})
	}
	if strings.TrimSpace(n.Text) == "" { // files alone: a mail needs some words
		n.Text = namesOf(n.Files)
	}
}

func namesOf(files []notify.File) string {
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return strings.Join(names, "\n")
}

// layOut gives the mail its subject, its words where nobody wrote any, and what
// stands around them.
func (u *unit) layOut(n *notify.Notice, answer bool, ev ticket.MailEvent, language string, values map[string]string) error {
	get := func(event, language string) (notify.Layout, bool, error) {
		l, err := mailLayouts.Get(u.ctx, u.tx, layoutID(event, language))
		if errors.Is(err, ErrNotFound) {
			return l, false, nil
		}
		return l, err == nil, err
	}
	look, found, err := notify.Choose(string(ev), language, get)
	if err != nil {
		return err
	}
	subject := look.Subject
	if !answer {
		words, _, err := notify.Choose(string(ev), language, func(event, language string) (notify.Layout, bool, error) {
			l, ok, err := get(event, language)
			return l, ok && l.Text != "", err
		})
		if err != nil {
			return err
		}
		subject, n.Text = cmp.Or(words.Subject, subject), fill(words.Text, values, (*trigger.Template).Render)
	}
	n.Title = mailTitle(subject, values)
	if found && strings.TrimSpace(n.Text) != "" {
		surround(n, look, values)
	}
	return nil
}

// mailTitle is the subject filled in, or the number and the ticket's title.
func mailTitle(subject string, values map[string]string) string {
	title := fmt.Sprintf("[#%s] %s", values["number"], oneLine(values["title"]))
	if subject != "" {
		title = fill(subject, values, (*trigger.Template).RenderLine)
	}
	if long := []rune(title); len(long) > notify.MaxTitle {
		title = string(long[:notify.MaxTitle])
	}
	return title
}

// surround puts the layout around what the mail says. What would become too long
// goes without.
func surround(n *notify.Notice, look notify.Layout, values map[string]string) {
	said := strings.TrimSpace(n.Text)
	if before, after := look.Around(); look.HTML != "" {
		html := (*trigger.Template).RenderHTML
		if whole := fill(before, values, html) + notify.Paragraphs(said) + fill(after, values, html); len(whole) <= notify.MaxBody {
			n.HTML = whole
		}
	}
	before, after := look.AroundText()
	plain := (*trigger.Template).Render
	if whole := fill(before, values, plain) + said + fill(after, values, plain); len(whole) <= notify.MaxBody {
		n.Text = whole
	}
}
