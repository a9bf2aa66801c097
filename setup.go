package sangdam

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/classify"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/routing/validate"
	"github.com/sangdam/sangdam/store"
)

// CreateWorkspace makes a workspace. ErrAlreadyExists when it exists; a host
// that calls it at every start ignores that error. It takes no Principal, since
// there is none before there is a workspace: the host decides who may call it.
func (e *Engine) CreateWorkspace(ctx context.Context, ws WorkspaceID, name string) error {
	if ws == "" || len(ws) > 100 {
		return errs.New(errs.Invalid, "sangdam: a workspace's id has 1 to 100 bytes")
	}
	if err := e.db.System().CreateWorkspace(ctx, ws, name); err != nil {
		return err
	}
	if err := e.contactsAreNew(ctx, ws); err != nil {
		return err
	}
	return e.indexFromNow(ctx, ws)
}

// configured records a change of the configuration.
func (u *unit) configured() error {
	cfg, err := u.tx.Config().Configuration(u.ctx, 0)
	if err != nil {
		return err
	}
	u.after.queues = true
	return u.event("configuration", "workspace", cfg.Version, "changed")
}

// Saved is the result of a command that creates or replaces a part of the
// set-up.
type Saved struct {
	// ID is that of what was saved.
	ID string `json:"id"`
	// Version is the one to give when it is replaced next.
	Version int64 `json:"version"`
	// Warnings say what of it cannot work until something else is saved too, and
	// what that is.
	Warnings []Warning `json:"warnings,omitempty"`
}

// replaces compares the version that the caller saw with the stored one and
// returns the next: 0 makes something new. found says that there is one.
func replaces(kind, id string, found bool, stored, seen int64) (int64, error) {
	switch {
	case !found && seen == 0:
		return 1, nil
	case !found:
		return 0, errs.New(errs.NotFound, "sangdam: there is no %s %s any more; use version 0 to make it anew", kind, id)
	case seen == 0:
		return 0, errs.New(errs.AlreadyExists, "sangdam: %s %s is there already; to replace it, read it and give its version back",
			kind, id)
	case seen != stored:
		return 0, errs.New(errs.Stale, "sangdam: %s %s was changed by somebody else; read it again and repeat your change", kind, id)
	}
	return stored + 1, nil
}

// configure is the frame of every command that changes the configuration: the
// whole of it is valid afterwards, or nothing changes. The result is kept for
// the key as in command.
func configure[T any](ctx context.Context, e *Engine, c call, r Resource, fn func(u *unit) (T, error)) (result T, repeated bool,
	err error) {
	return once(ctx, e, c, func(u *unit) (zero T, err error) {
		if err := u.allow(ActConfigure, r); err != nil {
			return zero, err
		}
		result, err := fn(u)
		if err != nil {
			return zero, err
		}
		if err := u.wholeSetUp(); err != nil {
			return zero, err
		}
		return result, u.configured()
	})
}

// wholeSetUp refuses a configuration that cannot work as a whole, as this transaction
// would leave it.
func (u *unit) wholeSetUp() error {
	cfg, err := u.tx.Config().Configuration(u.ctx, 0)
	if err != nil {
		return err
	}
	if err := validate.Configuration(cfg, u.e.strategyNames()...); err != nil {
		return err
	}
	return u.accountsInUse(cfg)
}

func (e *Engine) strategyNames() []string {
	var out []string
	for name := range e.cfg.Strategies {
		out = append(out, name)
	}
	return out
}

// SaveDesk creates a desk (Version 0) together with its first agent, or
// replaces the settings of the one of the version given.
type SaveDesk struct {
	Key  Key          `json:"-"`
	Desk routing.Desk `json:"desk"`
	// Agent is the first member of a new desk, since a desk always has at least
	// one; empty when the desk exists.
	Agent routing.AgentID `json:"agent,omitempty"`
}

