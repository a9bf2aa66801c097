package arch

import (
	"go/ast"
	"go/token"
	"testing"
)

// What a host reads: how many names each of its packages exports, at most. A new
// name must earn its place beside what is there; raise a number only with a line in
// docs/design.md, section 7, that says what it is for. Lowering one is always right.
var exported = map[string]int{".": 307, "channel": 92, "conversation": 99, "routing": 113, "trigger": 44}

// mostNames is how many names a host reads at most in all of them, without the values
// of enumerations: constants of a declared type, which go doc lists under their type.
const mostNames = 400

func TestWhatAHostReadsDoesNotGrow(t *testing.T) {
	count, all := map[string]int{}, 0
	for _, s := range sources(t) {
		if _, ours := exported[s.pkg]; ours && !s.test {
			count[s.pkg] += exportedNames(s.file)
			all += exportedNames(s.file) - enumerated(s.file)
		}
	}
	if all > mostNames {
		t.Errorf("a host reads %d names that are no values of enumerations, at most %d: give what only some read a room of its own",
			all, mostNames)
	}
	for pkg, most := range exported {
		if n := count[pkg]; n > most {
			t.Errorf("package %s exports %d names, at most %d: keep what only the library needs to the library", pkg, n, most)
		}
	}
}

// exportedNames counts functions, types, constants and variables of the package,
// not methods and fields.
func exportedNames(f *ast.File) (n int) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				n++
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						n++
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() {
							n++
						}
					}
				}
			}
		}
	}
	return n
}

// enumerated counts exported constants of a declared type.
func enumerated(f *ast.File) (n int) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		typed := false
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			typed = v.Type != nil || typed && v.Values == nil
			for _, name := range v.Names {
				if typed && name.IsExported() {
					n++
				}
			}
		}
	}
	return n
}

func TestNamesAreCounted(t *testing.T) {
	s, err := parse("p.go",
		"package p\nimport \"io\"\ntype (A int; b int)\nconst C, d = 1, 2\nvar E io.Reader\nfunc F() {}\nfunc (A) G() {}\n")
	if err != nil {
		t.Fatal(err)
	}
	if n := exportedNames(s.file); n != 4 {
		t.Errorf("counted %d, want 4", n)
	}
	if s, err = parse("p.go", "package p\ntype K int\nconst (\nA K = iota\nB\nc\n)\nconst D = 1\n"); err != nil {
		t.Fatal(err)
	}
	if n := enumerated(s.file); n != 2 {
		t.Errorf("counted %d values, want 2", n)
	}
}
