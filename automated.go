package sangdam

import (
	"cmp"
	"errors"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/conversation/storm"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// react answers what a customer wrote as far as no person is needed, and sees
// to it that a bot or an agent gets the conversation. Outside operating hours
// the customer is told, if it is people who are asked.
func (u *unit) react(acct channel.Account, d *draft.Draft, m conversation.Message, begun, silent bool) error {
	bot := u.s.routing.WorkStreams[d.C.WorkStream].Bot
	takes := d.C.Control == conversation.ControlBot || begun && bot != "" && u.e.bots[bot] != nil && !silent
	closed := u.closed(u.s.hoursOf(acct, ""))
	if begun && !silent {
		if err := u.tellNotice(acct, d); err != nil {
			return err
		}
	}
	if begun && d.C.Version == 0 && !silent && (takes || !closed) { // not one that opens again
		if _, err := u.sayAutomated(acct, d, automated.Greeting); err != nil {
			return err
		}
	}
	switch {
	case d.C.Control == conversation.ControlBot:
		return u.askBot(d)
	case takes:
		d.GiveToBot(bot, m)
		return u.askBot(d)
	case u.ticketed(d):
		if err := u.becomesTicket(acct, d, m); err != nil {
			return err
		}
	case begun:
		if err := u.enqueue(acct, d, m); err != nil {
			return err
		}
	case d.C.State == conversation.StateWaiting:
		if err := u.resume(acct, d, m); err != nil {
			return err
		}
	case d.C.State == conversation.StateActive && d.C.Agent != "":
		if err := u.goOn(d); err != nil {
			return err
		}
	}
	if silent {
		return nil
	}
	return u.sayAway(acct, d)
}

func (u *unit) closed(s *hours.Schedule) bool { return s != nil && !s.At(u.tx.Now()).Open }

// servingHours is the operating hours of whoever serves the conversation: those
// of the desk that it is on and of the queue that classification chose for it count.
func (u *unit) servingHours(acct channel.Account, d *draft.Draft) (*hours.Schedule, error) {
	acct.Desk = cmp.Or(d.C.Desk, acct.Desk)
	if u.s.accountHours[acct.ID] != nil || u.s.deskHours[acct.Desk] != nil || len(u.s.queueHours) == 0 {
		return u.s.hoursOf(acct, ""), nil
	}
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(d.C.ID))
	if errors.Is(err, ErrNotFound) {
		return u.s.hoursOf(acct, ""), nil
	}
	return u.s.hoursOf(acct, it.Queue), err
}

// answeredLately is how long after an agent's answer nobody is told that we are
// away: the talk goes on although the clock struck.
const answeredLately = 30 * time.Minute

// sayAway tells a customer whom people would have to answer that they are away,
// or that it is a holiday: once for each customer and stretch of closed time, and
// not in the middle of a talk.
func (u *unit) sayAway(acct channel.Account, d *draft.Draft) error {
	sched, err := u.servingHours(acct, d)
	if err != nil || !u.closed(sched) || u.talks(d, sched) {
		return err
	}
	told := d.C.AwayAt
	var who conversation.Identity
	if d.C.Identity != "" {
		if who, err = u.tx.Contacts().IdentityByID(u.ctx, d.C.Identity); err != nil {
			return err
		}
		told = who.AwayAt
	}
	if !told.IsZero() && sched.Elapsed(told, u.tx.Now()) == 0 {
		return nil
	}
	sent, err := u.sayClosed(acct, d, sched)
	if err != nil || !sent {
		return err
	}
	d.C.AwayAt = u.tx.Now()
	if d.C.Identity == "" {
		return nil
	}
	u.identityOf(who).AwayAt = u.tx.Now()
	return nil
}

