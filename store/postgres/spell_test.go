package postgres

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/stretchr/testify/require"
)

// An hour without the server is two lines of the log, not one for each try.
func TestASpellOfFailuresIsTwoLines(t *testing.T) {
	var out bytes.Buffer
	s := spell{log: slog.New(slog.NewTextHandler(&out, nil)), begins: "it fails", ends: "it works again"}
	s.worked()
	require.Empty(t, out.String(), "nothing had failed")
	for range 3 {
		for range 700 {
			s.failed(errs.New(errs.Unavailable, "the server is away"))
		}
		s.worked()
		s.worked()
	}
	require.Equal(t, 3, strings.Count(out.String(), "it fails"))
	require.Equal(t, 3, strings.Count(out.String(), "it works again"))
	require.Equal(t, 3, strings.Count(out.String(), "the server is away"))
	require.Equal(t, 3, strings.Count(out.String(), "failures_not_logged=699"))
}
