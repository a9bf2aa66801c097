package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/pgtest"
)

// A short form of the experiment on both stores.
func TestNothingIsLostWhenTheProcessIsKilled(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			if store == "postgres" {
				needPostgres(t)
			}
			var out, log bytes.Buffer
			err := run(t.Context(), []string{"-store", store, "-kills", "8", "-customers", "12", "-json"}, &out, &log)
			var r report
			require.NoError(t, json.Unmarshal(out.Bytes(), &r), "%v\n%s", err, &log)
			require.NoError(t, err, "%s", &out)
			require.Zero(t, r.harm())
			require.Equal(t, 8, r.Kills)
			require.Positive(t, r.Acknowledged)
			require.Positive(t, r.ByPush)
			require.Positive(t, r.ByReply)
		})
	}
}

// The same with mail: nothing that lay in the mailbox is lost or there twice, and
// no answer leaves twice.
func TestNoMailIsLostWhenTheProcessIsKilled(t *testing.T) {
	var out, log bytes.Buffer
	err := run(t.Context(), []string{"-channel", "email", "-kills", "6", "-customers", "10", "-json"}, &out, &log)
	var r report
	require.NoError(t, json.Unmarshal(out.Bytes(), &r), "%v\n%s", err, &log)
	require.NoError(t, err, "%s", &out)
	require.Zero(t, r.harm())
	require.Equal(t, "email", r.Channel)
	require.Positive(t, r.Acknowledged)
	require.Equal(t, r.Written, r.Acknowledged)
	require.Positive(t, r.Sent)
}

// A short form with three processes on one database.
func TestNothingIsLostAmongSeveralProcesses(t *testing.T) {
	needPostgres(t)
	var out, log bytes.Buffer
	err := run(t.Context(), []string{"-nodes", "3", "-kills", "6", "-customers", "8", "-json",
		"-only", "clock,clock,swallow,pause,kill,server"}, &out, &log)
	var r report
	require.NoError(t, json.Unmarshal(out.Bytes(), &r), "%v\n%s", err, &log)
	require.NoError(t, err, "%s", &out)
	require.Zero(t, r.harm())
	require.Equal(t, map[string]int{"clock": 2, "swallow": 1, "pause": 1, "kill": 1, "server": 1}, r.Actions)
	require.Positive(t, r.Acknowledged)
	require.Positive(t, r.Sent)
}

// Two processes over one mailbox: one of them fetches, by its lease, and another
// goes on where it stopped.
func TestNoMailIsLostAmongSeveralProcesses(t *testing.T) {
	needPostgres(t)
	var out, log bytes.Buffer
	err := run(t.Context(), []string{"-channel", "email", "-nodes", "2", "-kills", "3", "-customers", "6", "-json",
		"-only", "handover,swallow,pause"}, &out, &log)
	var r report
	require.NoError(t, json.Unmarshal(out.Bytes(), &r), "%v\n%s", err, &log)
	require.NoError(t, err, "%s", &out)
	require.Zero(t, r.harm())
	require.Equal(t, map[string]int{"handover": 1, "swallow": 1, "pause": 1}, r.Actions)
	require.Equal(t, r.Written, r.Acknowledged)
	require.Positive(t, r.Sent)
	require.Positive(t, r.TakenOver)
}

// needPostgres skips where there is no PostgreSQL, and fails there under CI.
func needPostgres(t *testing.T) {
	server, err := pgtest.New()
	if errors.Is(err, pgtest.ErrNoBinaries) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	server.Stop()
}

func TestOptionsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-kills", "-1"}, {"-customers", "0"}, {"-faults", "-1"}, {"-nonsense"}, {"-nodes", "0"},
		{"-only", "kill"}, {"-channel", "fax"},
		{"-nodes", "2", "-only", "flood"}} {
		require.Error(t, run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}), "%v", args)
	}
	err := run(t.Context(), []string{"-store", "paper", "-program", "/bin/false"}, &bytes.Buffer{}, &bytes.Buffer{})
	require.ErrorContains(t, err, "paper")
}

