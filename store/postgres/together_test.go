package postgres

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// someEvents are what one piece of work tells of several aggregates.
func someEvents(n int) (evs []driver.Event) {
	for i := range n {
		ev := driver.Event{Aggregate: "conversation", ID: fmt.Sprintf("c%d", i/10), Version: int64(i + 1), Kind: "message",
			Ref: fmt.Sprint(i), Actor: "system", At: at(i / 7), Desk: "d", Agent: routing.AgentID(fmt.Sprint("a", i%3)),
			Desks: []routing.DeskID{"d", "e"}}
		if i%4 == 3 {
			ev = driver.Event{Aggregate: "agent", ID: "a", Version: int64(i), Kind: "online", At: at(0)}
		}
		evs = append(evs, ev)
	}
	return evs
}

func TestEventsOfARowComeBack(t *testing.T) {
	evs := someEvents(100)
	rows, err := eventRows(evs)
	require.NoError(t, err)
	require.Less(t, len(rows), 20)
	var back []driver.Event
	for _, r := range rows {
		require.Less(t, len(r[1].([]byte)), 2000, "longer documents are compressed")
		list, err := appendEvents(nil, r[1].([]byte))
		require.NoError(t, err)
		require.Equal(t, list[0].At, r[0])
		back = append(back, list...)
	}
	require.Equal(t, evs, back)
	for _, bad := range []string{`[{"like":1}]`, `[{"kind":"k"},{"like":-1}]`, `[`, `7`} {
		_, err := appendEvents(nil, []byte(bad))
		require.ErrorIs(t, err, store.ErrUnavailable, bad)
	}
}

// A field that an event gets must be one that sameRest compares, or one of those
// that each event of a row has for itself.
func TestEventsAreAlikeInEveryField(t *testing.T) {
	own := "Aggregate ID Version Kind Ref "
	for f := range reflect.TypeFor[driver.Event]().Fields() {
		var a, b driver.Event
		require.True(t, sameRest(&a, &b))
		v := reflect.ValueOf(&b).Elem().FieldByIndex(f.Index)
		switch v.Interface().(type) {
		case []routing.DeskID:
			v.Set(reflect.ValueOf([]routing.DeskID{"x"}))
		default:
			switch v.Kind() {
			case reflect.String:
				v.SetString("x")
			case reflect.Int64:
				v.SetInt(7)
			default:
				v.Set(reflect.ValueOf(at(1)))
			}
		}
		require.Equal(t, strings.Contains(own, f.Name+" "), sameRest(&a, &b), f.Name)
	}
}

// Pages of the feed may end among the events of a row, and rows that an older
// program wrote hold one event.
func TestPagesOfTheFeedEndWithinRows(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn})
	_, begin, err := db.Feed(t.Context(), ws, "", 1)
	require.NoError(t, err)
	var want []driver.Event
	older := driver.Event{Aggregate: "conversation", ID: "old", Version: 1, Kind: "opened", At: at(9)}
	for i := range 6 {
		evs := someEvents(i * i)
		update(t, db, func(ctx context.Context, tx store.Tx) error { return tx.Events().Append(ctx, evs...) })
		doc, err := encode(older)
		require.NoError(t, err)
		exec(t, dsn, "INSERT INTO sangdam.events (ws, at, doc) VALUES ('w1', now(), $1)", doc)
		want = append(append(want, evs...), older)
	}
	for _, limit := range []int{1, 2, 3, 5, 7, len(want) - 1, len(want), len(want) + 1, 500} {
		var got []driver.Event
		for cursor, full := begin, true; full; {
			var list []driver.Event
			list, cursor, err = db.Feed(t.Context(), ws, cursor, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(list), limit)
			got, full = append(got, list...), len(list) == limit
		}
		require.Equal(t, want, got, limit)
	}
}

