package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

var agentRules = []rule{
	{name: "an agent begins offline", run: func(e *env) {
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Agents().SaveAgent(ctx, routing.Agent{ID: "a", State: routing.AgentState{Presence: routing.Online, Open: 5}})
			return err
		})
		a := e.loadAgent("a")
		require.Equal(e, routing.Offline, a.State.Presence)
		require.Zero(e, a.State.Open)
		require.True(e, a.State.IdleSince.IsZero())
		require.True(e, a.State.BeatAt.IsZero())
	}},
	{name: "saving settings raises both revisions and keeps the state", run: func(e *env) {
		e.agent("a", units(3))
		it := e.item(use(2))
		require.NoError(e, e.reserve(e.assigning(it, "a")))
		before := e.loadAgent("a")
		a := before
		a.Name, a.Capacity = "New", units(5)
		a.State = routing.AgentState{Presence: routing.Break}
		e.update(func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Agents().SaveAgent(ctx, a)
			return err
		})
		got := e.loadAgent("a")
		require.Equal(e, "New", got.Name)
		require.Equal(e, units(5), got.Capacity)
		require.Equal(e, routing.Online, got.State.Presence)
		require.Equal(e, 2, got.State.Load[routing.ProfileUnits])
		require.Equal(e, 1, got.State.Open)
		require.Greater(e, got.State.EligRev, before.State.EligRev)
		require.Greater(e, got.State.Rev, before.State.Rev)
	}},
	{name: "a change of presence raises eligibility and revision and does not make a save stale", run: func(e *env) {
		before := e.agent("a", units(1))
		e.update(func(ctx context.Context, tx store.Tx) error {
			a, err := tx.Agents().SetPresence(ctx, "a", routing.Break, "lunch", tx.Now())
			if err != nil {
				return err
			}
			require.Equal(e, routing.Break, a.State.Presence)
			require.Equal(e, "lunch", a.State.Reason)
			require.Greater(e, a.State.EligRev, before.State.EligRev)
			require.Greater(e, a.State.Rev, before.State.Rev)
			return nil
		})
		e.same("lunch", e.loadAgent("a").State.Reason)
		e.update(func(ctx context.Context, tx store.Tx) error { // settings have their own version
			_, err := tx.Agents().SaveAgent(ctx, before)
			return err
		})
	}},
	{name: "the same presence again does not raise eligibility", run: func(e *env) {
		before := e.agent("a", units(1))
		e.update(func(ctx context.Context, tx store.Tx) error {
			a, err := tx.Agents().SetPresence(ctx, "a", routing.Online, "", tx.Now())
			require.Equal(e, before.State.EligRev, a.State.EligRev)
			return err
		})
	}},
	{name: "going online sets idle since", run: func(e *env) {
		e.agent("a", units(1))
		set := func(p routing.Presence, minute int) routing.Agent {
			e.update(func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Agents().SetPresence(ctx, "a", p, "", future(minute))
				return err
			})
			return e.loadAgent("a")
		}
		set(routing.Offline, 1)
		require.Equal(e, future(2), set(routing.Online, 2).State.IdleSince)
	}},
	{name: "presence of an unknown agent is not found", run: func(e *env) {
		e.refuse(store.ErrNotFound, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Agents().SetPresence(ctx, "nobody", routing.Online, "", tx.Now())
			return err
		})
	}},
	{name: "agents are listed by id with their state; ids differ by case", run: func(e *env) {
		for _, id := range []routing.AgentID{"b", "B", "a", "김"} {
			e.agent(id, units(1))
		}
		e.view(func(ctx context.Context, tx store.Tx) error {
			list, err := tx.Agents().Agents(ctx)
			require.Len(e, list, 4)
			var ids []routing.AgentID
			for _, a := range list {
				ids = append(ids, a.ID)
				require.Equal(e, routing.Online, a.State.Presence)
			}
			require.True(e, slices.IsSorted(ids), "%v", ids)
			return err
		})
	}},
	{name: "agents are found by their ids, each once, and nobody by none", run: func(e *env) {
		for _, id := range []routing.AgentID{"b", "B", "a", "김"} {
			e.agent(id, units(1))
		}
		e.view(func(ctx context.Context, tx store.Tx) error {
			found, err := tx.Agents().Named(ctx, []routing.AgentID{"김", "nobody", "b", "김"})
			require.NoError(e, err)
			require.Len(e, found, 2)
			require.Equal(e, []routing.AgentID{"b", "김"}, []routing.AgentID{found[0].ID, found[1].ID})
			require.Equal(e, routing.Online, found[1].State.Presence)
			for _, none := range [][]routing.AgentID{nil, {}} {
				found, err = tx.Agents().Named(ctx, none)
				require.NoError(e, err)
				require.Empty(e, found)
			}
			return nil
		})
	}},
	{name: "a heart-beat is seen, has no version, and touches nobody offline", run: func(e *env) {
		e.agent("on", units(1))
		e.agent("off", units(1))
		e.presence("off", routing.Offline)
		before, from := e.loadAgent("on"), e.now()
		offline, err := e.db.System().BeatAgents(e.ctx, e.ws, []routing.AgentID{"on", "off", "nobody"})
		require.NoError(e, err)
		require.Equal(e, []routing.AgentID{"off", "nobody"}, offline)
		got := e.loadAgent("on")
		require.False(e, got.State.BeatAt.Before(from), "%v", got.State.BeatAt)
		require.Equal(e, before.State.Rev, got.State.Rev)
		require.Equal(e, before.State.EligRev, got.State.EligRev)
		require.Equal(e, before.Version, got.Version)
		require.True(e, e.loadAgent("off").State.BeatAt.IsZero())
	}},
	{name: "lost are agents not offline whose last heart-beat is old", run: func(e *env) {
		for _, id := range []routing.AgentID{"silent", "lost", "gone", "never"} {
			e.agent(id, units(1))
		}
		e.beat("silent", "lost", "gone")
		e.presence("gone", routing.Offline)
		e.presence("lost", routing.Break)
		require.Empty(e, e.lost(e.now().Add(-time.Hour)))
		require.Equal(e, []routing.AgentID{"lost", "silent"}, e.lost(e.now().Add(time.Hour)))
		refs, err := e.db.System().LostAgents(e.ctx, e.now().Add(time.Hour), 1)
		require.NoError(e, err)
		require.Len(e, refs, 1)
	}},
	{name: "going offline forgets the heart-beat", run: func(e *env) {
		e.agent("a", units(1))
		e.beat("a")
		e.presence("a", routing.Offline)
		require.True(e, e.loadAgent("a").State.BeatAt.IsZero())
		e.presence("a", routing.Online)
		require.True(e, e.loadAgent("a").State.BeatAt.IsZero())
		require.Empty(e, e.lost(e.now().Add(time.Hour)), "an agent that never sent one since")
	}},
}

func (e *env) presence(id routing.AgentID, p routing.Presence) {
	e.Helper()
	e.update(func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Agents().SetPresence(ctx, id, p, "", tx.Now())
		return err
	})
}

// lost returns this workspace's lost agents, sorted.
func (e *env) lost(before time.Time) []routing.AgentID {
	e.Helper()
	refs, err := e.db.System().LostAgents(e.ctx, before, all)
	require.NoError(e, err)
	refs = slices.DeleteFunc(refs, func(r driver.AgentRef) bool { return r.Workspace != e.ws })
	var ids []routing.AgentID
	for _, r := range refs {
		ids = append(ids, r.Agent)
	}
	slices.Sort(ids)
	return ids
}

// beat records heart-beats of agents who are all there.
func (e *env) beat(ids ...routing.AgentID) {
	e.Helper()
	offline, err := e.db.System().BeatAgents(e.ctx, e.ws, ids)
	require.NoError(e, err)
	require.Empty(e, offline)
}
