package email

import (
	"cmp"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/channel/email/thread"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/plaintext"
	"github.com/sangdam/sangdam/internal/smtpout"
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
	StartTLS = smtpout.StartTLS // "starttls"
	TLS      = smtpout.TLS      // "tls": from the first byte; the default for IMAP
	Plain    = smtpout.Plain    // "none": for a server on this machine; no other gets a password
)

// Settings of an account.
type Settings struct {
	// Address is the main one: mails come to it and leave from it. It cannot
	// change once the account has conversations; add another account for another
	// address.
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
	// MaxFileBytes is how many bytes of files go with a mail, at most 50,000,000;
	// what does not fit goes out as a link. 0: 7,000,000, which as base64 stays
	// below what Postfix takes by default; -1: every file is a link.
	MaxFileBytes int64 `json:"max_file_bytes,omitempty"`
	// Layouts are what stands around the text of mails; none: it is all there is.
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
	// only those that arrive from then on. At most 365.
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

// Layout is what stands around the text of a mail. For each mail the nearest is taken:
// by Event before Language, of events the mail's own, then "answer" or "automatic",
// then the empty one, and of languages the exact tag, then its base, then the empty
// one. A mail that a trigger sends has no layout.
type Layout struct {
	// Event is what the mail tells: "received", "on_hold", "handled" or "solved".
	// "answer" is for all that people write, "automatic" for all else but what
	// triggers say, and empty for every mail that has none of its own.
	Event string `json:"event,omitempty"`
	// Language is a BCP 47 tag, held against the conversation's, else the
	// account's; empty: every one.
	Language string `json:"language,omitempty"`
	// HTML holds #{content} exactly once. It is for workspaces whose editor type
	// is html.
	HTML string `json:"html,omitempty"`
	// Text is the same for the plain text, where #{content} stands exactly once
	// too. Beside HTML it may be empty: then it is made from that. One without HTML
	// makes plain mails, and is for workspaces whose editor type is text. Either has
	// at most 128 KiB.
	Text string `json:"text,omitempty"`
}

// layoutEvents are what a layout may be for.
var layoutEvents = []string{"", eventAnswer, eventAutomatic, "received", "on_hold", "handled", "solved"}

const (
	eventAnswer    = "answer"
	eventAutomatic = "automatic"
	eventTrigger   = "trigger"
)

// ContentMark is where a layout takes the text.
const ContentMark = "#{content}"

const maxLayout = 128 << 10

func settingsOf(acct channel.Account) (Settings, error) {
	var s Settings
	if len(acct.Settings) == 0 {
		return s, errs.New(errs.Invalid, "email: the account has no settings; it needs address, mailboxes and smtp")
	}
	if err := kit.Strict(acct.Settings, &s); err != nil {
		return s, errs.New(errs.Invalid, "email: the account's settings %w; a field may be misspelt", err)
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

// Validate checks settings and secrets without the network. The error is ErrInvalid
// and names the field.
func (a *Adapter) Validate(acct channel.Account) error {
	if acct.Kind != Kind {
		return errs.New(errs.Invalid, "email: the account is of kind %q", acct.Kind)
	}
	s, err := settingsOf(acct)
	if err != nil {
		return err
	}
	if len(acct.Secrets[SecretThreads].Reveal()) < 16 {
		return errs.New(errs.Invalid,
			"email: the account has no %q of at least 16 characters; "+
				"make a random one: whoever knows it can write into customers' threads", SecretThreads)
	}
	for i, address := range s.own() {
		if !plainAddress(address) {
			return errs.New(errs.Invalid, "email: settings.address or alias %d is no plain mail address; write it like help@example.com", i)
		}
	}
	if hasControl(s.Name) || len(s.Name) > 200 {
		return errs.New(errs.Invalid, "email: settings.name is the sender's name, at most 200 characters without line breaks")
	}
	if s.MaxFileBytes < -1 || s.MaxFileBytes > maxFileBytes {
		return errs.New(errs.Invalid, "email: settings.max_file_bytes is -1 to %d; 0 stands for %d", maxFileBytes, smtpout.FileBytes)
	}
	if err := smtpout.Check("email: settings.smtp", a.smtp(acct, s.SMTP), !acct.Secrets[SecretSMTP].Empty()); err != nil {
		return err
	}
	if err := checkMailboxes(acct, s.Mailboxes); err != nil {
		return err
	}
	return checkLayouts(s.Layouts)
}

// MayChange implements adapter.Changer. The main address stays, since mails that
// customers have hold tokens and ids of it; and a mailbox is taken out only after it,
// or the whole account, was switched off.
func (a *Adapter) MayChange(old, next channel.Account) error {
	was, err := settingsOf(old)
	if err != nil {
		return nil //nolint:nilerr // what nobody can read may be replaced
	}
	now, err := settingsOf(next)
	if err != nil {
		return err
	}
	if !strings.EqualFold(was.Address, now.Address) {
		return errs.New(errs.Invalid,
			"email: the main address %s is in use: answers to mails from it come back to it; "+
				"add a new account for %s, and switch this one off when nobody writes to it any more",
			was.Address, now.Address)
	}
	for _, m := range was.Mailboxes {
		if !m.Off && !old.Disabled && !slices.ContainsFunc(now.Mailboxes, func(o Mailbox) bool { return o.Name == m.Name }) {
			return errs.New(errs.Invalid,
				"email: mails are fetched from mailbox %q of user %s; switch it off first (off), then take it out", m.Name, m.User)
		}
	}
	return nil
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
			return errs.New(errs.Invalid, "email: settings.mailboxes[%d] has more than 10 folders, or history_days that are not 0 to 365",
				i)
		case m.User == "":
			return errs.New(errs.Invalid, "email: settings.mailboxes[%d].user is the name that logs in to the mailbox", i)
		}
		names[m.Name] = true
		server := smtpout.Server{Host: m.Host, Port: m.port(), Encryption: m.Encryption, User: m.User}
		if err := smtpout.Check("email: settings.mailboxes", server, !acct.Secrets[m.secret()].Empty()); err != nil {
			return err
		}
	}
	return nil
}

func checkLayouts(all []Layout) error {
	for i, l := range all {
		if l.HTML == "" && l.Text == "" {
			return errs.New(errs.Invalid, "email: settings.layouts[%d] is empty; it holds %s where the text belongs", i, ContentMark)
		}
		if err := cmp.Or(checkMark(i, "html", l.HTML), checkMark(i, "text", l.Text)); err != nil {
			return err
		}
		if l.HTML != "" && !plaintext.Once(l.HTML, ContentMark) {
			return errs.New(errs.Invalid, "email: settings.layouts[%d].html holds %s where nobody reads it once, such as a comment, "+
				"an attribute or a style; put it into the text", i, ContentMark)
		}
		if !slices.Contains(layoutEvents, l.Event) {
			return errs.New(errs.Invalid, "email: settings.layouts[%d].event is one of %s, or empty", i, strings.Join(layoutEvents[1:],
				", "))
		}
	}
	return nil
}

func checkMark(i int, part, text string) error {
	switch n := strings.Count(text, ContentMark); {
	case text == "":
		return nil
	case n != 1:
		return errs.New(errs.Invalid, "email: settings.layouts[%d].%s holds %s %d times; "+
			"put it once, where the text belongs: else nobody could read what the mail says", i, part, ContentMark, n)
	case len(text) > maxLayout:
		return errs.New(errs.Invalid, "email: settings.layouts[%d].%s has at most %d bytes", i, part, maxLayout)
	}
	return nil
}

// OtherFormat implements adapter.Formatted for the layouts.
func (a *Adapter) OtherFormat(was, next channel.Account, format string) (out []string) {
	before, _ := settingsOf(was) // none are as good as unreadable ones
	now, err := settingsOf(next)
	if err != nil {
		return nil
	}
	for i, l := range now.Layouts {
		has := "html"
		if l.HTML == "" {
			has = "text"
		}
		if has != format && !slices.Contains(before.Layouts, l) {
			out = append(out, fmt.Sprintf("settings.layouts[%d]", i))
		}
	}
	return out
}

// plain is the text of a mail without HTML, with what stands around it.
func (l Layout) plain(text string) string {
	around := l.Text
	if around == "" && l.HTML != "" {
		around = plaintext.FromHTML(l.HTML, true)
	}
	if !strings.Contains(around, ContentMark) {
		return text
	}
	return strings.Replace(around, ContentMark, text, 1)
}

// layout finds the one for a mail, the nearest first: event before language, and
// of languages the variant before the language itself.
func (s Settings) layout(out adapter.Outbound, language string) Layout {
	if out.Event == eventTrigger {
		return Layout{}
	}
	class := eventAnswer
	if out.Automatic {
		class = eventAutomatic
	}
	base, _, _ := strings.Cut(language, "-")
	for _, event := range []string{cmp.Or(out.Event, class), class, ""} {
		for _, lang := range []string{language, base, ""} {
			for _, l := range s.Layouts {
				if l.Event == event && strings.EqualFold(l.Language, lang) {
					return l
				}
			}
		}
	}
	return Layout{}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F || r == 0x85 || r == 0x2028 || r == 0x2029 })
}

// plainAddress says that this is one address and nothing else.
func plainAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 320 && !hasControl(s)
}
