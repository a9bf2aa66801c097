package webchat

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// Options of a Handler. The zero value is ready.
type Options struct {
	// ClientIP tells a visitor's address, for limits; nil: the connection's. Behind
	// a proxy the host reads it from a header, and only of its own proxy.
	ClientIP func(*http.Request) netip.Addr
	// Limits of visitors and addresses.
	Limits Limits
	// Logger; nil is silent. No token, text or address is logged.
	Logger *slog.Logger
}

// Handler serves the widget and its visitors; PROTOCOL.md says how. Mount it
// under any prefix with http.StripPrefix. It is safe for concurrent use, and keeps
// nothing that matters: any number of processes may serve the same visitors.
type Handler struct {
	port    visitor.Port
	ip      func(*http.Request) netip.Addr
	log     *slog.Logger
	limits  *limiter
	watches watches
	mux     *http.ServeMux
}

// NewHandler makes a handler on Engine.Visitor.
func NewHandler(port visitor.Port, o Options) *Handler {
	h := &Handler{port: port, ip: o.ClientIP, log: o.Logger, limits: newLimiter(o.Limits), mux: http.NewServeMux()}
	if h.ip == nil {
		h.ip = connectionIP
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.watches.port = port
	for pattern, serve := range map[string]func(*call) error{
		"GET /v1/{account}":                 h.config,
		"POST /v1/{account}/session":        h.session,
		"GET /v1/{account}/messages":        h.messages,
		"POST /v1/{account}/messages":       h.post,
		"POST /v1/{account}/files":          h.upload,
		"GET /v1/{account}/files/{message}": h.download,
		"GET /v1/{account}/events":          h.events,
		"POST /v1/{account}/typing":         h.typing,
		"POST /v1/{account}/read":           h.read,
		"POST /v1/{account}/rating":         h.rating,
		"POST /v1/{account}/end":            h.end,
		"POST /v1/{account}/leave":          h.leave,
	} {
		h.mux.Handle(pattern, h.api(serve))
	}
	h.mux.Handle("OPTIONS /v1/{account}/", h.api(func(c *call) error { return c.none() }))
	h.mux.Handle("OPTIONS /v1/{account}", h.api(func(c *call) error { return c.none() }))
	h.mux.HandleFunc("GET /widget.js", serveLoader)
	h.mux.HandleFunc("GET /assets/{version}/{file}", serveAsset)
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := h.mux.Handler(r); pattern == "" {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, "/v1/"):
			w = inForm{w}
		case p == "/widget.js", strings.HasPrefix(p, "/assets/"): // mounted right: another method, or no such file
		case strings.Contains(p, "/v1/"), strings.Contains(p, "/assets/"), strings.HasSuffix(p, "/widget.js"):
			http.Error(w, "this handler serves /widget.js, /assets/ and /v1/: take the path that it is mounted at off the request's, "+
				"with http.StripPrefix", http.StatusNotFound)
			return
		}
	}
	h.mux.ServeHTTP(w, r)
}

// inForm says in the protocol's form that there is no such place or method.
type inForm struct{ http.ResponseWriter }

func (f inForm) WriteHeader(status int) {
	p := &refusal{http.StatusNotFound, "not_found", "there is no such thing; PROTOCOL.md lists what there is"}
	if f.Header().Get("Allow") == http.MethodOptions { // which is answered for any address
		f.Header().Del("Allow")
	} else if status == http.StatusMethodNotAllowed {
		p = &refusal{status, "bad_request", "this is asked by another method; the header Allow says which"}
	}
	fail(f.ResponseWriter, p)
}

// Write drops the text of the multiplexer.
func (f inForm) Write(text []byte) (int, error) { return len(text), nil }

func connectionIP(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// call is one request to the API of an account.
type call struct {
	w        http.ResponseWriter
	r        *http.Request
	acct     visitor.Account
	settings Settings
	ip       netip.Addr
	now      time.Time
	// who is asking; nobody before there is a session.
	visitor visitorID
	ref     visitor.Ref
}

// api frames every request: account, origin, address, token, panics.
func (h *Handler) api(serve func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // it is this very value
					panic(p)
				}
				h.log.Error("a request of a visitor panicked", "where", errs.Where()) // without the value: it may hold what was said
				fail(w, errors.New("webchat: panicked"))
			}
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		c := &call{w: w, r: r, ip: h.ip(r), now: time.Now()}
		if err := h.enter(c); err != nil {
			fail(w, err)
			return
		}
		if err := serve(c); err != nil {
			if errs.KindOf(err) == nil && status(err) == http.StatusInternalServerError {
				h.log.Error("a request of a visitor failed", "path", r.Pattern)
			}
			fail(w, err)
		}
	})
}

// enter finds the account and checks where the request comes from.
func (h *Handler) enter(c *call) error {
	for name := range c.r.URL.Query() {
		if !slices.Contains([]string{"lang", "conversation", "after", "limit", "page"}, name) {
			return problem(http.StatusBadRequest, "bad_request",
				"the address has a parameter that does not exist; tokens are sent in the header Authorization alone")
		}
	}
	var err error
	if c.acct, err = h.port.Account(c.r.Context(), c.r.PathValue("account")); err != nil {
		return err
	}
	if c.acct.Account.Kind != Kind {
		return problem(http.StatusNotFound, "not_found", "there is no such account")
	}
	if c.settings, err = ParseSettings(c.acct.Account.Settings); err != nil {
		return errs.New(errs.Unavailable, "webchat: the account's settings do not hold: %w", err)
	}
	c.ref = visitor.Ref{Workspace: c.acct.Workspace, Account: c.acct.Account.ID}
	if lang := c.r.URL.Query().Get("lang"); lang != "" {
		if !languageForm.MatchString(lang) {
			return problem(http.StatusBadRequest, "bad_request", "lang is a language tag such as ko or zh-TW")
		}
		c.ref.Language = lang
	}
	c.w.Header().Add("Vary", "Origin")
	if err := c.origin(); err != nil {
		return err
	}
	if !h.limits.address(c.ip, c.now) {
		return tooMany()
	}
	if c.r.Method == http.MethodPost && !strings.HasSuffix(c.r.URL.Path, "/files") && mediaType(c.r) != "application/json" {
		return problem(http.StatusUnsupportedMediaType, "bad_request", "the body must be application/json")
	}
	return c.authenticate(h)
}

