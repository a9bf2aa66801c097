package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/browsertest"
)

// An agent confirms the workspace's notice at its first log-in: until then every
// page leads there and nothing can be done. It is asked once for each version.
func TestAnAgentConfirmsTheNoticeFirst(t *testing.T) {
	w := newWorld(t)
	b := browsertest.Open(t)
	admin := w.open(b, "admin")
	admin.openPage("/setup/notice")
	eval[bool](admin, `(document.querySelector("[name='text.agent.']").value = "What you write is <b>kept</b>.", true)`)
	admin.click(".form button.primary")
	admin.until(`location.pathname === "/desk/notice"`) // the administrator is an agent too
	admin.shows(".pre", "What you write is <b>kept</b>.")

	require.Equal(t, http.StatusSeeOther, w.client("ara").do(http.MethodGet, "/conversations", "").StatusCode)
	resp := w.client("ara").do(http.MethodPost, "/presence", "presence=online")
	require.Equal(t, "/desk/notice", resp.Header.Get("Location"))
	ara := w.open(b, "ara")
	ara.until(`location.pathname === "/desk/notice"`)
	ara.click("#confirm-notice")
	ara.until(`location.pathname === "/desk/conversations" && document.querySelector("#list")`)
	ara.openPage("/notice")
	ara.until(`location.pathname === "/desk/conversations"`)
	require.Equal(t, http.StatusOK, w.client("ara").do(http.MethodGet, "/conversations", "").StatusCode)
}
