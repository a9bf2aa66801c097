package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type accounts struct{ t *tx }

// accountRef is where a webhook token leads.
type accountRef struct {
	ws driver.WorkspaceID
	id channel.AccountID
}

func (b *backend) accountChanged(ws driver.WorkspaceID) func(channel.AccountID, *channel.Account, *channel.Account) {
	return func(id channel.AccountID, was, is *channel.Account) {
		if was != nil && was.Token != "" {
			delete(b.tokens, was.Token)
		}
		if is != nil && is.Token != "" {
			b.tokens[is.Token] = accountRef{ws, id}
		}
	}
}

func (r accounts) Account(_ context.Context, id channel.AccountID) (channel.Account, error) {
	return one(r.t, r.t.s.accounts, "account", id)
}

func (r accounts) Accounts(context.Context) ([]channel.Account, error) {
	return read(r.t, func() ([]channel.Account, error) {
		var out []channel.Account
		for _, a := range each(r.t, r.t.s.accounts) {
			out = append(out, clone(a))
		}
		slices.SortFunc(out, func(a, b channel.Account) int { return cmp.Compare(a.ID, b.ID) })
		r.t.found(len(out))
		return out, nil
	})
}

func (r accounts) SaveAccount(_ context.Context, a channel.Account) (int64, error) {
	t := r.t
	return write(t, func() (int64, error) {
		if old, _ := get(t, t.s.accounts, a.ID); old.Version != a.Version {
			return 0, driver.ErrClash
		}
		if err := r.tokenFree(a); err != nil {
			return 0, err
		}
		a = clone(a)
		a.Secrets = nil
		a.Version++
		put(t, t.s.accounts, a.ID, a)
		config{t}.raise()
		// The token is unique over all workspaces: look again at the commit.
		t.checks = append(t.checks, func() error {
			if r.tokenFree(a) != nil {
				return driver.ErrClash
			}
			return nil
		})
		return a.Version, nil
	})
}

// tokenFree refuses a token that another account has: one that is committed,
// or one of this transaction's own.
func (r accounts) tokenFree(a channel.Account) error {
	if a.Token == "" {
		return nil
	}
	taken := errs.New(errs.AlreadyExists, "memory: another account has the webhook token of account %q; make a new token", a.ID)
	if ref, ok := r.t.b.tokens[a.Token]; ok && ref != (accountRef{r.t.s.id, a.ID}) {
		if ref.ws != r.t.s.id {
			return taken
		}
		if other, _ := get(r.t, r.t.s.accounts, ref.id); other.Token == a.Token {
			return taken
		}
	}
	if o := written(r.t, r.t.s.accounts); o != nil {
		for id, c := range o.rows {
			if id != a.ID && c.val.Token == a.Token {
				return taken
			}
		}
	}
	return nil
}
