package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
)

// ephemeral is a Sealer of one random key. What it seals begins with the id of
// the key.
type ephemeral struct {
	id  []byte
	key *DataKey
}

// Ephemeral returns a Sealer whose only key lives as long as the process, for
// tests and for the memory store. What it sealed cannot be opened by any other
// Sealer.
func Ephemeral() (Sealer, error) {
	raw := make([]byte, dataKeyBytes)
	id := make([]byte, 8)
	_, _ = rand.Read(raw) // never fails: crypto/rand stops the program instead
	_, _ = rand.Read(id)
	key, err := newDataKey(raw)
	if err != nil {
		return nil, err
	}
	return &ephemeral{id: id, key: key}, nil
}

func (e *ephemeral) Seal(ctx context.Context, ad AD, plaintext []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sealed, err := e.key.Seal(ad, plaintext)
	if err != nil {
		return nil, err
	}
	return append(bytes.Clone(e.id), sealed...), nil
}

func (e *ephemeral) Open(ctx context.Context, ad AD, sealed []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A foreign id is left to fail as every other byte does, after the place
	// was looked at.
	return e.key.Open(ad, bytes.TrimPrefix(sealed, e.id))
}

func (e *ephemeral) KeyID() string { return hex.EncodeToString(e.id) }

func (e *ephemeral) NeedsReseal(sealed []byte) bool { return !bytes.HasPrefix(sealed, e.id) }
