package webchat

import (
	"cmp"
	"html"
	"net/url"
	"strings"

	"github.com/sangdam/sangdam/channel"
)

// Snippet is the line that a page carries for the account, with the Color of its
// settings where there is one: base is where the Handler is mounted, as the page
// reaches it ("/webchat", "https://help.example/webchat"), lang the language of the
// page.
func Snippet(base string, acct channel.Account, lang string) string {
	line := `<script async src="` + html.EscapeString(strings.TrimRight(base, "/")+"/widget.js") + `" data-account="` +
		html.EscapeString(acct.Token) + `" data-lang="` + html.EscapeString(lang) + `"`
	if s, err := ParseSettings(acct.Settings); err == nil && s.Color != "" {
		line += ` data-color="` + html.EscapeString(s.Color) + `"`
	}
	return line + "></script>"
}

// maxEntry bounds what is kept of a page's address.
const maxEntry = 300

// entryOf is the page that a visitor is on, without what may be personal in its
// address; empty for anything else than a page.
func entryOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || len(address) > 4000 || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	out := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	return strings.ToValidUTF8(out[:min(len(out), maxEntry)], "")
}

// named are what browsers and systems are recognised by, the special before the
// general: most of them claim to be several.
var (
	browsers = [][2]string{{"KAKAOTALK", "KakaoTalk"}, {"NAVER(", "NAVER"}, {"Line/", "LINE"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Whale/", "Whale"},
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/",
			"Chrome"}, {"Safari/", "Safari"}}
	systems = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
)

// deviceOf says in two words what a visitor uses.
func deviceOf(userAgent string) string {
	first := func(of [][2]string) string {
		for _, n := range of {
			if strings.Contains(userAgent, n[0]) {
				return n[1]
			}
		}
		return ""
	}
	browser, system := first(browsers), first(systems)
	if browser != "" && system != "" {
		return browser + ", " + system
	}
	return cmp.Or(browser, system)
}
