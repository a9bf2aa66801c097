package sangdam_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// hiding is a host's policy that hides records one by one and allows everything
// else.
type hiding struct {
	records map[string]bool
	denies  bool // it says so of everything but reading, in words of its own
}

func (h *hiding) Authorize(_ context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	switch {
	case w.Kind != sangdam.KindAgent || !h.records[r.Kind+":"+r.ID]:
		return nil
	case h.denies && a != sangdam.ActRead:
		return fmt.Errorf("%s is not for you: %w", r.ID, sangdam.ErrPermissionDenied)
	}
	return sangdam.ErrNotFound
}

func (*hiding) Scope(sangdam.Who, string) sangdam.Scope { return sangdam.Scope{} }

// answered is what a query shows, in one text.
func answered(v any, err error) string {
	raw, wrong := json.Marshal(v)
	if wrong != nil {
		return wrong.Error()
	}
	return fmt.Sprint(string(raw), err)
}

// file is what an attachment shows.
func file(a *sangdam.Attachment, err error) string {
	if err != nil {
		return err.Error()
	}
	defer func() { _ = a.Close() }()
	raw, err := io.ReadAll(a)
	return fmt.Sprint(a.Name, string(raw), err)
}

// askable makes a customer of whom there is something to find by every query: two
// conversations, of which one is offered and has an answer of unknown fate, a ticket
// with a file, deliveries, runs and a trial of a trigger, a bulk change.
func (w *replayWorld) askable(o *outside) asked {
	w.t.Helper()
	_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
	require.NoError(w.t, err)
	o.targets(w.world)
	w.save(rule("words", when("message", condition.Contains, "card"), tag("x")),
		rule("others", when("message", condition.Contains, "nothing of it"), tag("x")))
	require.NoError(w.t, w.eng.TraceTriggers(w.ctx, w.host, sangdam.TraceTriggers{For: time.Hour}))
	a := asked{who: w.person(o), cursor: cursor}
	w.begun(w.line.User("Jun"), "I may be seen")
	w.line.AddFault(linetest.Fault{Endpoint: "reply", Kind: linetest.FaultCutBefore, Probability: 1})
	a.who.user.SendText(marked + " is here again")
	w.pass(2 * time.Second)
	require.NoError(w.t, errOf(w.eng.Answer(w.ctx, w.host,
		sangdam.Answer{Conversation: w.of(a.who.user).Conversation.ID, Content: channel.Text("of unknown fate")})))
	w.pass(3 * time.Minute)
	w.line.ClearFaults()
	w.online("a1") // who was away meanwhile
	_, err = w.eng.TryTrigger(w.ctx, boss,
		sangdam.TryTrigger{Trigger: rule("words", when("message", condition.Contains, "again"), tag("y"))})
	require.NoError(w.t, err)
	w.settle()
	now := w.of(a.who.user)
	require.NotNil(w.t, now.Offer)
	a.open = now.Conversation.ID
	for _, m := range w.detail(a.who.first).Messages {
		if m.Content.Media != nil {
			a.picture = m.ID
		}
	}
	seen, err := w.eng.Ticket(w.ctx, w.host, a.who.ticket)
	require.NoError(w.t, err)
	for _, f := range seen.Files {
		a.blob = f.Blob
	}
	bulks, err := w.eng.Bulks(w.ctx, w.host, 10)
	require.NoError(w.t, err)
	trials, err := w.eng.Trials(w.ctx, boss, "words")
	require.NoError(w.t, err)
	a.bulk, a.trial, a.delivery = bulks[0].ID, trials[0].ID, w.deliveries("hook")[0].ID
	return a
}

// boss may do everything.
var boss = sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)

// answers are those to all queries of the table.
func (w *replayWorld) answers(p sangdam.Principal, a asked) map[string]string {
	w.t.Helper()
	require.NoError(w.t, errOf(w.eng.BackUp(w.ctx, p, sangdam.BackUp{})))
	a.backup = w.backup(p).ID
	out := map[string]string{}
	for _, op := range queries() {
		if op.Method == "Stream" {
			out[op.Method] = answered(shownEvents(w.stream(p, a.cursor)), nil)
			continue
		}
		out[op.Method], _ = w.query(op, p, a)
	}
	return out
}

