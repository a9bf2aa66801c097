package sangdam

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
	"github.com/sangdam/sangdam/ticket"
)

// manyTickets are as many as there is time for: what is read does not depend on
// how many there are.
func manyTickets() int {
	if os.Getenv("CI") == "true" {
		return 20_000
	}
	return 2_000
}

// TestRowsReadAmongManyTickets: a page of a list, of a saved view and of a search
// reads what it shows and little more, however many tickets there are. Rows are
// counted, times are not.
func TestRowsReadAmongManyTickets(t *testing.T) {
	if testing.Short() {
		t.Skip("the plain run counts rows")
	}
	t.Run("sqlite", func(t *testing.T) {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
		require.NoError(t, err)
		rowsRead(t, db)
	})
	t.Run("postgres", func(t *testing.T) {
		db, err := postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
		require.NoError(t, err)
		rowsRead(t, db)
	})
}

func rowsRead(t *testing.T, db *store.DB) {
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	keys, err := seal.Ephemeral()
	require.NoError(t, err)
	e, err := New(Config{DB: db, Sealer: keys, Poll: time.Hour})
	require.NoError(t, err)
	ctx, host := t.Context(), Host("w")
	require.NoError(t, e.CreateWorkspace(ctx, "w", "W"))
	n := manyTickets()
	seedTickets(t, e, 0, n, n/5)
	var urgent TicketFilter
	require.NoError(t, json.Unmarshal([]byte(`{"when":{"version":1,"all":[{"field":"priority","op":"gte","value":0}]},"open":true}`),
		&urgent))
	saved, err := e.SaveTicketView(ctx, host, SaveTicketView{View: ticket.View{Name: "Open", When: urgent.When}})
	require.NoError(t, err)
	list := func(f TicketFilter) func() int {
		return func() int {
			page, err := e.Tickets(ctx, host, f, "", 50)
			require.NoError(t, err)
			return len(page.Tickets)
		}
	}
	for name, tc := range map[string]struct {
		do           func() int
		found, bound int64
	}{
		"newest first":        {list(TicketFilter{Desc: true}), 50, 60},
		"by number":           {list(TicketFilter{Order: ticket.ByNumber}), 50, 60},
		"one number":          {list(TicketFilter{Number: int64(n - 5)}), 1, 10},
		"of an agent":         {list(TicketFilter{Agent: "a7", Desc: true}), 50, 60},
		"a saved view":        {list(TicketFilter{View: saved.ID, Open: true}), 50, 80},
		"a saved view, by an": {list(TicketFilter{View: saved.ID, Agent: "a7"}), 50, 130},
		"a search": {func() int {
			found, err := e.SearchTickets(ctx, host, "rare lamp", "", 20)
			require.NoError(t, err)
			return len(found.Tickets)
		}, 5, 60},
		"a search of what all say": {func() int {
			found, err := e.SearchTickets(ctx, host, "has not arrived", "", 20)
			require.NoError(t, err)
			return len(found.Tickets)
		}, 20, 90},
	} {
		tc.do() // what is read once is read
		before := db.Stats().RowsRead
		require.EqualValues(t, tc.found, tc.do(), name)
		read := db.Stats().RowsRead - before
		require.LessOrEqual(t, read, tc.bound, "%s: rows read", name)
	}
}

// seedTickets writes tickets, one in so many of which speaks of a rare lamp, as
// documents with their search tokens: what commands write beside them is not
// what lists read.
func seedTickets(t testing.TB, e *Engine, from, to, rare int) {
	t.Helper()
	const chunk = 500
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for ; from < to; from += chunk {
		err := e.unit(context.Background(), Host("w"), func(u *unit) error {
			for i := from; i < min(from+chunk, to); i++ {
				tk := ticket.Ticket{ID: ticket.ID(fmt.Sprintf("t%06d", i)), Number: int64(i + 1), Channel: ticket.ChannelAPI,
					Title: fmt.Sprint("Order ", i, " has not arrived"), Tags: []string{fmt.Sprint("shop", i%50)},
					Requester: ticket.Requester{Name: fmt.Sprint("Customer ", i), Email: fmt.Sprintf("c%d@example.com", i)},
					State:     ticket.States()[i%4], Agent: routing.AgentID(fmt.Sprint("a", i%20)), Priority: ticket.Priority(i%4 - 1),
					CreatedAt: at.Add(time.Duration(i) * time.Second), UpdatedAt: at.Add(time.Duration(i) * time.Second)}
				if i%rare == 7 {
					tk.Title = "A rare lamp"
				}
				if err := u.indexText(tk, 0, tk.CreatedAt, ticketText(tk)); err != nil {
					return err
				}
				if err := tickets.Save(u.ctx, u.tx, &storedTicket{Ticket: tk}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
}
