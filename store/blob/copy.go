package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"

	"github.com/sangdam/sangdam/internal/errs"
)

// CopyLimited is the reading half of Put, for authors of stores: it copies r
// to w until the end of r, at most limit bytes, and returns size and digest.
// It looks at ctx before each read. More than limit bytes are ErrTooLarge, of
// which w has then seen at most limit. An error of r comes back wrapped; one of
// w is ErrUnavailable.
func CopyLimited(ctx context.Context, w io.Writer, r io.Reader, limit int64) (size int64, digest string, err error) {
	if limit < 0 {
		return 0, "", errs.New(errs.Invalid, "blob: limit %d: give the largest number of bytes to accept, 0 or more", limit)
	}
	sum := sha256.New()
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return 0, "", err
		}
		n, rerr := r.Read(buf[:min(int64(len(buf)), room(limit-size))])
		if int64(n) > limit-size {
			return 0, "", ErrTooLarge
		}
		if n > 0 {
			_, _ = sum.Write(buf[:n]) // a hash never fails
			if _, err := w.Write(buf[:n]); err != nil {
				return 0, "", errs.New(errs.Unavailable, "blob: writing: %w", err)
			}
			size += int64(n)
		}
		if rerr == io.EOF {
			return size, hex.EncodeToString(sum.Sum(nil)), nil
		}
		if rerr != nil {
			return 0, "", fmt.Errorf("blob: reading the upload: %w", rerr)
		}
	}
}

// room is how much to ask the reader for: one byte more than may come, so that
// an upload of exactly the limit is told from a longer one.
func room(left int64) int64 {
	if left == math.MaxInt64 {
		return left
	}
	return left + 1
}
