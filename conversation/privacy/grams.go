package privacy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/fold"
)

// Limits of search text.
const (
	// MaxIndexed is how many bytes of a text Grams and Contains read.
	MaxIndexed = 64 << 10
	// MaxTokens is how many tokens Grams returns at most.
	MaxTokens = 3 << 14
	// MaxQuery is how many bytes of a query are read.
	MaxQuery = 1 << 10
	// MaxTerms is how many terms Query returns at most.
	MaxTerms = 64
)

// Term is one thing a text must have. When Prefix is set, any token that
// begins with Token will do (FTS5 token*, tsquery token:*).
type Term struct {
	Token  string
	Prefix bool
}

// Grams returns the tokens under which text is found, without repetition, in
// order of first occurrence: the first MaxTokens of the first MaxIndexed bytes.
//
// Text is brought to NFKC and case-folded; accents of Latin, Greek and
// Cyrillic letters are dropped (é is found as e), all other marks count (が is
// not か); invisible characters are dropped. What remains is cut into runs of
// letters, digits and marks, and each run into pairs and triples of
// neighbouring characters, in every script alike, so that a query finds parts
// of words, and a Korean, Japanese or Chinese word of two characters has a token.
// Four digits in a row are a token too: there are but a thousand triples of digits,
// and a number of an order or a phone is looked for among a million. White space
// between characters of scripts that are often written without it (Hangul,
// Han, kana, Thai, Lao, Khmer, Myanmar) is ignored. Asterisks of masked text
// belong to no run, so masked text is never found.
//
// A token is ASCII: each character is five letters from a to p, one for four
// bits of its code point, most significant first. A pair has ten letters; the
// last character of each run also stands alone with five, so that a query of a
// single character is a prefix. A triple is z and seven letters of a hash, which
// two triples may share: tokens name candidates, Contains decides. Four digits are
// y and a letter each. Such tokens
// pass unchanged through FTS5's unicode61 and ascii tokenizers and PostgreSQL's
// 'simple' configuration.
func Grams(text string) []string {
	var tokens []string
	seen := make(map[string]struct{})
	add := func(token string) {
		if _, ok := seen[token]; !ok && len(tokens) < MaxTokens {
			seen[token] = struct{}{}
			tokens = append(tokens, token)
		}
	}
	for _, run := range runs(firstBytes(text, MaxIndexed), true) {
		for i := range run {
			add(token(run[i:min(i+2, len(run))]))
			if i+3 <= len(run) {
				add(triple(run[i : i+3]))
			}
			if isNumber(run, i) {
				add(number(run[i : i+digits]))
			}
		}
	}
	return tokens
}

// Query returns the terms that a text must have, all of them, to be found by
// what a person typed: words in any order, each a part of the text. It is
// empty when nothing searchable was typed; then nothing should be found. A
// text that has all terms may still lack the words; Contains decides.
func Query(text string) []Term {
	var terms []Term
	seen := make(map[Term]struct{})
	add := func(t Term) {
		if _, ok := seen[t]; !ok && len(terms) < MaxTerms {
			seen[t] = struct{}{}
			terms = append(terms, t)
		}
	}
	for _, word := range runs(firstBytes(text, MaxQuery), false) {
		switch len(word) {
		case 1:
			add(Term{Token: token(word), Prefix: true})
		case 2:
			add(Term{Token: token(word)})
		}
		for i := range max(len(word)-2, 0) {
			switch {
			case isNumber(word, i):
				add(Term{Token: number(word[i : i+digits])})
			case !isNumber(word, i-1): // else the triple is a part of the number before it
				add(Term{Token: triple(word[i : i+3])})
			}
		}
	}
	return terms
}

// Contains reports whether each word of the query is a part of the text, both
// in the form that Grams describes. Every text for which it is true has all
// terms of Query(query), unless it has more than MaxTokens.
func Contains(text, query string) bool {
	words := runs(firstBytes(query, MaxQuery), false)
	all := runs(firstBytes(text, MaxIndexed), true)
	in := make([]string, len(all))
	for i, run := range all {
		in[i] = string(run)
	}
	for _, word := range words {
		if !anyContains(in, string(word)) {
			return false
		}
	}
	return len(words) > 0
}

func anyContains(texts []string, part string) bool {
	for _, s := range texts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// token encodes one or two characters.
func token(runes []rune) string {
	var b [10]byte
	n := 0
	for _, r := range runes {
		for shift := 16; shift >= 0; shift -= 4 {
			b[n] = 'a' + byte(r>>shift&0xf)
			n++
		}
	}
	return string(b[:n])
}

// triple encodes three characters in 28 bits of their FNV-1a hash.
func triple(runes []rune) string {
	hash := uint32(2166136261)
	for _, r := range runes {
		for shift := 0; shift < 24; shift += 8 {
			hash = (hash ^ uint32(r>>shift&0xff)) * 16777619
		}
	}
	hash ^= hash >> 28 // the upper bits are the better mixed ones, and four go
	b := [8]byte{'z'}
	for i := range 7 {
		b[i+1] = 'a' + byte(hash>>(4*i)&0xf)
	}
	return string(b[:])
}

// digits are how many in a row have a token.
const digits = 4

// isNumber reports whether so many digits begin at i.
func isNumber(run []rune, i int) bool {
	if i < 0 || i+digits > len(run) {
		return false
	}
	for _, r := range run[i : i+digits] {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// number encodes digits, each by a letter from a to j.
func number(run []rune) string {
	b := make([]byte, 0, digits+1)
	b = append(b, 'y')
	for _, r := range run {
		b = append(b, 'a'+byte(r-'0'))
	}
	return string(b)
}

// runs folds text and cuts it into runs of characters that can be searched.
// With join, white space between characters of dense scripts does not part.
func runs(text string, join bool) [][]rune {
	var all [][]rune
	var run []rune
	space := false
	end := func() {
		if len(run) > 0 {
			all = append(all, run)
		}
		run = nil
	}
	for _, r := range fold.Search(text) {
		switch {
		case unicode.IsSpace(r):
			space = true
		case !searchable(r):
			end()
			space = false
		default:
			if space && !(join && len(run) > 0 && fold.Dense(run[len(run)-1]) && fold.Dense(r)) {
				end()
			}
			space = false
			run = append(run, r)
		}
	}
	end()
	return all
}

// searchable reports whether r takes part in search. Code points of 21 bits
// are for private use and never letters.
func searchable(r rune) bool {
	return r <= 0xfffff && r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

// firstBytes returns at most n bytes of s, less a character cut in half.
func firstBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}
