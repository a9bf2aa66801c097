package sangdam

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/internal/thumbnail"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
)

// Attachments that a provider keeps, and those at addresses of somebody else's,
// are kinds of their own: whoever names slow servers holds up nobody's pictures.
const (
	jobMedia   = "media"
	jobOutside = "media_outside"
)

func init() {
	kept := func(cfg Config) bool { return cfg.Blobs != nil }
	for name, bound := range map[string]time.Duration{jobMedia: mediaFor, jobOutside: outsideFor} {
		registerJob(jobKind{name: name, workers: 8, bound: always(bound), tries: mediaTries, within: mediaTryFor, wait: mediaWait,
			hopeless: mediaHopeless, served: kept}, (*Engine).fetchMedia, (*unit).mediaGivenUp)
	}
}

const (
	// mediaFor bounds one try to fetch an attachment: providers give ten minutes
	// for the largest.
	mediaFor = 15 * time.Minute
	// outsideFor bounds one try at an address of somebody else's.
	outsideFor = 5 * time.Minute
	// mediaTries is more than the waits between tries leave room for: it ends
	// what takes the process with it.
	mediaTries = 100
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

// mediaHopeless is mediaTrouble for what failed before anything was fetched.
func mediaHopeless(err error) bool {
	_, again := mediaTrouble(err, false)
	return !again
}

// lost is the attachment's end for the reason.
func lost(media channel.Media, reason channel.Reason) channel.Media {
	media.State, media.Reason = channel.MediaFailed, reason
	if reason == channel.ReasonGone {
		media.State = channel.MediaGone
	}
	return media
}

// mediaGivenUp ends an attachment with the reason.
func (u *unit) mediaGivenUp(p mediaJob, why error) error {
	m, err := u.tx.Conversations().Message(u.ctx, p.Message)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted meanwhile
	}
	media, wanted := p.wants(m)
	if err != nil || !wanted {
		return err
	}
	reason, _ := mediaTrouble(why, media.Provider == "")
	return u.setMedia(m, p.N, lost(media, reason))
}

type mediaJob struct {
	Account channel.AccountID      `json:"account"`
	Message conversation.MessageID `json:"message"`
	N       int                    `json:"n,omitempty"` // which of its files
}

// wants returns the file that the job is for, unless it was taken back or is
// there already.
func (p mediaJob) wants(m conversation.Message) (channel.Media, bool) {
	files := m.Content.Files()
	if p.N >= len(files) || files[p.N].Blob != "" || files[p.N].State == channel.MediaGone {
		return channel.Media{}, false
	}
	return files[p.N], true
}

// enqueueMedia has those of a message's files fetched that are not here, if
// there is somewhere to fetch them from. It tells how many there are.
func (u *unit) enqueueMedia(m conversation.Message, key string) (int, error) {
	acct, adapter, err := u.e.account(u.s, m.Account)
	if err != nil {
		return 0, err
	}
	asked := 0
	for n, media := range m.Content.Files() {
		kind, of := "", key
		switch {
		case media.Blob != "" || media.State == channel.MediaRefused:
		case media.Provider != "" && (adapter.fetcher != nil || adapter.unpacker != nil):
			kind = jobMedia
		case media.URL != "":
			kind = jobOutside
		}
		if kind == "" {
			continue
		}
		if asked++; n > 0 {
			of += "/" + strconv.Itoa(n)
		}
		if err := u.enqueueJob(kind, of, mediaJob{acct.ID, m.ID, n}); err != nil {
			return 0, err
		}
	}
	return asked, nil
}

// fetchMedia stores an attachment: the bytes first, synced, then the reference. A
// picture is kept without its camera's data, unless the workspace keeps that.
func (e *Engine) fetchMedia(ctx context.Context, j *runningJob, p mediaJob) error {
	acct, ad, err := e.accountOf(ctx, j.Workspace, p.Account)
	if err != nil {
		return err
	}
	media, whole, err := e.wantedMedia(ctx, j.Workspace, p)
	if err != nil || media == nil {
		return err
	}
	info, mediaType, err := fetchInto(ctx, e.cfg.Blobs, e.cfg.MaxMedia, whole, j.progress, func(sink adapter.MediaSink) error {
		switch {
		case media.Provider != "" && ad.unpacker != nil:
			return e.unpack(ctx, j.Workspace, acct, ad, media.Provider, sink)
		case media.Provider != "" && ad.fetcher != nil:
			return ad.FetchMedia(ctx, acct, media.Provider, sink)
		}
		return e.fetchOutside(ctx, media.URL, sink)
	})
	got := *media
	if err == nil {
		got.Blob, got.Size, got.Type, got.State, got.Reason = info.Name, info.Size, mediaType, channel.MediaReady, ""
	} else {
		reason, again := mediaTrouble(err, media.Provider == "")
		if again {
			return err
		}
		got = lost(got, reason)
	}
	return e.unit(ctx, system(j.Workspace), func(u *unit) error { return u.keepMedia(p, got, info) })
}

// wantedMedia is the attachment as it is known, nil where nobody wants it any more:
// its message was deleted or taken back, or it is there. whole says that a picture
// keeps what its camera wrote.
func (e *Engine) wantedMedia(ctx context.Context, ws WorkspaceID, p mediaJob) (media *channel.Media, whole bool, err error) {
	err = e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		media = nil
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		whole = s.workspace.Masking.KeepPictureData
		m, err := tx.Conversations().Message(ctx, p.Message)
		if wants, wanted := p.wants(m); err == nil && wanted {
			media = &wants
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil, whole, nil
	}
	return media, whole, err
}

