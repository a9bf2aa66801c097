package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// word is what a page tells of the command that led to it. It goes in a cookie of
// that page's path: what stood in the address could be anybody's words.
type word struct {
	Warnings []string `json:"warnings,omitempty"`
	// LinkedFrom is the contact that the conversation was taken from, by its id
	// and name, for an undo.
	LinkedFrom string `json:"linked_from,omitempty"`
	LinkedName string `json:"linked_name,omitempty"`
}

const (
	cookieTold = "sangdam_told"
	// toldFor is in seconds: parts of the page are read again meanwhile.
	toldFor = 120
	// maxTold bounds the cookie, which browsers throw away above 4 KiB.
	maxTold = 2500
)

// tell leaves word for the page of a path. Of warnings that are too many the
// first are told: whoever mends them and saves again is told the rest.
func (q *request) tell(path string, v word) {
	raw, err := json.Marshal(v)
	for err == nil && len(raw) > maxTold && len(v.Warnings) > 1 {
		v.Warnings = v.Warnings[:len(v.Warnings)/2]
		raw, err = json.Marshal(v)
	}
	if err != nil || len(raw) > maxTold {
		return
	}
	path, _, _ = strings.Cut(path, "?")
	http.SetCookie(q.w, &http.Cookie{Name: cookieTold, Value: base64.RawURLEncoding.EncodeToString(raw), Path: q.o.Prefix + path,
		MaxAge: toldFor, HttpOnly: true, Secure: q.r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

// leftWord is what was left for this page; nothing where nothing was.
func (q *request) leftWord() (v word) {
	raw, err := base64.RawURLEncoding.DecodeString(cookie(q.r, cookieTold, ""))
	if err != nil || json.Unmarshal(raw, &v) != nil {
		return word{}
	}
	return v
}
