package sangdam

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// ConversationView is a saved list of conversations: a filter with a name. It
// gives nobody a right: whoever opens it sees those conversations of it that it
// may see anyway.
type ConversationView struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// Owner is the agent whose own view it is; empty: everybody's.
	Owner routing.AgentID `json:"owner,omitempty"`
	// The members below select conversations, as those of conversation.Filter
	// do; an empty one selects everything.
	States     []conversation.State `json:"states,omitempty"`
	Agent      routing.AgentID      `json:"agent,omitempty"`
	Account    channel.AccountID    `json:"account,omitempty"`
	Channel    channel.Kind         `json:"channel,omitempty"`
	Desk       routing.DeskID       `json:"desk,omitempty"`
	WorkStream routing.WorkStreamID `json:"work_stream,omitempty"`
	Handled    *bool                `json:"handled,omitempty"`
	// Unread shows only conversations with a message of the customer that nobody has
	// answered yet (Conversation.Unread above 0). Whoever shows the list leaves the
	// others out: it is not part of Filter.
	Unread bool `json:"unread,omitempty"`
}

// Filter returns the view's filter, for Engine.Conversations. Unread is not
// part of it.
func (v ConversationView) Filter() conversation.Filter {
	f := conversation.Filter{Agent: v.Agent, Account: v.Account, Channel: v.Channel, WorkStream: v.WorkStream, Handled: v.Handled}
	if len(v.States) > 0 { // an empty list in a filter selects nothing
		f.States = v.States
	}
	if v.Desk != "" {
		f.Desks = []routing.DeskID{v.Desk}
	}
	return f
}

// maxViewName is in characters.
const maxViewName = 60

func (v ConversationView) validate() error {
	if n := utf8.RuneCountInString(v.Name); strings.TrimSpace(v.Name) == "" || n > maxViewName {
		return errs.New(errs.Invalid, "sangdam: the name of a view has %d characters; use 1 to %d", n, maxViewName)
	}
	known := conversation.States()
	for i, s := range v.States {
		if !slices.Contains(known, s) || slices.Contains(v.States[:i], s) {
			return errs.New(errs.Invalid, "sangdam: view %q: state %q is unknown or there twice; use some of %v", v.Name, s, known)
		}
	}
	return nil
}

var conversationViews = declare(store.Kind[ConversationView]{Name: "conversation_view", Reused: true,
	ID: func(v *ConversationView) string { return v.ID }, Version: func(v *ConversationView) *int64 { return &v.Version },
	Indexes: []store.Index[ConversationView]{{Name: listedName, Value: func(v *ConversationView) []byte { return store.Text(v.Name) }}}})

var conversationViewKind = owned[ConversationView]{definition[ConversationView]{"conversation_view", conversationViews,
	func(v *ConversationView) string { return v.ID }, func(v *ConversationView) *int64 { return &v.Version }},
	func(v *ConversationView) routing.AgentID { return v.Owner }}

var (
	opSaveConversationView = acts("conversation_view.save", "SaveConversationView", "conversation_view",
		ActTemplate, ActConfigure).versioned()
	opDeleteConversationView = acts("conversation_view.delete", "DeleteConversationView", "conversation_view",
		ActTemplate, ActConfigure).versioned()
)

// SaveConversationView creates a saved list of conversations (Version 0; an
// empty id is filled) or replaces the one of the version given.
type SaveConversationView struct {
	Key  Key              `json:"-"`
	View ConversationView `json:"view"`
}

// SaveConversationView carries the command out. An agent may save its own
// views; everybody's need ActConfigure. ErrInvalid for a view without a name
// and for a state that does not exist or is named twice, ErrStale when it is
// not of the version given.
func (e *Engine) SaveConversationView(ctx context.Context, p Principal, c SaveConversationView) (Saved, error) {
	return command(ctx, e, call{opSaveConversationView, p, c.Key, c}, func(u *unit) (Saved, error) {
		v := c.View
		if err := u.mayShare(conversationViewKind.name, v.ID, v.Owner); err != nil {
			return Saved{}, err
		}
		if err := v.validate(); err != nil {
			return Saved{}, err
		}
		if v.ID == "" {
			v.ID = newID()
		}
		return saveOwned(u, conversationViewKind, v)
	})
}

// DeleteConversationView deletes a saved list of conversations.
type DeleteConversationView struct {
	Key     Key    `json:"-"`
	View    string `json:"view"`
	Version int64  `json:"version"`
}

// DeleteConversationView carries the command out, for whoever may save the
// view. ErrNotFound, and ErrStale when the view is not of the version given.
func (e *Engine) DeleteConversationView(ctx context.Context, p Principal, c DeleteConversationView) error {
	return deleteOwned(ctx, e, call{opDeleteConversationView, p, c.Key, c}, conversationViewKind, c.View, c.Version)
}

var qConversationViews = asks("conversation_view.list", "ConversationViews", "conversation_views", ActList).wide(wideSetUp)

// ConversationViews lists everybody's views and the principal's own, by name.
func (e *Engine) ConversationViews(ctx context.Context, p Principal) (out []ConversationView, err error) {
	err = e.query(ctx, p, qConversationViews, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		all, err := allOf(ctx, tx, conversationViews, nil)
		out = listed(slices.DeleteFunc(all, func(v ConversationView) bool { return v.Owner != "" && v.Owner != p.agent() }))
		slices.SortFunc(out, func(a, b ConversationView) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
		return err
	})
	return out, err
}
