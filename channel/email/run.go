package email

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/internal/errs"
)

// place is how far a folder has been fetched.
type place struct {
	Validity uint32 `json:"validity"`
	// Last is the highest UID that was stored.
	Last uint32 `json:"last"`
	// Seen is the day of the newest mail that was stored: where to look again
	// when the server has given new UIDs to everything.
	Seen time.Time `json:"seen,omitzero"`
}

// progress is the checkpoint of an account, shared by the connections of a run.
type progress struct {
	in adapter.Intake

	mu     sync.Mutex
	places map[string]place // mailbox/folder
}

func loadProgress(ctx context.Context, in adapter.Intake) (*progress, error) {
	p := &progress{in: in, places: map[string]place{}}
	raw, err := in.Load(ctx)
	if err != nil || raw == nil {
		return p, err
	}
	if err := json.Unmarshal(raw, &p.places); err != nil {
		return nil, errs.New(errs.Invalid, "email: the account's checkpoint cannot be read")
	}
	return p, nil
}

func (p *progress) at(key string) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.places[key]
	return at, known
}

func (p *progress) save(ctx context.Context, key string, at place) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places[key] = at
	raw, err := json.Marshal(p.places)
	if err != nil {
		return err
	}
	return p.in.Save(ctx, raw)
}

// Run follows every folder of every mailbox, each by a connection of its own. One
// that fails is tried again beside the others; the run ends when none is left, or
// when what is fetched cannot be stored.
func (a *Adapter) Run(ctx context.Context, acct channel.Account, in adapter.Intake) error {
	s, err := settingsOf(acct)
	if err != nil {
		return err
	}
	p, err := loadProgress(ctx, in)
	if err != nil {
		return err
	}
	var group errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, m := range s.Mailboxes {
		if m.Off {
			continue
		}
		for _, folder := range m.folders() {
			f := folderRun{a: a, acct: acct, box: m, folder: folder, p: p}
			group.Go(func() error {
				defer cancelOnStoreTrouble(&f, cancel)
				return f.follow(ctx)
			})
		}
	}
	err = group.Wait()
	if err == nil && ctx.Err() == nil {
		<-ctx.Done() // every mailbox is off
	}
	return cmp.Or(err, ctx.Err())
}

// cancelOnStoreTrouble ends the run: the engine knows how to wait for the store.
func cancelOnStoreTrouble(f *folderRun, cancel context.CancelFunc) {
	if f.store != nil {
		cancel()
	}
}

// folderRun follows one folder.
type folderRun struct {
	a      *Adapter
	acct   channel.Account
	box    Mailbox
	folder string
	p      *progress
	store  error // why the host's side failed; then the run ends
}

func (f *folderRun) key() string { return f.box.Name + "/" + f.folder }

// follow connects again and again until ctx ends.
func (f *folderRun) follow(ctx context.Context) error {
	for fails := 0; ctx.Err() == nil; {
		began := time.Now()
		err := f.session(ctx)
		if f.store != nil {
			return f.store
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			fails = 0
		}
		fails++
		wait := pause(fails)
		if errors.Is(err, adapter.ErrPermissionDenied) {
			wait = max(wait, time.Minute) // so that nobody is locked out
		}
		f.a.log.Warn("a mailbox is connected to again", "account", string(f.acct.ID), "mailbox", f.box.Name, "error", err, "wait", wait)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}

// pause doubles from a second to five minutes, less up to a quarter by chance.
func pause(fails int) time.Duration {
	d := 5 * time.Minute
	if fails < 9 {
		d = min(d, time.Second<<(fails-1))
	}
	return d - rand.N(d/4+1)
}

// keep stores mails and then how far the folder is. What the host's side refuses
// ends the run.
func (f *folderRun) keep(ctx context.Context, at place, mails ...fetched) error {
	var envs []adapter.Envelope
	for _, m := range mails {
		envs = append(envs, adapter.Envelope{DedupKey: "mail:" + dedupKey(m.raw), Lane: lane(m.raw), OccurredAt: m.at, Raw: m.raw})
	}
	err := f.p.in.Append(ctx, envs...)
	if errors.Is(err, adapter.ErrUnsupported) || errors.Is(err,
		adapter.ErrInvalid) { // too large for this host: what a person reads is at the top
		for i := range envs {
			envs[i].Raw = envs[i].Raw[:min(len(envs[i].Raw), adapter.MaxEnvelope)]
		}
		err = f.p.in.Append(ctx, envs...)
	}
	if err == nil {
		err = f.p.save(ctx, f.key(), at)
	}
	f.store = err
	return err
}

// lane orders the mails of a thread: by the first id that they name.
func lane(raw []byte) string {
	head := raw
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if at := bytes.Index(head, []byte(end)); at >= 0 {
			head = head[:at+len(end)]
		}
	}
	m := message.Parse(head[:min(len(head), 1<<20)], message.Options{})
	root := m.ID
	if len(m.InReplyTo) > 0 {
		root = m.InReplyTo[0]
	}
	if len(m.References) > 0 {
		root = m.References[0]
	}
	sum := sha256.Sum256([]byte(root))
	return "thread:" + hex.EncodeToString(sum[:8])
}
