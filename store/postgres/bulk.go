package postgres

import (
	"fmt"
	"strings"
	"time"
)

// insert is a statement that adds rows: written out for one row, over arrays for
// many. Neither reads a table, so that no plan of it can go wrong as tables grow.
type insert struct{ one, many string }

// insertInto makes the statements of a table; columns are "name type" and come
// after ws. Rows are added in their order, which numbers them where the table
// does. tail follows.
func insertInto(table, tail string, columns ...string) *insert {
	var names, marks, arrays []string
	for i, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		names = append(names, name)
		marks = append(marks, fmt.Sprintf("$%d", i+2))
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+2, kind))
	}
	list := strings.Join(names, ", ")
	head := "INSERT INTO " + table + " (ws, " + list + ") "
	return &insert{
		one: head + "VALUES ($1, " + strings.Join(marks, ", ") + ") " + tail,
		many: head + "SELECT $1::text, " + list + " FROM unnest(" + strings.Join(arrays, ", ") +
			") WITH ORDINALITY AS u(" + list + ", n) ORDER BY n " + tail,
	}
}

// of is the statement that adds the rows, of which there is one at least.
func (in *insert) of(ws string, rows [][]any) stmt {
	if len(rows) == 1 {
		return query(in.one, append([]any{ws}, rows[0]...)...)
	}
	return query(in.many, append([]any{ws}, transposed(rows)...)...)
}

// transposed makes an array of each column.
func transposed(rows [][]any) []any {
	out := make([]any, len(rows[0]))
	for c := range out {
		switch rows[0][c].(type) {
		case string:
			out[c] = column[string](rows, c)
		case int64:
			out[c] = column[int64](rows, c)
		case int:
			out[c] = column[int](rows, c)
		case bool:
			out[c] = column[bool](rows, c)
		case time.Time:
			out[c] = column[time.Time](rows, c)
		case *time.Time:
			out[c] = column[*time.Time](rows, c)
		case []byte:
			out[c] = column[[]byte](rows, c)
		default:
			panic(fmt.Sprintf("postgres: no array of %T", rows[0][c]))
		}
	}
	return out
}

func column[T any](rows [][]any, c int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = r[c].(T)
	}
	return out
}

// What is added row by row, and in one statement where a transaction reads
// ahead.
var (
	intoOffers = insertInto("sd.offers", "",
		"id text", "item text", "agent text", "open boolean", "offered_at timestamptz", "doc bytea")
	intoAssignments = insertInto("sd.assignments", "",
		"id text", "item text", "agent text", "open boolean", "started_at timestamptz", "doc bytea")
	intoDecisions          = insertInto("sd.decisions", "", "item text", "doc bytea")
	intoConversationEvents = insertInto("sd.conversation_events", "", "conversation text", "seq bigint", "doc bytea")
	intoItems              = insertInto("sd.items", "", "id text", "version bigint", "doc bytea", "seq bigint", "state text", "agent text")
	intoContacts           = insertInto("sd.contacts", "", "id text", "version bigint", "doc bytea", "name text", "email text", "phone text")
	intoIdentities         = insertInto("sd.identities", "", "id text", "version bigint", "doc bytea",
		"contact text", "kind text", "scope text", "user_id text")
	intoConversations = insertInto("sd.conversations", "", "id text", "version bigint", "doc bytea", "thread text", "state text",
		"desk text", "work_stream text", "account text", "channel text", "contact text", "agent text", "category text", "handled boolean",
		"opened_at timestamptz", "updated_at timestamptz")
	intoMessages = insertInto("sd.messages", "", "id text", "version bigint", "doc bytea", "conversation text", "seq bigint",
		"account text", "chat_kind text", "chat_id text", "provider text")
	intoEvents = insertInto("sd.events", "", "at timestamptz", "doc bytea")
)

// bulk collects rows to be added, in the order in which the tables were first
// named.
type bulk struct {
	kinds []*insert
	rows  map[*insert][][]any
}

func (b *bulk) add(in *insert, row []any) {
	if b.rows == nil {
		b.rows = map[*insert][][]any{}
	}
	if _, known := b.rows[in]; !known {
		b.kinds = append(b.kinds, in)
	}
	b.rows[in] = append(b.rows[in], row)
}

// take returns the statements and empties the collection.
func (b *bulk) take(ws string) []stmt {
	var list []stmt
	for _, in := range b.kinds {
		list = append(list, in.of(ws, b.rows[in]))
	}
	*b = bulk{}
	return list
}
