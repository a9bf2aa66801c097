package arch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// leftovers are what a file must not hold. The words are put together here so
// that this file does not hold them.
var leftovers = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`), "what is left to do belongs to the list of work, not into the code"},
	{regexp.MustCompile(`(^|[\s"'(=:,` + "`" + `])/(home|Users)/[A-Za-z0-9_.-]+`), "the path is of one developer's machine"},
	{regexp.MustCompile(`(^|[\s"'(=:,` + "`" + `])/ro` + `ot/`), "the path is of one developer's machine"},
	{regexp.MustCompile(`(?m)^(<{7}|>{7}|\|{7})( |$)`), "the mark is left over from a merge"},
}

func TestLeftovers(t *testing.T) {
	dir := root(t)
	walk(t, dir, func(name string) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			return // a temporary file of somebody at work
		}
		if err != nil {
			t.Fatal(err)
		}
		report(t, checkLeftovers(name, text, machinePaths(dir)))
	})
}

// machinePaths are the places of this checkout and of this user's home, as far
// as they are specific enough to be searched for.
func machinePaths(dir string) []string {
	paths := []string{dir}
	if parent := filepath.Dir(dir); strings.Count(filepath.ToSlash(parent), "/") >= 1 && parent != filepath.Dir(parent) {
		paths = append(paths, parent+string(filepath.Separator))
	}
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		paths = append(paths, home+string(filepath.Separator))
	}
	return paths
}

func checkLeftovers(name string, text []byte, machine []string) []string {
	if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
		return nil // no text
	}
	var found []string
	for i, line := range strings.Split(string(text), "\n") {
		for _, l := range leftovers {
			if m := l.pattern.FindString(line); m != "" {
				found = append(found, fmt.Sprintf("%s:%d: %q: %s", name, i+1, m, l.why))
			}
		}
		for _, p := range machine {
			if at := strings.Index(line, p); at >= 0 && (at == 0 || !isPathByte(line[at-1])) {
				found = append(found, fmt.Sprintf("%s:%d: %q: the path is of the machine on which it was written", name, i+1, p))
			}
		}
	}
	return found
}

// isPathByte says whether a path goes on to the left, as in a URL.
func isPathByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-/~}>", c) >= 0
}
