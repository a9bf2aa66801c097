package sqlite

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// vault implements driver.VaultRepo.
type vault struct{ *tx }

func (r vault) PutSealed(_ context.Context, owner, name string, sealed []byte) error {
	if sealed == nil {
		sealed = []byte{}
	}
	return r.change(`INSERT INTO vault (ws, owner, name, sealed) VALUES (?, ?, ?, ?)
		ON CONFLICT (ws, owner, name) DO UPDATE SET sealed = excluded.sealed`, r.ws, owner, name, sealed)
}

func (r vault) Sealed(_ context.Context, owner, name string) ([]byte, error) {
	var sealed []byte
	ok, err := r.first(`SELECT sealed FROM vault WHERE ws = ? AND owner = ? AND name = ?`,
		func(w raw.Row) { sealed = w.Bytes(0) }, r.ws, owner, name)
	if err == nil && !ok {
		err = errs.New(errs.NotFound, "sqlite: nothing is sealed under this owner and name")
	}
	return sealed, err
}

func (r vault) Drop(_ context.Context, owner, name string) error {
	return r.change(`DELETE FROM vault WHERE ws = ? AND owner = ? AND name = ?`, r.ws, owner, name)
}

func (r vault) DropOwner(_ context.Context, owner string) error {
	return r.change(`DELETE FROM vault WHERE ws = ? AND owner = ?`, r.ws, owner)
}

func (r vault) Owners(_ context.Context, after string, limit int) ([]string, error) {
	return list(r.tx, scanText, `SELECT DISTINCT owner FROM vault WHERE ws = ? AND owner > ? ORDER BY owner LIMIT ?`, r.ws, after, limit)
}

func (r vault) Names(_ context.Context, owner string) ([]string, error) {
	return list(r.tx, scanText, `SELECT name FROM vault WHERE ws = ? AND owner = ? ORDER BY name`, r.ws, owner)
}
