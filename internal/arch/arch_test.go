package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// report fails the test with each violation.
func report(t *testing.T, violations []string) {
	t.Helper()
	for _, v := range violations {
		t.Error(v)
	}
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		report(t, checkImports(s))
	}
}

func TestPurity(t *testing.T) {
	for _, s := range sources(t) {
		report(t, checkPurity(s))
	}
}

func TestTestingStaysInTests(t *testing.T) {
	for _, s := range sources(t) {
		report(t, checkTestOnly(s))
	}
}

func TestSignaturesAreComparedInConstantTime(t *testing.T) {
	for _, s := range sources(t) {
		report(t, checkMACs(s))
	}
}

func TestTheEndOfAUnitSaves(t *testing.T) {
	for _, s := range sources(t) {
		report(t, checkByHand(s))
	}
}

func TestPublicNamesHaveComments(t *testing.T) {
	commented := make(map[string]bool)
	for _, s := range sources(t) {
		report(t, checkComments(s))
		if !s.test {
			commented[s.pkg] = commented[s.pkg] || s.file.Doc != nil
		}
	}
	for pkg, ok := range commented {
		if !ok {
			t.Errorf("package %s has no package comment: say what it owns, in a newcomer's words", pkg)
		}
	}
}

// A rule without a subject guards nothing and hides that the shape changed.
func TestRulesHaveSubjects(t *testing.T) {
	pkgs := make(map[string]bool)
	for _, s := range sources(t) {
		pkgs[s.pkg] = true
	}
	exists := func(pattern string) bool {
		for p := range pkgs {
			if matches(pattern, p) {
				return true
			}
		}
		return false
	}
	for _, r := range packageRules {
		if !r.planned && !exists(r.path) {
			t.Errorf("a rule is about package %s, which is not there: write the package, or change the rule and docs/design.md", r.path)
		}
	}
	for _, r := range depsRules {
		if !exists(r.path) {
			t.Errorf("a rule on dependencies is about package %s, which is not there", r.path)
		}
	}
	for _, p := range testSupport {
		if !exists(p) {
			t.Errorf("%s may import testing, but is not there", p)
		}
	}
	for p := range pkgs {
		if _, ok := ruleOf(p); !ok {
			t.Errorf("package %s has no rule: add one to rules_test.go, with its reason, and a line to docs/design.md", p)
		}
	}
}

// made reads from .gitignore what the README's commands leave at the top level, which
// is in no commit: whoever runs the demonstration first runs the tests as well.
func made(t *testing.T) map[string]bool {
	text, err := os.ReadFile(filepath.Join(root(t), ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, is := strings.CutPrefix(strings.TrimSpace(line), "/"); is {
			names[name] = true
		}
	}
	return names
}

func TestTopLevel(t *testing.T) {
	made := made(t)
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		if made[name] {
			continue
		}
		there[name] = true
		if _, ok := topLevel[name]; !ok && path.Ext(name) != ".go" {
			t.Errorf("%s stands at the top level: a newcomer finds the room from the top, so only what docs/design.md lists stands there",
				name)
		}
	}
	for name, required := range topLevel {
		if required && !there[name] {
			t.Errorf("%s is missing at the top level", name)
		}
	}
}

type listed struct {
	ImportPath string
	Standard   bool
	DepOnly    bool
	Error      *struct{ Err string }
}

// What a package brings along is what the go command says, since it counts what
// lies behind what is imported.
func TestDependencies(t *testing.T) {
	for _, r := range depsRules {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Standard,DepOnly,Error", "./"+r.path)
		cmd.Dir = root(t)
		var out, fault bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &fault
		if err := cmd.Run(); err != nil {
			t.Errorf("%s: go list: %v\n%s", r.path, err, &fault)
			continue
		}
		for dec := json.NewDecoder(&out); ; {
			var p listed
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if p.Error != nil {
				t.Errorf("%s: %s cannot be listed: %s", r.path, p.ImportPath, p.Error.Err)
			}
			if p.Standard || p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/") {
				continue
			}
			if !ofModules(r.modules, p.ImportPath) {
				t.Errorf("%s brings %s along: %s", r.path, p.ImportPath, r.why)
			}
		}
	}
}
