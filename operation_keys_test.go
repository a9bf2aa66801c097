package sangdam_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/store"
)

// carryOut calls the command of an operation with a body of zero values and the
// key.
func (w *world) carryOut(op sangdam.Operation, p sangdam.Principal, key sangdam.Key) error {
	w.t.Helper()
	method := reflect.ValueOf(w.eng).MethodByName(op.Method)
	body := reflect.New(method.Type().In(2)).Elem()
	body.FieldByName("Key").Set(reflect.ValueOf(key))
	if op.Method == "Upload" {
		body.FieldByName("Body").Set(reflect.ValueOf(strings.NewReader("x")))
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(p), body})
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// keyed says for a key that it was used for a command with this digest.
func (w *world) keyed(key sangdam.Key, digest string) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
		return tx.Commands().Store(ctx, string(w.host.Kind)+":"+w.host.ID, string(key), digest, []byte("null"))
	}))
}

// Every command of the table hands its key and its whole body to the frame: a
// key that is too long is refused, one that was used for another command is a
// conflict, and one that was used for this very command has no second effect.
// A new command is in the test by being in the table.
func TestEveryCommandsKeyIsKept(t *testing.T) {
	// What cannot be encoded goes into the body as a digest of its own.
	digested := map[string]string{
		"Upload":          fmt.Sprintf(`{"sha256":"%x"}`, sha256.Sum256([]byte("x"))),
		"SaveDeskPicture": fmt.Sprintf(`{"desk":"","version":0,"sha256":"%x"}`, sha256.Sum256(nil)),
	}
	// These have no second effect either, but what they returned is not kept.
	unkept := map[string]error{"InviteAgent": sangdam.ErrStale, "BeginLink": sangdam.ErrStale, "Reveal": sangdam.ErrInvalid}
	inWorld(t, func(w *world) {
		seq := w.lastAudited()
		for _, op := range commands() {
			err := w.carryOut(op, w.host, sangdam.Key(strings.Repeat("k", 1<<20)))
			require.ErrorIs(t, err, sangdam.ErrInvalid, op.Method)
			require.ErrorContains(t, err, "1048576 bytes", op.Method)

			other := sangdam.Key("other " + op.Method)
			w.keyed(other, "the digest of another command")
			require.ErrorIs(t, w.carryOut(op, w.host, other), sangdam.ErrConflict, op.Method)

			m, _ := reflect.TypeFor[*sangdam.Engine]().MethodByName(op.Method)
			body, err := json.Marshal(reflect.New(m.Type.In(3)).Elem().Interface())
			require.NoError(t, err)
			if d, special := digested[op.Method]; special {
				body = []byte(d)
			}
			sum := sha256.Sum256(append([]byte(op.Name+"\n"), body...))
			same := sangdam.Key("same " + op.Method)
			w.keyed(same, hex.EncodeToString(sum[:]))
			require.ErrorIs(t, w.carryOut(op, w.host, same), unkept[op.Method], "%s: a repeat gets the first answer", op.Method)
		}
		rows, err := w.eng.Audit(w.ctx, w.host, seq, 100)
		require.NoError(t, err)
		for _, r := range rows {
			require.Equal(t, "failed", r.Outcome, "nothing was done but %+v", r) // each look behind a mask is recorded
		}
	})
}

// A field that is no part of the digest would let the same key with another
// value be a success without effect. Each of these is told apart otherwise, or
// asks for nothing.
func TestKeysTellWholeCommandsApart(t *testing.T) {
	known := []string{
		"Account.Sealed",                    // what is stored of Secrets
		"Account.Secrets", "Target.Secrets", // compared with what is stored, see the tests below
		"Agent.State",          // not set by a save
		"SaveDeskPicture.Body", // its SHA-256 is
		"Upload.Body",          // likewise
		"Upload.Limit",         // what the same bytes pass
	}
	var left func(ty reflect.Type, seen map[reflect.Type]bool) []string
	left = func(ty reflect.Type, seen map[reflect.Type]bool) (out []string) {
		switch ty.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
			return left(ty.Elem(), seen)
		case reflect.Struct:
		default:
			return nil
		}
		if seen[ty] || ty.Name() != "" && !strings.Contains(ty.PkgPath(), "sangdam") {
			return nil
		}
		seen[ty] = true
		for f := range ty.Fields() {
			name := ty.Name() + "." + f.Name
			if f.Tag.Get("json") == "-" && f.Name != "Key" && !slices.Contains(known, name) {
				out = append(out, name)
			}
			if f.Tag.Get("json") != "-" {
				out = append(out, left(f.Type, seen)...)
			}
		}
		return out
	}
	for _, op := range commands() {
		m, _ := reflect.TypeFor[*sangdam.Engine]().MethodByName(op.Method)
		require.Empty(t, left(m.Type.In(3), map[reflect.Type]bool{}), op.Method)
	}
}

// The secrets of a set-up are no part of what is kept with a key, but a repeat
// with others is no repeat.
func TestAKeyIsBoundToTheSecretsOfASetup(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		apply := func(token string) (sangdam.Applied, error) {
			s := branch(w)
			s.Accounts[0].Secrets["channel_token"] = channel.NewSecret(token)
			return w.eng.Apply(w.ctx, w.host, sangdam.Apply{Key: "k", Setup: s})
		}
		first, err := apply("a-token-of-some-length")
		require.NoError(t, err)
		again, err := apply("a-token-of-some-length")
		require.NoError(t, err)
		require.Equal(t, first, again)
		_, err = apply("another-token-of-some-length")
		require.ErrorIs(t, err, sangdam.ErrConflict)
	})
}
