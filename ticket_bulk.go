package sangdam

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// MaxBulk is the largest number of tickets in one bulk change.
const MaxBulk = 1000

// BulkTickets changes many tickets in the background. Each is changed as
// UpdateTicket would change it, under the rights that the principal has at that
// moment. A ticket that cannot be changed is reported (BulkReport.Failures);
// the others are changed all the same.
type BulkTickets struct {
	Key     Key            `json:"-"`
	Tickets []ticket.ID    `json:"tickets"` // 1 to MaxBulk, each once
	Change  TicketChange   `json:"change,omitzero"`
	Comment *TicketComment `json:"comment,omitempty"`
	// Macro is the id of a macro about tickets that is run on each after Change
	// and Comment, as RunMacro would. A ticket on which it cannot do all that it
	// does stays as it was, and is reported. The macro is taken as it is now.
	Macro string `json:"macro,omitempty"`
}

// Bulk is a bulk change and how far it is. It is kept for 30 days after its end.
type Bulk struct {
	ID      string      `json:"id"`
	Version int64       `json:"-"`
	By      string      `json:"by"` // who asked for it, as the audit log names principals
	State   ErrandState `json:"state"`
	// Undoes names the bulk change that this one takes back.
	Undoes string `json:"undoes,omitempty"`
	// Undone is set once it was taken back.
	Undone bool `json:"undone,omitempty"`
	Total  int  `json:"total"`
	Done   int  `json:"done"` // changed, or as they were to be already
	Failed int  `json:"failed"`
	// Reason says why it was given up.
	Reason  string         `json:"reason,omitempty"`
	At      time.Time      `json:"at"`
	Ended   time.Time      `json:"ended,omitzero"`
	Change  TicketChange   `json:"change,omitzero"`
	Comment *TicketComment `json:"comment,omitempty"`
	// Macro is what is run on each ticket, as it was when the change was asked for.
	Macro *Macro `json:"macro,omitempty"`
	// Principal acts: its rights are asked ticket by ticket.
	Principal Principal `json:"principal"`
}

// BulkItem is one ticket of a bulk change.
type BulkItem struct {
	Bulk    string    `json:"bulk"`
	N       int       `json:"n"`
	Version int64     `json:"-"`
	Ticket  ticket.ID `json:"ticket"`
	Done    bool      `json:"done"`
	// Reason says why it failed.
	Reason string `json:"reason,omitempty"`
	// Unsent says that the comment was a public answer that nothing carries.
	Unsent bool `json:"unsent,omitempty"`
	// After is the ticket's version after the change, 0 if it changed nothing;
	// Back would take it back.
	After int64        `json:"after,omitempty"`
	Back  TicketChange `json:"back,omitzero"`
}

var (
	bulks = declare(store.Kind[Bulk]{Name: "ticket_bulk", Decl: 4,
		ID:      func(b *Bulk) string { return b.ID },
		Version: func(b *Bulk) *int64 { return &b.Version },
		Indexes: []store.Index[Bulk]{{Name: "at", Value: func(b *Bulk) []byte { return store.Time(b.At) }},
			{Name: errandsRunning, Value: func(b *Bulk) []byte {
				if b.State != ErrandRunning {
					return nil
				}
				return store.Time(b.At)
			}},
			{Name: bulksEnded, Value: func(b *Bulk) []byte {
				switch {
				case b.State == ErrandRunning:
					return nil
				case b.Ended.IsZero(): // of a version that did not keep it
					return store.Time(b.At)
				}
				return store.Time(b.Ended)
			}}},
		Tags: []store.TagIndex[Bulk]{{Name: "by", Values: func(b *Bulk) [][]byte { return one(b.By) },
			Order: func(b *Bulk) []byte { return store.Time(b.At) }}}})

	bulkItems = declare(store.Kind[BulkItem]{Name: "ticket_bulk_item", Decl: 2,
		ID:      func(b *BulkItem) string { return fmt.Sprintf("%s/%d", b.Bulk, b.N) },
		Version: func(b *BulkItem) *int64 { return &b.Version },
		Indexes: []store.Index[BulkItem]{
			{Name: "bulk", Value: itemsWith(func(*BulkItem) bool { return true })},
			{Name: itemsFailed, Value: itemsWith(func(b *BulkItem) bool { return b.Reason != "" })},
			{Name: itemsUnsent, Value: itemsWith(func(b *BulkItem) bool { return b.Unsent })}}})
)

