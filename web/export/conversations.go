package export

import (
	"context"
	"iter"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
)

// ConversationWords puts a table of conversations into the reader's language.
// Each function may be nil: then codes are shown as they are.
type ConversationWords struct {
	// Title of a column; the columns are those of ConversationColumns.
	Title func(column string) string
	// State of a conversation, and the name of a channel.
	State, Channel func(code string) string
}

// ConversationColumns are the columns of such a table, in order.
func ConversationColumns() []string {
	return []string{"id", "customer", "channel", "account", "desk", "state", "handled", "agent", "opened", "ended", "ended_by", "reason",
		"category", "score", "comment", "last_words"}
}

// AllConversations goes through the conversations that match and that the
// principal may see, newest change first: those of Engine.Conversations.
func AllConversations(ctx context.Context, eng *sangdam.Engine, p sangdam.Principal,
	f conversation.Filter) iter.Seq2[conversation.Conversation, error] {
	return func(yield func(conversation.Conversation, error) bool) {
		for page := ""; ; {
			found, err := eng.Conversations(ctx, p, f, page, 200)
			if err != nil {
				yield(conversation.Conversation{}, err)
				return
			}
			for _, c := range found.Conversations {
				if !yield(c, nil) {
					return
				}
			}
			if page = found.Next; page == "" {
				return
			}
		}
	}
}

// Conversations makes the table of a list. What is masked stays masked; names of
// customers are asked for in the principal's name, 200 at once.
func Conversations(ctx context.Context, eng *sangdam.Engine, p sangdam.Principal, list iter.Seq2[conversation.Conversation, error],
	w ConversationWords, zone *time.Location) (Table, Rows, error) {
	d, err := eng.Directory(ctx, p)
	if err != nil {
		return Table{}, nil, err
	}
	t := Table{Name: "Conversations", Zone: zone}
	for _, name := range ConversationColumns() {
		kind := Text
		switch name {
		case "opened", "ended":
			kind = Time
		case "handled":
			kind = Yes
		case "score":
			kind = Number
		}
		t.Columns = append(t.Columns, Column{Title: worded(w.Title, name), Kind: kind})
	}
	rows := func(yield func([]any, error) bool) {
		var batch []conversation.Conversation
		flush := func() bool {
			ok, err := conversationRows(ctx, eng, p, d, batch, w, yield)
			batch = batch[:0]
			if err != nil {
				yield(nil, err)
			}
			return ok && err == nil
		}
		for c, err := range list {
			if err != nil {
				yield(nil, err)
				return
			}
			if batch = append(batch, c); len(batch) == 200 && !flush() {
				return
			}
		}
		flush()
	}
	return t, rows, nil
}

func conversationRows(ctx context.Context, eng *sangdam.Engine, p sangdam.Principal, d sangdam.Directory, list []conversation.Conversation,
	w ConversationWords, yield func([]any, error) bool) (bool, error) {
	if len(list) == 0 {
		return true, nil
	}
	var ids []conversation.ContactID
	for _, c := range list {
		ids = append(ids, c.Contact)
	}
	names, err := eng.ContactNames(ctx, p, ids...)
	if err != nil {
		return false, err
	}
	agents := map[conversation.AgentID]string{}
	for _, a := range d.Agents {
		agents[a.ID] = a.Name
	}
	for _, c := range list {
		if !yield(conversationCells(c, d, names[c.Contact], agents, w), nil) {
			return false, nil
		}
	}
	return true, nil
}

// conversationCells are in the order of ConversationColumns.
func conversationCells(c conversation.Conversation, d sangdam.Directory, name string, agents map[conversation.AgentID]string,
	w ConversationWords) []any {
	if name == "" {
		name = c.ChatName
	}
	agent := c.Agent
	if agent == "" {
		agent = c.LastAgent
	}
	who := agents[agent]
	if who == "" {
		who = string(agent)
	}
	var score, comment any
	if c.Rating != nil {
		score, comment = c.Rating.Score, c.Rating.Comment
	}
	return []any{string(c.ID), name, worded(w.Channel, string(c.Channel)), d.Accounts[c.Account].Name, d.Desks[c.Desk],
		worded(w.State, string(c.State)),
		c.Handled, who, orNil(c.OpenedAt), orNil(c.ClosedAt), c.EndedBy, c.EndReason, c.Category, score, comment, c.Preview}
}

func worded(f func(string) string, code string) string {
	if f == nil || code == "" {
		return code
	}
	return f(code)
}

func orNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
