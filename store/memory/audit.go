package memory

import (
	"context"

	"github.com/sangdam/sangdam/store/driver"
)

type audit struct{ t *tx }

// Append chains the entry at the commit, behind whatever was committed until
// then.
func (r audit) Append(_ context.Context, e driver.AuditEntry) error {
	t := r.t
	return do(t, func() error {
		e := clone(e)
		if _, err := driver.ChainHash("", e); err != nil {
			return err
		}
		if len(t.audit) == 0 {
			t.last = append(t.last, func() { t.s.audit = append(t.s.audit, t.chained()...) })
		}
		t.audit = append(t.audit, e)
		return nil
	})
}

// chained returns the transaction's own entries as they follow what is
// committed now.
func (t *tx) chained() []driver.AuditEntry {
	var head driver.AuditEntry
	if n := len(t.s.audit); n > 0 {
		head = t.s.audit[n-1]
	}
	out := make([]driver.AuditEntry, 0, len(t.audit))
	for _, e := range t.audit {
		e.Seq, e.Previous = head.Seq+1, head.Hash
		e.Hash, _ = driver.ChainHash(head.Hash, e) // tried when it was appended
		out = append(out, e)
		head = e
	}
	return out
}

func (r audit) List(_ context.Context, after int64, limit int) ([]driver.AuditEntry, error) {
	t := r.t
	return read(t, func() ([]driver.AuditEntry, error) {
		var out []driver.AuditEntry
		for _, list := range [][]driver.AuditEntry{t.s.audit, t.chained()} {
			for _, e := range list {
				if e.Seq > after && len(out) < limit {
					out = append(out, clone(e))
				}
			}
		}
		t.found(len(out))
		return out, nil
	})
}