// SaveDesk carries the command out. ErrStale when the desk is not of the
// version given, ErrAlreadyExists when a new one's id or name is taken, also by one
// that is out of use, ErrInvalid for a new one without an agent, ErrNotFound when
// there is no such agent. A desk goes out of use (Desk.Retired) once nothing leads
// there and nothing waits on it or is worked on: ErrInvalid names the accounts,
// queues, triggers and macros that name it, or says how much does.
func (e *Engine) SaveDesk(ctx context.Context, p Principal, c SaveDesk) (Saved, error) {
	r := Resource{Kind: "desk", ID: string(c.Desk.ID)}
	saved, _, err := configure(ctx, e, call{opSaveDesk, p, c.Key, c}, r,
		func(u *unit) (Saved, error) { return u.saveDesk(c.Desk, c.Agent) })
	return saved, err
}

// saveDesk checks a desk against the stored one and writes it.
func (u *unit) saveDesk(d routing.Desk, first routing.AgentID) (_ Saved, err error) {
	old, found := u.s.routing.Desks[d.ID]
	if d.Version, err = replaces("desk", string(d.ID), found, old.Version, d.Version); err != nil {
		return Saved{}, err
	}
	if d.Since = old.Since; !found {
		d.Since = u.tx.Now()
	}
	if err := u.checkTexts("desk "+string(d.ID), d.Messages, func(a channel.Account) bool { return a.Desk == d.ID }); err != nil {
		return Saved{}, err
	}
	if err := u.fromToday("desk "+string(d.ID), d.Hours, old.Hours); err != nil {
		return Saved{}, err
	}
	if err := u.mayRetireDesk(old, d); err != nil {
		return Saved{}, err
	}
	if err := u.tx.Config().SaveDesk(u.ctx, d); err != nil {
		return Saved{}, err
	}
	if err := u.firstAgent(d.ID, first, found); err != nil {
		return Saved{}, err
	}
	warnings := deskWarnings(u.s.routing, d)
	return Saved{ID: string(d.ID), Version: d.Version, Warnings: warnings}, nil
}

// firstAgent puts the agent on a new desk.
func (u *unit) firstAgent(d routing.DeskID, a routing.AgentID, found bool) error {
	switch {
	case found && a == "":
		return nil
	case found:
		return errs.New(errs.Invalid, "sangdam: desk %s is there already; to give it another agent use AddToDesk", d)
	case a == "":
		return errs.New(errs.Invalid, "sangdam: a new desk needs an agent; save the agent first and name it in SaveDesk.Agent")
	}
	u.detail("agent", string(a))
	return u.addToDesk(d, a)
}

// addToDesk gives an agent who exists access to a desk.
func (u *unit) addToDesk(d routing.DeskID, a routing.AgentID) error {
	_, err := u.tx.Agents().Agent(u.ctx, a)
	if errors.Is(err, ErrNotFound) {
		return errs.New(errs.NotFound, "sangdam: desk %s is given agent %q, who does not exist: save the agent first or name another", d, a)
	}
	if err != nil {
		return err
	}
	if err := u.tx.Config().AddMember(u.ctx, d, a); err != nil {
		return err
	}
	return u.changedAgent(a)
}

// fromToday refuses exceptions of hours that began before today in their zone,
// but for those that were there before: time already counted stays counted.
func (u *unit) fromToday(what string, c, was *hours.Calendar) error {
	if c == nil {
		return nil
	}
	s, err := c.Compile()
	if err != nil {
		return errs.New(errs.Invalid, "sangdam: %s: %w", what, err)
	}
	if err := c.ValidateChange(was, s.Date(u.tx.Now())); err != nil {
		return errs.New(errs.Invalid, "sangdam: %s: %w", what, err)
	}
	return nil
}

// AddToDesk gives an agent access to a desk. Adding twice is the same as once.
type AddToDesk struct {
	Key   Key             `json:"-"`
	Desk  routing.DeskID  `json:"desk"`
	Agent routing.AgentID `json:"agent"`
}

