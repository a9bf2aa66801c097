package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/store/driver"
)

// documents implements driver.DocRepo.
type documents struct{ *tx }

const docColumns = `d.id, d.version, d.decl, d.body`

// scanDocument reads docColumns.
func scanDocument(kind string) func(pgx.Rows) (driver.Doc, error) {
	return func(r pgx.Rows) (driver.Doc, error) {
		d := driver.Doc{Kind: kind}
		err := r.Scan(&d.ID, &d.Version, &d.Decl, &d.Body)
		d.ID = unkey[string](d.ID)
		return d, err
	}
}

// Get implements driver.DocRepo. Keys are looked up one by one below each other,
// so that the plan is the same for one and for many.
func (r documents) Get(ctx context.Context, k driver.Keys) ([]driver.Doc, error) {
	if r.ahead != nil && r.usable() == nil {
		if list, all := r.ahead.documents.get(k); all {
			return list, nil
		}
	}
	if len(k.IDs) == 1 {
		return many(ctx, r.tx, query(`SELECT `+docColumns+` FROM sd.documents d WHERE ws = $1 AND kind = $2 AND id = $3`,
			key(r.ws), key(k.Kind), key(k.IDs[0])), scanDocument(k.Kind))
	}
	column, of, values := "id", "text", any(keys(k.IDs))
	if k.IDs == nil {
		column, of, values = fmt.Sprintf("u%d", k.Slot), "bytea", k.Values
	}
	return many(ctx, r.tx, query(`SELECT `+docColumns+` FROM unnest($3::`+of+`[]) AS want(value),
		LATERAL (SELECT * FROM sd.documents WHERE ws = $1 AND kind = $2 AND `+column+` = want.value OFFSET 0) d`,
		key(r.ws), key(k.Kind), values), scanDocument(k.Kind))
}

