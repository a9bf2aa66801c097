package linetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sangdam/sangdam/channel/emukit"
)

const linkLife = 10 * time.Minute

func (s *Server) handleLinkToken(r *http.Request, _ []byte) reply {
	u := s.users[r.PathValue("user")]
	if u == nil {
		return notFound()
	}
	token := s.callHex(32)
	s.links.Put(token, u)
	return emukit.JSON(http.StatusOK, map[string]string{"linkToken": token})
}

// handleLinkDialog is access.line.me/dialog/bot/accountLink: the last step of
// an account link, in the customer's browser. A token that is spent or too old
// makes no event at all, as at LINE.
func (s *Server) handleLinkDialog(w http.ResponseWriter, r *http.Request) {
	token, nonce := r.URL.Query().Get("linkToken"), r.URL.Query().Get("nonce")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !s.Link(token, nonce) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("The link is no longer valid."))
		return
	}
	_, _ = w.Write([]byte("The account was linked. You can close this page."))
}

// Link finishes an account link as the dialog does and reports whether it
// could. A nonce of less than 10 or more than 255 characters fails, of which
// the account hears.
func (s *Server) Link(token, nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.links.Get(token)
	if !ok {
		return false
	}
	s.links.Forget(token) // it works once
	if len(nonce) < 10 || len(nonce) > 255 {
		s.emit(event{kind: "accountLink", fields: fields{{"link", fields{{"result", "failed"}, {"nonce", nonce}}}}})
		return false
	}
	s.emit(event{kind: "accountLink", chat: u.Chat, by: u, replyable: true,
		fields: fields{{"link", fields{{"result", "ok"}, {"nonce", nonce}}}}})
	return true
}

// IDToken issues what LINE Login gives a web application that the user logged
// in to: an ID token of the login channel, signed with its secret.
func (s *Server) IDToken(u *User, loginChannelID, loginSecret, nonce string) (string, error) {
	now := s.now()
	claims := jwt.MapClaims{
		"iss": "https://access.line.me", "sub": u.id, "aud": loginChannelID,
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "name": u.Name(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(loginSecret))
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens["id:"+token] = issuedToken{kind: "id " + loginChannelID, until: now.Add(time.Hour)}
	return token, nil
}

// handleVerifyID verifies ID tokens that IDToken issued.
func (s *Server) handleVerifyID(_ *http.Request, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return oauthFail(http.StatusBadRequest, "invalid_request", "The form could not be parsed")
	}
	token, client := form.Get("id_token"), form.Get("client_id")
	known, ok := s.tokens["id:"+token]
	now := s.now()
	switch {
	case !ok:
		return oauthFail(http.StatusBadRequest, "invalid_request", "Invalid IdToken.")
	case known.kind != "id "+client:
		return oauthFail(http.StatusBadRequest, "invalid_request", "Invalid IdToken Audience.")
	case !now.Before(known.until):
		return oauthFail(http.StatusBadRequest, "invalid_request", "IdToken expired.")
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return oauthFail(http.StatusBadRequest, "invalid_request", "Invalid IdToken.")
	}
	if want := form.Get("nonce"); want != "" && claims["nonce"] != want {
		return oauthFail(http.StatusBadRequest, "invalid_request", "Invalid IdToken Nonce.")
	}
	if want := form.Get("user_id"); want != "" && claims["sub"] != want {
		return oauthFail(http.StatusBadRequest, "invalid_request", "Invalid IdToken Subject Identifier.")
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return oauthFail(http.StatusBadRequest, "invalid_request", "Invalid IdToken.")
	}
	return reply{Status: http.StatusOK, Body: raw, Header: http.Header{"Content-Type": {"application/json"}}}
}
