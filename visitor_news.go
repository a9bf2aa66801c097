package sangdam

import (
	"context"
	"slices"
	"sync"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
)

// Thousands of visitors may be connected while few of them have news. So one
// reader of the feed serves all visitors of a workspace and wakes those whom an
// event concerns: an event names its contact, a visitor is found by its own.

// visitorHub has a space for each workspace that visitors are connected to.
type visitorHub struct {
	mu     sync.Mutex
	spaces map[id.Workspace]*visitorSpace
}

// visitorSpace is the visitors of one workspace.
type visitorSpace struct {
	stop context.CancelFunc

	mu    sync.Mutex
	all   map[*visitorNews]struct{}
	of    map[conversation.ContactID]map[*visitorNews]struct{}
	ended bool
}

// visitorNews is one subscription. Its fields below the channel are guarded by
// the space's lock.
type visitorNews struct {
	p     visitorPort
	v     visitor.Ref
	space *visitorSpace
	ready chan struct{}

	hint visitor.Hint
	// contact that the visitor is, empty before the first message. stale says
	// that it may be another by now.
	contact conversation.ContactID
	stale   bool
}

// Subscribe tells when there may be news for the visitor.
func (p visitorPort) Subscribe(ctx context.Context, v visitor.Ref) (visitor.News, error) {
	n := &visitorNews{p: p, v: v, ready: make(chan struct{}, 1), stale: v.User != ""}
	if err := p.e.visitors.enter(ctx, n); err != nil {
		return nil, err
	}
	if _, err := n.Take(ctx); err != nil { // learns whose news they are
		n.Close()
		return nil, err
	}
	return n, nil
}

// enter puts the subscription into its workspace's space; the first one begins
// the reader.
func (h *visitorHub) enter(ctx context.Context, n *visitorNews) error {
	ws := id.Workspace(n.v.Workspace)
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.spaces[ws]; s != nil && s.enter(n) {
		return nil
	}
	sub, err := n.p.e.everything(ctx, ws)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &visitorSpace{stop: stop, all: map[*visitorNews]struct{}{}, of: map[conversation.ContactID]map[*visitorNews]struct{}{}}
	s.enter(n)
	if h.spaces == nil {
		h.spaces = map[id.Workspace]*visitorSpace{}
	}
	h.spaces[ws] = s
	go func() {
		s.follow(run, sub)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.spaces[ws] == s {
			delete(h.spaces, ws)
		}
	}()
	return nil
}

// enter reports false when the reader has ended.
func (s *visitorSpace) enter(n *visitorNews) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	n.space = s
	s.all[n] = struct{}{}
	return true
}

// everything follows the feed from now on with nobody's rights: what it brings
// does not leave the engine.
func (e *Engine) everything(ctx context.Context, ws id.Workspace) (*subscriber, error) {
	s, err := e.follow(ctx, ws)
	if err != nil {
		return nil, err
	}
	sub := &subscriber{e: e, p: system(ws), s: s}
	if err := sub.place(ctx, ""); err != nil {
		sub.leave()
		return nil, err
	}
	return sub, nil
}

// follow wakes visitors until the last one has gone or the engine has stopped.
func (s *visitorSpace) follow(ctx context.Context, sub *subscriber) {
	defer sub.leave()
	for {
		b, err := sub.raw(ctx)
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ended = true
			for n := range s.all {
				n.wake(visitor.Hint{Ended: true})
			}
			return
		}
		s.introduce(ctx, sub, s.tell(b))
	}
}

// tell wakes those whom the batch concerns, and names the contacts that somebody
// may have become.
func (s *visitorSpace) tell(b Batch) (became []conversation.ContactID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	available := b.Reload
	if b.Reload {
		s.doubt(func(*visitorNews) bool { return true })
	}
	for _, ev := range b.Events {
		switch ev.Aggregate {
		case kindConversation:
			s.toContact(ev.Contact, visitor.Hint{Messages: true})
			if ev.Kind == string(conversation.EvOpened) || ev.Kind == string(conversation.EvLinked) {
				became = append(became, ev.Contact)
			}
		case kindTyping:
			if ev.Kind == "agent" {
				s.toContact(ev.Contact, visitor.Hint{Typing: true})
			}
		case kindContact:
			s.toContact(ev.Contact, visitor.Hint{Messages: true})
			became = append(became, ev.Contact)
		case kindAgent, "configuration":
			available = true
		}
	}
	if available {
		s.tellAvailability()
	}
	return became
}

