package console

import (
	"cmp"
	"html"
	"regexp"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/plaintext"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/ticket"
)

// layoutForm is how mails about an event look, in a language.
type layoutForm struct {
	Layout notify.Layout
	Events []choice
	Places []string
	// Form is that of the body, "html" or "text"; Other says that the workspace's
	// editor type is not that one, and Kept that the body stays as it was stored.
	Form        string
	Other, Kept bool
}

// editorType is the form in which the workspace writes layouts.
func (q *request) editorType() (string, error) {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	return string(editorOf(set)), err
}

// editorOf is the editor type of a workspace; one that was never chosen is HTML.
func editorOf(set sangdam.TicketSetup) sangdam.Editor {
	return cmp.Or(set.Settings.Editor, sangdam.EditorHTML)
}

// formOf is the form of a body; where both are there it is HTML.
func formOf(html string) string {
	if html == "" {
		return string(sangdam.EditorText)
	}
	return string(sangdam.EditorHTML)
}

// converted makes the form of a body that the editor type asks for.
func converted(html, text, editor string) (string, string) {
	if editor == string(sangdam.EditorText) {
		return "", cmp.Or(text, plaintext.FromHTML(html, true))
	}
	return "<p>" + notify.Paragraphs(text) + "</p>\n", ""
}

// layoutKey names a layout in an address: event and language, each "all" where
// it is for all.
func layoutKey(event, language string) string {
	return cmp.Or(event, "all") + "~" + cmp.Or(language, "all")
}

// layoutName is what people call it.
func (q *request) layoutName(l notify.Layout) string {
	return q.lang.of("mail_event", cmp.Or(l.Event, "all")) + " · " + q.lang.nameOf(l.Language)
}

func (q *request) findLayout(id string) (notify.Layout, error) {
	if id == "new" {
		editor, err := q.editorType()
		if editor == string(sangdam.EditorText) {
			return notify.Layout{Plain: "#{content}\n"}, err
		}
		return notify.Layout{HTML: "<p>#{content}</p>\n"}, err
	}
	all, err := q.engine.MailLayouts(q.r.Context(), q.p)
	if err != nil {
		return notify.Layout{}, err
	}
	for _, l := range all {
		if layoutKey(l.Event, l.Language) == id {
			return l, nil
		}
	}
	return notify.Layout{}, errNoPage
}

func (q *request) layoutForm(l notify.Layout, stored bool) (layoutForm, error) {
	editor, err := q.editorType()
	if err != nil {
		return layoutForm{}, err
	}
	if formOf(l.HTML) != editor && q.r.FormValue("convert") != "" {
		l.HTML, l.Plain = converted(l.HTML, l.Plain, editor)
	}
	f := layoutForm{Layout: l, Form: formOf(l.HTML)}
	f.Other = f.Form != editor
	f.Kept = f.Other && stored
	for _, e := range ticket.MailEvents() {
		f.Events = append(f.Events, choice{string(e), q.lang.of("mail_event", string(e)), string(e) == l.Event})
	}
	list, err := q.engine.Triggers(q.r.Context(), q.p, "ticket")
	f.Places = list.Placeholders
	return f, err
}

func (q *request) layout() error {
	id := q.r.PathValue("id")
	l, err := q.findLayout(id)
	if err != nil {
		return err
	}
	f, err := q.layoutForm(l, true)
	if err != nil {
		return err
	}
	title := q.lang.t("layouts.new")
	if l.Version > 0 {
		title = q.layoutName(l)
	}
	return q.edit("mail-layout", title, id, f, nil)
}

// typedLayout is what the form holds. Event and language name a layout, and stay.
func (q *request) typedLayout(l notify.Layout) notify.Layout {
	if l.Version == 0 {
		l.Event, l.Language = q.value("event"), q.value("language")
	}
	lines := func(name string) string { return strings.ReplaceAll(q.r.PostFormValue(name), "\r\n", "\n") }
	l.Version, l.Subject, l.Text = q.number("version"), q.value("subject"), lines("text")
	if !q.checked("kept") {
		l.HTML, l.Plain = lines("html"), lines("plain")
	}
	return l
}

func (q *request) saveLayout() error {
	id := q.r.PathValue("id")
	l, err := q.findLayout(id)
	if err != nil {
		return err
	}
	if q.checked("delete") {
		c := sangdam.DeleteMailLayout{Key: q.key(), Event: l.Event, Language: l.Language, Version: q.number("version")}
		if err = q.engine.DeleteMailLayout(q.r.Context(), q.p, c); err == nil {
			return q.done("/setup/tickets?saved=1")
		}
	} else {
		l = q.typedLayout(l)
		var saved sangdam.Saved
		if saved, err = q.engine.SaveMailLayout(q.r.Context(), q.p, sangdam.SaveMailLayout{Key: q.key(), Layout: l}); err == nil {
			return q.saved("/setup/layouts/", escaped(layoutKey(l.Event, l.Language)), saved.Warnings)
		}
	}
	f, again := q.layoutForm(l, q.checked("kept"))
	if again != nil {
		return again
	}
	return q.edit("mail-layout", q.lang.t("layouts.new"), id, f, err)
}

var place = regexp.MustCompile(`#\{[^}]*\}`)

// previewLayout shows the mail as it was typed: what its HTML may do at a
// customer's is not what it may do here.
func (q *request) previewLayout() error {
	l := q.typedLayout(notify.Layout{})
	sample := cmp.Or(l.Text, q.lang.t("layouts.sample"))
	before, after := l.Around()
	named := func(text string) string {
		return place.ReplaceAllStringFunc(text, func(p string) string {
			return "‹" + html.EscapeString(strings.Trim(p, "#{}")) + "›"
		})
	}
	if l.Plain != "" {
		before, after = l.AroundText()
		return q.framed(named(l.Subject), "<pre>"+escapedText(named(before)+named(sample)+named(after))+"</pre>")
	}
	return q.framed(named(l.Subject), named(before)+notify.Paragraphs(named(sample))+named(after))
}

// layoutRows list the layouts on the page of the set-up.
func (q *request) layoutRows() (out []levelRow, err error) {
	all, err := q.engine.MailLayouts(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	editor, err := q.editorType()
	for _, l := range all {
		says := l.Subject
		if form := formOf(l.HTML); form != editor {
			says = strings.TrimPrefix(says+" · "+q.lang.t("layouts.other."+form), " · ")
		}
		out = append(out, levelRow{layoutKey(l.Event, l.Language), q.layoutName(l), says})
	}
	return out, err
}
