package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

func TestALimitOfOneChannelHoldsBesideTheUnitsAndIsRaisedAtOnce(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		limited := func(n int) routing.Agent {
			a := chatAgent("a1")
			a.Capacity = map[routing.Profile]int{routing.ProfileUnits: 5, routing.ChannelProfile("line"): n}
			return a
		}
		w.saveAgent(limited(1))
		w.online("a1")
		w.begun(w.line.User("One"), "one")
		two := w.line.User("Two")
		two.SendText("two")
		w.settle()
		require.Nil(t, w.of(two).Offer, "one LINE chat at a time")
		require.Error(t, errOf(w.eng.Pick(w.ctx, w.agent("a1"), sangdam.Pick{Conversation: w.of(two).Conversation.ID})))
		w.saveAgent(limited(2))
		w.settle()
		require.NotNil(t, w.of(two).Offer)
	}, longOffers)
}

func TestWhoseChatsAreSwitchedOffGetsNothingNewAndIsToldWhy(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		off := chatAgent("a1")
		off.Assign = routing.AssignmentSwitches{}
		w.saveAgent(off)
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.of(mina).Conversation.ID
		require.Nil(t, w.detail(id).Offer)
		err := errOf(w.eng.Pick(w.ctx, w.agent("a1"), sangdam.Pick{Conversation: id}))
		require.Error(t, err)
		require.NotErrorIs(t, err, sangdam.ErrNotFound, "it may be read, and the refusal says what is missing")
	})
}
