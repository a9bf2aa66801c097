package sqlite

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// handWritten is the control of the whole inbound way: the statements that the
// engine runs for a text of a customer, in the same two transactions through
// the same committer, without the engine. It parses, checks, decides and
// encodes nothing: every document is one that the engine once wrote, stored as
// it is under fresh keys. Claims and what else lives in memory are left out.
type handWritten struct {
	b    *backend
	ws   *workspace
	docs struct {
		contact, identity, conversation, message, answer, row, item, job string
		events, feed                                                     []string
	}
	envelope []byte
	known    []knownCustomer
}

// knownCustomer is one with an open conversation.
type knownCustomer struct {
	mu                   sync.Mutex
	user, thread, id     string
	contact, identity    string
	version, seq, opened int64
}

// newHandWritten lets an engine write customers into a store of its own, and
// takes the documents and keys over.
func newHandWritten(b testing.TB, customers int) *handWritten {
	db := openTest(b, Options{})
	s := newEngineBench(b, db)
	s.run(b)
	var ms []signedBody
	for i := range customers {
		ms = append(ms, s.textEvent(benchUser(i), i+1))
	}
	_, err := s.deliver(ms)
	require.NoError(b, err)
	s.stop()
	s.stop = func() {}
	h := &handWritten{b: backendOf(db), known: make([]knownCustomer, customers)}
	h.ws, err = h.b.workspace(testWS)
	require.NoError(b, err)
	require.NoError(b, h.b.read(context.Background(), h.ws, func(t *tx) error { return h.take(t) }))
	return h
}

// take reads one customer's documents and everybody's keys.
func (h *handWritten) take(t *tx) error {
	text := func(to *string, sql string, args ...any) error {
		_, err := t.first(sql, func(r raw.Row) { *to = r.Text(0) }, args...)
		return err
	}
	i := 0
	err := t.each(`SELECT c.id, c.thread, c.version, c.opened, c.contact, i.id, json_extract(i.body, '$.user'),
			(SELECT max(seq) FROM conversation_events e WHERE e.ws = c.ws AND e.conversation = c.id)
		FROM conversations c JOIN documents i ON i.ws = c.ws AND i.kind = 'identity'
		AND i.i0 = CAST(c.contact AS BLOB) WHERE c.ws = ?`, func(r raw.Row) {
		k := &h.known[i]
		k.id, k.thread, k.version, k.opened = r.Text(0), r.Text(1), r.Int(2), r.Int(3)
		k.contact, k.identity, k.user, k.seq = r.Text(4), r.Text(5), r.Text(6), r.Int(7)
		i++
	}, t.ws)
	one := &h.known[0]
	for to, q := range map[*string]struct{ sql, key string }{
		&h.docs.contact:      {`SELECT CAST(body AS TEXT) FROM documents WHERE ws = ? AND kind = 'contact' AND id = ?`, one.contact},
		&h.docs.identity:     {`SELECT CAST(body AS TEXT) FROM documents WHERE ws = ? AND kind = 'identity' AND id = ?`, one.identity},
		&h.docs.conversation: {`SELECT doc FROM conversations WHERE ws = ? AND id = ?`, one.id},
		&h.docs.message:      {`SELECT doc FROM messages WHERE ws = ? AND conversation = ? AND provider <> '' LIMIT 1`, one.id},
		&h.docs.answer:       {`SELECT doc FROM messages WHERE ws = ? AND conversation = ? AND provider = '' LIMIT 1`, one.id},
		&h.docs.row:          {`SELECT doc FROM outbox WHERE ws = ? AND lane = 'user:' || ?`, one.user},
		&h.docs.item:         {`SELECT doc FROM items WHERE ws = ? AND id = ?`, one.id},
		&h.docs.job:          {`SELECT payload FROM jobs WHERE ws = ? AND key = ?`, one.identity},
	} {
		if err == nil {
			err = text(to, q.sql, t.ws, q.key)
		}
	}
	if err == nil {
		err = t.each(`SELECT doc FROM conversation_events WHERE ws = ? AND conversation = ? ORDER BY seq`,
			func(r raw.Row) { h.docs.events = append(h.docs.events, r.Text(0)) }, t.ws, one.id)
	}
	if err == nil {
		err = t.each(`SELECT doc FROM events WHERE ws = ? AND doc LIKE '%' || ? || '%' ORDER BY seq`,
			func(r raw.Row) { h.docs.feed = append(h.docs.feed, r.Text(0)) }, t.ws, one.id)
	}
	if err == nil {
		_, err = t.first(`SELECT raw FROM envelopes WHERE ws = ?`, func(r raw.Row) { h.envelope = append([]byte(nil), r.Bytes(0)...) },
			t.ws)
	}
	return err
}

