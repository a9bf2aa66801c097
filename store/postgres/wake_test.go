package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store/driver"
)

// A new webhook wakes who waits for it: without the hint it would lie until the
// next poll.
func TestAnAppendGivesAHint(t *testing.T) {
	// Without NOTIFY, so that no other hint can be mistaken for it.
	db := openAt(t, Options{DSN: pgtest.Start(t), DisableNotify: true})
	hints := make(chan driver.Hint, 1)
	defer db.Wake(func(h driver.Hint) { hints <- h })()
	env := adapter.Envelope{ID: "e1", Account: "a", DedupKey: "d1", OccurredAt: time.Unix(1, 0), Raw: []byte("{}")}
	isNew, err := db.AppendEnvelopes(t.Context(), ws, []adapter.Envelope{env})
	require.NoError(t, err)
	require.Equal(t, []bool{true}, isNew)
	select {
	case h := <-hints:
		require.Equal(t, driver.Hint{Workspace: ws, News: driver.NewsInbox}, h)
	case <-time.After(10 * time.Second):
		t.Fatal("no hint came")
	}
}

// Another node hears what is new where, also of names that a text cannot hold,
// and of more than a NOTIFY can carry it hears that there is something.
func TestOtherNodesHearWhatIsNewWhere(t *testing.T) {
	teller, hearer := &wakes{b: &backend{}, self: "a", untold: map[driver.WorkspaceID]driver.News{}}, &wakes{self: "b"}
	odd := driver.WorkspaceID("a\x00b\xff")
	teller.committed(driver.Hint{Workspace: "w", News: driver.NewsInbox})
	teller.committed(driver.Hint{Workspace: "w", News: driver.NewsJobs})
	teller.committed(driver.Hint{Workspace: odd, News: driver.NewsFeed})
	said := teller.message()
	require.ElementsMatch(t, []driver.Hint{{Workspace: "w", News: driver.NewsInbox | driver.NewsJobs},
		{Workspace: odd, News: driver.NewsFeed}},
		hearer.understand(said))
	require.Empty(t, teller.understand(said), "one's own")
	for i := range 5000 {
		teller.committed(driver.Hint{Workspace: driver.WorkspaceID(fmt.Sprint("workspace ", i)), News: driver.NewsOutbox})
	}
	said = teller.message()
	require.LessOrEqual(t, len(said), maxPayload)
	require.Equal(t, []driver.Hint{{News: driver.NewsOutbox}}, hearer.understand(said))
	require.Equal(t, []driver.Hint{{News: driver.NewsAny}}, hearer.understand("of another version"))
}
