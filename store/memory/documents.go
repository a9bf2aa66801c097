package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type documents struct{ t *tx }

type docID struct{ kind, id string }

type docKey struct {
	kind  string
	slot  int
	value string
}

// globalRef is where a value leads that is unique over all workspaces.
type globalRef struct {
	ws driver.WorkspaceID
	id string
}

func globalKey(d driver.Doc) docKey { return docKey{kind: d.Kind, value: string(d.Global)} }

func (b *backend) documentChanged(s *space) func(docID, *driver.Doc, *driver.Doc) {
	return func(id docID, was, is *driver.Doc) {
		s.orders.changed(was, is)
		if was == nil && is != nil {
			s.docsOf.add(id.kind, id)
		}
		if was != nil && is == nil {
			s.docsOf.remove(id.kind, id)
		}
		if was != nil && was.Global != nil && b.globals[globalKey(*was)] == (globalRef{s.id, id.id}) {
			delete(b.globals, globalKey(*was))
		}
		if is != nil && is.Global != nil {
			b.globals[globalKey(*is)] = globalRef{s.id, id.id}
		}
	}
}

// shown is what callers get of a stored document.
func shown(d driver.Doc) driver.Doc {
	return driver.Doc{Kind: d.Kind, ID: d.ID, Version: d.Version, Decl: d.Decl, Body: slices.Clone(d.Body)}
}

func (r documents) Get(_ context.Context, k driver.Keys) ([]driver.Doc, error) {
	return read(r.t, func() (out []driver.Doc, err error) {
		ids := k.IDs
		for _, v := range k.Values {
			if id, ok := get(r.t, r.t.s.docKeys, docKey{k.Kind, k.Slot, string(v)}); ok && k.IDs == nil {
				ids = append(ids, id)
			}
		}
		for _, id := range ids {
			if d, ok := get(r.t, r.t.s.documents, docID{k.Kind, id}); ok {
				out = append(out, shown(d))
			}
		}
		r.t.found(len(out))
		return out, nil
	})
}

func (r documents) Put(_ context.Context, docs []driver.Doc) error {
	return do(r.t, func() error {
		for _, d := range docs {
			if err := r.put(clone(d)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r documents) put(d driver.Doc) error {
	s := r.t.s
	old, _ := get(r.t, s.documents, docID{d.Kind, d.ID})
	if old.Version != d.Version {
		return driver.ErrClash
	}
	if d.Body == nil {
		if old.Version == 0 {
			return driver.ErrClash
		}
		r.release(old, [driver.UniqueSlots][]byte{})
		drop(r.t, s.documents, docID{d.Kind, d.ID})
		return nil
	}
	for slot, v := range d.Unique {
		if holder, taken := get(r.t, s.docKeys, docKey{d.Kind, slot, string(v)}); v != nil && taken && holder != d.ID {
			return driver.ErrClash
		}
	}
	if err := r.globalFree(d); err != nil {
		return err
	}
	r.release(old, d.Unique)
	for slot, v := range d.Unique {
		if v != nil {
			put(r.t, s.docKeys, docKey{d.Kind, slot, string(v)}, d.ID)
		}
	}
	if d.Tags == nil {
		d.Tags = old.Tags
	}
	d.Version++
	put(r.t, s.documents, docID{d.Kind, d.ID}, d)
	return nil
}

// globalFree refuses a value that another document has: one that is committed, or
// one of this transaction's own. It is looked at again by the commit.
func (r documents) globalFree(d driver.Doc) error {
	if d.Global == nil {
		return nil
	}
	free := func() error {
		if ref, ok := r.t.b.globals[globalKey(d)]; ok && ref != (globalRef{r.t.s.id, d.ID}) {
			other, _ := get(r.t, r.t.s.documents, docID{d.Kind, ref.id})
			if ref.ws != r.t.s.id || bytes.Equal(other.Global, d.Global) {
				return errs.New(errs.AlreadyExists, "memory: another %s has a value that only one may have", d.Kind)
			}
		}
		if o := written(r.t, r.t.s.documents); o != nil {
			for id, c := range o.rows {
				if id.kind == d.Kind && id.id != d.ID && !c.gone && bytes.Equal(c.val.Global, d.Global) {
					return errs.New(errs.AlreadyExists, "memory: another %s has a value that only one may have", d.Kind)
				}
			}
		}
		return nil
	}
	r.t.checks = append(r.t.checks, func() error {
		if free() != nil {
			return driver.ErrClash
		}
		return nil
	})
	return free()
}

// release frees the unique values of a document that it does not keep.
func (r documents) release(old driver.Doc, kept [driver.UniqueSlots][]byte) {
	for slot, v := range old.Unique {
		if v != nil && !bytes.Equal(v, kept[slot]) {
			drop(r.t, r.t.s.docKeys, docKey{old.Kind, slot, string(v)})
		}
	}
}

func (r documents) List(_ context.Context, rg driver.Range, after driver.Place, limit int) ([]driver.Placed, error) {
	if rg.Below > 0 {
		return r.stale(rg.Kind, rg.Below, limit)
	}
	return read(r.t, func() ([]driver.Placed, error) {
		found := r.list(rg, after, limit)
		out := make([]driver.Placed, len(found))
		for i, p := range found {
			out[i] = driver.Placed{Doc: shown(p.Doc), At: clone(p.At)}
		}
		r.t.found(len(out))
		return out, nil
	})
}

func (r documents) Count(_ context.Context, rg driver.Range, atMost int) (int, error) {
	return read(r.t, func() (int, error) { return len(r.list(rg, driver.Place{}, atMost)), nil })
}

// guard is tx.Guard of a document.
func (r documents) guard(kind, id string, version int64) error {
	return do(r.t, func() error {
		key := docID{kind, id}
		if seen, ok := get(r.t, r.t.s.documents, key); !ok || seen.Version != version {
			return driver.ErrClash
		}
		before, _ := committed(r.t.s.documents, key)
		r.t.checks = append(r.t.checks, func() error {
			if now, _ := committed(r.t.s.documents, key); now.Version != before.Version {
				return driver.ErrClash
			}
			return nil
		})
		return nil
	})
}

func (r documents) Configuration(_ context.Context, known int64, kinds []string) (version int64, docs []driver.Doc, err error) {
	docs, err = read(r.t, func() (out []driver.Doc, err error) {
		if version, _ = get(r.t, r.t.s.config, struct{}{}); version == known {
			return nil, nil
		}
		for _, kind := range kinds {
			for id, d := range some(r.t, r.t.s.documents, r.t.s.docsOf.keys(kind)) {
				if id.kind == kind {
					out = append(out, shown(d))
				}
			}
		}
		r.t.found(len(out))
		return out, nil
	})
	return version, docs, err
}

func (r documents) stale(kind string, below, limit int) ([]driver.Placed, error) {
	return read(r.t, func() ([]driver.Placed, error) {
		var out []driver.Placed
		for id, d := range some(r.t, r.t.s.documents, r.t.s.docsOf.keys(kind)) {
			if id.kind == kind && d.Decl < below {
				out = append(out, driver.Placed{Doc: shown(d)})
			}
		}
		slices.SortFunc(out, func(a, b driver.Placed) int { return cmp.Or(cmp.Compare(a.Decl, b.Decl), cmp.Compare(a.ID, b.ID)) })
		return first(out, limit), nil
	})
}
