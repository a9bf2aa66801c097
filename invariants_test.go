package sangdam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// stateOfWorld is everything the checkers look at: read through the store, not
// through the engine, and from the phones' side.
type stateOfWorld struct {
	now           time.Time
	conversations []conversation.Conversation
	messages      map[conversation.ID][]conversation.Message
	events        map[conversation.ID][]conversation.Event
	items         map[conversation.ID]routing.Item
	offers        map[conversation.ID]*routing.Offer
	assignments   map[conversation.ID]*routing.Assignment
	agents        []routing.Agent
	heldOffers    map[routing.AgentID][]routing.Offer
	heldWork      map[routing.AgentID][]routing.Assignment
	config        routing.Configuration
	audit         []store.AuditEntry
	pending       int
	dead          []store.Job
	quarantined   []adapter.Quarantined
	indexed       map[conversation.MessageID]bool
	feed          []store.Event
	line          *linetest.Server
}

// observe reads the world. cursor is the feed's position when the world began;
// empty leaves the feed out.
func observe(t *testing.T, db *store.DB, line *linetest.Server, cursor string) stateOfWorld {
	t.Helper()
	s := stateOfWorld{line: line, messages: map[conversation.ID][]conversation.Message{},
		events: map[conversation.ID][]conversation.Event{},
		items:  map[conversation.ID]routing.Item{}, offers: map[conversation.ID]*routing.Offer{},
		assignments: map[conversation.ID]*routing.Assignment{},
		heldOffers:  map[routing.AgentID][]routing.Offer{}, heldWork: map[routing.AgentID][]routing.Assignment{},
		indexed: map[conversation.MessageID]bool{}}
	err := db.View(t.Context(), ws, func(ctx context.Context, tx store.Tx) error {
		s.now = tx.Now()
		for page := ""; ; {
			list, next, err := tx.Conversations().List(ctx, conversation.Filter{}, page, 100)
			if err != nil {
				return err
			}
			s.conversations = append(s.conversations, list...)
			if page = next; page == "" {
				break
			}
		}
		for _, c := range s.conversations {
			if err := s.readConversation(ctx, tx, c); err != nil {
				return err
			}
		}
		var err error
		if s.agents, err = tx.Agents().Agents(ctx); err != nil {
			return err
		}
		for _, a := range s.agents {
			if s.heldOffers[a.ID], s.heldWork[a.ID], err = tx.Work().HeldBy(ctx, a.ID); err != nil {
				return err
			}
		}
		if s.config, err = tx.Config().Configuration(ctx, 0); err != nil {
			return err
		}
		if s.audit, err = tx.Audit().List(ctx, 0, 100_000); err != nil {
			return err
		}
		if s.pending, err = tx.Outbox().Pending(ctx); err != nil {
			return err
		}
		if s.dead, err = tx.Jobs().List(ctx, driver.JobDead, 100); err != nil {
			return err
		}
		s.quarantined, err = tx.Inbox().Quarantined(ctx, 100)
		return err
	})
	if err != nil {
		t.Fatalf("reading the world: %v", err)
	}
	for cursor != "" {
		evs, next, err := db.Feed(t.Context(), ws, cursor, 500)
		if err != nil {
			t.Fatalf("reading the feed: %v", err)
		}
		s.feed = append(s.feed, evs...)
		if cursor = next; len(evs) < 500 {
			break
		}
	}
	return s
}

