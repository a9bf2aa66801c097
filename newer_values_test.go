package sangdam_test

import (
	"context"
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/condition"
)

// later is a value of an enumeration that only a newer program knows.
const later = "from_a_newer_program"

// enumeration says that a type is one: a text or number with a name of its own that is
// no id and no text of somebody's.
func enumeration(t reflect.Type) bool {
	return t.PkgPath() != "" && !strings.HasSuffix(t.PkgPath(), "/internal/id") && !strings.HasSuffix(t.Name(), "ID") &&
		(t.Kind() == reflect.String || t == reflect.TypeFor[ticket.Priority]())
}

// words are members that hold an enumeration although their type is a plain text.
var words = []string{"kind", "type", "action", "event", "strategy", "when", "do"}

// member is what a field is called in JSON; nothing where it is not stored.
func member(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case name == "-" || !f.IsExported() && !f.Anonymous:
		return ""
	case name == "" && f.Tag.Get("json") == "":
		return strings.ToLower(f.Name) // of a type that writes itself
	case name == "":
		return f.Name
	}
	return name
}

// enumerations calls visit for each enumeration within a document, with a function that
// sets it.
func enumerations(t reflect.Type, v any, path string, set func(any), visit func(path string, set func(any), was any)) {
	switch {
	case enumeration(t):
		visit(path, set, v)
	case t.Kind() == reflect.Pointer:
		if v != nil {
			enumerations(t.Elem(), v, path, set, visit)
		}
	case t.Kind() == reflect.Struct:
		in, is := v.(map[string]any)
		if !is {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous && f.Tag.Get("json") == "" {
				enumerations(f.Type, v, path, set, visit)
			} else if name := member(f); name != "" {
				of := f.Type
				if of == reflect.TypeFor[string]() && slices.Contains(words, name) {
					of = reflect.TypeFor[channel.Kind]()
				}
				enumerations(of, in[name], path+"."+name, func(x any) {
					if in[name] = x; x == nil {
						delete(in, name)
					}
				}, visit)
			}
		}
	case t.Kind() == reflect.Slice:
		for i, e := range listOf(v) {
			enumerations(t.Elem(), e, path+"[]", func(x any) { listOf(v)[i] = x }, visit)
		}
	case t.Kind() == reflect.Map:
		in, _ := v.(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(in)) {
			enumerations(t.Elem(), in[k], path+"{}", func(x any) { in[k] = x }, visit)
		}
	}
}

func listOf(v any) []any { list, _ := v.([]any); return list }

// storedTypes are the types of all kinds of documents, those of the store among them.
func storedTypes() map[string]reflect.Type {
	types := sangdam.DeclaredTypes()
	maps.Copy(types, map[string]reflect.Type{"contact": reflect.TypeFor[conversation.Contact](),
		"identity": reflect.TypeFor[conversation.Identity](), "desk": reflect.TypeFor[routing.Desk](),
		"work_stream": reflect.TypeFor[routing.WorkStream](), "queue": reflect.TypeFor[routing.Queue](),
		"account": reflect.TypeFor[channel.Account](), "blob": reflect.TypeFor[driver.Blob]()})
	return types
}

// rewritten is a store in which one document reads as another program wrote it.
type rewritten struct {
	driver.Backend
	kind, id string
	body     []byte
}

func (r *rewritten) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return r.Backend.Update(ctx, ws, r.within(fn))
}

func (r *rewritten) View(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return r.Backend.View(ctx, ws, r.within(fn))
}

func (r *rewritten) within(fn func(context.Context, driver.Tx) error) func(context.Context, driver.Tx) error {
	return func(ctx context.Context, tx driver.Tx) error {
		tx.Documents = rewrittenDocs{tx.Documents, r}
		return fn(ctx, tx)
	}
}

type rewrittenDocs struct {
	driver.DocRepo
	r *rewritten
}

func (d rewrittenDocs) Get(ctx context.Context, k driver.Keys) ([]driver.Doc, error) {
	list, err := d.DocRepo.Get(ctx, k)
	for i := range list {
		d.r.rewrite(&list[i])
	}
	return list, err
}

func (d rewrittenDocs) List(ctx context.Context, r driver.Range, after driver.Place, limit int) ([]driver.Placed, error) {
	list, err := d.DocRepo.List(ctx, r, after, limit)
	for i := range list {
		d.r.rewrite(&list[i].Doc)
	}
	return list, err
}

func (r *rewritten) rewrite(d *driver.Doc) {
	if d.Kind == r.kind && d.ID == r.id {
		d.Body = r.body
	}
}

