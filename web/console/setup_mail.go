package console

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"html"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// kindMail is a channel whose settings the page has fields for; the members are
// those of email.Settings.
const (
	kindMail        = channel.Kind("email")
	secretThreads   = "thread_key"
	secretIMAP      = "imap_password"
	secretSMTP      = "smtp_password"
	mailContentMark = "#{content}"
)

// mailForm are the settings of a mail account.
type mailForm struct {
	Address, Sender string
	Used            bool // threads rest on the address
	Aliases, Judges string
	Plus            bool
	Boxes           []mailboxForm
	NewBox          mailboxForm // what is copied for another
	SMTP            serverForm
	Layouts         []mailLayoutForm
	NewLayout       mailLayoutForm
}

// serverForm is how a server is reached; a password goes in and never comes out.
type serverForm struct {
	Prefix, Host, Port, User string
	Encryptions              []choice
	Kept                     bool // a password is stored
}

type mailboxForm struct {
	N                   string
	Server              serverForm
	Name, Folders, Days string
	Off, Stored         bool
}

type mailLayoutForm struct {
	N, Language, HTML, Text string
	Events                  []choice
	// Form, Other: as of layoutForm. Was is the place of the stored layout whose
	// body stays as it is.
	Form, Was string
	Other     bool
}

// mailSettings are the members that the page has fields for.
type mailSettings struct {
	Address     string       `json:"address"`
	Aliases     []string     `json:"aliases,omitempty"`
	Name        string       `json:"name,omitempty"`
	Plus        bool         `json:"plus,omitempty"`
	AuthServers []string     `json:"auth_servers,omitempty"`
	Mailboxes   []mailbox    `json:"mailboxes"`
	SMTP        mailServer   `json:"smtp"`
	Layouts     []mailLayout `json:"layouts,omitempty"`
}

type mailServer struct {
	Host       string `json:"host"`
	Port       int    `json:"port,omitempty"`
	Encryption string `json:"encryption,omitempty"`
	User       string `json:"user,omitempty"`
}

type mailbox struct {
	Name string `json:"name,omitempty"`
	mailServer
	Folders     []string `json:"folders,omitempty"`
	HistoryDays int      `json:"history_days,omitempty"`
	Off         bool     `json:"off,omitempty"`
}

// secret is the name of the mailbox's password.
func (m mailbox) secret() string {
	if m.Name == "" {
		return secretIMAP
	}
	return secretIMAP + ":" + m.Name
}

type mailLayout struct {
	Event    string `json:"event,omitempty"`
	Language string `json:"language,omitempty"`
	HTML     string `json:"html,omitempty"`
	Text     string `json:"text,omitempty"`
}

// newRow stands in the names of a row that the page's script copies.
const newRow = "new"

// mailForm shows settings; stored are those that were there before they were
// typed over.
func (q *request) mailForm(a channel.Account, stored mailSettings) (*mailForm, error) {
	var s mailSettings
	_ = json.Unmarshal(a.Settings, &s) // what cannot be read is written anew
	if a.Version == 0 && len(s.Mailboxes) == 0 {
		s.Mailboxes = []mailbox{{}}
	}
	editor, err := q.editorType()
	if err != nil {
		return nil, err
	}
	fresh := mailLayout{HTML: "<p>" + mailContentMark + "</p>\n"}
	if editor == formOf("") {
		fresh = mailLayout{Text: mailContentMark + "\n"}
	}
	f := &mailForm{Address: s.Address, Sender: s.Name, Plus: s.Plus, Aliases: strings.Join(s.Aliases, "\n"),
		Judges: strings.Join(s.AuthServers, "\n"), SMTP: q.serverForm("smtp.", s.SMTP, "starttls"),
		NewBox:    q.mailboxForm(newRow, mailbox{}),
		NewLayout: q.mailLayoutForm(newRow, fresh)}
	f.SMTP.Kept = stored.SMTP.User != ""
	for i, m := range s.Mailboxes {
		b := q.mailboxForm(strconv.Itoa(i), m)
		b.Stored = slices.ContainsFunc(stored.Mailboxes, func(o mailbox) bool { return o.Name == m.Name && o.Host != "" })
		b.Server.Kept = b.Stored
		f.Boxes = append(f.Boxes, b)
	}
	for i, l := range s.Layouts {
		row := q.mailLayoutForm(strconv.Itoa(i), l)
		if row.Other = row.Form != editor; row.Other && q.value("convert") == row.N {
			l.HTML, l.Text = converted(l.HTML, l.Text, editor)
			row = q.mailLayoutForm(row.N, l)
		}
		if at := slices.Index(stored.Layouts, l); row.Other && at >= 0 {
			row.Was = strconv.Itoa(at)
		}
		f.Layouts = append(f.Layouts, row)
	}
	f.Used, err = q.mailUsed(a)
	return f, err
}

