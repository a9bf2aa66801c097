package placetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/placetest"
)

func TestPlacesAreFoundWhereverTheyStand(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         nil,
		"100% sure, {one|many}":    nil,
		"%s of %d":                 {"1s", "2d"},
		"%[2]d中%[1]s":              {"1s", "2d"},
		"%[2]s %s, %s":             {"2s", "3s", "4s"},
		"%.1f MB: %w":              {"1.1f", "2s"},
		"{n}점, {name} #{customer}": {"#{customer}", "{name}", "{n}"},
		"%s %[1]s":                 {"1s", "1s"},
	} {
		require.Equal(t, want, placetest.Of(text), text)
	}
}
