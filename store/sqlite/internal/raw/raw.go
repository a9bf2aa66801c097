// Package raw is a thin connection to SQLite: statements are prepared once and
// kept, arguments are copied into one reused buffer, and a column is read where
// it lies. It calls the library below the database/sql driver of
// modernc.org/sqlite, because that driver reads the name and the declared type
// of every column at each query and allocates memory for every argument: a
// lookup by key through it takes more than twice as long (BenchmarkLookup).
//
// A Conn is for one goroutine at a time and at most one of its statements runs
// at a time.
package raw

import (
	"encoding/binary"
	"errors"
	"fmt"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// Result codes that callers tell apart; extended codes carry them in the low
// byte.
const (
	CodeBusy       = sqlite3.SQLITE_BUSY
	CodeConstraint = sqlite3.SQLITE_CONSTRAINT
	CodeCorrupt    = sqlite3.SQLITE_CORRUPT
	CodeFull       = sqlite3.SQLITE_FULL
	CodeNotADB     = sqlite3.SQLITE_NOTADB
	CodeReadOnly   = sqlite3.SQLITE_READONLY
	CodeTooBig     = sqlite3.SQLITE_TOOBIG
)

// Error is what SQLite answered.
type Error struct {
	Code int // extended result code
	Msg  string
}

// Error returns SQLite's message and code.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Msg, e.Code) }

// Is reports whether err is an Error of the primary code.
func Is(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Code&0xff == code
}

// Conn is one connection.
type Conn struct {
	tls   *libc.TLS
	db    uintptr
	out   uintptr // 16 bytes of memory for out parameters
	buf   uintptr // arguments of the statement that runs
	size  int
	stmts map[string]statement
	busy  bool
	// Rows counts the rows that queries returned.
	Rows int64
}

// Open opens the file, which must exist.
func Open(path string) (*Conn, error) {
	c := &Conn{tls: libc.NewTLS(), stmts: map[string]statement{}}
	if err := c.open(path); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Conn) open(path string) error {
	if c.out = libc.Xmalloc(c.tls, 16); c.out == 0 {
		return errMemory
	}
	name, err := libc.CString(path)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, name)
	flags := int32(sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_NOMUTEX | sqlite3.SQLITE_OPEN_EXRESCODE)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.out, flags, 0)
	c.db = c.outPointer()
	if rc != sqlite3.SQLITE_OK {
		return c.failure(rc)
	}
	return nil
}

var errMemory = errors.New("raw: out of memory")

// outPointer reads the pointer that a call left in the out parameter.
func (c *Conn) outPointer() uintptr {
	b := libc.GoBytes(c.out, pointerSize)
	if pointerSize == 4 {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
	return uintptr(binary.NativeEndian.Uint64(b))
}

const pointerSize = 4 << (^uintptr(0) >> 63)

// Close finalizes the statements and closes the connection.
func (c *Conn) Close() error {
	for _, s := range c.stmts {
		sqlite3.Xsqlite3_finalize(c.tls, s.p)
	}
	c.stmts = nil
	var err error
	if c.db != 0 {
		if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
			err = c.failure(rc)
		}
		c.db = 0
	}
	for _, p := range []uintptr{c.out, c.buf} {
		if p != 0 {
			libc.Xfree(c.tls, p)
		}
	}
	c.out, c.buf, c.size = 0, 0, 0
	if c.tls != nil {
		c.tls.Close()
		c.tls = nil
	}
	return err
}

func (c *Conn) failure(rc int32) error {
	msg := libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))
	if c.db != 0 {
		if m := libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)); m != "" {
			msg = m
		}
	}
	return &Error{Code: int(rc), Msg: msg}
}

// InTransaction reports whether a transaction is open. SQLite ends one by
// itself on some errors.
func (c *Conn) InTransaction() bool {
	return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0
}

// TotalChanges counts the rows changed since the connection was opened.
func (c *Conn) TotalChanges() int64 {
	return sqlite3.Xsqlite3_total_changes64(c.tls, c.db)
}

// statement is a prepared statement and how many arguments it takes.
type statement struct {
	p uintptr
	n int
}

// prepare returns the statement, from the cache after the first time.
func (c *Conn) prepare(sql string) (statement, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	text, err := libc.CString(sql)
	if err != nil {
		return statement{}, err
	}
	defer libc.Xfree(c.tls, text)
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, int32(len(sql)+1), sqlite3.SQLITE_PREPARE_PERSISTENT, c.out, 0)
	if rc != sqlite3.SQLITE_OK {
		return statement{}, fmt.Errorf("raw: preparing %q: %w", sql, c.failure(rc))
	}
	s := statement{p: c.outPointer()}
	if s.p == 0 {
		return statement{}, errors.New("raw: empty statement")
	}
	s.n = int(sqlite3.Xsqlite3_bind_parameter_count(c.tls, s.p))
	c.stmts[sql] = s
	return s, nil
}

// Text is bytes that are bound as text.
type Text []byte

// Exec runs a statement to its end and returns how many rows it changed.
// Arguments are nil, bool, int, int64, string, Text or []byte (a blob), or pointers to
// int64, string, Text or []byte, which cost no allocation.
func (c *Conn) Exec(sql string, args ...any) (int, error) {
	before := sqlite3.Xsqlite3_total_changes(c.tls, c.db)
	if err := c.run(sql, args, nil); err != nil {
		return 0, err
	}
	if sqlite3.Xsqlite3_total_changes(c.tls, c.db) == before {
		return 0, nil
	}
	return int(sqlite3.Xsqlite3_changes(c.tls, c.db)), nil
}

// Query runs a statement and calls row for every row until it returns false.
// row must not run a statement of this connection.
func (c *Conn) Query(sql string, row func(Row) bool, args ...any) error {
	return c.run(sql, args, row)
}

