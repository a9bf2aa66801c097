package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
)

// Job kinds.
const (
	jobProfile = "profile"
	jobMedia   = "media"
	jobBot     = "bot"
	jobMove    = "move_history"
	jobHandOn  = "hand_on"
	jobChat    = "chat"
)

// jobWorkers is how many jobs run at once.
const jobWorkers = 16

// jobTries is how often a job is tried before it is dead.
const jobTries = 8

// profileFor is how long a fetched profile is good (line pages give none; a
// day keeps names fresh without a request per message).
const profileFor = 24 * time.Hour

// mediaFor bounds one try to fetch an attachment: providers give ten minutes
// for the largest.
const mediaFor = 15 * time.Minute

func (e *Engine) runJobs(ctx, drain context.Context) {
	kinds := []string{jobProfile, jobChat, jobBot, jobMove, jobHandOn}
	if e.cfg.Blobs != nil {
		kinds = append(kinds, jobMedia)
	}
	runLanes(ctx, drain, e, jobWorkers, func(ctx context.Context, limit int) ([]driver.Job, error) {
		return e.db.System().ClaimJobs(ctx, e.cfg.Node, kinds, limit, e.cfg.Lease)
	}, e.workJob)
}

// workJob runs one job and records what became of it.
func (e *Engine) workJob(ctx context.Context, j driver.Job) {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if j.Kind != jobBot { // a bot has a limit of its own for each call, and its lease is prolonged
		bounded, cancel = context.WithTimeout(ctx, e.cfg.Lease)
	}
	defer cancel()
	err := e.doJob(bounded, j)
	if err == nil || errors.Is(err, ErrStale) {
		err = e.db.Update(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) error {
			return tx.Jobs().Finish(ctx, j.ID, j.Token)
		})
		if err != nil && !errors.Is(err, ErrStale) {
			e.log.Warn("a job's end could not be recorded; it will run again", "kind", j.Kind, "error", err)
		}
		return
	}
	e.log.Warn("a job failed", "kind", j.Kind, "job", j.ID, "attempt", j.Attempts, "error", err)
	var p mediaJob
	if j.Kind == jobMedia && json.Unmarshal(j.Payload, &p) == nil {
		if err := e.mediaFailed(ctx, j, p, err); err != nil && !errors.Is(err, ErrStale) {
			e.log.Warn("a job's failure could not be recorded", "kind", j.Kind, "error", err)
		}
		return
	}
	err = e.db.Update(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) error {
		var again time.Time
		if j.Attempts < jobTries {
			again = tx.Now().Add(backoff(j.Attempts))
		}
		return tx.Jobs().Fail(ctx, j.ID, j.Token, kindName(err), again)
	})
	if err != nil && !errors.Is(err, ErrStale) {
		e.log.Warn("a job's failure could not be recorded", "kind", j.Kind, "error", err)
	}
}

func (e *Engine) doJob(ctx context.Context, j driver.Job) (err error) {
	defer func() {
		if recover() != nil {
			err = errs.New(errs.Invalid, "sangdam: a %s job panicked", j.Kind)
		}
	}()
	switch j.Kind {
	case jobProfile:
		return e.fetchProfile(ctx, j)
	case jobChat:
		return e.fetchChat(ctx, j)
	case jobMedia:
		return e.fetchMedia(ctx, j)
	case jobBot:
		return e.botJob(ctx, j)
	case jobMove:
		return e.moveHistory(ctx, j)
	case jobHandOn:
		return e.handOnJob(ctx, j)
	}
	return errs.New(errs.Unsupported, "sangdam: unknown job kind %q", j.Kind)
}

// enqueueJob adds a job; key makes it one among those unfinished.
func (u *unit) enqueueJob(kind, key string, payload any) error {
	raw, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return u.tx.Jobs().Enqueue(u.ctx, driver.Job{ID: newID(), Kind: kind, Key: key, Payload: raw, Due: u.tx.Now(), CreatedAt: u.tx.Now()})
}

