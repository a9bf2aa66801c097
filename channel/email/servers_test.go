package email_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	reading "github.com/sangdam/sangdam/channel/email/message"
)

// These tests run against Dovecot and Postfix as Debian has them, as root, where
// SANGDAM_MAIL_SERVERS is set:
//
//	apt-get install dovecot-imapd dovecot-lmtpd postfix
//	SANGDAM_MAIL_SERVERS=1 go test -run TestDebian ./channel/email
//
// Both have a configuration, data and ports of their own in a temporary directory;
// what the machine has of them is not touched.

// debian is the two servers, with the mailboxes of help@shop.test, the desk, and
// of mina@example.com.
type debian struct {
	t      *testing.T
	dir    string
	ports  map[string]int // of imap, imaps, lmtp, auth, smtp
	root   *tls.Config
	server *tls.Config
}

func newDebian(t *testing.T) *debian {
	if os.Getenv("SANGDAM_MAIL_SERVERS") == "" {
		t.Skip("SANGDAM_MAIL_SERVERS is not set")
	}
	dir, err := os.MkdirTemp("", "sangdam-mail-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) // the servers' own users look in
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &debian{t: t, dir: dir, ports: map[string]int{}}
	d.server, d.root = certificate(t)
	for _, name := range []string{"imap", "imaps", "lmtp", "auth", "smtp"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		d.ports[name] = l.Addr().(*net.TCPAddr).Port
		require.NoError(t, l.Close())
	}
	key, err := x509.MarshalPKCS8PrivateKey(d.server.Certificates[0].PrivateKey)
	require.NoError(t, err)
	d.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.server.Certificates[0].Certificate[0]})))
	d.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	d.dovecot()
	d.postfix()
	return d
}

func (d *debian) write(name, text string) string {
	path := filepath.Join(d.dir, name)
	require.NoError(d.t, os.MkdirAll(filepath.Dir(path), 0o755))
	for key, value := range d.ports {
		text = strings.ReplaceAll(text, "{"+key+"}", strconv.Itoa(value))
	}
	require.NoError(d.t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "{dir}", d.dir)), 0o644))
	return path
}

const dovecotConf = `base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = yes
auth_username_format = %Ln
mail_location = maildir:{dir}/mail/%n
first_valid_uid = 1
recipient_delimiter = +
login_trusted_networks =
passdb {
  driver = passwd-file
  args = scheme=PLAIN {dir}/users
}
userdb {
  driver = passwd-file
  args = {dir}/users
}
service imap-login {
  inet_listener imap {
    port = {imap}
  }
  inet_listener imaps {
    port = {imaps}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    port = {lmtp}
  }
}
service auth {
  inet_listener {
    port = {auth}
  }
}
`

// owner is the system's user of mail.
func owner(t *testing.T) (uid, gid int) {
	u, err := user.Lookup("mail")
	require.NoError(t, err)
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid
}

func (d *debian) dovecot() {
	uid, gid := owner(d.t)
	line := fmt.Sprintf("%%s:{PLAIN}%s:%d:%d::{dir}/home/%%[1]s\n", password, uid, gid)
	d.write("users", fmt.Sprintf(line, "desk")+fmt.Sprintf(line, "help")+fmt.Sprintf(line, "mina"))
	for _, sub := range []string{"mail", "home", "home/help", "home/mina", "home/desk"} {
		require.NoError(d.t, os.MkdirAll(filepath.Join(d.dir, sub), 0o755))
		require.NoError(d.t, os.Chown(filepath.Join(d.dir, sub), uid, gid))
	}
	conf := d.write("dovecot.conf", dovecotConf)
	d.run("dovecot", "-c", conf)
	d.t.Cleanup(func() { d.run("doveadm", "-c", conf, "stop") })
	d.listening("imap", "imaps", "lmtp", "auth")
}

const postfixMain = `compatibility_level = 3.6
config_directory = {dir}/postfix
queue_directory = {dir}/queue
data_directory = {dir}/postfix-data
maillog_file = {dir}/postfix.log
maillog_file_prefixes = {dir}
myhostname = smtp.shop.test
mydestination = shop.test, example.com
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
recipient_delimiter = +
local_recipient_maps =
local_transport = lmtp:inet:127.0.0.1:{lmtp}
lmtp_tls_security_level = none
alias_maps =
alias_database =
message_size_limit = 40000000
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {dir}/cert.pem
smtpd_tls_key_file = {dir}/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_sender_login_maps = inline:{ help@shop.test=help, mina@example.com=mina }
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_delay_reject = no
`

const postfixMaster = `127.0.0.1:{smtp} inet n - n - - smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
smtp      unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
`

