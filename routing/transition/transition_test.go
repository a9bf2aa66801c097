package transition_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
)

var (
	now   = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	units = []routing.Use{{Profile: routing.ProfileUnits, Units: 2}}
)

// rows are a queued item and two agents; b has other work.
func rows() transition.Rows {
	agent := func(id routing.AgentID, used int) routing.Agent {
		return routing.Agent{ID: id, Capacity: map[routing.Profile]int{routing.ProfileUnits: 3},
			State: routing.AgentState{EligRev: 7, Rev: 9, Load: map[routing.Profile]int{routing.ProfileUnits: used}, IdleSince: now}}
	}
	return transition.Rows{Epoch: 4, Agents: []routing.Agent{agent("a", 0), agent("b", 2)},
		Item: &routing.Item{ID: "i", Version: 5, State: routing.ItemQueued, Queue: "q", Uses: units}}
}

// after are the rows once the change is written.
func after(w transition.Rows, c transition.Change) transition.Rows {
	w.Item, w.Offer, w.Assignment = &c.Item, c.Offer, c.Assignment
	agents := append([]routing.Agent(nil), w.Agents...)
	for _, ch := range c.Agents {
		for i := range agents {
			if agents[i].ID == ch.ID {
				agents[i].State = ch.State
			}
		}
	}
	w.Agents = agents
	return w
}

func offering() transition.Reservation {
	return transition.Reservation{Item: "i", ItemVersion: 5, Agent: "a", EligRev: 7, Lease: "l", Epoch: 4, Now: now, Turn: true,
		Decision: &routing.Decision{Item: "i"}, Offer: &routing.Offer{ID: "o", OfferedAt: now, ExpiresAt: now.Add(time.Minute)}}
}

func check(err error) string {
	var r *routing.Refused
	switch {
	case errors.As(err, &r):
		return r.Check
	case errors.Is(err, routing.ErrNotFound):
		return "not found"
	case errors.Is(err, routing.ErrInvalid):
		return "invalid"
	case err != nil:
		return err.Error()
	}
	return ""
}

func TestReserveTellsWhichCheckFailed(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*transition.Rows, *transition.Reservation)
		want  string
	}{
		"nothing":  {func(*transition.Rows, *transition.Reservation) {}, ""},
		"no item":  {func(w *transition.Rows, _ *transition.Reservation) { w.Item = nil }, "not found"},
		"no agent": {func(_ *transition.Rows, r *transition.Reservation) { r.Agent = "c" }, "not found"},
		"neither":  {func(_ *transition.Rows, r *transition.Reservation) { r.Offer = nil }, "invalid"},
		"both": {func(_ *transition.Rows, r *transition.Reservation) { r.Assignment = &routing.Assignment{ID: "as"} },
			"invalid"},
		"lease before all else": {func(w *transition.Rows, r *transition.Reservation) { w.Epoch++; r.ItemVersion++ }, "lease"},
		"version":               {func(_ *transition.Rows, r *transition.Reservation) { r.ItemVersion++ }, "item"},
		"done":                  {func(w *transition.Rows, _ *transition.Reservation) { w.Item.State = routing.ItemDone }, "item"},
		"held by another": {func(w *transition.Rows, _ *transition.Reservation) { w.Offer = &routing.Offer{ID: "x", Agent: "b"} },
			"held"},
		"not held as From says":  {func(_ *transition.Rows, r *transition.Reservation) { r.FromOffer = "x" }, "held"},
		"eligibility":            {func(_ *transition.Rows, r *transition.Reservation) { r.EligRev++ }, "eligibility"},
		"a person does not ask":  {func(_ *transition.Rows, r *transition.Reservation) { r.EligRev, r.Lease, r.Epoch = 0, "", 0 }, ""},
		"capacity":               {func(_ *transition.Rows, r *transition.Reservation) { r.Agent = "b" }, "capacity"},
		"force":                  {func(_ *transition.Rows, r *transition.Reservation) { r.Agent, r.Force = "b", true }, ""},
		"units without an entry": {func(w *transition.Rows, _ *transition.Reservation) { w.Agents[0].Capacity = nil }, "capacity"},
		"a profile without one": {func(_ *transition.Rows, r *transition.Reservation) {
			r.Offer.Uses = []routing.Use{{Profile: "x", Units: 99}}
		}, ""},
		"one profile named twice": {func(_ *transition.Rows, r *transition.Reservation) { r.Offer.Uses = append(units, units...) },
			"capacity"},
		"nothing wanted of nobody": {func(w *transition.Rows, r *transition.Reservation) {
			w.Agents[0].Capacity, r.Offer.Uses = nil, []routing.Use{}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := rows(), offering()
			c.spoil(&w, &r)
			before, _ := json.Marshal(w)
			_, err := transition.Reserve(w, r)
			require.Equal(t, c.want, check(err))
			same, _ := json.Marshal(w)
			require.JSONEq(t, string(before), string(same), "the rows that were loaded stay as they are")
		})
	}
}

