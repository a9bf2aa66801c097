package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/store/driver"
)

// documentAt names a document, valueAt a value of a unique slot.
type (
	documentAt struct{ kind, id string }
	valueAt    struct {
		kind  string
		slot  int
		value string
	}
)

// keptDocument is a document as it stands in this transaction, with its values
// where it was changed.
type keptDocument struct {
	driver.Doc
	stored  int64 // the version in the database, 0 for a new one
	changed bool
}

// keptDocuments are documents of a transaction that reads ahead.
type keptDocuments struct {
	docs map[documentAt]*keptDocument
	// by holds the id of each value that was asked for, empty for none; what was not
	// asked for is not in the map.
	by map[valueAt]string
}

func newKeptDocuments() keptDocuments {
	return keptDocuments{docs: map[documentAt]*keptDocument{}, by: map[valueAt]string{}}
}

// read reads the documents of the values that were not asked for before, with one
// statement for each slot of a kind.
func (k keptDocuments) read(ws string, want []driver.Keys) (list []stmt) {
	type slot struct {
		kind string
		n    int
	}
	var slots []slot
	values := map[slot][][]byte{}
	for _, w := range want {
		s := slot{w.Kind, w.Slot}
		for _, v := range w.Values {
			at := valueAt{w.Kind, w.Slot, string(v)}
			if _, asked := k.by[at]; asked {
				continue
			}
			if k.by[at] = ""; values[s] == nil {
				slots = append(slots, s)
			}
			values[s] = append(values[s], v)
		}
	}
	for _, s := range slots {
		list = append(list, query(fmt.Sprintf(`SELECT want.value, `+docColumns+` FROM unnest($3::bytea[]) AS want(value),
			LATERAL (SELECT id, version, decl, body FROM sd.documents WHERE ws = $1 AND kind = $2 AND u%d = want.value OFFSET 0) d`, s.n),
			ws, key(s.kind), values[s]).rows(func(r pgx.Rows) error {
			var value []byte
			d := driver.Doc{Kind: s.kind}
			err := r.Scan(&value, &d.ID, &d.Version, &d.Decl, &d.Body)
			d.ID = unkey[string](d.ID)
			k.by[valueAt{s.kind, s.n, string(value)}] = d.ID
			if at := (documentAt{d.Kind, d.ID}); k.docs[at] == nil {
				k.docs[at] = &keptDocument{Doc: d, stored: d.Version}
			}
			return err
		}))
	}
	return list
}

