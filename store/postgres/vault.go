package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/store/driver"
)

type vault struct{ *tx }

func scanKey(r pgx.Rows) (string, error) {
	var s string
	err := r.Scan(&s)
	return unkey[string](s), err
}

// PutSealed implements driver.VaultRepo.
func (v vault) PutSealed(ctx context.Context, owner, name string, sealed []byte) error {
	return v.write(ctx, query(`INSERT INTO sd.vault (ws, owner, name, sealed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (ws, owner, name) DO UPDATE SET sealed = excluded.sealed`, key(v.ws), key(owner), key(name), notNil(sealed)))
}

// Sealed implements driver.VaultRepo.
func (v vault) Sealed(ctx context.Context, owner, name string) ([]byte, error) {
	return one(ctx, v.tx, "sealed value", query(`SELECT sealed FROM sd.vault WHERE ws = $1 AND owner = $2 AND name = $3`, key(v.ws),
		key(owner), key(name)),
		func(r pgx.Rows) (b []byte, err error) {
			err = r.Scan(&b)
			return b, err
		})
}

// Drop implements driver.VaultRepo.
func (v vault) Drop(ctx context.Context, owner, name string) error {
	return v.write(ctx, query(`DELETE FROM sd.vault WHERE ws = $1 AND owner = $2 AND name = $3`, key(v.ws), key(owner), key(name)))
}

// DropOwner implements driver.VaultRepo.
func (v vault) DropOwner(ctx context.Context, owner string) error {
	return v.write(ctx, query(`DELETE FROM sd.vault WHERE ws = $1 AND owner = $2`, key(v.ws), key(owner)))
}

// Owners implements driver.VaultRepo.
func (v vault) Owners(ctx context.Context, after string, limit int) ([]string, error) {
	return many(ctx, v.tx, query(`SELECT DISTINCT owner FROM sd.vault WHERE ws = $1 AND owner > $2 ORDER BY owner LIMIT $3`,
		key(v.ws), key(after), limit), scanKey)
}

// Names implements driver.VaultRepo.
func (v vault) Names(ctx context.Context, owner string) ([]string, error) {
	return many(ctx, v.tx, query(`SELECT name FROM sd.vault WHERE ws = $1 AND owner = $2 ORDER BY name`, key(v.ws), key(owner)), scanKey)
}

type blobs struct{ *tx }

// Reference implements driver.BlobRepo.
func (b blobs) Reference(ctx context.Context, v driver.Blob) error {
	doc, err := encode(v)
	if err != nil {
		return err
	}
	return b.write(ctx, query(`INSERT INTO sd.blobs (ws, name, doc) VALUES ($1, $2, $3)`, key(b.ws), key(v.Name), doc))
}

// Blob implements driver.BlobRepo.
func (b blobs) Blob(ctx context.Context, name string) (driver.Blob, error) {
	return one(ctx, b.tx, "blob", query(`SELECT doc FROM sd.blobs WHERE ws = $1 AND name = $2`, key(b.ws), key(name)), document[driver.Blob])
}

// Release implements driver.BlobRepo.
func (b blobs) Release(ctx context.Context, name string) error {
	return b.write(ctx, query(`DELETE FROM sd.blobs WHERE ws = $1 AND name = $2`, key(b.ws), key(name)))
}

// Known implements driver.BlobRepo.
func (b blobs) Known(ctx context.Context, names []string) (map[string]bool, error) {
	list, err := many(ctx, b.tx, query(`SELECT name FROM sd.blobs WHERE ws = $1 AND name = ANY($2)`, key(b.ws), keys(names)), scanKey)
	known := make(map[string]bool, len(list))
	for _, n := range list {
		known[n] = true
	}
	return known, err
}
