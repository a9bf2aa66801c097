package storetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// part is a kind of document that only the suite has.
type part struct {
	ID      string                     `json:"id"`
	Version int64                      `json:"-"`
	Name    string                     `json:"name"`
	Rank    int64                      `json:"rank"`
	Labels  []string                   `json:"labels,omitempty"`
	Place   *place                     `json:"place,omitempty"`
	Steps   []place                    `json:"steps,omitempty"`
	Named   map[string]place           `json:"named,omitempty"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// place is a part of a part, with places of its own.
type place struct {
	ID   string  `json:"id,omitempty"`
	N    int     `json:"n"`
	More []place `json:"more,omitempty"`
}

// newerWithin saves a document in whose members a newer program wrote something more:
// it stays with the same object, and goes with one that goes.
func (e *env) newerWithin(id string, kind store.Kind[part]) {
	docs := store.Declare(kind)
	e.update(func(ctx context.Context, tx store.Tx) error {
		return tx.Documents().Put(ctx, []driver.Doc{{Kind: "part", ID: id, Decl: 2, Body: []byte(`{"id":"` + id + `","name":"` + id +
			`","rank":1,"later":0,"place":{"n":1,"later":"a"},"steps":[{"id":"x","n":1,"later":[1],"more":[{"id":"z","n":0,"later":{}}]},
			{"id":"y","n":2,"later":2},{"n":3,"later":3}],"named":{"k":{"n":4,"later":4},"l":{"n":5,"later":5}}}`)}})
	})
	change := func(fn func(p *part)) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			p, err := docs.Get(ctx, tx, id)
			if err != nil {
				return err
			}
			fn(&p)
			return docs.Save(ctx, tx, &p)
		})
	}
	stored := func(want string) {
		e.view(func(ctx context.Context, tx store.Tx) error {
			raw, err := tx.Documents().Get(ctx, driver.Keys{Kind: "part", IDs: []string{id}})
			require.NoError(e, err)
			require.JSONEq(e, `{"id":"`+id+`","name":"`+id+`",`+want+`}`, string(raw[0].Body))
			return nil
		})
	}
	change(func(p *part) {
		p.Place.N = 7
		p.Steps = []place{{N: 3}, {ID: "new"}, {ID: "x", N: 8, More: p.Steps[0].More}}
		delete(p.Named, "l")
	})
	stored(`"rank":1,"later":0,"place":{"n":7,"later":"a"},"steps":[{"n":3},{"id":"new","n":0},
		{"id":"x","n":8,"later":[1],"more":[{"id":"z","n":0,"later":{}}]}],"named":{"k":{"n":4,"later":4}}`)
	change(func(p *part) { p.Rank, p.Place, p.Steps, p.Named = 2, &place{ID: "another"}, nil, nil })
	stored(`"rank":2,"later":0,"place":{"id":"another","n":0}`)
	change(func(p *part) { p.Rank = 3 })
	stored(`"rank":3,"later":0,"place":{"id":"another","n":0}`)
}

// newerMembers saves a document in which a newer program wrote something more.
func (e *env) newerMembers(id string, kind store.Kind[part], kept bool) {
	docs := store.Declare(kind)
	e.update(func(ctx context.Context, tx store.Tx) error {
		return tx.Documents().Put(ctx, []driver.Doc{{Kind: "part", ID: id, Decl: 2,
			Body: []byte(`{"id":"` + id + `","name":"one","rank":1,"later":{"k":[1,"<>"]}}`)}})
	})
	e.update(func(ctx context.Context, tx store.Tx) error {
		p, err := docs.Get(ctx, tx, id)
		if err != nil {
			return err
		}
		p.Rank = 5
		return docs.Save(ctx, tx, &p)
	})
	e.view(func(ctx context.Context, tx store.Tx) error {
		raw, err := tx.Documents().Get(ctx, driver.Keys{Kind: "part", IDs: []string{id}})
		require.NoError(e, err)
		later := ""
		if kept {
			later = `,"later":{"k":[1,"<>"]}`
		}
		require.JSONEq(e, `{"id":"`+id+`","name":"one","rank":5`+later+`}`, string(raw[0].Body))
		return nil
	})
}

