package console

import "github.com/sangdam/sangdam"

// Route is a row of the table, for tests that walk it.
type Route struct {
	Method, Path, Right string
	Record              bool
}

// Routes is the whole table.
func (h *Handler) Routes() []Route {
	var out []Route
	for _, r := range h.routes {
		out = append(out, Route{r.method, r.path, string(r.right), r.record})
	}
	return out
}

// Texts are the tables of all languages.
func Texts() map[string]map[string]string {
	langs, err := loadLanguages()
	if err != nil {
		panic(err)
	}
	out := map[string]map[string]string{}
	for tag, l := range langs {
		out[tag] = l.texts
	}
	return out
}

// Text is a text of a language with its places filled.
func Text(tag, key string, args ...any) string {
	langs, err := loadLanguages()
	if err != nil {
		panic(err)
	}
	return langs[tag].t(key, args...)
}

// Refusals are those of a language, by format.
func Refusals(tag string) map[string]string { return loadRefusals(tag) }

// Said is a refusal that was kept in English, in a language.
func Said(tag, text string) string {
	langs, err := loadLanguages()
	if err != nil {
		return err.Error()
	}
	return langs[tag].said(text)
}

// Words are an error's text in a language.
func Words(tag string, err error) string {
	langs, loaded := loadLanguages()
	if loaded != nil {
		panic(loaded)
	}
	return langs[tag].words(err)
}

// Found is a sentence of an adapter in a language.
func Found(tag, text string) string {
	langs, err := loadLanguages()
	if err != nil {
		panic(err)
	}
	return langs[tag].found(text)
}

// BrandCSS is the sheet of a brand's colour.
func BrandCSS(colour string) (string, error) {
	css, err := brandCSS(colour)
	return string(css), err
}

// Links are the parts of a text, addresses in angle brackets.
func Links(text string) []string {
	var out []string
	for _, s := range links(text) {
		if s.URL != "" {
			s.Text = "<" + s.URL + ">"
		}
		out = append(out, s.Text)
	}
	return out
}

// Warned is a warning of a save in a language, and the text that says it.
func Warned(tag string, w sangdam.Warning) (said, text string) {
	langs, err := loadLanguages()
	if err != nil {
		panic(err)
	}
	return langs[tag].warning(w), langs[tag].texts[warningKey(w.Code)]
}
