package sangdam

import (
	"context"
	"errors"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// maxPage is the most that a list returns at once.
const maxPage = 200

// Page is one page of a list; Next is empty at the end.
type Page struct {
	Conversations []conversation.Conversation `json:"conversations"`
	Next          string                      `json:"next,omitempty"`
}

var qConversations = asks("conversation.list", "Conversations", "conversations", ActList)

// Conversations lists the conversations that match and that the principal may
// see, newest change first (CV14). limit is 1 to 200, and 0 means 50. page is
// empty for the first page and otherwise Page.Next of the page before, which
// works only for the same principal and filter; any other is ErrInvalid. One
// call looks at no more than 500 conversations: where the policy hides nearly
// all of them, a page may have fewer than limit, or none, and still a Next to
// go on with.
func (e *Engine) Conversations(ctx context.Context, p Principal, f conversation.Filter, page string, limit int) (Page, error) {
	if limit == 0 {
		limit = 50
	}
	if limit < 1 || limit > maxPage {
		return Page{}, errs.New(errs.Invalid, "sangdam: a page has 1 to %d conversations, not %d", maxPage, limit)
	}
	from, err := e.openPage(ctx, p, "conversations", f, page)
	if err != nil {
		return Page{}, err
	}
	var out Page
	err = e.query(ctx, p, qConversations, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		out.Conversations, out.Next, err = e.seen(ctx, tx, w, f, from, limit, lookedAt)
		out.Conversations = listed(out.Conversations)
		return err
	})
	if err == nil {
		out.Next, err = e.sealPage(ctx, p, "conversations", f, out.Next)
	}
	return out, err
}

// Count is how many records match and may be seen by the principal who asked.
type Count struct {
	N int `json:"n"`
	// AtLeast says that N is a lower bound: the call stopped counting there.
	AtLeast bool `json:"at_least,omitempty"`
}

var qCountConversations = asks("conversation.count", "CountConversations", "conversations", ActList)

// CountConversations counts the conversations that match and that the principal
// may see. It stops at most, which is 1 to 10,000 (0 means 10,000), and looks
// only at the 10,000 conversations that changed last, or at the last 500 when
// most is 500 or less. It is cheaper than listing them.
func (e *Engine) CountConversations(ctx context.Context, p Principal, f conversation.Filter, most int) (Count, error) {
	if most == 0 {
		most = countedAt
	}
	if most < 1 || most > countedAt {
		return Count{}, errs.New(errs.Invalid, "sangdam: conversations are counted up to 1 to %d, not %d", countedAt, most)
	}
	var out Count
	err := e.query(ctx, p, qCountConversations, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		look := countedAt
		if most <= lookedAt {
			look = lookedAt
		}
		out, err = e.counted(ctx, tx, w, f, most, look)
		return err
	})
	return out, err
}

// Detail is a conversation with everything that a console shows beside it.
type Detail struct {
	Conversation conversation.Conversation `json:"conversation"`
	Contact      *conversation.Contact     `json:"contact,omitempty"`
	Identities   []conversation.Identity   `json:"identities,omitempty"`
	// Messages are the newest 200, oldest first. Earlier says that there are
	// more, which EarlierMessages and Transcript return. Former are the
	// conversations that were merged into this one, oldest first: the newest
	// 100 messages of each moved here, the ones before stayed there.
	Messages   []conversation.Message `json:"messages"`
	Earlier    bool                   `json:"earlier,omitempty"`
	Former     []conversation.ID      `json:"former,omitempty"`
	Offer      *routing.Offer         `json:"offer,omitempty"`
	Assignment *routing.Assignment    `json:"assignment,omitempty"`
	Item       *routing.Item          `json:"item,omitempty"`
}

var qConversation = asks("conversation.read", "Conversation", kindConversation, ActRead)

