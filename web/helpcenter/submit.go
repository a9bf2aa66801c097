package helpcenter

import (
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/ticket"
)

// formMemory is how much of a form is held in memory; larger files wait on disk.
const formMemory = 1 << 20

// formRoom is how much a form may have beside its files.
const formRoom = 1 << 20

// formWithin is how long a form with its files may take to come.
const formWithin = 10 * time.Minute

// submit takes an inquiry. Everything is checked before a file is kept.
func (h *Handler) submit(w http.ResponseWriter, r *http.Request) {
	free, ok := h.limit.read(h.address(r))
	if !ok {
		http.Error(w, h.langs[h.o.Language]["too_many"], http.StatusTooManyRequests) // in a language that needs no form
		return
	}
	defer free()
	r.Body = safehttp.Body(w, r, h.o.MaxFile*int64(h.o.MaxFiles)+formRoom, formWithin)
	err := r.ParseForm() // first, for ParseMultipartForm forgets what went wrong with a form of the other kind
	if err == nil {
		err = r.ParseMultipartForm(formMemory)
	}
	if r.MultipartForm != nil {
		defer r.MultipartForm.RemoveAll() //nolint:errcheck // what is left behind is the system's to clean up
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		refuseForm(w, err)
		return
	}
	set, err := h.setup(r.Context())
	if err != nil {
		h.failed(w, r, err)
		return
	}
	known, contact := h.who(r)
	v := h.view(r, set)
	if v.Category == "" {
		v.Problem = v.T["no_category"]
		h.show(w, http.StatusBadRequest, v)
		return
	}
	v.fields(r, set, known)
	v.Key, v.Consented = r.PostFormValue("key"), r.PostFormValue("consent") != ""
	c, files := h.inquiry(r, set, &v)
	switch {
	case v.Problem != "":
		h.show(w, http.StatusBadRequest, v)
	case r.PostFormValue("website") != "": // people do not see this field
		v.Number, v.Fields = 1, nil
		h.show(w, http.StatusOK, v)
	case !h.limit.allow(h.address(r)):
		v.Problem = v.T["too_many"]
		h.show(w, http.StatusTooManyRequests, v)
	default:
		c.Contact = contact
		h.send(w, r, v, c, files)
	}
}

// refuseForm says what is wrong with a body: too large, or no form.
func refuseForm(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		status = http.StatusRequestEntityTooLarge
	}
	http.Error(w, "the form cannot be read, or is too large", status)
}

// inquiry reads what was sent, and says in the view what is wrong with it.
func (h *Handler) inquiry(r *http.Request, set sangdam.TicketSetup, v *view) (c sangdam.SubmitTicket,
	files map[string][]*multipart.FileHeader) {
	c = sangdam.SubmitTicket{Key: sangdam.Key(v.Key), Desk: h.o.Desk, Category: ticket.CategoryID(v.Category), Language: v.Lang,
		Consent: v.Consented,
		Fields:  map[string]ticket.Value{}}
	files = map[string][]*multipart.FileHeader{}
	count := 0
	for i, f := range shown(set, v.Category) {
		in := &v.Fields[i]
		text := strings.TrimSpace(strings.ReplaceAll(r.PostFormValue(in.Name), "\r\n", "\n"))
		empty := text == ""
		switch {
		case f.Code == "email":
			c.Requester.Email = text
		case f.Code == "title":
			c.Title = text
		case f.Code == "content":
			c.Content = text
		case f.Type == ticket.File:
			list := sentFiles(r, in.Name)
			empty = len(list) == 0
			count += len(list)
			if files[f.Code] = list; h.tooLarge(list) {
				in.Problem = fmt.Sprintf(v.T["file_too_large"], h.o.MaxFile>>20)
			}
		default:
			value, ok := valueOf(f, text, r.PostForm[in.Name])
			empty = value.Empty()
			if !ok || f.Check(value) != nil {
				in.Problem = v.T["wrong"]
			} else if !empty {
				c.Fields[f.Code] = value
			}
		}
		if f.Required && empty {
			in.Problem = v.T["missing"]
		}
		if in.Problem != "" {
			v.Problem = v.T["look"]
		}
	}
	switch {
	case count > h.o.MaxFiles:
		v.Problem = fmt.Sprintf(v.T["too_many_files"], h.o.MaxFiles)
	case !v.Consented && v.Problem == "":
		v.Problem = v.T["no_consent"]
	case len(v.Key) < 10 || len(v.Key) > 100:
		v.Problem = v.T["again"]
	}
	return c, files
}

