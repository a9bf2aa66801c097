// Package mail carries notices as mail over SMTP. Every mail goes to exactly
// one recipient. What the notice brings can add no header: line breaks and other
// control characters are refused in addresses and become spaces in the subject.
//
// The Message-ID is made of the notice's id, so that mail systems and people
// recognise a mail that came twice.
//
// New goes into Config.Carriers; a target's settings are Settings and its password
// the secret "password". It only sends: a mailbox from which customers' mails are
// fetched is channel/email. mailtest is a server to try it with.
package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/plaintext"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/internal/smtpout"
	"github.com/sangdam/sangdam/notify"
)

// Kind of the targets.
const Kind notify.Kind = "mail"

// SecretPassword is under which a target keeps the password of its user.
const SecretPassword = "password"

// Encryptions of the connection to the server.
const (
	StartTLS = smtpout.StartTLS // "starttls": the default, required
	TLS      = smtpout.TLS      // "tls": from the first byte, port 465
	Plain    = smtpout.Plain    // "none": for a server on this machine; no other gets a password
)

// Settings of a target.
type Settings struct {
	// Host and Port of the SMTP server; 0: 587, or 465 for TLS.
	Host string `json:"host"`
	Port int    `json:"port,omitempty"`
	// Encryption is starttls, tls or none; empty: starttls.
	Encryption string `json:"encryption,omitempty"`
	// From is the sender's address, Name what people see, ReplyTo where answers
	// go if not there.
	From    string `json:"from"`
	Name    string `json:"name,omitempty"`
	ReplyTo string `json:"reply_to,omitempty"`
	// User logs in with the secret "password"; empty: nobody does.
	User string `json:"user,omitempty"`
}

// Options of New.
type Options struct {
	// AllowPrivate are private networks in which mail servers may be; nil: only
	// public addresses are reached.
	AllowPrivate []netip.Prefix
	// Dial replaces the guarded connection, for tests that stay within the
	// process; nil in production.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Carrier sends mail.
type Carrier struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

var _ notify.FileCarrier = (*Carrier)(nil)

// New returns a Carrier.
func New(o Options) *Carrier {
	c := &Carrier{dial: o.Dial}
	if c.dial == nil {
		c.dial = safehttp.New(safehttp.Options{AllowPrivate: o.AllowPrivate, AnyPort: true}).DialContext
	}
	return c
}

// Kind implements notify.Carrier.
func (*Carrier) Kind() notify.Kind { return Kind }

// Policy tries for a day and a half. A mail whose acceptance was not heard is
// not sent again: mail has no key that makes a repeat safe.
func (*Carrier) Policy() notify.Policy {
	return notify.Policy{Timeout: 25 * time.Second, Waits: []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute,
		time.Hour, 4 * time.Hour, 8 * time.Hour, 24 * time.Hour}}
}

// Validate implements notify.Carrier.
func (c *Carrier) Validate(t notify.Target) error {
	s, err := notify.Settings[Settings](t)
	if err != nil {
		return err
	}
	for field, address := range map[string]string{"from": s.From, "reply_to": s.ReplyTo} {
		if _, err := parse(address); err != nil && (address != "" || field == "from") {
			return errs.About("settings."+field, errs.New(errs.Invalid,
				"mail: settings.%s is no mail address; write it like help@example.com", field))
		}
	}
	for field, text := range map[string]string{"name": s.Name, "user": s.User} {
		if hasControl(text) {
			return errs.About("settings."+field, errs.New(errs.Invalid,
				"mail: settings.name or settings.user holds a control character"))
		}
	}
	return smtpout.Check("mail: settings", c.server(s, t), !t.Secrets[SecretPassword].Empty())
}

// server is who takes the target's mails.
func (c *Carrier) server(s Settings, t notify.Target) smtpout.Server {
	return smtpout.Server{Host: s.Host, Port: s.Port, Encryption: s.Encryption, User: s.User, Password: t.Secrets[SecretPassword].Reveal(),
		Dial: c.dial}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F || r == 0x85 || r == 0x2028 || r == 0x2029 })
}

// parse reads exactly one plain address.
func parse(address string) (string, error) {
	a, err := mail.ParseAddress(address)
	if err != nil || a.Address != address || hasControl(address) || len(address) > 320 {
		return "", errs.New(errs.Invalid, "mail: this is no mail address")
	}
	return a.Address, nil
}

// request is the envelope and the mail, exact to the byte.
type request struct {
	From string `json:"from"`
	To   string `json:"to"`
	Mail []byte `json:"mail"`
	// ID makes the boundary between the Files, which Send writes into the mail.
	ID    string         `json:"id,omitempty"`
	Files []smtpout.File `json:"files,omitempty"`
}

// FileBytes implements notify.FileCarrier.
func (*Carrier) FileBytes() int64 { return smtpout.FileBytes }

// Plan implements notify.Carrier.
func (c *Carrier) Plan(t notify.Target, n notify.Notice, now time.Time) ([]byte, error) {
	s, err := notify.Settings[Settings](t)
	if err != nil {
		return nil, notify.Refuse(channel.ReasonCredentials, 0, "the target's settings cannot be read")
	}
	to, err := parse(n.To.Address)
	if err != nil {
		return nil, notify.Refuse(channel.ReasonUnreachable, 0, "the recipient has no valid mail address")
	}
	if strings.TrimSpace(n.Text) == "" && strings.TrimSpace(n.HTML) == "" {
		return nil, notify.Refuse(channel.ReasonContent, 0, "the mail has no text")
	}
	r := request{From: s.From, To: to}
	if err := r.take(n); err != nil {
		return nil, err
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(&mail.Address{Name: s.Name, Address: s.From})
	m.ToMailAddress(&mail.Address{Name: oneLine(n.To.Name), Address: to})
	if s.ReplyTo != "" {
		m.ReplyToMailAddress(&mail.Address{Address: s.ReplyTo})
	}
	m.Subject(oneLine(n.Title))
	m.SetDateWithValue(now)
	m.SetMessageIDWithValue(messageID(n.ID, s.From))
	// Machines do not answer machines.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	if strings.TrimSpace(n.Text) == "" { // who reads no HTML reads what it says
		n.Text = plaintext.FromHTML(n.HTML, true)
	}
	m.SetBodyString(gomail.TypeTextPlain, n.Text)
	if n.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, n.HTML)
	}
	var raw bytes.Buffer
	if _, err := m.WriteTo(&raw); err != nil {
		return nil, notify.Refuse(channel.ReasonContent, 0, "the mail cannot be written")
	}
	r.Mail = raw.Bytes()
	return json.Marshal(r)
}

// take names the files that go in the mail.
func (r *request) take(n notify.Notice) error {
	room := int64(smtpout.FileBytes)
	for i, f := range n.Files {
		if room -= f.Size; room < 0 || f.Size <= 0 || f.Blob == "" {
			return notify.Refuse(channel.ReasonContent, 0, "the files are empty, or more than go in a mail")
		}
		name := oneLine(f.Name)
		if name == "" {
			name = fmt.Sprintf("file-%d", i+1)
		}
		r.ID = n.ID
		r.Files = append(r.Files, smtpout.File{Blob: f.Blob, Name: name, Type: smtpout.FileType(f.Type), Size: f.Size})
	}
	return nil
}

func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if hasControl(string(r)) {
			return ' '
		}
		return r
	}, s))
}

func messageID(id, from string) string {
	return notify.MailID(id) + "@" + from[strings.LastIndex(from, "@")+1:]
}
