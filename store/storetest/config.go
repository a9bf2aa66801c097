package storetest

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

var configRules = []rule{
	{name: "an empty workspace has empty maps, not nil", run: func(e *env) {
		c := e.config()
		require.NotNil(e, c.Desks)
		require.NotNil(e, c.Members)
		require.NotNil(e, c.WorkStreams)
		require.NotNil(e, c.Queues)
	}},
	{name: "every write raises the version, accounts' too, and nothing else does", run: func(e *env) {
		e.agent("a", units(1))
		writes := map[string]func(ctx context.Context, tx store.Tx) error{
			"1 desk": func(ctx context.Context, tx store.Tx) error {
				return tx.Config().SaveDesk(ctx, routing.Desk{ID: "d", Name: "D"})
			},
			"2 work stream": func(ctx context.Context, tx store.Tx) error {
				return tx.Config().SaveWorkStream(ctx, routing.WorkStream{ID: "w"})
			},
			"3 queue": func(ctx context.Context, tx store.Tx) error {
				return tx.Config().SaveQueue(ctx, routing.Queue{ID: "q"})
			},
			"4 member": func(ctx context.Context, tx store.Tx) error { return tx.Config().AddMember(ctx, "d", "a") },
			"5 account": func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Accounts().SaveAccount(ctx, channel.Account{ID: "acct", Kind: "line", Token: "config-" + string(e.ws)})
				return err
			},
		}
		for _, name := range sortedKeys(writes) {
			before := e.config().Version
			e.update(writes[name])
			require.Greater(e, e.config().Version, before, name)
		}
		before := e.config().Version
		e.storeConv("t")
		e.item(use(1))
		require.Equal(e, before, e.config().Version)
	}},
	{name: "what is saved replaces", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Config().SaveWorkStream(ctx, routing.WorkStream{ID: "w", Name: "one", Cost: 3, Bot: "b"}); err != nil {
				return err
			}
			return tx.Config().SaveQueue(ctx, routing.Queue{ID: "q", Name: "one", Strategy: "x"})
		})
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Config().SaveWorkStream(ctx, routing.WorkStream{ID: "w", Name: "two"}); err != nil {
				return err
			}
			return tx.Config().SaveQueue(ctx, routing.Queue{ID: "q", Name: "two"})
		})
		c := e.config()
		e.same(routing.WorkStream{ID: "w", Name: "two"}, c.WorkStreams["w"])
		e.same(routing.Queue{ID: "q", Name: "two"}, c.Queues["q"])
	}},
	{name: "a desk's name is unique, a desk may keep its own", run: func(e *env) {
		save := func(id routing.DeskID, name string) func(context.Context, store.Tx) error {
			return func(ctx context.Context, tx store.Tx) error {
				return tx.Config().SaveDesk(ctx, routing.Desk{ID: id, Name: name})
			}
		}
		e.update(save("d1", "Seoul"))
		e.update(save("d1", "Seoul"))
		e.refuse(store.ErrAlreadyExists, save("d2", "Seoul"))
		e.update(save("d1", "Busan"))
		e.update(save("d2", "Seoul"))
	}},
	{name: "members are ascending; adding twice and removing a stranger change nothing", run: func(e *env) {
		e.desk("d", 0, "b", "a", "c")
		require.Equal(e, []routing.AgentID{"a", "b", "c"}, e.config().Members["d"])
		e.agent("z", units(1))
		e.update(func(ctx context.Context, tx store.Tx) error {
			if err := tx.Config().AddMember(ctx, "d", "a"); err != nil {
				return err
			}
			return tx.Config().RemoveMember(ctx, "d", "z")
		})
		require.Equal(e, []routing.AgentID{"a", "b", "c"}, e.config().Members["d"])
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Config().RemoveMember(ctx, "d", "b") })
		require.Equal(e, []routing.AgentID{"a", "c"}, e.config().Members["d"])
	}},
	{name: "a full desk and the last agent are invalid, not conflicts", run: func(e *env) {
		e.desk("d", 1, "a")
		e.agent("b", units(1))
		e.refuse(store.ErrInvalid, func(ctx context.Context, tx store.Tx) error { return tx.Config().AddMember(ctx, "d", "b") })
		e.refuse(store.ErrInvalid, func(ctx context.Context, tx store.Tx) error { return tx.Config().RemoveMember(ctx, "d", "a") })
		e.update(func(ctx context.Context, tx store.Tx) error { return tx.Config().AddMember(ctx, "d", "a") })
		require.Equal(e, []routing.AgentID{"a"}, e.config().Members["d"])
	}},
	{name: "a desk or an agent that is not there is not found", run: func(e *env) {
		e.desk("d", 1, "a")
		for _, member := range [][2]string{{"none", "a"}, {"d", "nobody"}, {"none", "nobody"}} {
			e.refuse(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
				return tx.Config().AddMember(ctx, routing.DeskID(member[0]), routing.AgentID(member[1]))
			})
		}
		require.Equal(e, []routing.AgentID{"a"}, e.config().Members["d"])
	}},
	{name: "seats below the number of agents are invalid", run: func(e *env) {
		e.desk("d", 0, "a", "b")
		save := func(seats int) func(context.Context, store.Tx) error {
			return func(ctx context.Context, tx store.Tx) error {
				return tx.Config().SaveDesk(ctx, routing.Desk{ID: "d", Name: "d", Seats: seats})
			}
		}
		e.refuse(store.ErrInvalid, save(1))
		e.update(save(2))
		e.update(save(0))
		require.Equal(e, []routing.AgentID{"a", "b"}, e.config().Members["d"], "saving a desk keeps its agents")
	}},
	{name: "rivals fill a desk exactly to its seats", run: func(e *env) {
		e.desk("d", 3)
		for i := range racers {
			e.agent(routing.AgentID(fmt.Sprint("a", i)), nil)
		}
		errs := parallel(racers, func(i int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				return tx.Config().AddMember(ctx, "d", routing.AgentID(fmt.Sprint("a", i)))
			})
		})
		require.Equal(e, 3, successes(errs), "%v", errs)
		for _, err := range errs {
			if err != nil {
				require.ErrorIs(e, err, store.ErrInvalid)
			}
		}
		require.Len(e, e.config().Members["d"], 3)
	}},
	{name: "rivals that remove everybody leave one agent", run: func(e *env) {
		e.desk("d", 0, "a0", "a1", "a2", "a3")
		errs := parallel(4, func(i int) error {
			return e.db.Update(e.ctx, e.ws, func(ctx context.Context, tx store.Tx) error {
				return tx.Config().RemoveMember(ctx, "d", routing.AgentID(fmt.Sprint("a", i)))
			})
		})
		require.Equal(e, 3, successes(errs), "%v", errs)
		require.Len(e, e.config().Members["d"], 1)
	}},
	{name: "coming into or leaving a queue raises the agent's eligibility, staying does not", run: func(e *env) {
		for _, id := range []routing.AgentID{"a", "b", "c"} {
			e.agent(id, nil)
		}
		save := func(members ...routing.AgentID) {
			e.update(func(ctx context.Context, tx store.Tx) error {
				return tx.Config().SaveQueue(ctx, routing.Queue{ID: "q", Members: members})
			})
		}
		raised := func(fn func()) (who []routing.AgentID) {
			before := map[routing.AgentID]int64{}
			for _, id := range []routing.AgentID{"a", "b", "c"} {
				before[id] = e.loadAgent(id).State.EligRev
			}
			fn()
			for _, id := range []routing.AgentID{"a", "b", "c"} {
				if e.loadAgent(id).State.EligRev > before[id] {
					who = append(who, id)
				}
			}
			return who
		}
		require.Equal(e, []routing.AgentID{"a", "b"}, raised(func() { save("a", "b") }))
		require.Equal(e, []routing.AgentID{"a", "c"}, raised(func() { save("b", "c") }))
		require.Empty(e, raised(func() { save("b", "c") }))
	}},
}

