package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
)

type search struct{ t *tx }

// doc is an indexed message.
type doc struct {
	hit    driver.SearchHit
	tokens []string // sorted, each once
}

func (s *space) docChanged(id conversation.MessageID, was, is *doc) {
	if was != nil {
		for _, token := range was.tokens {
			s.grams.remove(token, id)
		}
	}
	if is != nil {
		for _, token := range is.tokens {
			s.grams.add(token, id)
		}
	}
}

func (r search) Put(_ context.Context, m conversation.MessageID, c conversation.ID, at time.Time, tokens []string) error {
	return do(r.t, func() error {
		if len(tokens) == 0 {
			if has(r.t, r.t.s.docs, m) {
				drop(r.t, r.t.s.docs, m)
			}
			return nil
		}
		tokens := slices.Clone(tokens)
		slices.Sort(tokens)
		put(r.t, r.t.s.docs, m, doc{driver.SearchHit{Message: m, Conversation: c, At: clone(at)}, slices.Compact(tokens)})
		return nil
	})
}

func (r search) Find(_ context.Context, tokens []string, after driver.SearchHit, limit int) ([]driver.SearchHit, error) {
	t := r.t
	return read(t, func() ([]driver.SearchHit, error) {
		rarest := slices.MinFunc(tokens, func(a, b string) int { return cmp.Compare(len(t.s.grams[a]), len(t.s.grams[b])) })
		var hits []driver.SearchHit
		for _, d := range some(t, t.s.docs, t.s.grams.keys(rarest)) {
			if d.has(tokens) && (after.Message == "" || newestHit(after, d.hit) < 0) {
				hits = append(hits, d.hit)
			}
		}
		slices.SortFunc(hits, newestHit)
		hits = slices.Clone(first(hits, limit))
		t.found(len(hits))
		return hits, nil
	})
}

func newestHit(a, b driver.SearchHit) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Message, b.Message))
}

func (d doc) has(tokens []string) bool {
	for _, token := range tokens {
		if _, ok := slices.BinarySearch(d.tokens, token); !ok {
			return false
		}
	}
	return true
}
