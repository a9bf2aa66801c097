package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
)

// provider is the other side: a service in this process, which is not killed,
// and the customers who write through it.
type provider interface {
	// env is what the helpdesk needs to know of it.
	env() []string
	// serves tells it where the helpdesk serves; empty: nowhere.
	serves(base string)
	// ready waits until what customers write from now on counts.
	ready(ctx context.Context) error
	// start lets n customers write until ctx ends; wait returns when they stopped.
	start(ctx context.Context, n int, seed uint64) (wait func())
	// disturb is called at every kill, for faults that come now and then.
	disturb(kill int)
	// finish says that the customers have stopped.
	finish()
	// taken tells how much of what was written the helpdesk is known to have, and
	// of how much.
	taken() (have, of int)
	// arrived counts the messages that customers got, heard the answered requests
	// that brought some.
	arrived() int
	heard() int64
	audit(r *report, l *ledger, pending map[string]bool)
	close()
}

// lineSide is LINE.
type lineSide struct {
	srv   *linetest.Server
	tap   *tap
	crowd *crowd
	http  *http.Server
	api   string
	calls atomic.Int64 // that were answered as accepted
}

func newLineSide(o options) (*lineSide, error) {
	s := &lineSide{tap: newTap()}
	s.srv = linetest.New(linetest.Options{Seed: o.seed, WebhookClient: &http.Client{Transport: s.tap}, WebhookParallel: 16, WebhookBatch: 4,
		Redeliveries: 1 << 30, RedeliverAfter: 200 * time.Millisecond})
	s.tap.secret = s.srv.ChannelSecret()
	s.srv.SetChaos(linetest.Chaos{Duplicate: 0.05 * o.faults, Reorder: 0.05 * o.faults})
	for _, f := range faults(o.faults) {
		s.srv.AddFault(f)
	}
	s.crowd = &crowd{srv: s.srv, tap: s.tap}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.srv.Close()
		return nil, err
	}
	s.api = "http://" + ln.Addr().String()
	s.http = &http.Server{Handler: s.listen(s.srv), ReadHeaderTimeout: 10 * time.Second}
	go s.http.Serve(ln) //nolint:errcheck // ends with close
	return s, nil
}

// faults is what goes wrong at LINE: most of it after LINE has acted, which
// separates a correct integration from a naive one.
func faults(much float64) []linetest.Fault {
	var all []linetest.Fault
	for _, f := range []struct {
		endpoint string
		kind     linetest.FaultKind
		percent  float64
	}{
		{"push", linetest.FaultCutAfter, 4}, {"push", linetest.Fault500After, 2}, {"push", linetest.FaultGarbage, 1},
		{"push", linetest.FaultHangAfter, 0.3},
		{"push", linetest.FaultCutBefore, 2}, {"push", linetest.Fault500Before, 2}, {"push", linetest.FaultRate, 0.1},
		{"reply", linetest.FaultCutAfter, 1}, {"reply", linetest.Fault500After, 1}, {"reply", linetest.FaultGarbage, 1},
		{"reply", linetest.FaultCutBefore, 1}, {"reply", linetest.FaultRate, 0.1},
	} {
		if p := f.percent / 100 * much; p > 0 {
			all = append(all, linetest.Fault{Endpoint: f.endpoint, Kind: f.kind, Probability: p})
		}
	}
	return all
}

// listen counts the calls that put a message on a phone and were answered so.
func (s *lineSide) listen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(rw, r)
		if strings.HasPrefix(r.URL.Path, "/v2/bot/message/") {
			s.calls.Add(1)
		}
	})
}

func (s *lineSide) close() {
	_ = s.http.Close()
	s.srv.Close()
}

func (s *lineSide) env() []string {
	return []string{"LINE_CHANNEL_ID=" + s.srv.ChannelID(), "LINE_CHANNEL_SECRET=" + s.srv.ChannelSecret(),
		"LINE_CHANNEL_TOKEN=" + s.srv.ChannelToken(), "LINE_API_BASE=" + s.api, "LINE_DATA_API_BASE=" + s.api}
}

func (s *lineSide) serves(base string) {
	if base != "" {
		base += "/webhooks/line"
	}
	s.srv.SetWebhook(base)
}

func (s *lineSide) start(ctx context.Context, n int, seed uint64) func() {
	return s.crowd.start(ctx, n, seed)
}

func (s *lineSide) ready(context.Context) error { return nil }
func (s *lineSide) disturb(int)                 {}
func (s *lineSide) finish()                     {}
func (s *lineSide) arrived() int                { return s.crowd.arrived() }
func (s *lineSide) heard() int64                { return s.calls.Load() }

func (s *lineSide) taken() (have, of int) {
	acked, seen, _ := s.tap.counts()
	written := 0
	for _, p := range s.crowd.everybody() {
		written += len(p.wrote())
	}
	return acked, max(seen, written)
}

