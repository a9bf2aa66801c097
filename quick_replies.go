package sangdam

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/trigger"
)

// QuickReply is a prepared answer for conversations (CV19) that everybody, the
// agents of one desk, or one agent has. What is sent with its help is an answer
// like any other; banned words are refused there too.
type QuickReply struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Title   string `json:"title"`
	// Code is what agents type after a slash to find it; without one they find
	// it by its title.
	Code string `json:"code,omitempty"`
	// Texts are the words by language (a BCP 47 tag); the one under "" is for
	// every other language. They may hold the placeholders that
	// QuickReplyPlaceholders returns, written as #{customer.name}.
	Texts map[string]string `json:"texts"`
	// Owner is the agent who alone has the reply, Desk the desk whose agents
	// have it. At most one of them may be given; without either, everybody has
	// it.
	Owner routing.AgentID `json:"owner,omitempty"`
	Desk  routing.DeskID  `json:"desk,omitempty"`
}

// QuickReplyPlaceholders returns the placeholders that the text of a quick
// reply may hold, each written there as #{customer.name}.
func QuickReplyPlaceholders() []string {
	return []string{"customer.name", "agent.name", "desk.name", "account.name"}
}

// Bounds of a quick reply.
const (
	maxReplyTitle = 60 // characters
	maxReplyCode  = 50 // characters
	maxReplyText  = 10_000
	maxTag        = 35 // bytes of a language tag
)

func (r QuickReply) validate() error {
	if n := utf8.RuneCountInString(r.Title); strings.TrimSpace(r.Title) == "" || n > maxReplyTitle {
		return errs.New(errs.Invalid, "sangdam: the title of a quick reply has %d characters; use 1 to %d", n, maxReplyTitle)
	}
	if utf8.RuneCountInString(r.Code) > maxReplyCode || strings.ContainsFunc(r.Code, unicode.IsSpace) {
		return errs.New(errs.Invalid, "sangdam: the code of a quick reply has at most %d characters and no blanks", maxReplyCode)
	}
	if r.Owner != "" && r.Desk != "" {
		return errs.New(errs.Invalid, "sangdam: a quick reply is one agent's or a desk's, not both")
	}
	if len(r.Texts) > maxLanguages || len(written(r.Texts)) == 0 {
		return errs.New(errs.Invalid, "sangdam: a quick reply needs a text, in at most %d languages", maxLanguages)
	}
	for lang, text := range r.Texts {
		if len(lang) > maxTag {
			return errs.New(errs.Invalid, "sangdam: the language of a quick reply is no tag such as ko or en")
		}
		if len(text) > maxReplyText {
			return errs.New(errs.Invalid, "sangdam: the quick reply (%q) has %d bytes; use at most %d", lang, len(text), maxReplyText)
		}
		if _, err := trigger.ParseTemplate(text, QuickReplyPlaceholders()); err != nil {
			return err
		}
	}
	return nil
}

// written are the languages that have a text.
func written(texts map[string]string) (out []string) {
	for _, lang := range slices.Sorted(maps.Keys(texts)) {
		if strings.TrimSpace(texts[lang]) != "" {
			out = append(out, lang)
		}
	}
	return out
}

// in is the text for a language; one in another language is better than none.
func (r QuickReply) in(language string) string {
	text := automated.Text("reply", language, automated.Texts{"reply": r.Texts})
	for _, lang := range written(r.Texts) {
		if text == "" {
			text = r.Texts[lang]
		}
	}
	return text
}

var quickReplies = declare(store.Kind[QuickReply]{Name: "quick_reply", Reused: true,
	ID: func(r *QuickReply) string { return r.ID }, Version: func(r *QuickReply) *int64 { return &r.Version },
	Indexes: []store.Index[QuickReply]{{Name: listedName, Value: func(r *QuickReply) []byte { return store.Text(r.Title) }}}})

var quickReplyKind = owned[QuickReply]{definition[QuickReply]{"quick_reply", quickReplies,
	func(r *QuickReply) string { return r.ID }, func(r *QuickReply) *int64 { return &r.Version }},
	func(r *QuickReply) routing.AgentID { return r.Owner }}

var (
	opSaveQuickReply   = acts("quick_reply.save", "SaveQuickReply", "quick_reply", ActTemplate, ActConfigure).versioned()
	opDeleteQuickReply = acts("quick_reply.delete", "DeleteQuickReply", "quick_reply", ActTemplate, ActConfigure).versioned()
)

// SaveQuickReply creates a quick reply (Version 0; an empty id is filled) or
// replaces the one of the version given. An agent may save its own; those of a
// desk and everybody's need ActConfigure.
type SaveQuickReply struct {
	Key   Key        `json:"-"`
	Reply QuickReply `json:"reply"`
}

