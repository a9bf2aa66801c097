package driver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// ChainHash is the hash of an audit entry: SHA-256, in hex, over the previous
// entry's hash and the entry's canonical JSON without Hash. Every backend and
// the verifier use this one function.
func ChainHash(previous string, e AuditEntry) (string, error) {
	e.Previous, e.Hash = previous, ""
	e.At = e.At.UTC()
	raw, err := json.Marshal(e) // struct order is fixed, map keys are sorted
	if err != nil {
		return "", fmt.Errorf("store: encoding an audit entry: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// VerifyChain checks consecutive entries, the first following the hash
// previous; it returns the Seq of the first entry that does not fit, or 0.
func VerifyChain(previous string, entries []AuditEntry) (int64, error) {
	for _, e := range entries {
		want, err := ChainHash(previous, e)
		if err != nil {
			return e.Seq, err
		}
		if e.Previous != previous || e.Hash != want {
			return e.Seq, nil
		}
		previous = e.Hash
	}
	return 0, nil
}
