package line

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

const (
	// tokenMargin is how long before its end an issued token is replaced:
	// stateless tokens live 15 minutes and are used for 14.
	tokenMargin = time.Minute
	// jwtTokenLife is the life asked for tokens of version 2.1. LINE allows 30
	// days but only 30 tokens at once, so that a long life would lock out a
	// process that restarts often.
	jwtTokenLife = 2 * time.Hour
	// assertionLife is the life of the assertion itself; LINE allows 30 minutes.
	assertionLife = 5 * time.Minute
)

// tokenCache keeps issued tokens in memory, by account and credentials.
type tokenCache struct {
	mu     sync.Mutex
	tokens map[string]issued
	flight singleflight.Group
}

type issued struct {
	token string
	until time.Time
}

// token returns an access token and whether a new one can be had. A cached
// token equal to refused is not returned again.
func (a *Adapter) token(ctx context.Context, acct channel.Account, refused string) (string, bool, error) {
	s, err := a.settings.parse(acct.Settings)
	if err != nil {
		return "", false, err
	}
	if s.TokenMode == TokenLongLived {
		err := validateToken(acct, s)
		return acct.Secrets[SecretToken].Reveal(), false, err
	}
	key := cacheKey(acct, s)
	if t, ok := a.tokens.get(key, a.now()); ok && t != refused {
		return t, true, nil
	}
	// One caller asks LINE, the others wait for it; the asking goes on when the
	// caller that began it goes away.
	result := a.tokens.flight.DoChan(key, func() (any, error) {
		if t, ok := a.tokens.get(key, a.now()); ok && t != refused {
			return t, nil
		}
		fresh, err := a.issue(context.WithoutCancel(ctx), acct, s)
		if err != nil {
			return "", err
		}
		a.tokens.put(key, fresh, a.now())
		return fresh.token, nil
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return "", true, r.Err
		}
		return r.Val.(string), true, nil
	case <-ctx.Done():
		return "", true, a.client.Broken(false, ctx.Err())
	}
}

// cacheKey changes with the credentials, so that a rotated secret never gets a
// token of the old one.
func cacheKey(acct channel.Account, s Settings) string {
	h := sha256.New()
	for _, part := range []string{string(acct.ID), string(s.TokenMode), s.ChannelID, s.KeyID, acct.Secrets[SecretChannel].Reveal(),
		acct.Secrets[SecretAssertion].Reveal()} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return string(h.Sum(nil))
}

func (c *tokenCache) get(key string, now time.Time) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tokens[key]
	return t.token, ok && now.Before(t.until)
}

func (c *tokenCache) put(key string, t issued, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		c.tokens = map[string]issued{}
	}
	for k, old := range c.tokens {
		if !now.Before(old.until) {
			delete(c.tokens, k)
		}
	}
	c.tokens[key] = t
}

// issue asks LINE for a token.
func (a *Adapter) issue(ctx context.Context, acct channel.Account, s Settings) (issued, error) {
	path, form := "/oauth2/v3/token", url.Values{"grant_type": {"client_credentials"}}
	if s.TokenMode == TokenJWT {
		assertion, err := a.assertion(acct, s)
		if err != nil {
			return issued{}, err
		}
		path = "/oauth2/v2.1/token"
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	} else {
		form.Set("client_id", s.ChannelID)
		form.Set("client_secret", acct.Secrets[SecretChannel].Reveal())
	}
	ans, err := a.perform(ctx, call{
		method: http.MethodPost, address: a.api + path,
		contentType: "application/x-www-form-urlencoded", body: []byte(form.Encode()),
	}, "")
	if err != nil {
		// Whatever became of it, no message was sent.
		return issued{}, a.client.Broken(false, err)
	}
	if ans.Status == http.StatusBadRequest || ans.Status == http.StatusUnauthorized || ans.Status == http.StatusForbidden {
		return issued{}, errs.New(errs.PermissionDenied,
			"line: LINE issued no access token (%d); check channel_id and channel_secret, or kid and assertion_key, against the LINE "+
				"console",
			ans.Status)
	}
	var got struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if err := ans.decode("issue of an access token", &got); err != nil {
		return issued{}, err
	}
	if !validToken(got.AccessToken) {
		return issued{}, errs.New(errs.Unavailable, "line: LINE's answer holds no usable access token")
	}
	life := min(max(time.Duration(got.ExpiresIn)*time.Second, 0), 30*24*time.Hour)
	return issued{token: got.AccessToken, until: a.now().Add(life - tokenMargin)}, nil
}

// assertion signs the JWT that stands for the channel.
func (a *Adapter) assertion(acct channel.Account, s Settings) (string, error) {
	key, err := parseAssertionKey(acct.Secrets[SecretAssertion])
	if err != nil {
		return "", err
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": s.ChannelID, "sub": s.ChannelID, "aud": "https://api.line.me/",
		"exp": a.now().Add(assertionLife).Unix(), "token_exp": int64(jwtTokenLife.Seconds()),
	})
	t.Header["kid"] = s.KeyID
	signed, err := t.SignedString(key)
	if err != nil {
		return "", errs.New(errs.Invalid, "line: secret assertion_key cannot sign; create a new pair and register it in the LINE console")
	}
	return signed, nil
}

// parseAssertionKey reads an RSA private key of at least 2048 bits from PEM or
// JWK. The error holds nothing of it.
func parseAssertionKey(secret channel.Secret) (*rsa.PrivateKey, error) {
	bad := errs.New(errs.Invalid, "line: secret assertion_key must be the RSA private key (2048 bits or more, PEM or JWK) whose public "+
		"half is registered as assertion signing key in the LINE console")
	raw := []byte(secret.Reveal())
	key, err := jwt.ParseRSAPrivateKeyFromPEM(raw)
	if err != nil {
		if key = fromJWK(raw); key == nil {
			return nil, bad
		}
	}
	if key.N.BitLen() < 2048 {
		return nil, bad
	}
	return key, nil
}

func fromJWK(raw []byte) *rsa.PrivateKey {
	var jwk struct{ Kty, N, E, D, P, Q string }
	if json.Unmarshal(raw, &jwk) != nil || jwk.Kty != "RSA" {
		return nil
	}
	var numbers [5]*big.Int
	for i, s := range []string{jwk.N, jwk.E, jwk.D, jwk.P, jwk.Q} {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(b) == 0 || len(b) > 1024 {
			return nil
		}
		numbers[i] = new(big.Int).SetBytes(b)
	}
	if !numbers[1].IsInt64() || numbers[1].Int64() > 1<<31-1 {
		return nil
	}
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: numbers[0], E: int(numbers[1].Int64())},
		D:         numbers[2],
		Primes:    []*big.Int{numbers[3], numbers[4]},
	}
	if key.Validate() != nil {
		return nil
	}
	key.Precompute()
	return key
}
