package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/sqlite"
)

// widgetConsoles are the agents' consoles that are open beside the widgets.
const widgetConsoles = 100

// widgets measures idle visitors: what a connection holds over one of a handler
// that only keeps an event stream alive, in the same process and run; then, with
// 100 consoles on the same process, how long one event takes to all widgets, to
// one, and to the consoles, and once more beside readers that are stuck. The
// client is another process.
func widgets(ctx context.Context, o options) (report, error) {
	p, err := newPlace(ctx, "sqlite")
	if err != nil {
		return report{}, err
	}
	defer p.gone()
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: p.dir})
	if err != nil {
		return report{}, err
	}
	defer db.Close()
	sealer, err := seal.Ephemeral()
	if err != nil {
		return report{}, err
	}
	eng, err := sangdam.New(sangdam.Config{DB: db, Sealer: sealer, Adapters: []adapter.Adapter{webchat.New()}})
	if err != nil {
		return report{}, err
	}
	stop := start(ctx, eng)
	acct, err := chatDesk(ctx, eng)
	if err != nil {
		return report{}, err
	}
	const unbounded = 1 << 20
	many := webchat.Limits{AddressRequests: unbounded, NewSessions: unbounded, VisitorRequests: unbounded,
		Messages: unbounded, StreamsPerAddress: unbounded, StreamsPerVisitor: unbounded}
	mux := http.NewServeMux()
	mux.Handle("/webchat/", http.StripPrefix("/webchat", webchat.NewHandler(eng.Visitor(), webchat.Options{Limits: many})))
	mux.HandleFunc("/bare", bareStream)
	desk, err := pages(eng)
	if err != nil {
		return report{}, err
	}
	mux.Handle("/desk/", desk)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return report{}, err
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }() // until it is closed
	defer srv.Close()
	base := "http://" + ln.Addr().String()
	figures := map[string]any{"connections": o.widgets, "consoles": widgetConsoles}
	bare, err := idle(ctx, base+"/bare", make([]string, o.widgets), nil)
	if err != nil {
		return report{}, err
	}
	api := base + "/webchat/v1/" + acct.Token
	tokens, err := sessions(ctx, api, o.widgets)
	if err != nil {
		return report{}, err
	}
	chat, err := idle(ctx, api+"/events", tokens,
		func(c *streamClient) error { return deliver(ctx, eng, base, api, tokens[0], c, figures) })
	if err != nil {
		return report{}, err
	}
	figures["bytes_each_bare"], figures["bytes_each_widget"], figures["bytes_each_over_bare"] = bare, chat, chat-bare
	return report{Figures: figures}, stop()
}

// bareStream is the control: the least that an event stream can be.
func bareStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	ctl := http.NewResponseController(w)
	_, _ = io.WriteString(w, "retry: 2000\n\n")
	_ = ctl.Flush()
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			_, err := io.WriteString(w, ":\n\n")
			if err != nil || ctl.Flush() != nil {
				return
			}
		}
	}
}

func chatDesk(ctx context.Context, eng *sangdam.Engine) (channel.Account, error) {
	host := sangdam.Host(workspace)
	agent := routing.Agent{ID: "a", Name: "A", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Assign: routing.AssignmentSwitches{Chat: true}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 1_000_000}}
	errWorkspace := eng.CreateWorkspace(ctx, workspace, "Bench")
	_, errAgent := eng.SaveAgent(ctx, host, sangdam.SaveAgent{Agent: agent})
	_, errDesk := eng.SaveDesk(ctx, host, sangdam.SaveDesk{Desk: routing.Desk{ID: "desk", Name: "Desk"}, Agent: "a"})
	_, errQueue := eng.SaveQueue(ctx, host, sangdam.SaveQueue{Queue: routing.Queue{ID: "q", Name: "All", Members: []routing.AgentID{"a"}}})
	_, errStream := eng.SaveWorkStream(ctx, host, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "web", Name: "Web",
		ChannelKind: "webchat", Mode: routing.Push, Cost: 1, Queue: "q", Live: true, AutoAccept: true}})
	if err := errors.Join(errWorkspace, errAgent, errDesk, errQueue, errStream); err != nil {
		return channel.Account{}, err
	}
	saved, err := eng.SaveAccount(ctx, host, sangdam.SaveAccount{Account: channel.Account{Kind: webchat.Kind, Name: "Chat", Desk: "desk",
		WorkStream: "web",
		Settings:   json.RawMessage(`{"no_consent":true}`),
		Secrets:    map[string]channel.Secret{webchat.SecretVisitor: channel.NewSecret(webchat.NewKey())}}})
	return saved.Account, err
}

// sessions begins a session for each visitor and returns their tokens.
func sessions(ctx context.Context, api string, n int) ([]string, error) {
	tokens := make([]string, n)
	for i := range tokens {
		var s struct{ Token string }
		if err := post(ctx, api+"/session", "", struct{}{}, &s); err != nil {
			return nil, err
		}
		tokens[i] = s.Token
	}
	return tokens, nil
}

