package sqlite

import (
	"crypto/rand"
	"slices"
	"sync"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// lanes knows, in memory, which lanes have something pending, what is due and
// who has claimed what, so that a claim costs no commit. One process owns the
// data, so that this is all there is to know; it follows the commits, and is
// rebuilt from the tables when the store is opened.
//
// A lane with something pending is in exactly one of three heaps: ready, by the
// age of its head; asleep, by the time it becomes due; held, by the end of the
// claim.
type lanes struct {
	mu     sync.Mutex
	all    map[laneKey]*lane
	ready  laneHeap
	asleep laneHeap
	held   laneHeap
	// paused is until when an account's lanes sleep.
	paused map[accountKey]int64
	rows   int // bytes of the entries' rows
}

type accountKey struct {
	ws      int64
	account string
}

type laneKey struct {
	accountKey
	lane string
}

// entry is one pending row.
type entry struct {
	seq       int64
	notBefore int64
	row       *adapter.Envelope // as it was appended, until it is claimed; nil where it is to be read
	id        channel.EnvelopeID
}

// mostRows is how many bytes of envelopes are kept in memory until their lane is
// claimed, which mostly is at once: reading them again costs as much as writing.
const mostRows = 8 << 20

// openAttempt is an Attempt of the lane that has not ended.
type openAttempt struct {
	id        string
	notBefore int64
	begun     bool // its outcome is not known
}

type lane struct {
	set     *lanes
	key     laneKey
	entries []entry // in order
	attempt *openAttempt

	token string // of the last claim
	until int64  // when it ends
	pins  int    // transactions that run under the claim

	heap *laneHeap
	at   int // place in the heap
	rank int64
}

func newLanes() *lanes {
	return &lanes{all: map[laneKey]*lane{}, paused: map[accountKey]int64{}}
}

// get returns the lane, made if need be. The caller holds mu.
func (s *lanes) get(k laneKey) *lane {
	l := s.all[k]
	if l == nil {
		l = &lane{set: s, key: k}
		s.all[k] = l
	}
	return l
}

// due is when the lane's head may be worked.
func (l *lane) due() int64 {
	due := l.set.paused[l.key.accountKey]
	if l.attempt != nil {
		return max(due, l.attempt.notBefore)
	}
	if len(l.entries) > 0 {
		due = max(due, l.entries[0].notBefore)
	}
	return due
}

// place puts the lane into the heap it belongs to, or forgets it.
func (s *lanes) place(l *lane, now int64) {
	if l.heap != nil {
		l.heap.remove(l)
	}
	switch due := l.due(); {
	case l.token != "" && (l.until > now || l.pins > 0):
		s.held.push(l, l.until)
	case len(l.entries) == 0:
		delete(s.all, l.key)
	case due > now:
		s.asleep.push(l, due)
	default:
		s.ready.push(l, l.entries[0].seq)
	}
}

// add puts entries at the end of a lane.
func (s *lanes) add(k laneKey, now int64, es ...entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.get(k)
	for _, e := range es {
		if s.rows += e.bytes(); s.rows > mostRows {
			s.rows -= e.bytes()
			e.row = nil
		}
		l.entries = append(l.entries, e)
	}
	s.place(l, now)
}

// edit changes a lane and puts it where it then belongs.
func (s *lanes) edit(k laneKey, now int64, f func(*lane)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.get(k)
	f(l)
	s.place(l, now)
}

// waits reports that the lane's head waits for its time without an Attempt.
func (s *lanes) waits(k laneKey, now int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.all[k]
	return l != nil && l.attempt == nil && len(l.entries) > 0 && l.entries[0].notBefore > now
}

// drop removes an entry. It is nearly always the head, and a lane may be long.
func (l *lane) drop(seq int64) {
	if len(l.entries) > 0 && l.entries[0].seq == seq {
		l.hand(0)
		l.entries = l.entries[1:]
		return
	}
	if i := slices.IndexFunc(l.entries, func(e entry) bool { return e.seq == seq }); i >= 0 {
		l.hand(i)
		l.entries = slices.Delete(l.entries, i, i+1)
	}
}

// delay sets when an entry may be worked.
func (l *lane) delay(seq, notBefore int64) {
	for i := range l.entries {
		if l.entries[i].seq == seq {
			l.hand(i) // the row is no longer as it was appended
			l.entries[i].notBefore = notBefore
			return
		}
	}
}

// pause lets the account's lanes sleep until then.
func (s *lanes) pause(k accountKey, until, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until = max(until, s.paused[k]); until > now { // never shortened
		s.paused[k] = until
	} else {
		delete(s.paused, k)
	}
	for _, l := range s.all {
		if l.key.accountKey == k && l.heap != &s.held {
			s.place(l, now)
		}
	}
}

// wakeUp moves lanes whose time has come, and whose claim has ended.
func (s *lanes) wakeUp(now int64) {
	for _, h := range []*laneHeap{&s.held, &s.asleep} {
		var pinned []*lane
		for len(h.lanes) > 0 && h.lanes[0].rank <= now {
			l := h.lanes[0]
			if l.pins > 0 {
				h.remove(l)
				pinned = append(pinned, l)
				continue
			}
			s.place(l, now)
		}
		for _, l := range pinned {
			h.push(l, l.until)
		}
	}
}

// claimed is what a claim hands out.
type claimed struct {
	key     laneKey
	token   string
	entries []entry
	attempt *openAttempt // a copy
}

// bytes is what the entry's row is reckoned to hold.
func (e entry) bytes() int {
	if e.row == nil {
		return 0
	}
	return 500 + len(e.row.Raw)
}

// hand lets an entry's row go: to whoever has claimed it, or because it is of no more
// use.
func (l *lane) hand(i int) entry {
	e := &l.entries[i]
	given := *e
	l.set.rows -= e.bytes()
	e.row = nil
	return given
}

// number is that of an envelope near the head; false where it is not known.
func (s *lanes) number(k laneKey, id channel.EnvelopeID) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.all[k]; l != nil {
		for _, e := range l.entries[:min(len(l.entries), 64)] {
			if e.id == id {
				return e.seq, true
			}
		}
	}
	return 0, false
}

