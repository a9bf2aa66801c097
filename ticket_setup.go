package sangdam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/fold"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// definition is a kind of document that people set up one by one: with an id, a
// version that whoever replaces it gives back, and an event when it changes.
type definition[T any] struct {
	name    string // in messages, and the resource's kind
	docs    *store.Documents[T]
	id      func(*T) string
	version func(*T) *int64
}

// owned is a definition that belongs to an agent, or to everybody where it has no owner.
type owned[T any] struct {
	definition[T]
	owner func(*T) routing.AgentID
}

var (
	settingsKind = definition[WorkspaceSettings]{"workspace_settings", workspaceSettings,
		func(*WorkspaceSettings) string { return theOnly }, func(s *WorkspaceSettings) *int64 { return &s.Version }}
	treeKind = definition[ticket.Tree]{"category_tree", categoryTrees,
		func(t *ticket.Tree) string { return string(t.Kind) }, func(t *ticket.Tree) *int64 { return &t.Version }}
	fieldsKind = definition[ticket.Fields]{"ticket_fields", ticketFields,
		func(*ticket.Fields) string { return theOnly }, func(f *ticket.Fields) *int64 { return &f.Version }}
	formKind = definition[ticket.Form]{"ticket_form", ticketForms,
		func(f *ticket.Form) string { return string(f.Category) }, func(f *ticket.Form) *int64 { return &f.Version }}
	templateKind = owned[ticket.AnswerTemplate]{definition[ticket.AnswerTemplate]{"answer_template", answerTemplates,
		func(t *ticket.AnswerTemplate) string { return t.ID }, func(t *ticket.AnswerTemplate) *int64 { return &t.Version }},
		func(t *ticket.AnswerTemplate) routing.AgentID { return t.Owner }}
	bannedKind = definition[ticket.BannedWord]{"banned_word", bannedWords,
		func(b *ticket.BannedWord) string { return b.ID }, func(b *ticket.BannedWord) *int64 { return &b.Version }}
	groupKind = definition[ticket.Group]{kindGroup, agentGroups,
		func(g *ticket.Group) string { return string(g.ID) }, func(g *ticket.Group) *int64 { return &g.Version }}
	viewKind = owned[ticket.View]{definition[ticket.View]{"ticket_view", ticketViews,
		func(v *ticket.View) string { return v.ID }, func(v *ticket.View) *int64 { return &v.Version }},
		func(v *ticket.View) routing.AgentID { return v.Owner }}
	levelKind = definition[ticket.ServiceLevel]{"service_level", serviceLevels,
		func(l *ticket.ServiceLevel) string { return l.ID }, func(l *ticket.ServiceLevel) *int64 { return &l.Version }}
)

// saveDefinition replaces the version that the caller saw; check may refuse it
// and gets the stored one, nil for none, and the one that is to be stored.
func saveDefinition[T any](u *unit, k definition[T], v T, check func(old, v *T) error) (Saved, error) {
	name := k.id(&v)
	var was *T
	var stored int64
	old, err := k.docs.Get(u.ctx, u.tx, name)
	switch {
	case err == nil:
		was, stored = &old, *k.version(&old)
	case !errors.Is(err, ErrNotFound):
		return Saved{}, err
	}
	if _, err := replaces(k.name, name, was != nil, stored, *k.version(&v)); err != nil {
		return Saved{}, err
	}
	if check != nil {
		if err := check(was, &v); err != nil {
			return Saved{}, err
		}
	}
	*k.version(&v) = stored
	if err := k.docs.Save(u.ctx, u.tx, &v); err != nil {
		return Saved{}, err
	}
	u.after.setup = true
	return Saved{ID: name, Version: *k.version(&v)}, u.event(k.name, name, *k.version(&v), "saved")
}

