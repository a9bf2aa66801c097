// Package console is the agents' console: a set of pages that a host mounts in
// its own server.
//
//	pages, err := console.NewHandler(engine, console.Options{
//		Prefix: "/console", Authenticate: whoIsIt, SignIn: "/sign-in",
//	})
//	mux.Handle("/console/", pages)
//
// The pages are made on the server with html/template; htmx swaps parts of them
// and an event stream says what changed. Scripts, styles and icons are embedded
// and named by their content, nothing is loaded from elsewhere, and the pages
// work under a content security policy without inline code.
//
// The host says who a request is from (Options.Authenticate); what that
// principal may see and do is asked of the Engine with every request. Requests
// that change something are refused unless the browser says that they come from
// these pages (Sec-Fetch-Site or Origin).
//
// Begin with NewHandler and Options. It signs nobody in, keeps no passwords and no
// session, and has no interface for programs: those are the Engine's methods and
// sangdam.EventStream.
package console

import (
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
)

// Options of a console. Authenticate is required.
type Options struct {
	// Prefix is the path that the console is mounted at, such as "/console"; the
	// handler is given requests with it, not stripped of it. Empty: the root.
	Prefix string
	// Authenticate says who a request is from: an agent's principal, with the
	// roles that the host gives. It is asked with every request, and each second
	// while a page follows the event stream, so that whoever is signed out is cut
	// off. Its error means: nobody; but one that is sangdam.ErrUnavailable means that
	// it cannot be told at the moment, such as while the host's database is away. Then
	// the answer is 503, and nobody is led to SignIn.
	Authenticate func(*http.Request) (sangdam.Principal, error)
	// SignIn is the address to which a request for a page is sent when nobody is signed
	// in; the parameter "next" of its query is set and says where to come back to, and
	// what else its query has stays. Empty: such requests are answered 401.
	SignIn string
	// SignOut is the address that signs out when it is sent a POST; empty: there is no
	// such button.
	SignOut string
	// Brand is shown in place of the library's name.
	Brand Brand
	// Language is the one shown to whoever chose none and whose browser asks for none
	// that the console has: "en", "ko" or "ja"; empty: "en".
	Language string
	// Zone is the time zone until the browser has told its own; nil: UTC.
	Zone *time.Location
	// PublicURL is the address under which the internet reaches the host's
	// webhooks, without the account's token: "https://desk.example.com/webhooks/".
	// It is shown to administrators; empty: they are told that it is missing.
	PublicURL string
	// ReportURL is the address at which the host serves Engine.TargetHooks, to
	// which other systems report about tickets that were handed over to them:
	// "https://desk.example.com/reports/". It is shown to administrators with what
	// each of those systems has to add; empty: that alone is shown.
	ReportURL string
	// WidgetURL is the address of the web-chat widget's script, for the snippet
	// that a shop puts into its pages: "https://desk.example.com/webchat/widget.js".
	// Under the console's own host it is shown in a preview. Empty: there is no
	// snippet.
	WidgetURL string
	// InviteURL is where the host lets an invited agent choose a password, such as
	// "https://desk.example.com/join?token="; the invitation's token is added
	// (sangdam.InviteAgent). Empty: nobody is invited from the console.
	InviteURL string
	// Logger hears of failures, without texts of customers; nil is silent.
	Logger *slog.Logger
}

// Brand is how the console presents itself.
type Brand struct {
	// Name in the corner of the page; empty: "Sangdam".
	Name string
	// Colour of buttons and links, as "#rrggbb"; empty: the console's own. It is
	// made darker or lighter until text on it and beside it can be read.
	Colour string
}

// Handler serves the console. It is safe for concurrent use.
type Handler struct {
	engine *sangdam.Engine
	o      Options
	langs  map[string]*language
	assets *assets
	pages  map[string]*template.Template // by language
	guard  http.Handler
	stream http.Handler
	routes []route
	signAt url.URL // Options.SignIn
}

// NewHandler checks the options and prepares the pages; it starts nothing.
// Errors are ErrInvalid and name the option.
func NewHandler(e *sangdam.Engine, o Options) (*Handler, error) {
	o.Prefix = strings.TrimRight(o.Prefix, "/")
	switch {
	case e == nil:
		return nil, errs.New(errs.Invalid, "console: the engine is missing")
	case o.Authenticate == nil:
		return nil, errs.New(errs.Invalid, "console: Options.Authenticate is missing; without it nobody could be let in")
	case o.Prefix != "" && !strings.HasPrefix(o.Prefix, "/"):
		return nil, errs.New(errs.Invalid, "console: Options.Prefix %q must begin with /", o.Prefix)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Brand.Name == "" {
		o.Brand.Name = "Sangdam"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	signIn, err := url.Parse(o.SignIn)
	if err == nil {
		_, err = url.ParseQuery(signIn.RawQuery) // what cannot be read would be left out
	}
	if err != nil {
		return nil, errs.New(errs.Invalid, "console: Options.SignIn is no address; write it as /sign-in or https://host/sign-in")
	}
	h := &Handler{engine: e, o: o, signAt: *signIn}
	if h.langs, err = loadLanguages(); err != nil {
		return nil, err
	}
	if h.o.Language == "" {
		h.o.Language = "en"
	}
	if h.langs[h.o.Language] == nil {
		return nil, errs.New(errs.Invalid, "console: Options.Language %q is not there; use one of %v", o.Language,
			slices.Sorted(maps.Keys(h.langs)))
	}
	if h.assets, err = loadAssets(o.Prefix+"/assets/", o.Brand.Colour); err != nil {
		return nil, err
	}
	if h.pages, err = h.parsePages(); err != nil {
		return nil, err
	}
	h.routes = h.table()
	h.stream = sangdam.EventStream(e, h.streamer)
	h.guard = h.guarded()
	return h, nil
}

// ServeHTTP serves the console below Options.Prefix.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.guard.ServeHTTP(w, r) }
