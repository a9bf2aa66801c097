package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var conversationRules = []rule{
	{name: "ByThread finds the running one and the newest other one", run: func(e *env) {
		var open, last *conversation.Conversation
		find := func() {
			e.Helper()
			e.view(func(ctx context.Context, tx store.Tx) (err error) {
				open, last, err = tx.Conversations().ByThread(ctx, "t")
				return err
			})
		}
		find()
		require.Nil(e, open)
		require.Nil(e, last)

		var closed []conversation.Conversation
		for i := range 3 {
			c := e.conv("t")
			c.State, c.OpenedAt = conversation.StateClosed, moment(i)
			e.saveConv(&c)
			closed = append(closed, c)
		}
		e.storeConv("T") // keys differ by case
		find()
		require.Nil(e, open)
		e.same(&closed[2], last)

		running := e.conv("t")
		running.OpenedAt = moment(9)
		e.saveConv(&running)
		find()
		e.same(&running, open)
		e.same(&closed[2], last)

		running.State = conversation.StateWrapUp
		e.saveConv(&running)
		find()
		require.Nil(e, open)
		e.same(&running, last)
	}},
	{name: "messages come by number, after a number, at most the limit", run: func(e *env) {
		c, other := e.storeConv("t"), e.storeConv("o")
		e.update(func(ctx context.Context, tx store.Tx) error {
			for _, seq := range []int64{3, 1, 2, 5, 4} {
				if _, err := tx.Conversations().SaveMessage(ctx, e.msg(c.ID, seq)); err != nil {
					return err
				}
			}
			_, err := tx.Conversations().SaveMessage(ctx, e.msg(other.ID, 1))
			return err
		})
		list := func(after int64, limit int) (seqs []int64) {
			e.view(func(ctx context.Context, tx store.Tx) error {
				seqs = nil
				ms, err := tx.Conversations().Messages(ctx, c.ID, after, limit)
				for _, m := range ms {
					seqs = append(seqs, m.Seq)
				}
				return err
			})
			return seqs
		}
		require.Equal(e, []int64{1, 2, 3, 4, 5}, list(0, 100))
		require.Equal(e, []int64{3, 4}, list(2, 2))
		require.Empty(e, list(5, 100))
		latest := func(before int64, limit int) (seqs []int64) {
			e.view(func(ctx context.Context, tx store.Tx) error {
				seqs = nil
				ms, err := tx.Conversations().Latest(ctx, c.ID, before, limit)
				for _, m := range ms {
					seqs = append(seqs, m.Seq)
				}
				return err
			})
			return seqs
		}
		require.Equal(e, []int64{1, 2, 3, 4, 5}, latest(0, 100))
		require.Equal(e, []int64{4, 5}, latest(0, 2))
		require.Equal(e, []int64{2, 3}, latest(4, 2), "before a number")
		require.Empty(e, latest(1, 100))
	}},
	{name: "events come by number, after a number, at most the limit", run: func(e *env) {
		c, other := e.storeConv("t"), e.storeConv("o")
		var want []conversation.Event
		for seq := range int64(5) {
			want = append(want, conversation.Event{Conversation: c.ID, Seq: seq + 1, CustomerSeq: seq,
				Kind: conversation.EvState, Message: "m", Actor: "agent:a", From: "open", To: "active", At: moment(int(seq))})
		}
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Conversations().AppendEvents(ctx, conversation.Event{Conversation: other.ID, Seq: 1, Kind: "o", Actor: "x",
				At: moment(0)}); err != nil {
				return err
			}
			return tx.Conversations().AppendEvents(ctx, want...)
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Conversations().Events(ctx, c.ID, 0, 100)
			require.NoError(e, err)
			e.same(want, got)
			got, err = tx.Conversations().Events(ctx, c.ID, 1, 2)
			e.same(want[1:3], got)
			return err
		})
	}},
	{name: "a message is found by what the provider later calls it", run: func(e *env) {
		c := e.storeConv("t")
		m := e.msg(c.ID, 1)
		e.update(func(ctx context.Context, tx store.Tx) error {
			v, err := tx.Conversations().SaveMessage(ctx, m)
			if err != nil {
				return err
			}
			changed := m
			changed.Version, changed.Provider = v, "later"
			_, err = tx.Conversations().SaveMessage(ctx, changed)
			return err
		})
		e.view(func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Conversations().ByProvider(ctx, "acct", userChat, "later")
			require.NoError(e, err)
			require.Equal(e, m.ID, got.ID)
			_, err = tx.Conversations().ByProvider(ctx, "acct", userChat, "LATER")
			require.ErrorIs(e, err, store.ErrNotFound)
			_, err = tx.Conversations().ByProvider(ctx, "acct", channel.Chat{Kind: channel.ChatGroup, ID: "U1"}, "later")
			require.ErrorIs(e, err, store.ErrNotFound)
			return nil
		})
	}},
	{name: "List filters by each field", run: listFilters},
	{name: "List comes newest first, ties by id, in pages of any size", run: func(e *env) {
		var want []conversation.ID
		for i := range 12 {
			c := e.conv(fmt.Sprint(i))
			c.UpdatedAt = moment(i / 3) // three of each moment
			e.saveConv(&c)
			want = append(want, c.ID)
		}
		slices.SortStableFunc(want, func(a, b conversation.ID) int { return slices.Index(want, a)/3 - slices.Index(want, b)/3 })
		var order []conversation.ID // newest moment first, ids ascending within
		for group := 3; group >= 0; group-- {
			order = append(order, want[group*3:group*3+3]...)
		}
		for _, size := range []int{1, 2, 5, 12, 100} {
			require.Equal(e, order, e.pages(conversation.Filter{}, size, nil), "pages of %d", size)
		}
	}},
	{name: "a page stays where it was when newer conversations come", run: func(e *env) {
		var want []conversation.ID
		for i := range 6 {
			c := e.conv(fmt.Sprint(i))
			c.UpdatedAt = moment(-i)
			e.saveConv(&c)
			want = append(want, c.ID)
		}
		n := 0
		got := e.pages(conversation.Filter{}, 2, func() {
			n++
			c := e.conv(fmt.Sprint("new", n))
			c.UpdatedAt = moment(n)
			e.saveConv(&c)
		})
		require.Equal(e, want, got)
	}},
	{name: "a garbled page token is invalid", run: func(e *env) {
		e.storeConv("t")
		for _, page := range []string{"?", "garbage", "AAAA", "\x00"} {
			err := e.db.View(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				_, _, err := tx.Conversations().Heads(ctx, conversation.Filter{}, page, 10)
				require.ErrorIs(e, err, store.ErrInvalid)
				_, _, err = tx.Conversations().List(ctx, conversation.Filter{}, page, 10)
				return err
			})
			require.ErrorIs(e, err, store.ErrInvalid, "page %q", page)
		}
	}},
}