// settings saves one of each setting that askable leaves out.
func (w *replayWorld) settings() {
	w.t.Helper()
	ctx, p, e := w.ctx, w.host, w.eng
	had, err := e.TicketSetup(ctx, p)
	require.NoError(w.t, err)
	level := ticket.ServiceLevel{ID: "l", Name: "l", Goals: map[ticket.Target]time.Duration{ticket.FirstAnswer: time.Hour},
		When: condition.Condition{All: when("priority", condition.Is, 1)}}
	timed := rule("timed", when("message", condition.Contains, "card"), tag("x"))
	for i, err := range []error{
		errOf(e.SaveWorkspaceSettings(ctx, p, sangdam.SaveWorkspaceSettings{Settings: had.Settings})),
		errOf(e.SaveConversationView(ctx, p, sangdam.SaveConversationView{View: sangdam.ConversationView{ID: "v", Name: "v",
			States: []conversation.State{conversation.StateOpen}}})),
		errOf(e.SaveQuickReply(ctx, p, sangdam.SaveQuickReply{Reply: sangdam.QuickReply{ID: "q", Title: "q",
			Texts: map[string]string{"en": "Hello"}}})),
		errOf(e.SaveTemplate(ctx, p, sangdam.SaveTemplate{Template: ticket.AnswerTemplate{ID: "t", Title: "t", Body: "x", Owner: "a1"}})),
		errOf(e.SaveGroup(ctx, p, sangdam.SaveGroup{Group: ticket.Group{ID: "g", Name: "g"}})),
		errOf(e.SaveTicketView(ctx, p, sangdam.SaveTicketView{View: ticket.View{ID: "v", Name: "v"}})),
		errOf(e.SaveServiceLevel(ctx, p, sangdam.SaveServiceLevel{Level: level})),
		errOf(e.SaveMailLayout(ctx, p, sangdam.SaveMailLayout{Layout: notify.Layout{Language: "en", HTML: "<p>#{content}</p>"}})),
		errOf(e.SaveSubscription(ctx, p, sangdam.SaveSubscription{Subscription: sangdam.Subscription{ID: "s", Name: "s", Target: "hook",
			Events: []string{"ticket.created"}}})),
		errOf(e.SaveMacro(ctx, p, sangdam.SaveMacro{Macro: sangdam.Macro{ID: "m", Title: "m", Subject: "conversation",
			Actions: []trigger.Action{tag("x")}}})),
		errOf(e.SaveTrigger(ctx, p, sangdam.SaveTrigger{Trigger: timed})),
	} {
		require.NoError(w.t, err, i)
	}
}

// Two releases work side by side, and a document holds a value of an enumeration that
// this program does not know. Every query and command that went before still goes,
// lists with that record in them: to leave it out would hide a customer's case from
// whoever looks here. Only what the value decides about that one record is refused, by
// a word that names it, as with an account of an unknown channel.
func TestAValueOfANewerProgramStopsNoQuery(t *testing.T) {
	var o outside
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		a := w.askable(&o)
		w.settings()
		require.NoError(t, errOf(w.eng.BackUp(w.ctx, boss, sangdam.BackUp{})))
		a.backup = w.backup(boss).ID
		ask := func(r rewritten) map[string]string {
			wrong := map[string]string{}
			eng := w.eng
			defer func() { w.eng = eng }()
			cfg := w.cfg
			r.Backend = w.db.Backend()
			cfg.DB = store.New(&r)
			var err error
			w.eng, err = sangdam.New(cfg) // it has read nothing yet
			require.NoError(t, err)
			for _, op := range queries() {
				if op.Method == "Stream" || op.Method == "WriteBackup" {
					continue
				}
				if _, err := w.query(op, boss, a); err != nil {
					wrong[op.Method] = err.Error()
				}
			}
			lamp := sangdam.OpenTicket{Title: "Lamp", Body: "broken", Desk: "support"}
			if err := errOf(w.eng.OpenTicket(w.ctx, w.host, lamp)); err != nil {
				wrong["OpenTicket"] = err.Error()
			}
			if err := errOf(w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: a.open, Content: channel.Text("x")})); err != nil {
				wrong["Answer"] = err.Error()
			}
			return wrong
		}
		before := ask(rewritten{})
		tried := 0
		for kind, of := range storedTypes() {
			var docs []driver.Placed
			require.NoError(t, w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
				docs, err = tx.Documents().List(ctx, driver.Range{Kind: kind, Below: 1000}, driver.Place{}, 3)
				return err
			}))
			seen := map[string]bool{}
			for _, d := range docs {
				var body any
				require.NoError(t, json.Unmarshal(d.Doc.Body, &body))
				enumerations(of, body, kind, nil, func(path string, set func(any), was any) {
					if seen[path] {
						return
					}
					seen[path] = true
					tried++
					set(unknownLike(was))
					changed, err := json.Marshal(body)
					require.NoError(t, err)
					set(was)
					for method, now := range ask(rewritten{kind: kind, id: d.ID, body: changed}) {
						if before[method] != now && !(path == "account.kind" && slices.Contains(ofAccount, method)) {
							t.Errorf("%s: %s: %s", path, method, now)
						}
					}
				})
			}
		}
		require.Greater(t, tried, 50)
	}, withOutside(&o), withStream(asking))
}