// AddToDesk carries the command out; a full desk is ErrInvalid, an unknown desk
// or agent ErrNotFound.
func (e *Engine) AddToDesk(ctx context.Context, p Principal, c AddToDesk) error {
	r := Resource{Kind: kindDesk, ID: string(c.Desk)}
	_, _, err := configure(ctx, e, call{opAddToDesk, p, c.Key, c}, r, func(u *unit) (struct{}, error) {
		u.detail("agent", string(c.Agent))
		return struct{}{}, u.addToDesk(c.Desk, c.Agent)
	})
	return err
}

// SaveQueue creates a queue (Version 0) or replaces it.
type SaveQueue struct {
	Key   Key           `json:"-"`
	Queue routing.Queue `json:"queue"`
}

// SaveQueue carries the command out; ErrStale when the queue is not of the
// version given. A queue goes out of use (Queue.Retired) once nothing leads there
// and no work is left in it: ErrInvalid names the work streams, queues, settings,
// groups, triggers and macros that lead there, or says how much waits in it and how
// much of it agents have.
func (e *Engine) SaveQueue(ctx context.Context, p Principal, c SaveQueue) (Saved, error) {
	r := Resource{Kind: "queue", ID: string(c.Queue.ID)}
	saved, _, err := configure(ctx, e, call{opSaveQueue, p, c.Key, c}, r, func(u *unit) (Saved, error) { return u.saveQueue(c.Queue) })
	return saved, err
}

// saveQueue checks a queue against the stored one and writes it; who leaves it
// loses its offers there.
func (u *unit) saveQueue(q routing.Queue) (_ Saved, err error) {
	before, found := u.s.routing.Queues[q.ID]
	if q.Version, err = replaces("queue", string(q.ID), found, before.Version, q.Version); err != nil {
		return Saved{}, err
	}
	if err := u.fromToday("queue "+string(q.ID), q.Hours, before.Hours); err != nil {
		return Saved{}, err
	}
	if err := u.mayRetireQueue(before, q); err != nil {
		return Saved{}, err
	}
	left := slices.DeleteFunc(slices.Clone(before.Members), func(a routing.AgentID) bool { return slices.Contains(q.Members, a) })
	if err := u.withdraw("left_queue", func(it routing.Item) bool { return it.Queue == q.ID }, left...); err != nil {
		return Saved{}, err
	}
	if err := u.tx.Config().SaveQueue(u.ctx, q); err != nil {
		return Saved{}, err
	}
	touched := map[routing.AgentID]bool{}
	for _, a := range slices.Concat(before.Members, q.Members) {
		touched[a] = true
	}
	for a := range touched {
		if err := u.changedAgent(a); err != nil && !errors.Is(err, ErrNotFound) {
			return Saved{}, err
		}
	}
	cfg, err := u.tx.Config().Configuration(u.ctx, 0)
	if err != nil {
		return Saved{}, err
	}
	warnings, err := u.queueWarnings(cfg, q)
	return Saved{ID: string(q.ID), Version: q.Version, Warnings: warnings}, err
}

// SaveWorkStream creates a work stream (Version 0) or replaces it.
type SaveWorkStream struct {
	Key        Key                `json:"-"`
	WorkStream routing.WorkStream `json:"work_stream"`
}

// SaveWorkStream carries the command out; ErrStale when the work stream is not
// of the version given. Its Bot must be registered. A work stream goes out of use
// (WorkStream.Retired) once no account is on it: ErrInvalid names those that are.
func (e *Engine) SaveWorkStream(ctx context.Context, p Principal, c SaveWorkStream) (Saved, error) {
	r := Resource{Kind: "work_stream", ID: string(c.WorkStream.ID)}
	saved, _, err := configure(ctx, e, call{opSaveWorkStream, p, c.Key, c}, r,
		func(u *unit) (Saved, error) { return u.saveWorkStream(c.WorkStream) })
	return saved, err
}

