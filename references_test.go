package sangdam_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/trigger/condition"
)

// reference is a field of the set-up that names something else: of which record, how
// it becomes wrong, and what is said then. warned says that it is saved and told,
// since a later save may make it right.
type reference struct {
	of     string // the record as its single save knows it
	wrong  func(s *sangdam.Setup)
	want   error
	warned bool
	says   []string // the record, what is missing and, where there are several, the field
}

func overflowing(o routing.Overflow) func(*sangdam.Setup) {
	return func(s *sangdam.Setup) { s.Queues[0].Overflow = []routing.Overflow{o} }
}

func streamRule(r routing.Rule) func(*sangdam.Setup) {
	return func(s *sangdam.Setup) {
		if len(r.When.All)+len(r.When.Any) == 0 {
			r.When = condition.Condition{All: when("message", condition.Contains, "x")}
		}
		r.Name = "the rule"
		s.WorkStreams[0].Rules = []routing.Rule{r}
	}
}

// references are the fields of the set-up's records that name something, by their
// paths.
var references = map[string]reference{
	"Agents.Role": {"agent", func(s *sangdam.Setup) { s.Agents[0].Role = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"b1", "role", "nothing"}},
	"Agents.Permissions": {"agent", func(s *sangdam.Setup) { s.Agents[0].Permissions = []routing.Permission{"nothing"} },
		sangdam.ErrInvalid, false, []string{"b1", "permission", "nothing"}},
	"Desks.Members": {"member", func(s *sangdam.Setup) { s.Desks[0].Members = []routing.AgentID{"nobody"} }, sangdam.ErrNotFound, false,
		[]string{"branch", "nobody"}},
	"Queues.Strategy": {"queue", func(s *sangdam.Setup) { s.Queues[0].Strategy = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"branch", "strategy", "nothing"}},
	"Queues.Desk": {"queue", func(s *sangdam.Setup) { s.Queues[0].Desk = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"branch", "desk", "nothing"}},
	"Queues.Members": {"queue", func(s *sangdam.Setup) { s.Queues[0].Members = []routing.AgentID{"b1", "nobody"} }, nil, true,
		[]string{"branch", "member", "nobody"}},
	"Queues.Designated": {"queue", func(s *sangdam.Setup) { s.Queues[0].Designated = "nobody" }, sangdam.ErrInvalid, false,
		[]string{"branch", "designates", "nobody"}},
	"Queues.Weights": {"queue", func(s *sangdam.Setup) { s.Queues[0].Weights = map[routing.AgentID]int{"nobody": 1} }, nil,
		true, []string{"branch", "weighs", "nobody"}},
	"Queues.Rank": {"queue", func(s *sangdam.Setup) { s.Queues[0].Rank = map[routing.AgentID]int{"nobody": 1} }, nil, true,
		[]string{"branch", "ranks", "nobody"}},
	"Queues.Overflow.When": {"queue", overflowing(routing.Overflow{When: "nothing", Do: routing.OverflowTicket}), sangdam.ErrInvalid,
		false, []string{"branch", "overflow 1", "nothing"}},
	"Queues.Overflow.Do": {"queue", overflowing(routing.Overflow{When: routing.OverflowExhausted, Do: "nothing"}),
		sangdam.ErrInvalid, false, []string{"branch", "overflow 1", "nothing"}},
	"Queues.Overflow.Queue": {"queue", overflowing(routing.Overflow{When: routing.OverflowExhausted, Do: routing.OverflowQueue,
		Queue: "nothing"}), sangdam.ErrInvalid, false, []string{"branch", "overflow 1", "queue", "nothing"}},
	"Queues.Overflow.Message": {"queue", overflowing(routing.Overflow{When: routing.OverflowExhausted, Do: routing.OverflowMessage,
		Message: "nothing"}), nil, true, []string{"branch", "message", "nothing"}},
	"WorkStreams.ChannelKind": {"stream", func(s *sangdam.Setup) { s.WorkStreams[0].ChannelKind = "pigeon" }, sangdam.ErrUnsupported, false,
		[]string{"branch", "channel", "pigeon"}},
	"WorkStreams.Channels": {"stream", func(s *sangdam.Setup) { s.WorkStreams[0].Channels = []string{"line", "pigeon"} },
		sangdam.ErrUnsupported, false, []string{"branch", "channel", "pigeon"}},
	"WorkStreams.Mode": {"stream", func(s *sangdam.Setup) { s.WorkStreams[0].Mode = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"branch", "mode", "nothing"}},
	"WorkStreams.Presences": {"stream", func(s *sangdam.Setup) { s.WorkStreams[0].Presences = []routing.Presence{"nothing"} },
		sangdam.ErrInvalid, false, []string{"branch", "presence", "nothing"}},
	"WorkStreams.Queue": {"stream", func(s *sangdam.Setup) { s.WorkStreams[0].Queue = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"branch", "queue", "nothing"}},
	"WorkStreams.Rules.When.All.Field": {"stream", streamRule(routing.Rule{When: condition.Condition{
		All: when("nothing", condition.Contains, "x")}}), sangdam.ErrInvalid, false, []string{"branch", "the rule", "nothing"}},
	"WorkStreams.Rules.When.All.Op": {"stream", streamRule(routing.Rule{When: condition.Condition{
		All: when("message", "nothing", "x")}}), sangdam.ErrInvalid, false, []string{"branch", "the rule", "nothing"}},
	"WorkStreams.Rules.Queue": {"stream", streamRule(routing.Rule{Queue: "nothing"}), sangdam.ErrInvalid, false,
		[]string{"branch", "the rule", "queue", "nothing"}},
	"WorkStreams.Rules.Split.Queue": {"stream", streamRule(routing.Rule{Split: []routing.Share{{Queue: "nothing", Percent: 100}}}),
		sangdam.ErrInvalid, false, []string{"branch", "the rule", "split", "nothing"}},
	"WorkStreams.Rules.Skills.Name": {"stream", func(s *sangdam.Setup) {
		streamRule(routing.Rule{Skills: []routing.Skill{{Name: "nothing", Level: 1}}})(s)
		s.WorkStreams[0].SkillMatch = routing.SkillExact
	}, nil, true, []string{"branch", "the rule", "skill", "nothing"}},
	"WorkStreams.SkillMatch": {"stream", func(s *sangdam.Setup) { s.WorkStreams[0].SkillMatch = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"branch", "skills", "nothing"}},
	"WorkStreams.Bot": {"stream", func(s *sangdam.Setup) { s.WorkStreams[0].Bot = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"branch", "bot", "nothing"}},
	"WorkStreams.Messages": {"stream", func(s *sangdam.Setup) {
		s.WorkStreams[0].Messages = automated.Texts{"nothing": {"": "x"}}
	}, nil, true, []string{"branch", "message", "nothing"}},
	"Desks.Messages": {"desk", func(s *sangdam.Setup) { s.Desks[0].Messages = automated.Texts{"nothing": {"": "x"}} }, nil, true,
		[]string{"branch", "message", "nothing"}},
	"Accounts.Kind": {"account", func(s *sangdam.Setup) { s.Accounts[0].Kind = "pigeon" }, sangdam.ErrUnsupported, false,
		[]string{"branch-line", "channel", "pigeon"}},
	"Accounts.Desk": {"account", func(s *sangdam.Setup) { s.Accounts[0].Desk = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"Branch", "desk", "nothing"}},
	"Accounts.WorkStream": {"account", func(s *sangdam.Setup) { s.Accounts[0].WorkStream = "nothing" }, sangdam.ErrInvalid, false,
		[]string{"Branch", "work stream", "nothing"}},
	"Accounts.Messages": {"account", func(s *sangdam.Setup) { s.Accounts[0].Messages = automated.Texts{"nothing": {"": "x"}} }, nil, true,
		[]string{"branch-line", "message", "nothing"}},
	"Layouts.Event": {"layout", func(s *sangdam.Setup) {
		s.Layouts = []notify.Layout{{Event: "nothing", Language: "en", Plain: notify.ContentMark}}
	}, sangdam.ErrInvalid, false, []string{"mail layout", "event", "nothing"}},
}

