package sangdam

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// poisonTries is how often an event may fail for a reason that is not
// temporary before it is set aside and its lane goes on.
const poisonTries = 5

// workInbox processes a claimed lane by itself. Whatever is not finished stays at
// the head of the lane for a later claim.
func (e *Engine) workInbox(ctx context.Context, lane driver.InboxLane) {
	defer func() {
		err := e.insist(ctx, func(ctx context.Context) error { return e.db.System().Release(ctx, driver.NewsInbox, lane.LaneRef) })
		if err != nil {
			e.trouble("a lane could not be given back; its lease will end", err)
		}
	}()
	for _, env := range lane.Envelopes {
		if ctx.Err() != nil || !e.workEnvelope(ctx, lane.LaneRef, env) {
			return
		}
	}
}

// workEnvelope processes one envelope and reports whether the lane may go on.
func (e *Engine) workEnvelope(ctx context.Context, ref driver.LaneRef, env adapter.Envelope) bool {
	s, err := e.current(ctx, ref.Workspace)
	if err != nil {
		return e.envelopeFailed(ctx, ref, env, err)
	}
	acct, adapter, err := e.account(s, env.Account)
	if err != nil {
		return e.quarantine(ctx, ref, env, "the account is gone or its channel has no adapter")
	}
	whole, done, err := e.wholeEnvelope(ctx, ref.Workspace, env)
	if errors.Is(err, ErrNotFound) {
		return e.quarantine(ctx, ref, env, "its bytes are no longer in the blob store")
	}
	if err != nil {
		return e.envelopeFailed(ctx, ref, env, err)
	}
	in, err := adapter.event(acct, whole)
	done()
	if err != nil {
		return e.quarantine(ctx, ref, env, unparsed(err))
	}
	absorbed, err := e.processInbound(ctx, ref, env, in)
	if err != nil {
		return e.envelopeFailed(ctx, ref, env, err)
	}
	e.processed(ref, env, in, absorbed)
	return true
}

// processed tells that an envelope's transaction has ended well.
func (e *Engine) processed(ref driver.LaneRef, env adapter.Envelope, in adapter.Inbound, absorbed bool) {
	if absorbed {
		e.log.Debug("an event brought a message that was there already",
			"workspace", string(ref.Workspace), "account", string(env.Account), "envelope", string(env.ID))
		if h := e.cfg.Hooks.Duplicate; h != nil {
			e.hook("Duplicate", func() { h(ref.Workspace, env.Account, in.Kind) })
		}
	}
	if h := e.cfg.Hooks.Processed; h != nil {
		e.hook("Processed", func() { h(ref.Workspace, env.Account, in.Kind) })
	}
}

// unparsed is what the record of a bad envelope says: the adapter's own words,
// which by its contract hold nothing of the event's.
func unparsed(err error) string {
	if errors.Is(err, errPanicked) {
		return "the adapter panicked on this event"
	}
	if own, is := errors.AsType[*foreignError](err); is {
		return own.words()
	}
	return err.Error()
}

// processInbound is Tx B: everything an event causes, all or nothing, with the
// envelope's end under the claim. absorbed says that it brought a message that
// was there already.
func (e *Engine) processInbound(ctx context.Context, ref driver.LaneRef, env adapter.Envelope, in adapter.Inbound) (absorbed bool,
	err error) {
	defer func() {
		if recover() != nil {
			err = errs.New(errs.Invalid, "processing an event of type %q panicked in %s", in.Type, errs.Where())
		}
	}()
	err = e.unit(ctx, system(ref.Workspace), func(u *unit) error {
		err := u.processes(ref, env, in)
		absorbed = u.absorbed
		return err
	})
	return absorbed, err
}

// processes does what an event asks for and ends its envelope under the claim.
func (u *unit) processes(ref driver.LaneRef, env adapter.Envelope, in adapter.Inbound) error {
	acct, _, err := u.e.account(u.s, env.Account)
	if err != nil {
		return err
	}
	u.envelope = env.ID
	if err := u.apply(acct, in); err != nil {
		return err
	}
	if err := u.tx.Inbox().Done(u.ctx, ref.Claim, env.ID); err != nil || !u.forget {
		return err
	}
	return u.forgetEnvelope(env.ID)
}

