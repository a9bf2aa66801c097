package email_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
)

// intake keeps what a run fetches, as the library does: known keys are absorbed.
type intake struct {
	mu     sync.Mutex
	point  []byte
	known  map[string]bool
	got    []adapter.Envelope
	repeat int
	refuse error
}

func (i *intake) Load(context.Context) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.point, nil
}

func (i *intake) Save(_ context.Context, p []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.point = bytes.Clone(p)
	return nil
}

func (i *intake) Append(_ context.Context, envs ...adapter.Envelope) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuse != nil {
		return i.refuse
	}
	if i.known == nil {
		i.known = map[string]bool{}
	}
	for _, e := range envs {
		if i.known[e.DedupKey] {
			i.repeat++
			continue
		}
		i.known[e.DedupKey] = true
		i.got = append(i.got, e)
	}
	return nil
}

func (i *intake) texts(t *testing.T, a *email.Adapter, acct channel.Account) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []string
	for _, e := range i.got {
		in, err := a.Parse(acct, e)
		require.NoError(t, err)
		out = append(out, in.Content.Text)
	}
	return out
}

// post is a desk's adapter and its servers, in fake time.
type post struct {
	t    *testing.T
	s    *emailtest.Server
	a    *email.Adapter
	acct channel.Account
	in   *intake
	stop func() error
}

func inPost(t *testing.T, o emailtest.Options, fn func(p *post), change ...func(*email.Settings)) {
	synctest.Test(t, func(t *testing.T) {
		o.User, o.Password = "desk", password
		p := &post{t: t, s: emailtest.New(o), acct: account(change...), in: &intake{}}
		p.a = email.New(email.Options{Dial: p.s.Dial})
		fn(p)
		p.s.Close()
		synctest.Wait()
	})
}

func (p *post) run() {
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.a.Run(ctx, p.acct, p.in) }()
	p.stop = func() error {
		cancel()
		return <-done
	}
	p.pass(time.Second)
}

func (p *post) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (p *post) write(texts ...string) {
	for _, text := range texts {
		p.s.Write(emailtest.Letter{From: "mina@example.com", Subject: "order", Text: text})
	}
}

// Mails that come while others are looked for and fetched are neither left out nor
// fetched twice, whatever the connection saw of them first.
func TestMailsThatComeWhileOthersAreFetched(t *testing.T) {
	inPost(t, emailtest.Options{}, func(p *post) {
		p.run()
		var want []string
		for i := range 300 {
			want = append(want, fmt.Sprint(i))
			p.write(want[i]) // beside the fetching of those before
		}
		p.pass(10 * time.Minute)
		require.Equal(t, want, p.in.texts(t, p.a, p.acct))
		_ = p.stop()
	})
}

// With IDLE a mail is there at once; without, at the next look. What was there
// before the first run is old, what came while nothing ran is not.
func TestMailsAreFetched(t *testing.T) {
	for _, noIdle := range []bool{false, true} {
		inPost(t, emailtest.Options{NoIdle: noIdle}, func(p *post) {
			p.write("old")
			p.run()
			p.write("one", "two")
			if noIdle {
				p.pass(2 * time.Minute)
			}
			p.pass(10 * time.Second) // a connection that breaks is made again within it
			require.Equal(t, []string{"one", "two"}, p.in.texts(t, p.a, p.acct))
			require.ErrorIs(t, p.stop(), context.Canceled)
			p.write("three")
			p.run()
			require.Equal(t, []string{"one", "two", "three"}, p.in.texts(t, p.a, p.acct))
			require.Zero(t, p.in.repeat, "nothing is fetched twice")
			_ = p.stop()
		})
	}
}

// The mails of the last days are fetched the first time, if the account wants so.
func TestHistoryIsFetchedWhereItIsWanted(t *testing.T) {
	inPost(t, emailtest.Options{}, func(p *post) {
		p.write("yesterday")
		p.pass(24 * time.Hour)
		p.run()
		require.Equal(t, []string{"yesterday"}, p.in.texts(t, p.a, p.acct))
		_ = p.stop()
	}, func(s *email.Settings) { s.Mailboxes[0].HistoryDays = 3 })
}

// A server that gives everything new UIDs, while we are there or away, brings
// nothing twice and loses nothing.
func TestANewUIDValidityLosesAndRepeatsNothing(t *testing.T) {
	inPost(t, emailtest.Options{}, func(p *post) {
		p.run()
		p.write("one", "two")
		p.pass(time.Second)
		p.s.Renumber("INBOX")
		p.write("three")
		p.pass(time.Minute)
		require.Equal(t, []string{"one", "two", "three"}, p.in.texts(t, p.a, p.acct))
		_ = p.stop()
		p.write("four")
		p.pass(10 * 24 * time.Hour)
		p.write("five")
		p.s.Renumber("INBOX")
		p.run()
		p.pass(time.Minute)
		require.Equal(t, []string{"one", "two", "three", "four", "five"}, p.in.texts(t, p.a, p.acct))
		require.NotZero(t, p.in.repeat, "they were looked at again")
		_ = p.stop()
	})
}

