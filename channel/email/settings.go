package email

import (
	"bytes"
	"encoding/json"
	"net/mail"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/channel/email/thread"
	"github.com/sangdam/sangdam/internal/errs"
)

// Secrets of an account. A mailbox that is not the first has its own:
// "imap_password:<name>".
const (
	SecretThreads = "thread_key" // makes the tokens by which answers are recognised; 16 characters or more
	SecretIMAP    = "imap_password"
	SecretSMTP    = "smtp_password"
)

// Encryptions of a connection.
const (
	StartTLS = "starttls"
	TLS      = "tls"  // from the first byte; the default for IMAP
	Plain    = "none" // for a server on this machine; no password is sent
)

// Settings of an account.
type Settings struct {
	// Address is the main one: mails come to it and leave from it. It cannot
	// change once threads rest on it; make another account for another address.
	Address string `json:"address"`
	// Aliases are further addresses of this desk.
	Aliases []string `json:"aliases,omitempty"`
	// Name is what people see as the sender.
	Name string `json:"name,omitempty"`
	// Plus says that mails to <address>+<anything> arrive as well: answers then
	// find their thread even through clients that drop the headers.
	Plus bool `json:"plus,omitempty"`
	// AuthServers are the names under which the host's own mail servers write
	// Authentication-Results; empty: no sender is ever verified.
	AuthServers []string `json:"auth_servers,omitempty"`
	// Charset is how bytes without a charset are read; empty: euc-kr.
	Charset string `json:"charset,omitempty"`
	// Mailboxes are where mails are fetched.
	Mailboxes []Mailbox `json:"mailboxes"`
	// SMTP is how mails leave.
	SMTP SMTP `json:"smtp"`
	// Layouts are the HTML around answers; none: answers are plain text.
	Layouts []Layout `json:"layouts,omitempty"`
}

// Mailbox is an IMAP account.
type Mailbox struct {
	// Name tells mailboxes apart, 1 to 40 letters, digits, "-" and "_"; it does
	// not change. The first may go without.
	Name       string `json:"name,omitempty"`
	Host       string `json:"host"`
	Port       int    `json:"port,omitempty"`       // 0: 993, or 143 without TLS
	Encryption string `json:"encryption,omitempty"` // empty: tls
	User       string `json:"user"`
	// Folders are watched, each by a connection; none: INBOX. At most 10.
	Folders []string `json:"folders,omitempty"`
	// HistoryDays is from how many days ago mails are fetched the first time; 0:
	// only those that arrive from then on.
	HistoryDays int `json:"history_days,omitempty"`
	// Off stops the fetching.
	Off bool `json:"off,omitempty"`
}

// SMTP is a server that takes our mails.
type SMTP struct {
	Host       string `json:"host"`
	Port       int    `json:"port,omitempty"`       // 0: 587, or 465 for tls
	Encryption string `json:"encryption,omitempty"` // empty: starttls
	User       string `json:"user,omitempty"`       // empty: nobody logs in
}

// Layout is the HTML around the text of a mail.
type Layout struct {
	// Event is "answer" for what people write, "automatic" for the rest; empty:
	// both.
	Event string `json:"event,omitempty"`
	// Language is a BCP 47 tag, held against the account's; empty: every one.
	Language string `json:"language,omitempty"`
	// HTML holds #{content} exactly once.
	HTML string `json:"html"`
}

// ContentMark is where a layout takes the text.
const ContentMark = "#{content}"

const maxLayout = 128 << 10

func settingsOf(acct channel.Account) (Settings, error) {
	var s Settings
	if len(acct.Settings) == 0 {
		return s, errs.New(errs.Invalid, "email: the account has no settings; it needs address, mailboxes and smtp")
	}
	dec := json.NewDecoder(bytes.NewReader(acct.Settings))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, errs.New(errs.Invalid, "email: the account's settings cannot be read; a field may be misspelt")
	}
	return s, nil
}

func (s Settings) own() []string { return append([]string{s.Address}, s.Aliases...) }

func (s Settings) options() message.Options {
	return message.Options{Charset: s.Charset, AuthServers: s.AuthServers, Own: s.own()}
}

func (s Settings) domain() string { return s.Address[strings.LastIndexByte(s.Address, '@')+1:] }

func keyOf(acct channel.Account) thread.Key {
	return thread.NewKey(string(acct.ID), acct.Secrets[SecretThreads].Reveal())
}

func (m Mailbox) secret() string {
	if m.Name == "" {
		return SecretIMAP
	}
	return SecretIMAP + ":" + m.Name
}

func (m Mailbox) folders() []string {
	if len(m.Folders) == 0 {
		return []string{"INBOX"}
	}
	return m.Folders
}

func (m Mailbox) port() int {
	switch {
	case m.Port != 0:
		return m.Port
	case m.Encryption == "" || m.Encryption == TLS:
		return 993
	}
	return 143
}