// envelopeFailed decides what becomes of an envelope whose transaction failed.
// A temporary failure keeps it at the head of its lane; one that fails again
// and again is quarantined, so that the lane goes on. What is stale may mean that
// the claim is lost: then nothing is recorded either, and whoever has it goes on.
func (e *Engine) envelopeFailed(ctx context.Context, ref driver.LaneRef, env adapter.Envelope, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	stale := errors.Is(err, ErrStale)
	passes := temporary(err)
	if !stale {
		e.trouble("an envelope could not be processed", err, "envelope", string(env.ID), "tries", env.Tries+1, "temporary", passes)
	}
	if !passes && env.Tries+1 >= poisonTries {
		return e.quarantine(ctx, ref, env, "processing failed repeatedly: "+kindName(err))
	}
	again := e.db.Update(ctx, ref.Workspace, func(ctx context.Context, tx store.Tx) error {
		wait := backoff(env.Tries + 1)
		if passes {
			wait = min(wait, maxPause)
		}
		return tx.Inbox().Retry(ctx, ref.Claim, env.ID, tx.Now().Add(wait), kindName(err))
	})
	switch {
	case again == nil && stale:
		e.trouble("an envelope could not be processed", err, "envelope", string(env.ID), "tries", env.Tries+1)
	case stale && errors.Is(again, ErrStale): // lost indeed
	case again != nil:
		// The lane is given back only then: at once it would be claimed again
		// and fail again.
		e.trouble("an envelope waits at the head of its lane", again)
		e.pause(ctx, poisonTries)
	}
	return false
}

// temporary says that the same may go well later as it is: the store was away, or
// rivals were first.
func temporary(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrConflict) || errors.Is(err, context.DeadlineExceeded)
}

// quarantine ends a bad envelope visibly.
func (e *Engine) quarantine(ctx context.Context, ref driver.LaneRef, env adapter.Envelope, reason string) bool {
	err := e.db.Update(ctx, ref.Workspace, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Inbox().Quarantine(ctx, ref.Claim, env.ID, reason); err != nil {
			return err
		}
		return tx.Events().Append(ctx,
			driver.Event{Aggregate: kindAccount, ID: string(env.Account), Desk: e.deskOf(ref.Workspace, env.Account),
				Kind: "quarantined", Ref: string(env.ID), Actor: "system", At: tx.Now()})
	})
	if errors.Is(err, ErrStale) {
		return false // the claim is lost
	}
	if err != nil {
		e.trouble("an envelope could not be quarantined", err)
		e.pause(ctx, poisonTries)
		return false
	}
	e.log.Warn("an envelope is quarantined", "envelope", string(env.ID), "account", string(env.Account))
	if h := e.cfg.Hooks.Quarantined; h != nil {
		e.hook("Quarantined", func() { h(ref.Workspace, env.Account, reason) })
	}
	return true
}

func kindName(err error) string {
	switch k := errs.KindOf(err); {
	case k != nil:
		return k.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long"
	case errors.Is(err, context.Canceled):
		return "it was cancelled"
	}
	return "internal error"
}

// apply does what an event asks for.
func (u *unit) apply(acct channel.Account, in adapter.Inbound) error {
	switch in.Kind {
	case adapter.EventMessage, adapter.EventPostback, adapter.EventUnsupported, adapter.EventOther:
		return u.customerSays(acct, in)
	case adapter.EventEdit, adapter.EventUnsend:
		return u.customerChanged(acct, in)
	case adapter.EventFollow, adapter.EventUnfollow:
		return u.follow(acct, in)
	case adapter.EventDelivered, adapter.EventRead:
		return u.receipt(acct, in)
	case adapter.EventEnded:
		return u.customerEnded(acct, in)
	case adapter.EventFailed:
		return u.failedLater(acct, in)
	case adapter.EventWatched:
		return u.watched(acct, in)
	case adapter.EventNotified:
		return u.accountEvent(acct, in)
	case adapter.EventTyping:
		return u.customerTypes(acct, in)
	case adapter.EventAccountLink:
		return u.accountLinked(acct, in)
	}
	return u.event("account", string(acct.ID), 0, string(in.Kind))
}

// customerSays takes what was written or pressed: an answer to a question of
// ours, or a message.
func (u *unit) customerSays(acct channel.Account, in adapter.Inbound) error {
	if rated, err := u.ratingPressed(acct, in); rated || err != nil {
		return err
	}
	if asked, err := u.beforeConsent(acct, in); asked || err != nil {
		return err
	}
	said := in.MessageID != "" || in.Kind == adapter.EventMessage || in.Kind == adapter.EventPostback
	if said && in.Chat.ID != "" {
		return u.customerMessage(acct, in)
	}
	// Without a chat it has no conversation; it stays with the account, raw.
	return u.event("account", string(acct.ID), 0, string(in.Kind)+":"+in.Type)
}

