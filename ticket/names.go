package ticket

import (
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/fold"
)

// Limits of texts that people set up.
const (
	MaxName        = 100   // characters of a name
	MaxDescription = 1000  // characters of a description or guide text
	MaxTitle       = 300   // characters of a ticket's or template's title
	MaxBody        = 60000 // bytes of an inquiry, comment or template
)

// Name returns the text of a language, else of the first of the fallbacks that has
// one, else that of the first language by its tag: texts of a language that the
// workspace no longer has stay, and still show. It is empty where there is no text.
func Name(names map[string]string, language string, fallbacks ...string) string {
	for _, l := range append([]string{language}, fallbacks...) {
		if n := names[l]; n != "" {
			return n
		}
	}
	best := ""
	for l, n := range names {
		if n != "" && (best == "" || l < best) {
			best = l
		}
	}
	return names[best]
}

// Gaps lists those of the languages in which names has no text.
func Gaps(names map[string]string, languages []string) []string {
	var out []string
	for _, l := range languages {
		if strings.TrimSpace(names[l]) == "" {
			out = append(out, l)
		}
	}
	return out
}

func checkNames(what string, names map[string]string) error {
	if len(names) == 0 {
		return errs.New(errs.Invalid, "ticket: %s has no name in any language", what)
	}
	for l, n := range names {
		if err := checkText(what+" ("+l+")", n, 1, MaxName); err != nil {
			return err
		}
	}
	return nil
}

func checkText(what, text string, least, most int) error {
	n := utf8.RuneCountInString(text)
	if !utf8.ValidString(text) || n < least || n > most || least > 0 && strings.TrimSpace(text) == "" {
		return errs.New(errs.Invalid, "ticket: %s has %d characters; use %d to %d", what, n, least, most)
	}
	return nil
}

// folded is how names are compared: blanks at the ends do not matter besides
// what fold.Text says.
func folded(s string) string { return fold.Text(strings.TrimSpace(s)) }
