package sangdam

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// SaveContact creates a contact (with an empty ID) or replaces its fields. From
// then on the contact is Known: the names in customers' profiles on channels no
// longer change its name (CV4).
type SaveContact struct {
	Key     Key                  `json:"-"`
	Contact conversation.Contact `json:"contact"`
	// Version is that of the contact as the caller read it, 0 for a new one.
	Version int64 `json:"version"`
}

// ContactSaved is the result of commands on contacts.
type ContactSaved struct {
	Contact conversation.ContactID `json:"contact"`
	Version int64                  `json:"version"`
}

// SaveContact carries the command out. ErrNotFound for a contact that the principal
// may not see, ErrStale for one that has changed since Version or was merged.
func (e *Engine) SaveContact(ctx context.Context, p Principal, c SaveContact) (ContactSaved, error) {
	return command(ctx, e, call{opSaveContact, p, c.Key, c}, func(u *unit) (ContactSaved, error) {
		want := c.Contact
		want.Known, want.MergedInto = true, ""
		if want.ID == "" {
			if err := u.allow(ActContact, Resource{Kind: kindContact}); err != nil {
				return ContactSaved{}, err
			}
			want.ID, want.Version, want.CreatedAt = conversation.ContactID(newID()), 0, u.tx.Now()
			u.resource.ID = string(want.ID)
			return u.withDesks(&u.keepContact(want).now, nil, want)
		}
		old, err := u.contact(want.ID, ActContact)
		if err != nil {
			return ContactSaved{}, err
		}
		if old.Version != c.Version || old.MergedInto != "" {
			return ContactSaved{}, errs.New(errs.Stale, "sangdam: contact %s has changed; load it again", want.ID)
		}
		if err := notErased(*old); err != nil {
			return ContactSaved{}, err
		}
		want.Version, want.CreatedAt = old.Version, old.CreatedAt
		return u.withDesks(old, old.Desks, want)
	})
}

// withDesks makes a contact what it is to be, with the desks that it had and those
// it was given: an agent shows a contact to its own desks alone, and one that it
// makes to all of them.
func (u *unit) withDesks(c *conversation.Contact, had []routing.DeskID, want conversation.Contact) (ContactSaved, error) {
	given := want.Desks
	if u.p.Kind == KindAgent {
		w, err := u.e.who(u.ctx, u.tx, u.s, u.p)
		if err != nil {
			return ContactSaved{}, err
		}
		given = slices.DeleteFunc(slices.Clone(given), func(d routing.DeskID) bool { return !w.On(d) })
		if want.Version == 0 && len(given) == 0 {
			given = w.Desks
		}
	}
	want.Desks = withDesk(had, given...)
	*c = want
	return u.tellContact(c, "saved"), nil
}

// contact is the unit's copy of a contact, for who has the right.
func (u *unit) contact(id conversation.ContactID, a Action) (*conversation.Contact, error) {
	c, err := u.customer(id)
	if errors.Is(err, ErrNotFound) {
		u.resource = Resource{Kind: kindContact, ID: string(id)}
		return c, noSuch(kindContact)
	}
	if err != nil {
		return c, err
	}
	u.rests(store.GuardContact, string(id), c.Version)
	return c, u.allow(a, contactResource(*c))
}

var qContact = asks("contact.read", "Contact", kindContact, ActRead)

// Contact returns a contact and its identities. The id of a contact that was
// merged into another one returns that other one.
func (e *Engine) Contact(ctx context.Context, p Principal, id conversation.ContactID) (c conversation.Contact, is []conversation.Identity,
	err error) {
	return e.contactOf(ctx, p, qContact, id)
}

func (e *Engine) contactOf(ctx context.Context, p Principal, op *Operation, id conversation.ContactID) (c conversation.Contact,
	is []conversation.Identity, err error) {
	err = e.readContact(ctx, p, op, id, func(ctx context.Context, tx store.Tx, found conversation.Contact) (err error) {
		c = found
		is, err = tx.Contacts().Identities(ctx, c.ID)
		return err
	})
	return c, is, err
}

// living follows merges to the contact that is left.
func living(ctx context.Context, tx store.Tx, id conversation.ContactID) (conversation.Contact, error) {
	for range 100 { // merges never form a ring; the bound is for damaged data
		c, err := tx.Contacts().Contact(ctx, id)
		if err != nil || c.MergedInto == "" {
			return c, err
		}
		id = c.MergedInto
	}
	return conversation.Contact{}, errs.New(errs.NotFound, "sangdam: contact %s was merged in a ring", id)
}

