package notify

import (
	"html"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// ContentMark is where a Layout takes the text of a mail.
const ContentMark = "#{content}"

// MaxLayout is the largest Layout in bytes.
const MaxLayout = 128 << 10

// Layout is the HTML around the text of mails about one kind of event in one
// language: logo, greeting, footer.
type Layout struct {
	// Event that the layout is for; empty: every event without one of its own.
	Event string `json:"event,omitempty"`
	// Language is a BCP 47 tag; empty: every language without one of its own.
	Language string `json:"language,omitempty"`
	Version  int64  `json:"version"`
	HTML     string `json:"html"`
}

// Check refuses a layout in which the text of a mail would be lost or stand
// twice.
func (l Layout) Check() error {
	switch n := strings.Count(l.HTML, ContentMark); {
	case len(l.HTML) > MaxLayout:
		return errs.New(errs.Invalid, "notify: a layout has at most %d bytes", MaxLayout)
	case n == 0:
		return errs.New(errs.Invalid, "notify: the layout does not hold %s: nobody could read what the mail says; put it where the text belongs", ContentMark)
	case n > 1:
		return errs.New(errs.Invalid, "notify: the layout holds %s %d times; keep one", ContentMark, n)
	case len(l.Event) > 100 || len(l.Language) > 35:
		return errs.New(errs.Invalid, "notify: a layout's event has at most 100 bytes, its language at most 35")
	}
	return nil
}

// Apply puts HTML into the layout.
func (l Layout) Apply(content string) string {
	return strings.Replace(l.HTML, ContentMark, content, 1)
}

// Choose finds the layout for an event and a language: both, the event's, the
// language's, the one for all; false when there is none of them.
func Choose(all []Layout, event, language string) (Layout, bool) {
	for _, want := range []Layout{{Event: event, Language: language}, {Event: event}, {Language: language}, {}} {
		for _, l := range all {
			if l.Event == want.Event && l.Language == want.Language {
				return l, true
			}
		}
	}
	return Layout{}, false
}

// Paragraphs makes HTML of plain text: escaped, its line breaks kept.
func Paragraphs(text string) string {
	return strings.ReplaceAll(html.EscapeString(strings.ReplaceAll(text, "\r\n", "\n")), "\n", "<br>\n")
}
