package sangdam

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/internal/thumbnail"
	"github.com/sangdam/sangdam/store"
)

// uploadFor is how long an upload waits for a message that names it. It ends
// before the sweep may delete the bytes, which nothing refers to until then.
const uploadFor = unreferencedFor - 4*time.Hour

// maxUploads is how many uploads of one person may wait at once.
const maxUploads = 100

// Upload stores a file for a message or comment. It is deleted when nothing has
// named it within 20 hours.
type Upload struct {
	Key Key `json:"-"`
	// Conversation is the one that the file is for; whoever may answer it may
	// upload. Empty: the file is not for a certain conversation yet, which
	// needs ActUpload.
	Conversation conversation.ID `json:"conversation,omitempty"`
	// Name of the file as its sender calls it; it is made safe.
	Name string `json:"name,omitempty"`
	// Limit is the largest size in bytes; 0, and anything above
	// Config.MaxMedia, means Config.MaxMedia.
	Limit int64 `json:"-"`
	// Body is read to its end.
	Body io.Reader `json:"-"`
}

// Uploaded is a file that waits for its message. Put Media into the content of
// an Answer by the same principal, and Kind into the content's kind.
type Uploaded struct {
	Media  channel.Media       `json:"media"`
	Kind   channel.ContentKind `json:"kind"`
	SHA256 string              `json:"sha256"`
}

// Upload carries the command out. The media type is decided by the file's
// bytes. Only the same principal can send the upload, and only once. ErrInvalid
// for a file that is empty or larger than Limit, for a picture that is unsafe
// to decode, and when 100 uploads of the principal wait already; ErrUnsupported
// where agents' attachments are switched off or the engine keeps none.
func (e *Engine) Upload(ctx context.Context, p Principal, c Upload) (Uploaded, error) {
	if c.Limit < 0 || c.Body == nil {
		return Uploaded{}, errs.New(errs.Invalid, "sangdam: an upload needs a Body, and a Limit that is not negative")
	}
	// Asked before the bytes are taken, and again with what is stored.
	var whole bool
	err := e.db.View(ctx, p.Workspace, func(ctx context.Context, tx store.Tx) error {
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		whole = s.workspace.Masking.KeepPictureData
		return (&unit{e: e, ctx: ctx, tx: tx, s: s, p: p}).mayUpload(c)
	})
	if err != nil && !errors.Is(err, ErrPermissionDenied) && !errors.Is(err, ErrNotFound) {
		return Uploaded{}, err // a refusal comes from the command, which records it
	}
	up := upload{Owner: p.keyOwner()}
	if err == nil {
		if up, err = e.keep(ctx, p.keyOwner(), c.Name, c.Body, c.Limit, whole); err != nil {
			return Uploaded{}, err
		}
	}
	body := struct {
		Upload
		SHA256 string `json:"sha256"`
	}{c, up.SHA256}
	done, err := command(ctx, e, call{opUpload, p, c.Key, body}, func(u *unit) (upload, error) {
		if err := u.mayUpload(c); err != nil {
			return upload{}, err
		}
		if up.Blob == "" { // the right came after the bytes were passed over
			return upload{}, errs.New(errs.Conflict, "sangdam: the rights changed meanwhile; upload the file again")
		}
		stored := up
		stored.CreatedAt = u.tx.Now()
		if err := u.keepUpload(&stored); err != nil {
			return upload{}, err
		}
		stored.Name = "" // kept for repeats: ids and states only
		return stored, nil
	})
	if err != nil || done.Blob != up.Blob {
		e.dropBlob(ctx, up.Blob) // refused, or a repeat: the first one counts
	}
	if err != nil {
		return Uploaded{}, err
	}
	done.Name = privacy.SafeName(c.Name)
	return Uploaded{Media: done.media(), Kind: channel.KindOf(done.Type), SHA256: done.SHA256}, nil
}

