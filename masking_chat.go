package sangdam

import (
	"errors"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/ticket"
)

// A mask that begins in a ticket reaches the conversation that the ticket came
// from or answers by; hideInTickets is the other way round.

// hideInChat masks what was masked in a ticket in its conversation, where the
// principal may mask there. Warnings say what may still be read there; they are
// the same whether the words stand there or not, for who may not read it.
func (u *unit) hideInChat(t ticket.Ticket, originals map[string]string) (warnings []Warning, err error) {
	if t.Conversation == "" || len(originals) == 0 {
		return nil, nil
	}
	asked, action := u.resource, u.action // the audit row names the ticket
	defer func() { u.resource, u.action = asked, action }()
	before := t.Origin.ChatTo
	for id, hops := t.Conversation, 0; id != "" && hops <= maxMerged; hops++ {
		d, err := u.draft(id, ActMask)
		if errors.Is(err, ErrPermissionDenied) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnsupported) {
			return append(warnings, warn("mask_not_yours", "conversation %s may still show what was masked: it is not yours to mask, "+
				"or its service is off; have it masked there by somebody who may", id)), nil
		}
		if err != nil {
			return nil, err
		}
		if err := u.hideWords(d, before, originals); err != nil {
			return nil, err
		}
		if privacy.Unsearched(originals) {
			warnings = append(warnings, warn("mask_too_short", "what was masked is too short to be looked for in conversation %s: "+
				"mask it there too, where it stands there", id))
		}
		id, before = d.C.MergedInto, 0
	}
	return warnings, nil
}

// hideWords masks words in the newest messages of a conversation, and in those
// up to a place in it.
func (u *unit) hideWords(d *draft.Draft, before int64, originals map[string]string) error {
	messages, err := u.latestAnd(d.C.ID, before)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if now, is := u.messageOf(m.ID); is {
			m = now // its subject was the thread's
		}
		spans := privacy.Occurrences(m.Content.Text, originals)
		if len(spans) == 0 {
			if hidden, did := d.MaskSubject(m, originals, u.actor()); did {
				if err := u.forgetHidden(d, hidden, originals, u.actor()); err != nil {
					return err
				}
			}
			continue
		}
		findings := privacy.Detect(m.Content.Text, append(privacy.Types(), privacy.Email, privacy.IP)...)
		if err := u.hideStored(d, m, spans, findings, u.actor()); err != nil {
			return err
		}
	}
	return nil
}

// latestAnd are the newest messages of a conversation, and with before those up
// to there.
func (u *unit) latestAnd(id conversation.ID, before int64) ([]conversation.Message, error) {
	messages, err := u.tx.Conversations().Latest(u.ctx, id, 0, maxPage)
	if err != nil || before <= 0 || len(messages) < maxPage {
		return messages, err
	}
	earlier, err := u.tx.Conversations().Latest(u.ctx, id, min(before+1, messages[0].Seq), maxPage)
	return slices.Concat(earlier, messages), err
}

// hideInThread takes what was masked in one message of a mail's thread out of the
// subjects of the others, among the newest 200: programs repeat a subject from mail
// to mail. So does the next answer, which takes it from the chat's state.
func (u *unit) hideInThread(d *draft.Draft, masked conversation.MessageID, originals map[string]string, by string) error {
	if d.C.Chat.Kind != channel.ChatThread {
		return nil
	}
	state, err := u.chatState(d.C.Account, d.C.Chat)
	if err != nil {
		return err
	}
	if safe := privacy.Conceal(state.Subject, originals); safe != state.Subject {
		state.Subject = safe
		if err := chatStates.Save(u.ctx, u.tx, &state); err != nil {
			return err
		}
	}
	messages, err := u.tx.Conversations().Latest(u.ctx, d.C.ID, 0, maxPage)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.ID == masked {
			continue
		}
		if hidden, did := d.MaskSubject(m, originals, by); did {
			if err := errors.Join(u.forgetSources(hidden), u.tx.Search().Delete(u.ctx, hidden.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}
