package sangdam_test

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
)

// commands and queries are the two parts of the table.
func commands() []sangdam.Operation {
	return slices.DeleteFunc(sangdam.Operations(), func(op sangdam.Operation) bool { return op.Query })
}

func queries() []sangdam.Operation {
	return slices.DeleteFunc(sangdam.Operations(), func(op sangdam.Operation) bool { return !op.Query })
}

// asked is what queries are about where a test calls all of them.
type asked struct {
	who      leaver
	open     conversation.ID // another conversation of the customer, which waits
	picture  conversation.MessageID
	blob     string // a file of the ticket
	bulk     string
	delivery string
	trial    string
	backup   string
	cursor   string
	instead  map[reflect.Type]any // of what argument says
}

// texts are the words of the queries that take words, in their order; all other
// arguments are told by their types.
func (a asked) texts(method string) []string {
	id := string(a.who.first)
	return map[string][]string{"Search": {marked}, "FindContacts": {marked}, "SearchTickets": {marked, ""}, "Delivery": {a.delivery},
		"Events": {a.cursor}, "Stream": {a.cursor}, "Trial": {a.trial}, "BulkProgress": {a.bulk}, "TicketFile": {a.blob},
		"RevealTicketField": {"card"}, "WriteBackup": {a.backup}, "Macros": {"conversation"}, "MacrosFor": {"conversation", id},
		"Triggers": {"conversation"}, "CheckAnswer": {marked}, "NoticeToConfirm": {"en"}, "WouldHear": {"en"}}[method]
}

// argument is a value of the type that leads to the customer.
func (a asked) argument(w *world, method string, of reflect.Type) any {
	if v, is := a.instead[of]; is {
		return v
	}
	about := a.who.first
	if slices.Contains([]string{"Explain", "Place", "Preview", "RepliesFor", "MaskProposals"}, method) {
		about = a.open
	}
	filter := conversation.Filter{}
	if method == "CountConversations" {
		filter.Contact = a.who.contact
	}
	return map[reflect.Type]any{
		reflect.TypeFor[conversation.ID]():          about,
		reflect.TypeFor[conversation.ContactID]():   a.who.contact,
		reflect.TypeFor[[]conversation.ContactID](): []conversation.ContactID{a.who.contact},
		reflect.TypeFor[ticket.ID]():                a.who.ticket,
		reflect.TypeFor[[]ticket.ID]():              []ticket.ID{a.who.ticket},
		reflect.TypeFor[sangdam.AttachmentRef]():    sangdam.AttachmentRef{Message: a.picture},
		reflect.TypeFor[routing.ItemID]():           routing.ItemID(a.open),
		reflect.TypeFor[routing.AgentID]():          routing.AgentID("a1"),
		reflect.TypeFor[routing.DeskID]():           routing.DeskID("support"),
		reflect.TypeFor[channel.AccountID]():        w.acct.ID,
		reflect.TypeFor[channel.Content]():          channel.Text("x"),
		reflect.TypeFor[trigger.ID]():               trigger.ID("words"),
		reflect.TypeFor[sangdam.Action]():           sangdam.ActConfigure,
		reflect.TypeFor[conversation.Filter]():      filter,
		reflect.TypeFor[sangdam.TicketFilter]():     sangdam.TicketFilter{},
		reflect.TypeFor[sangdam.DeliveryFilter]():   sangdam.DeliveryFilter{Target: "hook"},
		reflect.TypeFor[sangdam.TriggerRunFilter](): sangdam.TriggerRunFilter{Trigger: "words"},
		reflect.TypeFor[sangdam.TemplateFilter]():   sangdam.TemplateFilter{},
		reflect.TypeFor[sangdam.Setup]():            sangdam.Setup{},
		reflect.TypeFor[time.Time]():                w.now(),
		reflect.TypeFor[time.Duration]():            time.Second,
		reflect.TypeFor[int]():                      200,
		reflect.TypeFor[int64]():                    int64(0),
	}[of]
}

// query asks a query of the table and returns all that it answers, in one text, and
// its error.
func (w *world) query(op sangdam.Operation, p sangdam.Principal, a asked) (string, error) {
	w.t.Helper()
	method := reflect.ValueOf(w.eng).MethodByName(op.Method)
	in := []reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(p)}
	words := a.texts(op.Method)
	var file strings.Builder
	for i := 2; i < method.Type().NumIn(); i++ {
		switch of := method.Type().In(i); {
		case of == reflect.TypeFor[io.Writer]():
			in = append(in, reflect.ValueOf(&file))
		case of == reflect.TypeFor[string]():
			word := ""
			if len(words) > 0 {
				word, words = words[0], words[1:]
			}
			in = append(in, reflect.ValueOf(word))
		default:
			v := a.argument(w, op.Method, of)
			require.NotNil(w.t, v, "%s takes a %s, of which this test has none", op.Method, of)
			in = append(in, reflect.ValueOf(v))
		}
	}
	call := method.Call
	if method.Type().IsVariadic() {
		call = method.CallSlice
	}
	var err error
	out := ""
	for _, v := range call(in) {
		text, wrong := answerOf(v.Interface())
		err = cmpError(err, wrong)
		out += text
	}
	out += file.String()
	if err != nil {
		out += err.Error()
	}
	return out, err
}

