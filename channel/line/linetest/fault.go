package linetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind string

// The faults. "Accepted" means that LINE acts on the call as if nothing were
// wrong; only the caller does not hear of it.
const (
	FaultCutBefore  FaultKind = "cut-before"  // the connection is cut, nothing accepted
	FaultCutAfter   FaultKind = "cut-after"   // accepted, then the connection is cut
	Fault500Before  FaultKind = "500-before"  // 500, nothing accepted
	Fault500After   FaultKind = "500-after"   // accepted, then 500
	FaultHangBefore FaultKind = "hang-before" // no answer until the caller gives up, nothing accepted
	FaultHangAfter  FaultKind = "hang-after"  // accepted, then no answer until the caller gives up
	FaultDelay      FaultKind = "delay"       // accepted, answered after Delay
	FaultGarbage    FaultKind = "garbage"     // accepted, 200 with a body that is not JSON
	FaultRate       FaultKind = "429-rate"
	FaultQuota      FaultKind = "429-quota"
	FaultRecipient  FaultKind = "429-recipient"
	Fault401        FaultKind = "401"
	Fault403        FaultKind = "403"
	FaultContent    FaultKind = "400-content" // one message of the request is refused, none accepted; see Fault.Message
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

	seen, hits int
}

// AddFault adds a script. Scripts are asked in the order in which they were
// added; the first that applies is used.
func (s *Server) AddFault(f Fault) {
	if f.Nth > 0 && f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults removes every script.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// begin counts the call and picks its fault; a zero Fault is none.
func (s *Server) begin(name string, body []byte) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[name]++
	var picked *Fault
	for _, f := range s.faults {
		if f.Endpoint != "" && f.Endpoint != name || f.Kind == FaultContent && messagesIn(body) <= f.Message {
			continue
		}
		f.seen++
		if picked == nil && f.applies(s.callRng.Float64()) {
			f.hits++
			picked = f
		}
	}
	if picked == nil {
		return Fault{}
	}
	return *picked
}

func messagesIn(body []byte) int {
	var out outgoing
	if json.Unmarshal(body, &out) != nil {
		return 0
	}
	return len(out.Messages)
}

func (f *Fault) applies(chance float64) bool {
	if f.Times > 0 && f.hits >= f.Times {
		return false
	}
	if f.Nth > 0 {
		return f.seen >= f.Nth
	}
	return chance < f.Probability
}

// before reports that the connection is to be cut without any effect.
func (f Fault) before(r *http.Request) bool {
	if f.Kind == FaultHangBefore {
		<-r.Context().Done()
	}
	return f.Kind == FaultCutBefore || f.Kind == FaultHangBefore
}

// refusal is the answer that takes the place of the call, or nil.
func (f Fault) refusal() *reply {
	var out reply
	switch f.Kind {
	case Fault500Before:
		out = fail(http.StatusInternalServerError, "Internal server error")
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
		return nil
	}
	return &out
}

// after turns the answer of a call that had its effect.
func (f Fault) after(r *http.Request, out reply) reply {
	switch f.Kind {
	case FaultHangAfter:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case FaultCutAfter:
		panic(http.ErrAbortHandler)
	case Fault500After:
		return fail(http.StatusInternalServerError, "Internal server error")
	case FaultGarbage:
		out.body = []byte(`{"sentMessages":[{"id":`)
	case FaultDelay:
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
		}
	}
	return out
}

// FaultKinds lists every kind.
func FaultKinds() []FaultKind {
	return []FaultKind{
		FaultCutBefore, FaultCutAfter, Fault500Before, Fault500After, FaultHangBefore, FaultHangAfter,
		FaultDelay, FaultGarbage, FaultRate, FaultQuota, FaultRecipient, Fault401, Fault403, FaultContent,
	}
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
	when, share := strings.CutSuffix(parts[2], "%")
	var err error
	if share {
		f.Probability, err = strconv.ParseFloat(when, 64)
		f.Probability /= 100
	} else {
		first, more, several := strings.Cut(when, "+")
		f.Nth, err = strconv.Atoi(first)
		if several && err == nil {
			f.Times, err = strconv.Atoi(more)
		}
	}
	if err != nil {
		return Fault{}, fmt.Errorf("linetest: fault %q: when is a number, n+m, or a share such as 5%%", s)
	}
	return f, f.Valid()
}
