package channeltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

func sendChecks() []check {
	return []check{
		{"send/accepted", sendAccepted},
		{"send/repeated-bytes", sendRepeatedBytes},
		{"send/never-twice", sendNeverTwice},
		{"send/reply-once", sendReplyOnce},
		{"send/refused-connection", sendRefusedConnection},
		{"send/cancelled", sendCancelled},
		{"send/foreign-attempt", sendForeign},
		{"send/errors/" + string(AcceptedThenCut), sendFault(AcceptedThenCut, adapter.Ambiguous, "")},
		{"send/errors/" + string(CutBefore), sendFault(CutBefore, adapter.Ambiguous, "")},
		{"send/errors/" + string(AcceptedThen500), sendFault(AcceptedThen500, adapter.Ambiguous, "")},
		{"send/errors/" + string(Failed500), sendFault(Failed500, adapter.Ambiguous, "")},
		{"send/errors/" + string(TooFast), sendFault(TooFast, adapter.RateLimited, channel.ReasonRate)},
		{"send/errors/" + string(QuotaUsed), sendFault(QuotaUsed, adapter.Permanent, channel.ReasonQuota)},
		{"send/errors/" + string(RecipientFlood), sendFault(RecipientFlood, adapter.Retry, channel.ReasonRecipientRate)},
		{"send/errors/" + string(Unauthorized), sendFault(Unauthorized, adapter.Permanent, channel.ReasonCredentials)},
		{"send/guilty-row", sendGuiltyRow},
		{"send/parts", sendParts},
		{"send/no-secrets", sendNoSecrets},
		{"send/concurrent", sendConcurrent},
	}
}

// attempt plans one text.
func (f *Fixture) attempt(t *testing.T, text string) adapter.Attempt {
	t.Helper()
	at, err := f.plan(f.rows(channel.Text(text)))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func sendAccepted(t *testing.T, h Harness) {
	f := h.Open(t)
	batch := f.rows(channel.Text("one"), channel.Text("two"))
	sentIDs := 0
	for rest := batch; len(rest) > 0; {
		at, err := f.plan(rest)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := f.Adapter.Send(t.Context(), f.Account, at)
		if err != nil {
			t.Fatal(err)
		}
		if len(sent.Messages) != 0 && len(sent.Messages) != len(at.Rows) {
			t.Errorf("%d ids for %d rows", len(sent.Messages), len(at.Rows))
		}
		sentIDs += len(sent.Messages)
		rest = rest[len(at.Rows):]
	}
	if got := f.Delivered(); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("delivered %q", got)
	}
	if sentIDs != 0 && sentIDs != 2 {
		t.Error("some requests gave ids and some did not")
	}
}

// sendRepeatedBytes: an Attempt that went through storage sends the same bytes.
func sendRepeatedBytes(t *testing.T, h Harness) {
	f := h.Open(t)
	at := f.attempt(t, "the same <bytes> & no others 가")
	raw, err := json.Marshal(at)
	if err != nil {
		t.Fatal(err)
	}
	var stored adapter.Attempt
	if err := json.Unmarshal(raw, &stored); err != nil {
		t.Fatal(err)
	}
	f.Fail(Failed500)
	_, _ = f.Adapter.Send(t.Context(), f.Account, at) // its outcome is another check's matter
	_, _ = f.Adapter.Send(t.Context(), f.Account, stored)
	seen := f.Requests()
	if len(seen) != 2 || !bytes.Equal(seen[0], seen[1]) {
		t.Errorf("%d requests; a repeat must have the same bytes", len(seen))
	}
}

// sendNeverTwice: after an ambiguous outcome a route that is declared
// idempotent can be repeated, and the customer sees one message.
func sendNeverTwice(t *testing.T, h Harness) {
	for _, fault := range []Fault{AcceptedThenCut, AcceptedThen500, CutBefore, Failed500} {
		f := h.Open(t)
		at := f.attempt(t, "once")
		if at.IdempotentFor == 0 {
			continue
		}
		f.Fail(fault)
		if _, err := f.Adapter.Send(t.Context(), f.Account, at); err == nil {
			t.Errorf("%s: no error", fault)
		}
		if _, err := f.Adapter.Send(t.Context(), f.Account, at); err != nil {
			t.Errorf("%s: the repeat failed: %v", fault, err)
		}
		if got := f.Delivered(); len(got) != 1 {
			t.Errorf("%s: delivered %d times", fault, len(got))
		}
	}
}

