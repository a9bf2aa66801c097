// Package sqlite keeps everything in one file of one directory, without a
// server and without cgo: the store for one process.
//
// # Durability
//
// When a call returns without an error, what it wrote is on the disk: the
// database is in WAL mode with synchronous=FULL, so that it survives the death
// of the process and a power cut, as far as the disk keeps what it reports as
// written. Many callers share one write to the disk: Updates and appends that
// wait at the same moment run one after another in one transaction, each but the
// first that writes in a savepoint; it is committed once, and nobody is answered
// before. A function
// that fails or panics takes back its own writes alone. When the commit fails
// (a full disk, an I/O error) every caller gets ErrUnavailable, also those
// whose function had returned another error, since it may have rested on rows
// that are not there.
//
// An Update's function runs on a goroutine of the store, alone in the whole
// database: keep it short. It may run more than once. Its context carries the
// caller's values and end, but ends no statement: a cancelled Update is rolled
// back when its function returns. Calling the store inside with that context
// is ErrInvalid; a write inside with another context waits for ever. A View runs on the caller's goroutine beside
// everything else, on a connection of a pool.
//
// # One process
//
// One process at a time owns a data directory; a lock that the operating
// system takes back when the process ends, however it ends, keeps others out.
// So claims of lanes are kept in memory and cost no commit; after a crash they
// are gone, and an Attempt that was being sent is handed out as doubtful. For
// several processes use store/postgres. The directory must be on a local file
// system.
//
// # Files
//
// sangdam.db is the database, sangdam.db-wal and sangdam.db-shm are parts of
// it while the store is open or after a crash, sangdam.lock is the lock; all
// are readable by their owner alone. Deleted rows are overwritten
// (secure_delete), but a row may be found in the log until it is next emptied,
// which Close does, and the search index drops the tokens of deleted messages
// some time later. Scrub does both at once; call it after an erasure.
//
// # Backup
//
// Backup copies a running store into one file. Or close the store and copy the
// directory. Copying sangdam.db alone while the store is open gives a damaged
// copy. To restore, put the file as sangdam.db into an empty directory: no
// -wal or -shm of another day may lie beside it. Readers of the feed who have
// events that the copy does not have are told to begin anew; others go on.
//
// # Versions
//
// Open migrates the data forward. A program refuses data whose schema says
// that it needs a newer one, and works with a newer schema that still serves
// it, so that a program can be rolled back by one version.
package sqlite
