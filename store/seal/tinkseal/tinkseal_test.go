package tinkseal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/seal/tinkseal"
)

var place = seal.AD{Workspace: "w1", Table: "account", Row: "a1", Column: "secret"}

func create(t *testing.T) (string, *tinkseal.Sealer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	s, err := tinkseal.Create(path)
	require.NoError(t, err)
	return path, s
}

func open(t *testing.T, path string) *tinkseal.Sealer {
	t.Helper()
	s, err := tinkseal.Open(path)
	require.NoError(t, err)
	return s
}

func sealed(t *testing.T, s seal.Sealer, text string) []byte {
	t.Helper()
	b, err := s.Seal(t.Context(), place, []byte(text))
	require.NoError(t, err)
	return b
}

func requireOpens(t *testing.T, s seal.Sealer, b []byte, text string) {
	t.Helper()
	plain, err := s.Open(t.Context(), place, b)
	require.NoError(t, err)
	require.Equal(t, text, string(plain))
}

func TestSealAndOpen(t *testing.T) {
	path, s := create(t)
	for _, text := range []string{"", "x", "channel secret", strings.Repeat("한", 100_000)} {
		b := sealed(t, s, text)
		requireOpens(t, s, b, text)
		requireOpens(t, open(t, path), b, text)
		require.NotEqual(t, b, sealed(t, s, text), "the same text twice")
		require.False(t, s.NeedsReseal(b))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Seal(ctx, place, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Open(ctx, place, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Seal(t.Context(), seal.AD{Workspace: "w1"}, nil)
	require.ErrorIs(t, err, tinkseal.ErrInvalid)
}

func TestMovedCiphertextDoesNotOpen(t *testing.T) {
	_, s := create(t)
	b := sealed(t, s, "channel secret")
	for name, ad := range map[string]seal.AD{
		"another workspace": {Workspace: "w2", Table: "account", Row: "a1", Column: "secret"},
		"another table":     {Workspace: "w1", Table: "contact", Row: "a1", Column: "secret"},
		"another row":       {Workspace: "w1", Table: "account", Row: "a2", Column: "secret"},
		"another column":    {Workspace: "w1", Table: "account", Row: "a1", Column: "token"},
		"shifted boundary":  {Workspace: "w1", Table: "accounta", Row: "1", Column: "secret"},
	} {
		_, err := s.Open(t.Context(), ad, b)
		require.ErrorIs(t, err, seal.ErrCannotOpen, name)
		require.ErrorIs(t, err, tinkseal.ErrInvalid, name)
	}
}

func TestWrongKeyAndDamage(t *testing.T) {
	_, s := create(t)
	_, other := create(t)
	b := sealed(t, s, "channel secret")
	_, err := other.Open(t.Context(), place, b)
	require.ErrorIs(t, err, seal.ErrCannotOpen)
	for i := range b {
		_, err := s.Open(t.Context(), place, b[:i])
		require.ErrorIs(t, err, seal.ErrCannotOpen, "cut to %d bytes", i)
		bad := bytes.Clone(b)
		bad[i] ^= 0x80
		_, err = s.Open(t.Context(), place, bad)
		require.ErrorIs(t, err, seal.ErrCannotOpen, "byte %d changed", i)
	}
	for _, garbage := range [][]byte{nil, {1}, {1, 2, 3, 4}, []byte("plain text from before sealing")} {
		_, err := s.Open(t.Context(), place, garbage)
		require.ErrorIs(t, err, seal.ErrCannotOpen)
		require.True(t, s.NeedsReseal(garbage))
	}
}

func TestDataKeyUnderTink(t *testing.T) {
	path, s := create(t)
	wrapped, k, err := seal.NewDataKey(t.Context(), s, place)
	require.NoError(t, err)
	b, err := k.Seal(place, []byte("x"))
	require.NoError(t, err)
	_, err = tinkseal.Rotate(path)
	require.NoError(t, err)
	wrapped, fresh, err := seal.Reseal(t.Context(), open(t, path), place, wrapped)
	require.NoError(t, err)
	require.True(t, fresh)
	k, err = seal.OpenDataKey(t.Context(), open(t, path), place, wrapped)
	require.NoError(t, err)
	plain, err := k.Open(place, b)
	require.NoError(t, err)
	require.Equal(t, "x", string(plain), "rotating the key of keys leaves what is under it")
}

func TestCreate(t *testing.T) {
	path, s := create(t)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	_, err = tinkseal.Create(path)
	require.ErrorIs(t, err, tinkseal.ErrAlreadyExists)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "a key file is never overwritten")
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")
	require.Equal(t, s.KeyID(), open(t, path).KeyID())

	_, err = tinkseal.Create(filepath.Join(t.TempDir(), "no", "such", "folder"))
	require.ErrorIs(t, err, tinkseal.ErrNotFound)
}

func TestOpenOrCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	var wg sync.WaitGroup
	ids := make([]string, 4)
	made := make([]bool, 4)
	for i := range ids {
		wg.Go(func() {
			s, created, err := tinkseal.OpenOrCreate(path)
			if err == nil {
				ids[i], made[i] = s.KeyID(), created
			}
		})
	}
	wg.Wait()
	makers := 0
	for i := range ids {
		require.Equal(t, ids[0], ids[i], "processes that start at once share one keyset")
		if made[i] {
			makers++
		}
	}
	require.Equal(t, 1, makers)
	require.NotEmpty(t, ids[0])

	require.NoError(t, os.WriteFile(path, []byte("garbage"), 0o600))
	_, _, err := tinkseal.OpenOrCreate(path)
	require.ErrorIs(t, err, tinkseal.ErrInvalid, "a damaged file is not replaced")
}

func TestLostKeyFile(t *testing.T) {
	path, _ := create(t)
	var stored []byte
	load := func(context.Context) ([]byte, error) {
		if stored == nil {
			return nil, errs.New(errs.NotFound, "none")
		}
		return stored, nil
	}
	save := func(_ context.Context, b []byte) error { stored = b; return nil }
	require.NoError(t, seal.Check(t.Context(), open(t, path), load, save))

	require.NoError(t, os.Remove(path))
	_, err := tinkseal.Open(path)
	require.ErrorIs(t, err, tinkseal.ErrNotFound)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "backup")

	s, created, err := tinkseal.OpenOrCreate(path)
	require.NoError(t, err)
	require.True(t, created)
	require.ErrorIs(t, seal.Check(t.Context(), s, load, save), seal.ErrWrongKey)
}

