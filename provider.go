package sangdam

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/seal"
)

func init() {
	registerDeadline(dueLink, deadlineKind{run: thenCleared(dueLink, func(u *unit, id string) error {
		return u.tx.Vault().DropOwner(u.ctx, id) // a link that nobody finished
	})})
}

// Outlook is what an agent is shown about a message before sending it.
type Outlook struct {
	// Level says how well the channel carries the content, Note what is lost.
	Level adapter.Level `json:"level"`
	Note  string        `json:"note,omitempty"`
	// Route is the way that the message would take now, such as a free reply or
	// a push, and Metered says that it counts against the provider's quota.
	Route   string `json:"route,omitempty"`
	Metered bool   `json:"metered,omitempty"`
	// ReplyUntil is when the free route ends; zero when there is no free route.
	ReplyUntil time.Time `json:"reply_until,omitzero"`
	// Refused says why it cannot be sent at all; empty when it can.
	Refused string `json:"refused,omitempty"`
}

var qPreview = asks("conversation.preview", "Preview", kindConversation, ActRead)

// Preview says how a channel would carry an answer, by which route and at what
// cost, without sending it.
func (e *Engine) Preview(ctx context.Context, p Principal, id conversation.ID, content channel.Content) (Outlook, error) {
	var out Outlook
	err := e.read(ctx, p, qPreview, id, func(ctx context.Context, tx store.Tx, cv conversation.Conversation) error {
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		acct, ad, err := e.account(s, cv.Account)
		if err != nil {
			return err
		}
		caps := ad.Capabilities()
		out = Outlook{Level: caps.Send[content.Kind], Note: caps.Limits[content.Kind].Note}
		if cv.Reply != nil && tx.Now().Before(cv.Reply.Expires) {
			out.ReplyUntil = cv.Reply.Expires
		}
		u := &unit{e: e, ctx: ctx, tx: tx, s: s, p: p}
		if content, _, err = u.quoted(cv, content); err != nil {
			out.Refused = err.Error()
			return nil
		}
		if content, err = u.withUploads(cv, content, false); err != nil {
			out.Refused = err.Error()
			return nil
		}
		if err := u.canSend(cv, content); err != nil {
			out.Refused = err.Error()
			return nil
		}
		state, err := u.chatState(acct.ID, cv.Chat)
		if err != nil {
			return err
		}
		at, err := ad.Plan(acct, []adapter.Outbound{{To: cv.Chat, Content: content, Reply: cv.Reply, State: state.State}}, tx.Now())
		if err != nil {
			out.Refused = err.Error()
			return nil
		}
		out.Route, out.Metered = at.Route, caps.Routes[at.Route].Metered
		return nil
	})
	return out, err
}

// provider loads what a call to the conversation's provider needs, for who may read
// it and has the second right of the call, too.
func (e *Engine) provider(ctx context.Context, p Principal, op *Operation, id conversation.ID) (acct channel.Account, ad *guardedAdapter,
	cv conversation.Conversation, err error) {
	err = e.read(ctx, p, op, id, func(ctx context.Context, tx store.Tx, found conversation.Conversation) error {
		cv = found
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		w, err := e.who(ctx, tx, s, p)
		if err != nil {
			return err
		}
		if err := e.permit(ctx, w, op.Actions[1], conversationResource(cv)); err != nil {
			return err
		}
		acct, ad, err = e.account(s, cv.Account)
		return err
	})
	return acct, ad, cv, err
}

var qShowTyping = asks("conversation.show_typing", "ShowTyping", kindConversation, ActRead, ActAnswer)

// ShowTyping shows that the principal is writing an answer: to everybody who
// follows the conversation, and to the customer where the channel can; d is how
// long the provider is asked to show it. ErrUnsupported when the channel
// cannot; the followers see it all the same. Call it again every few seconds
// while the agent writes.
func (e *Engine) ShowTyping(ctx context.Context, p Principal, id conversation.ID, d time.Duration) error {
	acct, adapter, cv, err := e.provider(ctx, p, qShowTyping, id)
	if err != nil {
		return err
	}
	err = e.unit(ctx, p, func(u *unit) error {
		u.types(cv, "agent")
		return nil
	})
	if err != nil {
		return err
	}
	if adapter.typing == nil {
		return errs.New(errs.Unsupported, "sangdam: %s shows no typing", acct.Kind)
	}
	return adapter.ShowTyping(ctx, acct, cv.Chat, d)
}

var qMarkRead = asks("conversation.mark_read", "MarkRead", kindConversation, ActRead, ActAnswer)

