package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/store"
)

// The controls of -case peer write what the engine writes for a new customer's
// first message, by hand, into the same tables with the same indexes on the same
// server, and decide nothing.
const (
	handFinal  = "one transaction each, final rows"
	handStates = "one transaction each, every change of state"
	handMany   = "32 a transaction on one connection"
)

var handNames = []string{handFinal, handStates, handMany}

// handRound is what one round of a control found.
type handRound struct{ rate, cpu, share float64 }

// byHand writes rows like those of one conversation of the engine.
type byHand struct {
	pool   *pgxpool.Pool
	server int
	like   map[string][][]byte // documents by table
	next   int
}

// ofContact selects the documents of a conversation's contact.
const ofContact = "i0 = (SELECT convert_to(contact, 'UTF8') FROM sangdam.conversations WHERE id = $1)"

func newByHand(ctx context.Context, engine place, server int) (*byHand, error) {
	h := &byHand{server: server, like: map[string][][]byte{}}
	c, err := pgx.Connect(ctx, engine.dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close(ctx) }()
	var item string
	if err := c.QueryRow(ctx, `SELECT id FROM sangdam.items WHERE state = 'assigned' ORDER BY seq DESC LIMIT 1`).Scan(&item); err != nil {
		return nil, err
	}
	for table, which := range map[string]string{"items": "id = $1", "conversations": "id = $1", "messages": "conversation = $1",
		"conversation_events": "conversation = $1", "assignments": "item = $1", "decisions": "item = $1",
		"events":  "convert_from(doc, 'UTF8') LIKE '%' || $1 || '%'",
		"contact": ofContact, "identity": ofContact} {
		of := `doc FROM sangdam.` + table
		if which == ofContact {
			of = `body FROM sangdam.documents`
			which = `kind = '` + table + `' AND ` + which
		}
		rows, err := c.Query(ctx, `SELECT `+of+` WHERE ws = '`+workspace+`' AND `+which, item)
		if err != nil {
			return nil, err
		}
		if h.like[table], err = pgx.CollectRows(rows, pgx.RowTo[[]byte]); err != nil || len(h.like[table]) == 0 {
			return nil, fmt.Errorf("what the engine wrote into %s is not there: %w", table, err)
		}
	}
	h.like["inbox"] = [][]byte{firstMessage(0).body}
	own, err := engine.another(ctx)
	if err != nil {
		return nil, err
	}
	db, err := own.open(ctx) // makes the tables
	if err != nil {
		return nil, err
	}
	if err := db.System().CreateWorkspace(ctx, workspace, "Bench"); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(own.dsn)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 32
	cfg.ConnConfig.RuntimeParams["search_path"] = "sangdam"
	if h.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	for i := range peerAgents {
		_, err := h.pool.Exec(ctx, `INSERT INTO agents (ws, id, version, presence, elig_rev, rev, idle_since, doc)
			VALUES ($1, $2, 1, 'online', 1, 1, now(), '{}')`, workspace, string(agentID(i)))
		if err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *byHand) close() { h.pool.Close() }

// measure writes so many conversations, in turn from 32 connections or in 32 on
// one.
func (h *byHand) measure(ctx context.Context, name string, n int) (handRound, error) {
	server, err := measure.TreeTime(h.server)
	if err != nil {
		return handRound{}, err
	}
	program, begin := measure.CPUTime(), time.Now()
	first := h.next
	h.next += n
	writers, each := 32, 1
	if name == handMany {
		writers, each = 1, 32
	}
	work := make(chan int)
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range work {
				if err := h.write(ctx, name != handFinal, i, each); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for i := first; i < first+n; i += each {
		work <- i
	}
	close(work)
	wg.Wait()
	if failed != nil {
		return handRound{}, failed
	}
	took, used := time.Since(begin), measure.CPUTime()-program
	now, err := measure.TreeTime(h.server)
	used += now - server
	return handRound{rate: float64(n) / took.Seconds(), cpu: used.Seconds() * 1000 / float64(n)}, err
}

// write writes conversations in one transaction and one round trip.
func (h *byHand) write(ctx context.Context, states bool, from, n int) error {
	var batch pgx.Batch
	for _, s := range h.statements(states) {
		var rows [][]any
		for i := from; i < from+n; i++ {
			rows = append(rows, s.rows(i)...)
		}
		if len(rows) == 1 {
			batch.Queue(s.one, append([]any{workspace}, rows[0]...)...)
		} else {
			batch.Queue(s.many, append([]any{workspace}, arrays(rows)...)...)
		}
	}
	return h.pool.SendBatch(ctx, &batch).Close()
}

// handStatement writes rows of one table; rows are those of a conversation.
type handStatement struct {
	one, many string
	rows      func(i int) [][]any
}

// shape makes names, parameters and arrays of columns, each "name type".
func shape(columns []string) (names, marks, lists string) {
	var n, m, l []string
	for i, c := range columns {
		name, kind, _ := strings.Cut(c, " ")
		n, m, l = append(n, name), append(m, fmt.Sprintf("$%d", i+2)), append(l, fmt.Sprintf("$%d::%s[]", i+2, kind))
	}
	return strings.Join(n, ", "), strings.Join(m, ", "), strings.Join(l, ", ")
}

func handInsert(table, tail string, rows func(int) [][]any, columns ...string) handStatement {
	names, marks, lists := shape(columns)
	head := "INSERT INTO " + table + " (ws, " + names + ") "
	return handStatement{one: head + "VALUES ($1, " + marks + ") " + tail, rows: rows,
		many: head + "SELECT $1::text, * FROM unnest(" + lists + ") AS u " + tail}
}

// handUpdate changes what follows the first column, by which the row is found where
// also holds; what nothing is set of is deleted.
func handUpdate(table, also, set string, rows func(int) [][]any, columns ...string) handStatement {
	names, _, lists := shape(columns)
	id, _, _ := strings.Cut(names, ",")
	var one, many []string
	for i, name := range strings.Split(names, ", ")[1:] {
		one, many = append(one, fmt.Sprintf("%s = $%d", name, i+3)), append(many, name+" = f."+name)
	}
	if set != "" {
		one, many = append(one, set), append(many, set)
	}
	do, doMany, from := "DELETE FROM "+table+" t", "DELETE FROM "+table+" t", " USING "
	if len(one) > 0 {
		do, doMany = "UPDATE "+table+" t SET "+strings.Join(one, ", "), "UPDATE "+table+" t SET "+strings.Join(many, ", ")
		from = " FROM "
	}
	return handStatement{one: do + " WHERE ws = $1" + also + " AND " + id + " = $2", rows: rows,
		many: doMany + from + "(SELECT x.at, u.* FROM unnest(" + lists + ") AS u(" + names + "), LATERAL (SELECT ctid AS at FROM " + table +
			" WHERE ws = $1" + also + " AND " + id + " = u." + id + " OFFSET 0) x) f WHERE t.ctid = f.at"}
}

// each makes rows of the documents of a table like those of the engine.
func (h *byHand) each(table string, from, to int, row func(i, n int, doc []byte) []any) func(int) [][]any {
	docs := h.like[table]
	if to <= 0 {
		to += len(docs)
	}
	return func(i int) (out [][]any) {
		for n := from; n < to; n++ {
			out = append(out, row(i, n, docs[n]))
		}
		return out
	}
}

func handID(i int) string { return fmt.Sprintf("0192e4a0-0000-7000-8000-%012d", i) }

// statements are those of a conversation: final rows, or every change of state.
func (h *byHand) statements(states bool) []handStatement {
	now := time.Now()
	if !states {
		return append(h.arrival(now, "done", "assigned", "active", "a000000", 0, 0), h.assignment(now)...)
	}
	const account = " AND account = 'account'"
	half := len(h.like["events"]) / 2
	one := func(more ...any) func(int) [][]any {
		return func(i int) [][]any { return [][]any{append([]any{handID(i)}, more...)} }
	}
	list := h.arrival(now, "pending", "queued", "open", "", -1, -half)
	list = slices.Concat([]handStatement{
		handInsert("inbox_lanes", "", func(i int) [][]any { return [][]any{{"account", handID(i), now}} },
			"account text", "lane text", "due timestamptz"), list[0],
		handUpdate("inbox_lanes", account, "token = 'token', until = now() + interval '30 s'", one(now), "lane text", "due timestamptz"),
	}, list[1:], []handStatement{
		handUpdate("inbox", "", "state = 'done', ended_at = now()", one(), "id text"),
		handUpdate("inbox_lanes", account, "", one(), "lane text"),
		handUpdate("items", "", "version = 2", one("assigned", "a000000", h.like["items"][0]), "id text", "state text",
			"agent text", "doc bytea"),
		handUpdate("conversations", "", "version = 2", one("active", "a000000", h.like["conversations"][0]),
			"id text", "state text", "agent text", "doc bytea"),
		handInsert("conversation_events", "", h.each("conversation_events", len(h.like["conversation_events"])-1, 0, h.happened),
			"conversation text", "seq bigint", "doc bytea"),
		handInsert("events", "", h.each("events", len(h.like["events"])-half, 0,
			func(_, _ int, doc []byte) []any { return []any{now, doc} }), "at timestamptz", "doc bytea"),
	})
	return append(list, h.assignment(now)...)
}

// arrival are the rows of a message and what it opens; the last of its events and
// of the feed's may be left for later.
func (h *byHand) arrival(now time.Time, inbox, item, conversation, who string, events, feed int) []handStatement {
	return []handStatement{
		handInsert("inbox", "", h.each("inbox", 0, 0, func(i, _ int, doc []byte) []any {
			return []any{handID(i), "account", handID(i), handID(i), inbox, now, now, int64(0), doc}
		}), "id text", "account text", "dedup text", "lane text", "state text", "occurred_at timestamptz", "received_at timestamptz",
			"tries bigint", "raw bytea"),
		handInsert("items", "", h.each("items", 0, 0, func(i, _ int, doc []byte) []any {
			return []any{handID(i), int64(1), item, who, doc}
		}), "id text", "version bigint", "state text", "agent text", "doc bytea"),
		handInsert("documents", "", h.each("contact", 0, 0, func(i, _ int, doc []byte) []any {
			return []any{"contact", handID(i), int64(1), int64(1), []byte(handID(i)), doc}
		}), "kind text", "id text", "version bigint", "decl bigint", "i0 bytea", "body bytea"),
		handInsert("documents", "", h.each("identity", 0, 0, func(i, _ int, doc []byte) []any {
			user := store.IdentityKey("line", "1234567890", channel.ProviderUserID(userID(i))).Values[0]
			return []any{"identity", handID(i), int64(1), int64(1), user, []byte(handID(i)), doc}
		}), "kind text", "id text", "version bigint", "decl bigint", "u0 bytea", "i0 bytea", "body bytea"),
		handInsert("conversations", "", h.each("conversations", 0, 0, func(i, _ int, doc []byte) []any {
			return []any{handID(i), int64(1), "contact:" + handID(i) + "/stream:line", conversation, "desk", "line", "account", "line",
				handID(i), who, "", false, now, now, doc}
		}), "id text", "version bigint", "thread text", "state text", "desk text", "work_stream text", "account text", "channel text",
			"contact text", "agent text", "category text", "handled boolean", "opened_at timestamptz",
			"updated_at timestamptz", "doc bytea"),
		handInsert("messages", "", h.each("messages", 0, 0, func(i, _ int, doc []byte) []any {
			return []any{handID(i), int64(1), handID(i), int64(1), "account", "user", userID(i), handID(i), doc}
		}), "id text", "version bigint", "conversation text", "seq bigint", "account text", "chat_kind text",
			"chat_id text", "provider text", "doc bytea"),
		handInsert("conversation_events", "", h.each("conversation_events", 0, events, h.happened),
			"conversation text", "seq bigint", "doc bytea"),
		handInsert("jobs", "", func(i int) [][]any {
			return [][]any{{handID(i), "profile", handID(i), "queued", now, now, int64(0), int64(0), "", now,
				[]byte(`{"identity":"` + handID(i) + `"}`)}}
		}, "id text", "kind text", "key text", "state text", "due timestamptz", "claimable timestamptz", "attempts bigint",
			"progress bigint", "reason text", "created_at timestamptz", "payload bytea"),
		handInsert("events", "", h.each("events", 0, feed, func(_, _ int, doc []byte) []any { return []any{now, doc} }),
			"at timestamptz", "doc bytea"),
	}
}

// assignment are the rows of what gives it to an agent.
func (h *byHand) assignment(now time.Time) []handStatement {
	agent := func(values ...any) func(int) [][]any {
		return func(i int) [][]any { return [][]any{append([]any{string(agentID(i % peerAgents))}, values...)} }
	}
	return []handStatement{
		handInsert("assignments", "", h.each("assignments", 0, 0, func(i, _ int, doc []byte) []any {
			return []any{handID(i), handID(i), string(agentID(i % peerAgents)), true, now, doc}
		}), "id text", "item text", "agent text", "open boolean", "started_at timestamptz", "doc bytea"),
		handInsert("decisions", "", h.each("decisions", 0, 0, func(i, _ int, doc []byte) []any { return []any{handID(i), doc} }),
			"item text", "doc bytea"),
		handUpdate("agents", "", "rev = t.rev + 1, open = t.open + 1", agent(now), "id text", "idle_since timestamptz"),
		handInsert("agent_loads AS l", "ON CONFLICT (ws, agent, profile) DO UPDATE SET used = l.used + 1", agent("units", int64(1)),
			"agent text", "profile text", "used bigint"),
		handInsert("agent_turns", "ON CONFLICT (ws, agent, queue) DO UPDATE SET turn = excluded.turn", agent("q", int64(1)),
			"agent text", "queue text", "turn bigint"),
	}
}

func (h *byHand) happened(i, n int, doc []byte) []any { return []any{handID(i), int64(n + 1), doc} }

// arrays makes an array of each column.
func arrays(rows [][]any) []any {
	out := make([]any, len(rows[0]))
	for c := range out {
		switch rows[0][c].(type) {
		case string:
			out[c] = columnOf[string](rows, c)
		case int64:
			out[c] = columnOf[int64](rows, c)
		case bool:
			out[c] = columnOf[bool](rows, c)
		case time.Time:
			out[c] = columnOf[time.Time](rows, c)
		default:
			out[c] = columnOf[[]byte](rows, c)
		}
	}
	return out
}

func columnOf[T any](rows [][]any, c int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = r[c].(T)
	}
	return out
}