func (s *lineSide) audit(r *report, l *ledger, pending map[string]bool) {
	people := s.crowd.everybody()
	r.Customers = len(people)
	r.Acknowledged, _, r.Redelivered = s.tap.counts()
	for _, p := range people {
		s.auditInbound(r, l, p, pending)
		var got []string
		for _, d := range p.user.Received() {
			if d.Route == "reply" {
				r.ByReply++
			} else {
				r.ByPush++
			}
			got = append(got, d.Text)
		}
		auditArrived(r, l.messages[p.user.ID()], got, p.user.Name(), false)
	}
}

// auditInbound checks that what one customer wrote is stored once, in order,
// and answered once.
func (s *lineSide) auditInbound(r *report, l *ledger, p *customer, pending map[string]bool) {
	wrote := p.wrote()
	r.Written += len(wrote)
	byMessage := map[channel.ProviderMessageID]written{}
	for _, m := range wrote {
		byMessage[channel.ProviderMessageID(m.message)] = m
		rows := l.byProvider[channel.ProviderMessageID(m.message)]
		acked := !s.tap.of(m.event).acked.IsZero()
		switch {
		case len(rows) > 1:
			r.found(&r.Duplicated, "%q is stored %d times", m.text, len(rows))
		case len(rows) == 0 && pending[m.event]:
			r.found(&r.Stuck, "%q is stored and was not processed", m.text)
		case len(rows) == 0 && acked:
			r.found(&r.Lost, "%q was acknowledged and is not stored", m.text)
		case len(rows) == 1 && rows[0].Content.Text != m.text:
			r.found(&r.Lost, "%q is stored as something else", m.text)
		}
	}
	var newest time.Time // when the latest of those stored so far was first sent
	chat := l.messages[p.user.ID()]
	for _, m := range chat {
		if m.Author.Kind == conversation.ByAgent || m.Direction != conversation.Inbound {
			continue
		}
		d := s.tap.of(byMessage[m.Provider].event)
		if !d.acked.IsZero() && d.acked.Before(newest) {
			r.found(&r.Reordered, "%q was acknowledged before a later one was sent, and is stored after it", m.Content.Text)
		}
		if d.sent.After(newest) {
			newest = d.sent
		}
	}
	auditAnswers(r, chat)
}

// auditAnswers checks that everything in a chat was answered once.
func auditAnswers(r *report, chat []conversation.Message) {
	answers := map[string]int{}
	for _, m := range chat {
		if m.Author.Kind == conversation.ByAgent {
			answers[m.Content.Text]++
		}
	}
	for _, m := range chat {
		if m.Direction != conversation.Inbound {
			continue
		}
		switch n := answers[echo(m.Content.Text)]; {
		case n == 0:
			r.found(&r.Stuck, "%q has no answer", m.Content.Text)
		case n > 1:
			r.found(&r.Duplicated, "%q has %d answers", m.Content.Text, n)
		}
	}
}

// auditArrived compares what was said in a chat with what arrived. With late, what
// is unknown may arrive out of turn: a server that had the mail when its sender
// was killed may hand it on whenever it likes.
func auditArrived(r *report, chat []conversation.Message, got []string, who string, late bool) {
	type tally struct{ sent, unknown, other, arrived int }
	texts := map[string]*tally{}
	at := func(text string) *tally {
		if texts[text] == nil {
			texts[text] = &tally{}
		}
		return texts[text]
	}
	order := map[string]int{} // place of each text among what was said
	for i, m := range chat {
		if m.Direction != conversation.Outbound {
			continue
		}
		order[m.Content.Text] = i
		switch m.Status {
		case conversation.StatusSent, conversation.StatusDelivered, conversation.StatusRead:
			at(m.Content.Text).sent++
		case conversation.StatusUnknown:
			at(m.Content.Text).unknown++
		default:
			at(m.Content.Text).other++
		}
	}
	latest := -1
	for _, text := range got {
		t := at(text)
		t.arrived++
		place, said := order[text]
		if t.sent+t.unknown+t.other > 1 || !said || t.arrived > 1 {
			continue // greetings and goodbyes come again: their order is not to be told apart
		}
		if late && t.unknown > 0 {
			continue
		}
		if place < latest {
			r.found(&r.Reordered, "%q arrived after what was said later", text)
		}
		latest = max(latest, place)
	}
	for text, t := range texts {
		if surplus := t.arrived - t.sent - t.unknown - t.other; surplus > 0 {
			r.found(&r.Duplicated, "%q arrived %d times for %d messages at %s", text, t.arrived, t.arrived-surplus, who)
		}
		if missing := t.sent - t.arrived; missing > 0 {
			r.found(&r.Lost, "%q counts as sent and did not arrive at %s", text, who)
		}
		r.UnknownArrived += max(0, min(t.unknown, t.arrived-t.sent))
	}
}

func newProvider(o options) (provider, error) {
	switch o.channel {
	case "line":
		return newLineSide(o)
	case "email":
		return newMailSide(o)
	}
	return nil, fmt.Errorf("-channel %q is not line or email", o.channel)
}
