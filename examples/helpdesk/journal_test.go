package main

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
)

// deafFeed is a store whose feed cannot be read for a while.
type deafFeed struct {
	driver.Backend
	fails atomic.Int64
}

func (d *deafFeed) Feed(ctx context.Context, ws store.WorkspaceID, cursor string, limit int) ([]store.Event, string, error) {
	if d.fails.Add(-1) >= 0 {
		return nil, "", store.ErrUnavailable
	}
	return d.Backend.Feed(ctx, ws, cursor, limit)
}

// A feed that cannot be read for some seconds is told once and followed on
// from the same place.
func TestAFeedThatCannotBeReadDoesNotEndTheDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deafFeed{Backend: memory.New(memory.Options{}).Backend()}
		db := store.New(d)
		keys, err := seal.Ephemeral()
		require.NoError(t, err)
		eng, err := sangdam.New(sangdam.Config{DB: db, Sealer: keys})
		require.NoError(t, err)
		require.NoError(t, eng.CreateWorkspace(t.Context(), workspace, "Default"))
		var out, errs bytes.Buffer
		j := &journal{w: &out, errors: &errs}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { j.follow(ctx, eng); close(ended) }()
		time.Sleep(3 * time.Second)
		d.fails.Store(5)
		require.NoError(t, db.Update(t.Context(), workspace, func(ctx context.Context, tx store.Tx) error {
			return tx.Events().Append(ctx, store.Event{Aggregate: "conversation", ID: "c1", Version: 1, Kind: "opened", Actor: "customer",
				At: tx.Now()})
		}))
		time.Sleep(20 * time.Second)
		stop()
		<-ended
		require.Contains(t, out.String(), "conversation=c1")
		require.Equal(t, 1, strings.Count(errs.String(), "\n"), errs.String())
	})
}
