package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// Times of a console that is open.
const (
	// askedAgain is how often it is asked whether whoever follows the stream is
	// still signed in.
	askedAgain = time.Second
	// beatEvery is how often an open console counts as a heart-beat of its agent.
	beatEvery = 20 * time.Second
)

type streamKey struct{}

// streamer is whom an event stream is for: found out before, by events.
func (h *Handler) streamer(r *http.Request) (sangdam.Principal, error) {
	p, ok := r.Context().Value(streamKey{}).(sangdam.Principal)
	if !ok {
		return p, sangdam.ErrPermissionDenied
	}
	return p, nil
}

// events serves the event stream. While it is open the agent is there; it ends
// when whoever opened it is signed out or is given other roles.
func (q *request) events() error {
	ctx, cancel := context.WithCancel(context.WithValue(q.r.Context(), streamKey{}, q.p))
	defer cancel()
	go q.attend(ctx, cancel)
	q.stream.ServeHTTP(q.w, q.r.WithContext(ctx))
	return nil
}

// attend beats for the agent and ends the stream of who is signed out.
func (q *request) attend(ctx context.Context, cancel context.CancelFunc) {
	asked, beat := time.NewTicker(askedAgain), time.NewTicker(beatEvery)
	defer asked.Stop()
	defer beat.Stop()
	q.beat(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			q.beat(ctx)
		case <-asked.C:
			p, err := q.o.Authenticate(q.r)
			if err != nil || !p.Same(q.p) {
				cancel()
				return
			}
		}
	}
}

// beat says that the agent's console lives. An agent who is Offline has no
// heart-beat, and stays so until the switch is used.
func (q *request) beat(ctx context.Context) {
	if q.p.Kind != sangdam.KindAgent {
		return
	}
	err := q.engine.Heartbeat(ctx, q.p.Workspace, routing.AgentID(q.p.ID))
	if err != nil && ctx.Err() == nil && !errors.Is(err, sangdam.ErrStale) {
		q.o.Logger.Warn("an agent's heart-beat could not be kept", "error", err)
	}
}

// alive says that the console can be reached and who is signed in: what a page
// asks when its stream has ended.
func (q *request) alive() error {
	q.json(http.StatusOK, map[string]string{"agent": q.p.ID})
	return nil
}
