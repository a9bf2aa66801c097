package line

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// IDToken is who a LINE Login id token speaks of.
type IDToken struct {
	// User equals the Messaging API's user id when both channels belong to the
	// same provider.
	User    channel.ProviderUserID
	Name    string
	Picture string
	Email   string
	Expires time.Time
}

// VerifyIDToken has LINE verify an id token of the LINE Login channel
// loginChannelID. nonce must be what the log-in was begun with; empty when it
// had none. ErrPermissionDenied when LINE refuses the token.
func (a *Adapter) VerifyIDToken(ctx context.Context, loginChannelID, idToken, nonce string) (IDToken, error) {
	if !channelIDForm.MatchString(loginChannelID) || idToken == "" || len(idToken) > 8192 {
		return IDToken{}, errs.New(errs.Invalid, "line: id token: the login channel id must be a number and the token not empty")
	}
	form := url.Values{"id_token": {idToken}, "client_id": {loginChannelID}}
	if nonce != "" {
		form.Set("nonce", nonce)
	}
	ans, err := a.perform(ctx, call{
		method: http.MethodPost, address: a.api + "/oauth2/v2.1/verify",
		contentType: "application/x-www-form-urlencoded", body: []byte(form.Encode()),
	}, "")
	if err != nil {
		return IDToken{}, err
	}
	if ans.Status == http.StatusBadRequest {
		return IDToken{}, errs.New(errs.PermissionDenied,
			"line: id token: LINE refused it; it is expired, forged, or of another channel or nonce")
	}
	var got struct {
		Iss, Sub, Aud, Nonce, Name, Picture, Email string
		Exp                                        int64
	}
	if err := ans.decode("id token", &got); err != nil {
		return IDToken{}, err
	}
	// LINE checked all this; an answer that differs is not LINE's.
	if got.Iss != "https://access.line.me" || got.Aud != loginChannelID || got.Nonce != nonce && nonce != "" || got.Sub == "" {
		return IDToken{}, errs.New(errs.PermissionDenied, "line: id token: the answer does not speak of this log-in")
	}
	return IDToken{User: channel.ProviderUserID(got.Sub), Name: got.Name, Picture: got.Picture, Email: got.Email,
		Expires: time.Unix(got.Exp, 0).UTC()}, nil
}

// LinkToken asks for a token that begins an account link: it goes to the user
// in the address of the host's own log-in page. It lives 10 minutes and works
// once.
func (a *Adapter) LinkToken(ctx context.Context, acct channel.Account, user channel.ProviderUserID) (string, error) {
	if !validUser(user) {
		return "", errs.New(errs.Invalid, "line: link token: the user id does not have the form of a LINE id")
	}
	var got struct {
		LinkToken string `json:"linkToken"`
	}
	err := a.callJSON(ctx, acct, "link token", http.MethodPost, "/v2/bot/user/"+string(user)+"/linkToken", nil, &got)
	return got.LinkToken, err
}

// NewNonce makes the unguessable nonce of an account link (160 bits). Store it
// with the host's customer and the time, and accept it once, soon, when the
// EventAccountLink with it arrives.
func NewNonce() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// DefaultLinkDialog is where an account link ends.
const DefaultLinkDialog = "https://access.line.me/dialog/bot/accountLink"

// LinkURL is where the host sends the customer's browser after its log-in.
// dialog is DefaultLinkDialog when empty; a query of its own stays. ErrInvalid for what is
// no address of http or https, a query that cannot be read, an empty token, and a nonce of
// another length than 10 to 255.
func LinkURL(dialog, linkToken, nonce string) (string, error) {
	if linkToken == "" || len(nonce) < 10 || len(nonce) > 255 {
		return "", errs.New(errs.Invalid, "line: account link: the link token must not be empty and the nonce has 10 to 255 characters")
	}
	u, err := url.Parse(cmp.Or(dialog, DefaultLinkDialog))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", errs.New(errs.Invalid, "line: account link: the dialog is no address; write it as https://host/path, or leave it out")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil { // what cannot be read would be left out
		return "", errs.New(errs.Invalid, "line: account link: the query of the dialog cannot be read; write it as name=value&other=value")
	}
	query.Set("linkToken", linkToken)
	query.Set("nonce", nonce)
	u.RawQuery = query.Encode()
	return u.String(), nil
}
