package sqlite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The n-th file makes schema version n, and says so: two that were added side by
// side under one number must not both go in.
func TestMigrationsAreNumberedOneByOne(t *testing.T) {
	files, err := migrations.ReadDir("migrations")
	require.NoError(t, err)
	for i, f := range files {
		require.Contains(t, f.Name(), fmt.Sprintf("%05d_", i+1))
		text, err := migrations.ReadFile("migrations/" + f.Name())
		require.NoError(t, err)
		require.Contains(t, string(text), fmt.Sprintf("%d", i+1), f.Name())
	}
}
