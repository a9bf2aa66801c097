package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var auditRules = []rule{
	{name: "entries get gap-free numbers and form a chain", run: func(e *env) {
		for i := range 4 {
			e.update(func(ctx context.Context, tx store.Tx) error {
				for range i {
					if err := tx.Audit().Append(ctx, auditEntry(i)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		list := e.audit(0, 100)
		require.Len(e, list, 6)
		e.chain(list)
		want := auditEntry(1)
		want.Seq, want.Previous, want.Hash = 1, "", list[0].Hash
		want.At = want.At.Truncate(time.Microsecond)
		e.same(want, list[0])
		e.same(list[2:4], e.audit(2, 2))
	}},
	{name: "the chain covers what was stored, to the microsecond and any text", run: func(e *env) {
		entry := auditEntry(0)
		entry.At = time.Date(2030, 1, 2, 3, 4, 5, 123_456_789, time.FixedZone("KST", 9*3600))
		entry.Details = map[string]string{"b": "\x00 \U0001F600 <&>", "a": "", "": "x"}
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Audit().Append(ctx, entry) })
		e.chain(e.audit(0, 10))
	}},
	{name: "an entry of an Update that failed leaves no gap", run: func(e *env) {
		add := func(fail error) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				if err := tx.Audit().Append(ctx, auditEntry(1)); err != nil {
					return err
				}
				return fail
			})
		}
		require.NoError(e, add(nil))
		require.ErrorIs(e, add(errRehearsal), errRehearsal)
		require.NoError(e, add(nil))
		list := e.audit(0, 10)
		require.Len(e, list, 2)
		e.chain(list)
	}},
	{name: "rivals append to one chain", run: func(e *env) {
		errs := parallel(racers, func(i int) error {
			for range 2 {
				if err := e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
					return tx.Audit().Append(ctx, auditEntry(i))
				}); err != nil {
					return err
				}
			}
			return nil
		})
		require.Equal(e, racers, successes(errs), "%v", errs)
		list := e.audit(0, 100)
		require.Len(e, list, 2*racers)
		e.chain(list)
	}},
}

func auditEntry(i int) store.AuditEntry {
	return store.AuditEntry{
		At: moment(i), Actor: "agent:a", Role: "agent", IP: "::1", Action: "conversation.close",
		Resource: "conversation:c", Outcome: "ok", Details: map[string]string{"n": fmt.Sprint(i)},
	}
}

func (e *env) audit(after int64, limit int) (list []store.AuditEntry) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		list, err = tx.Audit().List(ctx, after, limit)
		return err
	})
	return list
}

// chain requires numbers from 1 without gaps and hashes that fit.
func (e *env) chain(list []store.AuditEntry) {
	e.Helper()
	for i, entry := range list {
		require.Equal(e, int64(i+1), entry.Seq)
	}
	bad, err := driver.VerifyChain("", list)
	require.NoError(e, err)
	require.Zero(e, bad, "entry %d does not fit the chain", bad)
	list = slices.Clone(list)
	list[0].Action = "tampered"
	bad, err = driver.VerifyChain("", list)
	require.NoError(e, err)
	require.Equal(e, int64(1), bad)
}

