package linetest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"

	"github.com/rivo/uniseg"

	"github.com/sangdam/sangdam/channel/emukit"
)

// menuStore holds rich menus.
type menuStore struct {
	menus    map[string]*menu
	order    []string
	aliases  map[string]string
	standard string
}

type menu struct {
	raw   json.RawMessage
	image bool
}

func newMenuStore() menuStore {
	return menuStore{menus: map[string]*menu{}, aliases: map[string]string{}}
}

const maxMenus = 1000

func (s *Server) handleMenuCreate(_ *http.Request, body []byte) reply {
	var in struct {
		Size struct {
			Width, Height int
		}
		Name        string
		ChatBarText string
		Areas       []json.RawMessage
	}
	if json.Unmarshal(body, &in) != nil {
		return fail(http.StatusBadRequest, "The request body could not be parsed as JSON")
	}
	ratio := float64(in.Size.Width) / float64(max(in.Size.Height, 1))
	name, bar := uniseg.GraphemeClusterCount(in.Name), uniseg.GraphemeClusterCount(in.ChatBarText)
	switch {
	case in.Size.Width < 800 || in.Size.Width > 2500 || in.Size.Height < 250 || ratio < 1.45:
		return menuFault("size")
	case name < 1 || name > 300:
		return menuFault("name")
	case bar < 1 || bar > 14:
		return menuFault("chatBarText")
	case len(in.Areas) > 20:
		return menuFault("areas")
	}
	return s.keepMenu(body)
}

// keepMenu stores a menu under an id of its own.
func (s *Server) keepMenu(body []byte) reply {
	if len(s.menus.order) >= maxMenus {
		return fail(http.StatusBadRequest, "The number of rich menus has reached the limit")
	}
	id := "richmenu-" + s.callHex(32)
	s.menus.menus[id] = &menu{raw: body}
	s.menus.order = append(s.menus.order, id)
	return emukit.JSON(http.StatusOK, map[string]string{"richMenuId": id})
}

func menuFault(property string) reply {
	return fail(http.StatusBadRequest, "The request body has 1 error(s)", detail{"Invalid value", property})
}

// describe adds the id to a stored menu. The lock is held.
func (s *Server) describe(id string) (map[string]any, bool) {
	m := s.menus.menus[id]
	if m == nil {
		return nil, false
	}
	var out map[string]any
	if json.Unmarshal(m.raw, &out) != nil {
		return nil, false
	}
	out["richMenuId"] = id
	return out, true
}

func (s *Server) handleMenuList(*http.Request, []byte) reply {
	all := []any{}
	for _, id := range s.menus.order {
		if m, ok := s.describe(id); ok {
			all = append(all, m)
		}
	}
	return emukit.JSON(http.StatusOK, map[string]any{"richmenus": all})
}

func (s *Server) handleMenuGet(r *http.Request, _ []byte) reply {
	if m, ok := s.describe(r.PathValue("menu")); ok {
		return emukit.JSON(http.StatusOK, m)
	}
	return notFound()
}

