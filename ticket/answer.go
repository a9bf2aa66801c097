package ticket

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/sangdam/sangdam/internal/errs"
)

// AnswerTemplate is a prepared answer (TK5). Resolutions says on which tickets it is
// offered (OfferOn).
type AnswerTemplate struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Title   string `json:"title"`
	// Body may hold placeholders, which the caller fills.
	Body string `json:"body"`
	// SearchCode is what agents type to find it; empty: none.
	SearchCode string `json:"search_code,omitempty"`
	// Owner is the agent whose private template it is; empty: shared.
	Owner AgentID `json:"owner,omitempty"`
	// Resolutions are the resolution categories that it is linked to; with none it is
	// offered nowhere.
	Resolutions []CategoryID `json:"resolutions,omitempty"`
}

// Validate checks a template: an id, a title of at most MaxTitle characters, a text of
// at most MaxBody bytes, a search code of at most 50 characters without blanks. The
// error is ErrInvalid. Placeholders are checked by whoever fills them.
func (t AnswerTemplate) Validate() error {
	if err := checkText("a template's title", t.Title, 1, MaxTitle); err != nil {
		return err
	}
	if c := t.SearchCode; !utf8.ValidString(c) || utf8.RuneCountInString(c) > 50 || strings.ContainsFunc(c, unicode.IsSpace) {
		return errs.New(errs.Invalid, "ticket: a search code has at most 50 characters and no blanks")
	}
	if t.ID == "" || strings.TrimSpace(t.Body) == "" || len(t.Body) > MaxBody {
		return errs.New(errs.Invalid, "ticket: a template needs an id and a text of at most %d bytes", MaxBody)
	}
	return nil
}

// Offer says whether a template is offered on a ticket, and why not.
type Offer string

// Why a template is or is not offered.
const (
	Offered    Offer = "offered"
	NotLinked  Offer = "not_linked"   // to no resolution category at all: link it first
	OtherLinks Offer = "other_links"  // not to the category that the ticket has
	NoCategory Offer = "no_category"  // the ticket has no resolution category yet
	Private    Offer = "someone_else" // another agent's
)

// OfferOn says whether the agent is offered the template on a ticket with the
// resolution category (empty: none yet). A link to a category counts for all
// below it. tree is that of the Resolution categories.
func (t AnswerTemplate) OfferOn(agent AgentID, resolution CategoryID, tree Tree) Offer {
	switch {
	case t.Owner != "" && t.Owner != agent:
		return Private
	case len(t.Resolutions) == 0:
		return NotLinked
	case resolution == "":
		return NoCategory
	}
	for _, c := range tree.Path(resolution) {
		if slices.Contains(t.Resolutions, c.ID) {
			return Offered
		}
	}
	return OtherLinks
}

// BannedWord is a word that must not be in an answer (TK6).
type BannedWord struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Word    string `json:"word"`
	// Instead is what is suggested; empty: nothing.
	Instead string `json:"instead,omitempty"`
}

// Validate checks a banned word: 1 to MaxName characters with a letter or digit
// among them, and a suggestion of at most MaxName. The error is ErrInvalid.
func (b BannedWord) Validate() error {
	if err := checkText("a banned word", b.Word, 1, MaxName); err != nil {
		return err
	}
	if len(squeezed(b.Word).runes) == 0 {
		return errs.New(errs.Invalid, "ticket: a banned word needs letters or digits")
	}
	return checkText("the suggestion", b.Instead, 0, MaxName)
}

// BannedHit is a banned word that stands in a text.
type BannedHit struct {
	Word    string `json:"word"`
	Instead string `json:"instead,omitempty"`
	// Found is how it stands in the text: the bytes from From up to To.
	Found    string `json:"found"`
	From, To int    `json:"-"`
}

