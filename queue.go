package sangdam

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/store"
)

// Place is where a conversation stands in its queue.
type Place struct {
	// Waiting is false for a conversation that does not wait for an agent.
	Waiting  bool `json:"waiting"`
	Position int  `json:"position,omitempty"` // from 1
	Of       int  `json:"of,omitempty"`
	// Expected is the time that the conversation will probably wait, estimated
	// from how fast the queue has moved lately; Known is false until the queue
	// has moved.
	Expected time.Duration `json:"expected,omitempty"`
	Known    bool          `json:"known"`
}

var qPlace = asks("conversation.place", "Place", kindConversation, ActRead)

// Place says where a conversation stands in its queue. Only the one process
// that leads the workspace's routing knows: on any other, a conversation that
// waits is ErrUnavailable.
func (e *Engine) Place(ctx context.Context, p Principal, id conversation.ID) (Place, error) {
	var out Place
	err := e.read(ctx, p, qPlace, id, func(ctx context.Context, tx store.Tx, _ conversation.Conversation) error {
		if waits, err := waiting(ctx, tx, routing.ItemID(id)); err != nil || !waits {
			return err
		}
		return e.onBoard(p, func(b *board.Board) error {
			item := routing.ItemID(id)
			out.Position, out.Of, out.Waiting = b.Position(item)
			out.Expected, out.Known = b.ExpectedWait(item)
			return nil
		})
	})
	return out, err
}

// Explained is what Explain says: why a conversation waits for an agent and how it
// was decided so far.
type Explained struct {
	// Now says which agents are considered and what excludes each; nil when the
	// conversation does not wait.
	Now *board.Explanation `json:"now,omitempty"`
	// Decisions are the summaries of what was offered or assigned, oldest first.
	Decisions []routing.Decision `json:"decisions"`
	// Asked are the decisions about which colleague was asked next when an
	// owner used Consult with a queue or a desk, oldest first.
	Asked []routing.Decision `json:"asked,omitempty"`
}

var qExplain = asks("conversation.explain", "Explain", kindConversation, ActRead)

// Explain says which agents are considered for a conversation that waits, what
// excludes each of them, and what was decided about it before. ErrUnavailable
// as for Place.
func (e *Engine) Explain(ctx context.Context, p Principal, id conversation.ID) (Explained, error) {
	var out Explained
	err := e.read(ctx, p, qExplain, id, func(ctx context.Context, tx store.Tx, _ conversation.Conversation) (err error) {
		if out.Decisions, err = tx.Work().Decisions(ctx, routing.ItemID(id)); err != nil {
			return err
		}
		out.Decisions = listed(out.Decisions)
		if out.Asked, err = whyAsked(ctx, tx, id); err != nil {
			return err
		}
		if waits, err := waiting(ctx, tx, routing.ItemID(id)); err != nil || !waits {
			return err
		}
		return e.onBoard(p, func(b *board.Board) error {
			x, err := b.Explain(routing.ItemID(id))
			if err != nil {
				return nil // it does not wait
			}
			out.Now = &x
			return nil
		})
	})
	return out, err
}

// waiting says whether an item waits for an agent. Where nothing does there may
// be no Board.
func waiting(ctx context.Context, tx store.Tx, id routing.ItemID) (bool, error) {
	it, err := tx.Work().Item(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && it.State == routing.ItemQueued, err
}

// onBoard runs fn on the workspace's Board, if this process has it.
func (e *Engine) onBoard(p Principal, fn func(*board.Board) error) error {
	r := e.routers.find(p.Workspace)
	if r == nil {
		return errs.New(errs.Unavailable, "sangdam: this process does not route the workspace; ask the one that does")
	}
	r.boardMu.Lock()
	defer r.boardMu.Unlock()
	if r.board == nil {
		return errs.New(errs.Unavailable, "sangdam: this process does not route the workspace, or not yet; ask again")
	}
	return fn(r.board)
}

// stuckAfter is when the watchdog speaks: an eligible pair waits at most a
// second (docs/design.md section 6.4).
const stuckAfter = 5 * time.Second

// watch names items that should have been assigned and were not. It is an
// error, so that the Board is built anew from the store.
func (r *router) watch() error {
	r.boardMu.Lock()
	stuck := r.board.Stuck(stuckAfter)
	r.boardMu.Unlock()
	for _, s := range stuck {
		r.e.log.Error("the watchdog found an item that should have been assigned", "workspace", string(r.ws),
			"item", string(s.Item), "queue", string(s.Queue), "agent", string(s.Agent), "since", s.Since)
	}
	if len(stuck) > 0 {
		return errs.New(errs.Unavailable, "sangdam: %d waiting items were not matched; the board is built anew", len(stuck))
	}
	return nil
}
