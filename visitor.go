package sangdam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
)

// Visitor returns what an adapter calls for customers who are connected to this
// process, such as those of a chat in a web page. The adapter authenticates the
// visitor. Every method checks that the account exists and is switched on, and
// reaches nothing but that visitor's own conversations.
func (e *Engine) Visitor() visitor.Port { return visitorPort{e} }

type visitorPort struct{ e *Engine }

// principal of a visitor: idempotency keys are kept per visitor.
func visitorPrincipal(v visitor.Ref) Principal {
	return Principal{Workspace: id.Workspace(v.Workspace), Kind: KindVisitor, ID: string(v.Account) + "/" + string(v.User)}
}

// visit carries out what a visitor asks for, once per key. c leaves out who gives it:
// that is the visitor.
func visit[T any](ctx context.Context, e *Engine, v visitor.Ref, c call, fn func(u *unit, acct channel.Account) (T, error)) (T, error) {
	c.p = visitorPrincipal(v)
	return command(ctx, e, c, func(u *unit) (zero T, err error) {
		acct, _, err := e.account(u.s, v.Account)
		if err != nil {
			return zero, err
		}
		if acct.Disabled || v.User == "" {
			return zero, noSuch(kindAccount)
		}
		if v.Language != "" {
			acct.Language = v.Language // what begins now is in the visitor's
		}
		u.resource, u.asked = Resource{Kind: kindAccount, ID: string(acct.ID)}, true // the port is the policy
		return fn(u, acct)
	})
}

const (
	actVisitorPost     Action = "visitor.post"
	actVisitorConsent  Action = "visitor.consent"
	actVisitorIdentify Action = "visitor.identify"
	actVisitorRate     Action = "visitor.rate"
	actVisitorEnd      Action = "visitor.end"
)

// Post stores a visitor's message as the flow stores any other.
func (p visitorPort) Post(ctx context.Context, v visitor.Ref, key string, c channel.Content) (visitor.Message, error) {
	if err := postable(key, c); err != nil {
		return visitor.Message{}, err
	}
	// The key is also the provider's message id, so that even without the
	// stored answer a repeat finds the message, and the handle that it is marked
	// as read by.
	pm := channel.ProviderMessageID(string(v.User) + "/" + key)
	chat := visitorChat(v)
	posted, err := visit(ctx, p.e, v, call{op: opVisitorPost, key: Key(key), body: c}, func(u *unit, acct channel.Account) (Posted, error) {
		in := adapter.Inbound{Kind: adapter.EventMessage, Chat: chat, Author: adapter.Author{User: v.User}, MessageID: pm,
			OccurredAt: u.tx.Now(), Content: c,
			ReadHandle: string(pm), Begins: begins(v.From)}
		if err := u.customerMessage(acct, in); err != nil {
			return Posted{}, err
		}
		m, err := u.tx.Conversations().ByProvider(u.ctx, acct.ID, chat, pm)
		return Posted{Message: m.ID, Conversation: m.Conversation, Seq: m.CustomerSeq}, err
	})
	if err != nil {
		return visitor.Message{}, err
	}
	var m conversation.Message
	err = p.e.db.View(ctx, id.Workspace(v.Workspace), func(ctx context.Context, tx store.Tx) (err error) {
		m, err = tx.Conversations().Message(ctx, posted.Message)
		return err
	})
	return visitorMessage(v, m, posted.Seq), err
}

// postable refuses what no visitor's message is.
func postable(key string, c channel.Content) error {
	switch {
	case key == "":
		return errs.New(errs.Invalid, "sangdam: a visitor's message needs a key")
	case len(c.Text) > maxText || c.Kind == "":
		return errs.New(errs.Invalid, "sangdam: a message needs a kind and at most %d bytes of text", maxText)
	}
	return nil
}

// begins are the attributes of a conversation that a visitor begins.
func begins(o visitor.Origin) map[string]string {
	out := map[string]string{"entry": o.Entry, "device": o.Device, "ip": o.IP}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}

func visitorChat(v visitor.Ref) channel.Chat {
	return channel.Chat{Kind: channel.ChatUser, ID: string(v.User)}
}

