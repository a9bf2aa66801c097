package sangdam

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
)

// maxWebhookBody bounds a webhook. LINE documents no batch size; bodies of
// other providers stay below 1 MB (docs/design.md section 4).
const maxWebhookBody = 2 << 20

// appendTimeout bounds the wait for the store. LINE wants its answer within
// 2 s; a provider that got 503 repeats.
const appendTimeout = 1800 * time.Millisecond

// Webhooks serves providers: the last element of the request's path is the
// account's token, whatever stands before it. It verifies the request on its
// raw bytes, stores every event in it durably, and only then answers as the
// adapter says. 404 means that there is no such account or that it is switched
// off; any other 4xx that the request was refused. Both store nothing. 503
// means that the events could not be stored, so the provider should send them
// again. The handler may be called at once.
func (e *Engine) Webhooks() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.serveWebhook(w, r, path.Base(r.URL.Path))
	})
}

// AccountWebhook serves the account with the webhook token given
// (channel.Account.Token), at whatever path the host mounts it. It answers as
// Webhooks does.
func (e *Engine) AccountWebhook(token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serveWebhook(w, r, token) })
}

func (e *Engine) serveWebhook(w http.ResponseWriter, r *http.Request, token string) {
	defer func() {
		if recover() != nil { // without the value: it may hold the body
			e.log.Error("a webhook handler panicked", "where", errs.Where())
			refuse(w, http.StatusInternalServerError)
		}
	}()
	receipt, status := e.receive(w, r, token)
	if status != 0 {
		refuse(w, status)
		return
	}
	header, both := w.Header(), []string{"text/plain; charset=utf-8", "nosniff"}
	for k, values := range receipt.Header {
		header[k] = values
	}
	if header.Get("Content-Type") == "" {
		header["Content-Type"] = both[:1:1]
	}
	header["X-Content-Type-Options"] = both[1:]
	if receipt.Status == 0 {
		receipt.Status = http.StatusOK
	}
	w.WriteHeader(receipt.Status)
	_, _ = w.Write(receipt.Body) // the provider's connection is its own concern
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status)+"\n")
}

// receive does step 0 of the flow. A status other than 0 refuses the request.
func (e *Engine) receive(w http.ResponseWriter, r *http.Request, token string) (adapter.Receipt, int) {
	ctx, began := context.WithoutCancel(r.Context()), time.Now()
	owner, s, err := e.addressed(ctx, token)
	if err != nil {
		return adapter.Receipt{}, statusOf(err)
	}
	left := appendTimeout - time.Since(began) // how long the sender's body takes is its own time
	acct, ad, err := e.account(s, owner.acct)
	if err != nil || acct.Disabled || acct.Token != token {
		return adapter.Receipt{}, http.StatusNotFound
	}
	body, release, status := e.bodies.read(w, r)
	defer release()
	if status != 0 {
		return adapter.Receipt{}, status
	}
	receipt, err := ad.Receive(acct, adapter.Request{Method: r.Method, URL: seenURL(r), Header: r.Header, Body: body})
	if err != nil {
		if refused, ok := errors.AsType[*adapter.ReceiveError](err); ok {
			e.log.Info("a webhook was refused", "account", string(acct.ID), "status", refused.Status)
			return adapter.Receipt{}, refused.Status
		}
		if errors.Is(err, errPanicked) {
			e.log.Error("the adapter panicked on a webhook", "account", string(acct.ID))
			return adapter.Receipt{}, http.StatusInternalServerError
		}
		return adapter.Receipt{}, http.StatusBadRequest
	}
	ctx = e.ends.within(ctx, left)
	if err := e.appendInTime(ctx, owner.ws, acct.ID, receipt.Envelopes); err != nil {
		e.trouble("a webhook could not be stored", err, "account", string(acct.ID))
		if errors.Is(err, ErrInvalid) { // it can never be stored: repeating it is no use
			return adapter.Receipt{}, http.StatusUnprocessableEntity
		}
		return adapter.Receipt{}, http.StatusServiceUnavailable
	}
	return receipt, 0
}

// endStep is by how much a webhook's wait for the store may end early, so that those
// of that time share one timer.
const endStep = 50 * time.Millisecond

// ends are contexts' ends that many share.
type ends struct {
	mu     sync.Mutex
	at     time.Time
	end    context.Context
	cancel context.CancelFunc // never called: it ends soon
}

// within is ctx with an end in d or up to endStep before.
func (s *ends) within(ctx context.Context, d time.Duration) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Now().Add(d).Truncate(endStep)
	if s.end == nil || !at.Equal(s.at) {
		s.at = at
		s.end, s.cancel = context.WithDeadline(context.Background(), at)
	}
	return ending{Context: s.end, values: ctx}
}

// ending has the end of one context and the values of another.
type ending struct {
	context.Context
	values context.Context
}

func (c ending) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

