// Package dooraytest plays Dooray: the incoming hook of a messenger room, and the
// API of a project. It takes notices and tasks as Dooray does, keeps them, shows
// the notices on a page and as JSON, and makes the requests by which a project
// reports.
package dooraytest

import (
	"embed"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sangdam/sangdam/notify/dooray"
)

// Notice is one that the room got.
type Notice struct {
	dooray.Message
	At time.Time `json:"at"`
}

// Fault is what the room answers to the next requests instead of taking them.
type Fault struct {
	// Status of the answer; 200 with isSuccessful false.
	Status int
	// RetryAfter is the header of that name, in seconds; empty: none.
	RetryAfter string
	// Lost takes the notice and gives no answer.
	Lost bool
}

// Server is one room. It is an http.Handler: POST /services/… is the hook, / the
// page, /notices the list as JSON. All methods may be called at once.
type Server struct {
	mux *http.ServeMux

	mu      sync.Mutex
	notices []Notice
	faults  []Fault
	keys    map[string]string // API key to member
	tasks   []MadeTask
}

// URL is an address of the hook for targets in tests that use Transport.
const URL = "https://hook.dooray.test/services/1/2/secret"

// New returns an empty room.
func New() *Server {
	s := &Server{mux: http.NewServeMux(), keys: map[string]string{}}
	s.mux.HandleFunc("POST /services/", s.hook)
	s.mux.HandleFunc("POST /project/v1/projects/{project}/posts", s.hook)
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /notices", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Notices())
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Transport reaches the room within the process, for dooray.Options in tests.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	lost := t.s.serve(w, r)
	if lost {
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

// Notices lists what was taken, oldest first.
func (s *Server) Notices() []Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notices)
}

func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	if s.serve(w, r) {
		panic(http.ErrAbortHandler)
	}
}

// serve answers a request and says whether the answer is to be lost.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) (lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var f Fault
	if len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	if f.Status != 0 {
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		answer(w, f.Status, false)
		return false
	}
	if strings.HasPrefix(r.URL.Path, "/project/") {
		s.makeTask(w, r)
		return f.Lost
	}
	var n Notice
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&n.Message); err != nil || strings.TrimSpace(n.Text) == "" && len(n.Attachments) == 0 || n.BotName == "" {
		answer(w, http.StatusBadRequest, false)
		return false
	}
	n.At = time.Now()
	if s.notices = append(s.notices, n); len(s.notices) > 1000 {
		s.notices = slices.Clone(s.notices[1:])
	}
	answer(w, http.StatusOK, true)
	return f.Lost
}

func answer(w http.ResponseWriter, status int, ok bool) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"header": map[string]any{"isSuccessful": ok, "resultCode": 0, "resultMessage": ""},
		"result": nil})
}

//go:embed page.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	list := s.Notices()
	slices.Reverse(list)
	_ = page.Execute(w, list)
}