// SaveQuickReply carries the command out. ErrInvalid for a placeholder that
// does not exist, a title that has not 1 to 60 characters, a code with blanks
// or above 50 characters, a text above 10,000 bytes, no text at all, and for
// both an Owner and a Desk.
func (e *Engine) SaveQuickReply(ctx context.Context, p Principal, c SaveQuickReply) (Saved, error) {
	return command(ctx, e, call{opSaveQuickReply, p, c.Key, c}, func(u *unit) (Saved, error) {
		r := c.Reply
		if err := u.mayShare(quickReplyKind.name, r.ID, r.Owner); err != nil {
			return Saved{}, err
		}
		if err := r.validate(); err != nil {
			return Saved{}, err
		}
		if _, known := u.s.routing.Desks[r.Desk]; r.Desk != "" && !known {
			return Saved{}, errs.New(errs.Invalid, "sangdam: there is no desk %s", r.Desk)
		}
		if r.ID == "" {
			r.ID = newID()
		}
		return saveOwned(u, quickReplyKind, r)
	})
}

// DeleteQuickReply deletes a quick reply.
type DeleteQuickReply struct {
	Key     Key    `json:"-"`
	Reply   string `json:"reply"`
	Version int64  `json:"version"`
}

// DeleteQuickReply carries the command out. An agent may delete its own; any
// other one needs ActConfigure. ErrNotFound, and ErrStale when it is not of the
// version given.
func (e *Engine) DeleteQuickReply(ctx context.Context, p Principal, c DeleteQuickReply) error {
	return deleteOwned(ctx, e, call{opDeleteQuickReply, p, c.Key, c}, quickReplyKind, c.Reply, c.Version)
}

var qQuickReplies = asks("quick_reply.list", "QuickReplies", "quick_replies", ActList).wide(wideSetUp)

// QuickReplies lists the quick replies of the principal: first its own, then
// those of its desks, then everybody's, each by title. Whoever may configure
// the workspace gets those of all desks. text is looked for in title, code and
// texts; empty lists all.
func (e *Engine) QuickReplies(ctx context.Context, p Principal, text string) (out []QuickReply, err error) {
	err = e.query(ctx, p, qQuickReplies, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		out, err = e.quickReplies(ctx, tx, s, p, text)
		return err
	})
	return out, err
}

func (e *Engine) quickReplies(ctx context.Context, tx store.Tx, s *settings, p Principal, text string) ([]QuickReply, error) {
	w, err := e.who(ctx, tx, s, p)
	if err != nil {
		return nil, err
	}
	leads := e.permit(ctx, w, ActConfigure, Resource{Kind: quickReplyKind.name}) == nil
	all, err := allOf(ctx, tx, quickReplies, nil)
	want := fold.Text(text)
	all = slices.DeleteFunc(all, func(r QuickReply) bool {
		words := r.Title + "\n" + r.Code
		for _, t := range r.Texts {
			words += "\n" + t
		}
		return r.Owner != "" && r.Owner != p.agent() || r.Desk != "" && !leads && !w.On(r.Desk) ||
			want != "" && !strings.Contains(fold.Text(words), want)
	})
	rank := func(r QuickReply) string {
		switch {
		case r.Owner != "":
			return "0"
		case r.Desk != "":
			return "1"
		}
		return "2"
	}
	slices.SortFunc(all, func(a, b QuickReply) int {
		return strings.Compare(rank(a)+fold.Text(a.Title)+"\x00"+a.ID, rank(b)+fold.Text(b.Title)+"\x00"+b.ID)
	})
	return listed(all), err
}

// FilledReply is a quick reply as it would be sent in a conversation.
type FilledReply struct {
	QuickReply
	Text string `json:"text"`
}

var qRepliesFor = asks("quick_reply.list_for", "RepliesFor", kindConversation, ActRead)

// RepliesFor lists the quick replies for a conversation that the principal may
// read, in the language of its customer and with all placeholders filled: the
// principal's own, then those of the conversation's desk, then everybody's.
// text is looked for as in QuickReplies; replies whose code begins with it come
// first.
func (e *Engine) RepliesFor(ctx context.Context, p Principal, id conversation.ID, text string) (out []FilledReply, err error) {
	err = e.read(ctx, p, qRepliesFor, id, func(ctx context.Context, tx store.Tx, cv conversation.Conversation) error {
		out = []FilledReply{}
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		list, err := e.quickReplies(ctx, tx, s, p, text)
		if err != nil {
			return err
		}
		values, err := e.replyValues(ctx, tx, s, p, cv)
		if err != nil {
			return err
		}
		for _, r := range list {
			t, err := trigger.ParseTemplate(r.in(cv.Language), QuickReplyPlaceholders())
			if err != nil || r.Desk != "" && r.Desk != cv.Desk {
				continue // written by a program that knows other placeholders
			}
			out = append(out, FilledReply{r, t.Render(values)})
		}
		return nil
	})
	return out, err
}

func (e *Engine) replyValues(ctx context.Context, tx store.Tx, s *settings, p Principal,
	cv conversation.Conversation) (map[string]string, error) {
	values := map[string]string{"desk.name": s.routing.Desks[cv.Desk].Name, "account.name": s.accounts[cv.Account].Name}
	beside := Detail{Conversation: cv}
	if err := e.beside(ctx, tx, p, &beside); err != nil {
		return nil, err
	}
	if beside.Contact != nil {
		values["customer.name"] = beside.Contact.Name
	}
	a, err := tx.Agents().Agent(ctx, p.agent())
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) { // a host
		return values, nil
	}
	values["agent.name"] = a.Name
	return values, err
}
