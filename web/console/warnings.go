package console

import (
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/trigger"
)

// warned are the warnings of a save in the reader's language, by their codes.
func (l *language) warned(all []sangdam.Warning) (out []string) {
	for _, w := range all {
		out = append(out, l.warning(w))
	}
	return out
}

// warning says one, or what the library says where the console does not know it.
func (l *language) warning(w sangdam.Warning) string {
	key := warningKey(w.Code)
	if _, known := l.texts[key]; !known {
		return w.Text
	}
	args := make([]any, len(w.Args))
	for i, a := range w.Args {
		args[i] = a
	}
	return l.t(key, args...)
}

// noted is what became of an action of a trigger or macro, in the reader's language
// where the console knows it.
func (l *language) noted(o trigger.Outcome) string {
	if o.Code != "" {
		return l.warning(sangdam.Warning{Code: o.Code, Args: o.Args, Text: o.Note})
	}
	return l.said(o.Note)
}

// warningKey is the key of a warning's text. What the lint says of a trigger that
// is saved has the texts of its page.
func warningKey(code string) string {
	if problem, is := strings.CutPrefix(code, "lint_"); is {
		return "lint." + problem
	}
	return "warning." + code
}
