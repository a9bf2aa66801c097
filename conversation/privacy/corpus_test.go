package privacy_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation/privacy"
)

// Other and more texts: go test ./conversation/privacy -run Corpus -v
// -corpus.seed=7 -corpus.size=10000. With -corpus.write the published file is
// written anew.
var (
	corpusSeed  = flag.Uint64("corpus.seed", 1, "seed of the generated texts")
	corpusSize  = flag.Int("corpus.size", 1000, "generated texts of each kind; traps are twenty times as many")
	corpusWrite = flag.Bool("corpus.write", false, "write testdata/generated.txt")
)

const generatedFile = "testdata/generated.txt"

type sample struct {
	line     int
	language string
	text     string
	want     []privacy.Finding
}

var marked = regexp.MustCompile(`\[\[([a-z_]+):([^\]]+)\]\]`)

// corpus reads the texts that were written by hand.
func corpus(t testing.TB) []sample {
	file, err := os.ReadFile("testdata/corpus.txt")
	require.NoError(t, err)
	return parsed(t, strings.Split(strings.TrimSuffix(string(file), "\n"), "\n"))
}

// parsed reads lines of a corpus: language, tab, text with marks and escapes.
func parsed(t testing.TB, lines []string) (samples []sample) {
	for n, line := range lines {
		if strings.HasPrefix(line, "#") {
			continue
		}
		language, raw, ok := strings.Cut(line, "\t")
		require.True(t, ok, "line %d", n+1)
		raw, err := strconv.Unquote(`"` + raw + `"`)
		require.NoError(t, err, "line %d", n+1)
		s := sample{line: n + 1, language: language}
		at := 0
		for _, m := range marked.FindAllStringSubmatchIndex(raw, -1) {
			s.text += raw[at:m[0]]
			start := len(s.text)
			s.text += raw[m[4]:m[5]]
			span := privacy.Span{Start: start, End: len(s.text)}
			s.want = append(s.want, privacy.Finding{Span: span, Type: privacy.Type(raw[m[2]:m[3]])})
			at = m[1]
		}
		s.text += raw[at:]
		samples = append(samples, s)
	}
	return samples
}

// score of one kind: data found and missed, exact in type and span, and of the
// texts that hold none of the kind those in which it was found all the same.
type score struct{ found, missed, without, wrong int }

func (s score) recall() float64        { return float64(s.found) / float64(max(1, s.found+s.missed)) }
func (s score) falsePositive() float64 { return float64(s.wrong) / float64(max(1, s.without)) }

// figures scores samples kind by kind, and tells of each fault. Addresses of
// mail and machines are sought apart, as they are not sought by default.
func figures(t *testing.T, samples []sample, scores map[privacy.Type]*score) {
	told := 0
	tell := func(format string, args ...any) {
		if told++; told <= 100 {
			t.Logf(format, args...)
		}
	}
	optional := []privacy.Type{privacy.Email, privacy.IP}
	for _, s := range samples {
		for _, kinds := range [][]privacy.Type{privacy.Types(), optional} {
			var got []privacy.Finding
			for _, f := range privacy.Detect(s.text, kinds...) {
				if f.Confidence >= privacy.Medium {
					f.Confidence = 0
					got = append(got, f)
				}
			}
			for _, kind := range kinds {
				if scores[kind] == nil {
					scores[kind] = &score{}
				}
				of := func(f privacy.Finding) bool { return f.Type == kind }
				for _, w := range s.want {
					switch {
					case w.Type != kind:
					case slices.Contains(got, w):
						scores[kind].found++
					default:
						scores[kind].missed++
						tell("line %d: missed %s in %q, found %v", s.line, w.Type, s.text, got)
					}
				}
				if !slices.ContainsFunc(s.want, of) {
					scores[kind].without++
					if i := slices.IndexFunc(got, of); i >= 0 {
						scores[kind].wrong++
						tell("line %d: wrong %s %q in %q", s.line, kind, s.text[got[i].Start:got[i].End], s.text)
					}
				}
			}
		}
	}
}

// TestCorpus measures the detectors, from Medium on, on the texts written by
// hand and on generated ones, and holds each kind to both figures.
func TestCorpus(t *testing.T) {
	t.Logf("seed %d", *corpusSeed)
	scores := map[privacy.Type]*score{}
	figures(t, corpus(t), scores)
	figures(t, parsed(t, newGenerator(*corpusSeed).lines(*corpusSize, 20**corpusSize)), scores)
	require.Len(t, scores, len(privacy.Types())+2)
	var table strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(scores)) {
		s := scores[kind]
		fmt.Fprintf(&table, "\n%-15s found %5d of %5d (%.2f %%), wrong in %3d of %6d texts (%.3f %%)",
			kind, s.found, s.found+s.missed, 100*s.recall(), s.wrong, s.without, 100*s.falsePositive())
	}
	t.Log(table.String())
	for kind, s := range scores {
		require.GreaterOrEqual(t, s.recall(), 0.995, "recall of %s", kind)
		require.LessOrEqual(t, s.falsePositive(), 0.003, "false positives of %s", kind)
	}
}

// TestTheGeneratedCorpusIsPublished: the file is what the generator makes with
// the seed that stands in it.
func TestTheGeneratedCorpusIsPublished(t *testing.T) {
	const seed = 1
	header := fmt.Sprintf("# Generated with seed %d in the form of corpus.txt, a part of what TestCorpus measures.\n"+
		"# Written by: go test ./conversation/privacy -run Published -corpus.write\n", seed)
	want := header + strings.Join(newGenerator(seed).lines(40, 800), "\n") + "\n"
	if *corpusWrite {
		require.NoError(t, os.WriteFile(generatedFile, []byte(want), 0o644))
	}
	got, err := os.ReadFile(generatedFile)
	require.NoError(t, err)
	require.True(t, want == string(got), "%s differs from what the generator makes: write it anew with -corpus.write", generatedFile)
}