// saveWorkStream checks a work stream against the stored one and writes it.
func (u *unit) saveWorkStream(w routing.WorkStream) (_ Saved, err error) {
	old, found := u.s.routing.WorkStreams[w.ID]
	if w.Version, err = replaces("work stream", string(w.ID), found, old.Version, w.Version); err != nil {
		return Saved{}, err
	}
	if w.Bot != "" && u.e.bots[w.Bot] == nil {
		return Saved{}, errs.New(errs.Invalid, "sangdam: work stream %s names bot %q, which is not in Config.Bots", w.ID, w.Bot)
	}
	if err := cmp.Or(validate.Presences(w.Presences, "work stream %q", w.ID), u.streamChannels(w)); err != nil {
		return Saved{}, err
	}
	if err := u.fromToday("work stream "+string(w.ID), w.Hours, old.Hours); err != nil {
		return Saved{}, err
	}
	if err := u.checkTexts("work stream "+string(w.ID), w.Messages,
		func(a channel.Account) bool { return a.WorkStream == w.ID }); err != nil {
		return Saved{}, err
	}
	if _, err := classify.New(w, u.e.cfg.Fields...); err != nil {
		return Saved{}, err
	}
	if err := u.tx.Config().SaveWorkStream(u.ctx, w); err != nil {
		return Saved{}, err
	}
	warnings, err := u.streamWarnings(u.s.routing, w)
	return Saved{ID: string(w.ID), Version: w.Version, Warnings: warnings}, err
}

// streamChannels refuses channels that the stream cannot have: one without an
// adapter, for a live stream one without a window that closes, and taking away
// one of which it has accounts.
func (u *unit) streamChannels(w routing.WorkStream) error {
	for _, kind := range append([]string{w.ChannelKind}, w.Channels...) {
		adapter := u.e.adapters[channel.Kind(kind)]
		switch {
		case kind == "" && w.AnyChannel():
		case adapter == nil:
			return errs.New(errs.Unsupported, "sangdam: work stream %s is for channel %q, which has no adapter; add it to Config.Adapters",
				w.ID, kind)
		case w.Live && len(w.Channels) > 0 && adapter.Capabilities().Persistent:
			return errs.New(errs.Invalid,
				"sangdam: work stream %s is live, and %s chats do not end with a window; use a persistent work stream", w.ID, kind)
		}
	}
	for _, a := range u.s.accounts {
		if a.WorkStream == w.ID && !a.Deleted && !w.Takes(string(a.Kind)) {
			return errs.New(errs.Invalid, "sangdam: work stream %s does not take channel %q any more, and account %q is on it; move that "+
				"to another first", w.ID, a.Kind, a.Name)
		}
	}
	return nil
}

var qConfiguration = asks("setup.read", "Configuration", kindWorkspace, ActConfigure).wide(wideSetUp)

// Configuration returns the desks, their members, the work streams and the
// queues. The caller may change what it gets: it is a copy that nobody else
// reads.
func (e *Engine) Configuration(ctx context.Context, p Principal) (out routing.Configuration, err error) {
	err = e.query(ctx, p, qConfiguration, string(p.Workspace), func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		if out, err = tx.Config().Configuration(ctx, 0); err == nil {
			numbered(out)
		}
		return err
	})
	return out, err
}

// SaveAccount creates an account on a channel (Version 0; CH1, CH2) or replaces
// the one of the version given. An empty id is filled, and so is the webhook
// Token of a new account; a stored account keeps its Token. Secrets are sealed
// before they are stored; those that are not given keep their value.
type SaveAccount struct {
	Key     Key             `json:"-"`
	Account channel.Account `json:"account"`
	// Confirmed says that somebody was told that what is written on an outside
	// channel leaves the organisation to its provider, and agreed. The audit log
	// keeps it; ChannelPolicy.Confirm requires it.
	Confirmed bool `json:"confirmed,omitempty"`
}

