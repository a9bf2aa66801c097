package sangdam

import (
	"context"
	"io"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
)

// Upload keeps a visitor's file for a message of the same visitor.
func (p visitorPort) Upload(ctx context.Context, v visitor.Ref, name string, r io.Reader, limit int64) (channel.Media, error) {
	var whole bool
	err := p.view(ctx, v, func(_ context.Context, _ store.Tx, s *settings) error {
		whole = s.workspace.Masking.KeepPictureData
		acct, _, err := p.e.account(s, v.Account)
		if err == nil && !(acct.Attachments && acct.CustomerAttachments) {
			err = errs.New(errs.Unsupported, "sangdam: attachments from customers are switched off for account %q", acct.Name)
		}
		return err
	})
	if err != nil {
		return channel.Media{}, err
	}
	who := visitorPrincipal(v)
	up, err := p.e.keep(ctx, who.keyOwner(), name, r, limit, whole)
	if err != nil {
		return channel.Media{}, err
	}
	err = p.e.unit(ctx, who, func(u *unit) error {
		stored := up
		stored.CreatedAt = u.tx.Now()
		return u.keepUpload(&stored)
	})
	if err != nil {
		p.e.dropBlob(ctx, up.Blob)
		return channel.Media{}, err
	}
	return up.media(), nil
}

// Download opens the file of a message that the visitor may see. The result can
// be read in ranges.
func (p visitorPort) Download(ctx context.Context, v visitor.Ref, m channel.MessageID) (io.ReadCloser, channel.Media, error) {
	var media channel.Media
	err := p.view(ctx, v, func(ctx context.Context, tx store.Tx, s *settings) error {
		var found conversation.Message
		found, err := p.message(ctx, tx, s, v, m)
		if err != nil {
			return err
		}
		media, err = fileOf(found, 0)
		return err
	})
	if err != nil {
		return nil, channel.Media{}, err
	}
	file, err := p.e.openFile(ctx, WorkspaceID(v.Workspace), media)
	if err != nil {
		return nil, channel.Media{}, err
	}
	media.Type, media.Size = file.Type, file.Size
	return file, media, nil
}