// deleteDefinition takes one out in the version that the caller saw.
func deleteDefinition[T any](u *unit, k definition[T], name string, seen int64, check func(old *T) error) error {
	old, err := k.docs.Get(u.ctx, u.tx, name)
	if errors.Is(err, ErrNotFound) {
		return noSuch(k.name)
	}
	if err != nil {
		return err
	}
	if seen != *k.version(&old) {
		return errs.New(errs.Stale, "sangdam: %s %s was changed by somebody else; read it again and repeat", k.name, name)
	}
	if check != nil {
		if err := check(&old); err != nil {
			return err
		}
	}
	if err := k.docs.Delete(u.ctx, u.tx, &old); err != nil {
		return err
	}
	u.after.setup = true
	return u.event(k.name, name, seen, "deleted")
}

// free refuses a value of a unique key that another document has.
func free[T any](u *unit, k definition[T], unique string, value []byte, own, what string) error {
	other, err := k.docs.ByKey(u.ctx, u.tx, unique, value)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case k.id(&other) == own:
		return nil
	}
	return errs.New(errs.AlreadyExists, "sangdam: %s %s has this %s already; choose another", k.name, k.id(&other), what)
}

// SaveCategory adds a category to a tree, or changes the names, the offer and the
// position of one that is there. A new one has an empty Category.ID; the id that
// it gets is Saved.ID. Version is that of the whole tree, 0 while it has no
// category.
type SaveCategory struct {
	Key      Key             `json:"-"`
	Tree     ticket.TreeKind `json:"tree"`
	Version  int64           `json:"version"`
	Category ticket.Category `json:"category"`
}

// SaveCategory carries the command out and returns the category's id with the
// tree's new version. ErrInvalid for a category that would lie too deep in the
// tree, ErrAlreadyExists for a name that another category below the same parent
// has.
func (e *Engine) SaveCategory(ctx context.Context, p Principal, c SaveCategory) (Saved, error) {
	return command(ctx, e, call{opSaveCategory, p, c.Key, c}, func(u *unit) (Saved, error) {
		n := c.Category
		return u.changeTree(c.Tree, c.Version, string(n.ID), func(t ticket.Tree) (ticket.Tree, string, error) {
			if n.ID != "" {
				t, err := t.Change(n, u.tx.Now())
				return t, string(n.ID), err
			}
			n.ID = ticket.CategoryID(newID())
			t, err := t.Add(n, u.tx.Now())
			return t, string(n.ID), err
		})
	})
}

// DeleteCategory deletes a category and all categories below it. Tickets that
// have one of them keep it; answer templates that were linked to one lose that
// link.
type DeleteCategory struct {
	Key      Key               `json:"-"`
	Tree     ticket.TreeKind   `json:"tree"`
	Version  int64             `json:"version"`
	Category ticket.CategoryID `json:"category"`
}

// DeleteCategory carries the command out. Warnings name the templates that lost
// a link.
func (e *Engine) DeleteCategory(ctx context.Context, p Principal, c DeleteCategory) (Saved, error) {
	return command(ctx, e, call{opDeleteCategory, p, c.Key, c}, func(u *unit) (Saved, error) {
		var gone []ticket.CategoryID
		saved, err := u.changeTree(c.Tree, c.Version, string(c.Category), func(t ticket.Tree) (_ ticket.Tree, _ string, err error) {
			t, gone, err = t.Remove(c.Category)
			return t, string(c.Category), err
		})
		if err != nil || c.Tree != ticket.Resolution {
			return saved, err
		}
		saved.Warnings, err = u.unlinkTemplates(gone)
		return saved, err
	})
}

