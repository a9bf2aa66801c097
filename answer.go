package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
)

// maxText is the longest text of one message in bytes.
const maxText = 1 << 20

// Answer sends a message to the customer.
type Answer struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	Content      channel.Content `json:"content"`
	// To is the identity that gets the message, where the customer of one
	// conversation writes on several channels. It must be one that wrote in the
	// conversation lately. Empty means the identity that wrote last; answers
	// keep going there until the customer writes elsewhere.
	To conversation.IdentityID `json:"to,omitempty"`
	// ThenWait leaves the conversation waiting for the customer.
	ThenWait bool `json:"then_wait,omitempty"`
	// Seen is as End.Seen, and is checked only with ThenWait.
	Seen int64 `json:"seen,omitempty"`
	// Hold keeps the message back, at most 5 minutes, so that Unsend can take it
	// back. What is said after it in the same chat waits for it.
	Hold time.Duration `json:"hold,omitempty"`
}

// Posted is the result of a command that adds a message: its id, its
// conversation, and the Seq of its event there.
type Posted struct {
	Message      conversation.MessageID `json:"message"`
	Conversation conversation.ID        `json:"conversation"`
	Seq          int64                  `json:"seq"`
}

// Answer carries the command out: the message is stored and queued for sending
// when the call returns. Whether it reached the provider shows later in the
// message's status. The principal must own the conversation. To quote a message
// of the chat, give its provider's id in Content.QuoteOf; nothing else of the quotation is
// taken from the caller. ErrInvalid for content that is empty or has more than
// 1 MiB of text, for a Hold above its bound, and for a QuoteOf that does not
// exist; *BannedWords (ErrInvalid) for a banned word; ErrUnsupported, with the
// reason, for content that the channel cannot carry or that is switched off for
// the account; ErrStale, with ThenWait, when the customer has written after
// Seen.
func (e *Engine) Answer(ctx context.Context, p Principal, c Answer) (Posted, error) {
	return command(ctx, e, call{opAnswer, p, c.Key, c}, func(u *unit) (Posted, error) {
		if c.Hold < 0 || c.Hold > holdFor {
			return Posted{}, errs.New(errs.Invalid, "sangdam: a message is held for %s; use 0 to %s", c.Hold, holdFor)
		}
		d, err := u.draft(c.Conversation, ActAnswer)
		if err != nil {
			return Posted{}, err
		}
		back, err := u.answerTo(d, c.To)
		if err != nil {
			return Posted{}, err
		}
		content, quotes, err := u.quoted(d.C, c.Content)
		if err != nil {
			return Posted{}, err
		}
		if content, err = u.withUploads(d.C, content, true); err != nil {
			return Posted{}, err
		}
		if err := u.canSend(d.C, content); err != nil {
			return Posted{}, err
		}
		if err := u.bannedIn(content.Text); err != nil {
			return Posted{}, err
		}
		author := conversation.Author{Kind: conversation.ByAgent, Agent: p.agent()}
		if p.agent() == "" {
			author = conversation.Author{Kind: conversation.BySystem, Name: string(p.Kind)}
		}
		if d.C.Control == conversation.ControlBot { // a person steps in: from here on people go on
			if err := u.takeFromBot(d); err != nil {
				return Posted{}, err
			}
		}
		if p.agent() == "" {
			d.TakeByHost(u.p.actor())
		}
		m, err := u.sayAfter(c.Hold, d, conversation.Message{Author: author, Content: content, Quotes: quotes})
		if err != nil {
			return Posted{}, err
		}
		back()
		if c.ThenWait {
			if err := u.seen(d, c.Seen); err != nil {
				return Posted{}, err
			}
			if err := u.wait(d); err != nil {
				return Posted{}, err
			}
		}
		return Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}, nil
	})
}

