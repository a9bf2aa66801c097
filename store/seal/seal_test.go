package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/seal"
)

var place = seal.AD{Workspace: "w1", Table: "contact", Row: "c1", Column: "phone"}

// elsewhere are places that differ from place in one part, or only in where
// one part ends and the next begins.
var elsewhere = map[string]seal.AD{
	"another workspace": {Workspace: "w2", Table: "contact", Row: "c1", Column: "phone"},
	"no workspace":      {Table: "contact", Row: "c1", Column: "phone"},
	"another table":     {Workspace: "w1", Table: "ticket", Row: "c1", Column: "phone"},
	"another row":       {Workspace: "w1", Table: "contact", Row: "c2", Column: "phone"},
	"another column":    {Workspace: "w1", Table: "contact", Row: "c1", Column: "email"},
	"shifted boundary":  {Workspace: "w1", Table: "contac", Row: "tc1", Column: "phone"},
	"shifted workspace": {Workspace: "w", Table: "1contact", Row: "c1", Column: "phone"},
}

func ephemeral(t testing.TB) seal.Sealer {
	t.Helper()
	s, err := seal.Ephemeral()
	require.NoError(t, err)
	return s
}

func TestADIsUnambiguous(t *testing.T) {
	part := rapid.StringOf(rapid.RuneFrom([]rune("ab\x00/|"))).Draw
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) seal.AD {
			return seal.AD{Workspace: part(t, name+".w"), Table: part(t, name+".t") + "t", Row: part(t, name+".r") + "r",
				Column: part(t, name+".c") + "c"}
		}
		a, b := draw("a"), draw("b")
		ea, err := a.Encode()
		require.NoError(t, err)
		eb, err := b.Encode()
		require.NoError(t, err)
		require.Equal(t, a == b, bytes.Equal(ea, eb), "%#v and %#v", a, b)
	})
}

func TestIncompletePlaceIsRefused(t *testing.T) {
	s := ephemeral(t)
	_, k, err := seal.NewDataKey(t.Context(), s, place)
	require.NoError(t, err)
	for _, ad := range []seal.AD{{}, {Workspace: "w", Row: "r", Column: "c"}, {Workspace: "w", Table: "t", Column: "c"},
		{Workspace: "w", Table: "t", Row: "r"}} {
		_, err := s.Seal(t.Context(), ad, []byte("x"))
		require.ErrorIs(t, err, seal.ErrInvalid)
		_, err = s.Open(t.Context(), ad, []byte("x"))
		require.ErrorIs(t, err, seal.ErrInvalid)
		_, err = k.Seal(ad, []byte("x"))
		require.ErrorIs(t, err, seal.ErrInvalid)
		_, err = k.Open(ad, []byte("x"))
		require.ErrorIs(t, err, seal.ErrInvalid)
	}
}

func TestDataKey(t *testing.T) {
	s := ephemeral(t)
	home := seal.AD{Workspace: "w1", Table: "contact", Row: "c1", Column: "data_key"}
	wrapped, k, err := seal.NewDataKey(t.Context(), s, home)
	require.NoError(t, err)
	sealed, err := k.Seal(place, []byte("010-1234-5678"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "1234")

	again, err := seal.OpenDataKey(t.Context(), s, home, wrapped)
	require.NoError(t, err)
	plain, err := again.Open(place, sealed)
	require.NoError(t, err)
	require.Equal(t, "010-1234-5678", string(plain))

	t.Run("same text twice differs", func(t *testing.T) {
		other, err := k.Seal(place, []byte("010-1234-5678"))
		require.NoError(t, err)
		require.NotEqual(t, sealed, other)
	})
	for name, ad := range elsewhere {
		t.Run("moved to "+name, func(t *testing.T) {
			_, err := k.Open(ad, sealed)
			require.ErrorIs(t, err, seal.ErrCannotOpen)
			require.ErrorIs(t, err, seal.ErrInvalid)
		})
	}
	t.Run("wrapped key moved to another contact", func(t *testing.T) {
		moved := home
		moved.Row = "c2"
		_, err := seal.OpenDataKey(t.Context(), s, moved, wrapped)
		require.ErrorIs(t, err, seal.ErrCannotOpen)
	})
	t.Run("another data key", func(t *testing.T) {
		_, other, err := seal.NewDataKey(t.Context(), s, home)
		require.NoError(t, err)
		_, err = other.Open(place, sealed)
		require.ErrorIs(t, err, seal.ErrCannotOpen)
	})
	t.Run("a value that is no key", func(t *testing.T) {
		for _, text := range []string{"", "x", strings.Repeat("k", 32), "sangdam/datakey/1:short"} {
			value, err := s.Seal(t.Context(), home, []byte(text))
			require.NoError(t, err)
			_, err = seal.OpenDataKey(t.Context(), s, home, value)
			require.ErrorIs(t, err, seal.ErrCannotOpen)
		}
	})
	everyBend(t, k, sealed)
}

// everyBend opens nothing that is not whole.
func everyBend(t *testing.T, k *seal.DataKey, sealed []byte) {
	t.Run("every cut and every changed byte", func(t *testing.T) {
		for i := range sealed {
			_, err := k.Open(place, sealed[:i])
			require.ErrorIs(t, err, seal.ErrCannotOpen)
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			_, err = k.Open(place, bad)
			require.ErrorIs(t, err, seal.ErrCannotOpen)
		}
		_, err := k.Open(place, append(bytes.Clone(sealed), 0))
		require.ErrorIs(t, err, seal.ErrCannotOpen)
	})
	t.Run("empty value", func(t *testing.T) {
		sealed, err := k.Seal(place, nil)
		require.NoError(t, err)
		plain, err := k.Open(place, sealed)
		require.NoError(t, err)
		require.Empty(t, plain)
	})
	t.Run("hidden when printed", func(t *testing.T) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			require.Equal(t, "seal.DataKey(hidden)", fmt.Sprintf(verb, k))
		}
	})
}

