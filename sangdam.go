// Package sangdam is customer-service messaging to embed: channels,
// conversations with human agents, routing, tickets, triggers and storage.
//
// An Engine composes the domain packages over a store. Its host mounts
// Engine.Webhooks in its HTTP server, runs Engine.Run, and calls commands and
// queries in the name of a Principal:
//
//	db, err := sqlite.Open(ctx, sqlite.Options{Dir: "data"})
//	eng, err := sangdam.New(sangdam.Config{DB: db, Sealer: keys, Adapters: []adapter.Adapter{lineAdapter}})
//	http.Handle("/webhooks/", eng.Webhooks())
//	go eng.Run(ctx)
//
// The promise: every event answered 2xx and every command answered with
// success survives a crash, is visible exactly once, and a conversation never
// has two owners. docs/design.md says how, and which tests prove it.
//
// Begin with the program in examples/firststep, then Config, Principal, and the
// commands that it calls. A command is a struct and a method of one name:
// Answer says what is sent, Engine.Answer sends it. The Engine keeps no
// passwords and serves no pages by itself: the host decides who a person is,
// and mounts web/console, web/helpcenter or pages of its own. Package
// sangdamtest gives a host's tests a complete desk in memory. Each of the
// examples below shows one task. A code in brackets, such as (CV6), names a row
// of docs/requirements.md.
package sangdam

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/trigger/condition"
)

// Config is the configuration of an Engine. The comment of each field says what
// its zero value means; after "0:" it names the value that is used then.
type Config struct {
	// DB is required. The Engine does not close it.
	DB *store.DB
	// Sealer is required: credentials are sealed with it.
	Sealer seal.Sealer
	// Adapters are the channels that customers may write on, each kind at most
	// once.
	Adapters []adapter.Adapter
	// Carriers send what does not go over a channel: mail, web hooks and
	// notices to other systems. Each kind may be there at most once.
	Carriers []notify.Carrier
	// ConsoleURL is the address of the agents' console. What triggers send
	// links to <ConsoleURL>/conversations/<id>. Empty: no links.
	ConsoleURL string
	// Blobs keeps attachments. nil: the Engine keeps no files and fetches none
	// from providers.
	Blobs blob.Store
	// Bots are those that work streams may name (routing.WorkStream.Bot).
	Bots []bot.Bot
	// Strategies are those that queues may name besides the built-in ones. The
	// key of each is what its Name method returns.
	Strategies map[string]routing.Strategy
	// Policy decides what principals may do and see; nil means DefaultPolicy.
	Policy Policy
	// Fields are facts that only the host knows and that classification rules
	// may ask about. Facts returns their values for a conversation that is
	// about to be queued. It must answer quickly and from memory and must not
	// call the Engine; it may be called more than once for one conversation,
	// and by several goroutines at once.
	Fields []condition.Field
	Facts  func(conversation.Conversation) condition.Map
	// Logger gets the Engine's log; nil: nothing is logged. No message text,
	// token or secret is ever logged.
	Logger *slog.Logger
	// Hooks are called as things happen; each may be nil.
	Hooks Hooks
	// Node names this process among those on one database; empty: random.
	Node string
	// Seed is that of random decisions: the same seed, items and agents lead to
	// the same decisions.
	Seed uint64
	// InboxWorkers and OutboxWorkers are how many lanes of received events, and
	// how many lanes of messages to send, are worked on at once; 0: 128 and 32.
	// Within a lane, which is one chat, everything goes one after the other. Of
	// received events at most 64 lanes share a transaction, and two of these are
	// under way.
	InboxWorkers, OutboxWorkers int
	// Lease is how long a process may hold a piece of work without finishing
	// it, after which another process may take the work over; 0: 30 s. It must
	// exceed SendTimeout.
	Lease time.Duration
	// SendTimeout bounds one request to a provider; 0: 10 s.
	SendTimeout time.Duration
	// BotTimeout bounds one call of a bot; 0: 60 s. A call that takes longer
	// counts as failed. A call that goes on although its context has ended is
	// waited for no longer, and people take the conversation over.
	BotTimeout time.Duration
	// Poll is how often the Engine looks for work in the store when nothing has
	// told it that there is some; 0: 1 s.
	Poll time.Duration
	// MaxTries bounds how often one message to a provider is tried; 0: 30.
	// Those 30 tries take 46 to 92 minutes, since the pauses between them are
	// partly random. Carriers have pauses of their own.
	MaxTries int
	// MaxAppending bounds how many webhook requests may wait for the store at
	// once; 0: 4096. One more is answered 503, so that the provider sends it
	// again.
	MaxAppending int
	// MaxMedia is the largest attachment kept, in bytes; 0: 200 MiB.
	MaxMedia int64
	// FilesURL is the https address at which the host serves AttachmentLinks,
	// such as "https://desk.example/files"; for an emulator on this machine it
	// may be plain http. Channels whose provider fetches files need it. Empty:
	// no uploads can be sent on those channels.
	FilesURL string
	// RatingsURL is the https address at which the host serves the pages of
	// rating links (helpcenter.NewRatings), such as
	// "https://desk.example/ratings". Channels without buttons, such as mail,
	// need it. Empty: customers on those channels are not asked for a rating.
	RatingsURL string
	// AllowPrivate are the private networks from which the Engine may fetch
	// files that messages name. nil: files are fetched from public addresses
	// and usual ports only.
	AllowPrivate []netip.Prefix
	// DrainFor is how long Run, once it is cancelled, waits for work that has
	// begun; 0: 15 s.
	DrainFor time.Duration
	// KeepRaw is how long the raw bytes of received events are kept (0: 7
	// days), KeepKeys how long an event that a provider sends again is
	// recognised (0: 90 days), KeepFeed how far back the feed of Events reaches
	// (0: 7 days), and KeepResults how long a command's result is kept under
	// its Key (0: 48 hours).
	KeepRaw, KeepKeys, KeepFeed, KeepResults time.Duration
	// KeepLinks is how long an address under FilesURL works; 0: 90 days.
	KeepLinks time.Duration
}

