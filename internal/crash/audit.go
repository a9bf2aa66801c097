package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// workspace is the one the helpdesk makes.
const workspace = "default"

// ledger is all that the store holds about conversations.
type ledger struct {
	conversations []conversation.Conversation // in the order in which they were opened
	messages      map[string][]conversation.Message
	byProvider    map[channel.ProviderMessageID][]conversation.Message
}

// audit compares what the store says with what LINE acknowledged and what the
// phones show.
func (w *world) audit(ctx context.Context, r *report) error {
	db, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	l := &ledger{messages: map[string][]conversation.Message{}, byProvider: map[channel.ProviderMessageID][]conversation.Message{}}
	err = db.View(ctx, workspace, func(ctx context.Context, tx store.Tx) error {
		for _, step := range []func(context.Context, store.Tx, *ledger, *report) error{readLedger, auditEvents, auditOwners, auditPlumbing} {
			if err := step(ctx, tx, l, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	pending, err := pendingEvents(ctx, db)
	if err != nil {
		return err
	}
	people := w.crowd.everybody()
	r.Customers = len(people)
	r.Acknowledged, _, r.Redelivered = w.tap.counts()
	for _, p := range people {
		w.auditInbound(r, l, p, pending)
		auditPhone(r, l, p)
	}
	return nil
}

// readLedger loads every conversation and message.
func readLedger(ctx context.Context, tx store.Tx, l *ledger, r *report) error {
	for page := ""; ; {
		some, next, err := tx.Conversations().List(ctx, conversation.Filter{}, page, 200)
		if err != nil {
			return err
		}
		l.conversations = append(l.conversations, some...)
		if page = next; page == "" {
			break
		}
	}
	slices.SortFunc(l.conversations, func(a, b conversation.Conversation) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.ID, b.ID))
	})
	r.Conversations = len(l.conversations)
	for _, c := range l.conversations {
		for after := int64(0); ; {
			some, err := tx.Conversations().Messages(ctx, c.ID, after, 200)
			if err != nil {
				return err
			}
			if len(some) == 0 {
				break
			}
			after = some[len(some)-1].Seq
			for _, m := range some {
				l.add(c, m, r)
			}
		}
	}
	return nil
}

func (l *ledger) add(c conversation.Conversation, m conversation.Message, r *report) {
	l.messages[c.Chat.ID] = append(l.messages[c.Chat.ID], m)
	if m.Direction == conversation.Inbound {
		l.byProvider[m.Provider] = append(l.byProvider[m.Provider], m)
		return
	}
	switch m.Status {
	case conversation.StatusSent, conversation.StatusDelivered, conversation.StatusRead:
		r.Sent++
	case conversation.StatusUnknown:
		r.Unknown++
	case conversation.StatusFailed:
		r.found(&r.Failed, "message %s failed: %s, %s", m.ID, m.Reason, m.Detail)
	default:
		r.found(&r.Stuck, "message %s is still %s", m.ID, m.Status)
	}
}

// auditEvents checks each conversation's record: no number is missing, and
// nobody came to own it while another did.
func auditEvents(ctx context.Context, tx store.Tx, l *ledger, r *report) error {
	for _, c := range l.conversations {
		owner, next := "", int64(1)
		for {
			some, err := tx.Conversations().Events(ctx, c.ID, next-1, 200)
			if err != nil {
				return err
			}
			if len(some) == 0 {
				break
			}
			for _, ev := range some {
				if ev.Seq != next {
					r.found(&r.Broken, "conversation %s: event %d follows %d", c.ID, ev.Seq, next-1)
				}
				next = ev.Seq + 1
				switch ev.Kind {
				case conversation.EvAssigned:
					if owner != "" && owner != ev.From && owner != ev.To {
						r.found(&r.DoublyOwned, "conversation %s: given to %s while %s had it", c.ID, ev.To, owner)
					}
					owner = ev.To
					r.Assignments++
				case conversation.EvReleased, conversation.EvQueued:
					owner = ""
				case conversation.EvState:
					if ev.To == string(conversation.StateClosed) || ev.To == string(conversation.StateWaiting) {
						owner = ""
					}
				}
			}
		}
		if next-1 != c.EventSeq {
			r.found(&r.Broken, "conversation %s has %d events and says %d", c.ID, next-1, c.EventSeq)
		}
	}
	return nil
}

// auditOwners compares conversations, what routing holds, and the agents' load.
func auditOwners(ctx context.Context, tx store.Tx, l *ledger, r *report) error {
	all, err := tx.Agents().Agents(ctx)
	if err != nil {
		return err
	}
	owners := map[routing.ItemID][]routing.AgentID{}
	for _, a := range all {
		offers, owned, err := tx.Work().HeldBy(ctx, a.ID)
		if err != nil {
			return err
		}
		load := map[routing.Profile]int{}
		for _, o := range offers {
			owners[o.Item] = append(owners[o.Item], "offered to "+a.ID)
			count(load, o.Uses)
		}
		for _, as := range owned {
			owners[as.Item] = append(owners[as.Item], a.ID)
			count(load, as.Uses)
		}
		if load[routing.ProfileUnits] != a.State.Load[routing.ProfileUnits] || a.State.Open != len(offers)+len(owned) {
			r.found(&r.Broken, "agent %s has load %v in %d, and holds %v in %d", a.ID, a.State.Load, a.State.Open, load, len(offers)+len(owned))
		}
	}
	for _, c := range l.conversations {
		held := owners[routing.ItemID(c.ID)]
		want := []routing.AgentID(nil)
		if c.Agent != "" {
			want = []routing.AgentID{c.Agent}
		}
		switch {
		case len(held) > 1:
			r.found(&r.DoublyOwned, "conversation %s is held by %v", c.ID, held)
		case !slices.Equal(held, want):
			r.found(&r.DoublyOwned, "conversation %s (%s) says agent %q, routing says %v", c.ID, c.State, c.Agent, held)
		case c.State == conversation.StateOpen:
			r.found(&r.Stuck, "conversation %s waits though agents are free", c.ID)
		}
	}
	return nil
}

func count(load map[routing.Profile]int, uses []routing.Use) {
	for _, u := range uses {
		load[u.Profile] += u.Units
	}
}

// auditPlumbing checks the audit chain, the outbox, jobs and the quarantine.
func auditPlumbing(ctx context.Context, tx store.Tx, _ *ledger, r *report) error {
	previous, after := "", int64(0)
	for {
		some, err := tx.Audit().List(ctx, after, 500)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			break
		}
		bad, err := driver.VerifyChain(previous, some)
		if err != nil {
			return err
		}
		if bad != 0 {
			r.found(&r.Broken, "the audit chain breaks at row %d", bad)
			break
		}
		for i, e := range some {
			if e.Seq != after+int64(i)+1 {
				r.found(&r.Broken, "audit row %d follows %d", e.Seq, after+int64(i))
			}
		}
		last := some[len(some)-1]
		previous, after = last.Hash, last.Seq
	}
	r.AuditRows = int(after)
	if n, err := tx.Outbox().Pending(ctx); err != nil {
		return err
	} else if n > 0 {
		r.found(&r.Stuck, "%d outbox rows have not left", n)
	}
	dead, err := tx.Jobs().Dead(ctx, 10)
	if err != nil {
		return err
	}
	for _, j := range dead {
		r.found(&r.Stuck, "job %s of kind %s was given up: %s", j.ID, j.Kind, j.Reason)
	}
	bad, err := tx.Inbox().Quarantined(ctx, 10)
	if err != nil {
		return err
	}
	for _, q := range bad {
		r.found(&r.Stuck, "event %s is quarantined: %s", q.Envelope.ID, q.Reason)
	}
	return nil
}

