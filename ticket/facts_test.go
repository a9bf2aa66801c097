package ticket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// TestFactsFitTheSchema: every field of the schema has a fact of its type, and
// what is not there is absent.
func TestFactsFitTheSchema(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	all := ticket.Fields{List: []ticket.Field{
		{Code: "size", Kind: ticket.AgentField, Type: ticket.Number, Names: map[string]string{"en": "Size"}},
		{Code: "day", Kind: ticket.AgentField, Type: ticket.Date, Names: map[string]string{"en": "Day"}},
		{Code: "parts", Kind: ticket.AgentField, Type: ticket.Checkbox, Names: map[string]string{"en": "Parts"},
			Options: []ticket.Option{{Code: "a", Names: map[string]string{"en": "A"}}}},
		{Code: "secret", Kind: ticket.AgentField, Type: ticket.Text, Encrypted: true, Names: map[string]string{"en": "Secret"}},
		{Code: "gone", Kind: ticket.AgentField, Type: ticket.Text, Deleted: true, Names: map[string]string{"en": "Gone"}}}}
	schema, err := condition.NewSchema(ticket.SchemaFields(all)...)
	require.NoError(t, err)
	_, ok := schema.Field("field.secret")
	require.False(t, ok, "an encrypted field cannot be searched")
	_, ok = schema.Field("field.gone")
	require.False(t, ok)

	n := 3.0
	full := ticket.Ticket{ID: "t", Channel: "web", Desk: "d", Title: "Broken", Body: "It broke", Contact: "c", Conversation: "cv",
		Requester: ticket.Requester{Name: "Kim", Email: "k@example.com", Phone: "+8210"}, Language: "ko", State: ticket.InProgress,
		Custom: "waiting",
		Group:  "g", Agent: "a", Priority: ticket.High, Category: "cat", Resolution: "res", Tags: []string{"x"},
		Followers: []ticket.AgentID{"b"},
		Fields:    map[string]ticket.Value{"size": {Number: &n}, "day": {Text: "2026-03-01"}, "parts": {List: []string{"a"}}},
		HandedTo:  "J-1", Origin: ticket.Origin{Overflow: "wait"}, CreatedAt: at, UpdatedAt: at, StateAt: at, SolvedAt: at, CustomerAt: at,
		AnsweredAt: at,
		Clocks:     []ticket.Clock{{Target: ticket.FirstAnswer, DueAt: at}}}
	facts := ticket.Facts{Ticket: &full, Fields: all, Comment: "hello"}
	for _, f := range schema.Fields() {
		c := condition.Condition{All: []condition.Clause{{Field: f.Name, Op: condition.Present}}}
		p, err := c.Compile(schema)
		require.NoError(t, err)
		require.True(t, p.Match(at, facts), f.Name)
		_, ok := (ticket.Facts{Ticket: &ticket.Ticket{}, Fields: all}).Fact(f.Name)
		require.Equal(t, f.Type == condition.TypeBool || f.Type == condition.TypeNumber && f.Name == "priority", ok, f.Name)
	}
}
