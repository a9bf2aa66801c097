package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// errLocked is what lockHandle returns when another holds the lock.
var errLocked = errors.New("locked")

// dirLock is the exclusive right to a data directory. The operating system
// takes it back when the process ends in whatever way, so that a lock file left
// behind by a crash is harmless.
type dirLock struct{ f *os.File }

func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errs.New(errs.Invalid, "sqlite: the data directory %s is not writable; check its owner and permissions: %w", dir, err)
	}
	if err := lockHandle(f); err != nil {
		holder := readHolder(f)
		f.Close()
		if !errors.Is(err, errLocked) {
			return nil, errs.New(errs.Invalid, "sqlite: %s cannot be locked; the data must be on a local file system: %w", path, err)
		}
		return nil, errs.New(errs.Unavailable, "sqlite: the data directory %s is in use%s; stop that process, give this one another "+
			"directory, or use PostgreSQL for several processes", dir, holder)
	}
	if err := writeHolder(f); err != nil {
		f.Close()
		return nil, errs.New(errs.Unavailable, "sqlite: writing %s: %w", path, err)
	}
	return &dirLock{f}, nil
}

// readHolder tells who says to hold the lock, for the error alone.
func readHolder(f *os.File) string {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return " by process " + pid
	}
	return ""
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	return err
}

func (l *dirLock) release() { l.f.Close() }