func (u *unit) changeTree(kind ticket.TreeKind, seen int64, about string, fn func(ticket.Tree) (ticket.Tree, string, error)) (Saved,
	error) {
	if err := u.allow(ActConfigure, Resource{Kind: "category", ID: about}); err != nil {
		return Saved{}, err
	}
	if kind.Depth() == 0 {
		return Saved{}, errs.New(errs.Invalid, "sangdam: there is no tree of categories %q; use intake, resolution or chat_resolution",
			kind)
	}
	tree, err := categoryTrees.Get(u.ctx, u.tx, string(kind))
	if errors.Is(err, ErrNotFound) {
		tree, err = ticket.Tree{Kind: kind}, nil
	}
	if err != nil {
		return Saved{}, err
	}
	if tree.Version != seen {
		return Saved{}, errs.New(errs.Stale,
			"sangdam: the %s categories were changed by somebody else; read them again and repeat your change", kind)
	}
	tree, name, err := fn(tree)
	if err != nil {
		return Saved{}, err
	}
	saved, err := saveDefinition(u, treeKind, tree, nil)
	saved.ID = name
	return saved, err
}

// unlinkTemplates drops links of templates and tells which fell.
func (u *unit) unlinkTemplates(gone []ticket.CategoryID) (told []Warning, err error) {
	for _, c := range gone {
		list, err := answerTemplates.All(u.ctx, u.tx, store.List[ticket.AnswerTemplate]{Tag: "resolution", Value: store.Exact(string(c))},
			maxDefinitions)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			t.Resolutions = slices.DeleteFunc(t.Resolutions, func(r ticket.CategoryID) bool { return r == c })
			if err := answerTemplates.Save(u.ctx, u.tx, &t); err != nil {
				return nil, err
			}
			told = append(told, warn("template_unlinked", "template %s (%s) is no longer linked to category %s", t.ID, t.Title, c))
		}
	}
	return told, nil
}

// SaveField creates a field, whose code must never have been used before, or
// changes one. Version is that of all fields together (TicketSetup.Fields), 0
// before any was saved.
type SaveField struct {
	Key     Key          `json:"-"`
	Version int64        `json:"version"`
	Field   ticket.Field `json:"field"`
}

// SaveField carries the command out and returns the fields' new version. A new
// field whose code is or ever was another field's is ErrAlreadyExists.
func (e *Engine) SaveField(ctx context.Context, p Principal, c SaveField) (Saved, error) {
	return command(ctx, e, call{opSaveField, p, c.Key, c}, func(u *unit) (Saved, error) {
		return u.changeFields(c.Version, c.Field.Code, func(f ticket.Fields) (ticket.Fields, error) {
			if old, known := f.Field(c.Field.Code); known && !old.Deleted {
				return f.Change(c.Field)
			}
			return f.Add(c.Field)
		})
	})
}

// DeleteField deletes a field from all forms; the values that tickets have in
// it stay. A built-in field cannot be deleted, only reset to its original form.
// Version is that of all fields together, TicketSetup.Fields.
type DeleteField struct {
	Key     Key    `json:"-"`
	Version int64  `json:"version"`
	Code    string `json:"code"`
	// Reset restores a built-in field to its original form instead.
	Reset bool `json:"reset,omitempty"`
}

// DeleteField carries the command out and returns the fields' new version.
// ErrNotFound when there is no such field, ErrInvalid for a built-in field
// without Reset, ErrStale when the fields are not of the version given.
func (e *Engine) DeleteField(ctx context.Context, p Principal, c DeleteField) (Saved, error) {
	return command(ctx, e, call{opDeleteField, p, c.Key, c}, func(u *unit) (Saved, error) {
		return u.changeFields(c.Version, c.Code, func(f ticket.Fields) (ticket.Fields, error) {
			if c.Reset {
				return f.Reset(c.Code)
			}
			return f.Delete(c.Code)
		})
	})
}

func (u *unit) changeFields(seen int64, code string, fn func(ticket.Fields) (ticket.Fields, error)) (Saved, error) {
	if err := u.allow(ActConfigure, Resource{Kind: "ticket_field", ID: code}); err != nil {
		return Saved{}, err
	}
	fields, err := only(u.ctx, u.tx, ticketFields, nil)
	if err != nil {
		return Saved{}, err
	}
	if fields.Version != seen {
		return Saved{}, errs.New(errs.Stale, "sangdam: the fields were changed by somebody else; read them again and repeat your change")
	}
	if fields, err = fn(fields); err != nil {
		return Saved{}, err
	}
	saved, err := saveDefinition(u, fieldsKind, fields, nil)
	saved.ID = code
	return saved, err
}