// mailUsed says that conversations rest on the account's address.
func (q *request) mailUsed(a channel.Account) (bool, error) {
	if a.Version == 0 {
		return false, nil
	}
	page, err := q.engine.Conversations(q.r.Context(), q.p, conversation.Filter{Account: a.ID}, "", 1)
	return len(page.Conversations) > 0, err
}

func (q *request) serverForm(prefix string, s mailServer, usual string) serverForm {
	f := serverForm{Prefix: prefix, Host: s.Host, User: s.User,
		Encryptions: q.named("encryption", is(cmp.Or(s.Encryption, usual)), "tls", "starttls", "none")}
	if s.Port != 0 {
		f.Port = strconv.Itoa(s.Port)
	}
	return f
}

func (q *request) mailboxForm(n string, m mailbox) mailboxForm {
	f := mailboxForm{N: n, Name: m.Name, Server: q.serverForm("mailbox."+n+".", m.mailServer, "tls"),
		Folders: strings.Join(m.Folders, ", "), Off: m.Off}
	if m.HistoryDays != 0 {
		f.Days = strconv.Itoa(m.HistoryDays)
	}
	return f
}

func (q *request) mailLayoutForm(n string, l mailLayout) mailLayoutForm {
	return mailLayoutForm{N: n, Language: l.Language, HTML: l.HTML, Text: l.Text, Form: formOf(l.HTML),
		Events: q.named("mail_kind", is(l.Event), "", "answer", "automatic", "received", "on_hold", "handled", "solved")}
}

// readMail reads them. Members that the page does not know stay, a new account
// gets the key of its threads by itself, and a password that was left empty keeps
// what is stored.
func (q *request) readMail(a *channel.Account) error {
	whole := map[string]json.RawMessage{}
	var stored, s mailSettings
	if len(a.Settings) > 0 {
		if json.Unmarshal(a.Settings, &whole) != nil || json.Unmarshal(a.Settings, &stored) != nil {
			return errs.New(errs.Invalid, "console: %s", q.lang.t("account.settings_wrong"))
		}
	}
	a.Secrets = map[string]channel.Secret{}
	if a.Version == 0 {
		a.Secrets[secretThreads] = channel.NewSecret(rand.Text() + rand.Text())
	}
	err := q.typedMail(a, &s, stored)
	raw, again := json.Marshal(s)
	if again != nil {
		return again
	}
	for _, name := range []string{"address", "aliases", "name", "plus", "auth_servers", "mailboxes", "smtp", "layouts"} {
		delete(whole, name)
	}
	if again := json.Unmarshal(raw, &whole); again != nil { // over what the page does not know
		return again
	}
	a.Settings, again = json.Marshal(whole)
	return cmp.Or(err, again)
}

// typedMail reads the fields; what was typed is in s also when something is
// wrong with it.
func (q *request) typedMail(a *channel.Account, s *mailSettings, stored mailSettings) (err error) {
	s.Address, s.Name, s.Plus = q.value("address"), q.value("sender"), q.checked("plus")
	s.Aliases, s.AuthServers = strings.Fields(q.value("aliases")), strings.Fields(q.value("judges"))
	note := func(wrong error) { err = cmp.Or(err, wrong) }
	var wrong error
	s.SMTP, wrong = q.readServer("smtp.", a, secretSMTP, stored.SMTP.User != "")
	note(wrong)
	for _, n := range q.r.PostForm["mailbox.row"] {
		m, wrong := q.readMailbox(n, a, s.Mailboxes, stored)
		s.Mailboxes = append(s.Mailboxes, m)
		note(wrong)
	}
	for _, m := range stored.Mailboxes {
		if slices.ContainsFunc(s.Mailboxes, func(o mailbox) bool { return o.Name == m.Name }) {
			continue
		}
		if !m.Off {
			s.Mailboxes = append(s.Mailboxes, m)
			note(errs.New(errs.Invalid, "console: %s", q.lang.t("mail.box_on", m.User)))
			continue
		}
		a.Secrets[m.secret()] = channel.Secret{}
	}
	s.Layouts = append(s.Layouts, q.typedLayouts(stored)...)
	return err
}