func (h *Handler) tooLarge(list []*multipart.FileHeader) bool {
	for _, f := range list {
		if f.Size > h.o.MaxFile {
			return true
		}
	}
	return false
}

// sentFiles are those of a field; a browser sends an empty one for none.
func sentFiles(r *http.Request, name string) (out []*multipart.FileHeader) {
	if r.MultipartForm == nil {
		return nil
	}
	for _, f := range r.MultipartForm.File[name] {
		if f.Size > 0 {
			out = append(out, f)
		}
	}
	return out
}

func valueOf(f ticket.Field, text string, list []string) (v ticket.Value, ok bool) {
	switch {
	case f.Type == ticket.Checkbox:
		v.List = list
	case text == "":
	case f.Type == ticket.Number:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return v, false
		}
		v.Number = &n
	default:
		v.Text = text
	}
	return v, true
}

// send keeps the files, then the inquiry. Both have the form's key, so that a
// form that is sent twice is one; and each form is a principal of its own, so
// that uploads of one customer take no room from others.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, v view, c sangdam.SubmitTicket, files map[string][]*multipart.FileHeader) {
	p := sangdam.Host(h.o.Workspace)
	p.ID = "helpcenter:" + v.Key
	if a := h.address(r); a.IsValid() {
		p.IP = a.String()
	}
	err := h.keep(r.Context(), p, &c, files)
	var made sangdam.TicketState
	if err == nil {
		made, err = h.engine.SubmitTicket(r.Context(), p, c)
	}
	switch {
	case errors.Is(err, sangdam.ErrInvalid):
		v.Problem = v.T["look"]
		h.show(w, http.StatusBadRequest, v)
	case errors.Is(err, sangdam.ErrConflict): // the same form with other words: it was sent already
		v.Problem = v.T["again"]
		h.show(w, http.StatusConflict, v)
	case err != nil:
		h.failed(w, r, err)
	default:
		v.Number, v.Fields = made.Number, nil
		h.show(w, http.StatusOK, v)
	}
}

func (h *Handler) keep(ctx context.Context, p sangdam.Principal, c *sangdam.SubmitTicket, files map[string][]*multipart.FileHeader) error {
	for code, list := range files {
		var value ticket.Value
		for i, f := range list {
			body, err := f.Open()
			if err != nil {
				return err
			}
			up, err := h.engine.Upload(ctx, p, sangdam.Upload{Key: sangdam.Key(fmt.Sprintf("%s:%s:%d", c.Key, code, i)), Name: f.Filename,
				Limit: h.o.MaxFile, Body: body})
			_ = body.Close() // it was only read
			if err != nil {
				return err
			}
			value.Files = append(value.Files, up.Media.Blob)
		}
		if len(value.Files) > 0 {
			c.Fields[code] = value
		}
	}
	return nil
}

// failed answers what is not the customer's fault.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		h.o.Logger.Error("the inquiry form failed", "error", err)
	}
	v := h.view(r, sangdam.TicketSetup{})
	v.Problem = v.T["unavailable"]
	status := http.StatusServiceUnavailable
	if errors.Is(err, sangdam.ErrUnsupported) || errors.Is(err, sangdam.ErrPermissionDenied) {
		v.Problem, status = v.T["closed"], http.StatusNotFound
	}
	h.show(w, status, v)
}
