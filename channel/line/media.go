package line

import (
	"context"
	"io"
	"net/http"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// FetchMedia streams what a customer sent into sink. LINE keeps contents for
// an unstated time, so fetch soon. ErrUnavailable while LINE prepares a large
// video or sound (ask again), ErrNotFound when LINE does not have it (any
// more) or could not prepare it, ErrStale when the customer took it back. An
// error of sink ends the transfer and is returned as it is.
func (a *Adapter) FetchMedia(ctx context.Context, acct channel.Account, ref string, sink adapter.MediaSink) error {
	if !contentForm.MatchString(ref) {
		return errs.New(errs.Invalid, "line: media: the reference does not have the form of a LINE message id")
	}
	ctx, cancel := context.WithTimeout(ctx, mediaTimeout)
	defer cancel()
	resp, err := a.openContent(ctx, acct, call{method: http.MethodGet, address: a.data + "/v2/bot/message/" + ref + "/content"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return a.stream(resp, sink)
	case http.StatusAccepted:
		return a.transcoding(ctx, acct, ref)
	}
	return refusal("media", resp.StatusCode)
}

// openContent is authorised for answers that are streamed.
func (a *Adapter) openContent(ctx context.Context, acct channel.Account, c call) (resp *http.Response, err error) {
	err = a.withToken(ctx, acct, c, func(authorization string) (int, error) {
		if resp != nil {
			resp.Body.Close() // that of the refused token
		}
		var err error
		if resp, err = a.client.Open(ctx, c.with(authorization)); err != nil { //nolint:bodyclose // above, below, or by the caller
			return 0, err
		}
		return resp.StatusCode, nil
	})
	if err != nil && resp != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, err
}

func (a *Adapter) stream(resp *http.Response, sink adapter.MediaSink) error {
	if err := sink.Begin(resp.Header.Get("Content-Type"), resp.ContentLength); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, sinkErr := sink.Write(buf[:n]); sinkErr != nil {
				return sinkErr
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return a.client.Broken(true, err)
		}
	}
}

// transcoding asks whether a content that is not ready ever will be.
func (a *Adapter) transcoding(ctx context.Context, acct channel.Account, ref string) error {
	ans, err := a.authorised(ctx, acct, call{method: http.MethodGet, address: a.data + "/v2/bot/message/" + ref + "/content/transcoding"})
	if err != nil {
		return err
	}
	if ans.Status == http.StatusGone || ans.Status == http.StatusNotFound {
		return refusal("media", ans.Status)
	}
	if body, _ := kit.ParseObject(ans.Body); body.Str("status") == "failed" {
		return errs.New(errs.NotFound, "line: media: LINE could not prepare the video or sound")
	}
	return errs.New(errs.Unavailable, "line: media: LINE is still preparing the video or sound; ask again")
}
