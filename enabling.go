package sangdam

import (
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// What a workspace asks for before an account of an outside channel is switched
// on (CH18): one whose chats stand at a provider, so that what customers and
// agents write leaves the organisation.

// ChannelPolicy is a workspace's rule about outside channels. The zero value
// allows all of them without a question.
type ChannelPolicy struct {
	// Forbidden are the channels on which no account may be switched on.
	Forbidden []channel.Kind `json:"forbidden,omitempty"`
	// Confirm requires two things before an account of an outside channel is
	// switched on: SaveAccount.Confirmed, and an agent who has the permission
	// for chats.
	Confirm bool `json:"confirm,omitempty"`
}

// maxForbidden bounds a policy.
const maxForbidden = 50

func (p ChannelPolicy) validate() error {
	if len(p.Forbidden) > maxForbidden || slices.Contains(p.Forbidden, "") {
		return errs.New(errs.Invalid, "sangdam: workspace settings: name at most %d channels that are forbidden, each by its kind",
			maxForbidden)
	}
	return nil
}

// mayEnable asks the workspace's policy before an account is switched on, and
// records to whom the data goes out and who agreed.
func (u *unit) mayEnable(a *channel.Account, was channel.Account, adapter *guardedAdapter, confirmed bool) error {
	if a.Disabled || was.ID != "" && !was.Disabled && !was.Deleted {
		return nil
	}
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	policy := s.Settings.Channels
	if slices.Contains(policy.Forbidden, a.Kind) {
		return errs.New(errs.Unsupported,
			"sangdam: the policy of this workspace forbids the channel %q (workspace settings, channels.forbidden); account %q stays off",
			a.Kind, a.Name)
	}
	if !adapter.Capabilities().Persistent {
		return nil
	}
	if policy.Confirm {
		if err := u.mayLeave(*a, confirmed); err != nil {
			return err
		}
	}
	if confirmed {
		a.Confirmed = &channel.Confirmation{By: u.p.actor(), At: u.tx.Now()}
		u.detail("data_leaves_to", string(a.Kind))
	}
	return nil
}

// mayLeave refuses what would hand customers' words to a provider while nobody
// has confirmed that, or nobody is there who may chat.
func (u *unit) mayLeave(a channel.Account, confirmed bool) error {
	if !confirmed {
		return errs.New(errs.Invalid,
			"sangdam: what is written on account %q leaves the organisation to the provider of %q; have that confirmed and set Confirmed",
			a.Name, a.Kind)
	}
	return u.somebodyChats(a)
}

// somebodyChats refuses an account that nobody could answer.
func (u *unit) somebodyChats(a channel.Account) error {
	agents, err := u.tx.Agents().Agents(u.ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(agents, func(g routing.Agent) bool { return !g.Disabled && g.May(routing.PermitChat) }) {
		return errs.New(errs.Invalid, "sangdam: no agent has permission for chats yet; grant it to one before account %q is switched on",
			a.Name)
	}
	return nil
}