func TestEphemeral(t *testing.T) {
	a, b := ephemeral(t), ephemeral(t)
	sealed, err := a.Seal(t.Context(), place, []byte("secret"))
	require.NoError(t, err)
	plain, err := a.Open(t.Context(), place, sealed)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
	require.False(t, a.NeedsReseal(sealed))

	_, err = b.Open(t.Context(), place, sealed)
	require.ErrorIs(t, err, seal.ErrCannotOpen)
	require.True(t, b.NeedsReseal(sealed))
	require.NotEqual(t, a.KeyID(), b.KeyID())
	for name, ad := range elsewhere {
		_, err := a.Open(t.Context(), ad, sealed)
		require.ErrorIs(t, err, seal.ErrCannotOpen, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.Seal(ctx, place, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = a.Open(ctx, place, sealed)
	require.ErrorIs(t, err, context.Canceled)
}

func TestReseal(t *testing.T) {
	a, b := ephemeral(t), ephemeral(t)
	sealed, err := a.Seal(t.Context(), place, []byte("x"))
	require.NoError(t, err)
	same, fresh, err := seal.Reseal(t.Context(), a, place, sealed)
	require.NoError(t, err)
	require.False(t, fresh)
	require.Equal(t, sealed, same)

	resealed, fresh, err := seal.Reseal(t.Context(), rotated{Sealer: a, primary: b}, place, sealed)
	require.NoError(t, err)
	require.True(t, fresh)
	plain, err := b.Open(t.Context(), place, resealed)
	require.NoError(t, err)
	require.Equal(t, "x", string(plain))

	_, _, err = seal.Reseal(t.Context(), b, place, sealed)
	require.ErrorIs(t, err, seal.ErrCannotOpen)
}

// rotated opens with two keys and seals with one.
type rotated struct {
	seal.Sealer
	primary seal.Sealer
}

func (r rotated) Seal(ctx context.Context, ad seal.AD, p []byte) ([]byte, error) {
	return r.primary.Seal(ctx, ad, p)
}
func (r rotated) Open(ctx context.Context, ad seal.AD, b []byte) ([]byte, error) {
	if p, err := r.primary.Open(ctx, ad, b); err == nil {
		return p, nil
	}
	return r.Sealer.Open(ctx, ad, b)
}
func (r rotated) KeyID() string             { return r.primary.KeyID() }
func (r rotated) NeedsReseal(b []byte) bool { return r.primary.NeedsReseal(b) }

func FuzzDataKeyOpen(f *testing.F) {
	_, k, err := seal.NewDataKey(f.Context(), ephemeral(f), place)
	require.NoError(f, err)
	good, err := k.Seal(place, []byte("secret"))
	require.NoError(f, err)
	f.Add([]byte(nil))
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := k.Open(place, b); err == nil || !errors.Is(err, seal.ErrCannotOpen) {
			t.Fatalf("opened %x: %q, %v", b, plain, err)
		}
	})
}

func ExampleNewDataKey() {
	ctx := context.Background()
	sealer, _ := seal.Ephemeral()
	home := seal.AD{Workspace: "w1", Table: "contact", Row: "c1", Column: "data_key"}
	phone := seal.AD{Workspace: "w1", Table: "contact", Row: "c1", Column: "phone"}

	wrapped, key, _ := seal.NewDataKey(ctx, sealer, home)
	sealed, _ := key.Seal(phone, []byte("010-1234-5678"))

	key, _ = seal.OpenDataKey(ctx, sealer, home, wrapped)
	plain, _ := key.Open(phone, sealed)
	fmt.Println(string(plain))

	phone.Row = "c2" // copied to another contact
	_, err := key.Open(phone, sealed)
	fmt.Println(errors.Is(err, seal.ErrCannotOpen), errs.KindOf(err))
	// Output:
	// 010-1234-5678
	// true invalid
}
