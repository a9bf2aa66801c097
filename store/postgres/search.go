package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
)

type search struct{ *tx }

// lexemes are tokens with the workspace's number before them, so that a
// workspace's postings are its own.
func (s search) lexemes(tokens []string) []string {
	prefix := strconv.FormatInt(s.info.num, 36) + ":"
	out := make([]string, 0, len(tokens))
	for _, t := range tokens {
		if t != "" {
			out = append(out, prefix+key(t))
		}
	}
	return out
}

// Put implements driver.SearchRepo. The lexemes are stored as they are, as the
// configuration "simple" would leave them: they are made by privacy.Grams.
func (s search) Put(ctx context.Context, m conversation.MessageID, c conversation.ID, at time.Time, tokens []string) error {
	if len(tokens) == 0 {
		return s.write(ctx, query(`DELETE FROM sd.search WHERE ws = $1 AND message = $2`, key(s.ws), key(m)))
	}
	return s.write(ctx, query(`INSERT INTO sd.search (ws, message, conversation, at, tokens) VALUES ($1, $2, $3, $4, array_to_tsvector($5))
		ON CONFLICT (ws, message) DO UPDATE SET conversation = excluded.conversation, at = excluded.at, tokens = excluded.tokens`,
		key(s.ws), key(m), key(c), at, s.lexemes(tokens)))
}

var quoteLexeme = strings.NewReplacer(`'`, `''`, `\`, `\\`)

// How far Find walks from the newest before it asks the index of tokens, and how
// far where so many had them that the walk will end soon.
const (
	walkFirst = 200
	walkMost  = 4000
)

// Find implements driver.SearchRepo. What many texts have is found by walking
// from the newest; what few have by the index of tokens, which finds all that
// have them before it can tell the newest. A short walk tells which it is: the
// planner would guess, wrongly where there are no statistics or tokens come
// together. So each statement leaves it one way alone.
func (s search) Find(ctx context.Context, tokens []string, after driver.SearchHit, limit int) ([]driver.SearchHit, error) {
	words := s.lexemes(tokens)
	if len(words) == 0 {
		return nil, s.usable()
	}
	for i, w := range words {
		words[i] = "'" + quoteLexeme.Replace(w) + "'"
	}
	args := []any{key(s.ws), strings.Join(words, " & "), limit}
	from := ""
	if after.Message != "" {
		from = ` AND at <= $4 AND (at < $4 OR message > $5)`
		args = append(args, after.At, key(after.Message))
	}
	walk := func(far int) ([]driver.SearchHit, error) {
		return s.hits(ctx, fmt.Sprintf(`SELECT message, conversation, at FROM (SELECT * FROM sd.search WHERE ws = $1%s
			ORDER BY ws, at DESC, message LIMIT %d) near WHERE tokens @@ $2::text::tsquery LIMIT $3`, from, far), args)
	}
	near, err := walk(walkFirst)
	if err == nil && len(near) < limit && len(near)*walkMost > limit*walkFirst {
		near, err = walk(walkMost)
	}
	if err != nil || len(near) == limit {
		return near, err
	}
	if words, err = s.selective(ctx, words); err != nil {
		return nil, err
	}
	args = append(args, strings.Join(words, " & "))
	return s.hits(ctx, fmt.Sprintf(`SELECT message, conversation, at FROM
		(SELECT * FROM sd.search WHERE tokens @@ $%d::text::tsquery OFFSET 0) found
		WHERE ws = $1 AND tokens @@ $2::text::tsquery%s ORDER BY at DESC, message LIMIT $3`, len(args), from), args)
}

// selective leaves out words that many of the newest texts have, as long as
// others remain: the index would read their long lists to no use.
func (s search) selective(ctx context.Context, words []string) ([]string, error) {
	type word struct{ at, n int }
	all, err := many(ctx, s.tx, query(fmt.Sprintf(`SELECT w.at - 1, (SELECT count(*) FROM (SELECT * FROM sd.search WHERE ws = $1
		ORDER BY ws, at DESC, message LIMIT %d) near WHERE near.tokens @@ w.word::tsquery)
		FROM unnest($2::text[]) WITH ORDINALITY AS w(word, at)`, walkFirst), key(s.ws), words), func(r pgx.Rows) (w word, err error) {
		return w, r.Scan(&w.at, &w.n)
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b word) int { return cmp.Compare(a.n, b.n) })
	out := make([]string, 0, len(all))
	for i, w := range all {
		if i == 0 || w.n <= max(all[0].n, walkFirst/100) {
			out = append(out, words[w.at])
		}
	}
	return out, nil
}

func (s search) hits(ctx context.Context, text string, args []any) ([]driver.SearchHit, error) {
	return many(ctx, s.tx, query(text, args...), func(r pgx.Rows) (driver.SearchHit, error) {
		var m, c string
		var at time.Time
		err := r.Scan(&m, &c, &at)
		return driver.SearchHit{Message: unkey[conversation.MessageID](m), Conversation: unkey[conversation.ID](c), At: micro(at)}, err
	})
}
