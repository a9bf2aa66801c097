package trigger

import (
	"strings"
	"unicode"
)

// particles is a pair of Korean particles of which one follows a word that ends
// in a consonant and the other one that ends in a vowel.
type particles struct {
	written          []string // how authors write the pair
	consonant, vowel string
	rieul            bool // after ㄹ too the vowel's form is used: 로
}

// particlePairs are tried in order; longer ways of writing stand first.
var particlePairs = [...]particles{
	{[]string{"은/는", "는/은", "은(는)", "는(은)"}, "은", "는", false},
	{[]string{"이/가", "가/이", "이(가)", "가(이)"}, "이", "가", false},
	{[]string{"을/를", "를/을", "을(를)", "를(을)"}, "을", "를", false},
	{[]string{"으로/로", "로/으로", "으로(로)", "로(으로)", "(으)로"}, "으로", "로", true},
	{[]string{"과/와", "와/과", "과(와)", "와(과)"}, "과", "와", false},
	{[]string{"이라/라", "라/이라", "(이)라"}, "이라", "라", false},
	{[]string{"아/야", "야/아", "아(야)", "야(아)"}, "아", "야", false},
}

// at reports whether the pair stands at the beginning of the text, and how it
// is written there.
func (p *particles) at(text string) (string, bool) {
	for _, w := range p.written {
		if strings.HasPrefix(text, w) {
			return w, true
		}
	}
	return "", false
}

// after returns the particle that suits the word; the pair as "은(는)" where the
// word's reading is not known.
func (p *particles) after(word string) string {
	switch end := endOf(word); {
	case end == endUnknown:
		return p.consonant + "(" + p.vowel + ")"
	case end == endVowel, end == endRieul && p.rieul:
		return p.vowel
	}
	return p.consonant
}

// ending is how a word ends when it is read aloud in Korean.
type ending int

const (
	endUnknown ending = iota
	endVowel
	endRieul
	endConsonant
)

// digitEndings are those of 영 일 이 삼 사 오 육 칠 팔 구.
var digitEndings = [10]ending{endConsonant, endRieul, endVowel, endConsonant, endVowel, endVowel,
	endConsonant, endRieul, endRieul, endVowel}

// endOf reads the last letter or digit of a word; brackets, quotes and other
// marks at the end are passed over.
func endOf(word string) ending {
	runes := []rune(word)
	for i := len(runes) - 1; i >= 0; i-- {
		switch r := runes[i]; {
		case r >= 0xAC00 && r <= 0xD7A3:
			return hangulEnd(r)
		case r >= '0' && r <= '9':
			return digitEndings[r-'0']
		case r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
			return latinEnd(runes[:i+1])
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			return endUnknown
		}
	}
	return endUnknown
}

// hangulEnd reads the final consonant of a syllable: 28 syllables share their
// beginning, the first of which has none; the eighth consonant is ㄹ.
func hangulEnd(r rune) ending {
	switch (r - 0xAC00) % 28 {
	case 0:
		return endVowel
	case 8:
		return endRieul
	}
	return endConsonant
}

// latinEnd follows the usual reading: letters spelt one by one are read by
// their names (L 엘, M 엠, N 엔, R 알), words by their last sound.
func latinEnd(word []rune) ending {
	last := word[len(word)-1]
	spelt := last >= 'A' && last <= 'Z'
	lower := unicode.ToLower(last)
	switch {
	case lower == 'l' || spelt && lower == 'r':
		return endRieul
	case lower == 'm' || lower == 'n':
		return endConsonant
	case spelt:
		return endVowel
	case strings.ContainsRune("bckpt", lower):
		return endConsonant
	case lower == 'g' && len(word) > 1 && unicode.ToLower(word[len(word)-2]) == 'n':
		return endConsonant
	}
	return endVowel
}
