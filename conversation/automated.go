package conversation

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Automated messages (CV10), by the name under which accounts, desks and work
// streams hold their texts.
const (
	AutoGreeting = "greeting" // a chat starts
	AutoWelcome  = "welcome"  // the customer adds the account; once
	AutoAway     = "away"     // outside operating hours
	AutoHoliday  = "holiday"  // in a holiday, instead of away
	AutoEnded    = "ended"    // the conversation ended
	AutoRating   = "rating"   // asks for a rating, after the end
	AutoRated    = "rated"    // thanks for it
	// AutoRatingComment is the label of the button by which a customer adds a
	// comment to a rating.
	AutoRatingComment = "rating_comment"
	// AutoNotice tells that what is written may be read and kept; it comes before
	// every other automated message. See channel.Notice.
	AutoNotice = "notice"
	// AutoConsentYes and AutoConsentNo are the labels of the buttons below it where
	// the account asks for consent, AutoRefused what is said after a no.
	AutoConsentYes = "consent_yes"
	AutoConsentNo  = "consent_no"
	AutoRefused    = "consent_refused"
)

// AutoNames are all of them. A queue's overflow may send others, by a name that
// it gives.
var AutoNames = []string{AutoGreeting, AutoWelcome, AutoAway, AutoHoliday, AutoEnded, AutoRating, AutoRated, AutoRatingComment,
	AutoNotice, AutoConsentYes, AutoConsentNo, AutoRefused}

// labels are those that are written on buttons.
var labels = []string{AutoRatingComment, AutoConsentYes, AutoConsentNo}

// MaxAutoChars is the limit of welcome, away and holiday messages in
// characters. For welcome and away it is the reference product's (CV10); for
// the holiday message, of which its page gives none, it is ours.
const MaxAutoChars = 500

var limited = []string{AutoWelcome, AutoAway, AutoHoliday, AutoRating, AutoRated, AutoRefused}

// maxLabelChars is the longest label of a button on every channel.
const maxLabelChars = 20

// Texts are automated messages: name, then BCP 47 tag; the tag "" is for every
// other language.
type Texts = map[string]map[string]string

// ValidateTexts checks lengths: labels of buttons have at most 20 characters,
// welcome, away and holiday messages MaxAutoChars. The error is ErrInvalid; where
// names in it the thing that holds the texts.
func ValidateTexts(where string, texts Texts) error {
	for name, byLang := range texts {
		for lang, text := range byLang {
			if slices.Contains(labels, name) && utf8.RuneCountInString(text) > maxLabelChars {
				return fmt.Errorf("%s: %q (%q) is the label of a button and has more than %d characters; shorten it: %w",
					where, name, lang, maxLabelChars, ErrInvalid)
			}
			if slices.Contains(limited, name) && utf8.RuneCountInString(text) > MaxAutoChars {
				return fmt.Errorf("%s: the %s message (%q) has more than %d characters; shorten it: %w", where, name, lang,
					MaxAutoChars, ErrInvalid)
			}
		}
	}
	return nil
}

// AutoText finds the text of an automated message: the first source that has
// one, by exact language, then its base language ("zh-TW", then "zh"), then the
// text for every other language. Empty means: send nothing.
func AutoText(name, language string, sources ...Texts) string {
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
