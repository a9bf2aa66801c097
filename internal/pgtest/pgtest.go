package pgtest

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// EnvDSN names the environment variable with the DSN of a server to use
// instead of starting one.
const EnvDSN = "SANGDAM_TEST_POSTGRES"

// ErrNoBinaries says that no PostgreSQL was found.
var ErrNoBinaries = errors.New("pgtest: no PostgreSQL binaries in PATH or /usr/lib/postgresql/*/bin, and " + EnvDSN + " is not set")

// TB is what Start needs of a *testing.T or *testing.B.
type TB interface {
	Helper()
	Cleanup(func())
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var shared = sync.OnceValues(func() (*Server, error) { return New() })

// Start returns the DSN of a fresh, empty database on the shared server; it is
// dropped when the test ends.
func Start(tb TB) string {
	tb.Helper()
	srv, err := shared()
	if errors.Is(err, ErrNoBinaries) && os.Getenv("CI") != "true" {
		tb.Skipf("%v", err)
	}
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return database(tb, srv)
}

// StartOwn is Start on a server of the test's own, which it may crash without
// harm to others. Where SANGDAM_TEST_POSTGRES is set but binaries exist, the
// binaries are used.
func StartOwn(tb TB) (*Server, string) {
	tb.Helper()
	srv, err := newOwn()
	if errors.Is(err, ErrNoBinaries) && os.Getenv("CI") != "true" {
		tb.Skipf("%v", err)
	}
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(srv.Stop)
	return srv, database(tb, srv)
}

// Shared returns the shared server that Start uses, started if need be.
func Shared() (*Server, error) { return shared() }

func database(tb TB, srv *Server) string {
	tb.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	dsn, drop, err := srv.NewDatabase(ctx)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(drop)
	return dsn
}
