package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"unicode"
)

// checkImports holds a file against the rule of its package. Tests may import
// what they need.
func checkImports(s source) []string {
	r, ok := ruleOf(s.pkg)
	if s.test || !ok {
		return nil
	}
	var found []string
	for p, spec := range s.imports() {
		if why := forbiddenImport(s.pkg, r, p); why != "" {
			found = append(found, fmt.Sprintf("%s: package %s imports %s: %s", s.at(spec), s.pkg, p, why))
		}
	}
	return found
}

func forbiddenImport(pkg string, r packageRule, p string) string {
	own, inModule := strings.CutPrefix(p, module+"/")
	if p == module {
		own, inModule = ".", true
	}
	switch {
	case copied(pkg) && strings.HasPrefix(own, "internal/"):
		return "hosts copy this package, and a copy elsewhere cannot import what is internal"
	case inModule && (slices.Contains(always, own) || matchesAny(r.may, own) || sameAdapter(pkg, own)):
	case inModule && own == pkg:
		return "it imports itself"
	case inModule:
		return fmt.Sprintf("of this module it may import %v: %s", with(r.may, always), r.why)
	case isStd(p):
		if why, bad := impureStd[p]; r.pure && bad && !slices.Contains(r.stdToo, p) {
			return why + ": " + r.why
		}
	case !ofModules(r.modules, p):
		return fmt.Sprintf("of other modules it may import %v: %s", r.modules, r.why)
	}
	return ""
}

// copied are what a host copies into its own program, where it cannot import
// what is internal here.
func copied(pkg string) bool {
	return strings.HasPrefix(pkg, "channel/postcard") || strings.HasPrefix(pkg, "examples/")
}

// sameAdapter says that two packages belong to one adapter: they lie below the
// same folder of channel. So a new channel needs no rule of its own.
func sameAdapter(a, b string) bool {
	x, y := strings.SplitN(a, "/", 3), strings.SplitN(b, "/", 3)
	return len(x) > 1 && len(y) > 1 && x[0] == "channel" && y[0] == "channel" && x[1] == y[1]
}

// emulator says that a package plays a provider, or belongs to one that does:
// channel/x/xtest and what is below it.
func emulator(pkg string) bool {
	parts := strings.Split(pkg, "/")
	return len(parts) > 2 && parts[0] == "channel" && parts[2] == parts[1]+"test"
}

// ofModules says whether a package is one of the listed ones or below one; a
// name that ends in "/" stands for what is below it, the empty one for all.
func ofModules(modules []string, p string) bool {
	return slices.ContainsFunc(modules, func(m string) bool {
		return m == "" || p == m || strings.HasPrefix(p, strings.TrimSuffix(m, "/")+"/")
	})
}

// checkByHand finds flows of the root that write what the end of their unit writes.
func checkByHand(s source) []string {
	if s.test || s.pkg != "." {
		return nil
	}
	var found []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, is := n.(*ast.CallExpr)
		if !is {
			return true
		}
		if f, is := call.Fun.(*ast.SelectorExpr); is && byHand[f.Sel.Name] != "" && byHand[f.Sel.Name] != s.name {
			found = append(found, fmt.Sprintf("%s: %s is for the end of a unit (%s): change the unit's copy, and nobody saves",
				s.at(n), f.Sel.Name, byHand[f.Sel.Name]))
		}
		return true
	})
	return found
}

// checkPurity finds what a pure package must not do.
func checkPurity(s source) []string {
	r, ok := ruleOf(s.pkg)
	if s.test || !ok || !r.pure {
		return nil
	}
	var found []string
	add := func(n ast.Node, what, why string) {
		found = append(found, fmt.Sprintf("%s: package %s %s: %s; %s", s.at(n), s.pkg, what, why, r.why))
	}
	for p, spec := range s.imports() {
		if spec.Name != nil && spec.Name.Name == "." && isStd(p) {
			add(spec, "imports "+p+" without a name", "it cannot be seen what is used of it")
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			add(n, "starts a goroutine", "its outcome would depend on scheduling")
		}
		return true
	})
	s.uses(func(p, name string, n ast.Node) {
		if why, bad := impureCalls[p][name]; bad {
			add(n, "uses "+p+"."+name, why)
		}
		if (p == "math/rand" || p == "math/rand/v2") && !seededRandom[name] {
			add(n, "uses "+p+"."+name, "randomness is an argument: a *rand.Rand, or a seed")
		}
	})
	return found
}

