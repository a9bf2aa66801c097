// Package pgtest gives tests and programs a real PostgreSQL: a throw-away
// server on the loopback interface, with fsync on, started from the binaries
// that the machine has, once per process and shared; every caller gets a fresh
// database of its own.
//
// The server is found in this order: the environment variable
// SANGDAM_TEST_POSTGRES (a DSN whose role may create databases; that server is
// never crashed or stopped), PATH, /usr/lib/postgresql/*/bin. Without any,
// Start skips the test and says so, or fails it when CI=true.
//
// A watchdog process holds the reading end of a pipe whose writing end is in
// this process. However this process ends, SIGKILL included, the pipe closes,
// and the watchdog stops the server and removes its directory.
package pgtest