// Indexes of the tickets of a bulk change of which its report tells.
const itemsFailed, itemsUnsent = "failed", "unsent"

// itemsWith is the place of a bulk change's ticket among those of which something is
// so.
func itemsWith(is func(*BulkItem) bool) func(*BulkItem) []byte {
	return func(b *BulkItem) []byte {
		if !is(b) {
			return nil
		}
		return store.Tuple(store.Exact(b.Bulk), store.Int(int64(b.N)))
	}
}

const jobBulk = "ticket_bulk"

var bulkErrands = errand[Bulk]{kind: "ticket_bulk", docs: bulks, about: func(b *Bulk) errandState {
	return errandState{id: b.ID, by: b.By, state: string(b.State), version: b.Version, over: b.State != ErrandRunning,
		percent: 100 * (b.Done + b.Failed) / max(b.Total, 1)}
}, fail: func(b *Bulk, reason string, now time.Time) { b.State, b.Reason, b.Ended = ErrandFailed, reason, now }}

func init() {
	registerJob(jobKind{name: jobBulk, workers: 2, bound: always(10 * time.Minute), tries: 20}, (*Engine).bulkJob,
		func(u *unit, p bulkJobOf, why error) error { return bulkErrands.givenUp(u, p.Bulk, why) })
	registerPurge(bulkErrands.abandoned)
	registerPurge(func(_ *Engine, ctx context.Context, tx store.Tx) (int, error) { return purgeBulks(ctx, tx, bulksFor) })
}

const (
	bulksEnded = "ended"             // index of bulk changes that are over
	bulksFor   = 30 * 24 * time.Hour // after their end
)

// purgeBulks deletes bulk changes that ended so long ago, each after the last of its
// tickets.
func purgeBulks(ctx context.Context, tx store.Tx, age time.Duration) (n int, err error) {
	page, err := bulks.List(ctx, tx, store.List[Bulk]{Index: bulksEnded, To: store.Time(tx.Now().Add(-age)), Limit: purgeChunk})
	for i := 0; err == nil && i < len(page.Items) && n < purgeChunk; i++ {
		of := store.Tuple(store.Exact(page.Items[i].ID))
		var items store.Page[BulkItem]
		items, err = bulkItems.List(ctx, tx, store.List[BulkItem]{Index: "bulk", From: of, To: store.Next(of), Limit: purgeChunk})
		for j := 0; err == nil && j < len(items.Items); j++ {
			err = bulkItems.Delete(ctx, tx, &items.Items[j])
		}
		if n += len(items.Items); err == nil && len(items.Items) < purgeChunk {
			n, err = n+1, bulks.Delete(ctx, tx, &page.Items[i])
		}
	}
	return n, err
}

// bulkJobOf is the payload of the job.
type bulkJobOf struct {
	Bulk string `json:"bulk"`
}

// BulkTickets carries the command out: it returns at once, see BulkProgress.
// ErrInvalid for a change that changes nothing, for a value of an encrypted field,
// which would stand in the open in the bulk change, and for a macro that is not
// about tickets.
func (e *Engine) BulkTickets(ctx context.Context, p Principal, c BulkTickets) (Saved, error) {
	return command(ctx, e, call{opBulkTickets, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActTicketBulk, Resource{Kind: kindTicket}); err != nil {
			return Saved{}, err
		}
		if err := u.off(SwitchTicket); err != nil {
			return Saved{}, err
		}
		sorted := slices.Sorted(slices.Values(c.Tickets))
		if n := len(c.Tickets); n < 1 || n > MaxBulk || len(slices.Compact(sorted)) != n {
			return Saved{}, errs.New(errs.Invalid, "sangdam: a bulk change takes 1 to %d tickets, each once", MaxBulk)
		}
		if c.Change.empty() && c.Comment == nil && c.Macro == "" {
			return Saved{}, errs.New(errs.Invalid, "sangdam: the bulk change changes nothing")
		}
		if err := u.openFields(c.Change.Fields); err != nil {
			return Saved{}, err
		}
		b := Bulk{Change: c.Change, Comment: c.Comment}
		if c.Macro != "" {
			m, err := u.macroOfTickets(c.Macro)
			if err != nil {
				return Saved{}, err
			}
			b.Macro = &m
		}
		return u.beginBulk(b, func(i int) BulkItem { return BulkItem{Ticket: c.Tickets[i]} }, len(c.Tickets))
	})
}

