package helpcenter

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

//go:embed page/*
var files embed.FS

//go:embed texts/*.json
var textFiles embed.FS

var page = template.Must(template.ParseFS(files, "page/form.html"))

// loadTexts reads every language. The files are part of the program, and a test
// reads them.
func loadTexts() map[string]map[string]string {
	out := map[string]map[string]string{}
	list, _ := textFiles.ReadDir("texts")
	for _, f := range list {
		raw, _ := textFiles.ReadFile(path.Join("texts", f.Name()))
		texts := map[string]string{}
		if json.Unmarshal(raw, &texts) == nil {
			out[strings.TrimSuffix(f.Name(), ".json")] = texts
		}
	}
	return out
}

func (h *Handler) show(w http.ResponseWriter, status int, v view) {
	var out bytes.Buffer
	if err := page.ExecuteTemplate(&out, "form.html", v); err != nil {
		h.o.Logger.Error("the page of the inquiry form failed", "error", err)
		http.Error(w, "the form cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader may be gone
}

func style() []byte {
	raw, _ := files.ReadFile("page/form.css") // part of the program
	return raw
}

func styleName() string {
	sum := sha256.Sum256(style())
	return "form-" + hex.EncodeToString(sum[:6]) + ".css"
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(style()) // the reader may be gone
}

// address is whose limit counts.
func (h *Handler) address(r *http.Request) netip.Addr {
	if h.o.Address != nil {
		return h.o.Address(r)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(host) // what is none is one address for all
	return a.Unmap()
}

// limiter lets an address send so many inquiries an hour, and read so many forms at
// once.
type limiter struct {
	perHour int
	mu      sync.Mutex
	m       map[netip.Prefix]*rate.Limiter
	reading map[netip.Prefix]int // forms under way
}

// maxReading is how many forms of one address are read at once. Their files wait on
// the disk, for as long as a slow connection takes, and nothing is known of them yet.
const maxReading = 5

// read takes a place for a form that is read; free gives it back.
func (l *limiter) read(a netip.Addr) (free func(), ok bool) {
	key := lineOf(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading[key] >= maxReading {
		return nil, false
	}
	if l.reading == nil {
		l.reading = map[netip.Prefix]int{}
	}
	l.reading[key]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.reading[key]--; l.reading[key] == 0 {
			delete(l.reading, key)
		}
	}, true
}

// lineOf is what one customer has of the address space: of IPv6 a network.
func lineOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	key, _ := a.Prefix(bits) // the zero prefix for an address that is none
	return key
}

// maxAddresses bounds what is remembered: a flood costs no memory, and forgets.
const maxAddresses = 20_000

func (l *limiter) allow(a netip.Addr) bool {
	key := lineOf(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil || len(l.m) >= maxAddresses {
		l.m = map[netip.Prefix]*rate.Limiter{}
	}
	b := l.m[key]
	if b == nil {
		b = rate.NewLimiter(rate.Every(time.Hour/time.Duration(l.perHour)), l.perHour)
		l.m[key] = b
	}
	return b.Allow()
}
