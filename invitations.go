package sangdam

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// Who signs in is the host's. What the library keeps is the invitation by which
// an agent comes to a log-in of its own there (RT9): a link that works once and
// not for ever.

// invitation is the one of an agent; a newer one takes its place. The token is
// kept as a hash, so that whoever reads the database cannot use it.
type invitation struct {
	Agent   routing.AgentID `json:"agent"`
	Version int64           `json:"version"`
	Hash    string          `json:"hash"`
	By      string          `json:"by"`
	Expires time.Time       `json:"expires"`
}

var invitations = declare(store.Kind[invitation]{Name: "invitation",
	ID: func(i *invitation) string { return string(i.Agent) }, Version: func(i *invitation) *int64 { return &i.Version },
	Indexes: []store.Index[invitation]{{Name: listedName, Value: func(i *invitation) []byte { return store.Text(string(i.Agent)) }}},
	Unique:  []store.Index[invitation]{{Name: "hash", Value: func(i *invitation) []byte { return store.Text(i.Hash) }}}})

// How long an invitation works.
const (
	invitedFor    = 72 * time.Hour
	maxInvitedFor = 30 * 24 * time.Hour
)

// InviteAgent makes an invitation for an agent that is stored already
// (SaveAgent). An earlier invitation of the agent stops working.
type InviteAgent struct {
	Key   Key             `json:"-"`
	Agent routing.AgentID `json:"agent"`
	// For is how long the invitation works, at most 30 days; 0 means 3 days.
	For time.Duration `json:"for,omitempty"`
	// Mail, if given, is the target of mail through which the invitation is
	// sent to the agent's address. The mail has Title, Text and the address
	// Link with the token at its end. The log of deliveries keeps the mail for
	// 30 days.
	Mail  notify.TargetID `json:"mail,omitempty"`
	Title string          `json:"title,omitempty"`
	Text  string          `json:"text,omitempty"`
	Link  string          `json:"link,omitempty"`
}

// Invitation is an invitation for an agent. Token is filled only in the result
// of InviteAgent, since only its digest is stored.
type Invitation struct {
	Agent   routing.AgentID `json:"agent"`
	Token   string          `json:"-"`
	By      string          `json:"by,omitempty"`
	Expires time.Time       `json:"expires,omitzero"`
}

var (
	opInviteAgent = acts("agent.invite", "InviteAgent", kindAgent, ActConfigure)
	opUninvite    = acts("agent.uninvite", "UninviteAgent", kindAgent, ActConfigure)
	opJoinAgent   = acts("agent.join", "JoinAgent", kindAgent, ActConfigure)
)

// InviteAgent carries the command out. ErrInvalid for an agent who is disabled,
// or who has no mail address when Mail is given. A repeat with the same Key is
// ErrStale, because the token is not stored and cannot be given a second time:
// invite again with a fresh Key.
func (e *Engine) InviteAgent(ctx context.Context, p Principal, c InviteAgent) (Invitation, error) {
	token := rand.Text()
	out, repeated, err := once(ctx, e, call{opInviteAgent, p, c.Key, c}, func(u *unit) (Invitation, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindAgent, ID: string(c.Agent)}); err != nil {
			return Invitation{}, err
		}
		if c.For < 0 || c.For > maxInvitedFor {
			return Invitation{}, errs.New(errs.Invalid, "sangdam: an invitation works for at most %s", maxInvitedFor)
		}
		a, err := u.tx.Agents().Agent(u.ctx, c.Agent)
		if err != nil {
			return Invitation{}, err
		}
		if a.Disabled {
			return Invitation{}, errs.New(errs.Invalid, "sangdam: agent %s is disabled; enable it before it is invited", a.ID)
		}
		i, err := invitations.Get(u.ctx, u.tx, string(a.ID))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Invitation{}, err
		}
		span := c.For
		if span == 0 {
			span = invitedFor
		}
		i.Agent, i.Hash, i.By, i.Expires = a.ID, invitationHash(token), u.p.actor(), u.tx.Now().Add(span)
		if err := invitations.Save(u.ctx, u.tx, &i); err != nil {
			return Invitation{}, err
		}
		return Invitation{Agent: a.ID, By: i.By, Expires: i.Expires}, u.mailInvitation(a, c, token)
	})
	switch {
	case err != nil:
		return Invitation{}, err
	case repeated:
		return Invitation{},
			errs.New(errs.Stale, "sangdam: the invitation of this key was made, and its token is known once; invite again with a fresh key")
	}
	out.Token = token
	return out, nil
}

