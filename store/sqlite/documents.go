package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// documents implements driver.DocRepo.
type documents struct{ *tx }

const docColumns = `d.id, d.version, d.decl, d.body`

// scanDocument reads docColumns.
func scanDocument(kind string) func(raw.Row) (driver.Doc, error) {
	return func(w raw.Row) (driver.Doc, error) {
		return driver.Doc{Kind: kind, ID: w.Text(0), Version: w.Int(1), Decl: int(w.Int(2)), Body: w.Bytes(3)}, nil
	}
}

func (r documents) Get(_ context.Context, k driver.Keys) ([]driver.Doc, error) {
	column, values := "id", make([]any, 0, len(k.IDs)+len(k.Values))
	for _, id := range k.IDs {
		values = append(values, id)
	}
	if k.IDs == nil {
		column = fmt.Sprintf("u%d", k.Slot)
		for _, v := range k.Values {
			values = append(values, v)
		}
	}
	var out []driver.Doc
	for _, v := range values {
		d, err := maybe(r.tx, scanDocument(k.Kind), `SELECT `+docColumns+` FROM documents d WHERE ws = ? AND kind = ? AND `+column+` = ?`,
			r.ws, k.Kind, v)
		if err != nil {
			return nil, err
		}
		if d != nil {
			out = append(out, *d)
		}
	}
	return out, nil
}

