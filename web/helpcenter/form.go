package helpcenter

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/ticket"
)

// view is the page: the choice of a category, then the form, then the thanks.
type view struct {
	Lang, Title, Prefix, Style string
	T                          map[string]string
	Langs                      []choice
	Category                   string
	Categories                 []choice
	Key                        string
	Fields                     []input
	Consent, Policy            string
	Consented                  bool
	Problem                    string
	Number                     int64 // of the inquiry, once it is there
	Multipart                  bool
}

// choice is one of several.
type choice struct {
	Value, Label string
	Chosen       bool
}

// input is a field of the form.
type input struct {
	Name, Label, Type, Value string
	Guide, Description       string
	Required, Several        bool
	Options                  []choice
	Problem                  string
}

// textOf is a text in the page's language.
func textOf(texts map[string]string, lang string) string {
	if t := cmp.Or(texts[lang], texts[""], texts["en"]); t != "" || len(texts) == 0 {
		return t
	}
	names := make([]string, 0, len(texts))
	for l := range texts {
		names = append(names, l)
	}
	return texts[slices.Min(names)]
}

// view begins a page in the language that was asked for.
func (h *Handler) view(r *http.Request, set sangdam.TicketSetup) view {
	lang := h.language(r)
	t := h.langs[lang]
	v := view{Lang: lang, T: t, Prefix: h.o.Prefix, Style: h.style, Title: cmp.Or(textOf(h.o.Title, lang), t["title"]),
		Consent: cmp.Or(textOf(h.o.Consent, lang), t["consent"]), Policy: textOf(h.o.Policy, lang)}
	for _, l := range []string{"en", "ko", "ja"} {
		v.Langs = append(v.Langs, choice{l, h.langs[l]["language"], l == lang})
	}
	v.Category = r.FormValue("category")
	tree := set.Trees[ticket.Intake]
	for _, c := range tree.Walk() {
		if tree.OfferedTo(c.ID) {
			v.Categories = append(v.Categories, choice{string(c.ID), categoryPath(tree, c.ID, lang), string(c.ID) == v.Category})
		}
	}
	if !slices.ContainsFunc(v.Categories, func(c choice) bool { return c.Chosen }) {
		v.Category = ""
	}
	return v
}

// categoryPath is a category with those above it.
func categoryPath(tree ticket.Tree, id ticket.CategoryID, lang string) string {
	var names []string
	for c, ok := tree.Categories[id]; ok; c, ok = tree.Categories[c.Parent] {
		names = append([]string{textOf(c.Names, lang)}, names...)
	}
	return strings.Join(names, " › ")
}

// shown are the fields of a category's form without those that the page has
// inputs of its own for.
func shown(set sangdam.TicketSetup, category string) []ticket.Field {
	form := formOf(set, category)
	return slices.DeleteFunc(form.Shown(set.Fields), func(f ticket.Field) bool { return f.Code == "category" || f.Code == "consent" })
}

func formOf(set sangdam.TicketSetup, category string) ticket.Form {
	for _, f := range set.Forms {
		if string(f.Category) == category {
			return f
		}
	}
	return ticket.Form{Category: ticket.CategoryID(category)}
}

// fields fills the form with what was typed.
func (v *view) fields(r *http.Request, set sangdam.TicketSetup, known ticket.Requester) {
	for _, f := range shown(set, v.Category) {
		in := input{Name: "f." + f.Code, Label: textOf(f.Names, v.Lang), Type: string(f.Type), Guide: textOf(f.Guide, v.Lang),
			Description: textOf(f.Descriptions, v.Lang), Required: f.Required, Value: r.FormValue("f." + f.Code)}
		if f.Code == "email" {
			in.Type, in.Value = "email", cmp.Or(in.Value, known.Email)
		}
		typed := r.Form["f."+f.Code]
		if len(typed) == 0 && f.Default != nil && r.Method == http.MethodGet {
			in.Value, typed = f.Default.Text, append(f.Default.List, f.Default.Text)
		}
		for _, o := range f.Options {
			in.Options = append(in.Options, choice{o.Code, cmp.Or(textOf(o.Names, v.Lang), o.Code), slices.Contains(typed, o.Code)})
		}
		v.Multipart = v.Multipart || f.Type == ticket.File
		v.Fields = append(v.Fields, in)
	}
}

// form shows the choice of a category, or the category's form.
func (h *Handler) form(w http.ResponseWriter, r *http.Request) {
	set, err := h.setup(r.Context())
	if err != nil {
		h.failed(w, r, err)
		return
	}
	v := h.view(r, set)
	if len(v.Categories) == 1 {
		v.Category, v.Categories[0].Chosen = v.Categories[0].Value, true
	}
	if v.Category != "" {
		known, _ := h.who(r)
		v.fields(r, set, known)
		v.Key = rand.Text()
	}
	h.show(w, http.StatusOK, v)
}

// language is the one asked for by the address, else by the browser.
func (h *Handler) language(r *http.Request) string {
	if l := r.FormValue("lang"); h.langs[l] != nil {
		return l
	}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(part, ";")
		base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if h.langs[base] != nil {
			return base
		}
	}
	return h.o.Language
}