// Hooks observe what this process does. They say nothing about what another
// process on the same database received, decided or sent; a console follows
// Engine.Stream instead. A hook is called after the commit, possibly by several
// goroutines at once. It must return quickly and must not call the Engine. Its
// arguments are ids and kinds, never text.
type Hooks struct {
	// Received is called when the events of one webhook request are stored:
	// envelopes is their number, and fresh how many of them had not come
	// before.
	Received func(ws WorkspaceID, account channel.AccountID, envelopes, fresh int)
	// Processed is called when a received event was processed and its
	// transaction has committed.
	Processed func(ws WorkspaceID, account channel.AccountID, kind adapter.EventKind)
	// Duplicate is called when an event brought a message that was stored
	// already under another event id. An event that comes again under the same
	// id never gets this far; Received does not count it as fresh.
	Duplicate func(ws WorkspaceID, account channel.AccountID, kind adapter.EventKind)
	// Quarantined is called when an event could not be processed and was put
	// aside (Engine.Quarantined).
	Quarantined func(ws WorkspaceID, account channel.AccountID, reason string)
	// Offered and Assigned are called when routing, or a person, offered or
	// assigned a piece of work.
	Offered  func(ws WorkspaceID, o routing.Offer)
	Assigned func(ws WorkspaceID, a routing.Assignment)
	// Sent is called when one try to send a message has ended; state is sent,
	// failed, unknown, or queued when it will be tried again.
	Sent func(ws WorkspaceID, account channel.AccountID, route string, state channel.OutboxState, reason channel.Reason)
}

// Engine receives events, routes conversations, sends messages and carries out
// commands and queries. All of its methods may be called by several goroutines
// at once, on several processes that share one database.
type Engine struct {
	cfg      Config
	db       *store.DB
	log      *slog.Logger
	policy   Policy
	adapters map[channel.Kind]*guardedAdapter
	bots     map[string]*guardedBot
	carriers map[notify.Kind]*guardedCarrier
	guard    *guard
	outage   outage
	hearing  hearing

	settings    settingsCache
	setups      setupCache
	tokens      tokenCache
	appending   atomic.Int64
	ends        ends
	prompt      bool // the store appends in time by itself
	bodies      bodyReader
	misses      missCache
	wake        wakeHub
	pulse       *pulse
	routers     routerSet
	streams     streams
	visitors    visitorHub
	present     sync.Map // workDesk to the routing.AgentID who was online there last
	running     atomic.Bool
	ready       atomic.Bool
	unindexed   workspaceSet
	shares      sharing
	sharesFor   time.Duration // togetherFor
	pages       pageKey
	triggerSets triggerCache
	kinds       []declaredKind
	allFound    atomic.Bool // every document is found by every order
	restKeys    restKeySet
	renewed     sync.Map // workspaces whose earlier contacts are found
	outside     *safehttp.Client
	decoding    chan struct{} // pictures that are decoded now
	large       chan struct{} // large events that are in memory now
}