// Conversation returns a conversation with its contact, its newest messages (at
// most 200) and its state in routing.
func (e *Engine) Conversation(ctx context.Context, p Principal, id conversation.ID) (Detail, error) {
	var out Detail
	err := e.read(ctx, p, qConversation, id, func(ctx context.Context, tx store.Tx, cv conversation.Conversation) (err error) {
		out = Detail{Conversation: cv}
		if out.Messages, err = tx.Conversations().Latest(ctx, id, 0, maxPage+1); err != nil {
			return err
		}
		if out.Earlier = len(out.Messages) > maxPage; out.Earlier {
			out.Messages = out.Messages[1:]
		}
		out.Messages = listed(out.Messages)
		if out.Former, err = e.former(ctx, tx, p, cv); err != nil {
			return err
		}
		if err := e.beside(ctx, tx, p, &out); err != nil {
			return err
		}
		it, err := tx.Work().Item(ctx, routing.ItemID(id))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		out.Item = &it
		out.Offer, out.Assignment, err = tx.Work().Held(ctx, it.ID)
		return err
	})
	return out, err
}

// listed makes an empty list of none: JSON then has [] and not null.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// former are the merged conversations that hold earlier messages of this one,
// as far as they may be seen.
func (e *Engine) former(ctx context.Context, tx store.Tx, p Principal, cv conversation.Conversation) ([]conversation.ID, error) {
	if len(cv.Former) == 0 {
		return nil, nil
	}
	w, err := e.reader(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	var out []conversation.ID
	for _, id := range cv.Former {
		part, err := tx.Conversations().Conversation(ctx, id)
		if err != nil {
			return nil, err
		}
		ok, err := e.sees(ctx, w, conversationResource(part))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, id)
		}
	}
	return out, nil
}

// beside adds the contact to a conversation's detail, if it may be seen: also by
// whom the owner asks to take the conversation over, whose customer it would be.
func (e *Engine) beside(ctx context.Context, tx store.Tx, p Principal, out *Detail) error {
	if out.Conversation.Contact == "" {
		return nil
	}
	c, err := tx.Contacts().Contact(ctx, out.Conversation.Contact)
	if err != nil {
		return err
	}
	w, err := e.reader(ctx, tx, p)
	if err != nil {
		return err
	}
	ok, err := e.sees(ctx, w, contactResource(c))
	if err != nil || !ok && !consulted(w, ActRead, conversationResource(out.Conversation)) {
		return err
	}
	out.Contact = &c
	out.Identities, err = tx.Contacts().Identities(ctx, c.ID)
	return err
}

var qTranscript = asks("conversation.transcript", "Transcript", kindConversation, ActRead)

// Transcript returns the messages of a conversation with a Seq above after,
// oldest first, at most limit (1 to 200).
func (e *Engine) Transcript(ctx context.Context, p Principal, id conversation.ID, after int64, limit int) (out []conversation.Message,
	err error) {
	err = e.read(ctx, p, qTranscript, id, func(ctx context.Context, tx store.Tx, _ conversation.Conversation) (err error) {
		out, err = tx.Conversations().Messages(ctx, id, after, min(max(limit, 1), maxPage))
		return err
	})
	return out, err
}

var qConversationEvents = asks("conversation.events", "ConversationEvents", kindConversation, ActRead)

// ConversationEvents returns the events of a conversation with a Seq above
// after, oldest first and without gaps, at most limit (1 to 200). A console
// that was away goes on from the last Seq that it has shown.
func (e *Engine) ConversationEvents(ctx context.Context, p Principal, id conversation.ID, after int64,
	limit int) (out []conversation.Event, err error) {
	err = e.read(ctx, p, qConversationEvents, id, func(ctx context.Context, tx store.Tx, _ conversation.Conversation) (err error) {
		out, err = tx.Conversations().Events(ctx, id, after, min(max(limit, 1), maxPage))
		return err
	})
	return out, err
}

var qAudit = asks("audit.list", "Audit", "audit", ActReadAudit).wide(wideLog).log()

// Audit returns audit rows with Seq above after, oldest first, at most limit (1 to
// 1000). It needs ActReadAudit, which administrators and hosts have.
func (e *Engine) Audit(ctx context.Context, p Principal, after int64, limit int) (out []store.AuditEntry, err error) {
	err = e.query(ctx, p, qAudit, string(p.Workspace), func(ctx context.Context, tx store.Tx,
		_ *settings) (err error) {
		out, err = tx.Audit().List(ctx, after, min(max(limit, 1), 1000))
		return err
	})
	return out, err
}
