package sangdam

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/journal"
	"github.com/sangdam/sangdam/store"
)

// The journal of decisions: what each offer and assignment rested on, written in
// its transaction, so that it can be explained exactly as long as decisions are
// kept (docs/design.md section 5).

const (
	journalInOrder = "order" // the rows of one journal
	journalByAge   = "age"
)

var journalRows = declare(store.Kind[journal.Row]{Name: "decision_journal", Decl: 1, Derived: true,
	ID:      func(r *journal.Row) string { return fmt.Sprintf("%s/%d", r.Journal, r.Seq) },
	Version: func(r *journal.Row) *int64 { return &r.Version },
	Indexes: []store.Index[journal.Row]{
		{Name: journalInOrder, Value: func(r *journal.Row) []byte { return journalPlace(r.Journal, int64(r.Seq)) }},
		{Name: journalByAge, Value: func(r *journal.Row) []byte { return store.Time(r.At) }},
	}})

func journalPlace(name string, seq int64) []byte {
	return store.Tuple(store.Exact(name), store.Int(seq))
}

func init() { registerPurge((*Engine).purgeJournal) }

// purgeJournal deletes rows that no decision which is kept rests on.
func (e *Engine) purgeJournal(ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, journalRows, journalByAge, e.cfg.KeepKeys+journal.LastsFor)
}

// keepJournal begins a journal where there is none that may go on; r.boardMu is
// held. Without one decisions are made all the same and keep their summary.
func (r *router) keepJournal(now time.Time) {
	if r.journal != nil && !r.journal.Over(now, r.config.Version) {
		return
	}
	var err error
	r.journal, err = journal.Begin(newID(), journal.Roster{At: now, Seed: r.e.cfg.Seed, Version: r.config.Version,
		Queues: r.config.Queues, Desks: r.config.Members, Agents: r.board.Agents()})
	if err != nil {
		r.e.trouble("decisions are made without a journal", err, "workspace", string(r.ws))
	}
}

// decideOne asks the Board for the next decision and notes what it rests on;
// r.boardMu is held.
func (r *router) decideOne() (routing.Decision, bool) {
	if r.journal == nil {
		return r.board.Decide()
	}
	r.journal.Changed(r.board.Touched())
	d, ok := r.board.Decide()
	if ok && d.Agent != "" {
		it, _ := r.board.Item(d.Item)
		d.Journal = r.journal.Decided(it, d.At)
	}
	return d, ok
}

// writeJournal stores what is not stored yet, in the transaction of the decisions.
// Once it has committed, r.journal is told. No decision fails because of what the
// journal cannot hold.
func (r *router) writeJournal(ctx context.Context, tx store.Tx) error {
	if r.journal == nil {
		return nil
	}
	rows, err := r.journal.Rows()
	for i := range rows {
		err = errors.Join(err, journalRows.Save(ctx, tx, &rows[i]))
	}
	if errors.Is(err, ErrInvalid) {
		r.e.trouble("decisions are made without a journal", err, "workspace", string(r.ws))
		r.journal, err = nil, nil
	}
	return err
}

// journalWritten says that what writeJournal stored is committed.
func (r *router) journalWritten() {
	if r.journal != nil {
		r.journal.Stored()
	}
}

var qExplainDecision = asks("decision.explain", "ExplainDecision", kindConversation, ActRead).also(kindTicket, kindWork)

// ExplainDecision says why routing chose the agent that it chose. It takes the
// last decision about an item at or before the time given; item is a
// conversation's id, or routing.Subject.Item of other work. It evaluates every
// agent as that agent was then, by the rules and the queue of that time
// (Explanation.Exact). Where the journal does not reach back that far, or the
// strategy is the host's own, it returns only the summary that was kept with
// the decision. Whoever may read what the item is about may ask. ErrNotFound
// when there was no decision by that time, or it is not kept any more.
func (e *Engine) ExplainDecision(ctx context.Context, p Principal, item routing.ItemID, at time.Time) (board.Explanation, error) {
	var d routing.Decision
	var rows []journal.Row
	load := func(ctx context.Context, tx store.Tx, _ Who) (err error) {
		if d, err = lastDecision(ctx, tx, item, at); err == nil {
			rows, err = journalOf(ctx, tx, d)
		}
		return err
	}
	err := e.inquire(ctx, p, qExplainDecision, func(ctx context.Context, tx store.Tx) (Resource, *settings, error) {
		r, err := itemRecord(ctx, tx, item)
		return r, nil, err
	}, load)
	if err != nil {
		return board.Explanation{}, err
	}
	return explainDecision(d, rows)
}

// explainDecision evaluates the decision anew, if the journal reaches back to it.
func explainDecision(d routing.Decision, rows []journal.Row) (board.Explanation, error) {
	known := board.Explanation{Item: d.Item, Queue: d.Queue, At: d.At, Agent: d.Agent, Strategy: d.Strategy, Excluded: d.Excluded,
		Considered: []board.Considered{}, Recorded: &d}
	if d.Journal == "" {
		return known, nil
	}
	_, n, err := journal.Reference(d.Journal)
	if err != nil {
		return board.Explanation{}, err
	}
	m, err := journal.Replay(rows, n)
	if errors.Is(err, ErrNotFound) {
		return known, nil
	}
	if err != nil {
		return board.Explanation{}, err
	}
	return m.Explain(d), nil
}

// lastDecision is the last one about the item at the time.
func lastDecision(ctx context.Context, tx store.Tx, item routing.ItemID, at time.Time) (routing.Decision, error) {
	all, err := tx.Work().Decisions(ctx, item)
	if err != nil {
		return routing.Decision{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].At.After(at) {
			return all[i], nil
		}
	}
	return routing.Decision{}, errs.New(errs.NotFound, "sangdam: no decision about this was made by then, or it is not kept any more")
}

// journalOf reads the journal as far as the decision.
func journalOf(ctx context.Context, tx store.Tx, d routing.Decision) ([]journal.Row, error) {
	if d.Journal == "" {
		return nil, nil
	}
	name, _, err := journal.Reference(d.Journal)
	if err != nil {
		return nil, err
	}
	list := store.List[journal.Row]{Index: journalInOrder, From: journalPlace(name, 0), To: journalPlace(name, 1<<40), Limit: maxPage}
	var rows []journal.Row
	for {
		page, err := journalRows.List(ctx, tx, list)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.Items...)
		if page.Next == "" || rows[len(rows)-1].At.After(d.At) {
			return rows, nil
		}
		list.After = page.Next
	}
}
