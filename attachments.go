package sangdam

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// The files of messages: who may open them, and the records that keep their
// bytes. Uploads are in uploads.go, small pictures in thumbnails.go, addresses
// for providers in links.go.

// ownerMessage is how the record of a blob names the message that it belongs to.
const ownerMessage = "message:"

// AttachmentRef names a file of a message.
type AttachmentRef struct {
	Message conversation.MessageID `json:"message"`
	// N is the file's index in channel.Content.Files, from 0.
	N int `json:"n"`
	// Ticket, when it is given, says that the message is one of the mails of
	// this ticket (TicketDetail.Mails): whoever may read the ticket may then
	// open the file.
	Ticket ticket.ID `json:"ticket,omitempty"`
}

// Attachment is an open file. Reading and seeking are for one goroutine; whoever
// opened it closes it.
type Attachment struct {
	Name string // safe to show and to save under
	// Type is the media type that the bytes show, whatever the sender claimed;
	// application/octet-stream when they show none.
	Type   string
	Size   int64     // in bytes
	SHA256 string    // 64 hexadecimal digits; empty where it was never computed
	At     time.Time // when it was stored
	io.ReadSeekCloser
}

var qAttachment = asksFor("attachment", asks("attachment.open", "Attachment", kindConversation, ActRead))

// Attachment opens a file of a message for whoever may read the message's
// conversation. ErrNotFound when there is no such file, when it has not been
// fetched yet, and when it was deleted; ErrUnsupported when Config.Blobs is
// nil.
func (e *Engine) Attachment(ctx context.Context, p Principal, ref AttachmentRef) (*Attachment, error) {
	media, err := e.fileFor(ctx, p, qAttachment, ref)
	if err != nil {
		return nil, err
	}
	return e.openFile(ctx, p.Workspace, media)
}

// fileFor is what is known of a file that the principal may open.
func (e *Engine) fileFor(ctx context.Context, p Principal, op *Operation, ref AttachmentRef) (media channel.Media, err error) {
	if ref.Ticket != "" {
		return e.ticketFile(ctx, p, op, ref)
	}
	var m conversation.Message
	err = e.inquire(ctx, p, op, func(ctx context.Context, tx store.Tx) (r Resource, _ *settings, err error) {
		if m, err = tx.Conversations().Message(ctx, ref.Message); err != nil {
			return r, nil, noneOf(op.named, err)
		}
		cv, err := tx.Conversations().Conversation(ctx, m.Conversation)
		return conversationResource(cv), nil, err
	}, func(context.Context, store.Tx, Who) (err error) {
		media, err = fileOf(m, ref.N)
		return err
	})
	return media, err
}

// fileOf is the n-th file of a message, if its bytes are here.
func fileOf(m conversation.Message, n int) (channel.Media, error) {
	files := m.Content.Files()
	if n < 0 || n >= len(files) {
		return channel.Media{}, noSuch("attachment")
	}
	if files[n].Blob == "" {
		state := files[n].State
		if state == "" {
			state = "kept elsewhere"
		}
		return channel.Media{}, errs.New(errs.NotFound, "sangdam: the bytes of this attachment are not here: it is %s", state)
	}
	return files[n], nil
}

// openFile opens the bytes of a file that somebody may have.
func (e *Engine) openFile(ctx context.Context, ws WorkspaceID, media channel.Media) (*Attachment, error) {
	if e.cfg.Blobs == nil {
		return nil, errs.New(errs.Unsupported, "sangdam: attachments are not kept; set Config.Blobs")
	}
	var kept driver.Blob
	err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		kept, err = tx.Blobs().Blob(ctx, media.Blob)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil, noSuch("attachment")
	}
	if err != nil {
		return nil, err
	}
	name := privacy.SafeName(media.Name)
	return e.openBlob(ctx, kept, name)
}

// openBlob opens recorded bytes and looks at what they are.
func (e *Engine) openBlob(ctx context.Context, kept driver.Blob, name string) (*Attachment, error) {
	body, err := seekable(ctx, e.cfg.Blobs, kept.Name)
	if err != nil {
		return nil, err
	}
	a := &Attachment{Name: name, Size: kept.Size, SHA256: kept.SHA256, At: kept.CreatedAt, ReadSeekCloser: body}
	if err := a.look(); err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return a, nil
}

