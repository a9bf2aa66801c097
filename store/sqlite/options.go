package sqlite

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
)

const (
	dataFile = "sangdam.db"
	lockFile = "sangdam.lock"

	defaultBatch = 512
	maxBatch     = 4096
	maxReaders   = 256
)

// Options configure Open.
type Options struct {
	// Dir is the data directory; it and its parents are made if missing, with
	// mode 0700. It must be on a local file system: SQLite's write-ahead log
	// needs shared memory and working locks. Required.
	Dir string
	// Now is the clock of the store; nil means time.Now.
	Now func() time.Time
	// MaxBatch is how many Updates and appends share one commit at most;
	// 0 means 512, at most 4096.
	MaxBatch int
	// Readers is how many Views can run at once; 0 means twice the number of
	// processors, at least 4. At most 256.
	Readers int
	// HostSchema makes the host's own tables in the same file, which Host writes
	// in the transactions of commands: statements CREATE TABLE or INDEX IF NOT
	// EXISTS, each by itself, of names that begin with "host_". They run at every
	// Open.
	HostSchema []string
	// Logger gets what an operator should know; nil is silent. It never gets
	// what is stored.
	Logger *slog.Logger
}

// check fills the defaults in and refuses what makes no sense.
func (o *Options) check() error {
	switch {
	case o.Dir == "":
		return errs.New(errs.Invalid, "sqlite: Options.Dir is empty; name the directory that is to hold the data")
	case o.MaxBatch < 0 || o.MaxBatch > maxBatch:
		return errs.New(errs.Invalid, "sqlite: Options.MaxBatch is %d; choose 0 (for %d) to %d", o.MaxBatch, defaultBatch, maxBatch)
	case o.Readers < 0 || o.Readers > maxReaders:
		return errs.New(errs.Invalid, "sqlite: Options.Readers is %d; choose 0 (for a default) to %d", o.Readers, maxReaders)
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = defaultBatch
	}
	if o.Readers == 0 {
		o.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return errs.New(errs.Invalid, "sqlite: Options.Dir %q: %w", o.Dir, err)
	}
	o.Dir = dir
	return nil
}

// Open opens the store in a directory, making or migrating it as needed, and
// takes the directory for this process alone until Close.
//
// Errors: ErrInvalid for options, a directory or a file that cannot be used;
// ErrUnavailable when another process owns the directory; ErrUnsupported when
// the data was written by a newer program that this one must not serve.
func Open(ctx context.Context, o Options) (*store.DB, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := makeDir(o.Dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	b, err := openLocked(ctx, o, lock)
	if err != nil {
		lock.release()
		return nil, err
	}
	return store.New(b), nil
}

func openLocked(ctx context.Context, o Options, lock *dirLock) (*backend, error) {
	path := filepath.Join(o.Dir, dataFile)
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	if err := migrate(ctx, path, o.Logger); err != nil {
		return nil, err
	}
	if err := makeHostSchema(path, o.HostSchema); err != nil {
		return nil, err
	}
	return start(o, path, lock)
}

// makeDir makes the directory or says why it will not do.
func makeDir(dir string) error {
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return errs.New(errs.Invalid, "sqlite: %s is not a directory; name one, or remove the file", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return errs.New(errs.Invalid, "sqlite: the data directory %s cannot be made: %w", dir, err)
	}
	syncDir(filepath.Dir(dir))
	return nil
}

// syncDir makes new names in a directory survive a power cut. Not every system
// can, and a directory of somebody else may not be readable; what lies inside
// the data directory is synced by SQLite itself.
func syncDir(dir string) {
	if f, err := os.Open(dir); err == nil {
		_ = f.Sync()
		f.Close()
	}
}

// prepareFile makes the file with narrow permissions before SQLite would, which
// gives its log and shared memory the same, and refuses what is no database.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return errs.New(errs.Invalid, "sqlite: %s cannot be opened for writing; check its owner and permissions: %w", path, err)
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	n, _ := f.ReadAt(head, 0)
	if n > 0 && string(head[:n]) != magic {
		return errs.New(errs.Invalid, "sqlite: %s is not a SQLite database; move it away, or name another directory", path)
	}
	return nil
}
