package console

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// maxForm bounds the body of a request: the longest message with its escapes;
// maxPictureForm that of a form with a picture, of which no more than maxForm is
// kept in memory.
const (
	maxForm        = 4 << 20
	maxPictureForm = 11 << 20
	maxFormRows    = 2000
)

// policy is the content security policy of every page: nothing from elsewhere,
// nothing inline, no frame around it, and in it only frames of its own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; font-src 'self'; " +
	"connect-src 'self'; worker-src 'self'; manifest-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; " +
	"frame-ancestors 'none'"

// request is one request while it is served.
type request struct {
	*Handler
	w    http.ResponseWriter
	r    *http.Request
	p    sangdam.Principal
	lang *language
	zone *time.Location
	now  time.Time
	dir  *sangdam.Directory // once asked for
	// masks are what may be masked of the record that is shown.
	masks sangdam.MaskProposals
	// views are the saved ones, once asked for.
	views     []sangdam.ConversationView
	viewsRead bool
	// rights are those that were asked for, each once.
	rights map[sangdam.Action]error
}

// may asks the Engine's rule about the workspace, once a request: what a page
// shows of its own navigation asks for the same rights again and again.
func (q *request) may(a sangdam.Action) error {
	err, asked := q.rights[a]
	if !asked {
		if q.rights == nil {
			q.rights = map[sangdam.Action]error{}
		}
		err = q.engine.May(q.r.Context(), q.p, a)
		q.rights[a] = err
	}
	return err
}

// guarded is the chain that every request passes: headers, the origin of what
// changes something, the table.
func (h *Handler) guarded() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+h.o.Prefix+"/assets/{name}", h.assets)
	for _, rt := range h.routes {
		mux.Handle(rt.method+" "+h.o.Prefix+rt.path, h.serving(rt))
	}
	if h.o.Prefix != "" {
		mux.Handle("GET "+h.o.Prefix, http.RedirectHandler(h.o.Prefix+"/", http.StatusSeeOther))
	}
	mux.Handle("/", h.serving(route{right: sangdam.ActList, serve: func(*request) error { return errNoPage }}))
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := h.o.Prefix; p != "" && r.URL.Path != p && !strings.HasPrefix(r.URL.Path, p+"/") {
			http.Error(w, "this handler serves the console below "+p+"/ (Options.Prefix): mount it at that path, which stays part of "+
				"the request's, without http.StripPrefix", http.StatusNotFound)
			return
		}
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "same-origin")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		if changes(r) && (cross.Check(r) != nil || !tellsOrigin(r)) {
			http.Error(w, "this request does not come from a page of the console", http.StatusForbidden)
			return
		}
		if !changes(r) {
			r.Body = http.NoBody // FormValue reads a form of any size beside any method, its files onto the disk
		}
		mux.ServeHTTP(w, r)
	})
}

var errNoPage = errs.New(errs.NotFound, "console: there is no such page")

// changes says that a request may change something.
func changes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// tellsOrigin says that the client is a browser that tells where a request
// comes from. Clients without these headers have no business here: programs use
// the Engine.
func tellsOrigin(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
}

// serving serves one route.
func (h *Handler) serving(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer h.caught(w)
		q := &request{Handler: h, w: w, r: r, now: time.Now()}
		q.lang, q.zone = h.languageOf(r), h.zoneOf(r)
		p, err := h.o.Authenticate(r)
		if err != nil {
			q.unknown(err)
			return
		}
		q.p = p
		right := rt.right
		if rt.record {
			right = sangdam.ActList
		}
		if err := q.may(right); err != nil {
			q.fail(err)
			return
		}
		if led, err := q.unconfirmed(rt); led || err != nil {
			if err != nil {
				q.fail(err)
			}
			return
		}
		if changes(r) && rt.path != upload {
			bound := int64(maxForm)
			if rt.path == deskPicture {
				bound = maxPictureForm
			}
			r.Body = safehttp.Body(w, r, bound, safehttp.BodyWithin)
			if err := q.readForm(); err != nil {
				q.fail(err)
				return
			}
		}
		if err := rt.serve(q); err != nil {
			q.fail(err)
		}
	})
}

// caught answers for what panicked, the host's Authenticate too, without a word of
// it: the value may hold what somebody wrote.
func (h *Handler) caught(w http.ResponseWriter) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler: // it cuts an answer off on purpose
		panic(p)
	default:
		h.o.Logger.Error("a request to the console panicked", "where", errs.Where())
		http.Error(w, "something went wrong", http.StatusInternalServerError)
	}
}

// readForm reads the form of a request that changes something.
func (q *request) readForm() error {
	err := q.r.ParseForm()
	if strings.HasPrefix(q.r.Header.Get("Content-Type"), "multipart/form-data") {
		err = q.r.ParseMultipartForm(maxForm)
	}
	if err != nil {
		return errs.New(errs.Invalid, "console: the form cannot be read, or is larger than %d bytes", maxForm)
	}
	for _, values := range q.r.PostForm {
		if len(values) > maxFormRows { // each row is looked for in all that was sent
			return errs.New(errs.Invalid, "console: the form has more than %d rows of a kind; save fewer at once", maxFormRows)
		}
	}
	return nil
}

