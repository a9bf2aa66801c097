package sangdam

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/thumbnail"
	"github.com/sangdam/sangdam/store"
)

// A provider such as LINE takes files by their address, fetches them without
// credentials, and shows the address of what it cannot show to the customer.
// Such an address holds 160 random bits, of which the store keeps the hash, is
// good for a time, and for as long as the message has the file.

// link is the record of an address.
type link struct {
	ID      string    `json:"id"` // hash of the token
	Version int64     `json:"-"`
	Blob    string    `json:"blob"`
	Name    string    `json:"name"`
	Until   time.Time `json:"until"`
}

var links = declare(store.Kind[link]{Name: "attachment_link",
	ID:      func(l *link) string { return l.ID },
	Version: func(l *link) *int64 { return &l.Version },
	Indexes: []store.Index[link]{{Name: "until", Value: func(l *link) []byte { return store.Time(l.Until) }}},
})

func linkID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// linked gives a file an address, and a picture or film one of its preview.
// Without keep the address leads nowhere.
func (u *unit) linked(media channel.Media, keep bool) (channel.Media, error) {
	base := u.e.cfg.FilesURL
	if base == "" {
		return media, errs.New(errs.Unsupported,
			"sangdam: this channel fetches files from an address; set Config.FilesURL and serve AttachmentLinks there")
	}
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand stops the program instead
	token := hex.EncodeToString(random[:])
	l := link{ID: linkID(token), Blob: media.Blob, Name: privacy.SafeName(media.Name), Until: u.tx.Now().Add(u.e.cfg.KeepLinks)}
	if keep {
		if err := links.Save(u.ctx, u.tx, &l); err != nil {
			return media, err
		}
	}
	media.URL = strings.TrimSuffix(base, "/") + "/" + url.PathEscape(string(u.p.Workspace)) + "/" + token + "/" + url.PathEscape(l.Name)
	if kind := channel.KindOf(media.Type); media.Preview == "" && (kind == channel.KindImage || kind == channel.KindVideo) {
		media.Preview = media.URL + "?preview"
	}
	return media, nil
}

// unlinked takes away the addresses of a message's files.
func (u *unit) unlinked(m conversation.Message) error {
	base := strings.TrimSuffix(u.e.cfg.FilesURL, "/") + "/" + url.PathEscape(string(u.p.Workspace)) + "/"
	for _, media := range m.Content.Files() {
		rest, ours := strings.CutPrefix(media.URL, base)
		token, _, _ := strings.Cut(rest, "/")
		if !ours || token == "" {
			continue
		}
		l, err := links.Get(u.ctx, u.tx, linkID(token))
		if err == nil {
			err = links.Delete(u.ctx, u.tx, &l)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// relinked gives the files of a message that is sent again fresh addresses.
func (u *unit) relinked(content channel.Content) (channel.Content, error) {
	base := u.e.cfg.FilesURL
	for n, media := range content.Files() {
		if media.Blob == "" || base == "" || !strings.HasPrefix(media.URL, base) {
			continue
		}
		media.Preview = ""
		fresh, err := u.linked(media, true)
		if err != nil {
			return content, err
		}
		content = content.WithFile(n, fresh)
	}
	return content, nil
}

// openLink opens what an address stands for. ErrNotFound whatever is wrong with
// it: nobody who guesses learns anything.
func (e *Engine) openLink(ctx context.Context, ws WorkspaceID, token string, preview bool) (*Attachment, error) {
	var media channel.Media
	err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		l, err := links.Get(ctx, tx, linkID(token))
		if err != nil {
			return err
		}
		if !tx.Now().Before(l.Until) {
			return noSuch("attachment")
		}
		kept, err := tx.Blobs().Blob(ctx, l.Blob)
		if err != nil {
			return err
		}
		if strings.HasPrefix(kept.Owner, ownerTicket) { // given with an answer on it
			media = channel.Media{Blob: l.Blob, Name: l.Name, Type: kept.Type}
			return nil
		}
		m, err := tx.Conversations().Message(ctx, conversation.MessageID(strings.TrimPrefix(kept.Owner, ownerMessage)))
		if err != nil {
			return err
		}
		for _, f := range m.Content.Files() {
			if f.Blob == l.Blob {
				media = f
				return nil
			}
		}
		return noSuch("attachment")
	})
	if errors.Is(err, ErrInvalid) { // a workspace or token of a form that there is not
		err = noSuch("attachment")
	}
	if err != nil {
		return nil, err
	}
	if !preview {
		return e.openFile(ctx, ws, media)
	}
	small, err := e.thumbnailOf(ctx, ws, media)
	if errors.Is(err, ErrUnsupported) && channel.KindOf(media.Type) == channel.KindVideo {
		return poster()
	}
	return small, err
}

// poster stands for a film: no picture of it is known.
func poster() (*Attachment, error) {
	p, err := thumbnail.Poster()
	return &Attachment{Name: "film.jpg", Type: p.Type, Size: int64(len(p.Data)), ReadSeekCloser: inMemory{bytes.NewReader(p.Data)}}, err
}

// inMemory needs no closing.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

func init() { registerPurge(purgeLinks) }

// purgeLinks deletes addresses whose time is over.
func purgeLinks(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, links, "until", 0)
}
