package line

import (
	"cmp"
	"context"
	"net/url"
	"regexp"
	"strings"

	"github.com/skip2/go-qrcode"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// Basic IDs have one @ and up to 18 characters after it, Premium IDs too.
var basicForm = regexp.MustCompile(`^@[0-9a-z._-]{1,30}$`)

func friendPath(basicID string) (string, error) {
	if !basicForm.MatchString(basicID) {
		return "", errs.New(errs.Invalid, "line: a Basic or Premium ID begins with @ and has small letters, digits, dots, dashes; see "+
			"LINE Official Account Manager, or BotInfo")
	}
	return url.QueryEscape(basicID), nil // LINE wants the @ escaped
}

// AddFriendURL is the address that adds the account as a friend, or opens its
// chat for those who did. It is fixed as long as the ID is. LINE tells no one
// through which such address a friend came. ErrInvalid for what has not the form of
// a Basic or Premium ID, which begin with @.
func AddFriendURL(basicID string) (string, error) {
	id, err := friendPath(basicID)
	if err != nil {
		return "", err
	}
	return "https://line.me/R/ti/p/" + id, nil
}

// Invite asks LINE for the account's ID and returns AddFriendURL of it; a
// Premium ID, which people can remember, goes before the Basic one.
func (a *Adapter) Invite(ctx context.Context, acct channel.Account, size int) (out channel.Invitation, err error) {
	if size != 0 && (size < 64 || size > 2048) {
		return out, errs.New(errs.Invalid, "line: a QR picture has 64 to 2048 pixels, not %d", size)
	}
	info, err := a.BotInfo(ctx, acct)
	if err != nil {
		return out, err
	}
	if out.URL, err = AddFriendURL(cmp.Or(info.PremiumID, info.BasicID)); err != nil || size == 0 {
		return out, err
	}
	if out.QR, err = qrcode.Encode(out.URL, qrcode.Medium, size); err != nil {
		return out, errs.New(errs.Invalid, "line: the QR picture cannot be made of this ID")
	}
	return out, nil
}

// ChatURL is the address that opens the chat with text ready to be sent: the one way
// to learn from which campaign somebody came. ErrInvalid as of AddFriendURL.
func ChatURL(basicID, text string) (string, error) {
	id, err := friendPath(basicID)
	if err != nil {
		return "", err
	}
	return "https://line.me/R/oaMessage/" + id + "/?" + strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), nil
}
