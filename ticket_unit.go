package sangdam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// A unit has one copy of each ticket that it touches. Flows ask for a draft and
// change it; nobody saves. What one actor changed is one entry of the history,
// so that what a trigger adds to an agent's save stands beside it, by itself.

// ticketWork is a ticket within a unit.
type ticketWork struct {
	stored storedTicket  // as it was read; its version is 0 for a new one
	before ticket.Ticket // as the unit found it; the zero Ticket for a new one
	now    ticket.Ticket // with every draft that has ended
	d      *ticket.Draft // what by changes at the moment
	by     string
	// entries are what is to be appended, and last the ticket before the last.
	entries []ticket.Entry
	last    ticket.Ticket
	// told are the entries of which the customer gets no mail: said in the chat,
	// or kept quiet.
	told map[int64]bool
}

// telling says that the step which is being made needs no mail.
func (w *ticketWork) telling() {
	if w.told == nil {
		w.told = map[int64]bool{}
	}
	w.told[w.now.Entries+1] = true
}

// ticketWork loads a ticket once. ErrNotFound names nothing.
func (u *unit) ticketWork(id ticket.ID) (*ticketWork, error) {
	if w := u.tickets[id]; w != nil {
		return w, nil
	}
	stored, err := tickets.Get(u.ctx, u.tx, string(id))
	if errors.Is(err, ErrNotFound) {
		return nil, noSuch(kindTicket)
	}
	if err != nil {
		return nil, err
	}
	w := &ticketWork{stored: stored, before: stored.Ticket, now: stored.Ticket}
	u.keepTicket(id, w)
	return w, nil
}

func (u *unit) keepTicket(id ticket.ID, w *ticketWork) {
	if u.tickets == nil {
		u.tickets = map[ticket.ID]*ticketWork{}
	}
	u.tickets[id] = w
	u.ticketOrder = append(u.ticketOrder, id)
}

// editTicket is the draft of a ticket in the name of who acts now.
func (u *unit) editTicket(id ticket.ID) (*ticket.Draft, error) {
	return u.draftTicket(id, ticket.Edit)
}