// typedLayouts reads the layouts of the form.
func (q *request) typedLayouts(stored mailSettings) (out []mailLayout) {
	for _, n := range q.r.PostForm["layout.row"] {
		p := "layout." + n + "."
		lines := func(name string) string { return strings.ReplaceAll(q.r.PostFormValue(p+name), "\r\n", "\n") }
		l := mailLayout{Event: q.value(p + "event"), Language: q.value(p + "language"), HTML: lines("html"), Text: lines("text")}
		if at, none := strconv.Atoi(q.value(p + "was")); none == nil && at >= 0 && at < len(stored.Layouts) {
			l.HTML, l.Text = stored.Layouts[at].HTML, stored.Layouts[at].Text // to the byte: what is typed loses line ends
		}
		out = append(out, l)
	}
	return out
}

// readServer reads how a server is reached; a password that is typed becomes the
// secret of the name, and one whose user is gone is forgotten.
func (q *request) readServer(prefix string, a *channel.Account, secret string, kept bool) (mailServer, error) {
	port, err := q.whole(prefix + "port")
	s := mailServer{Host: q.value(prefix + "host"), Port: port, Encryption: q.value(prefix + "encryption"), User: q.value(prefix + "user")}
	switch typed := q.r.PostFormValue(prefix + "password"); {
	case typed != "":
		a.Secrets[secret] = channel.NewSecret(typed)
	case s.User == "" && kept:
		a.Secrets[secret] = channel.Secret{}
	}
	return s, err
}

// readMailbox reads one mailbox. Its name tells passwords apart and stays; a new
// one gets a name by itself.
func (q *request) readMailbox(n string, a *channel.Account, before []mailbox, stored mailSettings) (mailbox, error) {
	p := "mailbox." + n + "."
	m := mailbox{Name: q.value(p + "name"), Off: q.checked(p + "off")}
	if !q.checked(p+"stored") && (len(before) > 0 || len(stored.Mailboxes) > 0) {
		m.Name = strings.ToLower(rand.Text()[:8])
	}
	var err error
	m.mailServer, err = q.readServer(p, a, m.secret(), false)
	for folder := range strings.SplitSeq(q.value(p+"folders"), ",") {
		if folder = strings.TrimSpace(folder); folder != "" {
			m.Folders = append(m.Folders, folder)
		}
	}
	days, wrong := q.whole(p + "days")
	m.HistoryDays = days
	return m, cmp.Or(err, wrong)
}

// storedMail are the settings before they are typed over.
func storedMail(a channel.Account) (s mailSettings) {
	_ = json.Unmarshal(a.Settings, &s) // none are as good as unreadable ones
	return s
}

// streamChoices lists the work streams that take a channel, each with what it
// makes of a first message.
func (q *request) streamChoices(kind channel.Kind, chosen routing.WorkStreamID) ([]choice, error) {
	cfg, err := q.engine.Configuration(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	var out []choice
	for _, id := range sortedKeys(cfg.WorkStreams) {
		w := cfg.WorkStreams[id]
		if (w.Retired || !w.Takes(string(kind))) && id != chosen {
			continue
		}
		becomes := q.lang.t("stream.makes_chats")
		if w.Tickets {
			becomes = q.lang.t("stream.makes_tickets")
		}
		out = append(out, choice{string(id), cmp.Or(w.Name, string(id)) + " · " + becomes, id == chosen})
	}
	return out, nil
}

// previewMail shows the layout whose row was asked for around a sample, as a
// document of its own origin in which nothing runs and nothing is loaded.
func (q *request) previewMail() error {
	row := "layout." + q.value("preview") + "."
	typed := strings.ReplaceAll(q.r.PostFormValue(row+"html"), "\r\n", "\n")
	if plain := q.r.PostFormValue(row + "text"); strings.TrimSpace(typed) == "" && plain != "" {
		typed = "<pre>" + escapedText(plain) + "</pre>" // a mail without HTML
	}
	if strings.Count(typed, mailContentMark) != 1 {
		return q.framed(q.lang.t("layouts.new"), "<p>"+escapedText(q.lang.t("mail.no_mark"))+"</p>")
	}
	return q.framed(q.lang.t("layouts.new"), strings.Replace(typed, mailContentMark, escapedText(q.lang.t("layouts.sample")), 1))
}

func escapedText(s string) string { return html.EscapeString(s) }

// framed answers with a document for a frame of the console: whatever it holds,
// no script of it runs, it sends nothing and loads nothing.
func (q *request) framed(title, body string) error {
	q.w.Header().Set("Content-Security-Policy",
		"sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "+
			"frame-ancestors 'self'")
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = q.w.Write([]byte("<!doctype html><title>" + escapedText(title) + "</title>" + body)) // the reader may be gone
	return nil
}