// SaveForm says which customers' fields the inquiry form of an intake category
// has.
type SaveForm struct {
	Key  Key         `json:"-"`
	Form ticket.Form `json:"form"`
}

// SaveForm carries the command out. ErrNotFound when the category is not in the
// intake tree, ErrInvalid for a field that is not one for customers, is deleted
// or is named twice, ErrStale when the form is not of the version given.
func (e *Engine) SaveForm(ctx context.Context, p Principal, c SaveForm) (Saved, error) {
	return command(ctx, e, call{opSaveForm, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: "ticket_form", ID: string(c.Form.Category)}); err != nil {
			return Saved{}, err
		}
		d, err := e.readTicketSetup(u.ctx, u.tx)
		if err != nil {
			return Saved{}, err
		}
		if d.Trees[ticket.Intake].Level(c.Form.Category) == 0 {
			return Saved{}, errs.New(errs.NotFound, "sangdam: there is no intake category %s", c.Form.Category)
		}
		if err := c.Form.Validate(d.Fields); err != nil {
			return Saved{}, err
		}
		return saveDefinition(u, formKind, c.Form, nil)
	})
}

// SaveTemplate creates an answer template (Version 0; an empty id is filled) or
// replaces the one of the version given. An agent may save its own private
// ones; shared ones need ActConfigure.
type SaveTemplate struct {
	Key      Key                   `json:"-"`
	Template ticket.AnswerTemplate `json:"template"`
}

// SaveTemplate carries the command out. Warnings say when it will not be offered
// because it is linked to nothing.
func (e *Engine) SaveTemplate(ctx context.Context, p Principal, c SaveTemplate) (Saved, error) {
	return command(ctx, e, call{opSaveTemplate, p, c.Key, c}, func(u *unit) (Saved, error) {
		t := c.Template
		if err := u.mayShare(templateKind.name, t.ID, t.Owner); err != nil {
			return Saved{}, err
		}
		if t.ID == "" {
			t.ID = newID()
		}
		if err := t.Validate(); err != nil {
			return Saved{}, err
		}
		d, err := e.readTicketSetup(u.ctx, u.tx)
		if err != nil {
			return Saved{}, err
		}
		for _, r := range t.Resolutions {
			if d.Trees[ticket.Resolution].Level(r) == 0 {
				return Saved{}, errs.New(errs.NotFound, "sangdam: there is no resolution category %s to link the template to", r)
			}
		}
		saved, err := saveOwned(u, templateKind, t)
		if err == nil && len(t.Resolutions) == 0 {
			saved.Warnings = []Warning{warn("template_no_link",
				"the template is linked to no resolution category and is offered on no ticket until it is")}
		}
		return saved, err
	})
}

// mayShare asks whether the principal may save or delete what belongs to owner: its
// own, or as who configures. The resource's owner is the one it belongs to.
func (u *unit) mayShare(kind, name string, owner routing.AgentID) error {
	action := ActConfigure
	if owner != "" && owner == u.p.agent() {
		action = ActTemplate
	}
	return u.allow(action, Resource{Kind: kind, ID: name, Owner: owner})
}

// saveOwned saves what mayShare has allowed. Who would take over what is shared or
// another's has to be one who configures.
func saveOwned[T any](u *unit, k owned[T], v T) (Saved, error) {
	return saveDefinition(u, k.definition, v, func(old, _ *T) error {
		if old == nil || k.owner(old) != "" && k.owner(old) == u.p.agent() {
			return nil
		}
		return u.allow(ActConfigure, u.resource)
	})
}

