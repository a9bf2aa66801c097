package sangdam_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

// A message that comes again under another event id is absorbed, and the host
// is told: an emulator or a provider that starts its ids anew shows.
func TestAMessageThatIsThereAlreadyIsTold(t *testing.T) {
	var told atomic.Int64
	inWorld(t, func(w *world) {
		for _, id := range []string{"01H1", "01H2"} {
			b := bodyOf(strings.Replace(event("1", "hello", 0), `"01H1"`, fmt.Sprintf("%q", id), 1))
			require.Equal(t, 200, w.post(b, w.signed(b)))
			w.settle()
		}
		require.Len(t, w.only().Messages, 2, "one of the customer's, one greeting")
		require.EqualValues(t, 1, told.Load())
	}, withConfig(func(c *sangdam.Config) {
		c.Hooks.Duplicate = func(sangdam.WorkspaceID, channel.AccountID, adapter.EventKind) { told.Add(1) }
	}))
}
