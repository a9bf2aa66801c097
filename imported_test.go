package sangdam_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImportingIsCheap: every program that imports a package pays for what its
// variables begin with. A pattern for the names of fonts once took 4 MB of that for
// good, since it repeated the letters of all scripts.
func TestImportingIsCheap(t *testing.T) {
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	self.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	said, err := self.CombinedOutput()
	require.NoError(t, err, "%s", said)
	packages := regexp.MustCompile(`(?m)^init (github\.com/sangdam/sangdam\S*) .* (\d+) bytes,`).FindAllSubmatch(said, -1)
	require.Greater(t, len(packages), 10, "%s", said)
	for _, p := range packages {
		bytes, err := strconv.Atoi(string(p[2]))
		require.NoError(t, err)
		require.Less(t, bytes, 4<<20, "%s", p[1])
	}
}