// AccountSaved is the account as it is stored, without its secrets.
type AccountSaved struct {
	channel.Account
	// Warnings say what of it cannot work until something else is saved too, and
	// what that is.
	Warnings []Warning `json:"warnings,omitempty"`
}

// SaveAccount carries the command out. ErrInvalid for settings or secrets that
// the channel's adapter refuses; ErrStale when the account is not of the
// version given. A repeat with the same Key whose secrets differ from the
// stored ones is ErrConflict.
func (e *Engine) SaveAccount(ctx context.Context, p Principal, c SaveAccount) (AccountSaved, error) {
	a := c.Account
	if a.Token == "" {
		a.Token = newSecretID()
	}
	if a.ID == "" {
		a.ID = channel.AccountID(newID())
	}
	if err := e.CheckKeys(ctx); err != nil {
		return AccountSaved{}, err
	}
	if _, err := e.restKey(ctx, p.Workspace); err != nil { // the account's first event then finds it
		return AccountSaved{}, err
	}
	var stored channel.Account
	r := Resource{Kind: "account", ID: string(a.ID)}
	saved, repeated, err := configure(ctx, e, call{opSaveAccount, p, c.Key, c}, r, func(u *unit) (Saved, error) {
		adapter, err := e.accountAdapter(a)
		if err != nil {
			return Saved{}, err
		}
		if stored, err = u.saveAccount(a, adapter, c.Confirmed); err != nil {
			return Saved{}, err
		}
		wanted, err := u.editorType()
		if err != nil {
			return Saved{}, err
		}
		others, err := u.accountForms(stored, wanted)
		return Saved{ID: string(stored.ID), Version: stored.Version, Warnings: append(accountWarnings(u.s.routing, stored), others...)}, err
	})
	if err != nil {
		return AccountSaved{}, err
	}
	if repeated {
		stored, err = e.savedBefore(ctx, p.Workspace, channel.AccountID(saved.ID), a.Secrets)
	}
	stored.Secrets, stored.Sealed = nil, nil
	return AccountSaved{stored, saved.Warnings}, err
}

// accountAdapter is the adapter of the account's channel.
func (e *Engine) accountAdapter(a channel.Account) (*guardedAdapter, error) {
	adapter, ok := e.adapters[a.Kind]
	if !ok {
		return nil, errs.New(errs.Unsupported, "sangdam: account %s is of channel %q, which has no adapter; add it to Config.Adapters",
			a.ID, a.Kind)
	}
	return adapter, nil
}

// saveAccount checks an account against the settings and the adapter, and
// stores it.
func (u *unit) saveAccount(a channel.Account, adapter *guardedAdapter, confirmed bool) (channel.Account, error) {
	old, found := u.s.accounts[a.ID]
	if err := u.checkAccount(old, a, found, adapter); err != nil {
		return a, err
	}
	a.Confirmed = old.Confirmed
	if err := u.mayEnable(&a, old, adapter, confirmed); err != nil {
		return a, err
	}
	if err := u.checkAccountTexts(a, adapter); err != nil {
		return a, err
	}
	a.Secrets, a.Token = withSecrets(old.Secrets, a.Secrets), cmp.Or(old.Token, a.Token)
	if err := u.suitsChannel(old, a, found, adapter); err != nil {
		return a, err
	}
	var err error
	if a.Sealed, err = u.e.sealSecrets(u.ctx, u.p.Workspace, a.ID, a.Secrets); err != nil {
		return a, err
	}
	a.Version, err = u.tx.Accounts().SaveAccount(u.ctx, a)
	return a, err
}

