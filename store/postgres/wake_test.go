package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/pgtest"
)

// A new webhook wakes who waits for it: without the hint it would lie until the
// next poll.
func TestAnAppendGivesAHint(t *testing.T) {
	// Without NOTIFY, so that no other hint can be mistaken for it.
	db := openAt(t, Options{DSN: pgtest.Start(t), DisableNotify: true})
	hints, stop := db.Wake()
	defer stop()
	env := channel.Envelope{ID: "e1", Account: "a", DedupKey: "d1", OccurredAt: time.Unix(1, 0), Raw: []byte("{}")}
	isNew, err := db.AppendEnvelopes(t.Context(), ws, []channel.Envelope{env})
	require.NoError(t, err)
	require.Equal(t, []bool{true}, isNew)
	select {
	case <-hints:
	case <-time.After(10 * time.Second):
		t.Fatal("no hint came")
	}
}
