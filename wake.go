package sangdam

import (
	"sync"

	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store/driver"
)

// wakeHub spreads hints that there may be news to the loops and subscribers
// whom they concern. Hints are coalesced and may be missing; asking now and then
// is the guarantee (pulse.go).
type wakeHub struct {
	mu sync.Mutex
	// subs by the workspace that they follow; the empty one: all of them.
	subs map[id.Workspace]map[*listener]struct{}
	// routing is told of workspaces whose Board may have work; nil: nobody is.
	routing func(id.Workspace)
}

// listener is one subscription.
type listener struct {
	news driver.News
	ch   chan struct{}
}

func (l *listener) hint() {
	select {
	case l.ch <- struct{}{}:
	default: // a hint is already waiting
	}
}

// subscribe returns a channel that gets hints of such news of the workspace,
// empty for any, until stop.
func (h *wakeHub) subscribe(ws id.Workspace, news driver.News) (<-chan struct{}, func()) {
	l := &listener{news: news, ch: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[id.Workspace]map[*listener]struct{}{}
	}
	if h.subs[ws] == nil {
		h.subs[ws] = map[*listener]struct{}{}
	}
	h.subs[ws][l] = struct{}{}
	return l.ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs[ws], l)
		if len(h.subs[ws]) == 0 {
			delete(h.subs, ws)
		}
	}
}

// followRouting has fn told of workspaces whose Board may have work, the empty
// one for any; nil ends it. fn must return at once.
func (h *wakeHub) followRouting(fn func(id.Workspace)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.routing = fn
}

// poke wakes everybody.
func (h *wakeHub) poke() { h.give(driver.Hint{News: driver.NewsAny}) }

// give wakes whom the hint concerns.
func (h *wakeHub) give(hint driver.Hint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hint.Workspace == "" {
		for _, subs := range h.subs {
			wakeAll(subs, hint.News)
		}
	} else {
		wakeAll(h.subs[""], hint.News)
		wakeAll(h.subs[hint.Workspace], hint.News)
	}
	if h.routing != nil && hint.News&driver.NewsRouting != 0 {
		h.routing(hint.Workspace)
	}
}

func wakeAll(subs map[*listener]struct{}, news driver.News) {
	for l := range subs {
		if l.news&news != 0 {
			l.hint()
		}
	}
}