// checkAccount refuses what no account of any channel may be.
func (u *unit) checkAccount(old, next channel.Account, found bool, adapter *guardedAdapter) error {
	if _, taken := targetOf(next.ID); taken {
		return errs.New(errs.Invalid, "sangdam: the id of an account does not begin with %q, which stands for targets", targetPrefix)
	}
	if _, err := replaces(kindAccount, string(next.ID), found, old.Version, next.Version); err != nil {
		return err
	}
	if strings.TrimSpace(next.Name) == "" {
		return errs.New(errs.Invalid, "sangdam: the account has no name; agents tell accounts apart by it, give it one")
	}
	if err := validate.Hours(next.Hours, "account %q", next.Name); err != nil {
		return err
	}
	if err := u.fromToday("account "+next.Name, next.Hours, old.Hours); err != nil {
		return err
	}
	return u.accountPlace(next, adapter)
}

// checkAccountTexts refuses messages that its channel does not carry, and a notice for
// which it has no means.
func (u *unit) checkAccountTexts(a channel.Account, adapter *guardedAdapter) error {
	where := "account " + a.Name
	if err := u.checkTexts(where, a.Messages, nil); err != nil {
		return err
	}
	return cmp.Or(carriesTexts(where, adapter, a.Messages), checkNotice(a, adapter.Capabilities()))
}

// withSecrets are the stored secrets, replaced by those that are given anew.
func withSecrets(stored, given map[string]channel.Secret) map[string]channel.Secret {
	out := map[string]channel.Secret{}
	maps.Copy(out, stored)
	maps.Copy(out, given)
	return out
}

// suitsChannel refuses what the account's adapter does not accept.
func (u *unit) suitsChannel(old, next channel.Account, found bool, adapter *guardedAdapter) error {
	if err := adapter.Validate(next); err != nil {
		return err
	}
	return cmp.Or(u.mayChange(old, next, found, adapter), u.keepsForms(old, next, adapter))
}

// accountPlace refuses an account whose work stream or desk is not there, or whose
// work stream cannot have its channel.
func (u *unit) accountPlace(a channel.Account, adapter *guardedAdapter) error {
	stream, ok := u.s.routing.WorkStreams[a.WorkStream]
	_, desk := u.s.routing.Desks[a.Desk]
	switch {
	case !ok:
		return errs.New(errs.Invalid, "sangdam: account %q names work stream %q, which does not exist; it needs one of channel %q", a.Name,
			a.WorkStream, a.Kind)
	case !stream.Takes(string(a.Kind)):
		return errs.New(errs.Invalid, "sangdam: account %q needs a work stream of channel %q", a.Name, a.Kind)
	case !desk:
		return errs.New(errs.Invalid, "sangdam: account %q names desk %q, which does not exist", a.Name, a.Desk)
	case stream.Live && adapter.Capabilities().Persistent:
		return errs.New(errs.Invalid, "sangdam: %s chats do not end with a window; use a persistent work stream", a.Kind)
	}
	return nil
}

// mayChange refuses what the adapter holds fixed in an account that has
// conversations.
func (u *unit) mayChange(old, next channel.Account, found bool, adapter *guardedAdapter) error {
	if !found {
		return nil
	}
	refusal := adapter.MayChange(old, next)
	if refusal == nil {
		return nil
	}
	used, _, err := u.tx.Conversations().List(u.ctx, conversation.Filter{Account: next.ID}, "", 1)
	if err != nil || len(used) == 0 {
		return err
	}
	return refusal
}

// savedBefore answers a repeated SaveAccount. Secrets are no part of a key's
// digest, which would let whoever reads the database try guesses; so they are
// compared with the stored ones here.
func (e *Engine) savedBefore(ctx context.Context, ws WorkspaceID, id channel.AccountID, given map[string]channel.Secret) (channel.Account,
	error) {
	s, err := e.current(ctx, ws)
	if err != nil {
		return channel.Account{}, err
	}
	a := s.accounts[id]
	for name, secret := range given {
		if a.Secrets[name].Reveal() != secret.Reveal() {
			return channel.Account{},
				errs.New(errs.Conflict, "sangdam: this key was used to save account %s with another %s; use a fresh key", id,
					name)
		}
	}
	return a, nil
}

