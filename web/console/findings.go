package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/sangdam/sangdam/channel/adapter"
)

//go:embed findings/*.json
var findingFiles embed.FS

// findings say what adapters find about their accounts in another language than
// theirs. An adapter writes sentences and no codes: a sentence is known by its
// words, with %s for what differs. What a language does not have is said in
// English.
type findings []finding

type finding struct {
	is   *regexp.Regexp
	said string
}

func loadFindings(tag string) (findings, error) {
	raw, err := findingFiles.ReadFile("findings/" + tag + ".json")
	if err != nil { // English needs none
		return nil, nil //nolint:nilerr // there is no such file
	}
	known := map[string]string{}
	if err := json.Unmarshal(raw, &known); err != nil {
		return nil, fmt.Errorf("console: findings/%s.json: %w", tag, err)
	}
	var out findings
	for _, sentence := range sortedKeys(known) {
		is, err := regexp.Compile("^" + strings.ReplaceAll(regexp.QuoteMeta(sentence), "%s", "(.+)") + "$")
		if err != nil {
			return nil, err
		}
		out = append(out, finding{is, known[sentence]})
	}
	return out, nil
}

// found is a sentence of an adapter in the reader's language.
func (l *language) found(text string) string {
	for _, prefix := range []string{"line: ", "email: ", "webchat: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	for _, f := range l.findings {
		if m := f.is.FindStringSubmatch(text); m != nil {
			var parts []any
			for _, p := range m[1:] {
				parts = append(parts, p)
			}
			return fmt.Sprintf(f.said, parts...)
		}
	}
	return text
}

// foundIn are an adapter's findings in the reader's language.
func (l *language) foundIn(list []adapter.Finding) (out []adapter.Finding) {
	for _, f := range list {
		f.Detail, f.Remedy = l.found(f.Detail), l.found(f.Remedy)
		out = append(out, f)
	}
	return out
}
