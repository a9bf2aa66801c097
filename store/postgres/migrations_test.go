package postgres

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The n-th file makes schema version n: two that were added side by side under
// one number must not both go in.
func TestMigrationsAreNumberedOneByOne(t *testing.T) {
	files, err := migrationFiles.ReadDir("migrations")
	require.NoError(t, err)
	for i, f := range files {
		require.Contains(t, f.Name(), fmt.Sprintf("%04d_", i+1))
	}
}
