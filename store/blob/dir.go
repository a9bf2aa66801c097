package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
)

// tempDir holds uploads that are not complete. No shard has this name.
const tempDir = "tmp"

// tempAge is after what time without a write a temporary file is a leftover
// of a process that died. It is long, because another process may share the
// directory and be reading a slow upload.
const tempAge = 24 * time.Hour

// DirOptions are the settings of Dir. The zero value is ready to use.
type DirOptions struct {
	// Now is the clock by which blobs are stamped for List. Nil is time.Now.
	Now func() time.Time
}

// Directory is a Store in a directory of a file system: one file per blob, in
// 256 folders named by the first two digits of the name, files 0600 and
// folders 0700. The time at which a blob was put is the file's modification
// time, so a backup may be restored with or without times: without, blobs only
// look younger to a sweep.
type Directory struct {
	root *os.Root
	now  func() time.Time
}

var _ Claimer = (*Directory)(nil)

// Dir opens the store in the directory root and makes what is missing of it.
// Several processes may use one directory. Temporary files that a process left
// behind when it died are removed here and by each List that starts from the
// beginning, once they are 24 h old. Errors are ErrUnavailable.
func Dir(root string, opts DirOptions) (*Directory, error) {
	d, err := openDir(root, opts)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "blob: the directory %s cannot be used: %w", root, err)
	}
	return d, nil
}

