package sangdam

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
)

// sniffed is how much of a file is looked at to tell its type.
const sniffed = 1024

// decoded are the types of pictures that are looked through before they are
// kept: browsers decode them at sight.
var decoded = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true}

// maxPicture bounds a picture, which is held in memory while it is checked.
const maxPicture = 32 << 20

// Upload keeps a visitor's file. Until a message names it, nothing refers to it
// and it is swept after a day.
func (p visitorPort) Upload(ctx context.Context, v channel.VisitorRef, name string, r io.Reader, limit int64) (channel.Media, error) {
	var none channel.Media
	if p.e.cfg.Blobs == nil {
		return none, errs.New(errs.Unsupported, "sangdam: attachments are not kept; set Config.Blobs")
	}
	err := p.view(ctx, v, func(_ context.Context, _ store.Tx, s *settings) error {
		acct, _, err := p.e.account(s, v.Account)
		if err == nil && !(acct.Attachments && acct.CustomerAttachments) {
			err = errs.New(errs.Unsupported, "sangdam: attachments from customers are switched off for account %q", acct.Name)
		}
		return err
	})
	if err != nil {
		return none, err
	}
	limit = min(limit, p.e.cfg.MaxMedia)
	head := bufio.NewReaderSize(r, sniffed)
	first, err := head.Peek(sniffed)
	if len(first) == 0 {
		return none, errs.New(errs.Invalid, "sangdam: the file is empty")
	}
	if err != nil && err != io.EOF {
		return none, err
	}
	media := channel.Media{Name: privacy.SafeName(name), Type: safehttp.Sniff(first), State: channel.MediaReady}
	var bytesOf io.Reader = head
	if decoded[media.Type] {
		whole, err := io.ReadAll(io.LimitReader(head, min(limit, maxPicture)+1))
		if err != nil {
			return none, err
		}
		if int64(len(whole)) > min(limit, maxPicture) {
			return none, blob.ErrTooLarge
		}
		if _, err := safehttp.CheckImage(bytes.NewReader(whole), safehttp.ImageLimits{}); err != nil {
			return none, errs.New(errs.Invalid, "sangdam: the picture is damaged or unsafe to show: %w", err)
		}
		bytesOf = bytes.NewReader(whole)
	}
	info, err := p.e.cfg.Blobs.Put(ctx, bytesOf, limit)
	media.Blob, media.Size = info.Name, info.Size
	return media, err
}

// Download opens the file of a message that the visitor may see.
func (p visitorPort) Download(ctx context.Context, v channel.VisitorRef, m channel.MessageID) (io.ReadCloser, channel.Media, error) {
	var found conversation.Message
	err := p.view(ctx, v, func(ctx context.Context, tx store.Tx, s *settings) (err error) {
		found, err = p.message(ctx, tx, s, v, m)
		return err
	})
	media := found.Content.Media
	if err == nil && (media == nil || media.Blob == "" || p.e.cfg.Blobs == nil) {
		err = errs.New(errs.NotFound, "sangdam: the message has no file")
	}
	if err != nil {
		return nil, channel.Media{}, err
	}
	body, err := p.e.cfg.Blobs.Open(ctx, media.Blob)
	return body, *media, err
}
