package sangdam

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
)

// Setup is what a workspace shall have. A host keeps it in a file beside its
// code and applies it as often as it likes, for instance at every start. Parts
// may name each other in any order. Versions and states in it are ignored. What
// it does not name stays as it is: leaving something out never deletes it.
// Targets and triggers are not part of it; they have commands of their own
// (SaveTarget, SaveTrigger).
//
// In JSON a duration is a number of nanoseconds and operating hours are written
// as package routing/hours says. An unknown member is refused.
type Setup struct {
	Agents      []routing.Agent      `json:"agents,omitempty"`
	Desks       []SetupDesk          `json:"desks,omitempty"`
	Queues      []routing.Queue      `json:"queues,omitempty"`
	WorkStreams []routing.WorkStream `json:"work_streams,omitempty"`
	// Accounts need an ID, by which they are found again. Keep their Secrets
	// out of the file; the host adds them after it has read the rest. Secrets
	// that are not given keep their value. Give a random key (webchat.NewKey)
	// only when the account is new, because with another key all earlier
	// visitors are forgotten.
	Accounts []channel.Account `json:"accounts,omitempty"`
	// Confirmed is as in SaveAccount, for the accounts that are switched on.
	Confirmed bool `json:"confirmed,omitempty"`
	// Layouts are those of mails to customers about their tickets.
	Layouts []notify.Layout `json:"layouts,omitempty"`
}

// UnmarshalJSON refuses members that a Setup does not have, so that a misspelt one
// is not silently without effect.
func (s *Setup) UnmarshalJSON(data []byte) error {
	type plain Setup // without this method
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode((*plain)(s)); err != nil {
		return errs.New(errs.Invalid, "sangdam: the set-up does not fit its form (secrets are set in Go, durations are in nanoseconds): %w",
			err)
	}
	return nil
}

// SetupDesk is a desk with the agents who shall be on it. A new desk needs at
// least one.
type SetupDesk struct {
	routing.Desk
	Members []routing.AgentID `json:"members,omitempty"`
}

// Planned says what becomes of one part of a Setup.
type Planned struct {
	Kind string `json:"kind"` // agent, desk, desk_member, queue, work_stream, account, mail_layout
	ID   string `json:"id"`   // of a desk_member: desk/agent
	// Do is "make", "change" or "keep".
	Do PlanDo `json:"do"`
}

// PlanDo is what Apply does with a part of a Setup.
type PlanDo string

// What Apply does with a part of a Setup.
const (
	PlanMake   PlanDo = "make"
	PlanChange PlanDo = "change"
	PlanKeep   PlanDo = "keep"
)