func openDir(root string, opts DirOptions) (*Directory, error) {
	if err := makeSynced(filepath.Clean(root)); err != nil {
		return nil, err
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	d := &Directory{root: r, now: opts.Now}
	if d.now == nil {
		d.now = time.Now
	}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return d, nil
}

// Close releases the directory. Blobs that are open can be read on.
func (d *Directory) Close() error { return d.root.Close() }

// ownerFile names the database whose blobs these are. No shard has this name.
const ownerFile = "database"

// Claim implements Claimer with a file that is made once.
func (d *Directory) Claim(ctx context.Context, database string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	temp := tempDir + "/" + NewName()
	if err := d.root.WriteFile(temp, []byte(database), 0o600); err != nil {
		return unavailable("creating a temporary file", err)
	}
	defer d.root.Remove(temp) //nolint:errcheck // else the sweep of leftovers finds it
	// A link is made whole or not at all, and never over another one.
	err := d.root.Link(temp, ownerFile)
	if err == nil {
		err = d.sync(".")
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return unavailable("binding the directory to the database", err)
	}
	owner, err := d.root.ReadFile(ownerFile)
	if err != nil {
		return unavailable("reading whose directory it is", err)
	}
	if string(owner) != database {
		return errs.New(errs.Invalid,
			"blob: the directory %s holds the blobs of another database; give each database a directory of its own. "+
				"If this one took the other's place, remove the file %q there", d.root.Name(), ownerFile)
	}
	return nil
}

// prepare makes every folder at once and syncs them, so that no Put has to
// wonder whether the folder of its blob would survive a loss of power.
func (d *Directory) prepare() error {
	folders := []string{tempDir}
	for i := range 256 {
		folders = append(folders, fmt.Sprintf("%02x", i))
	}
	for _, f := range folders {
		if err := d.root.Mkdir(f, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := d.sync("."); err != nil {
		return err
	}
	return d.sweepTemp(time.Now().Add(-tempAge))
}

// Put implements Store: the bytes go to a temporary file, which is synced and
// then renamed, after which its folder is synced.
func (d *Directory) Put(ctx context.Context, r io.Reader, limit int64) (Info, error) {
	name := NewName()
	temp := tempDir + "/" + name
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Info{}, unavailable("creating a temporary file", err)
	}
	// Runs when r panics, too. After success the file has another name.
	renamed := false
	defer func() {
		_ = f.Close() // a second Close; the first one's error counts
		if !renamed {
			_ = d.root.Remove(temp) // else the sweep of leftovers finds it
		}
	}()
	info := Info{Name: name}
	if info.Size, info.SHA256, err = CopyLimited(ctx, f, r, limit); err != nil {
		return Info{}, err
	}
	if err := d.finish(f, temp); err != nil {
		return Info{}, unavailable("making the file durable", err)
	}
	if err := d.root.Rename(temp, place(name)); err != nil {
		return Info{}, unavailable("moving the file to its folder", err)
	}
	renamed = true
	if err := d.sync(name[:2]); err != nil {
		return Info{}, errors.Join(unavailable("syncing the folder", err), d.Delete(context.WithoutCancel(ctx), name))
	}
	return info, nil
}

func (d *Directory) finish(f *os.File, temp string) error {
	now := d.now()
	if err := d.root.Chtimes(temp, now, now); err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Open implements Store. The reader is an *os.File opened for reading, so it
// is an io.Seeker as well.
func (d *Directory) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !ValidName(name) {
		return nil, notFound()
	}
	f, err := d.root.Open(place(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound()
	}
	if err != nil {
		return nil, unavailable("opening", err)
	}
	return f, nil
}

// Delete implements Store.
func (d *Directory) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !ValidName(name) {
		return nil
	}
	err := d.root.Remove(place(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unavailable("deleting", err)
	}
	if err := d.sync(name[:2]); err != nil {
		return unavailable("syncing the folder", err)
	}
	return nil
}

// List implements Store. A call with an empty after also removes temporary
// files that are leftovers.
func (d *Directory) List(ctx context.Context, before time.Time, after string, limit int) ([]string, error) {
	if limit < 1 {
		return nil, badLimit(limit)
	}
	if after == "" {
		if err := d.sweepTemp(time.Now().Add(-tempAge)); err != nil {
			return nil, unavailable("removing temporary files", err)
		}
	}
	var names []string
	for i := range 256 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		folder := fmt.Sprintf("%02x", i)
		if len(after) >= 2 && folder < after[:2] {
			continue
		}
		found, err := d.listFolder(folder, before, after, limit-len(names))
		if err != nil {
			return nil, unavailable("listing", err)
		}
		if names = append(names, found...); len(names) == limit {
			break
		}
	}
	return names, nil
}

func (d *Directory) listFolder(folder string, before time.Time, after string, limit int) ([]string, error) {
	all, err := d.entries(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range all {
		if name <= after || !ValidName(name) {
			continue
		}
		if len(names) == limit {
			break
		}
		old, err := d.olderThan(folder+"/"+name, before)
		if err != nil {
			return nil, err
		}
		if old {
			names = append(names, name)
		}
	}
	return names, nil
}

// olderThan says whether the file is there and was written before t.
func (d *Directory) olderThan(path string, t time.Time) (bool, error) {
	info, err := d.root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // deleted since the folder was read
	}
	if err != nil {
		return false, err
	}
	return info.Mode().IsRegular() && info.ModTime().Before(t), nil
}

func (d *Directory) sweepTemp(before time.Time) error {
	names, err := d.entries(tempDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := tempDir + "/" + name
		old, err := d.olderThan(path, before)
		if err != nil {
			return err
		}
		if !old {
			continue
		}
		if err := d.root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// entries returns the names in a folder in ascending order.
func (d *Directory) entries(folder string) ([]string, error) {
	f, err := d.root.Open(folder)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

func (d *Directory) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

// makeSynced makes a directory with its parents and syncs each entry made.
func makeSynced(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: errors.New("it is not a directory")}
		}
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeSynced(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncPath(parent)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

// syncFolder makes the entries of a folder durable. Windows cannot sync one
// and journals renames by itself.
func syncFolder(f *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return f.Sync()
}

// place is the path of a blob under the root. Its callers have checked name.
func place(name string) string { return name[:2] + "/" + name }

// notFound does not repeat the name: it may be a guess, and goes to a log.
func notFound() error { return errs.New(errs.NotFound, "blob: there is none of that name") }

func badLimit(limit int) error {
	return errs.New(errs.Invalid, "blob: a list of at most %d: ask for at least 1", limit)
}

func unavailable(doing string, err error) error {
	return errs.New(errs.Unavailable, "blob: %s: %w", doing, err)
}
