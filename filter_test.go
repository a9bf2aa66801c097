package sangdam_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/ticket"
)

// A filter that names what cannot be, such as a state that is misspelt, is told
// instead of selecting nothing.
func TestAFilterWithAMisspeltStateIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		wrong := conversation.Filter{States: []conversation.State{conversation.StateOpen, "actve"}}
		tickets := sangdam.TicketFilter{States: []ticket.State{"solvd"}}
		for name, try := range map[string]func() error{
			"conversations": func() error { return errOf(w.eng.Conversations(w.ctx, w.host, wrong, "", 10)) },
			"count":         func() error { return errOf(w.eng.CountConversations(w.ctx, w.host, wrong, 0)) },
			"backup":        func() error { return errOf(w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Filter: wrong})) },
			"tickets":       func() error { return errOf(w.eng.Tickets(w.ctx, w.host, tickets, "", 10)) },
			"ticket count":  func() error { return errOf(w.eng.CountTickets(w.ctx, w.host, tickets)) },
			"order":         func() error { return errOf(w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{Order: "age"}, "", 10)) },
			"triggers":      func() error { return errOf(w.eng.Triggers(w.ctx, w.host, "tickt")) },
		} {
			err := try()
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
			require.Regexp(t, "use |are about conversation or ticket", err.Error(), "the remedy is named")
		}
	})
}

// emptied are the values of a filter, or of a list of ids, in each of which one list
// is empty and not nil, by the name of the list.
func emptied(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	switch v.Kind() {
	case reflect.Slice:
		out[v.Type().String()] = reflect.MakeSlice(v.Type(), 0, 0)
	case reflect.Struct:
		for f := range v.Type().Fields() {
			if f.Type.Kind() != reflect.Slice {
				continue
			}
			other := reflect.New(v.Type()).Elem()
			other.Set(v)
			other.FieldByIndex(f.Index).Set(reflect.MakeSlice(f.Type, 0, 0))
			out[v.Type().String()+"."+f.Name] = other
		}
	}
	return out
}

// A list of a query that is empty, such as the ids that a search of the host's own did
// not find, selects nothing, where the same query without the list finds something. The
// test walks the table of queries: a list that a filter or a query gets later is asked too.
func TestAnEmptyListOfAFilterSelectsNothing(t *testing.T) {
	var o outside
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		a := w.askable(&o)
		asked := map[string]bool{}
		for _, op := range queries() {
			method := reflect.ValueOf(w.eng).MethodByName(op.Method).Type()
			for i := 2; i < method.NumIn(); i++ {
				of := method.In(i)
				if of == reflect.TypeFor[sangdam.Setup]() || of == reflect.TypeFor[channel.Content]() || of.Kind() == reflect.String {
					continue // they say what to save or to send, and nothing to look for
				}
				v := reflect.ValueOf(a.argument(w.world, op.Method, of))
				if !v.IsValid() {
					continue
				}
				for list, empty := range emptied(v) {
					all, err := w.query(op, boss, a)
					require.NoError(t, err, op.Method)
					less := a
					less.instead = map[reflect.Type]any{of: empty.Interface()}
					none, err := w.query(op, boss, less)
					require.NoError(t, err, op.Method)
					name := op.Method + " by " + list
					asked[name] = true
					require.True(t, strings.Contains(all, string(a.who.first)) || strings.Contains(all, string(a.who.ticket)) ||
						strings.Contains(all, string(a.who.contact)) || strings.HasPrefix(all, `{"n":`), "%s: %s", name, all)
					require.Contains(t, []string{`{"conversations":[]}<nil>`, `{"tickets":[]}<nil>`, `{"n":0}<nil>`, `{}<nil>`},
						strings.TrimSuffix(none, "null<nil>"), name)
					require.NotEqual(t, all, none, name)
				}
			}
		}
		for _, name := range []string{"Conversations by conversation.Filter.IDs", "CountConversations by conversation.Filter.Desks",
			"Tickets by sangdam.TicketFilter.States", "TicketNames by []ticket.ID"} {
			require.True(t, asked[name], "%s is not among %v", name, asked)
		}
	}, withOutside(&o), withStream(asking))
}

// Of a view that is saved a member that is empty selects everything, before it was
// stored and after; a filter of tickets that goes through JSON keeps its empty list.
func TestAnEmptyListInAViewAndInJSON(t *testing.T) {
	require.Nil(t, sangdam.ConversationView{States: []conversation.State{}}.Filter().States)
	for _, f := range []any{&sangdam.TicketFilter{States: []ticket.State{}}, &conversation.Filter{IDs: []conversation.ID{}}} {
		raw, err := json.Marshal(f)
		require.NoError(t, err)
		again := reflect.New(reflect.TypeOf(f).Elem()).Interface()
		require.NoError(t, json.Unmarshal(raw, again))
		require.Equal(t, f, again, string(raw))
	}
}
