package console

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

//go:embed refusals/*.json
var refusalFiles embed.FS

// refusals say the library's refusals in other languages than its own: by the
// format of the message, which is the refusal's code. What a language does not
// have is said in English.
func loadRefusals(tag string) map[string]string {
	out := map[string]string{}
	raw, err := refusalFiles.ReadFile("refusals/" + tag + ".json")
	if err != nil || json.Unmarshal(raw, &out) != nil { // English needs none
		return nil
	}
	return out
}

// words are an error's text for a person, without the name of the package it
// comes from. What is inside a refusal that the language does not have is said in it all
// the same.
func (l *language) words(err error) string {
	format, args, ok := errs.Parts(err)
	switch {
	case l.refusals == nil: // English
		return plainWords(err)
	case !ok: // of a type of its own
		return l.said(err.Error())
	}
	said := cmp.Or(l.refusals[format], strings.ReplaceAll(format, "%w", "%s"))
	plain := make([]any, len(args))
	for i, a := range args {
		if inner, is := a.(error); is {
			a = l.words(inner)
		}
		plain[i] = a
	}
	return withoutPackage(fmt.Sprintf(said, plain...))
}

// said is the text of a refusal that was kept as it was said in English, in the
// reader's language: found by the format that it was made by.
func (l *language) said(text string) string {
	for _, k := range l.kept {
		if m := k.made.FindStringSubmatch(text); m != nil {
			return k.fill(l, m[1:])
		}
	}
	return withoutPackage(text)
}

// keptRefusal knows the texts that one format makes.
type keptRefusal struct {
	made *regexp.Regexp
	said string
}

// keptRefusals makes them of the refusals of a language, the longest first: what
// says more is asked before what may stand for anything.
func keptRefusals(refusals map[string]string) (out []keptRefusal) {
	formats := sortedKeys(refusals)
	slices.SortStableFunc(formats, func(a, b string) int { return len(b) - len(a) })
	for _, f := range formats {
		pattern := strings.Builder{}
		end := 0
		for _, at := range verbs.FindAllStringIndex(f, -1) {
			pattern.WriteString(regexp.QuoteMeta(f[end:at[0]]) + "(.*?)")
			end = at[1]
		}
		out = append(out, keptRefusal{regexp.MustCompile("(?s)^" + pattern.String() + regexp.QuoteMeta(f[end:]) + "$"), refusals[f]})
	}
	return out
}

// fill puts what a text had in its places into those of the other language.
func (k keptRefusal) fill(l *language, had []string) string {
	n := 0
	return verbs.ReplaceAllStringFunc(k.said, func(verb string) string {
		at := n
		if inner, is := strings.CutPrefix(verb, "%["); is {
			at = int(inner[0] - '1')
		}
		n++
		if at >= len(had) {
			return ""
		}
		return l.said(had[at])
	})
}

// plainWords is an error's text without the name of the package it comes from.
func plainWords(err error) string { return withoutPackage(err.Error()) }

func withoutPackage(text string) string {
	text = strings.ReplaceAll(text, "\n", "; ")
	for _, p := range []string{"sangdam: ", "console: ", "store: ", "routing: ", "channel: ", "line: ", "ticket: ", "trigger: ", "hours: ",
		"webchat: ", "mail: ", "dooray: ", "webhook: ", "notify: "} {
		text = strings.TrimPrefix(text, p)
	}
	return text
}
