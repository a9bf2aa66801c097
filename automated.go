package sangdam

import (
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing/hours"
)

// react answers what a customer wrote as far as no person is needed, and sees
// to it that a bot or an agent gets the conversation.
func (u *unit) react(acct channel.Account, d *conversation.Draft, m conversation.Message, begun, silent bool) error {
	closed, status := u.outsideHours(acct)
	if !silent {
		var err error
		switch {
		case closed:
			err = u.sayAway(acct, d, status)
		case begun && d.C.Version == 0: // not one that opens again
			_, err = u.sayAutomated(acct, d, conversation.AutoGreeting)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case d.C.Control == conversation.ControlBot:
		return u.askBot(d)
	case begun:
		if bot := u.s.routing.WorkStreams[d.C.WorkStream].Bot; bot != "" && u.e.bots[bot] != nil && !silent {
			d.GiveToBot(bot, m)
			return u.askBot(d)
		}
		return u.enqueue(acct, d, m)
	case d.C.State == conversation.StateWaiting:
		return u.resume(acct, d, m)
	case d.C.State == conversation.StateActive && d.C.Agent != "":
		return u.goOn(d)
	}
	return nil
}

func (u *unit) outsideHours(acct channel.Account) (bool, hours.Status) {
	sched := u.s.schedules[acct.ID]
	if sched == nil {
		return false, hours.Status{}
	}
	st := sched.At(u.tx.Now())
	return !st.Open, st
}

// sayAway sends the away message, or in a holiday the holiday message, once in
// each stretch of closed time.
func (u *unit) sayAway(acct channel.Account, d *conversation.Draft, st hours.Status) error {
	if !d.C.AwayAt.IsZero() && u.s.schedules[acct.ID].Elapsed(d.C.AwayAt, u.tx.Now()) == 0 {
		return nil
	}
	name := conversation.AutoAway
	if st.Holiday {
		name = conversation.AutoHoliday
	}
	sent, err := u.sayAutomated(acct, d, name)
	if err == nil && !sent && st.Holiday {
		sent, err = u.sayAutomated(acct, d, conversation.AutoAway)
	}
	if sent {
		d.C.AwayAt = u.tx.Now()
	}
	return err
}

// automatedText finds a text: the account's, the desk's, the work stream's.
func (u *unit) automatedText(acct channel.Account, name, language string) string {
	if language == "" {
		language = acct.Language
	}
	return conversation.AutoText(name, language, acct.Messages,
		u.s.routing.Desks[acct.Desk].Messages, u.s.routing.WorkStreams[acct.WorkStream].Messages)
}

// sayAutomated sends an automated message if one is set, and reports whether.
func (u *unit) sayAutomated(acct channel.Account, d *conversation.Draft, name string) (bool, error) {
	text := u.automatedText(acct, name, d.C.Language)
	if text == "" {
		return false, nil
	}
	_, err := u.say(d, conversation.Message{Author: conversation.Author{Kind: conversation.BySystem, Name: name},
		Content: channel.Text(text), Automated: name})
	return err == nil, err
}

// say adds an outbound message and its outbox row to the draft's conversation.
func (u *unit) say(d *conversation.Draft, m conversation.Message) (conversation.Message, error) {
	m.ID = conversation.MessageID(newID())
	m, reply, err := d.AddOutbound(m)
	if err != nil {
		return m, err
	}
	row := channel.OutboxRow{ID: channel.OutboxID(newID()), Account: m.Account, Lane: outboxLane(m.Chat), Conversation: d.C.ID,
		Message: m.ID, To: m.Chat, Content: m.Content, Reply: reply, State: channel.OutboxQueued}
	if m.Author.Kind == conversation.ByAgent {
		if a, err := u.tx.Agents().Agent(u.ctx, m.Author.Agent); err == nil {
			row.SenderName, row.SenderIcon = a.Name, a.Picture
		}
	}
	return m, u.tx.Outbox().Enqueue(u.ctx, row)
}

// outboxLane is the unit of order of what leaves: the chat. It is coarser than
// a conversation, so that the last words of one and the greeting of the next
// cannot overtake each other at the customer's.
func outboxLane(c channel.Chat) string { return string(c.Kind) + ":" + c.ID }

// welcome greets a customer who added the account. There is no conversation
// yet, so the message is an outbox row alone. It reports whether it was sent.
func (u *unit) welcome(acct channel.Account, in channel.Inbound) (bool, error) {
	_, adapter, err := u.e.account(u.s, acct.ID)
	if err != nil {
		return false, err
	}
	text := u.automatedText(acct, conversation.AutoWelcome, "")
	if text == "" || adapter.Capabilities().NoWelcome {
		return false, nil
	}
	return true, u.tx.Outbox().Enqueue(u.ctx, channel.OutboxRow{ID: channel.OutboxID(newID()), Account: acct.ID, Lane: outboxLane(in.Chat),
		To: in.Chat, Content: channel.Text(text), Reply: in.Reply, State: channel.OutboxQueued})
}