// sendReplyOnce: a handle works once. Its second use sends nothing, and where
// it is refused it is refused as such, never as an unknown outcome; a repeat is
// declared safe for less than the handle lives.
func sendReplyOnce(t *testing.T, h Harness) {
	f := h.Open(t)
	if !f.Adapter.Capabilities().ReplyHandle {
		return // nothing is declared; parse/declared holds it to that
	}
	batch := f.rows(channel.Text("answer"))
	batch[0].Reply = f.Reply(t)
	now := f.Now()
	at, err := f.plan(batch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Adapter.Send(t.Context(), f.Account, at); err != nil {
		t.Fatal(err)
	}
	route := f.Adapter.Capabilities().Routes[at.Route]
	if _, err := f.Adapter.Send(t.Context(), f.Account, at); at.IdempotentFor == 0 || route.ByHandle && err != nil {
		refusedPlan(t, err, "the handle's second use", channel.ReasonReplyHandle)
	}
	left := batch[0].Reply.Expires.Sub(now)
	if route.ByHandle && (at.IdempotentFor > route.IdempotentFor || at.IdempotentFor > 0 && at.IdempotentFor >= left) {
		t.Errorf("a repeat is said to be safe for %s; the handle lives for %s, and %s are declared", at.IdempotentFor, left,
			route.IdempotentFor)
	}
	if got := f.Delivered(); len(got) != 1 {
		t.Errorf("delivered %d times", len(got))
	}
}

func sendRefusedConnection(t *testing.T, h Harness) {
	f := h.Open(t)
	_, err := f.Refused(t).Send(t.Context(), f.Account, f.attempt(t, "x"))
	var se *adapter.SendError
	if !errors.As(err, &se) || se.Disposition != adapter.Retry {
		t.Errorf("a refused connection gives %v, want Retry: nothing was sent", err)
	}
}

func sendCancelled(t *testing.T, h Harness) {
	f := h.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Adapter.Send(ctx, f.Account, f.attempt(t, "x"))
	var se *adapter.SendError
	if !errors.As(err, &se) && !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
	if len(f.Delivered()) != 0 {
		t.Error("sent in spite of a cancelled context")
	}
}

// sendForeign: what Plan did not write is refused, not sent and no panic.
func sendForeign(t *testing.T, h Harness) {
	f := h.Open(t)
	at := f.attempt(t, "x")
	for name, bend := range map[string]func(*adapter.Attempt){
		"empty":     func(a *adapter.Attempt) { a.Request = nil },
		"garbage":   func(a *adapter.Attempt) { a.Request = []byte("\xff{") },
		"truncated": func(a *adapter.Attempt) { a.Request = a.Request[:len(a.Request)/2] },
		"route":     func(a *adapter.Attempt) { a.Route = "../../elsewhere" },
	} {
		bent := at
		bend(&bent)
		_, err := f.Adapter.Send(t.Context(), f.Account, bent)
		var se *adapter.SendError
		if !errors.As(err, &se) || se.Disposition != adapter.Permanent {
			t.Errorf("%s: %v, want a permanent SendError", name, err)
		}
	}
	if len(f.Requests()) != 0 {
		t.Error("a foreign attempt reached the provider")
	}
}

func sendFault(fault Fault, want adapter.Disposition, reason channel.Reason) func(*testing.T, Harness) {
	return func(t *testing.T, h Harness) {
		f := h.Open(t)
		f.Fail(fault)
		_, err := f.Adapter.Send(t.Context(), f.Account, f.attempt(t, "x"))
		var se *adapter.SendError
		if !errors.As(err, &se) || se.Disposition != want || reason != "" && se.Reason != reason {
			t.Errorf("got %v, want %s %s", err, want, reason)
		}
	}
}

// sendGuiltyRow: a refusal names the row it is for, and the others can go
// without it.
func sendGuiltyRow(t *testing.T, h Harness) {
	f := h.Open(t)
	if f.Adapter.Capabilities().MaxBatch < 2 {
		return // a row alone is guilty alone
	}
	batch := f.rows(channel.Text("before"), channel.Text("guilty"), channel.Text("after"))
	at, err := f.plan(batch)
	if err != nil || len(at.Rows) < 2 {
		t.Fatalf("%d rows planned of three short texts, %v", len(at.Rows), err)
	}
	f.Fail(RowRefused)
	_, err = f.Adapter.Send(t.Context(), f.Account, at)
	refusedPlan(t, err, "the refused row", channel.ReasonContent)
	var se *adapter.SendError
	if errors.As(err, &se) && !slices.Equal(se.Rows, []int{1}) {
		t.Errorf("rows %v are blamed, want only the second, [1]", se.Rows)
	}
	if got := f.Delivered(); len(got) != 0 {
		t.Errorf("%d messages of a refused request arrived", len(got))
	}
	for rest := []adapter.Outbound{batch[0], batch[2]}; len(rest) > 0; {
		again, err := f.plan(rest)
		if err != nil {
			t.Fatal(err)
		}
		if again.IdempotencyKey != "" && again.IdempotencyKey == at.IdempotencyKey {
			t.Error("planned anew under the refused request's key")
		}
		if _, err := f.Adapter.Send(t.Context(), f.Account, again); err != nil {
			t.Fatalf("the innocent rows: %v", err)
		}
		rest = rest[len(again.Rows):]
	}
	if got := f.Delivered(); !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("%d messages arrived, want the two innocent ones in order", len(got))
	}
}