func (s SMTP) port() int {
	switch {
	case s.Port != 0:
		return s.Port
	case s.Encryption == TLS:
		return 465
	}
	return 587
}

// Validate checks settings and secrets without the network.
func (a *Adapter) Validate(acct channel.Account) error {
	if acct.Kind != Kind {
		return errs.New(errs.Invalid, "email: the account is of kind %q", acct.Kind)
	}
	s, err := settingsOf(acct)
	if err != nil {
		return err
	}
	if len(acct.Secrets[SecretThreads].Reveal()) < 16 {
		return errs.New(errs.Invalid, "email: the account has no %q of at least 16 characters; make a random one: whoever knows it can write into customers' threads", SecretThreads)
	}
	for i, address := range s.own() {
		if !plainAddress(address) {
			return errs.New(errs.Invalid, "email: settings.address or alias %d is no plain mail address; write it like help@example.com", i)
		}
	}
	if hasControl(s.Name) || len(s.Name) > 200 {
		return errs.New(errs.Invalid, "email: settings.name is the sender's name, at most 200 characters without line breaks")
	}
	if err := checkServer("smtp", s.SMTP.Host, s.SMTP.port(), s.SMTP.Encryption, s.SMTP.User, !acct.Secrets[SecretSMTP].Empty()); err != nil {
		return err
	}
	if err := checkMailboxes(acct, s.Mailboxes); err != nil {
		return err
	}
	return checkLayouts(s.Layouts)
}

func checkMailboxes(acct channel.Account, all []Mailbox) error {
	names := map[string]bool{}
	for i, m := range all {
		switch {
		case names[m.Name] || m.Name == "" && i > 0 || len(m.Name) > 40 || strings.ContainsFunc(m.Name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}):
			return errs.New(errs.Invalid, "email: settings.mailboxes[%d].name is missing, not of letters and digits, or there twice", i)
		case len(m.Folders) > 10 || m.HistoryDays < 0 || m.HistoryDays > 365:
			return errs.New(errs.Invalid, "email: settings.mailboxes[%d] has more than 10 folders, or history_days that are not 0 to 365", i)
		case m.User == "":
			return errs.New(errs.Invalid, "email: settings.mailboxes[%d].user is the name that logs in to the mailbox", i)
		}
		names[m.Name] = true
		if err := checkServer("mailboxes", m.Host, m.port(), m.Encryption, m.User, !acct.Secrets[m.secret()].Empty()); err != nil {
			return err
		}
	}
	return nil
}

func checkServer(where, host string, port int, encryption, user string, password bool) error {
	switch {
	case host == "" || len(host) > 253 || strings.ContainsFunc(host,
		func(r rune) bool { return r <= ' ' || r == '/' || r == '@' || r > 0x7E }):
		return errs.New(errs.Invalid, "email: settings.%s.host is the name of a mail server, such as mail.example.com", where)
	case port < 1 || port > 65535:
		return errs.New(errs.Invalid, "email: settings.%s.port is 1 to 65535", where)
	case encryption != "" && encryption != StartTLS && encryption != TLS && encryption != Plain:
		return errs.New(errs.Invalid, "email: settings.%s.encryption is %s, %s or %s", where, TLS, StartTLS, Plain)
	case (user != "") != password:
		return errs.New(errs.Invalid, "email: settings.%s.user and its secret password belong together", where)
	case encryption == Plain && user != "" && !strings.HasPrefix(host, "127.") && host != "localhost" && !strings.HasSuffix(host, ".test"):
		return errs.New(errs.Invalid, "email: settings.%s: a password is never sent without encryption; set encryption", where)
	}
	return nil
}

func checkLayouts(all []Layout) error {
	for i, l := range all {
		switch n := strings.Count(l.HTML, ContentMark); {
		case n != 1:
			return errs.New(errs.Invalid, "email: settings.layouts[%d] holds %s %d times; put it once, where the text belongs: else nobody could read what the mail says",
				i, ContentMark, n)
		case len(l.HTML) > maxLayout:
			return errs.New(errs.Invalid, "email: settings.layouts[%d] has at most %d bytes", i, maxLayout)
		case l.Event != "" && l.Event != "answer" && l.Event != "automatic":
			return errs.New(errs.Invalid, "email: settings.layouts[%d].event is answer, automatic or empty", i)
		}
	}
	return nil
}

// layout finds the HTML for an event and a language: both, the event's, the
// language's, the one for all; empty when there is none.
func (s Settings) layout(event, language string) string {
	for _, want := range []Layout{{Event: event, Language: language}, {Event: event}, {Language: language}, {}} {
		for _, l := range s.Layouts {
			if l.Event == want.Event && l.Language == want.Language {
				return l.HTML
			}
		}
	}
	return ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F || r == 0x85 || r == 0x2028 || r == 0x2029 })
}

// plainAddress says that this is one address and nothing else.
func plainAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 320 && !hasControl(s)
}
