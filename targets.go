package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/seal"
)

// Targets are the places outside that notices go to; see package notify.

const kindTarget = "target"

const (
	targetsByName  = "name"
	maxTargets     = 500
	maxTargetName  = 100 // bytes
	maxTargetBytes = 64 << 10
)

var targets = declare(store.Kind[notify.Target]{Name: "target", Decl: 1, Reused: true,
	ID:      func(t *notify.Target) string { return string(t.ID) },
	Version: func(t *notify.Target) *int64 { return &t.Version },
	Indexes: []store.Index[notify.Target]{{Name: targetsByName, Value: func(t *notify.Target) []byte { return store.Text(t.Name) }}},
})

// SaveTarget creates a target (Version 0; an empty ID is filled) or replaces
// the one of the version given. Secrets that are not given keep their value; an
// empty one is deleted.
type SaveTarget struct {
	Key    Key           `json:"-"`
	Target notify.Target `json:"target"`
	// Renamed gives stored secrets another name, from the present name to the
	// new one, before the secrets of Target are put in place. {"secret":
	// "secret_next"} keeps the old secret for signing beside a new one.
	Renamed map[string]string `json:"renamed,omitempty"`
}

// SaveTarget carries the command out. ErrUnsupported for a kind without a
// carrier in Config.Carriers, ErrInvalid for what the carrier refuses.
func (e *Engine) SaveTarget(ctx context.Context, p Principal, c SaveTarget) (Saved, error) {
	if err := e.CheckKeys(ctx); err != nil {
		return Saved{}, err
	}
	t := c.Target
	if t.ID == "" {
		t.ID = notify.TargetID(newID())
	}
	saved, repeated, err := once(ctx, e, call{opSaveTarget, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindTarget, ID: string(t.ID)}); err != nil {
			return Saved{}, err
		}
		return u.saveTarget(t, c.Renamed)
	})
	if err != nil || !repeated {
		return saved, err
	}
	return saved, e.sameSecrets(ctx, p.Workspace, notify.TargetID(saved.ID), t.Secrets)
}

// sameSecrets refuses the repeat of a save that brings other secrets: they are
// not in the body by which commands under one key are told apart.
func (e *Engine) sameSecrets(ctx context.Context, ws WorkspaceID, id notify.TargetID, given map[string]channel.Secret) error {
	return e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		t, err := targets.Get(ctx, tx, string(id))
		if errors.Is(err, ErrNotFound) {
			return nil // deleted since
		}
		if err != nil {
			return err
		}
		stored, err := e.openTarget(ctx, ws, t)
		for name, secret := range given {
			if err == nil && stored[name].Reveal() != secret.Reveal() {
				return errs.New(errs.Conflict, "sangdam: this key was used to save target %s with another %s; use a fresh key", id, name)
			}
		}
		return err
	})
}

func (u *unit) saveTarget(t notify.Target, renamed map[string]string) (Saved, error) {
	carrier := u.e.carriers[t.Kind]
	switch {
	case carrier == nil:
		return Saved{}, errs.New(errs.Unsupported, "sangdam: no carrier for targets of kind %q; add it to Config.Carriers", t.Kind)
	case strings.TrimSpace(t.Name) == "" || len(t.Name) > maxTargetName:
		return Saved{}, errs.About("name", errs.New(errs.Invalid,
			"sangdam: a target's name has 1 to %d bytes; people choose targets by it", maxTargetName))
	case len(t.ID) > 100 || len(t.Settings) > maxTargetBytes:
		return Saved{}, errs.New(errs.Invalid, "sangdam: a target's id has at most 100 bytes, its settings at most %d", maxTargetBytes)
	}
	old, err := targets.Get(u.ctx, u.tx, string(t.ID))
	found := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Saved{}, err
	}
	if _, err := replaces(kindTarget, string(t.ID), found, old.Version, t.Version); err != nil {
		return Saved{}, err
	}
	secrets := map[string]channel.Secret{}
	if found {
		if old.Kind != t.Kind {
			return Saved{}, errs.New(errs.Invalid, "sangdam: target %s is of kind %s and stays so; make a new one", t.ID, old.Kind)
		}
		if secrets, err = u.e.openTarget(u.ctx, u.p.Workspace, old); err != nil {
			return Saved{}, err
		}
	} else if n, err := targets.Count(u.ctx, u.tx, store.List[notify.Target]{Index: targetsByName},
		maxTargets); err != nil || n >= maxTargets {
		return Saved{}, errors.Join(err,
			errs.New(errs.Invalid, "sangdam: a workspace has at most %d targets; delete those that nothing uses",
				maxTargets))
	}
	t.Secrets = merged(secrets, t.Secrets, renamed)
	t.SecretNames = slices.Sorted(maps.Keys(t.Secrets))
	if err := carrier.validate(t); err != nil {
		return Saved{}, err
	}
	if t.Why = ""; t.Disabled {
		t.Why = old.Why
	}
	if t.Sealed, err = u.e.sealTarget(u.ctx, u.p.Workspace, t); err != nil {
		return Saved{}, err
	}
	if err := targets.Save(u.ctx, u.tx, &t); err != nil {
		return Saved{}, err
	}
	return Saved{ID: string(t.ID), Version: t.Version}, u.event(kindTarget, string(t.ID), t.Version, "saved")
}

// merged are a target's secrets after a save: those that stay, some of them under
// another name, and those given; an empty one is none.
func merged(kept, given map[string]channel.Secret, renamed map[string]string) map[string]channel.Secret {
	out := maps.Clone(kept)
	for from := range renamed {
		delete(out, from)
	}
	for from, to := range renamed {
		out[to] = kept[from]
	}
	maps.Copy(out, given)
	maps.DeleteFunc(out, func(_ string, s channel.Secret) bool { return s.Empty() })
	return out
}

