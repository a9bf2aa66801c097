package memory

import (
	"context"
	"slices"
)

type vault struct{ t *tx }

type sealKey struct{ owner, name string }

func (r vault) PutSealed(_ context.Context, owner, name string, sealed []byte) error {
	return do(r.t, func() error {
		put(r.t, r.t.s.sealed, sealKey{owner, name}, slices.Clone(sealed))
		return nil
	})
}

func (r vault) Sealed(_ context.Context, owner, name string) ([]byte, error) {
	return read(r.t, func() ([]byte, error) {
		sealed, ok := get(r.t, r.t.s.sealed, sealKey{owner, name})
		if !ok {
			return nil, missing("sealed value", name)
		}
		return slices.Clone(sealed), nil
	})
}

func (r vault) Drop(_ context.Context, owner, name string) error {
	return do(r.t, func() error {
		if k := (sealKey{owner, name}); has(r.t, r.t.s.sealed, k) {
			drop(r.t, r.t.s.sealed, k)
		}
		return nil
	})
}

func (r vault) DropOwner(_ context.Context, owner string) error {
	return do(r.t, func() error {
		var gone []sealKey
		for k := range each(r.t, r.t.s.sealed) {
			if k.owner == owner {
				gone = append(gone, k)
			}
		}
		for _, k := range gone {
			drop(r.t, r.t.s.sealed, k)
		}
		return nil
	})
}

func (r vault) Owners(_ context.Context, after string, limit int) ([]string, error) {
	return read(r.t, func() ([]string, error) {
		var owners []string
		for k := range each(r.t, r.t.s.sealed) {
			if k.owner > after {
				owners = append(owners, k.owner)
			}
		}
		slices.Sort(owners)
		return slices.Clone(first(slices.Compact(owners), limit)), nil
	})
}

func (r vault) Names(_ context.Context, owner string) ([]string, error) {
	return read(r.t, func() ([]string, error) {
		var names []string
		for k := range each(r.t, r.t.s.sealed) {
			if k.owner == owner {
				names = append(names, k.name)
			}
		}
		slices.Sort(names)
		return names, nil
	})
}
