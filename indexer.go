package sangdam

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// workspaceSet collects workspaces that have something to do.
type workspaceSet struct {
	mu sync.Mutex
	m  map[id.Workspace]bool
}

func (s *workspaceSet) add(list ...id.Workspace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[id.Workspace]bool{}
	}
	for _, ws := range list {
		s.m[ws] = true
	}
}

func (s *workspaceSet) take() []id.Workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]id.Workspace, 0, len(s.m))
	for ws := range s.m {
		out = append(out, ws)
	}
	s.m = nil
	return out
}

// indexEvery is how often the index follows what this process wrote.
const indexEvery = 200 * time.Millisecond

// runIndexer keeps the search index behind the feed by a moment. One process
// does it, by lease; what it wrote twice is the same.
func (e *Engine) runIndexer(ctx, drain context.Context) {
	const ttl = 15 * time.Second
	tick := time.NewTicker(indexEvery)
	defer tick.Stop()
	var held, scanned time.Time
	place := "" // how far the scan for other processes' events has come
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(held) > ttl/3 {
			if _, err := e.db.System().Lease(ctx, "indexer", e.cfg.Node, ttl); err != nil {
				e.unindexed.take()
				place = "" // whoever leads has its own
				continue
			}
			held = time.Now()
		}
		todo := e.unindexed.take()
		if time.Since(scanned) > 10*e.cfg.Poll { // what other processes wrote
			changed, next, err := e.db.System().Changed(ctx, place)
			if err != nil {
				e.unindexed.add(todo...)
				continue
			}
			e.unindexed.add(append(changed, todo...)...)
			todo, place, scanned = e.unindexed.take(), next, time.Now()
		}
		e.indexAll(ctx, drain, todo)
	}
}

// indexAll brings the index of workspaces up to date; what fails is tried again.
func (e *Engine) indexAll(ctx, drain context.Context, todo []WorkspaceID) {
	for _, ws := range todo {
		err := safely(func() error { return errors.Join(e.renewContacts(drain, ws), e.index(drain, ws)) })
		if err != nil {
			e.trouble("the search index is behind", err, "workspace", string(ws))
			e.unindexed.add(ws)
			e.pause(ctx, 5)
		}
	}
}

// indexKey is where the index's place in the feed is kept. It names the form of
// the tokens: where they change, every index is built anew.
func indexKey(ws id.Workspace) string { return "index/numbers/" + string(ws) }

// indexFromNow begins the index of a new workspace.
func (e *Engine) indexFromNow(ctx context.Context, ws id.Workspace) error {
	_, cursor, err := e.db.Feed(ctx, ws, "", 1)
	if err != nil {
		return err
	}
	err = e.db.System().PutMeta(ctx, indexKey(ws), nil, []byte(cursor))
	if errors.Is(err, ErrConflict) {
		return nil // begun already
	}
	return err
}

// index follows the feed from the stored cursor.
func (e *Engine) index(ctx context.Context, ws id.Workspace) error {
	cursor, err := e.db.System().Meta(ctx, indexKey(ws))
	if errors.Is(err, ErrNotFound) {
		return e.rebuild(ctx, ws, nil)
	}
	if err != nil {
		return err
	}
	for {
		events, next, err := e.db.Feed(ctx, ws, string(cursor), 200)
		if errors.Is(err, driver.ErrCursorGone) {
			return e.rebuild(ctx, ws, cursor)
		}
		if err != nil {
			return err
		}
		changed, err := e.changedIn(ctx, ws, events)
		if err != nil {
			return err
		}
		if err := e.indexMessages(ctx, ws, changed); err != nil {
			return err
		}
		if next == string(cursor) {
			return nil
		}
		if err := e.db.System().PutMeta(ctx, indexKey(ws), cursor, []byte(next)); err != nil {
			return err
		}
		if cursor = []byte(next); len(events) == 0 {
			return nil
		}
	}
}

// changedIn are the messages whose texts changed; a conversation that came to
// another desk is indexed anew at once.
func (e *Engine) changedIn(ctx context.Context, ws id.Workspace, events []driver.Event) (changed []conversation.MessageID, err error) {
	for _, ev := range events {
		if ev.Aggregate == kindConversation && ev.Ref != "" && textual(conversation.EventKind(ev.Kind)) {
			changed = append(changed, conversation.MessageID(ev.Ref))
		}
		if ev.Aggregate == kindConversation && ev.FormerDesk != "" { // its messages are to be found on the new desk
			if err := e.reindexConversation(ctx, ws, conversation.ID(ev.ID)); err != nil {
				return nil, err
			}
		}
	}
	return changed, nil
}

// textual says which events change what a message's text is.
func textual(k conversation.EventKind) bool {
	switch k {
	case conversation.EvMessage, conversation.EvNote, conversation.EvEdit, conversation.EvUnsend, conversation.EvMask,
		conversation.EvUnmask:
		return true
	}
	return false
}