// What a conversation's events say is the same however they came to be rows.
func TestEventsOfAConversationComeInRows(t *testing.T) {
	dsn := pgtest.Start(t)
	db := openAt(t, Options{DSN: dsn})
	var want []conversation.Event
	add := func(id conversation.ID, n int) (evs []conversation.Event) {
		for range n {
			evs = append(evs, conversation.Event{Conversation: id, Seq: int64(len(want) + 1), Kind: conversation.EvNote,
				Actor: "system", At: at(1)})
			want = append(want, evs[len(evs)-1])
		}
		return evs
	}
	evs := add("c", 3)
	evs = append(evs, conversation.Event{Conversation: "other", Seq: 1, Kind: conversation.EvNote, Actor: "system", At: at(1)})
	evs = append(evs, add("c", 40)...)
	update(t, db, func(ctx context.Context, tx store.Tx) error { return tx.Conversations().AppendEvents(ctx, evs...) })
	doc, err := encode(add("c", 1)[0])
	require.NoError(t, err)
	exec(t, dsn, "INSERT INTO sangdam.conversation_events (ws, conversation, seq, doc) VALUES ('w1', 'c', $1, $2)", len(want), doc)
	view(t, db, func(ctx context.Context, tx store.Tx) error {
		for after := range len(want) + 1 {
			for _, limit := range []int{1, 2, 10, 100} {
				got, err := tx.Conversations().Events(ctx, "c", int64(after), limit)
				require.NoError(t, err)
				require.Equal(t, want[after:min(len(want), after+limit)], append([]conversation.Event{}, got...))
			}
		}
		got, err := tx.Conversations().Events(ctx, "other", 0, 10)
		require.Len(t, got, 1)
		return err
	})
}

// The store's own encoding of arrays is the driver's, byte for byte.
func TestArraysAreEncodedAsTheDriverDoes(t *testing.T) {
	usual, ours := pgtype.NewMap(), pgtype.NewMap()
	teachArrays(ours)
	for _, v := range []any{[]string{}, []string(nil), []string{"", "가", strings.Repeat("x", 5000)}} {
		same(t, usual, ours, pgtype.TextArrayOID, v)
	}
	for _, v := range [][][]byte{{}, nil, {nil}, {{}, nil, {0, 1}, make([]byte, 70_000)}} {
		same(t, usual, ours, pgtype.ByteaArrayOID, v)
	}
}

func same(t *testing.T, usual, ours *pgtype.Map, oid uint32, v any) {
	t.Helper()
	want, err := usual.Encode(oid, pgtype.BinaryFormatCode, v, []byte("before"))
	require.NoError(t, err)
	got, err := ours.Encode(oid, pgtype.BinaryFormatCode, v, []byte("before"))
	require.NoError(t, err)
	require.Equal(t, want, got)
	args, n := fitted([]any{"text", 7, v, at(1)})
	require.GreaterOrEqual(t, n, len(want))
	if args[2], err = ours.Encode(oid, pgtype.BinaryFormatCode, args[2], []byte("before")); len(want) > 0 {
		require.NoError(t, err)
		require.Equal(t, want, args[2])
	}
}

// What a statement of many rows is encoded into grows once, not with every value.
func TestRoomIsMadeOnce(t *testing.T) {
	m := pgtype.NewMap()
	teachArrays(m)
	texts, docs := make([]string, 64), make([][]byte, 64)
	for i := range texts {
		texts[i], docs[i] = strings.Repeat("x", 36), make([]byte, 900)
	}
	sd := &pgconn.StatementDescription{ParamOIDs: []uint32{pgtype.TextOID, pgtype.TextArrayOID, pgtype.ByteaArrayOID, pgtype.ByteaArrayOID}}
	args := []any{"ws", texts, docs, docs}
	var plain, made pgx.ExtendedQueryBuilder
	build := func(to *pgx.ExtendedQueryBuilder, args []any) float64 {
		return testing.AllocsPerRun(20, func() { require.NoError(t, to.Build(m, sd, args)) })
	}
	sized, n := fitted(args)
	require.Equal(t, args, []any{"ws", texts, docs, docs}, "the arguments stay as they are")
	require.Less(t, build(&made, sized), build(&plain, args))
	require.Equal(t, plain.ParamValues, made.ParamValues)
	sent := 0
	for _, v := range made.ParamValues {
		sent += len(v)
	}
	require.GreaterOrEqual(t, n, sent)
	require.Less(t, n, sent+1000)
	buf, err := room(n).Encode([]byte("before"))
	require.NoError(t, err)
	require.Equal(t, "before", string(buf))
	require.GreaterOrEqual(t, cap(buf), n)
}
