package store

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sangdam/sangdam/internal/fold"
)

// A value of a key or index is bytes whose order is the order of what they
// stand for, made by the functions below. Every backend compares bytes, so that
// all agree and no collation of a database or system library matters.

// cutAt is how much of a long value is kept as it is; a hash follows, so that
// two long values with one beginning stay two.
const cutAt = 400

// Text orders by folded text: compatibility forms and full width become plain,
// Hangul is composed, case is ignored. Latin comes before kana before Hangul,
// Hangul syllables as in a dictionary.
func Text(s string) []byte { return Exact(fold.Text(s)) }

// Exact orders by the bytes of a text: ids, codes.
func Exact(s string) []byte {
	if len(s) <= cutAt {
		return append(make([]byte, 0, len(s)), s...)
	}
	sum := sha256.Sum256([]byte(s))
	return append(append(make([]byte, 0, cutAt+len(sum)), s[:cutAt]...), sum[:]...)
}

// Int orders by a number.
func Int(n int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63) //nolint:gosec // the sign bit is flipped so that bytes order as numbers do
}

// Time orders by a time, to the microsecond.
func Time(t time.Time) []byte { return Int(t.UnixMicro()) }

// Tuple orders by its first part, then by its second, and so on. A tuple of the
// first parts alone, as From with Next as To, is the range of all that begin
// with them.
func Tuple(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		for _, b := range p {
			if out = append(out, b); b == 0 {
				out = append(out, 0xFF)
			}
		}
		out = append(out, 0, 1)
	}
	return out
}

// Next is the first value beyond all those that begin with the prefix; nil when
// there is none.
func Next(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xFF {
			next := append([]byte(nil), prefix[:i+1]...)
			next[i]++
			return next
		}
	}
	return nil
}
