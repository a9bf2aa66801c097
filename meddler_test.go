package sangdam_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// touch is a write by which a member is known.
type touch struct {
	conversation conversation.Conversation
	message      conversation.ID // of the conversation whose message is indexed
	job          string
}

// meddler is a store in which harm befalls one member of a shared transaction.
type meddler struct {
	driver.Backend
	b  *batchWorld
	mu sync.Mutex

	shut   map[driver.News]bool // what is claimed by nobody
	member func(touch) string
	harm   *harm
	left   int // how often it still fails
	victim string
	agent  string // who has the victim
	happen bool   // the change or loss is still to come
	most   int    // members of one transaction that was committed
	alone  int    // transactions of one member that is not the victim
	jobs   map[string]driver.Job
	over   map[string]bool // tokens of claims that were found to be lost
}

// shared is a transaction and the members that it has come to.
type shared struct {
	m       *meddler
	members map[string]bool
}

func (m *meddler) arm(h *harm, member func(touch) string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.harm, m.left, m.victim, m.agent, m.happen = h, h.times, "", "", h.change != nil || h.lost || h.stolen
	m.member, m.most, m.alone = member, 0, 0
}

// come notes that the transaction comes to a member and returns what goes wrong.
func (s *shared) come(of touch, write func() error) error {
	m := s.m
	m.mu.Lock()
	if m.member == nil {
		m.mu.Unlock()
		return write()
	}
	who := m.member(of)
	if who == "" {
		m.mu.Unlock()
		return write()
	}
	s.members[who] = true
	// While it is still to come it may befall another: the first one's transaction may
	// have been undone for a reason of its own.
	if (m.victim == "" || m.happen) && len(s.members) > 1 && !m.harm.stolen {
		m.victim, m.agent = who, string(of.conversation.Agent)
	}
	h, fails := m.harm, m.victim == who && m.left > 0 && !m.harm.ends
	if fails {
		m.left--
	}
	m.mu.Unlock()
	if fails && !h.after {
		return h.fail()
	}
	if err := write(); err != nil || !fails {
		return err
	}
	return h.fail()
}

// ending is what goes wrong at the end of the transaction.
func (s *shared) ending() error {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.harm == nil || !m.harm.ends || m.left == 0 || !s.members[m.victim] {
		return nil
	}
	m.left--
	return m.harm.fail()
}

// met says once that the transaction is the one that the change or loss befalls.
func (s *shared) met(is func(*harm) bool) bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.harm == nil || !s.m.happen || len(s.members) < 2 || !s.members[s.m.victim] || !is(s.m.harm) {
		return false
	}
	s.m.happen = false
	return true
}

func (m *meddler) Update(ctx context.Context, ws store.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	time.Sleep(m.b.slow) // so that others come meanwhile
	gone := errs.New(errs.Unavailable, "the connection was cut")
	s := &shared{m: m}
	changed := false
	err := m.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		s.members = map[string]bool{}
		tx.Conversations = sharedConversations{tx.Conversations, s}
		tx.Jobs, tx.Search = sharedJobs{tx.Jobs, s}, sharedSearch{tx.Search, s}
		if err := fn(ctx, tx); err != nil {
			return err
		}
		switch {
		case s.met(func(h *harm) bool { return h.lost && !h.effect }):
			return gone
		case s.met(func(h *harm) bool { return h.change != nil }):
			if changed = m.b.serial; changed {
				return driver.ErrClash // it runs again on what is there then
			}
			if err := m.change(); errors.Is(err, sangdam.ErrUnavailable) { // the transaction holds what it changes
				changed = true
				return driver.ErrClash
			} else if err != nil {
				return m.unchanged(err)
			}
		}
		return s.ending()
	})
	if changed {
		if err := m.change(); err != nil {
			return m.unchanged(err)
		}
	}
	if err == nil {
		m.committed(s)
		if s.met(func(h *harm) bool { return h.lost && h.effect }) {
			return gone
		}
	}
	return err
}

// change lets the change happen to the victim.
func (m *meddler) change() error {
	m.mu.Lock()
	h, victim, agent := m.harm, m.victim, m.agent
	m.mu.Unlock()
	return h.change(m.b, victim, agent)
}