// sendParts: where the provider gives ids, every message that a row became has
// one, and none is named twice.
func sendParts(t *testing.T, h Harness) {
	f := h.Open(t)
	limit := f.Adapter.Capabilities().Limits[channel.KindText]
	count, ok := counters[limit.Unit]
	if !ok {
		return // plan/text-limit tells
	}
	for rest := f.rows(channel.Text(fill("a", limit.MaxChars, count)), channel.Text("short")); len(rest) > 0; {
		at, err := f.plan(rest)
		if err != nil {
			t.Fatal(err)
		}
		before := len(f.Delivered())
		sent, err := f.Adapter.Send(t.Context(), f.Account, at)
		if err != nil {
			t.Fatal(err)
		}
		rest = rest[len(at.Rows):]
		if len(sent.Messages) == 0 {
			continue
		}
		named := map[channel.ProviderMessageID]bool{}
		for _, m := range sent.Messages {
			named[m.ID] = true
			for _, part := range m.Parts {
				named[part] = true
			}
		}
		if arrived := len(f.Delivered()) - before; named[""] || len(named) != arrived {
			t.Errorf("%d different ids for %d messages", len(named), arrived)
		}
	}
}

// sendNoSecrets: whatever goes wrong, errors and logs hold no credential and
// none of the customer's words.
func sendNoSecrets(t *testing.T, h Harness) {
	f := h.Open(t)
	const words = "confidential-words-of-a-customer"
	hidden := []string{words}
	for _, s := range f.Account.Secrets {
		hidden = append(hidden, s.Reveal())
	}
	var said []string
	note := func(err error) {
		if err != nil {
			said = append(said, fmt.Sprintf("%v %+v", err, err))
		}
	}
	for _, fault := range []Fault{"", AcceptedThenCut, CutBefore, AcceptedThen500, Failed500, TooFast, QuotaUsed, RecipientFlood,
		Unauthorized} {
		if fault != "" {
			f.Fail(fault)
		}
		at := f.attempt(t, words)
		_, err := f.Adapter.Send(t.Context(), f.Account, at)
		note(err)
	}
	_, err := f.Refused(t).Send(t.Context(), f.Account, f.attempt(t, words))
	note(err)
	bad := []byte(`{"text":"` + words + `"`)
	_, err = f.Adapter.Parse(f.Account, envelope(bad, f.Now()))
	note(err)
	_, err = f.Adapter.Receive(f.Account, f.Webhook(bad))
	note(err)
	note(f.Adapter.Validate(without(f.Account, f.Verification, "")))
	all := strings.Join(said, "\n") + f.Log.String() + fmt.Sprintf("%v %+v %#v", f.Account, f.Account, f.Account)
	for i, h := range hidden {
		if h != "" && strings.Contains(all, h) {
			t.Errorf("hidden value %d of %d shows in an error or a log", i, len(hidden))
		}
	}
}

// sendConcurrent uses one adapter from many goroutines; it is for the race
// detector, and for adapters that keep a request in a field.
func sendConcurrent(t *testing.T, h Harness) {
	f := h.Open(t)
	const workers, each = 8, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			next := keys()
			for i := range each {
				text := fmt.Sprintf("%d/%d", w, i)
				key := func() string { return fmt.Sprintf("%08x%s", w, next()[8:]) }
				at, err := f.Adapter.Plan(f.Account, f.rows(channel.Text(text)), f.Now(), key)
				if err == nil {
					_, err = f.Adapter.Send(t.Context(), f.Account, at)
				}
				if err != nil {
					t.Errorf("%s: %v", text, err)
				}
				g := h.Golden[(w+i)%len(h.Golden)]
				if _, err := f.Adapter.Parse(f.Account, envelope([]byte(g.Raw), g.Received)); err != nil {
					t.Errorf("%s: %v", g.Name, err)
				}
				if _, err := f.Adapter.Receive(f.Account, f.Webhook([]byte(g.Raw))); err != nil && h.Cannot["receive/genuine"] == "" {
					t.Errorf("%s: %v", g.Name, err)
				}
			}
		})
	}
	wg.Wait()
	got := f.Delivered()
	slices.Sort(got)
	if len(slices.Compact(got)) != workers*each {
		t.Errorf("%d different messages arrived of %d", len(slices.Compact(got)), workers*each)
	}
}