func (c *Conn) run(sql string, args []any, row func(Row) bool) error {
	if c.busy {
		return errors.New("raw: a statement is still running on this connection")
	}
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	if len(args) != s.n {
		return fmt.Errorf("raw: %d arguments for the %d parameters of %q", len(args), s.n, sql)
	}
	if err := c.bind(s.p, args); err != nil {
		return err
	}
	c.busy = true
	defer c.reset(s.p)
	return c.step(s.p, row)
}

func (c *Conn) reset(s uintptr) {
	c.busy = false
	sqlite3.Xsqlite3_reset(c.tls, s)
}

func (c *Conn) step(s uintptr, row func(Row) bool) error {
	for {
		switch rc := sqlite3.Xsqlite3_step(c.tls, s); rc {
		case sqlite3.SQLITE_DONE:
			return nil
		case sqlite3.SQLITE_ROW:
			if row == nil {
				continue
			}
			c.Rows++
			if !row(Row{c, s}) {
				return nil
			}
		default:
			return c.failure(rc)
		}
	}
}

// bind copies the arguments into the buffer and binds them where they lie. They
// are read at the latest by the step that ends the statement.
func (c *Conn) bind(s uintptr, args []any) error {
	if err := c.reserve(args); err != nil {
		return err
	}
	at := c.buf
	for i, a := range args {
		n := int32(i + 1)
		var rc int32
		switch v := a.(type) {
		case nil:
			rc = sqlite3.Xsqlite3_bind_null(c.tls, s, n)
		case bool:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, s, n, toInt(v))
		case int:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, s, n, int64(v))
		case int64:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, s, n, v)
		case string:
			copy(libc.GoBytes(at, len(v)), v)
			rc = sqlite3.Xsqlite3_bind_text(c.tls, s, n, at, int32(len(v)), 0)
			at += uintptr(len(v))
		case *int64:
			rc = sqlite3.Xsqlite3_bind_int64(c.tls, s, n, *v)
		case *string:
			copy(libc.GoBytes(at, len(*v)), *v)
			rc = sqlite3.Xsqlite3_bind_text(c.tls, s, n, at, int32(len(*v)), 0)
			at += uintptr(len(*v))
		case *Text:
			copy(libc.GoBytes(at, len(*v)), *v)
			rc = sqlite3.Xsqlite3_bind_text(c.tls, s, n, at, int32(len(*v)), 0)
			at += uintptr(len(*v))
		case *[]byte:
			copy(libc.GoBytes(at, len(*v)), *v)
			rc = sqlite3.Xsqlite3_bind_blob(c.tls, s, n, at, int32(len(*v)), 0)
			at += uintptr(len(*v))
		case Text:
			copy(libc.GoBytes(at, len(v)), v)
			rc = sqlite3.Xsqlite3_bind_text(c.tls, s, n, at, int32(len(v)), 0)
			at += uintptr(len(v))
		case []byte:
			copy(libc.GoBytes(at, len(v)), v)
			rc = sqlite3.Xsqlite3_bind_blob(c.tls, s, n, at, int32(len(v)), 0)
			at += uintptr(len(v))
		default:
			return fmt.Errorf("raw: argument %d has the unknown type %T", n, a)
		}
		if rc != sqlite3.SQLITE_OK {
			return c.failure(rc)
		}
	}
	return nil
}

// maxArguments bounds the bytes of one statement's arguments, as SQLite bounds
// a value.
const maxArguments = 1 << 30

func (c *Conn) reserve(args []any) error {
	need := 1
	for _, a := range args {
		switch v := a.(type) {
		case string:
			need += len(v)
		case Text:
			need += len(v)
		case []byte:
			need += len(v)
		case *string:
			need += len(*v)
		case *Text:
			need += len(*v)
		case *[]byte:
			need += len(*v)
		}
	}
	if need <= c.size {
		return nil
	}
	if need > maxArguments {
		return &Error{Code: CodeTooBig, Msg: "raw: the arguments are too big"}
	}
	size := max(4096, 2*c.size)
	for size < need {
		size *= 2
	}
	p := libc.Xmalloc(c.tls, types.Size_t(size))
	if p == 0 {
		return errMemory
	}
	if c.buf != 0 {
		libc.Xfree(c.tls, c.buf)
	}
	c.buf, c.size = p, size
	return nil
}

func toInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Row reads the columns of the present row. It is valid during the call it was
// given to.
type Row struct {
	c *Conn
	s uintptr
}

// Int returns a column as a number; NULL is 0.
func (r Row) Int(i int) int64 { return sqlite3.Xsqlite3_column_int64(r.c.tls, r.s, int32(i)) }

// Bool returns a column as a truth value.
func (r Row) Bool(i int) bool { return r.Int(i) != 0 }

// Null reports whether a column is NULL.
func (r Row) Null(i int) bool {
	return sqlite3.Xsqlite3_column_type(r.c.tls, r.s, int32(i)) == sqlite3.SQLITE_NULL
}

// View returns the bytes of a column where they lie: to be read before the row
// function returns, and not to be written.
func (r Row) View(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(r.c.tls, r.s, int32(i))
	n := sqlite3.Xsqlite3_column_bytes(r.c.tls, r.s, int32(i))
	if p == 0 || n == 0 {
		return nil
	}
	return libc.GoBytes(p, int(n))
}

// Text returns a copy of a column as a string.
func (r Row) Text(i int) string { return string(r.View(i)) }

// Bytes returns a copy of a column; nil for an empty one.
func (r Row) Bytes(i int) []byte {
	v := r.View(i)
	if v == nil {
		return nil
	}
	return append(make([]byte, 0, len(v)), v...)
}
