package postgres

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
)

// Options of Open. The zero value of everything but DSN is sensible.
type Options struct {
	// DSN says where the database is: a postgres:// address or key=value
	// words, as pgx and libpq read them. Errors never show its password.
	DSN string
	// Schema holds all tables; it is created if absent. Empty means "sangdam".
	// Lower-case letters, digits and underscores, at most 48.
	Schema string
	// Logger gets connection trouble and warnings of unsafe settings; nil is
	// silent. Never a statement's values.
	Logger *slog.Logger
	// MaxConns bounds the pool; 0 means 16. Each running Update or View holds
	// one connection, group commit one more, and the listener one more.
	MaxConns int
	// DisableNotify neither sends nor listens to NOTIFY: for transaction
	// poolers, which cannot LISTEN, and for those who do not want it. Nodes
	// then find each other's work by polling alone.
	DisableNotify bool
	// Pooler is for a transaction pooler such as PgBouncer between us and the
	// server: no session settings and no start-up parameters are used; the
	// time-outs are set in each transaction. It implies DisableNotify.
	Pooler bool
	// Statements is how statements are sent: "prepare" (default: prepared once
	// per connection; PgBouncer needs 1.21 and max_prepared_statements), or
	// "describe" (nothing kept on the server, for older poolers; the
	// description is kept here, so that a migration needs a restart). Never
	// the simple protocol.
	Statements string
	// LockTimeout, IdleInTransaction and TCPUserTimeout end what hangs; 0 means
	// 5 s each.
	LockTimeout, IdleInTransaction, TCPUserTimeout time.Duration
	// NotifyEvery is the shortest time between two NOTIFYs of this process;
	// 0 means 20 ms.
	NotifyEvery time.Duration

	// dial replaces the network, for tests that count round trips.
	dial pgconn.DialFunc
}

const fiveSeconds = 5 * time.Second

func (o Options) withDefaults() Options {
	if o.Schema == "" {
		o.Schema = "sangdam"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	if o.Statements == "" {
		o.Statements = "prepare"
	}
	for _, d := range []*time.Duration{&o.LockTimeout, &o.IdleInTransaction, &o.TCPUserTimeout} {
		if *d == 0 {
			*d = fiveSeconds
		}
	}
	if o.NotifyEvery == 0 {
		o.NotifyEvery = 20 * time.Millisecond
	}
	o.DisableNotify = o.DisableNotify || o.Pooler
	return o
}

func (o Options) check() error {
	switch {
	case o.DSN == "":
		return errs.New(errs.Invalid, "store: Options.DSN is empty; give an address such as postgres://user@host/database")
	case o.MaxConns < 2:
		return errs.New(errs.Invalid, "store: Options.MaxConns is %d; at least 2 are needed", o.MaxConns)
	case o.Statements != "prepare" && o.Statements != "describe":
		return errs.New(errs.Invalid, "store: Options.Statements is %q; use prepare or describe", o.Statements)
	case len(o.Schema) > 48 || strings.Trim(o.Schema, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return errs.New(errs.Invalid, "store: Options.Schema must be lower-case letters, digits and underscores, at most 48")
	}
	return nil
}

// Open connects, brings the schema up to date and returns the database. The
// errors are ErrInvalid for a wrong DSN, name, password or option and for a
// schema that is too new, ErrUnavailable for a server that cannot be reached.
// Close waits for running functions.
func Open(ctx context.Context, opts Options) (*store.DB, error) {
	b, err := open(ctx, opts)
	if err != nil {
		return nil, err
	}
	return store.New(b), nil
}

func open(ctx context.Context, opts Options) (*backend, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	cfg, err := poolConfig(opts)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, notReached(cfg.ConnConfig, err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, notReached(cfg.ConnConfig, err)
	}
	b := newBackend(opts, pool)
	if err := b.begin(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return b, nil
}

// poolConfig reads the DSN and adds our settings.
func poolConfig(opts Options) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(opts.DSN)
	if err != nil {
		// The parser's own message may quote parts of the DSN.
		return nil, errs.New(errs.Invalid,
			"store: Options.DSN cannot be read; give an address such as postgres://user:password@host:5432/database?sslmode=verify-full")
	}
	cfg.MaxConns = int32(opts.MaxConns)
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		teachArrays(c.TypeMap())
		return nil
	}
	cc := cfg.ConnConfig
	cc.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	if opts.Statements == "describe" {
		cc.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = fiveSeconds
	}
	cc.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	cc.DialFunc = dialer(opts.TCPUserTimeout).DialContext
	if opts.dial != nil {
		cc.DialFunc = opts.dial
	}
	if opts.Pooler {
		cc.RuntimeParams = map[string]string{}
		return cfg, nil
	}
	set := func(name, value string) {
		if _, ok := cc.RuntimeParams[name]; !ok {
			cc.RuntimeParams[name] = value
		}
	}
	set("application_name", "sangdam")
	set("lock_timeout", millis(opts.LockTimeout))
	set("idle_in_transaction_session_timeout", millis(opts.IdleInTransaction))
	set("tcp_user_timeout", millis(opts.TCPUserTimeout))
	set("jit", "off") // what it expects to be long is short: compiling takes longer
	return cfg, nil
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (b *backend) lockTimeout() string { return millis(b.opts.LockTimeout) }
func (b *backend) idleTimeout() string { return millis(b.opts.IdleInTransaction) }

// notReached explains a failed first connection without the password.
func notReached(cc *pgx.ConnConfig, err error) error {
	at := "host " + net.JoinHostPort(cc.Host, strconv.Itoa(int(cc.Port))) + ", database " + cc.Database + ", user " + cc.User
	if errors.Is(err, context.Canceled) {
		return err
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return errs.New(errs.Unavailable, "store: PostgreSQL cannot be reached (%s); check that it runs, the address and the network", at)
	}
	switch pg.Code {
	case "28P01", "28000":
		return errs.New(errs.Invalid, "store: PostgreSQL refuses the user or password (%s); check the DSN and pg_hba.conf", at)
	case "3D000":
		return errs.New(errs.Invalid, "store: the database does not exist (%s); create it", at)
	case "42501":
		return errs.New(errs.Invalid, "store: the user may not use the database (%s); grant CONNECT", at)
	}
	return errs.New(errs.Unavailable, "store: PostgreSQL refuses the connection (%s, SQLSTATE %s)", at, pg.Code)
}

// dialer ends connections whose peer no longer acknowledges.
func dialer(userTimeout time.Duration) *net.Dialer {
	return &net.Dialer{KeepAlive: fiveSeconds, Control: tcpUserTimeout(userTimeout)}
}
