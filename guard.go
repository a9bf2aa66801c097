package sangdam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/seal"
)

// Foreign code is what the host gives the engine: adapters, bots, strategies,
// the policy, hooks, the sealer, the blob store. Every call of it goes through
// this file, so that whatever it does, the host's process lives on: a panic is
// a failed call, what does I/O is cut off at its bound, and what must not block
// is at least named when it does. Its errors keep their identity for errors.Is
// and errors.As, but not their text: they may quote what a customer said or the
// secret that was refused, and sooner or later somebody logs them.

// slowAfter is when the watchdog names a call that should have returned at
// once. Go cannot cut off a function that does not want to end; on SQLite one
// inside a transaction holds up every writer.
const slowAfter = time.Second

// cutGrace is how long a call may take to notice that its context has ended.
const cutGrace = 100 * time.Millisecond

// maxLeftBehind is how many calls of one adapter, bot or store may be left
// behind before no more are made: each holds a goroutine, and more of the same
// would only fill the memory.
const maxLeftBehind = 8

// guard counts the calls that were left behind.
type guard struct {
	log *slog.Logger

	mu   sync.Mutex
	left map[string]int

	watchers sync.Pool
}

// foreignError is an error of foreign code: without its text, or with it where it
// is meant for who asked. Its own methods are foreign code too, so what it is and
// says is asked here alone.
type foreignError struct {
	who, call string
	err       error
	spoken    bool // its text is for who asked
}

func (f *foreignError) Error() string {
	if f.spoken {
		return f.words()
	}
	return f.nameless()
}

func (f *foreignError) nameless() string {
	return fmt.Sprintf("sangdam: %s: %s failed: %s", f.who, f.call, kindName(f))
}

// words is the text of the error itself, as far as people can read it.
func (f *foreignError) words() (text string) {
	defer func() {
		if recover() != nil {
			text = f.nameless()
		}
	}()
	return cleaned(f.err.Error(), maxDetail)
}

func (f *foreignError) Is(target error) (is bool) {
	defer func() { _ = recover() }()
	return errors.Is(f.err, target)
}

func (f *foreignError) As(target any) (as bool) {
	defer func() { _ = recover() }()
	return errors.As(f.err, target)
}

// errPanicked is what a panic becomes, without its value. Another try may
// succeed, so it is a temporary failure; who tries counts.
var errPanicked = errs.New(errs.Unavailable, "it panicked")

// panicked says where foreign code did. What becomes of the call is told by whoever made it.
func (g *guard) panicked(who, call, where string) {
	g.log.Error("foreign code panicked", "who", who, "call", call, "where", where)
}

// errLeftBehind marks the end of a call that goes on all the same.
var errLeftBehind = errors.New("it was left behind")

// answered runs a call whose error is an answer in words for who asked, such as a
// refusal of settings; nobody logs them. Refusals in the library's own form stay as
// they are, so that they can be said in another language.
func (g *guard) answered(who, call string, fn func() error) error {
	answer, err := inline(g, who, call, func() (error, error) { return fn(), nil })
	if err != nil || answer == nil {
		return err
	}
	if _, _, own := errs.Parts(answer); own {
		return answer
	}
	return &foreignError{who: who, call: call, err: answer, spoken: true}
}

// isForeign says that the error comes from foreign code, not from the store.
func isForeign(err error) bool {
	_, is := errors.AsType[*foreignError](err)
	return is
}

func (g *guard) failed(who, call string, err error) error {
	if err == nil {
		return nil
	}
	return &foreignError{who: who, call: call, err: err}
}

// watcher names a call that has not returned after a second. It is used again for
// other calls, and its timer, once set, is left to run: to set and stop one costs
// several times what most of those calls do.
type watcher struct {
	g     *guard
	mu    sync.Mutex
	timer *time.Timer
	set   bool // the timer runs
	who   string
	call  string
	began time.Time // zero: nothing runs
}

