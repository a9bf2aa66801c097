package sqlite

import (
	"strings"

	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// rowsAtOnce are how many rows a statement inserts, the most first. Each is prepared
// once.
var rowsAtOnce = []int{64, 32, 16, 8, 4, 2, 1}

// insertion is a statement that inserts rows, by how many. To begin and end one, and
// to find the end of each index anew, costs as much as a row.
type insertion struct {
	columns int
	sql     map[int]string
}

// newInsertion makes the statements of INSERT with what follows its values. A failure
// leaves what was inserted, so that the caller's whole transaction has to be undone: so
// that the statement could undo itself, SQLite would copy every page that it changes.
func newInsertion(into string, columns int, follows string) insertion {
	s := insertion{columns, map[int]string{}}
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", columns), ", ") + ")"
	for _, n := range rowsAtOnce {
		s.sql[n] = "INSERT OR FAIL INTO " + into + " VALUES " + row + strings.Repeat(", "+row, n-1) + follows
	}
	return s
}

// insertRows inserts n rows, whose values row appends; done is told of each statement
// how many of its rows were inserted.
func (t *tx) insertRows(s insertion, n int, row func(values []any, i int) []any, done func(from, to, inserted int) error) error {
	values := make([]any, 0, s.columns*min(n, rowsAtOnce[0]))
	from := 0
	for _, size := range rowsAtOnce {
		for ; n-from >= size; from += size {
			values = values[:0]
			for i := from; i < from+size; i++ {
				values = row(values, i)
			}
			inserted, err := t.exec(s.sql[size], values...)
			if err != nil {
				return err
			}
			if done == nil {
				continue
			}
			if err := done(from, from+size, inserted); err != nil {
				return err
			}
		}
	}
	return nil
}

// later are rows that a transaction inserts together at its end, or when they are
// asked for: those that hardly anything reads before they are committed.
type later struct {
	feed    []feedRow
	history []historyRow
	timed   bool  // at is known
	at      int64 // of the last event of the feed
}

// feedRow is an event of the feed.
type feedRow struct {
	seq, at int64
	doc     raw.Text
}

// historyRow is an event of a conversation.
type historyRow struct {
	conversation string
	seq          int64
	doc          raw.Text
}

var (
	insertFeed    = newInsertion("events (ws, seq, at, doc)", 4, "")
	insertHistory = newInsertion("conversation_events (ws, conversation, seq, doc)", 4, "")
)

// insertLater inserts them.
func (t *tx) insertLater() error {
	rows := t.later
	t.later = later{timed: rows.timed, at: rows.at}
	err := t.insertRows(insertHistory, len(rows.history), func(values []any, i int) []any {
		r := &rows.history[i]
		return append(values, &t.ws, &r.conversation, &r.seq, &r.doc)
	}, nil)
	if err != nil {
		return err
	}
	return t.insertRows(insertFeed, len(rows.feed), func(values []any, i int) []any {
		r := &rows.feed[i]
		return append(values, &t.ws, &r.seq, &r.at, &r.doc)
	}, nil)
}
