package linetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
)

// FaultKind says what goes wrong.
type FaultKind = emukit.Mishap

// The faults: those of every provider, and LINE's own refusals.
const (
	FaultCutBefore  = emukit.CutBefore
	FaultCutAfter   = emukit.CutAfter
	Fault500Before  = emukit.FailBefore
	Fault500After   = emukit.FailAfter
	FaultHangBefore = emukit.HangBefore
	FaultHangAfter  = emukit.HangAfter
	FaultDelay      = emukit.Slow
	FaultGarbage    = emukit.Garbage

	FaultRate      FaultKind = "429-rate"
	FaultQuota     FaultKind = "429-quota"
	FaultRecipient FaultKind = "429-recipient"
	Fault401       FaultKind = "401"
	Fault403       FaultKind = "403"
	FaultContent   FaultKind = "400-content" // one message of the request is refused, none accepted; see Fault.Message
)

// Fault is a script for calls of the Messaging API.
type Fault struct {
	// Endpoint is a name of Endpoints; empty means every one.
	Endpoint string    `json:"endpoint,omitempty"`
	Kind     FaultKind `json:"kind"`
	// Nth is the first call that is hit, counted from now, from 1. Zero means
	// that Probability decides.
	Nth int `json:"nth,omitempty"`
	// Times is how many calls are hit in all; 0 means one when Nth is set and
	// no end otherwise.
	Times int `json:"times,omitempty"`
	// Probability of a hit, from the server's seed, when Nth is zero.
	Probability float64 `json:"probability,omitempty"`
	// Delay of FaultDelay, in nanoseconds in JSON.
	Delay time.Duration `json:"delay,omitempty"`
	// Message is the index of the message that FaultContent blames; requests
	// that have no such message are not hit.
	Message int `json:"message,omitempty"`
}

// AddFault adds a script. Scripts are asked in the order in which they were
// added; the first that applies is used.
func (s *Server) AddFault(f Fault) {
	s.faults.Add(f, emukit.When{Nth: f.Nth, Times: f.Times, Probability: f.Probability})
}

// ClearFaults removes every script.
func (s *Server) ClearFaults() { s.faults.Clear() }

// begin counts the call and picks its fault; a zero Fault is none.
func (s *Server) begin(name string, body []byte) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[name]++
	return s.faults.NextOf(func(f Fault) bool {
		return (f.Endpoint == "" || f.Endpoint == name) && (f.Kind != FaultContent || messagesIn(body) > f.Message)
	}, s.callRng.Float64)
}

func messagesIn(body []byte) int {
	var out outgoing
	if json.Unmarshal(body, &out) != nil {
		return 0
	}
	return len(out.Messages)
}

// refusal is the answer that takes the place of the call, if any.
func (f Fault) refusal() (out reply, refused bool) {
	switch f.Kind {
	case Fault500Before:
		out = failed()
	case FaultRate:
		out = fail(http.StatusTooManyRequests, textRateLimit)
	case FaultQuota:
		out = fail(http.StatusTooManyRequests, textQuota)
	case FaultRecipient:
		out = fail(http.StatusTooManyRequests, textRecipient)
	case Fault401:
		out = fail(http.StatusUnauthorized, "Authentication failed. Confirm that the access token in the authorization header is valid.")
	case Fault403:
		out = fail(http.StatusForbidden, "Access to this API is not available for your account")
	case FaultContent:
		out = fail(http.StatusBadRequest, "The request body has 1 error(s)",
			detail{Message: "May not be empty", Property: fmt.Sprintf("messages[%d].text", f.Message)})
	default:
		return reply{}, false
	}
	return out, true
}

func failed() reply { return fail(http.StatusInternalServerError, "Internal server error") }

// FaultKinds lists every kind.
func FaultKinds() []FaultKind {
	return append(emukit.Mishaps(), FaultRate, FaultQuota, FaultRecipient, Fault401, Fault403, FaultContent)
}

// Valid says what is wrong with a script that came from outside.
func (f Fault) Valid() error {
	if !slices.Contains(FaultKinds(), f.Kind) {
		return fmt.Errorf("linetest: there is no fault %q; there are %v", f.Kind, FaultKinds())
	}
	if f.Endpoint != "" && !slices.Contains(Endpoints(), f.Endpoint) {
		return fmt.Errorf("linetest: there is no endpoint %q; there are %v", f.Endpoint, Endpoints())
	}
	if f.Nth == 0 && f.Probability == 0 {
		return errors.New("linetest: a fault needs nth or probability")
	}
	return nil
}

// ParseFault reads the form of the -fault flag: endpoint:kind:when, where when
// is a number (the n-th call), n+m (m calls from the n-th on) or a share such
// as 5%. endpoint * means every one. Example: push:cut-after:10%.
func ParseFault(s string) (Fault, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return Fault{}, fmt.Errorf("linetest: fault %q is not endpoint:kind:when, such as push:cut-after:10%%", s)
	}
	f := Fault{Kind: FaultKind(parts[1]), Delay: 3 * time.Second}
	if parts[0] != "*" {
		f.Endpoint = parts[0]
	}
	when, err := emukit.ParseWhen(parts[2])
	if err != nil {
		return Fault{}, fmt.Errorf("linetest: fault %q: %w", s, err)
	}
	f.Nth, f.Times, f.Probability = when.Nth, when.Times, when.Probability
	return f, f.Valid()
}