func (d *debian) postfix() {
	d.write("postfix/main.cf", postfixMain)
	d.write("postfix/master.cf", postfixMaster)
	u, err := user.Lookup("postfix")
	require.NoError(d.t, err)
	uid, _ := strconv.Atoi(u.Uid)
	for _, sub := range []string{"queue", "postfix-data"} {
		require.NoError(d.t, os.MkdirAll(filepath.Join(d.dir, sub), 0o755))
	}
	require.NoError(d.t, os.Chown(filepath.Join(d.dir, "postfix-data"), uid, -1))
	conf := filepath.Join(d.dir, "postfix")
	d.run("postfix", "-c", conf, "start")
	d.t.Cleanup(func() { d.run("postfix", "-c", conf, "stop") })
	d.listening("smtp")
}

func (d *debian) run(name string, args ...string) {
	// A file and no pipe: what the servers leave running would keep a pipe open.
	file, err := os.Create(filepath.Join(d.dir, "output"))
	require.NoError(d.t, err)
	defer file.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Run(); err != nil {
		out, _ := os.ReadFile(file.Name())
		log, _ := os.ReadFile(filepath.Join(d.dir, "postfix.log"))
		more, _ := os.ReadFile(filepath.Join(d.dir, "dovecot.log"))
		d.t.Errorf("%s %v: %v\n%s\n%s\n%s", name, args, err, out, log, more)
	}
}

func (d *debian) listening(names ...string) {
	for _, name := range names {
		d.eventually(name+" listens", func() bool {
			c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(d.ports[name])))
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
}

// eventually waits for a condition; how long it takes is the servers' business.
func (d *debian) eventually(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(d.dir, "postfix.log"))
			more, _ := os.ReadFile(filepath.Join(d.dir, "dovecot.log"))
			d.t.Fatalf("not within a minute: %s\n%s\n%s", what, log, more)
		}
	}
}

// adapter reaches the servers by their names.
func (d *debian) adapter() *email.Adapter {
	return email.New(email.Options{TLS: d.root, Poll: time.Minute,
		LookupTXT: func(context.Context, string) ([]string, error) {
			return []string{"v=spf1 a -all", "v=DMARC1; p=none"}, nil
		},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			name := map[string]string{"143": "imap", "993": "imaps", "587": "smtp"}[port]
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", strconv.Itoa(d.ports[name])))
		}})
}

func (d *debian) account(change ...func(*email.Settings)) channel.Account {
	return account(append([]func(*email.Settings){func(s *email.Settings) {
		s.Mailboxes[0].Encryption, s.Mailboxes[0].User = email.TLS, "help"
		s.SMTP.Encryption, s.SMTP.User = email.StartTLS, "help"
	}}, change...)...)
}

// writes has Mina write to the desk, through Postfix.
func (d *debian) writes(raw string) {
	d.t.Helper()
	acct := d.account(func(s *email.Settings) { s.SMTP.User, s.Address = "mina", "mina@example.com" })
	at := adapter.Attempt{Route: email.RouteSMTP, Request: fmt.Appendf(nil,
		`{"from":"mina@example.com","to":"help@shop.test","id":"x","mail":%q}`,
		base64Of(crlf(raw)))}
	_, err := d.adapter().Send(d.t.Context(), acct, at)
	require.NoError(d.t, err)
}

// got are the mails of a mailbox, oldest first.
func (d *debian) got(box string) (out []reading.Mail) {
	for _, sub := range []string{"cur", "new"} {
		files, err := filepath.Glob(filepath.Join(d.dir, "mail", box, sub, "*"))
		require.NoError(d.t, err)
		for _, f := range files {
			raw, err := os.ReadFile(f)
			require.NoError(d.t, err)
			out = append(out, reading.Parse(raw, reading.Options{}))
		}
	}
	return out
}

// follow runs the adapter until stop.
func (d *debian) follow(in *intake, acct channel.Account) (stop func()) {
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error, 1)
	go func() { done <- d.adapter().Run(ctx, acct, in) }()
	return func() { cancel(); require.ErrorIs(d.t, <-done, context.Canceled) }
}

func (i *intake) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.got)
}

func (i *intake) begun() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.point != nil
}