// DeleteTemplate deletes an answer template.
type DeleteTemplate struct {
	Key      Key    `json:"-"`
	Template string `json:"template"`
	Version  int64  `json:"version"`
}

// DeleteTemplate carries the command out. An agent may delete its own; any
// other one needs ActConfigure. ErrNotFound, and ErrStale when it is not of the
// version given.
func (e *Engine) DeleteTemplate(ctx context.Context, p Principal, c DeleteTemplate) error {
	return deleteOwned(ctx, e, call{opDeleteTemplate, p, c.Key, c}, templateKind, c.Template, c.Version)
}

// deleteOwned carries out the command that deletes the named one of a kind, in the
// version that the caller saw.
func deleteOwned[T any](ctx context.Context, e *Engine, c call, k owned[T], name string, seen int64) error {
	_, err := command(ctx, e, c, func(u *unit) (struct{}, error) {
		u.resource = Resource{Kind: k.name, ID: name}
		old, err := k.docs.Get(u.ctx, u.tx, name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return struct{}{}, err
		}
		// Of one that is not there the owner is nobody.
		if err := u.mayShare(k.name, name, k.owner(&old)); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, deleteDefinition(u, k.definition, name, seen, nil)
	})
	return err
}

// TemplateFilter says which templates to list.
type TemplateFilter struct {
	// Text is looked for in title, body and search code.
	Text string `json:"text,omitempty"`
	// Resolution is the resolution category of the ticket that is to be
	// answered, which decides what is offered. Empty: all templates are listed,
	// and the Offer of each is the one without a ticket.
	Resolution ticket.CategoryID `json:"resolution,omitempty"`
	// Linked lists only templates that are linked to this category or to one
	// above it.
	Linked ticket.CategoryID `json:"linked,omitempty"`
	// Private lists only private templates, Shared only shared ones.
	Private bool `json:"private,omitempty"`
	Shared  bool `json:"shared,omitempty"`
}

// OfferedTemplate is an answer template and why it is offered or not (TK5).
type OfferedTemplate struct {
	ticket.AnswerTemplate
	Offer ticket.Offer `json:"offer"`
}

var qTemplates = asks("template.list", "Templates", "answer_templates", ActList).wide(wideSetUp)

// Templates lists the shared answer templates and the principal's own, by
// title, as far as f selects them.
func (e *Engine) Templates(ctx context.Context, p Principal, f TemplateFilter) (out []OfferedTemplate, err error) {
	err = e.query(ctx, p, qTemplates, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		out = []OfferedTemplate{}
		d, err := e.currentTicketSetup(ctx, tx)
		if err != nil {
			return err
		}
		all, err := allOf(ctx, tx, answerTemplates, nil)
		want := fold.Text(f.Text)
		for _, t := range all {
			found := want == "" || strings.Contains(fold.Text(t.Title+"\n"+t.Body+"\n"+t.SearchCode), want)
			own := t.Owner != "" && t.Owner == p.agent()
			tree := d.Trees[ticket.Resolution]
			if f.Linked != "" && !slices.ContainsFunc(tree.Path(f.Linked),
				func(c ticket.Category) bool { return slices.Contains(t.Resolutions, c.ID) }) {
				continue
			}
			if !found || t.Owner != "" && !own || f.Private && !own || f.Shared && t.Owner != "" {
				continue
			}
			out = append(out, OfferedTemplate{t, t.OfferOn(p.agent(), f.Resolution, tree)})
		}
		return err
	})
	return out, err
}

// SaveBannedWord creates a banned word (Version 0; an empty id is filled) or
// replaces the one of the version given.
type SaveBannedWord struct {
	Key  Key               `json:"-"`
	Word ticket.BannedWord `json:"word"`
}

