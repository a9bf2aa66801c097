package tinkseal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/sangdam/sangdam/internal/errs"
)

// maxFile bounds a key file; one with a hundred keys has some 20 KiB.
const maxFile = 1 << 20

// Open returns the Sealer of a key file. Errors: ErrNotFound when there is no
// file, ErrPermissionDenied when it may be read by others or not by this
// process, ErrInvalid when it holds no keyset, else ErrUnavailable.
func Open(path string) (*Sealer, error) {
	h, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return newSealer(h)
}

// Create makes a key file of mode 0600 with one random key and returns its
// Sealer. The file is complete and durable when it appears under its name. A
// file that is there is never changed: ErrAlreadyExists. Other errors are
// ErrUnavailable.
func Create(path string) (*Sealer, error) {
	keys, err := NewJSON()
	if err != nil {
		return nil, err
	}
	temp, err := writeTemp(filepath.Dir(path), filepath.Base(path)+".*", keys)
	if err != nil {
		return nil, fileError("making", path, err)
	}
	// Link, unlike a rename, fails when the name is taken.
	err = errors.Join(os.Link(temp, path), os.Remove(temp))
	if errors.Is(err, fs.ErrExist) {
		return nil, errs.New(errs.AlreadyExists,
			"tinkseal: the key file %s is there already; open it, or move it away if nothing was ever sealed with it", path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return nil, fileError("making", path, err)
	}
	return FromJSON(keys)
}

// OpenOrCreate opens the key file or, where there is none, makes it; created
// tells which, so that a program can warn that the file needs a backup. When a
// key file was lost, the new one it makes is refused by seal.Check.
func OpenOrCreate(path string) (s *Sealer, created bool, err error) {
	s, err = Open(path)
	if !errors.Is(err, errs.NotFound) {
		return s, false, err
	}
	s, err = Create(path)
	if errors.Is(err, errs.AlreadyExists) { // another process was first
		s, err = Open(path)
		return s, false, err
	}
	return s, err == nil, err
}

func readFile(path string) (*keyset.Handle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError("opening", path, err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	info, err := f.Stat()
	if err != nil {
		return nil, fileError("opening", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, errs.New(errs.Invalid, "tinkseal: %s is not a regular file; name the key file", path)
	}
	if wide := info.Mode().Perm() & 0o077; wide != 0 && runtime.GOOS != "windows" {
		return nil, errs.New(errs.PermissionDenied,
			"tinkseal: the key file %s has mode %04o, so that others than its owner can use it; run chmod 600 on it, and rotate the keys "+
				"if somebody may have read it", path, info.Mode().Perm())
	}
	keys, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileError("reading", path, err)
	}
	if len(keys) > maxFile {
		return nil, errs.New(errs.Invalid, "tinkseal: %s is larger than any key file; name the key file", path)
	}
	h, err := parse(keys)
	if err != nil {
		return nil, errs.New(errs.Invalid, "key file %s: %w", path, err)
	}
	return h, nil
}

// writeTemp writes a durable file of mode 0600 with a name of its own.
func writeTemp(dir, pattern string, b []byte) (string, error) {
	f, err := os.CreateTemp(dir, pattern) // makes it with mode 0600
	if err != nil {
		return "", err
	}
	if err := writeSynced(f, b); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func writeSynced(f *os.File, b []byte) error {
	_, err := f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncFolder makes the entries of a folder durable; Windows cannot and journals
// them by itself.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func fileError(doing, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.New(errs.NotFound, "tinkseal: %s the key file %s: it, or its folder, is not there; restore it from its backup, or "+
			"create one if nothing was sealed yet", doing, path)
	case errors.Is(err, fs.ErrPermission):
		return errs.New(errs.PermissionDenied, "tinkseal: %s the key file %s: this process may not; give its user the right", doing, path)
	}
	return errs.New(errs.Unavailable, "tinkseal: %s the key file %s: %w", doing, path, err)
}
