package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/dooray"
	"github.com/sangdam/sangdam/notify/dooray/dooraytest"
	targetmail "github.com/sangdam/sangdam/notify/mail"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
	"github.com/sangdam/sangdam/notify/webhook"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/memory"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/web/console"
)

const ws = "w"

// world is a desk with a LINE account at the emulator, three agents and a
// stranger on another desk, and a console whose cookie says who one is.
type world struct {
	t    *testing.T
	db   *store.DB
	eng  *sangdam.Engine
	line *linetest.Server
	mail *emailtest.Server
	post *mailtest.Server // which targets of mail send by
	room *dooraytest.Server
	web  *httptest.Server
	host sangdam.Principal
	page *console.Handler

	mu      sync.Mutex
	gone    map[string]bool // whose sessions have ended
	cfg     sangdam.Config
	options console.Options
	end     func()              // of the engine
	hooks   *webhooktest.Server // who is called by web hooks; nil: nobody answers
}

func newWorld(t *testing.T, brand ...console.Brand) *world {
	return newWorldOn(t, memory.New(memory.Options{}), brand...)
}

// newWorldOn is newWorld on a store.
func newWorldOn(t *testing.T, db *store.DB, brand ...console.Brand) *world {
	w := &world{t: t, host: sangdam.Host(ws), db: db, gone: map[string]bool{}}
	w.line = linetest.New(linetest.Options{})
	t.Cleanup(w.line.Close)
	emulator := httptest.NewServer(w.line)
	t.Cleanup(emulator.Close)
	lineAdapter, err := line.New(line.Options{APIBase: emulator.URL, DataAPIBase: emulator.URL})
	require.NoError(t, err)
	w.mail = emailtest.New(emailtest.Options{})
	t.Cleanup(w.mail.Close)
	mail := email.New(email.Options{Dial: w.mail.Dial, LookupTXT: func(_ context.Context, name string) ([]string, error) {
		return map[string][]string{"shop.test": {"v=spf1 -all"}}[name], nil
	}})
	w.post = mailtest.New(mailtest.Options{})
	t.Cleanup(w.post.Close)
	w.room = dooraytest.New()
	sealer, err := seal.Ephemeral()
	require.NoError(t, err)
	w.cfg = sangdam.Config{DB: w.db, Sealer: sealer, Blobs: blob.Memory(),
		Adapters: []adapter.Adapter{lineAdapter, webchat.New(), mail},
		Carriers: []notify.Carrier{targetmail.New(targetmail.Options{Dial: w.dialPost}),
			dooray.New(dooray.Options{Transport: w.room.Transport()}), dooray.NewTasks(dooray.Options{Transport: w.room.Transport()}),
			pager{}, buzzer{},
			webhook.New(webhook.Options{Transport: roundTrip(w.callHook)})},
		Poll:   50 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}
	w.begin()
	w.setUp(emulator.URL)
	w.options = console.Options{Prefix: "/desk", Authenticate: w.who, SignIn: "/sign-in", SignOut: "/sign-out", Zone: time.UTC,
		PublicURL: "https://desk.example.com/webhooks/",
		ReportURL: "https://desk.example.com/reports/", InviteURL: "https://desk.example.com/join?token=",
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	w.web = httptest.NewUnstartedServer(nil)
	w.options.WidgetURL = "http://" + w.web.Listener.Addr().String() + "/webchat/widget.js"
	if len(brand) > 0 {
		w.options.Brand = brand[0]
	}
	w.web.Config.Handler = w.pages()
	w.web.Start()
	w.t.Cleanup(func() { w.web.CloseClientConnections(); w.web.Close() })
	w.line.SetWebhook(w.web.URL + "/line")
	return w
}

// dialPost reaches the server that targets of mail send by.
func (w *world) dialPost(ctx context.Context, network, address string) (net.Conn, error) {
	return w.post.Dial(ctx, network, address)
}

// begin runs an engine on the store until end.
func (w *world) begin() {
	var err error
	w.eng, err = sangdam.New(w.cfg)
	require.NoError(w.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.eng.Run(ctx) }()
	w.end = sync.OnceFunc(func() { stop(); require.NoError(w.t, <-ended) })
	w.t.Cleanup(w.end)
}

// pages serves the engine's pages and what its channels call.
func (w *world) pages() http.Handler {
	var err error
	w.page, err = console.NewHandler(w.eng, w.options)
	require.NoError(w.t, err)
	mux := http.NewServeMux()
	mux.Handle("/desk/", w.page)
	mux.HandleFunc("GET /as/{agent}", func(rw http.ResponseWriter, r *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "who", Value: r.PathValue("agent"), Path: "/", HttpOnly: true,
			SameSite: http.SameSiteLaxMode})
		http.Redirect(rw, r, "/desk/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /sign-in", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<title>sign in</title>")) })
	accounts, err := w.eng.Accounts(w.t.Context(), w.host)
	require.NoError(w.t, err)
	mux.Handle("/line", w.eng.AccountWebhook(accounts[0].Token))
	mux.Handle("/webchat/", http.StripPrefix("/webchat", webchat.NewHandler(w.eng.Visitor(), webchat.Options{})))
	return mux
}

// who trusts the cookie, as only a test may.
func (w *world) who(r *http.Request) (sangdam.Principal, error) {
	c, err := r.Cookie("who")
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.gone[c.Value] {
		return sangdam.Principal{}, fmt.Errorf("nobody")
	}
	role := sangdam.RoleAgent
	if c.Value == "admin" {
		role = sangdam.RoleAdministrator
	}
	return sangdam.AgentPrincipal(ws, routing.AgentID(c.Value), role), nil
}

func (w *world) signOut(agent string, out bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone[agent] = out
}

func (w *world) as(agent string) sangdam.Principal {
	return sangdam.AgentPrincipal(ws, routing.AgentID(agent), sangdam.RoleAgent)
}

func (w *world) setUp(base string) {
	t, ctx := w.t, w.t.Context()
	require.NoError(t, w.eng.CreateWorkspace(ctx, ws, "Shop"))
	for id, name := range map[string]string{"ara": "Ara Kim", "bo": "Bo Lee", "admin": "Dana Admin", "zed": "Zed Stranger"} {
		role := sangdam.RoleAgent
		if id == "admin" {
			role = sangdam.RoleAdministrator
		}
		_, err := w.eng.SaveAgent(ctx, w.host,
			sangdam.SaveAgent{Agent: routing.Agent{ID: routing.AgentID(id), Name: name, Role: string(role),
				Permissions: []routing.Permission{routing.PermitChat, routing.PermitTicket}, Assign: routing.AssignmentSwitches{Chat: true,
					Ticket: true},
				Capacity: map[routing.Profile]int{routing.ProfileUnits: 50}}})
		require.NoError(t, err)
	}
	_, err := w.eng.SaveDesk(ctx, w.host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Support"}, Agent: "ara"})
	require.NoError(t, err)
	require.NoError(t, w.eng.AddToDesk(ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: "bo"}))
	require.NoError(t, w.eng.AddToDesk(ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: "admin"}))
	_, err = w.eng.SaveDesk(ctx, w.host, sangdam.SaveDesk{Desk: routing.Desk{ID: "elsewhere", Name: "Elsewhere"}, Agent: "zed"})
	require.NoError(t, err)
	_, err = w.eng.SaveQueue(ctx, w.host, sangdam.SaveQueue{Queue: routing.Queue{ID: "everyone", Name: "Everyone",
		Members: []routing.AgentID{"ara", "bo"}, Strategy: routing.FixedOrder, Rank: map[routing.AgentID]int{"ara": 1, "bo": 2}}})
	require.NoError(t, err)
	_, err = w.eng.SaveWorkStream(ctx, w.host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "line", Name: "LINE",
		ChannelKind: "line", Mode: routing.Push, Cost: 1, Queue: "everyone", OfferFor: time.Minute, ReopenFor: time.Hour}})
	require.NoError(t, err)
	settings, err := json.Marshal(line.Settings{ChannelID: w.line.ChannelID()})
	require.NoError(t, err)
	_, err = w.eng.SaveAccount(ctx, w.host, sangdam.SaveAccount{Account: channel.Account{ID: "shop", Kind: line.Kind, Name: "Shop on LINE",
		Desk: "support", WorkStream: "line", Attachments: true, CustomerAttachments: true, AgentAttachments: true, Settings: settings,
		Secrets: map[string]channel.Secret{line.SecretChannel: channel.NewSecret(w.line.ChannelSecret()),
			line.SecretToken: channel.NewSecret(w.line.ChannelToken())}}})
	require.NoError(t, err)
}

