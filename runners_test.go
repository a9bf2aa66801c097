package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/channel/postcard/postcardtest"
	"github.com/sangdam/sangdam/internal/storefault"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
)

// polledOffice is postcard for an office that calls nobody: it is asked.
type polledOffice struct {
	*postcard.Adapter
	office *postcardtest.Office
	node   string
	runs   atomic.Int64
	wrong  chan error  // what becomes of the next run, if anything
	saved  func(n int) // before a checkpoint is saved
}

// Run implements adapter.Runner.
func (p *polledOffice) Run(ctx context.Context, acct channel.Account, in adapter.Intake) error {
	p.runs.Add(1)
	select {
	case err := <-p.wrong:
		return err
	default:
	}
	raw, err := in.Load(ctx)
	if err != nil {
		return err
	}
	seen, _ := strconv.Atoi(string(raw))
	for {
		for _, event := range p.office.Written(seen) {
			rec, err := p.Receive(acct, p.office.Webhook(event))
			if err != nil {
				return err
			}
			if err := in.Append(ctx, rec.Envelopes...); err != nil {
				return err
			}
			seen++
			if p.saved != nil {
				p.saved(seen)
			}
			if err := in.Save(ctx, []byte(strconv.Itoa(seen))); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// officeWorld has an account at a polled office, and engines that share its store.
type officeWorld struct {
	*world
	office *postcardtest.Office
	acct   channel.Account
}

func inOffice(t *testing.T, fn func(w *officeWorld), options ...worldOption) {
	synctest.Test(t, func(t *testing.T) {
		w := &officeWorld{world: newWorld(t, options...), office: postcardtest.New("the key of the letter box")}
		p := w.polled("setup")
		eng := w.engine(p)
		require.NoError(t, errOf(eng.SaveWorkStream(w.ctx, w.host,
			sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "post", Name: "Post",
				ChannelKind: "postcard", Mode: routing.Push, Cost: 1, ChannelCost: 1, Queue: "q"}})))
		saved, err := eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: channel.Account{Kind: "postcard", Name: "Office",
			Desk:       "support",
			WorkStream: "post", Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret("the key of the letter box")}}})
		require.NoError(t, err)
		w.acct = saved.Account
		defer func() {
			w.line.Close()
			require.NoError(t, w.db.Close())
		}()
		fn(w)
	})
}

func (w *officeWorld) polled(node string) *polledOffice {
	a, err := postcard.New(postcard.Options{Office: "https://post.example"})
	require.NoError(w.t, err)
	return &polledOffice{Adapter: a, office: w.office, node: node, wrong: make(chan error, 1)}
}

func (w *officeWorld) engine(p *polledOffice) *sangdam.Engine {
	cfg := w.cfg
	cfg.Node, cfg.Adapters = p.node, append([]adapter.Adapter{p}, w.cfg.Adapters...)
	e, err := sangdam.New(cfg)
	require.NoError(w.t, err)
	w.eng = e
	return e
}

// run starts an engine; the function that it returns stops it.
func (w *officeWorld) run(e *sangdam.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(w.t, <-done)
	}
}

// got lists what people wrote, as the desk has it.
func (w *officeWorld) got() []string {
	var all []string
	for _, c := range w.conversations() {
		for _, m := range w.detail(c.ID).Messages {
			if m.Author.Kind == "customer" {
				all = append(all, m.Content.Text)
			}
		}
	}
	return all
}

// An account is fetched by one process; when that ends, another goes on from the
// checkpoint, and nothing is missing or there twice.
func TestAnAccountThatFetchesIsRunOnce(t *testing.T) {
	inOffice(t, func(w *officeWorld) {
		one, two := w.polled("n1"), w.polled("n2")
		stopOne := w.run(w.engine(one))
		w.pass(3 * time.Second)
		stopTwo := w.run(w.engine(two))
		w.office.Write("", "mina", "hello")
		w.pass(3 * time.Second)
		require.Equal(t, []string{"hello"}, w.got())
		require.EqualValues(t, 1, one.runs.Load())
		require.Zero(t, two.runs.Load(), "one process is enough")
		stopOne()
		w.office.Write("", "mina", "is anybody there?")
		w.pass(2 * time.Minute)
		require.Equal(t, []string{"hello", "is anybody there?"}, w.got())
		require.EqualValues(t, 1, two.runs.Load())
		stopTwo()
	})
}

// A process that dies between storing an event and its checkpoint fetches the
// event again, and it counts once.
func TestARunThatDiesBeforeItsCheckpointRepeatsNothing(t *testing.T) {
	inOffice(t, func(w *officeWorld) {
		p := w.polled("n1")
		deaths := 3
		p.saved = func(int) {
			if deaths--; deaths >= 0 {
				panic("the process dies here")
			}
		}
		stop := w.run(w.engine(p))
		for i := range 5 {
			w.office.Write("", "mina", fmt.Sprintf("card %d", i))
		}
		w.pass(time.Minute)
		require.Equal(t, []string{"card 0", "card 1", "card 2", "card 3", "card 4"}, w.got())
		require.EqualValues(t, 4, p.runs.Load(), "a run that panics is started again")
		stop()
	})
}