// DeleteAccount stops an account's traffic for good; its conversations and
// history stay readable (CH3).
type DeleteAccount struct {
	Key     Key               `json:"-"`
	Account channel.AccountID `json:"account"`
	// Version is that of the account as the caller read it; ErrStale when it
	// has changed since.
	Version int64 `json:"version"`
}

// DeleteAccount carries the command out; to delete a deleted account changes
// nothing. ErrConflict for an account that is switched on and whose adapter
// fetches events by itself (adapter.Runner): switch it off first.
func (e *Engine) DeleteAccount(ctx context.Context, p Principal, c DeleteAccount) error {
	r := Resource{Kind: "account", ID: string(c.Account)}
	_, _, err := configure(ctx, e, call{opDeleteAccount, p, c.Key, c}, r, func(u *unit) (struct{}, error) {
		a, ok := u.s.accounts[c.Account]
		if !ok {
			return struct{}{}, noSuch(kindAccount)
		}
		if a.Deleted {
			return struct{}{}, nil
		}
		if a.Version != c.Version {
			return struct{}{}, errs.New(errs.Stale, "sangdam: account %s was changed by somebody else; read it again", c.Account)
		}
		if adapter := e.adapters[a.Kind]; adapter != nil && adapter.runner != nil && !a.Disabled {
			return struct{}{}, errs.New(errs.Conflict,
				"sangdam: account %q is on, and events are fetched for it; switch it off first, then delete it", a.Name)
		}
		a.Deleted, a.Disabled, a.Sealed = true, true, nil
		_, err := u.tx.Accounts().SaveAccount(u.ctx, a)
		return struct{}{}, err
	})
	return err
}

var qAccounts = asks("account.list", "Accounts", kindWorkspace, ActConfigure).wide(wideSetUp)

// Accounts lists all accounts, deleted ones included (Account.Deleted), without
// their secrets. It needs ActConfigure.
func (e *Engine) Accounts(ctx context.Context, p Principal) ([]channel.Account, error) {
	var out []channel.Account
	err := e.query(ctx, p, qAccounts, string(p.Workspace), func(ctx context.Context, tx store.Tx,
		_ *settings) error {
		accounts, err := tx.Accounts().Accounts(ctx)
		for i := range accounts {
			accounts[i].Secrets, accounts[i].Sealed = nil, nil
		}
		out = accounts
		return err
	})
	return out, err
}

// RotateKeys seals again, with the present primary key, what a workspace has
// sealed with another one: the credentials of accounts and targets, the key of
// its texts at rest and the keys of masked originals. It returns the number of
// values that it sealed. Call it after a new key was made the primary one and
// before the old one is removed. It may be called again at any time.
func (e *Engine) RotateKeys(ctx context.Context, ws WorkspaceID) (int, error) {
	n := 0
	err := e.unitOver(ctx, system(ws), e.updateSettings, func(u *unit) error {
		n = 0
		var err error
		if n, err = u.resealAccounts(); err != nil {
			return err
		}
		more, err := u.resealTargets()
		if err != nil {
			return err
		}
		n += more
		u.resource = Resource{Kind: "workspace", ID: string(ws)}
		if n == 0 {
			return nil
		}
		return u.audit("keys.rotate", "ok")
	})
	if err != nil {
		return n, err
	}
	owners, err := e.resealOwners(ctx, ws)
	if err != nil {
		return n + owners, err
	}
	rest, err := e.resealRest(ctx, ws)
	return n + owners + rest, err
}

// resealAccounts seals credentials with the newest key, and counts them.
func (u *unit) resealAccounts() (n int, err error) {
	for _, a := range u.s.accounts {
		if len(a.Sealed) == 0 || !u.e.cfg.Sealer.NeedsReseal(a.Sealed) {
			continue
		}
		sealed, err := u.e.sealSecrets(u.ctx, u.tx.Workspace(), a.ID, a.Secrets)
		if err != nil {
			return n, err
		}
		a.Sealed = sealed
		if _, err := u.tx.Accounts().SaveAccount(u.ctx, a); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