func partKind() store.Kind[part] {
	return store.Kind[part]{
		Name: "part", Decl: 2,
		ID:      func(p *part) string { return p.ID },
		Version: func(p *part) *int64 { return &p.Version },
		Extra:   func(p *part) *map[string]json.RawMessage { return &p.Extra },
		Unique: []store.Index[part]{{Name: "name", Value: func(p *part) []byte {
			if p.Name == "" {
				return nil
			}
			return store.Text(p.Name)
		}}},
		Indexes: []store.Index[part]{
			{Name: "rank", Value: func(p *part) []byte { return store.Int(p.Rank) }},
			{Name: "name", Value: func(p *part) []byte { return store.Text(p.Name) }},
			{Name: "positive", Value: func(p *part) []byte {
				if p.Rank <= 0 {
					return nil
				}
				return store.Int(p.Rank)
			}},
		},
		Tags: []store.TagIndex[part]{{Name: "label", Order: func(p *part) []byte { return store.Int(p.Rank) },
			Values: func(p *part) [][]byte {
				var out [][]byte
				for _, l := range p.Labels {
					out = append(out, store.Exact(l))
				}
				return out
			}}},
	}
}

func (e *env) saveParts(parts ...part) []part {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error {
		for i := range parts {
			p := parts[i]
			if err := store.Declare(partKind()).Save(ctx, tx, &p); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range parts {
		parts[i].Version++
	}
	return parts
}

func (e *env) listParts(l store.List[part]) (ids []string, next string) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) error {
		page, err := store.Declare(partKind()).List(ctx, tx, l)
		ids, next = nil, page.Next
		for _, p := range page.Items {
			ids = append(ids, p.ID)
		}
		return err
	})
	return ids, next
}