// A run that fails is repeated after growing pauses, and one that was refused
// for its password no sooner than in a minute.
func TestARunIsRepeatedWithPauses(t *testing.T) {
	inOffice(t, func(w *officeWorld) {
		p := w.polled("n1")
		p.wrong <- fmt.Errorf("the office is shut: %w", adapter.ErrUnavailable)
		stop := w.run(w.engine(p))
		w.pass(5 * time.Second)
		require.EqualValues(t, 2, p.runs.Load())
		stop()
		p.wrong <- fmt.Errorf("who are you: %w", adapter.ErrPermissionDenied)
		stop = w.run(w.engine(p))
		w.pass(50 * time.Second)
		require.EqualValues(t, 3, p.runs.Load(), "it waits, so that nobody is locked out")
		w.pass(20 * time.Second)
		require.EqualValues(t, 4, p.runs.Load())
		stop()
	})
}

// A run that ends because the store was away is a consequence of that, which the log
// tells once: "internal error" sends whoever reads it to the mail server.
func TestARunThatLosesItsLeaseIsNoInternalError(t *testing.T) {
	var log bytes.Buffer
	var fault *storefault.Fault
	inOffice(t, func(w *officeWorld) {
		p := w.polled("n1")
		stop := w.run(w.engine(p))
		w.pass(3 * time.Second)
		fault.Crash()
		w.pass(2 * time.Minute)
		fault.Revive()
		w.pass(time.Minute)
		require.Contains(t, log.String(), "the store works again")
		require.NotContains(t, log.String(), "an account's events")
		require.Greater(t, p.runs.Load(), int64(1), "and it is run again")
		stop()
	}, withConfig(func(c *sangdam.Config) {
		c.DB, fault = storefault.Wrap(c.DB, storefault.Plan{})
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	}))
}

// Switching an account off ends its run, switching it on starts another.
func TestARunFollowsItsAccount(t *testing.T) {
	inOffice(t, func(w *officeWorld) {
		p := w.polled("n1")
		e := w.engine(p)
		stop := w.run(e)
		w.pass(3 * time.Second)
		require.EqualValues(t, 1, p.runs.Load())
		w.acct.Disabled = true
		saved, err := e.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: w.acct})
		require.NoError(t, err)
		w.pass(3 * time.Second)
		w.office.Write("", "mina", "hello")
		w.pass(time.Minute)
		require.Empty(t, w.got())
		saved.Account.Disabled = false
		require.NoError(t, errOf(e.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: saved.Account})))
		w.pass(5 * time.Second)
		require.EqualValues(t, 2, p.runs.Load())
		require.Equal(t, []string{"hello"}, w.got())
		stop()
	})
}

// An event of more than a row holds lies in the blob store: it is processed like
// any other, survives the sweep, and goes when its time is over. One that comes
// twice leaves nothing behind.
func TestALargeEventLiesInTheBlobStore(t *testing.T) {
	blobs := blob.Memory()
	inOffice(t, func(w *officeWorld) {
		p := &largeOffice{polledOffice: w.polled("n1")}
		cfg := w.cfg
		cfg.Node, cfg.Adapters = "n1", append([]adapter.Adapter{p}, w.cfg.Adapters...)
		e, err := sangdam.New(cfg)
		require.NoError(t, err)
		w.eng = e
		stop := w.run(e)
		w.pass(time.Minute)
		require.Equal(t, []string{"hello"}, w.got())
		require.NoError(t, p.err)
		far := time.Now().Add(100 * 24 * time.Hour)
		w.pass(26 * time.Hour) // past the sweep of what nobody refers to
		names, err := blobs.List(w.ctx, far, "", 10)
		require.NoError(t, err)
		require.Len(t, names, 1, "the first event's bytes; those of its repetition are released and swept")
		w.jump(9 * 24 * time.Hour)
		w.pass(3 * time.Hour)
		names, err = blobs.List(w.ctx, far, "", 10)
		require.NoError(t, err)
		require.Empty(t, names)
		stop()
	}, withConfig(func(c *sangdam.Config) { c.Blobs, c.Poll = blobs, time.Minute }))
}

// largeOffice sends one event of 3 MiB twice.
type largeOffice struct {
	*polledOffice
	err error
}

func (l *largeOffice) Run(ctx context.Context, acct channel.Account, in adapter.Intake) error {
	raw, err := json.Marshal(map[string]any{"kind": "card", "id": "1", "from": "mina", "text": "hello", "pad": strings.Repeat("x", 3<<20),
		"at": 1772442000000})
	if err != nil {
		return err
	}
	for range 2 {
		l.err = errors.Join(l.err, in.Append(ctx, adapter.Envelope{DedupKey: "card:1", Lane: "mina", OccurredAt: time.Unix(1772442000, 0),
			Raw: raw}))
	}
	huge := bytes.Repeat([]byte("x"), adapter.MaxLargeEnvelope+1)
	if err := in.Append(ctx, adapter.Envelope{DedupKey: "huge", Raw: huge}); !errors.Is(err, adapter.ErrInvalid) {
		l.err = errors.Join(l.err, fmt.Errorf("an event above the limit gives %w", err))
	}
	<-ctx.Done()
	return ctx.Err()
}
