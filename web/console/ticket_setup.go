package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// ticketSetupView is what tickets are made with: categories, fields, groups,
// prepared answers, banned words.
type ticketSetupView struct {
	Trees     []treeView
	Fields    []fieldRow
	Version   int64 // of the fields
	Groups    []groupRow
	Templates []sangdam.OfferedTemplate
	Words     []ticket.BannedWord
	Types     []choice
	Kinds     []choice
	Agents    []choice
	Saved     bool
}

type treeView struct {
	Kind, Title string
	Version     int64
	Rows        []categoryRow
}

type categoryRow struct {
	ID, Path string
	Offered  bool
	Level    int
}

type fieldRow struct {
	Code, Name, Type, Kind string
	Required, Encrypted    bool
	System                 bool
}

type groupRow struct {
	ID, Name, Agents string
	Version          int64
}

// ticketSetup is the page of it.
func (q *request) ticketSetup() error {
	ctx := q.r.Context()
	set, err := q.engine.TicketSetup(ctx, q.p)
	if err != nil {
		return err
	}
	agents, err := q.engine.Agents(ctx, q.p)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	v := ticketSetupView{Words: set.Banned, Version: set.Fields.Version, Saved: q.r.FormValue("saved") != "",
		Types:  q.named("field_type", is(""), "text", "multiline", "dropdown", "radio", "checkbox", "date", "number"),
		Kinds:  q.named("field_kind", is(""), "agent", "customer", "phone"),
		Agents: q.agentChoices(agents, func(routing.AgentID) bool { return false })}
	for _, kind := range []ticket.TreeKind{ticket.Intake, ticket.Resolution} {
		tree := set.Trees[kind]
		tv := treeView{Kind: string(kind), Title: q.lang.t("tree." + string(kind)), Version: tree.Version}
		for _, c := range tree.Walk() {
			tv.Rows = append(tv.Rows, categoryRow{string(c.ID), q.categoryPath(tree, c.ID), c.Offered, tree.Level(c.ID)})
		}
		v.Trees = append(v.Trees, tv)
	}
	for _, f := range set.Fields.List {
		if !f.Deleted {
			v.Fields = append(v.Fields, fieldRow{f.Code, q.inLanguage(f.Names), q.lang.of("field_type", string(f.Type)),
				q.lang.of("field_kind", string(f.Kind)),
				f.Required, f.Encrypted, f.Kind == ticket.SystemField})
		}
	}
	for _, g := range set.Groups {
		var names []string
		for _, a := range g.Agents {
			names = append(names, agentName(d, a))
		}
		v.Groups = append(v.Groups, groupRow{string(g.ID), g.Name, strings.Join(names, ", "), g.Version})
	}
	if v.Templates, err = q.engine.Templates(ctx, q.p, sangdam.TemplateFilter{}); err != nil {
		return err
	}
	q.page(http.StatusOK, "ticket-setup", q.lang.t("tickets.setup"), "tickets", v)
	return nil
}

// saveTicketPart adds or takes away one thing of the set-up of tickets.
func (q *request) saveTicketPart() error {
	save := map[string]func() error{"category": q.saveCategory, "field": q.saveField, "group": q.saveGroup,
		"template": q.saveTemplate, "word": q.saveWord}
	fn, ok := save[q.r.PathValue("what")]
	if !ok {
		return errNoPage
	}
	if err := fn(); err != nil {
		return err
	}
	return q.done("/setup/tickets?saved=1")
}

// names is a name in the reader's language.
func (q *request) names(field string) map[string]string {
	return map[string]string{q.lang.tag: q.value(field)}
}

func (q *request) saveCategory() (err error) {
	tree, version, id := ticket.TreeKind(q.value("tree")), q.number("version"), ticket.CategoryID(q.value("id"))
	if q.checked("delete") {
		_, err = q.engine.DeleteCategory(q.r.Context(), q.p, sangdam.DeleteCategory{Key: q.key(), Tree: tree, Version: version, Category: id})
		return err
	}
	_, err = q.engine.SaveCategory(q.r.Context(), q.p, sangdam.SaveCategory{Key: q.key(), Tree: tree, Version: version,
		Category: ticket.Category{ID: id, Parent: ticket.CategoryID(q.value("parent")), Names: q.names("name"), Offered: q.checked("offered")}})
	return err
}

func (q *request) saveField() (err error) {
	version := q.number("version")
	if q.checked("delete") {
		_, err = q.engine.DeleteField(q.r.Context(), q.p, sangdam.DeleteField{Key: q.key(), Version: version, Code: q.value("code")})
		return err
	}
	f := ticket.Field{Code: q.value("code"), Kind: ticket.FieldKind(q.value("kind")), Type: ticket.FieldType(q.value("type")),
		Names: q.names("name"), Required: q.checked("required"), Encrypted: q.checked("encrypted")}
	for line := range strings.Lines(q.r.PostFormValue("options")) {
		if code := strings.TrimSpace(line); code != "" {
			f.Options = append(f.Options, ticket.Option{Code: code, Names: map[string]string{q.lang.tag: code}})
		}
	}
	_, err = q.engine.SaveField(q.r.Context(), q.p, sangdam.SaveField{Key: q.key(), Version: version, Field: f})
	return err
}

func (q *request) saveGroup() (err error) {
	id, version := ticket.GroupID(q.value("id")), q.number("version")
	if q.checked("delete") {
		return q.engine.DeleteGroup(q.r.Context(), q.p, sangdam.DeleteGroup{Key: q.key(), Group: id, Version: version})
	}
	g := ticket.Group{ID: ticket.GroupID(q.idFor(string(id))), Version: version, Name: q.value("name")}
	for _, a := range slices.Sorted(slices.Values(q.r.PostForm["agent"])) {
		g.Agents = append(g.Agents, routing.AgentID(a))
	}
	_, err = q.engine.SaveGroup(q.r.Context(), q.p, sangdam.SaveGroup{Key: q.key(), Group: g})
	return err
}

func (q *request) saveTemplate() (err error) {
	id, version := q.value("id"), q.number("version")
	if q.checked("delete") {
		return q.engine.DeleteTemplate(q.r.Context(), q.p, sangdam.DeleteTemplate{Key: q.key(), Template: id, Version: version})
	}
	_, err = q.engine.SaveTemplate(q.r.Context(), q.p, sangdam.SaveTemplate{Key: q.key(),
		Template: ticket.AnswerTemplate{ID: id, Version: version, Title: q.value("title"), Body: q.value("body"), SearchCode: q.value("code")}})
	return err
}

func (q *request) saveWord() (err error) {
	id, version := q.value("id"), q.number("version")
	if q.checked("delete") {
		return q.engine.DeleteBannedWord(q.r.Context(), q.p, sangdam.DeleteBannedWord{Key: q.key(), Word: id, Version: version})
	}
	_, err = q.engine.SaveBannedWord(q.r.Context(), q.p, sangdam.SaveBannedWord{Key: q.key(),
		Word: ticket.BannedWord{ID: id, Version: version, Word: q.value("word"), Instead: q.value("instead")}})
	return err
}
