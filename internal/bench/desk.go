package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
)

const (
	workspace = "bench"
	secret    = "0123456789abcdef0123456789abcdef"
)

// place is where a store's data lies.
type place struct {
	dir     string                               // of SQLite
	dsn     string                               // of PostgreSQL
	another func(context.Context) (place, error) // on the same server
	gone    func()
}

// newPlace makes a place for a store of the kind, on a server of PostgreSQL with the settings.
func newPlace(ctx context.Context, kind string, settings ...string) (place, error) {
	if kind == "postgres" {
		srv, err := pgtest.New(settings...)
		if err != nil {
			return place{}, err
		}
		dsn, _, err := srv.NewDatabase(ctx)
		if err == nil && os.Getenv(pgtest.EnvDSN) == "" {
			err = makeLogFiles(ctx, dsn)
		}
		return place{dsn: dsn, gone: srv.Stop, another: func(ctx context.Context) (place, error) {
			dsn, _, err := srv.NewDatabase(ctx)
			return place{dsn: dsn}, err
		}}, err
	}
	dir, err := os.MkdirTemp("", "sangdam-bench-")
	return place{dir: dir, gone: func() { _ = os.RemoveAll(dir) }}, err // a directory that stays is only untidy
}

// logFiles are as many as a server's log may grow by, with its usual settings, until
// a checkpoint that has begun is over and files of before it are used again.
const logFiles = 64

// makeLogFiles gives a server that is new what one has that has run for a while: the
// files that its log is written to next. It would make each when it comes to it, and
// write and sync 16 MB while all commits wait, which takes 20 to 80 ms.
func makeLogFiles(ctx context.Context, dsn string) error {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	for _, sql := range []string{`ALTER SYSTEM SET min_wal_size = '1GB'`, `SELECT pg_reload_conf()`} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	for range logFiles {
		if _, err := c.Exec(ctx, `SELECT pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()`); err != nil {
			return err
		}
	}
	_, err = c.Exec(ctx, `CHECKPOINT`) // those of before it are the next ones now
	return err
}

func (p place) open(ctx context.Context) (*store.DB, error) {
	if p.dsn != "" {
		return postgres.Open(ctx, postgres.Options{DSN: p.dsn})
	}
	return sqlite.Open(ctx, sqlite.Options{Dir: p.dir})
}

// server is the process of PostgreSQL's server, 0 for SQLite.
func (p place) server(ctx context.Context) (int, error) {
	if p.dsn == "" {
		return 0, nil
	}
	c, err := pgx.Connect(ctx, p.dsn)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close(ctx) }()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PgConn().PID()))
	if err != nil {
		return 0, nil // it runs elsewhere: its time is not known
	}
	field := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	return strconv.Atoi(field[1])
}

// desk is an engine with one LINE account, one queue and its agents.
type desk struct {
	db     *store.DB
	eng    *sangdam.Engine
	sealer seal.Sealer
	secret channel.Secret
	hook   http.Handler
	sent   int
}

func agentID(i int) routing.AgentID { return routing.AgentID(fmt.Sprintf("a%06d", i)) }

var stream = routing.WorkStream{ID: "line", Name: "LINE", ChannelKind: "line", Mode: routing.Push, Cost: 1, ChannelCost: 1, Queue: "q",
	OfferFor: time.Hour, Messages: automated.Texts{automated.Greeting: {"": "안녕하세요! 곧 답변드리겠습니다."}}}

func newEngine(db *store.DB, sealer seal.Sealer, hooks sangdam.Hooks) (*sangdam.Engine, error) {
	ad, err := line.New(line.Options{APIBase: "https://api.line.test", DataAPIBase: "https://api.line.test",
		HTTPClient: &http.Client{Transport: provider{}}})
	if err != nil {
		return nil, err
	}
	return sangdam.New(sangdam.Config{DB: db, Sealer: sealer, Node: "n1", Adapters: []adapter.Adapter{ad}, Hooks: hooks})
}

