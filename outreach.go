package sangdam

import (
	"cmp"
	"context"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// What is said to a customer without having been asked: notices that change
// nothing, and conversations that the desk begins.

var (
	opNotify = acts("conversation.notify", "Notify", kindConversation, ActNotify)
	opBegin  = acts("conversation.begin", "Begin", kindAccount, ActBegin, ActAnswer).also(kindConversation)
)

// Notify tells the customer of a conversation something in the host's name,
// such as that a parcel has left.
type Notify struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	Content      channel.Content `json:"content"`
}

// Notify carries the command out. It leaves the conversation as it is: a bot
// goes on talking, no agent is assigned or counted as having answered, a closed
// conversation stays closed, and a free reply that the provider allows is left
// for the answer. The message is sent after those that are queued for the same
// chat. Under DefaultPolicy hosts, administrators and supervisors may notify;
// an agent uses Answer. ErrUnsupported, with the reason, for content that the
// channel cannot carry; *BannedWords (ErrInvalid) for a banned word.
func (e *Engine) Notify(ctx context.Context, p Principal, c Notify) (Posted, error) {
	return command(ctx, e, call{opNotify, p, c.Key, c}, func(u *unit) (Posted, error) {
		d, err := u.draft(c.Conversation, ActNotify)
		if err != nil {
			return Posted{}, err
		}
		if d.C.MergedInto != "" {
			return Posted{}, errs.New(errs.Stale, "sangdam: the conversation is part of %s by now; notify there", d.C.MergedInto)
		}
		content, err := u.withUploads(d.C, c.Content, true)
		if err != nil {
			return Posted{}, err
		}
		if err := u.sendable(d.C, content); err != nil {
			return Posted{}, err
		}
		reply := d.C.Reply
		d.C.Reply = nil // it belongs to an answer
		m, err := u.say(d, conversation.Message{Author: conversation.Author{Kind: conversation.BySystem, Name: string(p.Kind)},
			Content: content})
		d.C.Reply = reply
		if err != nil {
			return Posted{}, err
		}
		return Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}, nil
	})
}

// sendable is what every message of people and hosts must pass.
func (u *unit) sendable(c conversation.Conversation, content channel.Content) error {
	if err := u.canSend(c, content); err != nil {
		return err
	}
	return u.bannedIn(content.Text)
}

// Begin writes to a person first.
type Begin struct {
	Key     Key               `json:"-"`
	Account channel.AccountID `json:"account"`
	// User is the person at the account's provider. One who never wrote becomes a
	// contact, whom LinkUser can join to another.
	User    channel.ProviderUserID `json:"user"`
	Content channel.Content        `json:"content"`
}

// Begin carries the command out. Where the person has an open conversation the
// message goes there, and an agent must own it. Otherwise a new conversation
// begins. An agent who begins it owns it, as if it had picked it; one that a
// host begins has no owner and waits for the customer's answer. By the default
// policy agents begin on the accounts of their desks. ErrUnsupported for
// somebody who blocked the account and for what the channel cannot carry.
func (e *Engine) Begin(ctx context.Context, p Principal, c Begin) (Posted, error) {
	return command(ctx, e, call{opBegin, p, c.Key, c}, func(u *unit) (Posted, error) {
		if err := cmp.Or(u.allow(ActBegin, u.s.accountResource(c.Account)), u.off(SwitchChat)); err != nil {
			return Posted{}, err
		}
		acct, _, err := u.e.account(u.s, c.Account)
		if err != nil {
			return Posted{}, err
		}
		d, err := u.beginning(acct, c.User)
		if err != nil {
			return Posted{}, err
		}
		content, err := u.withUploads(d.C, c.Content, true)
		if err != nil {
			return Posted{}, err
		}
		if err := u.sendable(d.C, content); err != nil {
			return Posted{}, err
		}
		return u.begun(acct, d, content)
	})
}

// maxUserID is the bytes of a provider's user id: those of a key in the stores.
const maxUserID = 200

// beginning is the conversation in which somebody is written to: the open one,
// or a new one after the last.
func (u *unit) beginning(acct channel.Account, user channel.ProviderUserID) (*draft.Draft, error) {
	if user == "" || len(user) > maxUserID {
		return nil, errs.New(errs.Invalid, "sangdam: Begin needs the person's id at the provider, of at most %d bytes", maxUserID)
	}
	i, made, err := u.identityOn(acct, adapter.Author{User: user}, acct.Desk)
	if err != nil {
		return nil, err
	}
	if i.Follows != nil && !*i.Follows {
		return nil, errs.New(errs.Unsupported, "sangdam: this person has blocked account %q; nothing can be sent until it is added again",
			acct.Name)
	}
	in := adapter.Inbound{Chat: channel.Chat{Kind: channel.ChatUser, ID: string(user)}}
	open, last, err := u.tx.Conversations().ByThread(u.ctx, u.s.thread(in.Chat, acct.ID, acct.WorkStream, i.Contact))
	if err != nil {
		return nil, err
	}
	if open != nil {
		return u.conversationOf(*open), u.allow(ActAnswer, conversationResource(*open))
	}
	if !made { // so that a link of the identity meets the conversation, whichever is first
		u.opens(i)
	}
	if err := u.wroteTo(i, acct.Desk); err != nil {
		return nil, err
	}
	return u.newConversation(acct, in, i, i.Contact, last), nil
}

// begun says the first words. Then the conversation is the agent's, or waits.
func (u *unit) begun(acct channel.Account, d *draft.Draft, content channel.Content) (Posted, error) {
	agent := u.p.agent()
	author := u.writer()
	anew := d.C.Version == 0
	if !anew && d.C.Control == conversation.ControlBot {
		if err := u.takeFromBot(d); err != nil {
			return Posted{}, err
		}
	}
	m, err := u.say(d, conversation.Message{Author: author, Content: content})
	if err != nil {
		return Posted{}, err
	}
	out := Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}
	switch {
	case !anew:
		return out, nil
	case agent == "":
		if err := d.Wait(u.p.actor(), true); err != nil {
			return Posted{}, err
		}
		return out, nil
	}
	if err := u.enqueue(acct, d, conversation.Message{}); err != nil {
		return Posted{}, err
	}
	_, err = u.give(d.C.ID, agent, give{reason: routing.EndTransferred})
	return out, err
}

// writer is the agent who acts, or else the host or the library.
func (u *unit) writer() conversation.Author {
	if agent := u.p.agent(); agent != "" {
		return conversation.Author{Kind: conversation.ByAgent, Agent: agent}
	}
	return conversation.Author{Kind: conversation.BySystem, Name: string(u.p.Kind)}
}
