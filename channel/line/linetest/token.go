package linetest

import (
	"crypto/rsa"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sangdam/sangdam/channel/emukit"
)

// issuedToken is a channel access token; a zero until never ends.
type issuedToken struct {
	kind  string
	until time.Time
}

// statelessLife is LINE's; maxV2Tokens too.
const (
	statelessLife = 15 * time.Minute
	maxV2Tokens   = 30
	maxV2Life     = 30 * 24 * time.Hour
)

func (s *Server) authorised(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	t, ok := s.tokens[given]
	return ok && (t.until.IsZero() || s.now().Before(t.until))
}

// RevokeTokens ends every access token, the long-lived one included.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// RegisterKey registers the public half of an assertion signing key and
// returns its kid.
func (s *Server) RegisterKey(key *rsa.PublicKey) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	kid := s.uuid()
	s.keys[kid] = key
	return kid
}

func (s *Server) issue(kind string, life time.Duration) reply {
	now, live := s.now(), 0
	for name, t := range s.tokens {
		switch {
		case !t.until.IsZero() && !now.Before(t.until):
			delete(s.tokens, name)
		case t.kind == kind:
			live++
		}
	}
	if kind == "v2.1" && live >= maxV2Tokens {
		return oauthFail(http.StatusBadRequest, "invalid_request", "The number of channel access tokens has reached the limit")
	}
	token := s.callHex(64)
	s.tokens[token] = issuedToken{kind: kind, until: now.Add(life)}
	out := map[string]any{"token_type": "Bearer", "access_token": token, "expires_in": int64(life.Seconds())}
	if kind == "v2.1" {
		out["key_id"] = s.callHex(22)
	}
	return emukit.JSON(http.StatusOK, out)
}

// handleTokenV3 issues stateless tokens.
func (s *Server) handleTokenV3(_ *http.Request, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("grant_type") != "client_credentials" {
		return oauthFail(http.StatusBadRequest, "invalid_request", "grant_type must be client_credentials")
	}
	if form.Has("client_assertion") {
		if _, bad := s.assertion(form); bad != nil {
			return *bad
		}
		return s.issue("stateless", statelessLife)
	}
	right := subtle.ConstantTimeCompare([]byte(form.Get("client_secret")), []byte(s.secret)) == 1
	if form.Get("client_id") != s.opt.ChannelID || !right {
		return oauthFail(http.StatusBadRequest, "invalid_client", "Invalid client_id or client_secret")
	}
	return s.issue("stateless", statelessLife)
}

// handleTokenV2 issues tokens of version 2.1.
func (s *Server) handleTokenV2(_ *http.Request, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("grant_type") != "client_credentials" {
		return oauthFail(http.StatusBadRequest, "invalid_request", "grant_type must be client_credentials")
	}
	claims, bad := s.assertion(form)
	if bad != nil {
		return *bad
	}
	life := maxV2Life
	if seconds, ok := claims["token_exp"].(float64); ok {
		life = time.Duration(seconds) * time.Second
	}
	if life <= 0 || life > maxV2Life {
		return oauthFail(http.StatusBadRequest, "invalid_request", "token_exp must be at most 30 days")
	}
	return s.issue("v2.1", life)
}

// assertion verifies a client assertion as LINE does: RS256, a registered kid,
// iss and sub the channel id, aud LINE, at most 30 minutes.
func (s *Server) assertion(form url.Values) (jwt.MapClaims, *reply) {
	refuse := func(why string) (jwt.MapClaims, *reply) {
		bad := oauthFail(http.StatusBadRequest, "invalid_client", why)
		return nil, &bad
	}
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return refuse("client_assertion_type is invalid")
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(form.Get("client_assertion"), claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if key := s.keys[kid]; key != nil {
			return key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(s.opt.ChannelID), jwt.WithSubject(s.opt.ChannelID),
		jwt.WithAudience("https://api.line.me/"), jwt.WithExpirationRequired(), jwt.WithTimeFunc(s.now))
	if err != nil {
		return refuse("Invalid client_assertion")
	}
	if exp, err := claims.GetExpirationTime(); err != nil || exp.Sub(s.now()) > 30*time.Minute {
		return refuse("exp of the client_assertion is more than 30 minutes ahead")
	}
	return claims, nil
}