// SaveBannedWord carries the command out. ErrInvalid as ticket.BannedWord.Validate says,
// ErrAlreadyExists for a word that is there, however it is written.
func (e *Engine) SaveBannedWord(ctx context.Context, p Principal, c SaveBannedWord) (Saved, error) {
	return command(ctx, e, call{opSaveBannedWord, p, c.Key, c}, func(u *unit) (Saved, error) {
		b := c.Word
		if err := u.allow(ActConfigure, Resource{Kind: bannedKind.name, ID: b.ID}); err != nil {
			return Saved{}, err
		}
		if b.ID == "" {
			b.ID = newID()
		}
		if err := b.Validate(); err != nil {
			return Saved{}, err
		}
		if err := free(u, bannedKind, "word", store.Text(b.Word), b.ID, "word"); err != nil {
			return Saved{}, err
		}
		return saveDefinition(u, bannedKind, b, nil)
	})
}

// DeleteBannedWord deletes a banned word, which agents may use again then.
type DeleteBannedWord struct {
	Key     Key    `json:"-"`
	Word    string `json:"word"` // its id
	Version int64  `json:"version"`
}

// DeleteBannedWord carries the command out. ErrNotFound, and ErrStale when it is not of
// the version given.
func (e *Engine) DeleteBannedWord(ctx context.Context, p Principal, c DeleteBannedWord) error {
	_, err := command(ctx, e, call{opDeleteBannedWord, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActConfigure, Resource{Kind: bannedKind.name, ID: c.Word}); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, deleteDefinition(u, bannedKind, c.Word, c.Version, nil)
	})
	return err
}

// SaveGroup creates a group of agents (Version 0) or replaces the one of the
// version given.
type SaveGroup struct {
	Key   Key          `json:"-"`
	Group ticket.Group `json:"group"`
}

// SaveGroup carries the command out; ErrNotFound when an agent does not exist,
// ErrAlreadyExists for a name in use.
func (e *Engine) SaveGroup(ctx context.Context, p Principal, c SaveGroup) (Saved, error) {
	return command(ctx, e, call{opSaveGroup, p, c.Key, c}, func(u *unit) (Saved, error) {
		g := c.Group
		if err := u.allow(ActConfigure, Resource{Kind: kindGroup, ID: string(g.ID)}); err != nil {
			return Saved{}, err
		}
		if err := g.Validate(); err != nil {
			return Saved{}, err
		}
		for _, a := range g.Agents {
			if _, err := u.tx.Agents().Agent(u.ctx, a); err != nil {
				return Saved{}, err
			}
		}
		if g.Queue != "" {
			if q, ok := u.s.routing.Queues[queueID(g.Queue)]; !ok {
				return Saved{}, errs.New(errs.Invalid, "sangdam: group %s: there is no queue %s", g.ID, g.Queue)
			} else if q.Retired {
				return Saved{}, outOfUse("queue", g.Queue)
			}
		}
		if err := free(u, groupKind, "name", store.Text(g.Name), string(g.ID), "name"); err != nil {
			return Saved{}, err
		}
		return saveDefinition(u, groupKind, g, nil)
	})
}

// DeleteGroup deletes a group of agents. Tickets that name the group keep its
// id.
type DeleteGroup struct {
	Key     Key            `json:"-"`
	Group   ticket.GroupID `json:"group"`
	Version int64          `json:"version"`
}

// DeleteGroup carries the command out. ErrConflict while views, service levels
// or triggers name the group; the error lists them.
func (e *Engine) DeleteGroup(ctx context.Context, p Principal, c DeleteGroup) error {
	_, err := command(ctx, e, call{opDeleteGroup, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindGroup, ID: string(c.Group)}); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, deleteDefinition(u, groupKind, string(c.Group), c.Version, func(*ticket.Group) error {
			var by []string
			for _, ask := range groupNamers() {
				more, err := ask(u, c.Group)
				if err != nil {
					return err
				}
				by = append(by, more...)
			}
			if len(by) > 0 {
				return errs.New(errs.Conflict, "sangdam: group %s is named by %s; change them first", c.Group, strings.Join(by, ", "))
			}
			return nil
		})
	})
	return err
}

