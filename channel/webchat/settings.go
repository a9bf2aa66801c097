package webchat

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// Kind is the channel's name.
const Kind channel.Kind = "webchat"

// Keys of channel.Account.Secrets.
const (
	SecretVisitor      = "visitor_key"       // signs visitors' tokens and server-to-server events; required
	SecretIdentity     = "identity_key"      // shared with the host: signs who a visitor is; empty: nobody is known
	SecretIdentityNext = "identity_key_next" // a second accepted one while it is exchanged
)

// minKey is the least length of a key in bytes.
const minKey = 32

// NewKey returns a random key for any of the secrets.
func NewKey() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Texts holds a text by language (BCP 47 tag); the empty tag is for all others.
type Texts map[string]string

// In returns the text for a language: exactly it, else its base ("zh" of "zh-TW"),
// else the empty tag's; empty where there is none of them.
func (t Texts) In(lang string) string {
	base, _, _ := strings.Cut(lang, "-")
	return cmp.Or(t[lang], t[base], t[""])
}

// Settings is the JSON of channel.Account.Settings for web chat.
type Settings struct {
	// Origins of the pages that may carry the widget, as browsers write them:
	// "https://shop.example". The origin of the handler itself always may.
	Origins []string `json:"origins,omitempty"`
	// Consent is what a visitor must agree to before the first message. Required
	// unless NoConsent says that the host asks for it elsewhere.
	Consent   *Consent `json:"consent,omitempty"`
	NoConsent bool     `json:"no_consent,omitempty"`
	// MembersOnly lets nobody chat but whom the host has identified; others are
	// led to LoginURL, and to the form. Links in settings (LoginURL, FormURL,
	// Consent.URL) begin with https://, http://, mailto:, tel: or with one slash:
	// that is a path of the page that the widget stands on.
	MembersOnly bool  `json:"members_only,omitempty"`
	LoginURL    Texts `json:"login_url,omitempty"`
	// FormURL is where an inquiry can be left when nobody is there: a form, or an
	// address to write to or to call.
	FormURL Texts `json:"form_url,omitempty"`
	// Title stands at the top of the window; empty: the desk's name. Intro is
	// shown before the first message.
	Title Texts `json:"title,omitempty"`
	Intro Texts `json:"intro,omitempty"`
	// Color is the brand's, "#rrggbb"; the widget keeps the contrast of texts.
	Color string `json:"color,omitempty"`
	// GraceSeconds is how long after its window was closed a live chat ends, at most
	// 3600; 0: 60.
	GraceSeconds int `json:"grace_seconds,omitempty"`
	// MaxFileBytes is the largest file that a visitor may send, at most 1 GiB; 0:
	// 20 MiB.
	MaxFileBytes int64 `json:"max_file_bytes,omitempty"`
}

// Consent is a text to agree to.
type Consent struct {
	// Version names the text, in 1 to 100 bytes. Whoever changes the text gives it
	// another one, and visitors are asked again.
	Version string `json:"version"`
	Texts   Texts  `json:"texts"`
	// URL leads to the whole policy.
	URL Texts `json:"url,omitempty"`
}

// Bounds and defaults of settings.
const (
	defaultGrace    = time.Minute
	maxGrace        = time.Hour
	defaultFile     = 20 << 20
	maxFile         = 1 << 30
	maxSettingsText = 10_000
)

var colorForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// ParseSettings reads an account's settings and checks them. ErrInvalid names
// the field.
func ParseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = json.RawMessage("{}")
	}
	if kit.Strict(raw, &s) != nil {
		return s, errs.New(errs.Invalid, "webchat: settings are not readable or have a field that does not exist; see webchat.Settings")
	}
	return s, s.check()
}

func (s Settings) check() error {
	invalid := func(format string, args ...any) error {
		return errs.New(errs.Invalid, "webchat: setting "+format, args...)
	}
	for _, o := range s.Origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || o != u.Scheme+"://"+strings.ToLower(u.Host) {
			return invalid("origins has an entry that is no origin; write it as https://shop.example, without a path")
		}
	}
	if s.Consent == nil && !s.NoConsent {
		return invalid("consent is missing: give the text that visitors agree to, or say no_consent where the host asks for it elsewhere")
	}
	if c := s.Consent; c != nil && (c.Version == "" || len(c.Version) > 100 || c.Texts.In("") == "" && len(c.Texts) == 0) {
		return invalid("consent needs a version of at most 100 bytes and texts")
	}
	if s.Color != "" && !colorForm.MatchString(s.Color) {
		return invalid(`color must look like "#1f6feb"`)
	}
	if s.GraceSeconds < 0 || s.grace() > maxGrace || s.MaxFileBytes < 0 || s.maxFile() > maxFile {
		return invalid("grace_seconds must be 0 to 3600 and max_file_bytes 0 to 1 GB")
	}
	all := []Texts{s.LoginURL, s.FormURL, s.Title, s.Intro}
	if s.Consent != nil {
		all = append(all, s.Consent.Texts, s.Consent.URL)
	}
	for _, texts := range all {
		for lang, text := range texts {
			if len(lang) > 35 || len(text) > maxSettingsText {
				return invalid("texts have at most %d bytes, language tags 35", maxSettingsText)
			}
		}
	}
	return s.checkLinks()
}

func (s Settings) checkLinks() error {
	links := []Texts{s.LoginURL, s.FormURL}
	if s.Consent != nil {
		links = append(links, s.Consent.URL)
	}
	for _, texts := range links {
		for _, link := range texts {
			if !safeLink(link) && !ownPath(link) {
				return errs.New(errs.Invalid, "webchat: links in settings begin with https://, http://, mailto:, tel: or one slash")
			}
		}
	}
	return nil
}

// ownPath says whether a link is a path of the page that the widget stands on. Browsers
// read a backslash as a slash, and two of them as the beginning of another host.
func ownPath(link string) bool {
	_, err := url.Parse(link)
	return err == nil && strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") && !strings.Contains(link, `\`)
}

// safeLink says whether a browser may be sent there by a press. The widget opens the
// same ones (safeHref in widget/dom.js).
func safeLink(link string) bool {
	u, err := url.Parse(link)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "https", "http":
		return u.Hostname() != "" && u.User == nil
	case "mailto", "tel":
		return u.Opaque != ""
	}
	return false
}

func (s Settings) grace() time.Duration {
	return cmp.Or(time.Duration(s.GraceSeconds)*time.Second, defaultGrace)
}

func (s Settings) maxFile() int64 { return cmp.Or(s.MaxFileBytes, defaultFile) }

// Validate checks settings and secrets.
func (a *Adapter) Validate(acct channel.Account) error {
	if acct.Kind != Kind {
		return errs.New(errs.Invalid, "webchat: account %s is of kind %q, not %q", acct.ID, acct.Kind, Kind)
	}
	if _, err := ParseSettings(acct.Settings); err != nil {
		return err
	}
	if len(acct.Secrets[SecretVisitor].Reveal()) < minKey {
		return errs.New(errs.Invalid, "webchat: secret %s must have at least %d bytes; make one with webchat.NewKey", SecretVisitor, minKey)
	}
	for _, name := range []string{SecretIdentity, SecretIdentityNext} {
		if n := len(acct.Secrets[name].Reveal()); n > 0 && n < minKey {
			return errs.New(errs.Invalid, "webchat: secret %s must have at least %d bytes, or none", name, minKey)
		}
	}
	return nil
}
