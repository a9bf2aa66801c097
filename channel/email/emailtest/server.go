// Package emailtest plays the mail servers of channel/email, and the mailboxes of
// customers: IMAP from which a desk fetches, SMTP that takes what it sends, and
// people who write, answer, bounce and answer by themselves. Everything is in
// memory and within the process; its command, emailemu, serves it over the
// network with a page that is the customer's mailbox.
package emailtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-smtp"

	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/channel/emukit"
)

// Options of New.
type Options struct {
	// Address is the desk's; mails to it, with or without a plus, arrive in its
	// mailbox. Empty: help@shop.test.
	Address string
	// User and Password log in to both servers; empty: "desk" and "secret".
	User, Password string
	// Folders are there beside INBOX.
	Folders []string
	// NoIdle is a server without IDLE.
	NoIdle bool
	// TLS makes ports 993 and 465 speak TLS, and the others offer STARTTLS; nil:
	// nothing is encrypted.
	TLS *tls.Config
	// AuthServer, if set, judges every mail that people write: their domain
	// vouches for them, see Letter.Spoofed.
	AuthServer string
}

// Server is the mail of the world. All methods may be called at once.
type Server struct {
	opt  Options
	mem  *imapmemserver.Server
	user *imapmemserver.User
	imap *imapserver.Server
	smtp *smtp.Server
	pipe map[string]*emukit.Listener // by protocol

	received emukit.Record[Mail] // what customers got
	requests emukit.Record[[]byte]
	faults   emukit.Faults[Fault]
	news     emukit.Changes

	box      sync.Mutex // held while a folder changes
	mu       sync.Mutex
	folders  map[string][]stored // what the desk's mailbox holds
	cutAfter int                 // bytes of the next IMAP connection; 0: no cut
	conns    map[net.Conn]bool
	rules    []Rule
	last     int
}

type stored struct {
	raw []byte
	at  time.Time
}

// New returns a server that can be reached by Dial.
func New(o Options) *Server {
	if o.Address == "" {
		o.Address = "help@shop.test"
	}
	if o.User == "" {
		o.User, o.Password = "desk", "secret"
	}
	s := &Server{opt: o, mem: imapmemserver.New(), user: imapmemserver.NewUser(o.User, o.Password), folders: map[string][]stored{},
		conns: map[net.Conn]bool{}, pipe: map[string]*emukit.Listener{"imap": emukit.NewListener(), "smtp": emukit.NewListener()}}
	for _, f := range append([]string{"INBOX"}, o.Folders...) {
		must(s.user.Create(f, nil))
	}
	s.mem.AddUser(s.user)
	caps := imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapIdle: {}}
	if o.NoIdle {
		delete(caps, imap.CapIdle)
	}
	quiet := log.New(io.Discard, "", 0)
	s.imap = imapserver.New(&imapserver.Options{Caps: caps, InsecureAuth: true, TLSConfig: o.TLS, Logger: quiet,
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return s.mem.NewSession(), nil, nil
		}})
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: c}, nil }))
	s.smtp.Domain, s.smtp.AllowInsecureAuth, s.smtp.MaxMessageBytes, s.smtp.EnableSMTPUTF8 = "emailtest", true, 25<<20, true
	s.smtp.TLSConfig, s.smtp.ErrorLog = o.TLS, quiet
	go func() { _ = s.imap.Serve(s.pipe["imap"]) }()
	go func() { _ = s.smtp.Serve(s.pipe["smtp"]) }()
	for _, p := range s.pipe {
		<-p.Accepting()
	}
	return s
}

func must(err error) {
	if err != nil {
		panic("emailtest: " + err.Error()) // the memory server refuses only what this package does wrong
	}
}

// ServeIMAP takes connections of a listener until Close.
func (s *Server) ServeIMAP(l net.Listener) error { return s.imap.Serve(&watched{Listener: l, s: s}) }

// ServeSMTP takes connections of a listener until Close.
func (s *Server) ServeSMTP(l net.Listener) error { return s.smtp.Serve(l) }

// Close ends all connections.
func (s *Server) Close() {
	for _, p := range s.pipe {
		_ = p.Close()
	}
	_ = s.imap.Close()
	_ = s.smtp.Close()
	s.Cut()
}

// Dial connects within the process, for email.Options.Dial: to SMTP at ports 25,
// 465 and 587, to IMAP at any other.
func (s *Server) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	_, port, _ := net.SplitHostPort(address)
	proto := "imap"
	if port == "25" || port == "465" || port == "587" {
		proto = "smtp"
	}
	return s.pipe[proto].Dial(ctx, func(server net.Conn) net.Conn {
		if proto == "imap" {
			server = s.watch(server)
		}
		if s.opt.TLS != nil && (port == "465" || port == "993") {
			server = tls.Server(server, s.opt.TLS)
		}
		return server
	})
}

// Deliver puts a mail, exact to the byte, into a folder of the desk's mailbox.
func (s *Server) Deliver(folder string, raw []byte) {
	s.box.Lock()
	defer s.box.Unlock()
	s.deliver(folder, stored{raw, time.Now()}, true)
}

func (s *Server) deliver(folder string, m stored, keep bool) {
	s.mu.Lock()
	if keep {
		s.folders[folder] = append(s.folders[folder], m)
	}
	s.mu.Unlock()
	_, err := s.user.Append(folder, literal{bytes.NewReader(m.raw)}, &imap.AppendOptions{Time: m.at})
	must(err)
}

type literal struct{ *bytes.Reader }

// Size is the literal's.
func (l literal) Size() int64 { return l.Reader.Size() }

// Renumber gives a folder another UIDVALIDITY and its mails new UIDs, as a server
// does that was restored, and cuts all connections.
func (s *Server) Renumber(folder string) {
	s.renumber(folder)
	s.Cut()
}

func (s *Server) renumber(folder string) {
	s.box.Lock()
	defer s.box.Unlock()
	must(s.user.Delete(folder))
	must(s.user.Create(folder, nil))
	s.mu.Lock()
	all := s.folders[folder]
	s.mu.Unlock()
	for _, m := range all {
		s.deliver(folder, m, false)
	}
}

// Cut breaks all IMAP connections.
func (s *Server) Cut() {
	s.mu.Lock()
	var all []net.Conn
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// CutAfter breaks the next IMAP connection once its server has said n bytes.
func (s *Server) CutAfter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutAfter = n
}

// Connections tells how many IMAP connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Received lists what arrived for the address, oldest first; for all when it is
// empty.
func (s *Server) Received(address string) []Mail {
	return s.received.Where(func(m Mail) bool { return address == "" || strings.EqualFold(m.To, address) })
}

// Requests lists the mails as they came, refused ones included.
func (s *Server) Requests() [][]byte { return s.requests.All() }

// Wait returns once somebody has got n mails in all.
func (s *Server) Wait(ctx context.Context, n int) ([]Mail, error) {
	err := s.news.Wait(ctx, func() bool { return s.received.Count() >= n })
	return s.received.All(), err
}

// Mail is one that a customer got.
type Mail struct {
	From, To string // of the envelope
	At       time.Time
	Raw      []byte
	message.Mail
}

// Header returns the mail's header of a name, as it came; empty for none.
func (m Mail) Header(name string) string {
	for _, line := range strings.Split(string(m.Raw), "\r\n") {
		if line == "" {
			return ""
		}
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
