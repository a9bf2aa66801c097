package channeltest_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel/channeltest"
)

func graphemes(s string) int { return uniseg.GraphemeClusterCount(s) }

func TestAnHonestAdapterPasses(t *testing.T) {
	report := channeltest.Run(t, harnessOf(""))
	require.Equal(t, 2, report.Cannot)
	require.Equal(t, len(channeltest.Checks())-2, report.Ran)
}

// flaws are rules that the suite must notice to be broken.
var flaws = []string{
	"declares edits it does not report", "declares an interface it lacks", "valid without secret", "compares a prefix",
	"dedup by time", "one bad event loses all", "panics", "repeats the text in errors", "counts bytes",
	"ignores the context", "never the same bytes", "sends twice", "calls the unknown a retry", "shows the key",
	"blames every row", "blames the first row", "forgets parts", "drops choices",
}

// TestEveryFlawIsNoticed runs the suite in a process of its own on an adapter
// that breaks one rule: it has to fail there.
func TestEveryFlawIsNoticed(t *testing.T) {
	for _, flaw := range flaws {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFlawed$", "-test.count=1")
		cmd.Env = append(os.Environ(), "CHANNELTEST_FLAW="+flaw)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "nobody noticed: %s", flaw)
		require.Contains(t, string(out), "FAIL", flaw)
	}
}

// TestFlawed does something only as the child of TestEveryFlawIsNoticed.
func TestFlawed(t *testing.T) {
	if flaw := os.Getenv("CHANNELTEST_FLAW"); flaw != "" {
		channeltest.Run(t, harnessOf(flaw))
	}
}

// An adapter's test hands its harness to Run and states how many checks its
// provider gives no means to perform.
func ExampleRun() {
	harness := harnessOf("")
	test := func(t *testing.T) {
		if report := channeltest.Run(t, harness); report.Cannot != 2 {
			t.Errorf("%d checks cannot be performed, want 2", report.Cannot)
		}
	}
	fmt.Println(test != nil, len(harness.Cannot))
	// Output: true 2
}

func ExampleChecks() {
	fmt.Println(channeltest.Checks()[:3])
	// Output: [receive/genuine receive/tampered-body receive/signature]
}
