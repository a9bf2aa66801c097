package postgres

import (
	"cmp"
	"fmt"
	"slices"
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

// documentColumns are what a write of a document replaces.
var documentColumns = []string{"decl integer", "u0 bytea", "u1 bytea", "u2 bytea", "i0 bytea", "i1 bytea", "i2 bytea", "i3 bytea",
	"i4 bytea", "i5 bytea", "i6 bytea", "i7 bytea", "g bytea", "body bytea"}

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
	intoDocuments          = insertInto("sd.documents", "",
		append([]string{"kind text", "id text", "version bigint"}, documentColumns...)...)
	intoTags = insertInto("sd.document_tags", "ON CONFLICT DO NOTHING",
		"kind text", "id text", "name text", "value bytea", "ord bytea")
	intoConversations = insertInto("sd.conversations", "", "id text", "version bigint", "doc bytea", "thread text", "state text",
		"desk text", "work_stream text", "account text", "channel text", "contact text", "agent text", "category text", "handled boolean",
		"opened_at timestamptz", "updated_at timestamptz")
	intoMessages = insertInto("sd.messages", "", "id text", "version bigint", "doc bytea", "conversation text", "seq bigint",
		"account text", "chat_kind text", "chat_id text", "provider text")
	intoEvents = insertInto("sd.events", "", "at timestamptz", "doc bytea")
	intoJobs   = insertInto("sd.jobs", "ON CONFLICT (ws, kind, key) WHERE key <> '' AND state IN ('queued', 'running') DO NOTHING",
		"id text", "kind text", "key text", "state text", "due timestamptz", "claimable timestamptz",
		"attempts integer", "progress integer",
		"reason text", "created_at timestamptz", "payload bytea")
	intoOutbox = insertInto("sd.outbox", "", "id text", "account text", "lane text", "state text",
		"not_before timestamptz", "tries integer", "reason text", "detail text", "added_at timestamptz", "doc bytea")
)

// replacement is a statement that replaces rows in the version in which they were
// read, whose miss is a clash: written out for one row, over arrays for many.
// These are found and locked one after another in the order of the arrays, and
// written by their address, so that the plan is the same however big the table.
type replacement struct{ what, one, many string }

// updateOf makes the statements of a table whose rows have an id and, if match
// names one, a column that must be as it was read. The columns are "name type".
func updateOf(table, what, match string, columns ...string) *replacement {
	return updateBy([]string{"id text"}, table, what, match, columns...)
}

// updateBy is updateOf of a table whose rows have other keys.
func updateBy(keys []string, table, what, match string, columns ...string) *replacement {
	var names, arrays, sets, moves []string
	where, found := "ws = $1", "t.ws = $1"
	for _, c := range keys {
		name, kind, _ := strings.Cut(c, " ")
		n := len(names) + 2
		names, arrays = append(names, name), append(arrays, fmt.Sprintf("$%d::%s[]", n, kind))
		where, found = where+fmt.Sprintf(" AND %s = $%d", name, n), found+fmt.Sprintf(" AND t.%s = u.%[1]s", name)
	}
	if match != "" {
		n := len(names) + 2
		names, arrays = append(names, "was"), append(arrays, fmt.Sprintf("$%d::bigint[]", n))
		where, found = where+fmt.Sprintf(" AND %s = $%d", match, n), found+" AND t."+match+" = u.was"
	}
	for _, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		n := len(names) + 2
		names, arrays = append(names, name), append(arrays, fmt.Sprintf("$%d::%s[]", n, kind))
		sets, moves = append(sets, fmt.Sprintf("%s = $%d", name, n)), append(moves, name+" = f."+name)
	}
	return &replacement{what: what,
		one: "UPDATE " + table + " SET " + strings.Join(sets, ", ") + " WHERE " + where + " RETURNING 1",
		many: "WITH w AS (UPDATE " + table + " t SET " + strings.Join(moves, ", ") + " FROM (SELECT x.at, u.* FROM unnest(" +
			strings.Join(arrays, ", ") + ") AS u(" + strings.Join(names, ", ") + "), LATERAL (SELECT t.ctid AS at FROM " + table +
			" t WHERE " + found + " FOR NO KEY UPDATE) x) f WHERE t.ctid = f.at RETURNING 1) " +
			fmt.Sprintf("SELECT sd.must((SELECT count(*) FROM w) = $%d, '%s', '%s')", len(names)+2, codeClash, what)}
}

// of is the statement that replaces the rows, of which there is one at least.
func (up *replacement) of(ws string, rows [][]any) stmt {
	if len(rows) == 1 {
		return asClash(up.what, up.one, append([]any{ws}, rows[0]...)...)
	}
	return query(up.many, append(append([]any{ws}, transposed(rows)...), len(rows))...)
}

// What is replaced row by row, and in one statement where there are many.
var (
	ofItems     = updateOf("sd.items", "item", "version", "version bigint", "doc bytea", "state text", "agent text")
	ofDocuments = updateBy([]string{"kind text", "id text"}, "sd.documents", "document", "version",
		append([]string{"version bigint"}, documentColumns...)...)
	ofConversations = updateOf("sd.conversations", "conversation", "version", "version bigint", "doc bytea", "thread text", "state text",
		"desk text", "work_stream text", "account text", "channel text", "contact text", "agent text", "category text", "handled boolean",
		"opened_at timestamptz", "updated_at timestamptz")
	ofMessages = updateOf("sd.messages", "message", "version", "version bigint", "doc bytea", "conversation text", "seq bigint",
		"account text", "chat_kind text", "chat_id text", "provider text")
	ofStates = updateOf("sd.agents", "agent", "", "presence text", "reason text", "elig_rev bigint", "rev bigint", "open integer",
		"idle_since timestamptz")
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
		if in == intoJobs { // rivals may make the same ones: in one order for all
			slices.SortStableFunc(b.rows[in], func(x, y []any) int {
				return cmp.Or(cmp.Compare(x[1].(string), y[1].(string)), cmp.Compare(x[2].(string), y[2].(string)))
			})
		}
		list = append(list, in.of(ws, b.rows[in]))
	}
	*b = bulk{}
	return list
}
