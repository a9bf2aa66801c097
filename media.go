package sangdam

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
)

// mediaTryFor is how long an attachment that cannot be had now is asked for: a
// provider's bad day, a long film that is being prepared, or an access token
// that somebody has to replace. Providers keep contents longer than that.
const mediaTryFor = 24 * time.Hour

// mediaWait is the wait before the n-th repeat: it doubles from 2 s to half an
// hour, less up to a quarter of it by chance.
func mediaWait(n int) time.Duration {
	d := 30 * time.Minute
	if n < 11 {
		d = min(d, 2*time.Second<<max(n-1, 0))
	}
	return d - rand.N(d/4+1)
}

// mediaTrouble says why an attachment could not be had, and whether asking
// again may help. outside: the customer's message named an address of somebody
// else's, whose refusal no credentials of ours can change.
func mediaTrouble(err error, outside bool) (reason channel.Reason, again bool) {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrStale):
		return channel.ReasonGone, false
	case errors.Is(err, blob.ErrTooLarge), errors.Is(err, safehttp.ErrTooLarge):
		return channel.ReasonTooLarge, false
	case errors.Is(err, safehttp.ErrBlocked), errors.Is(err, ErrUnsupported):
		return channel.ReasonUnsupported, false
	case errors.Is(err, ErrInvalid):
		return channel.ReasonProvider, false
	case errors.Is(err, ErrPermissionDenied):
		return channel.ReasonCredentials, !outside
	case errors.Is(err, context.DeadlineExceeded):
		return channel.ReasonNetwork, true
	case errors.Is(err, ErrUnavailable):
		return channel.ReasonProvider, true
	}
	return channel.ReasonStorage, true // the blob store's own trouble has no kind
}

// lost is the attachment's end for the reason.
func lost(media channel.Media, reason channel.Reason) channel.Media {
	media.State, media.Reason = channel.MediaFailed, reason
	if reason == channel.ReasonGone {
		media.State = channel.MediaGone
	}
	return media
}

// mediaFailed puts a try that failed back to be repeated, or ends it with the
// reason when its time is over.
func (e *Engine) mediaFailed(ctx context.Context, j driver.Job, p mediaJob, trouble error) error {
	reason, may := mediaTrouble(trouble, false)
	return e.unit(ctx, system(j.Workspace), func(u *unit) error {
		again := u.tx.Now().Add(mediaWait(j.Attempts))
		if may && again.Before(j.CreatedAt.Add(mediaTryFor)) {
			return u.tx.Jobs().Fail(u.ctx, j.ID, j.Token, kindName(trouble), again)
		}
		if err := u.tx.Jobs().Fail(u.ctx, j.ID, j.Token, kindName(trouble), time.Time{}); err != nil {
			return err
		}
		m, err := u.tx.Conversations().Message(u.ctx, p.Message)
		if err != nil || m.Content.Media == nil || m.Content.Media.Blob != "" {
			return err // taken back, or had by another try
		}
		return u.setMedia(m, lost(*m.Content.Media, reason))
	})
}

// setMedia records what became of an attachment.
func (u *unit) setMedia(m conversation.Message, media channel.Media) error {
	cv, err := u.tx.Conversations().Conversation(u.ctx, m.Conversation)
	if err != nil {
		return err
	}
	d := conversation.Edit(cv, u.tx.Now())
	d.SetMedia(m, media)
	return u.save(d)
}

// FetchMedia has a customer's attachment fetched again that is failed, gone or
// still pending, at once and then for a day as when it came.
type FetchMedia struct {
	Key     Key                    `json:"-"`
	Message conversation.MessageID `json:"message"`
}

// FetchMedia carries the command out. ErrInvalid when there is nothing to
// fetch: no attachment, one that is there, one that was refused or taken back.
// ErrUnsupported where the engine keeps no attachments.
func (e *Engine) FetchMedia(ctx context.Context, p Principal, c FetchMedia) error {
	_, err := command(ctx, e, opFetchMedia, p, c.Key, c, func(u *unit) (struct{}, error) {
		u.resource = Resource{Kind: "message", ID: string(c.Message)}
		m, err := u.tx.Conversations().Message(u.ctx, c.Message)
		if err != nil {
			return struct{}{}, err
		}
		if _, err := u.draft(m.Conversation, ActFetch); err != nil {
			return struct{}{}, err
		}
		if e.cfg.Blobs == nil {
			return struct{}{}, errs.New(errs.Unsupported, "sangdam: attachments are not kept; set Config.Blobs")
		}
		media := m.Content.Media
		if m.Direction != conversation.Inbound || media == nil || media.Blob != "" || media.Provider == "" && media.URL == "" {
			return struct{}{}, errs.New(errs.Invalid, "sangdam: message %s has no attachment that could be fetched", m.ID)
		}
		again := *media
		again.State, again.Reason = channel.MediaPending, ""
		if err := u.setMedia(m, again); err != nil {
			return struct{}{}, err
		}
		// A key of its own: one that waits for its next try would absorb it.
		return struct{}{}, u.enqueueJob(jobMedia, string(m.ID)+"/"+newID(), mediaJob{m.Account, m.ID})
	})
	return err
}
