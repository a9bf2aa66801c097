package sangdam

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
)

// settings is a workspace's configuration as one version: what every flow
// needs besides the rows it works on. It is immutable.
type settings struct {
	ws       id.Workspace
	routing  routing.Configuration
	accounts map[channel.AccountID]channel.Account // with opened secrets
	read     time.Time                             // when it was read, by this process's clock
	// The operating hours that are set, compiled; see hoursOf.
	accountHours   map[channel.AccountID]*hours.Schedule
	deskHours      map[routing.DeskID]*hours.Schedule
	queueHours     map[routing.QueueID]*hours.Schedule
	streamHours    map[routing.WorkStreamID]*hours.Schedule
	workspaceHours *hours.Schedule
	workspace      WorkspaceSettings
}

// settingsCache holds the newest settings seen, per workspace.
type settingsCache struct {
	reading sync.Mutex // held by who reads old settings again
	loads   singleflight.Group
	mu      sync.RWMutex
	m       map[id.Workspace]*settings
}

func (c *settingsCache) get(ws id.Workspace) *settings {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[ws]
}

func (c *settingsCache) put(s *settings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[id.Workspace]*settings{}
	}
	if old := c.m[s.ws]; old == nil || old.routing.Version <= s.routing.Version {
		c.m[s.ws] = s
	}
}

// drop forgets what is cached: this process changed it.
func (c *settingsCache) drop(ws id.Workspace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, ws)
}

// readSettings loads the configuration through a transaction and keeps it for
// others.
func (e *Engine) readSettings(ctx context.Context, tx store.Tx) (*settings, error) {
	s, err := e.loadSettings(ctx, tx)
	if err == nil {
		e.settings.put(s)
	}
	return s, err
}

// loadSettings reads the configuration as this transaction sees it and opens
// the accounts' secrets.
func (e *Engine) loadSettings(ctx context.Context, tx store.Tx) (*settings, error) {
	for {
		cfg, err := tx.Config().Configuration(ctx, 0)
		if err != nil {
			return nil, err
		}
		accounts, err := tx.Accounts().Accounts(ctx)
		if err != nil {
			return nil, err
		}
		workspace, err := only(ctx, tx, workspaceSettings, nil)
		if err != nil {
			return nil, err
		}
		again, err := tx.Config().Configuration(ctx, cfg.Version)
		if err != nil {
			return nil, err
		}
		if again.Version != cfg.Version {
			continue // changed between the two statements
		}
		return e.settingsOf(ctx, tx, cfg, accounts, workspace)
	}
}

// settingsOf puts together what was read.
func (e *Engine) settingsOf(ctx context.Context, tx store.Tx, cfg routing.Configuration, accounts []channel.Account,
	workspace WorkspaceSettings) (_ *settings, err error) {
	numbered(cfg)
	s := &settings{ws: tx.Workspace(), routing: cfg, workspace: workspace, read: time.Now(),
		accounts: map[channel.AccountID]channel.Account{}}
	for _, a := range accounts {
		if a.Secrets, err = e.openSecrets(ctx, s.ws, a); err != nil {
			return nil, err
		}
		s.accounts[a.ID] = a
	}
	return s, s.compileHours()
}

// numbered gives a version to what was stored before there were versions, so
// that it can be replaced: zero means a new thing.
func numbered(cfg routing.Configuration) {
	for id, d := range cfg.Desks {
		d.Version = max(d.Version, 1)
		cfg.Desks[id] = d
	}
	for id, w := range cfg.WorkStreams {
		w.Version = max(w.Version, 1)
		cfg.WorkStreams[id] = w
	}
	for id, q := range cfg.Queues {
		q.Version = max(q.Version, 1)
		cfg.Queues[id] = q
	}
}