// newDesk sets everything up; agents of the given capacity are Offline.
func newDesk(ctx context.Context, db *store.DB, hooks sangdam.Hooks, agents, capacity int) (*desk, error) {
	sealer, err := seal.Ephemeral()
	if err != nil {
		return nil, err
	}
	d := &desk{db: db, sealer: sealer, secret: channel.NewSecret(secret)}
	if d.eng, err = newEngine(db, sealer, hooks); err != nil {
		return nil, err
	}
	host := sangdam.Host(workspace)
	queue := routing.Queue{ID: "q", Name: "Everyone"}
	for i := range agents {
		queue.Members = append(queue.Members, agentID(i))
	}
	var acct channel.Account
	for _, step := range []func() error{
		func() error { return d.eng.CreateWorkspace(ctx, workspace, "Bench") },
		func() error { return d.addAgents(ctx, agents, capacity) },
		func() error {
			_, err := d.eng.SaveDesk(ctx, host, sangdam.SaveDesk{Agent: agentID(0), Desk: routing.Desk{ID: "desk", Name: "Desk"}})
			return err
		},
		func() error { return d.addMembers(ctx, queue.Members) },
		func() error { return d.saveQueue(ctx, queue) },
		func() error {
			_, err := d.eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: stream})
			return err
		},
		func() error {
			shop := channel.Account{Kind: "line", Name: "Shop", Desk: "desk", WorkStream: "line",
				Settings: json.RawMessage(`{"channel_id":"1234567890"}`),
				Secrets:  map[string]channel.Secret{"channel_secret": d.secret, "channel_token": channel.NewSecret("token")}}
			saved, err := d.eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: shop})
			acct = saved.Account
			return err
		},
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	d.hook = d.eng.AccountWebhook(acct.Token)
	return d, nil
}

// chunk is how many rows one transaction of the set-up writes.
const chunk = 100

// chunks runs fn for 0 … n-1, many in one transaction.
func (d *desk) chunks(ctx context.Context, n int, fn func(ctx context.Context, tx store.Tx, i int) error) error {
	for from := 0; from < n; from += chunk {
		err := d.db.Update(ctx, workspace, func(ctx context.Context, tx store.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				if err := fn(ctx, tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) addAgents(ctx context.Context, n, capacity int) error {
	return d.chunks(ctx, n, func(ctx context.Context, tx store.Tx, i int) error {
		_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: agentID(i), Name: "Agent", Role: "agent",
			Permissions: []routing.Permission{routing.PermitChat},
			Capacity:    map[routing.Profile]int{routing.ProfileUnits: capacity}, Assign: routing.AssignmentSwitches{Chat: true}})
		return err
	})
}

// addMembers writes the desk's members below AddMember, which reads and writes all of
// them for each.
func (d *desk) addMembers(ctx context.Context, members []routing.AgentID) error {
	return d.db.Update(ctx, workspace, func(ctx context.Context, tx store.Tx) error {
		docs, err := tx.Documents().Get(ctx, driver.Keys{Kind: "desk", IDs: []string{"desk"}})
		if err != nil {
			return err
		}
		if len(docs) != 1 {
			return errors.New("the desk is not stored as a document of its own")
		}
		var body map[string]json.RawMessage
		if err := json.Unmarshal(docs[0].Body, &body); err != nil {
			return err
		}
		if body["members"], err = json.Marshal(members); err != nil {
			return err
		}
		if docs[0].Body, err = json.Marshal(body); err != nil {
			return err
		}
		return tx.Documents().Put(ctx, docs)
	})
}

// saveQueue writes the queue below the command, which reads every member.
func (d *desk) saveQueue(ctx context.Context, q routing.Queue) error {
	return d.db.Update(ctx, workspace, func(ctx context.Context, tx store.Tx) error { return tx.Config().SaveQueue(ctx, q) })
}

// online brings agents online and lets their consoles live.
func (d *desk) online(ctx context.Context, n int) error {
	ids := make([]routing.AgentID, n)
	err := d.chunks(ctx, n, func(ctx context.Context, tx store.Tx, i int) error {
		ids[i] = agentID(i)
		_, err := tx.Agents().SetPresence(ctx, ids[i], routing.Online, "", tx.Now())
		return err
	})
	if err != nil || n == 0 {
		return err
	}
	return d.eng.Heartbeat(ctx, workspace, ids...)
}

// start runs an engine; stop waits for its end.
func start(ctx context.Context, e *sangdam.Engine) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// webhook is one that is ready to be delivered.
type webhook struct {
	body []byte
	sign string
}

func userID(i int) string { return fmt.Sprintf("U%032x", i) }

// text is the next webhook of a customer.
func (d *desk) text(user string) webhook {
	d.sent++
	body := fmt.Appendf(nil,
		`{"destination":"Uffffffffffffffffffffffffffffffff","events":[{"type":"message","message":{"type":"text","id":"%d",`+
			`"quoteToken":"q3Plxr4AgKd3Plxr4AgKdq3Plxr4AgKdq3Plxr4AgKd","text":"안녕하세요, 주문한 상품 환불 문의드립니다."},"webhookEventId":"01J%023d",`+
			`"deliveryContext":{"isRedelivery":false},"timestamp":%d,"source":{"type":"user","userId":"%s"},"replyToken":"%032x",`+
			`"mode":"active"}]}`,
		500000000000000000+d.sent, d.sent, time.Now().UnixMilli(), user, d.sent)
	return webhook{body, line.Sign(d.secret, body)}
}

// post delivers a webhook without a network and returns the answer's status.
func (d *desk) post(m webhook) int {
	w := answer{header: http.Header{}}
	d.hook.ServeHTTP(&w, &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/webhooks/x"}, Host: "host.test",
		Header: http.Header{"X-Line-Signature": {m.sign}}, Body: io.NopCloser(bytes.NewReader(m.body))})
	return w.status
}

// answer is a response of which only the status matters.
type answer struct {
	header http.Header
	status int
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(p []byte) (int, error) { return len(p), nil }

// provider answers every call at once.
type provider struct{}

func (provider) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body) // it is in memory
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "X-Line-Request-Id": {"1"}},
		Request: r,
		Body:    io.NopCloser(strings.NewReader(`{"displayName":"Kim","userId":"U","sentMessages":[{"id":"1"}]}`))}, nil
}

