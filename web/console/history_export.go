package console

import (
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/web/export"
)

// exportHistory writes the table of exactly what the history shows, all its
// pages: by the same filters, in the same order, with the same rights.
func (q *request) exportHistory() error {
	f, text := q.historyFilter(), strings.TrimSpace(q.r.FormValue("q"))
	list := export.AllConversations(q.r.Context(), q.engine, q.p, f)
	if text != "" {
		found, err := q.engine.Search(q.r.Context(), q.p, text, foundAt)
		if err != nil {
			return err
		}
		list = matching(found, f)
	}
	t, rows, err := export.Conversations(q.r.Context(), q.engine, q.p, list, export.ConversationWords{
		Title:   func(column string) string { return q.lang.t("export." + column) },
		State:   func(code string) string { return q.lang.of("state", code) },
		Channel: func(code string) string { return q.lang.of("channel", code) }}, q.zone)
	if err != nil {
		return err
	}
	return q.table("conversations", t, rows)
}

// matching are the conversations of what was found that the filter selects, each
// once.
func matching(found []sangdam.Found, f conversation.Filter) iter.Seq2[conversation.Conversation, error] {
	return func(yield func(conversation.Conversation, error) bool) {
		had := map[conversation.ID]bool{}
		for _, m := range found {
			c := m.Conversation
			if had[c.ID] || !f.Match(c) {
				continue
			}
			if had[c.ID] = true; !yield(c, nil) {
				return
			}
		}
	}
}

// table answers with a file. What goes wrong in the middle cuts the answer off,
// so that half a table is not taken for a whole one.
func (q *request) table(name string, t export.Table, rows export.Rows) error {
	write := map[string]func(io.Writer, export.Table, export.Rows) error{"csv": export.CSV, "xlsx": export.Excel}[q.r.FormValue("as")]
	if write == nil {
		return errs.New(errs.Invalid, "console: a table is csv or xlsx")
	}
	rows, stop, err := begun(rows)
	if err != nil {
		return err
	}
	defer stop()
	kind := map[string]string{"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
	head := q.w.Header()
	head.Set("Content-Type", kind[q.r.FormValue("as")])
	head.Set("Content-Disposition", `attachment; filename="`+name+"-"+q.now.In(q.zone).Format("20060102-1504")+"."+q.r.FormValue("as")+`"`)
	if err := write(q.w, t, rows); err != nil {
		if q.r.Context().Err() == nil {
			q.o.Logger.Error("a table could not be written", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// begun reads the first row, so that what is refused before it is answered as any
// refusal is, and not with a file that is cut off.
func begun(rows export.Rows) (export.Rows, func(), error) {
	next, stop := iter.Pull2(rows)
	row, err, some := next()
	if err != nil {
		stop()
		return nil, nil, err
	}
	return func(yield func([]any, error) bool) {
		for some && yield(row, err) {
			row, err, some = next()
		}
	}, stop, nil
}
