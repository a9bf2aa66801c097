package line

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

const (
	callTimeout  = 15 * time.Second
	mediaTimeout = 10 * time.Minute
	maxAnswer    = 1 << 20 // no answer of LINE but contents comes near
)

// call is one request to LINE.
type call struct {
	method      string
	address     string // base and path; ids in it are checked by the caller
	contentType string
	body        []byte
	retryKey    string // empty: no header at all
}

// with is the call as the kit performs it.
func (c call) with(authorization string) kit.Call {
	h := http.Header{}
	for name, value := range map[string]string{"Authorization": authorization, "Content-Type": c.contentType,
		"X-Line-Retry-Key": c.retryKey} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return kit.Call{Method: c.method, Address: c.address, Header: h, Body: c.body}
}

// answer is LINE's answer, which knows how LINE says what it found fault with.
type answer struct{ kit.Answer }

// authorised performs the call with the account's token and reads the answer.
func (a *Adapter) authorised(ctx context.Context, acct channel.Account, c call) (answer, error) {
	var ans answer
	err := a.withToken(ctx, acct, c, func(authorization string) (status int, err error) {
		ans, err = a.perform(ctx, c, authorization)
		return ans.Status, err
	})
	return ans, err
}

// withToken has a call performed with the account's token and, where tokens are
// issued by us, once more with a new one after a 401: a refused token means
// that the call had no effect.
func (a *Adapter) withToken(ctx context.Context, acct channel.Account, c call, perform func(authorization string) (int, error)) error {
	refused := ""
	for {
		token, renewable, err := a.token(ctx, acct, refused)
		if err != nil {
			return err
		}
		if err := a.turn(ctx, acct, c); err != nil {
			return err
		}
		status, err := perform("Bearer " + token)
		if err != nil || status != http.StatusUnauthorized || !renewable || refused != "" {
			return err
		}
		refused = token
	}
}

// turn waits until the account's rate lets the call go.
func (a *Adapter) turn(ctx context.Context, acct channel.Account, c call) error {
	path, ok := strings.CutPrefix(c.address, a.api)
	if !ok {
		path = strings.TrimPrefix(c.address, a.data)
	}
	return a.limits.Wait(ctx, acct.Token, endpointOf(path))
}

// perform sends the call once and reads the answer.
func (a *Adapter) perform(ctx context.Context, c call, authorization string) (answer, error) {
	ans, err := a.client.Do(ctx, c.with(authorization))
	return answer{ans}, err
}

// decode reads a 2xx answer into v, or explains the refusal by kind.
func (ans answer) decode(what string, v any) error {
	if ans.Status/100 != 2 {
		return refusal(what, ans.Status)
	}
	if v == nil {
		return nil
	}
	if ans.Truncated || json.Unmarshal(ans.Body, v) != nil {
		return errs.New(errs.Unavailable, "line: %s: LINE's answer was cut off or is not JSON", what)
	}
	return nil
}

func refusal(what string, status int) error {
	switch status {
	case http.StatusUnauthorized:
		return errs.New(errs.PermissionDenied, "line: %s: LINE refused the access token (401); issue a new one in the LINE console", what)
	case http.StatusForbidden:
		return errs.New(errs.PermissionDenied, "line: %s: the account's plan or rights do not allow this (403)", what)
	case http.StatusNotFound:
		return errs.New(errs.NotFound, "line: %s: not found (404)", what)
	case http.StatusConflict:
		return errs.New(errs.AlreadyExists, "line: %s: exists already (409)", what)
	case http.StatusGone:
		return errs.New(errs.Stale, "line: %s: no longer there (410)", what)
	}
	if status == http.StatusTooManyRequests || status >= 500 {
		return errs.New(errs.Unavailable, "line: %s: LINE answered %d; try again later", what, status)
	}
	return errs.New(errs.Invalid, "line: %s: LINE refused with status %d", what, status)
}

// callJSON performs an authorised call with an optional JSON body and decodes
// the answer into out unless nil.
func (a *Adapter) callJSON(ctx context.Context, acct channel.Account, what, method, path string, in, out any) error {
	c := call{method: method, address: a.api + path}
	if in != nil {
		body, err := encode(in)
		if err != nil {
			return errs.New(errs.Invalid, "line: %s: the request cannot be encoded", what)
		}
		c.body, c.contentType = body, "application/json"
	}
	ans, err := a.authorised(ctx, acct, c)
	if err != nil {
		return err
	}
	return ans.decode(what, out)
}
