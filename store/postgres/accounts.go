package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
)

type accounts struct{ *tx }

func scanAccount(r pgx.Rows) (channel.Account, error) {
	var doc, sealed []byte
	var version int64
	if err := r.Scan(&version, &sealed, &doc); err != nil {
		return channel.Account{}, err
	}
	a, err := decode[channel.Account](doc)
	a.Version, a.Sealed = version, sealed
	return a, err
}

// Account implements channel.AccountRepo.
func (a accounts) Account(ctx context.Context, id channel.AccountID) (channel.Account, error) {
	return one(ctx, a.tx, "account", query(`SELECT version, sealed, doc FROM sd.accounts WHERE ws = $1 AND id = $2`, key(a.ws), key(id)),
		scanAccount)
}

// Accounts implements channel.AccountRepo.
func (a accounts) Accounts(ctx context.Context) ([]channel.Account, error) {
	return many(ctx, a.tx, query(`SELECT version, sealed, doc FROM sd.accounts WHERE ws = $1 ORDER BY id`, key(a.ws)), scanAccount)
}

// SaveAccount implements channel.AccountRepo. It goes to the server at once, so
// that a taken token is told here.
func (a accounts) SaveAccount(ctx context.Context, acct channel.Account) (int64, error) {
	if err := a.writable(); err != nil {
		return 0, err
	}
	doc, err := encode(acct)
	if err != nil {
		return 0, err
	}
	save := query(`INSERT INTO sd.accounts (ws, id, version, token, sealed, doc) VALUES ($1, $2, 1, $3, $4, $5)`,
		key(a.ws), key(acct.ID), key(acct.Token), acct.Sealed, doc)
	if acct.Version != 0 {
		save = asClash("account", `UPDATE sd.accounts SET version = version + 1, token = $3, sealed = $4, doc = $5
			WHERE ws = $1 AND id = $2 AND version = $6 RETURNING 1`, key(a.ws), key(acct.ID), key(acct.Token), acct.Sealed, doc, acct.Version)
	}
	if err := a.configChanged(ctx); err != nil {
		return 0, err
	}
	return acct.Version + 1, a.lock(ctx, save)
}
