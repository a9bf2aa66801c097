// Package postgres stores everything in PostgreSQL 14 or later, for any number
// of equal processes on one database. Its tests have passed on each of 14 to 18;
// they run on 15 with every change and on 14 to 18 by night.
//
// # Transactions
//
// Isolation is READ COMMITTED. An Update buffers its writes and sends them
// pipelined: BEGIN travels with the first read, all writes and COMMIT in one
// round trip at the end. An Update that only writes is one round trip; one read
// and writes are two; each further read that depends on the last is one more.
// Every write that rests on a version is conditional and fails the transaction
// on the server when it misses, so that the COMMIT behind it in the pipeline
// fails too. A lost race (SQLSTATE 23505 on most constraints, 40001, 40P01, a
// missed version, a busy guard) is driver.ErrClash, and store.DB runs the
// function again; a taken name or token is ErrAlreadyExists. Nothing else is
// repeated. When the connection is lost during a commit the error is
// ErrUnavailable and the outcome is unknown: repeat with the same key. A View
// opens no transaction; each of its reads is a statement of its own.
//
// Guards lock without waiting: a guard that meets a rival gives up its own
// transaction, waits outside any transaction for the rival to end, and then
// clashes. So guards add no deadlocks. The configuration is guarded by a shared
// advisory lock, since a row that every Update locks would be written by every
// Update. Leases are guarded by FOR KEY SHARE on a unique key that holds the
// epoch, so that prolonging one neither waits nor is waited for.
//
// # Time
//
// Tx.Now is the server's clock_timestamp() at the first round trip; asking
// before any read costs a round trip. Within a process it never goes back in a
// workspace. Once a second an Update also writes the workspace's time down, so
// that other processes, and this one after a restart, do not begin before it:
// a server clock that is set back by more than a second stands still for the
// workspace until it has caught up; a smaller step may show between processes.
//
// # Settings
//
// Every connection sets lock_timeout, idle_in_transaction_session_timeout and
// tcp_user_timeout to 5 s (Options), the last one on both ends, and
// application_name to sangdam. A lock that stays taken is ErrUnavailable. The
// server's fsync and synchronous_commit must be on: Open warns when a crash
// could lose an acknowledged commit. max_connections must allow MaxConns + 2
// a process.
//
// # Poolers
//
// A session pooler needs nothing. For a transaction pooler such as PgBouncer
// set Options.Pooler: time-outs then travel with each transaction, and neither
// start-up parameters nor LISTEN are used. Named prepared statements need
// PgBouncer 1.21 with max_prepared_statements above 0; for others set
// Statements to "describe". Migrations use a lock table and not a session lock,
// so they work behind a transaction pooler too. The simple protocol is never
// used with a value in it.
//
// # Notify
//
// NOTIFY only hints. It is sent at most once in 20 ms from a transaction of its
// own, because inside the writing transaction it takes a lock that serialises
// the commits of the whole server; a lost one costs nothing but the time to the
// next poll. DisableNotify turns it off.
//
// # Feed
//
// A cursor is a snapshot: every event row holds the id of its transaction, and
// what is new is what is visible now and was not visible in the snapshot. So
// nothing is skipped, however transactions overlap, and no open transaction of
// anybody holds the feed up. A row holds the events of one piece of work.
// Cursors are opaque, at most 64 KiB (usually below 200 bytes), checked, and
// bound to this feed: after a purge beyond one, after a dump and restore, or when
// an older state of the server's data came back that does not have what the
// cursor saw (a backup, a standby that lagged), it is ErrCursorGone and the client
// reloads. A restart of the server keeps it.
//
// # Lanes and jobs
//
// Claims are rows with a random token and the end of a lease by the server's
// clock, taken in batches with FOR UPDATE SKIP LOCKED. Envelopes of parallel
// AppendEnvelopes share one commit (up to 512 calls or 8 MiB).
//
// # Schema
//
// All tables are in one schema (Options.Schema). Open migrates it; several
// nodes may open at once. A schema says which programs it can serve, and only
// one that needs a newer program is refused. Text that PostgreSQL cannot hold
// (NUL, invalid UTF-8) is escaped in keys; documents are JSON in bytea, to be
// read with convert_from(doc, 'UTF8').
package postgres
