package sangdam

import (
	"bytes"
	"context"
	"errors"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/thumbnail"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

const (
	// thumbnailSide is the longest side of a small picture in pixels.
	thumbnailSide = 480
	// maxPictureBytes is the largest picture of which a small one is made.
	maxPictureBytes = 64 << 20
	// decodedAtOnce is how many pictures are decoded at once in a process: each
	// may take 256 MiB.
	decodedAtOnce = 2
)

// smallPicture is the record of a thumbnail, under the name of the blob that it
// was made of.
type smallPicture struct {
	Of      string `json:"of"`
	Version int64  `json:"-"`
	// Blob of the thumbnail; empty: none can be made.
	Blob string `json:"blob,omitempty"`
}

var thumbnails = declare(store.Kind[smallPicture]{Name: "thumbnail",
	ID:      func(s *smallPicture) string { return s.Of },
	Version: func(s *smallPicture) *int64 { return &s.Version },
})

var qThumbnail = asksFor("attachment", asks("attachment.thumbnail", "Thumbnail", kindConversation, ActRead))

// Thumbnail opens a small copy, at most 480 pixels a side, of a PNG, JPEG, GIF
// or WebP file, for whoever may read the message's conversation. The copy is
// turned upright and has none of the data that a camera wrote into the file.
// Errors are those of Attachment, and ErrUnsupported for a file of which no
// small picture can be made.
func (e *Engine) Thumbnail(ctx context.Context, p Principal, ref AttachmentRef) (*Attachment, error) {
	media, err := e.fileFor(ctx, p, qThumbnail, ref)
	if err != nil {
		return nil, err
	}
	return e.thumbnailOf(ctx, p.Workspace, media)
}

func noThumbnail() error {
	return errs.New(errs.Unsupported, "sangdam: no small picture can be made of this attachment")
}

// thumbnailOf opens the thumbnail of a file, which is made at its first use.
func (e *Engine) thumbnailOf(ctx context.Context, ws WorkspaceID, media channel.Media) (*Attachment, error) {
	if e.cfg.Blobs == nil {
		return nil, errs.New(errs.Unsupported, "sangdam: attachments are not kept; set Config.Blobs")
	}
	small, err := e.madeThumbnail(ctx, ws, media.Blob)
	if errors.Is(err, ErrNotFound) {
		small, err = e.makeThumbnail(ctx, ws, media)
	}
	if err != nil {
		return nil, err
	}
	if small.Blob == "" {
		return nil, noThumbnail()
	}
	return e.openFile(ctx, ws, channel.Media{Blob: small.Blob, Name: media.Name})
}

func (e *Engine) madeThumbnail(ctx context.Context, ws WorkspaceID, of string) (small smallPicture, err error) {
	err = e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		small, err = thumbnails.Get(ctx, tx, of)
		return err
	})
	return small, err
}

// makeThumbnail makes the thumbnail and records it. Of two that are made at once
// the first one stays.
func (e *Engine) makeThumbnail(ctx context.Context, ws WorkspaceID, media channel.Media) (smallPicture, error) {
	select {
	case e.decoding <- struct{}{}:
		defer func() { <-e.decoding }()
	case <-ctx.Done():
		return smallPicture{}, ctx.Err()
	}
	// Meanwhile somebody may have made it.
	if small, err := e.madeThumbnail(ctx, ws, media.Blob); err == nil || !errors.Is(err, ErrNotFound) {
		return small, err
	}
	small, kept := smallPicture{Of: media.Blob}, driver.Blob{}
	picture, err := e.decodeThumbnail(ctx, ws, media)
	switch {
	case err == nil:
		info, err := e.cfg.Blobs.Put(ctx, bytes.NewReader(picture.Data), maxPictureBytes)
		if err != nil {
			return smallPicture{}, err
		}
		small.Blob = info.Name
		kept = driver.Blob{Name: info.Name, Type: picture.Type, Size: info.Size, SHA256: info.SHA256}
	case errors.Is(err, ErrUnsupported), errors.Is(err, ErrInvalid): // remembered, not tried again at each look
	default:
		return smallPicture{}, err
	}
	err = e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		first, err := thumbnails.Get(ctx, tx, small.Of)
		if err == nil {
			small = first
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		of, err := tx.Blobs().Blob(ctx, small.Of) // not when it was released meanwhile
		if err != nil {
			return err
		}
		if kept.Name != "" {
			kept.Owner, kept.CreatedAt = of.Owner, tx.Now()
			if err := tx.Blobs().Reference(ctx, kept); err != nil {
				return err
			}
		}
		s := smallPicture{Of: small.Of, Blob: kept.Name} // this function may run again
		return thumbnails.Save(ctx, tx, &s)
	})
	if kept.Name != "" && (err != nil || small.Blob != kept.Name) {
		e.dropBlob(ctx, kept.Name)
	}
	return small, err
}

func (e *Engine) decodeThumbnail(ctx context.Context, ws WorkspaceID, media channel.Media) (thumbnail.Picture, error) {
	file, err := e.openFile(ctx, ws, media)
	if err != nil {
		return thumbnail.Picture{}, err
	}
	defer file.Close()
	if file.Size > maxPictureBytes {
		return thumbnail.Picture{}, noThumbnail()
	}
	return thumbnail.Make(file, thumbnailSide)
}
