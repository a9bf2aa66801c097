package notify

import (
	"html"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/plaintext"
)

// ContentMark is where a Layout takes the text of a mail.
const ContentMark = "#{content}"

// Limits of a Layout, in bytes.
const (
	MaxLayout     = 64 << 10 // of what stands around the content
	MaxLayoutText = 32 << 10
)

// Layout is how mails about one kind of event look in one language: what stands
// around their text, with logo, greeting and footer. It is HTML, or plain text.
type Layout struct {
	// Event that the layout is for; empty: every event without one of its own.
	Event string `json:"event,omitempty"`
	// Language is a BCP 47 tag; empty: every language without one of its own.
	Language string `json:"language,omitempty"`
	Version  int64  `json:"version"`
	// HTML holds #{content} once. Its mails have a plain part too, made from it.
	HTML string `json:"html,omitempty"`
	// Plain is the layout of mails in plain text alone, in place of HTML.
	Plain string `json:"plain,omitempty"`
	// Subject is the mails' own; empty: the sender's.
	Subject string `json:"subject,omitempty"`
	// Text is the content of mails about an event in which nobody wrote
	// anything, such as a state that changed.
	Text string `json:"text,omitempty"`
}

// Check refuses a layout in which the text of a mail would be lost or stand
// twice.
func (l Layout) Check() error {
	body := l.HTML + l.Plain
	switch n := strings.Count(body, ContentMark); {
	case l.HTML != "" && l.Plain != "":
		return errs.New(errs.Invalid, "notify: a layout is HTML or plain text; leave html or plain empty")
	case len(body) > MaxLayout || len(l.Text) > MaxLayoutText || utf8.RuneCountInString(l.Subject) > MaxTitle:
		return errs.New(errs.Invalid, "notify: a layout has at most %d bytes, its text %d and its subject %d characters",
			MaxLayout, MaxLayoutText, MaxTitle)
	case n == 0:
		return errs.New(errs.Invalid,
			"notify: the layout does not hold %s: nobody could read what the mail says; put it where the text belongs", ContentMark)
	case n > 1:
		return errs.New(errs.Invalid, "notify: the layout holds %s %d times; keep one", ContentMark, n)
	case l.HTML != "" && !plaintext.Once(l.HTML, ContentMark):
		return errs.New(errs.Invalid,
			"notify: the layout holds %s where nobody reads it once, such as a comment, an attribute or a style; "+
				"put it into the text", ContentMark)
	case len(l.Event) > 100 || len(l.Language) > 35:
		return errs.New(errs.Invalid, "notify: a layout's event has at most 100 bytes, its language at most 35")
	}
	return nil
}

// Around is the HTML before and after the content; nothing of a plain layout.
func (l Layout) Around() (before, after string) {
	before, after, _ = strings.Cut(l.HTML, ContentMark)
	return before, after
}

// AroundText is the plain text before and after the content. An HTML layout has
// what a reader sees of it.
func (l Layout) AroundText() (before, after string) {
	text := l.Plain
	if l.HTML != "" {
		text = plaintext.FromHTML(l.HTML, true)
	}
	before, after, found := strings.Cut(text, ContentMark)
	if !found {
		return "", ""
	}
	return before, after
}

// Choose finds the layout for an event and a language, the nearest first: both,
// with the language's own variant before the language; the event's; the
// language's; the one for all. get reads one, false for none of that name.
func Choose(event, language string, get func(event, language string) (Layout, bool, error)) (Layout, bool, error) {
	languages := []string{language}
	if base, _, variant := strings.Cut(language, "-"); variant {
		languages = append(languages, base)
	}
	if language != "" {
		languages = append(languages, "")
	}
	for _, e := range slices.Compact([]string{event, ""}) {
		for _, l := range languages {
			if found, ok, err := get(e, l); ok || err != nil {
				return found, ok, err
			}
		}
	}
	return Layout{}, false, nil
}

// Paragraphs makes HTML of plain text: escaped, its line breaks kept.
func Paragraphs(text string) string {
	return strings.ReplaceAll(html.EscapeString(strings.ReplaceAll(text, "\r\n", "\n")), "\n", "<br>\n")
}
