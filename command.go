package sangdam

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
)

// Key makes it safe to repeat a command, for instance after an error that
// leaves its outcome unknown: for Config.KeepResults (48 hours) a command of
// the same principal with the same Key and the same fields has one effect, and
// each repeat gets the answer of the first. The same Key with other fields, or
// for another command, is ErrConflict. A Key has 1 to 200 bytes; with an empty
// one every repeat acts again.
type Key string

// unit is one run of a command's or flow's function inside a transaction. It
// is made anew for each run, so that nothing of an earlier one survives.
type unit struct {
	e   *Engine
	ctx context.Context
	// tx is the transaction as it reads with what the unit has changed, and rows
	// as it is, for the end of the unit.
	tx   store.Tx
	rows store.Tx
	s    *settings
	p    Principal
	who  *Who // p and what is known of it, once acting was asked
	// resource is what the audit row names.
	resource Resource
	details  map[string]string
	// after is told to the routers once the transaction has committed.
	after changes
	// texts says that the search index has work.
	texts bool
	// absorbed says that an event brought nothing new.
	absorbed bool
	// silent says that nothing may be sent by itself because of this event.
	silent bool
	// begunTicket is the ticket that a customer's message became.
	begunTicket ticket.ID
	// feed is what the transaction announces at its end.
	feed []driver.Event
	// op is the command that the unit carries out, nil in flows of the library's own.
	op *Operation
	// action is what the policy was asked last, asked that it agreed to something that
	// the command does; that a record may be read is not enough.
	action Action
	asked  bool
	// unrated says that an ending asks for no rating.
	unrated bool
	// consulted are the decisions about whom an owner asks, until they are kept.
	consulted []routing.Decision
	// changes are the records that this unit made or changed, each once, for the
	// stages at its end; changedAt is where each is among them.
	changes   []change
	changedAt map[record]int
	// as is who acts where it is not the principal: "trigger:<id>".
	as string
	// conversations are those that this unit touched, in the order of
	// conversationOrder.
	conversations     map[conversation.ID]*conversationWork
	conversationOrder []conversation.ID
	// contacts and identities are those that this unit made or changed.
	contacts   map[conversation.ContactID]*contactWork
	identities map[conversation.IdentityID]*identityWork
	// guards are rows that a decision rests on, in their versions.
	guards map[guarded]int64
	// moved counts what was written of work; see attempt.
	moved int
	// tickets are those that this unit touched, in the order of ticketOrder.
	tickets     map[ticket.ID]*ticketWork
	ticketOrder []ticket.ID
	ticketFiles map[string]channel.Media // what is known of the files that they were given
	// wrote says that the unit has written something, so that only the end of its
	// transaction undoes it. Set by units that may be refused.
	wrote bool
	// rest seals what is at rest beside the messages, see atrest.go; keyless says
	// that it was wanted and not at hand: the unit runs again with it.
	rest    *seal.DataKey
	keyless bool
	// erasing says that rules do not hear of what changes; released are blobs
	// whose records went with the unit.
	erasing  bool
	released []string
	// envelope is the event that the unit processes, and forget says that its raw
	// bytes go with its end.
	envelope channel.EnvelopeID
	forget   bool
	// closing records the command once everything else is done.
	closing func() error
	// joined says that the transaction is a host's; see Engine.Join.
	joined bool
}

// changes are fresh rows for the Board of a workspace.
type changes struct {
	agents   []routing.Agent
	items    []routing.Item
	queues   bool // the configuration changed
	removed  []routing.AgentID
	offers   []routing.Offer
	owned    []routing.Assignment
	setup    bool // what is set up for tickets changed
	triggers bool // the workspace's rules changed
}

// unit runs fn in a transaction and, after the commit, tells the router.
func (e *Engine) unit(ctx context.Context, p Principal, fn func(u *unit) error) error {
	return e.unitOver(ctx, p, e.update, fn)
}

// unitOver runs fn as unit does, in the transaction that update opens.
func (e *Engine) unitOver(ctx context.Context, p Principal, update updater, fn func(u *unit) error) error {
	if p.Workspace == "" { // there is none whose log could tell of it
		return p.made()
	}
	var u *unit
	j := joinedBy(ctx)
	if j != nil {
		update = j.update
		if _, err := e.restKey(ctx, p.Workspace); err != nil { // a host's transaction is not run twice
			return err
		}
	}
	run := func(ctx context.Context, tx store.Tx, s *settings) error {
		u = e.newUnit(ctx, tx, s, p)
		u.joined = j != nil && !j.host.Commits
		err := fn(u)
		if err == nil {
			err = u.end()
		}
		if u.keyless { // whatever became of the error
			return errKeyless
		}
		return err
	}
	err := e.keyed(ctx, p.Workspace, func() error { return update(ctx, p.Workspace, run) })
	switch {
	case err != nil:
	case j != nil && !j.host.Commits:
		j.later = append(j.later, u.committed)
	default:
		u.committed()
	}
	return err
}