func invalidConfig(format string, args ...any) error {
	return errs.New(errs.Invalid, "sangdam: Config."+format, args...)
}

// withDefaults fills what was left out.
func withDefaults(cfg Config) Config {
	cfg.InboxWorkers = cmp.Or(cfg.InboxWorkers, inboxRounds*maxTogether)
	cfg.OutboxWorkers = cmp.Or(cfg.OutboxWorkers, 32)
	cfg.Lease = cmp.Or(cfg.Lease, 30*time.Second)
	cfg.SendTimeout = cmp.Or(cfg.SendTimeout, 10*time.Second)
	cfg.BotTimeout = cmp.Or(cfg.BotTimeout, time.Minute)
	cfg.Poll = cmp.Or(cfg.Poll, time.Second)
	cfg.MaxTries = cmp.Or(cfg.MaxTries, 30)
	cfg.MaxAppending = cmp.Or(cfg.MaxAppending, 4096)
	cfg.MaxMedia = cmp.Or(cfg.MaxMedia, 200<<20)
	cfg.DrainFor = cmp.Or(cfg.DrainFor, 15*time.Second)
	cfg.KeepRaw = cmp.Or(cfg.KeepRaw, 7*24*time.Hour)
	cfg.KeepKeys = cmp.Or(cfg.KeepKeys, 90*24*time.Hour)
	cfg.KeepFeed = cmp.Or(cfg.KeepFeed, 7*24*time.Hour)
	cfg.KeepResults = cmp.Or(cfg.KeepResults, 48*time.Hour)
	cfg.KeepLinks = cmp.Or(cfg.KeepLinks, 90*24*time.Hour)
	if cfg.Node == "" {
		cfg.Node = uuid.NewString()
	}
	return cfg
}

// checkConfig refuses what cannot work, apart from adapters, bots and
// strategies, which New looks at.
func checkConfig(cfg Config) error {
	invalid := invalidConfig
	if cfg.DB == nil {
		return invalid("DB is nil; open a store first, e.g. sqlite.Open")
	}
	if isNil(cfg.Sealer) {
		return invalid("Sealer is nil; make one with tinkseal.OpenOrCreate, or seal.Ephemeral for a test")
	}
	if cfg.Policy != nil && isNil(cfg.Policy) || cfg.Blobs != nil && isNil(cfg.Blobs) {
		return invalid("Policy or Blobs is a nil pointer or function; leave it out or make one")
	}
	for name, s := range cfg.Strategies {
		if isNil(s) {
			return invalid("Strategies[%q] is nil; leave it out or make one", name)
		}
	}
	if err := checkSizes(cfg); err != nil {
		return err
	}
	if _, err := classify.New(routing.WorkStream{}, cfg.Fields...); err != nil {
		return invalid("Fields: %w", err)
	}
	if err := cmp.Or(checkPublicURL("FilesURL", cfg.FilesURL), checkPublicURL("RatingsURL", cfg.RatingsURL)); err != nil {
		return err
	}
	if cfg.SendTimeout >= cfg.Lease {
		return invalid("SendTimeout (%s) must be below Lease (%s), else a slow send loses its claim", cfg.SendTimeout, cfg.Lease)
	}
	for i, p := range cfg.AllowPrivate {
		if !p.IsValid() {
			return invalid("AllowPrivate[%d] is no network; write it like 10.0.0.0/8", i)
		}
	}
	return nil
}

// isNil says that there is nothing in an interface, or a pointer, function or map
// that is nil, which would panic when it is used.
func isNil(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map:
		return r.IsNil()
	default:
		return false
	}
}

// checkSizes refuses numbers and times that nothing could work with.
func checkSizes(cfg Config) error {
	for name, n := range map[string]int64{"InboxWorkers": int64(cfg.InboxWorkers), "OutboxWorkers": int64(cfg.OutboxWorkers),
		"MaxTries": int64(cfg.MaxTries), "MaxAppending": int64(cfg.MaxAppending), "MaxMedia": cfg.MaxMedia} {
		if n < 1 {
			return invalidConfig("%s is %d; it must be at least 1", name, n)
		}
	}
	for name, d := range map[string]time.Duration{"Lease": cfg.Lease, "SendTimeout": cfg.SendTimeout,
		"BotTimeout": cfg.BotTimeout, "Poll": cfg.Poll,
		"DrainFor": cfg.DrainFor, "KeepRaw": cfg.KeepRaw, "KeepKeys": cfg.KeepKeys, "KeepFeed": cfg.KeepFeed,
		"KeepResults": cfg.KeepResults,
		"KeepLinks":   cfg.KeepLinks} {
		if d < 0 {
			return invalidConfig("%s is negative", name)
		}
	}
	return nil
}

