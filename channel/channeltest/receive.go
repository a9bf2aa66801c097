package channeltest

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
)

func receiveChecks() []check {
	return []check{
		{"receive/genuine", receiveGenuine},
		{"receive/tampered-body", receiveTampered},
		{"receive/signature", receiveSignature},
		{"receive/empty-secret", receiveEmptySecret},
		{"receive/other-account", receiveOther},
		{"receive/repeated", receiveRepeated},
		{"receive/oversized", receiveOversized},
		{"receive/deep", receiveDeep},
		{"receive/siblings", receiveSiblings},
		{"receive/validate", validateSecrets},
	}
}

func receiveGenuine(t *testing.T, h Harness) {
	f := h.Open(t)
	for _, g := range h.Golden {
		rec, err := f.Adapter.Receive(f.Account, f.Webhook([]byte(g.Raw)))
		if err != nil {
			t.Errorf("%s: refused: %v", g.Name, err)
			continue
		}
		if len(rec.Envelopes) != 1 {
			t.Errorf("%s: %d envelopes of one event", g.Name, len(rec.Envelopes))
			continue
		}
		if env := rec.Envelopes[0]; len(env.DedupKey) < 1 || len(env.DedupKey) > 200 || len(env.Lane) > 200 || len(env.Raw) > 1<<20 {
			t.Errorf("%s: dedup key %d, lane %d, raw %d bytes: out of bounds", g.Name, len(env.DedupKey), len(env.Lane), len(env.Raw))
		}
	}
}

// refused asserts a 4xx that repeats nothing of the body.
func refused(t *testing.T, f *Fixture, acct channel.Account, req adapter.Request, why string, want ...int) {
	t.Helper()
	rec, err := f.Adapter.Receive(acct, req)
	var re *adapter.ReceiveError
	if !errors.As(err, &re) {
		t.Errorf("%s: accepted, or refused with %T instead of *ReceiveError", why, err)
		return
	}
	if re.Status < 400 || re.Status > 499 || len(want) > 0 && !slices.Contains(want, re.Status) {
		t.Errorf("%s: status %d, want %v", why, re.Status, want)
	}
	if !errors.Is(err, adapter.ErrInvalid) || len(rec.Envelopes) != 0 {
		t.Errorf("%s: not ErrInvalid, or envelopes in spite of the refusal", why)
	}
	if len(re.Detail) > 300 {
		t.Errorf("%s: the detail is %d bytes long", why, len(re.Detail))
	}
}

func receiveTampered(t *testing.T, h Harness) {
	f := h.Open(t)
	req := f.Webhook([]byte(h.Golden[0].Raw))
	for i := 0; i < len(req.Body); i += max(len(req.Body)/40, 1) {
		bent := req
		bent.Body = bytes.Clone(req.Body)
		bent.Body[i] ^= 1
		refused(t, f, f.Account, bent, "one bit altered", http.StatusUnauthorized)
	}
	longer := req
	longer.Body = append(bytes.Clone(req.Body), ' ')
	refused(t, f, f.Account, longer, "a blank appended", http.StatusUnauthorized)
	empty := req
	empty.Body = nil
	refused(t, f, f.Account, empty, "body removed", http.StatusUnauthorized)
}

func receiveSignature(t *testing.T, h Harness) {
	f := h.Open(t)
	req := f.Webhook([]byte(h.Golden[0].Raw))
	right := req.Header.Get(f.SignatureHeader)
	wrong := map[string]string{
		"empty": "", "short": right[:len(right)/2], "one less": right[:len(right)-1], "long": right + right,
		"upper case": strings.ToUpper(right), "lower case": strings.ToLower(right),
		"not base64": strings.Repeat("!", len(right)), "line break": right[:4] + "\n" + right[5:],
		"line break more": right[:4] + "\r\n" + right[4:], "blank": " ",
	}
	for name, value := range wrong {
		if value == right { // a signature in hexadecimal has only one case
			continue
		}
		bent := req
		bent.Header = req.Header.Clone()
		bent.Header.Set(f.SignatureHeader, value)
		refused(t, f, f.Account, bent, name, http.StatusUnauthorized)
	}
	missing := req
	missing.Header = req.Header.Clone()
	missing.Header.Del(f.SignatureHeader)
	refused(t, f, f.Account, missing, "missing", http.StatusUnauthorized)
	encoded := req
	encoded.Header = req.Header.Clone()
	encoded.Header.Set("Content-Encoding", "gzip")
	refused(t, f, f.Account, encoded, "content encoding")
}

