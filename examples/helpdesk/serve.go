package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/web/helpcenter"
)

// beatEvery is how often the heart-beats are renewed of agents who have no
// console. Whoever has one is beaten for by it, as long as it is open.
const beatEvery = 20 * time.Second

// yesterday is how old a heart-beat is when its agent is not here any more.
const yesterday = time.Minute

// present are the agents of this process who have no console.
type present struct {
	mu sync.Mutex
	m  map[routing.AgentID]bool
}

func (p *present) set(a routing.AgentID, here bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m = map[routing.AgentID]bool{}
	}
	if delete(p.m, a); here {
		p.m[a] = true
	}
}

func (p *present) list() []routing.AgentID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.m))
}

// serve runs the engine and the HTTP server until ctx ends or one of them
// fails. On the way out it first lets requests under way finish, then what they
// began.
func (h *helpdesk) serve(ctx context.Context, ln net.Listener) error {
	if err := h.sendHome(ctx); err != nil {
		return err
	}
	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	routes, err := h.routes(streams)
	if err != nil {
		return err
	}
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	group, failed := errgroup.WithContext(ctx) // ends with ctx or the first failure
	group.Go(func() error { return h.eng.Run(working) })
	if !h.started(failed) {
		stopWork()
		return group.Wait() // the engine's own error, or nil when told to end
	}
	srv := &http.Server{Handler: routes, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	srv.RegisterOnShutdown(endStreams)
	h.announce(reachable(ln.Addr()))
	group.Go(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error { h.out.follow(working, h.eng); return nil })
	group.Go(func() error { h.keepBeating(failed); return nil })
	if h.o.auto {
		for _, id := range agents {
			group.Go(func() error { newEchoAgent(h, id).run(failed); return nil })
		}
	}
	<-failed.Done()
	h.out.note("draining: no new requests; what is under way ends")
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = srv.Shutdown(closing)
	stopWork()
	return errors.Join(group.Wait(), err)
}

// started waits until the engine works; false when it does not get there.
func (h *helpdesk) started(ctx context.Context) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for h.eng.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// sendHome makes agents Offline who were left Online by an earlier start and
// have no heart-beat since: without it they would be offered work until the
// engine misses them.
func (h *helpdesk) sendHome(ctx context.Context) error {
	all, err := h.eng.Agents(ctx, host())
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.State.Presence == "" || a.State.Presence == routing.Offline || time.Since(a.State.BeatAt) < yesterday {
			continue
		}
		if err := h.eng.SetPresence(ctx, host(),
			sangdam.SetPresence{Agent: a.ID, Presence: routing.Offline, Reason: "restart"}); err != nil {
			return err
		}
	}
	return nil
}

// beat renews the heart-beats of agents without a console. One of them who is
// Offline meanwhile is no error of ours.
func (h *helpdesk) beat(ctx context.Context) error {
	here := h.present.list()
	if len(here) == 0 {
		return nil
	}
	err := h.eng.Heartbeat(ctx, workspace, here...)
	if errors.Is(err, sangdam.ErrStale) {
		return nil
	}
	return err
}

func (h *helpdesk) keepBeating(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := h.beat(ctx); err != nil && ctx.Err() == nil {
				h.out.logger().Warn("the agents' heart-beats could not be renewed", "error", err)
			}
		}
	}
}