// FindBanned looks for banned words in an answer. Blanks, punctuation and marks
// between the letters do not hide a word, nor do case, full width, or Hangul
// taken apart into its letters. Digits and Latin words count only where they do
// not stand inside a longer one. Of each word only the first place is returned, in
// the order of the words.
func FindBanned(text string, words []BannedWord) []BannedHit {
	in := squeezed(text)
	var out []BannedHit
	for _, w := range words {
		want := squeezed(w.Word).runes
		for at := 0; len(want) > 0 && at+len(want) <= len(in.runes); at++ {
			if !slices.Equal(in.runes[at:at+len(want)], want) || in.within(at, at+len(want)) {
				continue
			}
			from, to := in.at[at], in.end[at+len(want)-1]
			out = append(out, BannedHit{Word: w.Word, Instead: w.Instead, Found: text[from:to], From: from, To: to})
			break
		}
	}
	return out
}

// squeeze is a text as letters and digits alone, Hangul as its letters, each
// with the bytes of the text that it came from.
type squeeze struct {
	runes   []rune
	at, end []int
	text    string
}

func squeezed(text string) squeeze {
	s := squeeze{text: text}
	for i, r := range text {
		size := utf8.RuneLen(r)
		if size < 0 {
			size = 1
		}
		for _, c := range letters(r) {
			s.runes = append(s.runes, c)
			s.at, s.end = append(s.at, i), append(s.end, i+size)
		}
	}
	return s
}

// letters is a character as it is compared: compatible forms made plain, lower
// case, a syllable as its letters, the letters of the keyboard and of old forms
// as those of syllables. Everything that is no letter or digit is nothing.
func letters(r rune) []rune {
	var out []rune
	for _, c := range norm.NFKD.String(string(r)) {
		switch {
		case c >= 0x1100 && c <= 0x1112: // initial consonants
			out = append(out, initials[c-0x1100]...)
		case c >= 0x1161 && c <= 0x1175: // vowels
			out = append(out, vowels[c-0x1161]...)
		case c >= 0x11A8 && c <= 0x11C2: // final consonants
			out = append(out, finals[c-0x11A8]...)
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			out = append(out, unicode.ToLower(c))
		}
	}
	return out
}

// initials, vowels and finals are the parts of a syllable as letters of the
// keyboard; double ones are two.
var (
	initials = spell("ㄱ ㄱㄱ ㄴ ㄷ ㄷㄷ ㄹ ㅁ ㅂ ㅂㅂ ㅅ ㅅㅅ ㅇ ㅈ ㅈㅈ ㅊ ㅋ ㅌ ㅍ ㅎ")
	vowels   = spell("ㅏ ㅐ ㅑ ㅒ ㅓ ㅔ ㅕ ㅖ ㅗ ㅗㅏ ㅗㅐ ㅗㅣ ㅛ ㅜ ㅜㅓ ㅜㅔ ㅜㅣ ㅠ ㅡ ㅡㅣ ㅣ")
	finals   = spell("ㄱ ㄱㄱ ㄱㅅ ㄴ ㄴㅈ ㄴㅎ ㄷ ㄹ ㄹㄱ ㄹㅁ ㄹㅂ ㄹㅅ ㄹㅌ ㄹㅍ ㄹㅎ ㅁ ㅂ ㅂㅅ ㅅ ㅅㅅ ㅇ ㅈ ㅊ ㅋ ㅌ ㅍ ㅎ")
)

func spell(list string) [][]rune {
	var out [][]rune
	for _, s := range strings.Fields(list) {
		out = append(out, []rune(s))
	}
	return out
}

// within reports whether the run stands inside a longer word: in the middle of
// a Hangul syllable, or of a run of Latin letters or digits.
func (s squeeze) within(from, to int) bool {
	first, last := s.runes[from], s.runes[to-1]
	if from > 0 && (s.at[from-1] == s.at[from] || plain(first) && plain(s.runes[from-1]) && s.end[from-1] == s.at[from]) {
		return true
	}
	return to < len(s.runes) && (s.at[to] == s.at[to-1] || plain(last) && plain(s.runes[to]) && s.end[to-1] == s.at[to])
}

func plain(r rune) bool { return r < 0x250 && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