// pendingEvents returns the dedup keys of events that are stored and were not
// processed.
func pendingEvents(ctx context.Context, db *store.DB) (map[string]bool, error) {
	keys := map[string]bool{}
	for {
		lanes, err := db.System().ClaimInbox(ctx, "audit", 100, 1000, time.Minute)
		if err != nil || len(lanes) == 0 {
			return keys, err
		}
		for _, lane := range lanes {
			for _, e := range lane.Envelopes {
				keys[e.DedupKey] = true
			}
		}
	}
}

// auditInbound checks that what one customer wrote is stored once, in order,
// and answered once.
func (w *world) auditInbound(r *report, l *ledger, p *customer, pending map[string]bool) {
	wrote := p.wrote()
	r.Written += len(wrote)
	byMessage := map[channel.ProviderMessageID]written{}
	for _, m := range wrote {
		byMessage[channel.ProviderMessageID(m.message)] = m
		rows := l.byProvider[channel.ProviderMessageID(m.message)]
		acked := !w.tap.of(m.event).acked.IsZero()
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
	answers := map[string]int{}
	chat := l.messages[p.user.ID()]
	for _, m := range chat {
		switch {
		case m.Author.Kind == conversation.ByAgent:
			answers[m.Content.Text]++
		case m.Direction == conversation.Inbound:
			d := w.tap.of(byMessage[m.Provider].event)
			if !d.acked.IsZero() && d.acked.Before(newest) {
				r.found(&r.Reordered, "%q was acknowledged before a later one was sent, and is stored after it", m.Content.Text)
			}
			if d.sent.After(newest) {
				newest = d.sent
			}
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

// auditPhone compares what was said to a customer with what arrived.
func auditPhone(r *report, l *ledger, p *customer) {
	type tally struct{ sent, unknown, other, arrived int }
	texts := map[string]*tally{}
	at := func(text string) *tally {
		if texts[text] == nil {
			texts[text] = &tally{}
		}
		return texts[text]
	}
	order := map[string]int{} // place of each text among what was said
	for i, m := range l.messages[p.user.ID()] {
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
	for _, d := range p.user.Received() {
		if d.Route == "reply" {
			r.ByReply++
		} else {
			r.ByPush++
		}
		t := at(d.Text)
		t.arrived++
		place, said := order[d.Text]
		if t.sent+t.unknown+t.other > 1 || !said || t.arrived > 1 {
			continue // greetings and goodbyes come again: their order is not to be told apart
		}
		if place < latest {
			r.found(&r.Reordered, "%q arrived after what was said later", d.Text)
		}
		latest = max(latest, place)
	}
	for text, t := range texts {
		if surplus := t.arrived - t.sent - t.unknown - t.other; surplus > 0 {
			r.found(&r.Duplicated, "%q arrived %d times for %d messages at %s", text, t.arrived, t.arrived-surplus, p.user.Name())
		}
		if missing := t.sent - t.arrived; missing > 0 {
			r.found(&r.Lost, "%q counts as sent and did not arrive at %s", text, p.user.Name())
		}
		r.UnknownArrived += max(0, min(t.unknown, t.arrived-t.sent))
	}
}