// checkPublicURL takes what others open; an emulator on this machine also fetches
// over plain http.
func checkPublicURL(name, address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err == nil && u.Scheme == "http" {
		ip, bad := netip.ParseAddr(u.Hostname())
		if u.Hostname() == "localhost" || bad == nil && ip.IsLoopback() {
			return nil
		}
	}
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return invalidConfig("%s must be an https address such as https://desk.example/files", name)
	}
	return nil
}

// New makes an Engine. It checks the whole configuration and returns ErrInvalid
// with the field at fault; it starts nothing and asks the database nothing.
// Engine.Run starts the work.
func New(cfg Config) (*Engine, error) {
	cfg = withDefaults(cfg)
	if err := checkConfig(cfg); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if cfg.Logger != nil {
		log = slog.New(safeLog{cfg.Logger.Handler()})
	}
	g := &guard{log: log}
	cfg.Sealer = guardedSealer{g: g, s: cfg.Sealer, timeout: cfg.SendTimeout}
	if cfg.Blobs != nil {
		cfg.Blobs = guardedBlobs{g: g, b: cfg.Blobs, timeout: cfg.SendTimeout}
	}
	e := &Engine{kinds: declaredKinds, misses: newMissCache(), pulse: newPulse(), cfg: cfg, db: cfg.DB, log: log, guard: g,
		sharesFor: togetherFor, decoding: make(chan struct{}, decodedAtOnce), large: make(chan struct{}, largeAtOnce),
		outside: safehttp.New(safehttp.Options{AllowPrivate: cfg.AllowPrivate, AnyPort: len(cfg.AllowPrivate) > 0, Logger: log})}
	_, e.prompt = cfg.DB.Backend().(driver.Prompt)
	e.prompt = e.prompt && cfg.Hooks.Received == nil // which may block
	e.policy = DefaultPolicy{}
	if cfg.Policy != nil {
		e.policy = guardedPolicy{g: g, p: cfg.Policy}
	}
	if err := e.plugIn(cfg); err != nil {
		return nil, err
	}
	if err := e.carry(cfg.Carriers); err != nil {
		return nil, err
	}
	if err := checkStrategies(cfg); err != nil {
		return nil, fmt.Errorf("sangdam: Config.Strategies: %w", err)
	}
	e.cfg.Strategies = make(map[string]routing.Strategy, len(cfg.Strategies))
	for name, s := range cfg.Strategies { // each under its own name, as was checked
		e.cfg.Strategies[name] = guardedStrategy{g: g, name: name, s: s}
	}
	return e, nil
}

// checkStrategies asks each strategy for its name, as every Board does.
func checkStrategies(cfg Config) (err error) {
	defer func() {
		if recover() != nil {
			err = errs.New(errs.Invalid, "one panics when it is asked for its name (in %s); make it with its constructor",
				errs.Where())
		}
	}()
	_, err = board.New(board.Options{Seed: cfg.Seed, Strategies: cfg.Strategies})
	return err
}

// plugIn takes the adapters and bots of the configuration.
func (e *Engine) plugIn(cfg Config) error {
	invalid := func(format string, args ...any) error {
		return errs.New(errs.Invalid, "sangdam: Config."+format, args...)
	}
	e.adapters, e.bots = map[channel.Kind]*guardedAdapter{}, map[string]*guardedBot{}
	for i, a := range cfg.Adapters {
		if isNil(a) {
			return invalid("Adapters[%d] is nil; leave it out or make one", i)
		}
		safe, err := newGuardedAdapter(e.guard, a, cfg.SendTimeout)
		if err != nil {
			return invalid("Adapters[%d] (%T) panics when it is asked for its kind; make it with its constructor", i, a)
		}
		if _, twice := e.adapters[safe.kind]; twice || !isName(safe.kind) {
			return invalid("Adapters has an empty or repeated kind %q, or one that is no name", shortened(string(safe.kind)))
		}
		e.adapters[safe.kind] = safe
	}
	return e.plugInBots(cfg.Bots)
}

