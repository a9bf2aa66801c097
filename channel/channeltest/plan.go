package channeltest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

func planChecks() []check {
	return []check{
		{"plan/declared", planDeclared},
		{"plan/interfaces", planInterfaces},
		{"plan/batches", planBatches},
		{"plan/deterministic", planDeterministic},
		{"plan/text-limit", planTextLimit},
		{"plan/choices-limit", planChoicesLimit},
		{"plan/choice-kinds", planChoiceKinds},
		{"plan/files", planFiles},
		{"plan/reply-expired", planReplyExpired},
		{"plan/bad-recipient", planBadRecipient},
	}
}

func (f *Fixture) rows(contents ...channel.Content) []adapter.Outbound {
	var batch []adapter.Outbound
	for i, c := range contents {
		batch = append(batch, adapter.Outbound{Row: channel.OutboxID(fmt.Sprintf("row-%d", i)), To: f.Chat, Content: c, State: f.State})
	}
	return batch
}

func (f *Fixture) plan(batch []adapter.Outbound) (adapter.Attempt, error) {
	if f.newKey == nil {
		f.newKey = keys()
	}
	return f.Adapter.Plan(f.Account, batch, f.Now(), f.newKey)
}

// refusedPlan asserts a permanent SendError.
func refusedPlan(t *testing.T, err error, what string, want channel.Reason) {
	t.Helper()
	var se *adapter.SendError
	if !errors.As(err, &se) || se.Disposition != adapter.Permanent || se.Reason != want {
		t.Errorf("%s: got %v, want a permanent refusal for %s", what, err, want)
	}
}

var everyKind = []channel.ContentKind{
	channel.KindText, channel.KindImage, channel.KindVideo, channel.KindAudio, channel.KindFile, channel.KindLocation,
	channel.KindSticker, channel.KindCard, channel.KindPostback, channel.KindRich, channel.KindUnsupported, "of-the-future",
}

// planDeclared: each declared kind is planned, sent and accepted; each other is
// refused as unsupported.
func planDeclared(t *testing.T, h Harness) {
	f := h.Open(t)
	c := f.Adapter.Capabilities()
	for _, kind := range everyKind {
		sample, has := h.Samples[kind]
		if c.Send[kind] == adapter.Rejected {
			_, err := f.plan(f.rows(channel.Content{Kind: kind, Text: "words"}))
			refusedPlan(t, err, string(kind), channel.ReasonUnsupported)
			continue
		}
		if !has {
			t.Errorf("%s is declared and has no sample", kind)
			continue
		}
		at, err := f.plan(f.rows(sample))
		if err != nil {
			t.Errorf("%s is declared and refused: %v", kind, err)
			continue
		}
		route, known := c.Routes[at.Route]
		keyed := at.IdempotentFor > 0 && !route.ByHandle
		if !known || !route.ByHandle && route.IdempotentFor != at.IdempotentFor || (at.IdempotencyKey != "") != keyed {
			t.Errorf("%s: route %q (key %v, idempotent for %v) is not as declared", kind, at.Route,
				at.IdempotencyKey != "", at.IdempotentFor)
		}
		if _, err := f.Adapter.Send(t.Context(), f.Account, at); err != nil {
			t.Errorf("%s: the provider refuses the sample: %v", kind, err)
		}
	}
}

func planInterfaces(t *testing.T, h Harness) {
	f := h.Open(t)
	c := f.Adapter.Capabilities()
	_, profiles := f.Adapter.(adapter.Profiler)
	_, fetches := f.Adapter.(adapter.MediaFetcher)
	_, unpacks := f.Adapter.(adapter.Unpacker)
	_, typing := f.Adapter.(adapter.TypingIndicator)
	_, read := f.Adapter.(adapter.ReadMarker)
	for what, pair := range map[string][2]bool{
		"Profiler": {c.Profiles, profiles}, "MediaFetcher or Unpacker": {c.MediaFetch, fetches || unpacks},
		"TypingIndicator": {c.TypingOut, typing}, "ReadMarker": {c.MarkRead, read},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: declared %v, implemented %v", what, pair[0], pair[1])
		}
	}
	if c.MaxBatch < 1 || len(c.Routes) == 0 || f.Adapter.Kind() == "" || f.Adapter.Kind() != f.Account.Kind {
		t.Error("MaxBatch, Routes or Kind is missing")
	}
	for kind, level := range c.Send {
		if limit := c.Limits[kind]; (level == adapter.Partial || level == adapter.Fallback) && limit.Note == "" {
			t.Errorf("%s is declared with losses that no note names", kind)
		}
	}
}