// Whoever may do everything and see all but one customer is told nothing of that
// customer by any query: no word, and no id but where the table says that it is a log.
// The test walks the table of queries. One that the table has as workspace-wide hides
// nothing that it showed before, and any other one hides something.
func TestHiddenRecordsAreInNoAnswer(t *testing.T) {
	var o outside
	policy := &hiding{}
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		a := w.askable(&o)
		who := a.who
		words := []string{marked, "canary@example.com", "5555-1234", card}
		ids := []string{string(who.first), string(who.contact), string(who.ticket), string(a.open),
			string(w.detail(who.first).Messages[0].ID)}
		w.answers(boss, a) // what is marked as read is so from here on
		shown := w.answers(boss, a)
		policy.records = map[string]bool{"conversation:" + ids[0]: true, "contact:" + ids[1]: true, "ticket:" + ids[2]: true,
			"conversation:" + ids[3]: true}
		others, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 200)
		require.NoError(t, err)
		for _, other := range others.Tickets { // what was merged and split has her words, too
			policy.records["ticket:"+string(other.ID)] = true
		}
		hidden := w.answers(boss, a)
		for _, op := range queries() {
			before, after := shown[op.Method], hidden[op.Method]
			require.Empty(t, toldOf(after, words), "%s: %s", op.Method, after)
			require.Equal(t, op.Log, len(toldOf(after, ids)) > 0, "%s names a record if and only if it is a log: %s",
				op.Method, after)
			require.Equal(t, op.WorkspaceWide != "", keeps(before, after),
				"%s hides something if and only if it is not workspace-wide:\n%s\n%s", op.Method, before, after)
		}
		n, err := w.eng.CountConversations(w.ctx, boss, conversation.Filter{Contact: who.contact}, 0)
		require.NoError(t, err)
		require.Zero(t, n.N)
		n, err = w.eng.CountTickets(w.ctx, boss, sangdam.TicketFilter{Contact: who.contact})
		require.NoError(t, err)
		require.Zero(t, n.N)
	}, withOutside(&o), withStream(asking), withConfig(func(c *sangdam.Config) { c.Policy = policy }))
}

// keeps says whether everything that an answer had is in a later one, each element of
// a list by itself, and whether both failed or neither.
func keeps(before, after string) bool {
	const well = "null<nil>" // the error of a query that went well
	had := strings.TrimSuffix(before, well)
	return (had != before) == strings.HasSuffix(after, well) &&
		!slices.ContainsFunc(strings.Split(strings.TrimSuffix(had, "<nil>"), "},{"), func(part string) bool {
			return !strings.Contains(after, strings.Trim(part, "[]{}"))
		})
}

// toldOf are those of the texts that an answer has.
func toldOf(answer string, of []string) []string {
	return slices.DeleteFunc(slices.Clone(of), func(about string) bool { return !strings.Contains(answer, about) })
}

// shownEvents are those that do not only say that something is not to be seen.
func shownEvents(evs []store.Event) (out []store.Event) {
	for _, ev := range evs {
		if ev.Kind != sangdam.KindGone {
			out = append(out, ev)
		}
	}
	return out
}

// Whatever is tried on a record that is hidden, by whichever command, the refusal
// is the one for a record that is not there. The test walks the table. So are the
// refusals of queries about an account.
func TestCommandsOnHiddenRecordsSayThatThereIsNone(t *testing.T) {
	var o outside
	policy := &hiding{}
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		hidden, talks := w.commanded(&o)
		policy.records = map[string]bool{"contact:" + hidden[reflect.TypeFor[conversation.ContactID]()]: true,
			"ticket:" + hidden[reflect.TypeFor[ticket.ID]()]: true, "work:" + string(order("17").Item()): true,
			"account:" + string(w.acct.ID): true}
		for _, c := range talks {
			policy.records["conversation:"+string(c)] = true
		}
		for _, policy.denies = range []bool{false, true} {
			tried := 0
			for _, op := range commands() {
				for there, none := range commandsAbout(op, hidden) {
					err := w.give(op, boss, there)
					require.Error(t, err, op.Method)
					require.Equal(t, w.give(op, boss, none).Error(), err.Error(), op.Method)
					tried++
				}
			}
			require.Greater(t, tried, 40)
			about := func(id channel.AccountID) asked {
				return asked{instead: map[reflect.Type]any{reflect.TypeFor[channel.AccountID](): id}}
			}
			for _, op := range []string{"CheckAccount", "ConnectAccount", "Invite", "WouldHear"} {
				_, err := w.query(sangdam.Operation{Method: op}, boss, about(w.acct.ID))
				_, none := w.query(sangdam.Operation{Method: op}, boss, about("none"))
				require.Error(t, err, op)
				require.Equal(t, none.Error(), err.Error(), op)
			}
		}
	}, withOutside(&o), withStream(asking), withConfig(func(c *sangdam.Config) { c.Policy = policy }))
}

// consulted is the type under which the records of a test have a consultation, whose
// id is a string like others.
type consulted string

