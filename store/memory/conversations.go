package memory

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/driver"
)

type conversations struct{ t *tx }

type providerKey struct {
	account channel.AccountID
	chat    channel.Chat
	id      channel.ProviderMessageID
}

type eventKey struct {
	conv conversation.ID
	seq  int64
}

func mapKeys[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

func (s *space) conversationChanged(id conversation.ID, was, is *conversation.Conversation) {
	if was != nil {
		s.threads.remove(was.Thread, id)
	}
	if is != nil {
		s.threads.add(is.Thread, id)
	}
}

func (s *space) messageChanged(id conversation.MessageID, was, is *conversation.Message) {
	if was != nil {
		s.messagesOf.remove(was.Conversation, id)
	}
	if is != nil {
		s.messagesOf.add(is.Conversation, id)
	}
}

func (s *space) eventChanged(k eventKey, was, is *conversation.Event) {
	if was == nil && is != nil {
		s.eventsOf.add(k.conv, k)
	}
}

func (r conversations) Conversation(_ context.Context, id conversation.ID) (conversation.Conversation, error) {
	return one(r.t, r.t.s.conversations, "conversation", id)
}

func (r conversations) ByThread(_ context.Context, thread string) (open, last *conversation.Conversation, err error) {
	t := r.t
	_, err = read(t, func() (struct{}, error) {
		for _, c := range some(t, t.s.conversations, t.s.threads.keys(thread)) {
			switch {
			case c.Thread != thread:
			case c.State.HoldsThread():
				c = clone(c)
				open = &c
			case last == nil || cmp.Or(c.OpenedAt.Compare(last.OpenedAt), cmp.Compare(c.ID, last.ID)) > 0:
				last = &c
			}
		}
		if last != nil {
			c := clone(*last)
			last = &c
		}
		return struct{}{}, nil
	})
	return open, last, err
}

func (r conversations) SaveConversation(_ context.Context, c conversation.Conversation) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		old, _ := get(t, t.s.conversations, c.ID)
		if old.Version != c.Version {
			return 0, driver.ErrClash
		}
		if holder, held := get(t, t.s.byThread, c.Thread); c.State.HoldsThread() && held && holder != c.ID {
			return 0, driver.ErrClash
		}
		if old.Version > 0 && old.State.HoldsThread() && (!c.State.HoldsThread() || old.Thread != c.Thread) {
			drop(t, t.s.byThread, old.Thread)
		}
		if c.State.HoldsThread() {
			put(t, t.s.byThread, c.Thread, c.ID)
		}
		c = clone(c)
		c.Version++
		put(t, t.s.conversations, c.ID, c)
		return c.Version, nil
	})
}

func (r conversations) List(_ context.Context, f conversation.Filter, after *driver.ConversationPlace,
	limit int) ([]conversation.Conversation, error) {
	return read(r.t, func() ([]conversation.Conversation, error) {
		var list []conversation.Conversation
		for _, c := range each(r.t, r.t.s.conversations) {
			if f.Match(c) && (after == nil || after.Compare(driver.ConversationPlaceOf(c)) < 0) {
				list = append(list, c)
			}
		}
		slices.SortFunc(list, func(a, b conversation.Conversation) int {
			return driver.ConversationPlaceOf(a).Compare(driver.ConversationPlaceOf(b))
		})
		list = clones(first(list, limit))
		r.t.found(len(list))
		return list, nil
	})
}

func (r conversations) Message(_ context.Context, k driver.MessageKey) (conversation.Message, error) {
	t := r.t
	return read(t, func() (conversation.Message, error) {
		id := k.ID
		if id == "" {
			id, _ = get(t, t.s.byProvider, providerKey{k.Account, k.Chat, k.ProviderMessage.Message})
		}
		m, ok := get(t, t.s.messages, id)
		if !ok {
			return conversation.Message{}, missing("message", string(id))
		}
		t.found(1)
		return clone(m), nil
	})
}

func (r conversations) SaveMessage(_ context.Context, m conversation.Message) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		old, _ := get(t, t.s.messages, m.ID)
		if old.Version != m.Version {
			return 0, driver.ErrClash
		}
		was, is := providerKey{old.Account, old.Chat, old.Provider}, providerKey{m.Account, m.Chat, m.Provider}
		if was != is || old.Version == 0 {
			if _, taken := get(t, t.s.byProvider, is); taken && m.Provider != "" {
				return 0, driver.ErrClash
			}
			if old.Provider != "" {
				drop(t, t.s.byProvider, was)
			}
			if m.Provider != "" {
				put(t, t.s.byProvider, is, m.ID)
			}
		}
		m = clone(m)
		m.Version++
		put(t, t.s.messages, m.ID, m)
		return m.Version, nil
	})
}

func (r conversations) Messages(_ context.Context, id conversation.ID, p driver.MessagePage) ([]conversation.Message, error) {
	t := r.t
	return read(t, func() ([]conversation.Message, error) {
		var list []conversation.Message
		for _, m := range some(t, t.s.messages, t.s.messagesOf.keys(id)) {
			if m.Conversation == id && (p.Back && (p.Seq == 0 || m.Seq < p.Seq) || !p.Back && m.Seq > p.Seq) {
				list = append(list, m)
			}
		}
		slices.SortFunc(list, func(a, b conversation.Message) int { return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID)) })
		if p.Back {
			list = list[max(len(list)-p.Limit, 0):]
		}
		list = clones(first(list, p.Limit))
		t.found(len(list))
		return list, nil
	})
}

func (r conversations) AppendEvents(_ context.Context, evs ...conversation.Event) error {
	t := r.t
	return do(t, func() error {
		added := map[eventKey]bool{}
		for _, e := range evs {
			k := eventKey{e.Conversation, e.Seq}
			if _, taken := get(t, t.s.convEvents, k); taken || added[k] {
				return driver.ErrClash
			}
			added[k] = true
		}
		for _, e := range evs {
			put(t, t.s.convEvents, eventKey{e.Conversation, e.Seq}, clone(e))
		}
		return nil
	})
}

func (r conversations) Events(_ context.Context, id conversation.ID, after int64, limit int) ([]conversation.Event, error) {
	t := r.t
	return read(t, func() ([]conversation.Event, error) {
		var list []conversation.Event
		for _, e := range some(t, t.s.convEvents, t.s.eventsOf.keys(id)) {
			if e.Conversation == id && e.Seq > after {
				list = append(list, e)
			}
		}
		slices.SortFunc(list, func(a, b conversation.Event) int { return cmp.Compare(a.Seq, b.Seq) })
		list = clones(first(list, limit))
		t.found(len(list))
		return list, nil
	})
}
