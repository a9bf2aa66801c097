package sangdam

import (
	"context"
	"errors"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Account finds an account by the token that its pages name.
func (p visitorPort) Account(ctx context.Context, token string) (visitor.Account, error) {
	owner, err := p.e.resolveToken(ctx, token)
	if err != nil {
		return visitor.Account{}, err
	}
	s, err := p.e.current(ctx, owner.ws)
	if err != nil {
		return visitor.Account{}, err
	}
	acct, _, err := p.e.account(s, owner.acct)
	if err != nil || acct.Disabled || acct.Token != token {
		return visitor.Account{}, noSuch(kindAccount)
	}
	return visitor.Account{Workspace: string(owner.ws), Account: acct, Desk: s.routing.Desks[acct.Desk].Name,
		Live: s.routing.WorkStreams[acct.WorkStream].Live}, nil
}

// visiting checks the account of a visitor.
func (u *unit) visiting(v visitor.Ref) (channel.Account, error) {
	acct, _, err := u.e.account(u.s, v.Account)
	if err == nil && (acct.Disabled || v.User == "") {
		err = noSuch(kindAccount)
	}
	return acct, err
}

// identityOf finds the visitor's identity; nil when there is none yet.
func identityOf(ctx context.Context, tx store.Tx, acct channel.Account, user channel.ProviderUserID) (*conversation.Identity, error) {
	i, err := tx.Contacts().Identity(ctx, acct.Kind, acct.UserScope(), user)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &i, err
}

// State says how the visitor's open or last conversation stands.
func (p visitorPort) State(ctx context.Context, v visitor.Ref) (visitor.State, error) {
	var out visitor.State
	err := p.view(ctx, v, func(ctx context.Context, tx store.Tx, s *settings) error {
		out = visitor.State{}
		acct, _, err := p.e.account(s, v.Account)
		if err != nil {
			return err
		}
		i, err := identityOf(ctx, tx, acct, v.User)
		if err != nil || i == nil {
			return err
		}
		if out.Consents, err = consentsOf(ctx, tx, *i, acct.ID); err != nil {
			return err
		}
		cv, err := p.thread(ctx, tx, s, v)
		if err != nil || cv == nil {
			return err
		}
		if err := visitorState(ctx, tx, *cv, &out); err != nil || out.Open {
			return err
		}
		u := &unit{e: p.e, ctx: ctx, tx: tx, s: s}
		out.AskRating = u.automatedText(acct, automated.Rating, cv.Language)
		return nil
	})
	return out, err
}

func visitorState(ctx context.Context, tx store.Tx, cv conversation.Conversation, out *visitor.State) error {
	out.Conversation, out.Open = cv.ID, cv.State.HoldsThread()
	out.Waiting = cv.State == conversation.StateOpen && cv.Control != conversation.ControlBot
	out.Seq, out.Read = cv.CustomerSeq, cv.ReadSeq
	if cv.Left != nil {
		out.Left = cv.Left.Page
	}
	if out.Open && cv.Agent != "" {
		a, err := tx.Agents().Agent(ctx, cv.Agent)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		out.Agent = a.Name
	}
	if !out.Open {
		out.EndedBy, out.EndReason = cv.EndedBy, cv.EndReason
		if kind, _, named := strings.Cut(cv.EndedBy, ":"); named {
			out.EndedBy = kind // who it was is not the visitor's business
		}
		out.Rated = cv.RatedThisEnd()
	}
	return nil
}

// Message returns one message of the visitor's thread.
func (p visitorPort) Message(ctx context.Context, v visitor.Ref, m channel.MessageID) (visitor.Message, error) {
	var out visitor.Message
	err := p.view(ctx, v, func(ctx context.Context, tx store.Tx, s *settings) error {
		found, err := p.message(ctx, tx, s, v, m)
		if err != nil {
			return err
		}
		out, err = withAuthor(ctx, tx, visitorMessage(v, found, found.CustomerSeq), found.Author)
		return err
	})
	return out, err
}

// message finds a message that the visitor may see: one of its own contact's
// conversations, at the same account, and no note.
func (p visitorPort) message(ctx context.Context, tx store.Tx, s *settings, v visitor.Ref,
	m channel.MessageID) (conversation.Message, error) {
	none := errs.New(errs.NotFound, "sangdam: there is no such message")
	acct, _, err := p.e.account(s, v.Account)
	if err != nil {
		return conversation.Message{}, err
	}
	i, err := identityOf(ctx, tx, acct, v.User)
	if err != nil || i == nil {
		return conversation.Message{}, errors.Join(none, err)
	}
	found, err := tx.Conversations().Message(ctx, m)
	if err != nil {
		return found, err
	}
	cv, err := tx.Conversations().Conversation(ctx, found.Conversation)
	if err != nil {
		return found, err
	}
	if cv.Contact != i.Contact || cv.WorkStream != acct.WorkStream || found.CustomerSeq == 0 {
		return conversation.Message{}, none
	}
	shown, err := showsTo(ctx, tx, s, v, found)
	if err == nil && !shown {
		err = none
	}
	return found, err
}

// Availability says whether the desk can take a chat now.
func (p visitorPort) Availability(ctx context.Context, v visitor.Ref) (visitor.Availability, error) {
	var out visitor.Availability
	err := p.view(ctx, v, func(ctx context.Context, tx store.Tx, s *settings) error {
		acct, _, err := p.e.account(s, v.Account)
		if err != nil {
			return err
		}
		u := &unit{e: p.e, ctx: ctx, tx: tx, s: s}
		closed := u.closed(s.hoursOf(acct, ""))
		online, err := u.anybodyOnline(acct)
		if err != nil {
			return err
		}
		out = visitor.Availability{Open: !closed, Agents: online}
		return nil
	})
	return out, err
}

// kindTyping is the aggregate of the feed under which somebody's writing is
// told. Its ID is the conversation, its Kind who writes: "customer" or "agent".
// It has no version: it is worth nothing a few seconds later.
const kindTyping = "typing"

// types tells everybody who follows the conversation that somebody writes.
func (u *unit) types(cv conversation.Conversation, who string) {
	u.feed = append(u.feed,
		placed(driver.Event{Aggregate: kindTyping, ID: string(cv.ID), Kind: who, Actor: u.p.actor(), At: u.tx.Now()}, cv))
}

// customerTypes tells of a writing that an adapter reports.
func (u *unit) customerTypes(acct channel.Account, in adapter.Inbound) error {
	i, err := identityOf(u.ctx, u.tx, acct, in.Author.User)
	if err != nil || i == nil {
		return err // nobody who has said anything yet
	}
	open, _, err := u.tx.Conversations().ByThread(u.ctx, u.s.thread(in.Chat, acct.ID, acct.WorkStream, i.Contact))
	if err != nil || open == nil {
		return err
	}
	u.types(*open, "customer")
	return nil
}

// Typing shows agents that the visitor is writing.
func (p visitorPort) Typing(ctx context.Context, v visitor.Ref) error {
	return p.e.unit(ctx, visitorPrincipal(v), func(u *unit) error {
		if _, err := u.visiting(v); err != nil {
			return err
		}
		cv, err := p.thread(u.ctx, u.tx, u.s, v)
		if err != nil || cv == nil || !cv.State.HoldsThread() {
			return err
		}
		u.types(*cv, "customer")
		return nil
	})
}

// evRead is the kind of the event that the customer has read up to somewhere. It
// is no entry of the conversation's own sequence.
const evRead = "read"

// Seen moves what was sent to the visitor to "read", up to the number.
func (p visitorPort) Seen(ctx context.Context, v visitor.Ref, of channel.ConversationID, seq int64) error {
	return p.e.unit(ctx, visitorPrincipal(v), func(u *unit) error {
		if _, err := u.visiting(v); err != nil {
			return err
		}
		cv, err := p.thread(u.ctx, u.tx, u.s, v)
		if err != nil {
			return err
		}
		if cv == nil || cv.ID != of {
			return errs.New(errs.NotFound, "sangdam: this is not the visitor's present conversation")
		}
		recent, err := u.tx.Conversations().Latest(u.ctx, cv.ID, 0, maxPage)
		if err != nil {
			return err
		}
		var seen []conversation.Message
		for _, m := range recent {
			here := m.Account == v.Account && m.Chat.ID == string(v.User)
			if here && m.Direction == conversation.Outbound && m.CustomerSeq <= seq && m.Status != conversation.StatusRead {
				seen = append(seen, m)
			}
		}
		if len(seen) == 0 {
			return nil
		}
		return u.advance(cv.ID, seen, conversation.StatusRead)
	})
}

// readByDesk records that an agent has read everything that is there.
func (e *Engine) readByDesk(ctx context.Context, p Principal, c conversation.ID) error {
	return e.unit(ctx, p, func(u *unit) error {
		d, err := u.conversation(c)
		if err != nil || d.C.ReadSeq >= d.C.CustomerSeq {
			return err
		}
		d.C.ReadSeq = d.C.CustomerSeq
		return u.tell(placed(driver.Event{Aggregate: kindConversation, ID: string(c), Version: d.C.EventSeq, Kind: evRead}, d.C))
	})
}
