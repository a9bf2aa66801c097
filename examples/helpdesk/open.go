package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/postgres"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/store/seal/tinkseal"
	"github.com/sangdam/sangdam/store/sqlite"
)

// helpdesk is the program once its parts are open.
type helpdesk struct {
	o       options
	db      *store.DB
	eng     *sangdam.Engine
	out     *journal
	account *channel.Account // the LINE account; nil: none
	token   string           // of the JSON interface, when it was made just now
	shop    string           // token of the shop page's account; empty: no demonstration
	// password of the first administrator, when it was made just now.
	password  string
	passwords passwords
	attempts  attempts
	present   present    // agents of the JSON interface and of -auto, who have no console
	warning   string     // about the keys
	rec       *recording // nil: none is asked for
}

// open opens the store, the keys and the engine, and sees to it that the
// default workspace is there. It starts nothing.
func open(ctx context.Context, o options, stdout, stderr io.Writer) (_ *helpdesk, err error) {
	h := &helpdesk{o: o, out: &journal{w: stdout, errors: stderr}, passwords: newPasswords()}
	if h.db, err = openStore(ctx, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.db.Close())
		}
	}()
	if err := checkDemoData(ctx, h.db, o.demo); err != nil {
		return nil, err
	}
	sealer, err := h.openKeys(ctx)
	if err == nil {
		err = checkKeys(ctx, h.db, sealer)
	}
	if err != nil {
		return nil, err
	}
	lineAdapter, err := line.New(line.Options{APIBase: o.line.apiBase, DataAPIBase: o.line.dataAPIBase})
	if err != nil {
		return nil, fmt.Errorf("LINE_API_BASE or LINE_DATA_API_BASE: %w", err)
	}
	blobs, err := blob.Dir(filepath.Join(o.data, "blobs"), blob.DirOptions{})
	if err != nil {
		return nil, err
	}
	h.eng, err = sangdam.New(sangdam.Config{DB: h.db, Sealer: sealer, Blobs: blobs, FilesURL: o.filesURL,
		RatingsURL: ratingsURL(o.publicURL),
		Adapters:   []adapter.Adapter{lineAdapter, webchat.New(), o.mailbox.adapter()},
		Carriers:   o.carriers(), ConsoleURL: consoleURL(o.publicURL),
		Logger: h.out.logger(), Hooks: h.out.hooks(), Node: nodeName(o), Lease: o.lease, SendTimeout: min(o.lease/3, 10*time.Second)})
	if err != nil {
		return nil, err
	}
	if err := h.seed(ctx); err != nil {
		return nil, err
	}
	if h.token, err = apiToken(ctx, h.db, o.newToken); err != nil {
		return nil, err
	}
	if o.demo {
		if err := h.seedShop(ctx); err != nil {
			return nil, err
		}
	} else {
		if h.password, err = h.firstAdministrator(ctx); err != nil {
			return nil, err
		}
	}
	h.rec, err = openRecording(o.record, h.out)
	return h, err
}

// close ends the recording and closes the store.
func (h *helpdesk) close() error { return errors.Join(h.rec.close(), h.db.Close()) }

func openStore(ctx context.Context, o options) (*store.DB, error) {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made; choose another -data: %w", err)
	}
	if o.postgres != "" {
		return postgres.Open(ctx, postgres.Options{DSN: o.postgres})
	}
	return sqlite.Open(ctx, sqlite.Options{Dir: o.data})
}

// nodeName is how this process is known to others on its database. With SQLite
// there are no others.
func nodeName(o options) string {
	if o.node == "" && o.postgres == "" {
		return "helpdesk"
	}
	return o.node
}

// openKeys opens the keys. It makes a file only for a database without data:
// keys made for data that exist could open nothing in it.
func (h *helpdesk) openKeys(ctx context.Context) (seal.Sealer, error) {
	if h.o.keysJSON != "" {
		s, err := tinkseal.FromJSON([]byte(h.o.keysJSON))
		if err != nil {
			return nil, fmt.Errorf("SANGDAM_KEYS: %w", err)
		}
		return s, nil
	}
	if beside(h.o.keys, h.o.data) {
		h.warning = "the keys are beside the data they protect; whoever copies the directory has both. Use -keys or SANGDAM_KEYS where " +
			"it matters."
	}
	workspaces, err := h.db.System().Workspaces(ctx, driver.Having{})
	if err != nil {
		return nil, err
	}
	if len(workspaces) > 0 {
		return tinkseal.Open(h.o.keys)
	}
	s, created, err := tinkseal.OpenOrCreate(h.o.keys)
	if created {
		h.out.note("made the key file %s; without it stored credentials are lost, so keep a copy in a safe place", h.o.keys)
	}
	return s, err
}

// checkKeys refuses keys that are not those of the data. The engine does so as
// well when it starts, but the account is sealed before.
func checkKeys(ctx context.Context, db *store.DB, s seal.Sealer) error {
	const record = "helpdesk/keys"
	var stored []byte
	return seal.Check(ctx, s, func(ctx context.Context) (raw []byte, err error) {
		stored, err = db.System().Meta(ctx, record)
		return stored, err
	}, func(ctx context.Context, v []byte) error { return db.System().PutMeta(ctx, record, stored, v) })
}

func beside(file, dir string) bool {
	f, errFile := filepath.Abs(file)
	d, errDir := filepath.Abs(dir)
	return errFile == nil && errDir == nil && filepath.Dir(f) == d
}
