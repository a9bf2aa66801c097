package email_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
)

func TestAccountsThatAreRefused(t *testing.T) {
	a := email.New(email.Options{})
	require.NoError(t, a.Validate(account()))
	for name, change := range map[string]func(*email.Settings){
		"no address":         func(s *email.Settings) { s.Address = "" },
		"two addresses":      func(s *email.Settings) { s.Address = "a@shop.test, b@shop.test" },
		"a name and address": func(s *email.Settings) { s.Address = "Shop <help@shop.test>" },
		"a line break":       func(s *email.Settings) { s.Address = "help@shop.test\r\nBcc: x@example.com" },
		"a bad alias":        func(s *email.Settings) { s.Aliases = []string{"x"} },
		"a name with breaks": func(s *email.Settings) { s.Name = "Shop\nBcc: x" },
		"no SMTP":            func(s *email.Settings) { s.SMTP.Host = "" },
		"a URL":              func(s *email.Settings) { s.SMTP.Host = "smtp://shop.test" },
		"a bad port":         func(s *email.Settings) { s.SMTP.Port = 70000 },
		"a bad encryption":   func(s *email.Settings) { s.SMTP.Encryption = "rot13" },
		"a plain password": func(s *email.Settings) {
			s.SMTP = email.SMTP{Host: "smtp.shop.example", Encryption: email.Plain, User: "u"}
		},
		"no IMAP user":                  func(s *email.Settings) { s.Mailboxes[0].User = "" },
		"no IMAP host":                  func(s *email.Settings) { s.Mailboxes[0].Host = "" },
		"a mailbox twice":               func(s *email.Settings) { s.Mailboxes = append(s.Mailboxes, s.Mailboxes[0]) },
		"a name of a mailbox":           func(s *email.Settings) { s.Mailboxes[0].Name = "a/b" },
		"too many folders":              func(s *email.Settings) { s.Mailboxes[0].Folders = make([]string, 11) },
		"a layout without text":         func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: "<p>hi</p>"}} },
		"a layout with it twice":        func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: "#{content}#{content}"}} },
		"a layout of an event":          func(s *email.Settings) { s.Layouts = []email.Layout{{Event: "x", HTML: "#{content}"}} },
		"a plain layout without text":   func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: "#{content}", Text: "Shop"}} },
		"a layout with it in a comment": func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: "Shop<!-- #{content} -->"}} },
		"a layout with it in a link":    func(s *email.Settings) { s.Layouts = []email.Layout{{HTML: `<a href="#{content}">Shop</a>`}} },
		"an empty layout":               func(s *email.Settings) { s.Layouts = []email.Layout{{Event: "solved"}} },
		"a huge layout": func(s *email.Settings) {
			s.Layouts = []email.Layout{{HTML: "#{content}" + strings.Repeat("x", 200<<10)}}
		},
	} {
		require.ErrorIs(t, a.Validate(account(change)), adapter.ErrInvalid, name)
	}
	short := account()
	short.Secrets[email.SecretThreads] = channel.NewSecret("short")
	require.ErrorIs(t, a.Validate(short), adapter.ErrInvalid, "a key that can be guessed")
	bare := account()
	bare.Settings = nil
	require.ErrorIs(t, a.Validate(bare), adapter.ErrInvalid)
}

// A check says what is wrong with which server, and what the domain lacks.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emailtest.New(emailtest.Options{User: "desk", Password: password})
		txt := map[string][]string{"shop.test": {"v=spf1 include:smtp.shop.test -all"}}
		a := email.New(email.Options{Dial: s.Dial, LookupTXT: func(_ context.Context, name string) ([]string, error) {
			if r, ok := txt[name]; ok {
				return r, nil
			}
			return nil, errors.New("no such name")
		}})
		wrong := func(acct channel.Account) map[string]string {
			found, err := a.Check(t.Context(), acct, "")
			require.NoError(t, err)
			out := map[string]string{}
			for _, f := range found {
				if !f.OK {
					require.NotEmpty(t, f.Remedy, f.Topic)
					out[strings.TrimSpace(f.Topic)] = f.Detail
				}
			}
			return out
		}
		require.Equal(t, map[string]string{"dmarc": "the domain has no DMARC policy; large mail services may refuse answers"},
			wrong(account()))
		txt["_dmarc.shop.test"] = []string{"v=DMARC1; p=reject"}
		require.Empty(t, wrong(account()))
		bad := account(func(s *email.Settings) { s.Mailboxes[0].Folders = []string{"Nowhere"} })
		require.Contains(t, wrong(bad)["mailbox"], "Nowhere")
		bad = account()
		bad.Secrets[email.SecretIMAP] = channel.NewSecret("wrong")
		require.Contains(t, wrong(bad)["mailbox"], "refuses user or password")
		bad = account()
		bad.Secrets[email.SecretSMTP] = channel.NewSecret("wrong")
		require.Contains(t, wrong(bad)["smtp"], "user or password")
		bad = account(func(s *email.Settings) { s.Address = "ceo@shop.test" })
		require.Contains(t, wrong(bad)["smtp"], "does not let this user send as ceo@shop.test")
		s.Close()
		synctest.Wait()
	})
}