// watch begins; the watcher is to be told of the return.
func (g *guard) watch(who, call string) *watcher {
	w, _ := g.watchers.Get().(*watcher)
	if w == nil {
		w = &watcher{g: g}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.who, w.call, w.began = who, call, time.Now()
	if !w.set {
		w.wait(slowAfter)
	}
	return w
}

func (w *watcher) wait(d time.Duration) {
	w.set = true
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.look)
		return
	}
	w.timer.Reset(d)
}

func (w *watcher) returned() {
	w.mu.Lock()
	w.began = time.Time{}
	w.mu.Unlock()
	w.g.watchers.Put(w)
}

// look is what the timer does.
func (w *watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = false
	if w.began.IsZero() {
		return
	}
	if left := slowAfter - time.Since(w.began); left > 0 {
		w.wait(left)
		return
	}
	w.g.log.Warn("foreign code that must not block has not returned", "who", w.who, "call", w.call, "after", slowAfter)
}

// inline runs a call that does no I/O.
func inline[T any](g *guard, who, call string, fn func() (T, error)) (v T, err error) {
	w := g.watch(who, call)
	defer func() {
		w.returned()
		if recover() != nil { // without the value: it may hold a customer's words
			g.panicked(who, call, errs.Where())
			var none T
			v, err = none, g.failed(who, call, errPanicked)
		}
	}()
	v, err = fn()
	return v, g.failed(who, call, err)
}

// bounded runs a call that may block, at most for limit. One that does not heed
// the end of its context is left behind and counted; its result is dropped.
func bounded[T any](ctx context.Context, g *guard, who, call string, limit time.Duration,
	fn func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	var none T
	if err := g.stuck(who); err != nil {
		return none, g.failed(who, call, err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: errPanicked}
		defer func() {
			if recover() != nil {
				g.panicked(who, call, errs.Where())
				o = outcome{err: errPanicked}
			}
			done <- o
		}()
		o.v, o.err = fn(ctx)
	}()
	select {
	case o := <-done:
		return o.v, g.failed(who, call, o.err)
	case <-ctx.Done():
	}
	grace := time.NewTimer(cutGrace)
	defer grace.Stop()
	select {
	case o := <-done:
		return o.v, g.failed(who, call, o.err)
	case <-grace.C:
	}
	g.leave(who, call)
	go func() {
		<-done
		g.back(who)
	}()
	return none, g.failed(who, call, errors.Join(errLeftBehind, ctx.Err()))
}

// stuck refuses to call what has left too many calls behind.
func (g *guard) stuck(who string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left[who] < maxLeftBehind {
		return nil
	}
	return errs.New(errs.Unavailable, "sangdam: %d calls of %s do not end although their time is over; it must heed its context",
		g.left[who], who)
}

func (g *guard) leave(who, call string) {
	g.mu.Lock()
	if g.left == nil {
		g.left = map[string]int{}
	}
	g.left[who]++
	n := g.left[who]
	g.mu.Unlock()
	g.log.Error("a call does not end although its time is over; it is left behind", "who", who, "call", call, "left_behind", n)
}

func (g *guard) back(who string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left[who]--
}

// hook runs a hook of the host; what becomes of it changes nothing.
func (e *Engine) hook(name string, fn func()) {
	_, err := inline(e.guard, "hook", name, func() (struct{}, error) { fn(); return struct{}{}, nil })
	if err != nil {
		e.log.Error("a hook panicked", "hook", name)
	}
}

// guardedPolicy asks the host's policy. Its refusals reach the caller as they
// are; one that panics refuses, and where Scope panics nothing is left out of
// what Authorize is asked about.
type guardedPolicy struct {
	g *guard
	p Policy
}

func (p guardedPolicy) Authorize(ctx context.Context, w Who, a Action, r Resource) error {
	return p.g.answered("policy", string(a), func() error { return p.p.Authorize(ctx, w, a, r) })
}