// A document does not tell an empty list from none: a hold that takes nothing must
// be the same before and after it was stored.
func TestAHoldThatTakesNothingHasNoUses(t *testing.T) {
	r := offering()
	r.Offer.Uses = []routing.Use{}
	c, err := transition.Reserve(rows(), r)
	require.NoError(t, err)
	require.Nil(t, c.Offer.Uses)
	r.Offer, r.Assignment = nil, &routing.Assignment{ID: "as", Uses: []routing.Use{}}
	c, err = transition.Reserve(rows(), r)
	require.NoError(t, err)
	require.Nil(t, c.Assignment.Uses)
}

func TestAnOfferIsMadeAndAccepted(t *testing.T) {
	c, err := transition.Reserve(rows(), offering())
	require.NoError(t, err)
	require.Equal(t, routing.Item{ID: "i", Version: 6, State: routing.ItemOffered, Queue: "q", Agent: "a", Attempt: 1, Uses: units}, c.Item)
	require.Equal(t, routing.AgentID("a"), c.Turn)
	require.Len(t, c.Agents, 1)
	require.Equal(t, routing.AgentState{EligRev: 7, Rev: 10, Open: 1, Load: map[routing.Profile]int{routing.ProfileUnits: 2},
		IdleSince: now}, c.Agents[0].State)
	require.Equal(t, []routing.Profile{routing.ProfileUnits}, c.Agents[0].Profiles)

	w := after(rows(), c)
	_, err = transition.Accept(w, "as", now.Add(time.Minute))
	require.Equal(t, "expired", check(err))
	c, err = transition.Accept(w, "as", now.Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, routing.OfferAccepted, c.EndedOffer.State)
	require.Equal(t, &routing.Assignment{ID: "as", Item: "i", Agent: "a", Uses: units, StartedAt: now.Add(time.Second)}, c.Assignment)
	require.Equal(t, routing.ItemAssigned, c.Item.State)
	require.Empty(t, c.Agents, "the load stays")

	c, err = transition.EndAssignment(after(w, c), "i", "", routing.EndClosed, routing.ItemDone, now.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, c.Agents[0].State.Load)
	require.Zero(t, c.Agents[0].State.Open)
	require.Equal(t, now.Add(time.Hour), c.Agents[0].State.IdleSince)
	require.Equal(t, routing.ItemDone, c.Item.State)
	require.Empty(t, c.Item.Agent)
}

func TestATransferGivesBackFirst(t *testing.T) {
	c, err := transition.Reserve(rows(), offering())
	require.NoError(t, err)
	w := after(rows(), c)
	r := offering()
	r.ItemVersion, r.FromOffer, r.FromReason = 6, "o", routing.EndTransferred
	r.Offer, r.Assignment = nil, &routing.Assignment{ID: "as", StartedAt: now}
	c, err = transition.Reserve(w, r)
	require.NoError(t, err, "the agent's own offer is no load beside its assignment")
	require.Equal(t, routing.OfferWithdrawn, c.EndedOffer.State)
	require.Equal(t, 2, c.Agents[0].State.Load[routing.ProfileUnits])
	require.Equal(t, 1, c.Agents[0].State.Open)
}

func TestADeclineIsRemembered(t *testing.T) {
	for state, want := range map[routing.OfferState][]routing.AgentID{
		routing.OfferDeclined: {"b", "a"}, routing.OfferExpired: {"b", "a"}, routing.OfferWithdrawn: {"a", "b"},
	} {
		c, err := transition.Reserve(rows(), offering())
		require.NoError(t, err)
		w := after(rows(), c)
		w.Item.Declined = []routing.AgentID{"a", "b"}
		c, err = transition.EndOffer(w, state, "why", now.Add(time.Minute))
		require.NoError(t, err)
		require.Equal(t, want, c.Item.Declined, state)
		require.Equal(t, []routing.AgentID{"a", "b"}, w.Item.Declined, "what was loaded stays")
		require.Equal(t, state != routing.OfferWithdrawn, c.Agents[0].State.EligRev == 8, state)
	}
}

func TestWhatSavingMayChange(t *testing.T) {
	states := []routing.ItemState{routing.ItemQueued, routing.ItemDone, routing.ItemOffered, routing.ItemAssigned, "", "new"}
	for _, was := range states {
		for _, is := range states {
			free := (was == routing.ItemQueued || was == routing.ItemDone) && (is == routing.ItemQueued || is == routing.ItemDone)
			old := routing.Item{ID: "i", State: was, Agent: "a"}
			it, err := transition.Saved(&old, routing.Item{ID: "i", State: is, Agent: "b"})
			require.Equal(t, was == is || free, err == nil, "%q to %q", was, is)
			if err == nil {
				require.Equal(t, routing.AgentID("a"), it.Agent)
			}
		}
	}
}