// MarkRead records that an agent has read the conversation
// (Conversation.ReadSeq) and shows that to the customer. ErrUnsupported when
// the channel cannot show it; it is recorded all the same.
func (e *Engine) MarkRead(ctx context.Context, p Principal, id conversation.ID) error {
	acct, adapter, cv, err := e.provider(ctx, p, qMarkRead, id)
	if err != nil {
		return err
	}
	if err := e.readByDesk(ctx, p, cv.ID); err != nil {
		return err
	}
	if adapter.marker == nil {
		return errs.New(errs.Unsupported, "sangdam: %s takes no read marks", acct.Kind)
	}
	var messages []conversation.Message
	err = e.db.View(ctx, p.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		messages, err = tx.Conversations().Latest(ctx, cv.ID, 0, maxPage)
		return err
	})
	if err != nil {
		return err
	}
	for i := len(messages) - 1; i >= 0; i-- {
		if h := messages[i].ReadHandle; h != "" {
			return adapter.MarkRead(ctx, acct, h)
		}
	}
	return nil
}

var qCheckAccount = asks("account.check", "CheckAccount", kindAccount, ActConfigure).wide(wideSetUp)

// CheckAccount asks the provider about an account and returns in words what is
// wrong with it: the token, the bot, the webhook address. callbackURL is the
// address to which the provider should send the account's webhooks; empty: it is
// not known, which is then said.
func (e *Engine) CheckAccount(ctx context.Context, p Principal, id channel.AccountID, callbackURL string) ([]adapter.Finding, error) {
	var acct channel.Account
	var adapter *guardedAdapter
	err := e.query(ctx, p, qCheckAccount, string(id),
		func(_ context.Context, _ store.Tx, s *settings) (err error) {
			acct, adapter, err = e.account(s, id)
			return err
		})
	if err != nil {
		return nil, err
	}
	if adapter.checker == nil {
		return nil, errs.New(errs.Unsupported, "sangdam: %s accounts cannot be checked", acct.Kind)
	}
	return adapter.Check(ctx, acct, callbackURL)
}

var qInvite = asks("account.invitation", "Invite", kindAccount, ActRead).wide(wideSetUp)

// Invite returns the address by which customers reach an account and, with a
// size of 64 to 2048 pixels, that address as a QR picture; size 0 makes no
// picture. Whoever may see the account may call it. ErrUnsupported for a
// channel without such addresses. It asks the provider; since the address
// hardly ever changes, the host may keep it.
func (e *Engine) Invite(ctx context.Context, p Principal, id channel.AccountID, size int) (channel.Invitation, error) {
	var acct channel.Account
	var adapter *guardedAdapter
	var s *settings
	err := e.inquire(ctx, p, qInvite, func(ctx context.Context, tx store.Tx) (r Resource, _ *settings, err error) {
		if s, err = e.fresh(ctx, tx); err != nil {
			return r, nil, err
		}
		return s.accountResource(id), s, nil
	}, func(context.Context, store.Tx, Who) (err error) {
		acct, adapter, err = e.account(s, id)
		return err
	})
	if err != nil {
		return channel.Invitation{}, err
	}
	if adapter.inviter == nil {
		return channel.Invitation{}, errs.New(errs.Unsupported, "sangdam: %s accounts have no address that invites customers", acct.Kind)
	}
	return adapter.Invite(ctx, acct, size)
}

// linkFor is how long an account link may take from BeginLink to the
// provider's event.
const linkFor = time.Hour

// linkKept is how long a link that nobody finishes is kept: longer than it
// works, so that who comes late is told so.
const linkKept = 24 * time.Hour

var qConnectAccount = asks("account.connect", "ConnectAccount", kindAccount, ActConfigure).wide(wideSetUp)

// ConnectAccount tells the provider to send the account's webhooks to
// callbackURL instead of the address that is set there now; CheckAccount says
// which that is. ErrUnsupported when the provider cannot be told by a call.
func (e *Engine) ConnectAccount(ctx context.Context, p Principal, id channel.AccountID, callbackURL string) error {
	var acct channel.Account
	var adapter *guardedAdapter
	err := e.query(ctx, p, qConnectAccount, string(id),
		func(_ context.Context, _ store.Tx, s *settings) (err error) {
			acct, adapter, err = e.account(s, id)
			return err
		})
	if err != nil {
		return err
	}
	if adapter.connect == nil {
		return errs.New(errs.Unsupported, "sangdam: the address of %s accounts is set at the provider by hand", acct.Kind)
	}
	return adapter.SetEndpoint(ctx, acct, callbackURL)
}

// BeginLink makes the nonce of an account link for a contact that the host has
// authenticated (LINE: after log-in, redirect with this nonce). When the
// provider reports the nonce, the customer's identity is linked to the contact.
// A nonce works once, for an hour, and cannot be guessed.
type BeginLink struct {
	Key     Key                    `json:"-"`
	Contact conversation.ContactID `json:"contact"`
}

