package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

func TestPlaceAndExplainOfAWaitingConversation(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, name := range []string{"one", "two"} {
			w.line.User(name).SendText("hi")
			w.settle()
		}
		all := w.conversations()
		last := all[0]
		if all[1].OpenedAt.After(last.OpenedAt) {
			last = all[1]
		}
		place, err := w.eng.Place(w.ctx, w.host, last.ID)
		require.NoError(t, err)
		require.True(t, place.Waiting)
		require.Equal(t, 2, place.Position)
		require.Equal(t, 2, place.Of)

		why, err := w.eng.Explain(w.ctx, w.host, last.ID)
		require.NoError(t, err)
		require.NotNil(t, why.Now)
		require.Len(t, why.Now.Considered, 2)
		require.Equal(t, 2, why.Now.Excluded[routing.ExcludePresence], "both are offline")

		w.online("a1")
		why, err = w.eng.Explain(w.ctx, w.host, last.ID)
		require.NoError(t, err)
		require.Nil(t, why.Now, "it is offered")
		require.Len(t, why.Decisions, 1)
		require.Equal(t, "a1", string(why.Decisions[0].Agent))
		place, err = w.eng.Place(w.ctx, w.host, last.ID)
		require.NoError(t, err)
		require.False(t, place.Waiting)
		w.pass(time.Minute)
	})
}
