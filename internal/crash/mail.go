package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/conversation"
)

// mailSide is the mail of the world: the desk's mailbox and SMTP server, and
// customers who write into threads.
type mailSide struct {
	o       options
	srv     *emailtest.Server
	imap    net.Listener
	smtp    net.Listener
	count   atomic.Int64 // mails that arrived
	drained atomic.Bool  // a mail that was written last of all was answered
	stop    context.CancelFunc
	rng     *rand.Rand // of disturb

	mu  sync.Mutex
	all map[string]*writer // by address
}

// writer is one customer, with an address and a domain of their own: what is
// sent without a person is bounded for both.
type writer struct {
	side    *mailSide
	address string

	mu      sync.Mutex
	letters []letter
	got     map[string]int      // how often each text arrived
	order   map[string][]string // by thread: the texts as they arrived
	latest  map[string]string   // by thread: the Message-ID of the desk's last mail
}

// letter is a mail of a customer's; its thread is named by the first one's id.
type letter struct{ text, id, thread string }

func newMailSide(o options) (*mailSide, error) {
	s := &mailSide{o: o, all: map[string]*writer{}, rng: rand.New(rand.NewPCG(o.seed, 0xfade)), srv: emailtest.New(emailtest.Options{})}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	var err error
	if s.imap, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if s.smtp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	s.srv.Always(s.arrive)
	go s.srv.ServeIMAP(s.imap) //nolint:errcheck // ends with close
	go s.srv.ServeSMTP(s.smtp) //nolint:errcheck // ends with close
	go s.trouble(ctx)
	return s, nil
}

func (s *mailSide) close() {
	s.stop()
	s.srv.Close()
}

func (s *mailSide) env() []string {
	return []string{"MAIL_ADDRESS=help@shop.test", "MAIL_USER=desk", "MAIL_PASSWORD=secret", "MAIL_IMAP=" + s.imap.Addr().String(),
		"MAIL_SMTP=" + s.smtp.Addr().String()}
}

func (s *mailSide) serves(string) {}

// arrive is a mail that reaches a customer.
func (s *mailSide) arrive(m emailtest.Mail) []byte {
	s.count.Add(1)
	p := s.writer(m.To)
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.TrimSpace(m.Text)
	p.got[text]++
	thread := ""
	if len(m.References) > 0 {
		thread = m.References[0]
	}
	p.order[thread] = append(p.order[thread], text)
	p.latest[thread] = m.ID
	return nil
}

func (s *mailSide) writer(address string) *writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.all[address]
	if p == nil {
		p = &writer{side: s, address: address, got: map[string]int{}, order: map[string][]string{},
			latest: map[string]string{}}
		s.all[address] = p
	}
	return p
}

// everybody are the customers whose mails count.
func (s *mailSide) everybody() []*writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*writer
	for _, address := range slices.Sorted(maps.Keys(s.all)) {
		if !strings.HasPrefix(address, "probe") {
			out = append(out, s.all[address])
		}
	}
	return out
}

// trouble lets SMTP and the connections to the mailbox fail now and then.
func (s *mailSide) trouble(ctx context.Context) {
	rng := rand.New(rand.NewPCG(s.o.seed, 0xbad))
	fault := []emailtest.Fault{
		{At: emailtest.AtData, Drop: true}, // taken, and nobody is told
		{At: emailtest.AtData, Lose: true}, // the connection breaks before it is taken
		{At: emailtest.AtRcpt, Code: 451, Status: [3]int{4, 3, 0}}, {At: emailtest.AtData, Code: 451, Status: [3]int{4, 3, 0}},
		{At: emailtest.AtData, Slow: 700 * time.Millisecond}, // killed while the server thinks
		{At: emailtest.AtData, Drop: true, Slow: 300 * time.Millisecond}}
	for s.o.faults > 0 && ctx.Err() == nil {
		rest(ctx, time.Duration(float64(time.Duration(200+rng.IntN(500))*time.Millisecond)/s.o.faults))
		switch n := rng.IntN(10); {
		case s.drained.Load():
			return
		case n == 0:
			s.srv.Cut()
		case n == 1:
			s.srv.CutAfter(1 + rng.IntN(4000))
		default:
			s.srv.Fail(fault[rng.IntN(len(fault))])
		}
	}
}

// disturb gives the whole mailbox new UIDs, at one kill of twenty.
func (s *mailSide) disturb(int) {
	if s.o.faults > 0 && s.rng.IntN(20) == 0 {
		s.srv.Renumber("INBOX")
	}
}

// ready waits until the helpdesk follows the mailbox: what lay there before it
// first did is old, and is rightly not fetched.
func (s *mailSide) ready(ctx context.Context) error {
	return s.probe(ctx, "probe@before.test", time.Minute)
}

// probe writes until it is answered.
func (s *mailSide) probe(ctx context.Context, address string, within time.Duration) error {
	for deadline, n := time.Now().Add(within), 0; ctx.Err() == nil; n++ {
		s.writer(address).write("", fmt.Sprintf("%s %d bye", address, n))
		for range 40 {
			if s.writer(address).heard() {
				return nil
			}
			rest(ctx, 25*time.Millisecond)
		}
		if time.Now().After(deadline) {
			return errors.New("no mail is answered")
		}
	}
	return ctx.Err()
}

// finish ends the faults and has a last mail written: mails are fetched in order,
// so that all are known when it is answered.
func (s *mailSide) finish() {
	s.stop()
	s.srv.Calm()
	go func() {
		if s.probe(context.Background(), "probe@after.test", time.Hour) == nil {
			s.drained.Store(true)
		}
	}()
}