func (p guardedPolicy) Scope(w Who, kind string) Scope {
	scope, err := inline(p.g, "policy", "Scope of "+kind, func() (Scope, error) { return p.p.Scope(w, kind), nil })
	if err != nil {
		p.g.log.Error("the policy's Scope panicked; records are asked for one by one")
	}
	return p.reachable(scope)
}

// guardedStrategy is a strategy of the host as Boards call it: they are pure and
// have no clock to notice one that blocks. What panics or answers nonsense, the
// Board itself passes over and names.
type guardedStrategy struct {
	g    *guard
	name string
	s    routing.Strategy
}

func (s guardedStrategy) Name() string { return s.name }

func (s guardedStrategy) Key(it routing.Item, a routing.Agent, q routing.Queue) float64 {
	defer s.g.watch("strategy "+s.name, "Key").returned()
	return s.s.Key(it, a, q)
}

// guardedAdapter is an adapter as the engine calls it. What is constant by
// contract is asked once.
type guardedAdapter struct {
	g       *guard
	who     string
	kind    channel.Kind
	caps    adapter.Capabilities
	a       adapter.Adapter
	timeout time.Duration // of one request to the provider

	profiler adapter.Profiler
	chats    adapter.ChatProfiler
	fetcher  adapter.MediaFetcher
	typing   adapter.TypingIndicator
	marker   adapter.ReadMarker
	checker  adapter.Checker
	connect  adapter.Connector
	inviter  adapter.Inviter
	runner   adapter.Runner
	unpacker adapter.Unpacker
	files    adapter.FileSender
	changer  adapter.Changer
	format   adapter.Formatted
}

func newGuardedAdapter(g *guard, a adapter.Adapter, timeout time.Duration) (*guardedAdapter, error) {
	out := &guardedAdapter{g: g, who: "adapter", a: a, timeout: timeout}
	_, err := inline(g, out.who, "Kind and Capabilities", func() (struct{}, error) {
		out.kind, out.caps = a.Kind(), a.Capabilities()
		return struct{}{}, nil
	})
	out.who = "adapter " + string(out.kind)
	out.profiler, _ = a.(adapter.Profiler)
	out.chats, _ = a.(adapter.ChatProfiler)
	out.fetcher, _ = a.(adapter.MediaFetcher)
	out.typing, _ = a.(adapter.TypingIndicator)
	out.marker, _ = a.(adapter.ReadMarker)
	out.checker, _ = a.(adapter.Checker)
	out.connect, _ = a.(adapter.Connector)
	out.inviter, _ = a.(adapter.Inviter)
	out.runner, _ = a.(adapter.Runner)
	out.unpacker, _ = a.(adapter.Unpacker)
	out.files, _ = a.(adapter.FileSender)
	out.changer, _ = a.(adapter.Changer)
	out.format, _ = a.(adapter.Formatted)
	return out, err
}

func (a *guardedAdapter) Capabilities() adapter.Capabilities { return a.caps }

// Validate returns the adapter's own words: they are for the administrator who
// typed the settings, and nobody logs them.
func (a *guardedAdapter) Validate(acct channel.Account) error {
	return a.g.answered(a.who, "Validate", func() error { return a.a.Validate(acct) })
}

// MayChange returns the adapter's own words, as Validate does.
func (a *guardedAdapter) MayChange(old, next channel.Account) error {
	if a.changer == nil {
		return nil
	}
	return a.g.answered(a.who, "MayChange", func() error { return a.changer.MayChange(old, next) })
}

// OtherFormat is none of an adapter without such texts.
func (a *guardedAdapter) OtherFormat(was, next channel.Account, format string) ([]string, error) {
	if a.format == nil {
		return nil, nil
	}
	return inline(a.g, a.who, "OtherFormat", func() ([]string, error) { return a.format.OtherFormat(was, next, format), nil })
}

func (a *guardedAdapter) Receive(acct channel.Account, req adapter.Request) (adapter.Receipt, error) {
	return inline(a.g, a.who, "Receive", func() (adapter.Receipt, error) { return a.a.Receive(acct, req) })
}