// mailInvitation sends the link, where a target is named.
func (u *unit) mailInvitation(a routing.Agent, c InviteAgent, token string) error {
	if c.Mail == "" {
		return nil
	}
	if a.Email == "" {
		return errs.New(errs.Invalid, "sangdam: agent %s has no mail address to invite it by", a.ID)
	}
	if _, err := u.usable(c.Mail); err != nil {
		return err
	}
	_, err := u.deliver(Delivery{Target: c.Mail, Notice: notify.Notice{ID: newID(), Event: "agent.invited",
		Subject: "agent:" + string(a.ID),
		At:      u.tx.Now(), To: notify.Recipient{Name: a.Name, Address: a.Email}, Title: c.Title, Text: c.Text, Link: c.Link + token}})
	return err
}

func invitationHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// UninviteAgent takes an agent's invitation back.
type UninviteAgent struct {
	Key   Key             `json:"-"`
	Agent routing.AgentID `json:"agent"`
}

// UninviteAgent carries the command out. When there is no invitation it changes
// nothing.
func (e *Engine) UninviteAgent(ctx context.Context, p Principal, c UninviteAgent) error {
	_, err := command(ctx, e, call{opUninvite, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindAgent, ID: string(c.Agent)}); err != nil {
			return struct{}{}, err
		}
		i, err := invitations.Get(u.ctx, u.tx, string(c.Agent))
		if errors.Is(err, ErrNotFound) {
			return struct{}{}, nil
		}
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, invitations.Delete(u.ctx, u.tx, &i)
	})
	return err
}

// JoinAgent uses an invitation up. The host sends it once the invited person
// has chosen a way to log in; an invitation works for one such call only.
type JoinAgent struct {
	Key   Key    `json:"-"`
	Token string `json:"token"`
}

// JoinAgent carries the command out and says whose invitation it was. ErrNotFound
// for a token that was used, replaced or never given, ErrStale for one that is
// too old or whose agent is disabled by now.
func (e *Engine) JoinAgent(ctx context.Context, p Principal, c JoinAgent) (Invitation, error) {
	return command(ctx, e, call{opJoinAgent, p, c.Key, c}, func(u *unit) (Invitation, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindAgent}); err != nil {
			return Invitation{}, err
		}
		i, err := e.invited(u.ctx, u.tx, c.Token)
		if err != nil {
			return Invitation{}, err
		}
		u.resource.ID = string(i.Agent)
		return Invitation{Agent: i.Agent, By: i.By, Expires: i.Expires}, invitations.Delete(u.ctx, u.tx, &i)
	})
}

// invited finds an invitation that can be used.
func (e *Engine) invited(ctx context.Context, tx store.Tx, token string) (invitation, error) {
	i, err := invitations.ByKey(ctx, tx, "hash", store.Text(invitationHash(token)))
	if errors.Is(err, ErrNotFound) {
		return i, errs.New(errs.NotFound, "sangdam: there is no such invitation, or it was used")
	}
	if err != nil {
		return i, err
	}
	a, err := tx.Agents().Agent(ctx, i.Agent)
	if err != nil {
		return i, err
	}
	if a.Disabled || tx.Now().After(i.Expires) {
		return i, errs.New(errs.Stale, "sangdam: the invitation is over; ask an administrator for a new one")
	}
	return i, nil
}

var qInvited = asks("invitation.read", "Invited", kindAgent, ActConfigure).wide(wideAgents)

// Invited says whose invitation a token is, without using it up. Errors are
// those of JoinAgent.
func (e *Engine) Invited(ctx context.Context, p Principal, token string) (out Invitation, err error) {
	err = e.query(ctx, p, qInvited, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		i, err := e.invited(ctx, tx, token)
		out = Invitation{Agent: i.Agent, By: i.By, Expires: i.Expires}
		return err
	})
	return out, err
}

var qInvitations = asks("invitation.list", "Invitations", "agents", ActConfigure).wide(wideAgents)

// Invitations lists the invitations that can still be used, in the order of the
// agents' ids. It needs ActConfigure.
func (e *Engine) Invitations(ctx context.Context, p Principal) (out []Invitation, err error) {
	err = e.query(ctx, p, qInvitations, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		all, err := allOf(ctx, tx, invitations, nil)
		out = []Invitation{}
		for _, i := range all {
			if tx.Now().Before(i.Expires) {
				out = append(out, Invitation{Agent: i.Agent, By: i.By, Expires: i.Expires})
			}
		}
		return err
	})
	return out, err
}
