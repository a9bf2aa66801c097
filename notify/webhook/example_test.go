package webhook_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify/webhook"
)

func newServer(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/hook"
}

// A receiver checks the raw body before it reads it.
func ExampleVerify() {
	secret := channel.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = webhook.Verify(r.Header, body, time.Now(), secret)
		}
		if err != nil {
			http.Error(w, "not signed by the desk", http.StatusUnauthorized)
			return
		}
		// Act once for each r.Header.Get(webhook.HeaderID).
		w.WriteHeader(http.StatusNoContent)
	}
	w := httptest.NewRecorder()
	receive(w, httptest.NewRequest(http.MethodPost, "/hook", http.NoBody))
	fmt.Println(w.Code)
	// Output: 401
}