// keepMedia refers to the file that was fetched, or says why there is none. Where
// nobody wants it meanwhile, nothing refers to the file, and it is swept.
func (u *unit) keepMedia(p mediaJob, media channel.Media, file blob.Info) error {
	m, err := u.tx.Conversations().Message(u.ctx, p.Message)
	if _, wanted := p.wants(m); err != nil || !wanted {
		return err
	}
	if media.Blob != "" {
		if err := u.tx.Blobs().Reference(u.ctx, driver.Blob{Name: file.Name, Type: media.Type, Size: file.Size, SHA256: file.SHA256,
			Owner: ownerMessage + string(m.ID), CreatedAt: u.tx.Now()}); err != nil {
			return err
		}
	}
	if err := u.setMedia(m, p.N, media); err != nil || len(m.Masks) == 0 {
		return err
	}
	m.Content = m.Content.WithFile(p.N, media)
	return u.forgetSources(m) // what it was taken out of says what is masked
}

// fetchOutside fetches an address that a customer's message names, through the
// guarded client: no private address, whatever redirects and names say.
func (e *Engine) fetchOutside(ctx context.Context, address string, sink adapter.MediaSink) error {
	f, err := e.outside.Fetch(ctx, safehttp.Request{URL: address, MaxBytes: e.cfg.MaxMedia, Timeout: outsideFor})
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sink.Begin(f.Type, f.Size); err != nil {
		return err
	}
	_, err = io.Copy(sink, f)
	return err
}

// withoutCamera is a file as it is kept: a picture loses what its camera wrote
// beside it, anything else stays as it is.
func withoutCamera(r io.Reader) io.Reader {
	head := bufio.NewReaderSize(r, sniffed)
	first, _ := head.Peek(sniffed) // what fails now fails again when it is read
	return thumbnail.Bare(safehttp.Sniff(first), head)
}

// fetchInto runs fetch into a blob; whole keeps what cameras write.
func fetchInto(ctx context.Context, blobs blob.Store, limit int64, whole bool, progress func(percent int),
	fetch func(adapter.MediaSink) error) (blob.Info, string, error) {
	r, w := io.Pipe()
	sink := &pipeSink{w: w, progress: progress}
	done := make(chan error, 1)
	go func() {
		err := fetch(sink)
		w.CloseWithError(err) // nil ends the stream
		done <- err
	}()
	file := io.Reader(r)
	if !whole {
		file = withoutCamera(r)
	}
	info, err := blobs.Put(ctx, file, limit)
	r.CloseWithError(err) // a fetch that still writes stops
	if fetched := <-done; fetched != nil && err == nil || errors.Is(err, io.ErrClosedPipe) {
		err = fetched
	}
	return info, sink.mediaType, err
}

// pipeSink turns a MediaSink into a stream and says how much has come.
type pipeSink struct {
	w          *io.PipeWriter
	progress   func(percent int)
	mediaType  string
	size, have int64
}

// Begin notes the media type and how much is to come, if that is known.
func (s *pipeSink) Begin(mediaType string, size int64) error {
	s.mediaType, s.size = mediaType, size
	return nil
}

// Write passes bytes on.
func (s *pipeSink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if s.have += int64(n); s.size > 0 {
		s.progress(int(100 * s.have / s.size))
	}
	return n, err
}

// setMedia records what became of the n-th file of a message.
func (u *unit) setMedia(m conversation.Message, n int, media channel.Media) error {
	d, err := u.conversation(m.Conversation)
	if err == nil {
		d.SetMedia(m, n, media)
	}
	return err
}

// FetchMedia fetches an attachment of a customer again whose state is failed,
// gone or pending: at once, and if that fails for another day, as when the
// message came.
type FetchMedia struct {
	Key     Key                    `json:"-"`
	Message conversation.MessageID `json:"message"`
}

// FetchMedia carries the command out. ErrInvalid when there is nothing to
// fetch: the message has no attachment, or its attachment is stored already,
// was refused, or was taken back by the customer. ErrUnsupported when
// Config.Blobs is nil.
func (e *Engine) FetchMedia(ctx context.Context, p Principal, c FetchMedia) error {
	_, err := command(ctx, e, call{opFetchMedia, p, c.Key, c}, func(u *unit) (struct{}, error) {
		d, m, err := u.onMessage(c.Message, ActFetch)
		if err != nil {
			return struct{}{}, err
		}
		if e.cfg.Blobs == nil {
			return struct{}{}, errs.New(errs.Unsupported, "sangdam: attachments are not kept; set Config.Blobs")
		}
		asked := 0
		if m.Direction == conversation.Inbound {
			// A key of its own: one that waits for its next try would absorb it.
			if asked, err = u.enqueueMedia(m, string(m.ID)+"/"+newID()); err != nil {
				return struct{}{}, err
			}
		}
		if asked == 0 {
			return struct{}{}, errs.New(errs.Invalid, "sangdam: message %s has no attachment that could be fetched", m.ID)
		}
		for n, media := range m.Content.Files() {
			if media.Blob == "" && media.State != channel.MediaRefused {
				media.State, media.Reason = channel.MediaPending, ""
				m = d.SetMedia(m, n, media)
			}
		}
		return struct{}{}, nil
	})
	return err
}
