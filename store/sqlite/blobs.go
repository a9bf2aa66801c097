package sqlite

import (
	"context"
	"encoding/json"

	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// blobs implements driver.BlobRepo.
type blobs struct{ *tx }

func (r blobs) Reference(_ context.Context, b driver.Blob) error {
	doc, err := encode(b)
	if err != nil {
		return err
	}
	return r.change(`INSERT INTO blobs (ws, name, doc) VALUES (?, ?, ?) ON CONFLICT (ws, name) DO UPDATE SET doc = excluded.doc`, r.ws,
		b.Name, doc)
}

func (r blobs) Blob(_ context.Context, name string) (driver.Blob, error) {
	return one(r.tx, scanDoc[driver.Blob], "blob "+name, `SELECT doc FROM blobs WHERE ws = ? AND name = ?`, r.ws, name)
}

func (r blobs) Release(_ context.Context, name string) error {
	return r.change(`DELETE FROM blobs WHERE ws = ? AND name = ?`, r.ws, name)
}

func (r blobs) Known(_ context.Context, names []string) (map[string]bool, error) {
	known := map[string]bool{}
	of, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	return known, r.each(`SELECT name FROM blobs WHERE ws = ? AND name IN (SELECT value FROM json_each(?))`,
		func(w raw.Row) { known[w.Text(0)] = true }, r.ws, string(of))
}
