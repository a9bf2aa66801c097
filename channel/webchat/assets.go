package webchat

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed widget
var widget embed.FS

// assets are the files of the widget. Their address holds the hash of all of
// them, so that a browser may keep them for ever; the loader alone is asked for
// anew, and knows the address of the others.
type assets struct {
	version string
	loader  []byte
	files   map[string][]byte
}

// versionMark in the loader stands for the hash.
const versionMark = "@VERSION@"

var loadAssets = sync.OnceValue(func() assets {
	a := assets{files: map[string][]byte{}}
	sum := sha256.New()
	list, err := fs.ReadDir(widget, "widget")
	for _, f := range list {
		raw, errRead := fs.ReadFile(widget, path.Join("widget", f.Name()))
		if err = errRead; err != nil {
			break
		}
		a.files[f.Name()] = raw
		sum.Write(append([]byte(f.Name()+"\x00"), raw...))
	}
	if err != nil {
		panic("webchat: the embedded files cannot be read: " + err.Error()) // it was built wrongly
	}
	a.version = hex.EncodeToString(sum.Sum(nil))[:16]
	a.loader = bytes.ReplaceAll(a.files["loader.js"], []byte(versionMark), []byte(a.version))
	delete(a.files, "loader.js")
	return a
})

func serveLoader(w http.ResponseWriter, r *http.Request) {
	a := loadAssets()
	tag := `"` + a.version + `"`
	scriptHeaders(w.Header())
	w.Header().Set("Cache-Control", "public, max-age=300, stale-while-revalidate=86400")
	w.Header().Set("ETag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.loader) // the browser's connection is its own concern
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	a := loadAssets()
	raw, known := a.files[r.PathValue("file")]
	if !known || r.PathValue("version") != a.version {
		http.NotFound(w, r)
		return
	}
	scriptHeaders(w.Header())
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(raw) // as above
}

// scriptHeaders: pages of any origin may load the scripts, which hold nothing of
// anybody's.
func scriptHeaders(h http.Header) {
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}