// planBatches plans more rows than fit and checks that each travels once and in
// order.
func planBatches(t *testing.T, h Harness) {
	f := h.Open(t)
	most := f.Adapter.Capabilities().MaxBatch
	for n := 1; n <= 2*most+1; n++ {
		var contents []channel.Content
		for i := range n {
			contents = append(contents, channel.Text(fmt.Sprintf("message %d", i)))
		}
		batch := f.rows(contents...)
		var got []channel.OutboxID
		for rest := batch; len(rest) > 0; {
			at, err := f.plan(rest)
			if err != nil || len(at.Rows) < 1 || len(at.Rows) > most {
				t.Fatalf("%d rows: %d planned, %v", n, len(at.Rows), err)
			}
			got = append(got, at.Rows...)
			rest = rest[len(at.Rows):]
		}
		for i, row := range got {
			if row != batch[i].Row {
				t.Errorf("%d rows: order changed at %d", n, i)
			}
		}
	}
}

func planDeterministic(t *testing.T, h Harness) {
	f := h.Open(t)
	for kind, sample := range h.Samples {
		batch := f.rows(sample)
		now, before := f.Now(), show(batch)
		first, _ := f.Adapter.Plan(f.Account, batch, now, keys())
		second, _ := f.Adapter.Plan(f.Account, batch, now, keys())
		if !same(first, second) {
			t.Errorf("%s: two plans of the same differ", kind)
		}
		if show(batch) != before {
			t.Errorf("%s: Plan wrote into the batch", kind)
		}
	}
}

// counters count as providers do.
var counters = map[string]func(string) int{
	"utf16":    func(s string) int { return len(utf16.Encode([]rune(s))) },
	"grapheme": uniseg.GraphemeClusterCount,
	"rune":     func(s string) int { return len([]rune(s)) },
	"byte":     func(s string) int { return len(s) },
}

// fill repeats piece to exactly n by count, ending in a's.
func fill(piece string, n int, count func(string) int) string {
	times := n / count(piece)
	return strings.Repeat(piece, times) + strings.Repeat("a", n-times*count(piece))
}

func planTextLimit(t *testing.T, h Harness) {
	f := h.Open(t)
	limit := f.Adapter.Capabilities().Limits[channel.KindText]
	if limit.MaxChars == 0 {
		t.Fatal("the text has no declared limit")
	}
	count, ok := counters[limit.Unit]
	if !ok {
		t.Fatalf("unit %q is not one of utf16, grapheme, rune, byte", limit.Unit)
	}
	for _, piece := range []string{"a", "가", "😀", "👨‍👩‍👧‍👦", "e\u0301", "{x} "} {
		exact := fill(piece, limit.MaxChars, count)
		at, err := f.plan(f.rows(channel.Text(exact)))
		if err != nil {
			t.Errorf("%d %s of %q are within the limit but refused: %v", limit.MaxChars, limit.Unit, piece, err)
			continue
		}
		before := len(f.Delivered())
		if _, err := f.Adapter.Send(t.Context(), f.Account, at); err != nil {
			t.Errorf("the provider refuses %d %s of %q: %v", limit.MaxChars, limit.Unit, piece, err)
		} else if got := strings.Join(f.Delivered()[before:], ""); got != exact {
			t.Errorf("%d bytes of %q arrived as %d bytes", len(exact), piece, len(got))
		}
		_, err = f.plan(f.rows(channel.Text(exact + "a")))
		refusedPlan(t, err, "one over the limit", channel.ReasonContent)
	}
}

func planChoicesLimit(t *testing.T, h Harness) {
	f := h.Open(t)
	c := f.Adapter.Capabilities()
	if c.Choices == adapter.Rejected {
		_, err := f.plan(f.rows(withChoices(1)))
		refusedPlan(t, err, "choices", channel.ReasonUnsupported)
		return
	}
	most := c.Limits[channel.KindText].MaxItems
	at, err := f.plan(f.rows(withChoices(most)))
	if err != nil {
		t.Fatalf("%d choices are refused: %v", most, err)
	}
	if _, err := f.Adapter.Send(t.Context(), f.Account, at); err != nil {
		t.Errorf("the provider refuses %d choices: %v", most, err)
	}
	_, err = f.plan(f.rows(withChoices(most + 1)))
	refusedPlan(t, err, "one choice too many", channel.ReasonContent)
}

func withChoices(n int) channel.Content {
	c := channel.Text("choose")
	for i := range n {
		c.Choices = append(c.Choices, channel.Choice{Label: fmt.Sprintf("choice %d", i), Kind: channel.ChoiceMessage, Text: "x"})
	}
	return c
}

