package sqlite

import (
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// encode makes the document of a value.
func encode(v any) (raw.Text, error) {
	b, err := jsondoc.Marshal(v)
	if err != nil {
		return nil, errs.New(errs.Invalid, "sqlite: a %T cannot be stored: %w", v, err)
	}
	return b, nil
}

// decode reads a document into p, a pointer to the zero value, and brings all
// times to UTC and microseconds.
func decode(doc []byte, p any) error {
	if _, err := jsondoc.Read(doc, p); err != nil {
		return errs.New(errs.Unavailable, "sqlite: a stored %T cannot be read; the data was damaged or written by a newer program: %w",
			p, err)
	}
	return nil
}

// micro is a time as columns hold it: microseconds since 1970. The zero time is
// far below 0, so that 1970 is a time like others.
func micro(t time.Time) int64 { return t.UnixMicro() }

// moment is micro read back.
func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }

// maybeMoment reads a column that the store itself sets, where 0 is never.
func maybeMoment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return moment(us)
}

// maybeMicro is what maybeMoment reads.
func maybeMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micro(t)
}
