package sangdamtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/sangdamtest"
)

// TestADay is what a host's own test looks like.
func TestADay(t *testing.T) {
	sangdamtest.Run(t, func(d *sangdamtest.Desk) {
		mina := d.Agent("mina").Online()
		jun := d.Customer("Jun Kim")
		jun.Says("Where is my parcel?")
		require.Equal(t, []string{"Hello!"}, jun.Heard())
		mina.Accepts().Answers("On its way.")
		require.Equal(t, []string{"Hello!", "On its way."}, jun.Heard())
		require.Equal(t, conversation.StateActive, jun.Conversation().Conversation.State)
		mina.Ends()

		d.Pass(24 * time.Hour)
		jun.Says("It came, thanks.")
		require.Len(t, d.Conversations(), 2)
		require.Len(t, mina.Offers(), 1, "she is still there a day later")
	}, sangdamtest.WithSetup(func(s *sangdam.Setup) {
		s.WorkStreams[0].Messages[automated.Greeting] = map[string]string{"": "Hello!"}
	}))
}

func TestTwoAgentsAndNobodyTwice(t *testing.T) {
	sangdamtest.Run(t, func(d *sangdamtest.Desk) {
		mina, hana := d.Agent("mina").Online(), d.Agent("hana").Online()
		for _, name := range []string{"a", "b", "c", "d"} {
			d.Customer(name).Says("hello")
		}
		require.Len(t, append(mina.Offers(), hana.Offers()...), 4)
		require.NotEmpty(t, mina.Offers())
		require.NotEmpty(t, hana.Offers())
		hana.Offline()
		require.Empty(t, hana.Offers())
		require.Len(t, mina.Offers(), 4, "what she was offered goes to the other")
	})
}

// TestAHostsOwnPolicyAndHooks are seen by the desk.
func TestAHostsOwnPolicyAndHooks(t *testing.T) {
	var offered []routing.AgentID
	sangdamtest.Run(t, func(d *sangdamtest.Desk) {
		d.Agent("mina").Online()
		d.Customer("Jun").Says("hello")
		require.Equal(t, []routing.AgentID{"mina"}, offered)
	}, sangdamtest.WithConfig(func(c *sangdam.Config) {
		c.Hooks.Offered = func(_ sangdam.WorkspaceID, o routing.Offer) { offered = append(offered, o.Agent) }
	}))
}

// The context of the desk is the bubble's; that of the test around it, which is at
// hand too, does no harm.
func TestEitherContextCanBeUsed(t *testing.T) {
	sangdamtest.Run(t, func(d *sangdamtest.Desk) {
		for _, ctx := range []context.Context{d.Context(), t.Context()} {
			within, cancel := context.WithTimeout(ctx, time.Hour)
			_, err := d.Engine.Apply(within, d.Host, sangdam.Apply{Setup: sangdam.Setup{
				Queues: []routing.Queue{{ID: "second", Name: "Second"}}}})
			require.NoError(t, err)
			cancel()
		}
	})
}
