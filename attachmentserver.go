package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/ticket"
)

// Attachments serves Engine.Attachment, Engine.Thumbnail and Engine.Upload over
// HTTP, to pages that the host makes. The function who authenticates a request;
// when it returns an error, the answer has the status that HTTPStatus gives for
// it.
//
//	GET  …/{message}/{n}             the n-th file of a message
//	GET  …/{message}/{n}?thumbnail   its small picture; 422 where there is none
//	GET  …/{message}/{n}?download    never shown in the page
//	POST …?name=…&conversation=…     an upload: the body is the file, or the form
//	                                 multipart/form-data with one file
//
// Only the last two elements of the path are read, so a host may mount it under
// any prefix. Files are served in ranges, under headers that let nothing in
// them run, with their own media type only where browsers show that type
// harmlessly; any other file is sent as a download. An upload is answered with
// the JSON of an Uploaded; the header Idempotency-Key is its Key. Uploads that
// a browser sends from pages of another origin are refused with 403.
func Attachments(e *Engine, who func(*http.Request) (Principal, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		p, err := who(r)
		if err != nil {
			refuseFile(w, err)
			return
		}
		if r.Method == http.MethodPost {
			serveUpload(e, w, r, p)
			return
		}
		serveAttachment(e, w, r, p)
	})
}

// serveAttachment serves the file, or its thumbnail, that the address names.
func serveAttachment(e *Engine, w http.ResponseWriter, r *http.Request, p Principal) {
	n, err := strconv.Atoi(path.Base(r.URL.Path))
	if err != nil {
		refuseFile(w, noSuch("attachment"))
		return
	}
	ref := AttachmentRef{Message: conversation.MessageID(path.Base(path.Dir(r.URL.Path))), N: n}
	open := e.Attachment
	if r.URL.Query().Has("thumbnail") {
		open = e.Thumbnail
	}
	file, err := open(r.Context(), p, ref)
	serveOwn(w, r, file, err)
}

// TicketFiles serves Engine.TicketFile as Attachments serves files of messages:
//
//	GET  …/{ticket}/files/{file}
//
// Only the last three elements of the path are read. The function who is as in
// Attachments.
func TicketFiles(e *Engine, who func(*http.Request) (Principal, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		p, err := who(r)
		if err != nil {
			refuseFile(w, err)
			return
		}
		id := ticket.ID(path.Base(path.Dir(path.Dir(r.URL.Path))))
		file, err := e.TicketFile(r.Context(), p, id, path.Base(r.URL.Path))
		serveOwn(w, r, file, err)
	})
}

// serveOwn serves a file to the page that asked, or says why not.
func serveOwn(w http.ResponseWriter, r *http.Request, file *Attachment, err error) {
	if err != nil {
		refuseFile(w, err)
		return
	}
	// Rights may end: the browser asks each time whether its copy still holds.
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	serveFile(w, r, file)
}

// AttachmentLinks serves the addresses under Config.FilesURL, from which
// providers and customers fetch files. It asks for no credentials: whoever
// knows an address may fetch the file, until Config.KeepLinks is over. Only the
// last three elements of the path are read, so a host may mount it under any
// prefix. The handler may be called at once.
func AttachmentLinks(e *Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		parts := strings.Split(r.URL.EscapedPath(), "/")
		if len(parts) < 3 {
			refuseFile(w, noSuch("attachment"))
			return
		}
		ws, err := url.PathUnescape(parts[len(parts)-3])
		if err != nil || ws == "" {
			refuseFile(w, noSuch("attachment"))
			return
		}
		file, err := e.openLink(r.Context(), WorkspaceID(ws), parts[len(parts)-2], r.URL.Query().Has("preview"))
		if err != nil {
			refuseFile(w, err)
			return
		}
		w.Header().Set("Cache-Control", "private, max-age=3600")
		w.Header().Set("X-Robots-Tag", "noindex")
		serveFile(w, r, file)
	})
}

// serveFile writes an open file, or the range of it that is asked for, and
// closes it.
func serveFile(w http.ResponseWriter, r *http.Request, file *Attachment) {
	defer file.Close()
	safehttp.ServeHeaders(w.Header(), file.Type, file.Name)
	if r.URL.Query().Has("download") {
		w.Header().Set("Content-Disposition", safehttp.Disposition(false, file.Name))
	}
	if file.SHA256 != "" {
		w.Header().Set("ETag", `"`+file.SHA256+`"`)
	}
	http.ServeContent(w, r, "", file.At, file)
}

func refuseFile(w http.ResponseWriter, err error) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(HTTPStatus(err)), HTTPStatus(err))
}

// serveUpload takes a file and answers with what it became, or with why not.
func serveUpload(e *Engine, w http.ResponseWriter, r *http.Request, p Principal) {
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		refuseFile(w, errs.New(errs.PermissionDenied, "sangdam: an upload from a page of another origin"))
		return
	}
	up := Upload{Key: Key(r.Header.Get("Idempotency-Key")), Name: r.URL.Query().Get("name"),
		Conversation: conversation.ID(r.URL.Query().Get("conversation"))}
	body := safehttp.Body(w, r, e.cfg.MaxMedia+1<<20, uploadWithin) // the form around the file takes some
	up.Body = body
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/form-data" {
		r.Body = body
		if err := fromForm(r, params["boundary"], &up); err != nil {
			refuseUpload(w, err)
			return
		}
	}
	// A sender who leaves ends the body and, at the same moment, the context: the body
	// is to say so, which is a refusal and no failure.
	done, err := e.Upload(context.WithoutCancel(r.Context()), p, up)
	if err != nil {
		refuseUpload(w, err)
		return
	}
	answerJSON(w, http.StatusCreated, done)
}

// fromForm finds the file of a form; fields before it may name the conversation.
func fromForm(r *http.Request, boundary string, up *Upload) error {
	form, err := r.MultipartReader()
	if err != nil || boundary == "" {
		return errs.New(errs.Invalid, "sangdam: the form cannot be read")
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return errs.New(errs.Invalid, "sangdam: the form holds no file")
		}
		if part.FileName() != "" {
			up.Name, up.Body = part.FileName(), part
			return nil
		}
		value, err := io.ReadAll(io.LimitReader(part, 1000))
		if err != nil {
			return errs.New(errs.Invalid, "sangdam: the form cannot be read")
		}
		if part.FormName() == "conversation" {
			up.Conversation = conversation.ID(value)
		}
	}
}

// refuseUpload says why in words, for errors of the library name no secret.
func refuseUpload(w http.ResponseWriter, err error) {
	status := HTTPStatus(err)
	message := http.StatusText(status)
	if _, cut := errors.AsType[*http.MaxBytesError](err); cut {
		status, message = http.StatusRequestEntityTooLarge, "the file is too large"
	} else if status != http.StatusInternalServerError {
		message = err.Error()
	}
	answerJSON(w, status, struct {
		Error string `json:"error"`
	}{message})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		refuseFile(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the reader's connection is its own concern
}
