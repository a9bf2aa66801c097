package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// verdict is what kind of answer a call got: two stores that agree on it agree
// for their callers.
func verdict(err error) string {
	var r *routing.Refused
	switch kind := errs.KindOf(err); {
	case err == nil:
		return "ok"
	case errors.As(err, &r):
		return "refused: " + r.Check
	case kind != nil:
		return kind.Error()
	}
	return err.Error()
}

// answerRules are calls that are easily answered in more than one way.
var answerRules = []rule{
	{name: "a hold without uses takes the item's, one with none takes nothing", run: func(e *env) {
		e.agent("a", units(5))
		left, none := e.assigning(e.item(use(2)), "a"), e.assigning(e.item(use(2)), "a")
		left.Assignment.Uses, none.Assignment.Uses = nil, []routing.Use{}
		require.NoError(e, e.reserve(left))
		require.NoError(e, e.reserve(none))
		require.Equal(e, 2, e.loadAgent("a").State.Load[routing.ProfileUnits])
		_, err := e.endAssignment(left.Item, "", routing.ItemDone, moment(11))
		require.NoError(e, err)
		require.Empty(e, e.loadAgent("a").State.Load)
	}},
	{name: "who or what does not exist is not found", run: func(e *env) {
		e.agent("a", units(5))
		require.Equal(e, "not found", verdict(e.reserve(e.assigning(e.item(use(1)), "nobody"))))
		require.Equal(e, "not found", verdict(e.reserve(e.assigning(routing.Item{ID: "none", Version: 1}, "a"))))
		_, err := e.endAssignment("none", "", routing.ItemDone, moment(11))
		require.Equal(e, "not found", verdict(err))
	}},
	{name: "an offer without an end does not expire", run: func(e *env) {
		e.agent("a", units(5))
		r := e.offering(e.item(use(1)), "a")
		r.Offer.ExpiresAt = time.Time{}
		require.NoError(e, e.reserve(r))
		require.Equal(e, "refused: expired", verdict(e.tryEndOffer(r.Offer.ID, routing.OfferExpired, future(0))))
		require.NoError(e, e.acceptAt(r.Offer.ID, "as", future(0)))
	}},
	{name: "an item is saved in a known state and without a holder of its own", run: func(e *env) {
		save := func(it routing.Item) error {
			return e.in(e.db.Update, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Work().SaveItem(ctx, it)
				return err
			})
		}
		for _, state := range []routing.ItemState{"", "levitating", routing.ItemOffered, routing.ItemAssigned} {
			it := e.item(use(1))
			it.State = state
			require.Equal(e, "invalid", verdict(save(it)), "from queued to %q", state)
			it.ID, it.Version = it.ID+"-new", 0
			require.Equal(e, "invalid", verdict(save(it)), "new as %q", state)
		}
		it := e.item(use(1))
		it.Agent = "a"
		require.NoError(e, save(it))
		require.Empty(e, e.loadItem(it.ID).Agent)
	}},
	{name: "capacities and seats are not negative", run: func(e *env) {
		e.refuse(store.ErrInvalid, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "neg", Capacity: map[routing.Profile]int{"x": -1}})
			return err
		})
		e.refuse(store.ErrInvalid, func(ctx context.Context, tx store.Tx) error {
			return tx.Config().SaveDesk(ctx, routing.Desk{ID: "d", Name: "d", Seats: -1})
		})
	}},
	{name: "a long key or lane is kept as its hash, still a key and still an order", run: longKeys},
	{name: "what cannot be kept of envelopes is refused, all or nothing", run: func(e *env) {
		for name, spoil := range map[string]func(*adapter.Envelope){
			"no account": func(env *adapter.Envelope) { env.Account = "" },
			"no key":     func(env *adapter.Envelope) { env.DedupKey = "" },
			"too big":    func(env *adapter.Envelope) { env.Raw = make([]byte, 1<<20+1) },
		} {
			bad := envelope("bad", "lane")
			spoil(&bad)
			_, err := e.db.AppendEnvelopes(e.ctx, e.ws, []adapter.Envelope{envelope("good "+name, "lane"), bad})
			require.ErrorIs(e, err, store.ErrInvalid, name)
		}
		require.Empty(e, e.claimInbox(10, e.lease()))
	}},
	{name: "an empty list selects nothing, none at all everything", run: func(e *env) {
		e.storeConv("t")
		for name, f := range map[string]conversation.Filter{
			"ids": {IDs: []conversation.ID{}}, "desks": {Desks: []conversation.DeskID{}}, "states": {States: []conversation.State{}},
		} {
			require.Empty(e, e.list(f, 10), name)
		}
		require.Len(e, e.list(conversation.Filter{}, 10), 1)
	}},
	{name: "a limit is at least 1", run: limits},
	{name: "an empty text finds every contact", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			for _, c := range []conversation.Contact{{ID: "k1", Name: "Kim"}, {ID: "k2"}} {
				if _, err := tx.Contacts().SaveContact(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Contacts().FindContacts(ctx, store.ContactQuery{Text: ""}, 5)
			require.Len(e, list, 2)
			return err
		})
	}},
	{name: "the id of an offer or assignment is used once", run: func(e *env) {
		e.agent("a", units(5))
		offer, as := e.offering(e.item(use(1)), "a"), e.assigning(e.item(use(1)), "a")
		require.NoError(e, e.reserve(offer))
		require.NoError(e, e.reserve(as))
		again, too := e.offering(e.item(use(1)), "a"), e.assigning(e.item(use(1)), "a")
		again.Offer.ID, too.Assignment.ID = offer.Offer.ID, as.Assignment.ID
		e.clash(func(ctx context.Context, tx store.Tx) error { return tx.Work().Reserve(ctx, again) })
		e.clash(func(ctx context.Context, tx store.Tx) error { return tx.Work().Reserve(ctx, too) })
		e.sums("a")
	}},
}

