package sangdam

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// A ticket that was made from a conversation answers through it, and the
// customer's answer comes back by it.

var qTicketChat = asks("ticket.chat", "TicketChat", kindTicket, ActRead)

// TicketChat returns the chat log of a ticket that was made from a conversation:
// its messages up to the moment when the ticket was made, with Seq above after,
// oldest first, at most limit (1 to 200), masked as the chat is. Whoever may
// read the ticket may read it.
func (e *Engine) TicketChat(ctx context.Context, p Principal, id ticket.ID, after int64, limit int) (out []conversation.Message,
	err error) {
	err = e.readTicket(ctx, p, qTicketChat, id, func(ctx context.Context, tx store.Tx, _ Who, t ticket.Ticket) (err error) {
		if t.Conversation == "" {
			return nil
		}
		cv, err := tx.Conversations().Conversation(ctx, t.Conversation)
		if err != nil {
			return err
		}
		limit = min(max(limit, 1), maxPage)
		if cv.MergedInto != "" {
			out, err = saidBefore(ctx, tx, t, after, limit)
			return err
		}
		out, err = tx.Conversations().Messages(ctx, t.Conversation, after, limit)
		out = slices.DeleteFunc(out, func(m conversation.Message) bool { return m.Seq > t.Origin.ChatTo })
		return err
	})
	return listed(out), err
}

// saidBefore is the chat log of a ticket whose conversation was merged with
// another one since: its messages may have moved there, and its own record tells
// which they were, and in which place.
func saidBefore(ctx context.Context, tx store.Tx, t ticket.Ticket, after int64, limit int) (out []conversation.Message, err error) {
	for len(out) < limit {
		events, err := tx.Conversations().Events(ctx, t.Conversation, after, maxPage)
		if err != nil || len(events) == 0 {
			return out, err
		}
		for _, ev := range events {
			if after = ev.Seq; after > t.Origin.ChatTo || len(out) == limit {
				return out, nil
			}
			if ev.Kind != conversation.EvMessage {
				continue
			}
			m, err := tx.Conversations().Message(ctx, ev.Message)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return out, err
			}
			m.Conversation, m.Seq = t.Conversation, ev.Seq
			out = append(out, m)
		}
	}
	return out, nil
}