// Wherever the connection breaks, everything arrives once.
func TestDropsInTheMiddleLoseNothing(t *testing.T) {
	for _, bytes := range []int{1, 40, 150, 300, 500, 700, 900, 1200, 2000, 4000} {
		inPost(t, emailtest.Options{}, func(p *post) {
			p.s.CutAfter(bytes)
			p.run()
			p.write("one", strings.Repeat("two ", 500), "three")
			p.pass(time.Minute)
			p.s.Cut()
			p.write("four")
			p.pass(time.Minute)
			got := p.in.texts(t, p.a, p.acct)
			require.True(t, slices.Contains(got, "four"), "after %d bytes: %d mails", bytes, len(got))
			if bytes > 300 { // the first connection had begun
				require.Len(t, got, 4, "after %d bytes", bytes)
			}
			_ = p.stop()
		}, func(s *email.Settings) { s.Mailboxes[0].HistoryDays = 1 })
	}
}

// Several mailboxes and folders are followed beside each other; a wrong password
// of one does not hold up the others, and is tried once a minute at most.
func TestSeveralMailboxes(t *testing.T) {
	inPost(t, emailtest.Options{Folders: []string{"Orders"}}, func(p *post) {
		p.run()
		p.write("one")
		raw, _ := p.s.Compose(emailtest.Letter{From: "jun@example.com", Subject: "x", Text: "two"})
		p.s.Deliver("Orders", raw)
		p.pass(time.Second)
		got := p.in.texts(t, p.a, p.acct)
		slices.Sort(got)
		require.Equal(t, []string{"one", "two"}, got)
		p.s.Deliver("Orders", raw)
		p.s.Deliver("INBOX", raw)
		p.pass(time.Second)
		require.Len(t, p.in.got, 2, "one mail in two folders is one mail")
		_ = p.stop()
	}, func(s *email.Settings) {
		s.Mailboxes[0].Folders = []string{"INBOX", "Orders"}
		s.Mailboxes = append(s.Mailboxes, email.Mailbox{Name: "wrong", Host: "imap.shop.test", Encryption: email.Plain, User: "nobody"},
			email.Mailbox{Name: "off", Host: "imap.shop.test", Encryption: email.Plain, User: "nobody", Off: true})
	})
}

// Two mails under one Message-ID, as some machines send them, are two mails.
func TestOneMessageIDForTwoMails(t *testing.T) {
	inPost(t, emailtest.Options{}, func(p *post) {
		p.run()
		for _, text := range []string{"one", "two"} {
			p.s.Deliver("INBOX", []byte("From: a@example.com\r\nMessage-ID: <same@example.com>\r\n\r\n"+text+"\r\n"))
		}
		p.pass(time.Second)
		require.Equal(t, []string{"one", "two"}, p.in.texts(t, p.a, p.acct))
		_ = p.stop()
	})
}

// A mail of 25 MB is fetched whole; where the host keeps no blobs, its beginning.
func TestALargeMail(t *testing.T) {
	large := emailtest.Letter{From: "mina@example.com", Subject: "big", Text: "see the file",
		Files: []emailtest.File{{Name: "big.bin", Type: "application/octet-stream",
			Data: bytes.Repeat([]byte("0123456789abcdef"), 18<<16)}}}
	inPost(t, emailtest.Options{}, func(p *post) {
		p.run()
		p.s.Write(large)
		p.pass(time.Second)
		require.Len(t, p.in.got, 1)
		require.Greater(t, len(p.in.got[0].Raw), 24<<20)
		in, err := p.a.Parse(p.acct, p.in.got[0])
		require.NoError(t, err)
		require.Equal(t, "see the file", in.Content.Text)
		require.EqualValues(t, 18<<20, in.Content.Attachments[0].Size)
		_ = p.stop()
	})
}

// A store that refuses ends the run, so that the engine waits for it.
func TestARunEndsWhenNothingCanBeStored(t *testing.T) {
	inPost(t, emailtest.Options{}, func(p *post) {
		p.in.refuse = fmt.Errorf("the disk is full: %w", adapter.ErrUnavailable)
		done := make(chan error, 1)
		go func() { done <- p.a.Run(p.t.Context(), p.acct, p.in) }()
		p.pass(time.Second)
		p.write("one")
		p.pass(time.Minute)
		select {
		case err := <-done:
			require.True(t, errors.Is(err, adapter.ErrUnavailable), "%v", err)
		default:
			t.Fatal("the run goes on")
		}
	})
}
