package sangdam

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
