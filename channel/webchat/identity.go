package webchat

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/internal/errs"
)

// Bounds of what the host says of a visitor.
const (
	maxIdentity    = 8 << 10 // bytes of the whole token
	maxIdentityFor = 25 * time.Hour
	maxSubject     = 200
	identityLeeway = 30 * time.Second
)

// claims are those of the host's JSON web token.
type claims struct {
	jwt.RegisteredClaims
	Name    string `json:"name"`
	Email   string `json:"email"`
	Phone   string `json:"phone_number"`
	Locale  string `json:"locale"`
	Picture string `json:"picture"`
}

// verifyIdentity reads a JSON web token of the host's: HS256 and nothing else,
// for this account, not over and not good for more than 25 hours. Without a key
// nobody is known. ErrPermissionDenied.
func verifyIdentity(acct channel.Account, token string, now time.Time) (visitor.Profile, error) {
	refused := errs.New(errs.PermissionDenied, "webchat: the identity is not signed for this account, or its time is over")
	if token == "" || len(token) > maxIdentity {
		return visitor.Profile{}, refused
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(acct.Token),
		jwt.WithExpirationRequired(), jwt.WithLeeway(identityLeeway), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	for _, name := range []string{SecretIdentity, SecretIdentityNext} {
		key := acct.Secrets[name].Reveal()
		if len(key) < minKey {
			continue
		}
		var c claims
		_, err := parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return []byte(key), nil })
		if err != nil || c.Subject == "" || len(c.Subject) > maxSubject || c.ExpiresAt.After(now.Add(maxIdentityFor)) {
			continue
		}
		return visitor.Profile{Subject: c.Subject, Name: c.Name, Email: c.Email, Phone: c.Phone,
			Language: c.Locale, PictureURL: c.Picture}, nil
	}
	return visitor.Profile{}, refused
}
