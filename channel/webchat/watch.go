package webchat

import (
	"context"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel/visitor"
)

// watches look at the availability of accounts, once for all connections of an
// account.
type watches struct {
	port visitor.Port
	mu   sync.Mutex
	of   map[visitor.Ref]*watch
}

// watch is one account's.
type watch struct {
	all  *watches
	ref  visitor.Ref
	stop context.CancelFunc

	mu      sync.Mutex
	users   int
	present available
	changed chan struct{}
}

// join returns the account's watch; the first one begins it.
func (ws *watches) join(ctx context.Context, v visitor.Ref) (*watch, error) {
	v = visitor.Ref{Workspace: v.Workspace, Account: v.Account}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.of[v]
	if w == nil {
		news, err := ws.port.Subscribe(ctx, v)
		if err != nil {
			return nil, err
		}
		a, err := ws.port.Availability(ctx, v)
		if err != nil {
			news.Close()
			return nil, err
		}
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		w = &watch{all: ws, ref: v, stop: stop, present: available{a.Open, a.Agents}, changed: make(chan struct{})}
		if ws.of == nil {
			ws.of = map[visitor.Ref]*watch{}
		}
		ws.of[v] = w
		go w.run(run, news)
	}
	w.users++
	return w, nil
}

// leave ends the watch with its last user.
func (w *watch) leave() {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if w.users--; w.users == 0 && w.all.of[w.ref] == w {
		delete(w.all.of, w.ref)
		w.stop()
	}
}

// now is the present availability, and what closes when it is another.
func (w *watch) now() (available, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.present, w.changed
}

// run looks when there is a hint and now and then: hours begin and end without
// anything happening.
func (w *watch) run(ctx context.Context, news visitor.News) {
	defer news.Close()
	timer := time.NewTimer(beatEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-news.Ready():
			if hint, err := news.Take(ctx); err != nil || hint.Ended {
				w.over()
				return
			}
		case <-timer.C:
		}
		if a, err := w.all.port.Availability(ctx, w.ref); err == nil {
			w.show(available{a.Open, a.Agents})
		}
		timer.Reset(availableEvery)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(beatEvery)
	}
}

// over forgets the watch: the engine stops, and who comes later gets another.
func (w *watch) over() {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if w.all.of[w.ref] == w {
		delete(w.all.of, w.ref)
	}
}

func (w *watch) show(a available) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a == w.present {
		return
	}
	w.present = a
	close(w.changed)
	w.changed = make(chan struct{})
}
