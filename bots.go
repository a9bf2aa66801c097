package sangdam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

const jobBot = "bot"

func init() {
	registerJob(jobKind{name: jobBot, workers: 32, tries: botTries, hopeless: botHopeless,
		bound: func(cfg Config) time.Duration { return (botMessages + 1) * cfg.BotTimeout }}, (*Engine).botJob, (*unit).botStuck)
}

const (
	// botTries is how often a bot may fail at one message before a person gets it.
	botTries = 3
	// botMessages is how many messages one job lets the bot read; another goes on.
	botMessages = 20
)

// botJobPayload names the conversation whose bot has something to read.
type botJobPayload struct {
	Conversation conversation.ID `json:"conversation"`
}

// askBot has the bot read what the customer wrote, outside the transaction.
// One job a conversation reads message after message, so that a bot sees them
// in order and never two at once.
func (u *unit) askBot(d *draft.Draft) error {
	return u.enqueueJob(jobBot, string(d.C.ID), botJobPayload{d.C.ID})
}

// botJob lets the bot read the oldest message it has not seen, until none is
// left. The job ends in the transaction that finds nothing more to read: a
// message that comes later makes a new job. Any other end gives the customer to
// people.
func (e *Engine) botJob(ctx context.Context, j *runningJob, p botJobPayload) error {
	for left := botMessages; ; {
		left--
		more, err := e.botTurn(ctx, j, p.Conversation, left > 0)
		if errors.Is(err, ErrNotFound) {
			return nil // the conversation is gone
		}
		if err != nil || !more {
			return err
		}
	}
}

// botTurn has the bot read one message and commits what it wants, under the
// job's claim and only if the bot's place is the one that it was asked at. It
// tells whether this job is to read on.
func (e *Engine) botTurn(ctx context.Context, j *runningJob, id conversation.ID, mayGoOn bool) (more bool, err error) {
	var turn bot.Turn
	var unread []conversation.Message
	err = e.db.View(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		if turn.Conversation, err = tx.Conversations().Conversation(ctx, id); err != nil {
			return err
		}
		unread, err = unreadByBot(ctx, tx, turn.Conversation)
		return err
	})
	if err != nil {
		return false, err
	}
	var reply botAnswer
	asked := turn.Conversation.Control == conversation.ControlBot && len(unread) > 0
	if asked {
		turn.Message, turn.Data = unread[0], maps.Clone(turn.Conversation.BotData)
		if reply, err = e.ask(ctx, j.Attempts, turn); err != nil {
			return false, err
		}
	}
	err = e.unit(ctx, system(j.Workspace), func(u *unit) error {
		more = false
		d, err := u.conversation(id)
		if err != nil {
			return err
		}
		// An answer that comes after an agent stepped in is not sent. One that
		// comes after another worker took the job is undone below, with its claim.
		if asked && d.CheckFence(conversation.ControlBot, turn.Conversation.Fence) == nil {
			d.C.BotSeq = turn.Message.Seq
			if err := u.botReply(d, turn.Message, reply); err != nil {
				return err
			}
		}
		if d.C.Control == conversation.ControlBot {
			left, err := unreadByBot(u.ctx, u.tx, d.C)
			if err != nil {
				return err
			}
			more = len(left) > 0
		}
		if more && j.Attempts == 1 && mayGoOn {
			return u.tx.Jobs().Report(u.ctx, j.ID, j.Token, j.Progress, e.cfg.Lease)
		}
		if err := u.tx.Jobs().Finish(u.ctx, j.ID, j.Token); err != nil || !more {
			return err
		}
		more = false // another job reads on: tries are counted for each message
		return u.askBot(d)
	})
	return more, err
}

// botHopeless says that asking the bot again cannot help.
func botHopeless(why error) bool {
	for _, passing := range []error{ErrUnavailable, ErrConflict, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(why, passing) {
			return false
		}
	}
	return true
}

// botStuck gives the customer to people after turns that ended without a reply.
func (u *unit) botStuck(p botJobPayload, why error) error {
	d, err := u.conversation(p.Conversation)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || d.C.Control != conversation.ControlBot {
		return err
	}
	u.e.log.Warn("what a bot wanted cannot be done; a person takes over", "bot", d.C.Bot, "error", kindName(why))
	unread, err := unreadByBot(u.ctx, u.tx, d.C)
	if err != nil {
		return err
	}
	var m conversation.Message
	if len(unread) > 0 {
		m = unread[0]
	}
	return u.handOver(d, m, "system", conversation.BotFailed)
}

// notHeard asks people where a bot has the word and what it or an automated
// text said failed or may not have arrived: the customer may have heard nothing.
func (u *unit) notHeard(d *draft.Draft, m conversation.Message) error {
	unheard := m.Status == conversation.StatusFailed || m.Status == conversation.StatusUnknown
	byNobody := m.Author.Kind == conversation.ByBot || m.Automated != ""
	if !unheard || !byNobody || d.C.Control != conversation.ControlBot {
		return nil
	}
	// What the bot read last is what people are asked about.
	after, err := u.tx.Conversations().Messages(u.ctx, d.C.ID, max(0, d.C.BotSeq-1), maxPage)
	if err != nil {
		return err
	}
	var said conversation.Message
	if i := slices.IndexFunc(after, func(m conversation.Message) bool { return m.Direction == conversation.Inbound }); i >= 0 {
		said = after[i]
	}
	return u.handOver(d, said, "system", conversation.BotUnsent)
}

