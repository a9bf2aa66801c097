package privacy_test

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation/privacy"
)

type sample struct {
	line     int
	language string
	text     string
	want     []privacy.Finding
}

var marked = regexp.MustCompile(`\[\[([a-z_]+):([^\]]+)\]\]`)

func corpus(t testing.TB) []sample {
	file, err := os.Open("testdata/corpus.txt")
	require.NoError(t, err)
	defer file.Close()
	var samples []sample
	scanner := bufio.NewScanner(file)
	for n := 1; scanner.Scan(); n++ {
		if strings.HasPrefix(scanner.Text(), "#") {
			continue
		}
		language, raw, ok := strings.Cut(scanner.Text(), "\t")
		require.True(t, ok, "line %d", n)
		raw, err := strconv.Unquote(`"` + raw + `"`)
		require.NoError(t, err, "line %d", n)
		s := sample{line: n, language: language}
		at := 0
		for _, m := range marked.FindAllStringSubmatchIndex(raw, -1) {
			s.text += raw[at:m[0]]
			start := len(s.text)
			s.text += raw[m[4]:m[5]]
			s.want = append(s.want, privacy.Finding{Span: privacy.Span{Start: start, End: len(s.text)}, Type: privacy.Type(raw[m[2]:m[3]])})
			at = m[1]
		}
		s.text += raw[at:]
		samples = append(samples, s)
	}
	require.NoError(t, scanner.Err())
	return samples
}

type score struct{ hit, missed, wrong int }

func (s score) precision() float64 { return float64(s.hit) / float64(max(1, s.hit+s.wrong)) }
func (s score) recall() float64    { return float64(s.hit) / float64(max(1, s.hit+s.missed)) }

// TestCorpus asserts floors of precision and recall for findings from Medium
// on, exact in type and span.
func TestCorpus(t *testing.T) {
	var total score
	scores := map[string]*score{}
	count := func(key string) *score {
		if scores[key] == nil {
			scores[key] = &score{}
		}
		return scores[key]
	}
	samples := corpus(t)
	for _, s := range samples {
		var got []privacy.Finding
		for _, f := range privacy.Detect(s.text) {
			if f.Confidence >= privacy.Medium {
				f.Confidence = 0
				got = append(got, f)
			}
		}
		for _, w := range s.want {
			key := s.language + " " + string(w.Type)
			if slices.Contains(got, w) {
				count(key).hit++
				total.hit++
				continue
			}
			count(key).missed++
			total.missed++
			t.Logf("line %d: missed %s in %q, found %v", s.line, w.Type, s.text, got)
		}
		for _, g := range got {
			if !slices.Contains(s.want, g) {
				count(s.language+" "+string(g.Type)).wrong++
				total.wrong++
				t.Logf("line %d: wrong %s %q in %q", s.line, g.Type, s.text[g.Start:g.End], s.text)
			}
		}
	}
	var table strings.Builder
	for _, key := range slices.Sorted(func(yield func(string) bool) {
		for k := range scores {
			if !yield(k) {
				return
			}
		}
	}) {
		s := scores[key]
		fmt.Fprintf(&table, "\n%-20s found %3d missed %d wrong %d", key, s.hit, s.missed, s.wrong)
	}
	t.Logf("%d texts, precision %.3f, recall %.3f%s", len(samples), total.precision(), total.recall(), table.String())
	require.GreaterOrEqual(t, total.precision(), 0.97)
	require.GreaterOrEqual(t, total.recall(), 0.97)
	for key, s := range scores {
		if strings.HasSuffix(key, "rrn") || strings.HasSuffix(key, "frn") || strings.HasSuffix(key, "card") {
			require.Zero(t, s.missed, key)
		}
	}
}