func (a *guardedAdapter) Parse(acct channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	in, err := inline(a.g, a.who, "Parse", func() (adapter.Inbound, error) { return a.a.Parse(acct, env) })
	if err != nil {
		return in, err
	}
	if err := checkInbound(&in); err != nil {
		a.g.babbles(a.who, "Parse", err.Error())
		return adapter.Inbound{}, err
	}
	return in, nil
}

// Plan returns a *adapter.SendError for a row that cannot be sent.
func (a *guardedAdapter) Plan(acct channel.Account, batch []adapter.Outbound, now time.Time) (adapter.Attempt, error) {
	at, err := inline(a.g, a.who, "Plan", func() (adapter.Attempt, error) { return a.a.Plan(acct, batch, now, uuid.NewString) })
	if errors.Is(err, errPanicked) {
		err = &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent,
			Detail: "the adapter panicked while planning"}
	}
	if err != nil {
		return at, a.g.meant(a.who, "Plan", 0, err)
	}
	if what := checkAttempt(at, batch); what != "" {
		a.g.babbles(a.who, "Plan", what)
		return adapter.Attempt{}, &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent,
			Detail: "the adapter planned " + what}
	}
	return at, nil
}

// Send performs an Attempt; a panic is an ambiguous outcome.
func (a *guardedAdapter) Send(ctx context.Context, acct channel.Account, at adapter.Attempt, open adapter.OpenFile) (adapter.Sent, error) {
	sent, err := bounded(ctx, a.g, a.who, "Send", a.timeout, func(ctx context.Context) (adapter.Sent, error) {
		if a.files != nil {
			return a.files.SendFiles(ctx, acct, at, open)
		}
		return a.a.Send(ctx, acct, at)
	})
	if errors.Is(err, errPanicked) {
		err = &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonProvider,
			Detail: "the adapter panicked while sending"}
	}
	return a.usable(sent, len(at.Rows)), a.g.meant(a.who, "Send", len(at.Rows), err)
}

func (a *guardedAdapter) Profile(ctx context.Context, acct channel.Account, chat channel.Chat,
	u channel.ProviderUserID) (channel.Profile, error) {
	p, err := bounded(ctx, a.g, a.who, "Profile", a.timeout, func(ctx context.Context) (channel.Profile, error) {
		return a.profiler.Profile(ctx, acct, chat, u)
	})
	return a.presentable("Profile", p), err
}

func (a *guardedAdapter) ChatProfile(ctx context.Context, acct channel.Account, chat channel.Chat) (channel.Profile, error) {
	p, err := bounded(ctx, a.g, a.who, "ChatProfile", a.timeout, func(ctx context.Context) (channel.Profile, error) {
		return a.chats.ChatProfile(ctx, acct, chat)
	})
	return a.presentable("ChatProfile", p), err
}

// FetchMedia streams for as long as ctx allows.
func (a *guardedAdapter) FetchMedia(ctx context.Context, acct channel.Account, ref string, sink adapter.MediaSink) error {
	return a.call(ctx, "FetchMedia", mediaFor, func(ctx context.Context) error { return a.fetcher.FetchMedia(ctx, acct, ref, sink) })
}

func (a *guardedAdapter) ShowTyping(ctx context.Context, acct channel.Account, chat channel.Chat, d time.Duration) error {
	return a.call(ctx, "ShowTyping", a.timeout, func(ctx context.Context) error { return a.typing.ShowTyping(ctx, acct, chat, d) })
}

func (a *guardedAdapter) MarkRead(ctx context.Context, acct channel.Account, handle string) error {
	return a.call(ctx, "MarkRead", a.timeout, func(ctx context.Context) error { return a.marker.MarkRead(ctx, acct, handle) })
}

// Check may ask the provider several things in turn.
func (a *guardedAdapter) Check(ctx context.Context, acct channel.Account, callbackURL string) ([]adapter.Finding, error) {
	found, err := bounded(ctx, a.g, a.who, "Check", 3*a.timeout, func(ctx context.Context) ([]adapter.Finding, error) {
		return a.checker.Check(ctx, acct, callbackURL)
	})
	return a.readable(found), err
}

