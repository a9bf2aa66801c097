package postgres

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type audit struct{ *tx }

// Append implements driver.AuditRepo. The number and the hash are made by the
// server in the last statements before COMMIT: every append of the workspace
// waits for the chain's head, so its lock is held for the commit alone and
// costs no round trip. What the server hashes is exactly what driver.ChainHash
// does: the entry's canonical JSON, cut where number and previous hash stand.
func (a audit) Append(_ context.Context, e driver.AuditEntry) error {
	if err := a.writable(); err != nil {
		return err
	}
	doc, err := canonical(e)
	if err != nil {
		return err
	}
	parts, err := chainParts(doc)
	if err != nil {
		return err
	}
	a.wrote = true
	a.last = append(a.last, query(`WITH h AS (UPDATE sd.audit_head SET seq = seq + 1, previous = hash,
			hash = encode(sha256($2 || convert_to((seq + 1)::text, 'UTF8') || $3 || convert_to(hash, 'UTF8') || $4), 'hex')
			WHERE ws = $1 RETURNING seq, previous, hash)
		INSERT INTO sd.audit (ws, seq, previous, hash, doc) SELECT $1, seq, previous, hash, $5 FROM h`,
		key(a.ws), parts[0], parts[1], parts[2], doc))
	return nil
}

// canonical is the entry as it will be read back, so that its hash can be
// verified: times in UTC and microseconds, invalid UTF-8 replaced.
func canonical(e driver.AuditEntry) ([]byte, error) {
	e.Seq, e.Previous, e.Hash, e.At = 0, "", "", micro(e.At)
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, errs.New(errs.Invalid, "store: an audit entry cannot be stored as JSON: %w", err)
	}
	var back driver.AuditEntry
	if err := json.Unmarshal(raw, &back); err != nil {
		return nil, errs.New(errs.Invalid, "store: an audit entry cannot be read back: %w", err)
	}
	return encode(back)
}

// chainParts cuts the JSON that ChainHash hashes where the server puts the
// number and the previous hash.
func chainParts(doc []byte) ([3][]byte, error) {
	const number, hash = 987654321987654321, "previous hash stands here"
	e, err := decode[driver.AuditEntry](doc)
	if err != nil {
		return [3][]byte{}, err
	}
	e.Seq, e.Previous = number, hash
	raw, err := json.Marshal(e)
	if err != nil {
		return [3][]byte{}, errs.New(errs.Invalid, "store: an audit entry cannot be stored as JSON: %w", err)
	}
	head, rest, ok := bytes.Cut(raw, []byte("987654321987654321"))
	i := bytes.LastIndex(rest, []byte(hash))
	if !ok || i < 0 {
		return [3][]byte{}, errs.New(errs.Unsupported, "store: an audit entry's JSON has lost seq or previous")
	}
	return [3][]byte{head, rest[:i], rest[i+len(hash):]}, nil
}

// List implements driver.AuditRepo.
func (a audit) List(ctx context.Context, after int64, limit int) ([]driver.AuditEntry, error) {
	if err := a.flushAudit(ctx); err != nil {
		return nil, err
	}
	return many(ctx, a.tx, query(`SELECT seq, previous, hash, doc FROM sd.audit WHERE ws = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
		key(a.ws), after, limit), func(r pgx.Rows) (driver.AuditEntry, error) {
		var seq int64
		var previous, hash string
		var doc []byte
		if err := r.Scan(&seq, &previous, &hash, &doc); err != nil {
			return driver.AuditEntry{}, err
		}
		e, err := decode[driver.AuditEntry](doc)
		e.Seq, e.Previous, e.Hash = seq, previous, hash
		return e, err
	})
}

// flushAudit lets a read see the transaction's own entries; it takes the head's
// lock early, which no flow needs to.
func (a audit) flushAudit(ctx context.Context) error {
	if len(a.last) == 0 {
		return nil
	}
	list := a.last
	a.last = nil
	return a.write(ctx, list...)
}