// BeginLink carries the command out. A repeat with the same Key returns the
// same nonce while it can still be used, and ErrStale afterwards.
func (e *Engine) BeginLink(ctx context.Context, p Principal, c BeginLink) (nonce string, err error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	nonce = base64.RawURLEncoding.EncodeToString(raw[:])
	owner, repeated, err := once(ctx, e, call{opBeginLink, p, c.Key, c}, func(u *unit) (string, error) {
		if _, err := u.contact(c.Contact, ActContact); err != nil {
			return "", err
		}
		owner := linkOwner(nonce)
		plain, err := json.Marshal(pendingLink{Contact: c.Contact, At: u.tx.Now(), Nonce: nonce})
		if err != nil {
			return "", err
		}
		sealed, err := e.cfg.Sealer.Seal(u.ctx, linkAD(p.Workspace, owner), plain)
		if err != nil {
			return "", err
		}
		if err := u.tx.Deadlines().Set(u.ctx, dueLink, owner, u.tx.Now().Add(linkKept)); err != nil {
			return "", err
		}
		return owner, u.tx.Vault().AddSealed(u.ctx, owner, "link", sealed)
	})
	if err != nil {
		return "", err
	}
	if repeated {
		return e.begunLink(ctx, p.Workspace, owner)
	}
	return nonce, nil
}

// begunLink returns the nonce of a link that waits for the provider. What is
// kept with the command's key is only where the nonce is sealed.
func (e *Engine) begunLink(ctx context.Context, ws WorkspaceID, owner string) (string, error) {
	var pending pendingLink
	err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		sealed, err := tx.Vault().Sealed(ctx, owner, "link")
		if err != nil {
			return err
		}
		plain, err := e.cfg.Sealer.Open(ctx, linkAD(ws, owner), sealed)
		if err != nil {
			return err
		}
		return json.Unmarshal(plain, &pending)
	})
	if errors.Is(err, ErrNotFound) || err == nil && pending.Nonce == "" {
		return "", errs.New(errs.Stale, "sangdam: the nonce of this key was used or has expired; begin a new link with a fresh key")
	}
	return pending.Nonce, err
}

type pendingLink struct {
	Contact conversation.ContactID `json:"contact"`
	At      time.Time              `json:"at,omitzero"`
	Nonce   string                 `json:"nonce,omitempty"`
}

// linkOwner is under which the pending link is kept: a hash, so that the
// database does not hold usable nonces.
func linkOwner(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return "link:" + hex.EncodeToString(sum[:])
}

func linkAD(ws WorkspaceID, owner string) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "vault", Row: owner, Column: "link"}
}

// accountLinked finishes an account link that the provider reports.
func (u *unit) accountLinked(acct channel.Account, in adapter.Inbound) error {
	nonce := in.Details["nonce"]
	refuse := func(why string) error { return u.event("account", string(acct.ID), 0, "account_link:"+why) }
	if in.Details["result"] != "ok" || nonce == "" {
		return refuse("failed")
	}
	sealed, err := u.tx.Vault().Sealed(u.ctx, linkOwner(nonce), "link")
	if errors.Is(err, ErrNotFound) {
		return refuse("unknown")
	}
	if err != nil {
		return err
	}
	plain, err := u.e.cfg.Sealer.Open(u.ctx, linkAD(u.tx.Workspace(), linkOwner(nonce)), sealed)
	if err != nil {
		return refuse("unreadable")
	}
	var pending pendingLink
	if err := json.Unmarshal(plain, &pending); err != nil {
		return refuse("unreadable")
	}
	if err := u.tx.Vault().DropOwner(u.ctx, linkOwner(nonce)); err != nil {
		return err
	}
	if err := u.tx.Deadlines().Clear(u.ctx, dueLink, linkOwner(nonce)); err != nil {
		return err
	}
	if u.tx.Now().After(pending.At.Add(linkFor)) {
		return refuse("late")
	}
	identity, err := u.identity(acct, in.Author)
	if err != nil || identity.ID == "" {
		return err
	}
	_, err = u.proved(identity, pending.Contact)
	return err
}

// LinkUser says that a user of a provider is a contact. The host must have
// verified it, for instance by the id token of LINE Login, whose subject is the
// user id within the same LINE provider. An identity is made for a user who has
// never written.
type LinkUser struct {
	Key     Key                    `json:"-"`
	Account channel.AccountID      `json:"account"`
	User    channel.ProviderUserID `json:"user"`
	Contact conversation.ContactID `json:"contact"`
}

// LinkUser carries the command out; see LinkIdentity.
func (e *Engine) LinkUser(ctx context.Context, p Principal, c LinkUser) (ContactSaved, error) {
	return command(ctx, e, call{opLinkUser, p, c.Key, c}, func(u *unit) (ContactSaved, error) {
		to, err := u.contact(c.Contact, ActContact)
		if err != nil {
			return ContactSaved{}, err
		}
		acct, _, err := e.account(u.s, c.Account)
		if err != nil {
			return ContactSaved{}, err
		}
		if c.User == "" {
			return ContactSaved{}, errs.New(errs.Invalid, "sangdam: a link needs the provider's user id")
		}
		identity, made, err := u.identityOn(acct, adapter.Author{User: c.User}, "")
		if err != nil {
			return ContactSaved{}, err
		}
		if !made {
			if err := u.mayUnlink(identity, to.ID); err != nil {
				return ContactSaved{}, err
			}
		}
		return u.proved(identity, to.ID)
	})
}
