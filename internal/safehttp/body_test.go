package safehttp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/internal/errs"
)

// A body is whole, too large, or the sender's fault; a slow one holds nothing for
// longer than it may, and a whole one leaves the connection as it was.
func TestABodyIsBounded(t *testing.T) {
	within := 10 * time.Second
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(Body(w, r, 10, within))
		_, tooLarge := errors.AsType[*http.MaxBytesError](err)
		switch {
		case tooLarge:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case errors.Is(err, errs.Invalid):
			w.WriteHeader(http.StatusBadRequest)
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer srv.Close()
	ask := func(conn net.Conn, body string) int {
		_, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\n%s", body)
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	dial := func() *net.TCPConn {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn.(*net.TCPConn)
	}
	conn := dial()
	for range 2 {
		require.Equal(t, 200, ask(conn, "Content-Length: 5\r\n\r\nhello"))
	}
	require.Equal(t, 413, ask(dial(), "Content-Length: 11\r\n\r\nhello world"))
	require.Equal(t, 400, ask(dial(), "Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc"))
	cut := dial()
	_, err := cut.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe"))
	require.NoError(t, err)
	require.NoError(t, cut.CloseWrite())
	resp, err := http.ReadResponse(bufio.NewReader(cut), nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 400, resp.StatusCode)
	within = time.Millisecond
	require.Equal(t, 400, ask(dial(), "Content-Length: 5\r\n\r\nhe"), "it never comes whole")
}