// openFields refuses values of encrypted fields: they are sealed for one ticket each,
// and the bulk change would keep them in the open.
func (u *unit) openFields(fields map[string]ticket.Value) error {
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	for code, v := range fields {
		if f, _ := s.Fields.Field(code); f.Encrypted && !v.Empty() {
			return errs.New(errs.Invalid, "sangdam: field %q is encrypted; set it ticket by ticket", shortened(code))
		}
	}
	return nil
}

// macroOfTickets is a macro for a bulk change. Who may not know which macros there
// are runs none; whether it may be run is asked of each ticket.
func (u *unit) macroOfTickets(id string) (Macro, error) {
	before := u.resource
	if err := u.allow(ActList, Resource{Kind: kindMacro, ID: id}); err != nil {
		return Macro{}, err
	}
	u.resource = before
	m, err := macroDocs.Get(u.ctx, u.tx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return m, noSuch(kindMacro)
	case err == nil && m.Subject != kindTicket:
		return m, errs.New(errs.Invalid, "sangdam: macro %q is not about tickets", m.Title)
	}
	return m, err
}

// beginBulk stores a bulk change with its tickets and has a job carry it out.
func (u *unit) beginBulk(b Bulk, item func(int) BulkItem, n int) (Saved, error) {
	b.ID, b.By, b.State, b.Total, b.At, b.Principal = newID(), u.p.keyOwner(), ErrandRunning, n, u.tx.Now(), u.p
	if err := bulks.Save(u.ctx, u.tx, &b); err != nil {
		return Saved{}, err
	}
	for i := range n {
		it := item(i)
		it.Bulk, it.N = b.ID, i
		if err := bulkItems.Save(u.ctx, u.tx, &it); err != nil {
			return Saved{}, err
		}
	}
	u.resource.ID = b.ID
	return Saved{ID: b.ID, Version: b.Version}, u.enqueueJob(jobBulk, b.ID, bulkJobOf{b.ID})
}

// bulkJob changes one ticket in each transaction.
func (e *Engine) bulkJob(ctx context.Context, j *runningJob, p bulkJobOf) error {
	return bulkErrands.run(e, ctx, j, p.Bulk, e.bulkStep)
}

// bulkStep changes the next ticket. What refuses it is its report; what is
// temporary ends the try.
func (e *Engine) bulkStep(ctx context.Context, b Bulk) error {
	n := b.Done + b.Failed
	refused := e.unit(ctx, b.Principal, func(u *unit) error {
		it, err := bulkItems.Get(u.ctx, u.tx, fmt.Sprintf("%s/%d", b.ID, n))
		if err != nil {
			return err
		}
		if err := u.bulkOne(b, &it); err != nil {
			return err
		}
		it.Done = true
		u.detail("bulk", b.ID)
		if err := u.audit(ActTicketEdit, "ok"); err != nil {
			return err
		}
		return u.bulkNoted(b, it)
	})
	if refused == nil {
		return nil
	}
	if errors.Is(refused, ErrUnavailable) || ctx.Err() != nil {
		return refused
	}
	return e.bulkRefused(ctx, b, n, refused)
}

// bulkRefused keeps why a ticket could not be changed.
func (e *Engine) bulkRefused(ctx context.Context, b Bulk, n int, refused error) error {
	return e.unit(ctx, system(b.Principal.Workspace), func(u *unit) error {
		it, err := bulkItems.Get(u.ctx, u.tx, fmt.Sprintf("%s/%d", b.ID, n))
		if err != nil {
			return err
		}
		it.Reason = refused.Error()
		return u.bulkNoted(b, it)
	})
}

// bulkNoted records what became of a ticket; the bulk change is done with its
// last one.
func (u *unit) bulkNoted(b Bulk, it BulkItem) error {
	if it.Done {
		b.Done++
	} else {
		b.Failed++
	}
	if b.Done+b.Failed == b.Total {
		b.State, b.Ended = ErrandDone, u.tx.Now()
	}
	if err := bulkItems.Save(u.ctx, u.tx, &it); err != nil {
		return err
	}
	return bulkErrands.save(u, &b)
}