// handStatement is SQL with its arguments.
type handStatement struct {
	sql  string
	args []any
}

func ignore(raw.Row) bool { return true }

func (t *tx) byHand(statements ...handStatement) error {
	for _, s := range statements {
		if err := t.conn.Query(s.sql, ignore, s.args...); err != nil {
			return err
		}
	}
	return nil
}

const (
	handAccount = "01a1fbfd-65ed-7a8b-a426-f411f09b0149"
	handAppend  = `INSERT INTO envelopes (seq, ws, id, account, lane, dedup, occurred, received, tries, raw)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ws, account, dedup) DO NOTHING`
	handConfig     = `SELECT config_version FROM workspaces WHERE num = ? AND ? IS NOT NULL`
	handByProvider = `SELECT doc, version FROM messages WHERE ws = ? AND account = ? AND chat = ? AND provider = ? AND provider <> ''`
	handIdentity   = `SELECT id, version, decl, body FROM documents WHERE ws = ? AND kind = 'identity' AND u0 = ?`
	handByThread   = `SELECT doc, version FROM conversations WHERE ws = ? AND thread = ? AND live = 1 UNION ALL SELECT *
		FROM (SELECT doc, version FROM conversations WHERE ws = ? AND thread = ? AND live = 0 ORDER BY opened DESC, id DESC LIMIT 1)`
	handEarly    = `SELECT doc FROM early WHERE ws = ? AND account = ? AND chat = ? AND message = ?`
	handDeadline = `INSERT INTO deadlines (ws, kind, id, at) VALUES (?, ?, ?, ?) ON CONFLICT (ws, kind, id) DO UPDATE
		SET at = excluded.at`
	handUpdate = `UPDATE conversations SET version = version + 1, thread = ?, live = ?, state = ?, agent = ?, contact = ?,
		account = ?, channel = ?, desk = ?, work_stream = ?, category = ?, handled = ?, opened = ?, updated = ?, doc = ? WHERE ws = ?
		AND id = ? AND version = ?`
	handMessage = `INSERT INTO messages (ws, id, version, conversation, seq, account, chat, provider, doc)
		VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)`
	handEvent = `INSERT INTO conversation_events (ws, conversation, seq, doc) VALUES (?, ?, ?, ?)`
	handFeed  = `INSERT INTO events (ws, seq, at, doc) VALUES (?, ?, ?, ?)`
	handJob   = `INSERT INTO jobs (ws, id, kind, key, state, due, wake, attempts, progress, reason, created, payload)
		VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (ws, kind, key) WHERE key <> ''
		AND state IN ('queued', 'running') DO NOTHING`
	handDone     = `UPDATE envelopes SET state = ?, ended = ?, reason = ? WHERE seq = ? AND id = ? AND state = 0`
	handDocument = `INSERT INTO documents (ws, kind, id, version, decl, u0, i0, body) VALUES (?, ?, ?, 1, 1, ?, ?, ?)`
	handOutbox   = `INSERT INTO outbox (seq, ws, id, account, lane, state, tries, not_before, reason, detail, at, doc)
		VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, '', '', ?, ?)`
	handItem         = `SELECT doc, version, seq FROM items WHERE ws = ? AND id = ?`
	handNewItem      = `INSERT INTO items (ws, id, version, state, doc) VALUES (?, ?, 1, ?, ?)`
	handConversation = `INSERT INTO conversations (ws, id, version, thread, live, state, agent, contact, account, channel, desk,
		work_stream, category, handled, opened, updated, doc) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// handUser is what a customer is found by.
func handUser(user string) []byte {
	return store.IdentityKey("line", channel.Scope("account:"+handAccount), channel.ProviderUserID(user)).Values[0]
}

// append is Tx A; it returns the envelope's number.
func (h *handWritten) append(user string, envelope, dedup string) (seq int64, err error) {
	err = h.b.submit(&job{ctx: context.Background(), ws: h.ws, own: true, fn: func(t *tx) error {
		t.b.envelopeSeq++
		seq = t.b.envelopeSeq
		now := micro(t.now)
		_, err := t.conn.Exec(handAppend, seq, t.ws, envelope, handAccount, "user:"+user, dedup, now, now, 0, h.envelope)
		return err
	}})
	return seq, err
}

// appendOnly is Tx A alone.
func (h *handWritten) appendOnly(i int) error {
	_, err := h.append(benchUser(i%benchCallers), newID(), name("01J0000000000000000", i))
	return err
}

func (t *tx) handFeed(doc string) error {
	t.b.eventSeq++
	_, err := t.conn.Exec(handFeed, t.ws, t.b.eventSeq, micro(t.now), doc)
	return err
}

// inTx gives a function the store's own Tx.
func inTx(fn func(*tx) error) func(context.Context, driver.Tx) error {
	return func(_ context.Context, stx driver.Tx) error { return fn(stx.Session.(*tx)) }
}

// existing stores a message of a customer with an open conversation.
func (h *handWritten) existing(i int) error {
	k := &h.known[i%len(h.known)]
	k.mu.Lock()
	defer k.mu.Unlock()
	envelope, message, provider := newID(), newID(), name("0123456789", i)
	seq, err := h.append(k.user, envelope, provider)
	if err != nil {
		return err
	}
	return h.b.Update(context.Background(), testWS, inTx(func(t *tx) error {
		now, chat := micro(t.now), "user/"+k.user
		k.seq++
		err := t.byHand(
			handStatement{handConfig, []any{t.ws, ""}},
			handStatement{handByProvider, []any{t.ws, handAccount, chat, provider}},
			handStatement{handIdentity, []any{t.ws, handUser(k.user)}},
			handStatement{handByThread, []any{t.ws, k.thread, t.ws, k.thread}},
			handStatement{handEarly, []any{t.ws, handAccount, chat, provider}},
			handStatement{handDeadline, []any{t.ws, "auto_close", k.id, now + 3600e6}},
			handStatement{handUpdate, []any{k.thread, 1, "open", "", k.contact, handAccount, "line", "desk", "line", "", 0, k.opened, now,
				h.docs.conversation, t.ws, k.id, k.version}},
			handStatement{handMessage, []any{t.ws, message, k.id, k.seq, handAccount, chat, provider, h.docs.message}},
			handStatement{handEvent, []any{t.ws, k.id, k.seq, h.docs.events[0]}},
			handStatement{handJob, []any{t.ws, newID(), "profile", k.identity, now, 0, 0, "", now, []byte(h.docs.job)}},
			handStatement{handDone, []any{1, now, "", seq, envelope}},
		)
		if err != nil {
			return err
		}
		k.version++
		return t.handFeed(h.docs.feed[0])
	}))
}

// fresh stores the first message of a customer.
func (h *handWritten) fresh(i int) error {
	user := benchUser(1_000_000 + i)
	envelope, provider := newID(), name("0123456789", i)
	seq, err := h.append(user, envelope, provider)
	if err != nil {
		return err
	}
	return h.b.Update(context.Background(), testWS, inTx(func(t *tx) error {
		now, chat := micro(t.now), "user/"+user
		contact, identity, conversation := newID(), newID(), newID()
		thread := "contact:" + contact + "/stream:line"
		statements := []handStatement{
			{handConfig, []any{t.ws, ""}},
			{handByProvider, []any{t.ws, handAccount, chat, provider}},
			{handIdentity, []any{t.ws, handUser(user)}},
			{handDocument, []any{t.ws, "contact", contact, nil, []byte(contact), []byte(h.docs.contact)}},
			{handDocument, []any{t.ws, "identity", identity, handUser(user), []byte(contact), []byte(h.docs.identity)}},
			{handByThread, []any{t.ws, thread, t.ws, thread}},
			{handEarly, []any{t.ws, handAccount, chat, provider}},
			{handItem, []any{t.ws, conversation}},
			{handNewItem, []any{t.ws, conversation, "queued", h.docs.item}},
			{handItem, []any{t.ws, conversation}},
			{handDeadline, []any{t.ws, "auto_close", conversation, now + 3600e6}},
			{handConversation, []any{t.ws, conversation, thread, 1, "open", "", contact, handAccount, "line", "desk",
				"line", "", 0, now, now, h.docs.conversation}},
			{handMessage, []any{t.ws, newID(), conversation, 2, handAccount, chat, provider, h.docs.message}},
			{handMessage, []any{t.ws, newID(), conversation, 3, handAccount, chat, "", h.docs.answer}},
			{handJob, []any{t.ws, newID(), "profile", identity, now, 0, 0, "", now, []byte(h.docs.job)}},
			{handDone, []any{1, now, "", seq, envelope}},
		}
		t.b.outboxSeq++
		statements = append(statements,
			handStatement{handOutbox, []any{t.b.outboxSeq, t.ws, newID(), handAccount, "user:" + user, 0, 0, now,
				h.docs.row}})
		for seq, doc := range h.docs.events {
			statements = append(statements, handStatement{handEvent, []any{t.ws, conversation, seq + 1, doc}})
		}
		if err := t.byHand(statements...); err != nil {
			return err
		}
		for _, doc := range h.docs.feed {
			if err := t.handFeed(doc); err != nil {
				return err
			}
		}
		return nil
	}))
}

// all64 runs one of the two from 64 callers.
func (h *handWritten) all64(call func(i int) error) func(units int) (time.Duration, error) {
	n := 0
	return func(units int) (time.Duration, error) {
		base := n
		n += units
		return inParallel(units, func(i int) error { return call(base + i) })
	}
}
