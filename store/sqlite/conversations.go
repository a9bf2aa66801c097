package sqlite

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// conversations implements driver.ConversationRepo; messages and events are in
// messages.go.
type conversations struct{ *tx }

const conversationColumns = `doc, version`

func scanConversation(w raw.Row) (conversation.Conversation, error) {
	var c conversation.Conversation
	err := decode(w.View(0), &c)
	c.Version = w.Int(1)
	return c, err
}

func (r conversations) Conversation(_ context.Context, id conversation.ID) (conversation.Conversation, error) {
	return one(r.tx, scanConversation, "conversation "+string(id),
		`SELECT `+conversationColumns+` FROM conversations WHERE ws = ? AND id = ?`, r.ws, string(id))
}

// ByThread reads both with one statement.
func (r conversations) ByThread(_ context.Context, thread string) (open, last *conversation.Conversation, err error) {
	found, err := list(r.tx, scanConversation,
		`SELECT `+conversationColumns+` FROM conversations WHERE ws = ? AND thread = ? AND live = 1
		UNION ALL SELECT * FROM (SELECT `+conversationColumns+` FROM conversations
			WHERE ws = ? AND thread = ? AND live = 0 ORDER BY opened DESC, id DESC LIMIT 1)`,
		r.ws, thread, r.ws, thread)
	for i, c := range found {
		if c.State.HoldsThread() {
			open = &found[i]
		} else {
			last = &found[i]
		}
	}
	return open, last, err
}

func (r conversations) SaveConversation(_ context.Context, c conversation.Conversation) (int64, error) {
	doc, err := encode(c)
	if err != nil {
		return 0, err
	}
	live := c.State.HoldsThread()
	if c.Version == 0 {
		return r.saved("conversation", string(c.ID), 0, `INSERT INTO conversations
			(ws, id, version, thread, live, state, agent, contact, account, channel, desk, work_stream, category, handled, opened,
			updated, doc)
			VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING version`,
			[]any{r.ws, string(c.ID), c.Thread, live, string(c.State), string(c.Agent), string(c.Contact),
				string(c.Account), string(c.Channel),
				string(c.Desk), string(c.WorkStream), c.Category, c.Handled, micro(c.OpenedAt), micro(c.UpdatedAt), doc}, "", nil)
	}
	return r.saved("conversation", string(c.ID), c.Version, "", nil, `UPDATE conversations SET version = version + 1,
		thread = ?, live = ?, state = ?, agent = ?, contact = ?, account = ?, channel = ?, desk = ?, work_stream = ?,
		category = ?, handled = ?, opened = ?, updated = ?, doc = ? WHERE ws = ? AND id = ? AND version = ? RETURNING version`,
		[]any{c.Thread, live, string(c.State), string(c.Agent), string(c.Contact), string(c.Account), string(c.Channel), string(c.Desk),
			string(c.WorkStream),
			c.Category, c.Handled, micro(c.OpenedAt), micro(c.UpdatedAt), doc, r.ws, string(c.ID), c.Version})
}

// clauses collects the terms of a filter.
type clauses struct {
	sql  strings.Builder
	args []any
}

func (c *clauses) and(term string, args ...any) {
	c.sql.WriteString(" AND ")
	c.sql.WriteString(term)
	c.args = append(c.args, args...)
}

func (c *clauses) equal(column, value string) {
	if value != "" {
		c.and(column+" = ?", value)
	}
}

// after goes on behind a place. The first term is what the index is entered by.
func (c *clauses) after(p driver.ConversationPlace) {
	c.and("updated <= ? AND (updated < ? OR id > ?)", micro(p.UpdatedAt), micro(p.UpdatedAt), string(p.ID))
}

// filterTerms is everything of the filter but the states.
func filterTerms(f conversation.Filter) (*clauses, error) {
	c := &clauses{}
	if f.Agent != "" {
		c.and("agent <> '' AND agent = ?", string(f.Agent))
	}
	if f.Contact != "" {
		c.and("contact <> '' AND contact = ?", string(f.Contact))
	}
	c.equal("account", string(f.Account))
	c.equal("channel", string(f.Channel))
	c.equal("work_stream", string(f.WorkStream))
	c.equal("category", f.Category)
	if f.Handled != nil {
		c.and("handled = ?", *f.Handled)
	}
	if !f.From.IsZero() {
		c.and("opened >= ?", micro(f.From))
	}
	if !f.To.IsZero() {
		c.and("opened < ?", micro(f.To))
	}
	if len(f.Desks) > 0 {
		desks, err := json.Marshal(f.Desks)
		if err != nil {
			return nil, err
		}
		c.and("desk IN (SELECT value FROM json_each(?))", string(desks))
	}
	if w := f.Within; w != nil {
		desks, err := json.Marshal(w.Desks)
		if err != nil {
			return nil, err
		}
		c.and("(desk IN (SELECT value FROM json_each(?)) OR agent <> '' AND agent = ?)", string(desks), string(w.Owner))
	}
	if f.IDs != nil {
		ids, err := json.Marshal(f.IDs)
		if err != nil {
			return nil, err
		}
		c.and("id IN (SELECT value FROM json_each(?))", string(ids))
	}
	return c, nil
}

// index names what the list is read along, in order, so that a page costs the
// same in a long history: each index is followed by (updated, id).
func index(f conversation.Filter) string {
	switch {
	case f.IDs != nil:
		return "conversations_id"
	case f.Contact != "":
		return "conversations_contact"
	case f.Agent != "":
		return "conversations_agent"
	case len(f.States) > 0:
		return "conversations_state"
	}
	return "conversations_updated"
}

// List reads the index of each state apart and merges them: one of several
// states could not be read in order.
func (r conversations) List(_ context.Context, f conversation.Filter, after *driver.ConversationPlace,
	limit int) ([]conversation.Conversation, error) {
	terms, err := filterTerms(f)
	if err != nil {
		return nil, err
	}
	if after != nil {
		terms.after(*after)
	}
	states := slices.Compact(slices.Sorted(slices.Values(f.States)))
	if len(states) == 0 {
		states = []conversation.State{""}
	}
	var all []conversation.Conversation
	for _, s := range states {
		found, err := r.listState(s, index(f), terms, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b conversation.Conversation) int {
		return driver.ConversationPlaceOf(a).Compare(driver.ConversationPlaceOf(b))
	})
	return all[:min(limit, len(all))], nil
}

func (r conversations) listState(s conversation.State, index string, terms *clauses, limit int) ([]conversation.Conversation, error) {
	sql, args := listQuery(r.ws, s, index, terms, limit)
	return list(r.tx, scanConversation, sql, args...)
}

func listQuery(ws int64, s conversation.State, index string, terms *clauses, limit int) (string, []any) {
	args := append([]any{ws}, terms.args...)
	sql := `SELECT ` + conversationColumns + ` FROM conversations INDEXED BY ` + index + ` WHERE ws = ?` + terms.sql.String()
	if s != "" {
		sql, args = sql+" AND state = ?", append(args, string(s))
	}
	return sql + ` ORDER BY updated DESC, id LIMIT ?`, append(args, limit)
}
