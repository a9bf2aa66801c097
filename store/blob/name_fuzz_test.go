package blob_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store/blob"
)

// No name leads out of the directory, to read or to delete.
func FuzzNameStaysInTheDirectory(f *testing.F) {
	dir := f.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(f, os.WriteFile(secret, []byte("secret"), 0o600))
	s, err := blob.Dir(filepath.Join(dir, "blobs"), blob.DirOptions{})
	require.NoError(f, err)
	info, err := s.Put(f.Context(), strings.NewReader("mine"), 100)
	require.NoError(f, err)
	for _, name := range []string{"../secret", "", ".", "..", "a/../../secret", info.Name, strings.ToUpper(info.Name),
		info.Name + "\x00", info.Name + "/.", "%2e%2e/secret"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r, err := s.Open(t.Context(), name)
		if err == nil {
			got, readErr := io.ReadAll(r)
			require.NoError(t, errors.Join(readErr, r.Close()))
			require.Equal(t, info.Name, name)
			require.Equal(t, "mine", string(got))
			return
		}
		require.True(t, errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrInvalid), "%q: %v", name, err)
		err = s.Delete(t.Context(), name)
		require.True(t, err == nil || errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrInvalid), "%q: %v", name, err)
		_, err = os.Stat(secret)
		require.NoError(t, err, "%q deleted what is outside", name)
		_, _ = s.List(t.Context(), time.Now(), name, 5)
	})
}