// unknown answers a request of which Authenticate does not say who it is from.
func (q *request) unknown(err error) {
	switch {
	case !errors.Is(err, sangdam.ErrUnavailable):
		q.signIn()
	case q.swaps(), q.asJSON():
		q.fail(err)
	default: // a page of the console's own would name who is signed in
		http.Error(q.w, q.lang.t("error.unavailable"), http.StatusServiceUnavailable)
	}
}

// signIn answers a request that nobody is signed in for.
func (q *request) signIn() {
	if q.o.SignIn == "" || !strings.Contains(q.r.Header.Get("Accept"), "text/html") {
		http.Error(q.w, "sign in first", http.StatusUnauthorized)
		return
	}
	next := q.r.URL.Path
	if changes(q.r) {
		next = q.o.Prefix + "/"
	}
	at := q.signAt
	query := at.Query()
	query.Set("next", next)
	at.RawQuery = query.Encode()
	to := at.String()
	if q.swaps() {
		q.w.Header().Set("HX-Redirect", to)
		q.w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(q.w, q.r, to, http.StatusSeeOther)
}

// swaps says that a part of a page is asked for, not a page.
func (q *request) swaps() bool { return q.r.Header.Get("HX-Request") == "true" }

// asJSON says that the script of the composer asks.
func (q *request) asJSON() bool { return q.r.Header.Get("Accept") == "application/json" }

// trouble is what a person is told of an error.
type trouble struct {
	Status int
	Title  string
	Detail string
}

// mistake is what was wrong with a form, for the page that shows it again with
// what was typed, and that page's status: nil and 200 where nothing was. What is
// not the person's to mend comes back as the error.
func (q *request) mistake(wrong error) (*trouble, int, error) {
	if wrong == nil {
		return nil, http.StatusOK, nil
	}
	t := q.troubleOf(wrong)
	if t.Status >= 500 {
		return nil, t.Status, wrong
	}
	return &t, t.Status, nil
}

// troubleOf puts an error into words. What the library says of invalid input
// names the remedy and holds no customer's text; anything unexpected is only
// logged.
func (q *request) troubleOf(err error) trouble {
	t := trouble{Status: sangdam.HTTPStatus(err)}
	switch {
	case errors.Is(err, sangdam.ErrNotFound):
		t.Title = q.lang.t("error.not_found")
	case errors.Is(err, sangdam.ErrPermissionDenied):
		t.Title = q.lang.t("error.denied")
	case errors.Is(err, sangdam.ErrStale), errors.Is(err, sangdam.ErrConflict), errors.Is(err, sangdam.ErrAlreadyExists):
		t.Title, t.Detail = q.lang.t("error.stale"), q.lang.words(err)
	case errors.Is(err, sangdam.ErrInvalid), errors.Is(err, sangdam.ErrUnsupported):
		t.Title, t.Detail = q.lang.t("error.invalid"), q.lang.words(err)
	case errors.Is(err, sangdam.ErrUnavailable):
		t.Title = q.lang.t("error.unavailable")
	default:
		t.Title = q.lang.t("error.internal")
		if q.r.Context().Err() == nil {
			q.o.Logger.Error("a page of the console failed", "path", q.r.Pattern, "error", err)
		}
	}
	return t
}

// fail answers a request that went wrong: a notice beside what is shown where a
// part was asked for, else a page.
func (q *request) fail(err error) {
	t := q.troubleOf(err)
	switch {
	case q.asJSON():
		q.json(t.Status, map[string]string{"error": strings.TrimSpace(t.Title + " " + t.Detail)})
	case q.swaps():
		q.w.Header().Set("HX-Retarget", "#toasts")
		q.w.Header().Set("HX-Reswap", "beforeend")
		q.w.Header().Set("HX-Reselect", ".toast")
		q.part(t.Status, "toast", t)
	default:
		q.page(t.Status, "error", q.lang.t("error.title"), "", t)
	}
}

// buffers are those that pages were written in; mostKept is the largest that is
// kept for another one.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const mostKept = 1 << 20

func buffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func release(b *bytes.Buffer) {
	if b.Cap() <= mostKept {
		b.Reset()
		buffers.Put(b)
	}
}

// part writes a named part of a page.
func (q *request) part(status int, name string, data any) {
	out := buffer()
	defer release(out)
	if err := q.pages[q.lang.tag].ExecuteTemplate(out, name, data); err != nil {
		q.o.Logger.Error("a template failed", "part", name, "error", err)
		http.Error(q.w, q.lang.t("error.internal"), http.StatusInternalServerError)
		return
	}
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.WriteHeader(status)
	_, _ = out.WriteTo(q.w) // the reader may be gone
}

// done answers a command that worked: the page that it leads to.
func (q *request) done(to string) error {
	http.Redirect(q.w, q.r, q.o.Prefix+to, http.StatusSeeOther)
	return nil
}

// key is the name under which the browser may repeat the command.
func (q *request) key() sangdam.Key {
	if k := q.r.PostFormValue("key"); len(k) <= 100 {
		return sangdam.Key(k)
	}
	return ""
}