func (s *mailSide) taken() (have, of int) {
	for _, p := range s.everybody() {
		p.mu.Lock()
		of += len(p.letters)
		for _, l := range p.letters {
			if p.got[echo(l.text)] > 0 {
				have++
			}
		}
		p.mu.Unlock()
	}
	if s.drained.Load() {
		have = of // whatever was not answered is not on its way
	}
	return have, of
}

func (s *mailSide) arrived() int { return int(s.count.Load()) }
func (s *mailSide) heard() int64 { return s.count.Load() }

func (s *mailSide) start(ctx context.Context, n int, seed uint64) func() {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)+1))
			for life := 0; ctx.Err() == nil; life++ {
				p := s.writer(fmt.Sprintf("c%03d.%d@c%d-%d.test", i, life, i, life))
				for range 3 { // no more, or they would rightly not be told of each beginning and end
					p.talk(ctx, rng)
				}
			}
		})
	}
	return group.Wait
}

// talk is one thread: bursts of numbered mails, the last of which says bye.
func (p *writer) talk(ctx context.Context, rng *rand.Rand) {
	thread := ""
	for last := false; !last && ctx.Err() == nil; {
		last = rng.IntN(4) == 0
		for range 1 + rng.IntN(3) {
			thread = p.write(thread, p.next(""))
			rest(ctx, time.Duration(rng.IntN(60))*time.Millisecond)
		}
		if last {
			p.write(thread, p.next(" bye"))
		}
		for deadline := time.Now().Add(time.Duration(1+rng.IntN(4)) * time.Second); time.Now().Before(deadline) && !p.heard() &&
			ctx.Err() == nil; {
			rest(ctx, 25*time.Millisecond)
		}
		rest(ctx, time.Duration(rng.IntN(900))*time.Millisecond)
	}
}

func (p *writer) next(suffix string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%s #%d%s", p.address, len(p.letters)+1, suffix)
}

// write puts a mail into the desk's mailbox and returns its thread. It answers
// the desk's last mail where there is one, else the customer's own first.
func (p *writer) write(thread, text string) string {
	l := emailtest.Letter{From: p.address, Subject: "order", Text: text}
	p.mu.Lock()
	if answered := p.latest[thread]; thread != "" && answered != "" {
		l.InReplyTo, l.References = answered, []string{thread, answered}
	} else if thread != "" {
		l.InReplyTo, l.References = thread, []string{thread}
	}
	p.mu.Unlock()
	id := p.side.srv.Write(l)
	if thread == "" {
		thread = id
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.letters = append(p.letters, letter{text: text, id: id, thread: thread})
	return thread
}

// heard says that the last mail was answered.
func (p *writer) heard() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.letters) > 0 && p.got[echo(p.letters[len(p.letters)-1].text)] > 0
}

// audit holds what the store has against what lies in the mailbox and what
// customers got. A mail in the mailbox that the helpdesk passed over is lost, as
// nobody delivers it again.
func (s *mailSide) audit(r *report, l *ledger, pending map[string]bool) {
	if len(pending) > 0 {
		r.found(&r.Stuck, "%d mails are stored and were not processed", len(pending))
	}
	byText := map[string][]stored{}
	for _, chat := range slices.Sorted(maps.Keys(l.messages)) { // what is said of a mail stored twice is the same each time
		for place, m := range l.messages[chat] {
			if m.Direction == conversation.Inbound {
				byText[m.Content.Text] = append(byText[m.Content.Text], stored{chat, place})
			}
		}
	}
	people := s.everybody()
	r.Customers = len(people)
	for _, p := range people {
		threads := auditLetters(r, p, l, byText)
		heard := 0
		for _, chat := range slices.Sorted(maps.Keys(threads)) {
			auditAnswers(r, l.messages[chat])
			auditArrived(r, l.messages[chat], p.order[threads[chat]], p.address, true)
			heard += len(p.order[threads[chat]])
		}
		for _, all := range p.order {
			heard -= len(all)
		}
		if heard != 0 {
			r.found(&r.Broken, "%d mails to %s are in no thread of theirs", -heard, p.address)
		}
	}
}

// stored is where a mail stands.
type stored struct {
	chat  string
	place int
}

// auditLetters checks that each mail is stored once, in its thread and in order,
// and returns the customer's threads by the chats that they became.
func auditLetters(r *report, p *writer, l *ledger, byText map[string][]stored) map[string]string {
	thread := map[string]string{}
	at := map[string]int{}
	r.Written += len(p.letters)
	for _, w := range p.letters {
		rows := byText[w.text]
		switch {
		case len(rows) == 0:
			r.found(&r.Lost, "%q was taken from the mailbox and is not stored", w.text)
			continue
		case len(rows) > 1:
			r.found(&r.Duplicated, "%q is stored %d times", w.text, len(rows))
		}
		r.Acknowledged++
		chat, place := rows[0].chat, rows[0].place
		if known, is := thread[chat]; is && known != w.thread {
			r.found(&r.Broken, "%q is in the thread of %s", w.text, known)
		}
		thread[chat] = w.thread
		if place < at[chat] {
			r.found(&r.Reordered, "%q is stored before an earlier one", w.text)
		}
		at[chat] = place
	}
	if of := threadsOf(p.letters); len(thread) > of {
		r.found(&r.Broken, "%s wrote in %d threads, which became %d", p.address, of, len(thread))
	}
	return thread
}

// threadsOf counts the threads that letters were written in.
func threadsOf(all []letter) int {
	threads := map[string]bool{}
	for _, w := range all {
		threads[w.thread] = true
	}
	return len(threads)
}