// bench is one customer at an emulator, with a ledger that a test falsifies:
// an audit that finds nothing proves nothing unless it finds what is there.
type bench struct {
	w *lineSide
	p *customer
	l *ledger
	r *report
}

func newBench(t *testing.T) *bench {
	t.Helper()
	srv := linetest.New(linetest.Options{})
	t.Cleanup(srv.Close)
	w := &lineSide{srv: srv, tap: newTap()}
	clock := time.Now()
	w.tap.now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	w.crowd = &crowd{srv: srv, tap: w.tap}
	return &bench{w: w, p: w.crowd.join("Mina"), r: &report{},
		l: &ledger{messages: map[string][]conversation.Message{}, byProvider: map[channel.ProviderMessageID][]conversation.Message{}}}
}

// wrote adds an acknowledged message of the customer's.
func (b *bench) wrote() written {
	b.w.crowd.write(b.p, "")
	m := b.p.last()
	b.w.tap.begun([]string{m.event})
	b.w.tap.acknowledged([]string{m.event})
	return m
}

func (b *bench) stored(m written) {
	b.l.add(conversation.Conversation{Chat: channel.Chat{ID: b.p.user.ID()}}, conversation.Message{Direction: conversation.Inbound,
		Author: conversation.Author{Kind: conversation.ByCustomer}, Provider: channel.ProviderMessageID(m.message),
		Content: channel.Text(m.text)}, b.r)
}

func (b *bench) answered(m written, status conversation.Status) {
	b.l.add(conversation.Conversation{Chat: channel.Chat{ID: b.p.user.ID()}}, conversation.Message{Direction: conversation.Outbound,
		Author: conversation.Author{Kind: conversation.ByAgent}, Status: status, Content: channel.Text(echo(m.text))}, b.r)
}

// arrived puts an echo on the phone.
func (b *bench) arrived(t *testing.T, m written) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"to": b.p.user.ID(), "messages": []map[string]string{{"type": "text", "text": echo(m.text)}}})
	require.NoError(t, err)
	push(t, b.w.srv, body)
}

func (b *bench) audit() *report {
	b.w.audit(b.r, b.l, map[string]bool{})
	return b.r
}

func TestTheAuditFindsHarm(t *testing.T) {
	sent := conversation.StatusSent
	cases := []struct {
		name string
		do   func(*testing.T, *bench)
		want report
	}{
		{"nothing", func(t *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			b.answered(m, sent)
			b.arrived(t, m)
		}, report{}},
		{"acknowledged and not stored", func(_ *testing.T, b *bench) { b.wrote() }, report{Lost: 1}},
		{"stored twice and answered once", func(t *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			b.stored(m)
			b.answered(m, sent)
			b.arrived(t, m)
		}, report{Duplicated: 1}},
		{"stored in the wrong order", func(t *testing.T, b *bench) {
			first, second := b.wrote(), b.wrote()
			for _, m := range []written{second, first} {
				b.stored(m)
				b.answered(m, sent)
				b.arrived(t, m)
			}
		}, report{Reordered: 1}},
		{"not answered", func(_ *testing.T, b *bench) { b.stored(b.wrote()) }, report{Stuck: 1}},
		{"answered twice", func(t *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			for range 2 {
				b.answered(m, sent)
				b.arrived(t, m)
			}
		}, report{Duplicated: 1}},
		{"sent twice", func(t *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			b.answered(m, sent)
			b.arrived(t, m)
			b.arrived(t, m)
		}, report{Duplicated: 1}},
		{"sent and not arrived", func(_ *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			b.answered(m, sent)
		}, report{Lost: 1}},
		{"arrived in the wrong order", func(t *testing.T, b *bench) {
			first, second := b.wrote(), b.wrote()
			for _, m := range []written{first, second} {
				b.stored(m)
				b.answered(m, sent)
			}
			b.arrived(t, second)
			b.arrived(t, first)
		}, report{Reordered: 1}},
		{"never sent", func(_ *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			b.answered(m, conversation.StatusQueued)
		}, report{Stuck: 1}},
		{"given up", func(_ *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			b.answered(m, conversation.StatusFailed)
		}, report{Failed: 1}},
		{"unknown is no harm", func(_ *testing.T, b *bench) {
			m := b.wrote()
			b.stored(m)
			b.answered(m, conversation.StatusUnknown)
		}, report{Unknown: 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.do(t, b)
			r := b.audit()
			got := report{Lost: r.Lost, Duplicated: r.Duplicated, Reordered: r.Reordered, Stuck: r.Stuck, Failed: r.Failed,
				Unknown: r.Unknown}
			require.Equal(t, c.want, got, "%v", r.Problems)
		})
	}
}

