package store

import "context"

// Host lends a transaction of the host's own on the database of the store, so
// that what the library writes in it commits or rolls back with what the host
// writes. A store that can do this makes one, such as postgres.Host.
type Host struct {
	// Run runs fn once in the host's transaction. After an error nothing that fn
	// wrote is left in it; a rival that was first is ErrConflict.
	Run func(ctx context.Context, ws WorkspaceID, fn func(context.Context, Tx) error) error
	// Commits says that what fn wrote is committed when Run returns nil: the
	// transaction is ours, and the host's statements run in it.
	Commits bool
	// Announce tells the store's readers that the host has committed; nil where
	// Commits is set.
	Announce func()
}
