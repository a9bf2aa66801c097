package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// The benchmarks interleave rounds of the store with rounds of a control on the
// same machine and file system, and report their ratio: "share" is the store's
// rate by the control's. Durability in both: power cut (WAL, synchronous FULL).
//
//	go test -run xxx -bench . ./store/sqlite             # disk
//	TMPDIR=/dev/shm go test -run xxx -bench . ./store/sqlite # the software alone

const benchCallers = 64

// inParallel runs n calls by many callers and returns how long that took.
func inParallel(n int, call func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	begin := time.Now()
	for range benchCallers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := call(int(i)); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return time.Since(begin), nil
}

// compare runs rounds of both in turn and reports the share of the totals.
func compare(b *testing.B, db *store.DB, ours, control func(i int) error) {
	const rounds, round = 6, 3000
	var our, their time.Duration
	n := 0
	before := db.Stats()
	for b.Loop() {
		our, their, n = 0, 0, n+1
		for r := range rounds {
			base := (n*rounds + r) * round
			for _, side := range []struct {
				sum  *time.Duration
				call func(int) error
			}{{&our, ours}, {&their, control}} {
				took, err := inParallel(round, func(i int) error { return side.call(base + i) })
				if err != nil {
					b.Fatal(err)
				}
				*side.sum += took
			}
		}
	}
	after := db.Stats()
	per := float64(rounds * round)
	b.ReportMetric(their.Seconds()/our.Seconds(), "share")
	b.ReportMetric(per/our.Seconds(), "store/s")
	b.ReportMetric(per/their.Seconds(), "control/s")
	b.ReportMetric(float64(after.Commits-before.Commits)/float64(after.Updates-before.Updates), "commits/op")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAppendPowerCutDurable holds AppendEnvelopes of 64 callers against a
// bare group commit that inserts one row: 256 bytes, a unique external id and
// one secondary index, in a savepoint-free transaction of whatever waits.
func BenchmarkAppendPowerCutDurable(b *testing.B) {
	db := openTest(b, Options{})
	control := newBareCommitter(b)
	body := make([]byte, 256)
	compare(b, db, func(i int) error {
		_, err := db.AppendEnvelopes(context.Background(), testWS, []adapter.Envelope{{
			Account: "acct", Lane: name("lane", i%500), DedupKey: name("key", i), OccurredAt: time.UnixMicro(int64(i)), Raw: body,
		}})
		return err
	}, func(i int) error {
		return control.do(func(c *raw.Conn) error {
			_, err := c.Exec(`INSERT INTO bare (id, lane, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, name("key", i),
				name("lane", i%500), body)
			return err
		})
	})
}

// bareCommitter is the control: a channel into one goroutine that takes what
// waits (at most 512), one transaction, and then wakes all.
type bareCommitter struct{ work chan bareJob }

type bareJob struct {
	fn   func(*raw.Conn) error
	done chan error
}

func newBareCommitter(b *testing.B) *bareCommitter {
	path := filepath.Join(b.TempDir(), "bare.db")
	require.NoError(b, os.WriteFile(path, nil, 0o600))
	c, err := openConn(path)
	require.NoError(b, err)
	_, err = c.Exec(`CREATE TABLE bare (id TEXT NOT NULL UNIQUE, lane TEXT NOT NULL, body BLOB NOT NULL) STRICT`)
	require.NoError(b, err)
	_, err = c.Exec(`CREATE INDEX bare_lane ON bare (lane)`)
	require.NoError(b, err)
	bc := &bareCommitter{make(chan bareJob, 512)}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		bc.run(c)
	}()
	b.Cleanup(func() {
		close(bc.work)
		<-stopped
		c.Close()
	})
	return bc
}

func (bc *bareCommitter) do(fn func(*raw.Conn) error) error {
	j := bareJob{fn, make(chan error, 1)}
	bc.work <- j
	return <-j.done
}

func (bc *bareCommitter) run(c *raw.Conn) {
	for j := range bc.work {
		batch := []bareJob{j}
		for more := true; more && len(batch) < 512; {
			select {
			case j, ok := <-bc.work:
				if more = ok; ok {
					batch = append(batch, j)
				}
			default:
				more = false
			}
		}
		_, err := c.Exec("BEGIN IMMEDIATE")
		for _, j := range batch {
			if err == nil {
				err = j.fn(c)
			}
		}
		if err == nil {
			_, err = c.Exec("COMMIT")
		}
		for _, j := range batch {
			j.done <- err
		}
	}
}

// BenchmarkInboundPowerCutDurable holds a whole inbound flow through the
// repositories against the same statements, written by hand with documents
// that are ready made, through the same committer.
func BenchmarkInboundPowerCutDurable(b *testing.B) {
	db := openTest(b, Options{})
	ours := newInboundBench(b, db, "our")
	control := newInboundBench(b, db, "ctl")
	compare(b, db, ours.viaRepos, control.byHand)
}

const benchLanes = 512

// inboundBench has contacts, each with an open conversation and a claimed
// lane full of envelopes.
type inboundBench struct {
	db     *store.DB
	prefix string
	claims map[string]driver.Claim
	mu     [benchLanes]sync.Mutex // one worker a lane, as the claims demand
	queue  [benchLanes][]channel.EnvelopeID
	fed    int
	convs  [benchLanes]conversation.Conversation
	docs   struct{ conv, msg, ev, feed, row string }
}

func newInboundBench(b *testing.B, db *store.DB, prefix string) *inboundBench {
	s := &inboundBench{db: db, prefix: prefix, claims: map[string]driver.Claim{}}
	for i := range benchLanes {
		id := name(prefix, i)
		update(b, db, func(ctx context.Context, tx store.Tx) error {
			c := conversation.Contact{ID: conversation.ContactID(id), Name: "Kim " + id}
			if _, err := tx.Contacts().SaveContact(ctx, c); err != nil {
				return err
			}
			if _, err := tx.Contacts().SaveIdentity(ctx, conversation.Identity{ID: conversation.IdentityID(id), Contact: c.ID, Kind: "line",
				Scope: "s", User: channel.ProviderUserID(id)}); err != nil {
				return err
			}
			s.convs[i] = s.conversation(i)
			v, err := tx.Conversations().SaveConversation(ctx, s.convs[i])
			s.convs[i].Version = v
			return err
		})
	}
	for range 40 { // enough for one iteration, so that the appends are not measured
		s.feed(b)
	}
	for _, l := range claimInbox(b, db, 24*time.Hour) {
		s.claims[l.Lane] = l.Claim
	}
	for len(s.claims) < benchLanes {
		got := claimInbox(b, db, 24*time.Hour)
		require.NotEmpty(b, got)
		for _, l := range got {
			s.claims[l.Lane] = l.Claim
		}
	}
	s.prepare(b)
	return s
}

func (s *inboundBench) conversation(i int) conversation.Conversation {
	id := name(s.prefix, i)
	return conversation.Conversation{
		ID: conversation.ID(id), Thread: "contact:" + id + "/ws", State: conversation.StateOpen, Desk: "desk", WorkStream: "stream",
		Account: "acct",
		Channel: "line", Chat: channel.Chat{Kind: channel.ChatUser, ID: id}, Contact: conversation.ContactID(id),
		Identity: conversation.IdentityID(id),
		Language: "ko", Control: conversation.ControlNobody, OpenedAt: time.Unix(1e9, 0).UTC(), UpdatedAt: time.Unix(1e9, 0).UTC(),
	}
}

// feed appends an envelope for each lane.
func (s *inboundBench) feed(b testing.TB) {
	var envs []adapter.Envelope
	s.fed++
	for i := range benchLanes {
		e := envelope(name(s.prefix, i), fmt.Sprintf("%s-%d-%d", s.prefix, s.fed, i))
		e.ID = channel.EnvelopeID(e.DedupKey)
		envs = append(envs, e)
		s.queue[i] = append(s.queue[i], e.ID)
	}
	_, err := s.db.AppendEnvelopes(context.Background(), testWS, envs)
	require.NoError(b, err)
}

// next returns an envelope of the lane, appending more when none is left.
func (s *inboundBench) next(lane int) (channel.EnvelopeID, error) {
	if len(s.queue[lane]) == 0 {
		var envs []adapter.Envelope
		for k := range 40 {
			e := envelope(name(s.prefix, lane), fmt.Sprintf("%s-%d-%d-%d", s.prefix, s.convs[lane].Version, lane, k))
			e.ID = channel.EnvelopeID(e.DedupKey)
			envs = append(envs, e)
			s.queue[lane] = append(s.queue[lane], e.ID)
		}
		if _, err := s.db.AppendEnvelopes(context.Background(), testWS, envs); err != nil {
			return "", err
		}
	}
	id := s.queue[lane][0]
	s.queue[lane] = s.queue[lane][1:]
	return id, nil
}

func (s *inboundBench) message(c conversation.Conversation, env channel.EnvelopeID, at time.Time) conversation.Message {
	return conversation.Message{
		ID: conversation.MessageID(newID()), Conversation: c.ID, Seq: c.EventSeq, CustomerSeq: c.CustomerSeq,
		Direction: conversation.Inbound,
		Author:    conversation.Author{Kind: conversation.ByCustomer, Identity: c.Identity}, Content: channel.Text("안녕하세요, 환불 문의드립니다."),
		Account: c.Account, Chat: c.Chat, Provider: channel.ProviderMessageID(env), Status: conversation.StatusReceived,
		OccurredAt: at, At: at,
	}
}

func (s *inboundBench) viaRepos(i int) error {
	lane := i % benchLanes
	s.mu[lane].Lock()
	defer s.mu[lane].Unlock()
	env, err := s.next(lane)
	if err != nil {
		return err
	}
	id := name(s.prefix, lane)
	return s.db.Update(context.Background(), testWS, func(ctx context.Context, tx store.Tx) error {
		who, err := tx.Contacts().Identity(ctx, "line", "s", channel.ProviderUserID(id))
		if err != nil {
			return err
		}
		if _, err := tx.Contacts().Contact(ctx, who.Contact); err != nil {
			return err
		}
		open, _, err := tx.Conversations().ByThread(ctx, "contact:"+id+"/ws")
		if err != nil {
			return err
		}
		c := *open
		c.EventSeq, c.CustomerSeq, c.Unread = c.EventSeq+2, c.CustomerSeq+1, c.Unread+1
		c.UpdatedAt, c.LastCustomerAt = tx.Now(), tx.Now()
		if s.convs[lane].Version, err = tx.Conversations().SaveConversation(ctx, c); err != nil {
			return err
		}
		m := s.message(c, env, tx.Now())
		if _, err := tx.Conversations().SaveMessage(ctx, m); err != nil {
			return err
		}
		if err := tx.Conversations().AppendEvents(ctx,
			conversation.Event{Conversation: c.ID, Seq: c.EventSeq - 1, Kind: conversation.EvMessage, Message: m.ID, Actor: "customer",
				At: tx.Now()},
			conversation.Event{Conversation: c.ID, Seq: c.EventSeq, Kind: conversation.EvState, Actor: "customer",
				At: tx.Now()}); err != nil {
			return err
		}
		if err := tx.Events().
			Append(ctx, store.Event{Aggregate: "conversation", ID: id, Version: c.EventSeq, Kind: "message", Ref: string(m.ID),
				At: tx.Now()}); err != nil {
			return err
		}
		if err := tx.Outbox().Enqueue(ctx, driver.OutboxRow{ID: channel.OutboxID(m.ID), Account: "acct", Lane: id, Conversation: c.ID,
			Message: m.ID, To: c.Chat, Content: channel.Text("잠시만 기다려 주세요.")}); err != nil {
			return err
		}
		if err := tx.Deadlines().Set(ctx, "auto_close", id, tx.Now().Add(time.Hour)); err != nil {
			return err
		}
		return tx.Inbox().Done(ctx, s.claims[id], env)
	})
}

// prepare makes the documents that the control stores as they are.
func (s *inboundBench) prepare(b testing.TB) {
	c := s.convs[0]
	m := s.message(c, "envelope", time.Now().UTC())
	for doc, v := range map[*string]any{
		&s.docs.conv: c, &s.docs.msg: m,
		&s.docs.ev: conversation.Event{Conversation: c.ID, Seq: 100, Kind: conversation.EvMessage, Message: m.ID,
			Actor: "customer", At: m.At},
		&s.docs.feed: driver.Event{Aggregate: "conversation", ID: string(c.ID), Version: 100, Kind: "message", Ref: string(m.ID), At: m.At},
		&s.docs.row: driver.OutboxRow{ID: channel.OutboxID(m.ID), Account: "acct", Lane: string(c.ID), Conversation: c.ID, Message: m.ID,
			To: c.Chat, Content: channel.Text("잠시만 기다려 주세요."), State: channel.OutboxQueued},
	} {
		text, err := encode(v)
		require.NoError(b, err)
		*doc = string(text)
	}
}

// byHand runs the statements of viaRepos.
func (s *inboundBench) byHand(i int) error {
	lane := i % benchLanes
	s.mu[lane].Lock()
	defer s.mu[lane].Unlock()
	env, err := s.next(lane)
	if err != nil {
		return err
	}
	id := name(s.prefix, lane)
	c := &s.convs[lane]
	c.EventSeq += 2
	return backendOf(s.db).Update(context.Background(), testWS, func(_ context.Context, stx driver.Tx) error {
		t := stx.Session.(*tx)
		now, msg := micro(t.now), newID()
		skip := func(raw.Row) bool { return true }
		for _, q := range []struct {
			sql  string
			args []any
		}{
			{`SELECT body, version FROM documents WHERE ws = ? AND kind = 'identity' AND u0 = ?`,
				[]any{t.ws, store.IdentityKey("line", "s", channel.ProviderUserID(id)).Values[0]}},
			{`SELECT body, version FROM documents WHERE ws = ? AND kind = 'contact' AND id = ?`, []any{t.ws, id}},
			{`SELECT doc, version FROM conversations WHERE ws = ? AND thread = ? AND live = 1
				UNION ALL SELECT * FROM (SELECT doc, version FROM conversations WHERE ws = ? AND thread = ? AND live = 0
				ORDER BY opened DESC, id DESC LIMIT 1)`,
				[]any{t.ws, c.Thread, t.ws, c.Thread}},
			{`UPDATE conversations SET version = version + 1, thread = ?, live = ?, state = ?, agent = ?, contact = ?, account = ?,
				channel = ?, desk = ?,
				work_stream = ?, category = ?, handled = ?, opened = ?, updated = ?, doc = ? WHERE ws = ? AND id = ? AND version = ?`,
				[]any{c.Thread, 1, "open", "", id, "acct", "line", "desk", "stream", "", 0, micro(c.OpenedAt), now, s.docs.conv,
					t.ws, id, c.Version}},
			{`INSERT INTO messages (ws, id, version, conversation, seq, account, chat, provider, doc)
				VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)`,
				[]any{t.ws, msg, id, c.EventSeq, "acct", "user/" + id, string(env), s.docs.msg}},
			{`INSERT INTO conversation_events (ws, conversation, seq, doc) VALUES (?, ?, ?, ?)`,
				[]any{t.ws, id, c.EventSeq - 1, s.docs.ev}},
			{`INSERT INTO conversation_events (ws, conversation, seq, doc) VALUES (?, ?, ?, ?)`, []any{t.ws, id, c.EventSeq, s.docs.ev}},
			{`INSERT INTO deadlines (ws, kind, id, at) VALUES (?, ?, ?, ?) ON CONFLICT (ws, kind, id) DO UPDATE SET at = excluded.at`,
				[]any{t.ws, "auto_close", id, now + 3600e6}},
			{`UPDATE envelopes SET state = ?, ended = ?, reason = ? WHERE ws = ? AND id = ? AND account = ? AND lane = ? AND state = 0`,
				[]any{1, now, "", t.ws, string(env), "acct", id}},
		} {
			if err := t.conn.Query(q.sql, skip, q.args...); err != nil {
				return err
			}
		}
		t.b.eventSeq++
		if _, err := t.conn.Exec(`INSERT INTO events (ws, seq, at, doc) VALUES (?, ?, ?, ?)`, t.ws, t.b.eventSeq, now,
			s.docs.feed); err != nil {
			return err
		}
		t.b.outboxSeq++
		_, err := t.conn.Exec(`INSERT INTO outbox (seq, ws, id, account, lane, state, tries, not_before, reason, detail, at, doc)
			VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, '', '', ?, ?)`, t.b.outboxSeq, t.ws, msg, "acct", id, 0, 0, now, s.docs.row)
		c.Version++
		return err
	})
}