var qFindContacts = asks("contact.find", "FindContacts", "contacts", ActSearch)

// FindContacts finds contacts that the principal may see whose name or email
// begins with the text, or whose telephone number begins with its digits or
// ends with at least four of them, in any notation; at most limit (1 to 200),
// by name. Upper and lower case, full and half width, accents and the
// composition of Hangul make no difference. With an empty text a principal that
// sees all desks gets everybody, any other one nobody.
func (e *Engine) FindContacts(ctx context.Context, p Principal, text string, limit int) (out []conversation.Contact, err error) {
	limit = min(max(limit, 1), maxPage)
	err = e.query(ctx, p, qFindContacts, "", func(ctx context.Context, tx store.Tx, s *settings) error {
		out = nil
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		q := store.ContactQuery{Text: text, Show: func(id conversation.ContactID, desks []routing.DeskID) (bool, error) {
			return e.sees(ctx, w, contactResource(conversation.Contact{ID: id, Desks: desks}))
		}}
		if scope := e.policy.Scope(w, kindContact); scope.Limited {
			if strings.TrimSpace(text) == "" {
				return nil
			}
			q.Desks = listed(scope.Desks)
		}
		out, err = tx.Contacts().FindContacts(ctx, q, limit)
		return err
	})
	return out, err
}

// LinkIdentity says that an identity belongs to a contact (CV3, CV4). Its past
// and open conversations become the contact's. When it was the last identity of
// a contact that nobody had saved by hand, that contact is merged into the
// other one.
type LinkIdentity struct {
	Key      Key                     `json:"-"`
	Identity conversation.IdentityID `json:"identity"`
	Contact  conversation.ContactID  `json:"contact"`
}

// mergeChunk bounds how many conversations move in one transaction.
const mergeChunk = 20

// LinkIdentity carries the command out. When both contacts have an open
// conversation in one thread, the older one goes on: in the same transaction
// the newest 100 messages of the other move there, and the other ends as
// merged. Conversations that ended before are moved by a job in the background.
func (e *Engine) LinkIdentity(ctx context.Context, p Principal, c LinkIdentity) (ContactSaved, error) {
	return command(ctx, e, call{opLinkIdentity, p, c.Key, c}, func(u *unit) (ContactSaved, error) {
		to, err := u.contact(c.Contact, ActContact)
		if err != nil {
			return ContactSaved{}, err
		}
		i, err := u.tx.Contacts().IdentityByID(u.ctx, c.Identity)
		if errors.Is(err, ErrNotFound) {
			return ContactSaved{}, noSuch("identity")
		}
		if err != nil {
			return ContactSaved{}, err
		}
		if err := u.mayUnlink(i, to.ID); err != nil {
			return ContactSaved{}, err
		}
		return u.link(i, to.ID, "") // by hand: nobody proved that they are one person
	})
}

// mayUnlink asks for the right on the other side of a link: on the contact that
// the identity is taken from, and on every open conversation that would move or
// be joined, since whoever reads the one side reads the other afterwards.
func (u *unit) mayUnlink(i conversation.Identity, to conversation.ContactID) error {
	from, err := living(u.ctx, u.tx, i.Contact)
	if err != nil {
		return err
	}
	if from.ID == to {
		return nil
	}
	asked := u.resource
	defer func() { u.resource = asked }() // the audit row names the contact that is linked to
	if err := u.allow(ActContact, contactResource(from)); errors.Is(err, ErrNotFound) {
		return noSuch("identity")
	} else if err != nil {
		return err
	}
	u.rests(store.GuardContact, string(from.ID), from.Version)
	target, err := living(u.ctx, u.tx, to)
	if err != nil {
		return err
	}
	return u.eachOpen(i.Contact, i.ID, func(c conversation.Conversation) error {
		if err := u.allow(ActContact, conversationResource(c)); err != nil {
			return err
		}
		there, _, err := u.tx.Conversations().ByThread(u.ctx, u.threadOf(c, target.ID))
		if err != nil || there == nil {
			return err
		}
		return u.allow(ActContact, conversationResource(*there))
	})
}

// threadOf is the conversation's thread key as the contact's.
func (u *unit) threadOf(c conversation.Conversation, contact conversation.ContactID) string {
	return u.s.thread(c.Chat, c.Account, c.WorkStream, contact)
}