// current returns settings for reading outside a transaction: hardly older than
// the poll interval, whoever changed them. One caller reads them again while
// the others go on with what there is.
func (e *Engine) current(ctx context.Context, ws id.Workspace) (*settings, error) {
	if s := e.settings.get(ws); s != nil {
		if time.Since(s.read) < e.cfg.Poll || !e.settings.reading.TryLock() {
			return s, nil
		}
		defer e.settings.reading.Unlock()
		err := e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) (err error) {
			s, err = e.readSettings(ctx, tx)
			return err
		})
		return s, err
	}
	// Nothing is known yet: whoever asks at this moment shares one reading.
	loaded := e.settings.loads.DoChan(string(ws), func() (any, error) {
		var s *settings
		err := e.db.View(context.WithoutCancel(ctx), ws, func(ctx context.Context, tx store.Tx) (err error) {
			s, err = e.readSettings(ctx, tx)
			return err
		})
		return s, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case l := <-loaded:
		if l.Err != nil {
			return nil, l.Err
		}
		return l.Val.(*settings), nil
	}
}

// fresh returns settings of the version that the transaction sees.
func (e *Engine) fresh(ctx context.Context, tx store.Tx) (*settings, error) {
	if s := e.settings.get(tx.Workspace()); s != nil {
		now, err := tx.Config().Configuration(ctx, s.routing.Version)
		if err != nil || s.routing.Version == now.Version {
			return s, err
		}
	}
	return e.readSettings(ctx, tx)
}

// update runs fn in a transaction together with settings that are guarded: if
// they changed before the commit, fn runs again with new ones.
func (e *Engine) update(ctx context.Context, ws id.Workspace, fn func(ctx context.Context, tx store.Tx, s *settings) error) error {
	runs := 0
	return e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		s := e.settings.get(ws)
		if runs++; s == nil || runs > 1 {
			fresh, err := e.readSettings(ctx, tx)
			if err != nil {
				return err
			}
			s = fresh
		}
		if err := tx.Guard(ctx, driver.GuardConfig, "", s.routing.Version); err != nil {
			return err
		}
		return fn(ctx, tx, s)
	})
}

// updater runs a function in a transaction with the workspace's settings.
type updater func(ctx context.Context, ws id.Workspace, fn func(ctx context.Context, tx store.Tx, s *settings) error) error

// updateSettings is update for whoever changes the settings. It holds them
// before it reads anything: it waits until those who rest on them have ended,
// and who comes later waits for it. Guarding them as update does would mean to
// start anew for each command that was quicker, under traffic for ever.
func (e *Engine) updateSettings(ctx context.Context, ws id.Workspace, fn func(ctx context.Context, tx store.Tx, s *settings) error) error {
	return e.db.Update(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Config().Hold(ctx); err != nil {
			return err
		}
		s, err := e.readSettings(ctx, tx)
		if err != nil {
			return err
		}
		return fn(ctx, tx, s)
	})
}

// account returns a usable account and its adapter.
func (e *Engine) account(s *settings, acct channel.AccountID) (channel.Account, *guardedAdapter, error) {
	a, ok := s.accounts[acct]
	if !ok || a.Deleted {
		return channel.Account{}, nil, noSuch(kindAccount) // in the words that hide one
	}
	ad, err := e.accountAdapter(a)
	if err != nil {
		return channel.Account{}, nil, err
	}
	return a, ad, nil
}

// accountResource is what a policy is asked about an account before anything is done
// with it. It is made for one that is not there too, whose desk is nobody's: whoever
// may not act on it is not told whether it exists.
func (s *settings) accountResource(id channel.AccountID) Resource {
	a := s.accounts[id]
	return Resource{Kind: kindAccount, ID: string(id), Desk: a.Desk, Account: id, Channel: a.Kind, Stream: a.WorkStream}
}

// compileHours compiles the calendars that are set.
func (s *settings) compileHours() (err error) {
	if s.workspace.Hours != nil {
		s.workspaceHours, err = s.workspace.Hours.Compile()
	}
	if err == nil {
		s.accountHours, err = compiled(s.accounts, func(a channel.Account) *hours.Calendar { return a.Hours })
	}
	if err == nil {
		s.deskHours, err = compiled(s.routing.Desks, func(d routing.Desk) *hours.Calendar { return d.Hours })
	}
	if err == nil {
		s.queueHours, err = compiled(s.routing.Queues, func(q routing.Queue) *hours.Calendar { return q.Hours })
	}
	if err == nil {
		s.streamHours, err = compiled(s.routing.WorkStreams, func(w routing.WorkStream) *hours.Calendar { return w.Hours })
	}
	return err
}

