package webchat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
)

// Times of a stream.
const (
	// beatEvery is how often a line is written when nothing happens, so that
	// proxies and browsers see that the connection lives.
	beatEvery = 20 * time.Second
	// pollBeats is after how many beats the store is asked without a hint.
	pollBeats = 3
	// writeWithin is how long one write may take before the connection is given up.
	writeWithin = 10 * time.Second
	// availableEvery is how often a change of availability is looked for at most.
	availableEvery = time.Second
)

// stream is one connection to a visitor. Its goroutine alone uses it.
type stream struct {
	h    *Handler
	c    *call
	ctl  *http.ResponseController
	page string
	// The place that the client has reached.
	conversation channel.ConversationID
	seq          int64
	// said is the state that the client knows.
	said []byte
}

func (h *Handler) events(c *call) error {
	free, ok := h.limits.stream(c.ip, c.ref)
	if !ok {
		return tooMany()
	}
	defer free()
	s := &stream{h: h, c: c, ctl: http.NewResponseController(c.w), page: c.r.URL.Query().Get("page")}
	var err error
	if s.conversation, s.seq, err = lastSeen(c.r); err != nil {
		return err
	}
	if s.page != "" && !keyForm.MatchString(s.page) {
		return problem(http.StatusBadRequest, "bad_request", "page is 8 to 64 letters, digits, _ or -")
	}
	watch, err := h.watches.join(c.r.Context(), c.ref)
	if err != nil {
		return err
	}
	defer watch.leave()
	var news visitor.News
	if c.ref.User != "" {
		if news, err = h.port.Subscribe(c.r.Context(), c.ref); err != nil {
			return err
		}
		defer news.Close()
	}
	head := c.w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("X-Accel-Buffering", "no")
	if s.write("retry: 2000\n\n") == nil {
		s.run(c.r.Context(), watch, news)
	}
	return nil // what was begun cannot be answered otherwise; the client comes back
}

// lastSeen is the place after which to go on: what the client remembers, else
// what the address says.
func lastSeen(r *http.Request) (channel.ConversationID, int64, error) {
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		return placeOf(r.URL.Query())
	}
	return parsePlace(id)
}

// parsePlace reads the id of an event: a conversation and a number.
func parsePlace(id string) (channel.ConversationID, int64, error) {
	conversation, after, _ := strings.Cut(id, "/")
	return placeOf(url.Values{"conversation": {conversation}, "after": {after}})
}

// run serves until the client goes, the token's time is over, or the engine
// stops. Hints and beats only say when to look: what is shown is what the store
// has after the place that the client has reached.
func (s *stream) run(ctx context.Context, watch *watch, news visitor.News) {
	var ready <-chan struct{}
	if news != nil {
		ready = news.Ready()
		if s.look(ctx) != nil {
			return
		}
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	shown := available{}
	for beats, first := 1, true; ; first = false {
		now, changed := watch.now()
		if first || now != shown {
			if shown = now; s.event("available", "", now) != nil {
				return
			}
		}
		var err error
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ready:
			err = s.told(ctx, news)
		case <-beat.C:
			err = s.beat(ctx, beats%pollBeats == 0 && news != nil)
			beats++
		}
		if err != nil {
			return
		}
	}
}

var errOver = errors.New("webchat: the stream is over")

// told does what a hint asks for.
func (s *stream) told(ctx context.Context, news visitor.News) error {
	hint, err := news.Take(ctx)
	switch {
	case err != nil:
		return err
	case hint.Ended:
		return errOver
	case hint.Messages:
		err = s.look(ctx)
	}
	if hint.Typing && err == nil {
		err = s.event("typing", "", struct{}{})
	}
	return err
}

// beat keeps the connection alive while the visitor may have it.
func (s *stream) beat(ctx context.Context, look bool) error {
	acct, err := s.h.port.Account(ctx, s.c.acct.Account.Token)
	if err != nil {
		return err
	}
	if s.c.ref.User != "" {
		if _, err := readToken(acct.Account, s.c.visitor.token(acct.Account), time.Now()); err != nil {
			return err
		}
		if old := s.c.acct.Account.Secrets[SecretVisitor]; old.Reveal() != acct.Account.Secrets[SecretVisitor].Reveal() {
			return errOver // a new key: the token is worth nothing any more
		}
	}
	if look {
		if err := s.look(ctx); err != nil {
			return err
		}
	}
	return s.write(":\n\n")
}

// look shows the messages after the client's place, then the state if it is
// another.
func (s *stream) look(ctx context.Context) error {
	if err := s.messages(ctx); err != nil {
		return err
	}
	st, err := s.h.port.State(ctx, s.c.ref)
	if err != nil {
		return err
	}
	if st.Left != "" && st.Left != s.page {
		if err := s.h.port.Back(ctx, s.c.ref, s.page); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(stateOf(st))
	if err != nil || bytes.Equal(raw, s.said) {
		return err
	}
	s.said = raw
	return s.event("state", "", json.RawMessage(raw))
}

// messages sends what came since the last look.
func (s *stream) messages(ctx context.Context) error {
	for {
		ms, err := s.h.port.Since(ctx, s.c.ref, s.conversation, s.seq, page)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if err := s.event("message", fmt.Sprintf("%s/%d", m.Conversation, m.Seq), messageOf(m)); err != nil {
				return err
			}
			s.conversation, s.seq = m.Conversation, m.Seq
		}
		if len(ms) < page {
			return nil
		}
	}
}

// event writes one event. Only messages have an id: it is the place.
func (s *stream) event(kind, id string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return s.write(id + "event: " + kind + "\ndata: " + string(raw) + "\n\n")
}

func (s *stream) write(text string) error {
	// A server without deadlines, such as a test's recorder, writes without one.
	if err := s.ctl.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.c.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.ctl.Flush()
}