var searchRules = []rule{
	{name: "found are messages with all the tokens, newest first, ties by id", run: func(e *env) {
		e.index("m1", moment(1), "aa", "bb", "cc")
		e.index("m3", moment(2), "aa", "bb")
		e.index("m2", moment(2), "bb", "aa", "aa")
		e.index("m4", moment(3), "aa")
		e.index("m5", moment(4), "bb", "ee")
		e.index("m6", moment(4), "bb")
		require.Equal(e, []string{"m2", "m3", "m1"}, e.find(10, "aa", "bb"))
		require.Equal(e, []string{"m1"}, e.find(10, "cc", "aa"))
		require.Equal(e, []string{"m4", "m2"}, e.find(2, "aa"))
		require.Empty(e, e.find(10, "aa", "dd"))
		require.Empty(e, e.find(10, "a"), "a token is not a prefix")
		require.Empty(e, e.find(10), "no tokens find nothing")
	}},
	{name: "a hit tells message, conversation and time", run: func(e *env) {
		e.index("m", moment(1), "aa")
		e.view(func(ctx context.Context, tx store.Tx) error {
			hits, err := tx.Search().Find(ctx, []string{"aa"}, driver.SearchHit{}, 10)
			e.same([]driver.SearchHit{{Message: "m", Conversation: "c", At: moment(1)}}, hits)
			return err
		})
	}},
	{name: "hits are read on from one, ties included", run: func(e *env) {
		var all []string
		for i := range 9 {
			m := conversation.MessageID(fmt.Sprintf("m%d", i))
			e.index(m, moment(3-i/3), "aa") // three of each time
			all = append(all, string(m))
		}
		for size := 1; size <= 10; size++ {
			var got []string
			e.view(func(ctx context.Context, tx store.Tx) error {
				got = nil
				for after := (driver.SearchHit{}); ; {
					hits, err := tx.Search().Find(ctx, []string{"aa"}, after, size)
					if err != nil || len(hits) == 0 {
						return err
					}
					for _, h := range hits {
						got = append(got, string(h.Message))
					}
					after = hits[len(hits)-1]
				}
			})
			require.Equal(e, all, got, "%d at a time", size)
		}
	}},
	{name: "what is rare is found among what all have", run: func(e *env) {
		const each = 600
		e.update(func(ctx context.Context, tx store.Tx) error {
			put := func(i int, tokens ...string) error {
				return tx.Search().Put(ctx, conversation.MessageID(fmt.Sprintf("m%04d", i)), "c", moment(i), tokens)
			}
			err := put(0, "all", "old", "new", "first")
			for i := 1; i <= each && err == nil; i++ {
				err = errors.Join(put(i, "all", "old"), put(each+i, "all", "new"))
			}
			return errors.Join(err, put(100, "all", "old", "one"), put(700, "all", "new", "one"))
		})
		require.Equal(e, []string{"m0700", "m0100"}, e.find(10, "all", "one"))
		require.Equal(e, []string{"m0100"}, e.find(10, "one", "old", "all"))
		require.Equal(e, []string{"m0000"}, e.find(10, "all", "old", "new"), "many have each, and one has both")
		require.Equal(e, []string{"m0000"}, e.find(10, "first", "all", "new"))
		require.Empty(e, e.find(10, "all", "one", "first"))
		require.Equal(e, []string{"m0600", "m0599"}, e.find(2, "all", "old"))
		e.view(func(ctx context.Context, tx store.Tx) error {
			last := driver.SearchHit{Message: "m0700", Conversation: "c", At: moment(700)}
			hits, err := tx.Search().Find(ctx, []string{"all", "one"}, last, 10)
			e.same([]driver.SearchHit{{Message: "m0100", Conversation: "c", At: moment(100)}}, hits)
			return err
		})
	}},
	{name: "indexing again replaces, deleting removes", run: func(e *env) {
		e.index("m", moment(1), "aa", "bb")
		e.index("m", moment(2), "bb", "cc")
		require.Empty(e, e.find(10, "aa"))
		require.Equal(e, []string{"m"}, e.find(10, "bb", "cc"))
		for range 2 { // the second is a no-op
			e.update(func(ctx context.Context, tx store.Tx) error { return tx.Search().Delete(ctx, "m") })
		}
		require.Empty(e, e.find(10, "bb"))
	}},
	{name: "a two-syllable Korean word is found within longer text", run: func(e *env) {
		e.index("refund", moment(1), privacy.Grams("안녕하세요, 환불해 주세요!")...)
		e.index("change", moment(2), privacy.Grams("교환해 주세요")...)
		e.index("english", moment(3), privacy.Grams("Please REFUND me")...)
		require.Equal(e, []string{"refund"}, e.find(10, typed("환불")...))
		require.Equal(e, []string{"english"}, e.find(10, typed("refund")...))
		require.Equal(e, []string{"change", "refund"}, e.find(10, typed("주세요")...))
	}},
	{name: "many tokens, and tokens that look like syntax", run: func(e *env) {
		var many []string
		for i := range 500 {
			many = append(many, fmt.Sprintf("t%03dx", i))
		}
		e.index("many", moment(1), many...)
		require.Equal(e, []string{"many"}, e.find(10, many...))
		words := []string{"or", "and", "not", "near"}
		e.index("words", moment(2), words...)
		require.Equal(e, []string{"words"}, e.find(10, words...))
		require.Empty(e, e.find(10, "or", "nothing"))
	}},
	{name: "a message without tokens is not found and does no harm", run: func(e *env) {
		e.index("m", moment(1))
		e.index("m", moment(1), "aa")
		e.index("m", moment(1))
		require.Empty(e, e.find(10, "aa"))
	}},
}

func (e *env) index(m conversation.MessageID, at time.Time, tokens ...string) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error { return tx.Search().Put(ctx, m, "c", at, tokens) })
}

// typed is what a person's words are looked up as.
func typed(words string) (tokens []string) {
	for _, term := range privacy.Query(words) {
		tokens = append(tokens, term.Token)
	}
	return tokens
}

func (e *env) find(limit int, tokens ...string) (ids []string) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) error {
		ids = nil
		hits, err := tx.Search().Find(ctx, tokens, driver.SearchHit{}, limit)
		for _, h := range hits {
			ids = append(ids, string(h.Message))
		}
		return err
	})
	return ids
}

