package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/store/driver"
)

// Kind declares one kind of document: how its values are stored and found. The
// declaration is all that a new kind needs; no backend is touched.
//
//	var groups = store.Declare(store.Kind[Group]{Name: "group",
//		ID:      func(g *Group) string { return g.ID },
//		Version: func(g *Group) *int64 { return &g.Version },
//		Unique:  []store.Index[Group]{{Name: "name", Value: func(g *Group) []byte { return store.Text(g.Name) }}},
//	})
//
// Names of kinds, unique keys, indexes and tags are never used again for
// something else: old documents carry them.
type Kind[T any] struct {
	// Name of the kind, unique in the program: "ticket".
	Name string
	// Decl is raised by one whenever Unique, Indexes or Tags change; documents
	// of an older declaration are then rewritten by Documents.Renew.
	Decl int
	// ID of a document, 1 to 200 bytes, unique in the workspace.
	ID func(*T) string
	// Version is where the document keeps its version: 0 until it is saved.
	// The field itself is not stored; tag it `json:"version"` or "-".
	Version func(*T) *int64
	// Extra is where members of the body are kept that T does not know, because
	// a newer program wrote them: they are written back when it is saved. nil: Save
	// takes them from what is stored, at the price of reading it once more, which
	// is no matter where documents are seldom changed. Those within a member are
	// written back where the same object is still there: a struct in its place, a
	// value of a map under its key, an element of a list with its member "id" (if
	// a struct has an "id", it is the same only under the same one). Of elements
	// without an id, and of types that read themselves, nothing unknown is kept.
	Extra func(*T) *map[string]json.RawMessage
	// Derived says that the program makes the whole document anew whenever it saves
	// it, so that what another program said beside it would be untrue: nothing is
	// taken over, and nothing read.
	Derived bool
	// Unique lists at most three keys that no two documents share; a nil value
	// is no key.
	Unique []Index[T]
	// Global is one key that no two documents share, of whatever workspace; nil, or
	// a nil value: none. A value that is taken is ErrAlreadyExists.
	Global func(*T) []byte
	// Largest is how many bytes a body may have; 0: driver.MaxDocument.
	Largest int
	// Indexes lists at most eight orders in which documents can be listed; a
	// document with a nil value is not in that index.
	Indexes []Index[T]
	// Tags lists values of which a document has many, each with the order of
	// the documents that share it.
	Tags []TagIndex[T]
	// Reused says that an id may come again after its document was deleted, while
	// callers hold the version of before, as those of settings do. The id then
	// keeps its last version, so that the next document goes on from there and
	// what was seen before never passes as current. Its body names something,
	// such as the id: an empty one stands for what was deleted.
	Reused bool
	// Configuration says that documents belong to the workspace's configuration:
	// see routing.Configuration.
	Configuration bool
}

// Index is a value by which documents are found and ordered: bytes, compared one by
// one, which Text, Exact, Int, Time and Tuple make; at most driver.MaxIndexed of them.
type Index[T any] struct {
	Name  string
	Value func(*T) []byte
}

// TagIndex is a set of values by which documents are found: the labels of a
// ticket, the desks of a contact. Order sorts the documents that share a value.
type TagIndex[T any] struct {
	Name   string
	Values func(*T) [][]byte
	Order  func(*T) []byte
}

// Documents reads and writes the documents of one kind. It is immutable and
// safe for concurrent use; the transaction is given with each call.
type Documents[T any] struct {
	kind  Kind[T]
	known map[string]bool // members of the body that T has
	shape *shape          // what T has within them
}

// Declare makes the Documents of a kind, usually for a variable of a package. It
// panics for a declaration that cannot work, which is a mistake in the program.
func Declare[T any](k Kind[T]) *Documents[T] {
	switch {
	case k.Name == "" || k.ID == nil || k.Version == nil:
		panic("store: a declared kind needs Name, ID and Version")
	case len(k.Unique) > driver.UniqueSlots || len(k.Indexes) > driver.IndexSlots:
		panic("store: kind " + k.Name + " declares more keys or indexes than there are slots")
	}
	return &Documents[T]{kind: k, known: members(reflect.TypeFor[T]()), shape: shapeOf(reflect.TypeFor[T](), map[reflect.Type]*shape{})}
}

// members lists the names of a struct's members in JSON.
func members(t reflect.Type) map[string]bool {
	known := map[string]bool{}
	eachMember(t, func(name string, _ reflect.StructField) { known[name] = true })
	return known
}