// checkTestOnly keeps testing, and what is built on it, out of what hosts get.
// Examples may start an emulator.
func checkTestOnly(s source) []string {
	if s.test || matchesAny(testSupport, s.pkg) || emulator(s.pkg) {
		return nil
	}
	var found []string
	example := matches("examples/...", s.pkg)
	for p, spec := range s.imports() {
		if emulator(strings.TrimPrefix(p, module+"/")) && !example {
			found = append(found, fmt.Sprintf("%s: %s is imported outside of tests and examples: hosts get no emulators", s.at(spec), p))
		}
		for _, only := range testOnly {
			if example && strings.HasPrefix(only, module+"/channel/") {
				continue
			}
			if p == only || strings.HasPrefix(p, only+"/") {
				found = append(found,
					fmt.Sprintf("%s: %s is imported outside of tests: it would reach every host; only %v may", s.at(spec), p,
						testSupport))
			}
		}
	}
	return found
}

// checkMACs finds signatures that are compared in a time that depends on how
// much of them is right.
func checkMACs(s source) []string {
	if s.test || !slices.ContainsFunc(macPackages,
		func(p string) bool { return matches(p, s.pkg) || p != "." && matches(p+"/...", s.pkg) }) {
		return nil
	}
	var found []string
	add := func(n ast.Node, how string) {
		found = append(found,
			fmt.Sprintf("%s: a signature is compared with %s, in a time that tells how much of it is right: use hmac.Equal",
				s.at(n), how))
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && (namesMAC(n.X) || namesMAC(n.Y)) && !constant(n.X) && !constant(n.Y) {
				add(n, n.Op.String())
			}
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || !slices.ContainsFunc(n.Args, namesMAC) {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && variableTime[pkg.Name+"."+sel.Sel.Name] {
				add(n, pkg.Name+"."+sel.Sel.Name)
			}
		}
		return true
	})
	return found
}

var variableTime = map[string]bool{
	"bytes.Equal": true, "bytes.Compare": true, "bytes.EqualFold": true, "strings.EqualFold": true, "strings.Compare": true,
	"slices.Equal": true, "slices.Compare": true, "reflect.DeepEqual": true,
}

// constant says whether the expression is a literal, nil, true or false: asking
// whether a signature is there at all is no comparison of it.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false"
	}
	return false
}

// namesMAC says whether the value's own name says that it is a signature.
func namesMAC(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return macName(e.Name)
	case *ast.SelectorExpr:
		return macName(e.Sel.Name)
	case *ast.ParenExpr:
		return namesMAC(e.X)
	case *ast.StarExpr:
		return namesMAC(e.X)
	case *ast.IndexExpr:
		return namesMAC(e.X)
	case *ast.SliceExpr:
		return namesMAC(e.X)
	case *ast.CallExpr:
		// A conversion such as string(sig), and what a call named so returns.
		if id, ok := e.Fun.(*ast.Ident); ok && id.Name == "len" {
			return false
		}
		return namesMAC(e.Fun) || len(e.Args) == 1 && namesMAC(e.Args[0])
	}
	return false
}

// macName looks at the words of a name: sig is one in wantSig, not in assign.
func macName(name string) bool {
	words := strings.FieldsFunc(splitCamel(name), func(r rune) bool { return r == ' ' || r == '_' })
	return slices.ContainsFunc(words, func(w string) bool { return w == "mac" || w == "hmac" || w == "sig" || w == "signature" })
}

func splitCamel(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// checkComments finds exported names of public packages that have no comment.
func checkComments(s source) []string {
	if s.test || s.file.Name.Name == "main" || matches("internal/...", s.pkg) || strings.Contains(s.pkg, "/internal/") {
		return nil
	}
	var found []string
	need := func(id *ast.Ident, comments ...*ast.CommentGroup) {
		if id.IsExported() && !slices.ContainsFunc(comments,
			func(c *ast.CommentGroup) bool { return c != nil && strings.TrimSpace(c.Text()) != "" }) {
			found = append(found, fmt.Sprintf("%s: %s has no comment: the comments are the contract", s.at(id), id.Name))
		}
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || exportedReceiver(d) && !plainMethods[d.Name.Name] {
				need(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			enumerated := false
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					need(spec.Name, spec.Doc, d.Doc, spec.Comment)
				case *ast.ValueSpec:
					// The values of a type are listed under its comment.
					enumerated = d.Tok == token.CONST && (spec.Type != nil || enumerated && spec.Values == nil)
					if enumerated {
						continue
					}
					for _, n := range spec.Names {
						need(n, spec.Doc, d.Doc, spec.Comment)
					}
				}
			}
		}
	}
	return found
}

func exportedReceiver(d *ast.FuncDecl) bool {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
