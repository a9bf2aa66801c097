package console

import (
	"archive/zip"
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
)

// backupsView is what the history's page shows of backups.
type backupsView struct {
	// Asks are the filters of the page, which the button passes on.
	Asks []choice
	Rows []backupView
}

type backupView struct {
	ID, When, Until, Size string
	Done, Total, Percent  int
	Ready                 bool
	Failed                string // why
}

// backupsView reads the principal's backups; nil for who may make none.
func (q *request) backupsView() (*backupsView, error) {
	if q.may(sangdam.ActBackup) != nil {
		return nil, nil
	}
	list, err := q.engine.Backups(q.r.Context(), q.p)
	if err != nil {
		return nil, err
	}
	v := &backupsView{}
	for name, values := range q.r.URL.Query() {
		if name != "page" && len(values) > 0 && values[0] != "" {
			v.Asks = append(v.Asks, choice{Value: name, Label: values[0]})
		}
	}
	for _, b := range list {
		r := backupView{ID: b.ID, When: q.full(b.At), Until: q.full(b.Until), Done: b.Done + b.LeftOut, Total: b.Total,
			Size: strconv.FormatInt((b.Bytes+1023)/1024, 10) + " KB", Ready: b.State == sangdam.ErrandReady}
		if b.State == sangdam.ErrandFailed {
			r.Failed = cmp.Or(b.Reason, "?")
		}
		r.Percent = 100 * b.Made / max(b.Parts, 1)
		v.Rows = append(v.Rows, r)
	}
	return v, nil
}

// backups is the list alone, for the page's script.
func (q *request) backups() error {
	v, err := q.backupsView()
	if err != nil {
		return err
	}
	q.part(http.StatusOK, "backups", v)
	return nil
}

// backUp asks for a backup of exactly what the history shows.
func (q *request) backUp() error {
	c := sangdam.BackUp{Key: q.key(), Filter: q.historyFilter(), Text: strings.TrimSpace(q.r.FormValue("q"))}
	if _, err := q.engine.BackUp(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/history#live")
}

// backupFile is the backup as a zip file with one line a conversation. What goes
// wrong in the middle cuts the answer off.
func (q *request) backupFile() error {
	w := &startedBy{q: q, name: "conversations-" + q.now.In(q.zone).Format("20060102-1504")}
	if err := q.engine.WriteBackup(q.r.Context(), q.p, q.r.PathValue("id"), w); err != nil {
		if w.file == nil {
			return err
		}
		q.o.Logger.Error("a backup could not be written", "error", err)
		panic(http.ErrAbortHandler)
	}
	return w.end()
}

// startedBy begins the answer with its first byte, so that a refusal is still one.
type startedBy struct {
	q    *request
	name string
	zip  *zip.Writer
	file interface{ Write([]byte) (int, error) }
}

func (s *startedBy) begin() (err error) {
	head := s.q.w.Header()
	head.Set("Content-Type", "application/zip")
	head.Set("Content-Disposition", `attachment; filename="`+s.name+`.zip"`)
	s.zip = zip.NewWriter(s.q.w)
	s.file, err = s.zip.CreateHeader(&zip.FileHeader{Name: s.name + ".jsonl", Method: zip.Deflate, Modified: s.q.now.In(time.UTC)})
	return err
}

func (s *startedBy) Write(p []byte) (int, error) {
	if s.file == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

func (s *startedBy) end() error {
	if s.file == nil { // an empty backup
		if err := s.begin(); err != nil {
			return err
		}
	}
	if err := s.zip.Close(); err != nil {
		panic(http.ErrAbortHandler) // the reader is gone
	}
	return nil
}
