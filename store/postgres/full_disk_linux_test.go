package postgres

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sangdam/sangdam/internal/pgtest"
	"github.com/stretchr/testify/require"
)

// endless is a file of zeros without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestACheckKnowsAFullDisk has the server on a file system that is really full.
// Only who may mount one can run it.
func TestACheckKnowsAFullDisk(t *testing.T) {
	disk, err := os.MkdirTemp("", "sangdam-full-") // not the test's own folder, which another user may not enter
	require.NoError(t, err)
	require.NoError(t, os.Chmod(disk, 0o755)) //nolint:gosec // the server runs as a user of its own
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		_ = os.Remove(disk)
		t.Skipf("a small file system cannot be mounted here (%v); TestACheckAsksForRoom covers what a check does", err)
	}
	t.Cleanup(func() { // the server ends with the process
		_ = syscall.Unmount(disk, syscall.MNT_DETACH)
		_ = os.Remove(disk)
	})
	t.Setenv("TMPDIR", disk)
	_, dsn := pgtest.StartOwn(t)
	db := openAt(t, Options{DSN: dsn})
	require.NoError(t, db.System().Check(t.Context()))
	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	require.NoError(t, err)
	_, err = io.Copy(f, endless{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	require.ErrorContains(t, db.System().Check(t.Context()), "disk is full")
	require.NoError(t, os.Remove(filler))
	require.NoError(t, db.System().Check(t.Context()), "it goes on by itself")
}
