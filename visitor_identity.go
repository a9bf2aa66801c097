package sangdam

import (
	"context"
	"maps"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// customerID is the attribute of a contact that holds the host's own id of it.
const customerID = "customer_id"

// Identify makes the visitor's contact a known one, with what the host vouches
// for, and brings what the same browser said before it was known to it.
func (p visitorPort) Identify(ctx context.Context, v visitor.Ref, who visitor.Profile,
	anonymous channel.ProviderUserID) error {
	if who.Subject == "" || len(who.Subject)+len(who.Name)+len(who.Email)+len(who.Phone)+len(who.PictureURL) > 4000 {
		return errs.New(errs.Invalid, "sangdam: a visitor is identified by a subject, with at most 4000 bytes in all")
	}
	_, err := visit(ctx, p.e, v, call{op: opVisitorIdentify, body: who}, func(u *unit, acct channel.Account) (struct{}, error) {
		i, err := u.identity(acct, adapter.Author{User: v.User, Name: who.Name})
		if err != nil {
			return struct{}{}, err
		}
		u.resource = Resource{Kind: kindContact, ID: string(i.Contact)}
		if _, err := u.proved(i, i.Contact); err != nil {
			return struct{}{}, err
		}
		if err := u.vouched(i, who); err != nil || anonymous == "" || anonymous == v.User {
			return struct{}{}, err
		}
		return struct{}{}, u.wasBefore(acct, i, anonymous)
	})
	return err
}

// vouched writes what the host says of the contact, if it says anything new.
func (u *unit) vouched(i conversation.Identity, who visitor.Profile) error {
	c, err := living(u.ctx, u.tx, i.Contact)
	if err != nil {
		return err
	}
	was := c
	c.Known = true // on a copy: who comes back says the same again
	for _, f := range []struct {
		to   *string
		from string
	}{{&c.Name, who.Name}, {&c.Email, who.Email}, {&c.Phone, who.Phone}, {&c.Language, who.Language}, {&c.Picture, who.PictureURL}} {
		if from := strings.TrimSpace(f.from); from != "" {
			*f.to = from
		}
	}
	c.Attributes = maps.Clone(c.Attributes)
	if c.Attributes == nil {
		c.Attributes = map[string]string{}
	}
	c.Attributes[customerID] = who.Subject
	same := was.Known && c.Name == was.Name && c.Email == was.Email && c.Phone == was.Phone && c.Language == was.Language &&
		c.Picture == was.Picture && was.Attributes[customerID] == who.Subject
	if same {
		return nil
	}
	own := u.customerOf(was)
	*own = c
	u.tellContact(own, "identified")
	return nil
}

// wasBefore links the anonymous visitor of the same browser. One that belongs to
// a known contact already is somebody else's: two people share the browser.
func (u *unit) wasBefore(acct channel.Account, i conversation.Identity, anonymous channel.ProviderUserID) error {
	before, err := identityOf(u.ctx, u.tx, acct, anonymous)
	if err != nil || before == nil || before.Contact == i.Contact {
		return err
	}
	of, err := living(u.ctx, u.tx, before.Contact)
	if err != nil || of.Known {
		return err
	}
	_, err = u.proved(*before, i.Contact)
	return err
}