// visitorMessage is what the customer may see of a message.
func visitorMessage(v visitor.Ref, m conversation.Message, seq int64) visitor.Message {
	out := visitor.Message{ID: m.ID, Conversation: m.Conversation, Seq: seq, Mine: m.Direction == conversation.Inbound,
		Content: m.Content,
		At:      m.At, Status: string(m.Status), Unsent: !m.UnsentAt.IsZero()}
	out.Content.QuoteHandle = ""
	if m.Author.Kind == conversation.ByBot {
		out.Author = m.Author.Name // that of an automated message is the library's
	}
	if key, own := strings.CutPrefix(string(m.Provider), string(v.User)+"/"); own && out.Mine {
		out.Key = key
	}
	return out
}

// thread finds the visitor's conversation: the open one, else the last.
func (p visitorPort) thread(ctx context.Context, tx store.Tx, s *settings, v visitor.Ref) (*conversation.Conversation, error) {
	acct, _, err := p.e.account(s, v.Account)
	if err != nil {
		return nil, err
	}
	i, err := tx.Contacts().Identity(ctx, acct.Kind, acct.UserScope(), v.User)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	open, last, err := tx.Conversations().ByThread(ctx, s.thread(visitorChat(v), acct.ID, acct.WorkStream, i.Contact))
	if open == nil {
		open = last
	}
	return open, err
}

// view runs fn in a read transaction with present settings.
func (p visitorPort) view(ctx context.Context, v visitor.Ref, fn func(ctx context.Context, tx store.Tx, s *settings) error) error {
	return p.e.db.View(ctx, id.Workspace(v.Workspace), func(ctx context.Context, tx store.Tx) error {
		s, err := p.e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		return fn(ctx, tx, s)
	})
}

// Since returns one entry for each number of the customer's stream above seq:
// a message, or the present state of one that was edited, unsent or masked.
func (p visitorPort) Since(ctx context.Context, v visitor.Ref, from channel.ConversationID, seq int64,
	limit int) ([]visitor.Message, error) {
	var out []visitor.Message
	limit = min(max(limit, 1), maxPage)
	err := p.view(ctx, v, func(ctx context.Context, tx store.Tx, s *settings) error {
		out = nil
		cv, err := p.thread(ctx, tx, s, v)
		if err != nil || cv == nil {
			return err
		}
		parts, found, err := since(ctx, tx, *cv, from)
		if err != nil {
			return err
		}
		if !found {
			seq = 0 // another conversation has numbers of its own
		}
		for _, id := range parts {
			if out, err = entries(ctx, tx, s, v, id, seq, limit, out); err != nil {
				return err
			}
			seq = 0
		}
		return nil
	})
	return out, err
}

// keptParts is how many conversations that began since are shown to a visitor
// who comes back; of one who was away longer only the last is.
const keptParts = 20

// since lists the conversations from the one named to the present one, oldest
// first. found says that the one named is among those that came before.
func since(ctx context.Context, tx store.Tx, cv conversation.Conversation, from channel.ConversationID) (parts []conversation.ID,
	found bool, err error) {
	for at := cv; ; {
		parts = append(parts, at.ID)
		if at.ID == from {
			slices.Reverse(parts)
			return parts, true, nil
		}
		if from == "" || at.Previous == "" || len(parts) == keptParts {
			return []conversation.ID{cv.ID}, false, nil
		}
		if at, err = tx.Conversations().Conversation(ctx, at.Previous); err != nil {
			return nil, false, err
		}
	}
}

// entries appends what a conversation has above seq until there are limit.
func entries(ctx context.Context, tx store.Tx, s *settings, v visitor.Ref, id conversation.ID, seq int64, limit int,
	out []visitor.Message) ([]visitor.Message, error) {
	// The customer's number never exceeds the event's, so that reading events
	// from there misses nothing.
	for after := seq; len(out) < limit; {
		evs, err := tx.Conversations().Events(ctx, id, after, maxPage)
		if err != nil {
			return nil, err
		}
		for _, ev := range evs {
			after = ev.Seq
			if ev.CustomerSeq <= seq || len(out) == limit {
				continue
			}
			m, err := tx.Conversations().Message(ctx, ev.Message)
			if err != nil {
				return nil, err
			}
			if m.Status == conversation.StatusQueued && tx.Now().Before(m.HeldUntil) {
				return out, nil // it has not left; what was said after it waits for it
			}
			if m.Status == conversation.StatusWithdrawn {
				continue // it never left
			}
			if shown, err := showsTo(ctx, tx, s, v, m); err != nil {
				return nil, err
			} else if !shown {
				continue
			}
			vm, err := withAuthor(ctx, tx, visitorMessage(v, m, ev.CustomerSeq), m.Author)
			if err != nil {
				return nil, err
			}
			vm.Conversation = id // a merged part may have given the message away
			out = append(out, vm)
		}
		if len(evs) < maxPage {
			break
		}
	}
	return out, nil
}

