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
	if len(tokens) == 0 {
		return nil
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
	var rank int64
	ok, err := r.returning(`DELETE FROM search_messages WHERE ws = ? AND message = ? RETURNING rank`,
		func(w raw.Row) { rank = w.Int(0) }, r.ws, string(m))
	if err != nil || !ok {
		return err
	}
	return r.change(`DELETE FROM search_tokens WHERE rowid = ?`, rank)
}

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
	var out []driver.SearchHit
	err := r.while(`SELECT m.message, m.conversation, m.at FROM search_tokens f JOIN search_messages m ON m.rank = f.rowid
		WHERE search_tokens MATCH ? AND f.rowid < ? AND m.ws = ? ORDER BY f.rowid DESC`, func(w raw.Row) bool {
		hit := driver.SearchHit{Message: conversation.MessageID(w.Text(0)), Conversation: conversation.ID(w.Text(1)), At: moment(w.Int(2))}
		if after.Message != "" && newestHit(after, hit) >= 0 {
			return true
		}
		if len(out) >= limit && !hit.At.Equal(out[len(out)-1].At) { // ties are read to their end, to be ordered by id
			return false
		}
		out = append(out, hit)
		return true
	}, strings.Join(terms, " AND "), below, r.ws)
	slices.SortStableFunc(out, newestHit)
	return out[:min(limit, len(out))], err
}

func newestHit(a, b driver.SearchHit) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Message, b.Message))
}

// rankOf is the first rank of a message's microsecond.
func rankOf(at time.Time) int64 { return min(max(micro(at), 0), 1<<52) * perMicro }
