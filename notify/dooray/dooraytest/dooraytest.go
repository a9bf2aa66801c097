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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
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

	notices emukit.Record[Notice]
	tasks   emukit.Record[MadeTask]
	faults  emukit.Faults[Fault]

	mu   sync.Mutex
	keys map[string]string // API key to member
}

// URL is an address of the hook for targets in tests that use Transport.
const URL = "https://hook.dooray.test/services/1/2/secret"

// New returns an empty room.
func New() *Server {
	s := &Server{mux: http.NewServeMux(), keys: map[string]string{}, notices: emukit.Record[Notice]{Keep: 1000}}
	s.mux.HandleFunc("POST /services/", s.hook)
	s.mux.HandleFunc("POST /project/v1/projects/{project}/posts", s.hook)
	s.mux.Handle("GET /{$}", emukit.Page(page, func() any {
		list := s.Notices()
		slices.Reverse(list)
		return list
	}))
	emukit.Show(emukit.NewControl(s.mux), "GET /notices", s.Notices)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Transport reaches the room within the process, for dooray.Options in tests.
func (s *Server) Transport() http.RoundTripper { return emukit.Transport(s) }

// Fail lets the next requests go wrong, one fault each.
func (s *Server) Fail(faults ...Fault) { s.faults.Fail(faults...) }

// Notices lists what was taken, oldest first.
func (s *Server) Notices() []Notice { return s.notices.All() }

// hook takes a notice or a task, unless a fault says otherwise.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	f := s.faults.Next()
	if f.Status != 0 {
		refused := refusal(f.Status)
		if f.RetryAfter != "" {
			refused = refused.With("Retry-After", f.RetryAfter)
		}
		refused.Write(w)
		return
	}
	take := s.takeNotice
	if strings.HasPrefix(r.URL.Path, "/project/") {
		take = s.makeTask
	}
	done := take(r)
	if f.Lost {
		panic(http.ErrAbortHandler)
	}
	done.Write(w)
}

func (s *Server) takeNotice(r *http.Request) emukit.Answer {
	var n Notice
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&n.Message); err != nil || strings.TrimSpace(n.Text) == "" && len(n.Attachments) == 0 || n.BotName == "" {
		return refusal(http.StatusBadRequest)
	}
	n.At = time.Now()
	s.notices.Add(n)
	return accepted(nil)
}

func refusal(status int) emukit.Answer { return emukit.JSON(status, form(false, nil)) }

func accepted(result any) emukit.Answer { return emukit.JSON(http.StatusOK, form(true, result)) }

// form is that of every answer of Dooray's.
func form(ok bool, result any) any {
	return map[string]any{"header": map[string]any{"isSuccessful": ok, "resultCode": 0, "resultMessage": ""}, "result": result}
}

//go:embed page.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))
