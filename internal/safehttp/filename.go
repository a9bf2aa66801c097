package safehttp

import (
	"fmt"
	"net/http"
	"strings"
)

// Disposition returns the value of the header Content-Disposition (RFC 6266)
// for a file, which is shown in the page when inline and else downloaded. The
// name must be a safe one (privacy.SafeName); whatever it is, the value is one
// line of printable ASCII.
func Disposition(inline bool, name string) string {
	kind := "attachment"
	if inline {
		kind = "inline"
	}
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	if ascii == name {
		return fmt.Sprintf(`%s; filename="%s"`, kind, ascii)
	}
	return fmt.Sprintf(`%s; filename="%s"; filename*=UTF-8''%s`, kind, ascii, extValue(name))
}

// extValue encodes all but the attr-char of RFC 8187, 3.2.1.
func extValue(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// ServeHeaders sets the headers under which a file of others may be served: its
// type only where Inline allows, else as a download of unknown type, never
// guessed at by the browser, and without scripts even if opened by itself.
func ServeHeaders(h http.Header, mediaType, name string) {
	inline := Inline(mediaType)
	h.Set("Content-Disposition", Disposition(inline, name))
	if !inline {
		mediaType = "application/octet-stream"
	}
	h.Set("Content-Type", mediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Referrer-Policy", "no-referrer")
}