// bulkOne changes a ticket with the principal's rights and notes in the item what
// would take it back. An undo changes what is still as the bulk change left it.
func (u *unit) bulkOne(b Bulk, it *BulkItem) error {
	who, err := u.acting()
	if err != nil {
		return err
	}
	if err := enabled(who); err != nil {
		return err
	}
	w, err := u.onTicket(it.Ticket, ActTicketEdit)
	if err != nil {
		return err
	}
	change := b.Change
	if b.Undoes != "" {
		if change = it.Back; w.stored.Version != it.After {
			return errs.New(errs.Stale, "sangdam: the ticket was changed since; look at it by hand")
		}
	}
	if change.State != nil && *change.State == ticket.Complete {
		if err := u.allow(ActTicketComplete, u.resource); err != nil {
			return err
		}
	}
	d, err := u.editTicket(it.Ticket)
	if err != nil {
		return err
	}
	before := w.now
	if err := u.applyChange(d, change); err != nil {
		return err
	}
	if b.Comment != nil {
		if b.Comment.Public {
			if err := u.allow(ActTicketAnswer, u.resource); err != nil {
				return err
			}
		}
		if err := u.comment(d, *b.Comment); err != nil {
			return err
		}
	}
	it.Unsent = d.Unsent()
	if b.Macro != nil {
		if err := u.bulkMacro(*b.Macro, it); err != nil {
			return err
		}
		change = b.Macro.may(change)
	}
	if err := w.flush(); err != nil {
		return err
	}
	it.After, it.Back = w.stored.Version+1, takenBack(before, w.now, change)
	if it.Back.empty() && b.Comment == nil {
		it.After = 0
	}
	return nil
}

// bulkMacro runs a macro on a ticket of a bulk change, with the rights of who asked
// for it: all of it, or the ticket is refused. An answer that was kept and not sent
// is done, and told as that of a comment is.
func (u *unit) bulkMacro(m Macro, it *BulkItem) error {
	if err := u.mayRun(m, string(it.Ticket)); err != nil {
		return err
	}
	out, err := u.actMacro(m, string(it.Ticket))
	if err != nil {
		return err
	}
	for _, o := range out {
		switch {
		case o.Code == answerUnsent(0).Code:
			it.Unsent = true
		case !o.Done:
			return errs.New(errs.Conflict, "sangdam: macro %q could not do %s: %s", m.Title, o.Kind, o.Note)
		}
	}
	return nil
}

// may is a change with all that the macro may change besides, to look at what it
// did.
func (m Macro) may(c TicketChange) TicketChange {
	c.Title, c.Category, c.Resolution, c.Priority = new(string), new(ticket.CategoryID), new(ticket.CategoryID), new(ticket.Priority)
	c.Desk, c.Language = new(routing.DeskID), new(string)
	fields := maps.Clone(c.Fields)
	for _, a := range m.Actions {
		p, err := trigger.Params[action.SetParams](a)
		if code, own := strings.CutPrefix(p.Field, ticketFieldPrefix); err == nil && a.Kind == action.Set && own {
			if fields == nil {
				fields = map[string]ticket.Value{}
			}
			fields[code] = ticket.Value{}
		}
	}
	c.Fields = fields
	return c
}

// takenBack is the change from is to what was, of what a change names.
func takenBack(was, is ticket.Ticket, c TicketChange) (back TicketChange) {
	put(&back.Title, c.Title != nil, was.Title, is.Title)
	put(&back.Category, c.Category != nil, was.Category, is.Category)
	put(&back.Resolution, c.Resolution != nil, was.Resolution, is.Resolution)
	put(&back.Priority, c.Priority != nil, was.Priority, is.Priority)
	put(&back.Desk, c.Desk != nil, was.Desk, is.Desk)
	put(&back.Language, c.Language != nil, was.Language, is.Language)
	put(&back.HandedTo, c.HandedTo != nil, was.HandedTo, is.HandedTo)
	if was.Group != is.Group || was.Agent != is.Agent {
		back.Group, back.Agent = &was.Group, &was.Agent
	}
	if was.State != is.State || was.Custom != is.Custom {
		put(&back.State, was.Custom == "", was.State, "")
		put(&back.Custom, was.Custom != "", was.Custom, "")
	}
	back.RemoveTags, back.AddTags = tagsBeyond(is.Tags, was.Tags), tagsBeyond(was.Tags, is.Tags)
	for code := range c.Fields {
		if len(was.Fields[code].Sealed) > 0 || len(is.Fields[code].Sealed) > 0 {
			continue // a sealed value is not written down a second time
		}
		if reflect.DeepEqual(was.Fields[code], is.Fields[code]) {
			continue
		}
		if back.Fields == nil {
			back.Fields = map[string]ticket.Value{}
		}
		back.Fields[code] = was.Fields[code]
	}
	return back
}