// pages reads a whole list page by page; between runs between two pages.
func (e *env) pages(f conversation.Filter, size int, between func()) []conversation.ID {
	e.Helper()
	var ids []conversation.ID
	page := ""
	for range 1000 {
		var list []conversation.Conversation
		var next string
		e.view(func(ctx context.Context, tx store.Tx) (err error) {
			list, next, err = tx.Conversations().List(ctx, f, page, size)
			if err != nil {
				return err
			}
			heads, also, err := tx.Conversations().Heads(ctx, f, page, size)
			require.Equal(e, next, also, "the next page of heads")
			require.Len(e, heads, len(list))
			for i, c := range list {
				require.Equal(e, driver.ConversationHeadOf(c), heads[i])
			}
			return err
		})
		require.LessOrEqual(e, len(list), size)
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		if next == "" {
			return ids
		}
		page = next
		if between != nil {
			between()
		}
	}
	e.Fatal("the pages never end")
	return nil
}

func listFilters(e *env) {
	base := e.conv("base")
	yes := true
	change := map[string]func(*conversation.Conversation){
		"state":       func(c *conversation.Conversation) { c.State = conversation.StateClosed },
		"agent":       func(c *conversation.Conversation) { c.Agent = "a" },
		"contact":     func(c *conversation.Conversation) { c.Contact = "k" },
		"account":     func(c *conversation.Conversation) { c.Account = "other" },
		"channel":     func(c *conversation.Conversation) { c.Channel = "mail" },
		"desk":        func(c *conversation.Conversation) { c.Desk = "d" },
		"work stream": func(c *conversation.Conversation) { c.WorkStream = "w" },
		"category":    func(c *conversation.Conversation) { c.Category = "refund" },
		"handled":     func(c *conversation.Conversation) { c.Handled = true },
		"opened":      func(c *conversation.Conversation) { c.OpenedAt = moment(100) },
	}
	filters := map[string]conversation.Filter{
		"state":       {States: []conversation.State{conversation.StateClosed, conversation.StateWrapUp}},
		"agent":       {Agent: "a"},
		"contact":     {Contact: "k"},
		"account":     {Account: "other"},
		"channel":     {Channel: "mail"},
		"desk":        {Desks: []conversation.DeskID{"x", "d"}},
		"work stream": {WorkStream: "w"},
		"category":    {Category: "refund"},
		"handled":     {Handled: &yes},
		"opened":      {From: moment(100), To: moment(100).Add(time.Microsecond)},
	}
	ids := map[string]conversation.ID{}
	e.saveConv(&base)
	for name, fn := range change {
		c := e.conv(name)
		fn(&c)
		e.saveConv(&c)
		ids[name] = c.ID
	}
	for name, f := range filters {
		require.Equal(e, []conversation.ID{ids[name]}, e.pages(f, 10, nil), name)
	}
	no := false
	require.Len(e, e.pages(conversation.Filter{Handled: &no}, 100, nil), len(change), "not handled")
	require.Len(e, e.pages(conversation.Filter{}, 100, nil), len(change)+1, "no filter")
	require.Len(e, e.pages(conversation.Filter{To: moment(100)}, 100, nil), len(change), "before")
	require.ElementsMatch(e, []conversation.ID{base.ID, ids["agent"]},
		e.pages(conversation.Filter{IDs: []conversation.ID{base.ID, ids["agent"], "none"}}, 1, nil), "ids")
	require.Empty(e, e.pages(conversation.Filter{Agent: "a", Contact: "k"}, 10, nil), "both")
	within := func(owner conversation.AgentID, desks ...conversation.DeskID) conversation.Filter {
		return conversation.Filter{Within: &conversation.Within{Desks: desks, Owner: owner}}
	}
	require.ElementsMatch(e, []conversation.ID{ids["desk"], ids["agent"]}, e.pages(within("a", "x", "d"), 1, nil), "on a desk or owned")
	require.Equal(e, []conversation.ID{ids["agent"]}, e.pages(within("a"), 10, nil), "owned alone")
	require.Empty(e, e.pages(within(""), 10, nil), "no desk and no owner")
	f := within("", base.Desk)
	f.Agent = "a"
	require.Equal(e, []conversation.ID{ids["agent"]}, e.pages(f, 10, nil), "within, and the filter")
	require.Empty(e, e.pages(conversation.Filter{Agent: "A"}, 10, nil), "case")
}
