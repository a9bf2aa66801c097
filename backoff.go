package sangdam

import (
	"math/rand/v2"
	"time"
)

// backoff is the wait before the n-th repeat: it doubles from 100 ms to 5
// minutes, less up to half of it by chance, so that rivals do not march in
// step.
func backoff(n int) time.Duration {
	d := 5 * time.Minute
	if n < 13 {
		d = min(d, 100*time.Millisecond<<max(n-1, 0))
	}
	return d - rand.N(d/2+1)
}