// eachMember calls fn for each member that encoding/json writes of a struct, those of
// embedded structs among them, with its name there.
func eachMember(t reflect.Type, fn func(name string, f reflect.StructField)) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			eachMember(f.Type, fn)
		case name == "-" || !f.IsExported():
		case name == "":
			fn(f.Name, f)
		default:
			fn(name, f)
		}
	}
}

// Name is the kind's name.
func (d *Documents[T]) Name() string { return d.kind.Name }

// Decl is the version of the kind's declaration, Kind.Decl.
func (d *Documents[T]) Decl() int { return d.kind.Decl }

// Get returns a document; ErrNotFound.
func (d *Documents[T]) Get(ctx context.Context, tx Tx, id string) (T, error) {
	var none T
	list, err := d.GetAll(ctx, tx, id)
	if err != nil {
		return none, err
	}
	if len(list) == 0 {
		return none, errs.New(errs.NotFound, "store: there is no %s with this id", d.kind.Name)
	}
	return list[0], nil
}

// GetAll returns those of the ids that exist, ordered by id.
func (d *Documents[T]) GetAll(ctx context.Context, tx Tx, ids ...string) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	docs, err := tx.Documents().Get(ctx, driver.Keys{Kind: d.kind.Name, IDs: ids})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(docs, func(a, b driver.Doc) int { return strings.Compare(a.ID, b.ID) })
	return d.decodeAll(docs)
}

// ByKey returns the document that has the value in the unique key; ErrNotFound.
func (d *Documents[T]) ByKey(ctx context.Context, tx Tx, unique string, value []byte) (T, error) {
	var none T
	slot := slices.IndexFunc(d.kind.Unique, func(i Index[T]) bool { return i.Name == unique })
	if slot < 0 {
		return none, errs.New(errs.Invalid, "store: kind %s has no unique key %q", d.kind.Name, unique)
	}
	docs, err := tx.Documents().Get(ctx, driver.Keys{Kind: d.kind.Name, Slot: slot, Values: [][]byte{value}})
	if err != nil {
		return none, err
	}
	if len(docs) == 0 {
		return none, errs.New(errs.NotFound, "store: there is no %s with this %s", d.kind.Name, unique)
	}
	return d.decode(docs[0])
}

// Save creates a document whose version is 0, else replaces the version that
// was read; the version in v is then the new one. A rival's write meanwhile is
// a clash, and the Update runs again; so is a unique value that another
// document has, hence look a name up that a person chose before.
func (d *Documents[T]) Save(ctx context.Context, tx Tx, v *T) error {
	doc, err := d.encode(v)
	if err != nil {
		return err
	}
	if d.kind.Reused && doc.Version == 0 {
		was, err := tx.Documents().Get(ctx, driver.Keys{Kind: d.kind.Name, IDs: []string{doc.ID}})
		if err != nil {
			return err
		}
		if len(was) == 1 && d.gone(was[0]) {
			doc.Version = was[0].Version
		}
	}
	if d.kind.Extra == nil && !d.kind.Derived && doc.Version > 0 {
		if err := d.carryOver(ctx, tx, &doc); err != nil {
			return err
		}
	}
	if err := tx.Documents().Put(ctx, []driver.Doc{doc}); err != nil {
		return err
	}
	*d.kind.Version(v) = doc.Version + 1
	return nil
}

// carryOver gives what replaces a document the members of the one before that T does
// not know.
func (d *Documents[T]) carryOver(ctx context.Context, tx Tx, doc *driver.Doc) error {
	was, err := tx.Documents().Get(ctx, driver.Keys{Kind: d.kind.Name, IDs: []string{doc.ID}})
	if err != nil || len(was) == 0 || was[0].Version != doc.Version {
		return err // another version is a clash when it is put
	}
	var v T
	if whole, err := jsondoc.Read(was[0].Body, &v); err == nil && whole {
		return nil
	}
	extra, err := d.unknown(was[0].Body)
	if err != nil {
		return fmt.Errorf("store: %s %s cannot be read: %w", d.kind.Name, doc.ID, err)
	}
	if doc.Body, err = d.joined(doc.Body, extra); err != nil {
		return err
	}
	return d.checkSize(*doc)
}

