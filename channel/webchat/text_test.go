package webchat_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/placetest"
)

// The window and its button say every line in every language, with the same places.
func TestEveryLanguageHasEveryLine(t *testing.T) {
	raw, err := os.ReadFile("widget/text.js")
	require.NoError(t, err)
	all := map[string]map[string]string{}
	tongue, line := regexp.MustCompile(`^  (\w+): \{$`), regexp.MustCompile(`^    (\w+): ("(?:[^"\\]|\\.)*"),$`)
	var of map[string]string
	for text := range strings.Lines(string(raw)) {
		text = strings.TrimSuffix(text, "\n")
		if m := tongue.FindStringSubmatch(text); m != nil {
			of = map[string]string{}
			all[m[1]] = of
		} else if m := line.FindStringSubmatch(text); m != nil {
			require.NotContains(t, of, m[1], "said twice")
			of[m[1]], err = strconv.Unquote(m[2])
			require.NoError(t, err, text)
		} else {
			require.NotRegexp(t, `^    \w+:`, text, "a line that this test cannot read")
		}
	}
	placetest.Same(t, all)

	files, err := filepath.Glob("widget/*.js")
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\bt\("(\w+)"`).FindAllStringSubmatch(string(raw), -1) {
			require.Contains(t, all["en"], m[1], "%s names it", f)
		}
		if filepath.Base(f) == "loader.js" {
			for _, tag := range []string{"en", "ko", "ja"} {
				require.Regexp(t, `const tongues = \{.*\b`+tag+`: \["[^"]+", "[^"]+", "[^"]+"\]`, string(raw), "the button in %s", tag)
			}
		}
	}
}
