package store

import (
	"context"
	"encoding/json"

	"github.com/sangdam/sangdam/store/driver"
)

// Blobs records which blobs are referenced.
type Blobs interface {
	// Reference records a blob that was put and synced before.
	Reference(ctx context.Context, b driver.Blob) error
	// Blob returns one. ErrNotFound.
	Blob(ctx context.Context, name string) (driver.Blob, error)
	// Release removes the record; the sweep deletes the bytes.
	Release(ctx context.Context, name string) error
	// Known tells which of the names are referenced.
	Known(ctx context.Context, names []string) (map[string]bool, error)
}

type blobRow struct {
	driver.Blob
	Version int64                      `json:"-"`
	Extra   map[string]json.RawMessage `json:"-"`
}

var blobRows = Declare(Kind[blobRow]{
	Name: "blob", Decl: 1,
	ID:      func(r *blobRow) string { return r.Name },
	Version: func(r *blobRow) *int64 { return &r.Version },
	Extra:   func(r *blobRow) *map[string]json.RawMessage { return &r.Extra },
})

type blobs struct{ t *tx }

func (r blobs) Reference(ctx context.Context, b driver.Blob) error {
	return blobRows.Save(ctx, r.t, &blobRow{Blob: b})
}

func (r blobs) Blob(ctx context.Context, name string) (driver.Blob, error) {
	row, err := blobRows.Get(ctx, r.t, name)
	return row.Blob, err
}

func (r blobs) Release(ctx context.Context, name string) error {
	row, err := blobRows.draft(ctx, r.t, name)
	if err != nil || row.Version == 0 {
		return err
	}
	return blobRows.Delete(ctx, r.t, &row)
}

func (r blobs) Known(ctx context.Context, names []string) (map[string]bool, error) {
	known := map[string]bool{}
	rows, err := blobRows.GetAll(ctx, r.t, names...)
	for _, row := range rows {
		known[row.Name] = true
	}
	return known, err
}
