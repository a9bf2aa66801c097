package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets/*
var assetFiles embed.FS

// assets are the files that pages load, each under a name that holds its hash,
// so that browsers may keep them for ever.
type assets struct {
	prefix string
	names  map[string]string // plain name to hashed one
	bodies map[string][]byte // by hashed name
}

func loadAssets(prefix, brand string) (*assets, error) {
	a := &assets{prefix: prefix, names: map[string]string{}, bodies: map[string][]byte{}}
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		body, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return nil, err
		}
		if path.Ext(f.Name()) == ".js" {
			body = lean(body)
		}
		a.add(f.Name(), body)
	}
	css, err := brandCSS(brand)
	if err != nil {
		return nil, err
	}
	a.add("brand.css", css)
	return a, nil
}

// lean is a script as it is served: without the lines that only explain it to its
// readers here, and without indentation. No text of a script spans lines.
func lean(script []byte) []byte {
	var out []byte
	for line := range bytes.Lines(script) {
		if line = bytes.TrimLeft(line, " "); !bytes.HasPrefix(line, []byte("//")) {
			out = append(out, line...)
		}
	}
	return out
}

func (a *assets) add(name string, body []byte) {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	hashed := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	a.names[name], a.bodies[hashed] = hashed, body
}

// url is the address of an asset; a template that names one that is not there
// fails, and a test renders them all.
func (a *assets) url(name string) (string, error) {
	hashed, ok := a.names[name]
	if !ok {
		return "", fmt.Errorf("console: there is no asset %q", name)
	}
	return a.prefix + hashed, nil
}

// ServeHTTP serves an asset by its hashed name.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	body, ok := a.bodies[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	http.ServeContent(w, r, name, time.Time{}, strings.NewReader(string(body)))
}
