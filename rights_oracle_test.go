package sangdam_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// drawn is a policy by chance: who may see which record is drawn by what the
// record is, and may be told to the store by desks.
type drawn struct {
	seed   uint64
	by     string // desk, account, record, or kind
	scoped bool
}

func (d *drawn) shows(r sangdam.Resource) bool {
	about := r.ID
	switch d.by {
	case "desk":
		desks := append(slices.Clone(r.Desks), r.Desk)
		return slices.ContainsFunc(desks, func(id routing.DeskID) bool { return d.draw(string(id)) })
	case "account":
		if about = string(r.Account); r.Kind == "contact" {
			about = fmt.Sprint(r.Desks)
		}
	case "kind":
		about = r.Kind
	}
	return d.draw(about)
}

func (d *drawn) draw(about string) bool {
	h := fnv.New64a()
	fmt.Fprint(h, d.seed, about)
	return about != "" && rand.New(rand.NewPCG(h.Sum64(), d.seed)).IntN(2) == 0 //nolint:gosec // a test's chance
}

func (d *drawn) Authorize(_ context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	if w.Kind == sangdam.KindAgent && a == sangdam.ActRead && !d.shows(r) {
		return sangdam.ErrNotFound
	}
	return nil
}

func (d *drawn) Scope(w sangdam.Who, _ string) sangdam.Scope {
	if w.Kind != sangdam.KindAgent || !d.scoped || d.by != "desk" {
		return sangdam.Scope{}
	}
	desks := slices.DeleteFunc([]routing.DeskID{"support", "d2", "d3"}, func(id routing.DeskID) bool { return !d.draw(string(id)) })
	return sangdam.Scope{Limited: true, Desks: desks}
}

// set is what one way of reading shows, by id.
type set map[string]bool

// What a policy shows is seen in every way of reading, and what it hides in
// none, whatever the policy decides by.
func TestEveryWayOfReadingShowsWhatThePolicyShows(t *testing.T) {
	policy := &drawn{}
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		*policy = drawn{by: "record"}
		_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		for i, desk := range []routing.DeskID{"support", "d2", "d3"} {
			if i > 0 {
				w.otherDesk(desk, routing.AgentID("b"+string(desk)))
			}
			for n := range 6 {
				w.line.User(fmt.Sprint("Kim ", desk, n)).SendText("환불해 주세요")
			}
			w.settle()
		}
		w.pass(2 * time.Second) // the index follows
		all := w.conversations()
		require.Len(t, all, 18)
		p := w.agent("a1")
		_, err = w.eng.Assign(w.ctx, w.host, sangdam.Assign{Conversation: all[4].ID, Agent: "a1", Force: true})
		require.NoError(t, err)
		w.settle()
		all = w.conversations()
		owned := all[slices.IndexFunc(all, func(c conversation.Conversation) bool { return c.Agent == "a1" })].ID
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		for i, by := range []string{"desk", "desk", "account", "record", "kind", "record", "desk", "kind"} {
			*policy = drawn{seed: seed + uint64(i), by: by, scoped: i%2 == 0}
			conversations, contacts := w.shown(policy, all, owned)
			for way, got := range w.readConversations(p, all, cursor) {
				require.Equal(t, conversations, got, "%s by %+v", way, *policy)
			}
			for way, got := range w.readContacts(p, all, cursor) {
				require.Equal(t, contacts, got, "%s by %+v", way, *policy)
			}
			w.summaries(p, all, conversations, contacts)
		}
	}, withConfig(func(c *sangdam.Config) { c.Policy = policy }), withStream(func(s *routing.WorkStream) { s.Messages = nil }))
}

// shown is what the policy says of each record, by itself.
func (w *replayWorld) shown(d *drawn, all []conversation.Conversation, owned conversation.ID) (conversations, contacts set) {
	w.t.Helper()
	conversations, contacts = set{}, set{}
	for _, c := range all {
		if c.ID == owned || d.shows(sangdam.Resource{Kind: "conversation", ID: string(c.ID), Desk: c.Desk, Account: c.Account}) {
			conversations[string(c.ID)] = true
		}
		k, _, err := w.eng.Contact(w.ctx, w.host, c.Contact)
		require.NoError(w.t, err)
		if d.shows(sangdam.Resource{Kind: "contact", ID: string(k.ID), Desks: k.Desks}) {
			contacts[string(k.ID)] = true
		}
	}
	return conversations, contacts
}