type profileJob struct {
	Account  channel.AccountID       `json:"account"`
	Chat     channel.Chat            `json:"chat"`
	Identity conversation.IdentityID `json:"identity"`
}

type mediaJob struct {
	Account channel.AccountID      `json:"account"`
	Message conversation.MessageID `json:"message"`
}

// followUp enqueues what a message needs from the provider.
func (u *unit) followUp(acct channel.Account, c conversation.Conversation, m conversation.Message, i conversation.Identity) error {
	_, adapter, err := u.e.account(u.s, acct.ID)
	if err != nil {
		return err
	}
	if adapter.profiler != nil && i.ID != "" && u.tx.Now().Sub(i.ProfileAt) > profileFor {
		if err := u.enqueueJob(jobProfile, string(i.ID), profileJob{acct.ID, m.Chat, i.ID}); err != nil {
			return err
		}
	}
	group := m.Chat.Kind == channel.ChatGroup || m.Chat.Kind == channel.ChatRoom
	if adapter.chats != nil && group && u.tx.Now().Sub(c.ChatAt) > profileFor {
		if err := u.enqueueJob(jobChat, string(c.ID), chatJob{c.ID}); err != nil {
			return err
		}
	}
	media := m.Content.Media
	if media == nil || u.e.cfg.Blobs == nil {
		return nil // a job that nobody claims would only be looked at again and again
	}
	if media.Provider != "" && adapter.fetcher != nil || media.URL != "" {
		return u.enqueueJob(jobMedia, string(m.ID), mediaJob{acct.ID, m.ID})
	}
	return nil
}

// fetchProfile asks the provider for a name and a picture.
func (e *Engine) fetchProfile(ctx context.Context, j driver.Job) error {
	var p profileJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return err
	}
	acct, adapter, err := e.accountOf(ctx, j.Workspace, p.Account)
	if err != nil {
		return err
	}
	if adapter.profiler == nil {
		return nil
	}
	var i conversation.Identity
	err = e.db.View(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		i, err = tx.Contacts().IdentityByID(ctx, p.Identity)
		return err
	})
	if err != nil {
		return err
	}
	profile, err := adapter.Profile(ctx, acct, p.Chat, i.User)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return e.db.Update(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) error {
		i, err := tx.Contacts().IdentityByID(ctx, p.Identity)
		if err != nil {
			return err
		}
		i.ProfileAt = tx.Now()
		if profile.Name != "" {
			i.Name, i.Picture = profile.Name, profile.Picture
		}
		version, err := tx.Contacts().SaveIdentity(ctx, i)
		if err != nil {
			return err
		}
		c, err := tx.Contacts().Contact(ctx, i.Contact)
		if err != nil {
			return err
		}
		if !c.Known && profile.Name != "" && c.Name != profile.Name {
			c.Name, c.Picture = profile.Name, profile.Picture
			if _, err := tx.Contacts().SaveContact(ctx, c); err != nil {
				return err
			}
		}
		return tx.Events().Append(ctx, driver.Event{Aggregate: "identity", ID: string(i.ID), Version: version, Kind: "profile", Actor: "system", At: tx.Now(),
			Contact: c.ID, Desks: c.Desks})
	})
}

type chatJob struct {
	Conversation conversation.ID `json:"conversation"`
}

// fetchChat asks the provider for the name of the conversation's group.
func (e *Engine) fetchChat(ctx context.Context, j driver.Job) error {
	var p chatJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return err
	}
	var cv conversation.Conversation
	err := e.db.View(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		cv, err = tx.Conversations().Conversation(ctx, p.Conversation)
		return err
	})
	if err != nil {
		return err
	}
	acct, adapter, err := e.accountOf(ctx, j.Workspace, cv.Account)
	if err != nil || adapter.chats == nil {
		return err
	}
	profile, err := adapter.ChatProfile(ctx, acct, cv.Chat)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return e.unit(ctx, system(j.Workspace), func(u *unit) error {
		now, err := u.tx.Conversations().Conversation(u.ctx, cv.ID)
		if err != nil || now.Chat != cv.Chat {
			return err // it goes on elsewhere
		}
		d := conversation.Edit(now, u.tx.Now())
		d.SetChatProfile(profile)
		return u.save(d)
	})
}