// draftTicket is editTicket with what begins a draft.
func (u *unit) draftTicket(id ticket.ID, begin func(ticket.Ticket, string, time.Time) (*ticket.Draft, error)) (*ticket.Draft, error) {
	w, err := u.ticketWork(id)
	if err != nil {
		return nil, err
	}
	if w.d != nil && w.by == u.actor() {
		return w.d, nil
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	d, err := begin(w.now, u.actor(), u.tx.Now())
	if err != nil {
		return nil, cmp.Or(u.mergedAway(w.now), err)
	}
	w.d, w.by = d, u.actor()
	return d, nil
}

// mergedAway names the ticket into which one was merged by its number, as people do,
// in the refusal of what is meant for it; nil where it was merged into none, or into one
// that is gone or that whoever acts may not see, whose number is not for them.
func (u *unit) mergedAway(t ticket.Ticket) error {
	if t.MergedInto == "" {
		return nil
	}
	into, err := u.mergedInto(t.ID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	w, err := u.acting()
	if err != nil {
		return err
	}
	shown, err := u.e.sees(u.ctx, w, ticketResource(into.now))
	if err != nil || !shown {
		return err
	}
	return ticket.WasMerged(fmt.Sprintf("#%d", into.now.Number))
}

// flush ends the draft and keeps its entry.
func (w *ticketWork) flush() error {
	if w.d == nil {
		return nil
	}
	was := w.d.Was()
	t, e, changed, err := w.d.End()
	if err != nil {
		return err
	}
	w.d = nil
	if changed {
		w.last, w.now = was, t
		w.entries = append(w.entries, e)
	}
	return nil
}

// newTicket begins a ticket with the next number of the workspace.
func (u *unit) newTicket(t ticket.Ticket) (*ticket.Draft, error) {
	if t.ID == "" {
		t.ID = ticket.ID(newID())
	}
	n := joinedBy(u.ctx).takeNumber()
	if n == 0 {
		var err error
		if n, err = nextTicketNumber(u.ctx, u.tx); err != nil {
			return nil, err
		}
	}
	d, err := ticket.Open(t, n, u.actor(), u.tx.Now())
	if err != nil {
		return nil, err
	}
	if err := u.hideNewTicket(d); err != nil {
		return nil, err
	}
	u.keepNew(d)
	return d, nil
}

// keepNew takes a draft of a new ticket into the unit.
func (u *unit) keepNew(d *ticket.Draft) {
	u.keepTicket(d.T.ID, &ticketWork{d: d, by: u.actor()})
}

func nextTicketNumber(ctx context.Context, tx store.Tx) (int64, error) {
	c, err := counters.Get(ctx, tx, kindTicket)
	if errors.Is(err, ErrNotFound) {
		c, err = counter{Name: kindTicket}, nil
	}
	if err != nil {
		return 0, err
	}
	c.Last++
	return c.Last, counters.Save(ctx, tx, &c)
}

// gatherTickets ends the drafts of the body and tells the stages after it what
// it changed.
func (u *unit) gatherTickets() error {
	for _, id := range u.ticketOrder {
		w := u.tickets[id]
		if err := w.flush(); err != nil {
			return err
		}
		if len(w.entries) == 0 {
			continue
		}
		for _, e := range w.entries {
			u.changed(record{kindTicket, string(id)}, w.entries[0].Actor, string(e.Kind))
		}
	}
	return nil
}

// writeTickets stores what the unit changed: each ticket once, its entries, its
// place in the search index, and what the feed tells.
func (u *unit) writeTickets() error {
	for _, id := range u.ticketOrder {
		w := u.tickets[id]
		if err := w.flush(); err != nil { // what a trigger changed
			return err
		}
		if len(w.entries) == 0 {
			continue
		}
		if err := u.writeTicket(w); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) writeTicket(w *ticketWork) error {
	w.stored.Ticket = w.now
	if err := tickets.Save(u.ctx, u.tx, &w.stored); err != nil {
		return err
	}
	w.now.Version = w.stored.Version
	for _, e := range w.entries {
		if err := ticketEntries.Save(u.ctx, u.tx, &storedEntry{Entry: e}); err != nil {
			return err
		}
		if err := u.indexText(w.now, e.Seq, e.At, e.Text); err != nil {
			return err
		}
		u.feed = append(u.feed, ticketEvent(w, e))
	}
	if now := ticketText(w.now); now != ticketText(w.before) {
		if err := u.indexText(w.now, 0, w.now.CreatedAt, now); err != nil {
			return err
		}
	}
	return u.setTicketDeadlines(w)
}

// ticketEvent is what the feed tells of an entry.
func ticketEvent(w *ticketWork, e ticket.Entry) driver.Event {
	ev := driver.Event{Aggregate: kindTicket, ID: string(e.Ticket), Version: e.Seq, Kind: string(e.Kind), Actor: e.Actor, At: e.At,
		Desk: w.now.Desk, Agent: w.now.Agent, Contact: w.now.Contact}
	if w.before.Desk != "" && w.before.Desk != w.now.Desk {
		ev.FormerDesk = w.before.Desk
	}
	if w.before.Agent != "" && w.before.Agent != w.now.Agent {
		ev.FormerAgent = w.before.Agent
	}
	return ev
}

// entryID names an entry's document.
func entryID(t ticket.ID, seq int64) string { return fmt.Sprintf("%s/%d", t, seq) }

// The search index knows a ticket's texts under ids of their own, and by tokens
// of their own, so that searches for messages never meet them.
const searchPrefix = "ticket/"

func ticketToken(token string) string { return "t" + token }

func searchID(t ticket.ID, seq int64) conversation.MessageID {
	return conversation.MessageID(searchPrefix + entryID(t, seq))
}

// searchedTicket undoes searchID.
func searchedTicket(m conversation.MessageID) (t ticket.ID, seq int64, ok bool) {
	rest, ok := strings.CutPrefix(string(m), searchPrefix)
	name, number, cut := strings.Cut(rest, "/")
	seq, err := strconv.ParseInt(number, 10, 64)
	return ticket.ID(name), seq, ok && cut && err == nil
}

// indexText puts a text of a ticket into the index; an empty one takes it out.
func (u *unit) indexText(t ticket.Ticket, seq int64, at time.Time, text string) error {
	return indexText(u.ctx, u.tx, t.ID, seq, at, text)
}

func indexText(ctx context.Context, tx store.Tx, t ticket.ID, seq int64, at time.Time, text string) error {
	grams := privacy.Grams(text)
	if len(grams) == 0 {
		if seq > 0 {
			return nil // never there
		}
		return tx.Search().Delete(ctx, searchID(t, seq))
	}
	for i := range grams {
		grams[i] = ticketToken(grams[i])
	}
	return tx.Search().Put(ctx, searchID(t, seq), conversation.ID(searchPrefix+string(t)), at, grams)
}

// ticketText is what a ticket is found by, beside its comments: never the values
// of encrypted fields.
func ticketText(t ticket.Ticket) string {
	parts := []string{t.Title, t.Body, t.Requester.Name, t.Requester.Email, t.Requester.Phone}
	for _, code := range slices.Sorted(maps.Keys(t.Fields)) {
		parts = append(parts, t.Fields[code].Text)
	}
	return strings.Join(parts, "\n")
}

// entriesOf reads a part of a history, oldest first.
func entriesOf(ctx context.Context, tx store.Tx, t ticket.ID, after int64, limit int) ([]ticket.Entry, error) {
	of := store.Exact(string(t))
	page, err := ticketEntries.List(ctx, tx, store.List[storedEntry]{Index: "history", From: store.Tuple(of, store.Int(after+1)),
		To: store.Next(store.Tuple(of)), Limit: limit})
	out := make([]ticket.Entry, 0, len(page.Items))
	for _, e := range page.Items {
		out = append(out, e.Entry)
	}
	return out, err
}

// entry reads one entry.
func (u *unit) entry(t ticket.ID, seq int64) (ticket.Entry, error) {
	e, err := ticketEntries.Get(u.ctx, u.tx, entryID(t, seq))
	if errors.Is(err, ErrNotFound) {
		return ticket.Entry{}, errs.New(errs.NotFound, "sangdam: the ticket has no entry %d", seq)
	}
	return e.Entry, err
}