// tellAvailability wakes pages on which nobody has written yet: they show
// whether somebody is there.
func (s *visitorSpace) tellAvailability() {
	for n := range s.all {
		if n.v.User == "" {
			n.wake(visitor.Hint{Availability: true})
		}
	}
}

// introduce finds those of the visitors who are one of the contacts by now: who
// wrote for the first time, or whose identity was linked.
func (s *visitorSpace) introduce(ctx context.Context, sub *subscriber, became []conversation.ContactID) {
	slices.Sort(became)
	if became = slices.Compact(became); len(became) == 0 {
		return
	}
	is := map[channel.ProviderUserID]conversation.ContactID{}
	err := sub.e.db.View(ctx, sub.p.Workspace, func(ctx context.Context, tx store.Tx) error {
		for _, c := range became {
			known, err := tx.Contacts().Identities(ctx, c)
			if err != nil {
				return err
			}
			for _, i := range known {
				is[i.User] = c
			}
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubt(func(n *visitorNews) bool {
		c, named := is[n.v.User]
		return err != nil || named && c != n.contact
	})
}

func (s *visitorSpace) toContact(c conversation.ContactID, h visitor.Hint) {
	if c == "" {
		return
	}
	for n := range s.of[c] {
		n.wake(h)
	}
}

// doubt has visitors look who they are. The space's lock is held.
func (s *visitorSpace) doubt(of func(*visitorNews) bool) {
	for n := range s.all {
		if n.v.User != "" && of(n) {
			n.stale = true
			n.wake(visitor.Hint{Messages: true})
		}
	}
}

// wake adds to what Take returns. The space's lock is held.
func (n *visitorNews) wake(h visitor.Hint) {
	n.hint.Messages = n.hint.Messages || h.Messages
	n.hint.Typing = n.hint.Typing || h.Typing
	n.hint.Availability = n.hint.Availability || h.Availability
	n.hint.Ended = n.hint.Ended || h.Ended
	select {
	case n.ready <- struct{}{}:
	default: // it knows that there is something
	}
}

// Ready implements visitor.News.
func (n *visitorNews) Ready() <-chan struct{} { return n.ready }

// Take implements visitor.News.
func (n *visitorNews) Take(ctx context.Context) (visitor.Hint, error) {
	n.space.mu.Lock()
	hint, stale := n.hint, n.stale
	n.hint, n.stale = visitor.Hint{}, false
	n.space.mu.Unlock()
	if !stale {
		return hint, nil
	}
	contact, err := n.contactNow(ctx)
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	if err != nil {
		n.stale = true
		return hint, err
	}
	n.forget()
	n.contact = contact
	if n.space.of[contact] == nil {
		n.space.of[contact] = map[*visitorNews]struct{}{}
	}
	n.space.of[contact][n] = struct{}{}
	return hint, nil
}

// contactNow is the contact that the visitor belongs to, if any.
func (n *visitorNews) contactNow(ctx context.Context) (contact conversation.ContactID, err error) {
	err = n.p.view(ctx, n.v, func(ctx context.Context, tx store.Tx, s *settings) error {
		contact = ""
		acct, _, err := n.p.e.account(s, n.v.Account)
		if err != nil {
			return err
		}
		i, err := identityOf(ctx, tx, acct, n.v.User)
		if i != nil {
			contact = i.Contact
		}
		return err
	})
	return contact, err
}

// forget takes the visitor from under its contact. The space's lock is held.
func (n *visitorNews) forget() {
	same := n.space.of[n.contact]
	delete(same, n)
	if len(same) == 0 {
		delete(n.space.of, n.contact)
	}
}

// Close implements visitor.News. The last one ends the reader.
func (n *visitorNews) Close() {
	hub := &n.p.e.visitors
	hub.mu.Lock()
	defer hub.mu.Unlock()
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	n.forget()
	delete(n.space.all, n)
	if ws := id.Workspace(n.v.Workspace); len(n.space.all) == 0 && hub.spaces[ws] == n.space {
		delete(hub.spaces, ws)
		n.space.stop()
	}
}
