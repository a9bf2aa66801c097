package sangdam

import (
	"context"
	"errors"
	"maps"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// CreateWorkspace makes a tenant; ErrAlreadyExists. It is the host's business
// who may: there is no principal yet.
func (e *Engine) CreateWorkspace(ctx context.Context, ws WorkspaceID, name string) error {
	if ws == "" || len(ws) > 100 {
		return errs.New(errs.Invalid, "sangdam: a workspace's id has 1 to 100 bytes")
	}
	if err := e.db.System().CreateWorkspace(ctx, ws, name); err != nil {
		return err
	}
	return e.indexFromNow(ctx, ws)
}

// configured records a change of the configuration.
func (u *unit) configured() error {
	cfg, err := u.tx.Config().Configuration(u.ctx)
	if err != nil {
		return err
	}
	u.after.queues = true
	return u.event("configuration", "workspace", cfg.Version, "changed")
}

// configure is the frame of every command that changes the configuration: the
// whole of it is valid afterwards, or nothing changes.
func (e *Engine) configure(ctx context.Context, p Principal, r Resource, body any, fn func(u *unit) error) error {
	_, err := command(ctx, e, p, "", ActConfigure, body, func(u *unit) (struct{}, error) {
		if err := u.allow(ActConfigure, r); err != nil {
			return struct{}{}, err
		}
		if err := fn(u); err != nil {
			return struct{}{}, err
		}
		cfg, err := u.tx.Config().Configuration(u.ctx)
		if err != nil {
			return struct{}{}, err
		}
		if err := routing.ValidateConfiguration(cfg, e.strategyNames()...); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, u.configured()
	})
	return err
}

func (e *Engine) strategyNames() []string {
	var out []string
	for name := range e.cfg.Strategies {
		out = append(out, name)
	}
	return out
}

// SaveDesk creates or replaces a desk.
func (e *Engine) SaveDesk(ctx context.Context, p Principal, d routing.Desk) error {
	return e.configure(ctx, p, Resource{Kind: "desk", ID: string(d.ID)}, d, func(u *unit) error {
		if err := conversation.ValidateTexts("desk "+string(d.ID), d.Messages); err != nil {
			return err
		}
		return u.tx.Config().SaveDesk(u.ctx, d)
	})
}

// AddToDesk gives an agent access to a desk; a full desk is ErrInvalid.
func (e *Engine) AddToDesk(ctx context.Context, p Principal, d routing.DeskID, a routing.AgentID) error {
	return e.configure(ctx, p, Resource{Kind: "desk", ID: string(d)}, []string{string(d), string(a)}, func(u *unit) error {
		if _, err := u.tx.Agents().Agent(u.ctx, a); err != nil {
			return err
		}
		u.detail("agent", string(a))
		return u.tx.Config().AddMember(u.ctx, d, a)
	})
}

// SaveQueue creates or replaces a queue.
func (e *Engine) SaveQueue(ctx context.Context, p Principal, q routing.Queue) error {
	return e.configure(ctx, p, Resource{Kind: "queue", ID: string(q.ID)}, q, func(u *unit) error {
		for _, o := range q.Overflow {
			if o.Do == routing.OverflowTicket || o.Do == routing.OverflowCallBack {
				return errs.New(errs.Unsupported, "sangdam: queue %s: overflow to %q needs tickets, which this version does not have; use queue or message", q.ID, o.Do)
			}
		}
		before, err := u.tx.Config().Configuration(u.ctx)
		if err != nil {
			return err
		}
		if err := u.tx.Config().SaveQueue(u.ctx, q); err != nil {
			return err
		}
		touched := map[routing.AgentID]bool{}
		for _, a := range append(before.Queues[q.ID].Members, q.Members...) {
			touched[a] = true
		}
		for a := range touched {
			if err := u.changedAgent(a); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// SaveWorkStream creates or replaces a work stream. Its Bot must be registered.
func (e *Engine) SaveWorkStream(ctx context.Context, p Principal, w routing.WorkStream) error {
	return e.configure(ctx, p, Resource{Kind: "work_stream", ID: string(w.ID)}, w, func(u *unit) error {
		if w.Bot != "" && e.bots[w.Bot] == nil {
			return errs.New(errs.Invalid, "sangdam: work stream %s names bot %q, which is not in Config.Bots", w.ID, w.Bot)
		}
		if err := conversation.ValidateTexts("work stream "+string(w.ID), w.Messages); err != nil {
			return err
		}
		if _, err := routing.NewClassifier(w); err != nil {
			return err
		}
		return u.tx.Config().SaveWorkStream(u.ctx, w)
	})
}

// Configuration returns desks, members, work streams and queues.
func (e *Engine) Configuration(ctx context.Context, p Principal) (routing.Configuration, error) {
	var out routing.Configuration
	err := e.query(ctx, p, ActConfigure, Resource{Kind: "workspace", ID: string(p.Workspace)}, func(_ context.Context, _ store.Tx, s *settings) error {
		out = s.routing
		return nil
	})
	return out, err
}

// SaveAccount creates or replaces an account on a channel (CH1, CH2) and
// returns it with its webhook Token, which is made here when empty. Secrets are
// sealed; those that are not given keep their value. The adapter checks
// settings and secrets first.
func (e *Engine) SaveAccount(ctx context.Context, p Principal, a channel.Account) (channel.Account, error) {
	adapter, ok := e.adapters[a.Kind]
	if !ok {
		return a, errs.New(errs.Unsupported, "sangdam: no adapter for channel %q; add it to Config.Adapters", a.Kind)
	}
	if a.Token == "" {
		a.Token = newSecretID()
	}
	if a.ID == "" {
		a.ID = channel.AccountID(newID())
	}
	if err := e.CheckKeys(ctx); err != nil {
		return a, err
	}
	saved := a
	err := e.configure(ctx, p, Resource{Kind: "account", ID: string(a.ID)}, []string{string(a.ID), string(a.Kind), a.Name}, func(u *unit) error {
		saved = a
		stream, ok := u.s.routing.WorkStreams[a.WorkStream]
		if !ok || stream.ChannelKind != string(a.Kind) {
			return errs.New(errs.Invalid, "sangdam: account %q needs a work stream of channel %q", a.Name, a.Kind)
		}
		if _, ok := u.s.routing.Desks[a.Desk]; !ok {
			return errs.New(errs.Invalid, "sangdam: account %q names desk %q, which does not exist", a.Name, a.Desk)
		}
		if stream.Live && adapter.Capabilities().Persistent {
			return errs.New(errs.Invalid, "sangdam: %s chats do not end with a window; use a persistent work stream", a.Kind)
		}
		if err := conversation.ValidateTexts("account "+a.Name, a.Messages); err != nil {
			return err
		}
		old := u.s.accounts[a.ID]
		secrets := maps.Clone(old.Secrets)
		if secrets == nil {
			secrets = map[string]channel.Secret{}
		}
		maps.Copy(secrets, a.Secrets)
		saved.Secrets, saved.Version = secrets, old.Version
		if old.Token != "" {
			saved.Token = old.Token
		}
		if err := adapter.Validate(saved); err != nil {
			return err
		}
		sealed, err := e.sealSecrets(u.ctx, p.Workspace, a.ID, secrets)
		if err != nil {
			return err
		}
		saved.Sealed = sealed
		saved.Version, err = u.tx.Accounts().SaveAccount(u.ctx, saved)
		return err
	})
	return saved, err
}

// DeleteAccount stops an account's traffic for good; its conversations and
// history stay readable (CH3).
func (e *Engine) DeleteAccount(ctx context.Context, p Principal, acct channel.AccountID) error {
	return e.configure(ctx, p, Resource{Kind: "account", ID: string(acct)}, acct, func(u *unit) error {
		a, ok := u.s.accounts[acct]
		if !ok {
			return errs.New(errs.NotFound, "sangdam: there is no account %s", acct)
		}
		a.Deleted, a.Disabled, a.Sealed = true, true, nil
		_, err := u.tx.Accounts().SaveAccount(u.ctx, a)
		return err
	})
}

// Accounts lists the accounts without their secrets.
func (e *Engine) Accounts(ctx context.Context, p Principal) ([]channel.Account, error) {
	var out []channel.Account
	err := e.query(ctx, p, ActConfigure, Resource{Kind: "workspace", ID: string(p.Workspace)}, func(ctx context.Context, tx store.Tx, _ *settings) error {
		accounts, err := tx.Accounts().Accounts(ctx)
		for i := range accounts {
			accounts[i].Secrets, accounts[i].Sealed = nil, nil
		}
		out = accounts
		return err
	})
	return out, err
}

// RotateKeys seals every account's credentials with the present primary key.
// Run it after a new key was promoted, before the old one goes.
func (e *Engine) RotateKeys(ctx context.Context, ws WorkspaceID) (int, error) {
	n := 0
	err := e.unit(ctx, system(ws), func(u *unit) error {
		n = 0
		for _, a := range u.s.accounts {
			if len(a.Sealed) == 0 || !e.cfg.Sealer.NeedsReseal(a.Sealed) {
				continue
			}
			sealed, err := e.sealSecrets(u.ctx, ws, a.ID, a.Secrets)
			if err != nil {
				return err
			}
			a.Sealed = sealed
			if _, err := u.tx.Accounts().SaveAccount(u.ctx, a); err != nil {
				return err
			}
			n++
		}
		u.resource = Resource{Kind: "workspace", ID: string(ws)}
		if n == 0 {
			return nil
		}
		return u.audit("keys.rotate", "ok")
	})
	return n, err
}