// plugInBots takes the bots, each under its own name.
func (e *Engine) plugInBots(all []bot.Bot) error {
	for i, b := range all {
		if isNil(b) {
			return invalidConfig("Bots[%d] is nil; leave it out or make one", i)
		}
		safe, err := newGuardedBot(e.guard, b)
		if err != nil {
			return invalidConfig("Bots[%d] (%T) panics when it is asked for its name; make it with its constructor", i, b)
		}
		if _, twice := e.bots[safe.name]; twice || !isName(safe.name) {
			return invalidConfig("Bots has an empty or repeated name %q, or one that is no name", shortened(safe.name))
		}
		if s, ok := b.(bot.Script); ok {
			if err := s.Validate(); err != nil {
				return invalidConfig("Bots[%d] (%s): %w", i, safe.name, err)
			}
		}
		e.bots[safe.name] = safe
	}
	return nil
}

// Run works until ctx is cancelled: it processes stored envelopes, routes,
// sends, keeps deadlines and runs jobs. On cancel it stops taking work, waits
// up to Config.DrainFor for what is under way, and returns nil. It returns an
// error when it cannot start: the keys do not fit the database, or it runs
// already.
func (e *Engine) Run(ctx context.Context) error {
	if !e.running.CompareAndSwap(false, true) {
		return errs.New(errs.Invalid, "sangdam: the engine already runs; use one Run per Engine")
	}
	defer e.running.Store(false)
	if err := e.CheckKeys(ctx); err != nil {
		return err
	}
	if err := e.claimBlobs(ctx); err != nil {
		return err
	}
	if e.renewDocuments(ctx); ctx.Err() != nil {
		return nil
	}
	defer e.db.Wake(e.wake.give)()
	// What is under way when ctx ends may finish: work runs under drain.
	drain, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	loops := e.startLoops(ctx, drain)
	e.streams.begin()
	e.ready.Store(true)
	<-ctx.Done()
	e.ready.Store(false)
	e.streams.end()
	timer := time.AfterFunc(e.cfg.DrainFor, cut)
	defer timer.Stop()
	return loops.Wait()
}

// startLoops starts what runs until ctx ends; work under way then goes on under
// drain.
func (e *Engine) startLoops(ctx, drain context.Context) *errgroup.Group {
	loops, _ := errgroup.WithContext(drain)
	loops.Go(func() error { e.runPulse(ctx); return nil })
	loops.Go(func() error { e.runOutage(ctx); return nil })
	loops.Go(func() error { e.runInbox(ctx, drain); return nil })
	loops.Go(func() error { e.runOutbox(ctx, drain); return nil })
	loops.Go(func() error { e.runDeadlines(ctx, drain); return nil })
	loops.Go(func() error { e.runRouters(ctx, drain); return nil })
	loops.Go(func() error { e.runJobs(ctx, drain); return nil })
	loops.Go(func() error { e.runIndexer(ctx, drain); return nil })
	loops.Go(func() error { e.runKeeper(ctx, drain); return nil })
	loops.Go(func() error { e.runRunners(ctx); return nil })
	return loops
}

// sealCheck is where the record stands by which wrong keys are known.
const sealCheck = "seal-check"

// CheckKeys makes sure that Config.Sealer holds the keys with which this
// database was sealed, before anything is sealed with other ones. An empty
// database takes the keys as its own. Run and SaveAccount call it themselves; a
// host may call it at its start to find out early.
func (e *Engine) CheckKeys(ctx context.Context) error {
	sys := e.db.System()
	var loaded []byte
	return seal.Check(ctx, e.cfg.Sealer,
		func(ctx context.Context) (raw []byte, err error) {
			loaded, err = sys.Meta(ctx, sealCheck)
			return loaded, err
		},
		func(ctx context.Context, v []byte) error { return sys.PutMeta(ctx, sealCheck, loaded, v) })
}

// Ready returns nil when Run is running, the store answers, and the last writes
// reached it; otherwise the error names what is wrong. It writes nothing
// itself, so a health check may call it often.
func (e *Engine) Ready(ctx context.Context) error {
	if !e.ready.Load() {
		return errs.New(errs.Unavailable, "sangdam: the engine does not run")
	}
	return e.health(ctx)
}

// newID returns a fresh identifier, ordered by time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// newSecretID returns an unguessable identifier.
func newSecretID() string { return uuid.NewString() }