// ofAccount are the queries about one account that its channel answers.
var ofAccount = []string{"ShowTyping", "MarkRead", "Invite", "WouldHear", "Preview", "CheckAccount", "ConnectAccount", "Answer"}

// hotTypes are those of rows that have tables of their own.
func hotTypes() map[string]reflect.Type {
	return map[string]reflect.Type{"conversation": reflect.TypeFor[conversation.Conversation](),
		"message": reflect.TypeFor[conversation.Message](), "history": reflect.TypeFor[conversation.Event](),
		"agent": reflect.TypeFor[routing.Agent](), "item": reflect.TypeFor[routing.Item](), "offer": reflect.TypeFor[routing.Offer](),
		"assignment": reflect.TypeFor[routing.Assignment](), "outbox": reflect.TypeFor[driver.OutboxRow](),
		"attempt": reflect.TypeFor[adapter.Attempt](),
		"event":   reflect.TypeFor[driver.Event](), "audit": reflect.TypeFor[driver.AuditEntry]()}
}

// skeleton is a document of a type with one of everything in it, as deep as types do not
// come again.
func skeleton(t reflect.Type, within ...reflect.Type) any {
	switch {
	case t == reflect.TypeFor[condition.Condition]():
		return map[string]any{"version": 1, "all": []any{map[string]any{"field": "x", "op": "is", "value": 1}}}
	case t.Implements(reflect.TypeFor[json.Marshaler]()), t.Implements(reflect.TypeFor[encoding.TextMarshaler]()),
		slices.Contains(within, t):
		return nil
	}
	within = append(slices.Clone(within), t)
	switch t.Kind() {
	case reflect.Pointer:
		return skeleton(t.Elem(), within...)
	case reflect.Slice:
		if e := skeleton(t.Elem(), within...); e != nil || enumeration(t.Elem()) {
			return []any{e}
		}
	case reflect.Map:
		if e := skeleton(t.Elem(), within...); t.Key().Kind() == reflect.String && (e != nil || enumeration(t.Elem())) {
			return map[string]any{"k": e}
		}
	case reflect.Struct:
		out := map[string]any{}
		for i := range t.NumField() {
			f := t.Field(i)
			in := skeleton(f.Type, within...)
			if more, is := in.(map[string]any); is && f.Anonymous && f.Tag.Get("json") == "" {
				maps.Copy(out, more)
			} else if name := member(f); name != "" && in != nil {
				out[name] = in
			}
		}
		return out
	}
	return nil
}

// Whoever reads a document with such a value and saves it for another reason writes the
// value as it was. Each enumeration of each kind of document and row is tried.
func TestAValueOfANewerProgramIsKept(t *testing.T) {
	types := storedTypes()
	maps.Copy(types, hotTypes())
	tried := 0
	for kind, of := range types {
		body := skeleton(of)
		enumerations(of, body, kind, nil, func(path string, set func(any), was any) {
			value, written := any(later), `"`+later+`"`
			if strings.HasSuffix(path, "priority") {
				value, written = 99, "99"
			}
			tried++
			set(value)
			changed, err := json.Marshal(body)
			require.NoError(t, err)
			set(was)
			v := reflect.New(of)
			require.NoError(t, jsondoc.Unmarshal(changed, v.Interface()), "%s: %s", path, changed)
			kept, err := jsondoc.Marshal(v.Interface())
			require.NoError(t, err, path)
			require.Contains(t, string(kept), written, "%s: %s", path, changed)
		})
	}
	require.Greater(t, tried, 100)
}

// unknownLike is an unknown value of the sort of one.
func unknownLike(was any) any {
	if _, is := was.(float64); is {
		return 99
	}
	return later
}