// unchanged fails the test. It does not end the goroutine, which is the engine's.
func (m *meddler) unchanged(err error) error {
	assert.NoError(m.b.t, err, "the change that is to come meanwhile")
	return err
}

func (m *meddler) committed(s *shared) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most = max(m.most, len(s.members))
	if len(s.members) == 1 && m.victim != "" && !s.members[m.victim] {
		m.alone++
	}
}

type sharedConversations struct {
	driver.ConversationRepo
	s *shared
}

func (r sharedConversations) SaveConversation(ctx context.Context, c conversation.Conversation) (v int64, err error) {
	err = r.s.come(touch{conversation: c}, func() (err error) {
		v, err = r.ConversationRepo.SaveConversation(ctx, c)
		return err
	})
	return v, err
}

type sharedJobs struct {
	driver.JobRepo
	s *shared
}

func (r sharedJobs) Settle(ctx context.Context, id, token string, o driver.JobOutcome) error {
	if o.State != driver.JobDone {
		return r.JobRepo.Settle(ctx, id, token, o)
	}
	if r.s.m.isOver(token) {
		return isStale()
	}
	err := r.s.come(touch{job: id}, func() error { return r.JobRepo.Settle(ctx, id, token, o) })
	if errors.Is(err, sangdam.ErrStale) {
		r.s.m.end(token)
	}
	return err
}

// isOver says whether the claim was found to be lost: no try with its token succeeds
// from then on.
func (m *meddler) isOver(token string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over[token]
}

func (m *meddler) end(token string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over[token] = true
}

type sharedSearch struct {
	driver.SearchRepo
	s *shared
}

func (r sharedSearch) Put(ctx context.Context, m conversation.MessageID, c conversation.ID, at time.Time, tokens []string) error {
	return r.s.come(touch{message: c}, func() error { return r.SearchRepo.Put(ctx, m, c, at, tokens) })
}

func (m *meddler) System() driver.System { return meddlerSystem{m.Backend.System(), m} }

type meddlerSystem struct {
	driver.System
	m *meddler
}

// indexing stands for the search index, which is told by no hint of its own.
const indexing = driver.NewsFeed

func (s meddlerSystem) closed(sort driver.News) bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.m.shut[sort]
}

// stolen spoils one of several claims, once.
func stolen[L any](s meddlerSystem, list []L, spoil func(*L) (victim string)) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.harm != nil && s.m.harm.stolen && s.m.happen && len(list) > 1 {
		s.m.victim, s.m.happen = spoil(&list[1]), false
	}
}

func (s meddlerSystem) ClaimInbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.InboxLane, error) {
	if s.closed(driver.NewsInbox) {
		return nil, nil
	}
	lanes, err := s.System.ClaimInbox(ctx, node, limit, batch, lease)
	stolen(s, lanes, func(l *driver.InboxLane) string { l.Token = "stolen"; return l.Lane })
	return lanes, err
}

func (s meddlerSystem) ClaimOutbox(ctx context.Context, node string, limit, batch int, lease time.Duration) ([]driver.OutboxLane, error) {
	if s.closed(driver.NewsOutbox) {
		return nil, nil
	}
	lanes, err := s.System.ClaimOutbox(ctx, node, limit, batch, lease)
	stolen(s, lanes, func(l *driver.OutboxLane) string { l.Token = "stolen"; return l.Lane })
	return lanes, err
}

func (s meddlerSystem) ClaimJobs(ctx context.Context, node string, limits map[string]int, lease time.Duration) ([]driver.Job, error) {
	if s.closed(driver.NewsJobs) {
		return nil, nil
	}
	jobs, err := s.System.ClaimJobs(ctx, node, limits, lease)
	s.m.mu.Lock()
	for _, j := range jobs {
		s.m.jobs[j.ID] = j
	}
	s.m.mu.Unlock()
	stolen(s, jobs, func(j *driver.Job) string { j.Token = "stolen"; return j.ID })
	return jobs, err
}

func (s meddlerSystem) Meta(ctx context.Context, key string) ([]byte, error) {
	if strings.HasPrefix(key, "index/") && s.closed(indexing) {
		return nil, errs.New(errs.Conflict, "the index is held back")
	}
	return s.System.Meta(ctx, key)
}
