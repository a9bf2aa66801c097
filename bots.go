package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// botTries is how often a bot may fail at one message before a person gets it.
const botTries = 3

// botJobPayload names the conversation whose bot has something to read.
type botJobPayload struct {
	Conversation conversation.ID `json:"conversation"`
}

// askBot has the bot read what the customer wrote, outside the transaction.
// One job a conversation reads message after message, so that a bot sees them
// in order and never two at once.
func (u *unit) askBot(d *conversation.Draft) error {
	return u.enqueueJob(jobBot, string(d.C.ID), botJobPayload{d.C.ID})
}

// botJob lets the bot read the oldest message it has not seen, until none is
// left. The job ends in the transaction that finds nothing more to read: a
// message that comes later makes a new job. Any other end gives the customer to
// people.
func (e *Engine) botJob(ctx context.Context, j driver.Job) error {
	var p botJobPayload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return err
	}
	for {
		more, err := e.botTurn(ctx, j, p.Conversation)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil // the conversation is gone
		case err != nil:
			return e.botStuck(ctx, j, p.Conversation, err)
		case !more:
			return nil
		}
	}
}

// botTurn has the bot read one message and commits what it wants, under the
// job's claim and only if the bot's place is the one that it was asked at.
func (e *Engine) botTurn(ctx context.Context, j driver.Job, id conversation.ID) (more bool, err error) {
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
		if reply, err = e.ask(ctx, j, turn); err != nil {
			return false, err
		}
	}
	err = e.unit(ctx, system(j.Workspace), func(u *unit) error {
		more = false
		cv, err := u.tx.Conversations().Conversation(u.ctx, id)
		if err != nil {
			return err
		}
		d := conversation.Edit(cv, u.tx.Now())
		// An answer that comes after an agent stepped in, or after somebody else
		// answered this message, is not sent.
		place := turn.Conversation
		if asked && d.CheckFence(conversation.ControlBot, place.Fence) == nil && d.C.BotSeq == place.BotSeq {
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
		if more && j.Attempts == 1 {
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

// botStuck decides what becomes of a turn that ended without a reply: it is
// tried again, or people take over in the transaction that ends the job.
func (e *Engine) botStuck(ctx context.Context, j driver.Job, id conversation.ID, why error) error {
	switch {
	case ctx.Err() != nil, errors.Is(why, errClaimLost):
		return why
	case j.Attempts < botTries && (errors.Is(why, ErrUnavailable) || errors.Is(why, ErrConflict) || errors.Is(why, context.DeadlineExceeded)):
		return why
	}
	err := e.unit(ctx, system(j.Workspace), func(u *unit) error {
		cv, err := u.tx.Conversations().Conversation(u.ctx, id)
		if err != nil {
			return err
		}
		unread, err := unreadByBot(u.ctx, u.tx, cv)
		if err != nil {
			return err
		}
		var m conversation.Message
		if len(unread) > 0 {
			m = unread[0]
		}
		d := conversation.Edit(cv, u.tx.Now())
		if d.C.Control == conversation.ControlBot {
			if err := u.handOver(d, m, "system", conversation.BotFailed); err != nil {
				return err
			}
			if err := u.finish(d); err != nil {
				return err
			}
		}
		return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token)
	})
	if err == nil {
		e.log.Warn("a bot's turn ended without an answer; a person takes over", "job", j.ID, "error", kindName(why))
	}
	return err
}

// notHeard asks people where a bot has the word and what it or an automated
// text said failed or may not have arrived: the customer may have heard nothing.
func (u *unit) notHeard(d *conversation.Draft, m conversation.Message) error {
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
func (u *unit) handOver(d *conversation.Draft, m conversation.Message, actor string, how conversation.BotOutcome) error {
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

// ask calls the bot while the job's lease is prolonged. One that is gone, fails
// repeatedly, or goes on when its time is over, hands over.
func (e *Engine) ask(ctx context.Context, j driver.Job, t bot.Turn) (botAnswer, error) {
	failed := botAnswer{Reply: bot.Reply{HandOver: true}, how: conversation.BotFailed}
	b := e.bots[t.Conversation.Bot]
	if b == nil || j.Attempts > botTries {
		return failed, nil
	}
	held, release := e.holdJob(ctx, j)
	defer release()
	reply, err := b.Next(held, t, e.cfg.BotTimeout)
	switch {
	case err == nil && reply.End:
		return botAnswer{reply, conversation.BotEnded}, nil
	case err == nil:
		return botAnswer{reply, conversation.BotHandedOver}, nil
	case held.Err() != nil:
		return botAnswer{}, context.Cause(held)
	case j.Attempts < botTries && !errors.Is(err, errLeftBehind): // it is never called beside itself
		return botAnswer{}, errs.New(errs.Unavailable, "sangdam: bot %q failed at a message (%s); it is asked again", b.name, kindName(err))
	}
	e.log.Warn("a bot failed; a person takes over", "bot", b.name, "error", kindName(err))
	return failed, nil
}

// errClaimLost says that somebody else works the job now.
var errClaimLost = errs.New(errs.Stale, "sangdam: the claim of the job was lost")

// holdJob prolongs a job's lease until release is called, so that nobody else
// takes it while it is worked. The context that it returns ends with
// errClaimLost when the claim is lost all the same.
func (e *Engine) holdJob(ctx context.Context, j driver.Job) (held context.Context, release func()) {
	held, lost := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(e.cfg.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			err := e.db.Update(held, j.Workspace, func(ctx context.Context, tx store.Tx) error {
				return tx.Jobs().Report(ctx, j.ID, j.Token, j.Progress, e.cfg.Lease)
			})
			if errors.Is(err, ErrStale) {
				lost(errClaimLost)
			}
		}
	}()
	return held, func() {
		lost(context.Canceled)
		<-done
	}
}

// botReply does what the bot wants.
func (u *unit) botReply(d *conversation.Draft, m conversation.Message, r botAnswer) error {
	for _, content := range r.Say {
		if err := u.canCarry(d.C, content); err != nil {
			return err
		}
		with, quotes, err := u.quoted(d.C, content)
		switch {
		case err == nil:
			content = with
		case !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported):
			return err // else it goes out without the quote: the customer is to have an answer
		}
		author := conversation.Author{Kind: conversation.ByBot, Name: d.C.Bot}
		if _, err := u.say(d, conversation.Message{Content: content, Author: author, Quotes: quotes}); err != nil {
			return err
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
		if err := u.endDraft(d, "bot:"+d.C.Bot, "bot", true); err != nil {
			return err
		}
	case r.HandOver:
		if err := u.handOver(d, m, "bot:"+d.C.Bot, r.how); err != nil {
			return err
		}
	}
	return u.finish(d)
}