func longKeys(e *env) {
	long := strings.Repeat("x", 300)
	first, second := envelope("1", long), envelope("2", long)
	first.DedupKey, second.DedupKey = long+"a", long+"b"
	require.Equal(e, []bool{true, true}, e.append(first, second))
	first.ID = "other"
	require.Equal(e, []bool{false}, e.append(first), "the same key again")
	vast := envelope("3", strings.Repeat("y", 1<<20))
	vast.DedupKey = strings.Repeat("z", 1<<20)
	require.Equal(e, []bool{true}, e.append(vast))
	lanes := e.claimInbox(10, e.lease())
	require.Len(e, lanes, 2)
	require.Equal(e, []string{"env-1", "env-2"}, []string{string(lanes[0].Envelopes[0].ID), string(lanes[0].Envelopes[1].ID)})
	e.update(func(ctx context.Context, tx store.Tx) error { return tx.Inbox().Done(ctx, lanes[0].Claim, "env-1") })
}

func limits(e *env) {
	calls := map[string]func(ctx context.Context, tx store.Tx, limit int) error{
		"conversations": func(ctx context.Context, tx store.Tx, n int) error {
			_, _, err := tx.Conversations().List(ctx, conversation.Filter{}, "", n)
			return err
		},
		"messages": func(ctx context.Context, tx store.Tx, n int) error {
			_, err := tx.Conversations().Messages(ctx, "c", 0, n)
			return err
		},
		"events": func(ctx context.Context, tx store.Tx, n int) error {
			_, err := tx.Conversations().Events(ctx, "c", 0, n)
			return err
		},
		"contacts": func(ctx context.Context, tx store.Tx, n int) error {
			_, err := tx.Contacts().FindContacts(ctx, store.ContactQuery{Text: "k"}, n)
			return err
		},
		"quarantined": func(ctx context.Context, tx store.Tx, n int) error {
			_, err := tx.Inbox().Quarantined(ctx, n)
			return err
		},
		"audit": func(ctx context.Context, tx store.Tx, n int) error { _, err := tx.Audit().List(ctx, 0, n); return err },
		"unknown rows": func(ctx context.Context, tx store.Tx, n int) error {
			_, err := tx.Outbox().Unknown(ctx, n)
			return err
		},
		"dead jobs": func(ctx context.Context, tx store.Tx, n int) error {
			_, err := tx.Jobs().List(ctx, driver.JobDead, n)
			return err
		},
		"search": func(ctx context.Context, tx store.Tx, n int) error {
			_, err := tx.Search().Find(ctx, []string{"aa"}, driver.SearchHit{}, n)
			return err
		},
		"feed": func(ctx context.Context, _ store.Tx, n int) error {
			_, _, err := e.db.Feed(e.ctx, e.ws, "", n)
			return err
		},
		"deadlines": func(context.Context, store.Tx, int) error { _, err := e.db.System().Due(e.ctx, 0); return err },
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		for _, n := range []int{0, -1} {
			err := e.in(e.db.View, func(ctx context.Context, tx store.Tx) error { return calls[name](ctx, tx, n) })
			require.Equal(e, "invalid", verdict(err), "%s, limit %d", name, n)
		}
	}
}

