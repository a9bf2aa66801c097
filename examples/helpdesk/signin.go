package main

import (
	"context"
	"crypto/subtle"
	"embed"
	"errors"
	"html/template"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/web/console"
)

//go:embed pages/*
var pageFiles embed.FS

var signInPage = template.Must(template.ParseFS(pageFiles, "pages/sign-in.html"))

const sessionCookie = "helpdesk_session"

// authenticate says who a request is from, for the console.
func (h *helpdesk) authenticate(r *http.Request) (sangdam.Principal, error) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return sangdam.Principal{}, errSignIn
	}
	p, err := h.whose(r.Context(), c.Value)
	p.IP, _, _ = net.SplitHostPort(r.RemoteAddr) // recorded in the audit log
	return p, err
}

// pages are the console and what leads into it. The console's streams end with
// streams, so that they hold up no one who ends the program.
func (h *helpdesk) pages(streams context.Context) (http.Handler, error) {
	public := ""
	if h.o.publicURL != "" {
		public = h.o.publicURL + "/webhooks/"
	}
	desk, err := console.NewHandler(h.eng, console.Options{Prefix: "/console", Authenticate: h.authenticate,
		SignIn: "/sign-in", SignOut: "/sign-out",
		Brand: console.Brand{Name: "Sangdam"}, Logger: h.out.logger(), PublicURL: public, Zone: time.Local,
		InviteURL: h.o.home + "/join?token=", WidgetURL: h.o.home + "/webchat/widget.js"})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/console/", http.StatusSeeOther) })
	mux.HandleFunc("GET /console/events", func(w http.ResponseWriter, r *http.Request) { endingWith(streams, desk, w, r) })
	mux.Handle("/console/", desk)
	mux.Handle("GET /sign-in.css", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pageFiles, "pages/sign-in.css")
	}))
	mux.HandleFunc("GET /sign-in", func(w http.ResponseWriter, r *http.Request) {
		h.signIn(w, http.StatusOK, signInView{Next: next(r.URL.Query().Get("next"))})
	})
	mux.HandleFunc("POST /sign-in", h.postSignIn)
	mux.HandleFunc("POST /sign-out", h.postSignOut)
	mux.HandleFunc("GET /join", h.getJoin)
	mux.HandleFunc("POST /join", h.postJoin)
	mux.HandleFunc("GET /enter/{token}", h.enter)
	return http.NewCrossOriginProtection().Handler(mux), nil
}

type signInView struct {
	Next, Name, Trouble string
}

func (h *helpdesk) signIn(w http.ResponseWriter, status int, v signInView) {
	pageHeaders(w, status)
	_ = signInPage.Execute(w, v) // the reader may be gone
}

// pageHeaders are those of every page before somebody is signed in.
func pageHeaders(w http.ResponseWriter, status int) {
	head := w.Header()
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
}

// next is where to go after signing in: a page of the console, nothing else.
func next(given string) string {
	if strings.HasPrefix(given, "/console/") && !strings.ContainsAny(given, "\\\r\n") && !strings.Contains(given, "//") {
		return given
	}
	return "/console/"
}

// attempts lets nobody guess: five a minute for a name, and thirty for all names
// from one address.
type attempts struct {
	mu sync.Mutex
	m  map[string]*rate.Limiter
}

func (a *attempts) allow(key string, perMinute int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil || len(a.m) > 10_000 { // a flood of names costs no memory
		a.m = map[string]*rate.Limiter{}
	}
	l := a.m[key]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
		a.m[key] = l
	}
	return l.Allow()
}

func (h *helpdesk) postSignIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	v := signInView{Next: next(r.PostFormValue("next")), Name: r.PostFormValue("name")}
	from, _, _ := net.SplitHostPort(r.RemoteAddr) // an address without a port is one key for all
	if !h.attempts.allow("name "+folded(v.Name), 5) || !h.attempts.allow("from "+from, 30) {
		v.Trouble = tooMany
		h.signIn(w, http.StatusTooManyRequests, v)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	agent, err := h.check(ctx, v.Name, r.PostFormValue("password"))
	switch {
	case errors.Is(err, errSignIn):
		v.Trouble = "Name or password is wrong. · 이름 또는 비밀번호가 맞지 않습니다."
		h.signIn(w, http.StatusUnauthorized, v)
		return
	case err == nil:
		err = h.welcome(w, r, agent, v.Next)
	}
	if err != nil {
		h.out.logger().Warn("signing in failed", "error", err)
		v.Trouble = "The desk does not answer for the moment. · 잠시 뒤 다시 시도하세요."
		h.signIn(w, http.StatusServiceUnavailable, v)
	}
}

// welcome gives the browser a session.
func (h *helpdesk) welcome(w http.ResponseWriter, r *http.Request, agent routing.AgentID, to string) error {
	token, err := h.begin(r.Context(), agent)
	if err != nil {
		return err
	}
	http.SetCookie(w, h.cookie(token, int(sessionFor.Seconds())))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (h *helpdesk) cookie(token string, seconds int) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: token, Path: "/", MaxAge: seconds, HttpOnly: true,
		Secure: strings.HasPrefix(h.o.publicURL, "https:"), SameSite: http.SameSiteLaxMode}
}

func (h *helpdesk) postSignOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		if err := h.finish(r.Context(), c.Value); err != nil {
			plain(w, http.StatusServiceUnavailable, "the desk does not answer for the moment")
			return
		}
	}
	http.SetCookie(w, h.cookie("", -1))
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// enter signs in whoever tries the demonstration, by the link that its start
// printed: to this machine alone, and online at once.
func (h *helpdesk) enter(w http.ResponseWriter, r *http.Request) {
	given := []byte(r.PathValue("token"))
	if h.o.entry == "" || subtle.ConstantTimeCompare(given, []byte(h.o.entry)) != 1 || !local(r) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	err := h.eng.SetPresence(r.Context(), as(visitor), sangdam.SetPresence{Agent: visitor, Presence: routing.Online})
	if err == nil {
		err = h.welcome(w, r, visitor, "/console/conversations?view=mine")
	}
	if err != nil {
		h.out.logger().Warn("the visitor of the demonstration could not enter", "error", err)
		plain(w, http.StatusServiceUnavailable, "the desk does not answer for the moment")
	}
}
