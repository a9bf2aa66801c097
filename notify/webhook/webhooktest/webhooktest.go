// Package webhooktest is a receiver of web hooks: it checks each request as a
// receiver should, keeps what was right and counts what was not, acts once per
// id, and shows both on a page and as JSON. Tests and demos use it in the place
// of the program that a web hook is for.
package webhooktest

import (
	"embed"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify/webhook"
)

// Request is one that was signed rightly.
type Request struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
	// Timestamp is that of the body: when the event happened.
	Timestamp time.Time `json:"timestamp"`
	At        time.Time `json:"at"`
	// Repeat says that the id had come before.
	Repeat bool `json:"repeat,omitempty"`
}

// Fault is what the receiver answers to the next requests instead of acting.
type Fault struct {
	Status     int
	RetryAfter int // seconds; 0: no header
	// Lost acts on the request and gives no answer.
	Lost bool
}

// Options of New.
type Options struct {
	// Secret that requests must be signed with; empty: one is made.
	Secret channel.Secret
	// Now is the receiver's clock; nil: time.Now.
	Now func() time.Time
	// OnRequest is called for every request that is signed rightly, within the
	// request, before it is answered: for receivers that call back.
	OnRequest func(Request)
}

// Server receives. It is an http.Handler: POST anywhere is a web hook, GET / the
// page, GET /requests the list as JSON. All methods may be called at once.
type Server struct {
	opt Options
	mux *http.ServeMux

	mu       sync.Mutex
	requests []Request
	refused  []string
	seen     map[string]bool
	faults   []Fault
}

// New returns a receiver.
func New(o Options) *Server {
	if o.Secret.Empty() {
		o.Secret = webhook.NewSecret()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{opt: o, mux: http.NewServeMux(), seen: map[string]bool{}}
	s.mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if s.receive(w, r) {
			panic(http.ErrAbortHandler)
		}
	})
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Requests())
	})
	return s
}

// Secret that requests must be signed with.
func (s *Server) Secret() channel.Secret { return s.opt.Secret }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Transport reaches the receiver within the process, for webhook.Options.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if t.s.receive(w, r) {
		return nil, io.ErrUnexpectedEOF
	}
	return w.Result(), nil
}

// Fail lets the next requests go wrong, one fault each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Requests lists what was signed rightly and answered 2xx, repeats included,
// oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Acted lists the requests without repeats: what a receiver acts on.
func (s *Server) Acted() []Request {
	return slices.DeleteFunc(s.Requests(), func(r Request) bool { return r.Repeat })
}

// Refused tells why requests were refused.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// receive answers a request and says whether the answer is to be lost.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) (lost bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return false
	}
	f, ok := s.fault()
	if ok && !f.Lost {
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		w.WriteHeader(f.Status)
		return false
	}
	now := s.opt.Now()
	var got Request
	if err = webhook.Verify(r.Header, body, now, s.opt.Secret); err == nil {
		err = json.Unmarshal(body, &got)
	}
	if err != nil {
		s.mu.Lock()
		s.refused = append(s.refused, err.Error())
		s.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}
	got.ID, got.At = r.Header.Get(webhook.HeaderID), now
	s.mu.Lock()
	got.Repeat, s.seen[got.ID] = s.seen[got.ID], true
	s.requests = append(s.requests, got)
	s.mu.Unlock()
	if s.opt.OnRequest != nil {
		s.opt.OnRequest(got)
	}
	w.WriteHeader(http.StatusNoContent)
	return f.Lost
}

func (s *Server) fault() (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return Fault{}, false
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f, true
}

//go:embed page.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	list := s.Requests()
	slices.Reverse(list)
	_ = page.Execute(w, map[string]any{"Requests": list, "Refused": s.Refused()})
}
