package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"github.com/sangdam/sangdam/store"
)

// tokenKey is where the hash of the JSON interface's token is stored. The token
// has 128 random bits or more, so that a plain hash cannot be searched.
const tokenKey = "helpdesk/api-token"

// apiToken makes the token at the first start, or when renew is set, and
// returns it: the only time that it is known. Else it returns "".
func apiToken(ctx context.Context, db *store.DB, renew bool) (string, error) {
	old, err := db.System().Meta(ctx, tokenKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if err == nil && !renew {
		return "", nil
	}
	token := rand.Text()
	hash := sha256.Sum256([]byte(token))
	err = db.System().PutMeta(ctx, tokenKey, old, hash[:])
	if errors.Is(err, store.ErrConflict) {
		return "", nil // another process at the same database was first and prints its own
	}
	return token, err
}

// tokenIsRight compares a given token with the stored hash.
func tokenIsRight(ctx context.Context, db *store.DB, given string) (bool, error) {
	want, err := db.System().Meta(ctx, tokenKey)
	if err != nil {
		return false, err
	}
	hash := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(hash[:], want) == 1, nil
}