// online brings an agent to work.
func (w *world) online(agents ...string) {
	for _, a := range agents {
		require.NoError(w.t,
			w.eng.SetPresence(w.t.Context(), w.as(a), sangdam.SetPresence{Agent: routing.AgentID(a), Presence: routing.Online}))
	}
}

// eventually waits for a condition, not for a time.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	require.Eventually(w.t, ok, 20*time.Second, 10*time.Millisecond, what)
}

// conversationOf waits for the customer's conversation.
func (w *world) conversationOf(name string) (found conversation.Conversation) {
	w.t.Helper()
	w.eventually("a conversation of "+name, func() bool {
		page, err := w.eng.Conversations(w.t.Context(), w.host, conversation.Filter{}, "", 200)
		require.NoError(w.t, err)
		for _, c := range page.Conversations {
			names, err := w.eng.ContactNames(w.t.Context(), w.host, c.Contact)
			require.NoError(w.t, err)
			if names[c.Contact] == name {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

// owned gives the customer's conversation to an agent.
func (w *world) owned(name, agent string) conversation.ID {
	c := w.conversationOf(name)
	_, err := w.eng.Assign(w.t.Context(), w.host, sangdam.Assign{Conversation: c.ID, Agent: routing.AgentID(agent), Force: true})
	require.NoError(w.t, err)
	return c.ID
}

// texts are what the customer's phone shows.
func (w *world) texts(u *linetest.User, n int) []string {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d messages on the phone", n), func() bool { return len(u.Texts()) >= n })
	return u.Texts()
}

// client asks the console without a browser.
type client struct {
	w     *world
	agent string
	// header is added to each request.
	header http.Header
}

func (w *world) client(agent string) client {
	return client{w: w, agent: agent, header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}
}

func (c client) do(method, path, form string) *http.Response {
	c.w.t.Helper()
	req, err := http.NewRequestWithContext(c.w.t.Context(), method, c.w.web.URL+"/desk"+path, strings.NewReader(form))
	require.NoError(c.w.t, err)
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.agent != "" {
		req.AddCookie(&http.Cookie{Name: "who", Value: c.agent})
	}
	one := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := one.Do(req)
	require.NoError(c.w.t, err)
	c.w.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}