// A domain whose records do not name the SMTP server is told so, with what its
// DMARC policy makes of that; nobody is asked but the resolver that was given.
func TestADomainThatDoesNotNameTheServer(t *testing.T) {
	const host = "smtp.shop.test"
	ip := netip.MustParseAddr("192.0.2.25")
	for name, c := range map[string]struct {
		txt  map[string][]string
		host string
		spf  string // what is wrong; empty: nothing
		mail string // of DMARC
	}{
		"by name":    {txt: map[string][]string{"shop.test": {"v=spf1 include:_spf.shop.test -all"}}},
		"by network": {txt: map[string][]string{"shop.test": {"v=spf1 ip4:192.0.2.0/24 ~all"}}},
		"by address": {txt: map[string][]string{"shop.test": {"other", "V=SPF1 ip4:192.0.2.25 -all"}}},
		"by a":       {txt: map[string][]string{"shop.test": {"v=spf1 a:out.elsewhere.test -all"}}},
		"by mx":      {txt: map[string][]string{"shop.test": {"v=spf1 mx -all"}}},
		"by what it includes": {txt: map[string][]string{"shop.test": {"v=spf1 include:spf.elsewhere.test -all"},
			"spf.elsewhere.test": {"v=spf1 redirect=more.elsewhere.test"}, "more.elsewhere.test": {"v=spf1 ip4:192.0.2.25 -all"}}},
		"a known service": {host: "smtp.gmail.com", txt: map[string][]string{"shop.test": {"v=spf1 include:_spf.google.com ~all"}}},
		"nobody":          {txt: map[string][]string{"shop.test": {"v=spf1 -all"}}, spf: "does not name"},
		"another": {txt: map[string][]string{"shop.test": {"v=spf1 ip4:198.51.100.1 include:_spf.google.com -all"}},
			spf: "does not name"},
		"not by a minus": {txt: map[string][]string{"shop.test": {"v=spf1 -ip4:192.0.2.25 ?a:smtp.shop.test -all"}}, spf: "does not name"},
		"two records":    {txt: map[string][]string{"shop.test": {"v=spf1 mx -all", "v=spf1 -all"}}, spf: "more than one"},
		"round and round": {txt: map[string][]string{"shop.test": {"v=spf1 include:x.test -all"}, "x.test": {"v=spf1 include:x.test -all"}},
			spf: "more than 10"},
		"rejected": {txt: map[string][]string{"shop.test": {"v=spf1 -all"}, "_dmarc.shop.test": {"v=DMARC1; p=reject"}},
			spf:  "does not name",
			mail: "others refuse mails"},
		"quarantined": {txt: map[string][]string{"shop.test": {"v=spf1 -all"}, "_dmarc.shop.test": {"v=DMARC1;p=quarantine"}},
			spf: "does not name", mail: "put aside"},
		"watched alone": {txt: map[string][]string{"shop.test": {"v=spf1 -all"}, "_dmarc.shop.test": {"v=DMARC1; p=none"}},
			spf: "does not name"},
	} {
		if c.txt["_dmarc.shop.test"] == nil {
			c.txt["_dmarc.shop.test"] = []string{"v=DMARC1; p=none"}
		}
		refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }
		a := email.New(email.Options{Dial: refuse, LookupTXT: func(_ context.Context, name string) ([]string, error) {
			return c.txt[name],
				nil
		},
			LookupIP: func(_ context.Context, name string) ([]netip.Addr, error) {
				return map[string][]netip.Addr{host: {ip}, "out.elsewhere.test": {ip}}[name], nil
			},
			LookupMX: func(context.Context, string) ([]string, error) { return []string{"mx.shop.test.", host + "."}, nil }})
		found, err := a.Check(t.Context(), account(func(s *email.Settings) { s.SMTP.Host = cmp.Or(c.host, host) }), "")
		require.NoError(t, err)
		for _, f := range found {
			want, is := map[string]string{"spf": c.spf, "dmarc": c.mail}[f.Topic]
			if !is {
				continue
			}
			require.Equal(t, want == "", f.OK, "%s: %+v", name, f)
			require.Contains(t, f.Detail, want, name)
			require.Equal(t, f.OK, f.Remedy == "", name)
		}
	}
}