// showsTo says whether the visitor may see the message. What went through another
// chat of the same contact is shown only where both chats' people are proved to
// be one: an agent who linked them by hand may have been wrong.
func showsTo(ctx context.Context, tx store.Tx, s *settings, v visitor.Ref, m conversation.Message) (bool, error) {
	if m.Account == v.Account && m.Chat.ID == string(v.User) {
		return true, nil
	}
	own, err := identityOf(ctx, tx, s.accounts[v.Account], v.User)
	if err != nil || own == nil || own.VerifiedAs == "" || !m.Chat.OfOne() {
		return false, err
	}
	other, err := identityOf(ctx, tx, s.accounts[m.Account], channel.ProviderUserID(m.Chat.ID))
	return other != nil && other.VerifiedAs == own.VerifiedAs, err
}

// withAuthor names the agent as customers see it.
func withAuthor(ctx context.Context, tx store.Tx, vm visitor.Message, a conversation.Author) (visitor.Message, error) {
	if a.Kind != conversation.ByAgent {
		return vm, nil
	}
	agent, err := tx.Agents().Agent(ctx, a.Agent)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return vm, err
	}
	vm.Author = agent.Name
	return vm, nil
}

// Consent records that the visitor agreed: who, to which text and when (CH7),
// as a record of its own and in the audit log.
func (p visitorPort) Consent(ctx context.Context, v visitor.Ref, key, purpose, textVersion string) error {
	if purpose == "" || textVersion == "" || len(purpose) > 100 || len(textVersion) > 100 {
		return errs.New(errs.Invalid, "sangdam: a consent names its purpose and the version of the text, each in at most 100 bytes")
	}
	_, err := visit(ctx, p.e, v, call{op: opVisitorConsent, key: Key(key), body: []string{purpose, textVersion}},
		func(u *unit, acct channel.Account) (struct{}, error) {
			i, err := u.identity(acct, adapter.Author{User: v.User})
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, u.consented(consent{Contact: i.Contact, Identity: i.ID, Account: acct.ID, Channel: acct.Kind,
				Purpose: purpose, TextVersion: textVersion})
		})
	return err
}

// Rate records the one rating of an ending (CV11): 1 to 5.
func (p visitorPort) Rate(ctx context.Context, v visitor.Ref, key string, score int, comment string) error {
	if score < 1 || score > 5 || len(comment) > 4000 {
		return errs.New(errs.Invalid, "sangdam: a rating is 1 to 5 with at most 4000 bytes of comment")
	}
	c := call{op: opVisitorRate, key: Key(key), body: []any{score, comment}}
	_, err := visit(ctx, p.e, v, c, func(u *unit, _ channel.Account) (struct{}, error) {
		cv, err := p.thread(u.ctx, u.tx, u.s, v)
		if err != nil {
			return struct{}{}, err
		}
		if cv == nil {
			return struct{}{}, errs.New(errs.NotFound, "sangdam: there is no conversation to rate")
		}
		return struct{}{}, u.conversationOf(*cv).Rate(score, comment)
	})
	return err
}

// End ends the conversation from the customer's side.
func (p visitorPort) End(ctx context.Context, v visitor.Ref, key string) error {
	_, err := visit(ctx, p.e, v, call{op: opVisitorEnd, key: Key(key), body: "end"}, func(u *unit, acct channel.Account) (struct{}, error) {
		return struct{}{}, u.customerEnded(acct, adapter.Inbound{Kind: adapter.EventEnded, Chat: visitorChat(v),
			Author: adapter.Author{User: v.User}})
	})
	return err
}