func (a *guardedAdapter) SetEndpoint(ctx context.Context, acct channel.Account, address string) error {
	return a.call(ctx, "SetEndpoint", a.timeout, func(ctx context.Context) error { return a.connect.SetEndpoint(ctx, acct, address) })
}

func (a *guardedAdapter) Invite(ctx context.Context, acct channel.Account, size int) (channel.Invitation, error) {
	return bounded(ctx, a.g, a.who, "Invite", a.timeout, func(ctx context.Context) (channel.Invitation, error) {
		return a.inviter.Invite(ctx, acct, size)
	})
}

// runFor is as good as no bound: a run ends with its context.
const runFor = 10 * 365 * 24 * time.Hour

// Run follows an account until ctx ends. A run that does not heed the end is
// left behind and counted, as any other call is.
func (a *guardedAdapter) Run(ctx context.Context, acct channel.Account, in adapter.Intake) error {
	return a.call(ctx, "Run", runFor, func(ctx context.Context) error { return a.runner.Run(ctx, acct, in) })
}

// Unpack streams a file out of a stored envelope.
func (a *guardedAdapter) Unpack(ctx context.Context, acct channel.Account, env adapter.Envelope, ref string, sink adapter.MediaSink) error {
	return a.call(ctx, "Unpack", mediaFor, func(context.Context) error { return a.unpacker.Unpack(acct, env, ref, sink) })
}

func (a *guardedAdapter) call(ctx context.Context, name string, limit time.Duration, fn func(context.Context) error) error {
	_, err := bounded(ctx, a.g, a.who, name, limit, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}

// guardedBot is a bot as the engine calls it.
type guardedBot struct {
	g    *guard
	name string
	b    bot.Bot
}

func newGuardedBot(g *guard, b bot.Bot) (*guardedBot, error) {
	name, err := inline(g, "bot", "Name", func() (string, error) { return b.Name(), nil })
	return &guardedBot{g: g, name: name, b: b}, err
}

// Next asks the bot, at most for limit.
func (b *guardedBot) Next(ctx context.Context, t bot.Turn, limit time.Duration) (bot.Reply, error) {
	r, err := bounded(ctx, b.g, "bot "+b.name, "Next", limit, func(ctx context.Context) (bot.Reply, error) { return b.b.Next(ctx, t) })
	if err == nil {
		err = b.checkReply(r)
	}
	return r, err
}

// guardedSealer is the host's sealer; its keys may be elsewhere.
type guardedSealer struct {
	g       *guard
	s       seal.Sealer
	timeout time.Duration
}

func (s guardedSealer) Seal(ctx context.Context, ad seal.AD, plain []byte) ([]byte, error) {
	sealed, err := bounded(ctx, s.g, "sealer", "Seal", s.timeout,
		func(ctx context.Context) ([]byte, error) { return s.s.Seal(ctx, ad, plain) })
	if err == nil && len(sealed) == 0 { // kept, it would be lost
		err = errs.New(errs.Unavailable, "sangdam: the sealer sealed %d bytes to none; it must return what Open takes", len(plain))
	}
	return sealed, err
}

func (s guardedSealer) Open(ctx context.Context, ad seal.AD, sealed []byte) ([]byte, error) {
	return bounded(ctx, s.g, "sealer", "Open", s.timeout, func(ctx context.Context) ([]byte, error) { return s.s.Open(ctx, ad, sealed) })
}

func (s guardedSealer) KeyID() string {
	name, _ := inline(s.g, "sealer", "KeyID", func() (string, error) { return s.s.KeyID(), nil })
	return name
}

// NeedsReseal of a sealer that panics: sealing again will show what is wrong.
func (s guardedSealer) NeedsReseal(sealed []byte) bool {
	needs, err := inline(s.g, "sealer", "NeedsReseal", func() (bool, error) { return s.s.NeedsReseal(sealed), nil })
	return needs || err != nil
}

// guardedBlobs is the host's blob store.
type guardedBlobs struct {
	g       *guard
	b       blob.Store
	timeout time.Duration
}

func (b guardedBlobs) Put(ctx context.Context, r io.Reader, limit int64) (blob.Info, error) {
	info, err := bounded(ctx, b.g, "blob store", "Put", mediaFor,
		func(ctx context.Context) (blob.Info, error) { return b.b.Put(ctx, r, limit) })
	if err == nil {
		err = checkStored(info, limit)
	}
	return info, err
}

func (b guardedBlobs) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := bounded(ctx, b.g, "blob store", "Open", b.timeout,
		func(ctx context.Context) (io.ReadCloser, error) { return b.b.Open(ctx, name) })
	if err != nil {
		return nil, err
	}
	if s, can := r.(io.ReadSeekCloser); can {
		return guardedSeeker{guardedReader{b.g, r}, s}, nil
	}
	return guardedReader{b.g, r}, nil
}

