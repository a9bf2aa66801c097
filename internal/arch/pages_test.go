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

var (
	command = regexp.MustCompile("go (?:test|run) [^`\n]*")
	chosen  = regexp.MustCompile(`-(run|bench)[ =]('[^']*'|[^ ]+)`)
	folder  = regexp.MustCompile(`(?:^| )(\.(?:/[A-Za-z0-9_/-]+)?)(?: |$|:)`)
)

// TestCommandsOfPagesRunSomething: the package of each command that a page shows is
// there, and has tests or benchmarks of the names that the command chooses.
func TestCommandsOfPagesRunSomething(t *testing.T) {
	names, found := map[string][]string{}, 0 // of the functions of tests, by folder
	for _, s := range sources(t) {
		dir := path.Dir(s.name)
		names[dir] = append(names[dir], "")
		for _, d := range s.file.Decls {
			if f, is := d.(*ast.FuncDecl); is && f.Recv == nil && strings.HasSuffix(s.name, "_test.go") {
				names[dir] = append(names[dir], f.Name.Name)
			}
		}
	}
	for _, name := range pages {
		for _, line := range command.FindAllString(page(t, name), -1) {
			at := folder.FindStringSubmatch(line)
			if at == nil {
				continue // "./...", or a command in a sentence that leaves the package to the reader
			}
			there := names[path.Clean(at[1])]
			if there == nil {
				t.Errorf("%s: %q: there is no package %s", name, line, at[1])
			}
			for _, c := range chosen.FindAllStringSubmatch(line, -1) {
				pattern, _, _ := strings.Cut(strings.Trim(c[2], "'"), "/")
				if pattern == "^$" || strings.HasPrefix(line, "go run") {
					continue
				}
				kind := map[string]string{"run": "Test", "bench": "Benchmark"}[c[1]]
				re := regexp.MustCompile(pattern)
				if !slices.ContainsFunc(there, func(fn string) bool { return strings.HasPrefix(fn, kind) && re.MatchString(fn) }) {
					t.Errorf("%s: %q: package %s has no %s of that name", name, line, at[1], strings.ToLower(kind))
				}
				found++
			}
		}
	}
	if found < 15 {
		t.Errorf("the pages show %d commands that choose tests; the rule has lost its subject", found)
	}
}
