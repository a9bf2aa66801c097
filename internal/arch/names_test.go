package arch

import (
	"go/ast"
	"go/token"
	"testing"
)

// What a host reads: how many names each of its packages exports, at most. A new
// name must earn its place beside what is there; raise a number only with a line in
// docs/design.md, section 7, that says what it is for. Lowering one is always right.
var exported = map[string]int{".": 348, "channel": 91, "conversation": 134, "routing": 114, "trigger": 48}

func TestWhatAHostReadsDoesNotGrow(t *testing.T) {
	count := map[string]int{}
	for _, s := range sources(t) {
		if _, ours := exported[s.pkg]; ours && !s.test {
			count[s.pkg] += exportedNames(s.file)
		}
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

func TestNamesAreCounted(t *testing.T) {
	s, err := parse("p.go",
		"package p\nimport \"io\"\ntype (A int; b int)\nconst C, d = 1, 2\nvar E io.Reader\nfunc F() {}\nfunc (A) G() {}\n")
	if err != nil {
		t.Fatal(err)
	}
	if n := exportedNames(s.file); n != 4 {
		t.Errorf("counted %d, want 4", n)
	}
}
