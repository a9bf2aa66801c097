package sqlite

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheEngineWaitsForAFullDisk is TestTheEngineWaitsForAFullDatabase on a file
// system that is really full. Only who may mount one can run it.
func TestTheEngineWaitsForAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v); TestTheEngineWaitsForAFullDatabase covers SQLite's refusal", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	db := openTest(t, Options{Dir: filepath.Join(disk, "data")})
	filler := filepath.Join(disk, "filler")
	fill := func() {
		f, err := os.Create(filler)
		require.NoError(t, err)
		defer f.Close()
		for _, size := range []int{1 << 20, 4096, 512} {
			for buf := make([]byte, size); err == nil; {
				_, err = f.Write(buf)
			}
			err = nil
		}
	}
	waitsWhileFull(t, db, fill, func() { require.NoError(t, os.Remove(filler)) })
}
