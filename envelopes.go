package sangdam

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// An event that is too large for a row lies in the blob store, and its envelope
// holds the blob's name behind this mark. An event that begins like the mark by
// itself is kept in the blob store whatever its size, so that no sender can name
// a blob.
const largeMark = "sangdam:blob:"

func isLarge(raw []byte) bool { return bytes.HasPrefix(raw, []byte(largeMark)) }

// ownerEnvelope begins the owner of a blob that holds an event.
const ownerEnvelope = "envelope:"

// largeEnvelope is the record of an event in the blob store: it is written
// before the envelope, and goes once the envelope is kept no longer. So a crash
// between the two leaves nothing behind.
type largeEnvelope struct {
	ID       string             `json:"id"` // the blob
	Version  int64              `json:"-"`
	Envelope channel.EnvelopeID `json:"envelope"`
	At       time.Time          `json:"at"` // when to look next whether the envelope is still there, less Config.KeepRaw
}

var largeEnvelopes = declare(store.Kind[largeEnvelope]{Name: "large_envelope",
	ID:      func(l *largeEnvelope) string { return l.ID },
	Version: func(l *largeEnvelope) *int64 { return &l.Version },
	Indexes: []store.Index[largeEnvelope]{{Name: "at", Value: func(l *largeEnvelope) []byte { return store.Time(l.At) }}},
})

// storeLarge puts the event of an envelope that has its id into the blob store.
// It returns the envelope as it is appended.
func (e *Engine) storeLarge(ctx context.Context, ws WorkspaceID, env adapter.Envelope) (adapter.Envelope, error) {
	switch {
	case len(env.Raw) > adapter.MaxLargeEnvelope:
		return env, errs.New(errs.Invalid, "sangdam: an event has %d bytes; at most %d are kept", len(env.Raw), adapter.MaxLargeEnvelope)
	case e.cfg.Blobs == nil:
		return env, errs.New(errs.Unsupported, "sangdam: an event has %d bytes; set Config.Blobs to keep more than %d", len(env.Raw),
			adapter.MaxEnvelope)
	}
	key, err := e.restKey(ctx, ws)
	if err != nil {
		return env, err
	}
	sealed, err := sealBytes(key, envelopePlace(ws, env.ID), env.Raw)
	if err != nil {
		return env, err
	}
	info, err := e.cfg.Blobs.Put(ctx, bytes.NewReader(sealed), maxLargeBlob)
	if err != nil {
		return env, err
	}
	env.Raw = []byte(largeMark + info.Name)
	return env, e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		err := tx.Blobs().Reference(ctx,
			driver.Blob{Name: info.Name, Type: "application/octet-stream", Size: info.Size, SHA256: info.SHA256,
				Owner: ownerEnvelope + string(env.ID), CreatedAt: tx.Now()})
		if err != nil {
			return err
		}
		return largeEnvelopes.Save(ctx, tx, &largeEnvelope{ID: info.Name, Envelope: env.ID, At: tx.Now()})
	})
}

// dropLarge releases the blobs of envelopes that were there before.
func (e *Engine) dropLarge(ctx context.Context, ws WorkspaceID, envs []adapter.Envelope, fresh []bool) {
	for i, env := range envs {
		if fresh[i] || !isLarge(env.Raw) {
			continue
		}
		err := e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
			l, err := largeEnvelopes.Get(ctx, tx, strings.TrimPrefix(string(env.Raw), largeMark))
			if err != nil {
				return err
			}
			return forgetLarge(ctx, tx, l)
		})
		if err != nil {
			e.trouble("the bytes of an event that came twice are kept for a while", err)
		}
	}
}

func forgetLarge(ctx context.Context, tx store.Tx, l largeEnvelope) error {
	if err := tx.Blobs().Release(ctx, l.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return largeEnvelopes.Delete(ctx, tx, &l)
}

func init() { registerPurge((*Engine).purgeLarge) }

// purgeLarge releases the bytes of events whose envelopes are kept no longer. One
// that is still there, because nobody could process it, is looked at again later.
func (e *Engine) purgeLarge(ctx context.Context, tx store.Tx) (int, error) {
	page, err := largeEnvelopes.List(ctx, tx, store.List[largeEnvelope]{Index: "at", To: store.Time(tx.Now().Add(-e.cfg.KeepRaw)),
		Limit: purgeChunk})
	if err != nil {
		return 0, err
	}
	for _, l := range page.Items {
		_, err := tx.Inbox().Envelope(ctx, l.Envelope)
		switch {
		case errors.Is(err, ErrNotFound):
			err = forgetLarge(ctx, tx, l)
		case err == nil:
			l.At = tx.Now()
			err = largeEnvelopes.Save(ctx, tx, &l)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(page.Items), nil
}

// maxLargeBlob is the largest event with what sealing adds to it.
const maxLargeBlob = adapter.MaxLargeEnvelope + 128

// largeAtOnce is how many large events are in memory at once.
const largeAtOnce = 4

// wholeEnvelope is the envelope with its event, wherever that lies. done says
// that the event is not needed any more.
func (e *Engine) wholeEnvelope(ctx context.Context, ws WorkspaceID, env adapter.Envelope) (whole adapter.Envelope, done func(), err error) {
	if !isLarge(env.Raw) {
		whole, err = e.opened(ctx, ws, env)
		return whole, func() {}, err
	}
	if e.cfg.Blobs == nil {
		return env, nil, errs.New(errs.Unavailable, "sangdam: envelope %s lies in the blob store; set Config.Blobs", env.ID)
	}
	select {
	case e.large <- struct{}{}:
	case <-ctx.Done():
		return env, nil, ctx.Err()
	}
	done = func() { <-e.large }
	r, err := e.cfg.Blobs.Open(ctx, strings.TrimPrefix(string(env.Raw), largeMark))
	if err == nil {
		env.Raw, err = io.ReadAll(io.LimitReader(r, maxLargeBlob))
		err = errors.Join(err, r.Close())
	}
	if err == nil {
		env, err = e.opened(ctx, ws, env)
	}
	if err != nil {
		done()
		return env, nil, err
	}
	return env, done, nil
}

// event is what a whole envelope brought.
func (a *guardedAdapter) event(acct channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	in, err := a.Parse(acct, env)
	if err == nil {
		a.packed(env.ID, &in)
	}
	return in, err
}

// packed makes the references of files within an event into ones that are good
// anywhere: they name the envelope.
func (a *guardedAdapter) packed(env channel.EnvelopeID, in *adapter.Inbound) {
	if a.unpacker == nil {
		return
	}
	for n, media := range in.Content.Files() {
		if media.Provider != "" {
			media.Provider = string(env) + "/" + media.Provider
			in.Content = in.Content.WithFile(n, media)
		}
	}
}

// unpack streams a file out of the envelope that it came with. ErrNotFound once
// that is kept no longer.
func (e *Engine) unpack(ctx context.Context, ws WorkspaceID, acct channel.Account, ad *guardedAdapter, ref string,
	sink adapter.MediaSink) error {
	id, ref, _ := strings.Cut(ref, "/")
	var env adapter.Envelope
	err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
		env, err = tx.Inbox().Envelope(ctx, channel.EnvelopeID(id))
		return err
	})
	if err != nil {
		return err
	}
	env, done, err := e.wholeEnvelope(ctx, ws, env)
	if err != nil {
		return err
	}
	defer done()
	return ad.Unpack(ctx, acct, env, ref, sink)
}
