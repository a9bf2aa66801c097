package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The list does not rot: every passage is there once, and every test that must
// go red exists.
func TestEveryMutationApplies(t *testing.T) {
	root, err := moduleRoot(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(mutations), 28)
	names := map[string]bool{}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			require.False(t, names[m.name], "two mutations have this name")
			names[m.name] = true
			_, err := m.mutated(root)
			require.NoError(t, err)
			require.NotEqual(t, m.old, m.new)
			files, err := filepath.Glob(filepath.Join(root, m.pkg, "*_test.go"))
			require.NoError(t, err)
			var all strings.Builder
			for _, f := range files {
				text, err := os.ReadFile(f)
				require.NoError(t, err)
				all.Write(text)
			}
			for test := range strings.SplitSeq(m.tests, "|") {
				test, _, _ = strings.Cut(test, "/")
				require.True(t, regexp.MustCompile(`(?m)^func `+test+`\w*\(`).MatchString(all.String()),
					"there is no %s in %s", test, m.pkg)
			}
		})
	}
}

func TestOnlyAFailedTestIsANotice(t *testing.T) {
	for out, want := range map[string]verdict{
		"--- FAIL: TestX (0.1s)\nFAIL\tpkg\n":         noticed,
		"panic: boom\nFAIL\tpkg 1s\n":                 noticed,
		"# pkg\nx.go:1: no\nFAIL\tpkg [build failed]": broken,
		"ok  \tpkg [no tests to run]\n":               broken,
		"go: no such package":                         broken,
	} {
		v, _ := judge(out, false)
		require.Equal(t, want, v, out)
	}
	for out, want := range map[string]verdict{
		"ok  \tpkg 1s\n": survived,
		"=== RUN   TestX\n    --- SKIP: TestX/postgres (0.0s)\n--- PASS: TestX (0.1s)\nPASS\n":     survived,
		"=== RUN   TestX\n    x_test.go:1: not here\n--- SKIP: TestX (0.0s)\nPASS\nok  \tpkg 1s\n": broken,
	} {
		v, _ := judge(out, true)
		require.Equal(t, want, v, out)
	}
}