// claim takes at most limit lanes, oldest head first, until the given time,
// with at most batch due entries of each.
func (s *lanes) claim(limit, batch int, now, until int64) []claimed {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakeUp(now)
	var out []claimed
	for len(out) < limit && len(s.ready.lanes) > 0 {
		l := s.ready.lanes[0]
		if l.due() > now { // its account was paused since
			s.place(l, now)
			continue
		}
		l.token, l.until = rand.Text(), until
		c := claimed{key: l.key, token: l.token}
		if l.attempt != nil {
			a := *l.attempt
			c.attempt = &a
		} else {
			for i := range min(batch, len(l.entries)) {
				if l.entries[i].notBefore > now {
					break
				}
				c.entries = append(c.entries, l.hand(i))
			}
		}
		s.place(l, now)
		out = append(out, c)
	}
	return out
}

// release gives a claim back; a lost one is ignored.
func (s *lanes) release(k laneKey, token string, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.all[k]; l != nil && l.token == token && token != "" {
		l.token = ""
		s.place(l, now)
	}
}

// hold checks that the claim lives and keeps it alive until the transaction
// has ended, so that nobody takes the lane between the check and the commit.
func (s *lanes) hold(t *tx, c driver.Claim) (laneKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := t.lane(c.Account, c.Lane)
	l := s.all[k]
	if l == nil || c.Token == "" || l.token != c.Token || l.until <= micro(t.now) && !slices.Contains(t.pins, l) {
		return k, errs.New(errs.Stale, "sqlite: the claim on a lane of account %s was lost; its lease ended or it was released", c.Account)
	}
	l.pins++
	t.pins = append(t.pins, l)
	return k, nil
}

func (t *tx) lane(account channel.AccountID, lane string) laneKey {
	return laneKey{accountKey{t.ws, string(account)}, lane}
}

func (s *lanes) unpin(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.pins--
}

// next is when the first unclaimed lane is or becomes due.
func (s *lanes) next(now int64) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakeUp(now)
	if len(s.ready.lanes) > 0 {
		return now, true
	}
	if len(s.asleep.lanes) > 0 {
		return s.asleep.lanes[0].rank, true
	}
	return 0, false
}

// laneHeap is a heap of lanes by rank that knows the place of each.
type laneHeap struct{ lanes []*lane }

func (h *laneHeap) push(l *lane, rank int64) {
	l.heap, l.rank, l.at = h, rank, len(h.lanes)
	h.lanes = append(h.lanes, l)
	h.up(l.at)
}

func (h *laneHeap) remove(l *lane) {
	last := len(h.lanes) - 1
	at := l.at
	h.swap(at, last)
	h.lanes[last] = nil
	h.lanes = h.lanes[:last]
	l.heap = nil
	if at < last {
		h.down(at)
		h.up(at)
	}
}

func (h *laneHeap) swap(i, j int) {
	h.lanes[i], h.lanes[j] = h.lanes[j], h.lanes[i]
	h.lanes[i].at, h.lanes[j].at = i, j
}

func (h *laneHeap) less(i, j int) bool { return h.lanes[i].rank < h.lanes[j].rank }

func (h *laneHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *laneHeap) down(i int) {
	for {
		small := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.lanes); child++ {
			if h.less(child, small) {
				small = child
			}
		}
		if small == i {
			return
		}
		h.swap(i, small)
		i = small
	}
}