// populate writes open conversations with their contacts, identities and items,
// as the flow would leave them; the first active ones are assigned.
func (d *desk) populate(ctx context.Context, n, active, agents int) error {
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	return d.chunks(ctx, n, func(ctx context.Context, tx store.Tx, i int) error {
		id := fmt.Sprintf("c%07d", i)
		opened := at.Add(time.Duration(i) * time.Millisecond)
		if _, err := tx.Contacts().SaveContact(ctx, conversation.Contact{ID: conversation.ContactID(id), Name: "Kim",
			CreatedAt: opened}); err != nil {
			return err
		}
		if _, err := tx.Contacts().
			SaveIdentity(ctx, conversation.Identity{ID: conversation.IdentityID(id), Contact: conversation.ContactID(id),
				Kind: "line", Scope: "s",
				User: channel.ProviderUserID(id), Name: "Kim", CreatedAt: opened, ProfileAt: opened}); err != nil {
			return err
		}
		state := conversation.StateOpen
		if i < active {
			state = conversation.StateActive
		}
		if _, err := tx.Conversations().SaveConversation(ctx, conversation.Conversation{ID: conversation.ID(id),
			Thread: "contact:" + id + "/stream:line", State: state,
			Desk: "desk", WorkStream: "line", Account: "acct", Channel: "line", Chat: channel.Chat{Kind: channel.ChatUser, ID: id},
			Contact:  conversation.ContactID(id),
			Identity: conversation.IdentityID(id), Control: conversation.ControlNobody, OpenedAt: opened, UpdatedAt: opened}); err != nil {
			return err
		}
		it := transition.NewItem(routing.Item{ID: routing.ItemID(id), Desk: "desk", Queue: "q"}, stream, opened)
		it.Contact = id
		version, err := tx.Work().SaveItem(ctx, it)
		if err != nil || i >= active {
			return err
		}
		return d.give(ctx, tx, it, version, agentID(i%agents))
	})
}

func (d *desk) give(ctx context.Context, tx store.Tx, it routing.Item, version int64, agent routing.AgentID) error {
	return tx.Work().Reserve(ctx, transition.Reservation{Item: it.ID, ItemVersion: version, Agent: agent, Force: true, Now: tx.Now(),
		Assignment: &routing.Assignment{ID: routing.AssignmentID(it.ID), Item: it.ID, Agent: agent, Uses: it.Uses, StartedAt: tx.Now(),
			Forced: true}})
}