// sayClosed says that it is a holiday, or else that nobody is there.
func (u *unit) sayClosed(acct channel.Account, d *draft.Draft, sched *hours.Schedule) (sent bool, err error) {
	if sched.At(u.tx.Now()).Holiday {
		sent, err = u.sayAutomated(acct, d, automated.Holiday)
	}
	if err == nil && !sent {
		sent, err = u.sayAutomated(acct, d, automated.Away)
	}
	return sent, err
}

// talks says that an agent answered a moment ago, or since the desk closed.
func (u *unit) talks(d *draft.Draft, s *hours.Schedule) bool {
	last := d.C.LastAgentAt
	return !last.IsZero() && (u.tx.Now().Sub(last) < answeredLately || s.Elapsed(last, u.tx.Now()) == 0)
}

// automatedText finds a text: the account's, the desk's, the work stream's.
func (u *unit) automatedText(acct channel.Account, name, language string) string {
	if language == "" {
		language = acct.Language
	}
	return automated.Text(name, language, acct.Messages,
		u.s.routing.Desks[acct.Desk].Messages, u.s.routing.WorkStreams[acct.WorkStream].Messages)
}

// sayAutomated sends an automated message if one is set, and reports whether.
func (u *unit) sayAutomated(acct channel.Account, d *draft.Draft, name string) (bool, error) {
	text := u.automatedText(acct, name, d.C.Language)
	if text == "" {
		return false, nil
	}
	m, err := u.say(d, conversation.Message{Author: conversation.Author{Kind: conversation.BySystem, Name: name},
		Content: channel.Text(text), Automated: name})
	return err == nil && m.ID != "", err
}

// say adds an outbound message and its outbox row to the draft's conversation. An
// automatic one may be held back where machines could answer it (see storms.go):
// an automated text then leaves no trace and has no ID, what a bot or a trigger
// says stands there as failed.
func (u *unit) say(d *draft.Draft, m conversation.Message) (conversation.Message, error) {
	return u.sayAfter(0, d, m)
}

// told is what a message tells, in the terms of mails about tickets; see
// adapter.Outbound.Event.
func told(m conversation.Message) string {
	switch m.Automated {
	case automated.Greeting, automated.Away, automated.Holiday:
		return string(ticket.MailReceived)
	case automated.Ended, automated.Rating, automated.Rated:
		return string(ticket.MailSolved)
	}
	switch {
	case m.Author.Kind == conversation.ByTrigger:
		return "trigger"
	case automatic(m):
		return ""
	}
	return string(ticket.MailHandled)
}

// sayAfter is say for a message that is held back for a time. Its outbox row has
// the message's id, by which Unsend finds it.
func (u *unit) sayAfter(hold time.Duration, d *draft.Draft, m conversation.Message) (conversation.Message, error) {
	return u.sayOn(saying{event: told(m), hold: hold}, d, m)
}

// saying is how a message is said.
type saying struct {
	event string // what it tells
	hold  time.Duration
	// leaves is what leaves instead of what is kept; nil: the same.
	leaves *channel.Content
	// filesOf is the ticket whose files it may bring.
	filesOf ticket.ID
}