// accountOf returns an account outside a transaction.
func (e *Engine) accountOf(ctx context.Context, ws id.Workspace, a channel.AccountID) (channel.Account, *guardedAdapter, error) {
	s, err := e.current(ctx, ws)
	if err != nil {
		return channel.Account{}, nil, err
	}
	return e.account(s, a)
}

// fetchMedia stores an attachment: the bytes first, synced, then the reference.
func (e *Engine) fetchMedia(ctx context.Context, j driver.Job) error {
	var p mediaJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return err
	}
	acct, adapter, err := e.accountOf(ctx, j.Workspace, p.Account)
	if err != nil {
		return err
	}
	var m conversation.Message
	err = e.db.View(ctx, j.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		m, err = tx.Conversations().Message(ctx, p.Message)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	if m.Content.Media == nil || m.Content.Media.Blob != "" {
		return nil // taken back, or done before
	}
	info, mediaType, err := fetchInto(ctx, e.cfg.Blobs, e.cfg.MaxMedia, func(sink channel.MediaSink) error {
		if adapter.fetcher != nil && m.Content.Media.Provider != "" {
			return adapter.FetchMedia(ctx, acct, m.Content.Media.Provider, sink)
		}
		return e.fetchOutside(ctx, m.Content.Media.URL, sink)
	})
	media := *m.Content.Media
	if err == nil {
		media.Blob, media.Size, media.Type, media.State = info.Name, info.Size, mediaType, channel.MediaReady
		media.Reason = ""
	} else {
		reason, again := mediaTrouble(err, media.Provider == "")
		if again {
			return err
		}
		media = lost(media, reason)
	}
	return e.unit(ctx, system(j.Workspace), func(u *unit) error {
		m, err := u.tx.Conversations().Message(u.ctx, p.Message)
		if err != nil || m.Content.Media == nil || m.Content.Media.Blob != "" {
			return err // taken back or there meanwhile: the unreferenced blob is swept
		}
		if media.Blob != "" {
			if err := u.tx.Blobs().Reference(u.ctx, driver.Blob{Name: info.Name, Type: mediaType, Size: info.Size, SHA256: info.SHA256,
				Owner: ownerMessage + string(m.ID), CreatedAt: u.tx.Now()}); err != nil {
				return err
			}
		}
		return u.setMedia(m, media)
	})
}

// fetchOutside fetches an address that a customer's message names, through the
// guarded client: no private address, whatever redirects and names say.
func (e *Engine) fetchOutside(ctx context.Context, address string, sink channel.MediaSink) error {
	f, err := e.outside.Fetch(ctx, safehttp.Request{URL: address, MaxBytes: e.cfg.MaxMedia, Timeout: e.cfg.Lease})
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

// fetchInto runs fetch into a blob.
func fetchInto(ctx context.Context, blobs blob.Store, limit int64, fetch func(channel.MediaSink) error) (blob.Info, string, error) {
	r, w := io.Pipe()
	sink := &pipeSink{w: w}
	done := make(chan error, 1)
	go func() {
		err := fetch(sink)
		w.CloseWithError(err) // nil ends the stream
		done <- err
	}()
	info, err := blobs.Put(ctx, r, limit)
	r.CloseWithError(err) // a fetch that still writes stops
	if fetched := <-done; fetched != nil && err == nil || errors.Is(err, io.ErrClosedPipe) {
		err = fetched
	}
	return info, sink.mediaType, err
}

// pipeSink turns a MediaSink into a stream.
type pipeSink struct {
	w         *io.PipeWriter
	mediaType string
}

// Begin notes the media type.
func (s *pipeSink) Begin(mediaType string, _ int64) error { s.mediaType = mediaType; return nil }

// Write passes bytes on.
func (s *pipeSink) Write(p []byte) (int, error) { return s.w.Write(p) }