// TestTheAuditFindsHarmInMail that is put into the records of one customer.
func TestTheAuditFindsHarmInMail(t *testing.T) {
	const text, thread = "mina@mina.test #1", "first@mina.test"
	sent := conversation.StatusSent
	// mail is one that was written; heard are the texts that arrived in its thread.
	audit := func(heard []string, chats ...[]conversation.Message) *report {
		s := &mailSide{all: map[string]*writer{}}
		p := s.writer("mina@mina.test")
		p.letters = []letter{{text: text, id: thread, thread: thread}}
		p.order[thread] = heard
		l := &ledger{messages: map[string][]conversation.Message{}, byProvider: map[channel.ProviderMessageID][]conversation.Message{}}
		r := &report{}
		for i, chat := range chats {
			for _, m := range chat {
				l.add(conversation.Conversation{Chat: channel.Chat{ID: string(rune('a' + i))}}, m, r)
			}
		}
		s.audit(r, l, nil)
		return r
	}
	in := conversation.Message{Direction: conversation.Inbound, Author: conversation.Author{Kind: conversation.ByCustomer},
		Content: channel.Text(text)}
	out := func(status conversation.Status) conversation.Message {
		return conversation.Message{Direction: conversation.Outbound, Author: conversation.Author{Kind: conversation.ByAgent},
			Status:  status,
			Content: channel.Text(echo(text))}
	}
	type chat = []conversation.Message
	arrived := []string{echo(text)}
	for name, c := range map[string]struct {
		heard []string
		chats []chat
		want  report
	}{
		"nothing":                 {arrived, []chat{{in, out(sent)}}, report{}},
		"passed over":             {nil, nil, report{Lost: 1}},
		"stored twice":            {arrived, []chat{{in, in, out(sent)}}, report{Duplicated: 1}},
		"in two threads":          {arrived, []chat{{in, out(sent)}, {in}}, report{Duplicated: 1}},
		"not answered":            {nil, []chat{{in}}, report{Stuck: 1}},
		"sent and not arrived":    {nil, []chat{{in, out(sent)}}, report{Lost: 1}},
		"sent twice":              {[]string{echo(text), echo(text)}, []chat{{in, out(sent)}}, report{Duplicated: 1}},
		"unknown, and it arrived": {arrived, []chat{{in, out(conversation.StatusUnknown)}}, report{Unknown: 1}},
		"unknown, and it did not": {nil, []chat{{in, out(conversation.StatusUnknown)}}, report{Unknown: 1}},
		"unknown, and twice there": {[]string{echo(text), echo(text)}, []chat{{in, out(conversation.StatusUnknown)}}, report{Unknown: 1,
			Duplicated: 1}},
		"given up": {nil, []chat{{in, out(conversation.StatusFailed)}}, report{Failed: 1}},
	} {
		r := audit(c.heard, c.chats...)
		got := report{Lost: r.Lost, Duplicated: r.Duplicated, Reordered: r.Reordered, Stuck: r.Stuck, Failed: r.Failed, Unknown: r.Unknown,
			Broken: r.Broken}
		require.Equal(t, c.want, got, "%s: %v", name, r.Problems)
	}
}

// push sends a message by the Messaging API, as a helpdesk would.
func push(t *testing.T, srv *linetest.Server, body []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "https://api.line.me/v2/bot/message/push", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+srv.ChannelToken())
	resp, err := (&http.Client{Transport: srv.Transport()}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
