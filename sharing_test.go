package sangdam_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
)

// TestWhoeverRunsTheWorkOfOthersStrandsNobody: of four who wait for a transaction to
// end one runs all of theirs, and ends in the middle. The others are told that nobody
// knows what became of theirs, and whoever comes next is served.
func TestWhoeverRunsTheWorkOfOthersStrandsNobody(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		busy, free := make(chan struct{}), make(chan struct{})
		go func() {
			_ = w.eng.Share(w.ctx, ws, func() { close(busy); <-free })
		}()
		<-busy
		const others = 3
		ends := make(chan error, others)
		go func() { // this one is the first that waits
			_ = w.eng.Share(w.ctx, ws, runtime.Goexit)
		}()
		synctest.Wait()
		for range others {
			go func() { ends <- w.eng.Share(w.ctx, ws, func() {}) }()
		}
		synctest.Wait()
		close(free)
		for range others {
			require.ErrorIs(t, <-ends, sangdam.ErrUnavailable)
		}
		require.NoError(t, w.eng.Share(w.ctx, ws, func() {}))
	})
}
