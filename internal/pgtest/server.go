package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// startWithin bounds how long a server may take to accept connections;
// recovery after a crash under load took some 0.5 s where it was measured.
const startWithin = 60 * time.Second

// Server is a PostgreSQL server. Its methods may be called at once, except
// those that start and end it, which follow one another.
type Server struct {
	admin string // DSN of the database "postgres"
	own   *process
}

// process is a server that this package started.
type process struct {
	bin, dir string
	port     int
	settings []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	leash  *os.File // writing end of the watchdog's pipe
}

var databases atomic.Int64

// New uses the server of SANGDAM_TEST_POSTGRES, else starts one, with settings such
// as "shared_buffers=1GB" beside its own. ErrNoBinaries when there is none to start.
func New(settings ...string) (*Server, error) {
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		return &Server{admin: dsn}, nil
	}
	return newOwn(settings...)
}

func newOwn(settings ...string) (*Server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sangdam-pg-")
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	p := &process{bin: bin, dir: dir, settings: settings}
	if err := p.setUp(); err != nil {
		p.stop()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Server{admin: p.dsn("postgres"), own: p}, nil
}

// findBinaries returns the folder with initdb and postgres: PATH first, then
// the highest version of Debian's layout.
func findBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "postgres")); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", ErrNoBinaries
	}
	sort.Slice(found, func(i, j int) bool { return debianVersion(found[i]) < debianVersion(found[j]) })
	return filepath.Dir(found[len(found)-1]), nil
}

func debianVersion(path string) float64 {
	v, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(filepath.Dir(path))), 64)
	return v
}

func (p *process) data() string { return filepath.Join(p.dir, "data") }

func (p *process) dsn(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: "sslmode=disable",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))}
	return u.String()
}

func (p *process) setUp() error {
	if err := giveAway(p.dir); err != nil {
		return err
	}
	if err := p.watch(); err != nil {
		return err
	}
	err := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return err
	}
	for range 5 { // the free port may be taken by somebody else meanwhile
		if p.port, err = freePort(); err != nil {
			return err
		}
		if err = p.start(); err == nil {
			return nil
		}
	}
	return err
}

// command runs one of PostgreSQL's programs, or another one by its path, to its end.
func (p *process) command(name string, args ...string) error {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.bin, name)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = unprivileged()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: %s: %w\n%s", name, err, out)
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("pgtest: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// watch starts the process that outlives us and cleans up.
func (p *process) watch() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer r.Close()
	const script = `cat >/dev/null
f="$1/data/postmaster.pid"
if [ -f "$f" ]; then
	pid=$(head -n1 "$f")
	kill -QUIT "$pid" 2>/dev/null
	i=0
	while kill -0 "$pid" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
fi
rm -rf "$1"`
	cmd := exec.Command("/bin/sh", "-c", script, "watchdog", p.dir)
	cmd.Stdin = r
	cmd.SysProcAttr = ownSession()
	if err := cmd.Start(); err != nil {
		w.Close()
		return fmt.Errorf("pgtest: watchdog: %w", err)
	}
	go func() { _ = cmd.Wait() }()
	p.leash = w
	return nil
}

// start runs the server and waits until it answers.
func (p *process) start() error {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer log.Close()
	args := []string{"-D", p.data(), "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=200", "-c", "shared_buffers=128MB"}
	for _, s := range p.settings { // of two the later one counts
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.SysProcAttr = unprivileged()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("pgtest: postgres: %w", err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	p.mu.Lock()
	p.cmd, p.exited = cmd, exited
	p.mu.Unlock()
	return p.await(exited)
}

func (p *process) await(exited <-chan struct{}) error {
	ctx, stop := context.WithTimeout(context.Background(), startWithin)
	defer stop()
	for {
		conn, err := pgx.Connect(ctx, p.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-exited:
			out, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			return fmt.Errorf("pgtest: the server ended:\n%s", tail(out))
		case <-ctx.Done():
			return fmt.Errorf("pgtest: the server does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func tail(log []byte) string {
	const most = 4096
	return string(log[max(0, len(log)-most):])
}

// NewDatabase creates an empty database and returns its DSN and a function
// that drops it.
func (s *Server) NewDatabase(ctx context.Context) (dsn string, drop func(), err error) {
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return "", nil, fmt.Errorf("pgtest: %w", err)
	}
	defer conn.Close(ctx)
	name := fmt.Sprintf("sangdam_%d_%d", os.Getpid(), databases.Add(1))
	if _, err := conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", nil, fmt.Errorf("pgtest: creating a database: %w", err)
	}
	if s.own != nil {
		return s.own.dsn(name), func() { s.dropDatabase(name) }, nil
	}
	u, err := url.Parse(s.admin)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return "", nil, fmt.Errorf("pgtest: %s must be a postgres:// address", EnvDSN)
	}
	u.Path = "/" + name
	return u.String(), func() { s.dropDatabase(name) }, nil
}

// dropDatabase tries once: the watchdog or the owner of a foreign server
// removes what a dead server keeps.
func (s *Server) dropDatabase(name string) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return
	}
	defer conn.Close(ctx)
	_, _ = conn.Exec(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
}

// Foreign opens a transaction of somebody else on the same server, in the
// database of the DSN, with a transaction id of its own, and leaves it open
// until end is called.
func (s *Server) Foreign(ctx context.Context, dsn string) (end func(), err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	const begin = "begin; select pg_current_xact_id()"
	if _, err := conn.Exec(ctx, begin); err != nil {
		return nil, errors.Join(fmt.Errorf("pgtest: foreign transaction: %w", err), conn.Close(ctx))
	}
	return func() { _ = conn.Close(context.WithoutCancel(ctx)) }, nil
}

// Crash ends the server at once without a checkpoint, as pg_ctl -m immediate
// does; Restart brings it back with recovery. Only for servers of this
// package's own.
func (s *Server) Crash() error {
	if s.own == nil {
		return errors.New("pgtest: the server of " + EnvDSN + " is not ours to crash")
	}
	return s.own.end(sendQuit)
}

// Restart starts the server again on the same port and waits until it answers.
func (s *Server) Restart() error {
	if s.own == nil {
		return errors.New("pgtest: the server of " + EnvDSN + " is not ours to start")
	}
	return s.own.start()
}

// Shutdown ends the server in order, with a checkpoint; Restart brings it back. Only
// for servers of this package's own.
func (s *Server) Shutdown() error {
	if s.own == nil {
		return errors.New("pgtest: the server of " + EnvDSN + " is not ours to end")
	}
	return s.own.end(sendFast)
}

// Owned says that the server is one that this package started.
func (s *Server) Owned() bool { return s.own != nil }

// At is where a database of another server is on this one, which is its copy.
func (s *Server) At(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("pgtest: the DSN is no address")
	}
	return s.own.dsn(strings.TrimPrefix(u.Path, "/")), nil
}

// Stop ends a server of this package's own and removes its directory.
func (s *Server) Stop() {
	if s.own != nil {
		s.own.stop()
	}
}

func (p *process) end(send func(*os.Process) error) error {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := send(cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgtest: %w", err)
	}
	<-exited
	return nil
}

func (p *process) stop() {
	_ = p.end(sendQuit)
	if p.leash != nil {
		_ = p.leash.Close() // the watchdog removes the directory
		p.leash = nil
	}
}