// The check is content with both ways of encryption, and says what is wrong with
// a password, a folder, and an address that the user may not send as.
func TestDebianCheck(t *testing.T) {
	d := newDebian(t)
	for _, encryption := range []string{email.TLS, email.StartTLS} {
		found, err := d.adapter().Check(t.Context(), d.account(func(s *email.Settings) { s.Mailboxes[0].Encryption = encryption }), "")
		require.NoError(t, err)
		for _, f := range found {
			require.True(t, f.OK || f.Topic == "spf", "%s: %s", f.Topic, f.Detail)
		}
	}
	bad := d.account(func(s *email.Settings) { s.Mailboxes[0].Folders, s.Address = []string{"Nowhere"}, "ceo@shop.test" })
	found, err := d.adapter().Check(t.Context(), bad, "")
	require.NoError(t, err)
	require.Contains(t, found[0].Detail, "Nowhere")
	require.Contains(t, found[1].Detail, "does not let this user send as ceo@shop.test")
	bad = d.account()
	bad.Secrets[email.SecretIMAP], bad.Secrets[email.SecretSMTP] = channel.NewSecret("wrong"), channel.NewSecret("wrong")
	found, err = d.adapter().Check(t.Context(), bad, "")
	require.NoError(t, err)
	require.Contains(t, found[0].Detail, "user or password")
	require.Contains(t, found[1].Detail, "user or password")
}

