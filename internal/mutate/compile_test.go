package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// listed is a package as the go tool tells of it.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// TestEveryMutationCompiles: one that does not says nothing about the tests. The types
// of a whole package are checked anew with each mutated file, against what the compiler
// exported of all others.
func TestEveryMutationCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("checks a hundred packages; the plain run does")
	}
	root, err := moduleRoot(t.Context())
	require.NoError(t, err)
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", "./...")
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, list.Start())
	dirs, exports := map[string]listed{}, map[string]string{}
	for d := json.NewDecoder(out); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		dirs[p.Dir], exports[p.ImportPath] = p, p.Export
	}
	require.NoError(t, list.Wait())

	fset := token.NewFileSet()
	from := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	parsed := map[string]*ast.File{}
	for _, m := range mutations {
		if filepath.Ext(m.file) != ".go" {
			continue
		}
		p, known := dirs[filepath.Dir(filepath.Join(root, m.file))]
		require.True(t, known, "%s: its file is in no package", m.name)
		text, err := m.mutated(root)
		require.NoError(t, err)
		files := make([]*ast.File, len(p.GoFiles))
		for i, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			if name == filepath.Base(m.file) {
				files[i], err = parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
				require.NoError(t, err, m.name)
				continue
			}
			if parsed[path] == nil {
				parsed[path], err = parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
				require.NoError(t, err)
			}
			files[i] = parsed[path]
		}
		_, err = (&types.Config{Importer: from}).Check(p.ImportPath, fset, files, nil)
		require.NoError(t, err, m.name)
	}
}
