package sangdam_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/ticket"
)

// everything is what an engine leaves behind: its log and its directory.
type everything struct {
	mu  sync.Mutex
	log bytes.Buffer
	// root has a directory for each engine, dir is the present one's.
	root, dir string
}

func (e *everything) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.Write(p)
}

// onDisk skips the short form, which runs in memory alone.
func onDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("what is on disk is looked at; the plain run has it")
	}
}

func (e *everything) keep() worldOption {
	return func(w *world, _ *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		var err error
		e.dir, err = os.MkdirTemp(e.root, "") // of each store its own
		require.NoError(w.t, err)
		blobs, err := blob.Dir(filepath.Join(e.dir, "blobs"), blob.DirOptions{})
		require.NoError(w.t, err)
		w.cfg.Blobs = blobs
		w.cfg.Logger = slog.New(slog.NewTextHandler(e, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// holds lists where the words stand: files, log lines, tables.
func (e *everything) holds(t *testing.T, w *replayWorld, dirs []string, words ...string) (out []string) {
	look := func(where string, content []byte) {
		for _, word := range words {
			if bytes.Contains(content, []byte(word)) {
				out = append(out, fmt.Sprintf("%s holds %q", where, word))
			}
		}
	}
	for _, dir := range dirs {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			look(filepath.Base(path), content)
			return err
		}))
	}
	e.mu.Lock()
	look("the log", e.log.Bytes())
	e.mu.Unlock()
	if w.dsn != "" {
		for table, content := range dumped(t, w.dsn) {
			look(table, content)
		}
	}
	return out
}

// dumped are all tables, each row as the bytes that it consists of.
func dumped(t *testing.T, dsn string) map[string][]byte {
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	out := map[string][]byte{}
	for _, table := range tables {
		var b bytes.Buffer
		_, err := conn.PgConn().CopyTo(t.Context(), &b, "COPY "+table+" TO STDOUT (FORMAT binary)")
		require.NoError(t, err, table)
		out[table] = b.Bytes()
	}
	return out
}

// canaries are written through every way in.
type canaries struct{ phone, page, answer, note, ticket string }

func (c canaries) all() []string { return []string{c.phone, c.page, c.answer, c.note, c.ticket} }

// written says each canary, answers, and makes a ticket and a notice of it.
func (c canaries) written(w *replayWorld, o *outside) {
	w.online("a1")
	mina := w.line.User("Mina")
	owned := w.begun(mina, "my number is "+c.phone)
	w.visitor("Mina").says("on the page " + c.page)
	w.settle()
	w.answer("a1", owned.Conversation, "you said "+c.answer)
	require.NoError(w.t,
		errOf(w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: owned.Conversation, Text: "note " + c.note})))
	made, err := w.eng.OpenTicket(w.ctx, w.host,
		sangdam.OpenTicket{Conversation: owned.Conversation, Title: "T", Body: "quoted " + c.phone})
	require.NoError(w.t, err)
	require.NoError(w.t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: made.Ticket,
		Comment: &sangdam.TicketComment{Text: "comment " + c.ticket}})))
	w.notice("hook", notify.Notice{Subject: "conversation:" + string(owned.Conversation), Title: "New", Text: c.phone,
		HTML: "<p>" + c.phone + "</p>", Data: []byte(`{"text":"` + c.phone + `"}`)})
	w.settle()
	got := mina.Texts()
	require.Equal(w.t, "you said "+c.answer, got[len(got)-1])
}

// masked masks every canary by hand.
func (c canaries) masked(w *replayWorld) {
	for _, words := range []string{c.phone, c.page, c.answer, c.note} {
		require.NoError(w.t, w.maskNow(w.host, words), words)
	}
	found, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
	require.NoError(w.t, err)
	require.Len(w.t, found.Tickets, 1)
	detail, err := w.eng.Ticket(w.ctx, w.host, found.Tickets[0].ID)
	require.NoError(w.t, err)
	for _, e := range detail.Entries {
		at := strings.Index(e.Text, c.ticket)
		if at < 0 {
			continue
		}
		_, err := w.eng.MaskTicket(w.ctx, w.host, sangdam.MaskTicket{Ticket: detail.Ticket.ID, Part: ticket.CommentPart(e.Seq),
			Version: detail.Ticket.Version,
			Spans:   []privacy.Span{{Start: at, End: at + len(c.ticket)}}})
		require.NoError(w.t, err)
	}
	w.settle()
}

// What was masked by hand is nowhere: no file of the database, its log
// included, no blob, no log line, no table, no row of the search index.
func TestMaskedTextIsNowhereInTheStore(t *testing.T) {
	onDisk(t)
	var o outside
	var e everything
	c := canaries{"Canary-Phone-81723", "Canary-Page-55021", "Canary-Answer-90110", "Canary-Note-33447", "Canary-Ticket-20983"}
	e.root = t.TempDir()
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		c.written(w, &o)
		dirs := []string{e.dir}
		if w.dsn == "" {
			dirs = append(dirs, w.dir)
		}
		require.NotEmpty(t, e.holds(t, w, dirs, c.all()...), "or this test sees nothing")
		c.masked(w)
		if w.dsn == "" {
			w.pass(16 * time.Minute) // the files are rewritten once in a quarter of an hour
		}
		require.Empty(t, e.holds(t, w, dirs, c.all()...))
		for _, d := range w.deliveries("hook") {
			require.Equal(t, strings.Repeat("*", len(c.phone)), d.Notice.Text)
		}
	}, withOutside(&o), e.keep())
}

// Where the workspace masks by itself: the numbers are in no file at any
// time but sealed, and whoever listens hears the masks.
func TestANumberThatIsMaskedOnArrivalIsNeverStored(t *testing.T) {
	onDisk(t)
	var e everything
	e.root = t.TempDir()
	const rrn, number = "900101-1234568", "4111-1111-1111-1111"
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		w.finding(sangdam.MaskingPolicy{Found: sangdam.FoundMasked})
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "제 번호 "+rrn)
		w.visitor("Mina").says("카드 " + number)
		w.settle()
		w.answer("a1", owned.Conversation, "카드 "+number+" 맞나요?")
		got := mina.Texts()
		require.Equal(t, "카드 "+number+" 맞나요?", got[len(got)-1])
		dirs := []string{e.dir}
		if w.dsn == "" {
			dirs = append(dirs, w.dir)
		}
		require.Empty(t, e.holds(t, w, dirs, rrn, number))
		events, _, err := w.eng.Events(w.ctx, w.host, "", 200)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprintf("%+v", events), rrn)
		for _, m := range w.only().Messages {
			require.NotContains(t, m.Content.Text, "1234568")
			require.NotContains(t, m.Content.Text, "1111")
		}
	}, e.keep())
}
