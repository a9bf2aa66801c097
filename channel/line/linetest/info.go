package linetest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
)

func (s *Server) handleInfo(*http.Request, []byte) reply {
	return emukit.JSON(http.StatusOK, map[string]any{
		"userId": s.botID, "basicId": s.opt.BasicID, "displayName": s.opt.BotName,
		"chatMode": s.opt.ChatMode, "markAsReadMode": map[bool]string{true: "manual", false: "auto"}[s.opt.ChatMode == "chat"],
	})
}

func notFound() reply { return fail(http.StatusNotFound, "Not found") }

func (u *User) profile() map[string]any {
	p := map[string]any{"userId": u.id, "displayName": u.name}
	if u.picture != "" {
		p["pictureUrl"] = u.picture
	}
	return p
}

func (s *Server) handleProfile(r *http.Request, _ []byte) reply {
	u := s.users[r.PathValue("user")]
	if u == nil || u.standing == Blocked || u.standing == Deleted || u.standing == Stranger && u.wrote.IsZero() {
		return notFound()
	}
	p := u.profile()
	if u.language != "" {
		p["language"] = u.language
	}
	if u.status != "" {
		p["statusMessage"] = u.status
	}
	return emukit.JSON(http.StatusOK, p)
}

// multi finds the group or room of a path. The lock is held.
func (s *Server) multi(r *http.Request) *Chat {
	c := s.chats[r.PathValue("chat")]
	kind := "group"
	if strings.HasPrefix(r.URL.Path, "/v2/bot/room/") {
		kind = "room"
	}
	if c == nil || c.left || c.kind != kind || c.kind == "user" {
		return nil
	}
	return c
}

func (s *Server) handleMember(r *http.Request, _ []byte) reply {
	if c := s.multi(r); c != nil {
		for _, u := range c.members {
			if u.id == r.PathValue("user") && u.standing != Deleted {
				return emukit.JSON(http.StatusOK, u.profile())
			}
		}
	}
	return notFound()
}

func (s *Server) handleMembersCount(r *http.Request, _ []byte) reply {
	c := s.multi(r)
	if c == nil {
		return notFound()
	}
	return emukit.JSON(http.StatusOK, map[string]int{"count": len(c.members)})
}

func (s *Server) handleMemberIDs(r *http.Request, _ []byte) reply {
	c := s.multi(r)
	if c == nil {
		return notFound()
	}
	return page(c.members, r.URL.Query().Get("start"), 100, "memberIds")
}

func (s *Server) handleFollowers(r *http.Request, _ []byte) reply {
	var friends []*User
	for _, u := range s.order {
		if u.standing == Friend {
			friends = append(friends, u)
		}
	}
	limit, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), "300"))
	if err != nil || limit < 1 || limit > 1000 {
		return fail(http.StatusBadRequest, "The value of limit is invalid")
	}
	return page(friends, r.URL.Query().Get("start"), limit, "userIds")
}

// page lists ids; the continuation token is the number of ids before.
func page(users []*User, start string, limit int, key string) reply {
	from, err := strconv.Atoi(cmp.Or(start, "0"))
	if err != nil || from < 0 || from > len(users) {
		return fail(http.StatusBadRequest, "Invalid start param")
	}
	to := min(from+limit, len(users))
	ids := []string{}
	for _, u := range users[from:to] {
		ids = append(ids, u.id)
	}
	out := map[string]any{key: ids}
	if to < len(users) {
		out["next"] = strconv.Itoa(to)
	}
	return emukit.JSON(http.StatusOK, out)
}

func (s *Server) handleSummary(r *http.Request, _ []byte) reply {
	c := s.multi(r)
	if c == nil {
		return notFound()
	}
	return emukit.JSON(http.StatusOK, map[string]string{"groupId": c.id, "groupName": c.name})
}

