package linetest

import (
	"context"
	"io"
	"net/http"

	"github.com/sangdam/sangdam/channel/emukit"
)

// Recorded is one recorded webhook, a line of a replay file.
type Recorded = emukit.Recorded

// Played is the outcome of a Replay.
type Played = emukit.Played

// ReadRecorded reads a replay file: JSON lines, empty ones skipped.
func ReadRecorded(r io.Reader) ([]Recorded, error) { return emukit.ReadRecorded(r) }

// Replay plays recorded webhooks against a server, each several times and in
// shuffled order: what a system survives only if it is idempotent.
type Replay struct {
	// Target is the address of the server; the recorded path is appended. A
	// target with a path of its own replaces the recorded one.
	Target string
	// Secret signs each body anew; empty keeps the recorded signature.
	Secret string
	// Repeat is how often each webhook is played; 0 means a number from 2 to
	// 10, by the seed.
	Repeat int
	Seed   uint64
	// Client is used for the calls; nil means one with 10 seconds of patience.
	Client *http.Client
}

// Run plays them one after the other. The error is the context's, or about a
// recording that cannot be played; a server that fails is counted.
func (p Replay) Run(ctx context.Context, recorded []Recorded) (Played, error) {
	play := emukit.Replay{Target: p.Target, Repeat: p.Repeat, Seed: p.Seed, Client: p.Client}
	if p.Secret != "" {
		play.Sign = func(h http.Header, body []byte) { h.Set("X-Line-Signature", Sign(p.Secret, body)) }
	}
	return play.Run(ctx, recorded)
}