// tagsBeyond are those of all that are not among the others.
func tagsBeyond(all, others []string) (out []string) {
	for _, t := range all {
		if !slices.Contains(others, t) {
			out = append(out, t)
		}
	}
	return out
}

// put points to what was, where it counts and differs.
func put[T comparable](to **T, counts bool, was, is T) {
	if counts && was != is {
		*to = &was
	}
}

// UndoBulk takes the principal's last bulk change back, in the background. Each
// ticket that nobody has changed since gets back what the bulk change had
// changed. Comments and encrypted fields stay as they are, and messages that
// were sent cannot be called back.
type UndoBulk struct {
	Key  Key    `json:"-"`
	Bulk string `json:"bulk"`
}

// UndoBulk carries the command out and returns the id of the bulk change that
// takes the given one back. ErrConflict when the given one is still running, is
// not the principal's last one, or was taken back already.
func (e *Engine) UndoBulk(ctx context.Context, p Principal, c UndoBulk) (Saved, error) {
	return command(ctx, e, call{opUndoBulk, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActTicketBulk, Resource{Kind: kindTicket}); err != nil {
			return Saved{}, err
		}
		b, back, err := undoable(u.ctx, u.tx, p, c.Bulk)
		if err != nil {
			return Saved{}, err
		}
		b.Undone = true
		if err := bulks.Save(u.ctx, u.tx, &b); err != nil {
			return Saved{}, err
		}
		return u.beginBulk(Bulk{Undoes: b.ID}, func(i int) BulkItem {
			return BulkItem{Ticket: back[i].Ticket, After: back[i].After, Back: back[i].Back}
		}, len(back))
	})
}

// undoable is the bulk change with what would take it back; ErrConflict says why
// the principal cannot.
func undoable(ctx context.Context, tx store.Tx, p Principal, id string) (b Bulk, back []BulkItem, err error) {
	latest, err := bulkErrands.of(ctx, tx, p, 1)
	if err != nil {
		return b, nil, err
	}
	if len(latest) == 0 || latest[0].ID != id {
		return b, nil, errs.New(errs.Conflict, "sangdam: only your last bulk change can be taken back")
	}
	b = latest[0]
	if b.State == ErrandRunning || b.Undone || b.Undoes != "" {
		return b, nil, errs.New(errs.Conflict, "sangdam: the bulk change still runs, or was taken back already")
	}
	items, err := itemsOfBulk(ctx, tx, b.ID, "bulk")
	if err != nil {
		return b, nil, err
	}
	for _, it := range items {
		if it.Done && it.After > 0 && !it.Back.empty() {
			back = append(back, it)
		}
	}
	if len(back) == 0 {
		return b, nil, errs.New(errs.Conflict, "sangdam: the bulk change changed nothing that can be taken back")
	}
	return b, back, nil
}

func itemsOfBulk(ctx context.Context, tx store.Tx, bulk, index string) ([]BulkItem, error) {
	of := store.Tuple(store.Exact(bulk))
	return bulkItems.All(ctx, tx, store.List[BulkItem]{Index: index, From: of, To: store.Next(of)}, MaxBulk)
}

// BulkReport is a bulk change with the tickets that could not be changed.
type BulkReport struct {
	Bulk     Bulk          `json:"bulk"`
	Failures []BulkFailure `json:"failures"`
	// Warnings say what was not done for tickets that were changed, as
	// TicketState.Warnings do of one: of each that the principal may see.
	Warnings []Warning `json:"warnings,omitempty"`
	// Undoable says that UndoBulk would take it back for the principal.
	Undoable bool `json:"undoable,omitempty"`
}

// BulkFailure is a ticket that could not be changed.
type BulkFailure struct {
	Ticket ticket.ID `json:"ticket"`
	// Number is 0 for a ticket that is not there, or not for the principal to see.
	Number int64  `json:"number,omitempty"`
	Reason string `json:"reason"`
}

var qBulkProgress = asks("ticket.bulk_progress", "BulkProgress", kindTicket, ActTicketBulk)

// BulkProgress tells how far a bulk change is. Administrators may ask for
// anybody's, everybody else for its own; another's is ErrNotFound.
func (e *Engine) BulkProgress(ctx context.Context, p Principal, id string) (out BulkReport, err error) {
	err = e.query(ctx, p, qBulkProgress, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		b, err := e.bulkFor(ctx, tx, w, id)
		if err != nil {
			return err
		}
		if b.By != p.keyOwner() {
			if b, err = e.shownBulk(ctx, tx, w, b); err != nil {
				return err
			}
		}
		if out, err = e.bulkTold(ctx, tx, w, b); err != nil {
			return err
		}
		_, _, err = undoable(ctx, tx, p, id)
		if out.Undoable = err == nil; errors.Is(err, ErrConflict) {
			err = nil
		}
		return err
	})
	return out, err
}

