package sangdam

import (
	"errors"
	"strings"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// ownerMessage is how the record of a blob names the message that it belongs to.
const ownerMessage = "message:"

// refer records the bytes that a message names in the transaction that names
// them: without a record they would be swept after a day. Bytes that belong to
// something else already cannot be named, for a name is no right to read; a
// message that is sent again takes those of the one before.
func (u *unit) refer(m conversation.Message) error {
	media := m.Content.Media
	if media == nil || media.Blob == "" {
		return nil
	}
	kept, err := u.tx.Blobs().Blob(u.ctx, media.Blob)
	if errors.Is(err, ErrNotFound) {
		return u.tx.Blobs().Reference(u.ctx, driver.Blob{Name: media.Blob, Type: media.Type, Size: media.Size,
			Owner: ownerMessage + string(m.ID), CreatedAt: u.tx.Now()})
	}
	if err != nil {
		return err
	}
	id, is := strings.CutPrefix(kept.Owner, ownerMessage)
	if is && m.ResendOf != "" && id != "" {
		before, err := u.tx.Conversations().Message(u.ctx, conversation.MessageID(id))
		if err == nil && before.Conversation == m.Conversation {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return errs.New(errs.NotFound, "sangdam: there is no upload of this name; put the file into the blob store and name it once")
}