// list is the first page.
func (e *env) list(f conversation.Filter, limit int) (out []conversation.Conversation) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		out, _, err = tx.Conversations().List(ctx, f, "", limit)
		return err
	})
	return out
}

// oddReserve reserves with arguments of which most are wrong in some way.
func (p *pair) oddReserve(rt *rapid.T) {
	id := pick(rt, "item", append(slices.Clone(modelItems), "none"))
	to := pick(rt, "agent", append(slices.Clone(modelAgents), "nobody"))
	uses := pick(rt, "uses", [][]routing.Use{nil, {}, {{Profile: "x", Units: 1}}, {{Profile: routing.ProfileUnits, Units: 2},
		{Profile: routing.ProfileUnits, Units: 1}}})
	carries := pick(rt, "carries", []string{"offer", "assignment", "offer", "assignment", "both", "neither"})
	from := pick(rt, "from", []string{"", "", "", "offer", "assignment"})
	version, elig := rapid.IntRange(0, 1).Draw(rt, "version"), rapid.IntRange(0, 1).Draw(rt, "elig")
	lease := pick(rt, "lease", []string{"", "", "nobody's"})
	hold := p.id("odd")
	p.update(rt, "odd reserve", func(ctx context.Context, tx store.Tx) (any, error) {
		it, err := tx.Work().Item(ctx, id)
		if err != nil {
			it = routing.Item{ID: id}
		}
		r := transition.Reservation{Item: id, ItemVersion: it.Version + int64(version), Agent: to, EligRev: int64(elig) * 1000,
			Lease: lease, Epoch: 1, Now: moment(10)}
		if carries == "offer" || carries == "both" {
			r.Offer = &routing.Offer{ID: routing.OfferID(hold), Uses: uses, OfferedAt: moment(10), ExpiresAt: moment(11)}
		}
		if carries == "assignment" || carries == "both" {
			r.Assignment = &routing.Assignment{ID: routing.AssignmentID(hold), Uses: uses, StartedAt: moment(10)}
		}
		switch from {
		case "offer":
			r.FromOffer = "odd"
		case "assignment":
			r.FromAssignment = "odd"
		}
		return nil, tx.Work().Reserve(ctx, r)
	})
}

// oddEnd ends holds that may not exist, in ways that may not be.
func (p *pair) oddEnd(rt *rapid.T) {
	id := pick(rt, "item", append(slices.Clone(modelItems), "none"))
	how := pick(rt, "how", []string{"accept", "other", string(routing.OfferAccepted), string(routing.OfferExpired)})
	then := pick(rt, "then", []routing.ItemState{routing.ItemQueued, routing.ItemOffered, "other"})
	offer := routing.OfferID(pick(rt, "offer", []string{"none", "h1", "h2", "odd1", "odd2"}))
	p.update(rt, "odd ending of an assignment", func(ctx context.Context, tx store.Tx) (any, error) {
		return tx.Work().EndAssignment(ctx, id, "", routing.EndClosed, then, moment(12))
	})
	p.update(rt, "odd ending of an offer", func(ctx context.Context, tx store.Tx) (any, error) {
		if how == "accept" {
			return tx.Work().Accept(ctx, offer, routing.AssignmentID("as-"+string(offer)), moment(10))
		}
		return tx.Work().EndOffer(ctx, offer, routing.OfferState(how), "r", moment(10))
	})
}