func (s *Server) handleMenuDelete(r *http.Request, _ []byte) reply {
	id := r.PathValue("menu")
	if s.menus.menus[id] == nil {
		return notFound()
	}
	delete(s.menus.menus, id)
	s.menus.order = slices.DeleteFunc(s.menus.order, func(o string) bool { return o == id })
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleMenuUpload(r *http.Request, body []byte) reply {
	m := s.menus.menus[r.PathValue("menu")]
	kind := r.Header.Get("Content-Type")
	switch {
	case m == nil || r.PathValue("part") != "content":
		return notFound()
	case kind != "image/png" && kind != "image/jpeg":
		return fail(http.StatusUnsupportedMediaType, "The content type is not image/png or image/jpeg")
	case len(body) > 1<<20:
		return fail(http.StatusRequestEntityTooLarge, "Request entity too large")
	case m.image:
		return fail(http.StatusBadRequest, "An image has already been uploaded to the richmenu")
	}
	m.image = true
	return emukit.JSON(http.StatusOK, struct{}{})
}

// ready finds a menu that can be shown. The lock is held.
func (s *Server) ready(id string) *reply {
	m := s.menus.menus[id]
	if m == nil {
		bad := notFound()
		return &bad
	}
	if !m.image {
		bad := fail(http.StatusBadRequest, "must upload richmenu image before applying it to user")
		return &bad
	}
	return nil
}

func (s *Server) handleMenuDefaultSet(r *http.Request, _ []byte) reply {
	if bad := s.ready(r.PathValue("menu")); bad != nil {
		return *bad
	}
	s.menus.standard = r.PathValue("menu")
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleMenuDefaultGet(*http.Request, []byte) reply {
	if s.menus.standard == "" {
		return notFound()
	}
	return emukit.JSON(http.StatusOK, map[string]string{"richMenuId": s.menus.standard})
}

func (s *Server) handleMenuDefaultClear(*http.Request, []byte) reply {
	s.menus.standard = ""
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleMenuLink(r *http.Request, _ []byte) reply {
	u := s.users[r.PathValue("user")]
	if u == nil {
		return notFound()
	}
	if bad := s.ready(r.PathValue("menu")); bad != nil {
		return *bad
	}
	u.menu = r.PathValue("menu")
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleMenuOf(r *http.Request, _ []byte) reply {
	u := s.users[r.PathValue("user")]
	if u == nil || u.menu == "" {
		return notFound()
	}
	return emukit.JSON(http.StatusOK, map[string]string{"richMenuId": u.menu})
}

func (s *Server) handleMenuUnlink(r *http.Request, _ []byte) reply {
	u := s.users[r.PathValue("user")]
	if u == nil {
		return notFound()
	}
	u.menu = ""
	return emukit.JSON(http.StatusOK, struct{}{})
}

// RichMenu returns the menu that the user's phone shows: the user's own, else
// the account's default, else none.
func (u *User) RichMenu() string {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return cmp.Or(u.menu, u.srv.menus.standard)
}

// SwitchMenu presses an area of the shown menu that switches to an alias.
func (u *User) SwitchMenu(alias, data string) Posted {
	s := u.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	status := "RICHMENU_ALIAS_ID_NOTFOUND"
	if id, ok := s.menus.aliases[alias]; ok {
		status = "RICHMENU_NOTFOUND"
		if s.menus.menus[id] != nil {
			u.menu, status = id, "SUCCESS"
		}
	}
	return s.emit(event{kind: "postback", chat: u.Chat, by: u, replyable: true, fields: fields{{"postback",
		fields{{"data", data}, {"params", fields{{"newRichMenuAliasId", alias}, {"status", status}}}}}}})
}

var aliasForm = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

type alias struct {
	AliasID    string `json:"richMenuAliasId"`
	RichMenuID string `json:"richMenuId"`
}

func (s *Server) handleAliasCreate(_ *http.Request, body []byte) reply {
	var in alias
	if json.Unmarshal(body, &in) != nil || !aliasForm.MatchString(in.AliasID) {
		return menuFault("richMenuAliasId")
	}
	if _, has := s.menus.aliases[in.AliasID]; has {
		return fail(http.StatusBadRequest, "conflict richmenu alias id")
	}
	if s.menus.menus[in.RichMenuID] == nil {
		return fail(http.StatusBadRequest, "richmenu not found")
	}
	s.menus.aliases[in.AliasID] = in.RichMenuID
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleAliasUpdate(r *http.Request, body []byte) reply {
	var in alias
	if json.Unmarshal(body, &in) != nil {
		return fail(http.StatusBadRequest, "The request body could not be parsed as JSON")
	}
	id := r.PathValue("alias")
	if _, has := s.menus.aliases[id]; !has {
		return notFound()
	}
	if s.menus.menus[in.RichMenuID] == nil {
		return fail(http.StatusBadRequest, "richmenu not found")
	}
	s.menus.aliases[id] = in.RichMenuID
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleAliasGet(r *http.Request, _ []byte) reply {
	id, has := s.menus.aliases[r.PathValue("alias")]
	if !has {
		return notFound()
	}
	return emukit.JSON(http.StatusOK, alias{AliasID: r.PathValue("alias"), RichMenuID: id})
}

func (s *Server) handleAliasDelete(r *http.Request, _ []byte) reply {
	if _, has := s.menus.aliases[r.PathValue("alias")]; !has {
		return notFound()
	}
	delete(s.menus.aliases, r.PathValue("alias"))
	return emukit.JSON(http.StatusOK, struct{}{})
}
