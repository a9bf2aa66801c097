package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"
)

// What fits into a reader's eye: a function on a screen, a line beside another
// file, a file in one sitting. A tab is four columns.
const (
	mostFunction = 70
	// usualFunction holds for 95 of 100 functions outside tests.
	usualFunction = 31
	mostColumns   = 140
	mostFile      = 700
)

func TestSizes(t *testing.T) {
	dir := root(t)
	for _, s := range sources(t) {
		text, err := os.ReadFile(filepath.Join(dir, s.name))
		if err != nil {
			t.Fatal(err)
		}
		report(t, checkSizes(s, text))
	}
}

// Most functions are read without turning back: 95 of 100 have at most
// usualFunction lines, from the line of func to that of the closing brace.
func TestMostFunctionsAreShort(t *testing.T) {
	var all []int
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				all = append(all, s.lines(f))
			}
		}
	}
	slices.Sort(all)
	if n := percentile(all, 95); n > usualFunction {
		over := len(all) - sort.SearchInts(all, usualFunction+1)
		t.Errorf("95 of 100 functions have up to %d lines, which shall be %d: %d of %d are longer; give a part of some a name",
			n, usualFunction, over, len(all))
	}
}

// percentile is the value of sorted numbers that p of 100 do not exceed.
func percentile(sorted []int, p int) int { return sorted[(len(sorted)*p+99)/100-1] }

func checkSizes(s source, text []byte) []string {
	var bad []string
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if len(lines) > mostFile {
		bad = append(bad, fmt.Sprintf("%s has %d lines: move what is told apart by itself into a file of its own (at most %d)",
			s.name, len(lines), mostFile))
	}
	for i, line := range lines {
		if n := utf8.RuneCount(line) + 3*bytes.Count(line, []byte("\t")); n > mostColumns {
			bad = append(bad, fmt.Sprintf("%s:%d has %d columns: break it (at most %d, a tab is 4)", s.name, i+1, n, mostColumns))
		}
	}
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		n := s.lines(f)
		if s.test {
			n -= s.tables(f)
		}
		if n > mostFunction {
			bad = append(bad, fmt.Sprintf("%s: %s has %d lines: give a part of it a name (at most %d)",
				s.at(f), f.Name.Name, n, mostFunction))
		}
	}
	return bad
}

// lines is how many lines a node goes over.
func (s source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// tables is how many lines of a test are rows of its tables, which are read row
// by row and not as a flow: the composite literals of ten lines and more.
func (s source) tables(f *ast.FuncDecl) (n int) {
	ast.Inspect(f, func(x ast.Node) bool {
		lit, ok := x.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if lines := s.lines(lit); lines >= 10 {
			n += lines
		}
		return false
	})
	return n
}

func TestLargeThingsAreCaught(t *testing.T) {
	long := strings.Repeat("\t_ = 1\n", mostFunction-1)
	rows := "\t_ = []int{\n" + strings.Repeat("\t1,\n", mostFunction) + "\t}\n"
	for _, c := range []struct {
		name, file, text string
		bad              int
	}{
		{"what fits", "p.go", "package p\nfunc f() {\n" + long[:len(long)-8] + "}\n", 0},
		{"a long function", "p.go", "package p\nfunc f() {\n" + long + "}\n", 1},
		{"a table in a function", "p.go", "package p\nfunc f() {\n" + rows + "}\n", 1},
		{"a table in a test", "p_test.go", "package p\nfunc f() {\n" + rows + "}\n", 0},
		{"a long line", "p.go", "package p\n//" + strings.Repeat("가", mostColumns-1) + "\n", 1},
		{"a line with tabs", "p.go", "package p\nvar (\n\t" + "a = `" + strings.Repeat("x", mostColumns-9) + "`\n)\n", 1},
		{"a line that fits", "p.go", "package p\n//" + strings.Repeat("가", mostColumns-2) + "\n", 0},
		{"a long file", "p.go", "package p\n" + strings.Repeat("\n", mostFile) + "var x int\n", 1},
	} {
		s, err := parse(c.file, c.text)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if got := checkSizes(s, []byte(c.text)); len(got) != c.bad {
			t.Errorf("%s: got %q, want %d", c.name, got, c.bad)
		}
	}
}