// groupNamers lists who may name a group; each says which of its documents do.
func groupNamers() []func(*unit, ticket.GroupID) ([]string, error) {
	return []func(*unit, ticket.GroupID) ([]string, error){groupInViews, groupInLevels, groupInTriggers, groupInMacros}
}

func groupInViews(u *unit, g ticket.GroupID) (out []string, err error) {
	all, err := allOf(u.ctx, u.tx, ticketViews, nil)
	for _, v := range all {
		if namesValue(v.When, "group", string(g)) {
			out = append(out, fmt.Sprintf("view %q", v.Name))
		}
	}
	return out, err
}

func groupInLevels(u *unit, g ticket.GroupID) (out []string, err error) {
	all, err := allOf(u.ctx, u.tx, serviceLevels, nil)
	for _, l := range all {
		if namesValue(l.When, "group", string(g)) {
			out = append(out, fmt.Sprintf("service level %q", l.Name))
		}
	}
	return out, err
}

// namesValue says whether a condition compares the field with the value.
func namesValue(c condition.Condition, field, value string) bool {
	for _, clause := range slices.Concat(c.All, c.Any) {
		if namesValue(condition.Condition{All: clause.All, Any: clause.Any}, field, value) {
			return true
		}
		if clause.Field != field {
			continue
		}
		switch v := clause.Value.(type) {
		case string:
			if v == value {
				return true
			}
		case []string:
			if slices.Contains(v, value) {
				return true
			}
		}
	}
	return false
}

// SaveTicketView creates a saved list of tickets (Version 0; an empty id is
// filled) or replaces the one of the version given.
type SaveTicketView struct {
	Key  Key         `json:"-"`
	View ticket.View `json:"view"`
}

// SaveTicketView carries the command out. An agent may save its own views;
// everybody's need ActConfigure. ErrInvalid for a field or column that tickets
// do not have, ErrStale when it is not of the version given.
func (e *Engine) SaveTicketView(ctx context.Context, p Principal, c SaveTicketView) (Saved, error) {
	return command(ctx, e, call{opSaveTicketView, p, c.Key, c}, func(u *unit) (Saved, error) {
		v := c.View
		if err := u.mayShare(viewKind.name, v.ID, v.Owner); err != nil {
			return Saved{}, err
		}
		if v.ID == "" {
			v.ID = newID()
		}
		d, err := e.readTicketSetup(u.ctx, u.tx)
		if err != nil {
			return Saved{}, err
		}
		if err := v.Validate(d.schema); err != nil {
			return Saved{}, err
		}
		return saveOwned(u, viewKind, v)
	})
}

// DeleteTicketView deletes a saved list of tickets.
type DeleteTicketView struct {
	Key     Key    `json:"-"`
	View    string `json:"view"`
	Version int64  `json:"version"`
}

// DeleteTicketView carries the command out, for whoever may save the view.
// ErrNotFound, and ErrStale when the view is not of the version given.
func (e *Engine) DeleteTicketView(ctx context.Context, p Principal, c DeleteTicketView) error {
	return deleteOwned(ctx, e, call{opDeleteTicketView, p, c.Key, c}, viewKind, c.View, c.Version)
}

var qTicketViews = asks("ticket_view.list", "TicketViews", "ticket_views", ActList).wide(wideSetUp)

// TicketViews lists everybody's views and the principal's own, by name.
func (e *Engine) TicketViews(ctx context.Context, p Principal) (out []ticket.View, err error) {
	err = e.query(ctx, p, qTicketViews, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		all, err := allOf(ctx, tx, ticketViews, nil)
		out = listed(slices.DeleteFunc(all, func(v ticket.View) bool { return v.Owner != "" && v.Owner != p.agent() }))
		return err
	})
	return out, err
}
