package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/blob/blobtest"
)

func openDir(t *testing.T, root string, opts blob.DirOptions) *blob.Directory {
	t.Helper()
	d, err := blob.Dir(root, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestConformance(t *testing.T) {
	t.Run("dir", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) blob.Store { return openDir(t, t.TempDir(), blob.DirOptions{}) })
	})
	t.Run("memory", func(t *testing.T) {
		blobtest.Run(t, func(*testing.T) blob.Store { return blob.Memory() })
	})
}

// files returns the paths of the regular files under root.
func files(t *testing.T, root string) []string {
	t.Helper()
	var paths []string
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

func TestDirSurvivesReopen(t *testing.T) {
	root := filepath.Join(t.TempDir(), "data", "blobs")
	first, err := blob.Dir(root, blob.DirOptions{})
	require.NoError(t, err)
	info, err := first.Put(t.Context(), strings.NewReader("photo"), 100)
	require.NoError(t, err)
	require.NoError(t, first.Close())

	r, err := openDir(t, root, blob.DirOptions{}).Open(t.Context(), info.Name)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "photo", string(got))
}

func TestDirModes(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	d := openDir(t, root, blob.DirOptions{})
	_, err := d.Put(t.Context(), strings.NewReader("x"), 1)
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
}

func TestDirFailedPutLeavesNoFile(t *testing.T) {
	root := t.TempDir()
	d := openDir(t, root, blob.DirOptions{})
	_, err := d.Put(t.Context(), strings.NewReader("too long"), 3)
	require.ErrorIs(t, err, blob.ErrTooLarge)
	_, err = d.Put(t.Context(), io.MultiReader(strings.NewReader("x"), failing{}), 100)
	require.Error(t, err)
	require.Panics(t, func() { _, _ = d.Put(t.Context(), panicking{}, 100) })
	require.Empty(t, files(t, root))
}

func TestDirListUsesItsClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := openDir(t, t.TempDir(), blob.DirOptions{Now: func() time.Time { return now }})
	info, err := d.Put(t.Context(), strings.NewReader("x"), 1)
	require.NoError(t, err)

	names, err := d.List(t.Context(), now, "", 10)
	require.NoError(t, err)
	require.Empty(t, names, "before is exclusive")
	names, err = d.List(t.Context(), now.Add(time.Second), "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{info.Name}, names)
}

func TestDirTempLeftoversAreSwept(t *testing.T) {
	root := t.TempDir()
	d := openDir(t, root, blob.DirOptions{})
	leftover := func(name string, at time.Time) string {
		path := filepath.Join(root, "tmp", name)
		require.NoError(t, os.WriteFile(path, []byte("half"), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
		return path
	}
	longAgo := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

	dead, live := leftover(blob.NewName(), longAgo), leftover(blob.NewName(), time.Now())
	names, err := d.List(t.Context(), time.Now().AddDate(100, 0, 0), "", 10)
	require.NoError(t, err)
	require.Empty(t, names, "a temporary file is no blob")
	require.NoFileExists(t, dead)
	require.FileExists(t, live, "another process may be writing it, whatever moment the caller names")

	dead = leftover("anything", longAgo)
	openDir(t, root, blob.DirOptions{})
	require.NoFileExists(t, dead)
	require.FileExists(t, live)
}

func TestDirForeignFilesAreNotListed(t *testing.T) {
	root := t.TempDir()
	d := openDir(t, root, blob.DirOptions{})
	for _, name := range []string{".DS_Store", "ab.txt", strings.Repeat("A", 40)} {
		require.NoError(t, os.WriteFile(filepath.Join(root, "ab", name), nil, 0o600))
	}
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(root, "ab", "ab"+strings.Repeat("0", 38))))
	names, err := d.List(t.Context(), time.Now().AddDate(100, 0, 0), "", 10)
	require.NoError(t, err)
	require.Empty(t, names)
	_, err = d.Open(t.Context(), "ab"+strings.Repeat("0", 38))
	require.ErrorIs(t, err, blob.ErrUnavailable, "a link out of the directory is not followed")
}

func TestDirFailuresAreUnavailable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := blob.Dir(file, blob.DirOptions{})
	require.ErrorIs(t, err, blob.ErrUnavailable)
	require.ErrorContains(t, err, file)

	root := t.TempDir()
	d := openDir(t, root, blob.DirOptions{})
	for i := range 256 {
		require.NoError(t, os.Remove(filepath.Join(root, fmt.Sprintf("%02x", i))))
	}
	_, err = d.Put(t.Context(), strings.NewReader("x"), 1)
	require.ErrorIs(t, err, blob.ErrUnavailable)
	require.Empty(t, files(t, root), "the rename failed, the temporary file goes")
	_, err = d.List(t.Context(), time.Now(), "", 1)
	require.ErrorIs(t, err, blob.ErrUnavailable)
}

func TestNamesAreRandomAndValid(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		name := blob.NewName()
		require.True(t, blob.ValidName(name))
		require.False(t, seen[name])
		seen[name] = true
	}
	for _, bad := range []string{"", strings.Repeat("A", 40), strings.Repeat("g", 40), strings.Repeat("a", 39), strings.Repeat("a", 41),
		strings.Repeat("a", 39) + "/"} {
		require.False(t, blob.ValidName(bad), bad)
	}
}

func TestOpenIsSeekable(t *testing.T) {
	for name, s := range map[string]blob.Store{"dir": openDir(t, t.TempDir(), blob.DirOptions{}), "memory": blob.Memory()} {
		info, err := s.Put(t.Context(), strings.NewReader("0123456789"), 10)
		require.NoError(t, err)
		r, err := s.Open(t.Context(), info.Name)
		require.NoError(t, err)
		_, err = r.(io.Seeker).Seek(7, io.SeekStart)
		require.NoError(t, err)
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, "789", string(rest), name)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("a reader's own fault") }

func ExampleStore() {
	ctx := context.Background()
	var s blob.Store = blob.Memory()
	info, err := s.Put(ctx, strings.NewReader("a photo"), 10<<20)
	fmt.Println(info.Size, info.SHA256[:8], err)

	_, err = s.Put(ctx, bytes.NewReader(make([]byte, 11)), 10)
	fmt.Println(errors.Is(err, blob.ErrTooLarge))

	_, err = s.Open(ctx, "../../etc/passwd")
	fmt.Println(err)
	// Output:
	// 7 d4e24d74 <nil>
	// true
	// blob: there is none of that name
}
