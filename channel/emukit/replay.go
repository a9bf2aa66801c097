package emukit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Recorded is one recorded webhook, a line of a replay file.
type Recorded struct {
	// Path is the path of the request, kept when it is played.
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	// Body is the raw body: a JSON string holding it as it is, or in base64; or
	// the JSON itself.
	Body json.RawMessage `json:"body"`
}

// Bytes returns the body: base64 when the string decodes to something that
// looks like JSON, the string itself otherwise.
func (r Recorded) Bytes() ([]byte, error) {
	raw := bytes.TrimSpace(r.Body)
	if len(raw) == 0 || raw[0] != '"' {
		return raw, nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("the recorded body is not a string: %w", err)
	}
	plain, err := base64.StdEncoding.DecodeString(s)
	if start := bytes.TrimSpace(plain); err == nil && len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return plain, nil
	}
	return []byte(s), nil
}

// ReadRecorded reads a replay file: JSON lines, empty ones skipped.
func ReadRecorded(r io.Reader) ([]Recorded, error) {
	var all []Recorded
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var rec Recorded
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return nil, fmt.Errorf("line %d of the replay file is not a recorded webhook: %w", n, err)
		}
		all = append(all, rec)
	}
	return all, lines.Err()
}

// Replay plays recorded webhooks against a server, each several times and in
// shuffled order: what a system survives only if it is idempotent.
type Replay struct {
	// Target is the address of the server; the recorded path is appended. A
	// target with a path of its own replaces the recorded one.
	Target string
	// Sign puts the provider's signature of the body into the header; nil keeps
	// the recorded one.
	Sign func(h http.Header, body []byte)
	// Repeat is how often each webhook is played; 0 means a number from 2 to
	// 10, by the seed.
	Repeat int
	Seed   uint64
	// Client is used for the calls; nil means one with 10 seconds of patience.
	Client *http.Client
}

// Played is the outcome of a Replay.
type Played struct {
	Sent   int         `json:"sent"`
	Failed int         `json:"failed"` // no answer
	Status map[int]int `json:"status"` // answers by status
}

// Run plays them one after the other. The error is the context's, or about a
// recording that cannot be played; a server that fails is counted.
func (p Replay) Run(ctx context.Context, recorded []Recorded) (Played, error) {
	client := p.Client
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	out := Played{Status: map[int]int{}}
	for _, i := range p.order(len(recorded)) {
		req, err := p.request(ctx, recorded[i])
		if err != nil {
			return out, err
		}
		out.Sent++
		resp, err := client.Do(req)
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if err != nil {
			out.Failed++
			continue
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // only to use the connection again
		resp.Body.Close()
		out.Status[resp.StatusCode]++
	}
	return out, nil
}

// order lists every recording as often as it is played, shuffled.
func (p Replay) order(n int) []int {
	rng := rand.New(rand.NewPCG(p.Seed, 0x9e))
	var all []int
	for i := range n {
		times := p.Repeat
		if times == 0 {
			times = 2 + rng.IntN(9)
		}
		all = append(all, slices.Repeat([]int{i}, times)...)
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (p Replay) request(ctx context.Context, rec Recorded) (*http.Request, error) {
	body, err := rec.Bytes()
	if err != nil {
		return nil, err
	}
	address := strings.TrimRight(p.Target, "/")
	if _, rest, _ := strings.Cut(address, "://"); !strings.Contains(rest, "/") {
		address += rec.Path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the replay target is not an address: %w", err)
	}
	for k, v := range rec.Headers {
		switch http.CanonicalHeaderKey(k) {
		case "Content-Length", "Host", "Connection", "Transfer-Encoding", "Accept-Encoding":
		default:
			req.Header.Set(k, v)
		}
	}
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.Sign != nil {
		p.Sign(req.Header, body)
	}
	return req, nil
}
