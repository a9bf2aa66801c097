// Package postcard is the smallest adapter that does everything the library
// asks of one: read it to write a channel of your own. It speaks to a small
// post office over HTTP, which postcardtest plays; text goes both ways, up to
// three cards at once, and the office takes a card with a known key only once.
//
// What an adapter has to bring, and where it stands here:
//
//   - what the channel can do, and what an account needs: this file;
//   - webhooks, verified and cut into envelopes, and what they mean: receive.go;
//   - messages, planned into exact requests and sent: send.go;
//   - what of its webhooks may be kept in a recording: record.go;
//   - an emulator of the provider, in a package of its own: postcardtest;
//   - the proof: postcard_test.go runs channeltest over the two.
//
// docs/channels.md goes through them in order.
package postcard

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
)

// Kind is the channel's name.
const Kind channel.Kind = "postcard"

// SecretKey names the key, in Account.Secrets, that the office signs webhooks
// with and that admits requests to it.
const SecretKey = "key"

// RoutePost is the one way of sending.
const RoutePost = "post"

// What a card can hold, and how many travel together.
const (
	MaxChars = 100
	MaxCards = 3
	keyLives = time.Hour
)

// Options configures New.
type Options struct {
	// Office is the address of the post office, for example
	// "https://post.example"; http is for one on this machine only.
	Office string
	// HTTPClient performs the calls; nil means one with time-outs.
	HTTPClient *http.Client
	// Logger gets outcomes, never texts or keys; nil is silent.
	Logger *slog.Logger
}

// Adapter connects postcard accounts. It keeps nothing, and is safe for
// concurrent use.
type Adapter struct {
	office string
	client *kit.Client
}

var _ adapter.Adapter = (*Adapter)(nil)

// New returns an adapter. It does no I/O. ErrInvalid when Office is no address.
func New(o Options) (*Adapter, error) {
	office, err := kit.Base("postcard: Options.Office", o.Office, "https://post.example")
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	client := &kit.Client{Name: "postcard", Provider: "the post office", HTTP: kit.NewHTTP(o.HTTPClient),
		Timeout: 10 * time.Second, MaxAnswer: 1 << 16, Log: log}
	return &Adapter{office: office, client: client}, nil
}

// Kind is "postcard".
func (a *Adapter) Kind() channel.Kind { return Kind }

// Capabilities is what the engine, the console and channeltest rely on.
func (a *Adapter) Capabilities() adapter.Capabilities { return capabilities }

var capabilities = adapter.Capabilities{
	Send:       map[channel.ContentKind]adapter.Level{channel.KindText: adapter.Full},
	Limits:     map[channel.ContentKind]adapter.Limits{channel.KindText: {MaxChars: MaxChars, Unit: "grapheme"}},
	MaxBatch:   MaxCards,
	Persistent: true,
	Routes:     map[string]adapter.Route{RoutePost: {IdempotentFor: keyLives}},
}

// Validate wants the key and no settings. An empty key would let anybody write
// in the customers' names, so it is always refused.
func (a *Adapter) Validate(acct channel.Account) error {
	switch {
	case acct.Kind != Kind:
		return fmt.Errorf("postcard: the account is of kind %q: %w", acct.Kind, adapter.ErrInvalid)
	case len(acct.Settings) > 0 && string(acct.Settings) != "{}":
		return fmt.Errorf("postcard: the account has settings; this channel has none: %w", adapter.ErrInvalid)
	case acct.Secrets[SecretKey].Empty():
		return fmt.Errorf("postcard: the account has no %q; the office prints it on the letter box: %w", SecretKey, adapter.ErrInvalid)
	}
	return nil
}
