package sangdam

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/internal/jsondoc"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
)

// What providers sent and what is on its way to them stands in the store for
// days, beside the messages. It is sealed there under a key of the workspace, so
// that a text which is masked is nowhere else in the clear, and forgotten when
// its message is masked (docs/design.md, Masking).

// restKeySet are the workspaces' keys, as far as this process has met them.
type restKeySet struct {
	mu sync.Mutex
	m  map[id.Workspace]*seal.DataKey
}

func (k *restKeySet) get(ws id.Workspace) *seal.DataKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.m[ws]
}

// put keeps a key; the first that this process met stays.
func (k *restKeySet) put(ws id.Workspace, key *seal.DataKey) *seal.DataKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.m == nil {
		k.m = map[id.Workspace]*seal.DataKey{}
	}
	if had := k.m[ws]; had != nil {
		return had
	}
	k.m[ws] = key
	return key
}

// restKeyAt is where a workspace's key stands, sealed with the host's keys.
func restKeyAt(ws id.Workspace) string { return "rest-key/" + string(ws) }

func restKeyPlace(ws id.Workspace) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "meta", Row: restKeyAt(ws), Column: "value"}
}

// restKey is the workspace's key; the first use makes it. It is not to be called
// within a transaction. Whatever fails is Unavailable: an event is then left to
// the provider, which repeats it.
func (e *Engine) restKey(ctx context.Context, ws id.Workspace) (*seal.DataKey, error) {
	if key := e.restKeys.get(ws); key != nil {
		return key, nil
	}
	sys := e.db.System()
	for {
		wrapped, err := sys.Meta(ctx, restKeyAt(ws))
		if err == nil {
			key, err := seal.OpenDataKey(ctx, e.cfg.Sealer, restKeyPlace(ws), wrapped)
			if err != nil {
				return nil, errs.New(errs.Unavailable,
					"sangdam: the workspace's key for texts at rest does not open with the keys given: %v", err)
			}
			return e.restKeys.put(ws, key), nil
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		wrapped, _, err = seal.NewDataKey(ctx, e.cfg.Sealer, restKeyPlace(ws))
		if err != nil {
			return nil, errs.New(errs.Unavailable, "sangdam: no key for texts at rest could be made: %v", err)
		}
		if err := sys.PutMeta(ctx, restKeyAt(ws), nil, wrapped); err != nil && !errors.Is(err, ErrConflict) {
			return nil, err
		} // whoever was first, that key is read back
	}
}

// errKeyless says that a unit needs the workspace's key and does not have it.
var errKeyless = errs.New(errs.Unavailable, "sangdam: the workspace's key for texts at rest is not at hand")

// keyed runs a transaction, and once more with the workspace's key where it
// turned out to need it: the first text that this process seals there.
func (e *Engine) keyed(ctx context.Context, ws id.Workspace, run func() error) error {
	err := run()
	if !errors.Is(err, errKeyless) {
		return err
	}
	if _, err := e.restKey(ctx, ws); err != nil {
		return err
	}
	return run()
}

// sealing makes sure that the unit has the workspace's key. It cannot be loaded
// within the transaction.
func (u *unit) sealing() error {
	if u.rest != nil {
		return nil
	}
	u.keyless = true
	return errKeyless
}

// resealRest brings the workspace's key under the host's primary key.
func (e *Engine) resealRest(ctx context.Context, ws id.Workspace) (int, error) {
	sys := e.db.System()
	wrapped, err := sys.Meta(ctx, restKeyAt(ws))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	again, fresh, err := seal.Reseal(ctx, e.cfg.Sealer, restKeyPlace(ws), wrapped)
	if err != nil || !fresh {
		return 0, err
	}
	return 1, sys.PutMeta(ctx, restKeyAt(ws), wrapped, again)
}

// sealedMark begins bytes that are sealed, where older rows have plain ones. No
// provider's event and no request begins with NUL.
var sealedMark = []byte("\x00sealed:1:")

// sealBytes seals bytes for a place.
func sealBytes(key *seal.DataKey, ad seal.AD, plain []byte) ([]byte, error) {
	return key.AppendSeal(sealedMark, ad, plain)
}

// openBytes undoes sealBytes; what an older program left in the clear comes back
// as it is.
func (e *Engine) openBytes(ctx context.Context, ad seal.AD, stored []byte) ([]byte, error) {
	sealed, is := bytes.CutPrefix(stored, sealedMark)
	if !is {
		return stored, nil
	}
	key, err := e.restKey(ctx, id.Workspace(ad.Workspace))
	if err != nil {
		return nil, err
	}
	return key.Open(ad, sealed)
}

func envelopePlace(ws id.Workspace, env channel.EnvelopeID) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "envelope", Row: string(env), Column: "raw"}
}

