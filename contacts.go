package sangdam

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// SaveContact creates a contact (ID empty) or replaces its fields. A contact
// saved by a person is Known: profiles of channels no longer rename it (CV4).
type SaveContact struct {
	Key     Key                  `json:"-"`
	Contact conversation.Contact `json:"contact"`
	// Version is the one that was shown; 0 for a new contact. ErrStale when the
	// contact has changed since.
	Version int64 `json:"version"`
}

// ContactSaved is the result of commands on contacts.
type ContactSaved struct {
	Contact conversation.ContactID `json:"contact"`
	Version int64                  `json:"version"`
}

// SaveContact carries the command out.
func (e *Engine) SaveContact(ctx context.Context, p Principal, c SaveContact) (ContactSaved, error) {
	return command(ctx, e, p, c.Key, ActContact, c, func(u *unit) (ContactSaved, error) {
		want := c.Contact
		if err := u.allow(ActContact, Resource{Kind: "contact", ID: string(want.ID)}); err != nil {
			return ContactSaved{}, err
		}
		want.Known, want.MergedInto = true, ""
		if want.ID == "" {
			want.ID, want.Version, want.CreatedAt = conversation.ContactID(newID()), 0, u.tx.Now()
			u.resource.ID = string(want.ID)
		} else {
			old, err := u.tx.Contacts().Contact(u.ctx, want.ID)
			if err != nil {
				return ContactSaved{}, err
			}
			if old.Version != c.Version || old.MergedInto != "" {
				return ContactSaved{}, errs.New(errs.Stale, "sangdam: contact %s has changed; load it again", want.ID)
			}
			want.Version, want.CreatedAt = old.Version, old.CreatedAt
		}
		return u.savedContact(want, "saved")
	})
}

func (u *unit) savedContact(c conversation.Contact, kind string) (ContactSaved, error) {
	version, err := u.tx.Contacts().SaveContact(u.ctx, c)
	if err != nil {
		return ContactSaved{}, err
	}
	return ContactSaved{Contact: c.ID, Version: version}, u.event("contact", string(c.ID), version, kind)
}

// Contact returns a contact and its identities. A merged one leads to the one
// it is part of.
func (e *Engine) Contact(ctx context.Context, p Principal, id conversation.ContactID) (c conversation.Contact, is []conversation.Identity, err error) {
	err = e.query(ctx, p, ActRead, Resource{Kind: "contact", ID: string(id)}, func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		if c, err = living(ctx, tx, id); err != nil {
			return err
		}
		is, err = tx.Contacts().Identities(ctx, c.ID)
		return err
	})
	return c, is, err
}

// living follows merges to the contact that is left.
func living(ctx context.Context, tx driver.Tx, id conversation.ContactID) (conversation.Contact, error) {
	for range 100 { // merges never form a ring; the bound is for damaged data
		c, err := tx.Contacts().Contact(ctx, id)
		if err != nil || c.MergedInto == "" {
			return c, err
		}
		id = c.MergedInto
	}
	return conversation.Contact{}, errs.New(errs.NotFound, "sangdam: contact %s was merged in a ring", id)
}

// FindContacts finds contacts whose name, email or phone begins with the text.
func (e *Engine) FindContacts(ctx context.Context, p Principal, text string, limit int) (out []conversation.Contact, err error) {
	err = e.query(ctx, p, ActSearch, Resource{Kind: "contacts"}, func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		out, err = tx.Contacts().FindContacts(ctx, text, min(max(limit, 1), maxPage))
		return err
	})
	return out, err
}

// LinkIdentity says that an identity belongs to a contact (CV3, CV4): history
// and the open conversation follow. If it was the last identity of a contact
// that nobody had confirmed, that contact is merged into the other.
type LinkIdentity struct {
	Key      Key                     `json:"-"`
	Identity conversation.IdentityID `json:"identity"`
	Contact  conversation.ContactID  `json:"contact"`
}

// mergeChunk bounds how many conversations move in one transaction.
const mergeChunk = 20

// LinkIdentity carries the command out. Of two open conversations of one
// thread the older goes on; the messages of the other move there and it ends
// as merged, in the same transaction. Ended conversations follow in a job.
func (e *Engine) LinkIdentity(ctx context.Context, p Principal, c LinkIdentity) (ContactSaved, error) {
	return command(ctx, e, p, c.Key, ActContact, c, func(u *unit) (ContactSaved, error) {
		if err := u.allow(ActContact, Resource{Kind: "contact", ID: string(c.Contact)}); err != nil {
			return ContactSaved{}, err
		}
		i, err := u.tx.Contacts().IdentityByID(u.ctx, c.Identity)
		if err != nil {
			return ContactSaved{}, err
		}
		return u.link(i, c.Contact)
	})
}