// guardedReader is a file of the host's blob store. How long a read takes is the
// affair of who reads; one that panics is an error.
type guardedReader struct {
	g *guard
	r io.ReadCloser
}

func (r guardedReader) Read(p []byte) (n int, err error) {
	defer r.recovered("Read", &err)
	if n, err = r.r.Read(p); n < 0 || n > len(p) {
		return 0, errs.New(errs.Unavailable, "sangdam: the blob store read %d bytes into %d; no Reader may", n, len(p))
	}
	return n, err
}

func (r guardedReader) Close() (err error) {
	defer r.recovered("Close", &err)
	return r.r.Close()
}

func (r guardedReader) recovered(call string, err *error) {
	if recover() != nil {
		r.g.panicked("blob store", call, errs.Where())
		*err = r.g.failed("blob store", call, errPanicked)
	}
}

// guardedSeeker is one whose bytes can be read from any place.
type guardedSeeker struct {
	guardedReader
	s io.Seeker
}

func (s guardedSeeker) Seek(offset int64, whence int) (at int64, err error) {
	defer s.recovered("Seek", &err)
	return s.s.Seek(offset, whence)
}

func (b guardedBlobs) Delete(ctx context.Context, name string) error {
	_, err := bounded(ctx, b.g, "blob store", "Delete", b.timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.b.Delete(ctx, name)
	})
	return err
}

func (b guardedBlobs) List(ctx context.Context, before time.Time, after string, limit int) ([]string, error) {
	names, err := bounded(ctx, b.g, "blob store", "List", b.timeout, func(ctx context.Context) ([]string, error) {
		return b.b.List(ctx, before, after, limit)
	})
	if err == nil {
		err = checkListed(names, after, limit)
	}
	return names, err
}

// Claim passes a claim on where the host's store knows of it.
func (b guardedBlobs) Claim(ctx context.Context, database string) error {
	c, can := b.b.(blob.Claimer)
	if !can {
		return nil
	}
	_, err := bounded(ctx, b.g, "blob store", "Claim", b.timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.Claim(ctx, database)
	})
	return err
}

// safeLog keeps errors that are not the library's own out of the log: an error
// without one of our kinds shows as its type alone. Errors of the library name
// the thing and the remedy, never a secret or a customer's text.
type safeLog struct{ slog.Handler }

func (h safeLog) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(safeAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

func (h safeLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	safe := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		safe[i] = safeAttr(a)
	}
	return safeLog{h.Handler.WithAttrs(safe)}
}

func (h safeLog) WithGroup(name string) slog.Handler { return safeLog{h.Handler.WithGroup(name)} }

func safeAttr(a slog.Attr) slog.Attr {
	err, is := a.Value.Any().(error)
	if own, spoken := errors.AsType[*foreignError](err); spoken && own.spoken {
		return slog.String(a.Key, own.nameless())
	}
	if !is || errs.KindOf(err) != nil || isForeign(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return a
	}
	return slog.String(a.Key, fmt.Sprintf("internal error (%T)", err))
}
