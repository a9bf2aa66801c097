// Package bot defines what a bot is to a conversation: something that is given
// one customer message at a time and answers with what to say, what it learnt,
// and whether a person should go on (CV12, CV13).
//
// Begin with Bot, which a host implements, or with Script, which greets, asks one
// thing and hands over. A bot sees one conversation and has no other access: it cannot look
// anything up in the Engine, and is called outside of transactions. It is given to
// Config.Bots, and a work stream names it.
package bot

import (
	"context"
	"fmt"
	"maps"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// Bot answers customers before, or instead of, a person. Next runs outside any
// transaction and may take time or call out; it must honour ctx. It may be
// called again with the same Turn after a crash, and two conversations at once.
// An error or a panic is tried again a few times; then the conversation goes to
// a person with what was gathered so far.
type Bot interface {
	// Name identifies the bot in settings and records; constant.
	Name() string
	Next(ctx context.Context, t Turn) (Reply, error)
}

// Turn is what the bot is given.
type Turn struct {
	Conversation conversation.Conversation
	// Message is what the customer said last; text already masked as stored.
	Message conversation.Message
	// Data is what the bot returned last time; empty at the start.
	Data map[string]string
}

// Reply is what the bot wants.
type Reply struct {
	// Say is sent in order.
	Say []channel.Content
	// Data replaces the bot's data.
	Data map[string]string
	// Attributes are set on the conversation, where classification sees them.
	Attributes map[string]string
	// HandOver gives the conversation to classification and routing.
	HandOver bool
	// End closes the conversation.
	End bool
}

// Script is a bot that greets, asks one thing, keeps the answer as an
// attribute and hands over.
type Script struct {
	ID       string // the bot's name; required
	Greeting string // optional
	Question string // required
	Field    string // attribute that gets the answer; required
	Thanks   string // said before the hand-over; optional
}

// Validate says what is missing.
func (s Script) Validate() error {
	for _, f := range []struct{ name, value string }{{"ID", s.ID}, {"Question", s.Question}, {"Field", s.Field}} {
		if f.value == "" {
			return fmt.Errorf("bot: the script has no %s: %w", f.name, errs.Invalid)
		}
	}
	return nil
}

// Name returns the script's ID.
func (s Script) Name() string { return s.ID }

// Next asks on the first turn and hands over on the second.
func (s Script) Next(_ context.Context, t Turn) (Reply, error) {
	if t.Data["asked"] == "" {
		r := Reply{Data: map[string]string{"asked": s.Field}}
		for _, text := range []string{s.Greeting, s.Question} {
			if text != "" {
				r.Say = append(r.Say, channel.Text(text))
			}
		}
		return r, nil
	}
	r := Reply{Data: maps.Clone(t.Data), Attributes: map[string]string{s.Field: t.Message.Content.Text}, HandOver: true}
	if s.Thanks != "" {
		r.Say = []channel.Content{channel.Text(s.Thanks)}
	}
	return r, nil
}