// link gives an identity to a contact, with its open conversations.
func (u *unit) link(i conversation.Identity, contact conversation.ContactID) (ContactSaved, error) {
	repo := u.tx.Contacts()
	to, err := living(u.ctx, u.tx, contact)
	if err != nil {
		return ContactSaved{}, err
	}
	from := i.Contact
	if from == to.ID {
		return ContactSaved{Contact: to.ID, Version: to.Version}, nil
	}
	u.detail("identity", string(i.ID))
	u.detail("from", string(from))
	i.Contact = to.ID
	if _, err := repo.SaveIdentity(u.ctx, i); err != nil {
		return ContactSaved{}, err
	}
	rest, err := repo.Identities(u.ctx, from)
	if err != nil {
		return ContactSaved{}, err
	}
	if len(rest) == 0 {
		old, err := repo.Contact(u.ctx, from)
		if err != nil {
			return ContactSaved{}, err
		}
		if !old.Known { // a contact that a person made stays, without identities
			old.MergedInto = to.ID
			if _, err := u.savedContact(old, "merged"); err != nil {
				return ContactSaved{}, err
			}
		}
	}
	if err := u.moveOpen(from, to.ID, i.ID); err != nil {
		return ContactSaved{}, err
	}
	if err := u.enqueueJob(jobMove, string(i.ID)+"/"+string(from), moveJob{from, i.ID}); err != nil {
		return ContactSaved{}, err
	}
	to.Known = true
	return u.savedContact(to, "linked")
}

// moveOpen brings the identity's open conversations to the other contact.
func (u *unit) moveOpen(from, to conversation.ContactID, i conversation.IdentityID) error {
	open, _, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Contact: from,
		States: []conversation.State{conversation.StateOpen, conversation.StateActive, conversation.StateWaiting}}, "", mergeChunk)
	if err != nil {
		return err
	}
	for _, c := range open {
		if c.Identity != i {
			continue
		}
		if err := u.moveConversation(c, to); err != nil {
			return err
		}
	}
	return nil
}

// moveConversation gives a conversation to another contact, or merges it with
// the open one that has its thread there.
func (u *unit) moveConversation(c conversation.Conversation, to conversation.ContactID) error {
	stream := u.s.routing.WorkStreams[c.WorkStream]
	thread := conversation.ThreadKey(c.Chat, c.Account, to, c.WorkStream, stream.ThreadPerAccount)
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
	d := conversation.Edit(c, u.tx.Now())
	d.Link(to, thread, u.p.actor())
	return u.save(d)
}

// mergeConversations keeps the older conversation: the newer one's messages
// move there, whoever works on it is freed, and it ends as merged.
func (u *unit) mergeConversations(older, newer conversation.Conversation, to conversation.ContactID, thread string) error {
	gone := conversation.Edit(newer, u.tx.Now())
	if err := u.releaseWork(gone, routing.EndMerged, routing.ItemDone); err != nil {
		return err
	}
	messages, err := u.tx.Conversations().Messages(u.ctx, newer.ID, 0, maxPage)
	if err != nil {
		return err
	}
	if len(messages) == maxPage {
		return errs.New(errs.Invalid, "sangdam: conversation %s has too many messages to merge while open; close it first", newer.ID)
	}
	if err := gone.Merge(older.ID, u.p.actor()); err != nil {
		return err
	}
	if err := u.finish(gone); err != nil { // frees the thread key first
		return err
	}
	kept := conversation.Edit(older, u.tx.Now())
	kept.Link(to, thread, u.p.actor())
	for _, m := range messages {
		kept.Adopt(m)
	}
	if newer.LastCustomerAt.After(older.LastCustomerAt) { // answers go to who wrote last
		c := &kept.C
		c.Identity, c.Account, c.Chat, c.Channel, c.Reply = newer.Identity, newer.Account, newer.Chat, newer.Channel, newer.Reply
	}
	if err := u.takeOver(kept, newer, messages); err != nil {
		return err
	}
	return u.finish(kept)
}

// takeOver brings what the merged conversation's messages mean to the one that
// goes on: counters, the preview, and somebody who reads what was not answered.
func (u *unit) takeOver(kept *conversation.Draft, gone conversation.Conversation, messages []conversation.Message) error {
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

type moveJob struct {
	From     conversation.ContactID  `json:"from"`
	Identity conversation.IdentityID `json:"identity"`
}

// moveHistory brings ended conversations over, a chunk a transaction. A
// conversation that was moved no longer matches, so the first page is always
// the next one, unless nothing of it is to be moved.
func (e *Engine) moveHistory(ctx context.Context, j driver.Job) error {
	var m moveJob
	if err := json.Unmarshal(j.Payload, &m); err != nil {
		return err
	}
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
				if c.Identity != m.Identity || conversation.CanMove(c.State, conversation.StateWaiting) {
					continue // another identity's, or open: moved already
				}
				stream := u.s.routing.WorkStreams[c.WorkStream]
				d := conversation.Edit(c, u.tx.Now())
				d.Link(to, conversation.ThreadKey(c.Chat, c.Account, to, c.WorkStream, stream.ThreadPerAccount), "system")
				if err := u.save(d); err != nil {
					return err
				}
				moved++
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

// CustomerSummary returns a contact with identities and past conversations.
func (e *Engine) CustomerSummary(ctx context.Context, p Principal, id conversation.ContactID) (Summary, error) {
	var out Summary
	c, is, err := e.Contact(ctx, p, id)
	if err != nil {
		return out, err
	}
	page, err := e.Conversations(ctx, p, conversation.Filter{Contact: c.ID}, "", 50)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return Summary{Contact: c, Identities: is, Conversations: page.Conversations}, err
}
