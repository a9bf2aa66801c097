package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
)

// Vault keeps sealed values: the data keys of contacts and what was sealed under
// them. The store sees ciphertext only.
type Vault interface {
	// AddSealed keeps a value under a name that its owner has not used: one that
	// is there already is a clash. It asks the database nothing.
	AddSealed(ctx context.Context, owner, name string, sealed []byte) error
	// PutSealed creates or replaces the value of (owner, name).
	PutSealed(ctx context.Context, owner, name string, sealed []byte) error
	// Sealed returns it; ErrNotFound.
	Sealed(ctx context.Context, owner, name string) ([]byte, error)
	// Drop deletes the value of (owner, name); a no-op when there is none.
	Drop(ctx context.Context, owner, name string) error
	// DropOwner deletes everything of the owner, for erasure.
	DropOwner(ctx context.Context, owner string) error
	// Owners lists owners above after, ordered, at most limit, for rotation.
	Owners(ctx context.Context, after string, limit int) ([]string, error)
	// Names lists an owner's names that begin with the prefix, ordered.
	Names(ctx context.Context, owner, prefix string) ([]string, error)
}

// largestSealed is room for the longest text that a mask hides.
const largestSealed = 8 << 20

type sealedRow struct {
	Owner   string                     `json:"owner"`
	Name    string                     `json:"name"`
	Sealed  hexed                      `json:"sealed"`
	Version int64                      `json:"-"`
	Extra   map[string]json.RawMessage `json:"-"`
}

var sealedRows = Declare(Kind[sealedRow]{
	Name: "sealed", Decl: 1, Largest: largestSealed,
	ID:      func(r *sealedRow) string { return sealedID(r.Owner, r.Name) },
	Version: func(r *sealedRow) *int64 { return &r.Version },
	Extra:   func(r *sealedRow) *map[string]json.RawMessage { return &r.Extra },
	Indexes: []Index[sealedRow]{{Name: "owner", Value: func(r *sealedRow) []byte { return ofOwner(r.Owner, r.Name) }}},
})

// sealedID is one text for both, whatever they contain.
func sealedID(owner, name string) string { return strconv.Itoa(len(owner)) + ":" + owner + name }

// ofOwner orders by owner, then by name; the name may be its beginning alone.
func ofOwner(owner, name string) []byte { return append(Tuple(Exact(owner)), Exact(name)...) }

type vault struct{ t *tx }

func (r vault) AddSealed(ctx context.Context, owner, name string, sealed []byte) error {
	return sealedRows.Save(ctx, r.t, &sealedRow{Owner: owner, Name: name, Sealed: sealed})
}

func (r vault) PutSealed(ctx context.Context, owner, name string, sealed []byte) error {
	row, err := sealedRows.draft(ctx, r.t, sealedID(owner, name))
	if err != nil {
		return err
	}
	row.Owner, row.Name, row.Sealed = owner, name, sealed
	return sealedRows.Save(ctx, r.t, &row)
}

func (r vault) Sealed(ctx context.Context, owner, name string) ([]byte, error) {
	row, err := sealedRows.Get(ctx, r.t, sealedID(owner, name))
	return row.Sealed, err
}

func (r vault) Drop(ctx context.Context, owner, name string) error {
	row, err := sealedRows.Get(ctx, r.t, sealedID(owner, name))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return sealedRows.Delete(ctx, r.t, &row)
}

// of lists what an owner has under names that begin with the prefix.
func (r vault) of(ctx context.Context, owner, prefix string) ([]sealedRow, error) {
	from := ofOwner(owner, prefix)
	return sealedRows.All(ctx, r.t, List[sealedRow]{Index: "owner", From: from, To: Next(from)}, maxOfWorkspace)
}

// DropOwner goes on until there is nothing left, however much there is.
func (r vault) DropOwner(ctx context.Context, owner string) error {
	from := ofOwner(owner, "")
	for {
		page, err := sealedRows.List(ctx, r.t, List[sealedRow]{Index: "owner", From: from, To: Next(from), Limit: maxPage})
		if err != nil || len(page.Items) == 0 {
			return err
		}
		for i := range page.Items {
			if err := sealedRows.Delete(ctx, r.t, &page.Items[i]); err != nil {
				return err
			}
		}
	}
}

func (r vault) Names(ctx context.Context, owner, prefix string) (names []string, err error) {
	rows, err := r.of(ctx, owner, prefix)
	for _, row := range rows {
		names = append(names, row.Name)
	}
	return names, err
}

// Owners looks for the first value of each owner.
func (r vault) Owners(ctx context.Context, after string, limit int) ([]string, error) {
	return limited(limit, func() (owners []string, err error) {
		l := List[sealedRow]{Index: "owner", Limit: 1}
		for len(owners) < limit {
			if after != "" {
				l.From = Next(Tuple(Exact(after)))
			}
			page, err := sealedRows.List(ctx, r.t, l)
			if err != nil || len(page.Items) == 0 {
				return owners, err
			}
			after = page.Items[0].Owner
			owners = append(owners, after)
		}
		return owners, nil
	})
}
