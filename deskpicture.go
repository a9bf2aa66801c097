package sangdam

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/thumbnail"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
)

// Bounds of a desk's picture.
const (
	// maxDeskPicture is the largest file that is taken, one byte less than 10 MB.
	maxDeskPicture = 10_000_000 - 1
	// The longest side in pixels of what is kept, and that of what would be too
	// large for a document else.
	deskPictureSide, smallDeskPictureSide = 256, 128
	maxKeptPicture                        = 150 << 10
)

// DeskPicture is the picture of a desk.
type DeskPicture struct {
	Desk    routing.DeskID `json:"desk"`
	Version int64          `json:"version"`
	// Type is image/png or image/jpeg.
	Type string `json:"type"`
	Data []byte `json:"data"`
}

var deskPictures = declare(store.Kind[DeskPicture]{Name: "desk_picture", Reused: true,
	ID:      func(p *DeskPicture) string { return string(p.Desk) },
	Version: func(p *DeskPicture) *int64 { return &p.Version },
})

var opSaveDeskPicture = acts("desk.picture", "SaveDeskPicture", kindDesk, ActConfigure).versioned()

// SaveDeskPicture replaces the picture of a desk.
type SaveDeskPicture struct {
	Key  Key            `json:"-"`
	Desk routing.DeskID `json:"desk"`
	// Version is that of the picture that is replaced, 0 where the desk has
	// none.
	Version int64 `json:"version"`
	// Body is the picture's file and is read to its end; nil deletes the
	// picture.
	Body io.Reader `json:"-"`
}

// SaveDeskPicture carries the command out. The file must be a PNG, JPEG, GIF or
// WebP picture of less than 10 MB, which its bytes decide and not its name.
// Kept is a small copy, turned upright and without the data that a camera wrote
// into it. ErrInvalid for any other file, ErrNotFound when there is no such
// desk, ErrStale when the picture is not of the version given. Saved.Version is
// 0 when the picture was deleted.
func (e *Engine) SaveDeskPicture(ctx context.Context, p Principal, c SaveDeskPicture) (Saved, error) {
	small := thumbnail.Picture{}
	if c.Body != nil && e.May(ctx, p, ActConfigure) == nil { // a refusal comes from the command, which records it
		var err error
		if small, err = e.deskPicture(ctx, c.Body); err != nil {
			return Saved{}, err
		}
	}
	sum := sha256.Sum256(small.Data)
	body := struct {
		SaveDeskPicture
		SHA256 string `json:"sha256"`
	}{c, hex.EncodeToString(sum[:])}
	return command(ctx, e, call{opSaveDeskPicture, p, c.Key, body}, func(u *unit) (Saved, error) {
		if err := u.allow(ActConfigure, Resource{Kind: "desk", ID: string(c.Desk)}); err != nil {
			return Saved{}, err
		}
		if _, ok := u.s.routing.Desks[c.Desk]; !ok {
			return Saved{}, errs.New(errs.NotFound, "sangdam: there is no desk %s", c.Desk)
		}
		had, err := deskPictures.Get(u.ctx, u.tx, string(c.Desk))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Saved{}, err
		}
		if had.Version != c.Version {
			return Saved{}, errs.New(errs.Stale,
				"sangdam: the picture of desk %s was changed by somebody else; look at it again and repeat your change", c.Desk)
		}
		return u.keepPicture(had, c.Desk, small)
	})
}

// keepPicture stores a desk's picture, or takes it away where it is empty.
func (u *unit) keepPicture(had DeskPicture, desk routing.DeskID, small thumbnail.Picture) (saved Saved, err error) {
	saved = Saved{ID: string(desk)}
	had.Desk, had.Type, had.Data = desk, small.Type, small.Data
	switch {
	case len(small.Data) > 0:
		err = deskPictures.Save(u.ctx, u.tx, &had)
		saved.Version = had.Version
	case had.Version > 0:
		err = deskPictures.Delete(u.ctx, u.tx, &had)
	}
	return saved, err
}

// deskPicture makes the small picture that is kept of a file.
func (e *Engine) deskPicture(ctx context.Context, r io.Reader) (thumbnail.Picture, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxDeskPicture+1))
	if err != nil {
		return thumbnail.Picture{}, err
	}
	if len(raw) > maxDeskPicture {
		return thumbnail.Picture{}, errs.New(errs.Invalid, "sangdam: the picture of a desk is smaller than 10 MB; save it smaller")
	}
	select {
	case e.decoding <- struct{}{}:
		defer func() { <-e.decoding }()
	case <-ctx.Done():
		return thumbnail.Picture{}, ctx.Err()
	}
	small, err := thumbnail.Make(bytes.NewReader(raw), deskPictureSide)
	if err == nil && len(small.Data) > maxKeptPicture { // such as noise that can be seen through
		small, err = thumbnail.Make(bytes.NewReader(raw), smallDeskPictureSide)
	}
	if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrInvalid) {
		return small, errs.New(errs.Invalid,
			"sangdam: the picture of a desk is a PNG, JPEG, GIF or WebP file that is whole and safe to show: %w", err)
	}
	return small, err
}

var qDeskPicture = asks("desk.read_picture", "DeskPicture", kindDesk, ActList).wide(wideSetUp)

// DeskPicture returns the picture of a desk. Every agent of the workspace may
// have it. ErrNotFound when the desk has none.
func (e *Engine) DeskPicture(ctx context.Context, p Principal, desk routing.DeskID) (out DeskPicture, err error) {
	err = e.query(ctx, p, qDeskPicture, string(desk),
		func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
			out, err = deskPictures.Get(ctx, tx, string(desk))
			return err
		})
	return out, err
}