func (e *env) config() (c routing.Configuration) {
	e.Helper()
	e.view(func(ctx context.Context, tx store.Tx) (err error) {
		if c, err = tx.Config().Configuration(ctx, 0); err != nil {
			return err
		}
		// Whoever knows this version gets no more than that, and any other all of it.
		for _, known := range []int64{c.Version, c.Version - 1, c.Version + 1} {
			again, err := tx.Config().Configuration(ctx, known)
			require.NoError(e, err)
			if known == c.Version {
				require.Equal(e, routing.Configuration{Version: known, Desks: map[routing.DeskID]routing.Desk{},
					Members: map[routing.DeskID][]routing.AgentID{}, WorkStreams: map[routing.WorkStreamID]routing.WorkStream{},
					Queues: map[routing.QueueID]routing.Queue{}}, again)
			} else {
				require.Equal(e, c, again)
			}
		}
		return nil
	})
	return c
}

// desk stores a desk with new agents as members.
func (e *env) desk(id routing.DeskID, seats int, members ...routing.AgentID) {
	e.Helper()
	for _, m := range members {
		e.agent(m, nil)
	}
	e.update(func(ctx context.Context, tx store.Tx) error {
		if err := tx.Config().SaveDesk(ctx, routing.Desk{ID: id, Name: string(id), Seats: seats}); err != nil {
			return err
		}
		for _, m := range members {
			if err := tx.Config().AddMember(ctx, id, m); err != nil {
				return err
			}
		}
		return nil
	})
}
