package emukit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What a control interface answers besides what a handler says itself.
var (
	// ErrMissing is answered with 404.
	ErrMissing = errors.New("not found")
	// ErrBad says that the body is not what the call takes.
	ErrBad = errors.New("the request is not understood")
)

// maxControl bounds a request to a control interface; pictures travel in it.
const maxControl = 10 << 20

// Control is the interface by which a page, or another program, sees and plays
// the customers of an emulator: JSON over HTTP. What changes something must be
// sent as application/json, so that no foreign web page can send it from a
// visitor's browser. Errors are {"message"}: 404 for ErrMissing, else 400. The
// header Emulator-Start tells one start of the emulator, which remembers
// nothing, from another.
type Control struct {
	mux   *http.ServeMux
	start string
}

// NewControl returns an interface whose calls are served by mux.
func NewControl(mux *http.ServeMux) *Control {
	return &Control{mux: mux, start: strconv.FormatInt(time.Now().UnixNano(), 36)}
}

// Handle serves a pattern of http.ServeMux; what do returns is the answer.
func (c *Control) Handle(pattern string, do func(*http.Request) (any, error)) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Emulator-Start", c.start)
		if r.Method != http.MethodGet && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			complain(http.StatusUnsupportedMediaType, "Content-Type must be application/json").Write(w)
			return
		}
		body, err := ReadBody(r, maxControl)
		if errors.Is(err, ErrTooLarge) {
			complain(http.StatusRequestEntityTooLarge, err.Error()).Write(w)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var out any
		if err == nil {
			out, err = do(r)
		}
		switch {
		case errors.Is(err, ErrMissing):
			complain(http.StatusNotFound, "Not found").Write(w)
		case err != nil:
			complain(http.StatusBadRequest, err.Error()).Write(w)
		default:
			JSON(http.StatusOK, out).Write(w)
		}
	})
}

// Take serves a pattern whose calls have a body of the form T; anything else is
// ErrBad.
func Take[T any](c *Control, pattern string, do func(*http.Request, T) (any, error)) {
	c.Handle(pattern, func(r *http.Request) (any, error) {
		var in T
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &in) != nil {
			return nil, ErrBad
		}
		return do(r, in)
	})
}

// Show serves a pattern that lists something and changes nothing.
func Show[T any](c *Control, pattern string, list func() T) {
	c.Handle(pattern, func(*http.Request) (any, error) { return list(), nil })
}

func complain(status int, message string) Answer {
	return JSON(status, map[string]string{"message": message})
}

// ErrTooLarge is the error of ReadBody for a body above its limit.
var ErrTooLarge = errors.New("the request is too large")

// ReadBody reads a request to its end. ErrTooLarge above the limit, in bytes.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("the request cannot be read: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, ErrTooLarge
	}
	return body, nil
}

// Seconds reads a whole number of seconds, from 0 to 60, of a query: how long a
// call waits for news. An absent one is 0.
func Seconds(r *http.Request, name string) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 60 {
		return 0, fmt.Errorf("%s must be a number of seconds up to 60", name)
	}
	return time.Duration(n) * time.Second, nil
}

// Page shows a template to a person: markup and styles of its own, forms that
// post to the emulator, and nothing from elsewhere.
func Page(t *template.Template, data func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'")
		_ = t.Execute(w, data()) // the reader may be gone
	})
}