// sealEnvelopes seals what providers sent, before it is appended; each has its
// id. What lies in the blob store is sealed there.
func (e *Engine) sealEnvelopes(ctx context.Context, ws id.Workspace, envs []adapter.Envelope) error {
	key, err := e.restKey(ctx, ws)
	if err != nil {
		return err
	}
	for i, env := range envs {
		if isLarge(env.Raw) {
			continue
		}
		if envs[i].Raw, err = sealBytes(key, envelopePlace(ws, env.ID), env.Raw); err != nil {
			return err
		}
		envs[i].Sealed = true
	}
	return nil
}

// opened is an envelope as the provider sent it.
func (e *Engine) opened(ctx context.Context, ws id.Workspace, env adapter.Envelope) (adapter.Envelope, error) {
	var err error
	env.Raw, err = e.openBytes(ctx, envelopePlace(ws, env.ID), env.Raw)
	return env, err
}

func rowPlace(ws id.Workspace, row channel.OutboxID) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "outbox", Row: string(row), Column: "content"}
}

// leave queues a row, its content sealed.
func (u *unit) leave(row driver.OutboxRow) error {
	if err := u.sealing(); err != nil {
		return err
	}
	plain, err := jsondoc.Marshal(row.Content)
	if err != nil {
		return err
	}
	if row.Sealed, err = u.rest.Seal(rowPlace(u.tx.Workspace(), row.ID), plain); err != nil {
		return err
	}
	row.Content = channel.Content{}
	return u.tx.Outbox().Enqueue(u.ctx, row)
}

// openRow gives a row its content back.
func (e *Engine) openRow(ctx context.Context, ws id.Workspace, row driver.OutboxRow) (driver.OutboxRow, error) {
	if len(row.Sealed) == 0 {
		return row, nil
	}
	key, err := e.restKey(ctx, ws)
	if err != nil {
		return row, err
	}
	plain, err := key.Open(rowPlace(ws, row.ID), row.Sealed)
	if err != nil {
		return row, err
	}
	row.Sealed = nil
	return row, jsondoc.Unmarshal(plain, &row.Content)
}

func attemptPlace(ws id.Workspace, attempt string) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "attempt", Row: attempt, Column: "request"}
}

// sealedAttempt is an Attempt as it is stored.
func (e *Engine) sealedAttempt(ctx context.Context, ws id.Workspace, at adapter.Attempt) (adapter.Attempt, error) {
	key, err := e.restKey(ctx, ws)
	if err != nil {
		return at, err
	}
	at.Request, err = sealBytes(key, attemptPlace(ws, at.ID), at.Request)
	return at, err
}

// openedAttempt is an Attempt as it is sent.
func (e *Engine) openedAttempt(ctx context.Context, ws id.Workspace, at adapter.Attempt) (adapter.Attempt, error) {
	var err error
	at.Request, err = e.openBytes(ctx, attemptPlace(ws, at.ID), at.Request)
	return at, err
}

func earlyPlace(ws id.Workspace, early conversation.Early) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "early", Row: string(early.Account) + "/" + string(early.Message), Column: "content"}
}

// putEarly keeps an edit that arrived before its message, sealed.
func (u *unit) putEarly(early conversation.Early) error {
	if early.Content == nil {
		return u.tx.Contacts().PutEarly(u.ctx, early)
	}
	if err := u.sealing(); err != nil {
		return err
	}
	plain, err := jsondoc.Marshal(early.Content)
	if err != nil {
		return err
	}
	early.Content = nil
	if early.Sealed, err = u.rest.Seal(earlyPlace(u.tx.Workspace(), early), plain); err != nil {
		return err
	}
	return u.tx.Contacts().PutEarly(u.ctx, early)
}

// takeEarly takes what arrived before its message. ErrNotFound.
func (u *unit) takeEarly(account channel.AccountID, chat channel.Chat, m channel.ProviderMessageID) (conversation.Early, error) {
	early, err := u.tx.Contacts().TakeEarly(u.ctx, account, chat, m)
	if err != nil || len(early.Sealed) == 0 {
		return early, err
	}
	if err := u.sealing(); err != nil {
		return early, err
	}
	plain, err := u.rest.Open(earlyPlace(u.tx.Workspace(), early), early.Sealed)
	if err != nil {
		return early, err
	}
	early.Sealed, early.Content = nil, &channel.Content{}
	return early, jsondoc.Unmarshal(plain, early.Content)
}
