package condition

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// compilePattern bounds a pattern before it compiles it: RE2 takes linear
// time, and these bounds keep the factor small.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("not an RE2 pattern (%s): correct it, see https://github.com/google/re2/wiki/Syntax", patternFault(err))
	}
	if n := longestRepeat(tree); n > MaxRepeat {
		return nil, fmt.Errorf("a pattern that repeats {%d}: repeat at most %d times", n, MaxRepeat)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > MaxProgram {
		return nil, fmt.Errorf("a pattern too large: shorten it or its repetitions")
	}
	return regexp.Compile(pattern)
}

// patternFault names what is wrong without repeating the pattern.
func patternFault(err error) string {
	if fault, ok := err.(*syntax.Error); ok {
		return fault.Code.String()
	}
	return "unknown fault"
}

func longestRepeat(tree *syntax.Regexp) int {
	longest := 0
	if tree.Op == syntax.OpRepeat {
		longest = max(tree.Min, tree.Max)
	}
	for _, sub := range tree.Sub {
		longest = max(longest, longestRepeat(sub))
	}
	return longest
}