// commanded makes a customer about whom every command can be given: with a conversation
// that is offered and a ticket, and another whose agent asks a colleague. It
// returns the records by their types, and all conversations of the two.
func (w *replayWorld) commanded(o *outside) (records map[reflect.Type]string, talks []conversation.ID) {
	w.t.Helper()
	o.targets(w.world)
	who := w.person(o)
	require.NoError(w.t, errOf(w.eng.SaveMacro(w.ctx, w.host, sangdam.SaveMacro{Macro: sangdam.Macro{ID: "x", Title: "Thanks",
		Subject: "conversation", Actions: []trigger.Action{tag("thanked")}}})))
	asked := w.begun(w.line.User("Jun"), "about my bill")
	w.online("a2")
	question := w.asks(asked, sangdam.Consult{Agent: "a2"})
	w.waits("17")
	who.user.SendText(marked + " is here again")
	w.settle()
	now := w.of(who.user)
	return map[reflect.Type]string{
		reflect.TypeFor[consulted]():               question.ID,
		reflect.TypeFor[routing.Subject]():         "17",
		reflect.TypeFor[channel.AccountID]():       string(w.acct.ID),
		reflect.TypeFor[conversation.ID]():         string(now.Conversation.ID),
		reflect.TypeFor[conversation.ContactID]():  string(who.contact),
		reflect.TypeFor[conversation.MessageID]():  string(now.Messages[0].ID),
		reflect.TypeFor[conversation.IdentityID](): string(now.Identities[0].ID),
		reflect.TypeFor[ticket.ID]():               string(who.ticket),
		reflect.TypeFor[routing.OfferID]():         string(now.Offer.ID),
	}, []conversation.ID{who.first, asked.Conversation, now.Conversation.ID}
}

// commandsAbout are the commands of an operation that can be given about the records,
// each with the same about such as are not there.
func commandsAbout(op sangdam.Operation, records map[reflect.Type]string) iter.Seq2[reflect.Value, reflect.Value] {
	return func(yield func(there, none reflect.Value) bool) {
		there, about := commandAbout(op, records)
		if none, _ := commandAbout(op, nil); !about || !yield(there, none) {
			return
		}
		if place := there.FieldByName("Place"); place.IsValid() { // of a message so far
			ofTicket := func(id string) reflect.Value {
				body, _ := commandAbout(op, nil)
				at := sangdam.MaskedPlace{Ticket: ticket.ID(id), Part: ticket.TitlePart, Mask: "x"}
				body.FieldByName("Place").Set(reflect.ValueOf(at))
				return body
			}
			yield(ofTicket(records[reflect.TypeFor[ticket.ID]()]), ofTicket("none"))
		}
	}
}

// commandAbout is the command of an operation about the records, or about such as are
// not there, with something plausible in its other fields. about says whether
// it is about any.
func commandAbout(op sangdam.Operation, records map[reflect.Type]string) (body reflect.Value, about bool) {
	m, _ := reflect.TypeFor[*sangdam.Engine]().MethodByName(op.Method)
	body = reflect.New(m.Type.In(3)).Elem()
	title := "x"
	plausible := map[string]any{"Text": "x", "Content": channel.Text("x"), "Agent": routing.AgentID("a1"), "Reason": "asked",
		"Version": int64(1), "Title": "x", "Spans": []privacy.Span{{Start: 0, End: 1}}, "Confirm": true, "Name": "x", "Entry": int64(1),
		"Change": sangdam.TicketChange{Title: &title}, "Comment": &sangdam.TicketComment{Text: "x"}, "Final": true, "Macro": "x",
		"Part": ticket.TitlePart, "Mask": "x", "Memo": "x",
		"User": channel.ProviderUserID("u")}
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			f, name := v.Field(i), v.Type().Field(i).Name
			of, record := f.Type(), false
			switch {
			case name == "Consultation":
				of, record = reflect.TypeFor[consulted](), true
			case name == "Record": // of a macro about conversations
				of, record = reflect.TypeFor[conversation.ID](), true
			}
			is := records[of]
			switch of {
			case reflect.TypeFor[conversation.ID](), reflect.TypeFor[conversation.ContactID](), reflect.TypeFor[conversation.MessageID](),
				reflect.TypeFor[conversation.IdentityID](), reflect.TypeFor[ticket.ID](), reflect.TypeFor[routing.OfferID](),
				reflect.TypeFor[channel.AccountID]():
				record = true
			}
			switch value, has := plausible[name]; {
			case name == "Subject" && of == reflect.TypeFor[routing.Subject]():
				f.Set(reflect.ValueOf(routing.Subject{Kind: "order", ID: cmp.Or(is, "none")}))
				about = op.Method == "Finish" // what is enqueued anew need not be there
			case record:
				about = true
				if is == "" {
					is = "none"
				}
				f.SetString(is)
			case has && reflect.TypeOf(value) == f.Type():
				f.Set(reflect.ValueOf(value))
			case f.Kind() == reflect.Struct && (name == "Contact" || name == "Place"):
				fill(f)
			}
		}
	}
	fill(body)
	if place := body.FieldByName("Place"); place.IsValid() {
		place.FieldByName("Ticket").SetString("")
	}
	if op.Method == "Upload" {
		body.FieldByName("Body").Set(reflect.ValueOf(strings.NewReader("x")))
	}
	return body, about
}

// give gives the command to the Engine.
func (w *world) give(op sangdam.Operation, p sangdam.Principal, body reflect.Value) error {
	out := reflect.ValueOf(w.eng).MethodByName(op.Method).Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(p), body})
	err, _ := out[len(out)-1].Interface().(error)
	return err
}
