package sangdam

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
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
// message that comes later makes a new job.
func (e *Engine) botJob(ctx context.Context, j driver.Job) error {
	var p botJobPayload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return err
	}
	for {
		more, err := e.botTurn(ctx, j, p.Conversation)
		if err != nil || !more {
			return err
		}
	}
}

func (e *Engine) botTurn(ctx context.Context, j driver.Job, id conversation.ID) (more bool, err error) {
	var turn bot.Turn
	var unread []conversation.Message
	err = e.db.View(ctx, j.Workspace, func(ctx context.Context, tx driver.Tx) (err error) {
		if turn.Conversation, err = tx.Conversations().Conversation(ctx, id); err != nil {
			return err
		}
		unread, err = unreadByBot(ctx, tx, turn.Conversation)
		return err
	})
	if err != nil {
		return false, err
	}
	var reply bot.Reply
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
		// An answer that comes after an agent stepped in is not sent.
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
			if more = len(left) > 0; more {
				return nil
			}
		}
		return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token)
	})
	return more, err
}

// unreadByBot returns customer messages that the bot has not seen, oldest
// first.
func unreadByBot(ctx context.Context, tx driver.Tx, c conversation.Conversation) ([]conversation.Message, error) {
	all, err := tx.Conversations().Messages(ctx, c.ID, c.BotSeq, maxPage)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m conversation.Message) bool { return m.Direction != conversation.Inbound }), nil
}

// ask calls the bot. One that is gone, or fails repeatedly, hands over.
func (e *Engine) ask(ctx context.Context, j driver.Job, t bot.Turn) (bot.Reply, error) {
	b := e.bots[t.Conversation.Bot]
	if b == nil {
		return bot.Reply{HandOver: true}, nil
	}
	// What the reply leads to must still fit into the job's lease.
	reply, err := b.Next(ctx, t, e.cfg.Lease/2)
	if err == nil {
		return reply, nil
	}
	if j.Attempts < botTries {
		return reply, err
	}
	e.log.Warn("a bot failed; a person takes over", "bot", b.name, "error", kindName(err))
	return bot.Reply{HandOver: true}, nil
}

func (u *unit) botReply(d *conversation.Draft, m conversation.Message, r bot.Reply) error {
	for _, content := range r.Say {
		if _, err := u.say(d, conversation.Message{Content: content, Author: conversation.Author{Kind: conversation.ByBot, Name: d.C.Bot}}); err != nil {
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
		if err := u.endDraft(d, "bot:"+d.C.Bot, "bot", true); err != nil {
			return err
		}
	case r.HandOver:
		acct, _, err := u.e.account(u.s, d.C.Account)
		if err != nil {
			return err
		}
		d.TakeFromBot("bot:" + d.C.Bot)
		if err := u.enqueue(acct, d, m); err != nil {
			return err
		}
	}
	return u.finish(d)
}