// customerMessage stores a message of a customer: identity, contact,
// conversation, automated answer, work for a bot or an agent.
func (u *unit) customerMessage(acct channel.Account, in adapter.Inbound) error {
	repo := u.tx.Conversations()
	u.silent = in.Silent
	in, err := u.placed(acct, in)
	if err != nil {
		return err
	}
	if in.MessageID != "" {
		_, err := repo.ByProvider(u.ctx, acct.ID, in.Chat, in.MessageID)
		if err == nil { // the same message under another event id
			u.absorbed = true
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	identity, made, err := u.identityOn(acct, in.Author, acct.Desk)
	if err != nil {
		return err
	}
	d, how, err := u.continueThread(acct, in, identity, made)
	if err != nil {
		return err
	}
	begun := how == opensOne
	if begun && !made {
		u.opens(identity)
	}
	if err := u.wroteTo(identity, d.C.Desk); err != nil {
		return err
	}
	m, err := u.arriving(acct, in, d, identity)
	if err != nil {
		return err
	}
	if err := u.answersTicket(d, in); err != nil {
		return err
	}
	m = d.AddInbound(m, in.Reply)
	if err := u.refer(m, ""); err != nil {
		return err
	}
	if in.MessageID != "" {
		if err := u.early(d, m); err != nil {
			return err
		}
	}
	if how == commentsOn {
		commented(d, m)
		return nil
	}
	if err := errors.Join(u.keepState(acct, in, m), u.keepReference(acct, in)); err != nil {
		return err
	}
	if err := u.reactInTurn(acct, d, m, begun, in); err != nil {
		return err
	}
	return u.followUp(acct, d.C, m, identity)
}

// arriving makes the message of an event, with its files, what it quotes and
// what has to be hidden of it.
func (u *unit) arriving(acct channel.Account, in adapter.Inbound, d *draft.Draft,
	identity conversation.Identity) (m conversation.Message, err error) {
	m = conversation.Message{ID: conversation.MessageID(newID()),
		Author:  conversation.Author{Kind: conversation.ByCustomer, Identity: identity.ID},
		Content: in.Content, Account: acct.ID, Chat: in.Chat, Provider: in.MessageID, OccurredAt: in.OccurredAt, ReadHandle: in.ReadHandle}
	if m.Content.Kind == "" {
		m.Content = channel.Content{Kind: channel.KindUnsupported, Text: "[" + in.Type + "]"}
	}
	if m.Quotes, err = u.quoting(acct.ID, in.Chat, in.Content.QuoteOf); err != nil {
		return m, err
	}
	if err := u.receiveFiles(acct, &m); err != nil {
		return m, err
	}
	d.C.Channel = acct.Kind // where the customer wrote last
	u.source(&m)
	return m, u.hideArriving(d, &m)
}

// receiveFiles makes the names of files safe and keeps what is switched off out,
// with a reason in its place. A visitor names an upload, of which only the record
// counts; what comes from a provider names no blob, for its words are a
// stranger's.
func (u *unit) receiveFiles(acct channel.Account, m *conversation.Message) error {
	on := acct.Attachments && acct.CustomerAttachments
	for n, media := range m.Content.Files() {
		if media.Name != "" {
			media.Name = privacy.SafeName(media.Name) // the sender chose it
		}
		if u.p.Kind != KindVisitor {
			media.Blob = ""
		} else if media.Blob != "" {
			up, err := u.upload(media.Blob)
			if err != nil {
				return err
			}
			media = up.media()
		}
		if !on {
			media = channel.Media{Name: media.Name, Size: media.Size, State: channel.MediaRefused}
			m.Reason, m.Detail = channel.ReasonUnsupported, "attachments from customers are switched off for this account"
		}
		m.Content = m.Content.WithFile(n, media)
	}
	return nil
}

// early applies an edit or unsend that arrived before its message.
func (u *unit) early(d *draft.Draft, m conversation.Message) error {
	e, err := u.takeEarly(m.Account, m.Chat, m.Provider)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if e.Unsent {
		return u.unsay(d, m, e.At)
	}
	if e.Content == nil {
		return nil
	}
	if e.Source != "" {
		m.Sources = append(slices.Clone(m.Sources), e.Source)
	}
	return u.edit(d, m, *e.Content, e.At)
}

// edit replaces what a message says. Masks of the former text go with it, and
// the policy is asked about the new one.
func (u *unit) edit(d *draft.Draft, m conversation.Message, c channel.Content, at time.Time) error {
	edited := m
	edited.Content, edited.Masks = c, nil
	u.source(&edited)
	policy, err := u.masking()
	if err != nil {
		return err
	}
	if policy.Found == FoundMasked {
		if err := u.hideNew(d.C, &edited, policy, privacy.Detect(c.Text, policy.types()...)); err != nil {
			return err
		}
	}
	if !d.ApplyEdit(m, edited, at) {
		return u.dropOriginals(edited.Masks)
	}
	return u.dropOriginals(m.Masks)
}

// unsay makes what a message said unrecoverable here.
func (u *unit) unsay(d *draft.Draft, m conversation.Message, at time.Time) error {
	if !d.ApplyUnsend(m, at) {
		return nil
	}
	if err := u.dropOriginals(m.Masks); err != nil {
		return err
	}
	return u.forgetSources(m)
}

// identity finds or makes the author's identity and contact; an unknown author
// (legal in groups) has neither.
func (u *unit) identity(acct channel.Account, a adapter.Author) (conversation.Identity, error) {
	i, _, err := u.identityOn(acct, a, "")
	return i, err
}

// identityOn is identity for an author who writes to the desk; empty for one
// who does not write. made says that the identity is new.
func (u *unit) identityOn(acct channel.Account, a adapter.Author, desk routing.DeskID) (i conversation.Identity, made bool, err error) {
	if a.User == "" {
		return i, false, nil
	}
	repo := u.tx.Contacts()
	i, err = repo.Identity(u.ctx, acct.Kind, acct.UserScope(), a.User)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return i, false, err
	}
	c := conversation.Contact{ID: conversation.ContactID(newID()), Name: a.Name, Language: acct.Language, CreatedAt: u.tx.Now()}
	i = conversation.Identity{ID: conversation.IdentityID(newID()), Contact: c.ID, Kind: acct.Kind, Scope: acct.UserScope(),
		User: a.User, Name: a.Name, CreatedAt: u.tx.Now()}
	if desk != "" {
		c.Desks, i.Desks = []routing.DeskID{desk}, []routing.DeskID{desk}
	}
	u.keepContact(c)
	u.keepIdentity(i)
	return i, true, nil
}

// opens writes the identity under which a conversation opens, so that this
// collides with linking it to another contact, whichever is first: the link
// moves the open conversations that it sees, and must see this one.
func (u *unit) opens(i conversation.Identity) {
	if i.ID != "" {
		u.identityOf(i)
		u.identities[i.ID].anew = true
	}
}

// wroteTo records the desk with the customer, whom its members may see from
// then on.
func (u *unit) wroteTo(i conversation.Identity, desk routing.DeskID) error {
	if i.ID == "" || slices.Contains(i.Desks, desk) {
		return nil
	}
	own := u.identityOf(i)
	own.Desks = withDesk(own.Desks, desk)
	c, err := u.customer(i.Contact)
	if err != nil || slices.Contains(c.Desks, desk) {
		return err
	}
	c.Desks = withDesk(c.Desks, desk)
	u.tellContact(c, "desks")
	return nil
}

// withDesk is the ordered list with the desks added.
func withDesk(list []routing.DeskID, desks ...routing.DeskID) []routing.DeskID {
	out := slices.Concat(list, desks)
	slices.Sort(out)
	return slices.Compact(out)
}

// continued is what a customer's message does with the thread.
type continued int

const (
	joinsOpen  continued = iota // the conversation that is open
	opensOne                    // a new conversation, or one that opens again
	commentsOn                  // the rating of the last ending; nothing opens
)

// continueThread finds the conversation that takes the message, or opens one.
// how says what became of it; made, that the contact is new, who has none yet.
func (u *unit) continueThread(acct channel.Account, in adapter.Inbound, identity conversation.Identity,
	made bool) (d *draft.Draft, how continued, err error) {
	stream := u.s.routing.WorkStreams[acct.WorkStream]
	contact := identity.Contact
	if !in.Chat.OfOne() {
		contact = ""
	}
	thread := u.s.thread(in.Chat, acct.ID, acct.WorkStream, contact)
	var open, last *conversation.Conversation
	if !made || !in.Chat.ByContact() {
		if open, last, err = u.tx.Conversations().ByThread(u.ctx, thread); err != nil {
			return nil, joinsOpen, err
		}
	}
	now := u.tx.Now()
	if in.Aside && open == nil && last != nil && !last.Live && last.MergedInto == "" {
		return u.conversationOf(*last), joinsOpen, nil
	}
	if open == nil && last != nil && in.Content.Kind == channel.KindText && last.AwaitsComment(now) {
		return u.conversationOf(*last), commentsOn, nil
	}
	switch draft.Continue(open, last, stream.ReopenFor, now) {
	case draft.Join:
		return u.conversationOf(*open), joinsOpen, nil
	case draft.Reopen:
		d := u.conversationOf(*last)
		return d, opensOne, d.Reopen("customer")
	}
	return u.newConversation(acct, in, identity, contact, last), opensOne, nil
}

// newConversation begins one after the last of its thread, if there is one.
func (u *unit) newConversation(acct channel.Account, in adapter.Inbound, identity conversation.Identity, contact conversation.ContactID,
	last *conversation.Conversation) *draft.Draft {
	c := conversation.Conversation{ID: conversation.ID(newID()), Thread: u.s.thread(in.Chat, acct.ID, acct.WorkStream, contact),
		Live: u.s.routing.WorkStreams[acct.WorkStream].Live, Desk: acct.Desk, WorkStream: acct.WorkStream,
		Account: acct.ID, Channel: acct.Kind, Chat: in.Chat, Contact: contact, Identity: identity.ID, Language: acct.Language,
		Attributes: maps.Clone(in.Begins)}
	var previous conversation.ID
	if last != nil {
		previous = last.ID
		if last.Chat == in.Chat {
			c.ChatName, c.ChatPicture, c.ChatAt = last.ChatName, last.ChatPicture, last.ChatAt
		}
		c.LastAgent, c.Ticket = last.LastAgent, last.Ticket
		if last.Agent != "" {
			c.LastAgent = last.Agent // in wrap-up: the same agent is preferred
		}
	}
	return u.keepConversation(draft.Open(c, previous, cmp.Or(u.beginner(), "customer"), u.tx.Now()))
}

// beginner is who writes first when it is not the customer.
func (u *unit) beginner() string {
	if u.p.Kind == KindSystem || u.p.Kind == KindVisitor {
		return ""
	}
	return u.p.actor()
}

// customerChanged applies an edit or unsend, or keeps it for a message that is
// still on its way.
func (u *unit) customerChanged(acct channel.Account, in adapter.Inbound) error {
	repo := u.tx.Conversations()
	m, err := repo.ByProvider(u.ctx, acct.ID, in.Chat, in.MessageID)
	if errors.Is(err, ErrNotFound) {
		return u.changedEarly(acct.ID, in)
	}
	if err != nil {
		return err
	}
	d, err := u.conversation(m.Conversation)
	if err != nil {
		return err
	}
	if in.Kind == adapter.EventUnsend {
		if err := u.releaseFiles(m); err != nil {
			return err
		}
		return u.unsay(d, m, in.OccurredAt)
	}
	return u.edit(d, m, in.Content, in.OccurredAt)
}

// changedEarly keeps a change of a message that has not come yet.
func (u *unit) changedEarly(acct channel.AccountID, in adapter.Inbound) error {
	early := conversation.Early{Account: acct, Chat: in.Chat, Message: in.MessageID, At: in.OccurredAt,
		Unsent: in.Kind == adapter.EventUnsend, Source: u.envelope}
	if !early.Unsent {
		early.Content = &in.Content
	}
	before, err := u.takeEarly(acct, in.Chat, in.MessageID)
	if err == nil {
		early = early.Merge(before)
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	return u.putEarly(early)
}

// follow keeps whether the customer has the account as a friend and sends the
// welcome message once.
func (u *unit) follow(acct channel.Account, in adapter.Inbound) error {
	identity, err := u.identity(acct, in.Author)
	if err != nil || identity.ID == "" {
		return err
	}
	own := u.identityOf(identity)
	own.SetFollow(in.Kind == adapter.EventFollow, in.OccurredAt)
	if in.Kind == adapter.EventFollow && own.WelcomedAt.IsZero() && !in.Silent {
		sent, err := u.welcome(acct, in)
		if err != nil {
			return err
		}
		if sent {
			own.WelcomedAt = u.tx.Now()
		}
	}
	c, err := u.tx.Contacts().Contact(u.ctx, own.Contact)
	if err != nil {
		return err
	}
	return u.tell(driver.Event{Aggregate: "identity", ID: string(own.ID), Version: u.identityVersion(own.ID), Kind: string(in.Kind),
		Contact: c.ID, Desks: c.Desks})
}