// mayUpload asks for the right to answer the conversation, or to upload at all.
func (u *unit) mayUpload(c Upload) error {
	if c.Conversation == "" {
		return u.allow(ActUpload, Resource{Kind: kindUpload})
	}
	d, err := u.draft(c.Conversation, ActAnswer)
	if err != nil {
		return err
	}
	return u.agentFiles(d.C)
}

// upload is the record of a file that no message names yet. When one does, it
// gives way to the record of the blob.
type upload struct {
	Blob      string    `json:"blob"`
	Version   int64     `json:"-"`
	Owner     string    `json:"owner"` // Principal.keyOwner
	Name      string    `json:"name,omitempty"`
	Type      string    `json:"type"`
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

var uploads = declare(store.Kind[upload]{Name: kindUpload,
	ID:      func(up *upload) string { return up.Blob },
	Version: func(up *upload) *int64 { return &up.Version },
	Indexes: []store.Index[upload]{{Name: "created", Value: func(up *upload) []byte { return store.Time(up.CreatedAt) }}},
	Tags: []store.TagIndex[upload]{{Name: "owner", Values: func(up *upload) [][]byte { return [][]byte{store.Exact(up.Owner)} },
		Order: func(up *upload) []byte { return store.Time(up.CreatedAt) }}},
})

func (up upload) media() channel.Media {
	return channel.Media{Blob: up.Blob, Name: up.Name, Type: up.Type, Size: up.Size, State: channel.MediaReady}
}

// keep stores the bytes of an upload and looks at them. Nothing refers to them
// yet. A picture is kept without its camera's data, unless the whole is wanted.
func (e *Engine) keep(ctx context.Context, owner, name string, r io.Reader, limit int64, whole bool) (upload, error) {
	if e.cfg.Blobs == nil {
		return upload{}, errs.New(errs.Unsupported, "sangdam: attachments are not kept; set Config.Blobs")
	}
	if limit == 0 || limit > e.cfg.MaxMedia {
		limit = e.cfg.MaxMedia
	}
	ctx, cancel := context.WithTimeout(ctx, uploadWithin)
	defer cancel()
	r, stop := patient(ctx, r)
	defer stop()
	head := bufio.NewReaderSize(r, sniffed)
	first, err := head.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return upload{}, err
	}
	if len(first) == 0 {
		return upload{}, errs.New(errs.Invalid, "sangdam: the file is empty")
	}
	kind := safehttp.Sniff(first)
	r = head
	if !whole {
		r = thumbnail.Bare(kind, head)
	}
	info, err := e.cfg.Blobs.Put(ctx, r, limit)
	if err != nil {
		return upload{}, err
	}
	up := upload{Blob: info.Name, Owner: owner, Name: privacy.SafeName(name), Type: kind,
		Size: info.Size, SHA256: info.SHA256}
	if err := e.checkPicture(ctx, up); err != nil {
		e.dropBlob(ctx, up.Blob)
		return upload{}, err
	}
	return up, nil
}

// checkPicture refuses a picture that browsers should not decode at sight.
func (e *Engine) checkPicture(ctx context.Context, up upload) error {
	switch up.Type {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
	default:
		return nil
	}
	body, err := seekable(ctx, e.cfg.Blobs, up.Blob)
	if err != nil {
		return err
	}
	_, err = safehttp.CheckImage(body, safehttp.ImageLimits{})
	if closed := body.Close(); err == nil {
		err = closed
	}
	if errors.Is(err, ErrInvalid) {
		err = errs.New(errs.Invalid, "sangdam: the picture is damaged or unsafe to show: %w", err)
	}
	return err
}

// dropBlob deletes bytes that nothing will refer to; what fails is left to the
// sweep.
func (e *Engine) dropBlob(ctx context.Context, name string) {
	if name == "" {
		return
	}
	if err := e.cfg.Blobs.Delete(context.WithoutCancel(ctx), name); err != nil {
		e.log.Debug("a blob that nobody needs is left to the sweep", "error", err)
	}
}

