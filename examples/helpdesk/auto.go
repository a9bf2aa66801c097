package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// echoAgent is an agent that is a program: it goes online, accepts every offer,
// answers every message with an echo, and ends a conversation when the customer
// says bye. Its commands have keys made of what they react to, so that it may
// be killed anywhere and go on without saying anything twice.
type echoAgent struct {
	h     *helpdesk
	id    routing.AgentID
	say   func(channel.Content) string // what it answers
	talks map[conversation.ID]*talk
}

// talk is how far the agent has read a conversation.
type talk struct {
	seq     int64 // the last event read
	waiting []said
	last    said // the customer's last message
	ended   conversation.MessageID
}

// said is a message of the customer's.
type said struct {
	id  conversation.MessageID
	seq int64
}

func newEchoAgent(h *helpdesk, id routing.AgentID) *echoAgent {
	a := &echoAgent{h: h, id: id, say: echo, talks: map[conversation.ID]*talk{}}
	if h.o.demo {
		a.say = demoAnswer
	}
	return a
}

func echo(c channel.Content) string { return "Echo: " + c.Text }

// run works until ctx ends.
func (a *echoAgent) run(ctx context.Context) {
	hints, stop := a.h.eng.Watch()
	defer stop()
	online := false
	for ctx.Err() == nil {
		var err error
		if !online {
			a.h.present.set(a.id, true)
			err = a.h.eng.SetPresence(ctx, as(a.id), sangdam.SetPresence{Agent: a.id, Presence: routing.Online})
			online = err == nil
		}
		if online {
			err = a.work(ctx)
		}
		if err != nil && ctx.Err() == nil {
			a.h.out.logger().Warn("the echo agent tries again", "agent", string(a.id), "error", err)
		}
		pause(ctx, hints, 500*time.Millisecond)
	}
}

// work accepts what is offered and answers what was written.
func (a *echoAgent) work(ctx context.Context) error {
	offers, owned, err := a.h.held(ctx, a.id)
	if err != nil {
		return err
	}
	for _, o := range offers {
		as, err := a.h.eng.Accept(ctx, as(a.id), sangdam.Accept{Key: sangdam.Key("accept:" + o.ID), Offer: o.ID})
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		owned = append(owned, routing.Assignment{Item: routing.ItemID(as.Conversation)})
	}
	mine := map[conversation.ID]bool{}
	for _, as := range owned {
		id := conversation.ID(as.Item)
		mine[id] = true
		if err := a.attend(ctx, id); err != nil && !gone(err) {
			return err
		}
	}
	for id := range a.talks {
		if !mine[id] {
			delete(a.talks, id)
		}
	}
	return nil
}

// gone says that the work is no longer the agent's.
func gone(err error) bool {
	return errors.Is(err, sangdam.ErrStale) || errors.Is(err, sangdam.ErrNotFound) || errors.Is(err,
		sangdam.ErrPermissionDenied) || errors.Is(err, sangdam.ErrInvalid)
}

// attend answers one conversation's messages in the order in which they came.
func (a *echoAgent) attend(ctx context.Context, id conversation.ID) error {
	t := a.talks[id]
	if t == nil {
		t = &talk{}
		a.talks[id] = t
	}
	for {
		if err := a.read(ctx, id, t); err != nil {
			return err
		}
		if len(t.waiting) == 0 {
			return a.perhapsEnd(ctx, id, t)
		}
		next := t.waiting[0]
		content, err := a.content(ctx, id, next)
		if err != nil {
			return err
		}
		_, err = a.h.eng.Answer(ctx, as(a.id), sangdam.Answer{Key: sangdam.Key("echo:" + next.id), Conversation: id,
			Content: channel.Text(a.say(content))})
		if err != nil {
			return err
		}
	}
}

// read follows the conversation's events: each answer of an agent answers the
// oldest message that waits.
func (a *echoAgent) read(ctx context.Context, id conversation.ID, t *talk) error {
	for {
		events, err := a.h.eng.ConversationEvents(ctx, as(a.id), id, t.seq, 200)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, ev := range events {
			t.seq = ev.Seq
			switch {
			case ev.Kind != conversation.EvMessage:
			case ev.Actor == "customer":
				t.last = said{ev.Message, ev.Seq}
				t.waiting = append(t.waiting, t.last)
			case strings.HasPrefix(ev.Actor, "agent:") && len(t.waiting) > 0:
				t.waiting = t.waiting[1:]
			}
		}
	}
}

func (a *echoAgent) content(ctx context.Context, id conversation.ID, m said) (channel.Content, error) {
	at, err := a.h.eng.Transcript(ctx, as(a.id), id, m.seq-1, 1)
	if err != nil || len(at) == 0 || at[0].ID != m.id {
		return channel.Content{}, err
	}
	return at[0].Content, nil
}

// saysBye tells the customer's last word.
func saysBye(text string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSpace(text)), "bye")
}

// perhapsEnd ends the conversation when the customer's last word was bye.
func (a *echoAgent) perhapsEnd(ctx context.Context, id conversation.ID, t *talk) error {
	if t.last.id == "" || t.ended == t.last.id {
		return nil
	}
	content, err := a.content(ctx, id, t.last)
	if err != nil {
		return err
	}
	t.ended = t.last.id // looked at
	if !saysBye(content.Text) {
		return nil
	}
	_, err = a.h.eng.End(ctx, as(a.id),
		sangdam.End{Key: sangdam.Key("end:" + t.last.id), Conversation: id, Final: true, Reason: "said_bye"})
	return err
}
