package sangdam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// sqlTexts are what one would write to leave a value and enter the statement.
func sqlTexts() []string {
	return []string{"x' OR '1'='1", `x" OR "1"="1`, "x'; DROP TABLE documents; --", "x) UNION SELECT * FROM agents --", "$1", "?",
		"x\\' OR 1=1 --", "%", "_"}
}

// TestSQLInFiltersIsAValueOrRefused: whatever stands where people write
// values is compared as it is, and a field, an operator or an order that does not
// exist is refused, on every store.
func TestSQLInFiltersIsAValueOrRefused(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		d.open(sangdam.OpenTicket{Title: "plain", Tags: []string{"plain"}})
		count := func(f sangdam.TicketFilter) int {
			n, err := w.eng.CountTickets(w.ctx, w.host, f)
			require.NoError(t, err, "%+v", f)
			return n.N
		}
		for i, evil := range sqlTexts() {
			d.open(sangdam.OpenTicket{Title: evil, Tags: []string{evil}})
			require.Equal(t, 1, count(sangdam.TicketFilter{Tag: evil}), evil)
			require.Equal(t, 1, count(sangdam.TicketFilter{When: condition.Condition{All: when("title", condition.Is, evil)}}), evil)
			for _, f := range []sangdam.TicketFilter{{Agent: routing.AgentID(evil)}, {Group: ticket.GroupID(evil)},
				{States: []ticket.State{ticket.State(evil)}}} {
				n, err := w.eng.CountTickets(w.ctx, w.host, f)
				require.True(t, err == nil && n.N == 0 || isBad(err), "%q: %d, %v", evil, n.N, err)
			}
			for _, c := range [][]condition.Clause{when(evil, condition.Is, "x"), when("title", condition.Op(evil), "x")} {
				require.ErrorIs(t, errOf(w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{When: condition.Condition{All: c}}, "", 0)),
					sangdam.ErrInvalid)
				bad := ticket.View{Name: "V", When: condition.Condition{All: c}}
				require.ErrorIs(t, errOf(w.eng.SaveTicketView(w.ctx, w.host, sangdam.SaveTicketView{View: bad})), sangdam.ErrInvalid)
			}
			require.ErrorIs(t, errOf(w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{Order: ticket.Order(evil)}, "", 0)),
				sangdam.ErrInvalid)
			require.True(t, isBad(errOf(w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, evil, 0))), "a page token")
			_, err := w.eng.SearchTickets(w.ctx, w.host, evil, "", 10)
			require.True(t, err == nil || isBad(err), "%v", err)
			require.Equal(t, i+2, count(sangdam.TicketFilter{}), "all are there still")
		}
	})
}

// isBad says that the caller is told what is wrong with its input.
func isBad(err error) bool {
	for _, kind := range []error{sangdam.ErrInvalid, sangdam.ErrNotFound, sangdam.ErrConflict} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// TestPatternsOfPeopleAreBounded: RE2 alone, of a bounded length; what a
// backtracking engine would hang at is answered.
func TestPatternsOfPeopleAreBounded(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		id := d.open(sangdam.OpenTicket{Title: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"})
		list := func(pattern string) (sangdam.TicketPage, error) {
			return d.eng.Tickets(d.ctx, d.host,
				sangdam.TicketFilter{When: condition.Condition{All: when("title", condition.Matches, pattern)}}, "", 0)
		}
		page, err := list("^(a+)+$")
		require.NoError(t, err)
		require.Empty(t, page.Tickets)
		page, err = list("^(a+)+!$")
		require.NoError(t, err)
		require.Equal(t, id, page.Tickets[0].ID)
		for _, bad := range []string{"(", `(a)\1`, "(?=a)", "a{1001}", "((a{100}){100}){100}"} {
			_, err := list(bad)
			require.ErrorIs(t, err, sangdam.ErrInvalid, bad)
		}
	})
}

// TestARuleOnOneMeetsOnlyOne: "1" is neither another script's digit nor the
// beginning of "10".
func TestARuleOnOneMeetsOnlyOne(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		d.save(ticketRule("one", when("field.order", condition.Is, "1"), tag("one")))
		for value, want := range map[string]bool{"1": true, "١": false, "10": false, "01": false, "1.0": false} {
			id := d.open(sangdam.OpenTicket{Fields: map[string]ticket.Value{"order": {Text: value}}})
			require.Equal(t, want, len(d.read(id).Ticket.Tags) == 1, "%q", value)
		}
	})
}

// TestAnAgentMustFillWhatIsRequired: a ticket by hand with a required field empty
// is not made, nor does it use up a number.
func TestAnAgentMustFillWhatIsRequired(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		bare := sangdam.OpenTicket{Title: "x", Category: d.refund}
		_, err := d.eng.OpenTicket(d.ctx, d.agent("a1"), bare)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		missing, is := errors.AsType[*ticket.MissingFields](err)
		require.True(t, is)
		require.Equal(t, []string{"order"}, missing.Codes)
		bare.Fields = map[string]ticket.Value{"order": {Text: "A-1"}}
		made, err := d.eng.OpenTicket(d.ctx, d.agent("a1"), bare)
		require.NoError(t, err)
		require.EqualValues(t, 1, made.Number)
	})
}

