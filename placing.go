package sangdam

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// What inbound lanes bring is decided on before it is committed, where this process
// leads the workspace's routing and the store keeps what a transaction changes: a
// new conversation is then written once, with its agent, instead of twice. There is
// still one that decides: whoever does so has the router's turn, in which nobody
// else asks the Board, tells it rows, or settles. The decisions are refused by the
// same checks, under the lease's number too, and are settled after the commit; where
// they are in the way of what the customers wrote, the transaction runs without.

// placeWithin is how long a transaction waits for the router's turn: as long as a
// full batch of the router, or another transaction that decides, takes on a slow
// machine. Who waited for less and then went on without left its conversations to the
// router, whose next batch kept the next transaction waiting, and so on: a third to
// half of all were written twice. It waits with locks of its own, so it does not wait
// for longer, and not at all beside a backlog.
// The locks that it then asks for (agents, the queues' turns) come after those of
// conversations, which commands may take the other way round. That it waits for 200
// ms at most, as all transactions of many pieces do, is what ends a deadlock: it
// runs again, without decisions. The journal's roster is written by whichever
// decision comes first after a journal has begun, also by one here: that is once in
// a journal, and leaving it to the router would cost that customer a second commit.
const placeWithin = 60 * time.Millisecond

// placing is what one transaction decides in the router's turn.
type placing struct {
	r      *router // nil: another process leads
	tried  bool
	held   bool               // the router's turn
	before int                // how many ends come before those of the decisions
	batch  []routing.Decision // not settled yet
	items  []routing.Item     // told to the Board and not committed yet
}

// placing is for a transaction of the workspace. Where the host has strategies of
// its own, none decides: one that blocks would keep from being stored what customers
// wrote, while it only holds up the routing where the router asks it.
func (e *Engine) placing(ws id.Workspace) *placing {
	if len(e.cfg.Strategies) > 0 {
		return &placing{}
	}
	return &placing{r: e.routers.find(ws)}
}

// follow makes pieces of what the Board decides once it knows what units of the
// transaction put into queues. A transaction that runs again does without.
func (p *placing) follow(ctx context.Context, tx store.Tx, done []*unit, before int) ([]piece, error) {
	if p.tried { // and was undone
		return nil, nil
	}
	items := begun(done)
	if p.r == nil || len(items) == 0 {
		return nil, nil
	}
	if kept, err := tx.Ahead(ctx, driver.Wanted{}); err != nil || !kept || !p.r.takeTurn(ctx, placeWithin) {
		return nil, err
	}
	p.tried, p.held, p.before = true, true, before
	p.r.boardMu.Lock()
	if p.r.board == nil {
		p.r.boardMu.Unlock()
		p.release()
		return nil, nil
	}
	p.items = items
	for _, it := range items {
		p.r.board.ApplyItem(it)
	}
	p.r.board.Tick(tx.Now())
	epoch := p.r.epoch
	p.r.boardMu.Unlock()
	if p.batch = p.r.next(tx.Now(), maxTogether); len(p.batch) == 0 {
		return nil, nil
	}
	want, pieces := p.r.carrying(p.batch, epoch)
	if _, err := tx.Ahead(ctx, want); err != nil {
		return nil, err
	}
	return pieces, p.r.writeJournal(ctx, tx)
}

// begun are the items that units made and put into queues.
func begun(done []*unit) []routing.Item {
	var list []routing.Item
	for _, u := range done {
		for i, it := range u.after.items {
			newest := !slices.ContainsFunc(u.after.items[i+1:], func(o routing.Item) bool { return o.ID == it.ID })
			made := slices.ContainsFunc(u.after.items[:i+1], func(o routing.Item) bool { return o.ID == it.ID && o.Version == 1 })
			if made && newest && it.State == routing.ItemQueued {
				list = append(list, it)
			}
		}
	}
	return list
}

// end tells the Board what became of the transaction, whose ends these are, and
// gives the router's turn back. again says that what the customers wrote is to be
// tried without decisions.
func (p *placing) end(ctx context.Context, ends []error, err error) (again bool) {
	defer p.release()
	_, named := errors.AsType[*pieceError](err)
	switch {
	case !p.tried:
		return false
	case err == nil && len(p.batch) > 0:
		p.r.journalWritten()
		list := make([]settled, len(p.batch))
		for i, d := range p.batch {
			list[i] = settled{d, ends[p.before+i]}
		}
		if err := p.r.settle(ctx, list...); err != nil {
			p.r.fail(err)
		}
	case err == nil:
	case p.held && (lostLease(err) || p.r.over(err) && (!named || ctx.Err() != nil)): // the Board does not know what is stored
		p.r.fail(err)
		return lostLease(err)
	default:
		p.undo()
		return true
	}
	return false
}

// undo takes out of the Board what was not committed.
func (p *placing) undo() {
	if !p.held {
		return
	}
	p.r.boardMu.Lock()
	for _, d := range p.batch {
		p.r.board.Settle(d.ID, false)
	}
	for _, it := range p.items {
		it.Version, it.State = it.Version+1, routing.ItemDone
		p.r.board.ApplyItem(it)
	}
	p.r.boardMu.Unlock()
	p.release()
	p.r.look() // at what waited before, about which there was a decision too
}

func (p *placing) release() {
	if p.held {
		p.held, p.batch, p.items = false, nil, nil
		p.r.giveTurn()
	}
}

// takeTurn waits a while for the router's turn. There is none where the router does
// not lead or is about to begin anew.
func (r *router) takeTurn(ctx context.Context, within time.Duration) bool {
	if !r.leads() || r.backlog.Load() {
		return false
	}
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case r.turn <- struct{}{}:
	case <-t.C:
		return false
	case <-ctx.Done():
		return false
	}
	if !r.leads() || r.failure() != nil {
		r.giveTurn()
		return false
	}
	return true
}

func (r *router) giveTurn() { <-r.turn }

// inTurn runs fn in the router's own turn.
func (r *router) inTurn(fn func() error) error {
	r.turn <- struct{}{}
	defer r.giveTurn()
	if err := r.failure(); err != nil {
		return err
	}
	return fn()
}

// fail has the router throw its Board away and begin anew.
func (r *router) fail(err error) {
	r.mu.Lock()
	r.failed = err
	r.mu.Unlock()
	r.look()
}

// look has the router look at once at what there is to do.
func (r *router) look() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

func (r *router) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}
