package arch

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are what people read beside the code. What they name is held against the
// code, so that a name that is changed is changed there too.
var pages = []string{"README.md", "README.ko.md", "SECURITY.md", "docs/design.md", "docs/requirements.md", "docs/rough-edges.md",
	"docs/channels.md", "docs/crash.md", "docs/performance.md"}

var (
	quoted   = regexp.MustCompile("`([^`\n]+)`")
	testName = regexp.MustCompile(`^Test[A-Za-z0-9_]+$`)
	goFile   = regexp.MustCompile(`^[A-Za-z0-9_/]+\.go$`)
	codeName = regexp.MustCompile(`^\*?([a-z]+\.)?[A-Z][A-Za-z0-9]+(\.[A-Z][A-Za-z0-9]+)*$`)
	linked   = regexp.MustCompile(`\]\(([^)#\s]+)\)`)
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPagesNameWhatIsThere: the tests, files and exported names that a page puts
// between back-quotes exist. Names of other people's programs are capitals alone.
func TestPagesNameWhatIsThere(t *testing.T) {
	names, files := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		files[s.name] = true
		files[path.Base(s.name)] = true
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				names[id.Name] = true
			}
			return true
		})
	}
	found := 0
	for _, name := range pages {
		for _, m := range quoted.FindAllStringSubmatch(page(t, name), -1) {
			text := m[1]
			switch {
			case testName.MatchString(text) && !names[text]:
				t.Errorf("%s names %s, which is not there", name, text)
			case goFile.MatchString(text) && !files[text]:
				t.Errorf("%s names the file %s, which is not there", name, text)
			case codeName.MatchString(text) && strings.ToUpper(text) != text:
				if last := text[strings.LastIndexAny(text, ".*")+1:]; !names[last] {
					t.Errorf("%s names %s, which is not in the code", name, text)
				}
			default:
				continue
			}
			found++
		}
	}
	if found < 300 {
		t.Errorf("the pages name %d things; the rule has lost its subject", found)
	}
}

// TestLinksOfPagesLead: what a page links to in the module is there.
func TestLinksOfPagesLead(t *testing.T) {
	for _, name := range pages {
		for _, m := range linked.FindAllStringSubmatch(page(t, name), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root(t), path.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
}

// TestTheReadmesSayTheSame compares what can be compared: the two link to the same
// and have the same shape. Neither is longer than is read.
func TestTheReadmesSayTheSame(t *testing.T) {
	shape := func(name string) (links []string, rows, headings, points int) {
		text := page(t, name)
		lines := strings.Split(text, "\n")
		if len(lines) > 150 {
			t.Errorf("%s has %d lines; at most 150 are read", name, len(lines))
		}
		for _, l := range lines {
			switch {
			case strings.HasPrefix(l, "|"):
				rows++
			case strings.HasPrefix(l, "#"):
				headings++
			case strings.HasPrefix(l, "- "):
				points++
			}
		}
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "README") {
				links = append(links, m[1])
			}
		}
		slices.Sort(links)
		return links, rows, headings, points
	}
	links, rows, headings, points := shape("README.md")
	links2, rows2, headings2, points2 := shape("README.ko.md")
	if !slices.Equal(links, links2) {
		t.Errorf("the READMEs link to other things:\n%q\n%q", links, links2)
	}
	if rows != rows2 || headings != headings2 || points != points2 {
		t.Errorf("the READMEs have %d and %d rows, %d and %d headings, %d and %d points", rows, rows2, headings, headings2, points, points2)
	}
}
