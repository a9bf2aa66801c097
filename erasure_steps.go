package sangdam

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// The steps of an erasure. Each is one transaction over a bounded number of rows,
// and keeps in the erasure's document where the next begins. Doing one again
// changes nothing.

// erasurePhases are the kinds of place that are looked through, in order. Each
// finds what the steps in between erase, or erases it itself.
var erasurePhases []func(*unit, *storedErasure) error

func init() { // not above: the phases name the list
	erasurePhases = []func(*unit, *storedErasure) error{(*unit).findErasedChats, (*unit).findErasedTickets, (*unit).findElsewhere,
		(*unit).eraseReferences, (*unit).eraseBulks, (*unit).eraseRest}
}

const (
	erasedChatsAtOnce    = 20
	erasedMessagesAtOnce = 50
	searchedAtOnce       = 100
)

// eraseStep does what was found, else finds more.
func (u *unit) eraseStep(v *storedErasure) error {
	switch {
	case len(v.Subjects) > 0:
		return u.eraseNotices(v)
	case len(v.Tasks) > 0:
		return u.eraseTicketStep(v)
	case len(v.Chats) > 0:
		return u.eraseChatStep(v)
	case v.Phase >= len(erasurePhases): // of an older program's document
		v.Phase = len(erasurePhases) - 1
	}
	return erasurePhases[v.Phase](u, v)
}

// next goes on to the next page, to the next of so many, or to the next phase.
func (v *storedErasure) next(page string, of int) {
	if v.Page = page; page != "" {
		return
	}
	if v.N++; v.N >= of {
		v.N, v.Phase = 0, v.Phase+1
	}
}

// findErasedChats finds the persons' own conversations.
func (u *unit) findErasedChats(v *storedErasure) error {
	list, page, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Contact: v.Persons[v.N]}, v.Page, erasedChatsAtOnce)
	for _, c := range list {
		if c.ErasedAt.IsZero() {
			v.Chats = append(v.Chats, c.ID)
		}
	}
	v.next(page, len(v.Persons))
	return err
}

// findErasedTickets finds the persons' own tickets.
func (u *unit) findErasedTickets(v *storedErasure) error {
	page, err := tickets.List(u.ctx, u.tx, store.List[storedTicket]{Tag: withPerson, Value: store.Exact(string(v.Persons[v.N])),
		After: v.Page, Limit: erasedChatsAtOnce})
	for _, t := range page.Items {
		v.Tasks = append(v.Tasks, erasedTicket{Ticket: t.ID})
	}
	v.next(page.Next, len(v.Persons))
	return err
}

// findElsewhere finds conversations of several people, groups and mail threads, on
// the channels where the persons were. Who wrote in them stands in the messages
// alone, so that all of these are looked through.
func (u *unit) findElsewhere(v *storedErasure) error {
	had, err := u.erasedIdentities(*v)
	if err != nil {
		return err
	}
	var kinds []channel.Kind
	for _, i := range had {
		if !slices.Contains(kinds, i.Kind) {
			kinds = append(kinds, i.Kind)
		}
	}
	if len(kinds) == 0 {
		v.next("", 0)
		return nil
	}
	list, page, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Channel: kinds[v.N]}, v.Page, searchedAtOnce)
	for _, c := range list {
		several := !c.Chat.OfOne() || c.Chat.Kind == channel.ChatThread
		if several && !slices.Contains(v.Persons, c.Contact) {
			v.Chats = append(v.Chats, c.ID)
		}
	}
	v.next(page, len(kinds))
	return err
}

// eraseChatStep erases the next messages of a conversation, and with the last one
// what else the conversation knows: all of a person's own, of somebody else's what
// the persons wrote.
func (u *unit) eraseChatStep(v *storedErasure) error {
	at := len(v.Chats) - 1
	cv, err := u.tx.Conversations().Conversation(u.ctx, v.Chats[at])
	if err != nil {
		return err
	}
	own := slices.Contains(v.Persons, cv.Contact)
	if own && cv.State != conversation.StateClosed {
		return errs.New(errs.Conflict, "conversation %s was opened again; it is erased once it has ended", cv.ID)
	}
	messages, err := u.tx.Conversations().Messages(u.ctx, cv.ID, v.Seq, erasedMessagesAtOnce)
	if err != nil {
		return err
	}
	had, err := u.erasedIdentities(*v)
	if err != nil {
		return err
	}
	d := u.conversationOf(cv)
	for _, m := range messages {
		v.Seq = m.Seq
		wrote := slices.ContainsFunc(had, func(i conversation.Identity) bool { return i.ID == m.Author.Identity })
		if m.Erased() {
			continue
		}
		if !own && !wrote {
			d.EraseNamed(m, func(address string) bool {
				return slices.ContainsFunc(had, func(i conversation.Identity) bool { return strings.EqualFold(address, string(i.User)) })
			})
			continue
		}
		if err := u.eraseMessage(d, m, v); err != nil {
			return err
		}
		if own {
			err = u.eraseChatState(m.Account, m.Chat)
		} else {
			err = u.eraseElsewhere(cv.ID, m)
		}
		if err != nil {
			return err
		}
	}
	if len(messages) == erasedMessagesAtOnce {
		return nil
	}
	v.Chats, v.Seq = v.Chats[:at], 0
	if !own {
		return nil
	}
	return u.eraseChat(d, v)
}