var documentRules = []rule{
	{name: "a document is found by id and key, replaced by version and deleted", run: func(e *env) {
		docs := store.Declare(partKind())
		p := e.saveParts(part{ID: "a", Name: "One", Rank: 1, Labels: []string{"x"}})[0]
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := docs.Get(ctx, tx, "a")
			require.NoError(e, err)
			e.same(p, got)
			got, err = docs.ByKey(ctx, tx, "name", store.Text("ＯＮＥ"))
			require.NoError(e, err)
			e.same(p, got)
			_, err = docs.Get(ctx, tx, "b")
			require.ErrorIs(e, err, driver.ErrNotFound)
			_, err = docs.ByKey(ctx, tx, "name", store.Text("two"))
			require.ErrorIs(e, err, driver.ErrNotFound)
			all, err := docs.GetAll(ctx, tx)
			require.Empty(e, all)
			return err
		})
		p.Name, p.Labels = "two", []string{"y", "z"}
		p = e.saveParts(p)[0]
		require.EqualValues(e, 2, p.Version)
		for label, want := range map[string]int{"x": 0, "y": 1, "z": 1} {
			ids, _ := e.listParts(store.List[part]{Tag: "label", Value: store.Exact(label)})
			require.Len(e, ids, want, label)
		}
		e.update(func(ctx context.Context, tx store.Tx) error { return docs.Delete(ctx, tx, &p) })
		ids, _ := e.listParts(store.List[part]{Index: "rank"})
		require.Empty(e, ids)
		ids, _ = e.listParts(store.List[part]{Tag: "label", Value: store.Exact("y")})
		require.Empty(e, ids)
		e.saveParts(part{ID: "a", Name: "two"})
	}},
	{name: "an id that comes again goes on from the version before its deletion", run: idsComeAgain},
	{name: "another version is a clash, whoever writes or deletes", run: func(e *env) {
		docs := store.Declare(partKind())
		e.saveParts(part{ID: "a", Name: "one"})
		for _, version := range []int64{0, 2, 7} {
			stale := part{ID: "a", Name: "one", Version: version}
			e.clash(func(ctx context.Context, tx store.Tx) error { return docs.Delete(ctx, tx, &stale) })
			e.clash(func(ctx context.Context, tx store.Tx) error {
				stale := part{ID: "a", Name: "one", Version: version}
				return docs.Save(ctx, tx, &stale)
			})
		}
		e.clash(func(ctx context.Context, tx store.Tx) error {
			return docs.Save(ctx, tx, &part{ID: "gone", Name: "x", Version: 1})
		})
	}},
	{name: "two documents of a kind cannot share a unique key; freed keys are free", run: func(e *env) {
		docs := store.Declare(partKind())
		a := e.saveParts(part{ID: "a", Name: "one"})[0]
		e.clash(func(ctx context.Context, tx store.Tx) error { return docs.Save(ctx, tx, &part{ID: "b", Name: "ONE"}) })
		a.Name = "two"
		e.saveParts(a)
		e.saveParts(part{ID: "b", Name: "One"}, part{ID: "c"}, part{ID: "d"})
	}},
	{name: "rivals for one key: one wins", run: func(e *env) {
		docs := store.Declare(partKind())
		results := parallel(racers, func(i int) error {
			p := part{ID: fmt.Sprint("r", i), Name: "one"}
			return once(e.db).Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				q := p
				return docs.Save(ctx, tx, &q)
			})
		})
		require.Equal(e, 1, successes(results), "%v", results)
	}},
	{name: "a list has the order of its index, from either end, within its bounds, page by page", run: documentsAreOrdered},
	{name: "what Keep leaves out costs a bounded look and a place to go on", run: func(e *env) {
		var parts []part
		for i := range 620 {
			parts = append(parts, part{ID: fmt.Sprintf("p%03d", i), Name: fmt.Sprint("n", i), Rank: int64(i)})
		}
		e.saveParts(parts...)
		last := func(p *part) bool { return p.Rank == 619 }
		ids, next := e.listParts(store.List[part]{Index: "rank", Keep: last})
		require.Empty(e, ids)
		require.NotEmpty(e, next)
		ids, next = e.listParts(store.List[part]{Index: "rank", Keep: last, After: next})
		require.Equal(e, []string{"p619"}, ids)
		require.Empty(e, next)
		e.view(func(ctx context.Context, tx store.Tx) error {
			docs := store.Declare(partKind())
			n, err := docs.Count(ctx, tx, store.List[part]{Index: "rank"}, 100)
			require.NoError(e, err)
			require.Equal(e, 100, n)
			n, err = docs.Count(ctx, tx, store.List[part]{Index: "rank", From: store.Int(600)}, 100)
			require.Equal(e, 20, n)
			return err
		})
	}},
	{name: "members that a newer program wrote are kept", run: func(e *env) { e.newerMembers("a", partKind(), true) }},
	{name: "members that a newer program wrote are kept by what has no room for them", run: func(e *env) {
		kind := partKind()
		kind.Extra = nil
		e.newerMembers("b", kind, true)
	}},
	{name: "members that a newer program wrote into members are kept with them", run: func(e *env) {
		kind := partKind()
		e.newerWithin("d", kind)
		kind.Extra = nil
		e.newerWithin("e", kind)
	}},
	{name: "members that a newer program wrote go where the whole is made anew", run: func(e *env) {
		kind := partKind()
		kind.Extra, kind.Derived = nil, true
		e.newerMembers("c", kind, false)
	}},
	{name: "documents of an older declaration are renewed and then found", run: func(e *env) {
		docs := store.Declare(partKind())
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Documents().Put(ctx, []driver.Doc{{Kind: "part", ID: "old", Decl: 1, Body: []byte(`{"id":"old","rank":3}`)}})
		})
		ids, _ := e.listParts(store.List[part]{Index: "rank"})
		require.Empty(e, ids)
		e.update(func(ctx context.Context, tx store.Tx) error {
			n, err := docs.Renew(ctx, tx, 10)
			require.Equal(e, 1, n)
			return err
		})
		ids, _ = e.listParts(store.List[part]{Index: "rank"})
		require.Equal(e, []string{"old"}, ids)
	}},
	{name: "a guarded document that changes is a clash", run: func(e *env) {
		docs := store.Declare(partKind())
		p := e.saveParts(part{ID: "a", Name: "one"})[0]
		e.update(func(ctx context.Context, tx store.Tx) error { return docs.Guard(ctx, tx, &p) })
		old := p
		e.saveParts(p)
		e.clash(func(ctx context.Context, tx store.Tx) error { return docs.Guard(ctx, tx, &old) })
		e.clash(func(ctx context.Context, tx store.Tx) error {
			return docs.Guard(ctx, tx, &part{ID: "none", Version: 1})
		})
	}},
	{name: "what is too large or has no id is refused", run: func(e *env) {
		docs := store.Declare(partKind())
		for _, p := range []part{{}, {ID: strings.Repeat("x", 201)}, {ID: "a", Name: strings.Repeat("x", driver.MaxDocument)}} {
			e.refuse(driver.ErrInvalid, func(ctx context.Context, tx store.Tx) error { return docs.Save(ctx, tx, &p) })
		}
		long := strings.Repeat("가", 500)
		e.saveParts(part{ID: "a", Name: long + "1"}, part{ID: "b", Name: long + "2"})
		e.view(func(ctx context.Context, tx store.Tx) error {
			for _, l := range []store.List[part]{{Index: "none"}, {Tag: "none"}, {Index: "rank", After: "?"}, {Index: "rank", Limit: 201}} {
				_, err := docs.List(ctx, tx, l)
				require.ErrorIs(e, err, driver.ErrInvalid, "%+v", l.Index)
			}
			return nil
		})
	}},
}