var commandRules = []rule{
	{name: "digest and result come back under principal and key alone", run: func(e *env) {
		result := []byte("\x00\xff result")
		e.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Commands().Store(ctx, "agent:a", "key", "digest", result)
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			digest, got, err := tx.Commands().Lookup(ctx, "agent:a", "key")
			require.NoError(e, err)
			require.Equal(e, "digest", digest)
			require.Equal(e, result, got)
			for _, other := range [][2]string{{"agent:A", "key"}, {"agent:a", "Key"}, {"agent:", "akey"}} {
				_, _, err := tx.Commands().Lookup(ctx, other[0], other[1])
				require.ErrorIs(e, err, store.ErrNotFound, "%v", other)
			}
			return nil
		})
	}},
	{name: "purge takes old results", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			for i := range 3 {
				if err := tx.Commands().Store(ctx, "agent:a", fmt.Sprint(i), "d", nil); err != nil {
					return err
				}
			}
			return nil
		})
		purge := func(before time.Time, limit int) (n int) {
			e.update(func(ctx context.Context, tx store.Tx) (err error) {
				n, err = tx.Purge(ctx, driver.Ages{Results: before}, limit)
				return err
			})
			return n
		}
		require.Zero(e, purge(e.now().Add(-time.Hour), 10))
		require.Equal(e, 2, purge(e.now().Add(time.Hour), 2))
		require.Equal(e, 1, purge(e.now().Add(time.Hour), 2))
	}},
}

var vaultRules = []rule{
	{name: "values are kept by owner and name, replaced, listed, and dropped with the owner", run: func(e *env) {
		put := func(owner, name, v string) {
			e.update(func(ctx context.Context, tx store.Tx) error { return tx.Vault().PutSealed(ctx, owner, name, []byte(v)) })
		}
		get := func(owner, name string) (v string, err error) {
			err = e.db.View(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				raw, err := tx.Vault().Sealed(ctx, owner, name)
				v = string(raw)
				return err
			})
			return v, err
		}
		put("contact:b", "key", "\x00\xff")
		put("contact:a", "z", "1")
		put("contact:a", "key", "2")
		put("contact:a", "key", "3")
		put("contact:c", "key", "")
		for _, want := range [][3]string{{"contact:b", "key", "\x00\xff"}, {"contact:a", "key", "3"}, {"contact:a", "z", "1"},
			{"contact:c", "key", ""}} {
			v, err := get(want[0], want[1])
			require.NoError(e, err)
			require.Equal(e, want[2], v)
		}
		e.view(func(ctx context.Context, tx store.Tx) error {
			owners, err := tx.Vault().Owners(ctx, "", 10)
			require.NoError(e, err)
			require.Equal(e, []string{"contact:a", "contact:b", "contact:c"}, owners)
			owners, err = tx.Vault().Owners(ctx, "contact:a", 1)
			require.NoError(e, err)
			require.Equal(e, []string{"contact:b"}, owners)
			names, err := tx.Vault().Names(ctx, "contact:a", "")
			require.NoError(e, err)
			require.Equal(e, []string{"key", "z"}, names)
			names, err = tx.Vault().Names(ctx, "contact:a", "k")
			require.Equal(e, []string{"key"}, names)
			return err
		})
		for range 2 { // the second is a no-op
			e.update(func(ctx context.Context, tx store.Tx) error { return tx.Vault().Drop(ctx, "contact:a", "z") })
		}
		_, err := get("contact:a", "z")
		require.ErrorIs(e, err, store.ErrNotFound)
		_, err = get("contact:a", "key")
		require.NoError(e, err, "the owner's other values stay")
		for range 2 {
			e.update(func(ctx context.Context, tx store.Tx) error { return tx.Vault().DropOwner(ctx, "contact:a") })
		}
		_, err = get("contact:a", "key")
		require.ErrorIs(e, err, store.ErrNotFound)
		_, err = get("contact:b", "key")
		require.NoError(e, err)
	}},
}

var blobRules = []rule{
	{name: "a reference is kept until it is released", run: func(e *env) {
		want := driver.Blob{Name: "n1", Type: "image/png", Size: 1 << 40, SHA256: strings.Repeat("ab", 32), Owner: "message:m",
			CreatedAt: moment(1)}
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Blobs().Reference(ctx, want) })
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Blobs().Blob(ctx, "n1")
			require.NoError(e, err)
			e.same(want, got)
			known, err := tx.Blobs().Known(ctx, []string{"n1", "n2", "N1"})
			require.NoError(e, err)
			require.True(e, known["n1"])
			require.False(e, known["n2"])
			require.False(e, known["N1"])
			known, err = tx.Blobs().Known(ctx, nil)
			require.Empty(e, known)
			return err
		})
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Blobs().Release(ctx, "n1") })
		err := e.db.View(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Blobs().Blob(ctx, "n1")
			return err
		})
		require.ErrorIs(e, err, store.ErrNotFound)
	}},
}
