// Package email connects mailboxes: mails become conversations and answers leave
// as mails. It fetches by IMAP, with IDLE where the server has it, and sends by
// SMTP.
//
//   - what an account needs: settings.go
//   - fetching, one connection a folder, from a checkpoint: run.go, imap.go
//   - what a mail means: parse.go, with message and thread
//   - answers, planned to the byte and sent: plan.go, send.go
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
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/safehttp"
)

// Kind is the channel's name.
const Kind channel.Kind = "email"

// RouteSMTP is the one way of sending.
const RouteSMTP = "smtp"

// What a mail carries.
const (
	MaxChars = 50000
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
	// LookupTXT finds the records of a domain, for Check; nil: the system's.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	// Poll is how often a mailbox is looked at although the server would tell
	// (IDLE); 0: 5 minutes. Without IDLE it is a fifth of it.
	Poll time.Duration
	// Logger gets outcomes, never addresses, subjects or texts; nil is silent.
	Logger *slog.Logger
}

// Adapter connects mail accounts. It is safe for concurrent use.
type Adapter struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	lookup func(ctx context.Context, name string) ([]string, error)
	tls    *tls.Config
	poll   time.Duration
	log    *slog.Logger
}

var (
	_ channel.Adapter  = (*Adapter)(nil)
	_ channel.Runner   = (*Adapter)(nil)
	_ channel.Unpacker = (*Adapter)(nil)
	_ channel.Checker  = (*Adapter)(nil)
)

// New returns an adapter. It does no I/O.
func New(o Options) *Adapter {
	a := &Adapter{dial: o.Dial, lookup: o.LookupTXT, tls: o.TLS, poll: o.Poll, log: o.Logger}
	if a.dial == nil {
		a.dial = safehttp.New(safehttp.Options{AllowPrivate: o.AllowPrivate, AnyPort: true}).DialContext
	}
	if a.lookup == nil {
		a.lookup = net.DefaultResolver.LookupTXT
	}
	if a.poll == 0 {
		a.poll = 5 * time.Minute
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	return a
}

// Kind is "email".
func (a *Adapter) Kind() channel.Kind { return Kind }

// Capabilities is what the engine, the console and channeltest rely on.
func (a *Adapter) Capabilities() channel.Capabilities { return capabilities }

const linkNote = "the file goes out as a link"

var capabilities = channel.Capabilities{
	Send: map[channel.ContentKind]channel.Level{channel.KindText: channel.Full, channel.KindImage: channel.Fallback,
		channel.KindVideo: channel.Fallback,
		channel.KindAudio: channel.Fallback, channel.KindFile: channel.Fallback},
	Limits: map[channel.ContentKind]channel.Limits{channel.KindText: {MaxChars: MaxChars, Unit: "rune"},
		channel.KindImage: {MaxChars: MaxChars, Unit: "rune", Note: linkNote}, channel.KindVideo: {MaxChars: MaxChars, Unit: "rune",
			Note: linkNote},
		channel.KindAudio: {MaxChars: MaxChars, Unit: "rune", Note: linkNote}, channel.KindFile: {MaxChars: MaxChars, Unit: "rune",
			Note: linkNote}},
	MaxFiles: MaxFiles, MediaLinks: true, MaxBatch: 1, Persistent: true, MediaFetch: true, NoWelcome: true,
	// SMTP has no key that makes a repeat safe.
	Routes:    map[string]channel.Route{RouteSMTP: {}},
	Automatic: channel.AutomaticLimits{PerThread: 3, PerPerson: 10, PerDomain: 50, Within: 24 * time.Hour},
}

// Receive refuses every webhook: mails are fetched.
func (a *Adapter) Receive(channel.Account, channel.Request) (channel.Receipt, error) {
	return channel.Receipt{}, kit.Refuse(http.StatusNotFound, "mails are fetched; this account has no webhook")
}
