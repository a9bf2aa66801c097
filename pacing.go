package sangdam

import (
	"context"
	"time"
)

// longestRest bounds each half of what restAfter waits: so much later may work begin that
// came just after a batch was taken.
const longestRest = 10 * time.Millisecond

// smallBatch is which part of all workers a batch may take and be followed by a rest.
// A larger one gains next to nothing by growing further, and where customers write
// again once they are answered, whoever rests then only has them wait.
const smallBatch = 4

// restAfter has batches grow by themselves under a middling load. Whoever takes what waits
// as soon as there is something finds a few pieces each time, and a batch of these
// costs hardly less than one of many: a machine that is half loaded is then as busy as
// one that is loaded to the full. So whoever has just taken a small batch of several
// pieces waits until it is done and as long again before it takes the next. Who comes
// alone waits for nobody, since a batch of one is followed by no rest.
func restAfter(ctx context.Context, done <-chan struct{}, pieces, workers int) {
	if pieces < 2 || pieces > workers/smallBatch {
		return
	}
	began, longest := time.Now(), time.NewTimer(longestRest)
	defer longest.Stop()
	select {
	case <-ctx.Done():
		return
	case <-done:
	case <-longest.C:
	}
	sleepFor(ctx, time.Since(began))
}