func TestKeyFileModes(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o644, 0o604, 0o620, 0o602, 0o660, 0o666, 0o777, 0o610, 0o440} {
		path, _ := create(t)
		require.NoError(t, os.Chmod(path, mode))
		_, err := tinkseal.Open(path)
		require.ErrorIs(t, err, tinkseal.ErrPermissionDenied, "%o", mode)
		require.ErrorContains(t, err, "chmod 600")
		_, err = tinkseal.Rotate(path)
		require.ErrorIs(t, err, tinkseal.ErrPermissionDenied)
		require.NoFileExists(t, path+".new")
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		path, _ := create(t)
		require.NoError(t, os.Chmod(path, mode))
		open(t, path)
	}
}

func TestGarbageKeyFilesSayNothingOfTheKeys(t *testing.T) {
	keys, err := tinkseal.NewJSON()
	require.NoError(t, err)
	var doc struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	require.NoError(t, json.Unmarshal(keys, &doc))
	material := doc.Key[0].KeyData.Value
	require.Greater(t, len(material), 40)

	bad := map[string][]byte{
		"empty": nil, "no JSON": []byte("garbage"), "other JSON": []byte(`{"a":1}`), "array": []byte(`[]`), "null": []byte("null"),
		"no keys":           []byte(`{"primaryKeyId":1,"key":[]}`),
		"quotes lost":       bytes.ReplaceAll(keys, []byte(`"`+material+`"`), []byte(material)),
		"bad base64":        bytes.ReplaceAll(keys, []byte(material), []byte("!"+material)),
		"short key":         bytes.ReplaceAll(keys, []byte(material), []byte(material[:20])),
		"unknown field":     bytes.ReplaceAll(keys, []byte(`"value"`), []byte(`"`+material+`"`)),
		"primary not there": bytes.Replace(keys, []byte(`"primaryKeyId":`), []byte(`"primaryKeyId":1`), 1),
		"binary":            {0, 255, 1, 2},
	}
	for i := 0; i < len(keys)-2; i += 7 {
		bad[fmt.Sprintf("cut to %d", i)] = keys[:i]
	}
	for name, b := range bad {
		_, err := tinkseal.FromJSON(b)
		require.ErrorIs(t, err, tinkseal.ErrInvalid, name)
		path := filepath.Join(t.TempDir(), "keys.json")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		_, fileErr := tinkseal.Open(path)
		require.ErrorIs(t, fileErr, tinkseal.ErrInvalid, name)
		require.ErrorContains(t, fileErr, path, name)
		for i := 0; i+8 <= len(material); i++ {
			require.NotContains(t, err.Error()+fileErr.Error(), material[i:i+8], name)
		}
	}
	s, err := tinkseal.FromJSON(keys)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "tinkseal.Sealer(primary key "+s.KeyID()+")", fmt.Sprintf(verb, s))
	}
}

func TestForeignKeyTypesAreRefused(t *testing.T) {
	for name, template := range map[string]*tinkpb.KeyTemplate{
		"a MAC key": mac.HMACSHA256Tag128KeyTemplate(), "AES-128": aead.AES128GCMKeyTemplate(),
		"no prefix": aead.AES256GCMNoPrefixKeyTemplate(),
	} {
		h, err := keyset.NewHandle(template)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)))
		_, err = tinkseal.FromJSON(b.Bytes())
		require.ErrorIs(t, err, tinkseal.ErrInvalid, name)
	}
}

func TestNotAFile(t *testing.T) {
	_, err := tinkseal.Open(t.TempDir())
	require.ErrorIs(t, err, tinkseal.ErrInvalid)
	large := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(large, make([]byte, 1<<20+1), 0o600))
	_, err = tinkseal.Open(large)
	require.ErrorIs(t, err, tinkseal.ErrInvalid)
}

func FuzzFromJSON(f *testing.F) {
	keys, err := tinkseal.NewJSON()
	require.NoError(f, err)
	f.Add(keys)
	f.Add([]byte(`{"primaryKeyId":1,"key":[{"keyData":null}]}`))
	f.Add([]byte(`{"key":[null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := tinkseal.FromJSON(b)
		if err != nil {
			require.ErrorIs(t, err, tinkseal.ErrInvalid)
			return
		}
		requireOpens(t, s, sealed(t, s, "x"), "x")
	})
}

func ExampleOpenOrCreate() {
	dir, _ := os.MkdirTemp("", "keys")
	defer os.RemoveAll(dir) //nolint:errcheck // an example

	keys, created, err := tinkseal.OpenOrCreate(filepath.Join(dir, "keys.json"))
	fmt.Println(created, err)

	ctx := context.Background()
	ad := seal.AD{Workspace: "w1", Table: "account", Row: "a1", Column: "secret"}
	b, _ := keys.Seal(ctx, ad, []byte("channel secret"))
	plain, _ := keys.Open(ctx, ad, b)
	fmt.Println(string(plain))
	// Output:
	// true <nil>
	// channel secret
}