// saw says whether a read found something; nothing is ErrNotFound.
func (w *replayWorld) saw(err error) bool {
	w.t.Helper()
	if err != nil {
		require.ErrorIs(w.t, err, sangdam.ErrNotFound)
	}
	return err == nil
}

// readConversations is what each way of reading conversations shows.
func (w *replayWorld) readConversations(p sangdam.Principal, all []conversation.Conversation, cursor string) map[string]set {
	w.t.Helper()
	out := map[string]set{"get": {}, "transcript": {}, "record": {}, "list": {}, "count": {}, "search": {}, "queues": {}, "feed": {},
		"stream": {}}
	for _, c := range all {
		id := string(c.ID)
		if _, err := w.eng.Conversation(w.ctx, p, c.ID); w.saw(err) {
			out["get"][id] = true
		}
		if _, err := w.eng.Transcript(w.ctx, p, c.ID, 0, 10); w.saw(err) {
			out["transcript"][id] = true
		}
		if _, err := w.eng.ConversationEvents(w.ctx, p, c.ID, 0, 10); w.saw(err) {
			out["record"][id] = true
		}
		n, err := w.eng.CountConversations(w.ctx, p, conversation.Filter{IDs: []conversation.ID{c.ID}}, 0)
		require.NoError(w.t, err)
		if n.N == 1 {
			out["count"][id] = true
		}
	}
	for page, more := "", true; more; more = page != "" {
		list, err := w.eng.Conversations(w.ctx, p, conversation.Filter{}, page, 3)
		require.NoError(w.t, err)
		for _, c := range list.Conversations {
			require.False(w.t, out["list"][string(c.ID)], "shown twice")
			out["list"][string(c.ID)] = true
		}
		page = list.Next
	}
	found, err := w.eng.Search(w.ctx, p, "환불", 200)
	require.NoError(w.t, err)
	for _, f := range found {
		out["search"][string(f.Conversation.ID)] = true
	}
	waiting, err := w.eng.Queues(w.ctx, p, 200)
	require.NoError(w.t, err)
	for _, q := range waiting {
		out["queues"][string(q.Conversation.ID)] = true
	}
	for _, c := range all {
		if c.Agent != "" && out["get"][string(c.ID)] {
			out["queues"][string(c.ID)] = true // what an agent holds waits in none
		}
	}
	for way, events := range map[string][]store.Event{"feed": w.feed(p, cursor), "stream": w.stream(p, cursor)} {
		for _, ev := range events {
			if (ev.Aggregate == "conversation" || ev.Aggregate == "item") && ev.Kind != sangdam.KindGone {
				out[way][ev.ID] = true
			}
		}
	}
	return out
}

// readContacts is what each way of reading contacts shows.
func (w *replayWorld) readContacts(p sangdam.Principal, all []conversation.Conversation, cursor string) map[string]set {
	w.t.Helper()
	out := map[string]set{"get": {}, "find": {}, "names": {}, "feed": {}}
	var ids []conversation.ContactID
	for _, c := range all {
		ids = append(ids, c.Contact)
		if _, _, err := w.eng.Contact(w.ctx, p, c.Contact); w.saw(err) {
			out["get"][string(c.Contact)] = true
		}
	}
	found, err := w.eng.FindContacts(w.ctx, p, "kim", 200)
	require.NoError(w.t, err)
	for _, c := range found {
		out["find"][string(c.ID)] = true
	}
	names, err := w.eng.ContactNames(w.ctx, p, ids...)
	require.NoError(w.t, err)
	for id := range names {
		out["names"][string(id)] = true
	}
	for _, ev := range w.feed(p, cursor) {
		if ev.Aggregate == "identity" {
			out["feed"][string(ev.Contact)] = true
		}
	}
	return out
}

// summaries must show a contact with exactly the conversations that are shown,
// and a conversation beside its contact only where that is shown too.
func (w *replayWorld) summaries(p sangdam.Principal, all []conversation.Conversation, conversations, contacts set) {
	w.t.Helper()
	for _, c := range all {
		s, err := w.eng.CustomerSummary(w.ctx, p, c.Contact)
		require.Equal(w.t, contacts[string(c.Contact)], w.saw(err))
		if err == nil {
			require.Equal(w.t, conversations[string(c.ID)], len(s.Conversations) == 1)
		}
		if d, err := w.eng.Conversation(w.ctx, p, c.ID); err == nil {
			require.Equal(w.t, contacts[string(c.Contact)], d.Contact != nil)
		}
	}
}