// addressed is whose webhook it is and what is set there. The store, where it is
// asked at all, has appendTimeout for both.
func (e *Engine) addressed(ctx context.Context, token string) (tokenOwner, *settings, error) {
	if owner, ok := e.tokens.get(token); ok {
		if s := e.settings.get(owner.ws); s != nil && time.Since(s.read) < e.cfg.Poll {
			return owner, s, nil
		}
	}
	ctx, done := context.WithTimeout(ctx, appendTimeout)
	defer done()
	owner, err := e.resolveToken(ctx, token)
	if err != nil {
		return tokenOwner{}, nil, err
	}
	s, err := e.current(ctx, owner.ws)
	return owner, s, err
}

var errAppendPanicked = errs.New(errs.Unavailable, "sangdam: storing a webhook panicked")

// appendInTime returns when the envelopes are stored, or when ctx ends even if
// the store, stuck in a commit, does not heed it: the provider is told to
// repeat, and what is stored in the end absorbs the repetition. Until then
// the call counts among those that wait (Config.MaxAppending), as only verified
// webhooks do. A store that heeds it needs no other goroutine, where
// nothing but the store is asked.
func (e *Engine) appendInTime(ctx context.Context, ws id.Workspace, acct channel.AccountID, envs []adapter.Envelope) error {
	if len(envs) == 0 {
		return nil
	}
	defer e.appending.Add(-1)
	if e.appending.Add(1) > int64(e.cfg.MaxAppending) {
		return errs.New(errs.Unavailable, "sangdam: %d webhooks wait for the store already", e.cfg.MaxAppending)
	}
	if e.prompt && e.restKeys.get(ws) != nil {
		return e.appendSafely(ctx, ws, acct, envs)
	}
	done := make(chan error, 1)
	go func() { done <- e.appendSafely(ctx, ws, acct, envs) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	e.appending.Add(1)
	go func() {
		_ = <-done
		e.appending.Add(-1)
	}()
	return errs.New(errs.Unavailable, "sangdam: the store did not answer in time: %w", ctx.Err())
}

// appendSafely is appendEnvelopes where a panic is an error, without its value, which
// may hold the body.
func (e *Engine) appendSafely(ctx context.Context, ws id.Workspace, acct channel.AccountID, envs []adapter.Envelope) (err error) {
	defer func() {
		if recover() != nil {
			e.log.Error("storing a webhook panicked", "where", errs.Where())
			err = errAppendPanicked
		}
	}()
	_, err = e.appendEnvelopes(ctx, ws, acct, envs)
	return err
}

// appendEnvelopes stores envelopes and tells for each whether it was new.
func (e *Engine) appendEnvelopes(ctx context.Context, ws id.Workspace, acct channel.AccountID,
	envs []adapter.Envelope) ([]bool, error) {
	for i := range envs {
		envs[i].ID, envs[i].Account = channel.EnvelopeID(newID()), acct
		if isLarge(envs[i].Raw) {
			return nil, errs.New(errs.Invalid, "sangdam: an event has the form of a reference to a blob")
		}
	}
	for _, env := range envs {
		if _, err := env.Fitting(); err != nil {
			return nil, err
		}
	}
	if err := e.sealEnvelopes(ctx, ws, envs); err != nil {
		return nil, err
	}
	fresh, err := e.db.AppendEnvelopes(ctx, ws, envs)
	if err != nil {
		return nil, err
	}
	e.received(ws, acct, fresh)
	return fresh, nil
}

// received tells the host's hook.
func (e *Engine) received(ws id.Workspace, acct channel.AccountID, fresh []bool) {
	if h := e.cfg.Hooks.Received; h != nil {
		n := 0
		for _, f := range fresh {
			if f {
				n++
			}
		}
		e.hook("Received", func() { h(ws, acct, len(fresh), n) })
	}
}

func (e *Engine) resolveToken(ctx context.Context, token string) (tokenOwner, error) {
	if token == "" || len(token) > 200 {
		return tokenOwner{}, errs.New(errs.NotFound, "sangdam: no such account")
	}
	if o, ok := e.tokens.get(token); ok {
		return o, nil
	}
	if e.misses.known(token, time.Now()) {
		return tokenOwner{}, errs.New(errs.NotFound, "sangdam: no such account")
	}
	var o tokenOwner
	err := e.misses.ask(ctx, func() (err error) {
		o.ws, o.acct, err = e.db.ResolveAccount(ctx, token)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		e.misses.add(token, time.Now())
	}
	if err != nil {
		return tokenOwner{}, err
	}
	e.tokens.put(token, o)
	return o, nil
}

func statusOf(err error) int {
	if errors.Is(err, ErrNotFound) {
		return http.StatusNotFound
	}
	return http.StatusServiceUnavailable
}

// seenURL is the address as the provider called it, as far as this process can
// tell; a host behind a proxy sets r.Host and r.URL.Scheme itself.
func seenURL(r *http.Request) *url.URL {
	u := *r.URL
	if u.Host == "" {
		u.Host = r.Host
	}
	if u.Scheme == "" {
		u.Scheme = "http"
		if r.TLS != nil {
			u.Scheme = "https"
		}
	}
	return &u
}
