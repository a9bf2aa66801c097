package sqlite

import (
	"cmp"
	"context"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// search implements driver.SearchRepo on FTS5. Each token is stored with the
// workspace's number before it, so that a search never meets another
// workspace's messages. The number of a row in the index is made of the
// message's time, so that the newest are found first without sorting.
type search struct{ *tx }

// perMicro is how many messages of one microsecond have a rank of their own;
// the ranks reach to the year 2255.
const perMicro = 1 << 10

// indexed is a token as the index knows it. What is not plain would be cut by
// the tokenizer, and is spelled in hex.
func (r search) indexed(token string) string {
	ws := "w" + strconv.FormatInt(r.ws, 10)
	for i := range len(token) {
		if c := token[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ws + "x" + hex.EncodeToString([]byte(token))
		}
	}
	return ws + "t" + token
}

func (r search) Put(_ context.Context, m conversation.MessageID, c conversation.ID, at time.Time, tokens []string) error {
	if err := r.writable(); err != nil {
		return err
	}
	if err := r.remove(m); err != nil || len(tokens) == 0 {
		return err
	}
	rank, err := r.freeRank(at)
	if err != nil {
		return err
	}
	if err := r.change(`INSERT INTO search_messages (rank, ws, message, conversation, at) VALUES (?, ?, ?, ?, ?)`,
		rank, r.ws, string(m), string(c), micro(at)); err != nil {
		return err
	}
	var text strings.Builder
	for _, t := range tokens {
		text.WriteString(r.indexed(t))
		text.WriteByte(' ')
	}
	return r.change(`INSERT INTO search_tokens (rowid, tokens) VALUES (?, ?)`, rank, text.String())
}

// freeRank finds a rank within the message's microsecond, or the first one
// after it that is not used up.
func (r search) freeRank(at time.Time) (int64, error) {
	first := rankOf(at)
	for {
		last, ok, err := r.number(`SELECT max(rank) FROM search_messages WHERE rank BETWEEN ? AND ? HAVING count(*) > 0`,
			first, first+perMicro-1)
		if err != nil || !ok {
			return first, err
		}
		if last < first+perMicro-1 {
			return last + 1, nil
		}
		first += perMicro
	}
}

func (r search) remove(m conversation.MessageID) error {
	rank, ok, err := r.number(`SELECT rank FROM search_messages WHERE ws = ? AND message = ?`, r.ws, string(m))
	if err != nil || !ok {
		return err
	}
	if err := r.change(`DELETE FROM search_messages WHERE rank = ?`, rank); err != nil {
		return err
	}
	return r.change(`DELETE FROM search_tokens WHERE rowid = ?`, rank)
}

// Find implements driver.SearchRepo. FTS5 meets the lists of all tokens entry by
// entry, so that one which every text has costs a look at all texts. So the lists
// of the few that are rare are met, and each text that these find is asked for the
// others.
func (r search) Find(_ context.Context, tokens []string, after driver.SearchHit, limit int) ([]driver.SearchHit, error) {
	terms := make([]string, len(tokens))
	for i, t := range tokens {
		terms[i] = `"` + r.indexed(t) + `"`
	}
	// Ranks follow the time; those of the last hit's own microsecond are read
	// again, because they are not ordered by message.
	below := int64(math.MaxInt64)
	if after.Message != "" {
		below = rankOf(after.At) + perMicro
	}
	rare, others, err := r.apart(terms, below)
	if err != nil {
		return nil, err
	}
	f := finding{search: r, after: after, below: below, limit: limit, others: strings.Join(others, " AND ")}
	more, err := f.run(rare)
	if err == nil && !more { // the others part them after all
		f.others = ""
		_, err = f.run(terms)
	}
	slices.SortStableFunc(f.out, newestHit)
	return f.out[:min(limit, len(f.out))], err
}

// How tokens are told apart: by where the sampled one of their texts stands, from
// the newest. Those that reach so many times less far back than the one that
// reaches farthest are not rare.
const (
	sampled    = 32
	reachLess  = 8
	tokensMost = 64 // more are not told apart
	inVain     = 500
)

// apart parts the tokens that are rare, at least one, from the others.
func (r search) apart(terms []string, below int64) (rare, others []string, err error) {
	if len(terms) < 2 || len(terms) > tokensMost {
		return terms, nil, nil
	}
	reach := make([]int64, len(terms)) // 0: fewer texts have it
	for i, t := range terms {
		if reach[i], _, err = r.number(`SELECT rowid FROM search_tokens WHERE search_tokens MATCH ? AND rowid < ?
			ORDER BY rowid DESC LIMIT 1 OFFSET ?`, t, below, sampled-1); err != nil {
			return nil, nil, err
		}
	}
	nearest := slices.Max(reach)
	near := nearest - (nearest-slices.Min(reach))/reachLess
	for i, t := range terms {
		if reach[i] <= near {
			rare = append(rare, t)
		} else {
			others = append(others, t)
		}
	}
	return rare, others, nil
}

// finding is one search.
type finding struct {
	search
	after  driver.SearchHit
	below  int64
	limit  int
	others string // of which the texts are asked one by one; empty: none
	out    []driver.SearchHit
}

// hasOthers asks a text for the other terms.
const hasOthers = `EXISTS (SELECT 1 FROM search_tokens g WHERE g.search_tokens MATCH ? AND g.rowid = f.rowid)`

// run reads the texts that have all terms. It returns false when it gave up since
// too many lack the others.
func (f *finding) run(terms []string) (done bool, err error) {
	f.out = nil
	has, args := "?", []any{1}
	if f.others != "" {
		has, args = hasOthers, []any{f.others}
	}
	lacking := 0
	err = f.while(`SELECT m.message, m.conversation, m.at, `+has+` FROM search_tokens f JOIN search_messages m ON m.rank = f.rowid
		WHERE f.search_tokens MATCH ? AND f.rowid < ? AND m.ws = ? ORDER BY f.rowid DESC`, func(w raw.Row) bool {
		hit := driver.SearchHit{Message: conversation.MessageID(w.Text(0)), Conversation: conversation.ID(w.Text(1)), At: moment(w.Int(2))}
		if f.after.Message != "" && newestHit(f.after, hit) >= 0 {
			return true
		}
		if len(f.out) >= f.limit && !hit.At.Equal(f.out[len(f.out)-1].At) { // ties are read to their end, to be ordered by id
			return false
		}
		if w.Int(3) == 0 {
			lacking++
			return lacking < inVain
		}
		f.out = append(f.out, hit)
		return true
	}, append(args, strings.Join(terms, " AND "), f.below, f.ws)...)
	return lacking < inVain, err
}

func newestHit(a, b driver.SearchHit) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Message, b.Message))
}

// rankOf is the first rank of a message's microsecond.
func rankOf(at time.Time) int64 { return min(max(micro(at), 0), 1<<52) * perMicro }
