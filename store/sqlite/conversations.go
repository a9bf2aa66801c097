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
			VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			[]any{r.ws, string(c.ID), c.Thread, live, string(c.State), string(c.Agent), string(c.Contact),
				string(c.Account), string(c.Channel),
				string(c.Desk), string(c.WorkStream), c.Category, c.Handled, micro(c.OpenedAt), micro(c.UpdatedAt), doc}, "", nil)
	}
	return r.saved("conversation", string(c.ID), c.Version, "", nil, `UPDATE conversations SET version = version + 1,
		thread = ?, live = ?, state = ?, agent = ?, contact = ?, account = ?, channel = ?, desk = ?, work_stream = ?,
		category = ?, handled = ?, opened = ?, updated = ?, doc = ? WHERE ws = ? AND id = ? AND version = ?`,
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

// List implements driver.ConversationRepo. Of a list over several states the
// places are read first, and then the documents of one page, not of one for each
// state.
func (r conversations) List(_ context.Context, f conversation.Filter, after *driver.ConversationPlace,
	limit int) ([]conversation.Conversation, error) {
	if len(f.States) == 1 || len(f.States) == 0 {
		return ordered(r.tx, conversationColumns, scanConversation, driver.ConversationPlaceOf, f, after, limit)
	}
	type row struct {
		driver.ConversationPlace
		seq int64
	}
	rows, err := ordered(r.tx, `seq, updated, id`, func(w raw.Row) (row, error) {
		return row{driver.ConversationPlace{UpdatedAt: moment(w.Int(1)), ID: conversation.ID(w.Text(2))}, w.Int(0)}, nil
	}, func(r row) driver.ConversationPlace { return r.ConversationPlace }, f, after, limit)
	if err != nil {
		return nil, err
	}
	seqs := make([]int64, len(rows))
	for i, at := range rows {
		seqs[i] = at.seq
	}
	which, err := json.Marshal(seqs)
	if err != nil {
		return nil, err
	}
	page, err := listAbout(r.tx, len(seqs), scanConversation,
		`SELECT `+conversationColumns+` FROM conversations WHERE seq IN (SELECT value FROM json_each(?))`, string(which))
	sortByPlace(page, driver.ConversationPlaceOf)
	return page, err
}

const headColumns = `id, state, desk, agent, account, channel, work_stream, contact, updated`

// headScanner scans heads. Nearly all that stands in one stood in the one before.
func headScanner() func(raw.Row) (driver.ConversationHead, error) {
	var h driver.ConversationHead
	return func(w raw.Row) (driver.ConversationHead, error) {
		h.ID, h.UpdatedAt = conversation.ID(w.Text(0)), moment(w.Int(8))
		again(w, 1, &h.State)
		again(w, 2, &h.Desk)
		again(w, 3, &h.Agent)
		again(w, 4, &h.Account)
		again(w, 5, &h.Channel)
		again(w, 6, &h.WorkStream)
		again(w, 7, &h.Contact)
		return h, nil
	}
}

// again reads a text into v unless it is there already.
func again[S ~string](w raw.Row, column int, v *S) {
	if text := w.View(column); string(text) != string(*v) {
		*v = S(text)
	}
}

// Heads implements driver.HeadRepo.
func (r conversations) Heads(_ context.Context, f conversation.Filter, after *driver.ConversationPlace,
	limit int) ([]driver.ConversationHead, error) {
	return ordered(r.tx, headColumns, headScanner(), driver.ConversationHead.Place, f, after, limit)
}

// ordered reads the index of each state apart and merges them: one of several
// states could not be read in order.
func ordered[T any](t *tx, columns string, scan func(raw.Row) (T, error), place func(T) driver.ConversationPlace,
	f conversation.Filter, after *driver.ConversationPlace, limit int) ([]T, error) {
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
	var all []T
	for _, s := range states {
		sql, args := listQuery(t.ws, columns, s, index(f), terms, limit)
		found, err := listAbout(t, limit, scan, sql, args...)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			all = found
			continue
		}
		all = append(all, found...)
	}
	if len(states) > 1 {
		sortByPlace(all, place)
	}
	return all[:min(limit, len(all))], nil
}

func sortByPlace[T any](list []T, place func(T) driver.ConversationPlace) {
	slices.SortFunc(list, func(a, b T) int { return place(a).Compare(place(b)) })
}

func listQuery(ws int64, columns string, s conversation.State, index string, terms *clauses, limit int) (string, []any) {
	args := append([]any{ws}, terms.args...)
	sql := `SELECT ` + columns + ` FROM conversations INDEXED BY ` + index + ` WHERE ws = ?` + terms.sql.String()
	if s != "" {
		sql, args = sql+" AND state = ?", append(args, string(s))
	}
	return sql + ` ORDER BY updated DESC, id LIMIT ?`, append(args, limit)
}
