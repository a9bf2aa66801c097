package console

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// kindWebChat is the channel whose settings the page has fields for, as it has
// for LINE; the members are those of webchat.Settings.
const (
	kindWebChat    = channel.Kind("webchat")
	secretVisitor  = "visitor_key"
	secretIdentity = "identity_key"
)

// chatForm are the settings of a web-chat account.
type chatForm struct {
	Title, Intro, Consent []textForm
	Version               string // of the consent
	Policy, FormURL       string
	LoginURL, Color       string
	Origins               string
	NoConsent, Members    bool
	Grace                 string
	Snippets              []snippet
	Preview               string // address of a page with the widget; "" where it cannot be shown
}

// snippet is what a shop puts into its pages of a language.
type snippet struct{ Language, Name, Code string }

// chatSettings are the members that the page has fields for.
type chatSettings struct {
	Origins []string `json:"origins,omitempty"`
	Consent *struct {
		Version string            `json:"version"`
		Texts   map[string]string `json:"texts"`
		URL     map[string]string `json:"url,omitempty"`
	} `json:"consent,omitempty"`
	NoConsent   bool              `json:"no_consent,omitempty"`
	MembersOnly bool              `json:"members_only,omitempty"`
	LoginURL    map[string]string `json:"login_url,omitempty"`
	FormURL     map[string]string `json:"form_url,omitempty"`
	Title       map[string]string `json:"title,omitempty"`
	Intro       map[string]string `json:"intro,omitempty"`
	Color       string            `json:"color,omitempty"`
	Grace       int               `json:"grace_seconds,omitempty"`
	MaxFile     int64             `json:"max_file_bytes,omitempty"`
}

func (q *request) chatForm(a channel.Account) *chatForm {
	var s chatSettings
	_ = json.Unmarshal(a.Settings, &s) // what cannot be read is written anew
	each := func(field string, texts map[string]string) []textForm {
		return q.lang.inLanguages(field, languages, texts)
	}
	f := &chatForm{Title: each("title", s.Title), Intro: each("intro", s.Intro), Version: "1", NoConsent: s.NoConsent,
		Members: s.MembersOnly, FormURL: s.FormURL[""], LoginURL: s.LoginURL[""], Color: s.Color, Origins: strings.Join(s.Origins, "\n")}
	var texts map[string]string
	if s.Consent != nil {
		texts, f.Version, f.Policy = s.Consent.Texts, s.Consent.Version, s.Consent.URL[""]
	}
	f.Consent = each("consent", texts)
	if s.Grace > 0 {
		f.Grace = q.lang.t("number", s.Grace)
	}
	if q.o.WidgetURL == "" || a.Token == "" {
		return f
	}
	for _, l := range []string{"ko", "en", "ja"} {
		f.Snippets = append(f.Snippets, snippet{l, q.lang.nameOf(l), widgetTag(q.o.WidgetURL, a.Token, l, s.Color)})
	}
	if q.widgetPath() != "" {
		f.Preview = q.o.Prefix + "/setup/accounts/" + url.PathEscape(string(a.ID)) + "/preview"
	}
	return f
}

// widgetTag is the line for a page: what webchat.Snippet makes, of the widget's
// whole address. The colour stands in it because the launcher is drawn before the
// account's settings are asked for.
func widgetTag(address, token, lang, color string) string {
	line := `<script async src="` + template.HTMLEscapeString(address) + `" data-account="` + template.HTMLEscapeString(token) +
		`" data-lang="` + lang + `"`
	if color != "" {
		line += ` data-color="` + template.HTMLEscapeString(color) + `"`
	}
	return line + "></script>"
}

// widgetPath is the widget's path where this host serves it.
func (q *request) widgetPath() string {
	u, err := url.Parse(q.o.WidgetURL)
	if err != nil || u.Host != "" && u.Host != q.r.Host || !strings.HasPrefix(u.Path, "/") {
		return ""
	}
	return u.Path
}

// readChat reads them. A new account gets its key by itself; the members that
// the page does not know stay.
func (q *request) readChat(a *channel.Account) error {
	s := map[string]any{}
	if len(a.Settings) > 0 {
		if err := json.Unmarshal(a.Settings, &s); err != nil {
			return errs.New(errs.Invalid, "console: %s", q.lang.t("account.settings_wrong"))
		}
	}
	put := func(name string, v any, there bool) {
		if delete(s, name); there {
			s[name] = v
		}
	}
	texts := func(field string) map[string]string { return q.readLanguages(field) }
	put("origins", strings.Fields(q.r.PostFormValue("origins")), q.value("origins") != "")
	put("title", texts("title"), len(texts("title")) > 0)
	put("intro", texts("intro"), len(texts("intro")) > 0)
	for _, name := range []string{"form_url", "login_url"} {
		all := q.address(name, s[name])
		put(name, all, len(all) > 0)
	}
	put("color", q.value("color"), q.value("color") != "")
	put("members_only", true, q.checked("members_only"))
	put("no_consent", true, q.checked("no_consent"))
	consent := map[string]any{"version": q.value("consent_version"), "texts": texts("consent")}
	was, _ := s["consent"].(map[string]any)
	if all := q.address("policy", was["url"]); len(all) > 0 {
		consent["url"] = all
	}
	put("consent", consent, len(texts("consent")) > 0)
	grace, err := q.whole("grace")
	if err != nil {
		return err
	}
	put("grace_seconds", grace, grace != 0)
	if a.Settings, err = json.Marshal(s); err != nil {
		return err
	}
	a.Secrets = map[string]channel.Secret{}
	if a.Version == 0 {
		a.Secrets[secretVisitor] = channel.NewSecret(rand.Text() + rand.Text())
	}
	if v := q.value("identity_key"); v != "" { // an empty one keeps what is stored
		a.Secrets[secretIdentity] = channel.NewSecret(v)
	}
	return nil
}

// address reads the address that holds for all languages. Those of single
// languages, which the page does not show, stay.
func (q *request) address(field string, was any) map[string]any {
	all, _ := was.(map[string]any)
	if all == nil {
		all = map[string]any{}
	}
	if delete(all, ""); q.value(field) != "" {
		all[""] = q.value(field)
	}
	return all
}

// preview is a page with the widget as it is saved, for a tab of its own.
func (q *request) preview() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	path := q.widgetPath()
	if a.Kind != kindWebChat || path == "" || a.Token == "" {
		return errNoPage
	}
	q.part(http.StatusOK, "preview", map[string]string{"Name": a.Name, "Script": path, "Token": a.Token,
		"Color": q.chatForm(a).Color})
	return nil
}

// accountQR is the picture by which customers add the account.
func (q *request) accountQR() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	i, err := q.engine.Invite(q.r.Context(), q.p, a.ID, 320)
	if err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "image/png")
	_, _ = q.w.Write(i.QR) // the reader may be gone
	return nil
}

// invitationView is how customers reach an account.
type invitationView struct{ ID, Name, URL string }

// accountInvitation is the address and the picture by which customers add an
// account, for a page that shows them when they come.
func (q *request) accountInvitation() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	i, err := q.engine.Invite(q.r.Context(), q.p, a.ID, 0)
	if err != nil {
		return err
	}
	q.part(http.StatusOK, "invitation", invitationView{string(a.ID), cmp.Or(a.Name, string(a.ID)), i.URL})
	return nil
}