const (
	createDocument = `INSERT INTO sd.documents (version, ws, kind, id, decl, u0, u1, u2, i0, i1, i2, i3, i4, i5, i6, i7, g, body)
		VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
	replaceDocument = `UPDATE sd.documents SET version = version + 1, decl = $4, u0 = $5, u1 = $6, u2 = $7,
		i0 = $8, i1 = $9, i2 = $10, i3 = $11, i4 = $12, i5 = $13, i6 = $14, i7 = $15, g = $16, body = $17
		WHERE ws = $1 AND kind = $2 AND id = $3 AND version = $18 RETURNING 1`
)

// Put implements driver.DocRepo. Documents are written in the order of kind and
// id, so that two that write the same ones cannot wait for each other.
func (r documents) Put(ctx context.Context, docs []driver.Doc) error {
	docs = slices.SortedFunc(slices.Values(docs), func(a, b driver.Doc) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	if err := r.writable(); err != nil {
		return err
	}
	if r.ahead != nil {
		var err error
		if docs, err = r.keep(ctx, docs); err != nil || len(docs) == 0 {
			return err
		}
	}
	list, apart := r.statements(docs)
	if apart {
		return r.lock(ctx, list...)
	}
	return r.write(ctx, list...)
}

// statements write the documents. apart says that a value may be taken, which is
// told here and not by the commit.
func (r documents) statements(docs []driver.Doc) (list []stmt, apart bool) {
	for _, d := range docs {
		if d.Body == nil {
			list = append(list, r.remove(d)...)
			continue
		}
		args := append([]any{key(r.ws), key(d.Kind), key(d.ID)}, documentValues(d)...)
		apart = apart || d.Global != nil
		if d.Version == 0 {
			list = append(list, query(createDocument, args...))
		} else {
			list = append(list, asClash("document", replaceDocument, append(args, d.Version)...))
		}
		list = append(list, r.putTags(d)...)
	}
	return list, apart
}

// documentValues are those of documentColumns.
func documentValues(d driver.Doc) []any {
	args := []any{d.Decl}
	for _, v := range d.Unique {
		args = append(args, v)
	}
	for _, v := range d.Index {
		args = append(args, v)
	}
	return append(args, d.Global, d.Body)
}

// putTags replaces what differs from the stored tags.
func (r documents) putTags(d driver.Doc) []stmt {
	names, values, orders := make([]string, len(d.Tags)), make([][]byte, len(d.Tags)), make([][]byte, len(d.Tags))
	for i, t := range d.Tags {
		names[i], values[i], orders[i] = key(t.Name), notNil(t.Value), notNil(t.Order)
	}
	var list []stmt
	if d.Version != 0 && d.Tags != nil {
		list = append(list, query(`DELETE FROM sd.document_tags t WHERE ws = $1 AND kind = $2 AND id = $3 AND NOT EXISTS
			(SELECT 1 FROM unnest($4::text[], $5::bytea[], $6::bytea[]) AS w(name, value, ord)
			WHERE w.name = t.name AND w.value = t.value AND w.ord = t.ord)`,
			key(r.ws), key(d.Kind), key(d.ID), names, values, orders))
	}
	if len(d.Tags) > 0 {
		list = append(list, query(`INSERT INTO sd.document_tags (ws, kind, id, name, value, ord)
			SELECT $1, $2, $3, name, value, ord FROM unnest($4::text[], $5::bytea[], $6::bytea[]) AS w(name, value, ord)
			ON CONFLICT DO NOTHING`,
			key(r.ws), key(d.Kind), key(d.ID), names, values, orders))
	}
	return list
}

// remove deletes a document that has the version.
func (r documents) remove(d driver.Doc) []stmt {
	return []stmt{
		asClash("document", `DELETE FROM sd.documents WHERE ws = $1 AND kind = $2 AND id = $3 AND version = $4 RETURNING 1`,
			key(r.ws), key(d.Kind), key(d.ID), d.Version),
		query(`DELETE FROM sd.document_tags WHERE ws = $1 AND kind = $2 AND id = $3`, key(r.ws), key(d.Kind), key(d.ID)),
	}
}

// selected is a statement of the columns and the value of what is in a range
// after a place, in order.
func (r documents) selected(columns string, rg driver.Range, after driver.Place, limit int) (text string, args []any) {
	var b strings.Builder
	next := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	value := "d.ord"
	if rg.Tag == "" {
		value = fmt.Sprintf("d.i%d", rg.Slot)
		b.WriteString(`SELECT ` + columns + `, ` + value + ` AS value FROM sd.documents d WHERE ws = ` + next(key(r.ws)) +
			` AND kind = ` + next(key(rg.Kind)) + ` AND ` + value + ` IS NOT NULL`)
	} else {
		b.WriteString(`SELECT ` + columns + `, d.ord AS value FROM sd.document_tags d WHERE ws = ` + next(key(r.ws)) +
			` AND kind = ` + next(key(rg.Kind)) + ` AND name = ` + next(key(rg.Tag)) + ` AND d.value = ` + next(notNil(rg.Value)))
	}
	if rg.From != nil {
		b.WriteString(` AND ` + value + ` >= ` + next(rg.From))
	}
	if rg.To != nil {
		b.WriteString(` AND ` + value + ` < ` + next(rg.To))
	}
	beyond, direction := ">", ""
	if rg.Desc {
		beyond, direction = "<", " DESC"
	}
	if after.ID != "" {
		b.WriteString(` AND (` + value + `, id) ` + beyond + ` (` + next(notNil(after.Value)) + `, ` + next(key(after.ID)) + `)`)
	}
	fmt.Fprintf(&b, ` ORDER BY %s%s, id%[2]s LIMIT %[3]s`, value, direction, next(limit))
	return b.String(), args
}

// List implements driver.DocRepo. Of a tag the places are found first, and then
// their documents one by one: what a join reads would depend on what the planner
// knows of the tables.
func (r documents) List(ctx context.Context, rg driver.Range, after driver.Place, limit int) ([]driver.Placed, error) {
	if rg.Below > 0 {
		return r.stale(ctx, rg.Kind, rg.Below, limit)
	}
	direction := ""
	if rg.Desc {
		direction = " DESC"
	}
	scan := func(row pgx.Rows) (p driver.Placed, err error) {
		p.Kind = rg.Kind
		err = row.Scan(&p.ID, &p.Version, &p.Decl, &p.Body, &p.At.Value)
		p.ID = unkey[string](p.ID)
		p.At.ID = p.ID
		return p, err
	}
	if rg.Tag == "" {
		text, args := r.selected(docColumns, rg, after, limit)
		return many(ctx, r.tx, query(text, args...), scan)
	}
	text, args := r.selected("d.id", rg, after, limit)
	return many(ctx, r.tx, query(fmt.Sprintf(`SELECT `+docColumns+`, at.value FROM (%s) at,
		LATERAL (SELECT * FROM sd.documents WHERE ws = $1 AND kind = $2 AND id = at.id OFFSET 0) d ORDER BY at.value%s, at.id%[2]s`,
		text, direction), args...), scan)
}

// Count implements driver.DocRepo.
func (r documents) Count(ctx context.Context, rg driver.Range, atMost int) (n int, err error) {
	text, args := r.selected("d.id", rg, driver.Place{}, atMost)
	err = r.read(ctx, query(`SELECT count(*) FROM (`+text+`) found`, args...).rows(func(row pgx.Rows) error { return row.Scan(&n) }))
	return n, err
}

// guard is tx.Guard of a document.
func (r documents) guard(ctx context.Context, kind, id string, version int64) error {
	const row = `SELECT 1 FROM sd.documents WHERE ws = $1 AND kind = $2 AND id = $3 AND version = $4 FOR NO KEY UPDATE`
	check := asClash("document", row+` NOWAIT`, key(r.ws), key(kind), key(id), version)
	rival := query(row, key(r.ws), key(kind), key(id), version)
	check.wait = &rival
	return r.write(ctx, check)
}

// Configuration implements driver.DocRepo: one statement, so that version and
// contents are of one moment. The order has the kinds found by their index: where
// nearly all documents are of another kind, the planner takes that one for these.
func (r documents) Configuration(ctx context.Context, known int64, kinds []string) (version int64, docs []driver.Doc, err error) {
	err = r.read(ctx, query(`WITH new AS MATERIALIZED (SELECT version <> $3 AS rest FROM sd.config WHERE ws = $1)
		SELECT '', '', version, 0, NULL::bytea FROM sd.config WHERE ws = $1
		UNION ALL SELECT d.* FROM unnest($2::text[]) AS want(kind),
			LATERAL (SELECT kind, id, version, decl, body FROM sd.documents WHERE ws = $1 AND kind = want.kind
				ORDER BY ws, kind, id OFFSET 0) d
			WHERE (SELECT rest FROM new)`, key(r.ws), keys(kinds), known).
		rows(func(row pgx.Rows) error {
			var d driver.Doc
			if err := row.Scan(&d.Kind, &d.ID, &d.Version, &d.Decl, &d.Body); err != nil {
				return err
			}
			if d.Kind == "" {
				version = d.Version
				return nil
			}
			d.Kind, d.ID = unkey[string](d.Kind), unkey[string](d.ID)
			docs = append(docs, d)
			return nil
		}))
	return version, docs, err
}

// stale lists documents of an older declaration.
func (r documents) stale(ctx context.Context, kind string, below, limit int) ([]driver.Placed, error) {
	scan := func(row pgx.Rows) (driver.Placed, error) {
		d, err := scanDocument(kind)(row)
		return driver.Placed{Doc: d}, err
	}
	return many(ctx, r.tx, query(`SELECT `+docColumns+` FROM sd.documents d
		WHERE ws = $1 AND kind = $2 AND decl < $3 ORDER BY decl, id LIMIT $4`,
		key(r.ws), key(kind), below, limit), scan)
}