func post(ctx context.Context, address, token string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode > 299 {
		return fmt.Errorf("%s: %s", address, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// idle opens a connection for each token and returns what each holds of heap and
// stacks; then, if it is given, does something with them.
func idle(ctx context.Context, address string, tokens []string, then func(*streamClient) error) (float64, error) {
	before := held()
	c, err := newStreamClient(ctx, address, tokens)
	if err != nil {
		return 0, err
	}
	defer c.close()
	time.Sleep(time.Second) // what a connection needs only at its beginning is given back
	each := (float64(held()) - float64(before)) / float64(len(tokens))
	if then != nil {
		err = then(c)
	}
	return each, err
}

// held is the live heap and the stacks.
func held() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// deliver measures an event for everybody, and one message to one visitor and to
// the consoles again and again while all are connected; then the same beside ten
// connections of that visitor and ten of an agent that nobody reads.
func deliver(ctx context.Context, eng *sangdam.Engine, base, api, token string, c *streamClient, figures map[string]any) error {
	agents := make([]string, widgetConsoles)
	for i := range agents {
		agents[i] = "a"
	}
	consoles, err := newStreamClient(ctx, base+"/desk/events?beat=2", agents)
	if err != nil {
		return err
	}
	defer consoles.close()
	m := delivery{eng: eng, api: api, token: token, widgets: c, consoles: consoles, figures: figures}
	if err := m.all(ctx, ""); err != nil {
		return err
	}
	for range 10 {
		for address, token := range map[string]string{api + "/events": token, base + "/desk/events?beat=2": "a"} {
			stop, err := stuck(address, token)
			if err != nil {
				return err
			}
			defer stop()
		}
	}
	time.Sleep(2 * time.Second) // coming and going is told once in a while
	return m.all(ctx, "stuck_")
}

// delivery is one measurement.
type delivery struct {
	eng               *sangdam.Engine
	api, token        string
	widgets, consoles *streamClient
	figures           map[string]any
	said              int
}

// present is the agent's coming or going, which every widget is told.
func (m *delivery) present(ctx context.Context, name string, presence routing.Presence) error {
	n, _ := m.figures["connections"].(int)
	word := fmt.Sprintf(`"agents":%v`, presence == routing.Online)
	p50, p99, err := m.widgets.measure(word, n, func() error {
		return m.eng.SetPresence(ctx, sangdam.AgentPrincipal(workspace, "a"), sangdam.SetPresence{Agent: "a", Presence: presence})
	})
	m.figures[name+"_ms_p50"], m.figures[name+"_ms_p99"] = p50, p99
	return err
}

// tail makes a message larger than what the system keeps of a few on a connection.
var tail = strings.Repeat("x", 9_000)

func (m *delivery) all(ctx context.Context, name string) error {
	if err := m.present(ctx, name+"broadcast", routing.Online); err != nil {
		return err
	}
	var own, desk []float64
	for range 200 {
		one, far, err := m.once(ctx)
		if err != nil {
			return err
		}
		own, desk = append(own, one), append(desk, far)
	}
	slices.Sort(own)
	slices.Sort(desk)
	m.figures[name+"post_to_own_stream_ms_p50"], m.figures[name+"post_to_own_stream_ms_p99"] = own[len(own)/2], own[len(own)*99/100]
	m.figures[name+"post_to_consoles_ms_p50"], m.figures[name+"post_to_consoles_ms_p99"] = desk[len(desk)/2], desk[len(desk)*99/100]
	return m.present(ctx, name+"broadcast_of_leaving", routing.Offline)
}

// once measures how long a message takes to its own stream and to the consoles.
func (m *delivery) once(ctx context.Context) (one, far float64, err error) {
	word := fmt.Sprintf("word-%d.", m.said)
	to := make(chan error, 1)
	listening := make(chan struct{})
	go func() { // of all consoles the slowest hundredth
		_, p99, err := m.consoles.measure(`"kind":"message"`, widgetConsoles, func() error { close(listening); return nil })
		far = p99
		to <- err
	}()
	<-listening
	one, _, err = m.widgets.measure(word, 1, func() error {
		m.said++
		return post(ctx, m.api+"/messages", m.token, map[string]string{"key": fmt.Sprintf("a-key-%04d", m.said), "text": word + tail},
			new(map[string]any))
	})
	return one, far, errors.Join(err, <-to)
}

// stuck opens a stream that nobody reads.
func stuck(address, token string) (func(), error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if tcp, is := conn.(*net.TCPConn); is {
		err = tcp.SetReadBuffer(1024)
	}
	_, sent := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", u.RequestURI(), u.Host, token)
	return func() { _ = conn.Close() }, errors.Join(err, sent)
}