// DeleteTarget deletes a target. Deliveries that wait for it fail.
type DeleteTarget struct {
	Key     Key             `json:"-"`
	Target  notify.TargetID `json:"target"`
	Version int64           `json:"version"`
}

// DeleteTarget carries the command out. ErrInvalid while triggers or
// subscriptions use the target; the error names them.
func (e *Engine) DeleteTarget(ctx context.Context, p Principal, c DeleteTarget) error {
	_, err := command(ctx, e, call{opDeleteTarget, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindTarget, ID: string(c.Target)}); err != nil {
			return none, err
		}
		t, err := targets.Get(u.ctx, u.tx, string(c.Target))
		if errors.Is(err, ErrNotFound) {
			return none, noSuch(kindTarget)
		}
		if err != nil {
			return none, err
		}
		if t.Version != c.Version {
			return none, errs.New(errs.Stale, "sangdam: target %s was changed by somebody else; read it again and repeat", c.Target)
		}
		if err := u.unusedTarget(t); err != nil {
			return none, err
		}
		if err := targets.Delete(u.ctx, u.tx, &t); err != nil {
			return none, err
		}
		return none, u.event(kindTarget, string(t.ID), t.Version, "deleted")
	})
	return err
}

// unusedTarget refuses to take away a target that triggers or subscriptions use.
func (u *unit) unusedTarget(t notify.Target) error {
	users, err := u.usersOf(func(r referred) bool { return r.Target == t.ID })
	if err != nil {
		return err
	}
	subscribed, err := allOf(u.ctx, u.tx, subscriptions, nil)
	if err != nil {
		return err
	}
	for _, s := range subscribed {
		if s.Target == t.ID {
			return errs.New(errs.Invalid, "sangdam: target %q is used by subscription %q; delete that first", t.Name, s.Name)
		}
	}
	if len(users) > 0 {
		return errs.New(errs.Invalid, "sangdam: target %q is used by the triggers %s; change them first", t.Name,
			strings.Join(users, ", "))
	}
	return nil
}

var qTargets = asks("target.list", "Targets", kindTarget, ActConfigure).wide(wideSetUp)

// Targets lists the targets by name, without their secrets. It needs
// ActConfigure.
func (e *Engine) Targets(ctx context.Context, p Principal) (out []notify.Target, err error) {
	err = e.query(ctx, p, qTargets, "", func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		out, err = targets.All(ctx, tx, store.List[notify.Target]{Index: targetsByName}, maxTargets)
		return err
	})
	for i := range out {
		out[i].Sealed = nil
	}
	return out, err
}

func targetAD(ws WorkspaceID, id notify.TargetID) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "targets", Row: string(id), Column: "secrets"}
}

func (e *Engine) openTarget(ctx context.Context, ws WorkspaceID, t notify.Target) (map[string]channel.Secret, error) {
	out := map[string]channel.Secret{}
	if len(t.Sealed) == 0 {
		return out, nil
	}
	raw, err := e.cfg.Sealer.Open(ctx, targetAD(ws, t.ID), t.Sealed)
	if err != nil {
		return nil, errs.New(errs.Unavailable,
			"sangdam: the credentials of target %s cannot be opened; start with the keys they were sealed with: %w", t.ID, err)
	}
	var plain map[string]string
	if err := json.Unmarshal(raw, &plain); err != nil {
		return nil, errors.New("sangdam: the sealed credentials are not what was written")
	}
	for name, v := range plain {
		out[name] = channel.NewSecret(v)
	}
	return out, nil
}

func (e *Engine) sealTarget(ctx context.Context, ws WorkspaceID, t notify.Target) ([]byte, error) {
	if len(t.Secrets) == 0 {
		return nil, nil
	}
	plain := make(map[string]string, len(t.Secrets))
	for name, s := range t.Secrets {
		plain[name] = s.Reveal()
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	return e.cfg.Sealer.Seal(ctx, targetAD(ws, t.ID), raw)
}

// resealTargets seals the credentials of targets with the present key, and
// counts them.
func (u *unit) resealTargets() (n int, err error) {
	all, err := targets.All(u.ctx, u.tx, store.List[notify.Target]{Index: targetsByName}, maxTargets)
	if err != nil {
		return 0, err
	}
	for _, t := range all {
		if len(t.Sealed) == 0 || !u.e.cfg.Sealer.NeedsReseal(t.Sealed) {
			continue
		}
		if t.Secrets, err = u.e.openTarget(u.ctx, u.p.Workspace, t); err != nil {
			return n, err
		}
		if t.Sealed, err = u.e.sealTarget(u.ctx, u.p.Workspace, t); err != nil {
			return n, err
		}
		if err := targets.Save(u.ctx, u.tx, &t); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// refusedFor switches a target off that wants no more, so that nothing else is
// tried there.
func (u *unit) refusedFor(id notify.TargetID, why channel.Reason) error {
	t, err := targets.Get(u.ctx, u.tx, string(id))
	if errors.Is(err, ErrNotFound) || err == nil && t.Disabled {
		return nil
	}
	if err != nil {
		return err
	}
	t.Disabled, t.Why = true, why
	if err := targets.Save(u.ctx, u.tx, &t); err != nil {
		return err
	}
	return u.event(kindTarget, string(id), t.Version, "disabled")
}

// holdFor bounds how long a message may be held back for an Unsend.
const holdFor = 5 * time.Minute
