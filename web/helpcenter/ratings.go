package helpcenter

import (
	"bytes"
	"cmp"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// RatingOptions of the pages of rating links. All may be left out.
type RatingOptions struct {
	// Prefix is the path that the pages are mounted at, such as "/ratings"; with the
	// host's address it is sangdam.Config.RatingsURL. Empty: the root.
	Prefix string
	// Language is the one shown to whoever asks for none that the pages have: "en",
	// "ko" or "ja"; empty: "en".
	Language string
	// Address tells the address of whoever asks, where the host is behind a proxy;
	// nil: that of the connection.
	Address func(*http.Request) netip.Addr
	// PerHour is how many answers an address (of IPv6, a network of 64 bits) may send
	// at once to one process, and how many an hour in the long run; 0: 20.
	PerHour int
	// Logger hears of failures, never of what somebody wrote; nil is silent.
	Logger *slog.Logger
}

// NewRatings serves the pages by which customers rate a conversation that has
// ended, where they are asked by a link. The link's address alone says which
// conversation it is, and no page tells anything of it. Looking at a page changes
// nothing, so that programs that open the links of mails answer nothing; sending the
// form does. It starts nothing, and what it returns is safe for concurrent use.
// Errors are ErrInvalid and name the option.
func NewRatings(e *sangdam.Engine, o RatingOptions) (http.Handler, error) {
	o.Prefix, o.Language, o.PerHour = strings.TrimRight(o.Prefix, "/"), cmp.Or(o.Language, "en"), cmp.Or(o.PerHour, 20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base := &Handler{engine: e, o: Options{Prefix: o.Prefix, Language: o.Language, Address: o.Address, Logger: o.Logger},
		langs: loadTexts(),
		style: styleName()}
	switch {
	case e == nil:
		return nil, errs.New(errs.Invalid, "helpcenter: the engine is missing")
	case o.Prefix != "" && !strings.HasPrefix(o.Prefix, "/"):
		return nil, errs.New(errs.Invalid, "helpcenter: RatingOptions.Prefix %q must begin with /", o.Prefix)
	case base.langs[o.Language] == nil:
		return nil, errs.New(errs.Invalid, "helpcenter: RatingOptions.Language %q is not there; use en, ko or ja", o.Language)
	case o.PerHour < 0:
		return nil, errs.New(errs.Invalid, "helpcenter: RatingOptions.PerHour is not negative")
	}
	base.limit.perHour = o.PerHour
	h := &ratings{Handler: base}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+o.Prefix+"/{workspace}/{token}", h.look)
	mux.HandleFunc("POST "+o.Prefix+"/{workspace}/{token}", h.rate)
	mux.HandleFunc("GET "+o.Prefix+"/"+base.style, serveStyle)
	return base.guarded(mux), nil
}

// ratings is what the pages share with the inquiry form.
type ratings struct{ *Handler }

var ratingPage = template.Must(template.ParseFS(files, "page/rating.html"))

// ratingView is the page: the question with the form, the thanks, or why not.
type ratingView struct {
	Lang, Title, Style, Question string
	T                            map[string]string
	Scores                       []choice
	Comment, Problem             string
	Done, Gone                   bool
}

func (h *ratings) view(r *http.Request, page sangdam.RatingPage) ratingView {
	base, _, _ := strings.Cut(strings.ToLower(page.Language), "-")
	lang := base
	if h.langs[lang] == nil {
		lang = h.language(r)
	}
	t := h.langs[lang]
	v := ratingView{Lang: lang, T: t, Title: t["rating_title"], Style: path.Join(h.o.Prefix, "/", h.style),
		Question: cmp.Or(page.Question, t["rating_question"]), Comment: r.PostFormValue("comment")}
	for score := 5; score >= 1; score-- {
		n := strconv.Itoa(score)
		v.Scores = append(v.Scores, choice{n, n + " " + strings.Repeat("★", score) + strings.Repeat("☆", 5-score),
			r.PostFormValue("score") == n})
	}
	return v
}

func (h *ratings) look(w http.ResponseWriter, r *http.Request) {
	page, err := h.engine.RatingPage(r.Context(), sangdam.WorkspaceID(r.PathValue("workspace")), r.PathValue("token"))
	v := h.view(r, page)
	v.Done = page.Rated
	h.answer(w, v, err)
}

func (h *ratings) rate(w http.ResponseWriter, r *http.Request) {
	r.Body = safehttp.Body(w, r, 64<<10, safehttp.BodyWithin)
	if err := r.ParseForm(); err != nil {
		refuseForm(w, err)
		return
	}
	ws, token := sangdam.WorkspaceID(r.PathValue("workspace")), r.PathValue("token")
	page, err := h.engine.RatingPage(r.Context(), ws, token)
	v := h.view(r, page)
	score, _ := strconv.Atoi(r.PostFormValue("score")) // what is none is no score
	comment := strings.ReplaceAll(v.Comment, "\r\n", "\n")
	switch {
	case err != nil:
	case score < 1 || score > 5:
		v.Problem = v.T["rating_choose"]
	case len(comment) > 4000:
		v.Problem = v.T["rating_long"]
	case !h.limit.allow(h.address(r)):
		v.Problem = v.T["too_many"]
	default:
		err = h.engine.RateByLink(r.Context(), ws, token, score, comment)
		v.Done = err == nil || errors.Is(err, sangdam.ErrAlreadyExists)
		if v.Done {
			err = nil
		}
	}
	h.answer(w, v, err)
}

// answer shows the page; what is no link, and one whose time is over, look alike.
func (h *ratings) answer(w http.ResponseWriter, v ratingView, err error) {
	status := http.StatusOK
	switch {
	case errors.Is(err, sangdam.ErrNotFound):
		v.Gone, status = true, http.StatusNotFound
	case err != nil:
		h.o.Logger.Error("a rating link failed", "error", err)
		v.Problem, status = v.T["unavailable"], http.StatusServiceUnavailable
	case v.Problem != "":
		status = http.StatusUnprocessableEntity
	}
	var out bytes.Buffer
	if err := ratingPage.ExecuteTemplate(&out, "rating.html", v); err != nil {
		h.o.Logger.Error("the page of a rating link failed", "error", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader may be gone
}
