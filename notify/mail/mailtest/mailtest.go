// Package mailtest is a mail server that keeps what it gets instead of passing
// it on: for tests, and for whoever tries the library out and wants to see the
// mails (see its command, go run .../mailtest/cmd/mailsink). It speaks SMTP and shows
// its mails on a page and as JSON.
package mailtest

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"encoding/base64"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/sangdam/sangdam/channel/emukit"
)

// Mail is one that the server accepted.
type Mail struct {
	From    string              `json:"from"` // of the envelope
	To      []string            `json:"to"`   // of the envelope
	Subject string              `json:"subject"`
	Text    string              `json:"text,omitempty"`
	HTML    string              `json:"html,omitempty"`
	Header  map[string][]string `json:"header"`
	At      time.Time           `json:"at"`
	Raw     string              `json:"-"`
}

// Fault is what the server does wrong with the next mail.
type Fault struct {
	// Code refuses the recipient with this SMTP code, such as 451 or 550.
	Code int
	// Drop takes the mail and cuts the connection without an answer.
	Drop bool
}

// Options of New.
type Options struct {
	// User and Password, if set, are asked for.
	User, Password string
	// Keep is how many mails are kept, the newest; 0: 1000.
	Keep int
}

// Server keeps mails. All methods may be called at once.
type Server struct {
	opt  Options
	smtp *smtp.Server
	pipe *emukit.Listener
	web  *http.ServeMux

	mails  emukit.Record[Mail]
	faults emukit.Faults[Fault]
	news   emukit.Changes
}

// New returns a server that can be reached by Dial and, once ListenAndServe was
// called, over the network.
func New(o Options) *Server {
	s := &Server{opt: o, pipe: emukit.NewListener()}
	s.mails.Keep = cmp.Or(o.Keep, 1000)
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, conn: c}, nil }))
	s.smtp.Domain, s.smtp.AllowInsecureAuth, s.smtp.MaxMessageBytes, s.smtp.MaxRecipients = "mailtest", true, 25<<20, 100
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.ErrorLog = log.New(io.Discard, "", 0)
	s.web = http.NewServeMux()
	s.web.Handle("GET /{$}", emukit.Page(page, func() any {
		mails := s.Mails()
		slices.Reverse(mails)
		return mails
	}))
	emukit.Show(emukit.NewControl(s.web), "GET /mails", s.Mails)
	s.web.HandleFunc("DELETE /mails", func(w http.ResponseWriter, _ *http.Request) { s.Clear() })
	go func() { _ = s.smtp.Serve(s.pipe) }()
	return s
}

// Serve takes connections of a listener until Close.
func (s *Server) Serve(l net.Listener) error { return s.smtp.Serve(l) }

// Close ends all connections.
func (s *Server) Close() {
	_ = s.pipe.Close()
	_ = s.smtp.Close()
}

// Dial connects to the server within the process, whatever the address: for
// mail.Options.Dial in tests.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return s.pipe.Dial(ctx, nil)
}

// ServeHTTP shows the mails: a page at /, JSON at /mails.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.web.ServeHTTP(w, r) }

// Mails lists what was accepted, oldest first.
func (s *Server) Mails() []Mail { return s.mails.All() }

// Clear forgets the mails.
func (s *Server) Clear() { s.mails.Clear() }

// Fail lets the next mails go wrong, one fault each.
func (s *Server) Fail(faults ...Fault) { s.faults.Fail(faults...) }

// Wait returns the mails once n of them are kept.
func (s *Server) Wait(ctx context.Context, n int) ([]Mail, error) {
	err := s.news.Wait(ctx, func() bool { return len(s.Mails()) >= n })
	return s.Mails(), err
}

//go:embed page.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// session is one connection.
type session struct {
	s     *Server
	conn  *smtp.Conn
	from  string
	to    []string
	fault Fault
	known bool
}

func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != c.s.opt.User || password != c.s.opt.Password {
			return smtp.ErrAuthFailed
		}
		c.known = true
		return nil
	}), nil
}

func (c *session) Reset()        { c.from, c.to = "", nil }
func (c *session) Logout() error { return nil }

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.s.opt.User != "" && !c.known {
		return smtp.ErrAuthRequired
	}
	c.from = from
	c.fault = c.s.faults.Next()
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if c.fault.Code != 0 {
		return &smtp.SMTPError{Code: c.fault.Code, Message: "as asked for by the test"}
	}
	c.to = append(c.to, to)
	return nil
}

func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := Parse(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, Message: "this is no mail"}
	}
	m.From, m.To, m.At = c.from, c.to, time.Now()
	c.s.mails.Add(m)
	c.s.news.Touch()
	if c.fault.Drop {
		_ = c.conn.Close()
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Parse reads a mail as far as a test or the page wants to see it.
func Parse(raw []byte) (Mail, error) {
	msg, err := netmail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{Header: map[string][]string{}, Raw: string(raw)}
	dec := new(mime.WordDecoder)
	for name, values := range msg.Header {
		for _, v := range values {
			if plain, err := dec.DecodeHeader(v); err == nil {
				v = plain
			}
			m.Header[name] = append(m.Header[name], v)
		}
	}
	if list := m.Header["Subject"]; len(list) > 0 {
		m.Subject = list[0]
	}
	return m, m.part(msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), msg.Body, 0)
}

func (m *Mail) part(contentType, encoding string, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") {
		if depth > 5 {
			return errors.New("mailtest: parts within parts, too deep")
		}
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if kind == "text/html" {
		m.HTML += string(text)
	} else {
		m.Text += string(text)
	}
	return err
}
