package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program answers its customer, the first time and on the same data again.
func TestItAnswers(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		ctx, stop := context.WithCancel(t.Context())
		said, err := run(ctx, dir)
		stop()
		require.NoError(t, err)
		require.Equal(t, "Yes, we do!", said[len(said)-1])
	}
}

// The READMEs show this program and not another one.
func TestTheReadmesShowThisProgram(t *testing.T) {
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	parts := strings.Split(string(source), "\t// README\n")
	require.Len(t, parts, 3)
	var shown []string
	for _, text := range strings.Split(strings.TrimRight(parts[1], "\n"), "\n") {
		shown = append(shown, strings.TrimPrefix(text, "\t"))
	}
	for _, name := range []string{"README.md", "README.ko.md"} {
		readme, err := os.ReadFile("../../" + name)
		require.NoError(t, err)
		require.Contains(t, string(readme), "```go\n"+strings.Join(shown, "\n")+"\n```", name)
	}
}