// look reads type and size from the bytes.
func (a *Attachment) look() error {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(a, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	a.Type = safehttp.Sniff(head[:n])
	if a.Size, err = a.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	_, err = a.Seek(0, io.SeekStart)
	return err
}

// sniffed is how much of a file is looked at to tell its type.
const sniffed = 1024

// seekable opens a blob so that ranges of it can be read.
func seekable(ctx context.Context, blobs blob.Store, name string) (io.ReadSeekCloser, error) {
	r, err := blobs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if s, can := r.(io.ReadSeekCloser); can {
		return s, nil
	}
	size, err := io.Copy(io.Discard, r)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &reopened{ctx: ctx, blobs: blobs, name: name, size: size}, r.Close()
}

// reopened reads a blob of a store that cannot seek: from another place it is
// opened again and what stands before is skipped.
type reopened struct {
	ctx      context.Context
	blobs    blob.Store
	name     string
	size, at int64
	r        io.ReadCloser // at the place; nil: to be opened
}

func (o *reopened) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, errs.New(errs.Invalid, "sangdam: an attachment has nothing before its beginning")
	}
	if offset == o.at {
		return offset, nil
	}
	o.at = offset
	return offset, o.Close()
}

func (o *reopened) Read(p []byte) (int, error) {
	if o.r == nil {
		r, err := o.blobs.Open(o.ctx, o.name)
		if err != nil {
			return 0, err
		}
		o.r = r
		if _, err := io.CopyN(io.Discard, r, o.at); err != nil {
			return 0, err
		}
	}
	n, err := o.r.Read(p)
	o.at += int64(n)
	return n, err
}

func (o *reopened) Close() error {
	if o.r == nil {
		return nil
	}
	err := o.r.Close()
	o.r = nil
	return err
}

// refer records the bytes that a message names in the transaction that names
// them: without a record they would be swept after a day. Bytes that belong to
// something else already cannot be named, for a name is no right to read; a
// message that is sent again takes those of the one before, and the public answer
// on a ticket those of the ticket.
func (u *unit) refer(m conversation.Message, of ticket.ID) error {
	for _, media := range m.Content.Files() {
		if media.Blob == "" {
			continue
		}
		if err := u.referTo(m, of, media); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) referTo(m conversation.Message, of ticket.ID, media channel.Media) error {
	kept, err := u.tx.Blobs().Blob(u.ctx, media.Blob)
	if errors.Is(err, ErrNotFound) {
		up, err := u.takeUpload(media.Blob)
		if err != nil {
			return err
		}
		size := up.Size
		if up.Blob == "" {
			size = media.Size
		}
		return u.tx.Blobs().Reference(u.ctx, driver.Blob{Name: media.Blob, Type: media.Type, Size: size, SHA256: up.SHA256,
			Owner: ownerMessage + string(m.ID), CreatedAt: u.tx.Now()})
	}
	if err != nil {
		return err
	}
	if of != "" {
		if ours, err := belongsTo(u.ctx, u.tx, kept, of); err != nil || ours {
			return err
		}
	}
	if again, err := u.namedBefore(m, media.Blob); err != nil || again {
		return err
	}
	return noUpload()
}

// namedBefore says whether the message is sent again and named the file before.
func (u *unit) namedBefore(m conversation.Message, blob string) (bool, error) {
	if m.ResendOf == "" {
		return false, nil
	}
	before, err := u.tx.Conversations().Message(u.ctx, m.ResendOf)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	named := func(f channel.Media) bool { return f.Blob == blob }
	return err == nil && before.Conversation == m.Conversation && slices.ContainsFunc(before.Content.Files(), named), err
}

// releaseFiles drops the records of a message's files, whose bytes are then swept,
// with the small pictures made of them.
func (u *unit) releaseFiles(m conversation.Message) error {
	for _, media := range m.Content.Files() {
		if media.Blob == "" {
			continue
		}
		if err := u.releaseFile(media.Blob); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) releaseFile(name string) error {
	u.released = append(u.released, name)
	if err := u.tx.Blobs().Release(u.ctx, name); err != nil {
		return err
	}
	small, err := thumbnails.Get(u.ctx, u.tx, name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if small.Blob != "" {
		u.released = append(u.released, small.Blob)
		if err := u.tx.Blobs().Release(u.ctx, small.Blob); err != nil {
			return err
		}
	}
	return thumbnails.Delete(u.ctx, u.tx, &small)
}