// Of a subdomain the organisation's policy counts.
func TestThePolicyOfTheOrganisation(t *testing.T) {
	a := email.New(email.Options{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") },
		LookupTXT: func(_ context.Context, name string) ([]string, error) {
			return map[string][]string{"_dmarc.shop.example": {"v=DMARC1; p=none; sp=reject"}}[name], nil
		}})
	found, err := a.Check(t.Context(), account(func(s *email.Settings) { s.Address = "help@cs.shop.example" }), "")
	require.NoError(t, err)
	last := found[len(found)-1]
	require.Equal(t, "dmarc", last.Topic)
	require.Contains(t, last.Detail, "others refuse mails")
	require.Contains(t, last.Remedy, "cs.shop.example")
}

// certificate is of the test's own making, for *.shop.test.
func certificate(t *testing.T) (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"imap.shop.test", "smtp.shop.test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(24 * time.Hour * 36500), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// TLS from the first byte and STARTTLS, in and out; a certificate that nobody
// vouches for is refused, and a server without STARTTLS gets no password.
func TestEncryption(t *testing.T) {
	server, client := certificate(t)
	for name, encryption := range map[string]string{"tls": email.TLS, "starttls": email.StartTLS} {
		t.Run(name, func(t *testing.T) {
			acct := account(func(s *email.Settings) { s.Mailboxes[0].Encryption, s.SMTP.Encryption = encryption, encryption })
			s := emailtest.New(emailtest.Options{User: "desk", Password: password, TLS: server})
			t.Cleanup(s.Close)
			vouch := func(context.Context, string) ([]string, error) {
				return []string{"v=spf1 include:_spf.shop.test", "v=DMARC1"}, nil
			}
			found, err := email.New(email.Options{Dial: s.Dial, TLS: client, LookupTXT: vouch}).Check(t.Context(), acct, "")
			require.NoError(t, err)
			for _, f := range found {
				require.True(t, f.OK, "%s: %s", f.Topic, f.Detail)
			}
			found, err = email.New(email.Options{Dial: s.Dial, LookupTXT: vouch}).Check(t.Context(), acct, "")
			require.NoError(t, err)
			require.False(t, found[0].OK || found[1].OK, "nobody vouches for the certificate")
			bare := emailtest.New(emailtest.Options{User: "desk", Password: password})
			t.Cleanup(bare.Close)
			if encryption == email.StartTLS {
				found, err = email.New(email.Options{Dial: bare.Dial, TLS: client, LookupTXT: vouch}).Check(t.Context(), acct, "")
				require.NoError(t, err)
				require.False(t, found[0].OK || found[1].OK, "no STARTTLS, no password")
			}
		})
	}
}

// A layout is of the other format when it is new or changed; what stood there
// stays.
func TestLayoutsOfTheOtherFormat(t *testing.T) {
	a := email.New(email.Options{})
	with := func(all ...email.Layout) channel.Account { return account(func(s *email.Settings) { s.Layouts = all }) }
	html, both, text := email.Layout{HTML: "<p>#{content}</p>"}, email.Layout{Event: "solved", HTML: "#{content}", Text: "#{content}"},
		email.Layout{Event: "received", Text: "#{content}"}
	all := with(html, both, text)
	require.Equal(t, []string{"settings.layouts[2]"}, a.OtherFormat(channel.Account{}, all, "html"))
	require.Equal(t, []string{"settings.layouts[0]", "settings.layouts[1]"}, a.OtherFormat(channel.Account{}, all, "text"))
	require.Empty(t, a.OtherFormat(with(both, html), all, "text"))
	changed := html
	changed.HTML += "!"
	require.Equal(t, []string{"settings.layouts[0]"}, a.OtherFormat(all, with(changed, text), "text"))
}
