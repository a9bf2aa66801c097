package sangdam_test

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
)

// withoutRival are commands whose rival is another one before them in the table, so that
// they have nobody of their own to meet, and HandOver, whose target takes no tickets.
var withoutRival = []string{"Apply", "DeleteAccount", "OrderTriggers", "DeleteCategory", "DeleteField", "Unmask", "HandOver"}

// Two administrators who have read the same press at one moment, whatever it is that
// they save: one of them is obeyed, and the other is told that it was changed or, where
// the first took it away, that it is gone. Never are both obeyed, and never neither.
func TestOfTwoWhoSaveAtOnceOneIsTold(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		all := rivalsOfSetUp(w.world)
		for _, more := range []map[string]rival{rivalsOfTexts(t, d), rivalsOfTickets(t, d), rivalsOfRules(t, d), rivalsOfTalk(t, d)} {
			maps.Copy(all, more)
		}
		for _, method := range withoutRival {
			require.Contains(t, all, method)
		}
		for _, method := range slices.Sorted(maps.Keys(all)) {
			if !slices.Contains(withoutRival, method) {
				all[method].atOnce(t, method)
			}
		}
	}, withOutside(&o))
}

func (r rival) atOnce(t *testing.T, method string) {
	t.Helper()
	var errs [2]error
	var both sync.WaitGroup
	start := make(chan struct{})
	for i, do := range []func() error{r.first, r.second} {
		both.Go(func() {
			<-start
			errs[i] = do()
		})
	}
	close(start)
	both.Wait()
	told := errors.Join(errs[:]...)
	assert.Error(t, told, "%s: both were obeyed", method)
	assert.True(t, errs[0] == nil || errs[1] == nil, "%s: nobody was obeyed: %v", method, told)
	assert.True(t, errors.Is(told, sangdam.ErrStale) || errors.Is(told, sangdam.ErrNotFound), "%s: %v", method, told)
}