// documentsAreOrdered compares every order, bound and page size with a model,
// over random documents with ties, empty values and bytes 0 and 255.
func documentsAreOrdered(e *env) {
	seed := rand.Uint64()
	e.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	names := []string{"", "\x00", "\x00\x01", "\xff\xff", "a", "a\x00", "가", "각", "나", "日本", "Z", "ｚ"}
	var parts []part
	for i := range 60 {
		labels := []string{"even", "odd"}[i%2 : i%2+1]
		parts = append(parts, part{ID: fmt.Sprint("p", rng.IntN(1e6), "-", i), Name: names[rng.IntN(len(names))] + fmt.Sprint(i),
			Rank: rng.Int64N(9) - 4, Labels: labels})
	}
	e.saveParts(parts...)
	kind := partKind()
	for _, index := range kind.Indexes {
		for range 12 {
			l := store.List[part]{Index: index.Name, Desc: rng.IntN(2) == 0, Limit: 1 + rng.IntN(70)}
			if index.Name != "name" && rng.IntN(2) == 0 {
				l.From, l.To = store.Int(rng.Int64N(5)-4), store.Int(rng.Int64N(5))
			}
			e.sameList(index.Value, func(*part) bool { return true }, parts, l)
		}
	}
	for _, desc := range []bool{false, true} {
		e.sameList(kind.Tags[0].Order, func(p *part) bool { return p.Labels[0] == "odd" }, parts,
			store.List[part]{Tag: "label", Value: store.Exact("odd"), Desc: desc, Limit: 7})
	}
}

// sameList reads a list to its end and compares it with the model.
func (e *env) sameList(value func(*part) []byte, in func(*part) bool, parts []part, l store.List[part]) {
	e.Helper()
	var want []string
	sorted := slices.SortedFunc(slices.Values(parts), func(a, b part) int {
		order := cmp.Or(bytes.Compare(value(&a), value(&b)), cmp.Compare(a.ID, b.ID))
		if l.Desc {
			return -order
		}
		return order
	})
	for _, p := range sorted {
		v := value(&p)
		if v != nil && in(&p) && bytes.Compare(v, l.From) >= 0 && (l.To == nil || bytes.Compare(v, l.To) < 0) {
			want = append(want, p.ID)
		}
	}
	var got []string
	for {
		ids, next := e.listParts(l)
		require.LessOrEqual(e, len(ids), l.Limit)
		got = append(got, ids...)
		if next == "" {
			break
		}
		l.After = next
	}
	require.Equal(e, want, got, "%+v", l.Index)
}

// idsComeAgain: a version that was seen before a deletion is not current after it.
func idsComeAgain(e *env) {
	kind := partKind()
	kind.Reused = true
	docs := store.Declare(kind)
	save := func(p part) (again part) {
		e.Helper()
		e.update(func(ctx context.Context, tx store.Tx) error {
			again = p
			return docs.Save(ctx, tx, &again)
		})
		return again
	}
	seen := save(part{ID: "a", Name: "one", Rank: 1, Labels: []string{"x"}})
	e.update(func(ctx context.Context, tx store.Tx) error { return docs.Delete(ctx, tx, &seen) })
	e.view(func(ctx context.Context, tx store.Tx) error {
		_, err := docs.Get(ctx, tx, "a")
		require.ErrorIs(e, err, driver.ErrNotFound)
		_, err = docs.ByKey(ctx, tx, "name", store.Text("one"))
		require.ErrorIs(e, err, driver.ErrNotFound)
		n, err := docs.Count(ctx, tx, store.List[part]{Index: "rank"}, 10)
		require.Zero(e, n)
		return err
	})
	for _, l := range []store.List[part]{{Index: "rank"}, {Index: "name"}, {Tag: "label", Value: store.Exact("x")}} {
		ids, _ := e.listParts(l)
		require.Empty(e, ids)
	}
	save(part{ID: "b", Name: "one"}) // the key is free
	e.clash(func(ctx context.Context, tx store.Tx) error { return docs.Delete(ctx, tx, &seen) })
	kind.Decl++
	docs = store.Declare(kind)
	e.update(func(ctx context.Context, tx store.Tx) error { // what is left is renewed as well
		n, err := docs.Renew(ctx, tx, 10)
		if err != nil {
			return err
		}
		require.Contains(e, []int{0, 2}, n)
		return nil
	})
	next := save(part{ID: "a", Name: "two"})
	require.Greater(e, next.Version, seen.Version+1)
	e.clash(func(ctx context.Context, tx store.Tx) error {
		stale := seen
		return docs.Save(ctx, tx, &stale)
	})
	e.view(func(ctx context.Context, tx store.Tx) error {
		got, err := docs.Get(ctx, tx, "a")
		e.same(next, got)
		return err
	})
}
