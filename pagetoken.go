package sangdam

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sync"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/seal"
)

// A store's page token is the place of a record, maybe of one that the reader
// may not see. Before it leaves the Engine it is sealed, and bound to the
// workspace, the reader, the list and its filter: it tells nothing, and serves
// nobody else and no other list.

// pageKey is the key under which page tokens are sealed. It stands in the
// database, sealed with the host's keys, so that every process can go on with
// another one's list.
type pageKey struct {
	mu      sync.Mutex
	wrapped []byte // as it stands in the database
	key     *seal.DataKey
}

// pageKeyAt is where the key stands.
const pageKeyAt = "page-key"

var pageKeyPlace = seal.AD{Table: "meta", Row: pageKeyAt, Column: "value"}

// sealPage makes the token of a place for somebody's list; empty for none.
func (e *Engine) sealPage(ctx context.Context, p Principal, list string, filter any, place string) (string, error) {
	if place == "" {
		return "", nil
	}
	ad, err := pagePlace(p, list, filter)
	if err != nil {
		return "", err
	}
	key, err := e.pages.get(ctx, e, nil)
	if err != nil {
		return "", err
	}
	sealed, err := key.Seal(ad, []byte(place))
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// openPage returns the place of a token that was given to the same reader for
// the same list; ErrInvalid for any other.
func (e *Engine) openPage(ctx context.Context, p Principal, list string, filter any, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	ad, err := pagePlace(p, list, filter)
	if err != nil {
		return "", err
	}
	foreign := errs.New(errs.Invalid, "sangdam: this page token is not of this list, filter and reader; begin with the empty one")
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", foreign
	}
	key, err := e.pages.get(ctx, e, nil)
	if err != nil {
		return "", err
	}
	place, err := key.Open(ad, sealed)
	if err != nil { // another process may have replaced the key
		if key, err = e.pages.get(ctx, e, key); err != nil {
			return "", err
		}
		if place, err = key.Open(ad, sealed); err != nil {
			return "", foreign
		}
	}
	return string(place), nil
}

// pagePlace is what a token is bound to.
func pagePlace(p Principal, list string, filter any) (seal.AD, error) {
	raw, err := json.Marshal(filter)
	if err != nil {
		return seal.AD{}, errs.New(errs.Invalid, "sangdam: the filter cannot be encoded: %w", err)
	}
	sum := sha256.Sum256(raw)
	return seal.AD{Workspace: string(p.Workspace), Table: "list/" + list, Row: p.keyOwner(), Column: hex.EncodeToString(sum[:])}, nil
}

// get returns the key; one that failed is read anew. The first list of a
// database makes it, and so does the first after the host's keys no longer open
// it: tokens live for minutes, and a reader begins again.
func (k *pageKey) get(ctx context.Context, e *Engine, failed *seal.DataKey) (*seal.DataKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil && k.key != failed {
		return k.key, nil
	}
	sys := e.db.System()
	for {
		stored, err := sys.Meta(ctx, pageKeyAt)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil {
			if k.key != nil && bytes.Equal(stored, k.wrapped) {
				return k.key, nil
			}
			key, err := seal.OpenDataKey(ctx, e.cfg.Sealer, pageKeyPlace, stored)
			if err == nil {
				k.key, k.wrapped = key, stored
				return key, nil
			}
			if !errors.Is(err, seal.ErrCannotOpen) {
				return nil, err
			}
		}
		wrapped, key, err := seal.NewDataKey(ctx, e.cfg.Sealer, pageKeyPlace)
		if err != nil {
			return nil, err
		}
		err = sys.PutMeta(ctx, pageKeyAt, stored, wrapped)
		if errors.Is(err, ErrConflict) {
			continue // another process was first
		}
		if err != nil {
			return nil, err
		}
		k.key, k.wrapped = key, wrapped
		return key, nil
	}
}
