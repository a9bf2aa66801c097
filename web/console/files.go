package console

import (
	"net/http"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// file serves an attachment, with the rights of its conversation.
func (q *request) file() error {
	sangdam.Attachments(q.engine, q.known).ServeHTTP(q.w, q.r)
	return nil
}

// upload takes a file for an answer. It is read by the Engine, not as a form.
func (q *request) upload() error {
	sangdam.Attachments(q.engine, q.known).ServeHTTP(q.w, q.r)
	return nil
}

// known is who was found out before.
func (q *request) known(*http.Request) (sangdam.Principal, error) { return q.p, nil }

// content is what the composer sends: a text, or a file that was uploaded.
func (q *request) content() (channel.Content, error) {
	text, blob := q.r.PostFormValue("text"), q.r.PostFormValue("blob")
	if blob == "" {
		return channel.Text(text), nil
	}
	kind := channel.ContentKind(q.r.PostFormValue("kind"))
	switch kind {
	case channel.KindImage, channel.KindVideo, channel.KindAudio, channel.KindFile:
	default:
		return channel.Content{}, errs.New(errs.Invalid, "console: a file is an image, a video, a sound or a file")
	}
	// The Engine looks the rest up: a file can be named only by who uploaded it.
	return channel.Content{Kind: kind, Text: text, Media: &channel.Media{Blob: blob, Name: q.r.PostFormValue("name"),
		Type: q.r.PostFormValue("type"), Size: q.number("size")}}, nil
}

// cannedView is a prepared answer for the composer's list.
type cannedView struct {
	Title string `json:"title"`
	Code  string `json:"code,omitempty"`
	Body  string `json:"body"`
}
