package console

import (
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

//go:embed templates/*.html
var templateFiles embed.FS

// parsePages makes the templates of all pages, a set for each language: the parts
// that pages share are there once. The body of a page is the template "page/NAME"
// of the file NAME.html, which the frame asks for by that name.
func (h *Handler) parsePages() (map[string]*template.Template, error) {
	out := map[string]*template.Template{}
	for tag, lang := range h.langs {
		set := template.New("layout.html")
		content := func(f frame) (template.HTML, error) {
			body := buffer()
			defer release(body)
			err := set.ExecuteTemplate(body, "page/"+f.Page, f)
			return template.HTML(body.String()), err // #nosec G203 -- the set has escaped it
		}
		_, err := set.Funcs(h.functions(lang)).Funcs(template.FuncMap{"content": content}).ParseFS(templateFiles, "templates/*.html")
		if err != nil {
			return nil, err
		}
		out[tag] = set
	}
	return out, nil
}

// functions are what templates may call.
func (h *Handler) functions(lang *language) template.FuncMap {
	return template.FuncMap{
		"t":              lang.t,
		"lang":           func() string { return lang.tag },
		"asset":          h.assets.url,
		"icon":           icon,
		"url":            func(parts ...string) string { return h.o.Prefix + strings.Join(parts, "") },
		"key":            rand.Text,
		"esc":            url.PathEscape,
		"channelName":    func(kind string) string { return lang.of("channel", kind) },
		"channelIcon":    channelIcon,
		"statusIcon":     statusIcon,
		"presences":      func() []routing.Presence { return []routing.Presence{routing.Online, routing.Break, routing.Offline} },
		"themes":         func() []string { return []string{"auto", "light", "dark"} },
		"consultReasons": func() []string { return consultReasons },
		"endReasons":     func() []string { return []string{"solved", "no_answer", "spam", "other"} },
		"hourModes":      func() []string { return []string{"none", "week", "always"} },
		"keyList":        func() []keys { return keySheet },
	}
}

// keys is a line of the sheet of keys; assets/console.js acts on them.
type keys struct {
	Keys []string
	What string
}

var keySheet = []keys{
	{[]string{"Enter"}, "send"}, {[]string{"Shift", "Enter"}, "newline"}, {[]string{"Alt", "J"}, "next"},
	{[]string{"Alt", "K"}, "previous"},
	{[]string{"Alt", "A"}, "accept"}, {[]string{"Alt", "L"}, "answer"}, {[]string{"Alt", "P"}, "note"}, {[]string{"Alt", "U"}, "unread"},
	{[]string{"Alt", "E"}, "end"}, {[]string{"?"}, "sheet"}, {[]string{"Esc"}, "close"},
}

func channelIcon(kind string) string {
	switch kind {
	case "line", "globe":
		return kind
	case "webchat":
		return "globe"
	case "email", "mail":
		return "mail"
	case "ticket":
		return "ticket"
	}
	return "chat"
}

func statusIcon(status string) string {
	switch status {
	case "sent":
		return "check"
	case "delivered", "read":
		return "checks"
	case "failed", "unknown":
		return "alert"
	}
	return "clock"
}

// frame is what the layout shows around a page.
type frame struct {
	Page    string // whose template is the body
	Title   string
	Section string // of the navigation
	Brand   string
	Agent   string // id
	Now     string // RFC 3339, for clocks in the page
	AsOf    string // the same for people
	Zone    string
	Theme   string
	Sound   bool
	Undo    bool
	Path    string
	Nav     []navEntry
	Bar     barView
	SignOut string
	Langs   []choice
	Body    any
}

type navEntry struct {
	Key, URL, Icon string
	Current        bool
}

// choice is one of several, of which one is chosen.
type choice struct {
	Value, Label string
	Chosen       bool
}

// page writes a whole page.
func (q *request) page(status int, name, title, section string, body any) {
	f := frame{Page: name, Title: title, Section: section, Brand: q.o.Brand.Name, Agent: q.p.ID, Now: q.now.UTC().Format(time.RFC3339Nano),
		AsOf: q.now.In(q.zone).Format("15:04:05"), Zone: q.zone.String(), Theme: cookie(q.r, cookieTheme, "auto"),
		Sound: cookie(q.r, cookieSound, "on") == "on", Undo: q.undoFor() > 0, Path: q.r.URL.RequestURI(), SignOut: q.o.SignOut, Body: body}
	f.Langs = q.langs()
	f.Nav = q.nav(section)
	f.Bar = q.barView()
	q.part(status, "layout.html", f)
}

func (q *request) langs() []choice {
	var out []choice
	for _, tag := range []string{"en", "ko", "ja"} {
		out = append(out, choice{tag, q.lang.nameOf(tag), q.lang.tag == tag})
	}
	return out
}

// nav lists the pages that the principal may open.
func (q *request) nav(section string) []navEntry {
	all := []struct {
		key, path, icon string
		right           sangdam.Action
	}{
		{"conversations", "/conversations", "chat", sangdam.ActList},
		{"queues", "/queues", "queue", sangdam.ActList},
		{"tickets", "/tickets", "ticket", sangdam.ActList},
		{"history", "/history", "search", sangdam.ActSearch},
		{"triggers", "/triggers", "bolt", sangdam.ActConfigure},
		{"setup", "/setup", "settings", sangdam.ActConfigure},
		{"operations", "/operations", "alert", sangdam.ActOperate},
	}
	var out []navEntry
	for _, n := range all {
		if q.may(n.right) == nil {
			out = append(out, navEntry{n.key, q.o.Prefix + n.path, n.icon, n.key == section})
		}
	}
	return out
}

// json writes an answer for the console's own script.
func (q *request) json(status int, v any) {
	q.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	q.w.WriteHeader(status)
	_ = json.NewEncoder(q.w).Encode(v) // the reader may be gone
}

// Preferences live in cookies of the console's path: they are no secret and
// belong to the browser.
const (
	cookieLang  = "sangdam_lang"
	cookieZone  = "sangdam_zone" // written by the page's script
	cookieTheme = "sangdam_theme"
	cookieSound = "sangdam_sound"
	cookieUndo  = "sangdam_undo"
)

func cookie(r *http.Request, name, otherwise string) string {
	if c, err := r.Cookie(name); err == nil && c.Value != "" {
		return c.Value
	}
	return otherwise
}

// zoneOf is the browser's time zone.
func (h *Handler) zoneOf(r *http.Request) *time.Location {
	name, err := url.QueryUnescape(cookie(r, cookieZone, ""))
	if err != nil || name == "" || name == "Local" {
		return h.o.Zone
	}
	if z, err := time.LoadLocation(name); err == nil {
		return z
	}
	return h.o.Zone
}

// preferences keeps language, theme, sound and whether a send can be undone.
func (q *request) preferences() error {
	known := map[string][]string{cookieLang: {"en", "ko", "ja"}, cookieTheme: {"auto", "light", "dark"}, cookieSound: {"on", "off"},
		cookieUndo: {"on", "off"}}
	for name, allowed := range known {
		given := q.r.PostFormValue(strings.TrimPrefix(name, "sangdam_"))
		for _, v := range allowed {
			if v == given {
				http.SetCookie(q.w, &http.Cookie{Name: name, Value: v, Path: q.o.Prefix + "/", MaxAge: 365 * 24 * 3600,
					HttpOnly: true, Secure: q.r.TLS != nil, SameSite: http.SameSiteLaxMode})
			}
		}
	}
	return q.done(q.back("/conversations"))
}

// back is the page that a form names to return to, if it is one of these.
func (q *request) back(otherwise string) string {
	to := q.r.PostFormValue("back")
	rest, ours := strings.CutPrefix(to, q.o.Prefix+"/")
	if !ours || strings.HasPrefix(rest, "/") || strings.ContainsAny(rest, "\\\r\n") {
		return otherwise
	}
	return "/" + rest
}

func (q *request) home() error { return q.done("/conversations") }

// directory is asked for once a request.
func (q *request) directory() (*sangdam.Directory, error) {
	if q.dir == nil {
		d, err := q.engine.Directory(q.r.Context(), q.p)
		if err != nil {
			return nil, err
		}
		q.dir = &d
	}
	return q.dir, nil
}

// agentName is how an agent is called; the id where nobody knows.
func agentName(d *sangdam.Directory, id routing.AgentID) string {
	for _, a := range d.Agents {
		if a.ID == id && a.Name != "" {
			return a.Name
		}
	}
	return string(id)
}

// short is a time as lists show it: the clock today, else the date.
func (q *request) short(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	local, now := t.In(q.zone), q.now.In(q.zone)
	switch {
	case local.Format(time.DateOnly) == now.Format(time.DateOnly):
		return local.Format("15:04")
	case local.Year() == now.Year():
		return q.lang.t("time.month_day", int(local.Month()), local.Day())
	}
	return local.Format("2006-01-02")
}

func (q *request) clock(t time.Time) string { return t.In(q.zone).Format("15:04") }

// full is a time for tooltips.
func (q *request) full(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(q.zone).Format("2006-01-02 15:04:05")
}

// day is the line between the messages of two days.
func (q *request) day(t time.Time) string {
	local := t.In(q.zone)
	return q.lang.t("time.day", q.lang.t("time.month."+fmt.Sprint(int(local.Month()))), local.Day(),
		q.lang.t("time.weekday."+fmt.Sprint(int(local.Weekday()))))
}

// since is how long ago something was, in the largest unit.
func (q *request) since(t time.Time) string {
	d := q.now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return q.lang.t("time.seconds", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return q.lang.t("time.minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return q.lang.t("time.hours", int(d.Hours()))
	}
	return q.lang.t("time.days", int(d.Hours()/24))
}