// mailsOf are the mails of a ticket: the customer's last one before it was made,
// and those that the entries stand for.
func mailsOf(ctx context.Context, tx store.Tx, t ticket.Ticket, entries []ticket.Entry) (out []conversation.Message, err error) {
	if to := t.Origin.ChatTo; t.Conversation != "" && to > 0 && len(t.Masks[ticket.TitlePart])+len(t.Masks[ticket.BodyPart]) == 0 {
		before, err := tx.Conversations().Messages(ctx, t.Conversation, max(0, to-maxPage), maxPage)
		if err != nil {
			return nil, err
		}
		for _, m := range slices.Backward(before) {
			if m.Seq <= to && m.Author.Kind == conversation.ByCustomer && m.Content.Letter != nil {
				out = append(out, m)
				break
			}
		}
	}
	for _, e := range entries {
		if e.Message == "" {
			continue
		}
		m, err := tx.Conversations().Message(ctx, e.Message)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil && m.Content.Letter != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// ticketFile is a file of a mail of the ticket, for whoever may read the ticket.
func (e *Engine) ticketFile(ctx context.Context, p Principal, op *Operation, ref AttachmentRef) (media channel.Media, err error) {
	err = e.readTicket(ctx, p, op, ref.Ticket, func(ctx context.Context, tx store.Tx, _ Who, t ticket.Ticket) error {
		entries, err := entriesOf(ctx, tx, t.ID, max(0, t.Entries-maxPage), maxPage)
		if err != nil {
			return err
		}
		mails, err := mailsOf(ctx, tx, t, entries)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(mails, func(m conversation.Message) bool { return m.ID == ref.Message })
		if at < 0 {
			return noSuch("attachment")
		}
		media, err = fileOf(mails[at], ref.N)
		return err
	})
	return media, err
}

// sayToCustomer sends a public answer to the customer: through the conversation
// that the ticket came from, else by mail at the end of the unit. Where the
// workspace names no target for that, the draft notes that it was not sent.
func (u *unit) sayToCustomer(d *ticket.Draft, text string, files []string) error {
	t := d.T
	if t.Conversation != "" {
		said, err := u.sayInChat(t, text, files)
		if err != nil || said {
			return err
		}
	}
	if t.Requester.Email == "" {
		return errs.New(errs.Unsupported,
			"sangdam: this ticket has no conversation that can be written to and no mail address; add one, or make the comment internal")
	}
	s, err := u.ticketSetup()
	if err != nil {
		return err
	}
	if s.Settings.Tickets.AnswerBy == "" {
		d.KeepUnsent()
		return nil
	}
	to, err := u.usable(s.Settings.Tickets.AnswerBy)
	if err != nil {
		return err
	}
	return u.mailTakes(to, files)
}

// mailTakes refuses files that do not go in one mail to the target.
func (u *unit) mailTakes(to notify.Target, files []string) error {
	limit, bytes := u.e.carriers[to.Kind].files, int64(0)
	for _, name := range files {
		size := u.ticketFiles[name].Size
		if bytes += size; size <= 0 {
			return errs.New(errs.Invalid,
				"sangdam: the size of a file is not known, so that it cannot go in a mail; give it to Upload first")
		}
	}
	switch {
	case len(files) > 0 && limit == 0:
		return errs.New(errs.Unsupported, "sangdam: target %q carries no files; leave them out, or make the comment internal", to.Name)
	case bytes > limit:
		return errs.New(errs.Invalid, "sangdam: the files have %d bytes together, and a mail takes %d; send fewer, or a link to them",
			bytes, limit)
	}
	return nil
}

// sayInChat says it in the conversation; false where its account is gone or off.
func (u *unit) sayInChat(t ticket.Ticket, text string, files []string) (bool, error) {
	cv, err := u.tx.Conversations().Conversation(u.ctx, t.Conversation)
	if err != nil {
		return false, err
	}
	acct, ok := u.s.accounts[cv.Account]
	if !ok || acct.Deleted || acct.Disabled {
		return false, nil
	}
	content, err := u.withTicketFiles(cv, channel.Text(text), files)
	if err != nil {
		return false, err
	}
	author := u.writerInChat(cv)
	w, err := u.ticketWork(t.ID)
	if err != nil {
		return false, err
	}
	w.telling()
	d := u.conversationOf(cv)
	d.C.Ticket = string(t.ID) // what the customer writes next is an answer to it
	event := mailEventOf(w.now.State, t.State)
	if _, err := u.sayOn(saying{event: string(event), filesOf: t.ID}, d,
		conversation.Message{Author: author, Content: content}); err != nil {
		return false, err
	}
	return true, nil
}

// writerInChat is under whose name an answer on a ticket stands in its chat.
func (u *unit) writerInChat(cv conversation.Conversation) conversation.Author {
	if rule, is := strings.CutPrefix(u.as, "trigger:"); is {
		return conversation.Author{Kind: conversation.ByTrigger, Name: rule}
	}
	if u.p.agent() == "" || cv.State == conversation.StateClosed || cv.Control == conversation.ControlBot {
		return conversation.Author{Kind: conversation.BySystem, Name: u.actor()} // a notice: it takes the word from nobody
	}
	return conversation.Author{Kind: conversation.ByAgent, Agent: u.p.agent()}
}

// mailEventOf is what an answer says of a ticket that changes its state with it.
func mailEventOf(was, now ticket.State) ticket.MailEvent {
	switch {
	case now != was && now == ticket.OnHold:
		return ticket.MailOnHold
	case now != was && now == ticket.Solved:
		return ticket.MailSolved
	}
	return ticket.MailHandled
}

// withTicketFiles is a text with files of a ticket, as the conversation's channel
// carries it; a refusal says what it does not carry.
func (u *unit) withTicketFiles(cv conversation.Conversation, content channel.Content, files []string) (channel.Content, error) {
	_, adapter, err := u.e.account(u.s, cv.Account)
	if err != nil {
		return content, err
	}
	for i, name := range files {
		media := u.ticketFiles[name]
		if adapter.Capabilities().MediaLinks {
			if media, err = u.linked(media, true); err != nil {
				return content, err
			}
		}
		if i == 0 {
			content.Kind, content.Media = channel.KindOf(media.Type), &media
		} else {
			content.Attachments = append(content.Attachments, media)
		}
	}
	return content, u.canSend(cv, content)
}

// joinTickets is the stage in which a customer's messages become replies to the
// ticket that answered through the chat last.
func (u *unit) joinTickets() error {
	for _, c := range u.changes {
		if c.kind != kindMessage || !slices.Contains(c.events, "created") {
			continue
		}
		m, is := u.messageOf(conversation.MessageID(c.id))
		if !is || m.Author.Kind != conversation.ByCustomer {
			continue
		}
		w := u.conversations[m.Conversation]
		if w == nil || w.d.C.Ticket == "" || ticket.ID(w.d.C.Ticket) == u.begunTicket { // it began with the message
			continue
		}
		if err := u.joinTicket(ticket.ID(w.d.C.Ticket), m); err != nil {
			return err
		}
	}
	return nil
}

// joinTicket adds a message to a ticket, or to the one that it was merged into,
// which it does not open again. A ticket that is complete has no part in it, nor
// has any while tickets are switched off.
func (u *unit) joinTicket(meant ticket.ID, m conversation.Message) error {
	if err := u.off(SwitchTicket); err != nil {
		if errors.Is(err, ErrUnsupported) {
			return nil
		}
		return err
	}
	w, err := u.mergedInto(meant)
	if errors.Is(err, ErrNotFound) || err == nil && w.now.State == ticket.Complete {
		return nil
	}
	if err != nil {
		return err
	}
	was := u.as
	u.as = "customer"
	defer func() { u.as = was }()
	if err := w.flush(); err != nil { // each message is a step of its own
		return err
	}
	return u.answeredInChat(w, meant, m)
}

// answeredInChat notes with a ticket what its customer wrote; meant is the one
// that was answered, which may have been merged into it.
func (u *unit) answeredInChat(w *ticketWork, meant ticket.ID, m conversation.Message) error {
	d, err := u.editTicket(w.now.ID)
	if err != nil {
		return err
	}
	var from ticket.ID
	if w.now.ID != meant {
		from = meant
	}
	if d.T.Conversation == "" {
		d.T.Conversation = m.Conversation // answers leave by where the customer is heard
	}
	return d.ReplyInChat(m.ID, from)
}

// answersTicket finds the ticket of a message that answers a mail about it, by
// the exact id of that mail and for the address that it went to.
func (u *unit) answersTicket(d *draft.Draft, in adapter.Inbound) error {
	for _, a := range in.Answers {
		name, seq, is := ofMail(string(a))
		if !is {
			continue
		}
		w, err := u.ticketWork(name)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) {
			continue
		}
		if err != nil {
			return err
		}
		if seq <= w.now.Entries && strings.EqualFold(w.now.Requester.Email, string(in.Author.User)) {
			d.C.Ticket = string(name)
			return nil
		}
	}
	return nil
}

// mergedInto is the ticket, or the one into which it was merged in the end.
func (u *unit) mergedInto(id ticket.ID) (*ticketWork, error) {
	w, err := u.ticketWork(id)
	for hops := 0; err == nil && w.now.MergedInto != "" && hops < maxMerged; hops++ {
		w, err = u.ticketWork(w.now.MergedInto)
	}
	return w, err
}

// maxMerged bounds a chain of merged tickets.
const maxMerged = 100

// withChatText fills the entries that stand for messages of a chat with the
// messages' present text: masked where it is masked, empty where it was taken
// back.
func withChatText(ctx context.Context, tx store.Tx, list []ticket.Entry) ([]ticket.Entry, error) {
	for i, e := range list {
		if e.Message == "" {
			continue
		}
		m, err := tx.Conversations().Message(ctx, e.Message)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list[i].Text = saidAs(m)
	}
	return list, nil
}

// saidAs is a message as the history of a ticket shows it.
func saidAs(m conversation.Message) string {
	if m.Content.Text == "" && m.Content.Media != nil {
		return "[" + string(m.Content.Kind) + "]"
	}
	return m.Content.Text
}