// answerTo turns the conversation to the chat in which the identity wrote last;
// back turns it to where it was.
func (u *unit) answerTo(d *draft.Draft, to conversation.IdentityID) (back func(), err error) {
	if to == "" || to == d.C.Identity {
		return func() {}, nil
	}
	recent, err := u.tx.Conversations().Latest(u.ctx, d.C.ID, 0, maxPage)
	if err != nil {
		return nil, err
	}
	slices.Reverse(recent)
	at := slices.IndexFunc(recent, func(m conversation.Message) bool { return m.Author.Identity == to && m.Chat.OfOne() })
	if at < 0 || !d.C.Chat.OfOne() {
		return nil, errs.New(errs.Invalid,
			"sangdam: that identity wrote nothing here lately; leave To empty to answer where the customer wrote last")
	}
	acct, _, err := u.e.account(u.s, recent[at].Account)
	if err != nil {
		return nil, err
	}
	was := d.C
	d.C.Account, d.C.Chat, d.C.Channel, d.C.Identity, d.C.Reply = acct.ID, recent[at].Chat, acct.Kind, to, nil
	return func() {
		d.C.Account, d.C.Chat, d.C.Channel, d.C.Identity, d.C.Reply = was.Account, was.Chat, was.Channel, was.Identity, was.Reply
	}, nil
}

// takeFromBot ends the bot's turn and queues the conversation for an agent.
func (u *unit) takeFromBot(d *draft.Draft) error {
	acct, _, err := u.e.account(u.s, d.C.Account)
	if err != nil {
		return err
	}
	d.TakeFromBot(u.p.actor())
	return u.enqueue(acct, d, conversation.Message{})
}

// canSend refuses what an agent cannot send.
func (u *unit) canSend(c conversation.Conversation, content channel.Content) error {
	if len(content.Files()) > 0 {
		if err := u.agentFiles(c); err != nil {
			return err
		}
	}
	return u.canCarry(c, content)
}

// agentFiles refuses what is switched off.
func (u *unit) agentFiles(c conversation.Conversation) error {
	if acct := u.s.accounts[c.Account]; !(acct.Attachments && acct.AgentAttachments) {
		return errs.New(errs.Unsupported, "sangdam: attachments from agents are switched off for account %q", acct.Name)
	}
	return nil
}

// canCarry refuses what the account or its channel cannot carry.
func (u *unit) canCarry(c conversation.Conversation, content channel.Content) error {
	acct, ad, err := u.e.account(u.s, c.Account)
	if err != nil {
		return err
	}
	if acct.Disabled {
		return errs.New(errs.Unsupported, "sangdam: account %q is switched off; switch it on to answer", acct.Name)
	}
	if err := keepable(content); err != nil {
		return err
	}
	caps := ad.Capabilities()
	if caps.Send[content.Kind] == adapter.Rejected {
		return errs.New(errs.Unsupported, "sangdam: %s cannot carry a message of kind %q", acct.Kind, content.Kind)
	}
	if err := pressable(acct.Kind, caps, content); err != nil {
		return err
	}
	if n := len(content.Files()); n > max(caps.MaxFiles, 1) {
		return errs.New(errs.Unsupported, "sangdam: a message on %s carries %d files at most, not %d", acct.Kind, max(caps.MaxFiles, 1), n)
	}
	// What the adapter would refuse later is refused now.
	state, err := u.chatState(acct.ID, c.Chat)
	if err != nil {
		return err
	}
	_, err = ad.Plan(acct, []adapter.Outbound{{To: c.Chat, Content: content, State: state.State}}, u.tx.Now())
	if se, refused := errors.AsType[*adapter.SendError](err); refused {
		return errs.New(errs.Unsupported, "sangdam: %s cannot carry this message: %s", acct.Kind, se.Detail)
	}
	return err
}

// keepable refuses what is no message on any channel.
func keepable(content channel.Content) error {
	if content.Kind == channel.KindText && strings.TrimSpace(content.Text) == "" {
		return errs.New(errs.Invalid, "sangdam: the message has no text")
	}
	if len(content.Text) > maxText {
		return errs.New(errs.Invalid, "sangdam: the message has %d bytes of text; at most %d are kept", len(content.Text), maxText)
	}
	if len(content.Rich) > 0 && !json.Valid(content.Rich) {
		return errs.New(errs.Invalid, "sangdam: the rich content of the message is not JSON")
	}
	return nil
}

