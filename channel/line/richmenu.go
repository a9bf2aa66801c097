package line

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// RichMenuID names a rich menu at LINE.
type RichMenuID string

var (
	menuForm  = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)
	aliasForm = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)
)

func checkMenu(id RichMenuID) error {
	if !menuForm.MatchString(string(id)) {
		return errs.New(errs.Invalid, "line: rich menu: the id does not have the form of one")
	}
	return nil
}

func checkAlias(alias string) error {
	if !aliasForm.MatchString(alias) {
		return errs.New(errs.Invalid, "line: rich menu: an alias has 1 to 32 small letters, digits, dashes and underscores")
	}
	return nil
}

// CreateRichMenu creates a menu from LINE's rich menu object (size, selected,
// name, chatBarText, areas); at most 1,000 per account and 100 creations an
// hour. It shows nothing until it has a picture and is linked.
func (a *Adapter) CreateRichMenu(ctx context.Context, acct channel.Account, menu json.RawMessage) (RichMenuID, error) {
	if o, ok := kit.ParseObject(menu); !ok || kit.Graphemes(o.Str("name")) > 300 || kit.Graphemes(o.Str("chatBarText")) > 14 ||
		len(o.List("areas")) > 20 {
		return "", errs.New(errs.Invalid,
			"line: rich menu: not an object, or a name over 300, a chatBarText over 14 characters or more than 20 areas")
	}
	var got struct {
		ID RichMenuID `json:"richMenuId"`
	}
	err := a.callJSON(ctx, acct, "rich menu", http.MethodPost, "/v2/bot/richmenu", menu, &got)
	return got.ID, err
}

// UploadRichMenuImage gives the menu its picture, once: image/jpeg or image/png
// of at most 1 MB.
func (a *Adapter) UploadRichMenuImage(ctx context.Context, acct channel.Account, id RichMenuID, mediaType string, image []byte) error {
	if err := checkMenu(id); err != nil {
		return err
	}
	if mediaType != "image/jpeg" && mediaType != "image/png" || len(image) == 0 || len(image) > 1<<20 {
		return errs.New(errs.Invalid, "line: rich menu: the picture must be image/jpeg or image/png and at most 1 MB")
	}
	ans, err := a.authorised(ctx, acct, call{
		method: http.MethodPost, address: a.data + "/v2/bot/richmenu/" + string(id) + "/content",
		contentType: mediaType, body: image,
	})
	if err != nil {
		return err
	}
	return ans.decode("rich menu picture", nil)
}

// DeleteRichMenu deletes the menu at LINE.
func (a *Adapter) DeleteRichMenu(ctx context.Context, acct channel.Account, id RichMenuID) error {
	if err := checkMenu(id); err != nil {
		return err
	}
	return a.callJSON(ctx, acct, "rich menu", http.MethodDelete, "/v2/bot/richmenu/"+string(id), nil, nil)
}

// SetDefaultRichMenu shows the menu to everybody without one of their own;
// the empty id takes the default away.
func (a *Adapter) SetDefaultRichMenu(ctx context.Context, acct channel.Account, id RichMenuID) error {
	if id == "" {
		return a.callJSON(ctx, acct, "default rich menu", http.MethodDelete, "/v2/bot/user/all/richmenu", nil, nil)
	}
	if err := checkMenu(id); err != nil {
		return err
	}
	return a.callJSON(ctx, acct, "default rich menu", http.MethodPost, "/v2/bot/user/all/richmenu/"+string(id), nil, nil)
}

// LinkRichMenu shows the menu to one user, in place of the default; the empty
// id unlinks.
func (a *Adapter) LinkRichMenu(ctx context.Context, acct channel.Account, user channel.ProviderUserID, id RichMenuID) error {
	if !validUser(user) {
		return errs.New(errs.Invalid, "line: rich menu: the user id does not have the form of a LINE id")
	}
	path := "/v2/bot/user/" + string(user) + "/richmenu"
	if id == "" {
		return a.callJSON(ctx, acct, "rich menu of a user", http.MethodDelete, path, nil, nil)
	}
	if err := checkMenu(id); err != nil {
		return err
	}
	return a.callJSON(ctx, acct, "rich menu of a user", http.MethodPost, path+"/"+string(id), nil, nil)
}

type aliasBody struct {
	Alias string     `json:"richMenuAliasId,omitempty"`
	ID    RichMenuID `json:"richMenuId"`
}

// CreateRichMenuAlias names a menu, so that an area of another can switch to
// it.
func (a *Adapter) CreateRichMenuAlias(ctx context.Context, acct channel.Account, alias string, id RichMenuID) error {
	if err := firstError(checkAlias(alias), checkMenu(id)); err != nil {
		return err
	}
	return a.callJSON(ctx, acct, "rich menu alias", http.MethodPost, "/v2/bot/richmenu/alias", aliasBody{alias, id}, nil)
}

// UpdateRichMenuAlias points an alias to another menu.
func (a *Adapter) UpdateRichMenuAlias(ctx context.Context, acct channel.Account, alias string, id RichMenuID) error {
	if err := firstError(checkAlias(alias), checkMenu(id)); err != nil {
		return err
	}
	return a.callJSON(ctx, acct, "rich menu alias", http.MethodPost, "/v2/bot/richmenu/alias/"+alias, aliasBody{ID: id}, nil)
}

// DeleteRichMenuAlias deletes the alias at LINE; its menu stays.
func (a *Adapter) DeleteRichMenuAlias(ctx context.Context, acct channel.Account, alias string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	return a.callJSON(ctx, acct, "rich menu alias", http.MethodDelete, "/v2/bot/richmenu/alias/"+alias, nil, nil)
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}