func compiled[K comparable, V any](all map[K]V, of func(V) *hours.Calendar) (map[K]*hours.Schedule, error) {
	out := map[K]*hours.Schedule{}
	for k, v := range all {
		cal := of(v)
		if cal == nil {
			continue
		}
		sched, err := cal.Compile()
		if err != nil {
			return nil, err
		}
		out[k] = sched
	}
	return out, nil
}

// calendars are the operating hours as a Board wants them.
func (s *settings) calendars() board.Calendars {
	out := board.Calendars{Accounts: map[string]*hours.Calendar{}, Desks: map[routing.DeskID]*hours.Calendar{},
		Streams: map[routing.WorkStreamID]*hours.Calendar{}, Workspace: s.workspace.Hours}
	for id, a := range s.accounts {
		out.Accounts[string(id)] = a.Hours
	}
	for id, d := range s.routing.Desks {
		out.Desks[id] = d.Hours
	}
	for id, w := range s.routing.WorkStreams {
		out.Streams[id] = w.Hours
	}
	return out
}

// hoursOf is the operating hours that apply to what the account's customers
// write: the account's own, else those of the desk, the queue that serves them,
// the work stream, or the workspace; nil means always open. The empty queue is
// the work stream's own.
func (s *settings) hoursOf(a channel.Account, queue routing.QueueID) *hours.Schedule {
	if queue == "" {
		queue = s.routing.WorkStreams[a.WorkStream].Queue
	}
	return cmp.Or(s.accountHours[a.ID], s.deskHours[a.Desk], s.queueHours[queue], s.streamHours[a.WorkStream], s.workspaceHours)
}

// member says whether the agent belongs to the desk.
func (s *settings) member(d routing.DeskID, a routing.AgentID) bool {
	_, found := slices.BinarySearch(s.routing.Members[d], a)
	return found
}

// desksOf lists the desks an agent belongs to.
func (s *settings) desksOf(a routing.AgentID) []routing.DeskID {
	var out []routing.DeskID
	for d := range s.routing.Members {
		if s.member(d, a) {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}

// secretsAD binds an account's sealed credentials to their place.
func secretsAD(ws id.Workspace, a channel.AccountID) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "accounts", Row: string(a), Column: "secrets"}
}

func (e *Engine) openSecrets(ctx context.Context, ws id.Workspace, a channel.Account) (map[string]channel.Secret, error) {
	if len(a.Sealed) == 0 {
		return nil, nil
	}
	raw, err := e.cfg.Sealer.Open(ctx, secretsAD(ws, a.ID), a.Sealed)
	if err != nil {
		return nil, errs.New(errs.Unavailable,
			"sangdam: the credentials of account %s cannot be opened; start with the keys they were sealed with: %w", a.ID, err)
	}
	var plain map[string]string
	if err := json.Unmarshal(raw, &plain); err != nil {
		return nil, errors.New("sangdam: the sealed credentials are not what was written")
	}
	out := make(map[string]channel.Secret, len(plain))
	for k, v := range plain {
		out[k] = channel.NewSecret(v)
	}
	return out, nil
}

func (e *Engine) sealSecrets(ctx context.Context, ws id.Workspace, a channel.AccountID, secrets map[string]channel.Secret) ([]byte, error) {
	plain := make(map[string]string, len(secrets))
	for k, v := range secrets {
		plain[k] = v.Reveal()
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	return e.cfg.Sealer.Seal(ctx, secretsAD(ws, a), raw)
}

// tokenCache remembers where webhook tokens lead; a token never moves.
type tokenCache struct {
	mu sync.RWMutex
	m  map[string]tokenOwner
}

type tokenOwner struct {
	ws   id.Workspace
	acct channel.AccountID
}

func (c *tokenCache) get(token string) (tokenOwner, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	o, ok := c.m[token]
	return o, ok
}

func (c *tokenCache) put(token string, o tokenOwner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]tokenOwner{}
	}
	c.m[token] = o
}

// thread is the key of the thread that a chat of the contact belongs to.
func (s *settings) thread(chat channel.Chat, acct channel.AccountID, stream conversation.WorkStreamID,
	contact conversation.ContactID) string {
	return draft.ThreadKey(chat, acct, contact, stream, s.routing.WorkStreams[stream].ThreadPerAccount)
}
