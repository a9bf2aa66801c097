// Package webhook carries notices to a web address in the form of Standard
// Webhooks (https://www.standardwebhooks.com): a JSON body with the headers
// webhook-id, webhook-timestamp and webhook-signature.
//
// The id is the notice's: it is the same in every repeat and replay, so that a
// receiver acts once. A receiver checks a request with Verify, or with any
// library of the standard. Addresses are guarded: private networks are not
// reached unless Options allow them.
//
// New goes into Config.Carriers. It only calls others: the webhooks of channels,
// by which providers call the host, are Engine.Webhooks. webhooktest is a receiver
// to try it with.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/notify"
)

// Kind of the targets.
const Kind notify.Kind = "webhook"

// SecretName is under which a target keeps its signing secret: "whsec_" and the
// base64 of 24 to 64 bytes, see NewSecret. A second one under SecretNext signs
// as well, so that a receiver can change over without losing a request.
const (
	SecretName = "secret"
	SecretNext = "secret_next"
)

// Settings of a target.
type Settings struct {
	// URL that is called, https or http.
	URL string `json:"url"`
}

// Options of New.
type Options struct {
	// AllowPrivate are private networks that web hooks may call; nil: none, only
	// public addresses and usual ports.
	AllowPrivate []netip.Prefix
	// Now is the clock of webhook-timestamp; nil: time.Now.
	Now func() time.Time
	// Transport replaces the guarded client, for tests that stay within the
	// process; nil in production.
	Transport http.RoundTripper
}

// Carrier calls web hooks.
type Carrier struct {
	now     func() time.Time
	client  *safehttp.Client
	instead http.RoundTripper
}

var _ notify.Carrier = (*Carrier)(nil)

// New returns a Carrier.
func New(o Options) *Carrier {
	c := &Carrier{now: o.Now, instead: o.Transport,
		client: safehttp.New(safehttp.Options{AllowPrivate: o.AllowPrivate, AnyPort: len(o.AllowPrivate) > 0, Timeout: timeout})}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

const timeout = 15 * time.Second

// Kind implements notify.Carrier.
func (*Carrier) Kind() notify.Kind { return Kind }

// Policy repeats over three days, as the standard recommends; receivers know a
// repeat by webhook-id.
func (*Carrier) Policy() notify.Policy {
	return notify.Policy{Timeout: timeout, IdempotentFor: 30 * 24 * time.Hour, Waits: []time.Duration{5 * time.Second, 5 * time.Minute,
		30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}}
}

// Validate implements notify.Carrier.
func (c *Carrier) Validate(t notify.Target) error {
	s, err := notify.Settings[Settings](t)
	if err != nil {
		return err
	}
	if err := c.client.CheckURL(s.URL); err != nil {
		return errs.About("settings.url", errs.New(errs.Invalid, "webhook: settings.url cannot be called: %w", err))
	}
	if _, err := keys(t); err != nil {
		return err
	}
	return nil
}

// body is what the standard recommends.
type body struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// request is what Send needs. The signature is made with each try, since it
// covers the time of the try.
type request struct {
	ID   string          `json:"id"`
	Body json.RawMessage `json:"body"`
}

// Plan implements notify.Carrier. A notice without Data gets its subject, title,
// text and link.
func (c *Carrier) Plan(_ notify.Target, n notify.Notice, _ time.Time) ([]byte, error) {
	data := n.Data
	if len(data) == 0 {
		var err error
		data, err = json.Marshal(struct {
			Subject string `json:"subject,omitempty"`
			Title   string `json:"title,omitempty"`
			Text    string `json:"text,omitempty"`
			Link    string `json:"link,omitempty"`
		}{n.Subject, n.Title, n.Text, n.Link})
		if err != nil {
			return nil, notify.Refuse(channel.ReasonContent, 0, "the notice cannot be encoded")
		}
	}
	raw, err := json.Marshal(body{Type: n.Event, Timestamp: n.At.UTC(), Data: data})
	if err != nil {
		return nil, notify.Refuse(channel.ReasonContent, 0, "the notice cannot be encoded")
	}
	return json.Marshal(request{ID: n.ID, Body: raw})
}

// Send implements notify.Carrier. 2xx is an acceptance, 410 switches the target
// off, 429 and 503 with Retry-After pause it, everything else is tried again.
func (c *Carrier) Send(ctx context.Context, t notify.Target, planned []byte) (notify.Receipt, error) {
	var r request
	s, err := notify.Settings[Settings](t)
	if err == nil {
		err = json.Unmarshal(planned, &r)
	}
	if err != nil {
		return notify.Receipt{}, notify.Refuse(channel.ReasonContent, 0, "the planned request or the target's settings cannot be read")
	}
	secrets, err := keys(t)
	if err != nil {
		return notify.Receipt{}, notify.Refuse(channel.ReasonCredentials, 0, "the target has no usable secret")
	}
	at := c.now()
	header := http.Header{"Content-Type": {"application/json"}, HeaderID: {r.ID}, HeaderTimestamp: {unix(at)},
		HeaderSignature: {sign(secrets, r.ID, at, r.Body)}}
	res, err := c.post(ctx, s.URL, header, r.Body)
	if err != nil {
		return notify.Receipt{}, unanswered(err)
	}
	return outcome(res)
}

// post makes the request by the guarded client, or by the transport of a test.
func (c *Carrier) post(ctx context.Context, url string, h http.Header, body []byte) (safehttp.Result, error) {
	if c.instead == nil {
		return c.client.Send(ctx, safehttp.Request{URL: url, Header: h, Body: body})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return safehttp.Result{}, err
	}
	for name, values := range h {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	res, err := c.instead.RoundTrip(req)
	if err != nil {
		return safehttp.Result{}, err
	}
	defer res.Body.Close()
	return safehttp.ResultOf(res), nil
}

func unanswered(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, safehttp.ErrBlocked):
		return notify.Refuse(channel.ReasonUnreachable, 0, "the address is in a network that web hooks may not call")
	case errors.Is(err, errs.Invalid):
		return notify.Refuse(channel.ReasonUnreachable, 0, "the address cannot be called")
	}
	return &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonNetwork, Detail: "no answer"}
}

func outcome(res safehttp.Result) (notify.Receipt, error) {
	receipt := notify.Receipt{Status: res.Status}
	fail := &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonProvider, Status: res.Status, After: res.RetryAfter,
		Detail: "the receiver answered " + http.StatusText(res.Status)}
	switch {
	case res.OK():
		return receipt, nil
	case res.Status == http.StatusGone:
		return receipt, notify.Refuse(channel.ReasonGone, res.Status, "the receiver wants no more of these requests")
	case res.Status == http.StatusTooManyRequests, res.RetryAfter > 0:
		fail.Disposition, fail.Reason = adapter.RateLimited, channel.ReasonRate
	}
	return receipt, fail
}
