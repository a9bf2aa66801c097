package main

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"

	"github.com/sangdam/sangdam"
)

// maxBody bounds a request of the JSON interface.
const maxBody = 64 << 10

// guard lets requests to the JSON interface through that come from this machine
// and carry the token. What a proxy or a tunnel passes on is not from this
// machine, whatever the connection says.
func (h *helpdesk) guard(next http.Handler) http.Handler {
	checked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local(r) {
			answerJSON(w, http.StatusForbidden, problem{"this interface serves this machine alone"})
			return
		}
		given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		right, err := tokenIsRight(r.Context(), h.db, given)
		switch {
		case err != nil:
			answerJSON(w, http.StatusServiceUnavailable, problem{"the store does not answer"})
		case !found || !right:
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerJSON(w, http.StatusUnauthorized,
				problem{"send the token that the first start printed, as Authorization: Bearer TOKEN; " +
					"a start with -new-token makes another"})
		default:
			next.ServeHTTP(w, r)
		}
	})
	return http.NewCrossOriginProtection().Handler(checked)
}

func local(r *http.Request) bool {
	for name := range r.Header {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			return false
		}
	}
	return loopback(r.RemoteAddr) && loopback(r.Host)
}

// loopback says whether an address with or without a port is this machine. The
// Host is checked as well, so that a foreign name that leads here is refused.
func loopback(addr string) bool {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		name = addr
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || (ip != nil && ip.IsLoopback())
}

type problem struct {
	Error string `json:"error"`
}

// query answers a request that changes nothing.
func query(fn func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := fn(r)
		respond(w, out, err)
	}
}

// command reads a body of exactly the fields that B has, and answers.
func command[B any](fn func(*http.Request, B) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			answerJSON(w, http.StatusUnsupportedMediaType, problem{"send Content-Type: application/json"})
			return
		}
		var body B
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		dec.DisallowUnknownFields()
		err := dec.Decode(&body)
		if err == nil {
			if _, more := dec.Token(); more != io.EOF {
				err = errors.New("more than one JSON value")
			}
		}
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			answerJSON(w, http.StatusRequestEntityTooLarge, problem{"the body is larger than 64 KiB"})
			return
		}
		if err != nil {
			answerJSON(w, http.StatusBadRequest, problem{"the body is not one JSON object of the known fields"})
			return
		}
		out, err := fn(r, body)
		respond(w, out, err)
	}
}

func respond(w http.ResponseWriter, out any, err error) {
	if err != nil {
		answerJSON(w, statusOf(err), problem{err.Error()})
		return
	}
	answerJSON(w, http.StatusOK, out)
}

func statusOf(err error) int {
	for _, e := range []struct {
		kind   error
		status int
	}{
		{sangdam.ErrNotFound, http.StatusNotFound},
		{sangdam.ErrInvalid, http.StatusBadRequest},
		{sangdam.ErrPermissionDenied, http.StatusForbidden},
		{sangdam.ErrUnsupported, http.StatusUnprocessableEntity},
		{sangdam.ErrStale, http.StatusConflict},
		{sangdam.ErrConflict, http.StatusConflict},
		{sangdam.ErrAlreadyExists, http.StatusConflict},
		{sangdam.ErrUnavailable, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, e.kind) {
			return e.status
		}
	}
	return http.StatusInternalServerError
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}
