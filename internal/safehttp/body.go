package safehttp

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// BodyWithin is how long a body that is sent in one go may take: a form, a command.
const BodyWithin = 30 * time.Second

// Body bounds the body of a request that anybody may send: at most so many bytes,
// and all of them within so long, unless the server is one whose connections know
// no deadline. What is longer fails with a *http.MaxBytesError; what is cut off,
// malformed or too slow is the sender's fault and Invalid.
func Body(w http.ResponseWriter, r *http.Request, most int64, within time.Duration) io.ReadCloser {
	b := &body{ReadCloser: http.MaxBytesReader(w, r.Body, most), ctl: http.NewResponseController(w)}
	b.bounded = b.ctl.SetReadDeadline(time.Now().Add(within)) == nil
	return b
}

type body struct {
	io.ReadCloser
	ctl     *http.ResponseController
	bounded bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil || tooLarge:
		return n, err
	case err == io.EOF: //nolint:errorlint // a reader returns it as it is
		if b.bounded { // the connection goes on to the next request; after a failure the deadline ends it
			_ = b.ctl.SetReadDeadline(time.Time{})
		}
		return n, err
	}
	return n, errs.New(errs.Invalid, "the body of the request did not come whole: %w", err)
}