// bulkTold is a report with what is told of single tickets.
func (e *Engine) bulkTold(ctx context.Context, tx store.Tx, w Who, b Bulk) (out BulkReport, err error) {
	failed, err := itemsOfBulk(ctx, tx, b.ID, itemsFailed)
	if err != nil {
		return out, err
	}
	unsent, err := itemsOfBulk(ctx, tx, b.ID, itemsUnsent)
	if err != nil {
		return out, err
	}
	var ids []ticket.ID
	for _, it := range slices.Concat(failed, unsent) {
		ids = append(ids, it.Ticket)
	}
	names, err := e.ticketNames(ctx, tx, w, ids)
	if err != nil {
		return out, err
	}
	out.Bulk, out.Failures = b, []BulkFailure{}
	for _, it := range failed {
		ref, shown := names[it.Ticket]
		if b.By != w.Principal.keyOwner() && !shown {
			it.Ticket = ""
		}
		out.Failures = append(out.Failures, BulkFailure{Ticket: it.Ticket, Number: ref.Number, Reason: it.Reason})
	}
	for _, it := range unsent {
		if ref, shown := names[it.Ticket]; shown {
			out.Warnings = append(out.Warnings, answerUnsent(ref.Number))
		}
	}
	return out, nil
}

// configures says that somebody sets the workspace up, and so may look at what
// everybody does to it.
func (e *Engine) configures(ctx context.Context, w Who) bool {
	return e.permit(ctx, w, ActConfigure, Resource{Kind: "workspace", ID: string(w.Workspace)}) == nil
}

// bulkFor is a bulk change that this person may look at.
func (e *Engine) bulkFor(ctx context.Context, tx store.Tx, w Who, id string) (Bulk, error) {
	if !e.configures(ctx, w) {
		return bulkErrands.get(ctx, tx, w.Principal, id)
	}
	b, err := bulks.Get(ctx, tx, id)
	if errors.Is(err, ErrNotFound) {
		return b, noSuch(bulkErrands.kind)
	}
	return b, err
}

// wordless is a bulk change without what was written for its tickets.
func (b Bulk) wordless() Bulk {
	b.Change.Title, b.Change.Fields = nil, nil
	if b.Comment != nil {
		b.Comment = &TicketComment{Public: b.Comment.Public}
	}
	return b
}

// shownBulk is somebody else's bulk change: with what was written for its tickets
// where all of them may be seen.
func (e *Engine) shownBulk(ctx context.Context, tx store.Tx, w Who, b Bulk) (Bulk, error) {
	if b.Change.Title == nil && len(b.Change.Fields) == 0 && b.Comment == nil {
		return b, nil
	}
	items, err := itemsOfBulk(ctx, tx, b.ID, "bulk")
	if err != nil {
		return b, err
	}
	ids := make([]ticket.ID, 0, len(items))
	for _, it := range items {
		ids = append(ids, it.Ticket)
	}
	names, err := e.ticketNames(ctx, tx, w, ids)
	if err != nil {
		return b, err
	}
	if slices.ContainsFunc(ids, func(id ticket.ID) bool { _, shown := names[id]; return !shown }) {
		b = b.wordless()
	}
	return b, nil
}

var qBulks = asks("ticket.bulk_list", "Bulks", kindTicket, ActTicketBulk).wide(wideNumber)

// Bulks lists the bulk changes for which the principal may call BulkProgress,
// newest first, at most limit (1 to 200). Those of other people come without
// the texts that were written for their tickets.
func (e *Engine) Bulks(ctx context.Context, p Principal, limit int) (out []Bulk, err error) {
	limit = min(max(limit, 1), maxPage)
	err = e.query(ctx, p, qBulks, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		if !e.configures(ctx, w) {
			out, err = bulkErrands.of(ctx, tx, p, limit)
			return err
		}
		page, err := bulks.List(ctx, tx, store.List[Bulk]{Index: "at", Desc: true, Limit: limit})
		for _, b := range page.Items {
			if b.By != p.keyOwner() {
				b = b.wordless()
			}
			out = append(out, b)
		}
		return err
	})
	return out, err
}