// eraseMessage erases a message and what else has its words.
func (u *unit) eraseMessage(d *draft.Draft, m conversation.Message, v *storedErasure) error {
	for _, f := range m.Content.Files() {
		if f.Blob != "" {
			v.Files++
		}
	}
	if d.C.Preview == conversation.Preview(m.Content) {
		d.C.Preview = ""
	}
	withdrawn, err := u.letGo(channel.OutboxID(m.ID))
	if err != nil || !d.EraseMessage(m, withdrawn) {
		return err
	}
	v.Messages++
	if err := errors.Join(u.unlinked(m), u.releaseFiles(m), u.dropOriginals(m.Masks), u.tx.Search().Delete(u.ctx, m.ID)); err != nil {
		return err
	}
	for _, source := range m.Sources {
		if err := u.forgetEnvelope(source); err != nil {
			return err
		}
	}
	for _, p := range m.Parts {
		if err := u.deletePart(partID(m.Account, m.Chat, p)); err != nil {
			return err
		}
	}
	return nil
}

// eraseElsewhere takes what a person wrote in somebody else's conversation out of
// the copies that the library made of it.
func (u *unit) eraseElsewhere(c conversation.ID, m conversation.Message) error {
	if err := u.concealCopies(kindConversation+":"+string(c), map[string]string{string(m.ID): m.Content.Text}); err != nil {
		return err
	}
	made, err := tickets.List(u.ctx, u.tx, store.List[storedTicket]{Tag: withChat, Value: store.Exact(string(c)), Limit: ticketsOfChat})
	if err != nil {
		return err
	}
	for _, t := range made.Items {
		if err := u.concealInquiry(t, m.Content.Text); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) deletePart(id string) error {
	part, err := messageParts.Get(u.ctx, u.tx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return messageParts.Delete(u.ctx, u.tx, &part)
}

// eraseChatState drops what an adapter kept in order to answer in a chat.
func (u *unit) eraseChatState(acct channel.AccountID, chat channel.Chat) error {
	if chat.Kind != channel.ChatThread {
		return nil
	}
	state, err := chatStates.Get(u.ctx, u.tx, chatID(acct, chat))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return chatStates.Delete(u.ctx, u.tx, &state)
}

// letGo takes back what waits to leave, and says so, and forgets what a row says.
// What was begun to be sent leaves as it was written, and is forgotten then.
func (u *unit) letGo(id channel.OutboxID) (withdrawn bool, err error) {
	row, err := u.tx.Outbox().Row(u.ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if row.State == channel.OutboxQueued && row.Tries == 0 {
		if err := u.tx.Outbox().Cancel(u.ctx, id); err != nil {
			return false, err
		}
		withdrawn = true
	}
	return withdrawn, u.tx.Outbox().Forget(u.ctx, id)
}

// eraseChat erases what a person's conversation knows beside its messages, and has
// its notices and tickets follow.
func (u *unit) eraseChat(d *draft.Draft, v *storedErasure) error {
	v.Subjects = append(v.Subjects, kindConversation+":"+string(d.C.ID))
	made, err := tickets.List(u.ctx, u.tx, store.List[storedTicket]{Tag: withChat, Value: store.Exact(string(d.C.ID)),
		Limit: ticketsOfChat})
	if err != nil {
		return err
	}
	for _, t := range made.Items {
		v.Tasks = append(v.Tasks, erasedTicket{Ticket: t.ID})
	}
	if err := u.eraseQuestions(d.C.ID); err != nil {
		return err
	}
	if err := u.eraseItem(string(d.C.ID)); err != nil {
		return err
	}
	if err := u.tx.Vault().DropOwner(u.ctx, kindConversation+":"+string(d.C.ID)); err != nil {
		return err
	}
	if d.C.ErasedAt.IsZero() {
		v.Conversations++
		d.Erase("system")
	}
	return nil
}

// eraseQuestions takes out what colleagues said to questions about a conversation.
func (u *unit) eraseQuestions(id conversation.ID) error {
	asked, err := consultationsOf(u.ctx, u.tx, consultationOf, string(id))
	if err != nil {
		return err
	}
	for _, q := range asked {
		if q.Reason == "" {
			continue
		}
		q.Reason = ""
		if err := consultations.Save(u.ctx, u.tx, &q); err != nil {
			return err
		}
	}
	return nil
}

// eraseItem takes what rules knew of the customer out of a piece of work.
func (u *unit) eraseItem(id string) error {
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(id))
	if errors.Is(err, ErrNotFound) || err == nil && len(it.Attributes) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	it.Attributes = nil
	_, err = u.tx.Work().SaveItem(u.ctx, it)
	return err
}

// eraseNotices drops what the log of deliveries has about a record. What tells of
// events holds ids alone and stays.
func (u *unit) eraseNotices(v *storedErasure) error {
	at := len(v.Subjects) - 1
	of := store.Tuple(store.Exact(v.Subjects[at]))
	page, err := deliveries.List(u.ctx, u.tx, store.List[Delivery]{Index: deliveriesBySubject, From: of, To: store.Next(of), Limit: maxPage,
		Keep: func(d *Delivery) bool { return !strings.HasPrefix(d.Cause, "subscription:") }})
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		if _, err := u.letGo(channel.OutboxID(d.ID)); err != nil {
			return err
		}
		if err := deliveries.Delete(u.ctx, u.tx, &d); err != nil {
			return err
		}
		v.Notices++
	}
	if page.Next == "" {
		v.Subjects = v.Subjects[:at]
	}
	return nil
}

// eraseReferences takes the persons out of what is known of who wrote which mail.
func (u *unit) eraseReferences(v *storedErasure) error {
	had, err := u.erasedIdentities(*v)
	if err != nil {
		return err
	}
	is := func(user channel.ProviderUserID) bool {
		return slices.ContainsFunc(had, func(i conversation.Identity) bool { return i.User == user })
	}
	page, err := threadReferences.List(u.ctx, u.tx, store.List[threadReference]{Index: "at", After: v.Page, Limit: maxPage,
		Keep: func(r *threadReference) bool { return slices.ContainsFunc(r.People, is) }})
	if err != nil {
		return err
	}
	for _, r := range page.Items {
		wrote := is(r.People[0])
		r.People = slices.DeleteFunc(r.People, is)
		change := threadReferences.Save
		if wrote {
			change = threadReferences.Delete
		}
		if err := change(u.ctx, u.tx, &r); err != nil {
			return err
		}
	}
	v.next(page.Next, 0)
	return nil
}

// eraseBulks forgets what bulk changes of erased tickets gave them, and what would
// take that back.
func (u *unit) eraseBulks(v *storedErasure) error {
	page, err := bulkItems.List(u.ctx, u.tx, store.List[BulkItem]{Index: "bulk", After: v.Page, Limit: maxPage})
	if err != nil {
		return err
	}
	erased, err := u.erasedOf(page.Items)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, it := range page.Items {
		if !erased[it.Ticket] {
			continue
		}
		if it.Back.Title != nil || len(it.Back.Fields) > 0 {
			it.Back.Title, it.Back.Fields = nil, nil
			if err := bulkItems.Save(u.ctx, u.tx, &it); err != nil {
				return err
			}
		}
		if !done[it.Bulk] {
			if err := u.eraseBulk(it.Bulk); err != nil {
				return err
			}
		}
		done[it.Bulk] = true
	}
	v.next(page.Next, 0)
	return nil
}

// erasedOf says which tickets of bulk changes are erased.
func (u *unit) erasedOf(items []BulkItem) (map[ticket.ID]bool, error) {
	var of []string
	for _, it := range items {
		of = append(of, string(it.Ticket))
	}
	slices.Sort(of)
	found, err := tickets.GetAll(u.ctx, u.tx, slices.Compact(of)...)
	if err != nil {
		return nil, err
	}
	erased := map[ticket.ID]bool{}
	for _, t := range found {
		erased[t.ID] = t.Title == ticket.ErasedText
	}
	return erased, nil
}

// eraseBulk forgets the words of a bulk change that is over.
func (u *unit) eraseBulk(id string) error {
	b, err := bulks.Get(u.ctx, u.tx, id)
	if errors.Is(err, ErrNotFound) || err == nil && b.State == ErrandRunning {
		return nil
	}
	if err != nil || b.Change.Title == nil && len(b.Change.Fields) == 0 && b.Comment == nil {
		return err
	}
	b.Change.Title, b.Change.Fields, b.Comment = nil, nil, nil
	return bulks.Save(u.ctx, u.tx, &b)
}

// eraseRest drops what hangs on the persons themselves, and ends the erasure.
func (u *unit) eraseRest(v *storedErasure) error {
	had, err := u.erasedIdentities(*v)
	if err != nil {
		return err
	}
	for _, p := range v.Persons {
		if err := u.tx.Vault().DropOwner(u.ctx, ownerContact(p)); err != nil {
			return err
		}
	}
	for _, i := range had {
		for acct := range u.s.accounts {
			if err := u.eraseVisits(i, acct); err != nil {
				return err
			}
		}
	}
	if v.Beyond, err = u.beyond(*v, len(had) > 0); err != nil {
		return err
	}
	v.State, v.EndedAt, v.Sealed, v.Handed = ErrandDone, u.tx.Now(), nil, nil
	return u.scrubSoon()
}

// eraseVisits drops what an identity left at an account outside of conversations:
// what it wrote before it agreed, uploads that no message names, counts of what was
// sent to it.
func (u *unit) eraseVisits(i conversation.Identity, acct channel.AccountID) error {
	w, err := unagreeds.Get(u.ctx, u.tx, string(i.ID)+"/"+string(acct))
	if err == nil {
		for _, h := range w.Held {
			if err := u.forgetEnvelope(h.Envelope); err != nil {
				return err
			}
		}
		err = unagreeds.Delete(u.ctx, u.tx, &w)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	owner := visitorPrincipal(visitor.Ref{Workspace: string(u.tx.Workspace()), Account: acct, User: i.User}).keyOwner()
	left, err := uploads.List(u.ctx, u.tx, store.List[upload]{Tag: "owner", Value: store.Exact(owner), Limit: maxPage})
	if err != nil {
		return err
	}
	for _, up := range left.Items {
		u.released = append(u.released, up.Blob)
		if err := uploads.Delete(u.ctx, u.tx, &up); err != nil {
			return err
		}
	}
	return u.eraseSent(acct, i.User)
}

// eraseSent forgets how much was sent to a person without anybody's doing.
func (u *unit) eraseSent(acct channel.AccountID, user channel.ProviderUserID) error {
	sent, err := automaticSents.Get(u.ctx, u.tx, personSent(acct, user))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return automaticSents.Delete(u.ctx, u.tx, &sent)
}

// beyond lists what the library cannot reach. over says that the contact was on a
// channel.
func (u *unit) beyond(v storedErasure, over bool) (out []OutOfReach, err error) {
	if over {
		out = append(out, OutOfReach{What: "provider", Count: v.Messages})
	}
	if v.Notices > 0 {
		out = append(out, OutOfReach{What: "notices", Count: v.Notices})
	}
	if len(v.Handed) > 0 {
		out = append(out, OutOfReach{What: "handed_over", Count: len(v.Handed), Records: v.Handed})
	}
	files, until, err := backupsLeft(u.ctx, u.tx)
	if err != nil {
		return nil, err
	}
	if files > 0 {
		out = append(out, OutOfReach{What: "conversation_backup", Count: files, Until: until})
	}
	return append(out, OutOfReach{What: "plumbing", Until: u.tx.Now().Add(u.e.cfg.KeepRaw)}, OutOfReach{What: "database_backup"},
		OutOfReach{What: "others"}), nil
}

// backupsLeft counts the files of conversations that are there, and says when the
// last of them goes.
func backupsLeft(ctx context.Context, tx store.Tx) (n int, until time.Time, err error) {
	page, err := backups.List(ctx, tx, store.List[Backup]{Index: "at", From: store.Time(tx.Now().Add(-backupFor)), Limit: maxPage,
		Keep: func(b *Backup) bool { return b.State != ErrandFailed }})
	for _, b := range page.Items {
		if end := b.At.Add(backupFor); end.After(until) {
			until = end
		}
	}
	return len(page.Items), until, err
}
