package memory

import (
	"context"

	"github.com/sangdam/sangdam/store/driver"
)

type blobs struct{ t *tx }

func (r blobs) Reference(_ context.Context, b driver.Blob) error {
	return do(r.t, func() error {
		if _, taken := get(r.t, r.t.s.blobs, b.Name); taken {
			return driver.ErrClash
		}
		put(r.t, r.t.s.blobs, b.Name, clone(b))
		return nil
	})
}

func (r blobs) Blob(_ context.Context, name string) (driver.Blob, error) {
	return one(r.t, r.t.s.blobs, "blob", name)
}

func (r blobs) Release(_ context.Context, name string) error {
	return do(r.t, func() error {
		if _, ok := get(r.t, r.t.s.blobs, name); ok {
			drop(r.t, r.t.s.blobs, name)
		}
		return nil
	})
}

func (r blobs) Known(_ context.Context, names []string) (map[string]bool, error) {
	return read(r.t, func() (map[string]bool, error) {
		known := map[string]bool{}
		for _, name := range names {
			if _, ok := get(r.t, r.t.s.blobs, name); ok {
				known[name] = true
			}
		}
		return known, nil
	})
}