// sayOn is say with what the caller knows of the message.
func (u *unit) sayOn(how saying, d *draft.Draft, m conversation.Message) (conversation.Message, error) {
	if d.C.Control == conversation.ControlProvider && !automatic(m) {
		return m, errs.New(errs.Unsupported, "sangdam: the provider's own bot has the word in this chat; answer when it has given it back")
	}
	held, err := u.heldBack(d, m)
	if err != nil || held != storm.Send && m.Automated != "" {
		return conversation.Message{}, err
	}
	m.ID = conversation.MessageID(newID())
	if how.hold > 0 {
		m.HeldUntil = u.tx.Now().Add(how.hold)
	}
	said := m.Content // the customer gets it as it was written
	if how.leaves != nil {
		said = *how.leaves
	}
	if m.Author.Kind == conversation.ByAgent {
		if err := u.hideSaid(d.C, &m); err != nil {
			return m, err
		}
	}
	m, reply, err := d.AddOutbound(m)
	if err == nil {
		err = u.refer(m, how.filesOf)
	}
	if err != nil {
		return m, err
	}
	if held != storm.Send {
		d.ApplyStatus(m, conversation.StatusFailed, channel.ReasonRecipientRate, "held back, since no person wrote it: "+string(held))
		m.Status = conversation.StatusFailed
		return m, nil
	}
	row := driver.OutboxRow{Automatic: automatic(m), Event: how.event, Language: d.C.Language, ID: channel.OutboxID(m.ID),
		Account: m.Account, Lane: outboxLane(m.Chat), Conversation: d.C.ID, Message: m.ID, To: m.Chat, Content: said, Reply: reply,
		State: channel.OutboxQueued}
	if how.hold > 0 {
		row.NotBefore = m.HeldUntil
	}
	if m.Author.Kind == conversation.ByAgent {
		if a, err := u.tx.Agents().Agent(u.ctx, m.Author.Agent); err == nil {
			row.SenderName, row.SenderIcon = a.Name, a.Picture
		}
	}
	return m, u.leave(row)
}

// outboxLane is the unit of order of what leaves: the chat. It is coarser than
// a conversation, so that the last words of one and the greeting of the next
// cannot overtake each other at the customer's.
func outboxLane(c channel.Chat) string { return string(c.Kind) + ":" + c.ID }

// welcome greets a customer who added the account. There is no conversation
// yet, so the message is an outbox row alone. It reports whether it was sent.
func (u *unit) welcome(acct channel.Account, in adapter.Inbound) (bool, error) {
	_, adapter, err := u.e.account(u.s, acct.ID)
	if err != nil {
		return false, err
	}
	text := u.automatedText(acct, automated.Welcome, "")
	if text == "" || adapter.Capabilities().NoWelcome {
		return false, nil
	}
	i, err := u.identity(acct, in.Author)
	if err != nil {
		return false, err
	}
	if in.Reply, err = u.noticeFirst(acct, in, i); err != nil {
		return false, err
	}
	return true, u.sayAlone(acct, in, channel.Text(text))
}

// sayAlone answers an event where there is no conversation: the message is an
// outbox row alone.
func (u *unit) sayAlone(acct channel.Account, in adapter.Inbound, c channel.Content) error {
	return u.leave(driver.OutboxRow{ID: channel.OutboxID(newID()), Account: acct.ID, Lane: outboxLane(in.Chat),
		To: in.Chat, Content: c, Reply: in.Reply, State: channel.OutboxQueued})
}

// checkTexts refuses automated texts that could never be sent: longer than the
// rules allow, or than the channel of an account that would send them.
func (u *unit) checkTexts(where string, texts automated.Texts, sends func(channel.Account) bool) error {
	if err := automated.Validate(where, texts); err != nil || sends == nil {
		return err
	}
	for _, a := range u.s.accounts {
		adapter := u.e.adapters[a.Kind]
		if a.Deleted || adapter == nil || !sends(a) {
			continue
		}
		if err := carriesTexts(where, adapter, texts); err != nil {
			return err
		}
	}
	return nil
}

// carriesTexts refuses texts that are longer than the channel carries.
// Where it counts what a reader sees as one character, that is left to it.
func carriesTexts(where string, adapter *guardedAdapter, texts automated.Texts) error {
	limit := adapter.Capabilities().Limits[channel.KindText]
	for name, byLang := range texts {
		for lang, text := range byLang {
			n := 0
			switch limit.Unit {
			case "utf16":
				n = len(utf16.Encode([]rune(text)))
			case "rune":
				n = utf8.RuneCountInString(text)
			case "byte":
				n = len(text)
			}
			if limit.MaxChars > 0 && n > limit.MaxChars {
				return errs.New(errs.Invalid, "sangdam: %s: the %s message (%q) has %d characters as %s counts them; it carries at most %d",
					where, name, lang, n, adapter.kind, limit.MaxChars)
			}
		}
	}
	return nil
}
