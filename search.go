package sangdam

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Found is a message that matches a search.
type Found struct {
	Conversation conversation.Conversation `json:"conversation"`
	Message      conversation.Message      `json:"message"`
}

// searchedAt is how many hits of the index a search looks at, for each desk of
// the principal's scope.
const searchedAt = 2000

// The index has two tokens of every message beside those of its text, so that
// what is on a small desk is not behind what is on a large one. They cannot
// meet a token of a text, which has no colon.
func deskToken(d routing.DeskID) string          { return "desk:" + string(d) }
func conversationToken(c conversation.ID) string { return "in:" + string(c) }

var qSearch = asks("conversation.search", "Search", "conversations", ActSearch)

// Search finds messages that the principal may see by their text, as it is with
// its masks. A message is found when every pair of neighbouring characters of
// the query occurs in it, so that words of two syllables, which are frequent in
// Korean, can be found. It returns the newest first, at most limit (1 to 200),
// and looks at the 2,000 newest messages of each desk that the index names. A
// message that was just written, or whose conversation just moved to another
// desk, may be missing for a moment.
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
	err := e.query(ctx, p, qSearch, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		q := search{e: e, ctx: ctx, tx: tx, w: w, text: text, tokens: tokens, limit: limit, found: map[conversation.MessageID]Found{},
			read: map[conversation.ID]*conversation.Conversation{}}
		out, err = q.run()
		return err
	})
	return out, err
}

// search is one run of a search.
type search struct {
	e      *Engine
	ctx    context.Context
	tx     store.Tx
	w      Who
	text   string
	tokens []string
	limit  int
	found  map[conversation.MessageID]Found
	// read holds the conversations asked about; nil may not be seen.
	read map[conversation.ID]*conversation.Conversation
}

func (q *search) run() ([]Found, error) {
	parts, err := q.parts()
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if err := q.through(append(slices.Clone(q.tokens), part...)); err != nil {
			return nil, err
		}
	}
	out := make([]Found, 0, len(q.found))
	for _, f := range q.found {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Found) int {
		return cmp.Or(b.Message.At.Compare(a.Message.At), cmp.Compare(a.Message.ID, b.Message.ID))
	})
	return out[:min(q.limit, len(out))], nil
}

// parts are the parts of the index that the principal's scope names, each by
// its token: the desks, and what the agent owns on others.
func (q *search) parts() ([][]string, error) {
	within := q.e.within(q.w)
	if within == nil {
		return [][]string{nil}, nil
	}
	var out [][]string
	for _, d := range within.Desks {
		out = append(out, []string{deskToken(d)})
	}
	if within.Owner == "" {
		return out, nil
	}
	owned, _, err := q.tx.Conversations().List(q.ctx, conversation.Filter{Agent: within.Owner}, "", maxPage)
	for _, c := range owned {
		if !slices.Contains(within.Desks, c.Desk) {
			out = append(out, []string{conversationToken(c.ID)})
		}
	}
	return out, err
}

// through follows the index from the newest hit until limit messages of it may
// be shown.
func (q *search) through(tokens []string) error {
	chunk := min(2*q.limit, maxPage)
	var after driver.SearchHit
	for looked, shown := 0, 0; looked < searchedAt; looked += chunk {
		hits, err := q.tx.Search().Find(q.ctx, tokens, after, chunk)
		if err != nil {
			return err
		}
		for _, h := range hits {
			ok, err := q.show(h)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if shown++; shown == q.limit {
				return nil
			}
		}
		if len(hits) < chunk {
			return nil
		}
		after = hits[len(hits)-1]
	}
	return nil
}

// show adds a hit if the words are really there and it may be seen.
func (q *search) show(h driver.SearchHit) (bool, error) {
	m, err := q.tx.Conversations().Message(q.ctx, h.Message)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !privacy.Contains(m.Content.Text, q.text) {
		return false, nil // the pairs occur, the words do not
	}
	cv, err := q.conversation(m.Conversation)
	if err != nil {
		return false, err
	}
	if cv == nil {
		return false, nil
	}
	q.found[m.ID] = Found{*cv, m}
	return true, nil
}

// conversation is one that may be seen, nil for others; each is read once.
func (q *search) conversation(id conversation.ID) (*conversation.Conversation, error) {
	if cv, asked := q.read[id]; asked {
		return cv, nil
	}
	c, err := q.tx.Conversations().Conversation(q.ctx, id)
	if err != nil {
		return nil, err
	}
	ok, err := q.e.sees(q.ctx, q.w, headResource(driver.ConversationHeadOf(c)))
	if err != nil {
		return nil, err
	}
	q.read[id] = nil
	if ok {
		q.read[id] = &c
	}
	return q.read[id], nil
}
