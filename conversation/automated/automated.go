// Package automated names the messages that go out by themselves (CV10): greeting,
// welcome, absence, the end, the question for a rating, the notice before all of
// them. Accounts, desks and work streams hold their Texts; Text picks the one that
// a customer gets. Its functions are pure; when one is sent is the Engine's.
package automated

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
)

// Automated messages (CV10), by the name under which accounts, desks and work
// streams hold their texts.
const (
	Greeting = "greeting" // a chat starts
	Welcome  = "welcome"  // the customer adds the account; once
	Away     = "away"     // outside operating hours
	Holiday  = "holiday"  // in a holiday, instead of away
	Ended    = "ended"    // the conversation ended
	Rating   = "rating"   // asks for a rating, after the end
	Rated    = "rated"    // thanks for it
	// RatingComment is the label of the button by which a customer adds a
	// comment to a rating.
	RatingComment = "rating_comment"
	// Notice tells that what is written may be read and kept; it comes before
	// every other automated message. See channel.Notice.
	Notice = "notice"
	// ConsentYes and ConsentNo are the labels of the buttons below it where
	// the account asks for consent, Refused what is said after a no.
	ConsentYes = "consent_yes"
	ConsentNo  = "consent_no"
	Refused    = "consent_refused"
)

// Names are all of them. A queue's overflow may send others, by a name that
// it gives.
var Names = []string{Greeting, Welcome, Away, Holiday, Ended, Rating, Rated, RatingComment,
	Notice, ConsentYes, ConsentNo, Refused}

// labels are those that are written on buttons.
var labels = []string{RatingComment, ConsentYes, ConsentNo}

// MaxChars is the limit of welcome, away and holiday messages in
// characters. For welcome and away it is the reference product's (CV10); for
// the holiday message, of which its page gives none, it is ours.
const MaxChars = 500

var limited = []string{Welcome, Away, Holiday, Rating, Rated, Refused}

// maxLabelChars is the longest label of a button on every channel.
const maxLabelChars = 20

// Texts are automated messages: name, then BCP 47 tag; the tag "" is for every
// other language.
type Texts = map[string]map[string]string

// Validate checks lengths: labels of buttons have at most 20 characters,
// welcome, away and holiday messages MaxChars. The error is ErrInvalid; where
// names in it the thing that holds the texts.
func Validate(where string, texts Texts) error {
	for name, byLang := range texts {
		for lang, text := range byLang {
			if slices.Contains(labels, name) && utf8.RuneCountInString(text) > maxLabelChars {
				return fmt.Errorf("%s: %q (%q) is the label of a button and has more than %d characters; shorten it: %w",
					where, name, lang, maxLabelChars, errs.Invalid)
			}
			if slices.Contains(limited, name) && utf8.RuneCountInString(text) > MaxChars {
				return fmt.Errorf("%s: the %s message (%q) has more than %d characters; shorten it: %w", where, name, lang,
					MaxChars, errs.Invalid)
			}
		}
	}
	return nil
}

// Text finds the text of an automated message: the first source that has
// one, by exact language, then its base language ("zh-TW", then "zh"), then the
// text for every other language. Empty means: send nothing.
func Text(name, language string, sources ...Texts) string {
	base, _, _ := strings.Cut(language, "-")
	for _, texts := range sources {
		for _, tag := range []string{language, base, ""} {
			if text := texts[name][tag]; strings.TrimSpace(text) != "" { // blanks are none
				return text
			}
		}
	}
	return ""
}