// newUnit begins a unit in a transaction.
func (e *Engine) newUnit(ctx context.Context, tx store.Tx, s *settings, p Principal) *unit {
	u := &unit{e: e, ctx: ctx, rows: tx, s: s, p: p, rest: e.restKeys.get(p.Workspace)}
	u.tx = unitTx{tx, u}
	return u
}

// committed tells whom it concerns that the unit's transaction has ended well.
func (u *unit) committed() {
	u.e.published(u.p.Workspace, u.after)
	if u.texts {
		u.e.unindexed.add(u.p.Workspace)
	}
}

// published hands committed changes to the router and the hooks.
func (e *Engine) published(ws id.Workspace, c changes) {
	if c.queues {
		e.settings.drop(ws)
	}
	if c.setup {
		e.setups.drop(ws)
	}
	if c.triggers || c.queues || c.setup {
		e.triggerSets.drop(ws) // rules name operating hours and fields
	}
	if len(c.agents)+len(c.items)+len(c.removed) > 0 || c.queues {
		e.routers.publish(ws, c)
	}
	if h := e.cfg.Hooks.Offered; h != nil {
		for _, o := range c.offers {
			e.hook("Offered", func() { h(ws, o) })
		}
	}
	if h := e.cfg.Hooks.Assigned; h != nil {
		for _, a := range c.owned {
			e.hook("Assigned", func() { h(ws, a) })
		}
	}
}

// allow asks the policy and remembers the resource for the audit row. A command asks
// for what its table says.
func (u *unit) allow(a Action, r Resource) error {
	u.resource, u.action = r, a
	if u.op != nil {
		if err := u.op.names(a, r); err != nil {
			return err
		}
	}
	w, err := u.acting()
	if err != nil {
		return err
	}
	if err := u.e.permit(u.ctx, w, a, r); err != nil {
		return err
	}
	u.asked = u.asked || a != ActRead && a != ActList // seeing is no right to do something
	return nil
}

// acting is who, read once a run.
func (u *unit) acting() (Who, error) {
	if u.who == nil {
		w, err := u.e.who(u.ctx, u.tx, u.s, u.p)
		if err != nil {
			return w, err
		}
		u.who = &w
	}
	return *u.who, nil
}

// call is one giving of a command: which, by whom, under which key, with which body.
type call struct {
	op   *Operation
	p    Principal
	key  Key
	body any
}

// digest tells calls under one key apart: by the command's name, and by its body.
func (c call) digest() (string, error) {
	if len(c.key) > 200 {
		return "", errs.New(errs.Invalid, "sangdam: the command's key has %d bytes; use at most 200", len(c.key))
	}
	return digestOf(c.op.Name, c.body)
}

// digestOf is the digest of a name and a body.
func digestOf(name string, body any) (string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return "", errs.New(errs.Invalid, "sangdam: the command cannot be encoded: %w", err)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return hex.EncodeToString(sum[:]), nil
}

// command runs fn once per key in the name of the principal, with the audit
// row in the same transaction. The result must hold ids and states only: it is
// kept for repeats. A refusal by the policy is audited by itself, and a
// function that never asked the policy has no effect.
func command[T any](ctx context.Context, e *Engine, c call, fn func(u *unit) (T, error)) (T, error) {
	r, _, err := once(ctx, e, c, fn)
	return r, err
}

// once is command, and tells whether the result is that of an earlier call.
func once[T any](ctx context.Context, e *Engine, c call, fn func(u *unit) (T, error)) (result T, repeated bool, err error) {
	var zero T
	digest, err := c.digest()
	if err != nil {
		return zero, false, err
	}
	var last *unit
	err = e.unitOver(ctx, c.p, e.opening(c.op), func(u *unit) (err error) {
		result, repeated, last, u.op = zero, false, u, c.op // nothing of an earlier run stays
		if err := u.mayAct(); err != nil {
			return err
		}
		if repeated, err = u.answeredBefore(c.key, digest, &result); repeated || err != nil {
			return err
		}
		r, err := fn(u)
		if err != nil {
			return err
		}
		if !u.asked {
			return errs.New(errs.PermissionDenied, "sangdam: %s did not ask whether it is allowed; this is a fault of the library",
				c.op.Name)
		}
		result = r
		u.closing = func() error { return u.close(c, digest, r) }
		return nil
	})
	if err != nil {
		e.withoutEffect(ctx, c, last, err)
		return zero, false, err
	}
	return result, repeated, nil
}

// opening is how the command's transaction begins.
func (e *Engine) opening(op *Operation) updater {
	if op.settings {
		return e.updateSettings
	}
	return e.update
}