// without returns the account with one secret replaced.
func without(acct channel.Account, key, value string) channel.Account {
	secrets := map[string]channel.Secret{}
	for k, v := range acct.Secrets {
		secrets[k] = v
	}
	secrets[key] = channel.NewSecret(value)
	acct.Secrets = secrets
	return acct
}

func receiveEmptySecret(t *testing.T, h Harness) {
	f := h.Open(t)
	bare := without(f.Account, f.Verification, "")
	refused(t, f, bare, f.Webhook([]byte(h.Golden[0].Raw)), "an account with an empty secret")
}

func receiveOther(t *testing.T, h Harness) {
	f := h.Open(t)
	other := without(f.Account, f.Verification, "the secret of another account")
	refused(t, f, other, f.Webhook([]byte(h.Golden[0].Raw)), "a webhook of another account", http.StatusUnauthorized)
}

func receiveRepeated(t *testing.T, h Harness) {
	f := h.Open(t)
	seen := map[string]string{}
	for _, g := range h.Golden {
		req := f.Webhook([]byte(g.Raw))
		first, err1 := f.Adapter.Receive(f.Account, req)
		second, err2 := f.Adapter.Receive(f.Account, req)
		if err1 != nil || err2 != nil || len(first.Envelopes) != 1 || len(second.Envelopes) != 1 {
			t.Fatalf("%s: refused", g.Name)
		}
		key := first.Envelopes[0].DedupKey
		if key != second.Envelopes[0].DedupKey || first.Envelopes[0].Lane != second.Envelopes[0].Lane {
			t.Errorf("%s: a repeated webhook has another dedup key or lane", g.Name)
		}
		if other, dup := seen[key]; dup {
			t.Errorf("%s and %s have the same dedup key", g.Name, other)
		}
		seen[key] = g.Name
	}
}

func receiveOversized(t *testing.T, h Harness) {
	f := h.Open(t)
	huge := []byte(`{"type":"x","pad":"` + strings.Repeat("a", 10<<20) + `"}`)
	refused(t, f, f.Account, f.Webhook(huge), "10 MB", http.StatusRequestEntityTooLarge)
}

func receiveDeep(t *testing.T, h Harness) {
	f := h.Open(t)
	deep := []byte(strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000))
	refused(t, f, f.Account, f.Webhook(deep), "500,000 levels", http.StatusBadRequest, http.StatusRequestEntityTooLarge)
}

func receiveSiblings(t *testing.T, h Harness) {
	f := h.Open(t)
	good := []byte(h.Golden[0].Raw)
	for _, broken := range h.Broken {
		rec, err := f.Adapter.Receive(f.Account, f.Webhook(good, broken, good))
		if err != nil {
			t.Errorf("a broken event took its siblings with it: %v", err)
			continue
		}
		fine, bad := 0, 0
		for _, env := range rec.Envelopes {
			if _, err := f.Adapter.Parse(f.Account, env); err == nil {
				fine++
			} else if errors.Is(err, adapter.ErrInvalid) {
				bad++
			}
		}
		if fine != 2 || bad != 1 {
			t.Errorf("good, broken, good gave %d good and %d refused events", fine, bad)
		}
	}
}

func validateSecrets(t *testing.T, h Harness) {
	f := h.Open(t)
	if err := f.Adapter.Validate(f.Account); err != nil {
		t.Fatalf("the fixture's account is refused: %v", err)
	}
	if err := f.Adapter.Validate(without(f.Account, f.Verification, "")); !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("an empty verification secret gives %v, want ErrInvalid", err)
	}
	odd := f.Account
	odd.Settings = []byte(`{"no such setting": true}`)
	if err := f.Adapter.Validate(odd); !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("unknown settings give %v, want ErrInvalid", err)
	}
	other := f.Account
	other.Kind = "no such channel"
	if err := f.Adapter.Validate(other); !errors.Is(err, adapter.ErrInvalid) {
		t.Errorf("an account of another kind gives %v, want ErrInvalid", err)
	}
}
