// Package channeltest is the suite that every channel adapter passes. An
// adapter brings a [Harness]: recorded events with what they mean, a sample of
// each kind of content, and an emulator of its provider as a [Fixture]. [Run]
// then holds what the adapter declares against the interfaces it implements
// and against what it does.
//
// A check that a provider gives no means to perform is named in
// Harness.Cannot with the reason; [Run] reports how many there are, and the
// adapter's test states that number, so that it cannot grow unnoticed.
package channeltest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

// Harness is what an adapter brings.
type Harness struct {
	// Open makes a fresh adapter, account and emulated provider.
	Open func(t *testing.T) *Fixture
	// Golden are recorded events and their meaning.
	Golden []Golden
	// Unknown are events of kinds that the adapter does not know: Parse keeps
	// them as EventUnsupported.
	Unknown [][]byte
	// Broken are events that Parse refuses.
	Broken [][]byte
	// Samples has a content for each kind in Capabilities.Send that is not
	// Rejected.
	Samples map[channel.ContentKind]channel.Content
	// Cannot names checks that the provider gives no means to perform, each
	// with the reason.
	Cannot map[string]string
}

// Golden is a recorded event.
type Golden struct {
	Name string
	Raw  string
	// Received is when it arrived; ReplyHandle.Expires depends on it.
	Received time.Time
	Want     adapter.Inbound
}

// Fixture is an adapter connected to an emulated provider.
type Fixture struct {
	Adapter adapter.Adapter
	// Account passes Validate; the provider accepts its credentials.
	Account channel.Account
	// Verification is the key in Account.Secrets that webhooks are verified with.
	Verification string
	// Webhook makes the genuine request that carries the raw events.
	Webhook func(events ...[]byte) adapter.Request
	// SignatureHeader carries the signature.
	SignatureHeader string
	// Chat is a chat with one reachable person.
	Chat channel.Chat
	// State is the newest Inbound.State of Chat; nil where there is none.
	State []byte
	// Reply returns a fresh right to answer in Chat; nil when the channel has
	// none.
	Reply func(t *testing.T) *channel.ReplyHandle
	// Delivered returns the texts that reached the person in Chat, in order.
	Delivered func() []string
	// Requests returns the bodies of the sending calls that the provider saw.
	Requests func() [][]byte
	// Fail makes the next sending call go wrong.
	Fail func(Fault)
	// Refused returns an adapter whose every connection is refused.
	Refused func(t *testing.T) adapter.Adapter
	// Log is what the adapter has logged at any level.
	Log *Log
	// Now is the provider's time.
	Now func() time.Time

	newKey func() string
}

// Fault is a way in which a sending call goes wrong.
type Fault string

// The faults, each with the disposition that Send must report.
const (
	AcceptedThenCut Fault = "accepted-then-cut"
	CutBefore       Fault = "cut-before"
	AcceptedThen500 Fault = "accepted-then-500"
	Failed500       Fault = "500"
	TooFast         Fault = "rate"
	QuotaUsed       Fault = "quota"
	RecipientFlood  Fault = "recipient-rate"
	Unauthorized    Fault = "credentials"
	// RowRefused: the provider refuses the call for the content of its second
	// row and names it. Asked for only when Capabilities.MaxBatch is above 1.
	RowRefused Fault = "row-refused"
)

// Log collects what an adapter logs. It is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer for a slog handler.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns everything so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Report says what Run did.
type Report struct {
	Ran    int
	Cannot int
}

// check is one named test of the suite.
type check struct {
	name string
	run  func(*testing.T, Harness)
}

func checks() []check {
	return slices.Concat(receiveChecks(), parseChecks(), planChecks(), sendChecks())
}

// Checks lists the names that Harness.Cannot may use.
func Checks() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

// Run performs every check as a subtest.
func Run(t *testing.T, h Harness) Report {
	t.Helper()
	var report Report
	for name, reason := range h.Cannot {
		if !slices.Contains(Checks(), name) || reason == "" {
			t.Errorf("Cannot names %q, which is no check or has no reason", name)
		}
	}
	for _, c := range checks() {
		if reason, cannot := h.Cannot[c.name]; cannot {
			t.Logf("cannot: %s: %s", c.name, reason)
			report.Cannot++
			continue
		}
		report.Ran++
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
	return report
}

// Fuzz feeds Parse with mutations of the harness's events: it must not panic,
// must be deterministic, and must refuse with ErrInvalid only.
func Fuzz(f *testing.F, a adapter.Adapter, acct channel.Account, h Harness) {
	for _, raw := range allEvents(h) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { parseHostile(t, a, acct, raw) })
}

func allEvents(h Harness) [][]byte {
	var all [][]byte
	for _, g := range h.Golden {
		all = append(all, []byte(g.Raw))
	}
	return slices.Concat(all, h.Unknown, h.Broken)
}

// keys makes retry keys that are the same in every run.
func keys() func() string {
	n := 0
	return func() string {
		n++
		return strings.Replace("00000000-0000-4000-8000-000000000000", "000000000000", fixed(n), 1)[:36]
	}
}

func fixed(n int) string {
	const digits = "0123456789abcdef"
	b := []byte("000000000000")
	for i := len(b) - 1; n > 0 && i >= 0; i-- {
		b[i] = digits[n%16]
		n /= 16
	}
	return string(b)
}

// same compares by what is persisted, so that a nil and an empty list are one.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func show(v any) string {
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
