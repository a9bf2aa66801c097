package sangdam

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
	"github.com/sangdam/sangdam/ticket"
)

// TestAnOldTicketIsFoundByItsNumber: a word that few tickets have is found behind
// thousands of others that share its pairs of characters; a search that stopped
// short says so and goes on.
func TestAnOldTicketIsFoundByItsNumber(t *testing.T) {
	t.Run("memory", func(t *testing.T) { oldTicketFound(t, memory.New(memory.Options{})) })
	t.Run("sqlite", func(t *testing.T) {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
		require.NoError(t, err)
		oldTicketFound(t, db)
	})
	t.Run("postgres", func(t *testing.T) {
		db, err := postgres.Open(t.Context(), postgres.Options{DSN: pgtest.Start(t)})
		require.NoError(t, err)
		oldTicketFound(t, db)
	})
}

func oldTicketFound(t *testing.T, db *store.DB) {
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	keys, err := seal.Ephemeral()
	require.NoError(t, err)
	e, err := New(Config{DB: db, Sealer: keys, Poll: time.Hour})
	require.NoError(t, err)
	ctx, host := t.Context(), Host("w")
	require.NoError(t, e.CreateWorkspace(ctx, "w", "W"))
	const newer = searchedAt + 300
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	titled := func(i int) string {
		if i == 0 {
			return "Parcel 500050, 환불요청드립니다, abcde"
		}
		return "Parcel 500, 00, 50050; 환불요, 요청, 청드립니다; abc, bcd, cde"
	}
	require.NoError(t, e.unit(ctx, host, func(u *unit) error {
		for i := range newer {
			tk := ticket.Ticket{ID: ticket.ID(fmt.Sprintf("t%05d", i)), Number: int64(i + 1), Channel: ticket.ChannelAPI, Title: titled(i),
				State: ticket.Unassigned, CreatedAt: at.Add(time.Duration(i) * time.Second)}
			tk.UpdatedAt = tk.CreatedAt
			if err := tickets.Save(u.ctx, u.tx, &storedTicket{Ticket: tk}); err != nil {
				return err
			}
			if err := u.indexText(tk, 0, tk.CreatedAt, tk.Title); err != nil {
				return err
			}
		}
		return nil
	}))
	search := func(text, page string) FoundTickets {
		found, err := e.SearchTickets(ctx, host, text, page, 5)
		require.NoError(t, err)
		return found
	}
	oldest := func(found FoundTickets) {
		require.Len(t, found.Tickets, 1)
		require.EqualValues(t, 1, found.Tickets[0].Ticket.Number)
		require.Empty(t, found.Next)
	}
	oldest(search("500050", "")) // its pairs are in every ticket
	oldest(search("요청드", ""))
	oldest(search("ＰＡＲＣＥＬ ５０００５０", ""))

	// The triples of this word are in every ticket too.
	short := search("abcde", "")
	require.Empty(t, short.Tickets)
	require.NotEmpty(t, short.Next, "2,000 were looked at, and there are more")
	oldest(search("abcde", short.Next))
	_, err = e.SearchTickets(ctx, host, "500050", short.Next, 5)
	require.ErrorIs(t, err, ErrInvalid, "a token is for its own text")
	require.NoError(t, e.CreateWorkspace(ctx, "v", "V"))
	_, err = e.SearchTickets(ctx, Host("v"), "abcde", short.Next, 5)
	require.ErrorIs(t, err, ErrInvalid, "and its own workspace")
	elsewhere, err := e.SearchTickets(ctx, Host("v"), "500050", "", 5)
	require.NoError(t, err)
	require.Empty(t, elsewhere.Tickets)
	for _, pattern := range []string{"%", "___", ".*", "' OR 1=1 --'"} {
		found, err := e.SearchTickets(ctx, host, pattern, "", 5)
		require.True(t, errors.Is(err, ErrInvalid) || err == nil && len(found.Tickets) == 0, "%s: patterns mean nothing", pattern)
	}

	// An index that an older program made is made anew, in the background.
	require.NoError(t, e.unit(ctx, host, func(u *unit) error { return u.tx.Search().Delete(u.ctx, searchID("t00000", 0)) }))
	require.Empty(t, search("500050", "").Tickets)
	require.NoError(t, e.reindexTickets(ctx, "w"))
	oldest(search("500050", ""))
}
