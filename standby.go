package sangdam

import (
	"errors"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/routing"
)

// A provider can give the word to a bot of its own (which some call standby). What is
// written meanwhile is kept and shown, and nothing is said or offered until the
// provider gives the word back.

// reactInTurn lets bots, texts and people react to a message, unless the provider
// has the word.
func (u *unit) reactInTurn(acct channel.Account, d *draft.Draft, m conversation.Message, begun bool, in adapter.Inbound) error {
	begins, err := u.followWord(d, in)
	if err != nil {
		return err
	}
	if begun = begun || begins; (begun || !in.Aside) && d.C.Control != conversation.ControlProvider {
		return u.react(acct, d, m, begun, in.Silent)
	}
	return nil
}

// followWord follows who has the word at the provider. It tells whether people or
// a bot are to be asked now, because the provider gave the word back.
func (u *unit) followWord(d *draft.Draft, in adapter.Inbound) (begins bool, err error) {
	if in.Standby {
		d.GiveToProvider(in.OccurredAt)
		return false, nil
	}
	if in.Silent || !d.TakeFromProvider(in.OccurredAt) || d.C.State != conversation.StateOpen {
		return false, nil
	}
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(d.C.ID))
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	return it.State == routing.ItemDone, err
}
