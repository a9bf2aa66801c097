package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Times of an event stream over HTTP.
const (
	// beatEvery is how often a line is written when nothing happens, so that
	// proxies and browsers see that the connection lives.
	beatEvery = 15 * time.Second
	// beatAtMost and beatAtLeast bound what a page may ask for instead.
	beatAtLeast, beatAtMost = time.Second, time.Minute
	// writeWithin is how long one write may take before the connection is given
	// up: a reader that stands still costs nobody anything.
	writeWithin = 10 * time.Second
	// askedAgain is how often it is asked whose stream it is: what signing out at the
	// host's may take.
	askedAgain = 5 * time.Second
)

// EventStream serves Engine.Stream as server-sent events, to pages that the
// host makes. The function who authenticates a request; when it returns an
// error, the answer has the status that HTTPStatus gives for it. It is asked again
// every five seconds while the stream is open, with the same request, and the stream
// ends when it returns an error or another principal.
//
// Each event is "event: change" with the JSON of a store.Event. The last one of
// a batch carries the cursor as its id: a browser that connects again, to this
// process or another one, sends it in the header Last-Event-ID, and a page that
// is loaded anew may give it as the parameter "cursor". "event: reload" says
// that the page must read again everything that it shows. An event may come
// more than once: a page keeps, for each aggregate and id, the highest version.
// With the parameter "beat", a number of seconds from 1 to 60, a page gets
// "event: beat" whenever nothing else was sent for that long, and so can tell a
// living connection from a lost one.
func EventStream(e *Engine, who func(*http.Request) (Principal, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		p, err := who(r)
		if err != nil {
			http.Error(w, http.StatusText(HTTPStatus(err)), HTTPStatus(err))
			return
		}
		cursor := r.Header.Get("Last-Event-ID")
		if cursor == "" {
			cursor = r.URL.Query().Get("cursor")
		}
		serveStream(e, w, r, p, cursor, func() bool {
			now, err := who(r)
			return err == nil && now.Same(p)
		})
	})
}

// beatOf is how often the page wants to hear something, and what it is told.
func beatOf(r *http.Request) (every time.Duration, line string) {
	seconds, err := strconv.Atoi(r.URL.Query().Get("beat"))
	if err != nil {
		return beatEvery, ": \n\n"
	}
	return min(max(time.Duration(seconds)*time.Second, beatAtLeast), beatAtMost), "event: beat\ndata: {}\n\n"
}

// sse writes one connection. Its goroutine alone writes.
type sse struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
}

func (s sse) write(format string, args ...any) error {
	// A server without deadlines, such as a test's recorder, writes without one.
	if err := s.ctl.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return err
	}
	return s.ctl.Flush()
}

// serveStream serves one connection until it, the engine's run or the session ends;
// same says whether it is still the principal's.
func serveStream(e *Engine, w http.ResponseWriter, r *http.Request, p Principal, cursor string, same func() bool) {
	ctx, stop := context.WithCancel(r.Context()) // the feed is followed no longer than the connection is served
	defer stop()
	batches, failed := make(chan Batch), make(chan error, 1)
	go func() {
		defer close(batches)
		for b, err := range e.Stream(ctx, p, cursor) {
			if err != nil {
				failed <- err
				return
			}
			select {
			case batches <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	out := sse{w, http.NewResponseController(w)}
	// A server's ReadTimeout counts for the request, which has been read; left as
	// it is it would end the stream. A test's recorder has none.
	if err := out.ctl.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	every, line := beatOf(r)
	beat, asked := time.NewTicker(every), time.NewTicker(askedAgain)
	defer beat.Stop()
	defer asked.Stop()
	begun := false
	for {
		var err error
		select {
		case b, open := <-batches:
			if !open {
				refuseStream(w, failed, begun)
				return
			}
			if !begun {
				begun = true
				w.Header().Set("Content-Type", "text/event-stream")
				w.Header().Set("Cache-Control", "no-store")
				w.Header().Set("X-Accel-Buffering", "no")
				w.Header().Set("X-Content-Type-Options", "nosniff")
			}
			err = out.batch(b)
		case <-beat.C:
			if begun {
				err = out.write("%s", line)
			}
		case <-asked.C:
			if !same() {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// refuseStream answers a stream that never began.
func refuseStream(w http.ResponseWriter, failed <-chan error, begun bool) {
	select {
	case err := <-failed:
		if !begun {
			http.Error(w, http.StatusText(HTTPStatus(err)), HTTPStatus(err))
		}
	default: // the client has gone
	}
}

// batch writes the events of a batch; the last thing written carries the cursor.
func (s sse) batch(b Batch) error {
	if b.Reload {
		return s.write("id: %s\nevent: reload\ndata: {}\n\n", b.Cursor)
	}
	if len(b.Events) == 0 {
		return s.write("id: %s\nevent: place\ndata: {}\n\n", b.Cursor)
	}
	for i, ev := range b.Events {
		raw, err := json.Marshal(ev)
		if err != nil {
			return err
		}
		if i == len(b.Events)-1 {
			err = s.write("id: %s\nevent: change\ndata: %s\n\n", b.Cursor, raw)
		} else {
			err = s.write("event: change\ndata: %s\n\n", raw)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// HTTPStatus returns the HTTP status that suits an error of this library: 200
// for nil, 400 for ErrInvalid, 403 for ErrPermissionDenied, 404 for
// ErrNotFound, 409 for ErrConflict, ErrStale and ErrAlreadyExists, 422 for
// ErrUnsupported, 503 for ErrUnavailable, and 500 for any other error.
func HTTPStatus(err error) int {
	for _, known := range []struct {
		kind   error
		status int
	}{
		{nil, http.StatusOK}, {ErrInvalid, http.StatusBadRequest}, {ErrUnsupported, http.StatusUnprocessableEntity},
		{ErrPermissionDenied, http.StatusForbidden}, {ErrNotFound, http.StatusNotFound}, {ErrAlreadyExists, http.StatusConflict},
		{ErrStale, http.StatusConflict}, {ErrConflict, http.StatusConflict}, {ErrUnavailable, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, known.kind) {
			return known.status
		}
	}
	return http.StatusInternalServerError
}
