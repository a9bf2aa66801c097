package channeltest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

func parseChecks() []check {
	return []check{
		{"parse/golden", parseGolden},
		{"parse/unknown", parseUnknown},
		{"parse/broken", parseBroken},
		{"parse/pure", parsePure},
		{"parse/mutated", parseMutated},
		{"parse/declared", parseDeclared},
	}
}

func envelope(raw []byte, received time.Time) adapter.Envelope {
	return adapter.Envelope{DedupKey: "k", Raw: raw, ReceivedAt: received}
}

func parseGolden(t *testing.T, h Harness) {
	f := h.Open(t)
	for _, g := range h.Golden {
		got, err := f.Adapter.Parse(f.Account, envelope([]byte(g.Raw), g.Received))
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
		} else if !same(got, g.Want) {
			t.Errorf("%s: got %s\nwant %s", g.Name, show(got), show(g.Want))
		}
	}
}

func parseUnknown(t *testing.T, h Harness) {
	f := h.Open(t)
	if len(h.Unknown) == 0 {
		t.Error("the harness has no unknown event")
	}
	for i, raw := range h.Unknown {
		got, err := f.Adapter.Parse(f.Account, envelope(raw, time.Time{}))
		if err != nil || got.Kind != adapter.EventUnsupported || got.Type == "" {
			t.Errorf("unknown event %d: kind %q, type %q, error %v; want unsupported with its type", i, got.Kind, got.Type, err)
		}
	}
}

func parseBroken(t *testing.T, h Harness) {
	f := h.Open(t)
	if len(h.Broken) == 0 {
		t.Error("the harness has no broken event")
	}
	for i, raw := range h.Broken {
		if _, err := f.Adapter.Parse(f.Account, envelope(raw, time.Time{})); !errors.Is(err, adapter.ErrInvalid) {
			t.Errorf("broken event %d: %v, want ErrInvalid", i, err)
		}
	}
}

func parsePure(t *testing.T, h Harness) {
	f := h.Open(t)
	for _, g := range h.Golden {
		env := envelope([]byte(g.Raw), g.Received)
		first, _ := f.Adapter.Parse(f.Account, env)
		second, _ := f.Adapter.Parse(f.Account, env)
		if !same(first, second) {
			t.Errorf("%s: two calls differ", g.Name)
		}
		if string(env.Raw) != g.Raw {
			t.Errorf("%s: Parse wrote into the envelope", g.Name)
		}
	}
}

// parseHostile is the property of Fuzz.
func parseHostile(t *testing.T, a adapter.Adapter, acct channel.Account, raw []byte) {
	t.Helper()
	env := envelope(bytes.Clone(raw), time.Unix(1700000000, 0))
	first, err := a.Parse(acct, env)
	second, again := a.Parse(acct, env)
	switch {
	case err != nil && !errors.Is(err, adapter.ErrInvalid):
		t.Errorf("error %v is not ErrInvalid", err)
	case (err == nil) != (again == nil) || !same(first, second):
		t.Error("two calls differ")
	case !bytes.Equal(env.Raw, raw):
		t.Error("Parse wrote into the envelope")
	case err == nil && first.Kind == "":
		t.Error("an event without kind")
	}
	for _, s := range first.Content.Spans {
		if s.Start < 0 || s.Length <= 0 || s.Start+s.Length > len(first.Content.Text) {
			t.Errorf("span %+v is outside a text of %d bytes", s, len(first.Content.Text))
		}
	}
}

// parseMutated cuts, flips and doubles bytes of every event. The seed is fixed
// and printed.
func parseMutated(t *testing.T, h Harness) {
	const seed = 7
	f := h.Open(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, raw := range allEvents(h) {
		for range 200 {
			bent := bytes.Clone(raw)
			for range 1 + rng.IntN(4) {
				if len(bent) == 0 {
					break
				}
				i := rng.IntN(len(bent))
				switch rng.IntN(4) {
				case 0:
					bent = bent[:i]
				case 1:
					bent[i] ^= byte(1 << rng.IntN(8))
				case 2:
					bent = append(bent[:i], bent[min(i+rng.IntN(9), len(bent)):]...)
				default:
					bent = append(bent[:i:i], bytes.Repeat(bent[i:], 2)...)
				}
			}
			parseHostile(t, f.Adapter, f.Account, bent)
			if t.Failed() {
				t.Fatalf("seed %d, event %q", seed, bent)
			}
		}
	}
}

// parseDeclared holds what is declared of inbound traffic against the golden
// events, both ways.
func parseDeclared(t *testing.T, h Harness) {
	f := h.Open(t)
	c := f.Adapter.Capabilities()
	seen := map[string]bool{}
	for _, g := range h.Golden {
		in, err := f.Adapter.Parse(f.Account, envelope([]byte(g.Raw), g.Received))
		if err != nil {
			continue // parse/golden tells
		}
		seen[string(in.Kind)] = true
		seen["group chat"] = seen["group chat"] || in.Chat.Kind == channel.ChatGroup || in.Chat.Kind == channel.ChatRoom
		seen["reply handle"] = seen["reply handle"] || in.Reply != nil
		seen["quote handle"] = seen["quote handle"] || in.Content.QuoteHandle != ""
		seen["read handle"] = seen["read handle"] || in.ReadHandle != ""
		for _, m := range in.Content.Files() {
			seen["media to fetch"] = seen["media to fetch"] || m.Provider != ""
		}
	}
	declared := map[string]bool{
		string(adapter.EventEdit): c.Edits, string(adapter.EventUnsend): c.Unsends,
		string(adapter.EventDelivered): c.Delivered, string(adapter.EventRead): c.Read,
		string(adapter.EventWatched): c.Watched, string(adapter.EventNotified): c.Notified,
		string(adapter.EventTyping): c.TypingIn, "group chat": c.Groups, "reply handle": c.ReplyHandle,
		"quote handle": c.Quotes, "read handle": c.MarkRead, "media to fetch": c.MediaFetch,
	}
	for what, said := range declared {
		if said != seen[what] {
			t.Errorf("%s: declared %v, but among the golden events %v", what, said, seen[what])
		}
	}
}