// get returns what is named, if all of it is kept.
func (k keptDocuments) get(keys driver.Keys) (list []driver.Doc, all bool) {
	ids := keys.IDs
	if ids == nil {
		for _, v := range keys.Values {
			id, asked := k.by[valueAt{keys.Kind, keys.Slot, string(v)}]
			if !asked {
				return nil, false
			}
			if id != "" {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		d := k.docs[documentAt{keys.Kind, id}]
		if d == nil {
			return nil, false
		}
		list = append(list, driver.Doc{Kind: d.Kind, ID: d.ID, Version: d.Version, Decl: d.Decl, Body: d.Body})
	}
	return list, true
}

// forget drops a document and what is known of its values, after it was written.
func (k keptDocuments) forget(d driver.Doc) {
	delete(k.docs, documentAt{d.Kind, d.ID})
	maps.DeleteFunc(k.by, func(at valueAt, id string) bool { return at.kind == d.Kind && id == d.ID })
	for slot, v := range d.Unique {
		delete(k.by, valueAt{d.Kind, slot, string(v)})
	}
}

// put keeps a document in its newer version.
func (k keptDocuments) put(d driver.Doc, stored int64) {
	d.Version++
	k.docs[documentAt{d.Kind, d.ID}] = &keptDocument{Doc: d, stored: stored, changed: true}
	maps.DeleteFunc(k.by, func(at valueAt, id string) bool {
		return at.kind == d.Kind && id == d.ID && string(d.Unique[at.slot]) != at.value
	})
	for slot, v := range d.Unique {
		if v != nil {
			k.by[valueAt{d.Kind, slot, string(v)}] = d.ID
		}
	}
}

// keep puts what is new or kept in the place of what was kept, and returns the
// others, which are written by themselves.
func (r documents) keep(ctx context.Context, docs []driver.Doc) (rest []driver.Doc, err error) {
	kept := r.ahead.documents
	for _, d := range docs {
		had := kept.docs[documentAt{d.Kind, d.ID}]
		switch {
		case had == nil && (d.Version != 0 || d.Body == nil), d.Global != nil:
			kept.forget(d)
			rest = append(rest, d)
		case had != nil && had.Version != d.Version:
			r.failed = driver.ErrClash
			return nil, r.failed
		case d.Body == nil:
			if err := r.flush(ctx); err != nil {
				return nil, err
			}
			kept.forget(d)
			rest = append(rest, d)
		default:
			if d.Tags == nil && had != nil {
				d.Tags = had.Tags
			}
			stored := int64(0)
			if had != nil {
				stored = had.stored
			}
			r.wrote = true
			kept.put(d, stored)
		}
	}
	return rest, nil
}

// writes replaces the documents that were changed, in the order of kind and id,
// and then adds the new ones, in the order of the keys in which rivals may meet
// them. Their tags follow.
func (k keptDocuments) writes(ws string) []stmt {
	var changed, fresh []*keptDocument
	for _, d := range k.docs {
		switch {
		case d.changed && d.stored == 0:
			fresh = append(fresh, d)
		case d.changed:
			changed = append(changed, d)
		}
	}
	byID := func(a, b *keptDocument) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) }
	slices.SortFunc(changed, byID)
	slices.SortFunc(fresh, func(a, b *keptDocument) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), bytes.Compare(a.Unique[0], b.Unique[0]), byID(a, b))
	})
	var list []stmt
	if len(changed) > 0 {
		rows := make([][]any, len(changed))
		for i, d := range changed {
			rows[i] = append([]any{key(d.Kind), key(d.ID), d.stored, d.Version}, documentValues(d.Doc)...)
		}
		list = append(list, ofDocuments.of(ws, rows))
	}
	if len(fresh) > 0 {
		rows := make([][]any, len(fresh))
		for i, d := range fresh {
			rows[i] = append([]any{key(d.Kind), key(d.ID), d.Version}, documentValues(d.Doc)...)
		}
		list = append(list, intoDocuments.of(ws, rows))
	}
	list = append(list, tagWrites(ws, changed, fresh)...)
	for _, d := range slices.Concat(changed, fresh) {
		d.stored, d.changed, d.Tags = d.Version, false, nil
	}
	return list
}

// tagWrites replaces what differs from the stored tags of many documents.
func tagWrites(ws string, changed, fresh []*keptDocument) (list []stmt) {
	var kinds, ids []string
	var tags [][]any
	for _, d := range changed {
		if d.Tags != nil {
			kinds, ids = append(kinds, key(d.Kind)), append(ids, key(d.ID))
		}
	}
	for _, d := range slices.Concat(changed, fresh) {
		for _, t := range d.Tags {
			tags = append(tags, []any{key(d.Kind), key(d.ID), key(t.Name), notNil(t.Value), notNil(t.Order)})
		}
	}
	if len(ids) > 0 {
		wanted := [][]any{{"", "", "", []byte{}, []byte{}}} // of no document, so that there are arrays
		list = append(list, query(`DELETE FROM sd.document_tags t USING unnest($2::text[], $3::text[]) AS c(kind, id)
			WHERE t.ws = $1 AND t.kind = c.kind AND t.id = c.id AND NOT EXISTS (SELECT 1 FROM
			unnest($4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[]) AS w(kind, id, name, value, ord)
			WHERE w.kind = t.kind AND w.id = t.id AND w.name = t.name AND w.value = t.value AND w.ord = t.ord)`,
			append([]any{ws, kinds, ids}, transposed(append(wanted, tags...))...)...))
	}
	if len(tags) > 0 {
		list = append(list, intoTags.of(ws, tags))
	}
	return list
}
