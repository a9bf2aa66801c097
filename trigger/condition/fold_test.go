package condition

import (
	"strings"
	"testing"
	"unicode"
)

func TestFoldRuneAgreesWithEqualFold(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if 0xd800 <= r && r < 0xe000 {
			continue
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if foldRune(other) != foldRune(r) {
				t.Fatalf("%U and %U fold apart", r, other)
			}
		}
		if f := foldRune(r); f != r && !strings.EqualFold(string(f), string(r)) {
			t.Fatalf("%U folds to %U", r, f)
		}
	}
}