func (s *Server) handleLeave(r *http.Request, _ []byte) reply {
	c := s.multi(r)
	if c == nil {
		return notFound()
	}
	c.left = true
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleLoading(_ *http.Request, body []byte) reply {
	var in struct {
		ChatID  string `json:"chatId"`
		Seconds *int   `json:"loadingSeconds"`
	}
	if json.Unmarshal(body, &in) != nil {
		return fail(http.StatusBadRequest, "The request body could not be parsed as JSON")
	}
	seconds := 20
	if in.Seconds != nil {
		seconds = *in.Seconds
	}
	if seconds < 5 || seconds > 60 || seconds%5 != 0 {
		return fail(http.StatusBadRequest, "The request body has 1 error(s)", detail{"Must be a multiple of 5 between 5 and 60",
			"loadingSeconds"})
	}
	if !idForm.MatchString(in.ChatID) || in.ChatID[0] != 'U' {
		return fail(http.StatusBadRequest, "The property, 'chatId', in the request body is invalid (line: -, column: -)")
	}
	if u := s.users[in.ChatID]; u != nil {
		u.loadingUntil = s.now().Add(time.Duration(seconds) * time.Second)
	}
	s.changes.Touch()
	return emukit.JSON(http.StatusAccepted, struct{}{})
}

func (s *Server) handleMarkAsRead(_ *http.Request, body []byte) reply {
	var in struct {
		Token string `json:"markAsReadToken"`
	}
	if json.Unmarshal(body, &in) != nil {
		return fail(http.StatusBadRequest, "The request body could not be parsed as JSON")
	}
	id, _ := s.reads.Get(in.Token)
	p, _ := s.messages.Get(id)
	if p == nil {
		return fail(http.StatusBadRequest, "The request body has 1 error(s)", detail{"Invalid token", "markAsReadToken"})
	}
	if p.at.After(p.by.readUpTo) {
		p.by.readUpTo = p.at
	}
	s.changes.Touch()
	return emukit.JSON(http.StatusOK, struct{}{})
}

func (s *Server) handleWebhookSet(_ *http.Request, body []byte) reply {
	var in struct {
		Endpoint string `json:"endpoint"`
	}
	if json.Unmarshal(body, &in) != nil {
		return fail(http.StatusBadRequest, "The request body could not be parsed as JSON")
	}
	if bad := webhookAddress(in.Endpoint); bad != nil {
		return *bad
	}
	s.webhookURL = in.Endpoint
	return emukit.JSON(http.StatusOK, struct{}{})
}

// webhookAddress checks as LINE does, but lets loopback addresses pass over
// plain http, or the emulator could not be tried without a certificate.
func webhookAddress(address string) *reply {
	u, err := url.Parse(address)
	local := err == nil && u.Scheme == "http" && loopback(u.Hostname())
	if err != nil || u.Host == "" || len(address) > 500 || u.Scheme != "https" && !local {
		bad := fail(http.StatusBadRequest, "Invalid webhook endpoint URL")
		return &bad
	}
	return nil
}

// loopback says whether the host is this machine.
func loopback(host string) bool { return host == "localhost" || strings.HasPrefix(host, "127.") }

func (s *Server) handleWebhookGet(*http.Request, []byte) reply {
	if s.webhookURL == "" {
		return notFound()
	}
	return emukit.JSON(http.StatusOK, map[string]any{"endpoint": s.webhookURL, "active": true})
}

func (s *Server) handleWebhookTest(_ *http.Request, body []byte) reply {
	var in struct {
		Endpoint string `json:"endpoint"`
	}
	if len(body) > 0 && json.Unmarshal(body, &in) != nil {
		return fail(http.StatusBadRequest, "The request body could not be parsed as JSON")
	}
	address := cmp.Or(in.Endpoint, s.webhookURL)
	if address == "" {
		return notFound()
	}
	verify := s.signed(address, s.secret, nil)
	s.mu.Unlock() // the account may call while it is being called
	status, trouble := s.sender.Post(verify)
	s.mu.Lock()
	reason := "OK"
	if trouble != "" {
		reason = strings.ToUpper(trouble)
	}
	return emukit.JSON(http.StatusOK, map[string]any{
		"success": trouble == "", "timestamp": s.now().UTC().Format(time.RFC3339),
		"statusCode": status, "reason": reason, "detail": strconv.Itoa(status),
	})
}
