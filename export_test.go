package sangdam

import (
	"context"
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
