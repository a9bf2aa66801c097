// Package helpcenter is the page on which customers leave an inquiry: a form
// that a host mounts, made of the categories and fields that the workspace
// offers, and kept as a ticket.
//
//	form, err := helpcenter.NewHandler(engine, helpcenter.Options{
//		Prefix: "/help", Workspace: "shop", Desk: "support",
//	})
//	mux.Handle("/help/", form)
//
// The page has no script, sets no cookie and loads nothing from elsewhere. It
// shows nothing of agents or of other customers: what it answers is the number
// of the inquiry, which gives no right to anything. A form that is sent twice is
// one inquiry. Requests from pages of other sites are refused, each address may
// send so much in an hour, and a field that people do not see catches programs
// that fill everything in.
//
// The page is there once the workspace offers a category in its tree of inquiries:
//
//	engine.SaveCategory(ctx, host, sangdam.SaveCategory{Tree: ticket.Intake,
//		Category: ticket.Category{Names: map[string]string{"": "Orders"}, Offered: true}})
//
// or the same by the console's pages; until then it says that no inquiries are taken.
// Answers reach the customer by a mail target (sangdam.SaveTarget) that the workspace
// names in sangdam.TicketRouting.AnswerBy.
//
// Begin with NewHandler; NewRatings is the page behind the rating links of mails.
// It holds no articles, and no list of a customer's own inquiries.
package helpcenter

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// Options of an inquiry form. Workspace is required.
type Options struct {
	// Prefix is the path that the form is mounted at, such as "/help"; the handler
	// is given requests with it, not stripped of it. Empty: the root.
	Prefix    string
	Workspace sangdam.WorkspaceID
	// Desk that inquiries belong to; empty: none.
	Desk routing.DeskID
	// Title of the page by language, "" for all others; nil: the form's own words.
	Title map[string]string
	// Consent is what the customer agrees to, by language, and Policy the address
	// of the whole text; both may be empty.
	Consent, Policy map[string]string
	// Language is the one shown to whoever asks for none that the pages have: "en",
	// "ko" or "ja"; empty: "en".
	Language string
	// Who says which customer a request is from, where the host knows; nil: nobody
	// is known. The requester's values stand in the form already, and the inquiry
	// belongs to the contact, unless it is empty.
	Who func(*http.Request) (ticket.Requester, conversation.ContactID)
	// Address tells the address of whoever asks, where the host is behind a proxy;
	// nil: that of the connection.
	Address func(*http.Request) netip.Addr
	// PerHour is how many inquiries an address (of IPv6, a network of 64 bits) may
	// send at once to one process, and how many an hour it may send in the long run;
	// 0: 20.
	PerHour int
	// MaxFile is the largest file in bytes; 0: 10 MB. MaxFiles is how many an
	// inquiry may have; 0: 5.
	MaxFile  int64
	MaxFiles int
	// Logger hears of failures, never of what somebody wrote; nil is silent.
	Logger *slog.Logger
}

// Handler serves the form. It is safe for concurrent use.
type Handler struct {
	engine *sangdam.Engine
	o      Options
	langs  map[string]map[string]string
	limit  limiter
	mux    http.Handler
	style  string // the sheet's name, with its content's hash
}

// NewHandler checks the options; it starts nothing. Errors are ErrInvalid and
// name the option.
func NewHandler(e *sangdam.Engine, o Options) (*Handler, error) {
	o.Prefix = strings.TrimRight(o.Prefix, "/")
	o.Language = cmp.Or(o.Language, "en")
	o.PerHour, o.MaxFile, o.MaxFiles = cmp.Or(o.PerHour, 20), cmp.Or(o.MaxFile, 10<<20), cmp.Or(o.MaxFiles, 5)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{engine: e, o: o, langs: loadTexts()}
	switch {
	case e == nil:
		return nil, errs.New(errs.Invalid, "helpcenter: the engine is missing")
	case o.Workspace == "":
		return nil, errs.New(errs.Invalid, "helpcenter: Options.Workspace is missing")
	case o.Prefix != "" && !strings.HasPrefix(o.Prefix, "/"):
		return nil, errs.New(errs.Invalid, "helpcenter: Options.Prefix %q must begin with /", o.Prefix)
	case h.langs[o.Language] == nil:
		return nil, errs.New(errs.Invalid, "helpcenter: Options.Language %q is not there; use en, ko or ja", o.Language)
	case o.PerHour < 0 || o.MaxFile < 0 || o.MaxFiles < 0:
		return nil, errs.New(errs.Invalid, "helpcenter: PerHour, MaxFile and MaxFiles of Options are not negative")
	}
	h.limit.perHour = o.PerHour
	h.style = styleName()
	h.mux = h.routes()
	return h, nil
}

// policy lets the page run nothing and load its own sheet alone.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (h *Handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+h.o.Prefix+"/{$}", h.form)
	mux.HandleFunc("POST "+h.o.Prefix+"/{$}", h.submit)
	mux.HandleFunc("GET "+h.o.Prefix+"/"+h.style, serveStyle)
	if h.o.Prefix != "" {
		mux.Handle("GET "+h.o.Prefix, http.RedirectHandler(h.o.Prefix+"/", http.StatusSeeOther))
	}
	return h.guarded(mux)
}

// guarded takes what comes from the page's own forms alone, and answers for what
// panicked, the host's Who too, without a word of it.
func (h *Handler) guarded(mux http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				h.o.Logger.Error("a request to the inquiry form panicked", "where", errs.Where())
				http.Error(w, "something went wrong", http.StatusInternalServerError)
			}
		}()
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		told := r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
		if r.Method == http.MethodPost && (cross.Check(r) != nil || !told) {
			http.Error(w, "this request does not come from the form", http.StatusForbidden)
			return
		}
		if r.Method != http.MethodPost {
			r.Body = http.NoBody // FormValue reads a form of any size beside any method, its files onto the disk
		}
		mux.ServeHTTP(w, r)
	})
}

// ServeHTTP serves the form below Options.Prefix.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// setup is what the workspace offers, read with the host's right: only names of
// categories and fields leave it.
func (h *Handler) setup(ctx context.Context) (sangdam.TicketSetup, error) {
	return h.engine.TicketSetup(ctx, sangdam.Host(h.o.Workspace))
}

// who is the customer, as far as the host knows.
func (h *Handler) who(r *http.Request) (ticket.Requester, conversation.ContactID) {
	if h.o.Who == nil {
		return ticket.Requester{}, ""
	}
	return h.o.Who(r)
}