// pressable refuses choices that lack something, on whatever channel, and kinds
// that this one does not carry.
func pressable(kind channel.Kind, caps adapter.Capabilities, content channel.Content) error {
	all := content.Choices
	for _, card := range content.Cards {
		all = slices.Concat(all, card.Choices)
	}
	for _, c := range all {
		if err := c.Valid(); err != nil {
			return err
		}
	}
	for _, c := range content.Choices {
		if !caps.Chooses(c.Kind) {
			return errs.New(errs.Unsupported, "sangdam: %s carries no choices of kind %q", kind, c.Kind)
		}
	}
	return nil
}

// AddNote writes an internal note; customers never see it.
type AddNote struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	Text         string          `json:"text"`
}

// AddNote carries the command out. Whoever may write notes in the conversation
// may do so while another agent owns it, and after its end. ErrInvalid for a
// text that is blank or above 1 MiB.
func (e *Engine) AddNote(ctx context.Context, p Principal, c AddNote) (Posted, error) {
	return command(ctx, e, call{opAddNote, p, c.Key, c}, func(u *unit) (Posted, error) {
		d, err := u.draft(c.Conversation, ActNote)
		if err != nil {
			return Posted{}, err
		}
		m, err := u.note(d, c.Text)
		if err != nil {
			return Posted{}, err
		}
		return Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}, nil
	})
}

// note adds an internal note of the principal's.
func (u *unit) note(d *draft.Draft, text string) (conversation.Message, error) {
	if strings.TrimSpace(text) == "" || len(text) > maxText {
		return conversation.Message{}, errs.New(errs.Invalid, "sangdam: a note has 1 to %d bytes of text", maxText)
	}
	m := conversation.Message{ID: conversation.MessageID(newID()), Content: channel.Text(text), Direction: conversation.Internal,
		Author: conversation.Author{Kind: conversation.ByAgent, Agent: u.p.agent(), Name: string(u.p.Kind)}}
	if err := u.hideSaid(d.C, &m); err != nil {
		return conversation.Message{}, err
	}
	return d.AddNote(m), nil
}

// Resend sends the content of a message that failed, or of which nobody knows
// whether it arrived, as a new message. The library never does so by itself:
// only a person can decide that a message twice is better than none.
type Resend struct {
	Key     Key                    `json:"-"`
	Message conversation.MessageID `json:"message"`
}

// Resend carries the command out. ErrInvalid for a message that is neither
// failed nor unknown, and for one with masks, which would be sent with
// asterisks. Other errors are those of Answer.
func (e *Engine) Resend(ctx context.Context, p Principal, c Resend) (Posted, error) {
	return command(ctx, e, call{opResend, p, c.Key, c}, func(u *unit) (Posted, error) {
		d, old, err := u.onMessage(c.Message, ActResend)
		if err != nil {
			return Posted{}, err
		}
		if old.Direction != conversation.Outbound || (old.Status != conversation.StatusUnknown && old.Status != conversation.StatusFailed) {
			return Posted{}, errs.New(errs.Invalid, "sangdam: message %s is %s; only failed or unknown ones are sent again",
				old.ID, old.Status)
		}
		if len(old.Masks) > 0 {
			return Posted{}, errs.New(errs.Invalid, "sangdam: message %s is masked and would leave with asterisks; write it anew", old.ID)
		}
		content, err := u.relinked(old.Content)
		if err != nil {
			return Posted{}, err
		}
		if err := u.canSend(d.C, content); err != nil {
			return Posted{}, err
		}
		m, err := u.say(d, conversation.Message{Author: old.Author, Content: content, Quotes: old.Quotes, ResendOf: old.ID})
		if err != nil {
			return Posted{}, err
		}
		return Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}, nil
	})
}