const (
	createDocument = `INSERT INTO documents (version, decl, u0, u1, u2, i0, i1, i2, i3, i4, i5, i6, i7, g, body, ws, kind, id)
		VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	replaceDocument = `UPDATE documents SET version = version + 1, decl = ?, u0 = ?, u1 = ?, u2 = ?,
		i0 = ?, i1 = ?, i2 = ?, i3 = ?, i4 = ?, i5 = ?, i6 = ?, i7 = ?, g = ?, body = ?
		WHERE ws = ? AND kind = ? AND id = ? AND version = ?`
)

func (r documents) Put(_ context.Context, docs []driver.Doc) error {
	for _, d := range docs {
		if d.Body == nil {
			if err := r.remove(d); err != nil {
				return err
			}
			continue
		}
		args := []any{d.Decl}
		for _, v := range d.Unique {
			args = append(args, blobOrNull(v))
		}
		for _, v := range d.Index {
			args = append(args, blobOrNull(v))
		}
		args = append(args, blobOrNull(d.Global), d.Body, r.ws, d.Kind, d.ID)
		if err := r.globalFree(d); err != nil {
			return err
		}
		if _, err := r.saved(d.Kind, d.ID, d.Version, createDocument, args, replaceDocument, append(args, d.Version)); err != nil {
			return err
		}
		if err := r.putTags(d); err != nil {
			return r.undone(err)
		}
	}
	return nil
}

// globalFree refuses a value that another document has, of whatever workspace.
func (r documents) globalFree(d driver.Doc) error {
	if d.Global == nil {
		return nil
	}
	if err := r.writable(); err != nil {
		return err
	}
	taken, err := r.exists(`SELECT 1 FROM documents WHERE kind = ? AND g = ? AND (ws <> ? OR id <> ?)`, d.Kind, d.Global, r.ws, d.ID)
	if err == nil && taken {
		err = errs.New(errs.AlreadyExists, "sqlite: another %s has a value that only one may have", d.Kind)
	}
	return err
}

// blobOrNull keeps nil, which is no value, apart from a value of no bytes.
func blobOrNull(v []byte) any {
	if v == nil {
		return nil
	}
	return v
}

// putTags writes what differs from the tags that are stored, which is mostly
// nothing.
func (r documents) putTags(d driver.Doc) error {
	if d.Tags == nil {
		return nil
	}
	type tag struct{ name, value, order string }
	want := map[tag]bool{}
	for _, t := range d.Tags {
		want[tag{t.Name, string(t.Value), string(t.Order)}] = true
	}
	var gone []tag
	if d.Version != 0 {
		if err := r.each(`SELECT name, value, ord FROM document_tags WHERE ws = ? AND kind = ? AND id = ?`, func(w raw.Row) {
			t := tag{w.Text(0), string(w.Bytes(1)), string(w.Bytes(2))}
			if !want[t] {
				gone = append(gone, t)
			}
			delete(want, t)
		}, r.ws, d.Kind, d.ID); err != nil {
			return err
		}
	}
	for _, t := range gone {
		if err := r.change(`DELETE FROM document_tags WHERE ws = ? AND kind = ? AND name = ? AND value = ? AND ord = ? AND id = ?`,
			r.ws, d.Kind, t.name, append([]byte{}, t.value...), append([]byte{}, t.order...), d.ID); err != nil {
			return err
		}
	}
	for t := range want {
		if err := r.change(`INSERT INTO document_tags (ws, kind, name, value, ord, id) VALUES (?, ?, ?, ?, ?, ?)`,
			r.ws, d.Kind, t.name, append([]byte{}, t.value...), append([]byte{}, t.order...), d.ID); err != nil {
			return err
		}
	}
	return nil
}

func (r documents) remove(d driver.Doc) error {
	n, err := r.exec(`DELETE FROM documents WHERE ws = ? AND kind = ? AND id = ? AND version = ?`, r.ws, d.Kind, d.ID, d.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return r.clashed(d.Kind + " " + d.ID + " was changed, or deleted, by another")
	}
	return r.change(`DELETE FROM document_tags WHERE ws = ? AND kind = ? AND id = ?`, r.ws, d.Kind, d.ID)
}

// selected is the FROM and WHERE of a range after a place; value names the
// column that orders it.
func (r documents) selected(rg driver.Range, after driver.Place) (text, value string, args []any) {
	var b strings.Builder
	if rg.Tag == "" {
		value = fmt.Sprintf("d.i%d", rg.Slot)
		b.WriteString(`FROM documents d WHERE d.ws = ? AND d.kind = ? AND ` + value + ` IS NOT NULL`)
		args = []any{r.ws, rg.Kind}
	} else {
		value = "t.ord"
		b.WriteString(`FROM document_tags t JOIN documents d ON d.ws = t.ws AND d.kind = t.kind AND d.id = t.id
			WHERE t.ws = ? AND t.kind = ? AND t.name = ? AND t.value = ?`)
		args = []any{r.ws, rg.Kind, rg.Tag, append([]byte{}, rg.Value...)}
	}
	if rg.From != nil {
		b.WriteString(` AND ` + value + ` >= ?`)
		args = append(args, rg.From)
	}
	if rg.To != nil {
		b.WriteString(` AND ` + value + ` < ?`)
		args = append(args, rg.To)
	}
	if after.ID != "" {
		args = append(args, append([]byte{}, after.Value...), after.ID)
		b.WriteString(beyond(rg, value))
	}
	return b.String(), value, args
}

// beyond is the condition of what comes after a place.
func beyond(rg driver.Range, value string) string {
	than, id := ">", "d.id"
	if rg.Desc {
		than = "<"
	}
	if rg.Tag != "" {
		id = "t.id"
	}
	return ` AND (` + value + `, ` + id + `) ` + than + ` (?, ?)`
}

func (r documents) List(_ context.Context, rg driver.Range, after driver.Place, limit int) ([]driver.Placed, error) {
	if rg.Below > 0 {
		return r.stale(rg.Kind, rg.Below, limit)
	}
	text, value, args := r.selected(rg, after)
	id, direction := "d.id", ""
	if rg.Tag != "" {
		id = "t.id"
	}
	if rg.Desc {
		direction = " DESC"
	}
	scan := func(w raw.Row) (driver.Placed, error) {
		d, err := scanDocument(rg.Kind)(w)
		return driver.Placed{Doc: d, At: driver.Place{Value: w.Bytes(4), ID: d.ID}}, err
	}
	return list(r.tx, scan, `SELECT `+docColumns+`, `+value+` `+text+` ORDER BY `+value+direction+`, `+id+direction+` LIMIT ?`,
		append(args, max(limit, 0))...)
}

func (r documents) Count(_ context.Context, rg driver.Range, atMost int) (int, error) {
	text, _, args := r.selected(rg, driver.Place{})
	n, _, err := r.number(`SELECT count(*) FROM (SELECT 1 `+text+` LIMIT ?)`, append(args, max(atMost, 0))...)
	return int(n), err
}

// guard is tx.Guard of a document.
func (r documents) guard(kind, id string, version int64) error {
	present, ok, err := r.number(`SELECT version FROM documents WHERE ws = ? AND kind = ? AND id = ?`, r.ws, kind, id)
	if err != nil {
		return err
	}
	if r.readonly {
		return errs.New(errs.Invalid, "sqlite: a View cannot guard; use Update")
	}
	if !ok || present != version {
		return r.clashed(fmt.Sprintf("the guarded %s is at %d, not %d", kind, present, version))
	}
	return nil
}

func (r documents) Configuration(_ context.Context, known int64, kinds []string) (version int64, docs []driver.Doc, err error) {
	if version, _, err = r.number(`SELECT config_version FROM workspaces WHERE num = ?`, r.ws); err != nil || version == known {
		return version, nil, err
	}
	for _, kind := range kinds {
		of, err := list(r.tx, scanDocument(kind), `SELECT `+docColumns+` FROM documents d WHERE ws = ? AND kind = ?`, r.ws, kind)
		if err != nil {
			return 0, nil, err
		}
		docs = append(docs, of...)
	}
	return version, docs, nil
}

func (r documents) stale(kind string, below, limit int) ([]driver.Placed, error) {
	scan := func(w raw.Row) (driver.Placed, error) {
		d, err := scanDocument(kind)(w)
		return driver.Placed{Doc: d}, err
	}
	return list(r.tx, scan, `SELECT `+docColumns+` FROM documents d
		WHERE ws = ? AND kind = ? AND decl < ? ORDER BY decl, id LIMIT ?`,
		r.ws, kind, below, max(limit, 0))
}