func (s *stateOfWorld) readConversation(ctx context.Context, tx store.Tx, c conversation.Conversation) error {
	for after := int64(0); ; {
		ms, err := tx.Conversations().Messages(ctx, c.ID, after, 200)
		if err != nil {
			return err
		}
		s.messages[c.ID] = append(s.messages[c.ID], ms...)
		if len(ms) < 200 {
			break
		}
		after = ms[len(ms)-1].Seq
	}
	for after := int64(0); ; {
		evs, err := tx.Conversations().Events(ctx, c.ID, after, 200)
		if err != nil {
			return err
		}
		s.events[c.ID] = append(s.events[c.ID], evs...)
		if len(evs) < 200 {
			break
		}
		after = evs[len(evs)-1].Seq
	}
	for _, m := range s.messages[c.ID] {
		grams := privacy.Grams(m.Content.Text)
		if len(grams) == 0 {
			continue
		}
		for last := (driver.SearchHit{}); !s.indexed[m.ID]; {
			hits, err := tx.Search().Find(ctx, grams, last, 1000)
			if err != nil {
				return err
			}
			is := func(h driver.SearchHit) bool { return h.Message == m.ID && h.Conversation == c.ID }
			s.indexed[m.ID] = slices.ContainsFunc(hits, is)
			if len(hits) < 1000 {
				break
			}
			last = hits[999]
		}
	}
	it, err := tx.Work().Item(ctx, routing.ItemID(c.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.items[c.ID] = it
	s.offers[c.ID], s.assignments[c.ID], err = tx.Work().Held(ctx, it.ID)
	return err
}

// violations collects what is wrong, each with the invariant's name.
type violations []string

func (v *violations) add(invariant, format string, args ...any) {
	*v = append(*v, invariant+": "+fmt.Sprintf(format, args...))
}

// check runs every checker that holds at any moment at which the world rests.
func (s *stateOfWorld) check() violations {
	var v violations
	for _, check := range []func(*violations){s.ackedEventsAreMessages, s.oneOpenConversation, s.sequencesAreGapFree, s.oneOwner,
		s.loadIsOpenHolds,
		s.offersEndOnce, s.questionsEnd, s.nothingIsStuck, s.nothingSeenTwice, s.auditChainHolds, s.projectionsHold} {
		check(&v)
	}
	return v
}

// heard is a message event of a webhook that was answered 2xx.
type heard struct {
	ID   string
	Text string
	Type string
}

// acknowledged lists the message events that the account answered for, each
// once, in the order in which they were first sent.
func acknowledged(line *linetest.Server) []heard {
	var out []heard
	seen := map[string]bool{}
	for _, h := range line.Webhooks() {
		if h.Status/100 != 2 {
			continue
		}
		var body struct {
			Events []struct {
				Type    string `json:"type"`
				Message struct{ ID, Type, Text string }
			}
		}
		if json.Unmarshal(h.Body, &body) != nil {
			continue
		}
		for _, e := range body.Events {
			if e.Type == "message" && e.Message.ID != "" && !seen[e.Message.ID] {
				seen[e.Message.ID] = true
				out = append(out, heard{e.Message.ID, e.Message.Text, e.Message.Type})
			}
		}
	}
	return out
}

// An inbound event that was acknowledged is exactly one message row.
func (s *stateOfWorld) ackedEventsAreMessages(v *violations) {
	rows := map[channel.ProviderMessageID][]conversation.Message{}
	erased := 0 // those that nobody knows the provider's id of any more
	for _, ms := range s.messages {
		for _, m := range ms {
			if m.Direction == conversation.Inbound && m.Provider != "" {
				rows[m.Provider] = append(rows[m.Provider], m)
			}
			if m.Direction == conversation.Inbound && m.Erased() {
				erased++
			}
		}
	}
	for id, ms := range rows {
		if len(ms) != 1 {
			v.add("I1", "the customer's message %s is stored %d times", id, len(ms))
		}
	}
	for _, e := range acknowledged(s.line) {
		ms := rows[channel.ProviderMessageID(e.ID)]
		if len(ms) == 0 {
			if erased--; erased >= 0 {
				continue
			}
			v.add("I1", "the customer's message %s %q was acknowledged and is lost", e.ID, e.Text)
			continue
		}
		if m := ms[0]; e.Type == "text" && m.UnsentAt.IsZero() && m.EditedAt.IsZero() && m.Content.Text != e.Text {
			v.add("I1", "the customer's message %s is %q, was %q", e.ID, m.Content.Text, e.Text)
		}
	}
}

// finalState is one side of a comparison: what two ways of delivering the same
// events must both lead to. It leaves out ids and times.
func (s *stateOfWorld) finalState() string {
	var all []string
	for _, c := range s.conversations {
		var b strings.Builder
		fmt.Fprintf(&b, "%s live=%v unread=%d agent=%q handled=%v\n", c.State, c.Live, c.Unread, c.Agent, c.Handled)
		for _, m := range s.messages[c.ID] {
			fmt.Fprintf(&b, "  %s %s %q unsent=%v\n", m.Direction, m.Status, m.Content.Text, !m.UnsentAt.IsZero())
		}
		all = append(all, b.String())
	}
	slices.Sort(all)
	for _, u := range s.line.Users() {
		var got []string
		for _, d := range u.Received() {
			got = append(got, d.Text)
		}
		all = append(all, fmt.Sprintf("%s's phone: %q\n", u.Name(), got))
	}
	return strings.Join(all, "")
}

func talking(st conversation.State) bool {
	return st == conversation.StateOpen || st == conversation.StateActive || st == conversation.StateWaiting
}

// At most one open conversation for a thread key.
func (s *stateOfWorld) oneOpenConversation(v *violations) {
	open := map[string]conversation.ID{}
	for _, c := range s.conversations {
		if !talking(c.State) {
			continue
		}
		if other, twice := open[c.Thread]; twice {
			v.add("I3", "conversations %s and %s are both open under %s", other, c.ID, c.Thread)
		}
		open[c.Thread] = c.ID
	}
}

// The sequence of a conversation is gap-free and append-only, the
// customer's stream too, and the feed told every entry of it once, in order.
func (s *stateOfWorld) sequencesAreGapFree(v *violations) {
	told := map[string][]int64{}
	for _, ev := range s.feed {
		if ev.Aggregate == "conversation" {
			told[ev.ID] = append(told[ev.ID], ev.Version)
		}
	}
	for _, c := range s.conversations {
		evs := s.events[c.ID]
		var customer int64
		begins := map[conversation.MessageID]conversation.Event{}
		for i, ev := range evs {
			if ev.Seq != int64(i)+1 {
				v.add("I4", "conversation %s has number %d at place %d", c.ID, ev.Seq, i+1)
				break
			}
			if i > 0 && ev.At.Before(evs[i-1].At) {
				v.add("I4", "conversation %s: entry %d is older than the one before", c.ID, ev.Seq)
			}
			if ev.CustomerSeq != 0 {
				if customer++; ev.CustomerSeq != customer {
					v.add("I4", "conversation %s: the customer's stream has %d in place of %d", c.ID, ev.CustomerSeq, customer)
				}
			}
			if ev.Kind == conversation.EvMessage || ev.Kind == conversation.EvNote {
				begins[ev.Message] = ev
			}
		}
		if c.EventSeq != int64(len(evs)) || c.CustomerSeq != customer {
			v.add("I4", "conversation %s counts %d entries and %d for the customer; there are %d and %d", c.ID, c.EventSeq,
				c.CustomerSeq, len(evs), customer)
		}
		for _, m := range s.messages[c.ID] {
			if ev := begins[m.ID]; ev.Seq != m.Seq || ev.CustomerSeq != m.CustomerSeq {
				v.add("I4", "message %s is at %d/%d, its entry at %d/%d", m.ID, m.Seq, m.CustomerSeq, ev.Seq, ev.CustomerSeq)
			}
			if (m.Direction == conversation.Internal) != (m.CustomerSeq == 0) {
				v.add("I4", "message %s (%s) has number %d in the customer's stream", m.ID, m.Direction, m.CustomerSeq)
			}
		}
		if s.feed == nil {
			continue
		}
		for i, version := range told[string(c.ID)] {
			if version != int64(i)+1 {
				v.add("I4", "the feed told %v of conversation %s", told[string(c.ID)], c.ID)
				break
			}
		}
		if len(told[string(c.ID)]) != len(evs) {
			v.add("I4", "the feed told %d of %d entries of conversation %s", len(told[string(c.ID)]), len(evs), c.ID)
		}
	}
}

// At most one open assignment, which names the owner; along the record
// every ownership begins when no other lasts, and ends once.
func (s *stateOfWorld) oneOwner(v *violations) {
	for _, c := range s.conversations {
		owner := ""
		for _, ev := range s.events[c.ID] {
			switch ev.Kind {
			case conversation.EvAssigned:
				if ev.From != "" && ev.From != owner {
					v.add("I5", "conversation %s: entry %d takes it from %q, %q had it", c.ID, ev.Seq, ev.From, owner)
				}
				if ev.From == "" && owner != "" {
					v.add("I5", "conversation %s: entry %d gives it to %q, %q still had it", c.ID, ev.Seq, ev.To, owner)
				}
				owner = ev.To
			case conversation.EvReleased:
				if ev.From != owner {
					v.add("I5", "conversation %s: entry %d releases %q, %q had it", c.ID, ev.Seq, ev.From, owner)
				}
				owner = ""
			case conversation.EvQueued:
				owner = ""
			}
		}
		if string(c.Agent) != owner {
			v.add("I5", "conversation %s belongs to %q, by its record to %q", c.ID, c.Agent, owner)
		}
		as := s.assignments[c.ID]
		switch {
		case as == nil && c.Agent != "":
			v.add("I5", "conversation %s (%s) belongs to %s without an assignment", c.ID, c.State, c.Agent)
		case as != nil && as.Agent != c.Agent:
			v.add("I5", "conversation %s belongs to %q, its assignment to %q", c.ID, c.Agent, as.Agent)
		case as != nil && s.offers[c.ID] != nil:
			v.add("I5", "conversation %s is offered and assigned at once", c.ID)
		case as != nil && c.State != conversation.StateActive && c.State != conversation.StateWrapUp &&
			c.State != conversation.StateWaiting:
			v.add("I5", "conversation %s is %s and assigned", c.ID, c.State)
		case c.State == conversation.StateActive && as == nil:
			v.add("I5", "conversation %s is active and nobody's", c.ID)
		}
		if it, ok := s.items[c.ID]; ok {
			want := routing.ItemState("")
			switch {
			case as != nil:
				want = routing.ItemAssigned
			case s.offers[c.ID] != nil:
				want = routing.ItemOffered
			case c.State == conversation.StateClosed:
				want = routing.ItemDone
			}
			if want != "" && it.State != want {
				v.add("I5", "the item of conversation %s is %s, should be %s", c.ID, it.State, want)
			}
		}
	}
}

// An agent's load is what its open offers and assignments use, and within
// the capacity unless somebody forced it.
func (s *stateOfWorld) loadIsOpenHolds(v *violations) {
	for _, a := range s.agents {
		load, forced := map[routing.Profile]int{}, false
		for _, o := range s.heldOffers[a.ID] {
			for _, use := range o.Uses {
				load[use.Profile] += use.Units
			}
		}
		for _, as := range s.heldWork[a.ID] {
			forced = forced || as.Forced
			for _, use := range as.Uses {
				load[use.Profile] += use.Units
			}
		}
		maps.DeleteFunc(load, func(_ routing.Profile, n int) bool { return n == 0 })
		if !maps.Equal(load, a.State.Load) && len(load)+len(a.State.Load) > 0 {
			v.add("I6", "agent %s has load %v, its open holds use %v", a.ID, a.State.Load, load)
		}
		if n := len(s.heldOffers[a.ID]) + len(s.heldWork[a.ID]); n != a.State.Open {
			v.add("I6", "agent %s counts %d open holds, there are %d", a.ID, a.State.Open, n)
		}
		for p, limit := range a.Capacity {
			if load[p] > limit && !forced {
				v.add("I6", "agent %s uses %d of %d units (%s)", a.ID, load[p], limit, p)
			}
		}
	}
}

// Every offer ends exactly once, and one that stands is not over.
func (s *stateOfWorld) offersEndOnce(v *violations) {
	for _, c := range s.conversations {
		pending := ""
		for _, ev := range s.events[c.ID] {
			switch ev.Kind {
			case conversation.EvOffered:
				if pending != "" {
					v.add("I7", "conversation %s: entry %d offers it to %s while %s still is asked", c.ID, ev.Seq, ev.To, pending)
				}
				pending = ev.To
			case conversation.EvOffer:
				if ev.From != pending {
					v.add("I7", "conversation %s: entry %d ends the offer to %s, asked is %q", c.ID, ev.Seq, ev.From, pending)
				}
				pending = ""
			case conversation.EvAssigned:
				pending = ""
			}
		}
		o := s.offers[c.ID]
		switch {
		case o == nil && pending != "":
			v.add("I7", "conversation %s: the offer to %s ended without an entry", c.ID, pending)
		case o != nil && pending != "agent:"+string(o.Agent):
			v.add("I7", "conversation %s is offered to %s, by its record to %q", c.ID, o.Agent, pending)
		case o != nil && o.ExpiresAt.Before(s.now.Add(-time.Second)):
			v.add("I7", "conversation %s: the offer to %s was over at %s and stands", c.ID, o.Agent, o.ExpiresAt)
		}
	}
}

// Nothing is stuck: who waits and could be served is being asked, nothing
// hangs in the outbox, no job died, nothing was set aside.
func (s *stateOfWorld) nothingIsStuck(v *violations) {
	if s.pending > 0 {
		v.add("I8", "%d rows still wait in the outbox", s.pending)
	}
	for _, j := range s.dead {
		v.add("I8", "a %s job died: %s", j.Kind, j.Reason)
	}
	for _, q := range s.quarantined {
		v.add("I8", "an envelope was set aside: %s", q.Reason)
	}
	for _, c := range s.conversations {
		for _, m := range s.messages[c.ID] {
			if m.Direction == conversation.Outbound && m.Status == conversation.StatusQueued {
				v.add("I8", "message %s is still queued", m.ID)
			}
		}
		it, has := s.items[c.ID]
		if c.State == conversation.StateOpen && c.Control != conversation.ControlBot && (!has || it.State == routing.ItemDone) {
			v.add("I8", "conversation %s is open, and neither a bot nor a queue has it", c.ID)
		}
		if c.State == conversation.StateOpen && c.Control == conversation.ControlBot && s.unreadByBot(c) {
			v.add("I8", "conversation %s waits for a bot that does not read", c.ID)
		}
		if c.State == conversation.StateWaiting && s.wroteWhileWaiting(c) {
			v.add("I8", "conversation %s waits for a customer who has written", c.ID)
		}
		if !has || it.State != routing.ItemQueued || it.Mode != routing.Push || it.Preferred != "" && s.now.Before(it.PreferredUntil) {
			continue
		}
		q := s.config.Queues[it.Queue]
		for _, a := range s.agents {
			if len(board.Eligible(it, a, q, s.config.Members[board.DeskFor(&it, &q)], s.now)) == 0 {
				v.add("I8", "conversation %s waits although agent %s could take it", c.ID, a.ID)
			}
		}
	}
}

// wroteWhileWaiting: that an agent waits although there are unread messages is
// the agent's business; what came later must have ended the waiting.
func (s *stateOfWorld) wroteWhileWaiting(c conversation.Conversation) bool {
	var since int64
	for _, ev := range s.events[c.ID] {
		if ev.Kind == conversation.EvState && ev.To == string(conversation.StateWaiting) {
			since = ev.Seq
		}
	}
	return slices.ContainsFunc(s.messages[c.ID], func(m conversation.Message) bool {
		return m.Direction == conversation.Inbound && m.Seq > since
	})
}

func (s *stateOfWorld) unreadByBot(c conversation.Conversation) bool {
	return slices.ContainsFunc(s.messages[c.ID], func(m conversation.Message) bool {
		return m.Direction == conversation.Inbound && m.Seq > c.BotSeq
	})
}

// At most one visible send for each message on routes with a key, and at
// most one where the outcome is unknown. Sent means that it is on the phone.
func (s *stateOfWorld) nothingSeenTwice(v *violations) {
	type seen struct{ chat, id string }
	phone, texts := map[seen]int{}, map[seen]int{}
	for _, u := range s.line.Users() {
		for _, d := range u.Received() {
			if d.ChatID != u.ID() {
				continue // a group's phones are many
			}
			phone[seen{d.ChatID, d.MessageID}]++
			texts[seen{d.ChatID, d.Text}]++
		}
	}
	rows := map[seen]int{}
	for _, c := range s.conversations {
		for _, m := range s.messages[c.ID] {
			if m.Direction != conversation.Outbound || m.Chat.Kind != channel.ChatUser || m.Erased() {
				continue
			}
			rows[seen{m.Chat.ID, m.Content.Text}]++
			if m.Status == conversation.StatusSent && m.Provider != "" && phone[seen{m.Chat.ID, string(m.Provider)}] != 1 {
				v.add("I9", "message %s %q is sent and %d times on the phone", m.ID, m.Content.Text,
					phone[seen{m.Chat.ID, string(m.Provider)}])
			}
			if m.Status == conversation.StatusSent && m.Provider == "" && !m.Unconfirmed {
				v.add("I9", "message %s %q is sent and has no id of the provider's", m.ID, m.Content.Text)
			}
		}
	}
	for k, n := range texts {
		if want := rows[k]; n > max(want, 1) {
			v.add("I9", "the phone of %s shows %q %d times; it was said %d times", k.chat, k.id, n, want)
		}
	}
}

// The audit log is a gap-free chain. That an action and its row are one
// transaction is checked by counting: see auditCounts.
func (s *stateOfWorld) auditChainHolds(v *violations) {
	for i, e := range s.audit {
		if e.Seq != int64(i)+1 {
			v.add("I12", "the audit log has number %d at place %d", e.Seq, i+1)
			return
		}
	}
	if bad, err := driver.VerifyChain("", s.audit); bad != 0 || err != nil {
		v.add("I12", "the audit chain breaks at %d: %v", bad, err)
	}
}

// auditCounts is the other half: as many rows for an action as it took place.
func (s *stateOfWorld) auditCounts(v *violations, want map[string]int) {
	got := map[string]int{}
	for _, e := range s.audit {
		if e.Outcome == "ok" && !strings.HasPrefix(e.Actor, "system") {
			got[e.Actor+" "+e.Action]++
		}
	}
	for k, n := range want {
		if got[k] != n {
			v.add("I12", "%s was done %d times and is %d times in the audit log", k, n, got[k])
		}
	}
}

// Counters and projections are what the record says.
func (s *stateOfWorld) projectionsHold(v *violations) {
	for _, c := range s.conversations {
		unread, handled := 0, false
		var last conversation.Message
		for _, m := range s.messages[c.ID] {
			switch {
			case m.Direction == conversation.Inbound && m.UnsentAt.IsZero():
				unread++
			case m.Direction == conversation.Outbound && m.Author.Kind == conversation.ByAgent:
				unread, handled = 0, true
			}
			if m.Direction != conversation.Internal {
				last = m
			}
			if want := len(privacy.Grams(m.Content.Text)) > 0; want && !s.indexed[m.ID] {
				v.add("I13", "message %s %q is not in the index", m.ID, m.Content.Text)
			}
		}
		if c.MergedInto != "" {
			continue // its messages went on elsewhere
		}
		if c.Unread != unread || c.Handled != handled {
			v.add("I13", "conversation %s says unread %d, handled %v; its messages say %d, %v", c.ID, c.Unread, c.Handled, unread, handled)
		}
		if want := conversation.Preview(last.Content); last.UnsentAt.IsZero() && c.Preview != want {
			v.add("I13", "conversation %s shows %q, its last message is %q", c.ID, c.Preview, want)
		}
	}
}

// requireInvariants fails with every violation.
func requireInvariants(t *testing.T, s stateOfWorld) {
	t.Helper()
	if v := s.check(); len(v) > 0 {
		t.Fatalf("invariants are broken:\n%s", strings.Join(v, "\n"))
	}
}

// invariants checks the world once it rests.
func (w *world) invariants() {
	w.t.Helper()
	requireInvariants(w.t, observe(w.t, w.db, w.line, ""))
}

// The main flow keeps every invariant, and each checker notices what it is for.
func TestTheCheckersNoticeWhatTheyAreFor(t *testing.T) {
	inWorld(t, func(w *world) {
		_, cursor, err := w.db.Feed(w.ctx, ws, "", 1)
		require.NoError(t, err)
		active(w)
		w.line.User("Jun").SendText("second")
		w.pass(3 * time.Second)
		fresh := func() stateOfWorld { return observe(t, w.db, w.line, cursor) }
		s := fresh()
		requireInvariants(t, s)
		var mine, other conversation.ID
		for _, c := range s.conversations {
			if c.Agent != "" {
				mine = c.ID
			} else {
				other = c.ID
			}
		}
		at := func(s *stateOfWorld, id conversation.ID) *conversation.Conversation {
			return &s.conversations[slices.IndexFunc(s.conversations, func(c conversation.Conversation) bool { return c.ID == id })]
		}
		for _, c := range []struct {
			invariant string
			spoil     func(s *stateOfWorld)
		}{
			{"I1", func(s *stateOfWorld) { s.messages[mine] = nil }},
			{"I1", func(s *stateOfWorld) { s.messages[mine] = append(s.messages[mine], s.messages[mine]...) }},
			{"I3", func(s *stateOfWorld) { at(s, other).Thread = at(s, mine).Thread }},
			{"I4", func(s *stateOfWorld) { s.events[mine] = slices.Delete(s.events[mine], 1, 2) }},
			{"I4", func(s *stateOfWorld) {
				s.feed = slices.DeleteFunc(s.feed, func(ev store.Event) bool { return ev.ID == string(mine) && ev.Version == 2 })
			}},
			{"I5", func(s *stateOfWorld) { at(s, mine).Agent = "a2" }},
			{"I5", func(s *stateOfWorld) { s.assignments[mine] = nil }},
			{"I6", func(s *stateOfWorld) { s.heldWork["a1"] = nil }},
			{"I7", func(s *stateOfWorld) { s.offers[other] = nil }},
			{"I7", func(s *stateOfWorld) { s.now = s.now.Add(time.Hour) }},
			{"I8", func(s *stateOfWorld) { s.pending = 1 }},
			{"I8", func(s *stateOfWorld) { delete(s.items, other) }},
			{"I9", func(s *stateOfWorld) { s.messages[mine][1].Provider = "another" }},
			{"I12", func(s *stateOfWorld) { s.audit = slices.Delete(s.audit, 2, 3) }},
			{"I12", func(s *stateOfWorld) { s.audit[2].Actor = "agent:a2" }},
			{"I13", func(s *stateOfWorld) { at(s, mine).Unread = 7 }},
			{"I13", func(s *stateOfWorld) { s.indexed = nil }},
		} {
			s := fresh()
			c.spoil(&s)
			if v := s.check(); !slices.ContainsFunc(v, func(line string) bool { return strings.HasPrefix(line, c.invariant+":") }) {
				t.Errorf("%s was not noticed: %v", c.invariant, v)
			}
		}
	})
}