// namingNothing are fields that name nothing which could be missing: ids of their own, texts,
// numbers, and what another rule checks.
var namingNothing = strings.Fields(`
	Accounts.Confirmed.By Accounts.Hours.Exceptions.Name Accounts.Hours.Zone Accounts.ID Accounts.Language Accounts.Name
	Accounts.Notice.Version Accounts.Scope Accounts.Token Agents.Attributes Agents.Capacity Agents.Email
	Agents.Hours.Exceptions.Name Agents.Hours.Zone Agents.ID Agents.Name Agents.Picture Agents.Skills.Name Desks.Description
	Desks.Hours.Exceptions.Name Desks.Hours.Zone Desks.ID Desks.Name Layouts.HTML Layouts.Language Layouts.Plain Layouts.Subject
	Layouts.Text Queues.Hours.Exceptions.Name Queues.Hours.Zone Queues.ID Queues.Name WorkStreams.Hours.Exceptions.Name
	WorkStreams.Hours.Zone WorkStreams.ID WorkStreams.Name WorkStreams.Rules.Name WorkStreams.Rules.Set
	WorkStreams.Rules.When.Any.Field WorkStreams.Rules.When.Any.Op
`)

// referenceFields are the paths of the fields of the set-up that may name something:
// texts, and maps by text.
func referenceFields(of reflect.Type, path string) (out []string) {
	switch of.Kind() {
	case reflect.Struct:
		if of == reflect.TypeFor[condition.Clause]() && (strings.Contains(path, ".All.") || strings.Contains(path, ".Any.")) {
			return nil // a group within a group is made of the same
		}
		for f := range of.Fields() {
			if !f.IsExported() || f.Tag.Get("json") == "-" {
				continue
			}
			at := strings.TrimPrefix(path+"."+f.Name, ".")
			if f.Anonymous {
				at = path
			}
			out = append(out, referenceFields(f.Type, at)...)
		}
	case reflect.Slice, reflect.Pointer:
		if of != reflect.TypeFor[[]byte]() {
			return referenceFields(of.Elem(), path)
		}
	case reflect.Map, reflect.String:
		return []string{path}
	}
	return out
}