// languageForm is that of a BCP 47 tag as browsers give them.
var languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

func mediaType(r *http.Request) string {
	t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// origin refuses pages that may not carry the widget. Clients that are no
// browsers send no Origin; what protects a visitor is the token, which no
// browser sends by itself.
func (c *call) origin() error {
	from := c.r.Header.Get("Origin")
	if from == "" {
		if c.r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			return problem(http.StatusForbidden, "origin", "a page of another site may not ask for this")
		}
		return nil
	}
	u, err := url.Parse(from)
	own := err == nil && u.Host != "" && strings.EqualFold(u.Host, c.r.Host)
	if !own && !slices.Contains(c.settings.Origins, from) {
		return problem(http.StatusForbidden, "origin", "this page may not carry the chat; add its origin to the account's settings")
	}
	h := c.w.Header()
	h.Set("Access-Control-Allow-Origin", from)
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, X-File-Name")
	h.Set("Access-Control-Expose-Headers", "Retry-After, Content-Disposition")
	h.Set("Access-Control-Max-Age", "600")
	return nil
}

// authenticate reads the token if there is one; a bad one is refused even where
// none is needed, so that a client learns of it.
func (c *call) authenticate(h *Handler) error {
	header := c.r.Header.Get("Authorization")
	if header == "" || c.r.Method == http.MethodOptions {
		return nil
	}
	token, bearer := strings.CutPrefix(header, "Bearer ")
	v, err := readToken(c.acct.Account, token, c.now)
	if !bearer || err != nil {
		return problem(http.StatusUnauthorized, "unauthorized", "the token is unknown or its time is over; begin a new session")
	}
	c.visitor, c.ref.User = v, v.user()
	if !h.limits.visitor(c.ref, c.now) {
		return tooMany()
	}
	return nil
}

// signedIn refuses who has no session.
func (c *call) signedIn() error {
	if c.ref.User == "" {
		return problem(http.StatusUnauthorized, "unauthorized", "begin a session first, and send its token in the header Authorization")
	}
	return nil
}

// maxBody bounds every body but a file's. A text of maxText units has at most
// three bytes a unit, or six when it is escaped.
const maxBody = 64 << 10

// decode reads the body as exactly one JSON object of the form of T.
func decode[T any](c *call) (T, error) {
	var v T
	raw, err := io.ReadAll(safehttp.Body(c.w, c.r, maxBody, safehttp.BodyWithin))
	if err != nil {
		return v, err
	}
	if err := kit.Strict(raw, &v); err != nil {
		return v, problem(http.StatusBadRequest, "bad_request", "the body is not a JSON object of the documented form")
	}
	return v, nil
}

func (c *call) answer(status int, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(raw) // the visitor's connection is its own concern
	return nil
}

func (c *call) none() error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// refusal is an error with what the client is told.
type refusal struct {
	Status  int    `json:"-"`
	Code    string `json:"error"`
	Message string `json:"message"`
}

func (p *refusal) Error() string { return "webchat: " + p.Message }

func problem(status int, code, message string) error { return &refusal{status, code, message} }

func tooMany() error {
	return problem(http.StatusTooManyRequests, "rate", "too many requests; wait a moment")
}

// status is the HTTP status of an error, fail writes it: what an error says
// inside stays inside.
func status(err error) int { return refusalOf(err).Status }

func refusalOf(err error) *refusal {
	if p, is := errors.AsType[*refusal](err); is {
		return p
	}
	if _, is := errors.AsType[*http.MaxBytesError](err); is {
		return &refusal{http.StatusRequestEntityTooLarge, "too_large", "it is larger than what is taken"}
	}
	for _, known := range []struct {
		kind error
		refusal
	}{
		{adapter.ErrUnsupported, refusal{http.StatusUnprocessableEntity, "unsupported", "this is switched off"}},
		{adapter.ErrInvalid, refusal{http.StatusBadRequest, "bad_request", "this cannot be taken"}},
		{adapter.ErrNotFound, refusal{http.StatusNotFound, "not_found", "there is no such thing"}},
		{adapter.ErrPermissionDenied, refusal{http.StatusForbidden, "forbidden", "this is not allowed"}},
		{adapter.ErrAlreadyExists, refusal{http.StatusConflict, "conflict", "it was done before"}},
		{adapter.ErrConflict, refusal{http.StatusConflict, "conflict", "the key was used for something else"}},
		{adapter.ErrStale, refusal{http.StatusConflict, "conflict", "it has changed meanwhile"}},
		{adapter.ErrUnavailable, refusal{http.StatusServiceUnavailable, "unavailable", "try again in a moment"}},
	} {
		if errors.Is(err, known.kind) {
			return &known.refusal
		}
	}
	return &refusal{http.StatusInternalServerError, "internal", "something went wrong"}
}

func fail(w http.ResponseWriter, err error) {
	p := refusalOf(err)
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the visitor's connection is its own concern
}
