package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
)

// savedTwice is one thing of the set-up as two administrators see it.
type savedTwice struct {
	name string
	// save stores a change of what both have read; mark tells the two apart.
	save func(mark string, key sangdam.Key) error
	// marked is what is stored.
	marked func() string
}

func setUpThings(w *world) []savedTwice {
	cfg := w.configuration()
	desk, queue, stream := cfg.Desks["support"], cfg.Queues["q"], cfg.WorkStreams["line"]
	agents, err := w.eng.Agents(w.ctx, w.host)
	require.NoError(w.t, err)
	contact, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: "Mina"}})
	require.NoError(w.t, err)
	return []savedTwice{
		{"desk", func(mark string, key sangdam.Key) error {
			d := desk
			d.Description = mark
			return errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Key: key, Desk: d}))
		}, func() string { return w.configuration().Desks["support"].Description }},
		{"queue", func(mark string, key sangdam.Key) error {
			q := queue
			q.Name = mark
			return errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Key: key, Queue: q}))
		}, func() string { return w.configuration().Queues["q"].Name }},
		{"work stream", func(mark string, key sangdam.Key) error {
			s := stream
			s.Name = mark
			return errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{Key: key, WorkStream: s}))
		}, func() string { return w.configuration().WorkStreams["line"].Name }},
		{"account", func(mark string, key sangdam.Key) error {
			a := w.acct
			a.Name = mark
			return errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Key: key, Account: a}))
		}, func() string {
			all, err := w.eng.Accounts(w.ctx, w.host)
			require.NoError(w.t, err)
			return all[0].Name
		}},
		{"agent", func(mark string, key sangdam.Key) error {
			a := agents[0]
			a.Name = mark
			return errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Key: key, Agent: a}))
		}, func() string {
			all, err := w.eng.Agents(w.ctx, w.host)
			require.NoError(w.t, err)
			return all[0].Name
		}},
		{"contact", func(mark string, key sangdam.Key) error {
			return errOf(w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Key: key,
				Contact: conversation.Contact{ID: contact.Contact, Name: mark}, Version: contact.Version}))
		}, func() string {
			c, _, err := w.eng.Contact(w.ctx, w.host, contact.Contact)
			require.NoError(w.t, err)
			return c.Name
		}},
	}
}

// Two administrators open the same page and both press save: the second one is
// told, and nothing of the first is lost.
func TestWhoSavesSecondIsStale(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, thing := range setUpThings(w) {
			require.NoError(t, thing.save("first", ""), thing.name)
			require.ErrorIs(t, thing.save("second", ""), sangdam.ErrStale, thing.name)
			require.Equal(t, "first", thing.marked(), thing.name)
		}
	})
}

// A repeat of a save whose answer was lost is no second change, and gets the
// first answer although the version has moved on.
func TestASaveWithTheSameKeyHasOneEffect(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, thing := range setUpThings(w) {
			require.NoError(t, thing.save("first", "k/"+sangdam.Key(thing.name)), thing.name)
			require.NoError(t, thing.save("first", "k/"+sangdam.Key(thing.name)), thing.name)
			require.ErrorIs(t, thing.save("other", "k/"+sangdam.Key(thing.name)), sangdam.ErrConflict, thing.name)
			require.Equal(t, "first", thing.marked(), thing.name)
		}
	})
}