// unknown are the members of a body that T does not know, and the body itself under
// formerBody where members of it have such members.
func (d *Documents[T]) unknown(body []byte) (map[string]json.RawMessage, error) {
	extra, err := jsondoc.Unknown(body, d.known)
	if err != nil || d.shape == nil {
		return extra, err
	}
	within := false
	d.shape.eachPart(body, func(_ string, v json.RawMessage, part *shape) { within = within || part != nil && part.more(v) })
	if within {
		if extra == nil {
			extra = map[string]json.RawMessage{}
		}
		extra[formerBody] = bytes.Clone(body)
	}
	return extra, nil
}

// draft returns a stored document to be changed and saved, or one of nothing with
// version 0 where there is none.
func (d *Documents[T]) draft(ctx context.Context, tx Tx, id string) (v T, err error) {
	list, err := d.GetAll(ctx, tx, id)
	if err == nil && len(list) > 0 {
		v = list[0]
	}
	return v, err
}

// Delete removes a document, in the version that was read: where another one is
// stored it is a clash, and the Update runs again.
func (d *Documents[T]) Delete(ctx context.Context, tx Tx, v *T) error {
	doc := driver.Doc{Kind: d.kind.Name, ID: d.kind.ID(v), Version: *d.kind.Version(v)}
	if d.kind.Reused && doc.Version > 0 {
		doc = d.grave(doc)
	}
	return tx.Documents().Put(ctx, []driver.Doc{doc})
}

// emptied is the body of what was deleted and keeps its version.
const emptied = "{}"

// grave is what stays of a document whose id may come again: it has no keys, is
// in no index and carries no tags.
func (d *Documents[T]) grave(doc driver.Doc) driver.Doc {
	return driver.Doc{Kind: doc.Kind, ID: doc.ID, Version: doc.Version, Decl: d.kind.Decl, Tags: []driver.Tag{}, Body: []byte(emptied)}
}

// gone says that nothing but the version is left of the document.
func (d *Documents[T]) gone(doc driver.Doc) bool {
	return d.kind.Reused && string(doc.Body) == emptied
}

// Guard makes the commit depend on the document's staying as it was read,
// although this transaction does not write it: where it changed, the Update runs
// again. The document is one that is stored.
func (d *Documents[T]) Guard(ctx context.Context, tx Tx, v *T) error {
	return tx.Guard(ctx, driver.GuardDocument(d.kind.Name), d.kind.ID(v), *d.kind.Version(v))
}

