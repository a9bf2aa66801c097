package sangdam

import (
	"context"
	"errors"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// What a message needs from the provider beside itself: names and pictures of
// people and groups. Attachments are in media.go.

const (
	jobProfile = "profile"
	jobChat    = "chat"
)

func init() {
	registerJob(jobKind{name: jobProfile, workers: 8, bound: requests(1), tries: jobTries}, (*Engine).fetchProfile, nil)
	registerJob(jobKind{name: jobChat, workers: 4, bound: requests(1), tries: jobTries}, (*Engine).fetchChat, nil)
}

// requests bounds a job that asks a provider so often, with time for the store.
func requests(n int) func(Config) time.Duration {
	return func(cfg Config) time.Duration { return time.Duration(n)*cfg.SendTimeout + cfg.Lease }
}

// profileFor is how long a fetched profile is good (line pages give none; a
// day keeps names fresh without a request per message).
const profileFor = 24 * time.Hour

// followUp enqueues what a message needs from the provider.
func (u *unit) followUp(acct channel.Account, c conversation.Conversation, m conversation.Message, i conversation.Identity) error {
	_, adapter, err := u.e.account(u.s, acct.ID)
	if err != nil {
		return err
	}
	if adapter.profiler != nil && i.ID != "" && u.tx.Now().Sub(i.ProfileAt) > profileFor {
		if err := u.enqueueJob(jobProfile, string(i.ID), profileJob{acct.ID, m.Chat, i.ID}); err != nil {
			return err
		}
	}
	group := m.Chat.Kind == channel.ChatGroup || m.Chat.Kind == channel.ChatRoom
	if adapter.chats != nil && group && u.tx.Now().Sub(c.ChatAt) > profileFor {
		if err := u.enqueueJob(jobChat, string(c.ID), chatJob{c.ID}); err != nil {
			return err
		}
	}
	if u.e.cfg.Blobs == nil {
		return nil // a job that nobody claims would only be looked at again and again
	}
	_, err = u.enqueueMedia(m, string(m.ID))
	return err
}

type profileJob struct {
	Account  channel.AccountID       `json:"account"`
	Chat     channel.Chat            `json:"chat"`
	Identity conversation.IdentityID `json:"identity"`
}

// fetchProfile asks the provider for a name and a picture.
func (e *Engine) fetchProfile(ctx context.Context, j *runningJob, p profileJob) error {
	acct, adapter, err := e.accountOf(ctx, j.Workspace, p.Account)
	if err != nil {
		return err
	}
	if adapter.profiler == nil {
		return nil
	}
	var i conversation.Identity
	err = e.db.View(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		i, err = tx.Contacts().IdentityByID(ctx, p.Identity)
		return err
	})
	if err != nil {
		return err
	}
	if i.Erased() { // nobody to ask about
		return nil
	}
	profile, err := adapter.Profile(ctx, acct, p.Chat, i.User)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return e.endWith(ctx, j, func(u *unit) error {
		stored, err := u.tx.Contacts().IdentityByID(u.ctx, p.Identity)
		if err != nil {
			return err
		}
		if stored.Erased() { // while the provider was asked
			return nil
		}
		i := u.identityOf(stored)
		i.ProfileAt = u.tx.Now()
		if profile.Name != "" {
			i.Name, i.Picture = profile.Name, profile.Picture
		}
		c, err := u.customer(i.Contact)
		if err != nil {
			return err
		}
		if !c.Known && profile.Name != "" && c.Name != profile.Name {
			c.Name, c.Picture = profile.Name, profile.Picture
		}
		return u.tell(driver.Event{Aggregate: "identity", ID: string(i.ID), Version: u.identityVersion(i.ID), Kind: "profile",
			Contact: c.ID, Desks: c.Desks})
	})
}

type chatJob struct {
	Conversation conversation.ID `json:"conversation"`
}

// fetchChat asks the provider for the name of the conversation's group.
func (e *Engine) fetchChat(ctx context.Context, j *runningJob, p chatJob) error {
	var cv conversation.Conversation
	err := e.db.View(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		cv, err = tx.Conversations().Conversation(ctx, p.Conversation)
		return err
	})
	if err != nil {
		return err
	}
	acct, adapter, err := e.accountOf(ctx, j.Workspace, cv.Account)
	if err != nil || adapter.chats == nil {
		return err
	}
	profile, err := adapter.ChatProfile(ctx, acct, cv.Chat)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return e.unit(ctx, system(j.Workspace), func(u *unit) error {
		d, err := u.conversation(cv.ID)
		if err != nil || d.C.Chat != cv.Chat {
			return err // it goes on elsewhere
		}
		d.SetChatProfile(profile)
		return nil
	})
}

// accountOf returns an account outside a transaction.
func (e *Engine) accountOf(ctx context.Context, ws id.Workspace, a channel.AccountID) (channel.Account, *guardedAdapter, error) {
	s, err := e.current(ctx, ws)
	if err != nil {
		return channel.Account{}, nil, err
	}
	return e.account(s, a)
}
