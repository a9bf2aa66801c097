// Package webhooktest is a receiver of web hooks: it checks each request as a
// receiver should, keeps what was right and counts what was not, acts once per
// id, and shows both on a page and as JSON. Tests and demos use it in the place
// of the program that a web hook is for.
package webhooktest

import (
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/emukit"
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

	requests emukit.Record[Request]
	refused  emukit.Record[string]
	faults   emukit.Faults[Fault]

	mu   sync.Mutex
	seen map[string]bool
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
	s.mux.HandleFunc("POST /", s.receive)
	s.mux.Handle("GET /{$}", emukit.Page(page, func() any {
		list := s.Requests()
		slices.Reverse(list)
		return map[string]any{"Requests": list, "Refused": s.Refused()}
	}))
	emukit.Show(emukit.NewControl(s.mux), "GET /requests", s.Requests)
	return s
}

// Secret that requests must be signed with.
func (s *Server) Secret() channel.Secret { return s.opt.Secret }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Transport reaches the receiver within the process, for webhook.Options.
func (s *Server) Transport() http.RoundTripper { return emukit.Transport(s) }

// Fail lets the next requests go wrong, one fault each.
func (s *Server) Fail(faults ...Fault) { s.faults.Fail(faults...) }

// Requests lists what was signed rightly and answered 2xx, repeats included,
// oldest first.
func (s *Server) Requests() []Request { return s.requests.All() }

// Acted lists the requests without repeats: what a receiver acts on.
func (s *Server) Acted() []Request {
	return s.requests.Where(func(r Request) bool { return !r.Repeat })
}

// Refused tells why requests were refused.
func (s *Server) Refused() []string { return s.refused.All() }

// receive answers a request, or goes without an answer where it is to be lost.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
	body, err := emukit.ReadBody(r, 4<<20)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f := s.faults.Next()
	if f != (Fault{}) && !f.Lost {
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		w.WriteHeader(f.Status)
		return
	}
	now := s.opt.Now()
	var got Request
	if err = webhook.Verify(r.Header, body, now, s.opt.Secret); err == nil {
		err = json.Unmarshal(body, &got)
	}
	if err != nil {
		s.refused.Add(err.Error())
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	got.ID, got.At = r.Header.Get(webhook.HeaderID), now
	s.mu.Lock()
	got.Repeat, s.seen[got.ID] = s.seen[got.ID], true
	s.requests.Add(got)
	s.mu.Unlock()
	if s.opt.OnRequest != nil {
		s.opt.OnRequest(got)
	}
	if f.Lost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

//go:embed page.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))