// TestOneCategoryForEveryWayIn: form, mail, phone and hand use one intake
// category; the fields of calls are only on tickets of calls.
func TestOneCategoryForEveryWayIn(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		order := map[string]ticket.Value{"order": {Text: "A-1"}}
		call := map[string]ticket.Value{"order": {Text: "A-1"}, "phone_direction": {Text: "in"}, "callback": {Text: "yes"},
			"callback_number": {Text: "+82 2 123"}}
		form := sangdam.SubmitTicket{Category: d.refund, Title: "x", Content: "x", Consent: true,
			Requester: ticket.Requester{Email: "k@example.com"}, Fields: order}
		require.NoError(t, errOf(d.eng.SubmitTicket(d.ctx, d.host, form)))
		form.Fields = call
		require.ErrorIs(t, errOf(d.eng.SubmitTicket(d.ctx, d.host, form)), sangdam.ErrInvalid, "the form has no fields of calls")
		for _, channel := range []string{ticket.ChannelEmail, ticket.ChannelHand, ticket.ChannelPhone} {
			c := sangdam.OpenTicket{Title: "x", Channel: channel, Category: d.refund, Fields: order}
			require.NoError(t, errOf(d.eng.OpenTicket(d.ctx, d.agent("a1"), c)), channel)
			c.Fields = call
			err := errOf(d.eng.OpenTicket(d.ctx, d.agent("a1"), c))
			if channel == ticket.ChannelPhone {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, sangdam.ErrInvalid, channel)
		}
		n, err := d.eng.CountTickets(d.ctx, d.host, sangdam.TicketFilter{Category: d.refund})
		require.NoError(t, err)
		require.Equal(t, 5, n.N)
	})
}

// TestFieldsOfTheLibraryAreReset, and never deleted; one of the workspace's own
// has nothing to go back to.
func TestFieldsOfTheLibraryAreReset(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		d.field(ticket.Field{Code: "email", Kind: ticket.SystemField, Type: ticket.Text, Names: named("Your mail")})
		field := func(code string) ticket.Field {
			setup, err := d.eng.TicketSetup(d.ctx, d.host)
			require.NoError(t, err)
			f, _ := setup.Fields.Field(code)
			return f
		}
		require.False(t, field("email").Required)
		reset := func(code string) error {
			saved, err := d.eng.DeleteField(d.ctx, d.host, sangdam.DeleteField{Version: d.fields, Code: code, Reset: true})
			if err == nil {
				d.fields = saved.Version
			}
			return err
		}
		require.NoError(t, reset("email"))
		require.Equal(t, "Email", field("email").Names["en"])
		require.True(t, field("email").Required)
		require.ErrorIs(t, reset("order"), sangdam.ErrInvalid)
		for _, f := range ticket.SystemFields() {
			err := errOf(d.eng.DeleteField(d.ctx, d.host, sangdam.DeleteField{Version: d.fields, Code: f.Code}))
			require.ErrorIs(t, err, sangdam.ErrInvalid, f.Code)
		}
		f := field("title")
		f.Required = false
		require.ErrorIs(t, errOf(d.eng.SaveField(d.ctx, d.host, sangdam.SaveField{Version: d.fields, Field: f})), sangdam.ErrInvalid,
			"title is always required")
	})
}

// TestAnAgentTakenOutOfTheGroup between rule and action is passed over, and the
// next one gets the ticket.
func TestAnAgentTakenOutOfTheGroup(t *testing.T) {
	inTickets(t, func(d *ticketDesk) {
		group := ticket.Group{ID: "returns", Name: "Returns", Agents: []ticket.AgentID{"a1", "a2"}}
		save := func() {
			group.Version++
			require.NoError(t, errOf(d.eng.SaveGroup(d.ctx, d.host, sangdam.SaveGroup{Group: group})))
		}
		save()
		d.save(ticketRule("turn", when("event", condition.Is, "created"), assignTo(trigger.ChooseInTurn, "returns", "a1", "a2")))
		group.Agents = []ticket.AgentID{"a2"}
		save()
		for i := range 2 {
			id := d.open(sangdam.OpenTicket{Title: fmt.Sprint(i)})
			require.EqualValues(t, "a2", d.read(id).Ticket.Agent)
		}
	})
}

// gateway is a host's own way to send text messages.
type gateway struct{ sent []string }

func (g *gateway) SendSMS(_ context.Context, _, to, text string) (string, error) {
	g.sent = append(g.sent, to+" "+text)
	return "id", nil
}

// TestATextMessageByATrigger leaves by the host's gateway, not at all while text
// messages are switched off, and not to a customer without a number.
func TestATextMessageByATrigger(t *testing.T) {
	g := &gateway{}
	inTickets(t, func(d *ticketDesk) {
		target := notify.Target{ID: "sms", Kind: notify.KindSMS, Name: "SMS", Settings: json.RawMessage(`{"from":"16001234"}`)}
		require.NoError(t, errOf(d.eng.SaveTarget(d.ctx, d.host, sangdam.SaveTarget{Target: target})))
		d.save(ticketRule("sms", when("event", condition.Is, "created"), trigger.Do(action.SMS,
			action.NoticeParams{Target: "sms", Text: action.Texts{"": "Ticket #{number}"}})))
		d.open(sangdam.OpenTicket{Requester: ticket.Requester{Phone: "010-1234-5678"}})
		d.open(sangdam.OpenTicket{})
		d.settings(sangdam.WorkspaceSettings{Off: []sangdam.Switch{sangdam.SwitchSMS}})
		d.open(sangdam.OpenTicket{Requester: ticket.Requester{Phone: "010-1234-5678"}})
		d.settle()
		require.Equal(t, []string{"01012345678 Ticket 1"}, g.sent)
		runs := d.runs("sms")
		require.Contains(t, runs[0].Outcomes[0].Note, `"sms" is switched off`)
		require.Equal(t, "the customer has no phone number", runs[1].Outcomes[0].Note)
	}, withConfig(func(c *sangdam.Config) { c.Carriers = append(c.Carriers, notify.SMS(g)) }))
}
