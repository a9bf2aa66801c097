package sangdam

import (
	"context"
	"errors"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// maxPage is the most that a list returns at once.
const maxPage = 200

// query runs fn in a read transaction after the policy agreed.
func (e *Engine) query(ctx context.Context, p Principal, a Action, r Resource, fn func(ctx context.Context, tx store.Tx, s *settings) error) error {
	return e.db.View(ctx, p.Workspace, func(ctx context.Context, tx store.Tx) error {
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		if r.Desk != "" && p.Kind == KindAgent {
			r.Member = s.member(r.Desk, p.agent())
		}
		if err := e.authorize(ctx, p, a, r); err != nil {
			return err
		}
		return fn(ctx, tx, s)
	})
}

// Page is one page of a list; Next is empty at the end.
type Page struct {
	Conversations []conversation.Conversation `json:"conversations"`
	Next          string                      `json:"next,omitempty"`
}

// Conversations lists conversations that match, newest change first (CV14).
// Agents see their desks alone. limit is 1 to 200, 0 means 50; page is Next of
// the page before.
func (e *Engine) Conversations(ctx context.Context, p Principal, f conversation.Filter, page string, limit int) (Page, error) {
	if limit == 0 {
		limit = 50
	}
	if limit < 1 || limit > maxPage {
		return Page{}, errs.New(errs.Invalid, "sangdam: a page has 1 to %d conversations, not %d", maxPage, limit)
	}
	var out Page
	err := e.query(ctx, p, ActList, Resource{Kind: "conversations"}, func(ctx context.Context, tx store.Tx, s *settings) (err error) {
		narrowed, any := narrow(s, p, f)
		if !any {
			out = Page{}
			return nil
		}
		out.Conversations, out.Next, err = tx.Conversations().List(ctx, narrowed, page, limit)
		return err
	})
	return out, err
}

// narrow restricts a filter to the desks that the principal may see; false
// when nothing is left.
func narrow(s *settings, p Principal, f conversation.Filter) (conversation.Filter, bool) {
	if p.Kind != KindAgent || p.has(RoleAdministrator) || p.has(RoleSupervisor) {
		return f, true
	}
	var desks []routing.DeskID
	for _, d := range s.desksOf(p.agent()) {
		if len(f.Desks) == 0 || contains(f.Desks, d) {
			desks = append(desks, d)
		}
	}
	f.Desks = desks
	return f, len(desks) > 0
}

func contains[T comparable](list []T, v T) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// Detail is a conversation with what a console shows beside it.
type Detail struct {
	Conversation conversation.Conversation `json:"conversation"`
	Contact      *conversation.Contact     `json:"contact,omitempty"`
	Identities   []conversation.Identity   `json:"identities,omitempty"`
	// Messages are the newest, oldest first; earlier ones by Transcript.
	Messages   []conversation.Message `json:"messages"`
	Offer      *routing.Offer         `json:"offer,omitempty"`
	Assignment *routing.Assignment    `json:"assignment,omitempty"`
	Item       *routing.Item          `json:"item,omitempty"`
}

// Conversation returns one with contact, latest messages (at most 200) and
// what routing says of it.
func (e *Engine) Conversation(ctx context.Context, p Principal, id conversation.ID) (Detail, error) {
	var out Detail
	err := e.read(ctx, p, id, func(ctx context.Context, tx store.Tx, cv conversation.Conversation) (err error) {
		out = Detail{Conversation: cv}
		if out.Messages, err = tx.Conversations().Messages(ctx, id, max(0, cv.EventSeq-maxPage), maxPage); err != nil {
			return err
		}
		if cv.Contact != "" {
			c, err := tx.Contacts().Contact(ctx, cv.Contact)
			if err != nil {
				return err
			}
			out.Contact = &c
			if out.Identities, err = tx.Contacts().Identities(ctx, c.ID); err != nil {
				return err
			}
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

// Transcript returns messages with Seq above after, oldest first, at most
// limit (1 to 200).
func (e *Engine) Transcript(ctx context.Context, p Principal, id conversation.ID, after int64, limit int) (out []conversation.Message, err error) {
	err = e.read(ctx, p, id, func(ctx context.Context, tx store.Tx, _ conversation.Conversation) (err error) {
		out, err = tx.Conversations().Messages(ctx, id, after, min(max(limit, 1), maxPage))
		return err
	})
	return out, err
}

// ConversationEvents returns the record of a conversation with Seq above after,
// oldest first, gap-free: what a console resumes on.
func (e *Engine) ConversationEvents(ctx context.Context, p Principal, id conversation.ID, after int64, limit int) (out []conversation.Event, err error) {
	err = e.read(ctx, p, id, func(ctx context.Context, tx store.Tx, _ conversation.Conversation) (err error) {
		out, err = tx.Conversations().Events(ctx, id, after, min(max(limit, 1), maxPage))
		return err
	})
	return out, err
}

// read loads a conversation, asks the policy with its desk and owner, and runs
// fn.
func (e *Engine) read(ctx context.Context, p Principal, id conversation.ID, fn func(ctx context.Context, tx store.Tx, cv conversation.Conversation) error) error {
	return e.db.View(ctx, p.Workspace, func(ctx context.Context, tx store.Tx) error {
		cv, err := tx.Conversations().Conversation(ctx, id)
		if err != nil {
			return err
		}
		r := conversationResource(cv)
		if p.Kind == KindAgent {
			cfg, err := tx.Config().Configuration(ctx)
			if err != nil {
				return err
			}
			r.Member = contains(cfg.Members[cv.Desk], p.agent())
		}
		if err := e.authorize(ctx, p, ActRead, r); err != nil {
			return err
		}
		return fn(ctx, tx, cv)
	})
}

// Found is a message that matches a search.
type Found struct {
	Conversation conversation.Conversation `json:"conversation"`
	Message      conversation.Message      `json:"message"`
}

// Search finds messages by their masked text: every pair of neighbouring
// characters of the query must occur, so two-syllable words are found. Newest
// first, at most limit (1 to 200). Agents find what is on their desks. What
// was just written may be missing for a moment; IndexLag tells.
func (e *Engine) Search(ctx context.Context, p Principal, text string, limit int) ([]Found, error) {
	var tokens []string
	for _, t := range privacy.Query(text) {
		if !t.Prefix { // a single character would match nearly everything
			tokens = append(tokens, t.Token)
		}
	}
	if len(tokens) == 0 {
		return nil, errs.New(errs.Invalid, "sangdam: the search needs at least two letters or digits")
	}
	limit = min(max(limit, 1), maxPage)
	var out []Found
	err := e.query(ctx, p, ActSearch, Resource{Kind: "conversations"}, func(ctx context.Context, tx store.Tx, s *settings) error {
		out = nil
		// Bigrams may match without the words being there; some hits fall away.
		hits, err := tx.Search().Find(ctx, tokens, 5*limit)
		if err != nil {
			return err
		}
		for _, h := range hits {
			m, err := tx.Conversations().Message(ctx, h.Message)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if !privacy.Contains(m.Content.Text, text) {
				continue // the pairs occur, the words do not
			}
			cv, err := tx.Conversations().Conversation(ctx, m.Conversation)
			if err != nil {
				return err
			}
			if f, any := narrow(s, p, conversation.Filter{}); !any || (len(f.Desks) > 0 && !contains(f.Desks, cv.Desk)) {
				continue
			}
			if out = append(out, Found{cv, m}); len(out) == limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// Events returns the workspace's feed after the cursor: ids, kinds and
// versions. The empty cursor is the present. ErrCursorGone means: reload.
func (e *Engine) Events(ctx context.Context, p Principal, cursor string, limit int) ([]store.Event, string, error) {
	if err := e.authorize(ctx, p, ActList, Resource{Kind: "events"}); err != nil {
		return nil, "", err
	}
	return e.db.Feed(ctx, p.Workspace, cursor, min(max(limit, 1), 1000))
}

// Watch returns a channel that gets a value when Events may have news, until
// stop. It is a hint: ask now and then as well.
func (e *Engine) Watch() (hints <-chan struct{}, stop func()) { return e.wake.subscribe() }

// Audit returns audit rows with Seq above after, oldest first, at most limit.
func (e *Engine) Audit(ctx context.Context, p Principal, after int64, limit int) (out []store.AuditEntry, err error) {
	err = e.query(ctx, p, ActReadAudit, Resource{Kind: "audit", ID: string(p.Workspace)}, func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		out, err = tx.Audit().List(ctx, after, min(max(limit, 1), 1000))
		return err
	})
	return out, err
}

// Quarantined lists inbound events that could not be processed, newest first.
func (e *Engine) Quarantined(ctx context.Context, p Principal, limit int) (out []channel.Quarantined, err error) {
	err = e.query(ctx, p, ActOperate, Resource{Kind: "inbox", ID: string(p.Workspace)}, func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		out, err = tx.Inbox().Quarantined(ctx, min(max(limit, 1), 1000))
		return err
	})
	return out, err
}

// Requeue tries a quarantined event again, e.g. after a new version that knows
// it.
func (e *Engine) Requeue(ctx context.Context, p Principal, id channel.EnvelopeID) error {
	_, err := command(ctx, e, p, "", ActOperate, id, func(u *unit) (struct{}, error) {
		if err := u.allow(ActOperate, Resource{Kind: "envelope", ID: string(id)}); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, u.tx.Inbox().Requeue(u.ctx, id)
	})
	return err
}
