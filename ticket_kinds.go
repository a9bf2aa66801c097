package sangdam

import (
	"encoding/json"

	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// The kinds of document that tickets need, each declared once; no store knows
// them.

// storedTicket is a ticket with the members that a newer program wrote.
type storedTicket struct {
	ticket.Ticket
	more map[string]json.RawMessage
}

// Names of the indexes and tags of tickets.
const (
	byNumber   = "number"
	byUpdated  = "updated"
	byCreated  = "created"
	byPriority = "priority"
	byDue      = "due"
	withState  = "state"
	withOpen   = "open" // "1" for tickets that are still to be worked on
	withAgent  = "agent"
	withGroup  = "group"
	withLabel  = "label"
	withPerson = "contact"
	withChat   = "conversation"
	withIntake = "category"
	withHanded = "handed"
)

var tickets = declare(store.Kind[storedTicket]{Name: kindTicket, Decl: 2,
	ID:      func(t *storedTicket) string { return string(t.ID) },
	Version: func(t *storedTicket) *int64 { return &t.Version },
	Extra:   func(t *storedTicket) *map[string]json.RawMessage { return &t.more },
	Unique:  []store.Index[storedTicket]{{Name: byNumber, Value: numberOf}},
	Indexes: []store.Index[storedTicket]{
		{Name: byUpdated, Value: updatedOf},
		{Name: byCreated, Value: func(t *storedTicket) []byte { return store.Time(t.CreatedAt) }},
		{Name: byNumber, Value: numberOf},
		{Name: byPriority, Value: func(t *storedTicket) []byte { return store.Tuple(store.Int(int64(t.Priority)), store.Int(-t.Number)) }},
		{Name: byDue, Value: func(t *storedTicket) []byte {
			if due := t.Due(); !due.IsZero() {
				return store.Time(due)
			}
			return nil
		}},
	},
	Tags: []store.TagIndex[storedTicket]{
		{Name: withState, Order: updatedOf, Values: func(t *storedTicket) [][]byte { return one(string(t.State)) }},
		{Name: withOpen, Order: updatedOf, Values: func(t *storedTicket) [][]byte {
			if t.State.Open() {
				return one("1")
			}
			return nil
		}},
		{Name: withAgent, Order: updatedOf, Values: func(t *storedTicket) [][]byte { return one(string(t.Agent)) }},
		{Name: withGroup, Order: updatedOf, Values: func(t *storedTicket) [][]byte { return one(string(t.Group)) }},
		{Name: withPerson, Order: updatedOf, Values: func(t *storedTicket) [][]byte { return one(string(t.Contact)) }},
		{Name: withChat, Order: updatedOf, Values: func(t *storedTicket) [][]byte { return one(string(t.Conversation)) }},
		{Name: withIntake, Order: updatedOf, Values: func(t *storedTicket) [][]byte { return one(string(t.Category)) }},
		{Name: withHanded, Order: updatedOf, Values: func(t *storedTicket) [][]byte { return one(t.HandedTo) }},
		{Name: withLabel, Order: updatedOf, Values: func(t *storedTicket) (out [][]byte) {
			for _, l := range t.Tags {
				out = append(out, store.Text(l))
			}
			return out
		}},
	}})

func numberOf(t *storedTicket) []byte  { return store.Int(t.Number) }
func updatedOf(t *storedTicket) []byte { return store.Time(t.UpdatedAt) }

// one is the single value of a tag; the empty one is none.
func one(v string) [][]byte {
	if v == "" {
		return nil
	}
	return [][]byte{store.Exact(v)}
}

// storedEntry is one step of a ticket's history; it is written once.
type storedEntry struct {
	ticket.Entry
	Version int64 `json:"-"`
}

var ticketEntries = declare(store.Kind[storedEntry]{Name: "ticket_entry", Decl: 1,
	ID:      func(e *storedEntry) string { return entryID(e.Ticket, e.Seq) },
	Version: func(e *storedEntry) *int64 { return &e.Version },
	Indexes: []store.Index[storedEntry]{{Name: "history", Value: func(e *storedEntry) []byte {
		return store.Tuple(store.Exact(string(e.Ticket)), store.Int(e.Seq))
	}}}})

// counter gives tickets their numbers.
type counter struct {
	Name    string `json:"name"`
	Version int64  `json:"-"`
	Last    int64  `json:"last"`
}

var counters = declare(store.Kind[counter]{Name: "counter", Decl: 1,
	ID:      func(c *counter) string { return c.Name },
	Version: func(c *counter) *int64 { return &c.Version }})

// What administrators set up for tickets.
var (
	categoryTrees = declare(store.Kind[ticket.Tree]{Name: "category_tree", Decl: 1,
		ID:      func(t *ticket.Tree) string { return string(t.Kind) },
		Version: func(t *ticket.Tree) *int64 { return &t.Version },
		Indexes: listedBy(func(t *ticket.Tree) string { return string(t.Kind) })})

	ticketFields = declare(store.Kind[ticket.Fields]{Name: "ticket_fields", Decl: 1,
		ID:      func(*ticket.Fields) string { return theOnly },
		Version: func(f *ticket.Fields) *int64 { return &f.Version }})

	ticketForms = declare(store.Kind[ticket.Form]{Name: "ticket_form", Decl: 1,
		ID:      func(f *ticket.Form) string { return string(f.Category) },
		Version: func(f *ticket.Form) *int64 { return &f.Version },
		Indexes: listedBy(func(f *ticket.Form) string { return string(f.Category) })})

	answerTemplates = declare(store.Kind[ticket.AnswerTemplate]{Name: "answer_template", Decl: 1, Reused: true,
		ID:      func(t *ticket.AnswerTemplate) string { return t.ID },
		Version: func(t *ticket.AnswerTemplate) *int64 { return &t.Version },
		Indexes: listedBy(func(t *ticket.AnswerTemplate) string { return t.Title }),
		Tags: []store.TagIndex[ticket.AnswerTemplate]{{Name: "resolution",
			Values: func(t *ticket.AnswerTemplate) (out [][]byte) {
				for _, c := range t.Resolutions {
					out = append(out, store.Exact(string(c)))
				}
				return out
			},
			Order: func(t *ticket.AnswerTemplate) []byte { return store.Text(t.Title) }}}})

	bannedWords = declare(store.Kind[ticket.BannedWord]{Name: "banned_word", Decl: 1, Reused: true,
		ID:      func(b *ticket.BannedWord) string { return b.ID },
		Version: func(b *ticket.BannedWord) *int64 { return &b.Version },
		Unique:  []store.Index[ticket.BannedWord]{{Name: "word", Value: func(b *ticket.BannedWord) []byte { return store.Text(b.Word) }}},
		Indexes: listedBy(func(b *ticket.BannedWord) string { return b.Word })})

	agentGroups = declare(store.Kind[ticket.Group]{Name: kindGroup, Decl: 1, Reused: true,
		ID:      func(g *ticket.Group) string { return string(g.ID) },
		Version: func(g *ticket.Group) *int64 { return &g.Version },
		Unique:  []store.Index[ticket.Group]{{Name: "name", Value: func(g *ticket.Group) []byte { return store.Text(g.Name) }}},
		Indexes: listedBy(func(g *ticket.Group) string { return g.Name })})

	ticketViews = declare(store.Kind[ticket.View]{Name: "ticket_view", Decl: 1, Reused: true,
		ID:      func(v *ticket.View) string { return v.ID },
		Version: func(v *ticket.View) *int64 { return &v.Version },
		Indexes: listedBy(func(v *ticket.View) string { return v.Name })})

	serviceLevels = declare(store.Kind[ticket.ServiceLevel]{Name: "service_level", Decl: 1, Reused: true,
		ID:      func(l *ticket.ServiceLevel) string { return l.ID },
		Version: func(l *ticket.ServiceLevel) *int64 { return &l.Version },
		Indexes: listedBy(func(l *ticket.ServiceLevel) string { return l.Name })})

	mailLayouts = declare(store.Kind[notify.Layout]{Name: "mail_layout", Decl: 1, Reused: true,
		ID:      func(l *notify.Layout) string { return layoutID(l.Event, l.Language) },
		Version: func(l *notify.Layout) *int64 { return &l.Version },
		Indexes: listedBy(func(l *notify.Layout) string { return layoutID(l.Event, l.Language) })})

	workspaceSettings = declare(store.Kind[WorkspaceSettings]{Name: "workspace_settings", Decl: 1,
		ID:      func(*WorkspaceSettings) string { return theOnly },
		Version: func(s *WorkspaceSettings) *int64 { return &s.Version },
		Extra:   func(s *WorkspaceSettings) *map[string]json.RawMessage { return &s.more }})
)

// theOnly is the id of a document of which a workspace has one.
const theOnly = "workspace"

// listedName is the order of a kind of which all are listed.
const listedName = "name"

func listedBy[T any](name func(*T) string) []store.Index[T] {
	return []store.Index[T]{{Name: listedName, Value: func(v *T) []byte { return store.Text(name(v)) }}}
}