// Applied is what a Setup changes, or has changed.
type Applied struct {
	// Version of the configuration that the plan was made for; give it to
	// Apply.
	Version int64     `json:"version"`
	Parts   []Planned `json:"parts"`
	// Warnings say what cannot work until something else is set up too.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Apply carries a Setup out, whole or not at all.
type Apply struct {
	Key   Key   `json:"-"`
	Setup Setup `json:"setup"`
	// Version is Applied.Version of the plan that somebody looked at: when the
	// configuration has changed since, the command is ErrStale. 0 skips this
	// check.
	Version int64 `json:"version"`
}

// Apply carries the command out in one transaction. To apply the same Setup
// again changes nothing. Each part is checked as the command that saves it
// alone would check it, and the references between parts are checked once all
// are in place; errors are those of these commands. A repeat with the same Key
// whose secrets differ from the stored ones is ErrConflict.
func (e *Engine) Apply(ctx context.Context, p Principal, c Apply) (Applied, error) {
	if err := e.CheckKeys(ctx); err != nil {
		return Applied{}, err
	}
	if _, err := e.restKey(ctx, p.Workspace); err != nil {
		return Applied{}, err
	}
	r := Resource{Kind: "workspace", ID: string(p.Workspace)}
	done, repeated, err := configure(ctx, e, call{opApply, p, c.Key, c}, r, func(u *unit) (Applied, error) {
		if c.Version != 0 && c.Version != u.s.routing.Version {
			return Applied{}, errs.New(errs.Stale, "sangdam: the set-up was changed by somebody else since it was planned; plan again")
		}
		return u.applySetup(c.Setup)
	})
	if err != nil || !repeated {
		return done, err
	}
	for _, a := range c.Setup.Accounts { // a digest for the key has no secrets
		if _, err := e.savedBefore(ctx, p.Workspace, a.ID, a.Secrets); err != nil {
			return Applied{}, err
		}
	}
	return done, nil
}

// errPlanned rolls a plan back.
var errPlanned = errors.New("sangdam: planned")

var qPlan = asks("setup.plan", "Plan", kindWorkspace, ActConfigure).wide(wideSetUp)

// Plan says what Apply would change, and changes nothing: it carries the Setup
// out and rolls it back. What Plan accepts, Apply accepts, unless the
// configuration changes in between. It needs ActConfigure.
func (e *Engine) Plan(ctx context.Context, p Principal, s Setup) (plan Applied, err error) {
	if err := e.CheckKeys(ctx); err != nil {
		return Applied{}, err
	}
	err = e.unitOver(ctx, p, e.updateSettings, func(u *unit) (err error) {
		if err := u.allow(qPlan.Actions[0], Resource{Kind: qPlan.Resources[0], ID: string(p.Workspace)}); err != nil {
			return err
		}
		if plan, err = u.applySetup(s); err != nil {
			return err
		}
		return cmp.Or(u.wholeSetUp(), errPlanned)
	})
	if errors.Is(err, errPlanned) {
		return plan, nil
	}
	if errors.Is(err, ErrPermissionDenied) {
		e.auditRefusal(ctx, p, ActConfigure, Resource{Kind: "workspace", ID: string(p.Workspace)})
	}
	return Applied{}, err
}

// applySetup carries a set-up out in the order in which its parts name each other:
// agents, desks and who is on them, queues, work streams, accounts, layouts.
func (u *unit) applySetup(s Setup) (Applied, error) {
	out := Applied{Version: u.s.routing.Version}
	for _, step := range []func(Setup, *Applied) error{u.applyAgents, u.applyDesks, u.applyQueues, u.applyWorkStreams, u.applyAccounts,
		u.applyLayouts} {
		if err := step(s, &out); err != nil {
			return Applied{}, err
		}
		fresh, err := u.e.loadSettings(u.ctx, u.tx) // the next parts may name what was just made
		if err != nil {
			return Applied{}, err
		}
		u.s = fresh
	}
	return out, u.recheck(s, &out)
}

// part plans one part and saves it unless it is there already, just so.
func part[T any](out *Applied, kind, id string, found bool, stored, wanted T, save func() (Saved, error)) error {
	do := PlanMake
	if found {
		same, err := alike(stored, wanted)
		if err != nil {
			return err
		}
		if do = PlanChange; same {
			do = PlanKeep
		}
	}
	out.Parts = append(out.Parts, Planned{Kind: kind, ID: id, Do: do})
	if do == PlanKeep {
		return nil
	}
	saved, err := save()
	out.Warnings = append(out.Warnings, saved.Warnings...)
	return err
}

// alike compares by what is stored.
func alike(a, b any) (bool, error) {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if err := errors.Join(errX, errY); err != nil {
		return false, errs.New(errs.Invalid, "sangdam: the set-up cannot be encoded: %w", err)
	}
	return bytes.Equal(x, y), nil
}

func (u *unit) applyAgents(s Setup, out *Applied) error {
	for _, a := range s.Agents {
		old, err := u.tx.Agents().Agent(u.ctx, a.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		a.Version, a.State = old.Version, old.State
		err = part(out, "agent", string(a.ID), err == nil, old, a, func() (Saved, error) { return u.replaceAgent(a) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) applyDesks(s Setup, out *Applied) error {
	for _, d := range s.Desks {
		old, found := u.s.routing.Desks[d.ID]
		d.Version, d.Since = old.Version, old.Since
		members := u.s.routing.Members[d.ID]
		first := routing.AgentID("")
		if !found && len(d.Members) > 0 {
			first, members = d.Members[0], d.Members[:1]
		}
		err := part(out, "desk", string(d.ID), found, old, d.Desk, func() (Saved, error) { return u.saveDesk(d.Desk, first) })
		if err != nil {
			return err
		}
		for _, a := range d.Members {
			if slices.Contains(members, a) {
				continue
			}
			out.Parts = append(out.Parts, Planned{Kind: "desk_member", ID: string(d.ID) + "/" + string(a), Do: PlanMake})
			if err := u.addToDesk(d.ID, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *unit) applyQueues(s Setup, out *Applied) error {
	for _, q := range s.Queues {
		old, found := u.s.routing.Queues[q.ID]
		q.Version = old.Version
		if err := part(out, "queue", string(q.ID), found, old, q, func() (Saved, error) { return u.saveQueue(q) }); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) applyWorkStreams(s Setup, out *Applied) error {
	for _, w := range s.WorkStreams {
		old, found := u.s.routing.WorkStreams[w.ID]
		w.Version = old.Version
		if err := part(out, "work_stream", string(w.ID), found, old, w, func() (Saved, error) { return u.saveWorkStream(w) }); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) applyAccounts(s Setup, out *Applied) error {
	for _, a := range s.Accounts {
		if a.ID == "" {
			return errs.New(errs.Invalid, "sangdam: account %q of the set-up has no id; give it one, by which it is found again", a.Name)
		}
		adapter, err := u.e.accountAdapter(a)
		if err != nil {
			return err
		}
		old, found := u.s.accounts[a.ID]
		a.Version, a.Confirmed = old.Version, old.Confirmed
		a.Token = cmp.Or(old.Token, a.Token, newSecretID())
		err = part(out, "account", string(a.ID), found && !newSecrets(old, a), plain(old), plain(a), func() (Saved, error) {
			stored, err := u.saveAccount(a, adapter, s.Confirmed)
			return Saved{ID: string(stored.ID), Version: stored.Version}, err
		})
		if err != nil {
			return err
		}
		if last := &out.Parts[len(out.Parts)-1]; found && last.Do == PlanMake {
			last.Do = PlanChange
		}
	}
	return nil
}

func (u *unit) applyLayouts(s Setup, out *Applied) error {
	for _, l := range s.Layouts {
		name := layoutID(l.Event, l.Language)
		old, err := mailLayouts.Get(u.ctx, u.tx, name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		l.Version = old.Version
		if err := part(out, layoutKind.name, name, err == nil, old, l, func() (Saved, error) { return u.saveLayout(l) }); err != nil {
			return err
		}
	}
	return nil
}

// plain is an account without what is not compared: credentials.
func plain(a channel.Account) channel.Account {
	a.Secrets, a.Sealed = nil, nil
	return a
}

// newSecrets says that credentials are given which are not the stored ones.
func newSecrets(old, a channel.Account) bool {
	for name, secret := range a.Secrets {
		if stored, ok := old.Secrets[name]; !ok || stored.Reveal() != secret.Reveal() {
			return true
		}
	}
	return false
}

// recheck tells the warnings of the whole once, as they are at the end: a part
// may have been saved before what makes it right. Layouts that are not of the
// workspace's editor type are told whether or not the set-up holds them.
func (u *unit) recheck(s Setup, out *Applied) error {
	seen := map[string]Warning{}
	keep := func(all []Warning, err error) error {
		for _, w := range all {
			seen[w.Text] = w
		}
		return err
	}
	var failed error
	for _, a := range s.Agents {
		failed = cmp.Or(failed, keep(agentWarnings(a), nil))
	}
	for _, d := range s.Desks {
		failed = cmp.Or(failed, keep(deskWarnings(u.s.routing, d.Desk), nil))
	}
	for _, q := range s.Queues {
		failed = cmp.Or(failed, keep(u.queueWarnings(u.s.routing, q)))
	}
	for _, a := range s.Accounts {
		failed = cmp.Or(failed, keep(accountWarnings(u.s.routing, a), nil))
	}
	for _, w := range s.WorkStreams {
		failed = cmp.Or(failed, keep(u.streamWarnings(u.s.routing, w)))
	}
	wanted, err := u.editorType()
	failed = cmp.Or(failed, err, keep(u.otherForms(wanted)))
	out.Warnings = sortedWarnings(seen)
	return failed
}

// sortedWarnings are warnings by their texts.
func sortedWarnings(seen map[string]Warning) (out []Warning) {
	for _, text := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, seen[text])
	}
	return out
}
