package sangdam

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// FoundTicket is a ticket that matches a search. Entry is the number of the
// comment that has the words; 0: the ticket itself has them.
type FoundTicket struct {
	Ticket ticket.Ticket `json:"ticket"`
	Entry  int64         `json:"entry,omitempty"`
}

// FoundTickets is a page of a search. Next is empty at the end. A page without
// tickets but with a Next has found nothing so far.
type FoundTickets struct {
	Tickets []FoundTicket `json:"tickets"`
	Next    string        `json:"next,omitempty"`
}

var qSearchTickets = asks("ticket.search", "SearchTickets", "tickets", ActSearch)

// SearchTickets finds tickets by title, inquiry, requester, comments and those
// fields that are neither encrypted nor for administrators only. Each word of
// the text must be a part of one of these. What was written last comes first.
// limit is 1 to 200; page is empty or FoundTickets.Next of the page before,
// which works only for the same principal and text. One call looks at no more
// than 2,000 candidates that the index names, so a page may have fewer tickets
// than limit, or none, and still a Next to go on with. A ticket is on one page
// once; it is on a later page again if an older comment of it has the words
// too.
func (e *Engine) SearchTickets(ctx context.Context, p Principal, text, page string, limit int) (FoundTickets, error) {
	tokens, err := ticketTokens(text)
	if err != nil {
		return FoundTickets{}, err
	}
	from, err := e.openPage(ctx, p, "ticket search", text, page)
	if err != nil {
		return FoundTickets{}, err
	}
	out := FoundTickets{}
	err = e.query(ctx, p, qSearchTickets, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		l, err := e.ticketList(ctx, tx, s, p, TicketFilter{})
		if err != nil {
			return err
		}
		q := ticketSearch{ticketList: l, text: text, tokens: tokens, limit: min(max(limit, 1), maxPage), seen: map[ticket.ID]bool{},
			out: FoundTickets{Tickets: []FoundTicket{}}}
		if from != "" {
			if err := json.Unmarshal([]byte(from), &q.after); err != nil {
				return err
			}
		}
		err = q.run()
		out = q.out
		return err
	})
	if err == nil {
		out.Next, err = e.sealPage(ctx, p, "ticket search", text, out.Next)
	}
	return out, err
}

// ticketTokens are the words of a search as tickets are indexed by them.
func ticketTokens(text string) (tokens []string, err error) {
	for _, t := range privacy.Query(text) {
		if !t.Prefix {
			tokens = append(tokens, ticketToken(t.Token))
		}
	}
	if len(tokens) == 0 {
		return nil, errs.New(errs.Invalid, "sangdam: the search needs at least two letters or digits")
	}
	return tokens, nil
}

// ticketSearch is one run of a search.
type ticketSearch struct {
	*ticketList
	text   string
	tokens []string
	limit  int
	seen   map[ticket.ID]bool
	after  driver.SearchHit // the last that was looked at
	out    FoundTickets
}

// run follows the index until the page is full, the candidates of a call are
// used up, or there are no more. Most hits are what is looked for, so few more
// than the page takes are asked for first, and more whenever that was not so.
func (q *ticketSearch) run() error {
	for looked, chunk := 0, min(q.limit+10, maxPage); ; chunk = min(chunk*4, maxPage) {
		hits, err := q.tx.Search().Find(q.ctx, q.tokens, q.after, chunk)
		if err != nil {
			return err
		}
		n, err := q.take(hits)
		if err != nil || n == len(hits) && len(hits) < chunk {
			return err
		}
		if looked += n; looked >= searchedAt || len(q.out.Tickets) == q.limit {
			return q.stop()
		}
	}
}

// stop says where the search goes on.
func (q *ticketSearch) stop() error {
	raw, err := json.Marshal(q.after)
	q.out.Next = string(raw)
	return err
}

// take adds what hits name, up to the limit, if the words are really there and
// it may be seen; n is how many hits it looked at.
func (q *ticketSearch) take(hits []driver.SearchHit) (n int, err error) {
	named, comments, err := q.ofHits(hits)
	if err != nil {
		return 0, err
	}
	for _, h := range hits {
		if len(q.out.Tickets) == q.limit {
			return n, nil
		}
		q.after = h
		n++
		id, seq, ok := searchedTicket(h.Message)
		t, there := named[id]
		if !ok || !there || q.seen[id] {
			continue
		}
		if !q.keep(&t) {
			if q.trouble != nil {
				return n, q.trouble
			}
			continue
		}
		q.show(t, seq, comments[entryID(id, seq)])
	}
	return n, nil
}

// show adds a ticket if the words stand where the index says, in the comment or
// in the ticket itself.
func (q *ticketSearch) show(t storedTicket, seq int64, in string) {
	f := FoundTicket{Ticket: shownTicket(t.Ticket, q.hidden), Entry: seq}
	if seq == 0 {
		in = ticketText(f.Ticket)
	}
	if privacy.Contains(in, q.text) {
		q.seen[t.ID] = true
		q.out.Tickets = append(q.out.Tickets, f)
	}
}

// ofHits reads the tickets that hits name, and the comments by the ids of their
// entries.
func (q *ticketSearch) ofHits(hits []driver.SearchHit) (named map[ticket.ID]storedTicket, comments map[string]string, err error) {
	var ids, entries []string
	for _, h := range hits {
		id, seq, ok := searchedTicket(h.Message)
		if ok && !slices.Contains(ids, string(id)) {
			ids = append(ids, string(id))
		}
		if ok && seq > 0 {
			entries = append(entries, entryID(id, seq))
		}
	}
	list, err := tickets.GetAll(q.ctx, q.tx, ids...)
	if err != nil {
		return nil, nil, err
	}
	named, comments = map[ticket.ID]storedTicket{}, map[string]string{}
	for _, t := range list {
		named[t.ID] = t
	}
	said, err := ticketEntries.GetAll(q.ctx, q.tx, entries...)
	for _, e := range said {
		comments[entryID(e.Ticket, e.Seq)] = e.Text
	}
	return named, comments, err
}

// reindexTickets puts every ticket and comment into the search index once more.
// A ticket that somebody changes meanwhile is read again, so that no text comes
// back that was just masked.
func (e *Engine) reindexTickets(ctx context.Context, ws WorkspaceID) error {
	for after, more := "", true; more; {
		next := after
		err := e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
			page, err := tickets.List(ctx, tx, store.List[storedTicket]{Index: byNumber, After: after, Limit: renewChunk})
			if err != nil {
				return err
			}
			for i := range page.Items {
				if err := reindexTicket(ctx, tx, &page.Items[i]); err != nil {
					return err
				}
			}
			next = page.Next
			return nil
		})
		if err != nil {
			return err
		}
		after, more = next, next != ""
	}
	return nil
}

func reindexTicket(ctx context.Context, tx store.Tx, t *storedTicket) error {
	if err := tickets.Guard(ctx, tx, t); err != nil {
		return err
	}
	if err := indexText(ctx, tx, t.ID, 0, t.CreatedAt, ticketText(t.Ticket)); err != nil {
		return err
	}
	for after, more := int64(0), true; more; {
		entries, err := entriesOf(ctx, tx, t.ID, after, maxPage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := indexText(ctx, tx, t.ID, e.Seq, e.At, e.Text); err != nil {
				return err
			}
			after = e.Seq
		}
		more = len(entries) == maxPage
	}
	return nil
}
