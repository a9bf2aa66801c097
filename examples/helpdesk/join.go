package main

import (
	"context"
	"errors"
	"html/template"
	"net"
	"net/http"
	"time"

	"github.com/sangdam/sangdam"
)

var joinPage = template.Must(template.ParseFS(pageFiles, "pages/join.html"))

// joinView is the page on which an invited agent chooses a password. The name to
// sign in with is the agent's id: nobody chooses that of somebody else.
type joinView struct {
	Token, Name, Trouble string
	Over                 bool // the invitation cannot be used
	Min                  int
}

func (h *helpdesk) join(w http.ResponseWriter, status int, v joinView) {
	pageHeaders(w, status)
	v.Min = minPassword
	_ = joinPage.Execute(w, v) // the reader may be gone
}

// getJoin shows whose invitation it is.
func (h *helpdesk) getJoin(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if !h.mayTry(r) {
		h.join(w, http.StatusTooManyRequests, joinView{Trouble: tooMany, Over: true})
		return
	}
	i, err := h.eng.Invited(r.Context(), host(), token)
	if err != nil {
		h.joinFailed(w, err, joinView{})
		return
	}
	h.join(w, http.StatusOK, joinView{Token: token, Name: string(i.Agent)})
}

// postJoin uses the invitation up and signs the agent in.
func (h *helpdesk) postJoin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	v := joinView{Token: r.PostFormValue("token")}
	if !h.mayTry(r) {
		v.Trouble = tooMany
		h.join(w, http.StatusTooManyRequests, v)
		return
	}
	i, err := h.eng.Invited(ctx, host(), v.Token)
	if err != nil {
		h.joinFailed(w, err, v)
		return
	}
	v.Name = string(i.Agent)
	password := r.PostFormValue("password")
	if password != r.PostFormValue("again") {
		v.Trouble = "The two are not the same. · 두 비밀번호가 다릅니다."
		h.join(w, http.StatusBadRequest, v)
		return
	}
	hashed, err := h.hashed(ctx, password)
	if errors.Is(err, errPassword) {
		v.Trouble = err.Error() + " · 비밀번호는 10자 이상이어야 합니다."
		h.join(w, http.StatusBadRequest, v)
		return
	}
	if err == nil {
		// The link is used up before the password counts: of two who have it, one.
		_, err = h.eng.JoinAgent(ctx, host(), sangdam.JoinAgent{Token: v.Token})
	}
	if err == nil {
		err = h.keepPassword(ctx, v.Name, i.Agent, hashed)
	}
	if err == nil {
		err = h.welcome(w, r, i.Agent, "/console/")
	}
	if err != nil {
		h.joinFailed(w, err, v)
	}
}

const tooMany = "Too many attempts. Wait a minute. · 시도가 너무 많습니다. 1분 뒤 다시 시도하세요."

// mayTry bounds attempts from one address.
func (h *helpdesk) mayTry(r *http.Request) bool {
	from, _, _ := net.SplitHostPort(r.RemoteAddr) // an address without a port is one key for all
	return h.attempts.allow("join "+from, 30)
}

func (h *helpdesk) joinFailed(w http.ResponseWriter, err error, v joinView) {
	if errors.Is(err, sangdam.ErrNotFound) || errors.Is(err, sangdam.ErrStale) {
		v.Over, v.Trouble = true, "This invitation was used or is over. Ask for a new one. · 이미 사용했거나 만료된 초대입니다. 새 초대를 요청하세요."
		h.join(w, http.StatusNotFound, v)
		return
	}
	h.out.logger().Warn("an invited agent could not join", "error", err)
	v.Trouble = "The desk does not answer for the moment. · 잠시 뒤 다시 시도하세요."
	h.join(w, http.StatusServiceUnavailable, v)
}