// keepUpload records an upload.
func (u *unit) keepUpload(up *upload) error {
	waiting, err := uploads.List(u.ctx, u.tx, store.List[upload]{Tag: "owner", Value: store.Exact(up.Owner), Limit: maxUploads,
		From: store.Time(u.tx.Now().Add(-uploadFor))})
	if err != nil {
		return err
	}
	if len(waiting.Items) >= maxUploads {
		return errs.New(errs.Invalid, "sangdam: %d uploads wait for a message already; send them first", maxUploads)
	}
	return uploads.Save(u.ctx, u.tx, up)
}

func noUpload() error {
	return errs.New(errs.NotFound, "sangdam: there is no upload of this name; upload the file and name it once, in a message of your own")
}

// upload finds an upload that the principal of the transaction may name. What
// has no record was put into the blob store by the host itself, which alone may
// name it, also through its bots.
func (u *unit) upload(name string) (upload, error) {
	up, err := uploads.Get(u.ctx, u.tx, name)
	switch {
	case errors.Is(err, ErrNotFound) && (u.p.Kind == KindHost || u.p.Kind == KindSystem):
		return upload{}, nil
	case errors.Is(err, ErrNotFound):
		return upload{}, noUpload()
	case err != nil:
		return upload{}, err
	case up.Owner != u.p.keyOwner():
		return upload{}, noUpload()
	case u.tx.Now().Sub(up.CreatedAt) > uploadFor:
		return upload{}, errs.New(errs.NotFound, "sangdam: the upload waited longer than %s for its message; upload it again", uploadFor)
	}
	return up, nil
}

// takeUpload ends the wait of an upload: it now belongs to a message.
func (u *unit) takeUpload(name string) (upload, error) {
	up, err := u.upload(name)
	if err != nil || up.Blob == "" {
		return up, err
	}
	return up, uploads.Delete(u.ctx, u.tx, &up)
}

// withUploads fills in what is known of the uploads that a content names, and
// gives those an address whose channel needs one. Nothing is written but the
// record of the address, and without keep not even that: to see whether a
// message could be sent.
func (u *unit) withUploads(c conversation.Conversation, content channel.Content, keep bool) (channel.Content, error) {
	_, adapter, err := u.e.account(u.s, c.Account)
	if err != nil {
		return content, err
	}
	for n, media := range content.Files() {
		if media.Blob == "" {
			continue
		}
		up, err := u.upload(media.Blob)
		if err != nil {
			return content, err
		}
		if up.Blob != "" {
			own := up.media()
			own.Duration, own.Track, own.URL, own.Preview = media.Duration, media.Track, media.URL, media.Preview
			media = own
		}
		if adapter.Capabilities().MediaLinks && media.URL == "" {
			if media, err = u.linked(media, keep); err != nil {
				return content, err
			}
		}
		content = content.WithFile(n, media)
	}
	return content, nil
}

func init() { registerPurge(purgeUploads) }

// purgeUploads deletes the records of uploads that nobody named in time.
func purgeUploads(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, uploads, "created", uploadFor)
}

// uploadWithin is how long the bytes of an upload may take.
const uploadWithin = 10 * time.Minute

// patient reads a body on behalf of a store that heeds its context between reads
// alone: when ctx ends, a read that waits for a slow sender ends too, and the
// store is not blamed for it.
func patient(ctx context.Context, body io.Reader) (r io.Reader, stop func()) {
	out, in := io.Pipe()
	go func() {
		defer func() {
			if recover() != nil { // the reader is the caller's
				_ = in.CloseWithError(errs.New(errs.Invalid, "sangdam: reading the upload panicked in %s", errs.Where()))
			}
		}()
		_, err := io.Copy(in, body)
		_ = in.CloseWithError(err) // nil ends the stream
	}()
	heed := context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
	return out, func() {
		heed()
		_ = out.Close() // a copy that still writes stops
	}
}
