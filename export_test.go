package sangdam

import (
	"context"
	"reflect"
	"time"

	"github.com/sangdam/sangdam/store"
)

// ShareFor sets how long a transaction of the library's own work takes further pieces.
func (e *Engine) ShareFor(d time.Duration) { e.sharesFor = d }

// Together runs pieces of work in one transaction and tells how many of the first it took.
func (e *Engine) Together(ctx context.Context, ws WorkspaceID, run ...func()) (int, error) {
	pieces := make([]piece, len(run))
	for i, fn := range run {
		pieces[i] = piece{run: func(*unit) error { fn(); return nil }}
	}
	ends, err := e.together(ctx, system(ws), func(context.Context, store.Tx, *settings) error { return nil }, pieces, nil)
	return len(ends), err
}

// Share runs a piece of the system's work with others that come meanwhile.
func (e *Engine) Share(ctx context.Context, ws WorkspaceID, run func()) error {
	return e.share(ctx, ws, func(*unit) error { run(); return nil })
}

// Forget carries out a command whose body writes a quick reply and never asks the
// policy: a fault that the frame has to notice.
func Forget(ctx context.Context, e *Engine, p Principal, key Key) error {
	_, err := command(ctx, e, call{opSaveQuickReply, p, key, "forgetful"}, func(u *unit) (Saved, error) {
		r := QuickReply{ID: "forgotten", Title: "forgotten"}
		return Saved{ID: r.ID}, quickReplies.Save(u.ctx, u.tx, &r)
	})
	return err
}

// AskElse carries out the command that saves a quick reply, whose body asks the policy
// for something that the table does not say of it.
func AskElse(ctx context.Context, e *Engine, p Principal, a Action, r Resource) error {
	_, err := command(ctx, e, call{opSaveQuickReply, p, "", "curious"}, func(u *unit) (Saved, error) { return Saved{}, u.allow(a, r) })
	return err
}

// RowsForBoard tells how many rows the workspace's router of this process keeps.
func (e *Engine) RowsForBoard(ws WorkspaceID) int {
	r := e.routers.find(ws)
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.inbox.agents) + len(r.inbox.items)
}

// HasBoard tells whether this process has the workspace's Board.
func (e *Engine) HasBoard(ws WorkspaceID) bool {
	r := e.routers.find(ws)
	return r != nil && r.leads()
}

// TurnBetween says whether a workspace's look at what is kept for a time falls between two times.
func TurnBetween(ws WorkspaceID, from, to time.Time) bool { return turnBetween(ws, from, to) }

// PurgeBulks deletes bulk changes that ended so long ago, a part of them at a time.
func PurgeBulks(ctx context.Context, tx store.Tx, age time.Duration) (more bool, err error) {
	n, err := purgeBulks(ctx, tx, age)
	return n >= purgeChunk, err
}

// KeptOfBulks counts bulk changes and their tickets.
func KeptOfBulks(ctx context.Context, tx store.Tx) (changes, tickets int, err error) {
	if changes, err = bulks.Count(ctx, tx, store.List[Bulk]{Index: "at"}, 1000); err == nil {
		tickets, err = bulkItems.Count(ctx, tx, store.List[BulkItem]{Index: "bulk"}, 10*MaxBulk)
	}
	return changes, tickets, err
}

// WaitsForTurn tells how long a customer's transaction waits for the turn of the
// workspace's router while that has it, beside a backlog or not.
func (e *Engine) WaitsForTurn(ctx context.Context, ws WorkspaceID, backlog bool) time.Duration {
	r := e.routers.find(ws)
	r.turn <- struct{}{}
	defer r.giveTurn()
	defer r.backlog.Store(r.backlog.Swap(backlog))
	began := time.Now()
	if r.takeTurn(ctx, placeWithin) {
		panic("two have the turn")
	}
	return time.Since(began)
}

// FullBatches and Together are from how many batches on there is a backlog, and how
// many decisions a full one has.
const FullBatches, Together = fullBatches, maxTogether

// InTurn waits for the turn as a customer's transaction does, and calls fn while it is
// had.
func (e *Engine) InTurn(ctx context.Context, ws WorkspaceID, fn func()) {
	r := e.routers.find(ws)
	if r.takeTurn(ctx, placeWithin) {
		defer r.giveTurn()
		fn()
	}
}

// HasBacklog tells whether one full batch of the workspace's router comes after the other.
func (e *Engine) HasBacklog(ws WorkspaceID) bool { return e.routers.find(ws).backlog.Load() }

// TurnTaken tells whether somebody has the turn of the workspace's router.
func (e *Engine) TurnTaken(ws WorkspaceID) bool { return len(e.routers.find(ws).turn) > 0 }

// DeclaredTypes are the types of the documents of all kinds of this package.
func DeclaredTypes() map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, k := range declaredKinds {
		get, _ := reflect.TypeOf(k).MethodByName("Get")
		out[k.Name()] = get.Type.Out(0)
	}
	return out
}
