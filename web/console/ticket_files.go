package console

import (
	"cmp"
	"net/url"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/ticket"
)

// Files of a ticket: those that its history names, and those that go with what is
// written now.

// ticketFile is a file of a ticket, or one that goes with what is written now.
type ticketFile struct {
	Blob, Name, Size, URL string
	Bytes                 int64
	Chosen                bool
}

// attachView is what a comment may take with it.
type attachView struct {
	On           bool
	Most         int
	Each         int64
	Hint, Public string // what the bounds are
	Large        string // what is said of a file that is larger
	New          []ticketFile
	Has          []ticketFile // files of the ticket, which may go again
}

// ticketFile serves a file that a ticket names.
func (q *request) ticketFile() error {
	sangdam.TicketFiles(q.engine, q.known).ServeHTTP(q.w, q.r)
	return nil
}

// filesOf are the files of a ticket, by the name of their bytes.
func (q *request) filesOf(detail sangdam.TicketDetail) map[string]ticketFile {
	out := map[string]ticketFile{}
	at := q.o.Prefix + "/tickets/" + url.PathEscape(string(detail.Ticket.ID)) + "/files/"
	for _, f := range detail.Files {
		one := ticketFile{Blob: f.Blob, Name: cmp.Or(f.Name, q.lang.t("tickets.file")), URL: at + url.PathEscape(f.Blob), Bytes: f.Size}
		if f.Size > 0 {
			one.Size = q.size(f.Size)
		}
		out[f.Blob] = one
	}
	return out
}

// attach says what a comment takes, with what was chosen for one that could not
// be saved.
func (q *request) attach(detail sangdam.TicketDetail) (attachView, error) {
	takes, err := q.engine.CommentFiles(q.r.Context(), q.p, detail.Ticket.ID)
	if err != nil || takes.Count == 0 {
		return attachView{}, err
	}
	v := attachView{On: true, Most: takes.Count, Each: takes.Each, Hint: q.lang.t("tickets.attach_hint", takes.Count, q.size(takes.Each)),
		Large: q.lang.t("tickets.attach_large", q.size(takes.Each))}
	v.Public = q.publicFiles(takes)
	chosen := map[string]bool{}
	for _, blob := range q.r.PostForm["file"] {
		chosen[blob] = true
	}
	has := q.filesOf(detail)
	for _, f := range detail.Files {
		one := has[f.Blob]
		one.Chosen = chosen[f.Blob]
		v.Has = append(v.Has, one)
	}
	for _, blob := range q.r.PostForm["file"] {
		if _, old := has[blob]; !old {
			v.New = append(v.New, ticketFile{Blob: blob, Name: cmp.Or(q.value("filename."+blob), q.lang.t("tickets.file")),
				Size: q.size(q.number("filesize." + blob)), Bytes: q.number("filesize." + blob)})
		}
	}
	return v, nil
}

// publicFiles says what of the files a customer gets with an answer.
func (q *request) publicFiles(takes sangdam.CommentFiles) string {
	switch {
	case takes.By != "" && takes.PublicCount == 0:
		return q.lang.t("tickets.attach_none")
	case takes.PublicBytes > 0:
		return q.lang.t("tickets.attach_mail", takes.PublicCount, q.size(takes.PublicBytes))
	case takes.By != "":
		return q.lang.t("tickets.attach_chat", takes.PublicCount)
	}
	return ""
}

// filesNamed are the files of an entry.
func filesNamed(e ticket.Entry, has map[string]ticketFile) (out []ticketFile) {
	for _, blob := range e.Files {
		if f, known := has[blob]; known {
			out = append(out, f)
		}
	}
	return out
}