// What arrives is fetched as it arrives, once, unread as it was, across a stop,
// cut connections and new UIDs.
func TestDebianFetches(t *testing.T) {
	d := newDebian(t)
	in, acct := &intake{}, d.account(func(s *email.Settings) { s.Mailboxes[0].Encryption = email.StartTLS })
	d.writes("From: mina@example.com\nSubject: old\nMessage-ID: <old@example.com>\n\nold\n")
	d.eventually("the old mail is there", func() bool { return len(d.got("help")) == 1 })
	stop := d.follow(in, acct)
	d.eventually("the mailbox is followed", in.begun)
	d.writes("From: mina@example.com\nSubject: one\nMessage-ID: <one@example.com>\n\none\n.\n..two dots\n")
	d.eventually("IDLE tells", func() bool { return in.count() == 1 })
	stop()
	d.writes("From: mina@example.com\nSubject: two\nMessage-ID: <two@example.com>\n\ntwo\n")
	d.eventually("it is delivered meanwhile", func() bool { return len(d.got("help")) == 3 })
	stop = d.follow(in, acct)
	d.eventually("what came meanwhile", func() bool { return in.count() == 2 })
	stop()
	files, err := filepath.Glob(filepath.Join(d.dir, "mail", "help", "cur", "*,S"))
	require.NoError(t, err)
	require.Empty(t, files, "nothing was marked as read")
	for _, f := range []string{"dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache", "dovecot-uidvalidity"} {
		if err := os.Remove(filepath.Join(d.dir, "mail", "help", f)); !errors.Is(err, syscall.ENOENT) {
			require.NoError(t, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(d.dir, "mail", "help", "dovecot-uidvalidity.*"))
	require.NoError(t, err)
	for _, f := range left {
		require.NoError(t, os.Remove(f))
	}
	time.Sleep(1100 * time.Millisecond) // the new validity is the time in seconds
	stop = d.follow(in, acct)
	d.writes("From: mina@example.com\nSubject: three\nMessage-ID: <three@example.com>\n\nthree\n")
	d.eventually("the third", func() bool { return slicesContain(in.texts(t, d.adapter(), acct), "three") })
	stop()
	require.NotZero(t, in.repeat, "everything was looked at again")
	texts := in.texts(t, d.adapter(), acct)
	require.Subset(t, texts, []string{"one\n.\n..two dots", "two", "three"})
	require.LessOrEqual(t, len(texts), 4, "the old mail at most is new")
}

func slicesContain(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// An answer with a file arrives as it was sent, and what answers it comes back
// into its thread, by its headers and by the address alone.
func TestDebianThreads(t *testing.T) {
	d := newDebian(t)
	in, acct := &intake{}, d.account()
	stop := d.follow(in, acct)
	defer stop()
	d.eventually("the mailbox is followed", in.begun)
	d.writes("From: Mina <mina@example.com>\nTo: help@shop.test\nSubject: =?utf-8?B?7KO866y4?=\nMessage-ID: <first@example.com>\n\nwhere " +
		"is it?\n")
	d.eventually("the first mail", func() bool { return in.count() == 1 })
	first, err := d.adapter().Parse(acct, in.got[0])
	require.NoError(t, err)
	pdf := bytes.Repeat([]byte("%PDF \x00\xff.\r\n"), 50_000)
	at, err := d.adapter().Plan(acct, []adapter.Outbound{{Row: "r", Message: "018f2f6e-7c00-7abc-8def-0123456789ab", To: first.Chat,
		State: first.State,
		Content: channel.Content{Kind: channel.KindFile, Text: "여기 있습니다.\n.\n", Media: &channel.Media{Name: "영수증.pdf",
			Type: "application/pdf",
			Blob: "b", Size: int64(len(pdf)), URL: "https://d/b"}}}}, time.Now(), nil)
	require.NoError(t, err)
	_, err = d.adapter().SendFiles(t.Context(), acct, at, kept(map[string]string{"b": string(pdf)}))
	require.NoError(t, err)
	d.eventually("the answer", func() bool { return len(d.got("mina")) == 1 })
	answer := d.got("mina")[0]
	require.Equal(t, "여기 있습니다.\n.", strings.TrimSpace(answer.Text))
	require.Equal(t, pdf, answer.Files[0].Data)
	require.Equal(t, "영수증.pdf", answer.Files[0].Name)
	require.Equal(t, []string{"first@example.com"}, answer.InReplyTo)
	d.writes("From: Mina <mina@example.com>\nTo: help@shop.test\nSubject: Re: x\nMessage-ID: <second@example.com>\nIn-Reply-To: <" +
		answer.ID + ">\n\nthanks\n")
	d.eventually("her answer", func() bool { return in.count() == 2 })
	second, err := d.adapter().Parse(acct, in.got[1])
	require.NoError(t, err)
	require.Equal(t, first.Chat, second.Chat, "by the id that it answers")
	back := answer.ReplyTo[0].Addr
	acctMina := d.account(func(s *email.Settings) { s.SMTP.User, s.Address = "mina", "mina@example.com" })
	_, err = d.adapter().Send(t.Context(), acctMina, adapter.Attempt{Route: email.RouteSMTP,
		Request: fmt.Appendf(nil, `{"from":"mina@example.com","to":%q,"id":"x","mail":%q}`, back,
			base64Of(crlf("From: mina@example.com\nTo: "+back+"\nSubject: new\nMessage-ID: <third@example.com>\n\none more\n")))})
	require.NoError(t, err)
	d.eventually("to the address with the token", func() bool { return in.count() == 3 })
	third, err := d.adapter().Parse(acct, in.got[2])
	require.NoError(t, err)
	require.Equal(t, first.Chat, third.Chat, "by the address alone")
}

// A mail that cannot be delivered comes back as Postfix reports it, and marks the
// message; one that is too large is refused for good; 25 MB are fetched.
func TestDebianBouncesAndSizes(t *testing.T) {
	d := newDebian(t)
	in, acct := &intake{}, d.account()
	stop := d.follow(in, acct)
	defer stop()
	d.eventually("the mailbox is followed", in.begun)
	chat := channel.Chat{Kind: channel.ChatThread, ID: shopKey.Begin("first@example.com")}
	out := adapter.Outbound{Row: "r", Message: "018f2f6e-7c00-7abc-8def-0123456789ab", To: chat, Content: channel.Text("hello"),
		State: []byte(`{"to":"nobody@example.com"}`)}
	at, err := d.adapter().Plan(acct, []adapter.Outbound{out}, time.Now(), nil)
	require.NoError(t, err)
	_, err = d.adapter().Send(t.Context(), acct, at)
	require.NoError(t, err, "Postfix takes it, and finds out later")
	d.eventually("the bounce", func() bool { return in.count() == 1 })
	bounce, err := d.adapter().Parse(acct, in.got[0])
	require.NoError(t, err)
	require.Equal(t, []any{adapter.EventFailed, channel.ReasonUnreachable, string(out.Message), chat},
		[]any{bounce.Kind, bounce.Reason, bounce.Tag, bounce.Chat})
	large := "From: mina@example.com\nSubject: big\nMessage-ID: <big@example.com>\n\nsee below\n" + strings.Repeat(strings.Repeat("x",
		76)+"\n", 330_000)
	d.writes(large)
	d.eventually("25 MB", func() bool { return in.count() == 2 })
	require.Greater(t, len(in.got[1].Raw), 25_000_000)
	out.State, out.Content = []byte(chatState), channel.Content{Kind: channel.KindFile, Text: "see",
		Media: &channel.Media{Name: "a", Blob: "b", Size: 45_000_000, URL: "https://d/b"}}
	at, err = d.adapter().Plan(d.account(func(s *email.Settings) { s.MaxFileBytes = 50_000_000 }), []adapter.Outbound{out}, time.Now(), nil)
	require.NoError(t, err)
	_, err = d.adapter().SendFiles(t.Context(), acct, at, kept(map[string]string{"b": strings.Repeat("y", 45_000_000)}))
	var se *adapter.SendError
	require.ErrorAs(t, err, &se)
	require.Equal(t, []any{adapter.Permanent, channel.ReasonTooLarge}, []any{se.Disposition, se.Reason}, se.Detail)
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
