// Package email connects mailboxes: mails become conversations and answers leave
// as mails. It fetches by IMAP, with IDLE where the server has it, and sends by
// SMTP.
//
//   - what an account needs: settings.go
//   - fetching, one connection a folder, from a checkpoint: run.go, imap.go
//   - what a mail means: parse.go, with message and thread
//   - answers, planned to the byte and sent with their files: plan.go, files.go, send.go
//   - whether the set-up works: check.go
//   - an emulator of both servers and of the customer's mailbox: emailtest
//
// A mail belongs to a thread by an unforgeable token, else by the exact ids that
// it answers; its subject identifies nothing. Machines, lists and bounces are
// recognised and never answered; what they escape is bounded by
// Capabilities.Automatic.
package email

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// Kind is the channel's name.
const Kind channel.Kind = "email"

// RouteSMTP is the one way of sending.
const RouteSMTP = "smtp"

// What a mail that leaves carries.
const (
	MaxChars = 50000 // characters of its text
	MaxFiles = 20
)

// Options configures New.
type Options struct {
	// AllowPrivate are private networks in which mail servers may be; nil: only
	// public addresses are reached.
	AllowPrivate []netip.Prefix
	// Dial replaces the guarded connection, for an emulator; nil in production.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is the base of every encrypted connection, for certificates of one's
	// own; nil: the system's.
	TLS *tls.Config
	// LookupTXT, LookupIP and LookupMX find the records of a name, for Check; MX
	// as the names of the servers. All nil: the system's; of several the nil ones
	// find nothing.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	LookupIP  func(ctx context.Context, name string) ([]netip.Addr, error)
	LookupMX  func(ctx context.Context, name string) ([]string, error)
	// Poll is how often a mailbox is looked at although the server would tell
	// (IDLE); 0: 5 minutes. Without IDLE it is a fifth of it.
	Poll time.Duration
	// Logger gets outcomes, never addresses, subjects or texts; nil is silent.
	Logger *slog.Logger
}

// Adapter connects mail accounts. It is safe for concurrent use.
type Adapter struct {
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	lookupTXT func(ctx context.Context, name string) []string
	lookupIP  func(ctx context.Context, name string) []netip.Addr
	lookupMX  func(ctx context.Context, name string) []string
	tls       *tls.Config
	poll      time.Duration
	log       *slog.Logger
}

var (
	_ adapter.Adapter    = (*Adapter)(nil)
	_ adapter.Runner     = (*Adapter)(nil)
	_ adapter.Unpacker   = (*Adapter)(nil)
	_ adapter.Checker    = (*Adapter)(nil)
	_ adapter.FileSender = (*Adapter)(nil)
	_ adapter.Changer    = (*Adapter)(nil)
	_ adapter.Formatted  = (*Adapter)(nil)
)

// New returns an adapter. It does no I/O.
func New(o Options) *Adapter {
	a := &Adapter{dial: o.Dial, tls: o.TLS, poll: o.Poll, log: o.Logger}
	a.resolveBy(o)
	if a.dial == nil {
		a.dial = safehttp.New(safehttp.Options{AllowPrivate: o.AllowPrivate, AnyPort: true}).DialContext
	}
	if a.poll == 0 {
		a.poll = 5 * time.Minute
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	return a
}

// resolveBy takes the lookups of the options, or the system's.
func (a *Adapter) resolveBy(o Options) {
	if o.LookupTXT == nil && o.LookupIP == nil && o.LookupMX == nil {
		o.LookupTXT = net.DefaultResolver.LookupTXT
		o.LookupIP = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
		o.LookupMX = func(ctx context.Context, name string) (hosts []string, err error) {
			all, err := net.DefaultResolver.LookupMX(ctx, name)
			for _, mx := range all {
				hosts = append(hosts, mx.Host)
			}
			return hosts, err
		}
	}
	a.lookupTXT = func(ctx context.Context, name string) []string { return found(ctx, name, o.LookupTXT) }
	a.lookupIP = func(ctx context.Context, name string) []netip.Addr { return found(ctx, name, o.LookupIP) }
	a.lookupMX = func(ctx context.Context, name string) []string { return found(ctx, name, o.LookupMX) }
}

// found is nothing where a name does not exist or nobody answers: so others see
// it too.
func found[T any](ctx context.Context, name string, lookup func(context.Context, string) ([]T, error)) []T {
	if lookup == nil {
		return nil
	}
	all, err := lookup(ctx, name)
	if err != nil {
		return nil
	}
	return all
}

// Kind is "email".
func (a *Adapter) Kind() channel.Kind { return Kind }

// Capabilities says what mail can do; it is the same for every account.
func (a *Adapter) Capabilities() adapter.Capabilities { return capabilities }

const fileNote = "files above the account's bound go out as links"

var fileLimits = adapter.Limits{MaxChars: MaxChars, Unit: "rune", Note: fileNote}

var capabilities = adapter.Capabilities{
	Send: map[channel.ContentKind]adapter.Level{channel.KindText: adapter.Full, channel.KindImage: adapter.Partial,
		channel.KindVideo: adapter.Partial, channel.KindAudio: adapter.Partial, channel.KindFile: adapter.Partial},
	Limits: map[channel.ContentKind]adapter.Limits{channel.KindText: {MaxChars: MaxChars, Unit: "rune"}, channel.KindImage: fileLimits,
		channel.KindVideo: fileLimits, channel.KindAudio: fileLimits, channel.KindFile: fileLimits},
	MaxFiles: MaxFiles, MediaLinks: true, MaxBatch: 1, Persistent: true, MediaFetch: true, NoWelcome: true,
	// SMTP has no key that makes a repeat safe.
	Routes:    map[string]adapter.Route{RouteSMTP: {}},
	Automatic: adapter.AutomaticLimits{PerThread: 3, PerPerson: 10, PerDomain: 50, Within: 24 * time.Hour},
}

// Receive refuses every webhook: mails are fetched.
func (a *Adapter) Receive(channel.Account, adapter.Request) (adapter.Receipt, error) {
	return adapter.Receipt{}, kit.Refuse(http.StatusNotFound, "mails are fetched; this account has no webhook")
}
