package postgres

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/jsondoc"
)

// key makes a string storable in a text column, which refuses NUL and invalid
// UTF-8: \x01 escapes itself ("\x011"), NUL ("\x010") and stray bytes
// ("\x01x80"). Nearly every string is returned as it is.
func key[S ~string](s S) string {
	str := string(s)
	if strings.IndexByte(str, 0) < 0 && strings.IndexByte(str, 1) < 0 && utf8.ValidString(str) {
		return str
	}
	var b strings.Builder
	for i := 0; i < len(str); {
		r, n := utf8.DecodeRuneInString(str[i:])
		switch {
		case r == 0:
			b.WriteString("\x010")
		case r == 1:
			b.WriteString("\x011")
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "\x01x%02x", str[i])
		default:
			b.WriteString(str[i : i+n])
		}
		i += n
	}
	return b.String()
}

// unkey undoes key.
func unkey[S ~string](s string) S {
	if strings.IndexByte(s, 1) < 0 {
		return S(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != 1 || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case '0':
			b.WriteByte(0)
		case '1':
			b.WriteByte(1)
		case 'x':
			var v byte
			if i+2 < len(s) {
				_, _ = fmt.Sscanf(s[i+1:i+3], "%02x", &v)
			}
			b.WriteByte(v)
			i += 2
		}
	}
	return S(b.String())
}

// scanKey reads one text that was escaped by key.
func scanKey(r pgx.Rows) (string, error) {
	var s string
	err := r.Scan(&s)
	return unkey[string](s), err
}

func keys[S ~string](in []S) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = key(s)
	}
	return out
}

// docVersion is the "v" member of every stored document.
const docVersion = `"v":1`

// encode makes the stored document of a value that is a JSON object, or of a
// pointer to one.
func encode(v any) ([]byte, error) {
	doc, err := jsondoc.MarshalMore(docVersion, v)
	if err != nil {
		return nil, errs.New(errs.Invalid, "store: a %T cannot be stored as JSON: %w", v, err)
	}
	return doc, nil
}

// decode reads a stored document; its times come back in UTC and microseconds.
func decode[T any](doc []byte) (T, error) {
	var v T
	if _, err := jsondoc.Read(doc, &v); err != nil {
		return v, errs.New(errs.Unavailable, "store: a stored %T is unreadable: %w", v, err)
	}
	return v, nil
}

// micro is the precision and zone of every stored time.
func micro(t time.Time) time.Time { return jsondoc.Micro(t) }

// orNull is nil for the zero time.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// orZero is the zero time for nil.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return micro(*t)
}
