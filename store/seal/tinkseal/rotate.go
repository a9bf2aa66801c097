package tinkseal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/sangdam/sangdam/internal/errs"
)

// Key describes one key of a file, without its material.
type Key struct {
	// ID is the key's number, as Sealer.KeyID gives it.
	ID string
	// Primary says that new values are sealed with it.
	Primary bool
	// Enabled says that values are opened with it.
	Enabled bool
}

// Keys lists the keys of a file, the oldest first. Errors are those of Open.
func Keys(path string) ([]Key, error) {
	h, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, errs.New(errs.Invalid, "tinkseal: key %d of the file %s cannot be read; restore the file from its backup",
				i+1, path)
		}
		keys = append(keys, Key{ID: formatID(e.KeyID()), Primary: e.IsPrimary(), Enabled: e.KeyStatus() == keyset.Enabled})
	}
	return keys, nil
}

// Rotate adds a random key and makes it the primary one, in one step: for a
// database that one process uses. It returns the key's id. The old key stays
// enabled.
func Rotate(path string) (id string, err error) {
	err = edit(path, func(m *keyset.Manager) error {
		n, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		id = formatID(n)
		return m.SetPrimary(n)
	})
	return id, err
}

// AddKey adds a random key that opens but does not seal, and returns its id:
// the first step of a rotation among several processes.
func AddKey(path string) (id string, err error) {
	err = edit(path, func(m *keyset.Manager) error {
		n, err := m.Add(aead.AES256GCMKeyTemplate())
		id = formatID(n)
		return err
	})
	return id, err
}

// Promote makes an enabled key the primary one.
func Promote(path, id string) error { return editKey(path, id, (*keyset.Manager).SetPrimary) }

// Disable stops a key that is not the primary one from opening. Enable takes
// that back.
func Disable(path, id string) error { return editKey(path, id, (*keyset.Manager).Disable) }

// Enable lets a disabled key open again.
func Enable(path, id string) error { return editKey(path, id, (*keyset.Manager).Enable) }

// Remove deletes a disabled key for ever. A key that is still enabled is
// ErrInvalid: Disable it, and see that nothing misses it, first.
func Remove(path, id string) error {
	keys, err := Keys(path)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID == id && k.Enabled {
			return errs.New(errs.Invalid, "tinkseal: key %s is enabled; disable it first, and remove it when nothing needs it", id)
		}
	}
	return editKey(path, id, (*keyset.Manager).Delete)
}

func editKey(path, id string, change func(*keyset.Manager, uint32) error) error {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return errs.New(errs.Invalid, "tinkseal: %q is not the id of a key; Keys lists them", id)
	}
	return edit(path, func(m *keyset.Manager) error { return change(m, uint32(n)) })
}

// edit replaces the file by a changed one. The new file's fixed name serves as
// a lock: of two edits at once one is refused, and none is lost.
func edit(path string, change func(*keyset.Manager) error) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errs.New(errs.Conflict,
			"tinkseal: another change of the keys is going on, or died half way: if none is, delete %s and try again", next)
	}
	if err != nil {
		return fileError("changing", path, err)
	}
	keys, err := changed(path, change)
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(next))
	}
	if err := writeSynced(f, keys); err != nil {
		return errors.Join(fileError("changing", path, err), os.Remove(next))
	}
	if err := os.Rename(next, path); err != nil {
		return errors.Join(fileError("changing", path, err), os.Remove(next))
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return fileError("changing", path, err)
	}
	return nil
}

func changed(path string, change func(*keyset.Manager) error) ([]byte, error) {
	h, err := readFile(path)
	if err != nil {
		return nil, err
	}
	m := keyset.NewManagerFromHandle(h)
	if err := change(m); err != nil {
		return nil, errs.New(errs.Invalid, "tinkseal: the keys of %s stay as they are, since the key is not there, is the primary one or "+
			"has the wrong status (Keys lists them): %w", path, err)
	}
	h, err = m.Handle()
	if err != nil {
		return nil, errs.New(errs.Invalid, "tinkseal: the keys of %s stay as they are, since the change would leave none to seal with",
			path)
	}
	return format(h)
}