// proved is link for an identity whose person is proved to be the contact.
func (u *unit) proved(i conversation.Identity, contact conversation.ContactID) (ContactSaved, error) {
	to, err := living(u.ctx, u.tx, contact)
	if err != nil {
		return ContactSaved{}, err
	}
	if i.Contact == to.ID && i.VerifiedAs != to.ID {
		u.identityOf(i).VerifiedAs = to.ID
		return ContactSaved{Contact: to.ID, Version: to.Version}, nil
	}
	return u.link(i, to.ID, to.ID)
}

// link gives an identity to a contact, with its open conversations, and says as
// whom it is proved.
func (u *unit) link(i conversation.Identity, contact, verified conversation.ContactID) (ContactSaved, error) {
	repo := u.tx.Contacts()
	to, err := living(u.ctx, u.tx, contact)
	if err != nil {
		return ContactSaved{}, err
	}
	from := i.Contact
	if from == to.ID {
		return ContactSaved{Contact: to.ID, Version: to.Version}, nil
	}
	if err := notErased(to); err != nil || i.Erased() {
		return ContactSaved{}, cmpErr(err, noSuch("identity"))
	}
	u.detail("identity", string(i.ID))
	u.detail("from", string(from))
	own := u.identityOf(i)
	own.Contact, own.VerifiedAs = to.ID, verified
	rest, err := repo.Identities(u.ctx, from)
	if err != nil {
		return ContactSaved{}, err
	}
	if len(rest) == 0 {
		if err := u.mergeInto(from, to.ID); err != nil {
			return ContactSaved{}, err
		}
	}
	if err := u.moveOpen(from, to.ID, i.ID); err != nil {
		return ContactSaved{}, err
	}
	if err := u.enqueueJob(jobMove, string(i.ID)+"/"+string(from), moveJob{from, i.ID}); err != nil {
		return ContactSaved{}, err
	}
	c := u.customerOf(to)
	c.Known, c.Desks = true, withDesk(c.Desks, i.Desks...)
	return u.tellContact(c, "linked"), nil
}

// mergeInto leads from a contact that has no identity left to another; one that a
// person made stays.
func (u *unit) mergeInto(from, to conversation.ContactID) error {
	old, err := u.customer(from)
	if err != nil {
		return err
	}
	if !old.Known {
		old.MergedInto = to
		u.tellContact(old, "merged")
	}
	return nil
}

// notErased refuses what would make an erased contact somebody again.
func notErased(c conversation.Contact) error {
	if c.ErasedAt.IsZero() {
		return nil
	}
	return errs.New(errs.Unsupported, "sangdam: contact %s was erased; save a new one instead", c.ID)
}

// moveOpen brings the identity's open conversations to the other contact.
func (u *unit) moveOpen(from, to conversation.ContactID, i conversation.IdentityID) error {
	return u.eachOpen(from, i, func(c conversation.Conversation) error { return u.moveConversation(c, to) })
}