// Renew rewrites at most limit documents that an older declaration wrote, so
// that indexes added since find them, and returns how many it rewrote: fewer than
// limit when none is left.
func (d *Documents[T]) Renew(ctx context.Context, tx Tx, limit int) (int, error) {
	if d.kind.Decl == 0 {
		return 0, nil // nothing is older
	}
	found, err := tx.Documents().List(ctx, driver.Range{Kind: d.kind.Name, Below: d.kind.Decl}, driver.Place{}, limit)
	if err != nil {
		return 0, err
	}
	var list []T
	for _, p := range found {
		if d.gone(p.Doc) {
			if err := tx.Documents().Put(ctx, []driver.Doc{d.grave(p.Doc)}); err != nil {
				return 0, err
			}
			continue
		}
		v, err := d.decode(p.Doc)
		if err != nil {
			return 0, err
		}
		list = append(list, v)
	}
	for i := range list {
		if err := d.Save(ctx, tx, &list[i]); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

func (d *Documents[T]) encode(v *T) (driver.Doc, error) {
	doc := driver.Doc{Kind: d.kind.Name, ID: d.kind.ID(v), Version: *d.kind.Version(v), Decl: d.kind.Decl}
	if n := len(doc.ID); n < 1 || n > 200 {
		return doc, errs.New(errs.Invalid, "store: the id of a %s has %d bytes; use 1 to 200", d.kind.Name, n)
	}
	var err error
	if doc.Body, err = d.body(v); err != nil {
		return doc, err
	}
	if err := d.checkSize(doc); err != nil {
		return doc, err
	}
	if d.kind.Global != nil {
		doc.Global = d.kind.Global(v)
		err = d.checkValue("global key", doc.Global)
	}
	for i, u := range d.kind.Unique {
		doc.Unique[i] = u.Value(v)
		err = errors.Join(err, d.checkValue(u.Name, doc.Unique[i]))
	}
	for i, x := range d.kind.Indexes {
		doc.Index[i] = x.Value(v)
		err = errors.Join(err, d.checkValue(x.Name, doc.Index[i]))
	}
	if len(d.kind.Tags) > 0 {
		doc.Tags = []driver.Tag{} // it may have lost all
	}
	for _, t := range d.kind.Tags {
		order := t.Order(v)
		for _, value := range t.Values(v) {
			doc.Tags = append(doc.Tags, driver.Tag{Name: t.Name, Value: value, Order: order})
			err = errors.Join(err, d.checkValue(t.Name, value), d.checkValue(t.Name, order))
		}
	}
	if len(doc.Tags) > driver.MaxTags {
		err = errors.Join(err, errs.New(errs.Invalid, "store: %s %s carries more than %d tags", d.kind.Name, doc.ID, driver.MaxTags))
	}
	return doc, err
}

func (d *Documents[T]) checkSize(doc driver.Doc) error {
	if largest := cmp.Or(d.kind.Largest, driver.MaxDocument); len(doc.Body) > largest {
		return errs.New(errs.Invalid, "store: %s %s is larger than %d bytes; keep less in it", d.kind.Name, doc.ID, largest)
	}
	return nil
}

func (d *Documents[T]) checkValue(name string, v []byte) error {
	if len(v) > driver.MaxIndexed {
		return errs.New(errs.Invalid, "store: the %s of a %s has %d bytes; make it with Text or Exact, which cut it", name,
			d.kind.Name, len(v))
	}
	return nil
}

// body is the JSON of v with the members that T does not know.
func (d *Documents[T]) body(v *T) ([]byte, error) {
	raw, err := jsondoc.Marshal(v)
	if err != nil {
		return nil, errs.New(errs.Invalid, "store: a %s cannot be stored as JSON: %w", d.kind.Name, err)
	}
	if d.kind.Extra == nil {
		return raw, nil
	}
	return d.joined(raw, *d.kind.Extra(v))
}

// joined is a body with those of the members that T does not know.
func (d *Documents[T]) joined(raw []byte, extra map[string]json.RawMessage) ([]byte, error) {
	if len(extra) == 0 {
		return raw, nil
	}
	extra = maps.Clone(extra)
	was, within := extra[formerBody]
	maps.DeleteFunc(extra, func(name string, _ json.RawMessage) bool { return d.known[name] || name == formerBody })
	if len(extra) > 0 {
		more, err := json.Marshal(extra)
		if err != nil {
			return nil, err
		}
		if len(raw) > 2 {
			more[0] = ','
			more = append(raw[:len(raw)-1], more...)
		}
		raw = more
	}
	if within {
		return d.shape.carry(was, raw)
	}
	return raw, nil
}

func (d *Documents[T]) decode(doc driver.Doc) (T, error) {
	var v T
	whole, err := jsondoc.Read(doc.Body, &v)
	if err != nil {
		return v, errs.New(errs.Unavailable, "store: %s %s cannot be read; it was damaged or written by a newer program: %w",
			d.kind.Name, doc.ID, err)
	}
	if d.kind.Extra != nil && !whole {
		extra, err := d.unknown(doc.Body)
		if err != nil {
			return v, fmt.Errorf("store: %s %s cannot be read: %w", d.kind.Name, doc.ID, err)
		}
		if len(extra) > 0 {
			*d.kind.Extra(&v) = extra
		}
	}
	*d.kind.Version(&v) = doc.Version
	return v, nil
}

func (d *Documents[T]) decodeAll(docs []driver.Doc) ([]T, error) {
	out := make([]T, 0, len(docs))
	for _, doc := range docs {
		if d.gone(doc) {
			continue
		}
		v, err := d.decode(doc)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Limits of one List.
const (
	maxPage = 200
	// maxLooked is how many documents one List looks at, so that a filter which
	// hardly anything passes costs a bounded read and not the table.
	maxLooked = 500
)

// List says which documents of a kind to list, and in which order.
type List[T any] struct {
	// Index names the order; with Tag it is that of the tag instead.
	Index string
	// Tag and Value select the documents that carry a value.
	Tag   string
	Value []byte
	// From is the first value and To the first one beyond; nil: open.
	From, To []byte
	// Desc lists from the end.
	Desc bool
	// Keep leaves out what it returns false for; nil keeps all.
	Keep func(*T) bool
	// After is Page.Next of the page before; empty begins.
	After string
	// Limit of documents in the page, 1 to 200; 0: 50.
	Limit int
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next goes on after the last item; empty at the end. A page may have few
	// or no items and yet a Next: Keep left out what was looked at.
	Next string
}

// List returns a page. Documents that others insert meanwhile do not move it;
// one that changes its place may be met twice or not at all. With Keep it looks at
// no more than some 500 documents. ErrInvalid for an index or tag that the kind does
// not have, a Limit outside 0 to 200 and an After that is none.
func (d *Documents[T]) List(ctx context.Context, tx Tx, l List[T]) (Page[T], error) {
	var page Page[T]
	r, err := d.ranged(l)
	if err != nil {
		return page, err
	}
	if l.Limit < 0 || l.Limit > maxPage {
		return page, errs.New(errs.Invalid, "store: a page of %d; ask for 1 to %d", l.Limit, maxPage)
	}
	limit := l.Limit
	if limit == 0 {
		limit = 50
	}
	after, err := parsePlace(l.After)
	if err != nil {
		return page, err
	}
	for looked := 0; looked < maxLooked; {
		want := min(max(limit-len(page.Items), 1)+1, maxLooked-looked)
		found, err := tx.Documents().List(ctx, r, after, want)
		if err != nil {
			return Page[T]{}, err
		}
		for _, p := range found {
			if len(page.Items) == limit {
				page.Next = formatPlace(after)
				return page, nil
			}
			v, err := d.decode(p.Doc)
			if err != nil {
				return Page[T]{}, err
			}
			if l.Keep == nil || l.Keep(&v) {
				page.Items = append(page.Items, v)
			}
			after = p.At
		}
		looked += len(found)
		if len(found) < want {
			return page, nil
		}
	}
	page.Next = formatPlace(after)
	return page, nil
}

// All returns every document of the list, for kinds of which a workspace has
// few; more than limit is ErrInvalid. What l.Limit says does not count.
func (d *Documents[T]) All(ctx context.Context, tx Tx, l List[T], limit int) ([]T, error) {
	var out []T
	l.Limit = maxPage
	for {
		page, err := d.List(ctx, tx, l)
		if err != nil {
			return nil, err
		}
		if out = append(out, page.Items...); len(out) > limit {
			return nil, errs.New(errs.Invalid, "store: there are more than %d of kind %s; list them by page", limit, d.kind.Name)
		}
		if page.Next == "" {
			return out, nil
		}
		l.After = page.Next
	}
}

// Count counts the documents of a list, but not beyond atMost: that many then means
// "at least". After and Limit do not count; ErrInvalid for a list with Keep.
func (d *Documents[T]) Count(ctx context.Context, tx Tx, l List[T], atMost int) (int, error) {
	r, err := d.ranged(l)
	if err != nil {
		return 0, err
	}
	if l.Keep != nil {
		return 0, errs.New(errs.Invalid, "store: Count takes no Keep: it reads no documents")
	}
	return tx.Documents().Count(ctx, r, atMost)
}

func (d *Documents[T]) ranged(l List[T]) (driver.Range, error) {
	r := driver.Range{Kind: d.kind.Name, From: l.From, To: l.To, Desc: l.Desc}
	if l.Tag != "" {
		r.Tag, r.Value = l.Tag, l.Value
		if !slices.ContainsFunc(d.kind.Tags, func(t TagIndex[T]) bool { return t.Name == l.Tag }) {
			return r, errs.New(errs.Invalid, "store: kind %s has no tag %q", d.kind.Name, l.Tag)
		}
		return r, nil
	}
	r.Slot = slices.IndexFunc(d.kind.Indexes, func(i Index[T]) bool { return i.Name == l.Index })
	if r.Slot < 0 {
		return r, errs.New(errs.Invalid, "store: kind %s has no index %q", d.kind.Name, l.Index)
	}
	return r, nil
}

// A place in text is for callers of this process; whoever hands one to a
// person who may not see every document seals it first.
func formatPlace(p driver.Place) string {
	return base64.RawURLEncoding.EncodeToString(Tuple(p.Value, []byte(p.ID)))
}

func parsePlace(s string) (driver.Place, error) {
	if s == "" {
		return driver.Place{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	parts := untuple(raw)
	if err != nil || len(parts) != 2 || len(parts[1]) == 0 {
		return driver.Place{}, errs.New(errs.Invalid, "store: this is no place in a list; use Page.Next of the page before")
	}
	return driver.Place{Value: parts[0], ID: string(parts[1])}, nil
}

// untuple undoes Tuple; nil for bytes that are none.
func untuple(raw []byte) [][]byte {
	var parts [][]byte
	for len(raw) > 0 {
		end := bytes.Index(raw, []byte{0, 1})
		if end < 0 {
			return nil
		}
		parts = append(parts, bytes.ReplaceAll(raw[:end], []byte{0, 0xFF}, []byte{0}))
		raw = raw[end+2:]
	}
	return parts
}
