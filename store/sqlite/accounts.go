package sqlite

import (
	"context"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// accounts implements channel.AccountRepo.
type accounts struct{ *tx }

const accountColumns = `version, doc, sealed`

func scanAccount(w raw.Row) (channel.Account, error) {
	var a channel.Account
	err := decode(w.View(1), &a)
	a.Version, a.Sealed = w.Int(0), w.Bytes(2)
	return a, err
}

func (r accounts) Account(_ context.Context, id channel.AccountID) (channel.Account, error) {
	return one(r.tx, scanAccount, "account "+string(id), `SELECT `+accountColumns+` FROM accounts WHERE ws = ? AND id = ?`, r.ws, string(id))
}

func (r accounts) Accounts(context.Context) ([]channel.Account, error) {
	return list(r.tx, scanAccount, `SELECT `+accountColumns+` FROM accounts WHERE ws = ? ORDER BY id`, r.ws)
}

func (r accounts) SaveAccount(_ context.Context, a channel.Account) (int64, error) {
	if err := r.writable(); err != nil {
		return 0, err
	}
	taken, err := r.exists(`SELECT 1 FROM accounts WHERE token = ? AND (ws <> ? OR id <> ?)`, a.Token, r.ws, string(a.ID))
	if err != nil {
		return 0, err
	}
	if taken {
		return 0, errs.New(errs.AlreadyExists, "sqlite: another account has the webhook token of account %s; make a new one", a.ID)
	}
	doc, err := encode(a)
	if err != nil {
		return 0, err
	}
	v, err := r.saved("account", string(a.ID), a.Version,
		`INSERT INTO accounts (ws, id, version, token, doc, sealed) VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT (ws, id) DO NOTHING RETURNING version`,
		[]any{r.ws, string(a.ID), a.Token, doc, a.Sealed},
		`UPDATE accounts SET version = version + 1, token = ?, doc = ?, sealed = ? WHERE ws = ? AND id = ? AND version = ? RETURNING version`,
		[]any{a.Token, doc, a.Sealed, r.ws, string(a.ID), a.Version})
	if err != nil {
		return 0, err
	}
	return v, r.raiseConfig()
}