// choiceOf is a choice of the kind, with all that it needs.
func choiceOf(kind channel.ChoiceKind) channel.Choice {
	c := channel.Choice{Label: "press", Kind: kind, Text: "text", Data: "data", URI: "https://shop.example/"}
	if kind == channel.ChoiceDate {
		c.Picker = &channel.Picker{Mode: channel.PickDate, Initial: "2026-03-02", Min: "2026-03-01", Max: "2026-03-31"}
	}
	return c
}

func choosing(c channel.Choice) channel.Content {
	out := channel.Text("choose")
	out.Choices = []channel.Choice{c}
	return out
}

// planChoiceKinds: each kind of choice that is declared is planned, sent and
// accepted, each other is refused as unsupported, and one that lacks what its
// kind needs is refused for its content.
func planChoiceKinds(t *testing.T, h Harness) {
	f := h.Open(t)
	c := f.Adapter.Capabilities()
	for _, kind := range append(channel.ChoiceKinds(), "of-the-future") {
		at, err := f.plan(f.rows(choosing(choiceOf(kind))))
		if !c.Chooses(kind) {
			refusedPlan(t, err, "a choice of kind "+string(kind), channel.ReasonUnsupported)
			continue
		}
		if err != nil {
			t.Errorf("choices of kind %s are declared and refused: %v", kind, err)
			continue
		}
		if _, err := f.Adapter.Send(t.Context(), f.Account, at); err != nil {
			t.Errorf("the provider refuses a choice of kind %s: %v", kind, err)
		}
		_, err = f.plan(f.rows(choosing(channel.Choice{Kind: kind})))
		refusedPlan(t, err, "an empty choice of kind "+string(kind), channel.ReasonContent)
	}
	if !c.Chooses(channel.ChoiceDate) {
		return
	}
	for what, p := range map[string]*channel.Picker{
		"none": nil, "no mode": {}, "another form": {Mode: channel.PickTime, Initial: "2026-03-02"},
		"min after max": {Mode: channel.PickDate, Min: "2026-03-02", Max: "2026-03-01"},
		"out of bounds": {Mode: channel.PickDateTime, Initial: "2026-03-02T10:00", Min: "2026-03-02T11:00"},
	} {
		bad := choiceOf(channel.ChoiceDate)
		bad.Picker = p
		_, err := f.plan(f.rows(choosing(bad)))
		refusedPlan(t, err, "a picker with "+what, channel.ReasonContent)
	}
}

// planFiles: as many files as are declared go out with one message, and a
// channel whose provider fetches files wants their address.
func planFiles(t *testing.T, h Harness) {
	f := h.Open(t)
	c := f.Adapter.Capabilities()
	file, has := h.Samples[channel.KindFile]
	if !has || file.Media == nil {
		return // a channel without files
	}
	if c.MediaLinks {
		bare := file
		bare.Media = &channel.Media{Name: "a.pdf", Type: "application/pdf", Blob: "0123"}
		_, err := f.plan(f.rows(bare))
		refusedPlan(t, err, "a file without an address", channel.ReasonContent)
	}
	file.Text = ""
	for range c.MaxFiles - 1 {
		file.Attachments = append(file.Attachments, *file.Media)
	}
	at, err := f.plan(f.rows(file))
	if err != nil {
		t.Fatalf("%d files are declared and refused: %v", max(c.MaxFiles, 1), err)
	}
	if _, err := f.Adapter.Send(t.Context(), f.Account, at); err != nil {
		t.Errorf("the provider refuses %d files: %v", max(c.MaxFiles, 1), err)
	}
}

// planReplyExpired: a dead handle is not used, a fresh one is.
func planReplyExpired(t *testing.T, h Harness) {
	f := h.Open(t)
	if !f.Adapter.Capabilities().ReplyHandle {
		return // nothing is declared; parse/declared holds it to that
	}
	batch := f.rows(channel.Text("answer"))
	batch[0].Reply = f.Reply(t)
	fresh, err := f.plan(batch)
	if err != nil {
		t.Fatal(err)
	}
	late, err := f.Adapter.Plan(f.Account, batch, batch[0].Reply.Expires.Add(time.Nanosecond), keys())
	if err != nil {
		t.Fatal(err)
	}
	if fresh.Route == late.Route {
		t.Errorf("route %q before and after the handle's end", fresh.Route)
	}
	if strings.Contains(string(late.Request), batch[0].Reply.Token) {
		t.Error("the dead handle is in the request")
	}
}

func planBadRecipient(t *testing.T, h Harness) {
	f := h.Open(t)
	for _, id := range []string{"", "../message/quota", "a/b", "x?y", "\x00", strings.Repeat("U", 300)} {
		batch := f.rows(channel.Text("words"))
		batch[0].To.ID = id
		_, err := f.plan(batch)
		refusedPlan(t, err, fmt.Sprintf("recipient %.20q", id), channel.ReasonUnreachable)
	}
}