// feed reads all events after the cursor.
func (w *replayWorld) feed(p sangdam.Principal, cursor string) (all []store.Event) {
	w.t.Helper()
	for {
		evs, next, err := w.eng.Events(w.ctx, p, cursor, 1000)
		require.NoError(w.t, err)
		all = append(all, evs...)
		if next == cursor || len(evs) == 0 {
			return all
		}
		cursor = next
	}
}

// stream follows the feed until nothing more comes.
func (w *replayWorld) stream(p sangdam.Principal, cursor string) (all []store.Event) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Second)
	defer cancel()
	for b, err := range w.eng.Stream(ctx, p, cursor) {
		require.NoError(w.t, err)
		require.False(w.t, b.Reload)
		all = append(all, b.Events...)
	}
	return all
}

// Whoever may not know of an agent does not find it in lists.
func TestAgentsAreListedAsThePolicyShowsThem(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		list, err := w.eng.Agents(w.ctx, w.agent("a1"))
		require.NoError(t, err)
		require.Len(t, list, 1)
		d, err := w.eng.Directory(w.ctx, w.agent("a1"))
		require.NoError(t, err)
		require.Len(t, d.Agents, 1)
		require.Equal(t, []routing.AgentID{"a1"}, d.Members["support"])
		list, err = w.eng.Agents(w.ctx, w.host)
		require.NoError(t, err)
		require.Len(t, list, 2)
	}, withConfig(func(c *sangdam.Config) {
		c.Policy = sangdam.PolicyFunc(func(_ context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
			if w.Kind == sangdam.KindAgent && a == sangdam.ActRead && r.Kind == "agent" && r.ID != w.ID {
				return sangdam.ErrNotFound
			}
			return nil
		})
	}))
}

// A page token tells nothing of the record it stands for, and serves its reader,
// list and filter alone, on any process of the database.
func TestAPageTokenIsItsReadersAlone(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		for n := range 3 {
			w.line.User(fmt.Sprint("Kim ", n)).SendText("hello")
			w.settle()
		}
		list := func(eng *sangdam.Engine, p sangdam.Principal, f conversation.Filter, page string) (sangdam.Page, error) {
			return eng.Conversations(w.ctx, p, f, page, 1)
		}
		first, err := list(w.eng, w.host, conversation.Filter{}, "")
		require.NoError(t, err)
		again, err := list(w.eng, w.host, conversation.Filter{}, "")
		require.NoError(t, err)
		require.NotEqual(t, first.Next, again.Next, "sealed, not encoded")
		other, err := sangdam.New(w.cfg)
		require.NoError(t, err)
		for _, eng := range []*sangdam.Engine{w.eng, other} {
			second, err := list(eng, w.host, conversation.Filter{}, first.Next)
			require.NoError(t, err)
			require.NotEqual(t, first.Conversations[0].ID, second.Conversations[0].ID)
		}
		for name, err := range map[string]error{
			"another principal": errOf(list(w.eng, w.agent("a1"), conversation.Filter{}, first.Next)),
			"another filter":    errOf(list(w.eng, w.host, conversation.Filter{Desks: []routing.DeskID{"support"}}, first.Next)),
			"no token":          errOf(list(w.eng, w.host, conversation.Filter{}, "bm90aGluZw")),
			"no base64":         errOf(list(w.eng, w.host, conversation.Filter{}, "%")),
		} {
			require.ErrorIs(t, err, sangdam.ErrInvalid, name)
		}
	})
}

// When the host's keys are others, lists begin again instead of failing.
func TestAPageKeyThatDoesNotOpenIsReplaced(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		require.NoError(t, w.db.System().PutMeta(w.ctx, "page-key", nil, []byte("damaged")))
		for n := range 2 {
			w.line.User(fmt.Sprint("Kim ", n)).SendText("hello")
			w.settle()
		}
		first, err := w.eng.Conversations(w.ctx, w.host, conversation.Filter{}, "", 1)
		require.NoError(t, err)
		require.NotEmpty(t, first.Next)
		second, err := w.eng.Conversations(w.ctx, w.host, conversation.Filter{}, first.Next, 1)
		require.NoError(t, err)
		require.Empty(t, second.Next)
		require.NotEqual(t, first.Conversations[0].ID, second.Conversations[0].ID)
	})
}
