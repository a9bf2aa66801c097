package emukit

import (
	"encoding/json"
	"net/http"
	"time"
)

// Answer is what an emulator answers to a call, before it is written, so that a
// mishap can take its place.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON is an answer with v as its body. A v that cannot be JSON is a 500.
func JSON(status int, v any) Answer {
	body, err := json.Marshal(v)
	if err != nil {
		return Answer{Status: http.StatusInternalServerError}
	}
	return Answer{Status: status, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
}

// With is the answer with one header more.
func (a Answer) With(name, value string) Answer {
	a.Header = a.Header.Clone()
	if a.Header == nil {
		a.Header = http.Header{}
	}
	a.Header.Set(name, value)
	return a
}

// Write sends the answer.
func (a Answer) Write(w http.ResponseWriter) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the caller may be gone; nothing to do about it
}

// Mishap is what goes wrong with one call over HTTP, whoever the provider is.
// An emulator that knows further ones adds constants of its own.
type Mishap string

// The mishaps of every provider. "Taken" means that the emulator acts on the
// call as if nothing were wrong; only the caller does not hear of it.
const (
	CutBefore  Mishap = "cut-before"  // the connection is cut, nothing taken
	CutAfter   Mishap = "cut-after"   // taken, then the connection is cut
	FailBefore Mishap = "500-before"  // 500, nothing taken
	FailAfter  Mishap = "500-after"   // taken, then 500
	HangBefore Mishap = "hang-before" // no answer until the caller gives up, nothing taken
	HangAfter  Mishap = "hang-after"  // taken, then no answer until the caller gives up
	Slow       Mishap = "delay"       // taken, answered late
	Garbage    Mishap = "garbage"     // taken, and the answer's body breaks off
)

// Mishaps lists those of every provider.
func Mishaps() []Mishap {
	return []Mishap{CutBefore, CutAfter, FailBefore, FailAfter, HangBefore, HangAfter, Slow, Garbage}
}

// Untaken reports that the connection is to be cut with nothing done, by a
// panic with http.ErrAbortHandler: at once, or after the caller has given up.
func (m Mishap) Untaken(r *http.Request) bool {
	if m == HangBefore {
		<-r.Context().Done()
	}
	return m == CutBefore || m == HangBefore
}

// Taken turns the answer of a call that had its effect into what the caller
// hears of it. It panics with http.ErrAbortHandler where that is nothing; failed
// is the provider's 500, and delay how late Slow is.
func (m Mishap) Taken(r *http.Request, a, failed Answer, delay time.Duration) Answer {
	switch m {
	case HangAfter:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case CutAfter:
		panic(http.ErrAbortHandler)
	case FailAfter:
		return failed
	case Garbage:
		a.Body = []byte(`{"answer":[{"id":`)
	case Slow:
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
		}
	}
	return a
}