// Each field of the set-up that names something, wrong: Apply, Plan and the single
// save say so, naming the record and what is missing, and nothing is saved; what a
// later save can make right is saved and told. The test knows all fields.
func TestEachReferenceOfTheSetUpWrong(t *testing.T) {
	fields := referenceFields(reflect.TypeFor[sangdam.Setup](), "")
	for _, f := range fields {
		_, known := references[f]
		assert.True(t, known != slices.Contains(namingNothing, f), "%s names something (references) or does not (namingNothing)", f)
	}
	for f := range references {
		require.Contains(t, fields, f)
	}
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		for _, path := range slices.Sorted(maps.Keys(references)) {
			references[path].wholeSetup(t, w, path)
		}
		for _, path := range slices.Sorted(maps.Keys(references)) {
			_, err := w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: branch(w)})
			require.NoError(t, err)
			references[path].singleSave(t, w, path)
		}
	})
}

// wholeSetup plans a set-up with the reference wrong, and applies what is refused.
func (r reference) wholeSetup(t *testing.T, w *replayWorld, path string) {
	t.Helper()
	s := branch(w)
	r.wrong(&s)
	before := w.setUp()
	plan, err := w.eng.Plan(w.ctx, w.host, s)
	r.check(t, path+" planned", plan.Warnings, err)
	assert.Equal(t, before, w.setUp(), path)
	if r.warned {
		return
	}
	_, err = w.eng.Apply(w.ctx, w.host, sangdam.Apply{Setup: s})
	r.check(t, path+" applied", nil, err)
	assert.Equal(t, before, w.setUp(), path)
}

// singleSave saves the one record with the reference wrong.
func (r reference) singleSave(t *testing.T, w *replayWorld, path string) {
	t.Helper()
	s := branch(w)
	r.wrong(&s)
	before := w.setUp()
	warnings, err := w.saveOne(r.of, s)
	r.check(t, path+" saved", warnings, err)
	if !r.warned {
		assert.Equal(t, before, w.setUp(), path)
	}
}

// setUp is all that a Setup can change, as it is stored.
func (w *replayWorld) setUp() (out []any) {
	agents, err := w.eng.Agents(w.ctx, w.host)
	require.NoError(w.t, err)
	accounts, err := w.eng.Accounts(w.ctx, w.host)
	require.NoError(w.t, err)
	layouts, err := w.eng.MailLayouts(w.ctx, w.host)
	require.NoError(w.t, err)
	return []any{w.configuration(), agents, accounts, layouts}
}

func (r reference) check(t *testing.T, path string, warnings []sangdam.Warning, err error) {
	t.Helper()
	text := ""
	if r.warned {
		assert.NoError(t, err, path)
		text = said(warnings)
	} else {
		assert.ErrorIs(t, err, r.want, path)
		text = errorText(err)
	}
	for _, word := range r.says {
		assert.Contains(t, text, word, path)
	}
}

// saveOne saves the one record of the set-up by its own command.
func (w *replayWorld) saveOne(of string, s sangdam.Setup) ([]sangdam.Warning, error) {
	cfg := w.configuration()
	var saved sangdam.Saved
	var err error
	switch of {
	case "agent":
		a := s.Agents[0]
		a.Version = 1
		saved, err = w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: a})
	case "desk":
		d := s.Desks[0].Desk
		d.Version = cfg.Desks[d.ID].Version
		saved, err = w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: d})
	case "member":
		err = w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: s.Desks[0].ID, Agent: s.Desks[0].Members[0]})
	case "queue":
		q := s.Queues[0]
		q.Version = cfg.Queues[q.ID].Version
		saved, err = w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: q})
	case "stream":
		ws := s.WorkStreams[0]
		ws.Version = cfg.WorkStreams[ws.ID].Version
		saved, err = w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: ws})
	case "account":
		a := s.Accounts[0]
		a.Version = accountOf(w.t, w, a.ID).Version
		var made sangdam.AccountSaved
		made, err = w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})
		saved.Warnings = made.Warnings
	case "layout":
		saved, err = w.eng.SaveMailLayout(w.ctx, w.host, sangdam.SaveMailLayout{Layout: s.Layouts[0]})
	}
	return saved.Warnings, err
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