// handOver takes the word from the bot and asks people.
func (u *unit) handOver(d *draft.Draft, m conversation.Message, actor string, how conversation.BotOutcome) error {
	d.BotDone(how)
	d.TakeFromBot(actor)
	acct := u.s.accounts[d.C.Account]
	if err := u.enqueue(acct, d, m); err != nil {
		return err
	}
	return u.sayAway(acct, d)
}

// unreadByBot returns customer messages that the bot has not seen, the oldest
// ones first: some while there are any.
func unreadByBot(ctx context.Context, tx store.Tx, c conversation.Conversation) ([]conversation.Message, error) {
	for after := c.BotSeq; ; {
		page, err := tx.Conversations().Messages(ctx, c.ID, after, maxPage)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		after = page[len(page)-1].Seq
		unread := slices.DeleteFunc(page, func(m conversation.Message) bool { return m.Direction != conversation.Inbound })
		if len(unread) > 0 {
			return unread, nil
		}
	}
}

// botAnswer is a bot's reply, or what stands in its place.
type botAnswer struct {
	bot.Reply
	how conversation.BotOutcome // when the turn ends with it
}

// ask calls the bot. One that is gone, fails repeatedly, or goes on when its
// time is over, hands over.
func (e *Engine) ask(ctx context.Context, attempt int, t bot.Turn) (botAnswer, error) {
	failed := botAnswer{Reply: bot.Reply{HandOver: true}, how: conversation.BotFailed}
	b := e.bots[t.Conversation.Bot]
	if b == nil {
		return failed, nil
	}
	reply, err := b.Next(ctx, t, e.cfg.BotTimeout)
	switch {
	case err == nil && reply.End:
		return botAnswer{reply, conversation.BotEnded}, nil
	case err == nil:
		return botAnswer{reply, conversation.BotHandedOver}, nil
	case ctx.Err() != nil:
		return botAnswer{}, context.Cause(ctx)
	case attempt < botTries && !errors.Is(err, errLeftBehind): // it is never called beside itself
		return botAnswer{}, errs.New(errs.Unavailable, "sangdam: bot %q failed at a message (%s); it is asked again", b.name, kindName(err))
	}
	e.log.Warn("a bot failed; a person takes over", "bot", b.name, "error", kindName(err))
	return failed, nil
}

// botReply does what the bot wants.
func (u *unit) botReply(d *draft.Draft, m conversation.Message, r botAnswer) error {
	for _, content := range r.Say {
		said, err := u.botSays(d, content)
		if err != nil {
			return err
		}
		if said.Status == conversation.StatusFailed { // it may not speak any more: people do
			return u.handOver(d, m, "system", conversation.BotUnsent)
		}
	}
	if r.Data != nil {
		d.C.BotData = r.Data
	}
	if len(r.Attributes) > 0 && d.C.Attributes == nil {
		d.C.Attributes = map[string]string{}
	}
	maps.Copy(d.C.Attributes, r.Attributes)
	switch {
	case r.End:
		d.BotDone(r.how)
		return u.endDraft(d, "bot:"+d.C.Bot, "bot", true)
	case r.HandOver:
		return u.handOver(d, m, "bot:"+d.C.Bot, r.how)
	}
	return nil
}

// botSays sends one message of the bot's. A quote that cannot be goes without:
// the customer is to have an answer.
func (u *unit) botSays(d *draft.Draft, content channel.Content) (conversation.Message, error) {
	content, err := u.withUploads(d.C, content, true)
	if err != nil {
		return conversation.Message{}, err
	}
	if err := u.canCarry(d.C, content); err != nil {
		return conversation.Message{}, err
	}
	with, quotes, err := u.quoted(d.C, content)
	switch {
	case err == nil:
		content = with
	case !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported):
		return conversation.Message{}, err
	}
	author := conversation.Author{Kind: conversation.ByBot, Name: d.C.Bot}
	return u.say(d, conversation.Message{Content: content, Author: author, Quotes: quotes})
}

// startBot lets a bot speak with a customer whom no agent serves. The
// conversation leaves its queue; the bot's hand-over brings it back.
func (p *pulledConversation) startBot(a trigger.Action) (trigger.Outcome, error) {
	params, err := trigger.Params[action.BotParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	switch {
	case p.u.e.bots[params.Bot] == nil:
		return passed("there is no bot of this name any more"), nil
	case p.now.State.Ended():
		return passed("the conversation has ended"), nil
	case p.now.Agent != "" || p.now.Control != conversation.ControlNobody:
		return passed("somebody else has the word"), nil
	}
	d := p.u.conversationOf(p.now)
	if err := p.u.releaseWork(d, routing.EndRemoved, routing.ItemDone); err != nil {
		return trigger.Outcome{}, err
	}
	from := p.asked
	if from == 0 {
		from = p.now.EventSeq + 1
	}
	d.GiveToBot(params.Bot, conversation.Message{Seq: from})
	if err := p.u.askBot(d); err != nil {
		return trigger.Outcome{}, err
	}
	return done("bot:" + params.Bot)
}
