package memory

import (
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/store/driver"
)

type commands struct{ t *tx }

type commandKey struct{ principal, key string }

type command struct {
	digest string
	result []byte
	at     time.Time
}

func (r commands) Lookup(_ context.Context, principal, key string) (string, []byte, error) {
	c, err := read(r.t, func() (command, error) {
		c, ok := get(r.t, r.t.s.cmds, commandKey{principal, key})
		if !ok {
			return c, missing("command under key", key)
		}
		r.t.found(1)
		return c, nil
	})
	return c.digest, slices.Clone(c.result), err
}

func (r commands) Store(_ context.Context, principal, key, digest string, result []byte) error {
	return do(r.t, func() error {
		k := commandKey{principal, key}
		if _, taken := get(r.t, r.t.s.cmds, k); taken {
			return driver.ErrClash
		}
		put(r.t, r.t.s.cmds, k, command{digest, slices.Clone(result), r.t.now})
		return nil
	})
}

func (r commands) purgeCommands(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.cmds, limit, func(c command) bool { return c.at.Before(before) }), nil
	})
}
