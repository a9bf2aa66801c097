package sangdam

import (
	"context"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// feedAt is how many events a call of Events looks at.
const feedAt = 5000

// KindGone is the kind of the last event that a reader of the feed gets about a
// conversation which it may no longer see, because the conversation was moved
// to another desk or given to another agent. The event says nothing else.
const KindGone = "gone"

var qEvents = asks("feed.read", "Events", "events", ActList)

// Events returns what happened in the workspace after the cursor, as far as the
// principal may see it: ids, kinds and versions, at most limit (1 to 1000), and
// the cursor to go on from. The empty cursor is the present. When the list is
// empty and the cursor differs from the one given, there were events that the
// principal may not see: go on from the new cursor. ErrCursorGone means that
// the caller must read again everything that it shows.
//
// The policy is asked about every event, with the desk and the owner that the
// record had when the event happened. When a conversation moves to where the
// principal may not see it, one last event of kind KindGone says so.
func (e *Engine) Events(ctx context.Context, p Principal, cursor string, limit int) ([]store.Event, string, error) {
	limit = min(max(limit, 1), 1000)
	var w Who
	err := e.query(ctx, p, qEvents, "", func(ctx context.Context, tx store.Tx, s *settings) (err error) {
		w, err = e.who(ctx, tx, s, p)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	for looked := 0; ; {
		raw, next, err := e.db.Feed(ctx, p.Workspace, cursor, limit)
		if err != nil {
			return nil, "", err
		}
		var out []store.Event
		for _, ev := range raw {
			ev, ok, err := e.shown(ctx, w, ev)
			if err != nil {
				return nil, "", err
			}
			if ok {
				out = append(out, ev)
			}
		}
		if looked += limit; len(out) > 0 || len(raw) == 0 || looked >= feedAt {
			return out, next, nil
		}
		cursor = next
	}
}

// Watch returns a channel that gets a value whenever Events may have something
// new, until stop is called. It is only a hint: a caller also asks Events now
// and then without one, every few seconds.
func (e *Engine) Watch() (hints <-chan struct{}, stop func()) {
	return e.wake.subscribe("", driver.NewsFeed)
}

// shown is what somebody gets to see of an event, if anything.
func (e *Engine) shown(ctx context.Context, w Who, ev store.Event) (store.Event, bool, error) {
	r := eventResource(ev)
	ok, err := e.sees(ctx, w, r)
	if err != nil || ok || (ev.FormerDesk == "" && ev.FormerAgent == "" && ev.FormerAsked == "") {
		return ev, ok, err
	}
	if ev.FormerDesk != "" {
		r.Desk = ev.FormerDesk
	}
	if ev.FormerAgent != "" {
		r.Owner = ev.FormerAgent
	}
	if ev.FormerAsked != "" {
		r.Asked = ev.FormerAsked
	}
	ok, err = e.sees(ctx, w, r)
	return store.Event{Aggregate: ev.Aggregate, ID: ev.ID, Version: ev.Version, Kind: KindGone, At: ev.At}, ok, err
}

// eventResource is the record that an event tells of. An item is a part of its
// conversation or ticket, so is somebody's writing there, an identity one of its
// contact.
func eventResource(ev store.Event) Resource {
	r := Resource{Kind: ev.Aggregate, ID: ev.ID, Desk: ev.Desk, Desks: ev.Desks, Owner: ev.Agent, Asked: ev.Asked, Account: ev.Account,
		Channel: ev.Channel, Stream: ev.WorkStream, Contact: ev.Contact, State: ev.State}
	switch ev.Aggregate {
	case "item":
		switch s := routing.ItemID(ev.ID).Subject(); s.Kind {
		case routing.SubjectConversation, routing.SubjectTicket:
			r.Kind, r.ID = s.Kind, s.ID
		default:
			r.Kind = kindWork
		}
	case kindTyping:
		r.Kind = kindConversation
	case "identity":
		r.Kind, r.ID = kindContact, string(ev.Contact)
	case kindAgent:
		r.Owner = routing.AgentID(ev.ID)
	}
	return r
}

// placed gives an event what a policy may ask of its conversation.
func placed(ev driver.Event, c conversation.Conversation) driver.Event {
	ev.Desk, ev.Agent, ev.Asked, ev.Account, ev.Channel = c.Desk, c.Agent, c.Asked(), c.Account, c.Channel
	ev.WorkStream, ev.Contact, ev.State = c.WorkStream, c.Contact, c.State
	return ev
}

// event adds a feed entry of something that is not a conversation.
func (u *unit) event(aggregate, of string, version int64, kind string) error {
	ev := driver.Event{Aggregate: aggregate, ID: of, Version: version, Kind: kind}
	if aggregate == kindAccount {
		ev.Desk = u.s.accounts[channel.AccountID(of)].Desk
	}
	return u.tell(ev)
}

// deskOf is the desk of an account, as this process last read it.
func (e *Engine) deskOf(ws id.Workspace, a channel.AccountID) routing.DeskID {
	if s := e.settings.get(ws); s != nil {
		return s.accounts[a].Desk
	}
	return ""
}

// tell adds an event to what the transaction announces at its end.
func (u *unit) tell(ev driver.Event) error {
	ev.Actor, ev.At = u.p.actor(), u.tx.Now()
	u.feed = append(u.feed, ev)
	return nil
}

// announce writes the transaction's events. Those of items get the place of
// their conversation, which the unit mostly has.
func (u *unit) announce() error {
	for i, ev := range u.feed {
		if ev.Aggregate != "item" {
			continue
		}
		var err error
		if u.feed[i], err = u.worker(routing.ItemID(ev.ID)).place(ev); err != nil {
			return err
		}
	}
	if len(u.feed) == 0 {
		return nil
	}
	if err := u.subscribed(); err != nil {
		return err
	}
	return u.tx.Events().Append(u.ctx, u.feed...)
}