// listed pages through conversations by a random filter.
func (p *pair) listed(rt *rapid.T) {
	f := conversation.Filter{
		States:  pick(rt, "states", [][]conversation.State{nil, {}, {conversation.StateOpen}, modelStates}),
		IDs:     pick(rt, "ids", [][]conversation.ID{nil, nil, {}, {"c1", "c3"}, {"c2", "none"}}),
		Desks:   pick(rt, "desks", [][]conversation.DeskID{nil, nil, {}, {""}, {"d"}}),
		Account: channel.AccountID(pick(rt, "account", []string{"", "", "acct"})),
	}
	if rapid.Bool().Draw(rt, "from") {
		f.From = moment(rapid.IntRange(0, 5).Draw(rt, "minute"))
	}
	limit := rapid.IntRange(-1, 3).Draw(rt, "limit")
	first := pick(rt, "page", []string{"", "", "", "?", "AAAA", "MA"})
	p.both(rt, "list", func(db *store.DB) (any, error) {
		var out []string
		err := db.View(p.e.ctx, p.ws, func(ctx context.Context, tx store.Tx) error {
			for page := first; ; {
				list, next, err := tx.Conversations().List(ctx, f, page, limit)
				if err != nil {
					return err
				}
				for _, c := range list {
					out = append(out, string(c.ID))
				}
				if out = append(out, next); next == "" {
					return nil
				}
				page = next
			}
		})
		return out, err
	})
}

// contact saves a contact and looks for some.
func (p *pair) contact(rt *rapid.T) {
	id := conversation.ContactID(pick(rt, "id", []string{"k1", "k2", "K1"}))
	name := pick(rt, "name", []string{"", "Kim", "kimchi", "Lee"})
	text := pick(rt, "text", []string{"", "k", "KIM", "lee", "none"})
	limit := pick(rt, "limit", []int{-1, 0, 10})
	p.update(rt, "contact", func(ctx context.Context, tx store.Tx) (any, error) {
		c, err := tx.Contacts().Contact(ctx, id)
		if err != nil {
			c = conversation.Contact{ID: id}
		}
		c.Name, c.Phone = name, "010"
		_, err = tx.Contacts().SaveContact(ctx, c)
		return nil, err
	})
	p.both(rt, "find contacts", func(db *store.DB) (any, error) {
		var out []string
		err := db.View(p.e.ctx, p.ws, func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Contacts().FindContacts(ctx, store.ContactQuery{Text: text}, limit)
			for _, c := range list {
				out = append(out, fmt.Sprint(c.ID, c.Name))
			}
			return err
		})
		slices.Sort(out)
		return out, err
	})
}

// oddAppend appends envelopes of which some cannot be kept.
func (p *pair) oddAppend(rt *rapid.T) {
	long := strings.Repeat("l", 250)
	env := envelope(p.id("odd"), pick(rt, "lane", []string{"l", long}))
	env.DedupKey = pick(rt, "key", []string{"", long, long + "2", env.DedupKey})
	env.Account = channel.AccountID(pick(rt, "account", []string{"", "acct", "acct"}))
	p.both(rt, "odd append", func(db *store.DB) (any, error) {
		return db.AppendEnvelopes(p.e.ctx, p.ws, []adapter.Envelope{env})
	})
}

// oddSaves saves settings that cannot be.
func (p *pair) oddSaves(rt *rapid.T) {
	n := rapid.IntRange(-1, 1).Draw(rt, "n")
	p.update(rt, "agent", func(ctx context.Context, tx store.Tx) (any, error) {
		a, err := tx.Agents().Agent(ctx, "b")
		if err != nil {
			return nil, err
		}
		a.Capacity = map[routing.Profile]int{routing.ProfileUnits: 3, "x": n}
		_, err = tx.Agents().SaveAgent(ctx, a)
		return nil, err
	})
	p.update(rt, "desk", func(ctx context.Context, tx store.Tx) (any, error) {
		return nil, tx.Config().SaveDesk(ctx, routing.Desk{ID: "odd", Name: "odd", Seats: n})
	})
}
