package console

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
)

//go:embed texts/*.json
var textFiles embed.FS

// language is a table of every text that the console shows.
type language struct {
	tag   string
	texts map[string]string
	// refusals are the library's own, by the format that they have there.
	refusals map[string]string
	kept     []keptRefusal // the same, for texts that were kept
	findings findings      // what adapters say of accounts
}

func loadLanguages() (map[string]*language, error) {
	files, err := textFiles.ReadDir("texts")
	if err != nil {
		return nil, err
	}
	out := map[string]*language{}
	for _, f := range files {
		raw, err := textFiles.ReadFile(path.Join("texts", f.Name()))
		if err != nil {
			return nil, err
		}
		l := &language{tag: strings.TrimSuffix(f.Name(), ".json")}
		if err := json.Unmarshal(raw, &l.texts); err != nil {
			return nil, fmt.Errorf("console: texts/%s: %w", f.Name(), err)
		}
		l.refusals = loadRefusals(l.tag)
		l.kept = keptRefusals(l.refusals)
		if l.findings, err = loadFindings(l.tag); err != nil {
			return nil, err
		}
		out[l.tag] = l
	}
	return out, nil
}

// t is a text, with its places filled. A key that is missing shows itself; a
// test sees to it that none is.
func (l *language) t(key string, args ...any) string {
	text, ok := l.texts[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(plural(text, args), args...)
}

var (
	ofNumber = regexp.MustCompile(`\{([^{}|]*)\|([^{}|]*)\}`)
	verbs    = regexp.MustCompile(`%(?:\[\d\])?[a-z]`)
)

// plural chooses in each {one|many} by the number that fills the place before it.
func plural(text string, args []any) string {
	var out strings.Builder
	end, filled := 0, 0
	for _, m := range ofNumber.FindAllStringSubmatchIndex(text, -1) {
		before := text[end:m[0]]
		out.WriteString(before)
		filled += len(verbs.FindAllString(before, -1))
		one, many := text[m[2]:m[3]], text[m[4]:m[5]]
		if filled > 0 && filled <= len(args) && fmt.Sprint(args[filled-1]) == "1" {
			out.WriteString(one)
		} else {
			out.WriteString(many)
		}
		end = m[1]
	}
	return out.String() + text[end:]
}

// of is the text of one of many values, such as a state, and the value itself
// where it is one that this program does not know.
func (l *language) of(group, value string) string {
	if text, ok := l.texts[group+"."+value]; ok {
		return text
	}
	return value
}

// ownNames are how the console's languages call themselves.
var ownNames = map[string]string{"en": "English", "ko": "한국어", "ja": "日本語"}

// nameOf is what a form calls a language: its own name, else its code; "" stands
// for all the others.
func (l *language) nameOf(tag string) string {
	if tag == "" {
		return l.t("form.other_languages")
	}
	return cmp.Or(ownNames[tag], tag)
}

// languageOf is the language of a request: what was chosen, else what the
// browser wants, else the default.
func (h *Handler) languageOf(r *http.Request) *language {
	if l := h.langs[cookie(r, cookieLang, "")]; l != nil {
		return l
	}
	var best *language
	var weight float64
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		w := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			w, _ = strconv.ParseFloat(v, 64) // what is no number weighs nothing
		}
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if l := h.langs[base]; l != nil && w > weight {
			best, weight = l, w
		}
	}
	if best != nil {
		return best
	}
	return h.langs[h.o.Language]
}