// mayAct refuses an agent who is switched off, and nobody. It comes before a stored
// result is looked up: such a one gets nothing.
func (u *unit) mayAct() error {
	w, err := u.acting()
	if err != nil {
		return err
	}
	if err := enabled(w); err != nil {
		u.resource = Resource{Kind: kindAgent, ID: u.p.ID}
		return err
	}
	return nil
}

// answeredBefore fills result with what the key's first call returned, if there was one.
func (u *unit) answeredBefore(key Key, digest string, result any) (bool, error) {
	if key == "" {
		return false, nil
	}
	had, stored, err := u.tx.Commands().Lookup(u.ctx, u.p.keyOwner(), string(key))
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case had != digest:
		return false, errs.New(errs.Conflict, "sangdam: this key was used for another command; use a fresh key")
	}
	return true, json.Unmarshal(stored, result)
}

// withoutEffect notes why a call failed: for Ready where the store is away, which
// nothing else may notice, and in the audit log where it was refused.
func (e *Engine) withoutEffect(ctx context.Context, c call, last *unit, err error) {
	_ = e.storeIsAway(err)
	refused := errors.Is(err, ErrPermissionDenied) || errors.Is(err, ErrNotFound)
	if refused && last != nil && last.resource.Kind != "" {
		e.auditRefusal(ctx, c.p, cmp.Or(last.action, c.op.Actions[0]), last.resource)
	}
}

// close writes the audit row of a command and keeps its result for repeats.
func (u *unit) close(c call, digest string, result any) error {
	if err := u.audit(cmp.Or(u.action, c.op.Actions[0]), "ok"); err != nil {
		return err
	}
	if c.key == "" {
		return nil
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return u.tx.Commands().Store(u.ctx, u.p.keyOwner(), string(c.key), digest, raw)
}

// audit writes the audit row of this transaction.
func (u *unit) audit(a Action, outcome string) error {
	entry := driver.AuditEntry{At: u.tx.Now(), Actor: u.p.actor(), Role: u.p.role(), IP: u.p.IP,
		Action: string(a), Resource: u.resource.name(), Outcome: outcome, Details: u.details}
	if u.joined {
		return u.enqueueJob(jobAudit, "", entry)
	}
	return u.tx.Audit().Append(u.ctx, entry)
}

// detail adds a fact to the audit row: ids, states, numbers; never text.
func (u *unit) detail(name, value string) {
	if u.details == nil {
		u.details = map[string]string{}
	}
	u.details[name] = value
}

// auditRefusal records a refused command. A failure to record it is logged:
// the command is refused all the same.
func (e *Engine) auditRefusal(ctx context.Context, p Principal, a Action, r Resource) {
	e.auditOutcome(ctx, p, a, r, "denied")
}

// auditOutcome records what came of a command that had no effect.
func (e *Engine) auditOutcome(ctx context.Context, p Principal, a Action, r Resource, outcome string) {
	err := e.db.Update(ctx, p.Workspace, func(ctx context.Context, tx store.Tx) error {
		u := &unit{e: e, ctx: ctx, tx: tx, p: p, resource: r}
		return u.audit(a, outcome)
	})
	if err != nil {
		e.trouble("a command without effect could not be recorded", err, "action", string(a))
	}
}

// draft loads a conversation for change and asks the policy.
func (u *unit) draft(c conversation.ID, a Action) (*draft.Draft, error) {
	d, err := u.conversation(c)
	if errors.Is(err, ErrNotFound) {
		u.resource = Resource{Kind: kindConversation, ID: string(c)}
		return nil, noSuch(kindConversation)
	}
	if err != nil {
		return nil, err
	}
	if err := u.allow(a, conversationResource(d.C)); err != nil {
		return nil, err
	}
	u.rests(driver.GuardConversation, string(c), d.C.Version)
	if a != ActRead {
		if !d.C.ErasedAt.IsZero() {
			return nil, errs.New(errs.Unsupported,
				"sangdam: everything personal in conversation %s was erased; nothing more can be done in it", c)
		}
		if err := u.off(SwitchChat); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// onMessage asks for a right on the conversation of a message and returns both.
// One that may not be seen is answered as one that is not there.
func (u *unit) onMessage(id conversation.MessageID, a Action) (*draft.Draft, conversation.Message, error) {
	u.resource, u.action = Resource{Kind: kindMessage, ID: string(id)}, a
	m, err := u.tx.Conversations().Message(u.ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, m, noSuch(kindMessage)
	}
	if err != nil {
		return nil, m, err
	}
	d, err := u.draft(m.Conversation, a)
	if errors.Is(err, ErrNotFound) {
		err = noSuch(kindMessage)
	}
	return d, m, err
}
