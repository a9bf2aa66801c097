package console

import (
	"cmp"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/web/export"
)

// ticketSetupView is what tickets are made with: categories, fields, groups,
// prepared answers, banned words, service levels.
type ticketSetupView struct {
	Trees     []treeView
	Fields    []fieldRow
	Version   int64 // of the fields
	Groups    []groupRow
	NewGroup  groupRow
	Templates []templateRow
	Words     []ticket.BannedWord
	Levels    []levelRow
	Layouts   []levelRow
	Types     []choice
	Kinds     []choice
	Names     []textForm // of something new
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
	Names    []textForm
	Position int
}

type fieldRow struct {
	Code, Name, Type, Kind string
	Required, Encrypted    bool
	AdminsOnly             bool
	System                 bool
	Names, Guide           []textForm
	Options                string // "code = name", one a line
	Chooses                bool
	Preview                fieldView
}

type groupRow struct {
	ID, Name, Members string
	Version           int64
	Agents, Queues    []choice
}

type templateRow struct {
	sangdam.OfferedTemplate
	Links []choice
}

type levelRow struct{ ID, Name, Goals string }

// spoken are the languages in which names are written: the workspace's, and the
// reader's.
func (q *request) spoken(s sangdam.WorkspaceSettings) []string {
	out := slices.Clone(s.Languages)
	for _, l := range []string{q.lang.tag, "ko", "en"} {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// inLanguages are the inputs of a text in each language.
func (l *language) inLanguages(field string, languages []string, texts map[string]string) []textForm {
	var out []textForm
	for _, tag := range languages {
		out = append(out, textForm{field + "." + tag, l.nameOf(tag), texts[tag]})
	}
	return out
}

// besides are the languages that forms ask for, and those that a text has besides.
func besides(texts map[string]string) []string {
	out := slices.Clone(languages)
	for _, tag := range sortedKeys(texts) {
		if !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}

// readLanguages reads such inputs; an empty one is none.
func (q *request) readLanguages(field string) map[string]string {
	out := map[string]string{}
	for name := range q.r.PostForm {
		if l, is := strings.CutPrefix(name, field+"."); is && q.value(name) != "" {
			out[l] = q.value(name)
		}
	}
	return out
}

// ticketSetup is the page of it.
func (q *request) ticketSetup() error {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	languages := q.spoken(set.Settings)
	v := ticketSetupView{Words: set.Banned, Version: set.Fields.Version, Saved: q.r.FormValue("saved") != "",
		Names: q.lang.inLanguages("name", languages, nil),
		Types: q.named("field_type", is(""), "text", "multiline", "dropdown", "radio", "checkbox", "date", "number"),
		Kinds: q.named("field_kind", is(""), "agent", "customer", "phone")}
	v.Trees = q.treeViews(set, languages)
	for _, f := range set.Fields.List {
		if !f.Deleted {
			v.Fields = append(v.Fields, q.fieldRow(f, languages))
		}
	}
	for _, l := range set.Levels {
		v.Levels = append(v.Levels, levelRow{l.ID, l.Name, q.goals(l)})
	}
	if v.Layouts, err = q.layoutRows(); err != nil {
		return err
	}
	if err := q.setupParts(set, &v); err != nil {
		return err
	}
	q.page(http.StatusOK, "ticket-setup", q.lang.t("tickets.setup"), "tickets", v)
	return nil
}

// treeViews shows the three trees of categories.
func (q *request) treeViews(set sangdam.TicketSetup, languages []string) (out []treeView) {
	for _, kind := range []ticket.TreeKind{ticket.Intake, ticket.Resolution, ticket.ChatResolution} {
		tree := set.Trees[kind]
		tv := treeView{Kind: string(kind), Title: q.lang.t("tree." + string(kind)), Version: tree.Version}
		for _, c := range tree.Walk() {
			tv.Rows = append(tv.Rows, categoryRow{string(c.ID), q.categoryPath(tree, c.ID), c.Offered, tree.Level(c.ID),
				q.lang.inLanguages("name", languages, c.Names), c.Position})
		}
		out = append(out, tv)
	}
	return out
}

func (q *request) fieldRow(f ticket.Field, languages []string) fieldRow {
	r := fieldRow{Code: f.Code, Name: q.inLanguage(f.Names), Type: q.lang.of("field_type", string(f.Type)),
		Kind:     q.lang.of("field_kind", string(f.Kind)),
		Required: f.Required, Encrypted: f.Encrypted, AdminsOnly: f.AdminsOnly, System: f.Kind == ticket.SystemField,
		Names: q.lang.inLanguages("name", languages, f.Names), Guide: q.lang.inLanguages("guide", languages, f.Guide),
		Chooses: f.Type == ticket.Dropdown || f.Type == ticket.Radio || f.Type == ticket.Checkbox, Preview: q.fieldView(f, ticket.Value{})}
	for _, o := range f.Options {
		r.Options += o.Code + " = " + q.inLanguage(o.Names) + "\n"
	}
	return r
}

// setupParts adds groups and templates.
func (q *request) setupParts(set sangdam.TicketSetup, v *ticketSetupView) error {
	ctx := q.r.Context()
	agents, err := q.engine.Agents(ctx, q.p)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	group := func(g ticket.Group) groupRow {
		var names []string
		for _, a := range g.Agents {
			names = append(names, agentName(d, a))
		}
		r := groupRow{ID: string(g.ID), Name: g.Name, Members: strings.Join(names, ", "), Version: g.Version,
			Agents: q.agentChoices(agents, func(a routing.AgentID) bool { return slices.Contains(g.Agents, a) })}
		r.Queues = q.queueChoices(d, func(id routing.QueueID) bool { return string(id) == g.Queue })
		return r
	}
	v.NewGroup = group(ticket.Group{})
	for _, g := range set.Groups {
		v.Groups = append(v.Groups, group(g))
	}
	templates, err := q.engine.Templates(ctx, q.p, sangdam.TemplateFilter{})
	if err != nil {
		return err
	}
	tree := set.Trees[ticket.Resolution]
	for _, t := range templates {
		r := templateRow{OfferedTemplate: t}
		for _, c := range tree.Walk() {
			r.Links = append(r.Links, choice{string(c.ID), q.categoryPath(tree, c.ID), slices.Contains(t.Resolutions, c.ID)})
		}
		v.Templates = append(v.Templates, r)
	}
	return nil
}

// exportCategories writes a tree of categories as a table, in all its languages.
func (q *request) exportCategories() error {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	tree, ok := set.Trees[ticket.TreeKind(q.r.FormValue("tree"))]
	if !ok {
		return errNoPage
	}
	t, rows := export.Categories(tree, q.spoken(set.Settings), q.zone)
	return q.table("categories-"+string(tree.Kind), t, rows)
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

func (q *request) saveCategory() (err error) {
	tree, version, id := ticket.TreeKind(q.value("tree")), q.number("version"), ticket.CategoryID(q.value("id"))
	if q.checked("delete") {
		_, err = q.engine.DeleteCategory(q.r.Context(), q.p,
			sangdam.DeleteCategory{Key: q.key(), Tree: tree, Version: version, Category: id})
		return err
	}
	_, err = q.engine.SaveCategory(q.r.Context(), q.p, sangdam.SaveCategory{Key: q.key(), Tree: tree, Version: version,
		Category: ticket.Category{ID: id, Parent: ticket.CategoryID(q.value("parent")), Names: q.readLanguages("name"),
			Offered:  q.checked("offered"),
			Position: int(q.number("position"))}})
	return err
}

func (q *request) saveField() (err error) {
	version, code := q.number("version"), q.value("code")
	if q.checked("delete") {
		_, err = q.engine.DeleteField(q.r.Context(), q.p, sangdam.DeleteField{Key: q.key(), Version: version, Code: code,
			Reset: q.checked("reset")})
		return err
	}
	f := ticket.Field{Code: code, Kind: ticket.FieldKind(q.value("kind")), Type: ticket.FieldType(q.value("type")),
		Encrypted: q.checked("encrypted")}
	if q.checked("change") {
		set, err := q.engine.TicketSetup(q.r.Context(), q.p)
		if err != nil {
			return err
		}
		f, _ = set.Fields.Field(code) // what is not there is refused below
	}
	f.Names, f.Guide, f.Required, f.AdminsOnly = q.readLanguages("name"), q.readLanguages("guide"), q.checked("required"),
		q.checked("admins_only")
	f.Options = q.fieldOptions(f.Options)
	_, err = q.engine.SaveField(q.r.Context(), q.p, sangdam.SaveField{Key: q.key(), Version: version, Field: f})
	return err
}

// fieldOptions reads "code = name" lines; names in other languages stay.
func (q *request) fieldOptions(was []ticket.Option) (out []ticket.Option) {
	for line := range strings.Lines(q.r.PostFormValue("options")) {
		code, name, _ := strings.Cut(line, "=")
		if code = strings.TrimSpace(code); code == "" {
			continue
		}
		o := ticket.Option{Code: code, Names: map[string]string{}}
		for _, w := range was {
			if w.Code == code {
				maps.Copy(o.Names, w.Names)
			}
		}
		o.Names[q.lang.tag] = cmp.Or(strings.TrimSpace(name), code)
		out = append(out, o)
	}
	return out
}

func (q *request) saveGroup() (err error) {
	id, version := ticket.GroupID(q.value("id")), q.number("version")
	if q.checked("delete") {
		return q.engine.DeleteGroup(q.r.Context(), q.p, sangdam.DeleteGroup{Key: q.key(), Group: id, Version: version})
	}
	g := ticket.Group{ID: id, Version: version, Name: q.value("name"), Queue: q.value("queue")}
	if id == "" {
		g.ID = ticket.GroupID("g" + strings.ToLower(rand.Text()[:10]))
	}
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
	t := ticket.AnswerTemplate{}
	if id != "" {
		all, err := q.engine.Templates(q.r.Context(), q.p, sangdam.TemplateFilter{})
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.ID == id {
				t = o.AnswerTemplate
			}
		}
	}
	t.ID, t.Version, t.Title, t.Body, t.SearchCode = id, version, q.value("title"), q.value("body"), q.value("code")
	t.Resolutions = nil
	for _, c := range q.r.PostForm["resolution"] {
		t.Resolutions = append(t.Resolutions, ticket.CategoryID(c))
	}
	_, err = q.engine.SaveTemplate(q.r.Context(), q.p, sangdam.SaveTemplate{Key: q.key(), Template: t})
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
