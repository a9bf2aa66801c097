package sangdam

import (
	"context"
	"sync"
	"time"

	"github.com/sangdam/sangdam/store/driver"
)

// pulse asks the store, once for all loops, when work becomes due next, and
// wakes the loop whose time has come. A loop whose claim finds nothing waits for
// a hint or for the pulse and asks nothing by itself, so that an idle process
// costs one statement in a poll interval, however many loops and workspaces it
// has.
type pulse struct {
	look chan struct{} // a loop found nothing: there may be a new next time

	mu    sync.Mutex
	sorts map[driver.News]*due
}

// due is what the pulse knows of one sort of work.
type due struct {
	woken time.Time // its loop was woken for something due and has not said what it found
	last  time.Time // when it was woken last
	empty int       // how often in a row that loop then found nothing
}

func newPulse() *pulse {
	p := &pulse{look: make(chan struct{}, 1), sorts: map[driver.News]*due{}}
	for _, sort := range []driver.News{driver.NewsInbox, driver.NewsOutbox, driver.NewsJobs, driver.NewsDeadlines} {
		p.sorts[sort] = &due{}
	}
	return p
}

// found says that a loop had something to do.
func (p *pulse) found(sort driver.News) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sorts[sort].empty, p.sorts[sort].woken = 0, time.Time{}
}

// nothing says that a loop found nothing to do and is going to wait.
func (p *pulse) nothing(sort driver.News) {
	p.mu.Lock()
	if d := p.sorts[sort]; !d.woken.IsZero() {
		d.empty++
		d.woken = time.Time{}
	}
	p.mu.Unlock()
	select {
	case p.look <- struct{}{}:
	default:
	}
}

// wakeFor says whether to wake the loop for what is due since at, and when to
// look again at the latest. What is due although its loop has just found nothing
// is work that nobody here does, such as a job of a kind that only a newer
// program knows, or that others hold: its loop is woken ever more rarely, up to
// the poll.
func (p *pulse) wakeFor(sort driver.News, at, now time.Time, poll time.Duration) (wake bool, wait time.Duration) {
	switch {
	case at.IsZero():
		return false, poll
	case at.After(now):
		return false, min(poll, max(at.Sub(now), shortestLook))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.sorts[sort]
	if !d.woken.IsZero() {
		return false, poll // its loop has not come to it yet
	}
	pause := time.Duration(0)
	if d.empty > 0 {
		pause = min(poll, shortestLook<<min(d.empty, 10))
	}
	if since := time.Since(d.last); since < pause {
		return false, pause - since
	}
	d.woken, d.last = time.Now(), time.Now()
	return true, poll
}

// shortestLook is the shortest wait between two looks at what is due.
const shortestLook = 5 * time.Millisecond

// runPulse looks until ctx ends.
func (e *Engine) runPulse(ctx context.Context) {
	for fails := 0; ctx.Err() == nil; {
		dues, err := e.db.System().NextDue(ctx)
		if err != nil {
			if fails++; ctx.Err() == nil {
				e.trouble("what is due could not be asked for", err)
			}
			e.pause(ctx, fails)
			continue
		}
		fails = 0
		wait := e.cfg.Poll
		for sort, at := range map[driver.News]time.Time{driver.NewsInbox: dues.Inbox, driver.NewsOutbox: dues.Outbox,
			driver.NewsJobs: dues.Jobs, driver.NewsDeadlines: dues.Deadlines} {
			wake, again := e.pulse.wakeFor(sort, at, dues.Now, e.cfg.Poll)
			if wake {
				e.wake.give(driver.Hint{News: sort})
			}
			wait = min(wait, again)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.pulse.look:
		case <-t.C:
		}
		t.Stop()
	}
}

// rest waits until there may be work of the sort: for a hint, the pulse, or a
// worker that has finished; after failures as pause does, without regard to
// hints.
func (e *Engine) rest(ctx context.Context, sort driver.News, hints, finished <-chan struct{}, fails int) {
	if fails > 0 {
		e.pause(ctx, fails)
		return
	}
	e.pulse.nothing(sort)
	waitFor(ctx, hints, finished)
}
