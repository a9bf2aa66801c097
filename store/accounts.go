package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// hexed are bytes that stand in a document as text: ciphertext, which is short.
type hexed []byte

// MarshalText writes the digits.
func (h hexed) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText reads them.
func (h *hexed) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode([]byte{}, text)
	return err
}

// accountRow is an account as it is stored: with its credentials under the keyset.
type accountRow struct {
	channel.Account
	Box   hexed                      `json:"sealed,omitempty"`
	Extra map[string]json.RawMessage `json:"-"`
}

var accountRows = Declare(Kind[accountRow]{
	Name: "account", Decl: 1,
	ID:      func(r *accountRow) string { return string(r.ID) },
	Version: func(r *accountRow) *int64 { return &r.Version },
	Extra:   func(r *accountRow) *map[string]json.RawMessage { return &r.Extra },
	Indexes: []Index[accountRow]{{Name: "id", Value: func(r *accountRow) []byte { return Exact(string(r.ID)) }}},
	Global: func(r *accountRow) []byte {
		if r.Token == "" {
			return nil
		}
		return Exact(r.Token)
	},
})

func (r accountRow) account() channel.Account {
	r.Sealed = r.Box
	return r.Account
}

// accounts implements AccountRepo.
type accounts struct{ t *tx }

func (r accounts) Account(ctx context.Context, id channel.AccountID) (channel.Account, error) {
	row, err := accountRows.Get(ctx, r.t, string(id))
	return row.account(), err
}

func (r accounts) Accounts(ctx context.Context) ([]channel.Account, error) {
	rows, err := accountRows.All(ctx, r.t, List[accountRow]{Index: "id"}, maxOfWorkspace)
	var out []channel.Account
	for _, row := range rows {
		out = append(out, row.account())
	}
	return out, err
}

func (r accounts) SaveAccount(ctx context.Context, a channel.Account) (int64, error) {
	if err := r.t.rows.HoldConfig(ctx, false); err != nil {
		return 0, err
	}
	row, err := accountRows.draft(ctx, r.t, string(a.ID))
	if err != nil {
		return 0, err
	}
	row.Account, row.Box = a, a.Sealed
	err = accountRows.Save(ctx, r.t, &row)
	if errors.Is(err, ErrAlreadyExists) {
		return 0, errs.New(errs.AlreadyExists, "store: another account has the webhook token of account %q; make a new token", a.ID)
	}
	if err != nil {
		return 0, err
	}
	return row.Version, r.t.rows.HoldConfig(ctx, true)
}

// ResolveAccount finds an account by its webhook token, whatever its workspace;
// ErrNotFound.
func (db *DB) ResolveAccount(ctx context.Context, token string) (WorkspaceID, channel.AccountID, error) {
	ws, id, err := db.b.System().Resolve(ctx, accountRows.Name(), Exact(token))
	if errors.Is(err, ErrNotFound) {
		err = errs.New(errs.NotFound, "store: no account has this webhook token")
	}
	return ws, channel.AccountID(id), err
}
