package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sangdam/sangdam"

// source is one Go file. Its package is the folder, relative to the module,
// "." for the root.
type source struct {
	pkg  string
	name string // relative to the module
	test bool
	file *ast.File
	fset *token.FileSet
}

// root is the folder of the module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("the module is not at %s: %v", dir, err)
	}
	return dir
}

// sources parses every Go file of the module. It does not ask the go command,
// so that a package that does not compile is judged as well.
func sources(t *testing.T) []source {
	t.Helper()
	dir := root(t)
	var all []source
	walk(t, dir, func(name string) {
		if path.Ext(name) != ".go" || slices.Contains(strings.Split(path.Dir(name), "/"), "testdata") {
			return
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(name, string(text))
		if err != nil {
			t.Errorf("%s does not parse: %v", name, err)
			return
		}
		all = append(all, s)
	})
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

func parse(name, text string) (source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	return source{pkg: path.Dir(name), name: name, test: strings.HasSuffix(name, "_test.go"), file: f, fset: fset}, err
}

// walk calls f with the slash-separated name of every regular file, except
// those of git.
func walk(t *testing.T, dir string, f func(name string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // a temporary file of somebody at work
		}
		if err != nil {
			return err
		}
		if e.IsDir() && e.Name() == ".git" {
			return fs.SkipDir
		}
		if e.Type().IsRegular() {
			rel, err := filepath.Rel(dir, p)
			if err != nil {
				return err
			}
			f(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s source) at(n ast.Node) string {
	return s.name + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// imports returns the paths that the file imports.
func (s source) imports() map[string]*ast.ImportSpec {
	m := make(map[string]*ast.ImportSpec)
	for _, spec := range s.file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			m[p] = spec
		}
	}
	return m
}

// uses calls f for every use of an exported name of an imported package.
func (s source) uses(f func(importPath, name string, n ast.Node)) {
	local := make(map[string]string)
	for p, spec := range s.imports() {
		name := path.Base(p)
		if name == "v2" {
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		local[name] = p
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		// An identifier with an object is a variable that hides the package.
		if id, ok := sel.X.(*ast.Ident); ok && id.Obj == nil && local[id.Name] != "" {
			f(local[id.Name], sel.Sel.Name, sel)
		}
		return true
	})
}

// isStd says whether an import path is of the standard library.
func isStd(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// matches says whether the package is the pattern's, which may end in "/...".
func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	base, below := strings.CutSuffix(pattern, "/...")
	return pkg == base || below && strings.HasPrefix(pkg, base+"/")
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

// ruleOf returns the most exact rule of a package.
func ruleOf(pkg string) (packageRule, bool) {
	var best packageRule
	found := false
	for _, r := range packageRules {
		if r.path == pkg {
			return r, true
		}
		if matches(r.path, pkg) && len(r.path) > len(best.path) {
			best, found = r, true
		}
	}
	return best, found
}
