package console_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
)

// An administrator has what the history shows backed up: the page tells how far
// it is, and the file has exactly that.
func TestABackupIsMadeInTheBrowser(t *testing.T) {
	w := newWorld(t)
	w.line.User("Mina").SendText("parcel one")
	w.conversationOf("Mina")
	w.line.User("Jun").SendText("parcel two")
	id := w.owned("Jun", "ara")
	b := browsertest.Open(t)
	ara := w.open(b, "ara")
	ara.openPage("/history?q=parcel")
	ara.until(`document.querySelector("table.found") && !document.querySelector("#backup")`)

	p := w.open(b, "admin")
	p.openPage("/history?agent=ara&q=parcel")
	p.shows("table.found", "parcel two")
	p.click("#make-backup")
	p.shows("#live .backups", "1 conversation,")
	p.shot("backup")
	href := eval[string](p, `document.querySelector("#live .backups a").getAttribute("href")`)
	resp := w.client("admin").do(http.MethodGet, strings.TrimPrefix(href, "/desk"), "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	f, err := z.File[0].Open()
	require.NoError(t, err)
	lines, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, 1, bytes.Count(lines, []byte("\n")))
	require.Contains(t, string(lines), string(id))
	require.Contains(t, string(lines), "parcel two")
	require.Equal(t, http.StatusForbidden, w.client("ara").do(http.MethodGet, strings.TrimPrefix(href, "/desk"), "").StatusCode)
}