// routes is everything that is served.
func (h *helpdesk) routes(streams context.Context) (http.Handler, error) {
	pages, err := h.pages(streams)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		if err := h.eng.Ready(ctx); err != nil {
			h.out.logger().Warn("not ready", "error", err)
			plain(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	mux.Handle("/webhooks/{token}", h.rec.wrap(h.eng.Webhooks())) // of the one account there is
	if h.account != nil {
		mux.Handle("/webhooks/line", h.rec.wrap(h.eng.AccountWebhook(h.account.Token)))
	}
	mux.Handle("/files/", sangdam.AttachmentLinks(h.eng))
	for _, path := range []string{"/{$}", "/console/", "/sign-in", "/sign-in.css", "/sign-out", "/join", "/enter/"} {
		mux.Handle(path, pages)
	}
	chat := http.StripPrefix("/webchat", webchat.NewHandler(h.eng.Visitor(), webchat.Options{Logger: h.out.logger()}))
	mux.HandleFunc("/webchat/", func(w http.ResponseWriter, r *http.Request) { endingWith(streams, chat, w, r) })
	help, err := helpcenter.NewHandler(h.eng,
		helpcenter.Options{Prefix: "/help", Workspace: workspace, Desk: deskID, Logger: h.out.logger()})
	if err != nil {
		return nil, err
	}
	mux.Handle("/help/", help)
	ratings, err := helpcenter.NewRatings(h.eng, helpcenter.RatingOptions{Prefix: "/ratings", Logger: h.out.logger()})
	if err != nil {
		return nil, err
	}
	mux.Handle("/ratings/", ratings)
	if h.shop != "" {
		mux.HandleFunc("GET /shop", h.serveShop)
	}
	mux.Handle("/", h.api())
	return mux, nil
}

// endingWith serves a request whose stream must not outlive the server.
func endingWith(streams context.Context, next http.Handler, w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(streams, cancel)()
	next.ServeHTTP(w, r.WithContext(ctx))
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintln(w, text) //nolint:errcheck // the caller may be gone
}

// announce prints what is served and how to use it.
func (h *helpdesk) announce(addr string) {
	base := "http://" + addr
	h.out.note("serving on %s (GET /healthz, /readyz)", base)
	if h.o.postgres != "" {
		h.out.note("data in PostgreSQL; attachments and keys in %s", h.o.data)
	} else {
		h.out.note("data in %s", h.o.data)
	}
	if h.warning != "" && !h.o.demo {
		h.out.note("warning: %s", h.warning)
	}
	public := h.o.publicURL
	if public == "" {
		public = base
	}
	if h.account != nil {
		h.out.note("LINE webhook: %s/webhooks/line", public)
	} else {
		h.out.note("no LINE account: set LINE_CHANNEL_ID, LINE_CHANNEL_SECRET and LINE_CHANNEL_TOKEN to serve one")
	}
	if h.o.mailbox.given() {
		h.out.note("mailbox: %s", h.o.mailbox.address)
	}
	if h.token != "" {
		h.out.note("token of the JSON interface, shown this once: %s", h.token)
	}
	if h.o.record != "" {
		h.out.note("recording webhooks in %s, without what was written and who wrote it", h.o.record)
	}
	if h.o.demo {
		h.announceDemo(base)
		return
	}
	h.out.note("console: %s/console/", base)
	if h.password != "" {
		h.out.note("sign in as %s; the password, shown this once: %s", administrator, h.password)
	}
	if h.o.auto {
		h.out.note("the agents %v are a program that answers everything with an echo", agents)
		return
	}
	h.out.note(usage, base)
}

// announceDemo prints what to open, and what to paste for one who prefers a
// terminal to the phone's page.
func (h *helpdesk) announceDemo(base string) {
	h.out.note("demonstration, no account needed. Open these two side by side:")
	h.out.note("  you, the agent: %s/enter/%s", base, h.o.entry)
	h.out.note("  customer's phone at %s and write", h.o.line.apiBase)
	h.out.note("  or as a visitor of the shop's page: %s/shop", base)
	if h.o.auto {
		h.out.note("while you are not online, the agents %v are a program that answers", agents)
	}
	h.out.note(demoUsage, h.o.line.apiBase)
}

const demoUsage = `a customer without the page (paste):
  phone=%s
  id=$(curl -sS $phone/_emulator/users -H 'Content-Type: application/json' -d '{"name":"Mina"}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
  curl -sS $phone/_emulator/users/$id/messages -H 'Content-Type: application/json' -d '{"type":"text","text":"안녕하세요"}'`

const usage = `to be the agent, from this machine (put the token into $TOKEN):
  api() { curl -sS -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$@"; }; base=%s
  api $base/agent/agent-1/presence -d '{"presence":"online"}'
  api $base/agent/agent-1/offers
  api $base/offers/OFFER/accept -d '{"agent":"agent-1"}'
  api $base/conversations            # all of them; /conversations/ID shows one
  api $base/conversations/ID/answer -d '{"agent":"agent-1","text":"Hello!"}'
  api $base/conversations/ID/end -d '{"agent":"agent-1"}'
  api $base/status                   # what waits`
