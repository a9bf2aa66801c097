package safehttp

import (
	"bufio"
	"context"
	"io"
	"mime"
	"net/http"

	"github.com/sangdam/sangdam/internal/errs"
)

// File is what Fetch got. Read returns its bytes, ErrTooLarge once they exceed
// the bound, and ErrUnavailable when the connection breaks, ends early or takes
// too long. Close ends the request.
type File struct {
	// Type is the media type that the bytes show (Sniff). Trust this one.
	Type string
	// DeclaredType is the media type that the server claims, without
	// parameters; empty when it claims none that can be read.
	DeclaredType string
	// Size is the length that the server claims, -1 when it does not.
	Size int64

	ctx    context.Context
	cancel context.CancelFunc
	host   string
	body   io.ReadCloser
	head   *bufio.Reader
	left   int64
	err    error
}

// open makes a File of an answer and reads enough of it to tell its type.
func (c *Client) open(ctx context.Context, cancel context.CancelFunc, res *http.Response, r Request) (*File, error) {
	host := res.Request.URL.Hostname()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, &StatusError{Status: res.StatusCode, RetryAfter: retryAfter(res.Header)}
	}
	if e := res.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, errs.New(errs.Unsupported, "safehttp: %q: it sent a compressed answer, which was not asked for", host)
	}
	limit := c.maxBytes(r)
	if res.ContentLength > limit {
		return nil, ErrTooLarge
	}
	f := &File{Size: res.ContentLength, ctx: ctx, cancel: cancel, host: host, body: res.Body, left: limit}
	if t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err == nil {
		f.DeclaredType = t
	}
	f.head = bufio.NewReaderSize(res.Body, 4<<10)
	head, err := f.head.Peek(sniffLen)
	if err != nil && err != io.EOF {
		return nil, explain(ctx, host, err)
	}
	f.Type = Sniff(head)
	return f, nil
}

// Read implements io.Reader.
func (f *File) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	// One byte more than may come tells an exact fit from too much.
	n, err := f.head.Read(p[:min(int64(len(p)), f.left+1)])
	if int64(n) > f.left {
		f.err = ErrTooLarge
		return int(f.left), f.err
	}
	f.left -= int64(n)
	if err != nil && err != io.EOF {
		err = explain(f.ctx, f.host, err)
	}
	f.err = err
	return n, err
}

// Close implements io.Closer.
func (f *File) Close() error {
	err := f.body.Close()
	f.cancel()
	if err != nil {
		return explain(f.ctx, f.host, err)
	}
	return nil
}