// indexMessages brings the index of some messages up to their present text, in one
// transaction as long as that goes well, else in ever smaller ones: a message that
// cannot be indexed harms no other. It is left out, so that the index goes on, and
// is tried again when it changes or the index is built anew.
func (e *Engine) indexMessages(ctx context.Context, ws id.Workspace, ids []conversation.MessageID) error {
	if len(ids) == 0 {
		return nil
	}
	err := safely(func() error { return e.indexTogether(ctx, ws, ids) })
	switch half := len(ids) / 2; {
	case err == nil || ofTheMoment(err):
		return err
	case half > 0:
		if err := e.indexMessages(ctx, ws, ids[:half]); err != nil {
			return err
		}
		return e.indexMessages(ctx, ws, ids[half:])
	}
	e.trouble("a message cannot be indexed: searches do not find it", err, "workspace", string(ws), "message", string(ids[0]))
	return nil
}

// ofTheMoment says that what failed is no message's fault: the store was away, rivals
// were first, or a call was cut off. It is tried again, whole.
func ofTheMoment(err error) bool { return temporary(err) || errors.Is(err, context.Canceled) }

// indexTogether is indexMessages in one transaction.
func (e *Engine) indexTogether(ctx context.Context, ws id.Workspace, ids []conversation.MessageID) error {
	return e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		desks := map[conversation.ID]routing.DeskID{}
		for _, id := range ids {
			m, err := tx.Conversations().Message(ctx, id)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			desk, known := desks[m.Conversation]
			if !known {
				c, err := tx.Conversations().Conversation(ctx, m.Conversation)
				if err != nil {
					return err
				}
				desk = c.Desk
				desks[c.ID] = desk
			}
			if err := indexMessage(ctx, tx, m, desk); err != nil {
				return err
			}
		}
		return nil
	})
}

func indexMessage(ctx context.Context, tx store.Tx, m conversation.Message, desk routing.DeskID) error {
	tokens := privacy.Grams(m.Content.Text)
	if len(tokens) == 0 {
		return tx.Search().Delete(ctx, m.ID)
	}
	return tx.Search().Put(ctx, m.ID, m.Conversation, m.At, append(tokens, deskToken(desk), conversationToken(m.Conversation)))
}

// rebuild makes the index anew and puts the cursor where the feed was when
// that began, or later; had is the cursor that leads nowhere. The walk goes
// from the conversation that changed last to the oldest, and one that changes
// meanwhile jumps to where the walk has been. Whatever changed is in the feed,
// though, so that each conversation named there is walked over once more. The
// cursor is stored last: a rebuild that is cut off begins again.
func (e *Engine) rebuild(ctx context.Context, ws id.Workspace, had []byte) error {
	_, cursor, err := e.db.Feed(ctx, ws, "", 1)
	if err != nil {
		return err
	}
	if err := errors.Join(e.reindexTickets(ctx, ws), e.reindex(ctx, ws)); err != nil {
		return err
	}
	for {
		events, next, err := e.db.Feed(ctx, ws, cursor, 200)
		if err != nil {
			return err // beyond the feed's reach: the next turn begins again
		}
		moved := map[conversation.ID]bool{}
		for _, ev := range events {
			if c := conversation.ID(ev.ID); ev.Aggregate == "conversation" && !moved[c] {
				moved[c] = true
				if err := e.reindexConversation(ctx, ws, c); err != nil {
					return err
				}
			}
		}
		cursor = next
		if len(events) == 0 {
			return e.db.System().PutMeta(ctx, indexKey(ws), had, []byte(cursor))
		}
	}
}

// reindex walks over every message, a conversation at a time.
func (e *Engine) reindex(ctx context.Context, ws id.Workspace) error {
	page := ""
	for {
		var conversations []conversation.Conversation
		err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
			conversations, page, err = tx.Conversations().List(ctx, conversation.Filter{}, page, maxPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, c := range conversations {
			if err := e.reindexConversation(ctx, ws, c.ID); err != nil {
				return err
			}
		}
		if page == "" {
			return nil
		}
	}
}

// reindexConversation indexes all messages of a conversation once more, a page in a
// transaction. What fails there is indexed as indexMessages does.
func (e *Engine) reindexConversation(ctx context.Context, ws id.Workspace, id conversation.ID) error {
	for after := int64(0); ; {
		var ms []conversation.Message
		err := safely(func() (err error) {
			ms, err = e.reindexPage(ctx, ws, id, after)
			return err
		})
		if err != nil && (len(ms) == 0 || ofTheMoment(err)) {
			return err
		}
		if err != nil {
			ids := make([]conversation.MessageID, len(ms))
			for i, m := range ms {
				ids[i] = m.ID
			}
			if err := e.indexMessages(ctx, ws, ids); err != nil {
				return err
			}
		}
		if len(ms) < maxPage {
			return nil
		}
		after = ms[len(ms)-1].Seq
	}
}

// reindexPage indexes a page of a conversation's messages anew. Those that were
// read come back with the error, too.
func (e *Engine) reindexPage(ctx context.Context, ws id.Workspace, id conversation.ID, after int64) (ms []conversation.Message, err error) {
	err = e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		ms = nil
		c, err := tx.Conversations().Conversation(ctx, id)
		if err != nil {
			return err
		}
		if ms, err = tx.Conversations().Messages(ctx, id, after, maxPage); err != nil {
			return err
		}
		for _, m := range ms {
			if err := indexMessage(ctx, tx, m, c.Desk); err != nil {
				return err
			}
		}
		return nil
	})
	return ms, err
}