// eachOpen calls fn with the open conversations of a contact in which the
// identity wrote last.
func (u *unit) eachOpen(of conversation.ContactID, i conversation.IdentityID, fn func(conversation.Conversation) error) error {
	open, _, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Contact: of,
		States: conversation.ThreadHolders()}, "", maxPage)
	if err != nil {
		return err
	}
	for _, c := range open {
		if c.Identity != i {
			continue
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

// moveConversation gives a conversation to another contact, or merges it with
// the open one that has its thread there.
func (u *unit) moveConversation(c conversation.Conversation, to conversation.ContactID) error {
	thread := u.threadOf(c, to)
	if !c.State.HoldsThread() { // ended: any number of them may have the thread
		u.conversationOf(c).Link(to, thread, u.p.actor())
		return nil
	}
	there, _, err := u.tx.Conversations().ByThread(u.ctx, thread)
	if err != nil {
		return err
	}
	if there != nil && there.ID != c.ID {
		older, newer := *there, c
		if newer.OpenedAt.Before(older.OpenedAt) {
			older, newer = newer, older
		}
		return u.mergeConversations(older, newer, to, thread)
	}
	u.conversationOf(c).Link(to, thread, u.p.actor())
	return nil
}

// mergedMessages is how many messages a merge moves; earlier ones stay where
// they are, as a former part. So a link is never too large for its transaction.
const mergedMessages = 100

// mergeConversations keeps the older conversation: the newer one's newest
// messages move there, whoever works on it is freed, and it ends as merged.
func (u *unit) mergeConversations(older, newer conversation.Conversation, to conversation.ContactID, thread string) error {
	gone, kept := u.conversationOf(newer), u.conversationOf(older)
	if err := u.releaseWork(gone, routing.EndMerged, routing.ItemDone); err != nil {
		return err
	}
	messages, err := u.tx.Conversations().Latest(u.ctx, newer.ID, 0, mergedMessages+1)
	if err != nil {
		return err
	}
	rest := len(messages) > mergedMessages
	if rest {
		messages = messages[1:]
	}
	if err := gone.Merge(older.ID, u.p.actor()); err != nil {
		return err
	}
	kept.Link(to, thread, u.p.actor())
	if rest {
		kept.C.Former = append(kept.C.Former, newer.ID)
	}
	kept.C.Merged = slices.Concat(kept.C.Merged, []conversation.ID{newer.ID}, gone.C.Merged)
	for _, m := range messages {
		kept.Adopt(m)
	}
	if newer.LastCustomerAt.After(older.LastCustomerAt) { // answers go to who wrote last
		c := &kept.C
		c.Identity, c.Account, c.Chat, c.Channel, c.Reply = newer.Identity, newer.Account, newer.Chat, newer.Channel, newer.Reply
	}
	return u.takeOver(kept, newer, messages)
}

// takeOver brings what the merged conversation's messages mean to the one that
// goes on: counters, the preview, and somebody who reads what was not answered.
func (u *unit) takeOver(kept *draft.Draft, gone conversation.Conversation, messages []conversation.Message) error {
	var last conversation.Message
	answered := false
	for _, m := range messages {
		if m.Direction == conversation.Internal {
			continue
		}
		last = m
		answered = answered || m.Author.Kind == conversation.ByAgent
	}
	if last.ID != "" {
		kept.C.Preview = conversation.Preview(last.Content)
	}
	if answered {
		kept.C.Unread, kept.C.Handled = 0, true
	}
	kept.C.Unread += gone.Unread
	switch {
	case gone.Unread == 0:
		return nil
	case kept.C.Control == conversation.ControlBot:
		return u.askBot(kept)
	case kept.C.State == conversation.StateWaiting:
		acct, _, err := u.e.account(u.s, kept.C.Account)
		if err != nil {
			return err
		}
		return u.resume(acct, kept, last)
	}
	return nil
}

const jobMove = "move_history"

func init() {
	registerJob(jobKind{name: jobMove, workers: 2, bound: always(15 * time.Minute), tries: jobTries}, (*Engine).moveHistory, nil)
}

type moveJob struct {
	From     conversation.ContactID  `json:"from"`
	Identity conversation.IdentityID `json:"identity"`
}

// moveHistory brings ended conversations over, a chunk a transaction. A
// conversation that was moved no longer matches, so the first page is always
// the next one, unless nothing of it is to be moved.
func (e *Engine) moveHistory(ctx context.Context, j *runningJob, m moveJob) error {
	page := ""
	for {
		var next string
		moved := 0
		err := e.unit(ctx, system(j.Workspace), func(u *unit) error {
			moved = 0
			// To whom it belongs now: it may have been linked again meanwhile.
			identity, err := u.tx.Contacts().IdentityByID(u.ctx, m.Identity)
			if err != nil {
				return err
			}
			to := identity.Contact
			if to == m.From {
				return nil // linked back
			}
			list, n, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Contact: m.From}, page, mergeChunk)
			if err != nil {
				return err
			}
			next = n
			for _, c := range list {
				if c.Identity != m.Identity {
					continue
				}
				if err := u.moveConversation(c, to); err != nil {
					return err
				}
				moved++
			}
			if moved > 0 {
				return u.eraseMoved(to)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if moved > 0 {
			page = "" // the list has changed under the page
			continue
		}
		if page = next; page == "" {
			return nil
		}
	}
}

// Summary is what an agent sees of a customer (CV4).
type Summary struct {
	Contact       conversation.Contact        `json:"contact"`
	Identities    []conversation.Identity     `json:"identities"`
	Conversations []conversation.Conversation `json:"conversations"` // newest first, at most 50
}

var qCustomerSummary = asks("contact.summary", "CustomerSummary", kindContact, ActRead)

// CustomerSummary returns a contact with identities and past conversations.
func (e *Engine) CustomerSummary(ctx context.Context, p Principal, id conversation.ContactID) (Summary, error) {
	var out Summary
	c, is, err := e.contactOf(ctx, p, qCustomerSummary, id)
	if err != nil {
		return out, err
	}
	page, err := e.Conversations(ctx, p, conversation.Filter{Contact: c.ID}, "", 50)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return Summary{Contact: c, Identities: listed(is), Conversations: listed(page.Conversations)}, err
}