func cmpError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// answerOf is a result of a query as a text, or its error.
func answerOf(v any) (string, error) {
	switch v := v.(type) {
	case error:
		return "", v
	case *sangdam.Attachment:
		if v == nil {
			return "", nil
		}
		return file(v, nil), nil
	case []store.Event:
		return answered(shownEvents(v), nil), nil
	case func(func(sangdam.Batch, error) bool):
		return "", nil // Stream, see w.stream
	}
	return answered(v, nil), nil
}

// recording is a host's policy that refuses strangers everything and writes down
// what it was asked about them.
type recording struct {
	mu    sync.Mutex
	asked []string
	reads bool // strangers may read, which is not written down
}

func (r *recording) Authorize(_ context.Context, w sangdam.Who, a sangdam.Action, on sangdam.Resource) error {
	if w.ID != "stranger" || r.reads && a == sangdam.ActRead {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, string(a)+" "+on.Kind)
	return fmt.Errorf("not you: %w", sangdam.ErrPermissionDenied)
}

func (*recording) Scope(sangdam.Who, string) sangdam.Scope { return sangdam.Scope{} }

// Every command asks the policy for what the table says of it before anything else
// than whether a record may be seen: nobody else is told what is wrong with the command,
// nor whether what it names of the set-up is there.
func TestEveryCommandAsksWhatTheTableSays(t *testing.T) {
	var o outside
	policy := &recording{reads: true}
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		records, _ := w.commanded(&o)
		stranger := sangdam.AgentPrincipal(ws, "stranger", sangdam.RoleAdministrator)
		for _, op := range commands() {
			bodies := []reflect.Value{}
			for _, set := range []bool{true, false} {
				for body := range commandsAbout(op, records) {
					bodies = append(bodies, withSetUp(body, set))
				}
				if body, of := commandAbout(op, records); !of {
					bodies = append(bodies, withSetUp(body, set))
				}
			}
			for _, body := range bodies {
				policy.asked = nil
				err := w.give(op, stranger, body)
				require.NotEmpty(t, policy.asked, "%s did not ask whether it is allowed: %v", op.Method, err)
				action, kind, _ := strings.Cut(policy.asked[0], " ")
				require.Contains(t, op.Actions, sangdam.Action(action), op.Method)
				require.Contains(t, op.Resources, kind, op.Method)
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied, op.Method)
				require.ErrorContains(t, err, "not you", op.Method)
			}
		}
	}, withOutside(&o), withStream(asking), withConfig(func(c *sangdam.Config) { c.Policy = policy }))
}

// withSetUp is the command as it is, or naming nothing of the set-up that is there.
func withSetUp(body reflect.Value, there bool) reflect.Value {
	for _, name := range []string{"Account", "Agent", "Backup", "Bulk", "Category", "Delivery", "Desk", "Envelope", "Field", "Group", "Job",
		"Level", "Macro", "Queue", "Reply", "Stream", "Subscription", "Target", "Template", "Trigger", "View", "Word"} {
		if f := body.FieldByName(name); f.IsValid() && f.Kind() == reflect.String && !there {
			f.SetString("none")
		}
	}
	return body
}

// Every query is in the table, and asks the policy first of all, for the action and
// about the kind of record that the table says, whether or not what it names of the
// set-up is there. One whose body forgets to ask, or asks for something else, fails here.
func TestEveryQueryAsksWhatTheTableSays(t *testing.T) {
	var o outside
	policy := &recording{}
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		there := w.askable(&o)
		none := there
		none.delivery, none.trial, none.bulk, none.backup, none.blob = "none", "none", "none", "none", "none"
		none.instead = map[reflect.Type]any{reflect.TypeFor[channel.AccountID](): channel.AccountID("none"),
			reflect.TypeFor[routing.AgentID](): routing.AgentID("none"), reflect.TypeFor[routing.DeskID](): routing.DeskID("none"),
			reflect.TypeFor[trigger.ID](): trigger.ID("none")}
		stranger := sangdam.AgentPrincipal(ws, "stranger", sangdam.RoleAdministrator)
		for _, op := range queries() {
			for _, a := range []asked{there, none} {
				policy.asked = nil
				var err error
				if op.Method == "Stream" {
					for _, err = range w.eng.Stream(w.ctx, stranger, a.cursor) { //nolint:revive // it ends with the refusal
					}
				} else {
					_, err = w.query(op, stranger, a)
				}
				require.NotEmpty(t, policy.asked, "%s did not ask whether it is allowed: %v", op.Method, err)
				want := append(slices.Clone(op.Actions), sangdam.ActConfigure)[0] // that of May
				action, kind, _ := strings.Cut(policy.asked[0], " ")
				require.Equal(t, string(want), action, op.Method)
				require.Contains(t, op.Resources, kind, op.Method)
				require.ErrorIs(t, err, sangdam.ErrPermissionDenied, op.Method)
				require.ErrorContains(t, err, "not you", op.Method)
			}
		}
	}, withOutside(&o), withStream(asking), withConfig(func(c *sangdam.Config) { c.Policy = policy }))
}