// Version 0 makes something new, and never replaces what has the same id.
func TestANewThingDoesNotReplaceAnother(t *testing.T) {
	inWorld(t, func(w *world) {
		require.ErrorIs(t, errOf(w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: routing.Desk{ID: "support", Name: "Mine"}})),
			sangdam.ErrAlreadyExists)
		require.ErrorIs(t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: routing.Queue{ID: "q", Name: "Mine"}})),
			sangdam.ErrAlreadyExists)
		stream := w.configuration().WorkStreams["line"]
		stream.Version = 0
		require.ErrorIs(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})), sangdam.ErrAlreadyExists)
		acct := w.acct
		acct.Version = 0
		require.ErrorIs(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})), sangdam.ErrAlreadyExists)
		agents, err := w.eng.Agents(w.ctx, w.host)
		require.NoError(t, err)
		agents[0].Version = 0
		require.ErrorIs(t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: agents[0]})), sangdam.ErrAlreadyExists)
		gone := routing.Queue{ID: "gone", Name: "Gone", Version: 3}
		require.ErrorIs(t, errOf(w.eng.SaveQueue(w.ctx, w.host, sangdam.SaveQueue{Queue: gone})), sangdam.ErrNotFound)
		require.ErrorIs(t, w.eng.DeleteAccount(w.ctx, w.host, sangdam.DeleteAccount{Account: acct.ID}), sangdam.ErrStale)

		saved, err := w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Agent: "a1", Desk: routing.Desk{ID: "two", Name: "Two"}})
		require.NoError(t, err)
		_, err = w.eng.SaveDesk(w.ctx, w.host, sangdam.SaveDesk{Desk: routing.Desk{ID: "two", Name: "Second", Version: saved.Version}})
		require.NoError(t, err, "what a save returns replaces it")
	})
}

// The secrets of an account are no part of what is kept with a key, but a
// repeat with others is no repeat.
func TestAKeyIsBoundToTheSecretsOfAnAccount(t *testing.T) {
	inWorld(t, func(w *world) {
		save := func(secret string) (sangdam.AccountSaved, error) {
			a := w.acct
			a.ID, a.Version, a.Name, a.Token = "", 0, "Second shop", ""
			a.Secrets = map[string]channel.Secret{"channel_secret": channel.NewSecret(secret), "channel_token": channel.NewSecret("token")}
			return w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Key: "k", Account: a})
		}
		first, err := save("one")
		require.NoError(t, err)
		require.Empty(t, first.Secrets, "secrets go in and never come out")
		again, err := save("one")
		require.NoError(t, err)
		require.Equal(t, first, again, "the same account, with the same address of its webhook")
		_, err = save("two")
		require.ErrorIs(t, err, sangdam.ErrConflict)
	})
}

// A link begun twice with one key has one nonce, and that works once.
func TestALinkBegunTwiceWithOneKeyHasOneNonce(t *testing.T) {
	inWorld(t, func(w *world) {
		c, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: "Mina"}})
		require.NoError(t, err)
		begin := func() (string, error) {
			return w.eng.BeginLink(w.ctx, w.host, sangdam.BeginLink{Key: "k", Contact: c.Contact})
		}
		first, err := begin()
		require.NoError(t, err)
		again, err := begin()
		require.NoError(t, err)
		require.Equal(t, first, again)
		other, err := w.eng.BeginLink(w.ctx, w.host, sangdam.BeginLink{Contact: c.Contact})
		require.NoError(t, err)
		require.NotEqual(t, first, other)
	})
}

// What Configuration returns is the caller's own.
func TestConfigurationIsTheCallersOwn(t *testing.T) {
	inWorld(t, func(w *world) {
		mine := w.configuration()
		delete(mine.Queues, "q")
		mine.Members["support"][0] = "nobody"
		mine.WorkStreams["line"].Messages[automated.Greeting][""] = "Spoilt"
		stored := w.configuration()
		require.Contains(t, stored.Queues, routing.QueueID("q"))
		require.Equal(t, []routing.AgentID{"a1", "a2"}, stored.Members["support"])
		require.Equal(t, "Hello!", stored.WorkStreams["line"].Messages[automated.Greeting][""])
	})
}

// Whoever names an agent that nobody saved is told which, and what to do.
func TestAnAgentWhoIsNotThereIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		_, errSwitches := w.eng.SetSwitches(w.ctx, w.host, sangdam.SetSwitches{Agent: "mia"})
		_, errInvite := w.eng.InviteAgent(w.ctx, w.host, sangdam.InviteAgent{Agent: "mia"})
		for _, err := range []error{errSwitches, errInvite,
			w.eng.SetPresence(w.ctx, w.host, sangdam.SetPresence{Agent: "mia", Presence: routing.Online})} {
			require.ErrorIs(t, err, sangdam.ErrNotFound)
			require.EqualError(t, err, "store: there is no agent mia: save the agent first or name another")
		}
	})
}
