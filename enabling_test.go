package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/routing"
)

// channels sets what the workspace asks for before an account is switched on.
func (w *world) channels(p sangdam.ChannelPolicy) error {
	w.t.Helper()
	had, err := w.eng.TicketSetup(w.ctx, w.host)
	require.NoError(w.t, err)
	had.Settings.Channels = p
	return errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: had.Settings}))
}

// CH18: that data leaves the organisation is confirmed, and the log says by whom;
// a policy that forbids a channel is named; nothing is switched on that nobody
// may answer.
func TestAnOutsideChannelIsConfirmed(t *testing.T) {
	inWorld(t, func(w *world) {
		require.NoError(t, w.channels(sangdam.ChannelPolicy{Confirm: true}))
		acct := w.acct
		acct.ID, acct.Version, acct.Name, acct.Token = "second", 0, "Second", ""
		on := func(confirmed bool) error {
			return errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct, Confirmed: confirmed}))
		}
		err := on(false)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "leaves the organisation")

		permitted := func(list ...routing.Permission) {
			for _, a := range []routing.AgentID{"a1", "a2"} {
				w.saveAgent(routing.Agent{ID: a, Name: string(a), Role: "agent", Permissions: list,
					Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}, Assign: routing.AssignmentSwitches{Chat: true}})
			}
		}
		permitted()
		err = on(true)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "permission for chats")
		permitted(routing.PermitChat)
		require.NoError(t, on(true))
		require.Equal(t, "line", w.lastAudit().Details["data_leaves_to"], "and who confirmed it is the row's actor")
		require.Equal(t, "host:host", w.lastAudit().Actor)
		all, err := w.eng.Accounts(w.ctx, w.host)
		require.NoError(t, err)
		require.Equal(t, "host:host", all[len(all)-1].Confirmed.By, "the account says so too")

		acct.Version, acct.Name = 1, "Renamed"
		require.NoError(t, on(false), "it is on already: nothing leaves that did not leave before")

		require.NoError(t, w.channels(sangdam.ChannelPolicy{Forbidden: []channel.Kind{"line"}}))
		acct.Version, acct.Disabled = 2, true
		require.NoError(t, on(false), "switching off is never refused")
		acct.Version, acct.Disabled = 3, false
		err = on(true)
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		require.ErrorContains(t, err, "channels.forbidden")
		require.ErrorIs(t, w.channels(sangdam.ChannelPolicy{Forbidden: []channel.Kind{""}}), sangdam.ErrInvalid)
	})
}
